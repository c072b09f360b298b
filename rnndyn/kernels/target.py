"""Runs of the kernels over ranges of points: what to pack, which calls to make, what to unpack.

Each function takes a `Run` and the points' arrays, one row a point, and returns arrays, one row a point. Nothing in the
numbers depends on the lane width, the tile, the chunk or the split into calls.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import cpu, dense_run
from . import spectra as _spectra
from .adjoint import BLOCK
from .budget import at_once
from .known import Known
from .lane import Lane
from .machine import register_bits, register_count
from .rule import bind
from .step import COLUMNS, Layout, kept
from .stream import Pieces, stride_of, whole_of
from .tangent import LONGEST
from .tiles import CHUNK_BYTES, Meter, Pace, Stopped, aligned, chunks, pack, unpack

SEGMENT_BYTES = 1 << 26  # what one thread's backward pass may keep of its forward pass
LARGE = {"float64": 8192, "float32": 24576}  # numbers of a network, weights and frame, from which on it goes alone
KNOWN = 8  # units up to which a kernel may be compiled for the very sizes
WORTH = 0.15  # seconds of one core from which on it is
COPIES = {"lanes": 3, "dense": 6}  # of a point's numbers, as float64, that are held on the way
TEAM = 256 * 256  # numbers of a frame from which on several threads work on one network
MADE: set = set()  # what this process compiled kernels for the very sizes for


def lane_width(dtype, units):
    """Numbers in a lane: several registers hide the latency of tiny networks, as long as there are enough of them.

    Float64 orbit of a tanh unit on AVX-512 at 1, 2, 4 registers: 5.4, 2.7, 1.44 ns a step. All exponents of N = 3 and 4
    there at 1 and 2 registers: 18.5 and 15.0, 24 and 21 ns a step; N = 8 is slower at 2, N = 2 at 4.
    """
    few = 4 if register_count() > 16 else 2
    registers = 4 if units == 1 else 2 if units <= few else 1
    return registers * register_bits() // (8 * np.dtype(dtype).itemsize)


def _path(run, columns):
    """The faster path, from what a network is alone: "dense" or "lanes".

    Of a core, microseconds a step on AVX-512, dense and lanes, re-orthonormalised at every step (and where the frame
    tells): Elman N = 32, all exponents: 5.4, 3.0 (3.9, 3.1); 64: 26, 23 (19, 23); 96: 84, 92 (62, 93); 128: 181, 260
    (145, 265); 256: 1390, 2200; LSTM N = 32, 64 exponents: 56, 61. First 8 exponents: N = 64: 2.2, 1.9; 96: 4.4, 4.7;
    256: 27, 43. Orbits: N = 64: 0.33, 0.39; 96: 0.79, 0.81; 256: 5.6, 6.3. Float32, all exponents: N = 96: 51, 45;
    128: 103, 130; 256: 750, 1090.
    """
    cell = run.cell
    numbers = len(cell.gates) * cell.units**2 + cell.state_size * columns
    large = numbers >= LARGE[run.dtype]
    return "dense" if run.device == "cpu" and large else "lanes"


@dataclass
class Run:
    """What all chunks of one call share.

    work: (steps of all points together, columns of the products beside the state's own).
    path: "lanes" (networks side by side) or "dense" (one after another); by default the faster one.
    A kernel for the very sizes takes half the time of one for all sizes (tanh N = 8, all exponents: 107 and 230 ns a
    step), with the same bits, but every size is compiled anew, for 5 to 8 s: only long runs get one, and short ones
    after them (of a report after its sweep, say).
    """

    cell: object
    dtype: str
    device: str = "cpu"
    work: tuple = (0, 0)
    width: int | None = None
    pace: Pace = field(default_factory=Pace)
    arrays: int = 0
    path: str | None = None
    team: int = 1

    def __post_init__(self):
        self.bound = bind(self.cell)
        self.layout = Layout(self.cell)
        if self.width is None:
            self.width = lane_width(self.dtype, self.cell.units) if self.device == "cpu" else 1
        self.lane = Lane(self.dtype, self.width)
        steps, columns = self.work
        self.columns = columns
        rows, units = self.layout.rows, self.cell.units
        seconds = steps * (5e-9 * (1 + rows) + 0.4e-9 * rows * units * (1 + columns))  # of one core, roughly
        kernel = (self.bound.digest, str(self.lane), units, self.cell.inputs, columns)
        known = self.device == "cpu" and units <= KNOWN and (seconds >= WORTH or kernel in MADE)
        if known:
            MADE.add(kernel)
        self.kind = Known if known else tuple
        self.path = self.path or _path(self, columns)
        self.dense = self.path == "dense"

    def rounds(self, count, values, threads, what):
        """(ranges of points, threads that take them, team of threads for each network), to be worked off in turn.

        values: packed numbers a point. In memory are no more points at once than the budget lets. With fewer networks
        than threads, threads work on one together; no number depends on it.
        Raises InputError if one range is beyond the budget.
        """
        units = 1 if self.dense else self.width
        need = 8 * COPIES[self.path] * units * max(values, 1)
        workers = at_once(need, threads, f"{what}, {units} networks side by side," if units > 1 else what)
        if not self.dense:
            return [(chunks(count, self.width, values, threads), workers, 1)]
        single = [(low, low + 1) for low in range(count)]
        whole = count // workers * workers
        parts = [(single[:whole], workers), (single[whole:], max(1, count - whole))]
        large = self.columns * self.cell.state_size >= TEAM
        return [(ranges, many, threads // many if large else 1) for ranges, many in parts if ranges]

    def flat(self, size):
        """Zeros, apart from the last array."""
        return aligned((size,), self.dtype, self._shift(), np.zeros)

    def pack(self, points):
        return pack(points, self.width, self.dtype, self._shift())

    def _shift(self):
        """A place in the page for the next array, far from the last one's."""
        self.arrays += 1
        return 5 * self.arrays  # in cache lines, of which a page has 64

    def unpack(self, tiles, count, out=None):
        return unpack(tiles, self.width, count, out)

    def sizes(self, *sizes):
        """The sizes and the layout's starts; part of the kernel's type where that is worth it."""
        return self.kind(sizes), self.kind(self.layout.at)

    def room(self, *arrays):
        """Elements of a tile's part of the arrays."""
        return self.kind(array.shape[-1] // self.width for array in arrays)

    def scratch(self, size):
        return aligned((size * self.width,), self.dtype, self._shift())

    def zeros(self, tiles, size):
        return aligned((tiles, size * self.width), self.dtype, self._shift(), np.zeros)

    def piece(self, steps):
        """Steps for which a tile's inputs are made at a time, if not all; whole blocks of re-orthonormalisation."""
        fit = CHUNK_BYTES // (8 * self.width * max(self.cell.inputs, 1))
        return min(steps, max(LONGEST, fit // LONGEST * LONGEST))

    def compiled(self, function):
        """A function of `cpu` as this device runs it; on "python", as it is."""
        if self.device == "cuda":
            from . import cuda  # only now: numba-cuda is not for everyone

            return cuda.COMPILED[function]
        return cpu.COMPILED[function] if self.device == "cpu" else function

    def call(self, function, meter, points, slices_of, *arguments):
        """One call of a kernel over tiles; the stop and the count of steps around it."""
        if meter.stop.is_set():
            raise Stopped
        begin, end, _, count = slices_of
        self.pace.timed((end - begin) * count, self.compiled(function), begin, end, self.lane, self.bound, *arguments)
        covered = min(end * self.width, points) - min(begin * self.width, points)
        meter.add(covered * count)


def trajectories(run, theta, state, inputs, steps, keep, meter):
    """States 1..steps of each point (points, steps, S N) if `keep`, else the last one (points, 1, S N).

    inputs (points, steps or 1, I), or a `Stream` if not `keep`.
    """
    cell, layout = run.cell, run.layout
    if run.dense:
        inputs = whole_of(inputs, steps)
        return dense_run.trajectories(run, theta, state, inputs, steps, keep, stride_of(cell, inputs), meter)
    count, values = len(theta), cell.state_size
    packed = run.pack(theta)
    full = run.zeros(len(packed), layout.width)
    full[:, : values * run.width] = run.pack(state)
    record_ = run.zeros(len(packed), steps * values if keep else 0)
    x, a = run.scratch(layout.drives), run.scratch(layout.rows)
    sizes, at = run.sizes(cell.units, cell.inputs, layout.drives, values)
    room = run.room(packed, x, a, full)
    for _, first, last, u, stride in Pieces(run, inputs).between(0, steps):
        for part in run.pace.slices(len(packed), last, first):
            run.call(
                cpu.orbits, meter, count, part, sizes, at, room, part[2], part[3], stride, keep, packed, u, x, a, full,
                record_,
            )  # fmt: skip
    if keep:
        return run.unpack(record_, count).reshape(count, steps, values)
    return run.unpack(full, count)[:, None, :values]


def spectra(run, theta, state, frame, spare, inputs, lengths, transient, every, meter):
    """`Spectra` of the frames' columns after `transient` steps; lengths (points,) are all steps of each point.

    frame (points, S N, k) and spare (S N, k) random. `every` None: the interval follows the frame. inputs (points,
    steps or 1, I) or a `Stream`.
    """
    inputs = whole_of(inputs, int(lengths.max())) if run.dense else inputs
    given = (theta, state, frame, spare, inputs, lengths, transient, every, meter)
    return (dense_run if run.dense else _spectra).spectra(run, *given)


@dataclass
class Cotangents:
    """Gradients of each point: `theta(begin, size, out)` writes a part of those in the order of `Layout`, `inputs` like
    the inputs times 2 ** `powers`, ..., `bounded` whether the state and they stayed in the range."""

    theta: Callable
    inputs: np.ndarray
    powers: np.ndarray  # (points, T, 1)
    state: np.ndarray
    log_norms: np.ndarray
    bounded: np.ndarray


def cotangents(run, theta, state, inputs, lengths, steps, direct, powers, wanted, meter):
    """BPTT of each point. direct (points, steps + 1, S N) is dL/ds_t, or (points, 1, S N) for the last state only, in
    units of 2 ** powers (points, steps + 1 or 1, 1).

    `wanted`: whether the gradients of inputs, weight_ih or bias_ih are.
    """
    cell, layout = run.cell, run.layout
    count, values = state.shape
    packed, u, stride = run.pack(theta), run.pack(inputs.reshape(count, -1)), stride_of(cell, inputs)
    tiles, depth, parameters = len(packed), len(cell.stages), len(cell.parameters)
    full = run.zeros(tiles, layout.width)
    full[:, : values * run.width] = run.pack(state)
    g, gtheta, gu = (
        run.zeros(tiles, layout.width),
        run.zeros(tiles, layout.size),
        run.zeros(tiles, inputs.shape[1] * (cell.inputs + 1)),
    )
    length, tally, norms = run.pack(lengths[:, None]), run.zeros(tiles, 2), run.zeros(tiles, steps + 1)
    tally[:, run.width :] = 1
    every = direct.shape[1] > 1
    direct = run.pack(np.concatenate([direct, powers], axis=2).reshape(count, -1))
    x, a, before = run.scratch(layout.drives), run.scratch(layout.rows), run.scratch(values)
    ga, gp = run.scratch(BLOCK * layout.rows), run.scratch(depth * parameters * cell.units)
    gx = run.scratch(BLOCK * layout.drives) if wanted or run.device == "cuda" else None
    size, sent = kept(cell), layout.sent
    fits = SEGMENT_BYTES // (8 * run.width * (size + sent * cell.units))
    segment = min(steps, max(BLOCK, fits // BLOCK * BLOCK))
    partials, v = run.scratch(segment * size), run.scratch(segment * sent * cell.units)
    sizes, at = run.sizes(
        cell.units, cell.inputs, layout.rows, values, depth, parameters, size, layout.drives, sent, layout.size
    )
    room = run.room(packed, x, a, full)

    def forward(tile, base, first, number, meter_):
        part = tile, tile + 1, first, number
        run.call(
            cpu.records, meter_, count, part, sizes, at, room, base, first, number, stride, packed, u, x, a, full,
            before, partials, v, gx, length, tally,
        )  # fmt: skip

    def backward(begin, end, base, first, number, whole):
        part = begin, end, first, number
        run.call(
            cpu.adjoints, meter, count, part, sizes, at, room, base, first, number, stride, int(every), whole, packed,
            u, x, a, full, before, partials, v, length, direct, g, tally, ga, gx, gp, gtheta, gu, norms,
        )  # fmt: skip

    for begin, end, first, number in run.pace.slices(tiles, steps):
        if number == steps == segment:
            backward(begin, end, 0, 0, steps, True)
        elif first == 0:  # a long run: segment by segment, each in calls of a bounded time
            for tile in range(begin, end):
                _long_run(tile, steps, segment, full, forward, backward, run.pace, meter)
    into = run.unpack(gu, count).reshape(count, -1, cell.inputs + 1)
    width = run.width

    def part(begin, size, out):
        return run.unpack(gtheta[:, begin * width : (begin + size) * width], count, out)

    return Cotangents(
        part,
        into[:, :, :-1],
        into[:, :, -1:],
        run.unpack(g, count)[:, :values],
        run.unpack(norms, count),
        run.unpack(tally, count)[:, 1] > 0,
    )


def _long_run(tile, steps, segment, states, forward, backward, pace, meter):
    """Forward over all segments, keeping the states they start from; then backward, each segment made again."""
    silent = Meter()
    silent.stop = meter.stop
    starts = list(range(0, steps, segment))
    kept_states = {}

    def ahead(base):
        stop = min(base + segment, steps)
        while base < stop:
            number = min(pace.fit(), stop - base)
            forward(tile, base_of(base), base, number, silent)
            base += number

    def base_of(t):
        return t // segment * segment

    for base in starts:
        kept_states[base] = states[tile].copy()
        ahead(base)
    for base in reversed(starts):
        if base != starts[-1]:
            states[tile] = kept_states[base]
            ahead(base)
        stop = min(base + segment, steps)
        while stop > base:
            first = max(base, min(stop - pace.fit(), stop - 1) // BLOCK * BLOCK)
            backward(tile, tile + 1, base, first, stop - first, False)
            stop = first


@dataclass
class Pushed:
    """`state` (points, S N) and `frame` (points, S N, k) after the last step; after each `every` steps `factors`, the
    diagonal of R (points, M, k); if kept, R (points, M, k, k), `frames` Q (points, M, S N, k) and `states` (points, M,
    S N)."""

    state: np.ndarray
    frame: np.ndarray
    factors: np.ndarray
    frames: np.ndarray
    states: np.ndarray


def pushes(run, theta, state, frame, spare, inputs, steps, every, keep, meter):
    """Advance the points' states and frames by `steps` steps, inputs (points, steps or 1, I).

    After each `every` steps frame = Q R, and the frame goes on as Q; `every` 0: it stays as it comes, there is no R.
    keep: R, Q and states are kept, not the diagonal of R alone.
    spare (S N, k): Q's new directions at a loss of rank.
    """
    cell, layout = run.cell, run.layout
    count, values, columns = frame.shape
    packed, u, stride = run.pack(theta), run.pack(inputs.reshape(count, -1)), stride_of(cell, inputs)
    tiles, w, pitch = len(packed), run.width, layout.width
    full, frames = run.zeros(tiles, pitch), run.zeros(tiles, (columns + 1) * pitch)
    full[:, : values * w] = run.pack(state)
    frames[:, : columns * pitch * w] = run.pack(_spectra.columns_of(frame, pitch))
    places = steps // every if every else 0
    record_ = run.zeros(tiles, places * columns * (columns if keep else 1))
    path = run.zeros(tiles, places * (columns * pitch + values) if keep else 0)
    spare = run.pack(np.broadcast_to(_spectra.columns_of(spare[None], pitch), (w, columns * pitch)))[0]
    x, a = run.scratch(layout.drives), run.scratch(layout.rows)
    da, partials = run.scratch(layout.rows * COLUMNS), run.scratch(kept(cell))
    sizes, at = run.sizes(cell.units, cell.inputs, layout.drives, values, columns, pitch)
    room = run.room(packed, x, a, da, partials, full, frames)
    for part in run.pace.slices(tiles, steps):
        run.call(
            cpu.pushes, meter, count, part, sizes, at, room, part[2], part[3], stride, every, int(keep), packed, u, x,
            a, da, partials, full, frames, spare, record_, path,
        )  # fmt: skip
    path = run.unpack(path, count).reshape(count, places if keep else 0, columns * pitch + values)
    return Pushed(
        run.unpack(full, count)[:, :values],
        _spectra.frames_of(run.unpack(frames, count)[:, : columns * pitch], columns, values),
        run.unpack(record_, count).reshape(count, places, *([columns] * (1 + keep))),
        _spectra.frames_of(path[:, :, : columns * pitch], columns, values),
        path[:, :, columns * pitch :],
    )


def jacobians(run, theta, states, inputs, meter):
    """DF(s_t, u_t) (points, T, S N, S N) at states (points, T, S N) under inputs (points, T or 1, I)."""
    count, times, size = states.shape
    inputs = np.broadcast_to(inputs, (count, times, inputs.shape[2])).reshape(count * times, 1, -1)
    identity = np.broadcast_to(np.eye(size), (count * times, size, size))
    weights = np.repeat(theta, times, axis=0)
    state = states.reshape(count * times, size)
    found = pushes(run, weights, state, identity, identity[0], inputs, 1, 0, False, meter).frame
    return found.reshape(count, times, size, size)
