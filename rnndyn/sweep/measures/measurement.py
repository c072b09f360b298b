"""What all measurements share: the variables they yield and the block of the grid they work on."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.dynamics.noise import Noise
from rnndyn.errors import InputError
from rnndyn.sweep.inputs import Drive
from rnndyn.sweep.start import build_start
from rnndyn.sweep.value import Index, Together, Values, axes_in, extent, stack
from rnndyn.sweep.weights import build_weights

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = [
    "Arrays", "Block", "Measurement", "Variable", "axes_of_the_step", "cut", "input_bytes", "status", "steps_of",
]  # fmt: skip

Arrays = dict[str, NDArray[Any]]
STATUS_FILL = -1
STATUSES = {"NOT_COMPUTED": STATUS_FILL, "OK": 0, "NOT_CONVERGED": 1, "SINGULAR": 2, "DIVERGED": 3, "INVALID": 4}


@dataclass(frozen=True)
class Variable:
    """A result: its dimensions after the axes (name -> coordinate), its type and its labels.

    at: {axis: place} of the axes that it lacks, because it is measured at one value of them only.
    """

    name: str
    dtype: str
    attrs: Mapping[str, Any]
    dims: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    at: Mapping[str, int] = field(default_factory=dict)

    @property
    def fill(self) -> float | int:
        """The value of a point not computed yet."""
        return math.nan if self.dtype.startswith("float") else STATUS_FILL

    def axes(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the study's axes that the variable has."""
        return tuple(name for name in names if name not in self.at)


@dataclass(frozen=True)
class Block:
    """A block of the grid: the values of each axis in it, the grid index of its first point, and how to work.

    Or single points: the values of the axes `Together`, and the grid index of each.
    """

    study: "Study"
    cell: Any
    axes: Values
    first: Index
    threads: int | None = None
    progress: Callable[[float, float], None] | bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values along each axis, or of single points."""
        return extent(self.axes)

    @cached_property
    def weights(self) -> Arrays:
        """The weights, with one leading axis for each axis of the study."""
        return build_weights(self.study, self.cell, self.axes)

    @cached_property
    def _drive(self) -> Drive:
        """The inputs for the longest run of the study, so that a shorter one is its beginning."""
        if self.study.inputs is None:
            return None
        return self.study.inputs.build(self.study, self.cell.inputs, self.study.longest(), self.axes, self.first)

    def inputs(self, begin: int, end: int) -> Drive:
        """Return the inputs of steps begin..end-1, (axes..., steps or 1, inputs), or noise; None if there are none."""
        drive = self._drive
        if isinstance(drive, Noise):
            return drive.after(begin)
        return drive if drive is None or drive.shape[-2] == 1 else drive[..., begin:end, :]

    def start(self) -> NDArray[np.float64]:
        """Return the states that the networks start from, (axes..., state size)."""
        return build_start(self.study, self.cell, self.axes, self.first)

    def without(self, at: Mapping[str, int]) -> NDArray[np.int64]:
        """Return the grid index that each point has with some axes at fixed places, of length 1 along these."""
        index = np.unravel_index(self.first + np.arange(math.prod(self.shape)).reshape(self.shape), self.study.shape)
        moved = [at.get(name, along) for name, along in zip(self.axes, index, strict=True)]
        whole = [np.broadcast_to(along, self.shape) for along in moved]
        same = np.ravel_multi_index(whole, self.study.shape)
        return same[tuple(slice(1) if name in at else slice(None) for name in self.axes)]

    def holds(self, at: Mapping[str, int]) -> dict[int, int] | None:
        """Return {number of an axis: place in the block} of fixed places of some axes; None if one is not in it.

        Raises InputError for single points: they lie anywhere on such an axis.
        """
        if at and isinstance(self.axes, Together):
            raise InputError(f"what is measured at one value of {', '.join(at)} only is not measured at single points")
        places = {}
        for number, (name, values) in enumerate(self.axes.items()):
            if name in at:
                found = np.flatnonzero(values == self.study.axes[name].values[at[name]])
                if not len(found):
                    return None
                places[number] = int(found[0])
        return places

    def options(self) -> dict[str, Any]:
        """Return how to work, as keywords of the quantities."""
        run = self.study.run
        return {"device": run.device, "dtype": run.dtype, "threads": self.threads, "progress": self.progress}


class Measurement(ABC):
    """One `[measure.*]` table at work. `steps` is the cost of a point in network steps, `bytes` its working memory.

    `length` is the number of steps that the networks run, `variables` what comes out.
    """

    name: str
    variables: list[Variable]
    steps: float
    bytes: float
    length: int

    @abstractmethod
    def __init__(self, study: "Study", cell: Any) -> None: ...

    @abstractmethod
    def __call__(self, block: Block) -> Arrays:
        """Return an array for each variable, of the block's shape and the variable's own dimensions."""


def input_bytes(study: "Study", cell: Any, length: int) -> float:
    """Return the memory that the inputs of a point take in a run of so many steps."""
    return 0.0 if study.inputs is None else 8.0 * cell.inputs * study.inputs.held(length)


def status(name: str, of: str) -> Variable:
    """Return the variable that tells what became of each point."""
    attrs = {
        "long_name": f"status of the {of}",
        "flag_values": list(STATUSES.values()),
        "flag_meanings": " ".join(STATUSES),
    }
    return Variable(name, "int8", attrs)


def cut(array: Any, places: dict[int, int]) -> Any:
    """Return the part of an array at the places of some leading axes, which stay with the length 1."""
    if array is None:
        return None
    if isinstance(array, Noise):
        return array.each(lambda part: cut(part, places))
    for axis, place in places.items():
        if array.shape[axis] > 1:
            array = array.take([place], axis=axis)
    return array


def steps_of(study: "Study", cell: Any) -> NDArray[np.float64]:
    """Return dt at every grid point, with one axis for each axis of the study, of length 1 where it does not vary."""
    whole = {name: axis.values for name, axis in study.axes.items()}
    return stack(study.weights.get("dt", cell.parameters["dt"]), (), whole)


def axes_of_the_step(study: "Study", cell: Any, method: bool) -> dict[str, int]:
    """Return {axis: place of the smallest dt} of the axes that nothing but dt depends on, which the flow lacks.

    method: nothing but dt and the step that is taken.
    """
    parts = [{name: value for name, value in study.weights.items() if name != "dt"}, study.run.initial_state]
    parts += [] if study.inputs is None else [study.inputs.model_dump(exclude={"kind", "file"})]
    used = set().union(*map(axes_in, parts))
    if study.one_cell is not None and not (method and study.chosen_key == "step"):
        used.add(next(iter(study.axes)))
    dt = steps_of(study, cell)
    smallest = np.unravel_index(int(np.argmin(dt)), dt.shape)
    return {name: int(place) for name, place in zip(study.axes, smallest, strict=True) if name not in used}
