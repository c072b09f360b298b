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
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description='where it runs; "auto" is an NVIDIA GPU (extra `cuda`) where that ends sooner, decided once for '
        "all of a sweep, and what a sweep was begun with where it is gone on with",
    )
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
    _chosen: Any = PrivateAttr(None)
    _key: str | None = PrivateAttr(None)

    @validator(mode="before")
    @classmethod
    def _cells_first(cls, value: Any) -> Any:
        """Put the axis that chooses the cell before the others: cells are computed one after another."""
        cell, axes = (value.get(key) for key in ("cell", "axes")) if isinstance(value, Mapping) else (None, None)
        if not isinstance(axes, Mapping) or not isinstance(cell, Mapping):
            return value
        first = {name: axes[name] for name in cell.values() if isinstance(name, str) and name in axes}
        return {**value, "axes": {**first, **axes}}

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values along each axis."""
        return tuple(len(axis.values) for axis in self.axes.values())

    @property
    def points(self) -> int:
        """The number of grid points."""
        return math.prod(self.shape)

    @property
    def choosers(self) -> dict[str, str]:
        """{key of `[cell]`: the axis that it names}; of a checked study at most one, whose axis is the first."""
        return {key: name for key, name in self.cell if isinstance(name, str) and name in self.axes}

    @property
    def cell_axis(self) -> str | None:
        """The axis that chooses the cell, the first one: of sizes, steps, ...; None if there is one cell only."""
        return next(iter(self.choosers.values()), None)

    @property
    def one_cell(self) -> Any:
        """The value that chose the cell, of one cell out of several; None otherwise."""
        return self._chosen

    @property
    def chosen_key(self) -> str | None:
        """The key of `[cell]` whose axis chose it, of one cell out of several; None otherwise."""
        return self._key

    @property
    def size(self) -> int | None:
        """The number of units, of one size out of several; None otherwise."""
        return self._chosen if isinstance(self._chosen, int) else None

    def of_cell(self, place: int) -> "Study":
        """Return the study with the cell at a place of the axis that chooses it, on the same grid."""
        if not self.choosers:
            return self
        ((key, name),) = self.choosers.items()
        value = self.axes[name].values[place].item()
        value = int(value) if key == "units" else value
        one = self.model_copy(update={"cell": self.cell.model_copy(update={key: value})})
        one._chosen, one._key = value, key
        return one

    def cells(self) -> list["Study"]:
        """Return the study of each cell, in order; itself if there is one only."""
        count = 1 if self.cell_axis is None else len(self.axes[self.cell_axis].values)
        return [self.of_cell(place) for place in range(count)]

    def make_cell(self) -> Any:
        """Return the cell, of a study of one cell; raises InputError for an unknown kind, step or keyword.

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
        names = [
            *(one.cell.file for one in self.cells()),
            *(table["file"] for table in tables if isinstance(table, dict) and "file" in table),
        ]
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
