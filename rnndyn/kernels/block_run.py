"""Runs of `dense` on a GPU: each network has a block of threads, and all of a chunk run side by side."""

import numpy as np

from . import cuda
from .dense import PANEL
from .dense_frame import TILE
from .dense_run import Places, guess
from .spectra import Batches, summed, tallies
from .stream import stride_of
from .tangent import ALIVE, BATCHES, LAST
from .tiles import CALL

COLUMNS = 32  # of a frame for each warp; not measured yet
MOST = 8  # warps of a block; not measured yet
BEGIN = {"rate": 1e12, "least": CALL / 32}  # a first guess, of a slow GPU: 32 steps in a call, fewer of large networks


def _places(run):
    return Places(run.cell, run.layout, run.dtype, cuda.BLOCK_WIDTH)


def numbers_of(run, columns):
    """Numbers of a network that a spectrum of so many columns keeps on the GPU."""
    places = _places(run)
    m, n = places.m, run.cell.units
    once = places.size + places.pitch + places.drives * m + places.far + run.layout.kept // n * m
    wide = 3 * columns + 2 * cuda.BLOCK_WIDTH
    return once + wide * places.pitch + _warps(columns) * PANEL * places.far + columns * (7 + BATCHES)


def _warps(columns):
    return max(1, min(MOST, columns // COLUMNS))


def _call(run, name, meter, points, near, warps, steps, numbers, arrays):
    """One call of an entry for all networks."""
    run.timed(
        meter, steps, points * steps, cuda.run_blocks, name, run.lane, run.bound, near, warps, numbers, arrays
    )  # fmt: skip


def _near(warps, *arrays):
    """Bytes of shared memory for a network's part of the arrays, 0 if that is too much."""
    needed = sum(array.dtype.itemsize * array.shape[1] for array in arrays)
    return needed if needed <= cuda.shared_bytes(warps) else 0


def _weights(run, places, theta):
    packed = np.zeros((len(theta), places.size), run.dtype)
    places.theta(theta, packed)
    return run.memory.pack(packed)


def _states(run, places, state):
    full = np.zeros((len(state), places.pitch), run.dtype)
    full[:, : places.fields * places.m] = places.filled(state)
    return run.memory.pack(full)


def spectra(run, theta, state, frame, spare, inputs, lengths, transient, every, meter):
    """See `target.spectra`."""
    memory, cell, places = run.memory, run.cell, _places(run)
    count, _, k = frame.shape
    guess(run, k, count, **BEGIN)
    spans, tally = tallies(lengths, transient, every)
    panel, rows, warps = cuda.PANEL_VECTORS * cuda.BLOCK_WIDTH, places.fields * places.m, _warps(k)
    vectors = np.zeros((count, (k + panel) * places.pitch), run.dtype)
    places.columns(frame, vectors)
    new = np.zeros((1, k * places.pitch), run.dtype)
    places.columns(spare[None], new)
    packed, u, full = _weights(run, places, theta), memory.pack(inputs.reshape(count, -1)), _states(run, places, state)
    vectors, tally = memory.pack(vectors), memory.pack(tally)
    x, a, partials, flipped, inverses, before, shifts, marks, da, dots = (
        memory.scratch(count, size)
        for size in (
            places.drives * places.m, places.far, run.layout.kept // cell.units * places.m,
            -(-k // panel) * panel * rows, panel, k, k, k, warps * min(PANEL, k) * places.far, warps * panel * TILE,
        )
    )  # fmt: skip
    squares, powers, levels, lost = (make(count, k) for make in (memory.ones, memory.zeros, memory.zeros, memory.zeros))
    sums = memory.zeros(count, BATCHES * k)
    sizes = (cell.units, places.m, cell.inputs, places.drives * places.m, places.fields, k, places.pitch, places.far)
    near = _near(warps, packed, vectors)
    arrays = (
        packed, u, x, a, da, partials, full, vectors, memory.common(new[0]), flipped, dots, inverses, before, shifts,
        marks, squares, powers, levels, lost, sums, tally,
    )  # fmt: skip
    for _, _, first, steps in run.slices(1, int(lengths.max())):
        numbers = (sizes, places.at, first, steps, stride_of(cell, inputs), int(every is None), transient)
        _call(run, "spectrum", meter, count, near, warps, steps, numbers, arrays)
    books = memory.fetch(tally)
    books = (*(memory.fetch(array) for array in (squares, powers, levels, lost)), books[:, LAST], books[:, ALIVE])
    return summed(
        lambda rests: Batches(memory.fetch(sums), k, 1, np.arange(count), rests), spans, transient, books,
        lambda: places.state(memory.fetch(full)), lambda: places.frame(memory.fetch(vectors), k),
    )  # fmt: skip


def trajectories(run, theta, state, inputs, steps, keep, stride, meter):
    """States 1..steps of each point (points, steps, S N) if `keep`, else the last one (points, 1, S N)."""
    memory, cell, places = run.memory, run.cell, _places(run)
    count, values = state.shape
    guess(run, 0, count, **BEGIN)
    packed, u, full = _weights(run, places, theta), memory.pack(inputs.reshape(count, -1)), _states(run, places, state)
    x, a = memory.scratch(count, places.drives * places.m), memory.scratch(count, places.far)
    record = memory.zeros(count, steps * values if keep else 0)
    sizes = (cell.units, places.m, cell.inputs, places.drives * places.m, places.fields)
    near = _near(1, packed)
    for _, _, first, number in run.slices(1, steps):
        numbers = (sizes, places.at, first, number, stride, int(keep))
        _call(run, "path", meter, count, near, 1, number, numbers, (packed, u, x, a, full, record))
    if keep:
        return memory.fetch(record).reshape(count, steps, values)
    return places.state(memory.fetch(full))[:, None]
