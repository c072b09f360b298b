"""Runs of the kernels over ranges of points: what to pack, which calls to make, what to unpack.

`Run` is what all of them share; `cotangents`, `pushes` and `spectra` have files of their own. Each function takes a
`Run` and the points' arrays, one row a point, and returns arrays, one row a point. Nothing in the numbers depends on
the lane width, the tile, the chunk or the split into calls.
"""

from dataclasses import dataclass, field

import numpy as np

from . import cpu, dense_run
from . import spectra as _spectra
from .arrays import Arrays
from .budget import at_once
from .cotangents import cotangents, kept_numbers
from .devices import shares
from .known import Known
from .lane import Lane
from .machine import register_bits, register_count
from .pushes import jacobians, pushes
from .rule import bind
from .step import Layout
from .stream import Pieces, stride_of, whole_of
from .tangent import LONGEST
from .tiles import CHUNK_BYTES, Pace, Stopped, chunks

__all__ = ["Run", "cotangents", "jacobians", "kept_numbers", "lane_width", "pushes", "spectra", "trajectories"]

LARGE = {"float64": 8192, "float32": 24576}  # numbers of a network, weights and frame, from which on it goes alone
BLOCKS = 16  # units from which on a network has a block of a GPU, not a thread: half a warp; not measured yet
KNOWN = 8  # units up to which a kernel may be compiled for the very sizes
WORTH = 0.15  # seconds of one core from which on it is
COPIES = {"lanes": 3, "dense": 6}  # of a point's numbers, as float64, that are held on the way
PIECE = 1 << 9  # numbers of a network's inputs that a GPU has at a time: of 100 000 networks 0.4 GB, not measured yet
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
    if run.device == "cuda":
        return "dense" if cell.units >= BLOCKS else "lanes"
    numbers = len(cell.gates) * cell.units**2 + cell.state_size * columns
    large = numbers >= LARGE[run.dtype]
    return "dense" if run.device == "cpu" and large else "lanes"


@dataclass
class Run:
    """What all chunks of one call share.

    work: (steps of all points together, columns of the products beside the state's own).
    path: "lanes" (networks side by side, on CUDA in a thread each) or "dense" (one after another, on CUDA in a block
    each); by default the faster one.
    A kernel for the very sizes takes half the time of one for all sizes (tanh N = 8, all exponents: 107 and 230 ns a
    step), with the same bits, but every size is compiled anew, for 5 to 8 s: only long runs get one, and short ones
    after them (of a report after its sweep, say). On CUDA small networks always do, as loops over what is known unroll.
    """

    cell: object
    dtype: str
    device: str = "cpu"
    work: tuple = (0, 0)
    width: int | None = None
    pace: Pace = field(default_factory=Pace)
    path: str | None = None
    team: int = 1

    def __post_init__(self):
        self.bound = bind(self.cell)
        self.layout = Layout(self.cell)
        steps, columns = self.work
        self.columns = columns
        rows, units = self.layout.rows, self.cell.units
        seconds = steps * (5e-9 * (1 + rows) + 0.4e-9 * rows * units * (1 + columns))  # of one core, roughly
        self.path = self.path or _path(self, columns)
        self.dense = self.path == "dense"
        self.together = self.device == "cuda"  # whether all tiles take their steps side by side, or one after another
        if self.device == "cuda":
            from . import cuda  # only now: numba-cuda is not for everyone

            self.lane, self.width, self.memory = cuda.place(self.dtype, self.dense)
            self.kind = Known if units <= KNOWN and not self.dense else tuple
            return
        if self.width is None:
            self.width = lane_width(self.dtype, self.cell.units) if self.device == "cpu" else 1
        self.lane, self.memory = Lane(self.dtype, self.width), Arrays(self.width, self.dtype)
        kernel = (self.bound.digest, str(self.lane), units, self.cell.inputs, columns)
        known = self.device == "cpu" and units <= KNOWN and (seconds >= WORTH or kernel in MADE)
        if known:
            MADE.add(kernel)
        self.kind = Known if known else tuple

    def rounds(self, count, values, threads, what):
        """(ranges of points, threads that take them, team of threads for each network), to be worked off in turn.

        values: packed numbers a point. In memory are no more points at once than the budget lets. With fewer networks
        than threads, threads work on one together; no number depends on it.
        Raises InputError if one range is beyond the budget.
        """
        if self.device == "cuda":
            return [(*shares(self, count, max(values, 1)), 1)]
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
        return self.memory.new((size,), np.zeros)

    def sizes(self, *sizes):
        """The sizes and the layout's starts; part of the kernel's type where that is worth it."""
        return self.kind(sizes), self.kind(self.layout.at)

    def room(self, *arrays):
        """Elements of a tile's part of the arrays."""
        return self.kind(array.shape[array.ndim - 1] // self.width for array in arrays)

    def slices(self, tiles, steps, begun=0):
        """(begin, end, first, count) of the calls that take all tiles through the steps `begun` .. `steps` - 1."""
        return self.pace.slices(tiles, steps, begun, self.together)

    def piece(self, steps):
        """Steps for which a tile's inputs are made at a time, if not all; whole blocks of re-orthonormalisation."""
        together = self.device == "cuda" and not self.dense
        fit = (PIECE if together else CHUNK_BYTES // (8 * self.width)) // max(self.cell.inputs, 1)
        return min(steps, max(LONGEST, fit // LONGEST * LONGEST))

    def compiled(self, function):
        """A function of `cpu` as this device runs it; on "python", as it is."""
        if self.device == "cuda":
            from . import cuda  # only now: numba-cuda is not for everyone

            return cuda.COMPILED[function]
        return cpu.COMPILED[function] if self.device == "cpu" else function

    def call(self, function, meter, points, slices_of, *arguments):
        """One call of a kernel over tiles."""
        begin, end, _, count = slices_of
        work = count if self.together else (end - begin) * count
        covered = min(end * self.width, points) - min(begin * self.width, points)
        kernel = self.compiled(function)
        self.timed(meter, work, covered * count, kernel, begin, end, self.lane, self.bound, *arguments)

    def timed(self, meter, work, steps, function, *arguments):
        """Call what takes `work` steps of the pace, with the stop before and the count of all points' steps behind."""
        if meter.stop.is_set():
            raise Stopped
        self.pace.timed(work, function, *arguments)
        meter.add(steps)


def trajectories(run, theta, state, inputs, steps, keep, meter):
    """States 1..steps of each point (points, steps, S N) if `keep`, else the last one (points, 1, S N).

    inputs (points, steps or 1, I), or a `Stream` if not `keep`.
    """
    cell, layout = run.cell, run.layout
    if run.dense:
        inputs = whole_of(inputs, steps)
        return _alone(run).trajectories(run, theta, state, inputs, steps, keep, stride_of(cell, inputs), meter)
    count, values = len(theta), cell.state_size
    memory = run.memory
    packed, full = memory.pack(theta), memory.pack(state, layout.width)
    tiles = len(packed)
    record_ = memory.zeros(tiles, steps * values if keep else 0)
    x, a = (memory.scratch(tiles, size) for size in (layout.drives, layout.rows))
    sizes, at = run.sizes(cell.units, cell.inputs, layout.drives, values)
    room = run.room(packed, x, a, full)
    for _, first, last, u, stride in Pieces(run, inputs).between(0, steps):
        for part in run.slices(tiles, last, first):
            run.call(
                cpu.orbits, meter, count, part, sizes, at, room, part[2], part[3], stride, keep, packed, u, x, a, full,
                record_,
            )  # fmt: skip
    if keep:
        return memory.unpack(record_, count).reshape(count, steps, values)
    return memory.unpack(full, count)[:, None, :values]


def spectra(run, theta, state, frame, spare, inputs, lengths, transient, every, meter):
    """`Spectra` of the frames' columns after `transient` steps; lengths (points,) are all steps of each point.

    frame (points, S N, k) and spare (S N, k) random. `every` None: the interval follows the frame. inputs (points,
    steps or 1, I) or a `Stream`.
    """
    inputs = whole_of(inputs, int(lengths.max())) if run.dense else inputs
    given = (theta, state, frame, spare, inputs, lengths, transient, every, meter)
    return (_alone(run) if run.dense else _spectra).spectra(run, *given)


def _alone(run):
    """The module that runs networks by themselves."""
    if run.device != "cuda":
        return dense_run
    from . import block_run

    return block_run
