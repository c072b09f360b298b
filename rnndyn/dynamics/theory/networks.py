"""Random networks of infinitely many tanh units: `h <- tanh(J h + u)`, J independent normal of variance g²/N.

u is white noise, or random biases, of variance s² and independent for each unit. The pre-activations are then normal of
variance q, and perturbations grow by chi at each step, in the mean of squares:

    q = g² E tanh²(sqrt(q) z) + s²,   chi = g² E sech⁴(sqrt(q) z),   lambda_1 = ln(chi) / 2,   z standard normal.

The same pair of equations says how the gradient grows from layer to layer of a deep network at initialisation.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .entry import topic

__all__ = [
    "critical_initialisation", "critical_noise", "gradient_growth", "mean_field", "mean_field_exponent",
    "plain_critical_gain", "plain_origin_exponent",
]  # fmt: skip

ENTRIES, known = topic()
Array = NDArray[np.float64]
MOLGEDEY = "Molgedey, Schuchhardt & Schuster, Phys. Rev. Lett. 69 (1992) 3717"
POOLE = "Poole et al., NIPS 2016; Schoenholz et al., ICLR 2017"


@known(
    "value",
    "h <- tanh(J h + u), u white noise of deviation s: q = g² E tanh²(sqrt(q) z) + s², "
    "lambda_1 = ln(g² E sech⁴(sqrt(q) z)) / 2",
    label="mean field, infinitely many units",
    domain="J independent normal of deviation g/sqrt(N), N to infinity",
    source=MOLGEDEY,
)
def mean_field(gain: ArrayLike, noise: ArrayLike = 0.0) -> Array:
    """Return the largest exponent per step; `ln g` for `g <= 1` without noise, where q = 0.

    At g = 1.5: 0.065217, 2: 0.154724, 3: 0.310249; at g = 2 and noise 1: 0.045975. gain and noise broadcast.
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


mean_field_exponent = mean_field


def _mean_field(g: float, s: float, z: Array, weight: Array) -> float:
    """Solve `q = g^2 E tanh^2(sqrt(q) z) + s^2` by bisection: the right side over q falls."""
    low, high = 0.0, g * g + s * s
    for _ in range(200):
        q = 0.5 * (low + high)
        if g * g * float(weight @ np.tanh(np.sqrt(q) * z) ** 2) + s * s > q:
            low = q
        else:
            high = q
    return 0.5 * float(np.log(g * g * (weight @ np.cosh(np.sqrt(low) * z) ** -4.0)))


@known(
    "value",
    "tanh layers, or h <- tanh(J h + b): the squared gradient norm grows by chi = g² E sech⁴(sqrt(q) z) a layer, "
    "q = g² E tanh²(sqrt(q) z) + sb²",
    label="χ, infinitely many units",
    domain="random weights of deviation g/sqrt(N) and biases of deviation sb, N to infinity",
    source=POOLE,
)
def gradient_growth(gain: ArrayLike, bias: ArrayLike = 0.0) -> Array:
    """Return chi; gain and bias (sb) are standard deviations."""
    return np.exp(2.0 * mean_field(gain, bias))


@known(
    "curve",
    "h <- tanh(J h + u): more white noise u than this suppresses chaos, lambda_1 = 0",
    label="λ₁ = 0 of infinitely many units (mean field)",
    domain="g >= 1, N to infinity; a network of smaller gain is stable without noise; to rounding up to g = 7",
    source=MOLGEDEY,
)
def critical_noise(gain: ArrayLike) -> Array:
    """Return the noise (standard deviation) over the gain. At g = 1.5: 0.431444, 2: 1.279045, 3: 3.883382.

    `g^2 E sech^4(sqrt(q) z) = 1` tells q, by Newton's method in q, where the logarithm of the left side is convex; then
    `noise^2 = q - g^2 E tanh^2(sqrt(q) z)`.
    """
    return _each(_critical_noise, gain)


@known(
    "curve",
    "the critical line at initialisation, chi = g² E sech⁴(sqrt(q) z) = 1 with q = g² E tanh²(sqrt(q) z) + sb²: "
    "gradients vanish below, explode above",
    label="χ = 1, infinitely many units (mean field)",
    domain="sb >= 0; tanh layers, or h <- tanh(J h + b), of random weights of deviation g/sqrt(N) and biases of "
    "deviation sb, N to infinity",
    source=POOLE,
)
def critical_initialisation(bias: ArrayLike) -> Array:
    """Return g over sb, the inverse of `critical_noise`. At sb = 0: 1; at sb² = 0.05: g² = 1.760955."""
    return _each(_critical_gain, bias)


@known(
    "value",
    "h <- tanh(J h) at the origin: ln g",
    label="the origin's largest exponent, infinitely many units",
    domain="J independent normal of deviation g/sqrt(N), N to infinity",
    source="circular law, Girko 1985",
)
def plain_origin_exponent(gain: ArrayLike) -> Array:
    """Return the largest exponent of the origin per step; the attractor's is `mean_field`."""
    with np.errstate(divide="ignore"):
        return np.log(np.abs(np.asarray(gain, dtype=np.float64)))


@known(
    "value",
    "h <- tanh(J h): the origin is lost, and chaos begins, at g = 1; for x <- (1 - d) x + d J tanh(x) with every d",
    label="edge of chaos, infinitely many units",
    domain="J independent normal of deviation g/sqrt(N), N to infinity",
    source="Sompolinsky, Crisanti & Sommers, Phys. Rev. Lett. 61 (1988) 259",
)
def plain_critical_gain() -> Array:
    """Return the gain, 1."""
    return np.array(1.0)


# --- the critical line ------------------------------------------------------------------------------------------------


def _each(function: Callable[[float, Array, Array], float], given: ArrayLike) -> Array:
    given = np.asarray(given, dtype=np.float64)
    z = np.linspace(0.0, 10.0, 1001)
    weight = np.exp(-0.5 * z * z)
    weight[0] *= 0.5
    weight = weight / weight.sum()
    return np.array([function(float(one), z, weight) for one in given.flat]).reshape(given.shape)


def _critical_noise(g: float, z: Array, weight: Array) -> float:
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


def _critical_gain(bias: float, z: Array, weight: Array) -> float:
    """Bisect q, which fixes `g^2 = 1 / E sech^4`; along that line `bias^2 = q - g^2 E tanh^2` rises with q."""
    if not bias >= 0.0:
        return float("nan")
    if bias == 0.0:  # q = 0, where the difference is rounding
        return 1.0

    def along(q: float) -> tuple[float, float]:
        t = np.tanh(math.sqrt(q) * z)
        square = 1.0 / float(weight @ (1.0 - t * t) ** 2)
        return square, q - square * float(weight @ t**2)

    low, high = 0.0, 1.0
    while along(high)[1] < bias * bias:
        low, high = high, 2.0 * high
    for _ in range(60):
        q = 0.5 * (low + high)
        low, high = (q, high) if along(q)[1] < bias * bias else (low, q)
    return math.sqrt(along(low)[0])
