"""What pydantic cannot see: whether cell, axes, weights, measures, figures and numbers of a study fit together."""

from typing import TYPE_CHECKING, Any

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.curves import CURVES, LINES
from rnndyn.sweep.figure import Drawing, complete
from rnndyn.sweep.inputs import check_inputs
from rnndyn.sweep.jobs import jobs, variables
from rnndyn.sweep.number import check_number
from rnndyn.sweep.refinement import plan
from rnndyn.sweep.sentences import entry
from rnndyn.sweep.start import RANDOM, ZERO, check_start
from rnndyn.sweep.value import axes_in
from rnndyn.sweep.weights import check_weights

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["check_study", "users"]

RESERVED = ("exponent", "lag", "step", "component", "steps", RANDOM, ZERO)


def check_study(study: "Study") -> None:
    """Raise InputError at the first thing in `study` that does not fit the rest."""
    _check_choosers(study)
    for name in study.axes:
        if not name.isidentifier():
            raise InputError(f"[axes] {name!r}: a name of letters, digits and _ is needed (it becomes a dimension)")
        if name in RESERVED:
            raise InputError(f"[axes] {name}: the results use this name themselves; choose another")
    for one in study.cells():
        _check_cell(one)
    for name in study.axes:
        if not users(study, name):
            raise InputError(f"[axes] {name}: no entry of [weights] uses this axis; use it there or remove it")
    _check_shown(study)
    if study.refine is not None:
        plan(study)


def _check_choosers(study: "Study") -> None:
    """Check the axis that a key of `[cell]` names, if one does: sizes for `units`, texts for the others."""
    units, several = study.cell.units, study.choosers
    if isinstance(units, str) and units not in study.axes:
        raise InputError(f"[cell] units = {units!r}: neither a number nor an axis; {suggestion(units, study.axes)}")
    for key, name in several.items():
        axis = study.axes[name]
        if key == "units":
            for value in axis.values:
                if axis.is_text or value < 1 or value != int(value):
                    raise InputError(f"[axes] {name}: {value}: the number of units must be a whole number from 1 up")
        elif not axis.is_text:
            raise InputError(f"[cell] {key} = {name!r}: a parameter that is swept stands in [weights]")
    if len(several) > 1:
        raise InputError(f"[cell] {' and '.join(several)} name an axis each: only one axis can choose the cell")


def _check_cell(study: "Study") -> None:
    """Check weights, start and inputs against one cell."""
    try:
        cell = study.make_cell()
        check_weights(study, cell)
        check_start(study, cell)
        check_inputs(study, cell, study.longest())
    except InputError as error:
        chosen = f"{study.size} units" if study.size else study.one_cell
        known = chosen is None or chosen in str(error)
        raise InputError(f"{error}" + ("" if known else f" (of {chosen})")) from None


def users(study: "Study", axis: str) -> list[str]:
    """Return what uses an axis: a key of `[cell]`, weights, inputs, the initial state."""
    found = [key for key, name in study.choosers.items() if name == axis]
    found += [name for name, value in study.weights.items() if axis in axes_in(value)]
    if study.inputs is not None and axis in axes_in(study.inputs.model_dump(exclude={"kind", "file"})):
        found.append("inputs")
    if axis in axes_in(study.run.initial_state):
        found.append("initial_state")
    return found


def _check_shown(study: "Study") -> None:
    """Check the figures and numbers against what is measured."""
    names = tuple(study.axes)
    coords: dict[str, Any] = {name: axis.values for name, axis in study.axes.items()}
    dims = {}
    for variable in variables(study, jobs(study)):
        if variable.name in names:
            raise InputError(f"[axes] {variable.name}: the results use this name themselves; choose another")
        dims[variable.name] = (*variable.axes(names), *variable.dims)
        coords.update(variable.dims)
    for place, figure in enumerate(study.figure, 1):
        where = entry("figure", place, figure.title)
        drawing = complete(figure, dims, coords, names, where)
        _check_theory(study, drawing, dims, f"{where}: variable = {drawing.variable!r}")
    for place, number in enumerate(study.number, 1):
        check_number(study, number, dims, coords, entry("number", place, number.label))


def _check_theory(study: "Study", figure: Drawing, dims: dict[str, tuple[str, ...]], where: str) -> None:
    known: dict[str, Any] = dict(CURVES) if figure.kind == "map" else dict(LINES)
    for name in figure.theory:
        if figure.kind == "curve" and name in dims:
            if not set(dims[name]) <= {*dims[figure.variable], "exponent"}:
                raise InputError(f"{where}: theory {name!r} does not apply here: it has axes of its own")
            continue
        if name not in known:
            other = "" if name not in (LINES if figure.kind == "map" else CURVES) else f" for a {figure.kind}"
            raise InputError(f"{where}: no theory curve {name!r}{other}; {suggestion(name, known)}")
        if figure.kind == "map":
            applies = CURVES[name].applies(study, figure.x, figure.y)
        else:
            applies = LINES[name].of == figure.variable and LINES[name].roles(study) is not None
        if not applies:
            raise InputError(f"{where}: theory {name!r} does not apply here: it is for {known[name].domain}")
