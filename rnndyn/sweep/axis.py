"""`[axes]`: the values that are swept."""

import functools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, model_serializer
from pydantic import model_validator as validator

from rnndyn.sweep.part import Listed, Part

__all__ = ["Axis"]

Name = Annotated[str, Field(min_length=1)]
EXPECTED = "expected {start = ..., stop = ..., num = ...} or a list of numbers, or of texts"


class Axis(Part):
    """An entry of `[axes]`: `{start, stop, num}`, both ends included, or a list of numbers.

    Whatever names the axis is swept over it: a weight, a bias, a parameter of the cell (a leak, a step size), the gain
    or seed of an initialiser, an input's amplitude. Affine forms of it, "-w" or "1 - 0.5 * w", may stand wherever its
    name may. A list of texts is for a key of `[cell]`.
    """

    start: FiniteFloat | None = Field(default=None, description="the first value; needed, but in a list")
    stop: FiniteFloat | None = Field(default=None, description="the last value; needed, but in a list")
    num: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        default=None, description="how many values; needed, but in a list"
    )
    scale: Literal["linear", "log"] = Field(default="linear", description="equal steps, or equal ratios")
    listed: (
        Annotated[tuple[int | FiniteFloat, ...], Listed]
        | Annotated[tuple[Name, ...], Listed, Field(min_length=1)]
        | None
    ) = None

    @validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if isinstance(value, list):
            if len({isinstance(entry, str) for entry in value}) > 1:
                raise ValueError("a list of numbers or of texts, not of both")
            return {"listed": value}
        if not isinstance(value, Mapping):
            raise ValueError(f"{EXPECTED}, got {value!r}")
        if "listed" in value:
            raise ValueError("unknown key 'listed'; known: start, stop, num, scale")
        return value

    @validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.listed is None:
            absent = [name for name in ("start", "stop", "num") if getattr(self, name) is None]
            if absent:
                raise ValueError(f"{' and '.join(absent)} missing: give start, stop and num, or a list of numbers")
            if self.scale == "log" and (self.start or 0.0) * (self.stop or 0.0) <= 0:
                raise ValueError(f"scale = 'log' needs start and stop of one sign, not {self.start:g} to {self.stop:g}")
        if not len(self.values):
            raise ValueError("the list is empty: an axis needs at least one value")
        if self.is_text:
            if len(set(self.values)) < len(self.values):
                raise ValueError("a text stands in it twice")
            return self
        rise = np.diff(self.values)
        if not (np.all(rise > 0) or np.all(rise < 0)):
            raise ValueError("its values must rise (or fall) from each to the next, without repetition")
        return self

    @model_serializer
    def _as_written(self) -> Any:
        if self.listed is not None:
            return list(self.listed)
        written = {"start": self.start, "stop": self.stop, "num": self.num}
        return written | ({"scale": self.scale} if self.scale != "linear" else {})

    @property
    def is_text(self) -> bool:
        """Whether it holds texts, which choose the cell, and no numbers."""
        return self.values.dtype.kind == "U"

    @functools.cached_property
    def values(self) -> NDArray[Any]:
        """The coordinate values, float64 (int64 for a list of whole numbers, `<U` of texts), shape (num,)."""
        if self.listed is not None:
            return np.array(self.listed)
        spaced = np.geomspace if self.scale == "log" else np.linspace
        return spaced(self.start or 0.0, self.stop or 0.0, self.num or 0)
