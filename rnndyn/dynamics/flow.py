"""The flow that steps approximate, by SciPy's integrators: trajectories and Lyapunov spectra as a reference.

The field's own rule is evaluated, uncompiled, with its exact Jacobian from dual numbers; nothing of the steps is used.
"""

import time as clock
from collections import namedtuple

import numpy as np

from ..cells import Cell, Field
from ..cells.steps import Rates, Stepped
from ..errors import InputError
from .along import bounded, mean_of
from .batch import Problem, choice, grid_index, index_axes, whole
from .newton import Step, held
from .noise import Noise
from .progress import PATIENCE, progress_display
from .random import point_uniforms, random_start
from .start import begun
from .status import Status
from .values import as_array, positive

FlowExponents = namedtuple("FlowExponents", "exponents stderr status time")

METHODS = ("DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA")
STRETCH = 8.0  # ln of the growth between two orthonormalisations, at most: columns keep 12 of 16 digits
INTERVALS = 128  # between orthonormalisations, at least: four for each batch of the error bar


def field_of(cell):
    """The field of a step's cell, or the field itself. Raises InputError for what has none."""
    if isinstance(cell, Field):
        return cell
    if isinstance(cell, Stepped):
        return cell.field
    more = ""
    if isinstance(cell, Cell) and hasattr(type(cell), "vector_field"):
        more = f" {cell.name} is a step of length 1: rd.{cell.name}.vector_field(...) is its field."
    raise InputError(f"a flow is that of an rd.Field, or of a step of one such as rd.Leaky(8), not {cell!r}.{more}")


class Flow:
    """ds/dt = f(s, u) of the points of a problem, the input u constant: rates, Jacobians, integration of one point."""

    def __init__(self, cell, weights, inputs, state, first, method, rtol, atol):
        """first: grid indices. Raises InputError."""
        field = field_of(cell)
        self.rates = Step(Rates(field))
        self.size = self.rates.cell.state_size
        if isinstance(inputs, Noise) or (inputs is not None and np.shape(inputs)[-2:-1] != (1,)):
            raise InputError(f"the input of a flow is constant: `inputs` must have the shape (..., 1, {field.inputs}).")
        state, _ = begun(state, self.size)
        self.problem = Problem(
            self.rates.cell, weights, steps=1, inputs=inputs, lengths=None, state=state,
            extra=lambda _: index_axes(first),
        )  # fmt: skip
        self.first, self.method = first, choice("method", method, METHODS)
        self.tolerances = {"rtol": positive("rtol", rtol), "atol": positive("atol", atol)}

    def points(self):
        """(number, theta (1, .)) of the valid points, their input held in the biases."""
        problem, layout = self.problem, self.rates.layout
        for i in np.flatnonzero(~problem.invalid).tolist():
            yield i, held(layout, problem.theta(i, i + 1, layout), problem.inputs(i, i + 1)[:, 0])

    def start(self, i, seed=None):
        """The start (S N,) of a point: as given; else zeros, or with a seed random as `lyapunov`'s."""
        if seed is None or "state" in self.problem.batch.arrays:
            return self.problem.state(i, i + 1)[0]
        return random_start(seed, self.problem.batch.index(self.first, i, i + 1), 1, self.size)[0]

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
    progress=None,
):
    """s(t) of ds/dt = f(s, u), s(0) = state, at given times: array (..., len(times), state_size).

    cell: a field, `rd.Lorenz.vector_field(1)`, or a step of one, `rd.Lorenz(1)`, whose dt does not matter. weights,
    inputs (..., 1, I) (constant) and state (zeros if None) as of `trajectory`; times (T,): rising, from 0 up. method,
    rtol, atol: SciPy's `solve_ivp` with that integrator and these tolerances of a step. Each point is integrated by
    itself, uncompiled. A state is NaN where the flow has left the range (1e12) before, or is invalid.
    Source: Hairer, Norsett & Wanner, Solving ODEs I (1993), section II.5 (DOP853).
    Raises InputError for wrong names, shapes and values, for cells that have no flow, and if every point is invalid.
    """
    times = as_array("times", times)
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
        raise InputError("`times` must be rising numbers from 0 up, (T,).")
    flow = Flow(cell, weights, inputs, state, 0, method, rtol, atol)
    problem, end = flow.problem, float(times[-1])
    states = np.full((problem.count, len(times), flow.size), np.nan)
    with progress_display(progress, problem.count * max(end, 1.0), text="flow", patience=PATIENCE) as display:
        told = [clock.monotonic()]
        for i, theta in flow.points():

            def rate(t, y, i=i, theta=theta):
                if clock.monotonic() > told[0] + 0.1:
                    told[0] = clock.monotonic()
                    display.at(i * end + t)
                return flow.rates(theta, y[None])[0][0]

            start = flow.start(i)
            if end == 0.0:
                states[i] = start
                continue
            reached, _ = flow.integrate(rate, start, (0.0, end), at=times)
            states[i, : len(reached)] = reached
            display.at((i + 1) * end)
    return states.reshape(*problem.batch.shape, len(times), flow.size)


def flow_exponents(
    cell,
    weights,
    *,
    time,
    transient=0.0,
    interval=None,
    k=None,
    inputs=None,
    state=None,
    seed=0,
    first_index=0,
    method="DOP853",
    rtol=1e-9,
    atol=1e-12,
    progress=None,
):
    """lambda_k = lim (1/T) ln R_kk of the flow: dV/dt = Df(s) V beside ds/dt = f(s), V = Q R at intervals.

    Returns FlowExponents(exponents (..., k) per unit time, from large to small, stderr (..., k), status (...),
    time (...) that counted). cell, weights and inputs as of `flow_trajectory`; start (`state`, else random), frame,
    seed and first_index as of `lyapunov`: over the same time both tell how the same frame grows. transient: time before
    that counts. interval: time between orthonormalisations; None: 8 / |Df(s)|, 128 of them at least. stderr: as of
    `lyapunov`, from batches of intervals. DIVERGED: the flow left the range (1e12); exponents up to there.
    Each point is integrated by itself, uncompiled: about 2 ms for each interval of a small field.
    Source: Benettin, Galgani, Giorgilli & Strelcyn, Meccanica 15 (1980) 9 and 21.
    Raises InputError for wrong names, shapes and values, for cells that have no flow, and if every point is invalid.
    """
    first, seed, time = grid_index(first_index), whole("seed", seed, 0), positive("time", time)
    transient = positive("transient", transient) if transient else 0.0
    interval = None if interval is None else positive("interval", interval)
    flow = Flow(cell, weights, inputs, state, first, method, rtol, atol)
    problem, size = flow.problem, flow.size
    k = size if k is None else whole("k", k, 1)
    if k > size:
        raise InputError(f"`k` is {k}, but the flow of {cell!r} has {size} exponents.")
    exponents, stderr = np.full((problem.count, k), np.nan), np.full((problem.count, k), np.nan)
    status, counted = np.full(problem.count, Status.INVALID, np.int8), np.zeros(problem.count)
    total = transient + time
    with progress_display(progress, problem.count * total, text="exponents of the flow", patience=PATIENCE) as display:
        for i, theta in flow.points():
            index = problem.batch.index(first, i, i + 1)
            frame = point_uniforms(seed, "frame", index, 1, size * k).reshape(size, k)
            frame = np.linalg.qr(frame)[0]
            course = Course(flow, theta, flow.start(i, seed), frame, interval, display, i * total)
            course.run(transient)
            span, logs = course.run(time, INTERVALS)
            if len(logs):
                mean, error, singular = mean_of(logs.T, np.full(k, len(logs)))
                order = np.argsort(-mean, kind="stable")
                exponents[i], stderr[i] = mean[order] / span, error[order] / span
                status[i] = Status.SINGULAR if singular.any() else Status.OK
            counted[i] = len(logs) * span
            status[i] = status[i] if course.alive else Status.DIVERGED
    shape = problem.batch.shape
    return FlowExponents(
        exponents.reshape(*shape, k), stderr.reshape(*shape, k), status.reshape(shape), counted.reshape(shape)
    )


class Course:
    """A state and a frame on their way along the flow, orthonormalised at intervals."""

    def __init__(self, flow, theta, state, frame, interval, display, before):
        self.flow, self.theta, self.state, self.frame, self.interval = flow, theta, state, frame, interval
        self.display, self.done, self.alive, self.step = display, before, bool(bounded(state)), None

    def run(self, time, least=1):
        """Go on for a time in equal intervals: (their length, ln of the columns' growth in each (n, k))."""
        if not time:
            return 0.0, np.zeros((0, self.frame.shape[1]))
        longest = self.interval
        if longest is None:
            stretch = np.linalg.norm(self.flow.rates(self.theta, self.state[None])[1][0], 2) if self.alive else 0.0
            longest = min(STRETCH / stretch if 0 < stretch < np.inf else time, time / least)
        number = max(1, int(np.ceil(time / longest * (1 - 1e-12))))
        logs = np.empty((number, self.frame.shape[1]))
        for j in range(number):
            if not self.alive or not self._advance(time / number, logs[j]):
                return time / number, logs[:j]
        return time / number, logs

    def _advance(self, span, log):
        """Integrate state and frame for a time and orthonormalise; whether the flow stayed within the range."""
        size, columns = self.flow.size, self.frame.shape

        def rate(t, y):
            value, partials = self.flow.rates(self.theta, y[None, :size])
            return np.concatenate([value[0], (partials[0] @ y[size:].reshape(columns)).ravel()])

        values = np.concatenate([self.state, self.frame.ravel()])
        reached, length = self.flow.integrate(rate, values, (0.0, span), step=self.step)
        self.alive = reached is not None
        if self.alive:
            self.step = length or self.step
            self.state = reached[:size]
            self.frame, upper = np.linalg.qr(reached[size:].reshape(columns))
            with np.errstate(divide="ignore"):
                log[:] = np.log(np.abs(np.diag(upper)))
            self.done += span
            self.display.at(self.done)
        return self.alive
