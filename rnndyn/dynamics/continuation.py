"""The branch of a fixed point or cycle as weights move along a line, through folds, with the bifurcations on it."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .batch import Problem, as_array, constant, named, whole
from .branch import Equations, taken
from .call import check, over_points
from .cycles import constant_weights
from .newton import BOUND, Step, least_period, norm, polish
from .padded import padded
from .stability import stability
from .status import Status
from .tracing import ENDED, FIRST, GONE, Events, Trace
from .values import positive, tailed

Continuation = namedtuple("Continuation", "mu states multipliers type count bifurcations status")
Bifurcations = namedtuple("Bifurcations", "kind mu states multiplier error count")

# Among the problem's arrays; no parameter has a name with a space.
DIRECTION, ORIGIN = "along ", "at mu"
FLIPPED = 1e-3  # the distance to -1 of a multiplier at what may pass for a flip
STATUS = np.array([Status.NOT_CONVERGED] * 4, np.int8)
STATUS[[ENDED, GONE]] = Status.OK, Status.DIVERGED


def continuation(
    cell,
    weights,
    along,
    *,
    bounds,
    start=None,
    at=0.0,
    period=1,
    doubled=False,
    step=0.02,
    most_steps=2000,
    inputs=None,
    device="auto",
    threads=None,
    progress=None,
):
    """F^p(s; theta + mu d) = s: the branch of solutions (s, mu) through a start, for mu within `bounds` = (low, high).

    weights as in `trajectory`, theta; along: {name: array}, d, of weights and parameters (dt, gamma, ..) alike, zero
    where a name is missing; inputs None (zero) or constant, (..., 1, I). start (..., S N): a state near the branch,
    zeros if None, made exact by Newton's method at mu = `at` (...); period: p. With `doubled` the start is a flip of a
    cycle of half the period, and the branch is that of the doubled cycle, from the flip on.
    Pseudo-arclength: steps of a length of y = (s / max(1, |s|), mu / (high - low)) of at most `step`, adapted so that
    Newton's method returns to the branch quickly and tangents turn by less than 14 degrees. Both ways from the start
    are followed up to the bounds, back to the start, to where a cycle shrinks to one of a shorter period, or for
    `most_steps` steps. Fold and flip lie where d mu / d length and det(DF^p + I) change sign, a branch point where the
    determinant of the Jacobian with the tangent does, others where a multiplier's modulus passes 1; each zero is
    located on the branch itself.

    Returns Continuation, padded with NaN (0 in whole numbers) to the longest branch, M points, and B bifurcations:
        mu (..., M), states (..., M, S N), multipliers (..., M, S N) of DF^p, complex, sorted by modulus, type (..., M)
        (`Stability`): from one end of the branch to the other, the way on which mu grows at the start (or away from
        the flip); count (...): points;
        bifurcations: Bifurcations(kind (..., B), `Bifurcation`; mu (..., B); states (..., B, S N); multiplier (..., B),
        the critical one, complex, of DF^p; error (..., B), of mu; count (...)), in the same order;
        status (...): OK; NOT_CONVERGED: no solution near the start, steps became too short, or `most_steps` ended the
        branch; DIVERGED: the state left the range of 1e12; INVALID.
    All is done in float64.
    Source: Keller, in Applications of Bifurcation Theory (ed. Rabinowitz, 1977) 359; Kuznetsov, Elements of Applied
    Bifurcation Theory (2004), ch. 10.
    Raises InputError for wrong names, shapes and values, and if every point is invalid.
    """
    device, dtype, threads = check(cell, device, "float64", threads, networks=False)
    period, steps, longest = whole("period", period, 1), whole("most_steps", most_steps, 1), positive("step", step)
    low, high = _bounds(bounds)
    origin = as_array("at", at)
    if ((origin < low) | (origin > high)).any():
        raise InputError(f"`at`, where mu is at the start, must lie within the bounds, {low:g} to {high:g}.")
    if doubled and period % 2:
        raise InputError(f"`period` must be twice that of the cycle that flips for `doubled`, not {period}.")
    directions = named(cell, along)
    if not any(array.any() for array in directions.values()):
        raise InputError("`along` has no direction: it maps names of weights to arrays that are not all zero.")
    extra = {DIRECTION + name: (array, len(cell.shapes[name])) for name, array in directions.items()}
    extra[ORIGIN] = (origin, 0)
    start = None if start is None else tailed("start", as_array("start", start), (cell.state_size,))
    given = {"steps": 2 * steps, "inputs": constant(inputs), "lengths": None, "state": start}
    problem = Problem(cell, weights, **given, extra=lambda _: extra)
    from ..kernels import target
    from ..kernels.blas import alone
    from ..kernels.tiles import Stopped

    run, newton = target.Run(cell, dtype, device), Step(cell)
    branches, events, status = {}, {}, np.full(problem.count, Status.INVALID, np.int8)

    def chunk(begin, end, meter):
        theta, path = (constant_weights(problem, begin, end, run.layout, prefix) for prefix in ("", DIRECTION))
        guess = np.concatenate([problem.state(begin, end), problem.batch.rows(ORIGIN, begin, end)[:, None]], axis=1)
        done = 0

        def after(branches):
            nonlocal done
            if meter.stop.is_set():
                raise Stopped
            done += branches
            meter.add(branches)

        with np.errstate(all="ignore"):
            rows = np.flatnonzero(~problem.invalid[begin:end])
            equations = Equations(newton, theta, path, period, (low, high))
            branch = Branch(equations, rows, guess, doubled, longest)
            branch.run(steps, after)
            branches[begin], events[begin] = branch.points(), branch.bifurcations()
        status[begin:end][rows] = STATUS[branch.fate[rows]]
        meter.add((end - begin) * problem.total - done)

    values = 8 * run.layout.size + (period + 8) * (cell.state_size + 1) ** 2 + 4 * steps * (cell.state_size + 1)
    with alone():
        over_points(chunk, problem, run, values, threads, progress, "continuation")
    shape = problem.batch.shape
    (mu, states, values, kinds), count = padded(shape, branches)
    found, number = padded(shape, events)
    marks = Bifurcations._make((*found, number))
    return Continuation(mu, states, values, kinds, count, marks, status.reshape(shape))


def _bounds(bounds):
    """(low, high) of mu."""
    given = as_array("bounds", bounds)
    if given.shape != (2,) or not np.isfinite(given).all() or not given[0] < given[1]:
        raise InputError(f"`bounds` must be two numbers (low, high) with low < high, not {bounds!r}.")
    return tuple(map(float, given))


class Branch:
    """Branches through their starts, one a row: both ways from each, or from a flip on."""

    def __init__(self, equations, rows, guess, doubled, longest):
        begun = _doubled if doubled else _settled
        self.equations, self.doubled = equations, doubled
        self.rows, self.start = begun(equations, rows, guess[rows], longest)
        self.forth, self.back = Trace(equations, longest), Trace(equations, longest)

    def run(self, steps, after):
        """Follow the branches for at most `steps` steps each way."""
        self.forth.run(self.rows, self.start, steps, after)
        self.fate = self.forth.fate
        if not self.doubled:
            open_ = ~self.forth.closed[self.rows]
            rows, start = self.rows[open_], taken(self.start, open_)
            self.back.run(rows, self.equations.points(rows, start.y, -start.tangent, start.unit), steps, after)
            self.fate = np.where(self.forth.closed, self.forth.fate, np.maximum(self.forth.fate, self.back.fate))

    def points(self):
        """(row, (mu, state, multipliers, type)) of all points, branch after branch, each in the order of the way."""
        start = [(self.rows, self.start)]
        row, points = _in_order(self.back.path, start, self.forth.path)
        y, values = points.y, points.multipliers
        return row, (y[:, -1], y[:, :-1], values, stability(values, np.zeros(len(y))))

    def bifurcations(self):
        """(row, (kind, mu, state, multiplier, error)) of all bifurcations, in the same order."""
        none = self.start.multipliers[:0, 0]
        nothing = Events(np.zeros(0, np.int8), self.start.y[:0], none, none.real)
        row, found = _in_order(self.back.events, [(self.rows[:0], nothing)], self.forth.events)
        return row, (found.kind, found.y[:, -1], found.y[:, :-1], found.multiplier, found.error)


def _in_order(back, start, forth):
    """(row, named tuple) of pieces [(row, named tuple)]: those of a row backwards, the start, those forwards."""
    pieces = [*((row[::-1], taken(piece, slice(None, None, -1))) for row, piece in reversed(back)), *start, *forth]
    row = np.concatenate([row for row, _ in pieces])
    order = np.argsort(row, kind="stable")
    joined = (np.concatenate(arrays)[order] for arrays in zip(*(piece for _, piece in pieces), strict=True))
    return row[order], type(start[0][1])(*joined)


def _settled(equations, rows, guess, _):
    """(rows, `Points`) at the solutions of least period near the guesses (M, S N + 1); without those that have none."""
    step, period, mu = equations.step, equations.period, guess[:, -1:]
    theta = equations.theta[rows] + mu * equations.along[rows]
    cycle, _, error = polish(step, theta, guess[:, :-1], np.full(len(rows), np.inf), period)
    there = np.isfinite(error) & (norm(cycle[:, 0]) <= BOUND)
    there[there] = least_period(cycle[there], error[there]) == period
    rows, points = rows[there], equations.through(rows[there], np.concatenate([cycle[there, 0], mu[there]], axis=1))
    good = np.isfinite(points.tests).all(axis=1)
    return rows[good], taken(points, good)


def _doubled(equations, rows, guess, longest):
    """(rows, `Points`) on the doubled cycle, a little away from flips (M, S N + 1), along the vector that is turned."""
    _, _, jacobian = equations.halved().at(rows, guess)
    good = np.isfinite(jacobian).all(axis=(1, 2))
    rows, guess, unit = rows[good], guess[good], equations.unit(guess[good])
    values, vectors = np.linalg.eig(jacobian[good, :, :-1] + np.eye(guess.shape[1] - 1))
    turned = np.abs(values + 1.0).argmin(axis=1)
    flips = np.abs(np.take_along_axis(values, turned[:, None], axis=1)[:, 0] + 1.0) <= FLIPPED
    tangent = np.zeros_like(guess)
    tangent[:, :-1] = np.take_along_axis(vectors, turned[:, None, None], axis=2)[:, :, 0].real
    tangent /= np.sqrt((tangent * tangent).sum(axis=1, keepdims=True))
    y, _ = equations.corrected(rows, guess + FIRST * longest * unit * tangent, tangent, unit)
    there = flips & np.isfinite(y).all(axis=1)
    cycle, _, _ = equations.at(rows[there], y[there])
    there[there] = least_period(cycle, np.zeros(len(cycle))) == equations.period
    return rows[there], equations.points(rows[there], y[there], tangent[there], unit[there])
