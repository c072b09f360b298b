"""Lyapunov spectra with error bars."""

from collections import namedtuple
from typing import NamedTuple

import numpy as np

from ..cells.network import Network
from ..errors import InputError
from .batch import Problem, grid_index, index_axes
from .call import check, on_device, over_points
from .growth import MOST, ROUNDING, running, summary
from .noise import Noise
from .random import point_uniforms, random_frame
from .start import begun
from .status import Status
from .tolerance import LIMIT, run_to_tolerance
from .values import as_array, positive, whole


class Lyapunov(namedtuple("Lyapunov", "exponents stderr status steps")):
    """A spectrum; `ran` tells in words in which precision and on what it was computed."""

    ran = ""


class LyapunovHistory(
    namedtuple("LyapunovHistory", "exponents stderr status steps history_steps history history_stderr")
):
    """A spectrum and how it came about; `ran` as in `Lyapunov`."""

    ran = ""


SHORT = 1 << 15  # steps that a run to a tolerance is taken to need, where its kernel is chosen


class Wanted(NamedTuple):
    """What is asked of a spectrum: k exponents after the transient, re-orthonormalised every so many steps (None: as
    the frame needs), with a frame and start from (seed, first_index); to a tolerance or not (None), with history."""

    transient: int
    k: int
    every: int | None
    seed: int
    first_index: int | np.ndarray
    tolerance: float | None
    history: bool


def lyapunov(
    cell,
    weights,
    *,
    steps=None,
    tolerance=None,
    limit=None,
    transient=0,
    k=None,
    qr_every=None,
    inputs=None,
    lengths=None,
    state=None,
    seed=0,
    first_index=0,
    history=False,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """lambda_k = lim (1/T) ln |R_kk(T) ... R_kk(1)|, V_{t+1} = DF(s_t) V_t = Q R: natural logarithm, per step.

    Returns Lyapunov(exponents (..., k) from large to small, stderr (..., k), status (...), steps (...)).
    `transient` steps move state and frame, then `steps` count; or, with `tolerance` instead, as many as it takes until
    every stderr is at most that, point by point, `limit` at most (1 000 000, or all inputs; then NOT_CONVERGED):
    `steps` tells how many counted. k: how many (all). qr_every: steps between re-orthonormalisations (None: chosen from
    the frame's conditioning). inputs (..., transient + steps, I) or `Noise`: conditional exponents, of the driven
    system. state: an array or a `Start`; None: 0.1 times standard normal from (seed, grid index), as the frame is.
    first_index: the grid index of the first point, the others count on; or an array (...) of the index of each, which
    broadcasts with the batch. Of a network: the union of its cells' conditional spectra, each driven by the layer
    below; to a tolerance, its lower layers run all `limit` steps, and each cell goes on until its own exponents are
    told.
    history: return LyapunovHistory, with three fields more: `history_steps` (..., H), `history` and `history_stderr`
    (..., H, k), the estimates after each of a run's batches, the last of them the result.
    device: "auto" takes a GPU where it ends sooner, and the CPU where there is none or it fails; the result's `ran`
    says what it was, and in which precision; of a network's cells "auto" takes the CPU.
    stderr is the larger of the batch-means error (which sees autocorrelation) and, where chance does not explain it,
    half the difference between the means of the two halves (see `errorbars`), with float32's rounding where that is
    used. Exponents are -inf with stderr 0 where the rank is lost in more than half of the steps.
    Source: Benettin, Galgani, Giorgilli & Strelcyn, Meccanica 15 (1980) 9 and 21.
    Raises InputError for wrong names, shapes and values, and if every point is invalid.
    """
    transient = whole("transient", transient, 0)
    steps, tolerance, inputs, lengths = _duration(steps, tolerance, limit, inputs, lengths, transient)
    first_index, seed = grid_index(first_index), whole("seed", seed, 0)
    state, _ = begun(state, getattr(cell, "state_size", 0))
    device, dtype, threads = check(cell, device, dtype, threads, auto="auto")
    size = cell.state_size
    k = size if k is None else whole("k", k, 1)
    if k > size:
        raise InputError(f"`k` is {k}, but {cell!r} has {size} exponents.")
    every = None if qr_every is None else whole("qr_every", qr_every, 1)
    inputs = inputs.counted(first_index) if isinstance(inputs, Noise) else inputs
    given = {"steps": steps, "inputs": inputs, "lengths": lengths, "state": state, "transient": transient}
    wanted = Wanted(transient, k, every, seed, first_index, tolerance, bool(history))
    if isinstance(cell, Network):
        from .network import network_lyapunov

        return network_lyapunov(cell, weights, given, wanted, device, dtype, threads, progress)
    problem = Problem(cell, weights, **given, extra=lambda _: index_axes(first_index))
    return spectra_of(problem, wanted, device, dtype, threads, progress)


def _duration(steps, tolerance, limit, inputs, lengths, transient):
    """(steps at most, tolerance or None, inputs and lengths up to there)."""
    if tolerance is None:
        if limit is not None:
            raise InputError("`limit` is the most steps of a run to a `tolerance`; for a fixed number give `steps`.")
        return steps, None, inputs, lengths
    tolerance = positive("tolerance", tolerance)
    if steps is not None:
        raise InputError(
            "`steps` and `tolerance` are both given: `steps` is for a fixed length; leave it out to run until the"
            " errors are below `tolerance`, with `limit` for the most steps."
        )
    limit = None if limit is None else whole("limit", limit, 1)
    if (
        inputs is None
        or isinstance(inputs, Noise)
        or np.ndim(inputs := as_array("inputs", inputs)) < 2
        or inputs.shape[-2] == 1
    ):
        return LIMIT if limit is None else limit, tolerance, inputs, lengths
    if limit is None:
        return None, tolerance, inputs, lengths
    total = transient + limit
    if inputs.shape[-2] < total:
        raise InputError(
            f"`inputs` has {inputs.shape[-2]} steps, too few for transient + limit = {total}; leave `limit` out to use"
            " all of them at most."
        )
    lengths = None if lengths is None else np.minimum(as_array("lengths", lengths), total)
    return None, tolerance, inputs[..., :total, :], lengths


def spectra_of(problem, wanted, device, dtype, threads, progress):
    """The spectra of a problem, where that is done best."""
    cell = problem.cell
    work = _usual(problem, wanted) * (1 + wanted.k) * (len(cell.gates) * cell.units**2 + wanted.k * cell.state_size)
    found, ran = on_device(
        lambda device: _spectra_of(problem, wanted, device, dtype, threads, progress), device, dtype, threads, work
    )
    found.ran = ran
    return found


def _usual(problem, wanted):
    """Steps that all points together are taken to need."""
    most = problem.total if wanted.tolerance is None else wanted.transient + SHORT
    return problem.count * min(problem.total, most)


def _spectra_of(problem, wanted, device, dtype, threads, progress):
    from ..kernels import target
    from ..kernels.stream import part_of

    if dtype == "float32" and problem.total >= 2**24:
        raise InputError("float32 counts steps exactly up to 16 777 215 only: use dtype='float64' or fewer steps.")
    transient, k, every, seed, first_index, tolerance, history = wanted
    if tolerance is not None and tolerance <= ROUNDING[dtype]:
        raise InputError(
            f"`tolerance` is {tolerance:g}, but {dtype}'s rounding alone leaves an error of {ROUNDING[dtype]:.2g}: use"
            " dtype='float64' or a larger tolerance."
        )
    size, count = problem.cell.state_size, problem.count
    run = target.Run(problem.cell, dtype, device, (_usual(problem, wanted), k))
    exponents, stderr = np.empty((count, k)), np.empty((count, k))
    status, used = np.empty(count, np.int8), np.empty(count, np.int64)
    spare = point_uniforms(0, "spare", 0, 1, size * k).reshape(size, k)
    records: list[tuple] = [()] * count if history else []

    def chunk(low, high, meter):
        points, index = high - low, problem.batch.index(first_index, low, high)
        start = problem.start(low, high, seed, index)
        theta, inputs = problem.theta(low, high, run.layout), problem.drive(low, high)
        frame, lengths = random_frame(seed, index, points, size, k), problem.lengths(low, high)

        def advance(rows, first, lengths, state, frame):
            lead = 0 if first else transient
            begin = first + transient - lead
            drive = part_of(inputs, rows, begin, lead + int(lengths.max()))
            return target.spectra(run, theta[rows], state, frame, spare, drive, lead + lengths, lead, every, meter)

        if tolerance is None:
            growth, converged = advance(slice(None), 0, lengths - transient, start, frame), True
        else:
            skip = problem.invalid[low:high]
            meter.add(transient * int(skip.sum()))
            growth, converged = run_to_tolerance(
                advance, points, k, lengths - transient, tolerance, start, frame, meter, skip
            )
        exponents[low:high], stderr[low:high], found, order = summary(growth, dtype)
        status[low:high] = np.where(converged | (found == Status.DIVERGED), found, Status.NOT_CONVERGED)
        used[low:high] = growth.steps
        if history:
            for row, record in enumerate(zip(*running(growth, order, dtype), strict=True), low):
                records[row] = record

    values = run.layout.size + (run.layout.width + (40 if tolerance is None else 40 + 3 * MOST)) * k + problem.held(run)
    over_points(chunk, problem, run, values, threads, progress, "exponents")
    for array in (exponents, stderr):
        array[problem.invalid] = np.nan
    status[problem.invalid], used[problem.invalid] = Status.INVALID, 0
    shape = problem.batch.shape
    found = Lyapunov(
        exponents.astype(dtype, copy=False).reshape(*shape, k),
        stderr.astype(dtype, copy=False).reshape(*shape, k),
        status.reshape(shape),
        used.reshape(shape),
    )
    return LyapunovHistory(*found, *_told(records, problem, k, dtype)) if history else found


def _told(records, problem, k, dtype):
    """(history_steps, history, history_stderr) from each point's own; as long as the longest one is."""
    steps, exponents, errors = (np.array(part) for part in zip(*records, strict=True))
    for array in (exponents, errors):
        array[problem.invalid] = np.nan
    steps[problem.invalid] = 0
    length = int((steps < steps[:, -1:]).sum(axis=1).max()) + 1
    shape = (*problem.batch.shape, length)
    return (
        steps[:, :length].reshape(shape),
        exponents[:, :length].astype(dtype, copy=False).reshape(*shape, k),
        errors[:, :length].astype(dtype, copy=False).reshape(*shape, k),
    )
