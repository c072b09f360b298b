"""What pydantic cannot see: whether cell, axes, weights, measures and figures of a study fit together."""

import inspect
from typing import TYPE_CHECKING, Any

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.curves import CURVES
from rnndyn.sweep.weights import check_weights

if TYPE_CHECKING:
    from rnndyn.sweep.study import Cell, Study

__all__ = ["check_study", "make_cell"]

VARIABLES = {
    "lyapunov": ("exponents", "exponents_stderr", "status", "steps"),
    "gradient": ("log_norms", "gradient_status"),
    "attractors": ("attractors", "period", "attractors_status"),
}
MAPPABLE = ("exponents", "exponents_stderr", "log_norms", "attractors", "period")
RESERVED = {"exponent", "lag", *(name for names in VARIABLES.values() for name in names)}


def make_cell(table: "Cell") -> Any:
    """Return the cell that `[cell]` describes; raises InputError for an unknown kind, keyword or value."""
    from rnndyn.cells import CELLS

    if table.kind not in CELLS:
        raise InputError(f"[cell] kind = {table.kind!r}: no such cell; {suggestion(table.kind, CELLS)}")
    options = dict(table.model_extra or {})
    known = [
        name for name in inspect.signature(CELLS[table.kind]).parameters if name not in ("self", "units", "inputs")
    ]
    for key in options:
        if key not in known:
            hint = suggestion(key, ["kind", "units", "inputs", *known])
            raise InputError(f"[cell] {key}: {table.kind} has no such keyword; {hint}")
    try:
        return CELLS[table.kind](table.units, table.inputs, **options)
    except (TypeError, ValueError) as error:
        raise InputError(f"[cell]: {error}") from None


def check_study(study: "Study") -> None:
    """Raise InputError at the first thing in `study` that does not fit the rest."""
    cell = make_cell(study.cell)
    for name in study.axes:
        if not name.isidentifier():
            raise InputError(f"[axes] {name!r}: a name of letters, digits and _ is needed (it becomes a dimension)")
        if name in RESERVED:
            raise InputError(f"[axes] {name}: the results use this name themselves; choose another")
    check_weights(study, cell)
    lyapunov = study.measure.lyapunov
    if lyapunov is not None and lyapunov.k is not None and lyapunov.k > cell.state_size:
        size = f"{cell.state_size} exponent" + "s" * (cell.state_size > 1)
        raise InputError(f"[measure.lyapunov] k = {lyapunov.k}: this cell has {size}")
    _check_figures(study)


def _check_figures(study: "Study") -> None:
    measured = [name for key, names in VARIABLES.items() if getattr(study.measure, key) for name in names]
    mappable = [name for name in measured if name in MAPPABLE]
    names = list(study.axes)
    for figure in study.figure:
        where = f"[[figure]] variable = {figure.variable!r}"
        if figure.variable not in mappable:
            raise InputError(f"{where}: not a map of what this study measures; {suggestion(figure.variable, mappable)}")
        for key in ("x", "y"):
            axis = getattr(figure, key)
            if axis is not None and axis not in names:
                raise InputError(f"{where}: {key} = {axis!r} is no axis; {suggestion(axis, names)}")
        x, y = figure_axes(figure, names)
        if y is not None and x == y:
            raise InputError(f"{where}: x and y are both {x!r}; a map needs two axes")
        for curve in figure.theory:
            if curve not in CURVES:
                raise InputError(f"{where}: no theory curve {curve!r}; {suggestion(curve, CURVES)}")
            if not CURVES[curve].applies(study, x, y):
                raise InputError(f"{where}: theory {curve!r} does not apply here: it is for {CURVES[curve].domain}")


def figure_axes(figure: Any, names: list[str]) -> tuple[str, str | None]:
    """Return the axes (x, y) of a figure: those it names, else the first ones left; y is None for a single axis."""
    x = figure.x or next(name for name in names if name != figure.y or len(names) == 1)
    y = figure.y or next((name for name in names if name != x), None)
    return x, y
