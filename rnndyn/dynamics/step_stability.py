"""What a step makes of a linear flow, in closed form: the multipliers that measured ones are held against.

One step of ds/dt = lambda s multiplies s by R(z), z = dt lambda (Dahlquist's test equation; Hairer & Wanner, Solving
ODEs II, section IV.2). It is stable where |R(z)| < 1. An explicit Runge-Kutta step has R(z) = 1 + z b^T (I - z A)^-1 1,
a polynomial. The other two depend on how lambda = re + i im is shared out:

    symplectic Euler     q' = p, p' = -|lambda|^2 q + 2 re p, whose eigenvalues are lambda and its conjugate:
                         R^2 - (2 + 2x - |z|^2) R + 1 + 2x = 0, x = Re z, the root of larger modulus
    exponential Euler    s' = re s + i im s, the first part exact: R = e^x + i y phi_1(x), z = x + iy
"""

import numpy as np

from ..cells.linear import Linear
from ..cells.steps import EULER, ExponentialEuler, SymplecticEuler, Tableau
from ..errors import InputError


def method(step):
    """What is known of a step, which is a class such as `rd.RK4`, a cell, or a tableau: its `Tableau`, or
    `SymplecticEuler` or `ExponentialEuler`. `rd.Linear` with W = I + dt Lambda is Euler's step."""
    if isinstance(step, Tableau):
        return step
    tableau, kind = getattr(step, "tableau", None), step if isinstance(step, type) else type(step)
    if tableau is not None:
        return tableau
    if issubclass(kind, Linear):
        return EULER
    for special in (SymplecticEuler, ExponentialEuler):
        if issubclass(kind, special):
            return special
    raise InputError(
        f"{step!r} is not a step: rd.Euler, rd.Midpoint, rd.RK4, rd.SymplecticEuler, rd.ExponentialEuler, an"
        " rd.Tableau, or rd.Linear."
    )


def coefficients(tableau):
    """(1, c_1, .., c_s) of R(z) = 1 + c_1 z + .. + c_s z^s, c_k = b^T A^(k-1) 1."""
    rows, b = np.array(tableau.rows[:-1]), np.array(tableau.b)
    powers, found = np.ones(len(b)), [1.0]
    for _ in b:
        found.append(float(b @ powers))
        powers = rows @ powers
    return np.array(found)


def growth_factor(step, z):
    """R(z), complex, of the shape of z."""
    z, kind = np.asarray(z, dtype=complex), method(step)
    if isinstance(kind, Tableau):
        return np.polynomial.polynomial.polyval(z, coefficients(kind))
    x, y = z.real, z.imag
    if kind is ExponentialEuler:
        return np.exp(x) + 1j * y * phi1(x)
    middle = 1.0 + x - 0.5 * np.abs(z) ** 2
    square = middle**2 - 1.0 - 2.0 * x
    root = np.sqrt(np.abs(square))
    return middle + np.where(square < 0, 1j * np.where(y < 0, -root, root), np.where(middle < 0, -root, root))


def phi1(x):
    """(e^x - 1) / x."""
    return np.where(x == 0, 1.0, np.expm1(x) / np.where(x == 0, 1.0, x))


def critical_dt(step, eigenvalues):
    """The smallest dt > 0 at which |R(dt lambda)| = 1 for one of the eigenvalues (..., S), of a Runge-Kutta step.

    |R|^2 - 1 is a polynomial in dt, for Euler 2 Re(lambda) dt + |lambda|^2 dt^2 with the root -2 Re(lambda) /
    |lambda|^2. NaN where Re(lambda) >= 0 for one of them: the flow itself does not settle.
    """
    eigenvalues = np.asarray(eigenvalues, dtype=complex)
    powers, tableau = coefficients(method(step)), method(step)
    if tableau == EULER:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = -2.0 * eigenvalues.real / np.abs(eigenvalues) ** 2
    else:
        found = np.array([_first_root(powers, value) for value in eigenvalues.flat]).reshape(eigenvalues.shape)
    return np.where((eigenvalues.real < 0).all(axis=-1), found.min(axis=-1), np.nan)


def _first_root(powers, value):
    """The smallest dt > 0 with |R(dt lambda)| = 1: in units of 1/|lambda|, where the numbers are of order 1."""
    size = abs(value)
    if not (np.isfinite(size) and size > 0):
        return np.nan
    along = powers * (value / size) ** np.arange(len(powers))
    square = np.convolve(along, along.conj()).real
    roots = np.roots(square[:0:-1])  # without its constant, 1 - 1, and once divided by dt
    real = roots.real[(np.abs(roots.imag) <= 1e-9 * np.abs(roots)) & (roots.real > 0)]
    return real.min() / size if len(real) else np.inf


def step_matrix(kind, jacobian, dt, slices, linear):
    """What a symplectic or an exponential step of ds/dt = J s multiplies s by, (M, S, S); J (M, S, S), dt (M,).

    slices: the fields' parts in the state's order; linear (M, S): the diagonal part that is exact.
    """
    size = jacobian.shape[-1]
    dt = dt[:, None, None]
    if kind is SymplecticEuler:  # each part moves with the newest values of the others
        found = np.broadcast_to(np.eye(size), jacobian.shape)
        for part in reversed(slices):
            moved = np.zeros_like(jacobian)
            moved[:, part] = jacobian[:, part]
            found = found + dt * moved @ found
        return found
    z = dt[:, :, 0] * linear
    rest = jacobian - linear[:, :, None] * np.eye(size)
    return np.exp(z)[:, :, None] * np.eye(size) + dt * phi1(z)[:, :, None] * rest
