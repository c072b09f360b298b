"""`[refine]`: the borders of a map at a high resolution, and what is computed for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, FiniteFloat

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.jobs import Job, job_at
from rnndyn.sweep.measures import KINDS, Arrays, Variable
from rnndyn.sweep.part import Listed, Natural, Part, Whole
from rnndyn.sweep.provenance import identity

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["Label", "Plan", "Refine", "identity_of", "plan"]

Names = Annotated[tuple[str, ...], Listed, BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
Nodes = Annotated[int, Field(ge=2, le=100_000)]
OWN_NAMES = ("index", "level", "point")
BELOW, ZERO, ABOVE, UNKNOWN = -1, 0, 1, 2  # signs


class Refine(Part):
    """`[refine]`: a map at a high resolution, computed only where a label, or the sign of a number, changes.

    `rnndyn refine STUDY` makes it (`rd.refine` in Python), and `rnndyn run` shows it on the page. Cells of a coarse
    grid whose corners differ are cut into halves, and theirs again, up to `num` points along two axes; a border is
    followed where it leaves them. What is not computed has the label of the points around it. Computed points have the
    bits of a sweep with `num` points along both axes. An island or a strip that lies between the points of the
    coarse grid is missed.
    """

    variable: Names = Field(
        default=(),
        description="the label whose borders are wanted, or a list of several: `attractors`, `period`, a status; none",
    )
    sign_of: Names = Field(
        default=(),
        description="a variable whose change of sign is wanted, or a list of several, as `exponents`; none",
    )
    num: Nodes | dict[str, Nodes] = Field(
        description="points of the refined map along both axes, or a table of them by axis"
    )
    x: str | None = Field(default=None, description="the first axis that is refined; the first one that can be")
    y: str | None = Field(default=None, description="the second axis that is refined; the next one that can be")
    at: dict[str, int | FiniteFloat] = Field(
        default={}, description="values of the other axes (the nearest of the grid); the middle of each"
    )
    index: Whole = Field(default=1, description="of `sign_of`, which exponent, counted from 1")
    errors: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0.0, description="of `sign_of`, how many standard errors of zero count as zero"
    )
    coarse: Nodes | dict[str, Nodes] | None = Field(
        default=None,
        description="points along both axes, at least, of the grid to begin with, or a table of them by axis; as many "
        "as `[axes]` gives",
    )
    margin: Natural = Field(default=1, description="cells computed on both sides of a border, at each resolution")
    most: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="the share of the points beyond which borders are too ragged to be followed"
    )


@dataclass(frozen=True)
class Label:
    """What a border is a change of: a variable of whole numbers, or the sign of one of real numbers."""

    variable: Variable
    sign: bool
    index: int
    errors: float

    @property
    def name(self) -> str:
        """What it is called in the refined map."""
        return f"{self.variable.name}_sign" if self.sign else self.variable.name

    @property
    def attrs(self) -> dict[str, Any]:
        """Its labels."""
        attrs = dict(self.variable.attrs)
        if not self.sign:
            return attrs
        zero = f"within_{self.errors:g}_errors_of_zero" if self.errors else "zero"
        flags = {"flag_values": [BELOW, ZERO, ABOVE, UNKNOWN], "flag_meanings": f"below_zero {zero} above_zero unknown"}
        return {"long_name": f"sign of the {attrs['long_name']}", "units": "1", "how": attrs.get("how", ""), **flags}

    def of(self, arrays: Arrays) -> NDArray[np.integer[Any]]:
        """Return the label (K,) of points from their variables."""
        name = self.variable.name
        if not self.sign:
            return arrays[name]
        value, error = self._one(arrays[name]), 0.0
        if self.errors and f"{name}_stderr" in arrays:
            error = self.errors * np.nan_to_num(self._one(arrays[f"{name}_stderr"]), posinf=np.inf)
        known = ~np.isnan(value)
        sign = (value - error > 0).astype(np.int8) - (value + error < 0).astype(np.int8)
        return np.where(known, sign, np.int8(UNKNOWN))

    def _one(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return one number a point: an exponent, the last lag."""
        if "exponent" in self.variable.dims:
            return values[:, self.index - 1]
        return values[:, -1] if self.variable.dims else values


@dataclass(frozen=True)
class Plan:
    """A refinement with nothing left open.

    job: that of the study on the fine grid, with the measurements that the labels need. x, y: the axes, `num` (n, m)
    and `coarse` their points; place: that of the map on the fine grid's axes, with 0 on `x` and `y`.
    """

    job: Job
    x: str
    y: str
    num: tuple[int, int]
    coarse: tuple[int, int]
    place: tuple[int, ...]
    labels: list[Label]
    margin: int
    most: float

    @property
    def study(self) -> "Study":
        """The study on the fine grid."""
        return self.job.study

    @property
    def held(self) -> dict[str, Any]:
        """The values of the axes that are not refined."""
        places = zip(self.study.axes.items(), self.place, strict=True)
        return {name: axis.values[at].item() for (name, axis), at in places if name not in (self.x, self.y)}

    def places(self, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """Return the place on each axis of the study of points (K,) numbered along y, then x."""
        i, j = np.divmod(index, self.num[1])
        along = {self.x: i, self.y: j}
        return tuple(
            along.get(name, np.full(len(index), at)) for name, at in zip(self.study.axes, self.place, strict=True)
        )

    def numbers(self) -> dict[str, Any]:
        """Return what the refined map depends on beside the study on the fine grid, as plain JSON values."""
        signs = [[label.name, label.index, label.errors] if label.sign else [label.name] for label in self.labels]
        return {
            "x": self.x,
            "y": self.y,
            "at": self.held,
            "labels": signs,
            "coarse": list(self.coarse),
            "margin": self.margin,
        }


def identity_of(wanted: Plan) -> dict[str, Any]:
    """Return all that the bits of a refined map depend on."""
    return {**identity(wanted.study, [wanted.job.cell], wanted.study.run.device), "refine": wanted.numbers()}


def plan(study: "Study") -> Plan:
    """Return what `[refine]` of a study asks for; raises InputError, in a sentence, if it does not fit the study."""
    from rnndyn.sweep.points import place_of

    table = study.refine
    assert table is not None
    if not table.variable and not table.sign_of:
        raise InputError("[refine]: variable is missing (or sign_of): which label's borders are wanted?")
    x, y = _axes(study, table)
    num, coarse = (_by_axis(key, getattr(table, key), study, (x, y)) for key in ("num", "coarse"))
    for name, most, least in zip((x, y), num, coarse, strict=True):
        if least > most and table.coarse is not None:
            raise InputError(f"[refine] coarse: {least} points along {name} to begin with, num asks for {most}")
    place = place_of(study, table.at, "[refine] at")
    fine = {name: _finer(study, name, n) for name, n in zip((x, y), num, strict=True)}
    whole = study.model_copy(update={"axes": {**study.axes, **fine}, "figure": (), "number": (), "refine": None})
    place = tuple(0 if name in fine else at for name, at in zip(study.axes, place, strict=True))
    known = {v.name: (m.name, v) for m in job_at(whole, place).work for v in m.variables}
    labels = [_label(table, name, known, "variable") for name in table.variable]
    labels += [_label(table, name, known, "sign_of") for name in table.sign_of]
    kinds = {known[label.variable.name][0] for label in labels}
    measure = study.measure.model_copy(update={name: None for name in KINDS if name not in kinds})
    job = job_at(whole.model_copy(update={"measure": measure}), place)
    begin = (min(coarse[0], num[0]), min(coarse[1], num[1]))
    return Plan(job, x, y, num, begin, place, labels, table.margin, table.most)


def _axes(study: "Study", table: Refine) -> tuple[str, str]:
    """Return the two axes that are refined."""
    from rnndyn.sweep.checks import users

    able = [name for name, axis in study.axes.items() if axis.listed is None and "units" not in users(study, name)]
    chosen = [table.x, table.y]
    for key, name in zip(("x", "y"), chosen, strict=True):
        if name is None:
            continue
        if name not in study.axes:
            raise InputError(f"[refine] {key} = {name!r}: no such axis; {suggestion(name, study.axes)}")
        if name not in able:
            raise InputError(f"[refine] {key} = {name!r}: only an axis of start, stop and num can be refined, no list")
        if name in table.at:
            raise InputError(f"[refine] at.{name}: this axis is refined as well; do one of them")
    if table.x is not None and table.x == table.y:
        raise InputError(f"[refine] x and y are both {table.x!r}; a map needs two axes")
    left = [name for name in able if name not in (*chosen, *table.at)]
    found = [name if name is not None else (left.pop(0) if left else None) for name in chosen]
    if found[0] is None or found[1] is None:
        raise InputError("[refine]: two axes of start, stop and num are needed, which at does not hold")
    for name in found:
        if name in OWN_NAMES:
            raise InputError(f"[axes] {name}: the refined map uses this name itself; choose another")
    return str(found[0]), str(found[1])


def _by_axis(key: str, given: Any, study: "Study", axes: tuple[str, str]) -> tuple[int, int]:
    """Return the points along the two axes, of a number or a table; those of `[axes]` where none are given."""
    table: Mapping[str, int] = given if isinstance(given, dict) else {} if given is None else dict.fromkeys(axes, given)
    for name in table:
        if name not in axes:
            raise InputError(f"[refine] {key}.{name}: this axis is not refined; {suggestion(name, axes)}")
    missing = [name for name in axes if name not in table]
    if key == "num" and missing:
        raise InputError(f"[refine] num: points along {missing[0]} are missing; give {key}.{missing[0]} too")
    first, second = (int(table.get(name, len(study.axes[name].values))) for name in axes)
    return max(first, 2), max(second, 2)


def _finer(study: "Study", name: str, num: int) -> Any:
    """Return an axis with more points."""
    axis = study.axes[name]
    return type(axis).model_validate({**axis.model_dump(), "num": num})


def _label(table: Refine, name: str, known: Mapping[str, tuple[str, Variable]], key: str) -> Label:
    """Return the label that a name of `variable` or `sign_of` stands for."""
    where = f"[refine] {key} = {name!r}"
    if name not in known:
        raise InputError(f"{where}: this study does not measure it; {suggestion(name, known)}")
    variable = known[name][1]
    whole = np.issubdtype(np.dtype(variable.dtype), np.integer)
    if key == "variable" and not whole:
        raise InputError(f"{where}: it is no label, a whole number; where its sign changes is asked for by sign_of")
    if key == "sign_of" and whole:
        raise InputError(f"{where}: it has whole numbers; where they change is asked for by variable")
    own = list(variable.dims)
    if variable.at or len(own) > (key == "sign_of") or not set(own) <= {"exponent", "lag"}:
        raise InputError(f"{where}: only a variable with one number at each point of the grid has borders")
    if "exponent" in own and table.index > len(variable.dims["exponent"]):
        raise InputError(f"[refine] index = {table.index}: {len(variable.dims['exponent'])} exponents are kept")
    return Label(variable, key == "sign_of", table.index, table.errors)
