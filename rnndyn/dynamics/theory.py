"""Closed forms that measured maps are held against.

The scalar tanh unit `h <- tanh(w h + b)` has the multiplier `m = w (1 - h^2)` at a fixed point `h = tanh(w h + b)`.
At `m = +1` two fixed points meet and vanish (fold, saddle-node): `h^2 = 1 - 1/w`. At `m = -1` a fixed point hands its
stability to a 2-cycle (flip, period doubling): `h^2 = 1 - 1/|w|`. Put into `b = artanh(h) - w h`, with
`artanh(sqrt(1 - 1/u)) = arccosh(sqrt(u))`, both give `|b|` as a function of `w` alone. F. Pasemann, "Dynamics of a
single model neuron", Int. J. Bifurcation and Chaos 3 (1993) 271, has the same two curves for the logistic unit.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["flip_curve", "fold_curve"]


def fold_curve(w: ArrayLike) -> NDArray[np.float64]:
    """Return `|b| = sqrt(w (w - 1)) - arccosh(sqrt(w))`, the saddle-node of `h <- tanh(w h + b)`.

    Inside (`|b|` smaller) two stable fixed points coexist, outside there is one. Domain `w >= 1` (the cusp is at
    `w = 1, b = 0`); NaN elsewhere. The result has the shape of `w`. At `w = 2`: 0.53283998.
    """
    w = np.asarray(w, dtype=np.float64)
    inside = np.where(w >= 1.0, w, 1.0)
    curve = np.sqrt(inside * (inside - 1.0)) - np.arccosh(np.sqrt(inside))
    return np.where(w >= 1.0, curve, np.nan)


def flip_curve(w: ArrayLike) -> NDArray[np.float64]:
    """Return `|b| = sqrt(|w| (|w| - 1)) + arccosh(sqrt(|w|))`, the period doubling of `h <- tanh(w h + b)`.

    Inside (`|b|` smaller) the attractor is a 2-cycle, outside a fixed point. Domain `w <= -1`; NaN elsewhere. The
    result has the shape of `w`. At `w = -2`: 2.29558715.
    """
    w = np.asarray(w, dtype=np.float64)
    size = np.where(w <= -1.0, -w, 1.0)
    curve = np.sqrt(size * (size - 1.0)) + np.arccosh(np.sqrt(size))
    return np.where(w <= -1.0, curve, np.nan)
