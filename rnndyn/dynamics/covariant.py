"""Covariant Lyapunov vectors: the directions that the tangent dynamics carries into each other, and their angles."""

from collections import namedtuple
from math import isqrt

import numpy as np

from ..errors import InputError
from .along import Course, span_of, unit_columns
from .batch import as_array, whole
from .errorbars import standard_error
from .random import point_uniforms
from .status import Status

CovariantVectors = namedtuple(
    "CovariantVectors", "vectors growth angles splitting states times exponents stderr status"
)


def covariant_vectors(
    cell,
    weights,
    *,
    steps=None,
    transient=0,
    backward=None,
    times=None,
    k=None,
    split=None,
    inputs=None,
    state=None,
    seed=0,
    first_index=0,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """DF(s_t) v_j(t) = g_j(t) v_j(t+1), |v_j| = 1, mean of ln g_j = lambda_j: covariant Lyapunov vectors.

    Forward V = Q R at every step; backward C(t) = R(t+1)^{-1} C(t+1), columns made unit, which turns into the only
    upper triangular matrix whose Q C is covariant. `transient` steps let the frame settle, then come `steps`, then
    `backward` more (None: as many as `transient`) over which C settles and which are discarded. Memory of sqrt(steps)
    states and frames: the R between two of them are computed again when the way back needs them.
    times (M,): steps after the transient, 0 .. steps, at which vectors are kept (None: all). k: how many (all).
    Returns CovariantVectors(
      vectors (..., M, S N, k): columns from the largest exponent to the smallest, their sign free;
      growth (..., M, k): ln g_j of the step that begins then, NaN where none does;
      angles (..., M, k, k): between the vectors, 0 to pi/2 (0: a tangency);
      splitting (..., M): the smallest angle between the spans of the first `split` vectors and of the others (None: of
        those that grow on average and those that shrink), NaN if one is empty;
      states (..., M, S N); times (M,); exponents, stderr (..., k): mean of ln g_j over the `steps`; status (...)).
    inputs (..., transient + steps + backward, I) or one step. Other arguments as of `lyapunov`. Where a Jacobian is
    singular there is no way back: vectors from the first lost column on are NaN, their exponents -inf if the rank is
    lost in more than half of the steps, else NaN; status SINGULAR. All NaN where the state diverges.
    Source: Ginelli, Poggi, Turchi, Chate, Livi & Politi, Phys. Rev. Lett. 99 (2007) 130601.
    Raises InputError for wrong names, shapes and values, for networks, and if every point is invalid.
    """
    transient = whole("transient", transient, 0)
    backward = transient if backward is None else whole("backward", backward, 0)
    if steps is not None:
        whole("steps", steps, 1)
    elif inputs is None:
        raise InputError("neither `steps` nor `inputs` is given: how many steps?")
    course = Course(
        cell, weights, steps=None if steps is None else steps + backward, transient=transient, columns=k,
        inputs=inputs, lengths=None, state=state, seed=seed, first_index=first_index, device=device, dtype=dtype,
        threads=threads,
    )  # fmt: skip
    total, k, size = course.steps, course.columns, course.size
    steps = total - backward
    if steps < 1:
        raise InputError(
            f"`inputs` has {transient + total} steps; transient and backward alone take {transient + backward}."
        )
    times = _times(times, steps)
    if split is not None and whole("split", split, 1) >= k:
        raise InputError(f"`split` must be less than the number of vectors, {k}, not {split}.")
    n, m = course.count, len(times)
    vectors, growth, states = np.empty((n, m, size, k)), np.empty((n, m, k)), np.empty((n, m, size))
    exponents, stderr, status = np.empty((n, k)), np.empty((n, k)), np.empty(n, np.int8)

    def chunk(points, way):
        keep = Kept(vectors[points], growth[points], states[points], times)
        frame = way.settle(way.frame(k), transient)
        sums, lost, gone, alive = _back(way, _forward(way, frame, total), steps, keep)
        span = span_of(steps)
        errors = standard_error(sums, np.full(way.points, span), np.full(way.points, steps))
        mean = sum(sums) / steps
        singular = gone & (lost > 0.5 * steps)
        exponents[points] = np.where(gone, np.where(singular, -np.inf, np.nan), mean)
        stderr[points] = np.where(gone, np.where(singular, 0.0, np.nan), errors)
        np.moveaxis(keep.vectors, 3, 1)[gone] = np.nan
        np.moveaxis(keep.growth, 2, 1)[gone] = np.nan
        for array in (keep.vectors, keep.growth, keep.states, exponents[points], stderr[points]):
            array[~alive] = np.nan
        status[points] = np.where(alive, np.where(gone.any(axis=1), Status.SINGULAR, Status.OK), Status.DIVERGED)

    kept = m * (size * k + size + k) + 2 * (isqrt(total) + 1) * k * (size + k)
    course.run(chunk, kept, progress, "covariant vectors")
    numbers, angles, splitting = course.numbers, _angles(vectors), _splitting(vectors, exponents, split)
    return CovariantVectors(
        numbers(vectors), numbers(growth), numbers(angles), numbers(splitting), numbers(states), times,
        numbers(exponents), numbers(stderr), course.whole(status),
    )  # fmt: skip


def _times(times, steps):
    """The times as whole numbers, from 0 to steps, rising."""
    if times is None:
        return np.arange(steps + 1)
    array = np.atleast_1d(as_array("times", times))
    fits = (array == np.floor(array)) & (array >= 0) & (array <= steps)
    if array.ndim != 1 or not array.size or not fits.all() or (np.diff(array) <= 0).any():
        raise InputError(f"`times` must be whole numbers from 0 to steps = {steps}, each once and rising.")
    return array.astype(np.int64)


class Kept:
    """What is kept of some points: views of the results, and the places of the times."""

    def __init__(self, vectors, growth, states, times):
        self.vectors, self.growth, self.states = vectors, growth, states
        self.place = {int(t): i for i, t in enumerate(times)}

    def take(self, t, state, frame, c, logs):
        """Keep what is at time t, if that is one of the times: V = Q C, summed in a fixed order."""
        if t in self.place:
            here = self.place[t]
            self.states[:, here], self.growth[:, here] = state, logs
            self.vectors[:, here] = sum(frame[:, :, i, None] * c[:, None, i] for i in range(c.shape[1]))


def _forward(way, frame, total):
    """States and frames at the beginnings of segments: [(t, length, state, frame)]."""
    segment, origin, starts = max(1, isqrt(total)), way.t, []
    for begin in range(0, total, segment):
        length = min(segment, total - begin)
        starts.append((begin, length, way.state, frame))
        if begin + length < total:
            frame = way.push(frame, length, 1, silent=True).frame
    way.t = origin
    return starts


def _back(way, starts, steps, keep):
    """The way back to 0: (sums of ln growth (batches, points, k), steps without rank (points, k), whether a column or
    one before it was ever without (points, k), which points stay bounded).

    Batches and steps without rank are those of the first `steps` steps.
    """
    k, origin, span = starts[0][3].shape[2], way.t, span_of(steps)
    upper = np.triu(point_uniforms(way.seed, "backward", way.index, way.points, k * k).reshape(way.points, k, k))
    c, _ = unit_columns(upper + 2.0 * np.eye(k))
    sums, lost = np.zeros((-(-steps // span), way.points, k)), np.zeros((way.points, k))
    gone, alive = np.full((way.points, k), False), np.full(way.points, True)
    logs = np.full((way.points, k), np.nan)  # of the step that begins where the way back has come to
    for begin, length, state, frame in reversed(starts):
        way.state, way.t = state, origin + begin
        pushed = way.push(frame, length, 1, keep=True)
        factors = pushed.factors.astype(float)
        diagonal = np.diagonal(factors, axis1=2, axis2=3)
        alive &= ~np.isnan(diagonal).any(axis=(1, 2))
        lost += (diagonal[:, : max(0, steps - begin)] <= 0).sum(axis=1)
        gone |= np.logical_or.accumulate((diagonal <= 0).any(axis=1), axis=1)
        factors = _solvable(factors)
        for i in range(length, 0, -1):
            way.go_on()
            keep.take(begin + i, pushed.states[:, i - 1], pushed.frames[:, i - 1], c, logs)
            c, sizes = unit_columns(np.linalg.solve(factors[:, i - 1], c))
            logs = -np.log(sizes)
            if begin + i <= steps:
                sums[(begin + i - 1) // span] += logs
    keep.take(0, *starts[0][2:], c, logs)
    return sums, lost, gone, alive


def _solvable(factors):
    """R with 1 for a zero on the diagonal, which leaves the columns before it as they are; 1 for what is not finite."""
    eye = np.eye(factors.shape[-1], dtype=bool)
    finite = np.isfinite(factors).all(axis=(-2, -1), keepdims=True)
    return np.where(eye & (~finite | (factors == 0)), 1.0, np.where(finite, factors, 0.0))


def _angles(vectors):
    """Angles (..., k, k) between columns (..., rows, k), 0 to pi/2: 2 atan(|u - v| / |u + v|) is right for small ones.

    Source: Kahan, How Futile are Mindless Assessments of Roundoff (2006), section 12.
    """
    k = vectors.shape[-1]
    found = np.empty((*vectors.shape[:-2], k, k))
    for j in range(k):
        apart = np.sqrt(((vectors - vectors[..., j, None]) ** 2).sum(axis=-2))
        along = np.sqrt(((vectors + vectors[..., j, None]) ** 2).sum(axis=-2))
        angle = 2.0 * np.arctan2(apart, along)
        found[..., j, :] = np.minimum(angle, np.pi - angle)
    return found


def _splitting(vectors, exponents, split):
    """Smallest angle (points, M) between the spans of the first vectors and of the others."""
    k, found = vectors.shape[-1], np.full(vectors.shape[:2], np.nan)
    known = np.isfinite(vectors).all(axis=(1, 2, 3))
    for number in range(1, k):
        mine = known & ((exponents > 0).sum(axis=1) == number if split is None else split == number)
        if mine.any():
            found[mine] = subspace_angle(vectors[mine][..., :number], vectors[mine][..., number:])
    return found


def subspace_angle(one, other):
    """Smallest principal angle between the spans of columns (..., n, i) and (..., n, j).

    From the sine of what is left of `other` outside `one`, which is right for small angles; from the cosine for large.
    Source: Bjorck & Golub, Math. Comput. 27 (1973) 579.
    """
    one, other = np.linalg.qr(one)[0], np.linalg.qr(other)[0]
    inner = np.einsum("...ni,...nj->...ij", one, other)
    rest = other - np.einsum("...ni,...ij->...nj", one, inner)
    cosine = np.linalg.svd(inner, compute_uv=False)[..., 0]
    sine = np.linalg.svd(rest, compute_uv=False)[..., -1]
    return np.where(sine < 0.7, np.arcsin(np.minimum(sine, 1.0)), np.arccos(np.minimum(cosine, 1.0)))
