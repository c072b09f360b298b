"""Backpropagation through time of a range of points: calls of the adjoint kernel, a long run segment by segment."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import cpu
from .adjoint import BLOCK
from .stream import stride_of
from .tiles import Meter

SEGMENT_BYTES = 1 << 26  # what one thread's backward pass may keep of its forward pass


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
    packed, u, stride = run.pack_weights(weights, count), run.pack(inputs.reshape(count, -1)), stride_of(cell, inputs)
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
    size, sent = layout.kept, layout.sent
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
