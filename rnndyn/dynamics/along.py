"""What quantities along an orbit share: the checked problem, the points on their way, means with their errors."""

import numpy as np

from ..errors import InputError
from .batch import Problem, whole
from .call import check, over_points
from .errorbars import standard_error
from .random import point_uniforms
from .start import begun
from .status import Status

ENTRIES = 1 << 19  # of Jacobians at a time


class Course:
    """The orbits of a cell's problem: `transient` steps, then `steps`, from given starts or from the seed's."""

    def __init__(self, cell, weights, *, steps, transient, columns, inputs, lengths, state, seed, first_index, device,
                 dtype, threads):  # fmt: skip
        """columns: of the frame that goes along; None: as many as the state has values. Raises InputError."""
        self.transient = whole("transient", transient, 0)
        self.seed, self.first = whole("seed", seed, 0), whole("first_index", first_index, 0)
        state, _ = begun(state, getattr(cell, "state_size", 0))
        self.device, self.dtype, self.threads = check(cell, device, dtype, threads, networks=False)
        self.cell, self.size = cell, cell.state_size
        self.columns = self.size if columns is None else whole("k", columns, 1)
        if self.columns > self.size:
            raise InputError(f"`k` is {columns}, but {cell!r} has {self.size} values in its state.")
        self.problem = Problem(
            cell, weights, steps=steps, inputs=inputs, lengths=lengths, state=state, transient=self.transient
        )
        self.steps, self.count = self.problem.steps, self.problem.count

    def run(self, function, values, progress, what, columns=0):
        """Call `function(points, way)` for slices of the points with their `Way`; `values` kept numbers a point.

        columns: of the frame, where long calls take the time, so that a kernel for the very sizes may be worth it.
        """
        from ..kernels import target
        from ..kernels.blas import alone

        problem = self.problem
        work = (self.count * problem.total, columns) if columns else (0, 0)
        runs = [target.Run(self.cell, self.dtype, self.device, w) for w in ((0, 0), work)]

        def chunk(low, high, meter):
            with np.errstate(all="ignore"):  # of points that diverge
                function(slice(low, high), Way(self, runs, low, high, meter))

        rows = problem.batch.arrays["inputs"][0].shape[-2] if "inputs" in problem.batch.arrays else 0
        values += runs[0].layout.size + rows * self.cell.inputs
        with alone():
            over_points(chunk, problem, runs[0], values, self.threads, progress, what)

    def numbers(self, array):
        """Points' numbers in the batch's shape and the dtype, NaN where invalid."""
        array[self.problem.invalid] = np.nan
        return array.astype(self.dtype, copy=False).reshape((*self.problem.batch.shape, *array.shape[1:]))

    def whole(self, array, invalid=Status.INVALID):
        """Points' statuses, or other whole numbers, in the batch's shape."""
        array[self.problem.invalid] = invalid
        return array.reshape((*self.problem.batch.shape, *array.shape[1:]))


class Way:
    """Some points on their way: `state` (points, S N) at step `t`, and whether it has stayed bounded so far."""

    def __init__(self, course, runs, low, high, meter):
        from ..kernels.tiles import Meter

        problem, (self.orbits, self.tangents) = course.problem, runs
        self.points, self.size, self.meter, self.silent = high - low, course.size, meter, Meter()
        self.silent.stop = meter.stop
        self.theta, self.inputs = problem.theta(low, high, runs[0].layout), problem.inputs(low, high)
        self.lengths = problem.lengths(low, high) - course.transient  # steps that count
        self.t, self.alive = 0, np.full(self.points, True)
        self.seed, self.index, columns = course.seed, course.first + low, course.columns
        self.spare = point_uniforms(0, "spare", 0, 1, self.size * columns).reshape(self.size, columns)
        self.state = problem.start(low, high, self.seed, self.index)

    def frame(self, columns):
        """Random orthonormal columns (points, S N, k)."""
        numbers = point_uniforms(self.seed, "frame", self.index, self.points, self.size * columns)
        return np.linalg.qr(numbers.reshape(self.points, self.size, columns))[0]

    def upcoming(self, steps):
        """The inputs of the next steps."""
        return self.inputs if self.inputs.shape[1] == 1 else self.inputs[:, self.t : self.t + steps]

    def orbit(self, steps, keep=False, silent=False):
        """States after the next steps (points, steps, S N), the last one alone (points, 1, S N) unless `keep`."""
        from ..kernels import target

        meter = self.silent if silent else self.meter
        return target.trajectories(self.orbits, self.theta, self.state, self.upcoming(steps), steps, keep, meter)

    def ahead(self, steps):
        """Move the state alone."""
        if steps:
            self.arrive(self.orbit(steps)[:, 0], steps)

    def ahead_with(self, other, steps):
        """Move the state, and beside it another one, which is returned."""
        from ..kernels import target

        theta, state, inputs = (
            np.concatenate(pair) for pair in ([self.theta] * 2, [self.state, other], [self.upcoming(steps)] * 2)
        )
        states = target.trajectories(self.orbits, theta, state, inputs, steps, False, self.silent)[:, 0]
        self.meter.add(self.points * steps)
        self.arrive(states[: self.points], steps)
        return states[self.points :]

    def push(self, frame, steps, every=0, keep=False, silent=False):
        """Move state and frame, which becomes Q after each `every` steps; returns what `target.pushes` does."""
        from ..kernels import target

        meter = self.silent if silent else self.meter
        found = target.pushes(
            self.tangents, self.theta, self.state, frame, self.spare[:, : frame.shape[2]], self.upcoming(steps), steps,
            every, keep, meter,
        )  # fmt: skip
        self.arrive(found.state, steps)
        return found

    def settle(self, frame, steps):
        """Move state and frame through a transient, orthonormalised at every step; returns the frame."""
        for number in blocks(steps, (1 << 16) // frame.shape[2]):  # the R are not kept
            frame = self.push(frame, number, 1).frame
        return frame

    def blocks(self, steps):
        """Lengths of consecutive blocks of steps whose Jacobians fit in memory."""
        return blocks(steps, ENTRIES // (self.points * self.size**2))

    def jacobians(self, steps, silent=False):
        """(s_t (points, steps, S N), DF(s_t)) of the next steps, and move there."""
        from ..kernels import target

        meter = self.silent if silent else self.meter
        inputs = self.upcoming(steps)
        arrived = self.orbit(steps, keep=True, silent=True)
        states = np.concatenate([np.asarray(self.state)[:, None], arrived[:, :-1]], axis=1)
        found = target.jacobians(self.tangents, self.theta, states, inputs, meter)
        self.arrive(arrived[:, -1], steps)
        return states, found

    def go_on(self):
        """Raise `Stopped` if the run was given up; kernels ask by themselves."""
        from ..kernels.tiles import Stopped

        if self.meter.stop.is_set():
            raise Stopped

    def arrive(self, state, steps):
        """Be `steps` steps on."""
        self.state, self.t = state, self.t + steps
        self.alive &= bounded(state)


def bounded(states):
    """Whether states (..., S N) are finite and within the bound beyond which they have diverged."""
    from ..kernels.orbit import BOUND

    return (np.abs(states) <= BOUND).all(axis=-1)


def blocks(steps, size):
    """Lengths of consecutive blocks of at most `size` steps."""
    size = max(1, size)
    return [min(size, steps - begin) for begin in range(0, steps, size)]


def statuses(alive, singular=False):
    """Statuses of points."""
    return np.where(alive, np.where(singular, Status.SINGULAR, Status.OK), Status.DIVERGED).astype(np.int8)


def unit_columns(vectors):
    """(columns of length 1, their lengths (points, k)) of (points, n, k); a zero column stays.

    Scaled by their largest entries first, so that no square leaves the range.
    """
    vectors = np.asarray(vectors, float)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    vectors = vectors / np.where(largest > 0, largest, 1.0)
    sizes = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    return vectors / np.where(sizes > 0, sizes, 1.0), (largest * sizes)[:, 0]


def mean_of(values, used):
    """(mean, stderr, singular), each (points,), of the first `used` (points,) of growths a step (points, T).

    The error is that of the exponents. As there, a step that loses all (-inf) does not count, unless more than half of
    the steps do: then the mean is -inf with error 0.
    """
    means, errors, lost = (np.zeros(len(values)) for _ in range(3))
    for number in np.unique(used):
        rows = used == number
        part = values[rows, :number]
        zero = part == -np.inf
        lost[rows] = zero.sum(axis=1)
        part = np.where(zero, 0.0, part)
        sums, spans = batched(part, number)
        means[rows] = part.sum(axis=1)
        errors[rows] = standard_error(sums, spans, np.full(len(part), number))[:, 0]
    singular = (lost > 0.5 * used) & (used > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(used > lost, means / (used - lost), np.nan)
    errors = np.where(singular, 0.0, np.where(np.isnan(means), np.nan, errors))
    return np.where(singular, -np.inf, means), errors, singular


def span_of(steps):
    """Steps in a batch."""
    from ..kernels.tangent import BATCHES, SHORTEST

    return max(-(-steps // BATCHES), SHORTEST)


def batched(values, steps):
    """(sums (batches, points, 1), spans (points,)) of values (points, steps), as `standard_error` takes them."""
    span = span_of(max(steps, 1))
    sums = [values[:, begin : begin + span].sum(axis=1) for begin in range(0, max(steps, 1), span)]
    return np.stack(sums)[:, :, None], np.full(len(values), span)
