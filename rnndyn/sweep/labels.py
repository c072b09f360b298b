"""The labels of a result: coordinates with their meaning, and the attributes of the whole."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.sweep.checks import users

if TYPE_CHECKING:
    from rnndyn.sweep.measures import Variable
    from rnndyn.sweep.study import Study

__all__ = ["attributes", "coordinates"]

Coordinate = tuple[NDArray[Any], dict[str, str]]
OWN = {
    "lag": {"long_name": "steps from the loss back to the state", "units": "step"},
    "exponent": {"long_name": "number of the exponent, from the largest", "units": "1"},
    "step": {"long_name": "step", "units": "step"},
    "component": {"long_name": "place in the state, from 1", "units": "1"},
}


def coordinates(study: "Study", variables: list["Variable"]) -> dict[str, Coordinate]:
    """Return dimension name -> (values, attributes): first the study's axes in order, then the variables' own."""
    result = {name: (_stored(axis.values), {"long_name": _meaning(study, name)}) for name, axis in study.axes.items()}
    for variable in variables:
        for name, values in variable.dims.items():
            result[name] = (values, OWN[name])
    return result


def attributes(study: "Study", cell: Any, manifest: dict[str, Any]) -> dict[str, str]:
    """Return the attributes of the dataset: everything the page needs, so that a dataset alone can be reported."""
    return {
        "title": study.title or study.name,
        "study": study.model_dump_json(exclude_none=True),
        "cell": json.dumps(
            {key: getattr(cell, key) for key in ("name", "units", "inputs", "equation", "source")}
            | {key: name for key, name in study.choosers.items() if key == "units"}
        ),
        "manifest": json.dumps(manifest),
    }


def _stored(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values of an axis as they are kept: texts of any length, the one kind that Zarr's format specifies."""
    return values.astype(np.dtypes.StringDType()) if values.dtype.kind == "U" else values


def _meaning(study: "Study", axis: str) -> str:
    """Say what an axis is: what uses it."""
    return f"{axis} (in {', '.join(users(study, axis))})"
