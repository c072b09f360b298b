"""Reach: how much the output at one position depends on the input at another."""

import numpy as np

from ..cells.network import Network
from ..errors import InputError
from .batch import Batch, Problem, as_array, choice, named
from .call import check, check_cell
from .gradients import gradients
from .network import Given, network_trajectory
from .noise import Noise
from .start import begun
from .trajectory import states_of

BYTES = 1 << 26  # of cotangents in one call


def outputs(
    cell,
    weights,
    *,
    steps=None,
    inputs=None,
    lengths=None,
    state=None,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """y_1 .. y_T, (..., T, outputs): a cell's first field; of a network the last layer's, directions joined.

    PyTorch's first result. Arguments as of `trajectory`; NaN after a sequence's end.
    Raises InputError as `trajectory` does.
    """
    device, dtype, threads = check(cell, device, dtype, threads)
    state, _ = begun(state, cell.state_size)
    given = {"steps": steps, "inputs": inputs, "lengths": lengths, "state": state}
    if isinstance(cell, Network):
        return network_trajectory(cell, weights, given, device, dtype, threads, progress, outputs=True)
    return states_of(Problem(cell, weights, **given), device, dtype, threads, progress)[..., 1:, : cell.units]


def reach(cell, weights, *, inputs, lengths=None, state=None, norm="spectral", **options):
    """|| d y_t / d x_s || for all t and s: (..., T, T), rows t (output), columns s (input).

    The spectral norm (largest singular value) or the Frobenius norm of the (outputs x inputs) matrix, by
    backpropagation from every output: exactly zero for s > t in a one-way network. NaN beyond a sequence's end and for
    points whose gradient is not finite. cell: a cell or a network; inputs (..., T, I), lengths, state and options as
    of `gradients`.
    Raises InputError for wrong names, shapes and values.
    """
    check_cell(cell)
    choice("norm", norm, ("spectral", "frobenius"))
    state, _ = begun(state, cell.state_size)
    if isinstance(inputs, Noise):
        raise InputError("`reach` takes inputs as an array; `Noise.array(steps, inputs, shape)` gives those of noise.")
    inputs = as_array("inputs", inputs)
    if not cell.inputs or inputs.ndim < 2 or inputs.shape[-1] != cell.inputs:
        raise InputError(f"`inputs` must have the shape (..., steps, {cell.inputs}), not {inputs.shape}.")
    total, size = inputs.shape[-2], cell.outputs if isinstance(cell, Network) else cell.units
    batch = _shape(cell, weights, inputs, lengths, state)
    points = int(np.prod(batch, dtype=np.int64))
    many = max(1, BYTES // (8 * points * size * (total + 1) * cell.state_size))
    found = np.empty((*batch, total, total))
    for first in range(0, total, many):
        rows = np.arange(first, min(first + many, total))
        cotangents = np.zeros((len(rows), size, *(1,) * len(batch), total, size))
        for i, t in enumerate(rows):
            for o in range(size):
                cotangents[i, o, ..., t, o] = 1.0
        slopes = gradients(
            cell, weights, cotangent_outputs=cotangents, inputs=inputs, lengths=lengths, state=state, **options
        ).inputs
        slopes = np.moveaxis(slopes, 1, -2)  # (rows, ..., s, outputs, inputs)
        known = np.isfinite(slopes).all(axis=(-2, -1))  # LAPACK stops at the first NaN
        sizes = np.linalg.norm(
            np.where(known[..., None, None], slopes, 0.0), ord=2 if norm == "spectral" else "fro", axis=(-2, -1)
        )
        sizes = np.where(known, sizes, np.nan)
        found[..., rows, :] = np.moveaxis(sizes, 0, -2)
    if lengths is not None:
        over = np.arange(total) >= np.broadcast_to(as_array("lengths", lengths), batch)[..., None]
        found[over[..., :, None] | over[..., None, :]] = np.nan
    return found


def _shape(cell, weights, inputs, lengths, state):
    """The batch shape of all that is given."""
    if isinstance(cell, Network):
        return Given(cell, weights, steps=None, inputs=inputs, lengths=lengths, state=state).shape
    arrays = {name: (value, len(cell.shapes[name])) for name, value in named(cell, weights).items()}
    arrays["inputs"] = (inputs, 2)
    if lengths is not None:
        arrays["lengths"] = (as_array("lengths", lengths), 0)
    if state is not None:
        arrays["state"] = (as_array("state", state), 1)
    return Batch(arrays).shape
