"""Where along an axis a bound is first passed: the values of the axis around it, or between them on a cubic."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["between", "first_of"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def first_of(axis: Floats, there: Mask, known: Mask) -> tuple[Floats, Floats, Mask]:
    """Return (first values of the axis beyond the bound, values before them, which rows pass it).

    there, known: whether beyond the bound, and whether anything is known, (..., axis). A value before is the last one
    known not to be beyond; infinite where there is none. The first two are of those rows that pass it, flat.
    """
    crossed, first, place = np.asarray(there.any(axis=-1)), there.argmax(axis=-1), np.arange(len(axis))
    last = np.where(known & (place < first[..., None]), place, -1).max(axis=-1)
    before = np.where(last < 0, -np.inf if axis[0] <= axis[-1] else np.inf, axis[last])
    return axis[first][crossed], before[crossed], crossed


def between(axis: Floats, over: Floats) -> tuple[Floats, Mask]:
    """Return (where the cubic through the four nearest values passes zero, which rows do): over (..., axis)."""
    with np.errstate(invalid="ignore"):
        passes = (over[..., 1:] > 0) & (over[..., :-1] <= 0)
    crossed = np.asarray(passes.any(axis=-1))
    found = [_root(axis, row, at) for row, at in zip(over[crossed], passes[crossed].argmax(axis=-1), strict=True)]
    return np.array(found), crossed


def _root(x: Any, y: Any, left: int) -> float:
    """Return where y, given at x, passes zero between `left` and the next, on the cubic through the four around."""
    begin = max(0, min(left - 1, len(x) - 4))
    near = slice(begin, begin + 4)
    scaled = (x[near] - x[left]) / (x[left + 1] - x[left])
    if not np.all(np.isfinite(y[near])):
        scaled, near = np.array([0.0, 1.0]), slice(left, left + 2)
    cubic = np.polynomial.Polynomial(np.linalg.solve(np.vander(scaled, increasing=True), y[near]))
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if cubic(middle) <= 0 else (low, middle)
    return float(x[left] + high * (x[left + 1] - x[left]))
