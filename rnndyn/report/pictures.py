"""What a figure draws: the part of a result that is picked, averaged or kept as lines, with errors and statuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.report import words
from rnndyn.sweep.curves import CURVES, LINES, Curve
from rnndyn.sweep.limit import averaged, sizes_from
from rnndyn.sweep.measures.derived import DERIVED

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.figure import Drawing
    from rnndyn.sweep.study import Study

__all__ = ["Picture", "curves_of", "picture"]

STATUS = {
    "exponents": "status",
    "exponents_stderr": "status",
    "log_norms": "gradient_status",
    "attractors": "attractors_status",
    "period": "attractors_status",
    "regime": "regime_status",
    "regime_exponent": "regime_status",
    "trajectory": "trajectory_status",
    "gradient_slope": "gradient_status",
    **dict.fromkeys(DERIVED, "status"),
}


@dataclass(frozen=True)
class Picture:
    """The arrays of one figure, without any dimension that is not drawn.

    data: (x, y) of a map, (x, step) of an orbit diagram, else (x) or (line, x). error, status: of the same shape; the
    worst status of the points behind a value. theory: {label: values of the same shape}; curves: theory over a map.
    period: of a map of attractors or regimes, whose confidence tells how many starts agree. exponent: of a profile, the
    largest for each line, with its error. band: what the error is, in words.
    """

    drawing: "Drawing"
    data: "xr.DataArray"
    error: "xr.DataArray | None" = None
    status: "xr.DataArray | None" = None
    period: "xr.DataArray | None" = None
    confidence: "xr.DataArray | None" = None
    exponent: "xr.DataArray | None" = None
    exponent_error: "xr.DataArray | None" = None
    theory: "Mapping[str, xr.DataArray]" = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    band: str = ""


def picture(dataset: "xr.Dataset", study: "Study", drawing: "Drawing") -> Picture:
    """Return the arrays that a figure draws."""
    variable = drawing.variable
    data, spread = _part(dataset, drawing, variable, drawing.index)
    error, band = None, ""
    if drawing.kind == "limit":
        data, error, band = _sizes(dataset, drawing)
    elif spread is not None:
        count = int(np.prod([dataset.sizes[name] for name in drawing.mean]))
        error, band = spread, f"one standard deviation over {count} values of {' and '.join(drawing.mean)}"
    elif f"{variable}_stderr" in dataset:
        error, band = _part(dataset, drawing, f"{variable}_stderr", drawing.index)[0], "one standard error"
    found: dict[str, Any] = {}
    if drawing.kind == "profile" and "exponents" in dataset:
        found["exponent"], spread = _part(dataset, drawing, "exponents", (1,))
        stated = _part(dataset, drawing, "exponents_stderr", (1,))[0]
        found["exponent_error"] = stated if spread is None else spread
    if variable == "attractors" and "period" in dataset:
        found["period"] = _part(dataset, drawing, "period", ())[0]
    if variable == "regime":
        found["period"] = _part(dataset, drawing, "regime_period", ())[0]
        found["confidence"] = _part(dataset, drawing, "regime_confidence", ())[0]
    status, theory = _status(dataset, drawing), _theory(dataset, study, drawing)
    found["curves"] = curves_of(study, drawing)
    return Picture(drawing, data, error, status, theory=theory, band=band, **found)


def curves_of(study: "Study", drawing: "Drawing") -> tuple[Curve, ...]:
    """Return the curves and points of theory that a map names, with the arguments that the study gives them."""
    named = [CURVES[name].of(study, drawing.x, drawing.y) for name in drawing.theory if name in CURVES]
    return tuple(curve for curve in named if curve is not None)


def _sizes(dataset: "xr.Dataset", drawing: "Drawing") -> "tuple[xr.DataArray, xr.DataArray, str]":
    """Return (means at each size, their standard errors, these in words) of a limit."""
    variable, axis = drawing.variable, str(drawing.x)
    values = sizes_from(_fixed(dataset[variable], drawing, drawing.index), axis, drawing.smallest)
    own = dataset.get(f"{variable}_stderr")
    error = None if own is None else _fixed(own, drawing, drawing.index).sel({axis: values[axis]})
    over = [name for name in drawing.mean if name in values.dims]
    mean, stderr = averaged(values, error, over)
    count = int(np.prod([values.sizes[name] for name in over]))
    words = f"one standard error, from the scatter of {count} values of {' and '.join(over)} (widened by Student's t)"
    return _arranged(mean, drawing), _arranged(stderr, drawing), words if count > 1 else "one standard error"


def _one(dataset: "xr.Dataset", drawing: "Drawing") -> "xr.DataArray":
    """Return an array of the shape that is drawn: the first of those averaged."""
    like = _fixed(dataset[drawing.variable], drawing, drawing.index)
    like = sizes_from(like, str(drawing.x), drawing.smallest) if drawing.kind == "limit" else like
    return like.isel({name: 0 for name in drawing.mean if name in like.dims})


def _status(dataset: "xr.Dataset", drawing: "Drawing") -> "xr.DataArray | None":
    """Return the status behind each value, the worst where several are averaged."""
    if STATUS.get(drawing.variable, "") not in dataset:
        return None
    status = _fixed(dataset[STATUS[drawing.variable]], drawing, ())
    status = status.max([name for name in drawing.mean if name in status.dims], keep_attrs=True)
    like = _one(dataset, drawing)
    status = status.sel({str(drawing.x): like[str(drawing.x)]}) if drawing.kind == "limit" else status
    return _arranged(status.broadcast_like(like), drawing)


def _theory(dataset: "xr.Dataset", study: "Study", drawing: "Drawing") -> "dict[str, xr.DataArray]":
    """Return the closed forms, and the other variables, that a curve or profile names, at each of its values."""
    like, forms = _one(dataset, drawing), {}
    for name in (name for name in drawing.theory if name in dataset):
        other = _fixed(dataset[name], drawing, drawing.index or (1,))
        other = other.mean([over for over in drawing.mean if over in other.dims], keep_attrs=True)
        label = str(other.attrs.get("long_name", name))
        forms[label] = _arranged(other.broadcast_like(like).transpose(*like.dims), drawing)
    for line in (LINES[name] for name in drawing.theory if name in LINES):
        point = {str(name): like[name].broadcast_like(like).transpose(*like.dims).values for name in like.coords}
        values = np.broadcast_to(line.values(study, point), like.shape)
        forms[line.label] = _arranged(like.copy(data=values), drawing)
    return forms


def _fixed(data: "xr.DataArray", drawing: "Drawing", index: tuple[int, ...]) -> "xr.DataArray":
    """Pick the values of `at` and the numbers of `index` along the dimensions that `data` has."""
    at = {name: list(v) if isinstance(v, tuple) else v for name, v in drawing.at.items() if name in data.dims}
    data = data.sel(at)
    for name in ("exponent", "component"):
        if name in data.dims and index:
            data = data.sel({name: index[0] if len(index) == 1 else list(index)})
    return data


def _part(
    dataset: "xr.Dataset", drawing: "Drawing", variable: str, index: tuple[int, ...]
) -> "tuple[xr.DataArray, xr.DataArray | None]":
    """Return a variable as it is drawn, and its spread over the axes averaged over, if there are some."""
    data = _fixed(dataset[variable], drawing, index)
    mean = [name for name in drawing.mean if name in data.dims]
    spread = None
    if mean:
        finite = data.where(np.isfinite(data))
        spread = _arranged(finite.std(mean, ddof=1, keep_attrs=True), drawing)
        data = data.mean(mean, keep_attrs=True)
    return _arranged(data, drawing), spread


def _arranged(data: "xr.DataArray", drawing: "Drawing") -> "xr.DataArray":
    """Return `data` with its drawn dimensions in order, several others as one dimension `line` with names."""
    last = [name for name in (drawing.x, drawing.y) if name in data.dims]
    if drawing.kind in ("orbit", "trajectory") and "step" not in last:
        last.append("step")
    others = [name for name in data.dims if name not in last]
    data = data.transpose(*others, *last)
    if len(others) < 2:
        return data
    names = [
        ", ".join(words.member(data, str(name), at) for name, at in zip(others, place, strict=True))
        for place in np.ndindex(*(data.sizes[name] for name in others))
    ]
    flat = data.stack(line=others).drop_vars(["line", *others]).transpose("line", *last)
    return flat.assign_coords(line=names)
