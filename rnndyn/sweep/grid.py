"""The grid cut into chunks: blocks that are contiguous in row-major order, so each is a run of grid indices."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnndyn.errors import InputError, suggestion

__all__ = ["Chunk", "chunk_shape", "chunks", "fit", "holds_texts", "nearest_place"]

MOST = 16_384  # points: progress is kept every few seconds even for the cheapest cell
LEAST = 32  # points: enough for the lanes and threads of an expensive cell
BYTES = 256 * 2**20  # of working memory
OPERATIONS = 2e11  # multiply-adds, about ten seconds on two cores


@dataclass(frozen=True)
class Chunk:
    """Block number `index`, at `corner` on the grid of chunks; `slices` select it, `first` is its first grid index."""

    index: int
    corner: tuple[int, ...]
    slices: tuple[slice, ...]
    first: int
    shape: tuple[int, ...]

    @property
    def points(self) -> int:
        """The number of grid points in this chunk."""
        return math.prod(self.shape)


def chunk_shape(shape: tuple[int, ...], bytes_per_point: float, operations_per_point: float) -> tuple[int, ...]:
    """Return the size of a chunk along each axis; it depends on the study only, never on the machine.

    Whole trailing axes, a part of one axis, and 1 along those before it.
    """
    return fit(shape, min(MOST, BYTES / bytes_per_point, max(LEAST, OPERATIONS / operations_per_point)))


def fit(shape: tuple[int, ...], room: float) -> tuple[int, ...]:
    """Return the size along each axis of blocks of at most about `room` points, contiguous in row-major order."""
    sizes = []
    for num in reversed(shape):
        parts = math.ceil(num / max(1, min(num, int(room))))
        sizes.append(math.ceil(num / parts))
        room = room / num if parts == 1 else 1
    return tuple(reversed(sizes))


def chunks(shape: tuple[int, ...], size: tuple[int, ...]) -> Iterator[Chunk]:
    """Yield the chunks of a grid in row-major order."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    corners = itertools.product(*(range(math.ceil(num / step)) for num, step in zip(shape, size, strict=True)))
    for index, corner in enumerate(corners):
        starts = [at * step for at, step in zip(corner, size, strict=True)]
        stops = [min(start + step, num) for start, step, num in zip(starts, size, shape, strict=True)]
        first = sum(start * stride for start, stride in zip(starts, strides, strict=True))
        lengths = tuple(stop - start for start, stop in zip(starts, stops, strict=True))
        yield Chunk(index, corner, tuple(map(slice, starts, stops)), first, lengths)


def holds_texts(values: Any) -> bool:
    """Whether the values of an axis, of a study or of a result, are texts: they have no order and no breadth."""
    return np.asarray(values).dtype.kind in "UOT"


def nearest_place(where: str, values: Any, wanted: float | str) -> int:
    """Return the place of the grid value nearest to `wanted`; raises InputError if it lies beyond the axis.

    Beyond is more than one grid step outside; an axis of one value has no outside. Of texts it is the same one.
    """
    texts = holds_texts(values)
    if texts and wanted in values.tolist():
        return values.tolist().index(wanted)
    if texts or isinstance(wanted, str):
        hint = suggestion(wanted, values.tolist()) if texts else "expected a number"
        raise InputError(f"{where} = {wanted!r}: {hint}")
    low, high = values.min(), values.max()
    margin = (high - low) / max(len(values) - 1, 1)
    if len(values) > 1 and not low - margin <= wanted <= high + margin:
        raise InputError(f"{where} = {wanted:g}: this axis goes from {low:g} to {high:g}")
    return int(np.argmin(np.abs(values - wanted)))
