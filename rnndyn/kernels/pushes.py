"""Frames pushed along the orbits of a range of points, each orthogonalisation kept; and Jacobians, by the same way."""

from dataclasses import dataclass

import numpy as np

from . import cpu
from .spectra import columns_of, frames_of
from .step import COLUMNS
from .stream import stride_of


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
    memory, pitch = run.memory, layout.width
    packed, u, stride = memory.pack(theta), memory.pack(inputs.reshape(count, -1)), stride_of(cell, inputs)
    tiles = len(packed)
    full, frames = memory.pack(state, pitch), memory.pack(columns_of(frame, pitch), (columns + 1) * pitch)
    places = steps // every if every else 0
    record_ = memory.zeros(tiles, places * columns * (columns if keep else 1))
    path = memory.zeros(tiles, places * (columns * pitch + values) if keep else 0)
    spare = memory.common(columns_of(spare[None], pitch)[0])
    x, a, da, partials = (
        memory.scratch(tiles, size) for size in (layout.drives, layout.rows, layout.rows * COLUMNS, layout.kept)
    )
    sizes, at = run.sizes(cell.units, cell.inputs, layout.drives, values, columns, pitch)
    room = run.room(packed, x, a, da, partials, full, frames)
    for part in run.slices(tiles, steps):
        run.call(
            cpu.pushes, meter, count, part, sizes, at, room, part[2], part[3], stride, every, int(keep), packed, u, x,
            a, da, partials, full, frames, spare, record_, path,
        )  # fmt: skip
    path = memory.unpack(path, count).reshape(count, places if keep else 0, columns * pitch + values)
    return Pushed(
        memory.unpack(full, count)[:, :values],
        frames_of(memory.unpack(frames, count)[:, : columns * pitch], columns, values),
        memory.unpack(record_, count).reshape(count, places, *([columns] * (1 + keep))),
        frames_of(path[:, :, : columns * pitch], columns, values),
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
