"""Inputs of a run: an array, or made on the way, piece by piece, so that a long run's need not be held."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Stream:
    """Inputs that are made on the way: `part(first, count)` gives those of some steps, (points, count, I)."""

    part: Callable


def part_of(inputs, rows, begin, count):
    """Inputs of some points, steps begin .. begin + count - 1; constant ones as they are."""
    if isinstance(inputs, Stream):
        return Stream(lambda first, number: inputs.part(begin + first, number)[rows])
    return inputs[rows] if inputs.shape[1] == 1 else inputs[rows, begin : begin + count]


def whole_of(inputs, steps):
    """Inputs of all steps as an array."""
    return inputs.part(0, steps) if isinstance(inputs, Stream) else inputs


def stride_of(cell, inputs):
    """Distance of one step's inputs to the next: 0 for constant ones, (points, 1, I)."""
    return cell.inputs if inputs.shape[1] > 1 else 0


class Pieces:
    """Inputs as kernels read them: all in one piece, or a `Stream` in pieces of whole intervals between
    re-orthonormalisations. Points may be put in another order on the way."""

    def __init__(self, run, inputs):
        self.run, self.inputs, self.order = run, inputs, None
        self.packed = None if isinstance(inputs, Stream) else run.memory.pack(inputs.reshape(len(inputs), -1))

    def sort(self, order):
        """From now on points stand in the order `order` of the given ones."""
        self.order = order
        if self.packed is not None and self.inputs.size:
            self.packed = self.run.memory.pack(self.inputs.reshape(len(self.inputs), -1)[order])

    def between(self, begun, ended):
        """Yield (origin, first, last, packed inputs, distance of one step's to the next's): a piece's steps first ..
        last - 1 count from its origin."""
        cell = self.run.cell
        if self.packed is not None:
            yield 0, begun, ended, self.packed, stride_of(cell, self.inputs)
            return
        size = self.run.piece(ended - begun)
        for origin in range(begun, ended, size):
            part = self.inputs.part(origin, min(size, ended - origin))
            part = part if self.order is None else part[self.order]
            yield origin, 0, part.shape[1], self.run.memory.pack(part.reshape(len(part), -1)), cell.inputs
