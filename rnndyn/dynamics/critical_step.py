"""The time step at which a simulation loses an attracting fixed point that the flow has."""

from collections import namedtuple

import numpy as np

from ..cells.steps import Euler, Rates, SymplecticEuler, Tableau
from ..errors import InputError
from .along import bounded
from .batch import Problem, constant, grid_index, index_axes, whole
from .call import check, over_points
from .flow import check_step
from .newton import Step, held, norm, polish, radius
from .start import begun
from .status import Status
from .step_stability import critical_dt, method, step_matrix

CriticalStep = namedtuple("CriticalStep", "dt formula multiplier state status")

NEUTRAL = 1e-6  # times |lambda|: a weaker attraction drowns in the rounding of |eig DF| at small dt
RISE = 1.1  # of dt in the search for the first loss: a gap in the stable range narrower than this is passed over
BISECTIONS = 50  # to the last digit of RISE - 1
FARTHEST = 1e4  # times 1 / |lambda|: who is stable there is taken to be stable for every dt


def critical_step(
    cell,
    weights,
    *,
    settle=1000,
    inputs=None,
    state=None,
    seed=0,
    first_index=0,
    device="auto",
    threads=None,
    progress=None,
):
    """The dt at which max |eig DF_dt(s*)| first reaches 1: F_dt one step, s* an attracting fixed point of the flow.

    cell: a step of a field, such as `rd.Leaky(8)` or `rd.RK4(rd.Leaky.vector_field(8))`. From `state` (None: random,
    as in `lyapunov`) the cell makes `settle` steps of the weights' dt, at which it ought to be stable; Newton's method
    then solves f(s*) = 0, which is a fixed point for every dt. `dt` (...) is found by bisection on the eigenvalues of
    the step's own exact Jacobian; `formula` (...) from the eigenvalues lambda of the field's Jacobian: the smallest of
    -2 Re(lambda) / |lambda|^2 for Euler, the first root of |R(dt lambda)| = 1 for a Runge-Kutta step, the spectral
    radius of the step's matrix for the symplectic and the exponential one. The two agree to rounding. Infinite: stable
    up to dt = 1e4 / |lambda|. `multiplier` (...), complex: the eigenvalue that reaches the circle, -1 at a period
    doubling, +1 too for steps of higher order, else one of a pair (Neimark-Sacker); `state` (..., S N): s*.
    status: NOT_CONVERGED where no fixed point was found or the flow is not attracted to it, -Re(lambda) > 1e-6 |lambda|
    (dt, formula and multiplier are NaN, `state` too if there is none), DIVERGED where the steps left the range,
    INVALID. inputs (..., 1, I) are constant; other arguments as of `lyapunov`.
    Source: Hairer & Wanner, Solving ODEs II (1996), section IV.2.
    Raises InputError for wrong names, shapes and values, for cells without a dt, and if every point is invalid.
    """
    check_step(cell, "the critical step is")
    settle, seed, first = whole("settle", settle, 1), whole("seed", seed, 0), grid_index(first_index)
    device, dtype, threads = check(cell, device, "float64", threads, networks=False)
    state, _ = begun(state, cell.state_size)
    given = {"steps": settle, "inputs": constant(inputs), "lengths": None, "state": state}
    problem = Problem(cell, weights, **given, extra=lambda _: index_axes(first))
    dt = problem.given.get("dt")
    if dt is not None and (dt <= 0).any():
        raise InputError(f"the weight `dt` must be positive, the step by which the cell settles; not {dt.min():g}.")
    from ..kernels import target

    run, size, count = target.Run(cell, dtype, device, (problem.count * settle, 0)), cell.state_size, problem.count
    search = Search(cell)
    dt, formula, point = np.empty(count), np.empty(count), np.empty((count, size))
    multiplier, status = np.empty(count, complex), np.empty(count, np.int8)

    def chunk(low, high, meter):
        rows = slice(low, high)
        theta = problem.theta(low, high, run.layout)
        start = problem.start(low, high, seed, problem.batch.index(first, low, high))
        inputs = problem.inputs(low, high)
        reached = target.trajectories(run, theta, start, inputs, settle, False, meter)[:, -1]
        with np.errstate(all="ignore"):
            found = search(held(run.layout, theta, inputs[:, 0]), reached)
        dt[rows], formula[rows], multiplier[rows], point[rows], status[rows] = found

    values = run.layout.size + 8 * size * size
    over_points(chunk, problem, run, values, threads, progress, "critical steps")
    bad = problem.invalid
    dt[bad] = formula[bad] = multiplier[bad] = point[bad] = np.nan
    status[bad] = Status.INVALID
    shape = problem.batch.shape
    return CriticalStep(
        dt.reshape(shape), formula.reshape(shape), multiplier.reshape(shape), point.reshape(*shape, size),
        status.reshape(shape),
    )  # fmt: skip


class Search:
    """The fixed points of a field near given states, and the dt at which a step of it loses them."""

    def __init__(self, cell):
        field = cell.field
        self.cell, self.step, self.kind = cell, Step(cell), method(cell)
        self.unit, self.rates = Step(Euler(field)), Step(Rates(field))

    def at(self, theta, dt):
        """The weights with another dt (M,)."""
        theta, (start, size) = theta.copy(), self.step.layout.places["dt"]
        theta[:, start : start + size] = dt[:, None]
        return theta

    def __call__(self, theta, state):
        """(dt, formula, multiplier, s*, status) of networks, one a row."""
        count = len(theta)
        dt, formula, multiplier = np.full(count, np.nan), np.full(count, np.nan), np.full(count, np.nan, complex)
        inside = bounded(state)
        reach = np.maximum(1.0, norm(state))
        points, _, error = polish(self.unit, self.at(theta, np.ones(count)), state, reach, 1)  # s + f(s) = s
        points = points[:, 0]
        status = np.where(inside, np.where(np.isfinite(error), Status.OK, Status.NOT_CONVERGED), Status.DIVERGED)
        rows = np.flatnonzero(status == Status.OK)
        if len(rows):
            jacobian = self.rates(theta[rows], points[rows])[1]
            eigenvalues = np.linalg.eigvals(jacobian)
            settles = (eigenvalues.real < -NEUTRAL * np.abs(eigenvalues)).all(axis=1)
            status[rows[~settles]] = Status.NOT_CONVERGED
            rows, jacobian, eigenvalues = rows[settles], jacobian[settles], eigenvalues[settles]
        if len(rows):
            own, near = theta[rows], points[rows]

            def measured(some, dt):
                return self.step(self.at(own[some], dt), near[some])[1]

            dt[rows] = first_loss(measured, eigenvalues)
            formula[rows] = self.predicted(own, jacobian, eigenvalues)
            lost = np.isfinite(dt[rows])
            if lost.any():
                values = np.linalg.eigvals(measured(np.flatnonzero(lost), dt[rows[lost]]))
                values = values[np.arange(len(values)), np.abs(values).argmax(axis=1)]
                multiplier[rows[lost]] = values.real + 1j * np.abs(values.imag)
        return dt, formula, multiplier, points, status

    def predicted(self, theta, jacobian, eigenvalues):
        """The critical dt from the field's Jacobian alone."""
        if isinstance(self.kind, Tableau):
            return critical_dt(self.kind, eigenvalues)
        n, linear = self.cell.units, None
        if self.kind is not SymplecticEuler:
            linear = np.concatenate(self._linear(theta), axis=1)
        slices, begin = [], 0
        for part in self.cell.field.parts:
            slices.append(slice(begin, begin + n * len(part.fields)))
            begin += n * len(part.fields)

        def matrix(some, dt):
            return step_matrix(self.kind, jacobian[some], dt, slices, None if linear is None else linear[some])

        return first_loss(matrix, eigenvalues)

    def _linear(self, theta):
        """The field's own linear part, one (M, N) a field."""
        from ..kernels.twin import MEANINGS
        from ..kernels.walk import Walk

        (start, n), names = self.step.layout.places["dt"], self.cell.field.parameters
        begin = start - n * len(names)
        parameters = tuple(theta[:, begin + j * n : begin + (j + 1) * n] for j in range(len(names)))
        found = Walk(self.cell.field.linear).copy(MEANINGS)(parameters)
        return [np.broadcast_to(value, (len(theta), n)) for value in found]


def first_loss(matrices, eigenvalues):
    """The smallest dt (M,) at which a matrix `matrices(rows, dt)` (M, S, S) has the spectral radius 1.

    eigenvalues (M, S) of the field's Jacobian tell where to begin, at a hundredth of the first dt at which Euler's step
    would be lost, and where to give up.
    """
    size = np.abs(eigenvalues)
    low = 0.01 * (-2.0 * eigenvalues.real / size**2).min(axis=1)
    last = np.maximum(FARTHEST / size.max(axis=1), 2.0 * low)
    high, active = np.full(len(low), np.inf), np.arange(len(low))
    while active.size:
        ahead = RISE * low[active]
        lost = ~(radius(matrices(active, ahead)) < 1.0)
        high[active[lost]] = ahead[lost]
        low[active[~lost]] = ahead[~lost]
        active = active[~lost & (ahead < last[active])]
    rows = np.flatnonzero(np.isfinite(high))
    for _ in range(BISECTIONS if rows.size else 0):
        middle = 0.5 * (low[rows] + high[rows])
        stable = radius(matrices(rows, middle)) < 1.0
        low[rows], high[rows] = np.where(stable, middle, low[rows]), np.where(stable, high[rows], middle)
    return high
