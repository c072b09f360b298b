"""What pydantic cannot see: whether cell, axes, weights, measures and figures of a study fit together."""

import inspect
from typing import TYPE_CHECKING, Any

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.curves import CURVES
from rnndyn.sweep.figure import complete
from rnndyn.sweep.measures import measurements
from rnndyn.sweep.weights import check_weights

if TYPE_CHECKING:
    from rnndyn.sweep.study import Cell, Study

__all__ = ["check_study", "make_cell"]

RESERVED = {"exponent", "lag", "step", "component", "steps"}


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
    _check_figures(study, cell)


def _check_figures(study: "Study", cell: Any) -> None:
    variables = [variable for measurement in measurements(study, cell) for variable in measurement.variables]
    names = tuple(study.axes)
    coords = {name: axis.values for name, axis in study.axes.items()}
    dims = {variable.name: (*names, *variable.dims) for variable in variables}
    for variable in variables:
        if variable.name in names:
            raise InputError(f"[axes] {variable.name}: the results use this name themselves; choose another")
        coords.update(variable.dims)
    for entry in study.figure:
        figure = complete(entry, dims, coords, names)
        where = f"[[figure]] variable = {figure.variable!r}"
        for curve in figure.theory:
            if curve not in CURVES:
                raise InputError(f"{where}: no theory curve {curve!r}; {suggestion(curve, CURVES)}")
            if not CURVES[curve].applies(study, figure.x, figure.y):
                raise InputError(f"{where}: theory {curve!r} does not apply here: it is for {CURVES[curve].domain}")
