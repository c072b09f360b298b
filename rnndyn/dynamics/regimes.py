"""Regimes: a label for every network, fixed point to chaos, with the evidence and the share of starts that agree."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .attractors import random_starts
from .batch import Problem, as_array, constant, grid_index, index_axes, whole
from .call import check, over_points
from .cycles import constant_weights
from .evidence import Regime, grouped, labelled
from .fates import COLUMNS, Course, Runs, fates
from .newton import Step
from .random import point_uniforms, random_frame
from .status import Status
from .values import tailed

Regimes = namedtuple(
    "Regimes", "regime confidence period attractors exponent stderr multiplier zeros test state starts status"
)
LEAST = 100  # steps that an exponent is told from
Starts = namedtuple("Starts", "regime period attractor exponent stderr multiplier test state")
KINDS = {"regime": np.int8, "test": np.int8, "zeros": np.int8} | dict.fromkeys(
    ("period", "attractors", "attractor"), np.int32
)


def regimes(
    cell,
    weights,
    *,
    starts=8,
    seed=0,
    steps=2000,
    transient=1000,
    max_period=8,
    spread=1.0,
    inputs=None,
    state=None,
    first_index=0,
    device="auto",
    threads=None,
    progress=None,
):
    """Which regime s <- F(s) is in: fixed point, cycle, quasi-periodic, chaotic, growing, or not decided.

    weights as in `trajectory`; inputs: None, or constant ones (..., 1, I): a driven map has no fixed points. Starts of
    each point: half on the diagonal from -spread to spread, half random, as of `attractors`, from (seed, grid index),
    for each seed if `seed` is a list; or your own, state (..., starts, state_size).
    Each start gets a label by the first test that is sure (`fates` says why these): multipliers at a fixed point or
    cycle up to `max_period` that Newton's method finds after `transient` steps; eigenvalues, for an affine map; for the
    others an orbit of `steps` steps, and of 4 and 16 times as many for who is undecided after that: lambda_1 more than
    four standard errors above zero is CHAOTIC; an orbit that has closed after more than `max_period` steps (1000 at
    most), with multipliers below 1, is a CYCLE of that period; lambda_1 = 0 within its error, with averages that
    converge as only order's do, is QUASI_PERIODIC; a state beyond 1e12 is GROWING.

    Returns Regimes with, for every point (...):
    regime (`rd.Regime`): of the labels (regime and period) of starts that reach an attractor the one that most have, of
      equals the simplest; GROWING or NEUTRAL only where no start reaches one, UNDECIDED where nothing is known.
    confidence: the share of all starts and seeds with that very label; where different regimes coexist it tells how
      large the basin of the label is among the starts, and `attractors` that there are others.
    period: of a fixed point 1, of a cycle p, else 0. attractors: how many different ones the starts reach: cycles are
      told apart by their states; chaotic and quasi-periodic ones by averages of s and s^2, which must differ by eight
      standard errors (two that agree count as one). Neutral orbits and those that grow are none.
    exponent, stderr: lambda_1 per step, of the label's attractor: ln(multiplier) / period, exact, or measured and
      averaged over its starts. multiplier: the largest modulus of the cycle's multipliers (NaN if there is no cycle).
    zeros: how many of the first three exponents are zero within their errors, a torus's dimension.
    test (`rd.DecidedBy`): what decided. state (..., state_size): one on the attractor: which fixed point it is.
    starts: Starts(regime, period, attractor (counted from 0, -1 for none), exponent, stderr, multiplier, test
      (..., starts), state (..., starts, state_size)): the same for each start.
    status: OK, NOT_CONVERGED where the label is UNDECIDED, INVALID.
    All is done in float64. Limits: regular motion that neighbours with other averages surround (rotations, tori of
    maps that keep volumes) is NEUTRAL where the map is affine or keeps volumes, else it counts as quasi-periodic; tori
    that are locked with |lambda_1| below its error too; chaos that outlives the run counts as chaos.
    Source: Kuznetsov, Elements of Applied Bifurcation Theory (2004), ch. 4; Das et al., Nonlinearity 30 (2017) 4111.
    Raises InputError for wrong names, shapes and values, for inputs that vary, and if every point is invalid.
    """
    seeds = _seeds(seed)
    own = {} if state is None else {"starts": (_own_starts(state, cell), 2)}
    starts = whole("starts", starts, 1)
    each = own["starts"][0].shape[-2] if own else starts * len(seeds)
    spread = as_array("spread", spread)
    if spread.shape or not 0 < spread < np.inf:
        raise InputError(f"`spread` must be a number above 0, not {spread}.")
    seeds = seeds[:1] if own else seeds
    course = course_of(transient, steps, max_period, each)
    look = Look(cell, weights, course, inputs, own, seeds, first_index, device, threads)

    def start(low, high):
        if own:
            return look.problem.batch.rows("starts", low, high).reshape(-1, look.size)
        index = look.problem.batch.index(look.first, low, high)
        parts = [random_starts(starts, float(spread), one, index, high - low, look.size) for one in seeds]
        return np.concatenate([part.reshape(high - low, starts, -1) for part in parts], axis=1).reshape(-1, look.size)

    points, size = look.problem.count, look.size
    names = [name for name in Regimes._fields if name not in ("state", "starts", "status")]
    found = {name: np.zeros(points, KINDS.get(name, float)) for name in names} | {"state": np.empty((points, size))}
    every = {name: np.zeros((points, each), KINDS.get(name, float)) for name in Starts._fields[:-1]}
    every["state"] = np.empty((points, each, size))

    def note(low, high, evidence):
        which, count = grouped(evidence, each)
        rows = {name: getattr(evidence, name) for name in Starts._fields if name != "attractor"} | {"attractor": which}
        for name, array in rows.items():
            every[name][low:high] = array.reshape(every[name][low:high].shape)
        for name, array in labelled(evidence, which, each).items():
            found[name][low:high] = array
        found["attractors"][low:high] = count

    look.run(start, note, progress, "regimes")
    invalid = look.problem.invalid
    for group in (found, every):
        for name, array in group.items():
            array[invalid] = -1 if name == "attractor" else np.nan if array.dtype.kind == "f" else 0
    found["confidence"][invalid] = 0.0
    status = np.where(found["regime"] == Regime.UNDECIDED, Status.NOT_CONVERGED, Status.OK).astype(np.int8)
    status[invalid] = Status.INVALID
    shape = look.problem.batch.shape
    found, every = (
        {name: array.reshape((*shape, *array.shape[1:])) for name, array in group.items()} for group in (found, every)
    )
    return Regimes(**found, starts=Starts(**every), status=status.reshape(shape))


def course_of(transient, steps, max_period, starts):
    """The `Course` of arguments, checked."""
    transient, steps = whole("transient", transient, 1), whole("steps", steps, LEAST)
    return Course(transient, steps, whole("max_period", max_period, 1), starts)


class Look:
    """The orbits of a problem's points, checked; `run` gives their evidence chunk by chunk."""

    def __init__(self, cell, weights, course, inputs, arrays, seeds, first_index, device, threads):
        """arrays: {name: (array, number of its own axes)} that broadcast with the weights."""
        self.device, self.dtype, self.threads = check(cell, device, "float64", threads, networks=False)
        self.cell, self.size, self.course, self.seeds = cell, cell.state_size, course, seeds
        self.first = grid_index(first_index)
        given = {"steps": course.starts * course.total, "inputs": constant(inputs), "lengths": None, "state": None}
        self.problem = Problem(cell, weights, **given, extra=lambda _: arrays | index_axes(self.first))
        self.columns = min(self.size, COLUMNS)

    def run(self, start, note, progress, what):
        """Call `note(low, high, evidence)` for ranges of points; start(low, high) gives their starts, as rows."""
        from ..kernels import target

        problem, course, step = self.problem, self.course, Step(self.cell)
        orbits = target.Run(self.cell, self.dtype, self.device, (problem.count * problem.total, 0))
        tangents = target.Run(self.cell, self.dtype, self.device, (0, self.columns))
        spare = point_uniforms(0, "spare", 0, 1, self.size * self.columns).reshape(self.size, self.columns)

        def chunk(low, high, meter):
            theta = constant_weights(problem, low, high, orbits.layout)
            theta, index = np.repeat(theta, course.starts, axis=0), problem.batch.index(self.first, low, high)
            begin = start(low, high)

            def still(rows):
                return np.zeros((len(rows), 1, self.cell.inputs))

            def orbit(rows, state, steps, keep, meter):
                return target.trajectories(orbits, theta[rows], state, still(rows), steps, keep, meter)

            def spectra(rows, state, frame, steps, meter):
                lead = steps // 8  # in which the frame turns to where it grows
                every = np.full(len(rows), steps + lead)
                return target.spectra(tangents, theta[rows], state, frame, spare, still(rows), every, lead, None, meter)

            def frame(rows):
                each = course.starts // len(self.seeds)
                parts = [random_frame(seed, index, high - low, self.size, self.columns) for seed in self.seeds]
                frames = np.repeat(np.stack(parts, axis=1), each, axis=1) if each else np.stack(parts[:1], axis=1)
                return frames.reshape(-1, self.size, self.columns)[rows]

            with np.errstate(all="ignore"):
                note(low, high, fates(step, theta, begin, course, Runs(orbit, spectra, frame), meter))

        layout, size = orbits.layout, self.size
        values = course.starts * (3 * layout.size + size * (2 * course.period + 40) + 4 * size * size)
        over_points(chunk, problem, orbits, values, self.threads, progress, what)


def _seeds(seed):
    seeds = list(seed) if isinstance(seed, (list, tuple, np.ndarray)) else [seed]
    if not seeds:
        raise InputError("`seed` is an empty list: give one seed at least.")
    return [whole("seed", one, 0) for one in seeds]


def _own_starts(state, cell):
    array = tailed("state", as_array("state", state), (getattr(cell, "state_size", 0),))
    if array.ndim < 2 or not array.shape[-2]:
        raise InputError(f"`state` must have the shape (..., starts, {cell.state_size}), not {array.shape}.")
    return array
