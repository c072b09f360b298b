"""What `derive` of `[measure.lyapunov]` can make of the exponents."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DERIVED", "Derived"]

Array = NDArray[np.float64]
Pair = tuple[Array, Array]


@dataclass(frozen=True)
class Derived:
    """A variable made of exponents. `make(exponents, stderr (..., k), cell)` returns (value, its error).

    per: divides by the number of units ("unit"), by the step `dt` ("time"), or both. whole: it takes all exponents.
    first: it takes the largest alone.
    """

    make: Callable[[Array, Array, Any], Pair]
    long_name: str
    units: str
    how: str
    per: tuple[str, ...] = ()
    whole: bool = False
    first: bool = False

    @property
    def time(self) -> bool:
        """Whether the cell must have a step."""
        return "time" in self.per

    def of(self, exponents: Array, stderr: Array, cell: Any, dt: Any) -> Pair:
        """Return (value, its error), (...)."""
        value, error = self.make(exponents, stderr, cell)
        by: Any = (cell.units if "unit" in self.per else 1.0) * (np.asarray(dt) if self.time else 1.0)
        return value / by, error / by


def _first(exponents: Array, stderr: Array, cell: Any) -> Pair:
    return exponents[..., 0], stderr[..., 0]


def _mean(exponents: Array, stderr: Array, cell: Any) -> Pair:
    """The errors of one run's exponents depend on each other: their mean is a bound."""
    return exponents.mean(axis=-1), stderr.mean(axis=-1)


def _entropy(exponents: Array, stderr: Array, cell: Any) -> Pair:
    """Without the end of the positive exponents there is no sum of them."""
    from rnndyn import dynamics

    value, error = dynamics.entropy(exponents, stderr)
    cut = (exponents[..., -1] > 0) & (exponents.shape[-1] < cell.state_size)
    return np.where(cut, np.nan, value), np.where(cut, np.nan, error)


def _dimension(exponents: Array, stderr: Array, cell: Any) -> Pair:
    from rnndyn import dynamics

    found: Pair = dynamics.kaplan_yorke(exponents, stderr, size=cell.state_size)
    return found


def _memory(exponents: Array, stderr: Array, cell: Any) -> Pair:
    from rnndyn import dynamics

    found: Pair = dynamics.memory_time(exponents, stderr)
    return found


KY = "j + (λ1 + .. + λj) / |λj+1|, j the most exponents whose sum is not negative; NaN where too few were computed"
PESIN = "sum of the positive exponents; NaN where not all of them were computed"
EACH = ", divided by the number of units"
UNIT, TIME = ("unit",), ("time",)
BOUND = "; error: a bound, the errors of one run's exponents depend on each other"

DERIVED = {
    "dimension": Derived(_dimension, "Kaplan-Yorke dimension", "1", KY + BOUND),
    "dimension_per_unit": Derived(_dimension, "Kaplan-Yorke dimension per unit", "1", KY + EACH + BOUND, UNIT),
    "entropy": Derived(_entropy, "entropy", "nat/step", PESIN + BOUND),
    "entropy_per_unit": Derived(_entropy, "entropy per unit", "nat/step", PESIN + EACH + BOUND, UNIT),
    "entropy_rate_per_unit": Derived(
        _entropy, "entropy per unit time and unit", "nat/time", PESIN + EACH + " and by dt" + BOUND, UNIT + TIME
    ),
    "mean_exponent": Derived(_mean, "mean exponent", "nat/step", "mean of all exponents" + BOUND, whole=True),
    "memory_time": Derived(_memory, "memory time", "step", "-1 / λ1, infinite where λ1 is not negative", first=True),
    "exponent_per_time": Derived(
        _first, "largest Lyapunov exponent per unit time", "nat/time", "λ1 / dt", TIME, first=True
    ),
    "mean_exponent_per_time": Derived(
        _mean, "mean exponent per unit time", "nat/time", "mean of all exponents / dt" + BOUND, TIME, True
    ),
}
