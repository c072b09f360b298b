"""Random rate networks of infinitely many units, by dynamic mean-field theory, for any Euler step and for the flow.

`x <- (1 - dt) x + dt J tanh(x)`, J independent normal of standard deviation `g / sqrt(N)`; `dt = 1` is the discrete
network `x <- J tanh(x)`, `dt -> 0` the flow `dx/dt = -x + J tanh(x)`. Each unit is then driven by Gaussian noise with
the covariance `g^2 C(Delta)` of all others, so the covariance `Delta(tau)` of x, tau in units of time, obeys

    K_1 Delta = g^2 C(Delta),      C(Delta) = E tanh(x) tanh(y),  var x = var y = Delta(0), cov(x, y) = Delta

and the covariance of the distance of two replicas, `exp(lambda (t + s)) psi(t - s)`, obeys

    K_s psi = g^2 C'(Delta) psi,   C'(Delta) = E tanh'(x) tanh'(y),  K_s the operator with the Fourier symbol
    K_s(w) = |exp((lambda + i w) dt) - 1 + dt|^2 / dt^2 = s^2 + (1 - dt) (1 - dt + s dt) (2 - 2 cos(w dt)) / dt^2

where `s = (exp(lambda dt) - 1 + dt) / dt`; for the flow `K_s(w) = s^2 + w^2` with `s = 1 + lambda`, which is the
Schroedinger equation of Sompolinsky, Crisanti & Sommers, Phys. Rev. Lett. 61 (1988) 259. lambda is the largest exponent
that has a solution, its ground state. At dt = 1 only tau = 0 counts: Molgedey, Schuchhardt & Schuster, Phys. Rev.
Lett. 69 (1992) 3717. For g <= 1 the origin attracts and the eigenvalue g of J decides: s = g.
"""

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError
from .entry import topic

__all__ = [
    "mean_field_mean", "mean_field_mean_exponent", "mean_field_mean_per_time", "mean_field_per_time", "mean_field_rate",
    "mean_field_rate_exponent",
]  # fmt: skip

ENTRIES, known = topic()
TERMS = 1000  # of the Hermite series, odd ones only
LAGS = 400  # of the flow's covariance
NEAREST = 1.05  # the correlation time grows like 1 / (g - 1): closer to 1 the lags are too many
ROUNDS, MIXED = 20_000, 3

Array = NDArray[np.float64]


NAMED = "mean field, infinitely many units"
RATE = "x <- (1 - d) x + d J tanh(x), J independent normal of deviation g/sqrt(N), N to infinity; 0 <= d <= 1"
SOMPOLINSKY = "Sompolinsky, Crisanti & Sommers, Phys. Rev. Lett. 61 (1988) 259; Molgedey et al. (1992) at d = 1"
AHMADIAN = (
    "Ahmadian, Fumarola & Miller, Phys. Rev. E 91 (2015) 012820; Engelken, Wolf & Abbott, Phys. Rev. Research 5 (2023) "
    "043044 at d = 1"
)


@known(
    "value",
    "largest exponent per unit time of x <- (1 - d) x + d J tanh(x), and of the flow (d = 0)",
    label=NAMED,
    domain=f"{RATE}; not for gains between 1 and {NEAREST} at d < 1",
    source=SOMPOLINSKY,
)
def mean_field_per_time(gain: ArrayLike, dt: ArrayLike) -> Array:
    """Return it. gain > 0 and dt broadcast; raises InputError for values outside. Method: see this file's head.

    At g = 3: 0.310249 (dt = 1), 0.216124 (0.5), 0.225401 (0.25), 0.235461 (flow).
    """
    return _over(_exponent, gain, dt)


@known(
    "value",
    "largest exponent per step of x <- (1 - d) x + d J tanh(x)",
    label=NAMED,
    domain=f"{RATE}; not for gains between 1 and {NEAREST} at d < 1",
    source=SOMPOLINSKY,
)
def mean_field_rate(gain: ArrayLike, dt: ArrayLike) -> Array:
    """Return `dt mean_field_per_time(gain, dt)`."""
    return np.asarray(dt, np.float64) * mean_field_per_time(gain, dt)


@known(
    "value",
    "mean of all exponents per unit time, E ln |det((1 - d) + d J tanh'(x))| / (N d); at d = 1 ln g - 1/2 + E ln sech²",
    label=NAMED,
    domain=f"{RATE}; not for gains between 1 and {NEAREST} at d < 1",
    source=AHMADIAN,
)
def mean_field_mean_per_time(gain: ArrayLike, dt: ArrayLike = 1.0) -> Array:
    """Return it; -1 for the flow (dt = 0). gain > 0 and dt broadcast; raises InputError for values outside.

    For `dt < 1`, with `z = (1 - dt) / dt` and `D = g sech^2(x)`: `(ln dt + E ln(z^2 + w^2 D^2) / 2 - w^2 / 2) / dt`,
    where w solves `E D^2 / (z^2 + w^2 D^2) = 1` (w = 0 if z lies outside the spectrum, `E D^2 <= z^2`); x is normal
    with the variance of the mean field.
    """
    return _over(_mean_exponent, gain, dt)


@known(
    "value",
    "mean of all exponents per step, E ln |det((1 - d) + d J tanh'(x))| / N",
    label=NAMED,
    domain=f"{RATE}; not for gains between 1 and {NEAREST} at d < 1",
    source=AHMADIAN,
)
def mean_field_mean(gain: ArrayLike, dt: ArrayLike = 1.0) -> Array:
    """Return `dt mean_field_mean_per_time(gain, dt)`. At g = 3, dt = 1: -2.272805."""
    return np.asarray(dt, np.float64) * mean_field_mean_per_time(gain, dt)


mean_field_rate_exponent, mean_field_mean_exponent = mean_field_per_time, mean_field_mean_per_time


def _over(function: "functools._lru_cache_wrapper[float]", gain: ArrayLike, dt: ArrayLike) -> Array:
    gain, dt = np.broadcast_arrays(np.asarray(gain, np.float64), np.asarray(dt, np.float64))
    if not (np.all(gain > 0) and np.all(np.isfinite(gain))):
        raise InputError("`gain` must be positive and finite: it is a standard deviation.")
    if not np.all((dt >= 0) & (dt <= 1)):
        raise InputError("`dt` must lie between 0 (the flow) and 1.")
    return np.array([function(float(g), float(d)) for g, d in zip(gain.flat, dt.flat, strict=True)]).reshape(gain.shape)


@functools.cache
def _exponent(g: float, dt: float) -> float:
    if g <= 1.0:
        s = g
    elif dt < 1.0 and g < NEAREST:
        return np.nan
    else:
        s = _ground_state(*_covariance(g, dt))
    return s - 1.0 if dt == 0.0 else float(np.log1p(dt * (s - 1.0))) / dt if dt < 1.0 else float(np.log(s))


@functools.cache
def _mean_exponent(g: float, dt: float) -> float:
    if dt == 0.0:
        return -1.0
    if 1.0 < g < NEAREST and dt < 1.0:
        return np.nan
    variance = float(_covariance(g, dt)[1][0]) if g > 1.0 else 0.0
    z, weight, _ = _series()
    x = np.sqrt(variance) * z
    log_slope = -2.0 * np.logaddexp(x, -x) + 2.0 * np.log(2.0)  # of sech^2, without its underflow
    square, rest = g * g * np.exp(2.0 * log_slope), ((1.0 - dt) / dt) ** 2
    if rest == 0.0:
        return float(np.log(g) - 0.5 + weight @ log_slope)
    low, high = 0.0, 1.0  # of w^2: the left side of its equation falls from E D^2 / z^2 to below 1
    for _ in range(60 if weight @ square > rest else 0):
        w = 0.5 * (low + high)
        low, high = (w, high) if weight @ (square / (rest + w * square)) > 1.0 else (low, w)
    return float(np.log(dt) + 0.5 * (weight @ np.log(rest + low * square)) - 0.5 * low) / dt


@functools.cache
def _series() -> tuple[Array, Array, Array]:
    """(z, their Gaussian weights, E[. h_n(z)] as a matrix (TERMS, z)), h_n the odd normalised Hermite polynomials."""
    z = np.linspace(-13.0, 13.0, 801)  # the trapezoidal rule, exact to rounding for products with h_n
    root = np.exp(-0.25 * z * z)
    rows = [root, z * root]
    for n in range(1, 2 * TERMS - 1):
        rows.append((z * rows[n] - np.sqrt(n) * rows[n - 1]) / np.sqrt(n + 1.0))
    total = np.sum(root * root)
    return z, root * root / total, np.array(rows[1::2]) * root / total


def _coefficients(g: float, variance: float) -> Array:
    """Return c of `g^2 C = sum_k c_k rho^(2 k + 1)`, `rho = Delta / Delta(0)`: Mehler, `c = g^2 E[tanh h_n]^2`."""
    z, _, rows = _series()
    found: Array = (g * (rows @ np.tanh(np.sqrt(variance) * z))) ** 2
    return found[: 1 + int(np.flatnonzero(found > 1e-17 * found[0])[-1])]


@functools.lru_cache(maxsize=64)
def _covariance(g: float, dt: float) -> tuple[float, Array, Array, Array]:
    """(dt, Delta(tau), `g^2 C'(Delta)`, `(2 - 2 cos(w dt)) / dt^2`): the covariance, on a circle of lags."""
    length = 60.0 + 60.0 / (g - 1.0)
    spacing = length / LAGS if dt == 0.0 else dt
    count = 2 if dt == 1.0 else 2 * int(np.ceil(length / spacing))
    w = 2.0 * np.pi * np.fft.rfftfreq(count, spacing)
    curvature = w * w if dt == 0.0 else (2.0 - 2.0 * np.cos(w * dt)) / dt**2
    symbol = _symbol(1.0, dt, curvature)
    tau = spacing * np.minimum(np.arange(count), count - np.arange(count))

    def driven(delta: Array) -> Array:
        rho = delta / delta[0]
        sent = rho * np.polynomial.polynomial.polyval(rho * rho, _coefficients(g, float(delta[0])))
        return np.fft.irfft(np.fft.rfft(sent) / symbol, count)

    delta = _fixed_point(driven, g * g * 0.5 * np.exp(-0.5 * tau))
    rho, slopes = delta / delta[0], _coefficients(g, float(delta[0]))
    slopes = slopes * np.arange(1, 2 * len(slopes), 2)
    return dt, delta, np.polynomial.polynomial.polyval(rho * rho, slopes) / delta[0], curvature


def _fixed_point(function: Callable[[Array], Array], start: Array) -> Array:
    """Return the covariance that a function leaves as it is; the last iterates are mixed (Anderson, J. ACM 12, 547)."""
    now, points, changes = start, list[Array](), list[Array]()
    for _ in range(ROUNDS):
        moved = function(now)
        points, changes = [*points[-MIXED:], moved], [*changes[-MIXED:], moved - now]
        if np.abs(changes[-1]).max() < 1e-13 * np.abs(moved).max():
            break
        now = moved
        if len(points) > 1:
            steps = np.diff(changes, axis=0)
            mixed = moved - np.linalg.lstsq(steps.T, changes[-1], rcond=1e-10)[0] @ np.diff(points, axis=0)
            now = mixed if np.all(np.abs(mixed) <= mixed[0]) else moved  # a covariance is largest at lag 0
    else:
        raise ArithmeticError("the mean field's covariance did not converge")
    return moved


def _symbol(s: float, dt: float, curvature: Array) -> Array:
    return s * s + (1.0 - dt) * (1.0 - dt + s * dt) * curvature


def _ground_state(dt: float, delta: Array, slope: Array, curvature: Array) -> float:
    """Return the largest s that has a psi with `K_s psi = slope psi`: inverse iteration, psi positive."""
    psi, s = delta / np.linalg.norm(delta), 1.0
    for _ in range(ROUNDS):
        moved = np.fft.irfft(np.fft.rfft(slope * psi) / _symbol(s, dt, curvature), len(psi))
        size = float(np.linalg.norm(moved))
        psi, s, last = moved / size, s * np.sqrt(size), s
        if abs(s - last) < 1e-14:
            break
    return float(s)
