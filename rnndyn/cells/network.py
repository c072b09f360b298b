"""Networks of cells: layers upon layers, and both directions, in PyTorch's names (`num_layers`, `bidirectional`).

A network is nothing to the kernels: each direction of each layer is a cell of its own, driven by the outputs of the
layer below (see `dynamics.network`). A cell's output is its first field.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .cell import Cell

JOINS = ("concat", "sum", "mean")


@dataclass(frozen=True)
class Direction:
    """One cell of a network: `suffix` of its weights' names, `state` its slice of the network's state."""

    cell: Cell
    suffix: str
    reverse: bool
    state: slice


class Network:
    """What Stack and Bidirectional share: cells in order, layer by layer, forward before reverse.

    directions: one tuple of `Direction` a layer. joins: how each layer's directions become its outputs.
    """

    directions: tuple[tuple[Direction, ...], ...]
    joins: tuple[str, ...]

    def __init__(self, layers):
        place, directions = 0, []
        for number, (cell, both, _) in enumerate(layers):
            row = []
            for reverse in (False, True)[: 1 + both]:
                suffix = f"_l{number}" + "_reverse" * reverse
                row.append(Direction(cell, suffix, reverse, slice(place, place + cell.state_size)))
                place += cell.state_size
            directions.append(tuple(row))
        self.directions = tuple(directions)
        self.joins = tuple(join for _, _, join in layers)
        for number in range(1, len(layers)):
            got, wanted = self.outputs_of(number - 1), layers[number][0].inputs
            if got != wanted:
                raise ValueError(f"layer {number} takes {wanted} inputs, but layer {number - 1} has {got} outputs")

    def outputs_of(self, number: int) -> int:
        """Outputs of a layer."""
        row = self.directions[number]
        return row[0].cell.units * (len(row) if self.joins[number] == "concat" else 1)

    @property
    def cells(self) -> list[Direction]:
        """All directions of all layers, in the order of the state."""
        return [direction for row in self.directions for direction in row]

    @property
    def inputs(self) -> int:
        """Inputs of the first layer."""
        return self.directions[0][0].cell.inputs

    @property
    def outputs(self) -> int:
        """Outputs of the last layer."""
        return self.outputs_of(len(self.directions) - 1)

    @property
    def state_size(self) -> int:
        """The state: layers in order, in each forward then reverse."""
        return sum(direction.cell.state_size for direction in self.cells)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields in the order of the state."""
        return tuple(name + direction.suffix for direction in self.cells for name in direction.cell.fields)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """{weight or parameter name: shape without batch axes}, PyTorch's names."""
        return {n + d.suffix: shape for d in self.cells for n, shape in d.cell.shapes.items()}


class Bidirectional(Network):
    """Two independent copies of a cell over one sequence: y_t joins the forward state after x_1..x_t and the reverse
    state after x_T..x_t.

    cell: both directions' kind; their weights end in `_l0` and `_l0_reverse`. join: "concat", "sum" or "mean". In
    states and exponents each direction counts in its own order: row k of the reverse one is its state after k steps
    from the end.
    Source: Schuster & Paliwal, Bidirectional recurrent neural networks, IEEE Trans. Signal Process. 45 (1997) 2673.
    Raises ValueError for an unknown join.
    """

    def __init__(self, cell: Cell, join: str = "concat"):
        if join not in JOINS:
            raise ValueError(f"Bidirectional: unknown join {join!r}; one of {', '.join(JOINS)}")
        if not isinstance(cell, Cell):
            raise ValueError(f"Bidirectional takes a cell, not {cell!r}; stack bidirectional layers with rd.Stack")
        self.cell, self.join = cell, join
        super().__init__([(cell, True, join)])

    def __repr__(self) -> str:
        return f"Bidirectional({self.cell!r}, join={self.join!r})"


class Stack(Network):
    """Layers: each takes the outputs of the one below at the same step as its inputs.

    layers: cells or `Bidirectional`, from the bottom up; their weights end in `_l0`, `_l1`, ... and `_l0_reverse`, ...
    Raises ValueError if there is none, or where a layer's inputs are not the outputs of the one below.
    """

    def __init__(self, layers: Sequence[Cell | Bidirectional]):
        if isinstance(layers, (Cell, Network)):
            raise ValueError(f"Stack takes a list of layers, not {layers!r} alone: rd.Stack([cell, ...])")
        self.layers = tuple(layers)
        for layer in self.layers:
            if not isinstance(layer, (Cell, Bidirectional)):
                raise ValueError(f"Stack: a layer is a cell or rd.Bidirectional(cell), not {layer!r}")
        if not self.layers:
            raise ValueError("Stack: at least one layer is needed")
        super().__init__(
            [(v.cell, True, v.join) if isinstance(v, Bidirectional) else (v, False, "concat") for v in self.layers]
        )

    def __repr__(self) -> str:
        return f"Stack([{', '.join(map(repr, self.layers))}])"
