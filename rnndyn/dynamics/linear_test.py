"""The linear test of steps: how fast one grows or shrinks, over the complex plane of dt lambda."""

from collections import namedtuple

import numpy as np

from ..cells.cell import Cell
from ..cells.classics import LinearFlow, Oscillator
from ..cells.linear import Linear
from ..cells.steps import RungeKutta, SymplecticEuler, Tableau
from ..errors import InputError
from .step_stability import growth_factor, method
from .trajectory import trajectory
from .values import as_array, positive

LinearTest = namedtuple("LinearTest", "growth modulus exponent stable formula")


def linear_test(step, z, *, dt=1.0, device="auto", threads=None, progress=None):
    """s_{t+1} = R(z) s_t, z = dt lambda: the step's answer to ds/dt = lambda s, measured, beside the closed form.

    step: `rd.Euler`, `rd.Midpoint`, `rd.RK4`, `rd.SymplecticEuler`, `rd.ExponentialEuler`, an `rd.Tableau`; or
    `rd.Linear`, the recurrent cell with W = I + dt Lambda, Lambda = [[re, -im], [im, re]]. z: complex, (...).
    Returns LinearTest, all (...): `growth`, the complex factor by which one step of the compiled kernels multiplies
    the state, `modulus` of it, `exponent` ln|growth| / dt per unit time, `stable` (modulus < 1), and `formula`, R(z)
    from the step's coefficients. NaN (and not stable) where z is not finite.
    Steps but the last two see two units with the eigenvalues lambda and its conjugate, (1, 0) going to (Re R, Im R).
    The symplectic step is tested on the oscillator with the same eigenvalues; of its two growth factors the one of
    larger modulus counts, on the circle the one on the side of z. The exponential step takes Re lambda exactly and
    Im lambda as Euler does. At dt lambda = -0.1 + 1j: Euler 0.9 + 1j, RK4 0.4940042 + 0.7548333j (|R| 0.902116).
    Source: Dahlquist, BIT 3 (1963) 27; Hairer & Wanner, Solving ODEs II (1996), section IV.2.
    Raises InputError for what is not a step, and if no z is finite.
    """
    kind, dt = method(step), positive("dt", dt)
    z = as_array("z", z, complex)
    z = np.where(np.isfinite(z), z, complex(np.nan, np.nan))
    rate = z / dt
    run = {"steps": 1, "device": device, "threads": threads, "progress": progress}
    growth = _of_oscillator(rate, dt, run) if kind is SymplecticEuler else _of_pair(step, rate, dt, run)
    modulus = np.abs(growth)
    with np.errstate(divide="ignore"):
        return LinearTest(growth, modulus, np.log(modulus) / dt, modulus < 1.0, growth_factor(step, z))


def _of_pair(step, rate, dt, run):
    """Two units that are one complex number: multiplied by R, (1, 0) is (Re R, Im R)."""
    turn = rate.imag[..., None, None] * np.array([[0.0, -1.0], [1.0, 0.0]])
    cell: Cell
    if isinstance(step, type) and issubclass(step, Linear):
        weights = {"weight_hh": np.eye(2) + dt * (rate.real[..., None, None] * np.eye(2) + turn)}
        cell = step(2)
    else:
        field = LinearFlow.vector_field(2)
        cell = RungeKutta(field, step) if isinstance(step, Tableau) else _made(step, field)
        weights = {"weight_hh": turn, "rate": rate.real[..., None] * np.ones(2), "dt": dt}
    moved = trajectory(cell, weights, state=[1.0, 0.0], **run)[..., 1, :]
    return moved[..., 0] + 1j * moved[..., 1]


def _of_oscillator(rate, dt, run):
    """The eigenvalue of larger modulus of the matrix to which one step takes (1, 0) and (0, 1)."""
    weights = {"omega": np.abs(rate)[..., None, None], "damping": -2.0 * rate.real[..., None, None], "dt": dt}
    cell = SymplecticEuler(Oscillator.vector_field(1))
    matrix = trajectory(cell, weights, state=np.eye(2), **run)[..., 1, :].swapaxes(-1, -2)
    finite = np.isfinite(matrix).all(axis=(-1, -2))
    found = np.linalg.eigvals(np.where(finite[..., None, None], matrix, 0.0)).astype(complex)
    side = np.where(rate.imag < 0, -1.0, 1.0)[..., None]
    order = np.abs(found) * (1.0 + 1e-14 * np.sign(found.imag) * side)  # of a pair the one on the side of z
    largest = np.take_along_axis(found, order.argmax(axis=-1)[..., None], -1)[..., 0]
    return np.where(finite, largest, complex(np.nan, np.nan))


def _made(step, field):
    """The step's cell of a field."""
    if not isinstance(step, type):
        raise InputError(f"`step` must be a class such as rd.RK4 or an rd.Tableau, not the cell {step!r}.")
    try:
        return step(field)
    except (TypeError, ValueError):
        raise InputError(f"{step.__name__} is the step of one family; the step itself is rd.Euler or alike.") from None
