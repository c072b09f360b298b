"""The volume check: mean ln |det DF| along an orbit, which is the sum of the Lyapunov spectrum."""

from collections import namedtuple

import numpy as np

from .along import Course, bounded, mean_of, statuses

Volume = namedtuple("Volume", "growth stderr status steps")


def volume(
    cell,
    weights,
    *,
    steps=None,
    transient=0,
    inputs=None,
    lengths=None,
    state=None,
    seed=0,
    first_index=0,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """(1/T) sum_t ln |det DF(s_t)|: the growth of volumes, natural logarithm, per step.

    It equals the sum of all exponents, but knows no frame: each Jacobian stands for itself. From the same start the
    two sums are over the same steps, and agree to rounding.
    Returns Volume(growth (...), stderr (...), status (...), steps (...)). Arguments as of `lyapunov`. A Jacobian is
    singular where a column, its rows brought to the same size, loses all but 8 n eps of itself to those before it; such
    steps do not count, unless they are more than half: then the growth is -inf with stderr 0, status SINGULAR.
    Source: Oseledets, Trans. Moscow Math. Soc. 19 (1968) 197.
    Raises InputError for wrong names, shapes and values, for networks, and if every point is invalid.
    """
    course = Course(
        cell, weights, steps=steps, transient=transient, columns=None, inputs=inputs, lengths=lengths, state=state,
        seed=seed, first_index=first_index, device=device, dtype=dtype, threads=threads,
    )  # fmt: skip
    growth, stderr = np.empty(course.count), np.empty(course.count)
    status, used = np.empty(course.count, np.int8), np.empty(course.count, np.int64)

    def chunk(points, way):
        way.ahead(course.transient)
        logs, counts = np.empty((way.points, course.steps)), np.empty((way.points, course.steps), bool)
        for number in way.blocks(course.steps):
            now = slice(way.t - course.transient, way.t - course.transient + number)
            states, jacobians = way.jacobians(number)
            counts[:, now] = bounded(states)
            logs[:, now] = log_determinant(jacobians)
        steps = np.minimum(np.where(counts.all(axis=1), course.steps, counts.argmin(axis=1)), way.lengths)
        growth[points], stderr[points], singular = mean_of(logs, steps)
        reached = (steps == way.lengths) & ((steps < course.steps) | way.alive)
        status[points], used[points] = statuses(reached, singular), steps

    course.run(chunk, 2 * course.steps + 2 * course.size**2, progress, "volumes")
    return Volume(course.numbers(growth), course.numbers(stderr), course.whole(status), course.whole(used, 0))


def log_determinant(matrices):
    """ln |det| of matrices (..., n, n); -inf where one is singular, NaN where it is not finite.

    Rows are brought to the same size first: that of a saturated unit is small, not lost.
    """
    tolerance = 8 * matrices.shape[-1] * np.finfo(matrices.dtype).eps
    matrices = matrices.astype(float)
    size = np.abs(matrices).max(axis=-1)
    matrices = matrices / np.where(size > 0, size, 1.0)[..., None]
    diagonal = np.abs(np.diagonal(np.asarray(np.linalg.qr(matrices, mode="r")), axis1=-2, axis2=-1))
    columns = np.sqrt((matrices**2).sum(axis=-2))
    lost = (diagonal <= tolerance * columns) | (size <= 0)
    logs = np.log(np.where(lost, 1.0, diagonal)) + np.log(np.where(lost, 1.0, size))
    return np.where(lost.any(axis=-1), -np.inf, logs.sum(axis=-1))
