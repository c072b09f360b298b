"""What a cell is: names, sizes and a chain of stages; everything that is computed follows from these alone.

One step of a recurrent cell of N units is a chain of stages. Stage k mixes units by one product and then applies one
rule to each unit by itself:

    a = weight_hh[rows of its gates] @ v + bias_hh[same rows]       v: the field that the stage sends
    values of unit i <- update(x_i, a_i, values of unit i, p_i)     x = weight_ih @ u + bias_ih

The first stage enters with the state, the last one leaves the next state; stages between may carry other fields (the
reset state r*h of a GRU whose reset comes before the product). Most cells have one stage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One product and one pointwise rule.

    gates: names of the pre-activations that the rule reads, in the order of the weights' row blocks.
    update: `update(x, a, s, p) -> values`; tuples of one unit's input pre-activations (G), recurrent pre-activations
        (G), entering field values and parameters, to a tuple of the leaving field values.
    sends: name of the entering field that is multiplied with the weights.
    leaves: names of the fields that the stage leaves; the cell's state fields for the last stage.
    """

    gates: tuple[str, ...]
    update: Callable[..., tuple]
    sends: str
    leaves: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Cell:
    """A recurrent cell.

    units: N >= 1. inputs: I >= 0. fields: names of the state fields; the state holds them one after another.
    stages: the chain. parameters: {name: default}, a number (one per network) or N numbers (one per unit).
    equation, source: what `rnndyn cells` prints.
    Raises ValueError for impossible sizes and names.
    """

    name: str
    units: int
    inputs: int
    fields: tuple[str, ...]
    stages: tuple[Stage, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    equation: str = ""
    source: str = ""

    def __post_init__(self):
        for what, number, least in (("units", self.units, 1), ("inputs", self.inputs, 0)):
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                raise ValueError(f"{self.name}: `{what}` must be a whole number from {least} up, not {number!r}")
        if not self.stages or not self.fields:
            raise ValueError(f"{self.name}: a cell has at least one field and one stage")
        if self.stages[-1].leaves != self.fields:
            raise ValueError(
                f"{self.name}: the last stage leaves {self.stages[-1].leaves}, not the state fields {self.fields}"
            )
        entering = self.fields
        for stage in self.stages:
            if stage.sends not in entering:
                raise ValueError(f"{self.name}: a stage sends '{stage.sends}', but {entering} enter it")
            entering = stage.leaves

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the pre-activations in the order of the weights' row blocks."""
        return tuple(gate for stage in self.stages for gate in stage.gates)

    @property
    def state_size(self) -> int:
        """S N: all fields of all units."""
        return len(self.fields) * self.units

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """{weight or parameter name: shape without batch axes}, PyTorch's names."""
        n, rows = self.units, len(self.gates) * self.units
        shapes: dict[str, tuple[int, ...]] = {"weight_hh": (rows, n), "bias_hh": (rows,)}
        if self.inputs:
            shapes["weight_ih"] = (rows, self.inputs)
        shapes["bias_ih"] = (rows,)
        for name, default in self.parameters.items():
            shapes[name] = (n,) if hasattr(default, "__len__") else ()
        return shapes

    def __repr__(self) -> str:
        return f"{self.name}(units={self.units}, inputs={self.inputs})"
