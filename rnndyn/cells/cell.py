"""What a cell is: names, sizes and a chain of stages; everything that is computed follows from these alone.

One step of a recurrent cell of N units is a chain of stages. A stage mixes units by products, one for each of its
gates, and then applies one rule to each unit by itself:

    a_g = weight_hh[rows of gate g] @ v_g + bias_hh[same rows]      v_g: the entering field that gate g sends
    x_d = weight_ih[rows of drive d] @ u + bias_ih[same rows]       u: the input
    values of unit i <- update(x_i, a_i, values of unit i, p_i)

The first stage enters with the state, the last one leaves the next state; stages between may carry other fields (the
reset state r*h of a GRU whose reset comes before the product). A gate's name names its rows: stages that use the same
name use the same rows (the four of a Runge-Kutta step), and the gate `h.T` is the product with the transposed rows of
`h`, without a bias. Most cells have one stage.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from dataclasses import fields as items
from typing import Any

TRANSPOSED = ".T"


@dataclass(frozen=True)
class Stage:
    """Products and one pointwise rule.

    update: `update(x, a, s, p) -> values`; tuples of one unit's input pre-activations (one a drive), recurrent
        pre-activations (one a gate), entering field values and parameters, to a tuple of the leaving field values.
    gates: names of the row blocks that are multiplied; `name.T` for the transposed block.
    sends: the entering field that the gates multiply, or one for each gate; by default the first that enters.
    leaves: names of the fields that the stage leaves; by default the cell's state.
    drives: names of the row blocks of `weight_ih` and `bias_ih` that the rule reads; by default the gates' own.
    """

    update: Callable[..., tuple]
    gates: tuple[str, ...] = ()
    sends: str | tuple[str, ...] = ""
    leaves: tuple[str, ...] = ()
    drives: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Cell:
    """A recurrent cell.

    units: N >= 1. inputs: I >= 0. fields: names of the state fields; the state holds them one after another.
    stages: the chain. parameters: {name: default}, a number (one per network) or N numbers (one per unit); a number is
    repeated for those named in `per_unit`. second: gates whose rows stand in `weight_hh2`, which has no bias.
    options: other keywords of the constructor. equation, source: what `rnndyn cells` prints.
    Raises ValueError for impossible sizes and names.
    """

    name: str
    units: int
    inputs: int
    fields: tuple[str, ...]
    stages: tuple[Stage, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    per_unit: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    equation: str = ""
    source: str = ""

    def __post_init__(self):
        for what, number, least in (("units", self.units, 1), ("inputs", self.inputs, 0)):
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                raise ValueError(f"{self.name}: `{what}` must be a whole number from {least} up, not {number!r}")
        if isinstance(self.stages, Stage):
            raise ValueError(f"{self.name}: `stages` is a list of rd.Stage(...), even of one")
        if not self.stages or not self.fields:
            raise ValueError(f"{self.name}: a cell has at least one field and one stage")
        object.__setattr__(self, "parameters", {n: self._parameter(n, v) for n, v in self.parameters.items()})
        object.__setattr__(self, "stages", tuple(self._completed()))
        self._check_names()

    def _check_names(self):
        """Refuse names that would be silently without effect, or stand for two things."""
        known = {"per_unit": tuple(self.parameters), "second": self.gates}
        for what, names in known.items():
            for name in getattr(self, what):
                if name not in names:
                    raise ValueError(f"{self.name}: `{what}` names {name!r}, which is none of {', '.join(names)}")
        for name in self.parameters:
            if name in ("weight_hh", "weight_hh2", "weight_ih", "bias_hh", "bias_ih"):
                raise ValueError(f"{self.name}: a parameter cannot have a weight's name, {name!r}")

    def _parameter(self, name, value):
        """A number, or a tuple of N numbers."""
        try:
            many = tuple(map(float, value)) if hasattr(value, "__len__") else None
            value = float(value) if many is None else many
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}: `{name}` must be a number or {self.units} numbers, not {value!r}") from None
        if many is None:
            return (value,) * self.units if name in self.per_unit else value
        if len(many) != self.units:
            raise ValueError(f"{self.name}: `{name}` has {len(many)} numbers for {self.units} units")
        return many

    def _completed(self):
        """The stages with their defaults written out and their names checked."""
        entering = self.fields
        for k, stage in enumerate(self.stages):
            where = f"{self.name}, stage {k + 1}"
            if isinstance(stage.gates, str):
                raise ValueError(f"{where}: `gates` is a tuple of names such as ({stage.gates!r},), not a text")
            gates, drives = tuple(stage.gates), stage.drives
            drives = tuple(g for g in gates if not g.endswith(TRANSPOSED)) if drives is None else tuple(drives)
            leaves = tuple(stage.leaves) or self.fields
            sends = (stage.sends or entering[0],) * len(gates) if isinstance(stage.sends, str) else stage.sends
            if len(sends) != len(gates):
                raise ValueError(f"{where}: {len(gates)} gates send {len(sends)} fields: one for all, or one each")
            for sent in sends:
                if sent not in entering:
                    raise ValueError(f"{where} sends '{sent}', but {entering} enter it")
            for what, names in (("drive", drives), ("leaving field", leaves)):
                if len(set(names)) != len(names):
                    raise ValueError(f"{where}: a {what} stands twice in {names}")
            yield replace(stage, gates=gates, sends=tuple(sends), leaves=leaves, drives=drives)
            entering = leaves
        if entering != self.fields:
            raise ValueError(f"{self.name}: the last stage leaves {entering}, not the state fields {self.fields}")

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the row blocks that are multiplied, in the weights' order: `weight_hh`'s, then `weight_hh2`'s."""
        names = dict.fromkeys(gate.removesuffix(TRANSPOSED) for stage in self.stages for gate in stage.gates)
        return tuple(sorted(names, key=lambda name: name in self.second))

    @property
    def drives(self) -> tuple[str, ...]:
        """Names of the row blocks of `weight_ih` and `bias_ih`."""
        return tuple(dict.fromkeys(drive for stage in self.stages for drive in stage.drives or ()))

    @property
    def state_size(self) -> int:
        """S N: all fields of all units."""
        return len(self.fields) * self.units

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """{weight or parameter name: shape without batch axes}, PyTorch's names."""
        n, driven = self.units, len(self.drives) * self.units
        more = sum(gate in self.second for gate in self.gates) * n
        rows = len(self.gates) * n - more
        shapes: dict[str, tuple[int, ...]] = {"weight_hh": (rows, n), "bias_hh": (rows,)} if rows else {}
        if more:
            shapes["weight_hh2"] = (more, n)
        if driven and self.inputs:
            shapes["weight_ih"] = (driven, self.inputs)
        if driven:
            shapes["bias_ih"] = (driven,)
        for name, default in self.parameters.items():
            shapes[name] = (n,) if isinstance(default, tuple) else ()
        return shapes

    def __repr__(self) -> str:
        return f"{self.name}(units={self.units}, inputs={self.inputs})"

    def __reduce__(self):
        """A family's cell is made anew from its constructor's arguments: its rules may be functions of these."""
        if type(self) is Cell:
            return Cell, tuple(getattr(self, item.name) for item in items(self))
        return _made, (type(self), (self.units, self.inputs), {**self.parameters, **self.options})


def _made(family, sizes, keywords):
    """A family's cell from its constructor's arguments."""
    return family(*sizes, **keywords)
