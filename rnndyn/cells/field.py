"""What a vector field is, ds/dt = f(s, u): like a cell's stage, but its rule gives the rate of change.

A step (`steps.py`) makes a cell of it; the field itself knows nothing of time steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as default
from dataclasses import fields as items
from typing import Any

from .cell import TRANSPOSED


@dataclass(frozen=True)
class Part:
    """The rates of some fields.

    rate: `rate(x, a, s, p) -> rates`; tuples of one unit's pre-activations, values of all fields (in the field's order)
        and parameters, to a tuple with one rate for each of `fields`.
    fields: those whose rate it is; by default all. gates, sends, drives: as of a `Stage`.
    """

    rate: Callable[..., tuple]
    fields: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    sends: str | tuple[str, ...] = ""
    drives: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """A vector field of N units.

    parts: one, or a partition of the fields in the state's order, positions before momenta: the symplectic step moves
        them from last to first, each with the newest values.
    images, image: names of pointwise images of the state that gates may send, and the rule `image(s, p) -> images`.
    linear: rule `linear(p) -> rates`, one a field, of the diagonal linear part (f = linear s + rest), which the
        exponential step takes exactly.
    origin: (function, arguments) that make the same field, for pickling one whose rules are made by functions.
    The rest as of a `Cell`; the step adds the parameter `dt`.
    """

    name: str
    units: int
    inputs: int
    fields: tuple[str, ...]
    parts: tuple[Part, ...]
    parameters: Mapping[str, Any] = default(default_factory=dict)
    per_unit: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    image: Callable[..., tuple] | None = None
    linear: Callable[..., tuple] | None = None
    options: Mapping[str, Any] = default(default_factory=dict)
    origin: tuple[Callable[..., Any], tuple] | None = None
    equation: str = ""
    source: str = ""

    def __post_init__(self):
        if isinstance(self.parts, Part):
            raise ValueError(f"{self.name}: `parts` is a list of rd.Part(...), even of one")
        if not isinstance(self.units, int) or self.units < 1:
            raise ValueError(f"{self.name}: `units` must be a whole number from 1 up, not {self.units!r}")
        object.__setattr__(self, "parts", tuple(map(self._completed, self.parts)))
        moved = tuple(name for part in self.parts for name in part.fields)
        if moved != tuple(self.fields):
            raise ValueError(f"{self.name}: the parts move {moved}, not the fields {self.fields} in their order")
        if bool(self.images) != (self.image is not None):
            raise ValueError(f"{self.name}: `images` (names) and `image` (their rule) belong together")
        if "dt" in self.parameters:
            raise ValueError(f"{self.name}: the parameter `dt` belongs to the step, not to the field")

    def _completed(self, part):
        """A part with its defaults written out."""
        sends, drives = part.sends, part.drives
        if isinstance(sends, str):
            sends = (sends or self.fields[0],) * len(part.gates)
        if drives is None:
            drives = (gate for gate in part.gates if not gate.endswith(TRANSPOSED))
        return replace(part, fields=tuple(part.fields) or self.fields, sends=tuple(sends), drives=tuple(drives))

    def __repr__(self) -> str:
        return f"Field({self.name!r}, units={self.units}, inputs={self.inputs})"

    def __reduce__(self):
        return self.origin or (Field, tuple(getattr(self, item.name) for item in items(self)))
