"""The study file: what is swept, over which grid, and what is measured at each point of it."""

import functools
import hashlib
import json
import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    ConfigDict,
    Field,
    FiniteFloat,
    PrivateAttr,
    ValidationError,
    model_serializer,
)
from pydantic import model_validator as validator

from rnndyn.errors import InputError, nearest
from rnndyn.sweep.figure import Figure
from rnndyn.sweep.part import Listed, Natural, Part, Whole
from rnndyn.sweep.sentences import sentences

__all__ = ["Axis", "Figure", "Normal", "Run", "Study", "read_study"]


class Cell(Part):
    """`[cell]`: a name of `rnndyn.cells.CELLS`, its size, and the keywords of its constructor."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    kind: str
    units: Whole
    inputs: Natural = 0


class Axis(Part):
    """An entry of `[axes]`: `{start, stop, num}` (evenly spaced, both ends included) or a list of numbers."""

    start: FiniteFloat | None = None
    stop: FiniteFloat | None = None
    num: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    listed: Annotated[tuple[int | FiniteFloat, ...], Listed] | None = None

    @validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {"listed": value}
        if not isinstance(value, Mapping):
            raise ValueError(f"expected {{start = ..., stop = ..., num = ...}} or a list of numbers, got {value!r}")
        if "listed" in value:
            raise ValueError("unknown key 'listed'; known: start, stop, num")
        return value

    @validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.listed is None:
            absent = [name for name in ("start", "stop", "num") if getattr(self, name) is None]
            if absent:
                raise ValueError(f"{' and '.join(absent)} missing: give start, stop and num, or a list of numbers")
        if not len(self.values):
            raise ValueError("the list is empty: an axis needs at least one value")
        rise = np.diff(self.values)
        if not (np.all(rise > 0) or np.all(rise < 0)):
            raise ValueError("its values must rise (or fall) from each to the next, without repetition")
        return self

    @model_serializer
    def _as_written(self) -> Any:
        if self.listed is not None:
            return list(self.listed)
        return {"start": self.start, "stop": self.stop, "num": self.num}

    @functools.cached_property
    def values(self) -> NDArray[Any]:
        """The coordinate values, float64 (int64 for a list of whole numbers), shape (num,)."""
        if self.listed is not None:
            return np.array(self.listed)
        return np.linspace(self.start or 0.0, self.stop or 0.0, self.num or 0)


class Normal(Part):
    """`{init = "normal", gain, seed}`: independent normal entries of standard deviation `gain / sqrt(units)`."""

    init: Literal["normal"]
    gain: FiniteFloat | str = 1.0
    seed: Natural | str = 0


class Run(Part):
    """`[run]`: how long, from which random numbers, in which precision and where."""

    steps: Whole
    transient: Natural = 0
    seed: Natural = 0
    dtype: Literal["float64", "float32"] = "float64"
    device: Literal["auto", "cpu", "cuda"] = "auto"


class LyapunovMeasure(Part):
    """`[measure.lyapunov]`: the first `k` exponents (all), re-orthonormalised every `qr_every` steps (chosen)."""

    k: Whole | None = None
    qr_every: Whole | None = None


class GradientMeasure(Part):
    """`[measure.gradient]`: the size of the gradient that reaches the start from a loss `horizon` steps later."""

    horizon: Whole


class AttractorsMeasure(Part):
    """`[measure.attractors]`: the attractors reached from `starts` random starts, with periods up to `max_period`."""

    starts: Whole = 8
    max_period: Whole = 8
    steps: Whole | None = None


class Measure(Part):
    """`[measure.*]`: at least one quantity."""

    lyapunov: LyapunovMeasure | None = None
    gradient: GradientMeasure | None = None
    attractors: AttractorsMeasure | None = None

    @validator(mode="after")
    def _measures_something(self) -> Self:
        if self.lyapunov is self.gradient is self.attractors is None:
            raise ValueError("nothing is measured: add [measure.lyapunov], [measure.gradient] or [measure.attractors]")
        return self


class Study(Part):
    """A checked study. `name` and `text` tell where it came from; they are no part of what is computed."""

    title: str = ""
    question: str = ""
    claim: Annotated[int, Field(ge=1, le=9)] | None = None
    cell: Cell
    axes: Annotated[dict[str, Axis], Field(min_length=1)]
    weights: dict[str, Any] = Field(default={})
    run: Run
    measure: Measure
    figure: Annotated[tuple[Figure, ...], Listed] = ()
    _name: str = PrivateAttr("study")
    _file: str = PrivateAttr("study.toml")
    _text: str = PrivateAttr("")

    @validator(mode="after")
    def _fits_together(self) -> Self:
        from rnndyn.sweep.checks import check_study

        check_study(self)
        return self

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

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values along each axis."""
        return tuple(len(axis.values) for axis in self.axes.values())

    @property
    def points(self) -> int:
        """The number of grid points."""
        return math.prod(self.shape)

    def make_cell(self) -> Any:
        """Return the cell; raises InputError for an unknown kind or keyword."""
        from rnndyn.sweep.checks import make_cell

        return make_cell(self.cell)

    def numbers(self) -> dict[str, Any]:
        """Return what the results depend on (not the titles and figures), as plain JSON values."""
        return self.model_dump(mode="json", include={"cell", "axes", "weights", "run", "measure"}, exclude_none=True)

    def digest(self) -> str:
        """Return a fingerprint of `numbers()`."""
        return hashlib.sha256(json.dumps(self.numbers(), sort_keys=True).encode()).hexdigest()


def read_study(path: str | os.PathLike[str], overrides: Mapping[str, Any] | None = None) -> Study:
    """Read and check a study file.

    `overrides` replaces single values by their dotted place, as in `{"axes.w.num": 64}`. Raises InputError, one
    sentence for each mistake with the file, the key and the value.
    """
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
        raise InputError(f"{path} is not valid TOML: {error}") from None
    for place, value in (overrides or {}).items():
        _put(table, place, value)
    try:
        study = Study.model_validate(table)
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {line}" for line in sentences(error, Study))) from None
    study._name, study._text = path.stem, text
    study._file = path.name if path.is_absolute() or ".." in path.parts else path.as_posix()
    return study


def _put(table: dict[str, Any], place: str, value: Any) -> None:
    *tables, key = place.split(".")
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise InputError(f"cannot override {place}: {name} is not a table in the study")
    table[key] = value
