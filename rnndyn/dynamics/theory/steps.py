"""Steps of Forward Euler and of symplectic Euler on linear fields, and cells that are such steps.

At a fixed point whose Jacobian has the eigenvalue lambda, a Forward Euler step multiplies by `1 + dt lambda`. With
`|1 + dt lambda|^2 = 1 + 2 dt Re lambda + dt^2 |lambda|^2` the multiplier has modulus 1 at `dt = -2 Re lambda /
|lambda|^2`: the largest stable step.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .entry import topic

__all__ = [
    "antisymmetric_example", "antisymmetric_exponent", "antisymmetric_limit", "cornn_pair", "euler_exponent",
    "euler_limit", "lem_exponent", "oscillator_backward", "oscillator_euler", "oscillator_symplectic",
    "rate_origin_exponent", "rotation_gru", "rotation_gru_exponent",
]  # fmt: skip

ENTRIES, known = topic()
Array = NDArray[np.float64]
HAIRER = "Hairer & Wanner, Solving ODEs II (1996), IV.2"
LUBICH = "Hairer, Lubich & Wanner, Geometric Numerical Integration (2006)"
CHANG = "Chang, Chen, Haber & Chi, ICLR 2019"
RUSCH = "Rusch & Mishra, ICLR 2021"
ORIGIN = "Jacobian of the origin"


def _floats(*values: ArrayLike) -> tuple[Array, ...]:
    return tuple(np.asarray(value, dtype=np.float64) for value in values)


# --- linear fields ----------------------------------------------------------------------------------------------------


@known(
    "value",
    "Forward Euler of ds/dt = lambda s: ln |1 + dt lambda| / dt per unit time",
    label="ln |1 + dt λ| / dt (closed form)",
    domain="dt > 0; the flow itself, Re lambda, at dt = 0",
    source=HAIRER,
)
def euler_exponent(rate: ArrayLike, dt: ArrayLike) -> Array:
    """Return the exponent per unit time; rate: lambda, complex."""
    rate, (dt,) = np.asarray(rate, dtype=np.complex128), _floats(dt)
    # ln|1 + z| by log1p of |1 + z|^2 - 1, so that small steps keep their digits
    excess = dt * (2.0 * rate.real + dt * np.abs(rate) ** 2)
    step = np.where(dt == 0.0, 1.0, dt)
    with np.errstate(divide="ignore"):
        return np.where(dt == 0.0, rate.real, 0.5 * np.log1p(np.maximum(excess, -1.0)) / step)


@known(
    "value",
    "Forward Euler of ds/dt = lambda s is stable up to dt = -2 Re lambda / |lambda|²",
    label="largest stable step (closed form)",
    domain="Re lambda < 0; no step is stable elsewhere",
    source=HAIRER,
)
def euler_limit(rate: ArrayLike) -> Array:
    """Return the largest stable step of each eigenvalue; rate: lambda, complex."""
    rate = np.asarray(rate, dtype=np.complex128)
    stable = rate.real < 0.0
    return np.where(stable, -2.0 * rate.real / np.where(stable, np.abs(rate) ** 2, 1.0), np.nan)


@known(
    "value",
    "Forward Euler of q'' = -omega² q: ln(1 + dt² omega²) / (2 dt) per unit time",
    label="ln(1 + dt²ω²) / (2 dt) (closed form)",
    domain="dt > 0",
    source=LUBICH,
)
def oscillator_euler(omega: ArrayLike, dt: ArrayLike) -> Array:
    """Return both exponents per unit time. At omega = 1, dt = 0.1: 0.0497517."""
    return euler_exponent(1j * np.asarray(omega, dtype=np.float64), dt)


@known(
    "value",
    "backward Euler of q'' = -omega² q: -ln(1 + dt² omega²) / (2 dt) per unit time",
    label="−ln(1 + dt²ω²) / (2 dt) (closed form)",
    domain="dt > 0",
    source=LUBICH,
)
def oscillator_backward(omega: ArrayLike, dt: ArrayLike) -> Array:
    """Return both exponents per unit time."""
    return -oscillator_euler(omega, dt)


@known(
    "value",
    "symplectic Euler of q'' = -omega² q: 0 up to dt omega = 2, then ±arccosh(dt² omega² / 2 - 1) / dt per unit time",
    label="symplectic Euler (closed form)",
    domain="dt > 0",
    source=LUBICH,
)
def oscillator_symplectic(omega: ArrayLike, dt: ArrayLike) -> Array:
    """Return the larger exponent per unit time; the step's matrix has determinant 1 and trace 2 - dt² omega²."""
    omega, dt = _floats(omega, dt)
    return np.arccosh(np.maximum(0.5 * (dt * omega) ** 2 - 1.0, 1.0)) / dt


# --- cells that are steps ---------------------------------------------------------------------------------------------


@known(
    "value",
    "x <- (1 - d) x + d J tanh(x) at the origin: ln |1 - d + d mu| / d per unit time, mu in eig J",
    label="the origin's exponents (closed form)",
    domain="the origin, the attractor where all of them are negative",
    source="Sompolinsky, Crisanti & Sommers, Phys. Rev. Lett. 61 (1988) 259",
)
def rate_origin_exponent(eigenvalue: ArrayLike, dt: ArrayLike) -> Array:
    """Return the exponents per unit time of complex eigenvalues."""
    return euler_exponent(np.asarray(eigenvalue, dtype=np.complex128) - 1.0, dt)


@known(
    "curve",
    "h <- h + eps tanh((W - W^T - gamma I) h): the origin is stable iff eps < 2 gamma / (gamma² + omega²)",
    label="ε = 2γ/(γ² + ω²) (closed form)",
    domain="gamma > 0; each pair -gamma ± i omega of eigenvalues",
    source=CHANG,
)
def antisymmetric_limit(gamma: ArrayLike, omega: ArrayLike = 1.0) -> Array:
    """Return the largest stable eps. At gamma = 0.15, omega = 2: 0.0745805; over gamma it is largest, 1/omega, at
    gamma = omega.
    """
    gamma, omega = _floats(gamma, omega)
    return euler_limit(-gamma + 1j * omega)


@known(
    "point",
    "h <- h + eps tanh((W - W^T - gamma I) h): the published example, (gamma, eps) = (0.15, 0.1) with omega = 2",
    label="published example: γ = 0.15, ε = 0.1",
    domain="two units that turn at omega = 2; beyond the limit there, 0.0745805",
    source=CHANG,
)
def antisymmetric_example() -> Array:
    """Return (gamma, eps)."""
    return np.array([0.15, 0.1])


@known(
    "value",
    "h <- h + eps tanh((W - W^T - gamma I) h) at the origin: ln |1 + eps (-gamma ± i omega)| per step",
    label="the origin's exponent (closed form)",
    domain="the origin; each pair of eigenvalues",
    source=CHANG,
)
def antisymmetric_exponent(gamma: ArrayLike, dt: ArrayLike, omega: ArrayLike) -> Array:
    """Return the exponent per step; dt: eps. At gamma = 0.15, omega = 2, eps = 0.1: +0.00508654."""
    gamma, dt, omega = _floats(gamma, dt, omega)
    return dt * euler_exponent(-gamma + 1j * omega, dt)


@known(
    "curve",
    "h <- h + e (1-z)(n-h), candidate c R(alpha), no other weights: Neimark-Sacker at "
    "cos alpha = (1 - e (c² + 4)/16) / (c (2 - e)/4); for c = 3 (1 - 0.8125 e)/(1.5 - 0.75 e)",
    label="Neimark–Sacker (closed form)",
    domain="0 <= e < 2 where |cos alpha| <= 1; e = 1 is the GRU itself, e = 0 the flow (Hopf)",
    source=ORIGIN,
)
def rotation_gru(e: ArrayLike, scale: ArrayLike = 3.0) -> Array:
    """Return alpha (radians); scale: c. For c = 3: cos alpha = 1/4 at e = 1, 2/3 at e = 0.

    The origin's Jacobian is c/4 R(alpha) - 1/2: z and r are 1/2 there.
    """
    e, scale = _floats(e, scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (1.0 - e * (scale**2 + 4.0) / 16.0) / (scale * (2.0 - e) / 4.0)
        return np.arccos(np.where((e >= 0.0) & (e < 2.0) & (np.abs(cosine) <= 1.0), cosine, np.nan))


@known(
    "value",
    "h <- h + e (1-z)(n-h), candidate c R(alpha), no other weights, at the origin: ln |1 + e (c/4 exp(i alpha) - 1/2)|",
    label="the origin's exponent (closed form)",
    domain="the origin; e = 1 is the GRU itself",
    source=ORIGIN,
)
def rotation_gru_exponent(e: ArrayLike, alpha: ArrayLike, scale: ArrayLike = 3.0) -> Array:
    """Return both exponents per step; scale: c."""
    e, alpha, scale = _floats(e, alpha, scale)
    return e * euler_exponent(0.25 * scale * np.exp(1j * alpha) - 0.5, e)


@known(
    "value",
    "coRNN, z <- z + dt (... - gamma y - eps z), then y <- y + dt z, without W and U: a pair sums to ln |1 - dt eps|",
    label="ln |1 − dt ε| (closed form)",
    domain="this order of the two updates, any input",
    source=RUSCH,
)
def cornn_pair(dt: ArrayLike, epsilon: ArrayLike) -> Array:
    """Return the sum of a unit's two exponents per step."""
    dt, epsilon = _floats(dt, epsilon)
    with np.errstate(divide="ignore"):
        return np.log(np.abs(1.0 - dt * epsilon))


@known(
    "value",
    "LEM of zero weights and biases: every exponent is ln(1 - dt/2)",
    label="ln(1 − dt/2) (closed form)",
    domain="0 < dt < 2",
    source="Rusch, Mishra, Erichson & Mahoney, ICLR 2022",
)
def lem_exponent(dt: ArrayLike) -> Array:
    """Return each exponent per step: both of its gates are dt sigma(0). At dt = 1: ln 0.5."""
    return np.log1p(-0.5 * np.asarray(dt, dtype=np.float64))
