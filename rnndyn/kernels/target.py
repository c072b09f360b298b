"""Runs of the kernels over ranges of points: what to pack, which calls to make, what to unpack.

Each function takes a `Run` and the points' arrays, one row a point, and returns arrays, one row a point. Nothing in the
numbers depends on the lane width, the tile, the chunk or the split into calls.
"""

from dataclasses import dataclass, field

import numpy as np

from . import cpu, dense_run
from .adjoint import BLOCK
from .budget import at_once
from .known import Known
from .lane import Lane
from .machine import register_bits
from .rule import bind
from .step import COLUMNS, Layout, kept
from .tangent import ALIVE, BATCH, BATCHES, END, LAST, PACE, SHORTEST, SPAN, TALLY, TRANSIENT
from .tiles import Meter, Pace, Stopped, aligned, chunks, pack, unpack

SEGMENT_BYTES = 1 << 26  # what one thread's backward pass may keep of its forward pass
LARGE = {"float64": 8192, "float32": 24576}  # numbers of a network, weights and frame, from which on it goes alone
KNOWN = 8  # units up to which a kernel may be compiled for the very sizes
WORTH = 0.15  # seconds of one core from which on it is
COPIES = {"lanes": 3, "dense": 6}  # of a point's numbers, as float64, that are held on the way
TEAM = 256 * 256  # numbers of a frame from which on several threads work on one network


def lane_width(dtype, units):
    """Numbers in a lane: several registers hide the latency of tiny networks, wider is slower from N = 3 on.

    Float64 orbit of a tanh unit on AVX-512 at 1, 2, 4 registers: 5.4, 2.7, 1.44 ns a step.
    """
    registers = 4 if units == 1 else 2 if units == 2 else 1
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
    step), with the same bits, but every size is compiled anew, for 5 to 8 s: only long runs get one.
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
        known = self.device == "cpu" and units <= KNOWN and seconds >= WORTH
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
        return aligned((size,), self.dtype, self._shift())

    def pack(self, points):
        return pack(points, self.width, self.dtype, self._shift())

    def _shift(self):
        """A place in the page for the next array, far from the last one's."""
        self.arrays += 1
        return 5 * self.arrays  # in cache lines, of which a page has 64

    def unpack(self, tiles, count):
        return unpack(tiles, self.width, count)

    def sizes(self, *sizes):
        """The sizes and the layout's starts; part of the kernel's type where that is worth it."""
        return self.kind(sizes), self.kind(self.layout.at)

    def room(self, *arrays):
        """Elements of a tile's part of the arrays."""
        return self.kind(array.shape[-1] // self.width for array in arrays)

    def scratch(self, size):
        return aligned((size * self.width,), self.dtype, self._shift())

    def zeros(self, tiles, size):
        return aligned((tiles, size * self.width), self.dtype, self._shift())

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
    """States 1..steps of each point (points, steps, S N) if `keep`, else the last one (points, 1, S N)."""
    cell, layout = run.cell, run.layout
    if run.dense:
        return dense_run.trajectories(run, theta, state, inputs, steps, keep, _stride(cell, inputs), meter)
    count, values = len(theta), cell.state_size
    packed, u, stride = run.pack(theta), run.pack(inputs.reshape(count, -1)), _stride(cell, inputs)
    full = run.zeros(len(packed), layout.width)
    full[:, : values * run.width] = run.pack(state)
    record_ = run.zeros(len(packed), steps * values if keep else 0)
    x, a = run.scratch(layout.drives), run.scratch(layout.rows)
    sizes, at = run.sizes(cell.units, cell.inputs, layout.drives, values)
    room = run.room(packed, x, a, full)
    for part in run.pace.slices(len(packed), steps):
        run.call(
            cpu.orbits, meter, count, part, sizes, at, room, part[2], part[3], stride, keep, packed, u, x, a, full,
            record_,
        )  # fmt: skip
    if keep:
        return run.unpack(record_, count).reshape(count, steps, values)
    return run.unpack(full, count)[:, None, :values]


def _stride(cell, inputs):
    """Distance of one step's inputs to the next: 0 for constant ones, (points, 1, I)."""
    return cell.inputs if inputs.shape[1] > 1 else 0


@dataclass
class Spectra:
    """Growth of each point: `sums` (batches, points, k) of ln growth; `spans` steps in a batch; `steps` used; `lost`
    (points, k) steps without rank; `alive`; `state` (points, S N) and `frame` (points, S N, k) after the last step."""

    sums: np.ndarray
    spans: np.ndarray
    steps: np.ndarray
    lost: np.ndarray
    alive: np.ndarray
    state: np.ndarray
    frame: np.ndarray


def spectra(run, theta, state, frame, spare, inputs, lengths, transient, every, meter):
    """Growth of the frames' columns after `transient` steps; lengths (points,) are all steps of each point.

    frame (points, S N, k) and spare (S N, k) random. `every` None: the interval follows the frame.
    """
    spans = np.maximum(-(-(lengths - transient) // BATCHES), SHORTEST)
    tally = _tally(lengths, spans, transient, every)
    if run.dense:
        found = dense_run.spectra(
            run, theta, state, frame, spare, inputs, lengths, transient, every, tally, _stride(run.cell, inputs), meter
        )
        squares, powers, levels, lost, sums, tally, state, frame = (np.array(part) for part in zip(*found, strict=True))
        sums = sums.reshape(len(theta), BATCHES, -1).transpose(1, 0, 2)
        return _summed(sums, spans, transient, squares, powers, levels, lost, tally, state, frame)
    cell, layout = run.cell, run.layout
    count, values, columns = frame.shape
    packed, u, stride = run.pack(theta), run.pack(inputs.reshape(count, -1)), _stride(cell, inputs)
    tiles, w = len(packed), run.width
    steps = int(lengths.max())
    full = run.zeros(tiles, layout.width)
    full[:, : values * w] = run.pack(state)
    frames = run.zeros(tiles, layout.width * columns + values)  # and a column of scratch
    frames[:, : layout.width * columns * w] = run.pack(_columns(frame, layout.width))
    squares, powers, levels, lost = (run.zeros(tiles, columns) for _ in range(4))
    squares[:] = 1
    sums = run.zeros(tiles, BATCHES * columns)
    tally = run.pack(tally)
    batch = (int(spans[0]) if (spans == spans[0]).all() and (lengths == steps).all() else 0, transient)
    x, a = run.scratch(layout.drives), run.scratch(layout.rows)
    da, partials = run.scratch(layout.rows * COLUMNS), run.scratch(kept(cell))
    before, shifts = run.scratch(columns), run.scratch(columns)
    spare = run.pack(np.broadcast_to(_columns(spare[None], layout.width), (w, layout.width * columns)))[0]
    sizes, at = run.sizes(cell.units, cell.inputs, layout.drives, values, columns, layout.width)
    room = run.room(packed, x, a, da, partials, full, frames, squares, tally)
    for part in run.pace.slices(tiles, steps):
        run.call(
            cpu.spectra, meter, count, part, sizes, at, room, part[2], part[3], steps, stride, int(every is None),
            batch, packed, u, x, a, da, partials, full, frames, spare, before, shifts, squares, powers, levels, lost,
            sums, tally,
        )  # fmt: skip
    squares, powers, levels, lost, tally = (run.unpack(a, count) for a in (squares, powers, levels, lost, tally))
    sums = sums.reshape(tiles, BATCHES, columns, w).transpose(1, 0, 3, 2).reshape(BATCHES, tiles * w, columns)
    state = run.unpack(full, count)[:, :values]
    frame = run.unpack(frames[:, : layout.width * columns * w], count).reshape(count, columns, layout.width)
    frame = frame[:, :, :values].transpose(0, 2, 1)
    return _summed(sums[:, :count], spans, transient, squares, powers, levels, lost, tally, state, frame)


def _summed(sums, spans, transient, squares, powers, levels, lost, tally, state, frame):
    """`Spectra` from a run's books, one row a point; sums (batches, points, k)."""
    rest = 0.5 * np.log(np.float64(squares)) + powers * np.log(2.0)
    rest -= levels
    sums = sums.astype(np.float64, copy=False)
    used = np.maximum(tally[:, LAST] - transient, 0).astype(np.int64)
    unfinished = np.minimum(used // spans, BATCHES - 1)  # a diverged point's last batch was never closed
    sums[unfinished, np.arange(len(used))] += np.where(used[:, None] > 0, rest, 0.0)
    return Spectra(sums, spans, used, lost.astype(np.float64), tally[:, ALIVE] > 0, state, frame)


def _columns(frame, pitch):
    """(points, rows, k) -> (points, k * pitch): column after column, each filled up with zeros."""
    points, rows, k = frame.shape
    columns = np.zeros((points, k, pitch))
    columns[:, :, :rows] = frame.transpose(0, 2, 1)
    return columns.reshape(points, -1)


def _tally(lengths, spans, transient, every):
    """The lanes of `tally` at the start (see `tangent`)."""
    tally = np.zeros((len(lengths), TALLY))
    tally[:, ALIVE] = 1
    tally[:, BATCH] = -2 if transient else -1
    tally[:, PACE] = 1 if every is None else every
    tally[:, SPAN], tally[:, END], tally[:, TRANSIENT] = spans, lengths, transient
    return tally


@dataclass
class Cotangents:
    """Gradients of each point: `theta` in the order of `Layout`, `inputs` like the inputs times 2 ** `powers`, ..."""

    theta: np.ndarray
    inputs: np.ndarray
    powers: np.ndarray  # (points, T, 1)
    state: np.ndarray
    log_norms: np.ndarray
    bounded: np.ndarray  # whether the state stayed within the bound


def cotangents(run, theta, state, inputs, lengths, steps, direct, powers, wanted, meter):
    """BPTT of each point. direct (points, steps + 1, S N) is dL/ds_t, or (points, 1, S N) for the last state only, in
    units of 2 ** powers (points, steps + 1 or 1, 1).

    `wanted`: whether the gradients of inputs, weight_ih or bias_ih are.
    """
    cell, layout = run.cell, run.layout
    count, values = state.shape
    packed, u, stride = run.pack(theta), run.pack(inputs.reshape(count, -1)), _stride(cell, inputs)
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
    sizes, at = run.sizes(cell.units, cell.inputs, layout.rows, values, depth, parameters, size, layout.drives, sent)
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
    return Cotangents(
        run.unpack(gtheta, count),
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
