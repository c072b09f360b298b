"""Gradients through time, and how far back they reach."""

from collections import namedtuple

import numpy as np

from ..cells.network import Network
from ..errors import InputError
from .batch import Problem, as_array, tailed
from .call import check, on_device, over_points
from .errorbars import standard_error
from .scaled import Scaled
from .start import begun
from .status import Status


class Gradients(namedtuple("Gradients", "weights inputs state log_norms status")):
    """Gradients; `ran` tells in words in which precision and on what they were computed."""

    ran = ""


def gradients(
    cell,
    weights,
    *,
    cotangent=None,
    cotangent_last=None,
    cotangent_outputs=None,
    steps=None,
    inputs=None,
    lengths=None,
    state=None,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """dL/ds_t = direct_t + DF(s_t)^T dL/ds_{t+1}: backpropagation through time, for each point by itself.

    cotangent (..., T+1, state_size) is dL/ds_t at fixed later states for all t, cotangent_last (..., state_size) that
    of the last state only, cotangent_outputs (..., T, outputs) dL/dy_t of the outputs (see `outputs`); exactly one.
    Other arguments as in `trajectory`. Of a network: cotangents, states and norms are of its cells side by side, each
    direction in its own order, a lower layer's gradient through the layers above it included.
    Returns Gradients(weights {name: array}, for every name given and every number of a `Start`; inputs,
    like the inputs (of `Noise`, for every number of it); state (..., state_size); log_norms (..., T+1), ln ||dL/ds_t||
    of the full gradient, -inf for zero, right far beyond the range of float numbers; status (...): DIVERGED where a
    state, or a gradient, left the range).
    device: "auto" takes a GPU where it ends sooner, and the CPU where there is none or it fails; the result's `ran`
    says what it was, and in which precision; of a network's cells "auto" takes the CPU.
    Source: Werbos, Proc. IEEE 78 (1990) 1550.
    Raises InputError for wrong names, shapes and values, and if every point is invalid.
    """
    if sum(given is not None for given in (cotangent, cotangent_last, cotangent_outputs)) != 1:
        raise InputError(
            "give exactly one of `cotangent` (all states), `cotangent_last` (the last state) and `cotangent_outputs`."
        )
    state, start = begun(state, getattr(cell, "state_size", 0))
    if start is not None:
        found = gradients(
            cell, weights, cotangent=cotangent, cotangent_last=cotangent_last, cotangent_outputs=cotangent_outputs,
            steps=steps, inputs=inputs, lengths=lengths, state=state, device=device, dtype=dtype, threads=threads,
            progress=progress,
        )  # fmt: skip
        whole = found._replace(weights=found.weights | start.pull(found.state))
        whole.ran = found.ran
        return whole
    device, dtype, threads = check(cell, device, dtype, threads, auto="auto")
    given = {"steps": steps, "inputs": inputs, "lengths": lengths, "state": state}
    if isinstance(cell, Network):
        from .network import network_gradients

        loss = {"cotangent": (cotangent, 2), "cotangent_last": (cotangent_last, 1),
                "cotangent_outputs": (cotangent_outputs, 2)}  # fmt: skip
        loss = {name: (as_array(name, array), own) for name, (array, own) in loss.items() if array is not None}
        return network_gradients(cell, weights, given, loss, device, dtype, threads, progress)

    def direct(total):
        if cotangent_last is not None:
            array = tailed("cotangent_last", as_array("cotangent_last", cotangent_last), (cell.state_size,))
            return {"direct": (array[..., None, :], 2)}
        if cotangent_outputs is not None:
            array = tailed("cotangent_outputs", as_array("cotangent_outputs", cotangent_outputs), (total, cell.units))
            behind = ((0, 0),) * (array.ndim - 2)
            return {"direct": (np.pad(array, (*behind, (1, 0), (0, cell.state_size - cell.units))), 2)}
        array = as_array("cotangent", cotangent)
        return {"direct": (tailed("cotangent", array, (total + 1, cell.state_size)), 2)}

    return gradients_of(Problem(cell, weights, **given, extra=direct), device, dtype, threads, progress)[0]


def gradients_of(problem, device, dtype, threads, progress):
    """(Gradients, their inputs as `Scaled`), made where that is done best; `problem` holds `direct`, and may hold its
    `powers` of two."""
    cell = problem.cell
    work = 3 * problem.count * problem.total * len(cell.gates) * cell.units * (cell.units + cell.inputs)
    found, ran = on_device(
        lambda device: _gradients_of(problem, device, dtype, threads, progress), device, dtype, threads, work
    )
    found[0].ran = ran
    return found


def _gradients_of(problem, device, dtype, threads, progress):
    from ..kernels import target

    cell, count, total = problem.cell, problem.count, problem.total
    run = target.Run(cell, dtype, device, (problem.count * problem.total, 2), path="lanes")
    size = cell.state_size
    shape = problem.batch.shape
    given = {name: np.empty((count, *cell.shapes[name]), dtype) for name in problem.given}
    rows = problem.rows
    into, powers = np.zeros((count, rows, cell.inputs), dtype), np.zeros((count, rows, 1))
    start, norms = np.empty((count, size), dtype), np.empty((count, total + 1), dtype)
    status = np.empty(count, np.int8)
    scaled, ragged = "powers" in problem.batch.arrays, "lengths" in problem.batch.arrays
    wanted = bool(rows) or not {"weight_ih", "bias_ih"}.isdisjoint(given)

    def chunk(low, high, meter):
        lengths = problem.lengths(low, high)
        inputs = problem.inputs(low, high)
        direct = problem.batch.rows("direct", low, high)
        found = target.cotangents(
            run,
            problem.parts(low, high, run.layout),
            problem.state(low, high),
            inputs,
            lengths,
            total,
            direct,
            problem.batch.rows("powers", low, high) if scaled else np.zeros((*direct.shape[:2], 1)),
            wanted,
            meter,
        )
        for name, array in given.items():
            begin, length = run.layout.places[name]
            if cell.shapes[name] == ():  # a number of the whole network: the sum of its units'
                array[low:high] = found.theta(begin, length, np.empty((high - low, length), dtype)).sum(axis=1)
            else:
                found.theta(begin, length, array[low:high].reshape(high - low, length))
        if rows:
            into[low:high], powers[low:high] = found.inputs, found.powers
        start[low:high], norms[low:high] = found.state, found.log_norms
        if ragged:
            norms[low:high][np.arange(total + 1) > lengths[:, None]] = np.nan
        finite = np.isfinite(found.state).all(axis=1)
        status[low:high] = np.where(found.bounded & finite, Status.OK, Status.DIVERGED)

    given_at = problem.batch.arrays["direct"][0].shape[-2]  # every time or the last
    values = 2 * run.layout.size + total + 1 + (given_at + 1) * size + rows * (2 * cell.inputs + 1)
    values += target.kept_numbers(run, total)
    over_points(chunk, problem, run, values, threads, progress, "gradients")
    for array in (*given.values(), into, start, norms):
        array[problem.invalid] = np.nan
    status[problem.invalid] = Status.INVALID
    weights = {name: array.reshape((*shape, *cell.shapes[name])) for name, array in given.items()}
    above = Scaled(into.reshape(*shape, rows, cell.inputs), powers.reshape(*shape, rows, 1))
    found = Gradients(
        weights,
        above.numbers(),
        start.reshape(*shape, size),
        norms.reshape(*shape, total + 1),
        status.reshape(shape),
    )
    return found, above


def slope(log_norms, batches=16):
    """(1/n) (ln ||g_lag+n|| - ln ||g_lag||): mean growth of gradients per step backwards, and its standard error.

    log_norms (..., T+1) over the lag, from the loss back. The first quarter is left out: there the gradient still turns
    into the direction that grows fastest. The error is that of the exponents, over `batches` pieces of equal length.
    Returns (slope (...), stderr (...)); both NaN where a norm is not finite, a gradient having vanished exactly.
    """
    total = log_norms.shape[-1] - 1
    span = (total - total // 4) // batches
    ends = np.moveaxis(log_norms[..., total - span * batches :: span], -1, 0).reshape(batches + 1, -1)
    with np.errstate(invalid="ignore"):
        sums = np.diff(ends, axis=0)[:, :, None]
    points = sums.shape[1]
    error = standard_error(sums, np.full(points, span), np.full(points, span * batches))[:, 0]
    mean = sums[:, :, 0].sum(axis=0) / (span * batches)
    known = np.isfinite(ends).all(axis=0)
    shape = log_norms.shape[:-1]
    return np.where(known, mean, np.nan).reshape(shape), np.where(known, error, np.nan).reshape(shape)
