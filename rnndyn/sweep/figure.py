"""`[[figure]]`: which picture of a result is wanted. `complete` checks an entry and fills in what it leaves open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, FiniteFloat

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.grid import holds_texts, nearest_place
from rnndyn.sweep.limit import check_limit
from rnndyn.sweep.part import Listed, Part, Whole

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["AXES_OF_VARIABLES", "Drawing", "Figure", "complete", "complete_for"]

Kind = Literal["map", "curve", "limit", "orbit", "profile", "trajectory"]
Number = int | FiniteFloat
Values = Annotated[tuple[Number | str, ...], Listed, Field(min_length=1)]
Numbered = Annotated[tuple[Whole, ...], Listed, Field(min_length=1)]

NUMBERED = ("exponents", "exponents_stderr", "flow_exponents", "flow_exponents_stderr", "exponent_error")
INDEX = {**dict.fromkeys(NUMBERED, "exponent"), "trajectory": "component"}
AXES_OF_VARIABLES = ("exponent", "lag", "step", "component")
VARIABLE = {"orbit": "trajectory", "trajectory": "trajectory", "profile": "log_norms"}
SERIES = 8  # lines in one figure, unless `at` lists more


class Figure(Part):
    """`[[figure]]`: one picture of the page; the first one answers the question.

    map: a variable over two axes, in colour. curve: over one axis, as lines with their error bands. limit: over an axis
    of sizes N, against 1/N, with the fit in 1/N and what it says of infinitely many. orbit: the states
    of the last steps over one axis (orbit diagram). profile: the log gradient norm over the lag. trajectory: the state
    over the steps, or one component against another.
    """

    kind: Kind | None = Field(
        default=None, description="what kind of picture; a map if two axes are left to draw over, a curve if one is"
    )
    variable: str | None = Field(
        default=None, description="what is drawn; `trajectory` for orbit and trajectory, `log_norms` for profile"
    )
    x: str | None = Field(
        default=None, description="what is drawn to the right: an axis, `lag` or `step`; the first axis left"
    )
    y: str | None = Field(default=None, description="what is drawn upwards, of a map; the next axis left")
    series: str | None = Field(
        default=None,
        description="an axis drawn as several lines, of a curve, profile or trajectory; of a curve an axis of texts",
    )
    index: Whole | Numbered | Literal["all"] | None = Field(
        default=None, description="which exponents, or components of the state, counted from 1; 1, of a trajectory all"
    )
    plane: Annotated[tuple[Whole, Whole], Listed] | None = Field(
        default=None, description="of a trajectory, two components drawn against each other; all of them over the steps"
    )
    at: dict[str, Number | str | Values] = Field(
        default={},
        description="values of axes that are not drawn, and the list of values that `series` is drawn at; the middle "
        "of each axis, the last lag, up to 8 lines",
    )
    mean: Annotated[tuple[str, ...], Listed] = Field(
        default=(), description="axes averaged over, their spread being the band of a curve; none"
    )
    theory: Annotated[tuple[str, ...], Listed] = Field(
        default=(),
        description="closed forms drawn over it, by name (listed below), over a curve also other variables; none",
    )
    log: Literal["", "x", "y", "xy"] | None = Field(
        default=None,
        description="of a curve, which of its scales are logarithmic, that of the values showing their size without "
        'sign; `"x"` of an axis in equal ratios',
    )
    terms: Annotated[int, Field(ge=1, le=4)] = Field(
        default=1, description="of a limit, how many powers of 1/N are fitted: 1 is a line, 2 a parabola"
    )
    smallest: Whole | None = Field(default=None, description="of a limit, the smallest size drawn and fitted; all")
    equal: bool = Field(
        default=False, description="of a map or a plane, whether a unit is as long upwards as to the right"
    )
    title: str = Field(default="", description="its title; made from the variable")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")] | None = Field(
        default=None, description="the name of its file, without ending; made from kind and variable"
    )


@dataclass(frozen=True)
class Drawing:
    """A figure with nothing left open.

    x: a dimension; `lag` of a profile, `step` of a trajectory, None if two components are drawn against each other.
    y: a dimension, of a map only. series: a dimension, or None. index: numbers from 1 along `exponent` or `component`,
    empty where the variable has neither; of a plane, its two components. at: the grid value of each dimension that is
    not drawn, averaged over or numbered by `index`; and the tuple of grid values that `series` is drawn at.
    """

    kind: Kind
    variable: str
    x: str | None
    y: str | None
    series: str | None
    index: tuple[int, ...]
    at: dict[str, Any]
    mean: tuple[str, ...]
    theory: tuple[str, ...]
    title: str
    name: str | None
    terms: int = 1
    smallest: int | None = None
    log: str = ""
    equal: bool = False


def complete(
    figure: Figure,
    dims: Mapping[str, tuple[str, ...]],
    coords: Mapping[str, Any],
    axes: tuple[str, ...],
    where: str = "[[figure]]",
) -> Drawing:
    """Check `figure` against a result and fill in what it leaves open.

    dims: {variable: its dimensions}; coords: {dimension: values}; axes: the study's axes among them, in order;
    where: what the figure is called in a sentence.
    Raises InputError, in a sentence, for what does not exist, is not measured or does not go together.
    """
    variable = figure.variable or VARIABLE.get(figure.kind or "")
    if variable is None:
        raise InputError(f"{where}: variable is missing; {suggestion('', dims)}")
    where = f"{where}: variable = {variable!r}"
    if variable not in dims:
        raise InputError(f"{where}: this study does not measure it; {suggestion(variable, dims)}")
    own = dims[variable]
    _names(where, figure, own, axes, coords)
    kind = figure.kind or _kind(figure, variable, own, coords)
    if VARIABLE.get(kind, variable) != variable:
        raise InputError(f"{where}: a figure of kind {kind!r} draws {VARIABLE[kind]!r}")
    x, y = _drawn(where, figure, kind, own, coords, axes)
    series = figure.series or _series(figure, kind, own, coords, x)
    if series in (x, y) and series is not None:
        raise InputError(f"{where}: series = {series!r} is drawn as an axis already; choose another")
    index = _index(where, figure, kind, variable, own, coords)
    taken = {name for name in (x, y, INDEX.get(variable), *figure.mean) if name}
    if kind in ("orbit", "trajectory"):
        taken.add("step")
    at = _at(where, figure, own, coords, taken, series)
    if kind == "limit":
        check_limit(where, str(x), coords[str(x)], figure.terms, figure.smallest)
    elif figure.terms > 1 or figure.smallest is not None:
        raise InputError(f"{where}: terms and smallest are of a figure of kind 'limit'")
    log = _log(where, figure, kind, coords.get(str(x)))
    if figure.equal and kind != "map" and figure.plane is None:
        raise InputError(f"{where}: equal = true: only a map, or a plane of two components, has two axes of one unit")
    shown = (figure.mean, figure.theory, figure.title, figure.name, figure.terms, figure.smallest, log, figure.equal)
    return Drawing(kind, variable, x, y, series, index, at, *shown)


def complete_for(dataset: "xr.Dataset", figure: Figure, axes: Iterable[str]) -> Drawing:
    """Do what `complete` does for a result."""
    dims = {str(name): tuple(map(str, array.dims)) for name, array in dataset.data_vars.items()}
    return complete(figure, dims, {str(name): array.values for name, array in dataset.coords.items()}, tuple(axes))


def _names(where: str, figure: Figure, own: tuple[str, ...], axes: tuple[str, ...], coords: Mapping[str, Any]) -> None:
    """Check that every dimension named exists, and is named for one purpose."""
    shown = [name for name in own if name not in ("exponent", "component")]
    named = [("x", figure.x), ("y", figure.y), ("series", figure.series), *(("mean", name) for name in figure.mean)]
    for key, name in named:
        if name is not None and name not in shown:
            raise InputError(f"{where}: {key} = {name!r} is no axis of it; {suggestion(name, shown)}")
        if key in ("x", "y") and name and holds_texts(coords[name]):
            raise InputError(f"{where}: {key} = {name!r}: texts have no order; draw them as lines, series = {name!r}")
    if figure.x is not None and figure.x == figure.y:
        raise InputError(f"{where}: x and y are both {figure.x!r}; a map needs two axes")
    for name in figure.mean:
        if name in (figure.x, figure.y, figure.series, *figure.at):
            raise InputError(f"{where}: mean = {name!r}: this axis is drawn or fixed as well; do one of them")
        if name not in axes:
            raise InputError(f"{where}: mean = {name!r}: only axes of the study are averaged over")
    for name, values in figure.at.items():
        if name not in shown:
            raise InputError(f"{where}: at.{name} = {values!r}: no axis of it; {suggestion(name, shown)}")
        if name in (figure.x, figure.y):
            raise InputError(f"{where}: at.{name}: this axis is drawn as well; do one of them")


def _free(figure: Figure, own: tuple[str, ...], coords: Mapping[str, Any]) -> list[str]:
    """Return the long axes that an entry leaves open."""
    gone = {*figure.at, *figure.mean, figure.series, *AXES_OF_VARIABLES}
    return [name for name in own if name not in gone and len(coords[name]) > 1]


def _ordered(names: Iterable[str], coords: Mapping[str, Any]) -> list[str]:
    """Return those of the axes that hold numbers: texts have no order to be drawn over."""
    return [name for name in names if not holds_texts(coords[name])]


def _kind(figure: Figure, variable: str, own: tuple[str, ...], coords: Mapping[str, Any]) -> Kind:
    if variable == "trajectory":
        return "trajectory"
    axes = {*_ordered(_free(figure, own, coords), coords), figure.x, figure.y} - {None}
    return "map" if len(axes) > 1 and figure.series is None else "curve"


def _drawn(
    where: str, figure: Figure, kind: Kind, own: tuple[str, ...], coords: Mapping[str, Any], axes: tuple[str, ...]
) -> tuple[str | None, str | None]:
    """Return (x, y) of a figure."""
    fixed = {"profile": "lag", "trajectory": "step"}.get(kind)
    if kind != "map" and figure.y is not None:
        raise InputError(f"{where}: y = {figure.y!r}: only a map has a y; use series for several lines")
    if kind in ("map", "orbit") and figure.series is not None:
        raise InputError(f"{where}: series = {figure.series!r}: a figure of kind {kind!r} has none; use a curve")
    if figure.plane is not None and kind != "trajectory":
        raise InputError(f"{where}: plane: only a figure of kind 'trajectory' has one")
    if fixed:
        if figure.x not in (None, fixed):
            raise InputError(f"{where}: x = {figure.x!r}: a figure of kind {kind!r} is drawn over {fixed!r}")
        if kind == "profile" and len(coords["lag"]) < 2:
            raise InputError(f'{where}: only one lag is measured; add lags = "all" to [measure.gradient]')
        return (None if figure.plane else fixed), None
    left = [
        name
        for name in _ordered((*_free(figure, own, coords), *own), coords)
        if name in axes and name not in (*figure.at, *figure.mean, figure.series)
    ]
    x = figure.x or next((name for name in left if name != figure.y), None)
    if x is None:
        raise InputError(f"{where}: no axis is left to draw it over; take one out of at or mean, or measure more")
    if kind != "map":
        return x, None
    y = figure.y or next((name for name in left if name != x), None)
    if y is None:
        raise InputError(f"{where}: a map needs two axes, and only {x!r} is left; make it a curve")
    return x, y


def _series(figure: Figure, kind: Kind, own: tuple[str, ...], coords: Mapping[str, Any], x: str | None) -> str | None:
    """Return the axis that lines are drawn for: of a profile the only one left, of a curve one of texts."""
    free = [name for name in _free(figure, own, coords) if name != x]
    if kind in ("curve", "limit"):
        several = [name for name in own if name in free or isinstance(figure.at.get(name), tuple)]
        return next((name for name in several if holds_texts(coords[name])), None)
    return free[0] if kind == "profile" and len(free) == 1 else None


def _log(where: str, figure: Figure, kind: Kind, values: Any) -> str:
    """Return which scales are logarithmic: as the figure says, else x if its values have equal ratios."""
    if figure.log and kind != "curve":
        raise InputError(f"{where}: log = {figure.log!r}: only a curve has logarithmic scales, this is a {kind}")
    if kind != "curve":
        return ""
    x = np.asarray(values, dtype=float)
    positive = bool(np.all(x > 0))
    if figure.log is not None and "x" in figure.log and not positive:
        raise InputError(f"{where}: log = {figure.log!r}: {figure.x or 'x'} has values that are not positive")
    if figure.log is not None or len(x) < 3 or not positive:
        return figure.log or ""
    ratios = np.diff(np.log(x))
    return "x" if np.allclose(ratios, ratios[0], rtol=1e-6) and not np.allclose(np.diff(x), x[1] - x[0]) else ""


def _index(
    where: str, figure: Figure, kind: Kind, variable: str, own: tuple[str, ...], coords: Mapping[str, Any]
) -> tuple[int, ...]:
    dimension = INDEX.get(variable)
    if dimension is None or dimension not in own:
        if figure.index is not None:
            raise InputError(f"{where}: index: it has no components to choose from")
        return ()
    known = [int(number) for number in coords[dimension]]
    wanted: Any = figure.plane or figure.index
    if wanted is None:
        wanted = tuple(known) if kind == "trajectory" else known[:1]
    elif wanted == "all":
        wanted = known
    wanted = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    for number in wanted:
        if number not in known:
            raise InputError(f"{where}: index = {number}: known: {', '.join(map(str, known))}")
    if kind == "map" and len(wanted) > 1:
        raise InputError(f"{where}: index = {list(wanted)}: a map shows one; make it a curve or another figure")
    return wanted


def _at(
    where: str, figure: Figure, own: tuple[str, ...], coords: Mapping[str, Any], taken: set[str], series: str | None
) -> dict[str, Any]:
    """Return the grid value of every dimension that is not drawn, and those of the series."""
    at: dict[str, Any] = {}
    for name in own:
        if name in taken:
            continue
        values, wanted = np.asarray(coords[name]), figure.at.get(name)
        if isinstance(wanted, tuple) and name != series:
            raise InputError(f"{where}: at.{name} is a list: add series = {name!r} to draw a line for each value")
        if name == series:
            every = values if len(values) <= SERIES else values[np.linspace(0, len(values) - 1, 6).round().astype(int)]
            chosen = every.tolist() if wanted is None else wanted if isinstance(wanted, tuple) else (wanted,)
            at[name] = tuple(dict.fromkeys(_nearest(where, name, values, value) for value in chosen))
        elif wanted is None:
            at[name] = values.tolist()[-1 if name in ("lag", "step") else len(values) // 2]
        else:
            at[name] = _nearest(where, name, values, wanted)
    return at


def _nearest(where: str, name: str, values: Any, wanted: Any) -> float | int | str:
    found: float | int | str = values.tolist()[nearest_place(f"{where}: at.{name}", values, wanted)]
    return found
