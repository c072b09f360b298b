"""The study file: what is swept, over which grid, and what is measured at each point of it."""

import contextlib
import hashlib
import json
import math
import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, SerializeAsAny, ValidationError
from pydantic import model_validator as validator

from rnndyn.errors import InputError, nearest, suggestion
from rnndyn.sweep.axis import Axis
from rnndyn.sweep.cell import CellTable, make_cell
from rnndyn.sweep.figure import Figure
from rnndyn.sweep.inputs import INPUTS, FileInputs, Inputs
from rnndyn.sweep.measures import Measure
from rnndyn.sweep.number import Number, check_answer
from rnndyn.sweep.part import Listed, Natural, Part, Whole
from rnndyn.sweep.sentences import sentences
from rnndyn.sweep.start import RANDOM, ZERO
from rnndyn.sweep.value import digest, one_of

__all__ = ["Run", "Study", "read_study"]


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


class Study(Part):
    """A checked study. `name` and `text` tell where it came from; they are no part of what is computed."""

    title: str = Field(default="", description="what the page is called; the file's name")
    question: str = Field(default="", description="what is asked, in a sentence or two; nothing")
    answer: str = Field(
        default="",
        description="what was found, first on the page, a line for each sentence; `{id}` or `{label}` holds the "
        "value of that `[[number]]`; made from the numbers",
    )
    claim: Annotated[int, Field(ge=1, le=9)] | None = Field(
        default=None, description="the number of the claim it is about; none"
    )
    cell: CellTable = Field(description="which network")
    axes: Annotated[dict[str, Axis], Field(min_length=1)] = Field(description="what is swept")
    weights: dict[str, Any] = Field(default={}, description="its weights and parameters; those left out are zero")
    inputs: Annotated[SerializeAsAny[Inputs] | None, BeforeValidator(_inputs)] = Field(
        default=None, description="what drives it; nothing"
    )
    run: Run = Field(description="how it is run")
    measure: Measure = Field(description="what is measured")
    figure: Annotated[tuple[Figure, ...], Listed] = Field(default=(), description="what is drawn; one of each variable")
    number: Annotated[tuple[Number, ...], Listed] = Field(default=(), description="numbers told on the page")
    _name: str = PrivateAttr("study")
    _file: str = PrivateAttr("study.toml")
    _text: str = PrivateAttr("")
    _folder: Path = PrivateAttr(Path())
    _changes: dict[str, Any] = PrivateAttr(default_factory=dict)
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
    def name(self) -> str:
        """The file's name without its ending."""
        return self._name

    @property
    def file(self) -> str:
        """The study file as it was named, for the command that repeats it; never an absolute path."""
        return self._file

    @property
    def text(self) -> str:
        """The study file's text as read ("" for a study made in Python)."""
        return self._text

    def command(self, directory: Path | None = None) -> str:
        """Return the command that repeats the sweep and its report in `directory`, as for a shell.

        Like the study file, a folder outside the current one is named without its place.
        """
        words = ["rnndyn", "run", self.file]
        for place, value in self._changes.items():
            words += ["--set", f"{place}={json.dumps(value)}"]
        if directory is not None:
            with contextlib.suppress(ValueError):
                directory = directory.resolve().relative_to(Path.cwd())
            name = directory.name if directory.is_absolute() or ".." in directory.parts else directory.as_posix()
            if name != f"reports/{self.name}":
                words += ["-o", name]
        return shlex.join(words)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values along each axis."""
        return tuple(len(axis.values) for axis in self.axes.values())

    @property
    def points(self) -> int:
        """The number of grid points."""
        return math.prod(self.shape)

    @property
    def folder(self) -> Path:
        """The folder of the study file; files that it names are looked for there."""
        return self._folder

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


def read_study(path: str | os.PathLike[str], overrides: Mapping[str, Any] | None = None) -> Study:
    """Read and check a study file.

    `overrides` replaces single values by their dotted place, as in `{"axes.w.num": 64}`. Raises InputError, one
    sentence for each mistake with the file, the key and the value.
    """
    from rnndyn.sweep.checks import check_study

    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder: give one study file (*.toml)")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        siblings = [str(found) for found in sorted(path.parent.glob("*.toml"))] if path.parent.is_dir() else []
        guess = nearest(path, siblings)
        raise InputError(f"there is no study file {path}" + (f"; did you mean {guess}?" if guess else "")) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8 (byte {error.start})") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}{_twice(text, str(error))}") from None
    for place, value in (overrides or {}).items():
        try:
            _put(table, place, value)
        except InputError as error:
            raise InputError(f"{path}: cannot set {place} = {value!r}: {error}") from None
    try:
        study = Study.model_validate(table)
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {line}" for line in sentences(error, Study, table))) from None
    study._name, study._text, study._folder = path.stem, text, path.parent
    study._changes = dict(overrides or {})
    study._file = path.name if path.is_absolute() or ".." in path.parts else path.as_posix()
    try:
        check_study(study)
        check_answer(study.answer, study.number)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return study


def _twice(text: str, message: str) -> str:
    """Return "; the key 'steps' is there twice" where that is what the parser found: it names the line only."""
    at = re.search(r"at line (\d+)", message)
    if at is None or not message.startswith("Cannot overwrite"):
        return ""
    keys = [re.match(r"""\s*([\w."'-]+)\s*=""", line) for line in text.splitlines()[: int(at[1])]]
    found = [key[1] for key in keys if key is not None]
    return f"; the key {found[-1]!r} is there twice: remove one" if found else ""


def _put(table: dict[str, Any], place: str, value: Any) -> None:
    *tables, key = place.split(".")
    if tables[:1] == ["axes"] and len(tables) > 1 and (name := tables[1]) not in table.get("axes", {}):
        raise InputError(f"no axis {name!r}; {suggestion(name, table.get('axes', {}))}")
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            more = "; entries of a list are changed in the file" if isinstance(table, list) else ""
            raise InputError(f"{name} is not a table{more}")
    table[key] = value
