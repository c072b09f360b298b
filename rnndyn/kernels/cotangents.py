"""Backpropagation through time of a range of points: calls of the adjoint kernel, a long run segment by segment."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import cpu
from .adjoint import BLOCK
from .stream import stride_of
from .tiles import Meter, unpack
from .warp import WARP

# What one thread's backward pass may keep of its forward pass; on a GPU each network has a thread, and 100 000 of them
# then keep 6 GiB.
SEGMENT_BYTES = {"cpu": 1 << 26, "python": 1 << 26, "cuda": WARP << 16}


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


def cotangents(run, weights, state, inputs, lengths, steps, direct, powers, wanted, meter):
    """BPTT of each point. direct (points, steps + 1, S N) is dL/ds_t, or (points, 1, S N) for the last state only, in
    units of 2 ** powers (points, steps + 1 or 1, 1).

    weights: (start in the order of `Layout`, (points, size)) of each. `wanted`: whether the gradients of inputs,
    weight_ih or bias_ih are.
    """
    cell, layout = run.cell, run.layout
    count, values = state.shape
    memory, stride = run.memory, stride_of(cell, inputs)
    packed, u = memory.parts(list(weights), count, layout.size), memory.pack(inputs.reshape(count, -1))
    tiles, depth, parameters = len(packed), len(cell.stages), len(cell.parameters)
    full = memory.pack(state, layout.width)
    g, gu = (memory.zeros(tiles, many) for many in (layout.width, inputs.shape[1] * (cell.inputs + 1)))
    gtheta, norms = (memory.empty(tiles, many) for many in (layout.size, steps + 1))
    length, tally = memory.pack(lengths[:, None]), memory.pack(np.broadcast_to([0.0, 1.0], (count, 2)))
    every = direct.shape[1] > 1
    direct = memory.pack(np.concatenate([direct, powers], axis=2).reshape(count, -1))
    size, sent, segment = layout.kept, layout.sent, segment_of(run, steps)
    x, a, before, ga, gp, partials, v = (
        memory.scratch(tiles, many)
        for many in (
            layout.drives, layout.rows, values, BLOCK * layout.rows, depth * parameters * cell.units, segment * size,
            segment * sent * cell.units,
        )
    )  # fmt: skip
    gx = memory.scratch(tiles, BLOCK * layout.drives) if wanted or run.device == "cuda" else None
    sizes, at = run.sizes(
        cell.units, cell.inputs, layout.rows, values, depth, parameters, size, layout.drives, sent, layout.size
    )
    room = run.room(packed, x, a, full)

    def forward(begin, end, base, first, number, meter_):
        part = begin, end, first, number
        run.call(
            cpu.records, meter_, count, part, sizes, at, room, base, first, number, stride, packed, u, x, a, full,
            before, partials, v, gx, length, tally,
        )  # fmt: skip

    def backward(begin, end, base, first, number, whole):
        part = begin, end, first, number
        run.call(
            cpu.adjoints, meter, count, part, sizes, at, room, base, first, number, stride, int(every),
            int(first + number == steps), whole, packed, u, x, a, full, before, partials, v, length, direct, g, tally,
            ga, gx, gp, gtheta, gu, norms,
        )  # fmt: skip

    for begin, end, first, number in run.slices(tiles, steps):
        if number == steps == segment:
            backward(begin, end, 0, 0, steps, True)
        elif first == 0:  # a long run: segment by segment, each in calls of a bounded time
            together = [(begin, end)] if run.together else [(tile, tile + 1) for tile in range(begin, end)]
            for tiles_of in together:
                _long_run(run, tiles_of, steps, segment, full, forward, backward, meter)
    into = memory.unpack(gu, count).reshape(count, -1, cell.inputs + 1)
    width, gradient = run.width, memory.fetch(gtheta)

    def part(begin, size, out):
        return unpack(gradient[:, begin * width : (begin + size) * width], width, count, out)

    return Cotangents(
        part,
        into[:, :, :-1],
        into[:, :, -1:],
        memory.unpack(g, count)[:, :values],
        memory.unpack(norms, count),
        memory.unpack(tally, count)[:, 1] > 0,
    )


def segment_of(run, steps):
    """Steps of which the backward pass keeps what the forward pass found, whole blocks."""
    layout = run.layout
    fits = SEGMENT_BYTES[run.device] // (8 * run.width * (layout.kept + layout.sent * run.cell.units))
    return min(steps, max(BLOCK, fits // BLOCK * BLOCK))


def kept_numbers(run, steps):
    """Numbers of a point that a backward pass keeps in memory of its own, as each thread of a GPU does."""
    if not run.together:
        return 0
    layout, segment = run.layout, segment_of(run, steps)
    step = layout.kept + layout.sent * run.cell.units
    return segment * step + BLOCK * (layout.rows + layout.drives) + -(-steps // segment) * layout.width


def _long_run(run, tiles, steps, segment, states, forward, backward, meter):
    """Forward over all segments, keeping the states they start from; then backward, each segment made again.

    tiles: (begin, end) of those that are taken together.
    """
    silent = Meter()
    silent.stop = meter.stop
    starts = list(range(0, steps, segment))
    kept_states = {}

    def ahead(base):
        stop = min(base + segment, steps)
        while base < stop:
            number = min(run.pace.fit(), stop - base)
            forward(*tiles, base_of(base), base, number, silent)
            base += number

    def base_of(t):
        return t // segment * segment

    for base in starts:
        kept_states[base] = run.memory.kept(states, *tiles)
        ahead(base)
    for base in reversed(starts):
        if base != starts[-1]:
            run.memory.restore(states, *tiles, kept_states[base])
            ahead(base)
        stop = min(base + segment, steps)
        while stop > base:
            first = max(base, min(stop - run.pace.fit(), stop - 1) // BLOCK * BLOCK)
            backward(*tiles, base, first, stop - first, False)
            stop = first
