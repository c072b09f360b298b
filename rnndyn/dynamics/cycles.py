"""All cycles of maps up to a period, stable or not, with multipliers, type and the bifurcation that each is lost by."""

from collections import namedtuple

import numpy as np

from .batch import Problem, constant, grid_index, index_axes, whole
from .call import check, over_points
from .cycle_search import ROUNDS, Search, window
from .newton import Step, held
from .padded import padded
from .random import point_uniforms
from .status import Status
from .values import positive

Cycles = namedtuple("Cycles", "points period multipliers type lost residual error count status")

# Of the 24 cycles of four tanh units in a ring and the 81 fixed points of four apart, gain 2, 16 starts find: half of
# them on the diagonal, half normal, deflation shifted by the spread: 13 and 26; in the cube: 18 and 61; every second
# round in a smaller cube: 24 and 56; a smaller shift, too: 24 and 54, and more in random networks.
NEARER = 0.25  # of the spread, in every second round
SHIFT = 0.25  # of the spread


def cycles(
    cell,
    weights,
    *,
    max_period=8,
    starts=32,
    spread=1.0,
    steps=200,
    inputs=None,
    seed=0,
    first_index=0,
    device="auto",
    threads=None,
    progress=None,
):
    """F^p(s) = s: the cycles of least period p up to `max_period`, stable and unstable; fixed points are period 1.

    weights as in `trajectory`; inputs None (zero) or constant, (..., 1, I). Newton's method with the exact Jacobian
    goes, in each round, from `starts` random states and from `starts` states of orbits that have run for `steps` steps
    and nearly return after p more; from the second round on it is kept away from what is known (deflation). The search
    of a period ends when two rounds in a row find nothing new, at most with the eighth. No number of starts proves that
    nothing is missing: more of them, and a `spread` as wide as the states, miss less.
    Starts: uniform in the cube from -spread to spread, every second round in one of a quarter of its size; from (seed,
    grid index), first_index as in `lyapunov`.

    Returns Cycles, padded with NaN (0 in whole numbers) to the largest count M of a point:
        points (..., M, P, S N): the states along each cycle, P = max_period;
        period (..., M): the least period;
        multipliers (..., M, S N): eigenvalues of DF^p, complex, from the largest modulus to the smallest;
        type (..., M): `Stability`; lost (..., M): `Bifurcation`, from the multiplier that leads;
        residual (..., M): |F^p(s) - s|; error (..., M): of the states, estimated from Newton's last step and rounding
        (largest moduli over the state's values);
        count (...): cycles found; status (...): OK; NOT_CONVERGED: the last rounds still found new ones; INVALID.
    Ordered by period, then by the first state's values (to 6 digits), each cycle from its smallest state on. Cycles
    nearer than 1e-8 (relative) plus 100 times their errors are one; where solutions are not isolated (NEUTRAL), some of
    them are listed, but none beyond the starts and their orbits: far out a gate keeps any state, by rounding alone. All
    is done in float64.
    Source: Kuznetsov, Elements of Applied Bifurcation Theory (2004), ch. 4 and 10; Farrell, Birkisson & Funke, SIAM J.
    Sci. Comput. 37 (2015) A2026 (deflation).
    Raises InputError for wrong names, shapes and values, and if every point is invalid.
    """
    device, dtype, threads = check(cell, device, "float64", threads, networks=False)
    starts, steps, period = whole("starts", starts, 1), whole("steps", steps, 1), whole("max_period", max_period, 1)
    spread, seed, first = positive("spread", spread), whole("seed", seed, 0), grid_index(first_index)
    given = {"steps": ROUNDS * period, "inputs": constant(inputs), "lengths": None, "state": None}
    problem = Problem(cell, weights, **given, extra=lambda _: index_axes(first))
    from ..kernels import target
    from ..kernels.blas import alone
    from ..kernels.tiles import Meter, Stopped

    run, step, size = target.Run(cell, dtype, device, (problem.count * starts * steps, 0)), Step(cell), cell.state_size
    found, status = {}, np.full(problem.count, Status.INVALID, np.int8)

    def chunk(low, high, meter):
        points, silent = high - low, Meter()
        silent.stop = meter.stop
        theta = constant_weights(problem, low, high, run.layout)
        index = problem.batch.index(first, low, high)
        start = point_uniforms(seed, "starts", index, points, ROUNDS * starts * size)
        start = start.reshape(points, ROUNDS, starts, size) * spread
        start[:, 1::2] *= NEARER

        def after():
            if meter.stop.is_set():
                raise Stopped
            meter.add(points)

        def orbit(state, steps, keep):
            still = np.zeros((len(state), 1, cell.inputs))
            return target.trajectories(run, np.repeat(theta, starts, axis=0), state, still, steps, keep, silent)

        with np.errstate(all="ignore"):
            orbits = orbit(orbit(start[:, 0].reshape(-1, size), steps, False)[:, -1], window(period), True)
            orbits = orbits.reshape(points, starts, -1, size)
            search = Search(step, theta, start, orbits, period, SHIFT * spread)
            valid = np.flatnonzero(~problem.invalid[low:high])
            search.run(valid, after)
            found[low] = search.rows()
        status[low:high][valid] = np.where(search.exhausted[valid], Status.OK, Status.NOT_CONVERGED)

    values = starts * (6 * run.layout.size + size * (ROUNDS + window(period) + 8 * period) + 8 * size * size)
    with alone():
        over_points(chunk, problem, run, values, threads, progress, "cycles")
    rows, count = padded(problem.batch.shape, found)
    return Cycles._make((*rows, count, status.reshape(problem.batch.shape)))


def constant_weights(problem, low, high, layout, prefix=""):
    """Weights of points low..high-1, or what stands under prefixed names, with constant inputs held in the biases."""
    return held(layout, problem.theta(low, high, layout, prefix), problem.inputs(low, high)[:, 0])
