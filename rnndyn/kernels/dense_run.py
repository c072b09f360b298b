"""Runs of `dense`: one network after another, by one thread each or by a team of threads; what to pack and unpack."""

import concurrent.futures

import numpy as np

from . import dense
from .dense_frame import TILE
from .dense_team import LINES
from .dense_tile import band
from .lane import Lane
from .machine import register_bits
from .spectra import single, summed, tallies
from .stream import stride_of
from .tangent import ALIVE, BATCHES, LAST
from .tiles import Stopped

FAR = 2048  # bytes: columns that lie a multiple of it apart would share few places of the cache


class Places:
    """Where everything of one network stands: fields, gates and parameters filled up to `m` places, whole registers.

    at: starts in `theta` of weight_hh (packed, gate by gate), bias_hh, weight_ih (packed), bias_ih, parameters, and of
    weight_hh transposed.
    """

    def __init__(self, cell, layout, dtype, width):
        self.cell, self.layout, self.width = cell, layout, width
        n = cell.units
        self.m = m = -(-n // width) * width
        self.blocks, self.drives, self.parameters = len(cell.gates), len(cell.drives), len(cell.parameters)
        self.transposed = any(product.transposed for plan in layout.plans for product in plan.products)
        matrix = self.blocks * m * n
        sizes = (matrix, self.blocks * m, self.drives * m * cell.inputs, self.drives * m, self.parameters * m)
        starts = np.cumsum([0, *sizes])
        self.at = tuple(int(start) for start in starts)
        self.size = int(starts[-1]) + matrix * self.transposed
        self.fields = len(cell.fields)
        item = np.dtype(dtype).itemsize
        self.pitch, self.far = (
            size + width * (size * item % FAR == 0) for size in (layout.width // n * m, layout.rows // n * m)
        )

    def theta(self, theta, into):
        """The weights of networks (points, values) from the order of `plan.Layout`."""
        n, inputs, at, old = self.cell.units, self.cell.inputs, self.at, self.layout.at
        matrices = theta[:, : self.blocks * n * n].reshape(len(theta), self.blocks, n, n)
        size = self.m * n
        for k in range(self.blocks):
            self._bands(matrices[:, k : k + 1], into[:, at[0] + k * size :])
            if self.transposed:
                self._bands(matrices[:, k : k + 1].swapaxes(2, 3), into[:, at[5] + k * size :])
        into[:, at[1] : at[2]] = self.filled(theta[:, old[1] : old[2]])
        self._bands(theta[:, old[2] : old[3]].reshape(len(theta), self.drives, n, inputs), into[:, at[2] :])
        into[:, at[3] : at[4]] = self.filled(theta[:, old[3] : old[4]])
        into[:, at[4] : at[5]] = self.filled(theta[:, old[4] : self.layout.size])

    def _bands(self, blocks, into):
        """Row blocks (points, count, n, depth), filled up, in bands of vectors, each depth first (see `multiply`)."""
        points, count, n, depth = blocks.shape
        rows = np.zeros((points, count, self.m, depth), into.dtype)
        rows[:, :, :n] = blocks
        rows = rows.reshape(points, count * self.m, depth)
        first = 0
        while first < count * self.m:
            last = first + self.width * band((count * self.m - first) // self.width)
            into[:, first * depth : last * depth] = rows[:, first:last].swapaxes(1, 2).reshape(points, -1)
            first = last

    def filled(self, values):
        """(points, groups of n) -> (points, groups of m)."""
        groups = values.reshape(len(values), -1, self.cell.units)
        filled = np.pad(groups, ((0, 0), (0, 0), (0, self.m - self.cell.units)))
        return filled.reshape(len(values), -1)

    def columns(self, frame, into):
        """(points, S N, k) -> column after column, `pitch` apart."""
        points, _, k = frame.shape
        n = self.cell.units
        view = into[:, : k * self.pitch].reshape(points, k, self.pitch)[:, :, : self.fields * self.m]
        view = view.reshape(points, k, self.fields, self.m)
        view[:, :, :, :n] = frame.swapaxes(1, 2).reshape(points, k, self.fields, n)

    def state(self, values):
        """(points, groups of m) -> (points, groups of n)."""
        groups = values[:, : self.fields * self.m].reshape(len(values), self.fields, self.m)
        return groups[:, :, : self.cell.units].reshape(len(values), -1)

    def frame(self, values, k):
        """The columns as (points, S N, k)."""
        points, n = len(values), self.cell.units
        view = values[:, : k * self.pitch].reshape(points, k, self.pitch)[:, :, : self.fields * self.m]
        view = view.reshape(points, k, self.fields, self.m)[:, :, :, :n]
        return view.reshape(points, k, -1).swapaxes(1, 2)


def guess(run, columns, networks=1, rate=1e10, least=0.0):
    """Let the pace begin with what a step takes: the first call of large networks is no long one.

    networks: that take it together, at `rate` operations a second, and no less than `least` seconds.
    """
    layout, n = run.layout, run.cell.units
    operations = networks * (2 * layout.rows * n * (columns + 1) + 2 * layout.width * columns**2)
    run.pace.seconds = run.pace.seconds or max(operations / rate, least)


def lane_of(run):
    """The lane of width 1 and the numbers of a register that the kernels make of it."""
    width = register_bits() // (8 * np.dtype(run.dtype).itemsize) if run.device == "cpu" else 1
    return Lane(run.dtype, 1), width


class Books:
    """One network's arrays of a spectrum."""

    def __init__(self, run, places, columns, values):
        """values: of `spare`."""
        self.run, self.places, self.k = run, places, columns
        _, width = lane_of(run)
        panel, rows = 3 * width, places.fields * places.m
        self.width = width
        self.frame = run.flat((columns + panel) * places.pitch)
        self.spare = run.flat(columns * places.pitch)
        places.columns(values[None], self.spare[None])
        self.flipped = run.flat(-(-columns // panel) * panel * rows)
        self.inverses = run.flat(panel)
        self.before, self.shifts, self.marks, self.squares, self.powers, self.levels, self.lost = (
            run.flat(columns) for _ in range(7)
        )
        self.theta, self.state = run.flat(places.size), run.flat(places.pitch)
        self.x, self.a = run.flat(places.drives * places.m), run.flat(places.far)
        self.partials = run.flat(places.layout.kept // places.cell.units * places.m)
        self.own = [  # of each thread of the team
            (run.flat(min(dense.PANEL, columns) * places.far), run.flat(panel * TILE)) for _ in range(run.team)
        ]

    def begin(self, theta, state, frame, tally):
        """A new network."""
        places = self.places
        places.theta(theta[None], self.theta[None])
        self.state[:] = 0
        self.state[: places.fields * places.m] = places.filled(state[None])[0]
        self.frame[:] = 0
        places.columns(frame[None], self.frame[None])
        for array in (self.powers, self.levels, self.lost):
            array[:] = 0
        self.squares[:] = 1
        self.sums = self.run.flat(BATCHES * self.k)
        self.tally = np.array(tally, self.run.dtype)


def spectra(run, theta, state, frame, spare, inputs, lengths, transient, every, meter):
    """See `target.spectra`."""
    one, width = lane_of(run)
    cell, stride = run.cell, stride_of(run.cell, inputs)
    places = Places(cell, run.layout, run.dtype, width)
    k = frame.shape[2]
    guess(run, k)
    spans, tally = tallies(lengths, transient, every)
    books = Books(run, places, k, spare)
    sizes = (
        cell.units, places.m, cell.inputs, places.drives * places.m, places.fields, k, places.pitch, places.far,
    )  # fmt: skip
    found = []
    with _Team(run) as team:
        for p in range(len(theta)):
            books.begin(theta[p], state[p], frame[p], tally[p])
            u = run.flat(inputs[p].size)
            u[:] = inputs[p].ravel()
            total = int(lengths[p])
            batch = (int(spans[p]), transient)
            for _, _, first, steps in run.pace.slices(1, total):
                team.call(
                    dense.spectrum, meter, steps,
                    lambda rank, first=first, steps=steps, total=total, batch=batch, u=u: (
                        one, run.bound, sizes, places.at, first, steps, total, stride, int(every is None), batch,
                        team.counts, rank, run.team, books.theta, u, books.x, books.a, books.own[rank][0],
                        books.partials, books.state, books.frame, books.spare, books.flipped, books.own[rank][1],
                        books.inverses, books.before, books.shifts, books.marks, books.squares, books.powers,
                        books.levels, books.lost, books.sums, books.tally,
                    ),
                )  # fmt: skip
            found.append(
                (
                    books.squares.copy(), books.powers.copy(), books.levels.copy(), books.lost.copy(), books.sums,
                    books.tally, places.state(books.state[None])[0], places.frame(books.frame[None], k)[0],
                )
            )  # fmt: skip
    squares, powers, levels, lost, sums, tally, state, frame = (np.array(part) for part in zip(*found, strict=True))
    sums = sums.reshape(len(theta), BATCHES, k).transpose(1, 0, 2)
    return summed(
        lambda rests: single(sums, rests), spans, transient,
        (squares, powers, levels, lost, tally[:, LAST], tally[:, ALIVE]), lambda: state, lambda: frame,
    )  # fmt: skip


def trajectories(run, theta, state, inputs, steps, keep, stride, meter):
    """States 1..steps of each point (points, steps, S N) if `keep`, else the last one (points, 1, S N)."""
    one, width = lane_of(run)
    cell = run.cell
    places = Places(cell, run.layout, run.dtype, width)
    count, values = state.shape
    guess(run, 0)
    sizes = (cell.units, places.m, cell.inputs, places.drives * places.m, places.fields)
    states = np.empty((count, steps if keep else 1, values), run.dtype)
    weights, x, a = run.flat(places.size), run.flat(places.drives * places.m), run.flat(places.far)
    full = run.flat(places.pitch)
    with _Team(run, 1) as team:
        for p in range(count):
            places.theta(theta[p : p + 1], weights[None])
            full[: places.fields * places.m] = places.filled(state[p : p + 1])[0]
            u = run.flat(inputs[p].size)
            u[:] = inputs[p].ravel()
            record = states[p].reshape(-1)
            for _, _, first, number in run.pace.slices(1, steps):
                team.call(
                    dense.path, meter, number,
                    lambda rank, first=first, number=number, u=u, record=record: (
                        one, run.bound, sizes, places.at, first, number, stride, keep, weights, u, x, a, full, record,
                    ),
                )  # fmt: skip
            if not keep:
                states[p, 0] = places.state(full[None])[0]
    return states


class _Team:
    """The threads of one network's calls: this one and, in a team, helpers that run beside it."""

    def __init__(self, run, threads=None):
        self.run, self.threads = run, threads or run.team
        self.counts = np.zeros(2 * LINES, np.int64)

    def __enter__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None
        return self

    def __exit__(self, *_):
        if self.pool:
            self.pool.shutdown(wait=True)

    def call(self, function, meter, steps, arguments):
        """`function(*arguments(rank))` in all threads, which must run side by side: they wait for each other."""
        if meter.stop.is_set():
            raise Stopped
        kernel = dense.COMPILED[function] if self.run.device == "cpu" else function
        others = [self.pool.submit(kernel, *arguments(rank)) for rank in range(1, self.threads)]
        self.run.pace.timed(steps, kernel, *arguments(0))
        for other in others:
            other.result()
        meter.add(steps)
