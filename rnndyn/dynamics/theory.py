"""Closed forms that measured maps are held against.

The scalar tanh unit `h <- tanh(w h + b)` has the multiplier `m = w (1 - h^2)` at a fixed point `h = tanh(w h + b)`.
At `m = +1` two fixed points meet and vanish (fold, saddle-node): `h^2 = 1 - 1/w`. At `m = -1` a fixed point hands its
stability to a 2-cycle (flip, period doubling): `h^2 = 1 - 1/|w|`. Put into `b = artanh(h) - w h`, with
`artanh(sqrt(1 - 1/u)) = arccosh(sqrt(u))`, both give `|b|` as a function of `w` alone. F. Pasemann, "Dynamics of a
single model neuron", Int. J. Bifurcation and Chaos 3 (1993) 271, has the same two curves for the logistic unit.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "critical_noise", "flip_curve", "fold_curve", "forget_gate", "linear_power", "mean_field_exponent", "tanh_exponent",
]  # fmt: skip


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


def linear_power(w: ArrayLike, lag: ArrayLike) -> NDArray[np.float64]:
    """Return `ln |w^lag| = lag ln |w|`, the log gradient norm of `h <- w h` after `lag` steps.

    At `w = 1.1, lag = 100`: ln 13 780.6. At 0.9: ln 2.656e-5. w and lag broadcast.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.asarray(lag, dtype=np.float64) * np.log(np.abs(np.asarray(w, dtype=np.float64)))
    return np.where(np.asarray(lag) == 0, 0.0, power)


def forget_gate(b: ArrayLike, lag: ArrayLike) -> NDArray[np.float64]:
    """Return `lag ln sigma(b)`, the log of `d c_T / d c_{T-lag}` of an LSTM whose gates see no state.

    The forget gate is open by `sigma(b) = 1 / (1 + exp(-b))` at every step, and the cell state decays by that. b and
    lag broadcast. Source: Gers, Schmidhuber & Cummins, Neural Computation 12 (2000) 2451.
    """
    return -np.asarray(lag, dtype=np.float64) * np.logaddexp(0.0, -np.asarray(b, dtype=np.float64))


def tanh_exponent(w: ArrayLike) -> NDArray[np.float64]:
    """Return the exponent of `h <- tanh(w h)`: `ln |w|` for `|w| <= 1`, else `ln(|w| (1 - x^2))`, `x = tanh(|w| x)`.

    At `|w| = 1.5: -0.93061020, 2: -1.79352851, 3: -3.48960750`. The result has the shape of `w`.
    """
    size = np.abs(np.asarray(w, dtype=np.float64))
    x = np.where(size > 1.0, 1.0, 0.0)
    for _ in range(100):  # Newton's method from above, where the function is convex
        t = np.tanh(size * x)
        slope = 1.0 - size * (1.0 - t * t)
        x = np.where(size > 1.0, np.clip(x - (x - t) / np.where(slope == 0.0, 1.0, slope), 0.0, 1.0), 0.0)
    with np.errstate(divide="ignore"):
        return np.log(size) - 2.0 * np.log(np.cosh(size * x))


def mean_field_exponent(gain: ArrayLike, noise: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Return the largest exponent of `h <- tanh(J h + u)`, N to infinity, J normal of deviation gain / sqrt(N).

    u is white noise of standard deviation `noise`, independent for each unit. `q = g^2 E tanh^2(sqrt(q) z) + noise^2`,
    `lambda = ln(g^2 E sech^4(sqrt(q) z)) / 2` with standard normal z; `ln g` for `g <= 1` without noise, where q = 0.
    At g = 1.5: 0.065217, 2: 0.154724, 3: 0.310249; at g = 2 and noise 1: 0.045975. gain and noise broadcast.
    Source: Molgedey, Schuchhardt & Schuster, Phys. Rev. Lett. 69 (1992) 3717.
    """
    gain, noise = np.broadcast_arrays(np.abs(np.asarray(gain, float)), np.abs(np.asarray(noise, float)))
    z = np.linspace(-10.0, 10.0, 8001)  # the trapezoidal rule: exact to rounding while sqrt(q) is below 100
    weight = np.exp(-0.5 * z * z)
    weight = weight / weight.sum()
    with np.errstate(divide="ignore"):
        found = [
            np.log(g) if g <= 1.0 and s == 0.0 else _mean_field(float(g), float(s), z, weight)
            for g, s in zip(gain.flat, noise.flat, strict=True)
        ]
    return np.array(found).reshape(gain.shape)


def _mean_field(g: float, s: float, z: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Solve `q = g^2 E tanh^2(sqrt(q) z) + s^2` by bisection: the right side over q falls."""
    low, high = 0.0, g * g + s * s
    for _ in range(200):
        q = 0.5 * (low + high)
        if g * g * float(weight @ np.tanh(np.sqrt(q) * z) ** 2) + s * s > q:
            low = q
        else:
            high = q
    return 0.5 * float(np.log(g * g * (weight @ np.cosh(np.sqrt(low) * z) ** -4.0)))


def critical_noise(gain: ArrayLike) -> NDArray[np.float64]:
    """Return the noise at which `mean_field_exponent(gain, noise)` is zero: more of it suppresses chaos.

    `g^2 E sech^4(sqrt(q) z) = 1` tells q, by Newton's method in q, where the logarithm of the left side is convex; then
    `noise^2 = q - g^2 E tanh^2(sqrt(q) z)`. NaN for `g < 1`, whose network is stable without noise. At g = 1.5:
    0.431444, 2: 1.279045, 3: 3.883382. The result has the shape of `gain`; exact to rounding up to a gain of 7.
    Source: Molgedey, Schuchhardt & Schuster, Phys. Rev. Lett. 69 (1992) 3717.
    """
    gain = np.asarray(gain, dtype=np.float64)
    z = np.linspace(0.0, 10.0, 1001)
    weight = np.exp(-0.5 * z * z)
    weight[0] *= 0.5
    weight = weight / weight.sum()
    return np.array([_critical_noise(float(g), z, weight) for g in gain.flat]).reshape(gain.shape)


def _critical_noise(g: float, z: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    if not g >= 1.0:
        return float("nan")
    root = 1e-9  # sqrt(q)
    for _ in range(50):
        t = np.tanh(root * z)
        slope = (1.0 - t * t) ** 2
        level = float(weight @ slope)
        step = (math.log(g) + 0.5 * math.log(level)) * level * root / float((weight * z) @ (slope * t))
        root = math.sqrt(max(root * root + step, 1e-18))
        if abs(step) <= 1e-14 * root * root:
            break
    return math.sqrt(max(root * root - g * g * float(weight @ np.tanh(root * z) ** 2), 0.0))
