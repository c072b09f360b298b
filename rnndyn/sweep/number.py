"""`[[number]]`: a number of the result that the page tells, with its error and beside its theory."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, FiniteFloat

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.curves import CURVES, LINES, Curve
from rnndyn.sweep.grid import holds_texts, nearest_place
from rnndyn.sweep.limit import check_limit
from rnndyn.sweep.part import Listed, Part, Whole

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["Number", "boundary_of", "check_answer", "check_number", "fill"]

SHARES = ("above", "below", "agrees_with")
WHOLE = ("attractors", "period", "regime_period", "regime_attractors")  # variables with regions by number
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Number(Part):
    """`[[number]]`: one number of a variable: at a point, reduced over the grid, or compared with another variable."""

    label: str = Field(description="what it is, in the reader's words")
    id: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] | None = Field(
        default=None, description="a short name for `answer`; its label"
    )
    variable: str = Field(description="the variable it is of")
    at: dict[str, int | FiniteFloat | str] = Field(
        default={}, description="values of axes, `lag` or `step` (the nearest of the grid); none"
    )
    index: Whole = Field(default=1, description="which exponent or component of the state, counted from 1")
    reduce: Literal["mean", "median", "min", "max"] | None = Field(
        default=None, description="how the axes without a value in `at` become one number; not at all"
    )
    show: Literal["value", "exp", "distance"] = Field(
        default="value", description="the value, exp of it, or how far it lies from `theory` by name, at each point"
    )
    above: int | FiniteFloat | None = Field(
        default=None,
        description="makes the number the share of points that lie above this, by 2 standard errors if there are any; "
        "no share",
    )
    below: int | FiniteFloat | None = Field(
        default=None, description="the same, below this; with `above`, between the two; no share"
    )
    first: str | None = Field(
        default=None,
        description="an axis: makes the number, instead of a share, its first value that lies above (below) the bound; "
        "over other axes it is reduced among those where there is one; its note tells the value before it; a share",
    )
    interpolate: bool = Field(
        default=False,
        description="of `first`, where a cubic through the four nearest values passes the bound, instead of the value "
        "behind it; the points' errors do not count then",
    )
    extrapolate: str | None = Field(
        default=None,
        description="an axis of sizes: makes the number the limit of infinitely many, the intercept of a weighted "
        "least squares fit in its inverse; over other axes it is averaged, their scatter is the error; no limit",
    )
    terms: Annotated[int, Field(ge=1, le=4)] = Field(
        default=1, description="how many powers of the inverse size `extrapolate` fits: 1 is a line, 2 a parabola"
    )
    smallest: Whole | None = Field(default=None, description="the smallest size that `extrapolate` takes; all sizes")
    order: str | None = Field(
        default=None,
        description="an axis: makes the number the power of it with which the size of the variable falls, the slope of "
        "a straight line on logarithmic scales; no power",
    )
    minus: int | FiniteFloat = Field(default=0.0, description="of `order`, what the variable is taken from first")
    between: Annotated[tuple[FiniteFloat | int, FiniteFloat | int], Listed] | None = Field(
        default=None, description="of `order`, the values of its axis from and to which it is fitted; all"
    )
    agrees_with: str | None = Field(
        default=None,
        description="another variable: makes the number the share of points where both agree to 2 standard errors; "
        "no share",
    )
    region: int | str | None = Field(
        default=None,
        description='a regime ("chaotic", "fixed_point", "cycle" ...) or, of variables of whole numbers, a value: '
        "makes the number the share of the map's area over two axes that has it, with the uncertainty of its "
        "boundary; no region",
    )
    theory: int | FiniteFloat | Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="the number it should be (as shown), or theory by name (listed below): that for curves, or, of "
        "`first`, that for a map over the axis in `at` and that of `first`; or another variable, by name; none",
    )
    note: str = Field(default="", description="a word on how to take it; none")


def check_number(
    study: "Study", number: Number, dims: Mapping[str, tuple[str, ...]], coords: Mapping[str, Any], where: str
) -> None:
    """Raise InputError if `number` is of something that is not measured, not there, or does not go together.

    where: what the number is called in the sentence.
    """
    for key, name in (("variable", number.variable), ("agrees_with", number.agrees_with)):
        if name is not None and name not in dims:
            raise InputError(f"{where}: {key} = {name!r}: this study does not measure it; {suggestion(name, dims)}")
    own = [name for name in dims[number.variable] if name not in ("exponent", "component")]
    for name, value in number.at.items():
        if name not in own:
            raise InputError(f"{where}: at.{name} = {value!r}: no axis of {number.variable}; {suggestion(name, own)}")
        nearest_place(f"{where}: at.{name}", np.asarray(coords[name]), value)
    for name in ("exponent", "component"):
        if name in dims[number.variable] and number.index not in coords[name]:
            known = ", ".join(str(int(known)) for known in coords[name])
            raise InputError(f"{where}: index = {number.index}: known: {known}")
    free = [name for name in own if name not in number.at and len(coords[name]) > 1]
    shares = [key for key in SHARES if getattr(number, key) is not None]
    if number.extrapolate is None and (number.terms > 1 or number.smallest is not None):
        raise InputError(f"{where}: terms and smallest are of extrapolate: give it an axis of sizes")
    if number.interpolate and number.first is None:
        raise InputError(f"{where}: interpolate is of first: give it an axis")
    if number.order is None and (number.minus or number.between is not None):
        raise InputError(f"{where}: minus and between are of order: give it an axis")
    if number.region is not None:
        _check_region(where, number, coords, free, shares)
    elif number.order is not None:
        _check_order(where, number, own, coords, free, shares)
    elif number.extrapolate is not None:
        _check_extrapolate(where, number, own, coords, shares)
    elif number.first is not None:
        _check_first(where, number, own, coords, free, study)
    elif shares:
        if shares not in ([shares[0]], ["above", "below"]) or number.reduce is not None or number.show != "value":
            raise InputError(f"{where}: {shares[0]} gives a share of points; remove {_others(number, shares)}")
    elif free and number.reduce is None:
        raise InputError(f"{where}: {', '.join(free)}: give a value in at, or reduce = 'mean' over them")
    elif not free and number.reduce is not None:
        raise InputError(f"{where}: reduce = {number.reduce!r}: at leaves one point only; remove reduce")
    if isinstance(number.theory, str) and number.first is None:
        _check_named(where, number, number.theory, study, dims, bool(shares))
    elif number.show == "distance":
        raise InputError(f"{where}: show = 'distance' is that from a theory by name, or from another variable: name it")


def _check_named(
    where: str, number: Number, name: str, study: "Study", dims: Mapping[str, tuple[str, ...]], shares: bool
) -> None:
    """Raise InputError if theory by name, or another variable in its place, does not apply to a number."""
    if name not in LINES and name not in dims:
        raise InputError(f"{where}: no theory {name!r}; {suggestion(name, [*LINES, *dims])}")
    one = "" if number.show == "distance" else " at a point"
    if name in dims:
        fits, domain = set(dims[name]) <= {*dims[number.variable], "exponent"}, "variables with the same axes"
    else:
        line = LINES[name]
        fits, domain = line.of == number.variable and line.roles(study) is not None, line.domain
    if not fits or shares or (number.reduce and one):
        raise InputError(f"{where}: theory {name!r} does not apply here: it is for {domain}{one}")


def _check_extrapolate(
    where: str, number: Number, own: Sequence[str], coords: Mapping[str, Any], shares: Sequence[str]
) -> None:
    axis = str(number.extrapolate)
    if axis not in own:
        raise InputError(f"{where}: extrapolate = {axis!r}: no axis of it; {suggestion(axis, own)}")
    _is_ordered(where, "extrapolate", axis, coords)
    if axis in number.at:
        raise InputError(f"{where}: extrapolate = {axis!r}: at has a value of this axis; do one of them")
    others = [*shares, *(["reduce"] if number.reduce else []), *(["first"] if number.first else [])]
    others += ["show"] if number.show != "value" else []
    if others:
        raise InputError(f"{where}: extrapolate averages by itself and gives a value: remove {' and '.join(others)}")
    check_limit(f"{where}: extrapolate = {axis!r}", axis, coords[axis], number.terms, number.smallest)


def _check_order(
    where: str,
    number: Number,
    own: Sequence[str],
    coords: Mapping[str, Any],
    free: Sequence[str],
    shares: Sequence[str],
) -> None:
    axis = str(number.order)
    if axis not in own:
        raise InputError(f"{where}: order = {axis!r}: no axis of it; {suggestion(axis, own)}")
    _is_ordered(where, "order", axis, coords)
    if axis in number.at:
        raise InputError(f"{where}: order = {axis!r}: at has a value of this axis; do one of them")
    others = [*shares, *(name for name in ("first", "extrapolate", "region") if getattr(number, name) is not None)]
    others += [key for key, without in (("show", "value"), ("reduce", None)) if getattr(number, key) != without]
    if others or isinstance(number.theory, str):
        raise InputError(f"{where}: order gives a power: remove {' and '.join(others) or 'the name in theory'}")
    low, high = number.between or (-np.inf, np.inf)
    values = np.asarray(coords[axis], dtype=float)
    count = int(np.sum((values >= low) & (values <= high)))
    if np.any(values <= 0) or count < 3:
        raise InputError(f"{where}: order = {axis!r}: needs 3 positive values of it at least, there are {count}")
    others = [name for name in free if name != axis]
    if others:
        raise InputError(f"{where}: {', '.join(others)}: give a value in at")


def _is_ordered(where: str, key: str, axis: str, coords: Mapping[str, Any]) -> None:
    """Raise InputError for an axis of texts."""
    if holds_texts(coords[axis]):
        raise InputError(f"{where}: {key} = {axis!r}: texts have no order; take an axis of numbers")


def _check_region(
    where: str, number: Number, coords: Mapping[str, Any], free: Sequence[str], shares: Sequence[str]
) -> None:
    from rnndyn.dynamics import Regime

    region = f"{where}: region = {number.region!r}"
    if number.variable == "regime":
        known = [kind.name.lower() for kind in Regime]
        if number.region not in known:
            raise InputError(f"{region}: no regime; {suggestion(str(number.region), known)}")
    elif number.variable not in WHOLE:
        raise InputError(f"{region}: of regime, {', '.join(WHOLE)} only, not of {number.variable}")
    elif not isinstance(number.region, int):
        raise InputError(f"{region}: {number.variable} takes a whole number")
    others = [*shares, *(["reduce"] if number.reduce else []), *(["first"] if number.first else [])]
    others += [name for name in ("extrapolate", "order") if getattr(number, name) is not None]
    others += [*(["show"] if number.show != "value" else [])]
    if others:
        raise InputError(f"{region} gives a share of the map: remove {' and '.join(others)}")
    if len(free) != 2:
        more = "give the others a value in at" if len(free) > 2 else "a map has two"
        raise InputError(f"{region}: {', '.join(free) or 'no axis'} left: it takes two axes; {more}")
    for name in free:
        _is_ordered(where, "region", name, coords)


def _check_first(
    where: str, number: Number, own: Sequence[str], coords: Mapping[str, Any], free: Sequence[str], study: "Study"
) -> None:
    if number.first not in own:
        raise InputError(f"{where}: first = {number.first!r}: no axis of it; {suggestion(str(number.first), own)}")
    _is_ordered(where, "first", str(number.first), coords)
    if number.first in number.at:
        raise InputError(f"{where}: first = {number.first!r}: at has a value of this axis; do one of them")
    if (number.above is None) == (number.below is None) or number.agrees_with is not None or number.show != "value":
        raise InputError(
            f"{where}: first needs above or below, one of them, and goes with neither agrees_with nor show"
        )
    if isinstance(number.theory, str):
        if number.theory not in CURVES:
            raise InputError(f"{where}: no theory {number.theory!r} for a map; {suggestion(number.theory, CURVES)}")
        if boundary_of(number, study) is None:
            domain = CURVES[number.theory].domain
            raise InputError(f"{where}: theory {number.theory!r} does not apply here: it is for {domain}")
    others = [name for name in free if name != number.first]
    if others and number.reduce is None:
        raise InputError(f"{where}: {', '.join(others)}: give a value in at, or reduce = 'median' over them")


def boundary_of(number: Number, study: "Study") -> tuple[Curve, float] | None:
    """Return the curve that `theory` of a number with `first` names, and the x in `at`; None if it does not apply."""
    for name, value in number.at.items():
        curve = CURVES[str(number.theory)].of(study, name, number.first)
        if curve is not None and not isinstance(value, str):
            return curve, float(study.axes[name].values[nearest_place(name, study.axes[name].values, value)])
    return None


def check_answer(answer: str, numbers: "Sequence[Number]", below: "Mapping[str, Sequence[Number]]") -> None:
    """Raise InputError if the answer of a study holds a placeholder that no number fills, its own or of a section.

    below: the numbers of the sections by their names.
    """
    known = [name for number in numbers for name in (number.id, number.label) if name]
    known += [
        f"{section}.{name}" for section in below for one in below[section] for name in (one.id, one.label) if name
    ]
    for name in PLACEHOLDER.findall(answer):
        if name not in known:
            hint = suggestion(name, known) if known else "this study names none"
            raise InputError(f"answer: {{{name}}} is no id or label of a [[number]]; {hint}")


def fill(answer: str, values: Mapping[str, str]) -> str:
    """Return the answer of a study with `values` by id or label in place of its placeholders.

    The numbers of a section that is not computed yet are missing.
    """
    return PLACEHOLDER.sub(lambda found: values.get(found[1], "(not computed yet)"), answer)


def _others(number: Number, shares: list[str]) -> str:
    """Return what does not go together with the first share."""
    others = [
        *shares[1:],
        *(["reduce"] if number.reduce is not None else []),
        *(["show"] if number.show != "value" else []),
    ]
    return " and ".join(others)
