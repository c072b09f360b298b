"""How many attractors there are, and of which period: orbits find them, Newton's method and multipliers name them."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .batch import Problem, as_array, grid_index, index_axes, whole
from .call import check, over_points
from .newton import BOUND, SAME, Step, least_period, norm, polish, radius
from .random import point_normals
from .status import Status

Attractors = namedtuple("Attractors", "count period status")

ROUNDS = (1.0, 0.25, 4.0, 16.0)  # multiples of `steps` that orbits go on for; the last two for those that creep only
RETURN = 0.02  # a relative distance to an earlier state below which a cycle may be near
CREEP = 1e-3  # and one below which an orbit creeps rather than wanders
REST = 1e-5  # and one below which it may be settling to a neutral cycle
NEUTRAL = 1e-8  # multipliers this near to 1 are neutral: Newton's solution has half its digits at a double root
UNDECIDED, FOUND, GONE = 0, 1, 2  # what became of an orbit


def attractors(
    cell,
    weights,
    *,
    starts=8,
    steps=1200,
    max_period=8,
    spread=1.0,
    seed=0,
    first_index=0,
    device="auto",
    threads=None,
    progress=None,
):
    """F^p(s) = s with all |eig DF^p(s)| < 1: the attracting fixed points and cycles that orbits from `starts` reach.

    weights as in `trajectory`; inputs are zero. Returns Attractors(count (...), period (...), status (...)): the number
    of distinct attractors of period up to `max_period`, the shortest period among them (0 if there is none), and OK,
    NOT_CONVERGED (a start reached none of them: a longer cycle, no cycle, or an orbit too slow), DIVERGED (a start left
    the range; the others still count) or INVALID.
    Starts: half on the diagonal from -spread to spread, shifted by 1e-3 spread times standard normal; half spread times
    standard normal; from (seed, grid index), first_index as in `lyapunov`. After `steps` steps the orbit's near returns
    suggest a period p; Newton's method with the exact Jacobian then solves for p and its divisors, and the multipliers
    at the solution decide, not the orbit: close to a bifurcation it converges too slowly. Orbits that have come to
    creep go on for 20 times as long. Neutral cycles (multipliers within 1e-8 of 1) do not attract. All is done in
    float64.
    Source: Kuznetsov, Elements of Applied Bifurcation Theory (2004), ch. 4 (multipliers) and 10 (computing cycles).
    Raises InputError for wrong names, shapes and values, and if every point is invalid.
    """
    device, dtype, threads = check(cell, device, "float64", threads, networks=False)
    starts, steps = whole("starts", starts, 1), whole("steps", steps, 1)
    period, seed = whole("max_period", max_period, 1), whole("seed", seed, 0)
    first = grid_index(first_index)
    spread = as_array("spread", spread)
    if spread.shape or not 0 < spread < np.inf:
        raise InputError(f"`spread` must be a number above 0, not {spread}.")
    given = {"steps": starts * steps, "inputs": None, "lengths": None, "state": None}
    problem = Problem(cell, weights, **given, extra=lambda _: index_axes(first))
    from ..kernels import target

    run, step = target.Run(cell, dtype, device, (problem.count * problem.total, 0)), Step(cell)
    size, points = cell.state_size, problem.count
    count, shortest, status = np.zeros(points, np.int32), np.zeros(points, np.int32), np.empty(points, np.int8)

    def chunk(low, high, meter):
        theta = np.repeat(problem.theta(low, high, run.layout), starts, axis=0)
        state = random_starts(starts, float(spread), seed, problem.batch.index(first, low, high), high - low, size)

        def orbit(rows, state, steps, keep, meter):
            still = np.zeros((len(rows), 1, cell.inputs))
            return target.trajectories(run, theta[rows], state, still, steps, keep, meter)

        with np.errstate(all="ignore"):
            search = Search(step, theta, starts, period)
            search.run(orbit, state, steps, meter)
            count[low:high], shortest[low:high], status[low:high] = search.summary()

    values = starts * (3 * run.layout.size + size * (2 * period + 4) + 4 * size * size)
    over_points(chunk, problem, run, values, threads, progress, "attractors")
    count[problem.invalid], shortest[problem.invalid], status[problem.invalid] = 0, 0, Status.INVALID
    shape = problem.batch.shape
    return Attractors(count.reshape(shape), shortest.reshape(shape), status.reshape(shape))


def random_starts(starts, spread, seed, first, points, size):
    """Starts (points * starts, S N): the first half on the diagonal, nearly; the others random."""
    start = point_normals(seed, "starts", first, points, starts * size).reshape(points, starts, size)
    half = -(-starts // 2)
    start[:, :half] = np.linspace(-1.0, 1.0, half)[:, None] + 1e-3 * start[:, :half]
    return spread * start.reshape(points * starts, size)


class Search:
    """What the orbits of some points reach; rows are orbits, the starts of a point one after another."""

    def __init__(self, step, theta, starts, period):
        self.step, self.theta, self.starts, self.most = step, theta, starts, period
        self.fate = np.full(len(theta), UNDECIDED)
        self.period = np.zeros(len(theta), np.int32)
        self.error = np.zeros(len(theta))
        self.multiplier = np.full(len(theta), np.nan)  # the largest modulus, of the attractor or a neutral cycle
        self.neutral = np.zeros(len(theta), bool)  # a neutral cycle is near
        self.last = np.full((len(theta), step.cell.state_size), np.nan)  # the state where the orbit stopped
        self.points = np.full((len(theta), period, step.cell.state_size), np.nan)  # of the attractor, NaN beyond it
        self.creeps = np.zeros(len(theta), bool)
        self.like = np.arange(len(theta))  # the row of the same point whose orbit this one has joined; itself

    def run(self, orbit, state, steps, meter):
        """Advance the orbits and decide; those that creep go on."""
        from ..kernels.tiles import Meter

        silent = Meter()
        silent.stop = meter.stop
        rows = np.arange(len(self.theta))
        for turn in ROUNDS:
            more = max(1, int(turn * steps))
            state = orbit(rows, state, more, False, meter if turn == 1 else silent)[:, -1]
            window = np.concatenate([state[:, None], orbit(rows, state, self.most, True, silent)], axis=1)
            bounded = np.isfinite(window).all(axis=(1, 2)) & (np.abs(window) <= BOUND).all(axis=(1, 2))
            self.last[rows], self.fate[rows[~bounded]] = window[:, 0], GONE
            if turn == 1:
                self.join(window, bounded)
            lone = bounded & (self.like[rows] == rows)
            rows, window = rows[lone], window[lone]
            returns = norm(window[:, 1:] - window[:, :1])  # [:, p - 1]: distance after p steps
            self.decide(rows, window, returns)
            self.creeps[rows] |= returns.min(axis=1) <= CREEP * np.maximum(1.0, norm(window[:, 0]))
            on = (self.fate[rows] == UNDECIDED) & (self.creeps[rows] | (turn == 1))
            rows, state = rows[on], window[on, 0]
            if not rows.size:
                break
        for values in (self.fate, self.period, self.error, self.points, self.multiplier, self.neutral):
            values[:] = values[self.like]

    def join(self, window, bounded):
        """Find the orbits that have joined another of their point: its states from now on contain theirs."""
        points, starts = len(self.theta) // self.starts, self.starts
        window = window.reshape(points, starts, *window.shape[1:])
        bounded, like = bounded.reshape(points, starts), self.like.reshape(points, starts)
        for j in range(1, starts):
            here = window[:, j, :1]
            for i in range(j):
                near = norm(window[:, i, :-1] - here).min(axis=1) <= 1e-9 * np.maximum(1.0, norm(here[:, 0]))
                joined = near & bounded[:, i] & bounded[:, j] & (like[:, j] == np.arange(points) * starts + j)
                like[joined, j] = like[joined, i]

    def decide(self, rows, window, returns):
        """Name the attractor of each orbit from its window (M, P + 1, S N) of states."""
        scale = np.maximum(1.0, norm(window[:, 0]))
        closest = returns.min(axis=1)
        suggested = np.argmax(returns <= np.maximum(4.0 * closest, 1e-12 * scale)[:, None], axis=1) + 1
        # At a fold or a period doubling an orbit comes to within t^-1 or t^-1/2, its returns to t^-2 or t^-3/2.
        near = np.minimum(10.0 * np.cbrt(closest / scale), 0.2) * scale
        suggested[closest > RETURN * scale] = 0
        for p in np.unique(suggested[suggested > 0]):
            mine = suggested == p
            self.try_periods(rows[mine], window[mine], returns[mine], near[mine], int(p))

    def try_periods(self, rows, window, returns, near, p):
        """Solve for the divisors of p in turn, away from the unstable cycles already found."""
        known = np.full((len(rows), 0, window.shape[2]), np.nan)
        for q in (q for q in range(1, p + 1) if p % q == 0):
            # A cycle within `near` of both a state and the one q steps later returns to within twice that.
            trial = (self.fate[rows] == UNDECIDED) & ((q == p) | (returns[:, q - 1] <= 2.0 * near))
            if not trial.any():
                continue
            chosen, orbit = rows[trial], window[trial]
            start = orbit[:, :p:q].mean(axis=1)  # where the orbit swings about the cycle, its mean is nearer
            away = known[trial] if known.shape[1] else None
            points, products, error = polish(self.step, self.theta[chosen], start, near[trial], q, away)
            distance = norm(points - orbit[:, :1]).min(axis=1)
            there = np.isfinite(error) & (distance <= near[trial])
            size = radius(products)
            rests = returns[trial].min(axis=1) <= REST * np.maximum(1.0, norm(orbit[:, 0]))
            attracting, neutral = there & (size < 1.0 - NEUTRAL), there & rests & (np.abs(size - 1.0) <= NEUTRAL)
            self.multiplier[chosen[attracting | neutral]] = size[attracting | neutral]
            self.neutral[chosen[neutral]] = True
            self.keep(chosen[attracting], points[attracting], error[attracting])
            unstable = np.full((len(rows), q, window.shape[2]), np.nan)
            unstable[trial] = np.where((there & ~attracting)[:, None, None], points, np.nan)
            known = np.concatenate([known, unstable], axis=1)

    def keep(self, rows, points, error):
        """Note attractors (M, q, S N) under their least period."""
        q = points.shape[1]
        least = least_period(points, error)
        self.fate[rows], self.period[rows], self.error[rows] = FOUND, least, error
        self.multiplier[rows] **= least / q
        inside = np.arange(q) < least[:, None]
        self.points[rows, :q] = np.where(inside[:, :, None], points, np.nan)

    def summary(self):
        """(count, shortest period, status) of each point."""
        points, starts = len(self.theta) // self.starts, self.starts
        fate, period, error = (v.reshape(points, starts) for v in (self.fate, self.period, self.error))
        cycles = self.points.reshape(points, starts, self.most, -1)
        fresh = fate == FOUND
        for j in range(1, starts):
            here = cycles[:, j, :1]
            scale = np.maximum(1.0, norm(here[:, 0]))
            for i in range(j):
                gap = np.fmin.reduce(norm(cycles[:, i] - here), axis=1)
                same = gap <= SAME * scale + 100.0 * (error[:, i] + error[:, j])
                fresh[:, j] &= ~(same & (fate[:, i] == FOUND))
        shortest = np.where(fresh, period, self.most + 1).min(axis=1)
        status = np.where((fate == FOUND).all(axis=1), Status.OK, Status.NOT_CONVERGED)
        status = np.where((fate == GONE).any(axis=1), Status.DIVERGED, status)
        return fresh.sum(axis=1), np.where(shortest > self.most, 0, shortest), status
