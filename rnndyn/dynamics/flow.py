"""The flow that steps approximate, by SciPy's integrators: trajectories as a reference.

The field's own rule is evaluated, uncompiled, with its exact Jacobian from dual numbers; nothing of the steps is used.
"""

import contextlib
import time as clock

import numpy as np

from ..cells import Cell, Field
from ..cells.steps import Rates, Stepped
from ..errors import InputError
from .batch import Problem, choice, constant, index_axes, whole
from .newton import Step, held
from .progress import PATIENCE, progress_display
from .start import begun
from .values import as_array, positive

METHODS = ("DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA")


def field_of(cell):
    """The field of a step's cell, or the field itself. Raises InputError for what has none."""
    if isinstance(cell, Field):
        return cell
    if isinstance(cell, Stepped):
        return cell.field
    what = "a flow is that of an rd.Field, or of a step of one"
    raise InputError(f"{what} such as rd.Leaky(8), not {cell!r}.{_field_hint(cell, 'rd.{}.vector_field(...)')}")


def check_step(cell, what):
    """Refuse what is no step of a field; `what`: what is asked of it."""
    if not isinstance(cell, Stepped):
        hint = _field_hint(cell, "rd.Euler(rd.{}.vector_field(...))")
        raise InputError(f"{what} that of a step of a field, such as rd.Leaky(8), not of {cell!r}.{hint}")


def _field_hint(cell, use):
    """What to give instead of a cell that is a step of length 1 of a field."""
    if not (isinstance(cell, Cell) and hasattr(type(cell), "vector_field")):
        return ""
    return f" {cell.name} is a step of length 1 of a field: give {use.format(type(cell).__name__)}."


class Flow:
    """ds/dt = f(s, u) of the points of a problem, the input u constant: rates, Jacobians, integration of one point."""

    def __init__(self, cell, weights, inputs, state, first, method, rtol, atol, limit):
        """first: grid indices. limit: evaluations of f for a point. Raises InputError."""
        field = field_of(cell)
        self.rates = Step(Rates(field))
        self.size = self.rates.cell.state_size
        state, _ = begun(state, self.size)
        self.problem = Problem(
            self.rates.cell, weights, steps=1, inputs=constant(inputs), lengths=None, state=state,
            extra=lambda _: index_axes(first),
        )  # fmt: skip
        self.first, self.method = first, choice("method", method, METHODS)
        self.limit, self.left = whole("limit", limit, 1), 0
        self.tolerances = {"rtol": positive("rtol", rtol), "atol": positive("atol", atol)}

    def points(self):
        """(number, theta (1, .)) of the valid points, their input held in the biases."""
        problem, layout = self.problem, self.rates.layout
        for i in np.flatnonzero(~problem.invalid).tolist():
            self.left = self.limit
            yield i, held(layout, problem.theta(i, i + 1, layout), problem.inputs(i, i + 1)[:, 0])

    def at(self, theta, state):
        """(f(s) (S N,), Df(s) (S N, S N)) of a point. Raises Exhausted where it has taken too many."""
        self.left -= 1
        if self.left < 0:
            raise Exhausted
        value, partials = self.rates(theta, state[None])
        return value[0], partials[0]

    def start(self, i, seed=None):
        """The start (S N,) of a point: as given; else zeros, or with a seed random as `lyapunov`'s."""
        if seed is None:
            return self.problem.state(i, i + 1)[0]
        return self.problem.start(i, i + 1, seed, self.problem.batch.index(self.first, i, i + 1))[0]

    def integrate(self, rate, values, span, at=None, step=None):
        """(values at the times `at`, or at the end; the last step's length), None for what was not reached.

        rate: `rate(t, y)`; the first S N numbers of y are the state, which must stay within the bound.
        """
        from scipy.integrate import solve_ivp

        step = None if step is None else min(step, span[1] - span[0])
        with np.errstate(all="ignore"):
            found = solve_ivp(
                rate, span, values, self.method, at, events=Within(self.size), first_step=step, **self.tolerances
            )  # fmt: skip
        if at is not None:
            return found.y.T, None
        length = float(np.diff(found.t).max()) if len(found.t) > 1 else None
        return (found.y[:, -1] if found.success and found.status == 0 else None), length


class Exhausted(Exception):
    """A point has taken the evaluations that it may: a flow that turns ever faster takes ever shorter steps."""


class Within:
    """An event of `solve_ivp`: the state leaves the range, and the integration ends there."""

    terminal = True

    def __init__(self, size):
        from ..kernels.orbit import BOUND

        self.size, self.bound = size, BOUND

    def __call__(self, t, y):
        return self.bound - np.abs(y[: self.size]).max()


def flow_trajectory(
    cell,
    weights,
    *,
    times,
    inputs=None,
    state=None,
    method="DOP853",
    rtol=1e-10,
    atol=1e-12,
    limit=2_000_000,
    progress=None,
):
    """s(t) of ds/dt = f(s, u), s(0) = state, at given times: array (..., len(times), state_size).

    cell: a field, `rd.Lorenz.vector_field(1)`, or a step of one, `rd.Lorenz(1)`, whose dt does not matter. weights,
    inputs (..., 1, I) (constant) and state (zeros if None) as of `trajectory`; times (T,): rising, from 0 up. method,
    rtol, atol: SciPy's `solve_ivp` with that integrator and these tolerances of a step. Each point is integrated by
    itself, uncompiled, by at most `limit` evaluations of f (some minutes). A state is NaN where the flow has left the
    range (1e12) before; all of a point's are if it is invalid or has reached the limit.
    Source: Hairer, Norsett & Wanner, Solving ODEs I (1993), section II.5 (DOP853).
    Raises InputError for wrong names, shapes and values, for cells that have no flow, and if every point is invalid.
    """
    times = as_array("times", times)
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
        raise InputError("`times` must be rising numbers from 0 up, (T,).")
    flow = Flow(cell, weights, inputs, state, 0, method, rtol, atol, limit)
    problem, end = flow.problem, float(times[-1])
    states = np.full((problem.count, len(times), flow.size), np.nan)
    with progress_display(progress, problem.count * max(end, 1.0), text="flow", patience=PATIENCE) as display:
        told = [clock.monotonic()]
        for i, theta in flow.points():

            def rate(t, y, i=i, theta=theta):
                if clock.monotonic() > told[0] + 0.1:
                    told[0] = clock.monotonic()
                    display.at(i * end + t)
                return flow.at(theta, y)[0]

            start = flow.start(i)
            if end == 0.0:
                states[i] = start
                continue
            with contextlib.suppress(Exhausted):
                reached, _ = flow.integrate(rate, start, (0.0, end), at=times)
                states[i, : len(reached)] = reached
            display.at((i + 1) * end)
    return states.reshape(*problem.batch.shape, len(times), flow.size)
