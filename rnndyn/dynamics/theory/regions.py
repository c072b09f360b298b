"""Where a step of ds/dt = lambda s is stable, over the complex plane of z = dt lambda, and how it grows there.

One step multiplies by R(z): 1 + z by Forward Euler, the Taylor polynomial of e^z by Runge-Kutta steps of as many stages
as their order. The exponential step takes x = Re z exactly and y = Im z as Euler does, R = e^x + i y (e^x - 1)/x. A
recurrent network h <- W h with W = I + dt Lambda multiplies by the same 1 + z as Euler.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...cells.steps import CLASSICAL, EULER, MIDPOINT, ExponentialEuler
from ..step_stability import coefficients, growth_factor
from .entry import topic

__all__ = [
    "euler_growth", "euler_oscillator", "euler_region", "exponential_growth", "exponential_region", "linear_pair",
    "midpoint_growth", "midpoint_region", "rk4_growth", "rk4_region", "symplectic_oscillator",
]  # fmt: skip

ENTRIES, known = topic()
Array = NDArray[np.float64]
HAIRER = "Hairer & Wanner, Solving ODEs II (1996), IV.2"
OSTERMANN = "Hochbruck & Ostermann, Acta Numerica 19 (2010) 209"
REAL = 1e-9  # of a root: an imaginary part below this is rounding


def _heights(tableau, x: ArrayLike) -> Array:
    """All y >= 0 with |R(x + i y)| = 1, the largest first, (as many as there can be, x), NaN where there are fewer.

    |R|^2 - 1 is a polynomial in y^2.
    """
    c = coefficients(tableau)
    stages = len(c) - 1
    x = np.atleast_1d(np.asarray(x, dtype=np.float64))
    found = np.full((stages, len(x)), np.nan)
    for at, left in enumerate(x):
        shifted, power = np.zeros(stages + 1, complex), np.ones(1, complex)  # R(left + i y), z^k, as powers of y
        for value in c:
            shifted[: len(power)] += value * power
            power = np.convolve(power, [left, 1j])
        square = np.convolve(shifted, shifted.conj()).real
        square[0] -= 1.0
        roots = np.roots(square[::2][::-1])
        roots = roots.real[(np.abs(roots.imag) <= REAL * np.maximum(1.0, np.abs(roots))) & (roots.real >= 0)]
        roots = np.sort(roots)[::-1]
        roots = roots[np.append(True, np.diff(roots) < -REAL)] if len(roots) else roots  # two that meet are one
        found[: len(roots), at] = np.sqrt(roots)
    return found


def _region(tableau, name: str, equation: str, domain: str):
    """Put the boundary of a step's stable region into the catalogue."""

    def region(x: ArrayLike) -> Array:
        """Return all Im z >= 0 with |R(z)| = 1, of a Re z or of several: (branches, x)."""
        return _heights(tableau, x)

    region.__name__ = name
    label = f"|R(z)| = 1 of {equation}"
    return known("curve", f"{label}, z = dt lambda", label=label, domain=domain, source=HAIRER, mirrored=True)(region)


euler_region = _region(EULER, "euler_region", "R = 1 + z", "-2 <= Re z <= 0")
midpoint_region = _region(MIDPOINT, "midpoint_region", "R = 1 + z + z²/2", "-2 <= Re z <= 0")
rk4_region = _region(CLASSICAL, "rk4_region", "R = 1 + z + z²/2 + z³/6 + z⁴/24", "-2.785294 <= Re z <= 0.27")


@known(
    "curve",
    "|R(z)| = 1 of the exponential step, R = e^x + i y (e^x - 1)/x: y = sqrt(1 - e^(2x)) x / (e^x - 1)",
    label="|R(z)| = 1 of the exponential step",
    domain="x = Re z < 0, the part that is taken exactly",
    source=OSTERMANN,
    mirrored=True,
)
def exponential_region(x: ArrayLike) -> Array:
    """Return Im z; it grows without bound as x falls."""
    x = np.asarray(x, dtype=np.float64)
    inside = np.where(x < 0.0, x, np.nan)
    return np.sqrt(-np.expm1(2.0 * inside)) * inside / np.expm1(inside)


LUBICH = "Hairer, Lubich & Wanner, Geometric Numerical Integration (2006), I.1"
DAMPED = "q'' = -omega² q - damping q', dt = 1"


@known(
    "curve",
    f"symplectic Euler of {DAMPED}, fades below omega = sqrt(4 - 2 damping)",
    label="ω² = 4 − 2 damping, the symplectic step",
    domain="0 <= damping <= 2",
    source=LUBICH,
)
def symplectic_oscillator(damping: ArrayLike) -> Array:
    """Return omega, at which the step's matrix, of determinant 1 - damping and trace 2 - damping - omega^2, has -1."""
    damping = np.asarray(damping, dtype=np.float64)
    return np.sqrt(np.where((damping >= 0.0) & (damping <= 2.0), 4.0 - 2.0 * damping, np.nan))


@known(
    "curve",
    f"Forward Euler of {DAMPED}, fades below omega = sqrt(damping)",
    label="ω² = damping, Euler's step",
    domain="0 <= damping <= 4",
    source=LUBICH,
)
def euler_oscillator(damping: ArrayLike) -> Array:
    """Return omega: the step's matrix has determinant 1 - damping + omega^2, which is 1 there."""
    damping = np.asarray(damping, dtype=np.float64)
    return np.sqrt(np.where((damping >= 0.0) & (damping <= 4.0), damping, np.nan))


def _growth(step, name: str, equation: str, source: str):
    """Put what a step grows by into the catalogue."""

    def growth(re: ArrayLike, im: ArrayLike, dt: ArrayLike = 1.0) -> Array:
        """Return ln |R(dt lambda)| per step, lambda = re + i im."""
        re, im, dt = (np.asarray(value, dtype=np.float64) for value in (re, im, dt))
        with np.errstate(divide="ignore"):
            return np.log(np.abs(growth_factor(step, dt * (re + 1j * im))))

    growth.__name__ = name
    what = f"ln |R(z)| per step, {equation}"
    return known("value", f"{what}, z = dt lambda", label=what, domain="every lambda", source=source)(growth)


euler_growth = _growth(EULER, "euler_growth", "R = 1 + z", HAIRER)
midpoint_growth = _growth(MIDPOINT, "midpoint_growth", "R = 1 + z + z²/2", HAIRER)
rk4_growth = _growth(CLASSICAL, "rk4_growth", "R = 1 + z + z²/2 + z³/6 + z⁴/24", HAIRER)
exponential_growth = _growth(ExponentialEuler, "exponential_growth", "R = e^x + i y (e^x − 1)/x", OSTERMANN)


@known(
    "value",
    "h <- W h with W = [[a, -b], [b, a]], eigenvalues a ± i b: both exponents are ln |a + i b|",
    label="ln |a + ib| (closed form)",
    domain="every a and b",
    source="eigenvalues of W",
)
def linear_pair(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the exponent per step. With a = 1 + dt re and b = dt im it is that of Euler's step, ln |1 + dt lambda|."""
    with np.errstate(divide="ignore"):
        return np.log(np.hypot(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)))
