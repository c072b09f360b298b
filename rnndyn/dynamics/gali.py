"""The generalised alignment index: whether deviations fall into one direction; a chaos test without QR."""

from collections import namedtuple

import numpy as np

from .along import Course, blocks, statuses, unit_columns
from .batch import whole

Gali = namedtuple("Gali", "log_gali times status")


def gali(
    cell,
    weights,
    *,
    steps=None,
    transient=0,
    k=2,
    every=1,
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
    """ln GALI_k(t) = ln of the volume that k unit deviation vectors span: the sum of ln singular values.

    From random orthonormal vectors at t = 0 (after the transient), normalised but never orthogonalised. On chaotic
    orbits GALI_k falls as exp(-t [(lambda_1 - lambda_2) + .. + (lambda_1 - lambda_k)]); on regular orbits of
    conservative systems it stays, or falls as a power of t where k is more than the torus has dimensions. A strong
    contraction aligns vectors too: on the fixed points and cycles of dissipative systems the same law holds with
    negative exponents, so there the test is one of alignment, and the sign of lambda_1 decides.
    Returns Gali(log_gali (..., M), times (M,), status (...)): at the times `every`, 2 `every`, .. and the last. -inf
    from where the smallest singular value is at most 8 n eps: rounding hides it. NaN after a sequence's end or a
    divergence. Arguments as of `lyapunov`.
    Source: Skokos, Bountis & Antonopoulos, Physica D 231 (2007) 30.
    Raises InputError for wrong names, shapes and values, for networks, and if every point is invalid.
    """
    every = whole("every", every, 1)
    course = Course(
        cell, weights, steps=steps, transient=transient, columns=k, inputs=inputs, lengths=lengths, state=state,
        seed=seed, first_index=first_index, device=device, dtype=dtype, threads=threads,
    )  # fmt: skip
    pieces = blocks(course.steps, every)
    times, k = np.cumsum(pieces), course.columns
    tolerance = 8 * course.size * np.finfo(course.dtype).eps
    logs, status = np.empty((course.count, len(times))), np.empty(course.count, np.int8)

    def chunk(points, way):
        way.ahead(course.transient)
        vectors, lost = way.frame(k), np.full(way.points, False)
        for i, number in enumerate(pieces):
            vectors, _ = unit_columns(way.push(vectors, number).frame)
            known = np.isfinite(vectors).all(axis=(1, 2)) & way.alive
            values = np.linalg.svd(np.where(known[:, None, None], vectors, 0.0), compute_uv=False)
            lost |= known & (values[:, -1] <= tolerance)
            logs[points, i] = np.where(known, np.where(lost, -np.inf, np.log(values).sum(axis=1)), np.nan)
        logs[points][times > way.lengths[:, None]] = np.nan
        status[points] = statuses(~np.isnan(logs[points, 0]) & (way.alive | (way.lengths < course.steps)))

    course.run(chunk, len(times) + 3 * course.size * k, progress, "alignment of deviations")
    return Gali(course.numbers(logs), times, course.whole(status))
