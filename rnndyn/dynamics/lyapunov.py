"""Lyapunov spectra with error bars."""

from collections import namedtuple

import numpy as np

from ..cells.network import Network
from ..errors import InputError
from .batch import Problem, whole
from .call import check, over_points
from .noise import Noise
from .random import point_uniforms, random_start
from .start import begun
from .status import Status

Lyapunov = namedtuple("Lyapunov", "exponents stderr status steps")


def lyapunov(
    cell,
    weights,
    *,
    steps=None,
    transient=0,
    k=None,
    qr_every=None,
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
    """lambda_k = lim (1/T) ln |R_kk(T) ... R_kk(1)|, V_{t+1} = DF(s_t) V_t = Q R: natural logarithm, per step.

    Returns Lyapunov(exponents (..., k) from large to small, stderr (..., k), status (...), steps (...)).
    `transient` steps move state and frame, then `steps` count. k: how many (all). qr_every: steps between
    re-orthonormalisations (None: chosen from the frame's conditioning). inputs (..., transient + steps, I), or `Noise`:
    conditional exponents, of the driven system. state: an array or a `Start`; None: 0.1 times standard normal from
    (seed, first_index + point), as the frame is. Of a network: the union of its cells' conditional spectra, each driven
    by the layer below.
    stderr is the larger of the batch-means error (which sees autocorrelation) and half the difference between the means
    of the two halves. Exponents are -inf with stderr 0 where the rank is lost in more than half of the steps.
    Source: Benettin, Galgani, Giorgilli & Strelcyn, Meccanica 15 (1980) 9 and 21.
    Raises InputError for wrong names, shapes and values, and if every point is invalid.
    """
    transient = whole("transient", transient, 0)
    first_index, seed = whole("first_index", first_index, 0), whole("seed", seed, 0)
    state, _ = begun(state, getattr(cell, "state_size", 0))
    device, dtype, threads = check(cell, device, dtype, threads)
    size = cell.state_size
    k = size if k is None else whole("k", k, 1)
    if k > size:
        raise InputError(f"`k` is {k}, but {cell!r} has {size} exponents.")
    every = None if qr_every is None else whole("qr_every", qr_every, 1)
    inputs = inputs.counted(first_index) if isinstance(inputs, Noise) else inputs
    given = {"steps": steps, "inputs": inputs, "lengths": lengths, "state": state, "transient": transient}
    how = (every, seed, first_index, device, dtype, threads)
    if isinstance(cell, Network):
        from .network import network_lyapunov

        return network_lyapunov(cell, weights, given, k, how, progress)
    return spectra_of(Problem(cell, weights, **given), transient, k, *how, progress)


def spectra_of(problem, transient, k, every, seed, first_index, device, dtype, threads, progress):
    """The spectra of a problem."""
    from ..kernels import target

    if dtype == "float32" and problem.total >= 2**24:
        raise InputError("float32 counts steps exactly up to 16 777 215 only: use dtype='float64' or fewer steps.")
    size, count = problem.cell.state_size, problem.count
    run = target.Run(problem.cell, dtype, device, (count * problem.total, k))
    exponents, stderr = np.empty((count, k)), np.empty((count, k))
    status, used = np.empty(count, np.int8), np.empty(count, np.int64)
    spare = point_uniforms(0, "spare", 0, 1, size * k).reshape(size, k)

    def chunk(low, high, meter):
        points = high - low
        if "state" in problem.batch.arrays:
            start = problem.state(low, high)
        else:
            start = random_start(seed, first_index + low, points, size)
        growth = target.spectra(
            run,
            problem.theta(low, high, run.layout),
            start,
            _frame(seed, first_index + low, points, size, k),
            spare,
            problem.drive(low, high),
            problem.lengths(low, high),
            transient,
            every,
            meter,
        )
        exponents[low:high], stderr[low:high], status[low:high] = summary(growth)
        used[low:high] = growth.steps

    values = run.layout.size + (run.layout.width + 40) * k + problem.held(run)
    over_points(chunk, problem, run, values, threads, progress, "exponents")
    for array in (exponents, stderr):
        array[problem.invalid] = np.nan
    status[problem.invalid], used[problem.invalid] = Status.INVALID, 0
    shape = problem.batch.shape
    return Lyapunov(
        exponents.astype(dtype, copy=False).reshape(*shape, k),
        stderr.astype(dtype, copy=False).reshape(*shape, k),
        status.reshape(shape),
        used.reshape(shape),
    )


def _frame(seed, first, points, size, k):
    """Random columns (points, size, k); a scalar has one direction only, whose length must not depend on the index."""
    if size == 1:
        return np.ones((points, 1, 1))
    return point_uniforms(seed, "frame", first, points, size * k).reshape(points, size, k)


def summary(growth):
    """(exponents, stderr, status) of the points, sorted, from the growth of their batches."""
    sums, spans, steps = growth.sums, growth.spans, growth.steps
    counted = np.maximum(steps, 0)[:, None] - growth.lost
    with np.errstate(invalid="ignore", divide="ignore"):
        exponents = np.where(counted > 0, _total(sums) / counted, np.nan)
    singular = (growth.lost > 0.5 * steps[:, None]) & (steps[:, None] > 0)
    exponents = np.where(singular, -np.inf, exponents)
    stderr = np.where(singular, 0.0, standard_error(sums, spans, steps))
    order = np.argsort(np.where(np.isnan(exponents), np.inf, -exponents), axis=1, kind="stable")
    exponents, stderr = (np.take_along_axis(array, order, axis=1) for array in (exponents, stderr))
    status = np.where(singular.any(axis=1), Status.SINGULAR, Status.OK)
    status = np.where(growth.alive & (steps > 0), status, Status.DIVERGED)
    return exponents, np.where(np.isnan(exponents), np.nan, stderr), status


def standard_error(sums, spans, steps):
    """Error of the mean growth per step, (points, k), from the batches' sums (batches, points, k).

    The larger of the batch-means error, the batches paired once more if neighbours still agree (Flyvbjerg & Petersen
    1989), and half the difference between the two halves: a fixed point's or a cycle's honest O(1/T). Infinite where
    there are fewer than two whole batches.
    """
    whole = np.minimum(steps // spans, len(sums))[:, None]  # batches that are complete
    most = int(whole.max())
    means = sums[:most] / spans[:, None]
    pairs = 0.5 * (means[0 : most // 2 * 2 : 2] + means[1::2])
    half = whole // 2
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = _sum(means, 0, half), _sum(means, half, 2 * half)
        errors = (_error_of_mean(means, whole), _error_of_mean(pairs, half), np.abs(first - second) / half / 2)
    return np.where(whole >= 2, np.fmax.reduce(errors), np.inf)


def _sum(values, begin, end):
    """Sum over the rows begin..end-1, which may differ from point to point."""
    if np.ptp(begin) == 0 == np.ptp(end):  # the same for all: no mask, and the same bits
        return _total(values[np.min(begin) : np.max(end)])
    rows = np.arange(len(values))[:, None, None]
    return _total(np.where((rows >= begin) & (rows < end), values, 0.0))


def _total(rows):
    """Sum over the rows, one after another: NumPy's `sum` takes another order, and other bits, for a single point."""
    total = np.zeros(rows.shape[1:])
    for row in rows:
        total += row
    return total


def _error_of_mean(means, number):
    """Standard deviation of the first `number` means over the root of their number; NaN for fewer than two."""
    mean = _sum(means, 0, number) / number
    return np.sqrt(_sum((means - mean) ** 2, 0, number) / (number - 1) / number)
