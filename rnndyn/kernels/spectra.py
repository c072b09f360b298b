"""Runs of the spectrum kernel over tiles: what to pack and to unpack, and the growth that comes back."""

from functools import cached_property

import numpy as np

from . import cpu
from .lane import Lane
from .machine import register_bits
from .step import COLUMNS
from .stream import Pieces
from .tangent import ALIVE, BATCH, BATCHES, END, LAST, PACE, SHORTEST, SPAN, TALLY, TRANSIENT
from .tiles import aligned, unpack

# Steps after which points whose frames need the same interval are put side by side: a tile is orthogonalised whenever
# one of its lanes is due. Kernel, all exponents, ns a step without and with: tanh N = 2: 4.8, 4.0; N = 8: 67, 57; LSTM
# N = 8: 449, 416. A second time, after 256 steps, costs two units as much as it gains.
REGROUPED = (128,)
REGISTERS = 4  # of a lane of error bars: a sum takes four cycles to come back


class Spectra:
    """Growth of each point: `spans` steps in a batch; `steps` used; `lost` (points, k) steps without rank; `alive`.

    Made when they are asked for: `sums` (batches, points, k) of ln growth, and after the last step of all, from where
    another call with no transient goes on, `state` (points, S N) and `frame` (points, S N, k), orthogonal columns of
    any length.
    """

    def __init__(self, spans, steps, lost, alive, batches, state, frame):
        """batches: `Batches`; state, frame: callables."""
        self.spans, self.steps, self.lost, self.alive, self.batches = spans, steps, lost, alive, batches
        self._state, self._frame = state, frame

    @cached_property
    def sums(self):
        return self.batches.array()

    @cached_property
    def state(self):
        return self._state()

    @cached_property
    def frame(self):
        return self._frame()


class Batches:
    """The sums of the batches as a kernel leaves them, (tiles, batches * k lanes), point `place[i]` in lane i."""

    def __init__(self, tiles, k, width, place, rests):
        """rests: {point: (batch, what its unfinished batch grew by (k,))} of points that diverged."""
        self.tiles, self.k, self.width, self.place, self.rests = tiles, k, width, place, rests
        self.rows = tiles.shape[1] // (k * width)

    def array(self, points=None):
        """(batches, points, k), of some points only if they are given."""
        lanes = self.tiles.reshape(len(self.tiles), -1, self.k, self.width)
        if points is None:
            found = lanes.transpose(1, 0, 3, 2).reshape(lanes.shape[1], -1, self.k)[:, self.place]
            points = range(len(self.place))
        else:
            place = self.place[points]
            found = lanes[place // self.width, :, :, place % self.width].transpose(1, 0, 2)
        found = found.astype(np.float64, copy=False)
        for row, point in enumerate(points) if self.rests else ():
            if point in self.rests:
                batch, rest = self.rests[point]
                found[batch, row] += rest
        return found

    def totals(self, number, tables):
        """(sum over all batches, error of that over the first `number`), (points, k), where nothing diverged."""
        if self.tiles.dtype != np.float64 or self.width == 1:  # as lanes of a register, whatever they were before
            sums = self.array()
            found = total_errors(sums[:number].reshape(number, -1), tables)[1]
            return sums.sum(axis=0), found.reshape(sums.shape[1:])
        totals, errors = (aligned((len(self.tiles), self.k * self.width), np.float64) for _ in range(2))
        _total_errors(self.tiles, number, self.k, self.width, tables, totals, errors)
        lanes = len(self.tiles) * self.width
        return tuple(unpack(array, self.width, lanes)[self.place] for array in (totals, errors))


def single(sums, rests):
    """`Batches` of points that ran one by one: sums (batches, points, k)."""
    count, k = sums.shape[1:]
    return Batches(np.ascontiguousarray(sums.transpose(1, 0, 2)).reshape(count, -1), k, 1, np.arange(count), rests)


def total_errors(values, tables):
    """(sum over the rows of values (batches, columns), its standard error), (columns,); tables: see `total_error`.

    80 ns a column, where NumPy takes 350 to 4 000: as long as three steps of a scalar map.
    """
    number, columns = values.shape
    width = REGISTERS * register_bits() // 64
    row = -(-columns // width)
    padded = aligned((number, row * width), np.float64)
    padded[:, :columns], padded[:, columns:] = values, 0.0
    totals, errors = (aligned((1, row * width), np.float64) for _ in range(2))
    _total_errors(padded.reshape(1, -1), number, row, width, tables, totals, errors)
    return totals[0, :columns], errors[0, :columns]


def _total_errors(tiles, number, row, width, tables, totals, errors):
    """For `row` columns, each a lane wide, of each tile."""
    scratch = aligned(((number + len(tables[2])) * width,), np.float64)
    rows, lane = tiles.shape[1] // (row * width), Lane("float64", width)
    cpu.COMPILED[cpu.total_errors](
        0, len(tiles), lane, number, rows, row, tiles, *tables, scratch, totals, errors
    )  # fmt: skip


def tallies(lengths, transient, every):
    """(steps in a batch of each point, the lanes of `tally` at the start (see `tangent`))."""
    spans = np.maximum(-(-(lengths - transient) // BATCHES), SHORTEST)
    tally = np.zeros((len(lengths), TALLY))
    tally[:, ALIVE] = 1
    tally[:, BATCH] = -2 if transient else -1
    tally[:, PACE] = 1 if every is None else every
    tally[:, SPAN], tally[:, END], tally[:, TRANSIENT] = spans, lengths, transient
    return spans, tally


def summed(make, spans, transient, books, state, frame):
    """`Spectra` from a run's books: squares, powers, levels, lost (points, k) and last, alive (points,).

    make(rests): the `Batches`; rests are of points whose last batch was never closed since they diverged.
    """
    squares, powers, levels, lost, last, alive = books
    used = np.maximum(last - transient, 0).astype(np.int64)
    rests = {}
    for point in np.flatnonzero((alive <= 0) & (used > 0)):
        rest = 0.5 * np.log(np.float64(squares[point])) + powers[point] * np.log(2.0) - levels[point]
        rests[int(point)] = (min(int(used[point] // spans[point]), BATCHES - 1), rest)
    return Spectra(spans, used, lost.astype(np.float64), alive > 0, make(rests), state, frame)


def spectra(run, theta, state, frame, spare, inputs, lengths, transient, every, meter):
    """See `target.spectra`."""
    cell, layout = run.cell, run.layout
    count, values, columns = frame.shape
    memory, pitch, w = run.memory, layout.width, run.width
    spans, tally = tallies(lengths, transient, every)
    packed, tally, pieces = memory.pack(theta), memory.pack(tally), Pieces(run, inputs)
    tiles, steps = len(packed), int(lengths.max())
    full = memory.pack(state, pitch)
    frames = memory.pack(columns_of(frame, pitch), pitch * columns + values)  # and a column of scratch
    squares, powers, levels, lost = (
        make(tiles, columns) for make in (memory.ones, memory.zeros, memory.zeros, memory.zeros)
    )
    sums = memory.zeros(tiles, BATCHES * columns)
    batch = int(spans[0]) if (spans == spans[0]).all() and (lengths == steps).all() else 0
    x, a, da, partials, before, shifts = (
        memory.scratch(tiles, size)
        for size in (layout.drives, layout.rows, layout.rows * COLUMNS, layout.kept, columns, columns)
    )
    spare = memory.common(columns_of(spare[None], pitch)[0])
    sizes, at = run.sizes(cell.units, cell.inputs, layout.drives, values, columns, pitch)
    room = run.room(packed, x, a, da, partials, full, frames, squares, tally)

    def advance(begun, ended):
        """Steps begun .. ended - 1."""
        for origin, first, last, u, stride in pieces.between(begun, ended):
            for part in run.slices(tiles, last, first):
                run.call(
                    cpu.spectra, meter, count, part, sizes, at, room, origin + part[2], part[3], steps, origin, stride,
                    int(every is None), (batch, transient), packed, u, x, a, da, partials, full, frames, spare, before,
                    shifts, squares, powers, levels, lost, sums, tally,
                )  # fmt: skip

    order, begun = None, 0
    for ended in REGROUPED if every is None and min(w, tiles, values) > 1 else ():
        if 2 * ended < steps:
            advance(begun, ended)
            books = memory.unpack(tally, count)
            new = np.argsort(books[:, PACE], kind="stable")
            order, begun = new if order is None else order[new], ended
            pieces.sort(order)
            closed = int(books[:, BATCH].max()) + 1  # batches, beyond which all sums are zero yet
            memory.sort(sums, new, closed * columns)
            for array in (packed, full, frames, squares, powers, levels, lost, tally):
                memory.sort(array, new)
    advance(begun, steps)
    place = np.arange(count) if order is None else np.argsort(order)

    def points(array):
        return memory.unpack(array, count) if order is None else memory.unpack(array, count)[place]

    books = points(tally)
    books = (points(squares), points(powers), points(levels), points(lost), books[:, LAST], books[:, ALIVE])
    return summed(
        lambda rests: Batches(memory.fetch(sums), columns, w, place, rests), spans, transient, books,
        lambda: points(full)[:, :values], lambda: frames_of(points(frames)[:, : columns * pitch], columns, values),
    )  # fmt: skip


def columns_of(frame, pitch):
    """(points, rows, k) -> (points, k * pitch): column after column, each filled up with zeros."""
    points, rows, k = frame.shape
    columns = np.zeros((points, k, pitch))
    columns[:, :, :rows] = frame.transpose(0, 2, 1)
    return columns.reshape(points, -1)


def frames_of(columns, k, rows):
    """(..., k * pitch) -> (..., rows, k): the inverse of `columns_of`."""
    array = columns.reshape(*columns.shape[:-1], k, columns.shape[-1] // k)
    return np.ascontiguousarray(array[..., :rows].swapaxes(-1, -2))
