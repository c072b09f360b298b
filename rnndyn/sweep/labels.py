"""The labels of a result: coordinates with their meaning, and the attributes of the whole."""

import json
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from rnndyn.sweep.measures import Variable
    from rnndyn.sweep.study import Study

__all__ = ["attributes", "coordinates"]

Coordinate = tuple[NDArray[Any], dict[str, str]]
LAG = {"long_name": "steps from the loss back to the state", "units": "step"}
EXPONENT = {"long_name": "number of the exponent, from the largest", "units": "1"}


def coordinates(study: "Study", variables: list["Variable"]) -> dict[str, Coordinate]:
    """Return dimension name -> (values, attributes): first the study's axes in order, then the variables' own."""
    result = {name: (axis.values, {"long_name": _meaning(study, name)}) for name, axis in study.axes.items()}
    for variable in variables:
        for name, values in variable.dims.items():
            result[name] = (values, LAG if name == "lag" else EXPONENT)
    return result


def attributes(study: "Study", manifest: dict[str, Any]) -> dict[str, str]:
    """Return the attributes of the dataset: everything the page needs, so that a dataset alone can be reported."""
    return {
        "title": study.title or study.name,
        "study": study.model_dump_json(exclude_none=True),
        "manifest": json.dumps(manifest),
    }


def _meaning(study: "Study", axis: str) -> str:
    """Say what an axis is: the entries of `[weights]` that use it."""
    users = [name for name, value in study.weights.items() if axis in _names(value)]
    return f"{axis} (in {', '.join(users)})"


def _names(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value.strip().removeprefix("-").strip()}
    if isinstance(value, dict):
        return {entry for entry in value.values() if isinstance(entry, str)}
    return set().union(*map(_names, value)) if isinstance(value, list) else set()
