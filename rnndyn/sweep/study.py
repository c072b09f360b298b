"""The study file: what is swept, over which grid, and what is measured at each point of it."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, SerializeAsAny
from pydantic import model_validator as validator

from rnndyn.sweep.axis import Axis
from rnndyn.sweep.cell import CellTable, make_cell
from rnndyn.sweep.figure import Figure
from rnndyn.sweep.heading import Heading
from rnndyn.sweep.inputs import INPUTS, FileInputs, Inputs
from rnndyn.sweep.measures import Measure
from rnndyn.sweep.number import Number
from rnndyn.sweep.part import Listed, Natural, Part, Whole
from rnndyn.sweep.refinement import Refine
from rnndyn.sweep.start import RANDOM, ZERO
from rnndyn.sweep.value import digest, one_of

__all__ = ["Run", "Study"]


class Run(Part):
    """`[run]`: how long, from where, from which random numbers, in which precision and on which device."""

    steps: Whole = Field(description="steps that count")
    transient: Natural = Field(default=0, description="steps before them, to reach the attractor")
    initial_state: Any = Field(
        default=RANDOM,
        description='where the networks start: "random" (0.1 times standard normal, from seed and grid index), "zero", '
        "a number, an axis, a list of one each for every component, or a table of them by state field",
    )
    dtype: Literal["float64", "float32"] = Field(default="float64", description="the precision")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where it runs")
    seed: Natural = Field(default=0, description="of all random numbers in the study")

    def start_words(self) -> str:
        """Say where the networks start."""
        if self.initial_state == RANDOM:
            return "0.1 times a standard normal state drawn from (seed, grid index)"
        return "the zero state" if self.initial_state == ZERO else f"the state {json.dumps(self.initial_state)}"


def _inputs(value: Any) -> Any:
    return value if value is None or isinstance(value, Inputs) else one_of("kind", INPUTS, value)


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else []


class Study(Heading):
    """A checked study of one cell on one grid."""

    cell: CellTable = Field(description="which network")
    axes: Annotated[dict[str, Axis], Field(min_length=1)] = Field(description="what is swept")
    weights: dict[str, Any] = Field(default={}, description="its weights and parameters; those left out are zero")
    inputs: Annotated[SerializeAsAny[Inputs] | None, BeforeValidator(_inputs)] = Field(
        default=None, description="what drives it; nothing"
    )
    run: Run = Field(description="how it is run")
    measure: Measure = Field(description="what is measured")
    refine: Refine | None = Field(default=None, description="a map at a high resolution; none")
    figure: Annotated[tuple[Figure, ...], Listed] = Field(default=(), description="what is drawn; one of each variable")
    number: Annotated[tuple[Number, ...], Listed] = Field(default=(), description="numbers told on the page")
    _size: int | None = PrivateAttr(None)

    @validator(mode="before")
    @classmethod
    def _sizes_first(cls, value: Any) -> Any:
        """Put the axis of sizes before the others: sizes are computed one after another."""
        cell, axes = (value.get(key) for key in ("cell", "axes")) if isinstance(value, Mapping) else (None, None)
        name = cell.get("units") if isinstance(cell, Mapping) else None
        if not isinstance(axes, Mapping) or not isinstance(name, str) or name not in axes:
            return value
        return {**value, "axes": {name: axes[name], **axes}}

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values along each axis."""
        return tuple(len(axis.values) for axis in self.axes.values())

    @property
    def points(self) -> int:
        """The number of grid points."""
        return math.prod(self.shape)

    @property
    def size_axis(self) -> str | None:
        """The axis that holds the number of units, the first one; None if that is one number."""
        return self.cell.units if isinstance(self.cell.units, str) else None

    @property
    def size(self) -> int | None:
        """The number of units, of one size out of several; None otherwise."""
        return self._size

    def of_size(self, place: int) -> "Study":
        """Return the study with the number of units at a place of the axis of sizes, on the same grid."""
        if self.size_axis is None:
            return self
        units = int(self.axes[self.size_axis].values[place])
        one = self.model_copy(update={"cell": self.cell.model_copy(update={"units": units})})
        one._size = units
        return one

    def sizes(self) -> list["Study"]:
        """Return the study of each size, in order; itself if there is one only."""
        if self.size_axis is None:
            return [self]
        return [self.of_size(place) for place in range(len(self.axes[self.size_axis].values))]

    def make_cell(self) -> Any:
        """Return the cell, of a study of one size; raises InputError for an unknown kind or keyword.

        A file in `kind` is run.
        """
        return make_cell(self.cell, self._folder)

    def longest(self) -> int:
        """Return the steps of the longest run that a measure asks for."""
        run, measure = self.run, self.measure
        lengths = [run.transient + (measure.lyapunov.limit or run.steps)] if measure.lyapunov else []
        if measure.gradient:
            lengths.append(measure.gradient.transient + measure.gradient.horizon)
        if measure.trajectory:
            lengths.append(measure.trajectory.steps or run.transient + run.steps)
        return max(lengths, default=run.transient + run.steps)

    def files(self) -> dict[str, str]:
        """Return the fingerprints of the files that the study names: a cell's, weights', inputs'."""
        tables = [inner for value in self.weights.values() for inner in (value, *_values(value))]
        names = [self.cell.file, *(table["file"] for table in tables if isinstance(table, dict) and "file" in table)]
        if isinstance(self.inputs, FileInputs):
            names.append(self.inputs.file)
        return {name: digest(name, self) for name in names if isinstance(name, str)}

    def numbers(self) -> dict[str, Any]:
        """Return what the results depend on (not the titles and figures), as plain JSON values."""
        tables = {"cell", "axes", "weights", "inputs", "run", "measure"}
        return self.model_dump(mode="json", include=tables, exclude_none=True)

    def digest(self) -> str:
        """Return a fingerprint of `numbers()`."""
        return hashlib.sha256(json.dumps(self.numbers(), sort_keys=True).encode()).hexdigest()
