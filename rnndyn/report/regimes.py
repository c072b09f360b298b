"""The long-run behaviour of a grid point as a named class: how many attractors, and of which period."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Classes", "period_classes", "regime_classes", "value_classes"]

Labels = NDArray[np.integer[Any]]
MOST = 8


@dataclass(frozen=True)
class Classes:
    """`index` has the shape of the grid and numbers `names`; -1 where nothing was decided or computed."""

    index: NDArray[np.int64]
    names: list[str]

    def counts(self) -> list[int]:
        """Return the number of points of each class."""
        return [int(np.sum(self.index == number)) for number in range(len(self.names))]


def regime_classes(count: "xr.DataArray", period: "xr.DataArray") -> Classes:
    """Return the classes (number of attractors, shortest period) that occur, from the simplest to the richest."""
    return _classes(count.values, period.values, _regime_name)


def period_classes(period: "xr.DataArray") -> Classes:
    """Return the classes of the shortest period alone."""
    return _classes(np.minimum(period.values, 1), period.values, lambda _, period: f"period {period}")


def value_classes(data: "xr.DataArray") -> Classes:
    """Return the values of an array of whole numbers as classes, by its flags' names if it has some."""
    flags = dict(zip(data.attrs.get("flag_values", ()), str(data.attrs.get("flag_meanings", "")).split(), strict=False))
    values, where = np.unique(data.values, return_inverse=True)
    names = [str(flags.get(int(value), f"{data.name} = {value}" if data.name else value)) for value in values]
    return _at_most(where.reshape(data.shape).astype(np.int64), [name.lower().replace("_", " ") for name in names])


def _classes(count: Labels, period: Labels, name: Callable[[int, int], str]) -> Classes:
    decided = (count > 0) & (period > 0)
    base = int(count.max(initial=0)) + 1
    codes, where = np.unique(period[decided].astype(np.int64) * base + count[decided], return_inverse=True)
    index = np.full(count.shape, -1, dtype=np.int64)
    index[decided] = where
    names = [name(int(code % base), int(code // base)) for code in codes]
    return _at_most(index, names)


def _at_most(index: NDArray[np.int64], names: list[str]) -> Classes:
    """Gather what is beyond the number of colours."""
    if len(names) > MOST:
        index = np.minimum(index, MOST - 1)
        names = [*names[: MOST - 1], f"{len(names) - MOST + 1} other kinds"]
    return Classes(index, names)


def _regime_name(count: int, period: int) -> str:
    if count == 1:
        return "one fixed point" if period == 1 else f"one cycle of period {period}"
    among = "a fixed point among them" if period == 1 else f"a cycle of period {period} the shortest"
    return f"{_word(count)} attractors, {among}"


def _word(count: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[count] if count < len(words) else str(count)
