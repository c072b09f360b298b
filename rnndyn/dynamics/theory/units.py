"""One unit: `h <- phi(w h + b)` with phi linear, tanh or logistic, and the tent map made of two ReLU units.

The tanh unit has the multiplier `m = w (1 - h^2)` at a fixed point `h = tanh(w h + b)`. At `m = +1` two fixed points
meet and vanish (fold, saddle-node): `h^2 = 1 - 1/w`. At `m = -1` a fixed point hands its stability to a 2-cycle (flip,
period doubling): `h^2 = 1 - 1/|w|`. Put into `b = artanh(h) - w h`, with `artanh(sqrt(1 - 1/u)) = arccosh(sqrt(u))`,
both give `|b|` as a function of `w` alone.

The logistic unit is a tanh unit, `sigma(x) = (1 + tanh(x/2))/2`: `h = (1 + y)/2` turns `h <- sigma(w h + b)` into
`y <- tanh(w/4 y + w/4 + b/2)`. And `x <- w phi(x) + b` is `h <- phi(w h + b)` seen from before phi, `x = w h + b`: the
same multipliers, so the same curves.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .entry import topic

__all__ = [
    "flip_curve", "fold_curve", "linear_gradient", "linear_power", "linear_settled", "logistic_cusp", "logistic_flip",
    "logistic_fold", "skew_tent", "tanh_cusp", "tanh_exponent", "tanh_flip", "tanh_fold",
]  # fmt: skip

ENTRIES, known = topic()
Array = NDArray[np.float64]
PASEMANN = "Pasemann, Int. J. Bifurcation and Chaos 3 (1993) 271"
TANH, LOGISTIC = "h <- tanh(w h + b), x <- w tanh(x) + b", "h <- sigma(w h + b), x <- w sigma(x) + b"


def _floats(*values: ArrayLike) -> tuple[Array, ...]:
    return tuple(np.asarray(value, dtype=np.float64) for value in values)


# --- tanh -------------------------------------------------------------------------------------------------------------


@known(
    "curve",
    f"{TANH}: |b| = sqrt(w (w - 1)) - arccosh(sqrt(w)), two stable states inside, one outside",
    label="saddle-node (closed form)",
    domain="w >= 1",
    source=PASEMANN,
    mirrored=True,
)
def tanh_fold(w: ArrayLike) -> Array:
    """Return |b|. At `w = 2`: 0.53283998. The result has the shape of w."""
    (w,) = _floats(w)
    inside = np.where(w >= 1.0, w, 1.0)
    curve = np.sqrt(inside * (inside - 1.0)) - np.arccosh(np.sqrt(inside))
    return np.where(w >= 1.0, curve, np.nan)


@known(
    "curve",
    f"{TANH}: |b| = sqrt(|w| (|w| - 1)) + arccosh(sqrt(|w|)), a 2-cycle inside, a fixed point outside",
    label="period doubling (closed form)",
    domain="w <= -1",
    source=PASEMANN,
    mirrored=True,
)
def tanh_flip(w: ArrayLike) -> Array:
    """Return |b|. At `w = -2`: 2.29558715. The result has the shape of w."""
    (w,) = _floats(w)
    size = np.where(w <= -1.0, -w, 1.0)
    curve = np.sqrt(size * (size - 1.0)) + np.arccosh(np.sqrt(size))
    return np.where(w <= -1.0, curve, np.nan)


fold_curve, flip_curve = tanh_fold, tanh_flip


@known(
    "point",
    f"{TANH}: the fold begins in a cusp at (w, b) = (1, 0)",
    label="cusp",
    domain="everywhere",
    source=PASEMANN,
)
def tanh_cusp() -> Array:
    """Return (w, b)."""
    return np.array([1.0, 0.0])


@known(
    "value",
    "h <- tanh(w h): ln |w| for |w| <= 1, else ln(|w| (1 - x^2)) with x = tanh(|w| x)",
    label="one tanh unit (closed form)",
    domain="every w",
    source=PASEMANN,
)
def tanh_exponent(w: ArrayLike) -> Array:
    """Return the exponent per step. At `|w| = 1.5: -0.93061020, 2: -1.79352851, 3: -3.48960750`. Of the shape of w."""
    size = np.abs(np.asarray(w, dtype=np.float64))
    x = np.where(size > 1.0, 1.0, 0.0)
    for _ in range(100):  # Newton's method from above, where the function is convex
        t = np.tanh(size * x)
        slope = 1.0 - size * (1.0 - t * t)
        x = np.where(size > 1.0, np.clip(x - (x - t) / np.where(slope == 0.0, 1.0, slope), 0.0, 1.0), 0.0)
    with np.errstate(divide="ignore"):
        return np.log(size) - 2.0 * np.log(np.cosh(size * x))


# --- logistic ---------------------------------------------------------------------------------------------------------


@known(
    "curve",
    f"{LOGISTIC}: b = ln(s/(1-s)) - w s at s = (1 +- sqrt(1 - 4/w))/2, two stable states between, one outside",
    label="saddle-node (closed form)",
    domain="w >= 4",
    source=PASEMANN,
)
def logistic_fold(w: ArrayLike) -> Array:
    """Return the two values of b, lower and upper, (2, *shape of w). At `w = 5`: -2.65561034 and -2.34438966."""
    return _beside_the_middle(w, tanh_fold)


@known(
    "curve",
    f"{LOGISTIC}: b = ln(s/(1-s)) - w s at s = (1 +- sqrt(1 - 4/|w|))/2, a 2-cycle between, a fixed point outside",
    label="period doubling (closed form)",
    domain="w <= -4",
    source=PASEMANN,
)
def logistic_flip(w: ArrayLike) -> Array:
    """Return the two values of b, lower and upper, (2, *shape of w)."""
    return _beside_the_middle(w, tanh_flip)


def _beside_the_middle(w: ArrayLike, curve: Callable[[ArrayLike], Array]) -> Array:
    (w,) = _floats(w)
    apart = 2.0 * curve(w / 4.0)
    return np.stack([-0.5 * w - apart, -0.5 * w + apart])


@known(
    "point",
    f"{LOGISTIC}: the fold begins in a cusp at (w, b) = (4, -2)",
    label="cusp",
    domain="everywhere",
    source=PASEMANN,
)
def logistic_cusp() -> Array:
    """Return (w, b)."""
    return np.array([4.0, -2.0])


# --- linear and piecewise linear --------------------------------------------------------------------------------------


@known(
    "value",
    "h <- a (w h + F): settles at a F / (1 - a w) from every start",
    label="a F / (1 - a w) (closed form)",
    domain="|a w| < 1; from every start but that point it grows without bound above 1",
    source="geometric series",
)
def linear_settled(w: ArrayLike, force: ArrayLike, slope: ArrayLike = 1.0) -> Array:
    """Return where a unit of constant slope a settles under a constant force F."""
    w, force, slope = np.broadcast_arrays(*_floats(w, force, slope))
    there = np.abs(slope * w) < 1.0
    return np.where(there, slope * force / np.where(there, 1.0 - slope * w, 1.0), np.nan)


@known(
    "value",
    "h <- w h: ln |d h_T / d h_(T - lag)| = lag ln |w|",
    label="lag · ln |w| (closed form)",
    domain="every w",
    source="chain rule",
)
def linear_power(w: ArrayLike, lag: ArrayLike) -> Array:
    """Return the log gradient norm after `lag` steps. At lag 100, w = 1.1: ln 13 780.6; w = 0.9: ln 2.656e-5."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.asarray(lag, dtype=np.float64) * np.log(np.abs(np.asarray(w, dtype=np.float64)))
    return np.where(np.asarray(lag) == 0, 0.0, power)


@known(
    "value",
    "x <- w x: d x_T / d w = T x_0 w^(T - 1)",
    label="T x₀ w^(T−1) (closed form)",
    domain="every w, T >= 1",
    source="Werbos, Proc. IEEE 78 (1990) 1550",
)
def linear_gradient(w: ArrayLike, steps: ArrayLike, start: ArrayLike = 1.0) -> Array:
    """Return the derivative of the last state with respect to the weight."""
    w, steps, start = _floats(w, steps, start)
    return steps * start * w ** (steps - 1.0)


@known(
    "value",
    "ReLU units w = (1/p, -(1/p + 1/(1-p))), b = (0, -p), the skew tent map: -p ln p - (1-p) ln(1-p)",
    label="skew tent map (closed form)",
    domain="0 < p < 1, almost every start",
    source="Lasota & Mackey, Chaos, Fractals and Noise (1994)",
)
def skew_tent(p: ArrayLike) -> Array:
    """Return the largest exponent per step; the other is -inf. At p = 0.3: 0.6108643."""
    (p,) = _floats(p)
    inside = np.where((p > 0.0) & (p < 1.0), p, np.nan)
    return -inside * np.log(inside) - (1.0 - inside) * np.log1p(-inside)
