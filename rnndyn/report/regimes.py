"""The long-run behaviour of a grid point as a named class: how many attractors, and of which period."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.report.style import REGIMES

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Classes", "classes_of", "label_classes", "period_classes", "regime_classes", "value_classes"]

Labels = NDArray[np.integer[Any]]
MOST = 8
# From rest to chaos, by the values of `rd.Regime`; places of their colours, which are the same on every map.
LABELS = {1: "fixed point", 2: "cycle", 3: "quasi-periodic", 6: "neutral", 5: "grows without bound", 4: "chaotic"}
PLACES = {1: 0, 3: 4, 6: 5, 5: 6, 4: 7}
CYCLES = (1, 2, 3)  # those of cycles, before the ones that are left over


@dataclass(frozen=True)
class Classes:
    """`index` has the shape of the grid and numbers `names`; -1 where nothing was decided or computed.

    places: of the colours, in `style.REGIMES`; one after another if empty.
    """

    index: NDArray[np.int64]
    names: list[str]
    places: tuple[int, ...] = ()

    def colours(self) -> list[str]:
        """Return the colour of each class."""
        return [REGIMES[place] for place in self.places or range(len(self.names))]

    def counts(self) -> list[int]:
        """Return the number of points of each class."""
        return [int(np.sum(self.index == number)) for number in range(len(self.names))]


def classes_of(data: "xr.DataArray", period: "xr.DataArray | None") -> Classes:
    """Return the classes of whole numbers: regimes, numbers of attractors (with their periods), periods, or values."""
    if data.name == "regime":
        return label_classes(data, period)
    if period is not None:
        return regime_classes(data, period)
    return period_classes(data) if data.name == "period" else value_classes(data)


def label_classes(regime: "xr.DataArray", period: "xr.DataArray | None") -> Classes:
    """Return the regimes that occur, from rest to growth; cycles by their period, rare periods together."""
    from rnndyn.dynamics import Regime

    codes = regime.values
    periods = np.where(codes == Regime.CYCLE, 0 if period is None else period.values, 0)
    others = {kind: words for kind, words in LABELS.items() if np.any(codes == kind)}
    lengths, counts = np.unique(periods[periods > 0], return_counts=True)
    taken = [PLACES[kind] for kind in others if kind != Regime.CYCLE]
    free = [*CYCLES, *(place for place in range(4, MOST - 1) if place not in taken)]
    room = len(free)
    kept = np.sort(lengths[np.argsort(-counts, kind="stable")][: room if len(lengths) <= room else room - 1])
    names: list[str] = []
    places: list[int] = []
    index = np.full(codes.shape, -1, dtype=np.int64)
    for kind, words in others.items():
        for length in kept if kind == Regime.CYCLE else ():
            index[periods == length] = len(names)
            names.append(f"{words} of period {length}")
            places.append(free.pop(0))
        rest = (codes == kind) & (index < 0)
        if rest.any():
            index[rest] = len(names)
            names.append(f"{words}s of other periods" if kind == Regime.CYCLE and len(kept) else words)
            places.append(free.pop(0) if kind == Regime.CYCLE else PLACES[kind])
    return Classes(index, names, tuple(places))


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
