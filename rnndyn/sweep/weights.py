"""From `[weights]` to arrays: numbers, axis names, nested lists of both, initialisers; whole or gate by gate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.initialisers import INITIALISERS
from rnndyn.sweep.value import Values, check_entries, one_of, stack

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["build_weights", "check_weights"]

Shape = tuple[int, ...]


def check_weights(study: "Study", cell: Any) -> None:
    """Raise InputError for a weight the cell does not have, a wrong shape, an unknown axis, a wrong initialiser."""
    for name, value in study.weights.items():
        where = f"[weights] {name}"
        if name not in cell.shapes:
            hint = suggestion(name, cell.shapes)
            if not cell.inputs and name.endswith("_ih"):
                hint = "it needs inputs, and [cell] inputs is 0"
            raise InputError(f"{where} = {_short(value)}: {cell.name} has no such weight; {hint}")
        try:
            _check(study, cell, name, tuple(cell.shapes[name]), value)
        except ValueError as error:
            raise InputError(f"{where} = {_short(value)}: {error}") from None


def build_weights(study: "Study", cell: Any, block: Values) -> dict[str, NDArray[np.float64]]:
    """Return the weights for a block of the grid, given the values of each axis in it.

    Each array has one leading axis for each axis of the study, of length 1 where the weight does not depend on it,
    followed by the shape of the weight.
    """
    return {
        name: _build(study, cell, name, tuple(cell.shapes[name]), value, block) for name, value in study.weights.items()
    }


def _check(study: "Study", cell: Any, name: str, shape: Shape, value: Any) -> None:
    if not isinstance(value, Mapping):
        return check_entries(value, shape, study)
    if "init" in value:
        init = one_of("init", INITIALISERS, value)
        whole = value["init"] == "file" or not _blocks(cell, name, shape)
        return init.check(study, shape if whole else (cell.units, *shape[1:]))
    if not value:
        raise ValueError("the table is empty: give init = ..., or a value for each gate")
    blocks = _blocks(cell, name, shape)
    known = {name for init in INITIALISERS.values() for name in init.model_fields}
    if not blocks or set(value) & (known - set(cell.gates)):
        raise ValueError(f"init is missing: one of {', '.join(map(repr, INITIALISERS))}")
    for gate, inner in value.items():
        if gate not in blocks:
            raise ValueError(f"{cell.name} has no gate {gate!r}; {suggestion(gate, [*blocks, 'init'])}")
        if isinstance(inner, Mapping) and "init" not in inner:
            raise ValueError(f"{gate}: init is missing: one of {', '.join(map(repr, INITIALISERS))}")
        try:
            _check(study, cell, name, (cell.units, *shape[1:]), inner)
        except ValueError as error:
            raise ValueError(f"gate {gate}: {error}") from None
    return None


def _blocks(cell: Any, name: str, shape: Shape) -> tuple[str, ...]:
    """Return the gates whose row blocks a weight is made of; none if it is not. Cells may drive other rows than they
    multiply, and multiply some by a second matrix."""
    second = cell.second
    gates = tuple(gate for gate in cell.gates if (gate in second) == (name == "weight_hh2"))
    gates = cell.drives if name in ("weight_ih", "bias_ih") else gates
    return gates if name not in cell.parameters and shape and shape[0] == len(gates) * cell.units else ()


def _build(study: "Study", cell: Any, name: str, shape: Shape, value: Any, block: Values) -> NDArray[np.float64]:
    if not isinstance(value, Mapping):
        return stack(value, shape, block)
    gates, inner = _blocks(cell, name, shape), (cell.units, *shape[1:])
    if "init" in value:
        init = one_of("init", INITIALISERS, value)
        if len(gates) < 2 or value["init"] == "file":
            return init.build(study, name, shape, block)
        parts = [init.build(study, f"{name}.{gate}", inner, block) for gate in gates]
    else:
        word = name if len(gates) < 2 else name + ".{}"
        parts = [_build_gate(study, word.format(gate), inner, value.get(gate, 0.0), block) for gate in gates]
    leading = np.broadcast_shapes(*(part.shape[: part.ndim - len(shape)] for part in parts))
    return np.concatenate([np.broadcast_to(part, (*leading, *inner)) for part in parts], axis=len(leading))


def _build_gate(study: "Study", name: str, shape: Shape, value: Any, block: Values) -> NDArray[np.float64]:
    if isinstance(value, Mapping):
        return one_of("init", INITIALISERS, value).build(study, name, shape, block)
    return stack(value, shape, block)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
