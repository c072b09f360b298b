"""`[run] initial_state`: where the networks start."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.dynamics.random import random_start
from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.value import Index, Values, check_entries, extent, split, stack

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["RANDOM", "ZERO", "build_start", "check_start"]

RANDOM, ZERO = "random", "zero"


def check_start(study: "Study", cell: Any) -> None:
    """Raise InputError if `initial_state` does not fit the cell."""
    value = study.run.initial_state
    if value in (RANDOM, ZERO):
        return None
    where = f"[run] initial_state = {value!r}"
    try:
        if not isinstance(value, Mapping):
            if isinstance(value, str) and split(value).axis not in study.axes:
                hint = suggestion(value, [RANDOM, ZERO, *study.axes])
                raise ValueError(f"expected 'random', 'zero', numbers or an axis; {hint}")
            return check_entries(value, (cell.state_size,), study)
        for field, inner in value.items():
            if field not in cell.fields:
                raise ValueError(f"{cell.name} has no field {field!r}; {suggestion(field, cell.fields)}")
            check_entries(inner, (cell.state_size // len(cell.fields),), study)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def build_start(study: "Study", cell: Any, block: Values, first: Index) -> NDArray[np.float64]:
    """Return the starts for a block, (axes of the block..., state size)."""
    value = 0.0 if study.run.initial_state == ZERO else study.run.initial_state
    if value == RANDOM:
        shape = extent(block)
        points = int(np.prod(shape))
        return random_start(study.run.seed, first, points, cell.state_size).reshape(*shape, cell.state_size)
    if not isinstance(value, Mapping):
        return stack(value, (cell.state_size,), block)
    size = cell.state_size // len(cell.fields)
    parts = [stack(value.get(field, 0.0), (size,), block) for field in cell.fields]
    leading = np.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return np.concatenate([np.broadcast_to(part, (*leading, size)) for part in parts], axis=-1)
