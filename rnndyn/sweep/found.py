"""The numbers of `[[number]]`, found in a result."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.sweep.crossing import between, first_of
from rnndyn.sweep.curves import LINES
from rnndyn.sweep.grid import nearest_place
from rnndyn.sweep.limit import extrapolated
from rnndyn.sweep.number import boundary_of

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.number import Number
    from rnndyn.sweep.study import Study

__all__ = ["Found", "find_numbers"]

ERRORS = 2.0  # standard errors within which two numbers agree


@dataclass(frozen=True)
class Found:
    """A number that was found. `off`: |value - theory| over |theory|; `share`: the value is a share of points."""

    label: str
    value: float
    stderr: float | None
    units: str
    theory: float | None
    off: float | None
    share: bool
    note: str


def find_numbers(dataset: "xr.Dataset", study: "Study") -> list[Found]:
    """Return the numbers that a study names, from its result."""
    return [_find(dataset, study, number) for number in study.number]


def _find(dataset: "xr.Dataset", study: "Study", number: "Number") -> Found:
    if number.region is not None:
        return _region(dataset, number)
    if number.agrees_with is not None:
        return _agreement(dataset, number)
    if number.order is not None:
        return _order(dataset, number)
    if number.extrapolate is not None:
        return _extrapolated(dataset, study, number)
    if number.first is not None:
        return _first(dataset, study, number)
    if number.above is not None or number.below is not None:
        return _beyond(dataset, number)
    return _number(dataset, study, number)


def _pick(dataset: "xr.Dataset", number: "Number", name: str) -> "xr.DataArray | None":
    """Return the part of a variable that `at` and `index` leave; None if there is no such variable."""
    if name not in dataset:
        return None
    part = dataset[name]
    for dimension in ("exponent", "component"):
        if dimension in part.dims:
            part = part.isel({dimension: int(np.flatnonzero(dataset[dimension].values == number.index)[0])})
    places = {
        axis: nearest_place(axis, dataset[axis].values, value) for axis, value in number.at.items() if axis in part.dims
    }
    part = part.isel(places)
    return part.isel({axis: 0 for axis in part.dims if part.sizes[axis] == 1})


def _number(dataset: "xr.Dataset", study: "Study", number: "Number") -> Found:
    part, error = _pick(dataset, number, number.variable), _pick(dataset, number, f"{number.variable}_stderr")
    assert part is not None
    values = part.values.astype(float)
    if number.show == "distance":
        with np.errstate(invalid="ignore"):
            values, error = np.abs(values - _named(dataset, study, number, part)), None
    known = np.isfinite(values)
    note = number.note
    if number.reduce is None:
        value, stderr = float(values), None if error is None else float(error.values)
    elif not known.any():
        value, stderr = math.nan, None
    else:
        value = float(getattr(np, number.reduce)(values[known]))
        stderr = float(np.std(values[known], ddof=1) / np.sqrt(known.sum())) if _is_mean(number, known) else None
    if not known.all() and number.reduce is not None:
        many = "point" if (~known).sum() == 1 else "points"
        note = f"{note}; {int((~known).sum())} {many} without a finite value left out".removeprefix("; ")
    theory = number.theory
    if isinstance(theory, str):
        theory = 0.0 if number.show == "distance" else float(_named(dataset, study, number, part))
        theory = math.exp(theory) if number.show == "exp" else theory
    if number.show == "exp":
        value = math.exp(value)
        stderr = None if stderr is None else value * stderr
    off = None if theory in (None, 0) else abs(value - theory) / abs(theory)
    units = "" if number.show == "exp" else str(part.attrs.get("units", ""))
    return Found(number.label, value, stderr, units, theory, off, False, note)


def _named(dataset: "xr.Dataset", study: "Study", number: "Number", part: "xr.DataArray") -> Any:
    """Return theory by name, or another variable in its place, at each point of a part of a variable."""
    name = str(number.theory)
    if name not in LINES:
        other = _pick(dataset, number, name)
        assert other is not None
        return other.broadcast_like(part).transpose(*part.dims).values.astype(float)
    point = {str(axis): part[axis].broadcast_like(part).transpose(*part.dims).values for axis in part.coords}
    return np.broadcast_to(LINES[name].values(study, point), part.shape)


def _extrapolated(dataset: "xr.Dataset", study: "Study", number: "Number") -> Found:
    """Return the limit of infinitely many units, with the fit that it comes from in its note."""
    part, error = _pick(dataset, number, number.variable), _pick(dataset, number, f"{number.variable}_stderr")
    assert part is not None
    value, stderr, words = extrapolated(part, error, str(number.extrapolate), number.terms, number.smallest)
    theory = number.theory
    if isinstance(theory, str):
        theory = float(LINES[theory].values(study, {str(n): c.item() for n, c in part.coords.items() if c.ndim == 0}))
    if theory is not None and stderr > 0:
        words += f"; {abs(value - theory) / stderr:.1f} standard errors from theory"
    note = f"{number.note}; {words}".removeprefix("; ")
    off = None if theory in (None, 0) else abs(value - theory) / abs(theory)
    return Found(number.label, value, stderr, str(part.attrs.get("units", "")), theory, off, False, note)


def _order(dataset: "xr.Dataset", number: "Number") -> Found:
    """Return the power of an axis with which a variable falls, with what it comes from in its note."""
    from rnndyn import dynamics

    axis = str(number.order)
    part, error = _pick(dataset, number, number.variable), _pick(dataset, number, f"{number.variable}_stderr")
    assert part is not None
    part = part.isel({axis: np.argsort(-part[axis].values)})
    steps, size = part[axis].values.astype(float), np.abs(part.values - number.minus)
    margin = 0.0 if error is None else ERRORS * error.sel({axis: part[axis]}).values
    low, high = number.between or (0.0, math.inf)
    sure = (steps >= low) & (steps <= high) & (size > margin)
    value, stderr = map(float, dynamics.fitted_order(steps[sure], size[sure]))
    words = "of less than three values"
    if sure.sum() >= 3:
        words = f"as far as it is straight, from {axis} = {steps[sure].min():g} to {steps[sure].max():g}"
    note = f"{number.note}; {words}".removeprefix("; ")
    theory = None if number.theory is None else float(number.theory)
    off = None if theory in (None, 0) else abs(value - theory) / abs(theory)
    return Found(number.label, value, stderr, "", theory, off, False, note)


def _is_mean(number: "Number", known: Any) -> bool:
    return number.reduce == "mean" and int(known.sum()) > 1


def _there(dataset: "xr.Dataset", number: "Number") -> "tuple[xr.DataArray, Any, Any]":
    """Return (part, whether beyond the bounds by two standard errors where there are any, whether known)."""
    part, error = _pick(dataset, number, number.variable), _pick(dataset, number, f"{number.variable}_stderr")
    assert part is not None
    margin = 0.0 if error is None else ERRORS * error.values.astype(float)
    values = part.values.astype(float)
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        there = known.copy()
        if number.above is not None:
            there &= values - margin > number.above
        if number.below is not None:
            there &= values + margin < number.below
    return part, there, known


def _first(dataset: "xr.Dataset", study: "Study", number: "Number") -> Found:
    """Return the first value of an axis where a bound is passed, reduced over the other axes; nan if nowhere."""
    assert number.first is not None
    where, axis = "", dataset[number.first].values.astype(float)
    if number.interpolate:
        part = _pick(dataset, number, number.variable)
        assert part is not None
        values = np.moveaxis(part.values.astype(float), part.dims.index(number.first), -1)
        at, crossed = between(axis, values - number.above if number.above is not None else number.below - values)
    else:
        part, *masks = _there(dataset, number)
        there, known = (np.moveaxis(mask, part.dims.index(number.first), -1) for mask in masks)
        at, before, crossed = first_of(axis, there, known)
        where = _bracket(number, before, at)
    value = _reduced(number, at)
    stderr = None
    if number.interpolate and number.reduce == "mean" and at.size > 1:
        stderr = float(np.std(at, ddof=1) / np.sqrt(at.size))
    many = ""
    if crossed.size > 1 or not crossed.all():
        many = f"{int(crossed.sum())} of {crossed.size} pass it at all"
    note = "; ".join(filter(None, (number.note, where, many)))
    theory = number.theory
    if isinstance(theory, str):
        boundary = boundary_of(number, study)
        assert boundary is not None, "checked when the study was read"
        theory = boundary[0].height(boundary[1], near=value)
    off = None if theory in (None, 0) else abs(value - theory) / abs(theory)
    return Found(number.label, value, stderr, "", theory, off, False, note)


def _reduced(number: "Number", at: Any) -> float:
    """Return values of an axis as one; nan if there are none."""
    return float(getattr(np, number.reduce or "mean")(at)) if at.size else math.nan


def _bracket(number: "Number", before: Any, at: Any) -> str:
    """Say between which values of the axis the bound is passed; reduced as they are, for that keeps their order."""
    if not at.size:
        return ""
    with np.errstate(invalid="ignore"):
        low, high = sorted((_reduced(number, before), _reduced(number, at)))
    if np.isfinite([low, high]).all():
        return f"between {low:g} and {high:g} on the grid"
    open_ends = int(np.sum(np.isinf(before)))
    return "no grid value before it is known" + (f" in {open_ends} of {at.size}" if at.size > 1 else "")


def _beyond(dataset: "xr.Dataset", number: "Number") -> Found:
    """Return the share of points beyond a bound, or between two."""
    _, there, known = _there(dataset, number)
    share = float(np.sum(there) / max(int(known.sum()), 1))
    note = f"{number.note}; {int(np.sum(there))} of {int(known.sum())} points".removeprefix("; ")
    theory = float(number.theory) if isinstance(number.theory, int | float) else None
    return Found(number.label, share, None, "", theory, None, True, note)


def _region(dataset: "xr.Dataset", number: "Number") -> Found:
    """Return the share of the map's area that has a value, with the uncertainty of the region's boundary."""
    from rnndyn import dynamics

    part = _pick(dataset, number, number.variable)
    assert part is not None
    unknown = [-1]
    wanted = number.region
    if number.variable == "regime":
        wanted = dynamics.Regime[str(number.region).upper()].value
        unknown += [] if wanted == dynamics.Regime.UNDECIDED else [int(dynamics.Regime.UNDECIDED)]
    theory = float(number.theory) if isinstance(number.theory, int | float) else None
    if np.isin(part.values, unknown).all():
        return Found(number.label, math.nan, None, "", theory, None, True, f"{number.note}; nothing is decided")
    found = dynamics.regions(part.values, *(part[name].values for name in part.dims), unknown=unknown)
    at = np.flatnonzero(found.labels == wanted)
    share, error, points = (float(array[at[0]]) if len(at) else 0.0 for array in (found.share, found.share_uncertainty,
                                                                                  found.points))  # fmt: skip
    over = " × ".join(map(str, part.dims))
    area = float(found.area[at[0]]) if len(at) else 0.0
    words = f"{int(points)} of {part.size} points, area {area:.4g} in {over}; boundaries known to half a cell"
    return Found(number.label, share, error, "", theory, None, True, f"{number.note}; {words}".removeprefix("; "))


def _agreement(dataset: "xr.Dataset", number: "Number") -> Found:
    """Return the share of points where two variables differ by at most two combined standard errors."""
    assert number.agrees_with is not None
    names = (number.variable, number.agrees_with)
    first, second = (_pick(dataset, number, name) for name in names)
    assert first is not None
    assert second is not None
    apart = (first - second).values.astype(float)
    errors = [_pick(dataset, number, f"{name}_stderr") for name in names]
    error = np.sqrt(sum(np.asarray(part.values, dtype=float) ** 2 for part in errors if part is not None))
    known = np.isfinite(apart)
    agree = np.abs(apart) <= ERRORS * error + 1e-12 * np.abs(first.values)
    share = float(np.sum(agree & known) / max(int(known.sum()), 1))
    size = np.abs(apart[known])
    note = number.note
    if len(size):
        note = (
            f"{note}; {int(known.sum())} points, median difference {np.median(size):.1g}, largest {size.max():.1g} "
            f"{first.attrs.get('units', '')}"
        ).removeprefix("; ")
    theory = float(number.theory) if isinstance(number.theory, int | float) else None
    return Found(number.label, share, None, "", theory, None, True, note)
