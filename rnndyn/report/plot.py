"""`rd.plot`: the figures of a report, drawn from any DataArray on given axes.

    import rnndyn as rd
    ds = rd.sweep("studies/scalar_stability.toml")
    rd.plot.map(ds.exponents, status=ds.status, theory=["tanh_fold", "tanh_flip"])

Every function takes labelled arrays (of `rd.sweep`, or made with plain xarray: labels and units come from `attrs`),
draws on the matplotlib axes `ax` (None: a new figure) and returns the axes. Dimensions of length 1 do not count; one
too many is an InputError that says how to choose.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.errors import InputError, suggestion
from rnndyn.report import lines, maps, regimes, style, words
from rnndyn.sweep.curves import named_curves
from rnndyn.sweep.grid import holds_texts

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from rnndyn.report.style import Canvas

__all__ = ["curve", "limit", "map", "orbit", "profile", "trajectory"]

SIGNED = ("exponents", "log_norms", "gradient_slope")
Theory = Mapping[str, Callable[[Any], Any] | Any]


def map(
    data: "xr.DataArray",
    *,
    x: str | None = None,
    y: str | None = None,
    status: "xr.DataArray | None" = None,
    period: "xr.DataArray | None" = None,
    confidence: "xr.DataArray | None" = None,
    theory: Sequence[str] | Mapping[str, Mapping[str, float]] = (),
    centred: bool | None = None,
    equal: bool = False,
    title: str | None = None,
    ax: "Axes | Canvas | None" = None,
) -> "Axes":
    """Draw a map of `data` (x, y): colours centred at zero, shades of a size, or named regions of whole numbers.

    x, y: the dimensions to the right and upwards (the first two). Of several exponents the largest is drawn.
    status: points with a status other than OK are hatched and counted in the legend.
    period: with `data` the number of attractors, the shortest period; the regions are named by both. With `data` the
    regime, its period; the boundaries between regions are drawn.
    confidence: of regimes, the share of starts that agree; points below 0.9 are hatched.
    theory: names of curves and points of `rd.theory.CATALOGUE`, drawn over it; or {name: its arguments beside x}, as in
    {"antisymmetric_limit": {"omega": 2.0}}.
    centred: whether the sign matters (None: for exponents and gradients, and where values are negative).
    equal: a unit is as long upwards as to the right, as in a plane of complex numbers.
    """
    data = _largest(_array(data, "data"))
    order = _order(data, 2, (x, y), "rd.plot.map draws two")
    data = _squeezed(data, order, "rd.plot.map draws two").transpose(*order)
    curves = named_curves(theory)
    with style.on(ax) as canvas:
        if np.issubdtype(data.dtype, np.integer) or data.dtype == bool:
            classes = _classes(data, _like(period, data, "period"))
            maps.class_map(canvas, data, classes)
            if data.name == "regime":
                maps.borders(canvas, data, classes)
            agree = _like(confidence, data, "confidence")
            if agree is not None:
                maps.doubtful(canvas, data, agree)
        elif centred or (centred is None and (data.name in SIGNED or bool(np.any(data.values < 0)))):
            maps.growth_map(canvas, data)
        else:
            maps.size_map(canvas, data)
        if status is not None:
            maps.statuses(canvas, _status(status, data))
        maps.theory_curves(canvas, data[order[0]].values, curves)
        canvas.ax.set_title(words.title(data) if title is None else title)
        if equal:
            canvas.equalise()
        return canvas.ax


def curve(
    data: "xr.DataArray",
    *,
    x: str | None = None,
    error: "xr.DataArray | None" = None,
    status: "xr.DataArray | None" = None,
    theory: "Theory | None" = None,
    log: str = "",
    title: str | None = None,
    ax: "Axes | Canvas | None" = None,
) -> "Axes":
    """Draw `data` over one dimension, with bands of +- `error`; a second dimension becomes several lines.

    x: the dimension to the right (the first). status: points (x) that are not OK are hatched and counted.
    theory: {label: a function of x, or values at each x (and line)}; drawn dashed. log: "x", "y" or "xy", which scales
    are logarithmic; of the values, their size is drawn then, without its sign.
    """
    data = _array(data, "data")
    data = _lines(data, x, "rd.plot.curve draws one dimension, and a second as several lines")
    if log not in ("", "x", "y", "xy"):
        raise InputError(f"log = {log!r}: expected 'x', 'y', 'xy' or '' for none")
    with style.on(ax) as canvas:
        lines.curve(canvas, data, _like(error, data, "error"), log=log)
        if status is not None:
            maps.statuses(canvas, _status(status, data[0] if data.ndim == 2 else data))
        lines.theory_lines(canvas, data[data.dims[-1]].values, _forms(theory, data), log)
        canvas.ax.set_title(words.title(data) if title is None else title)
        return canvas.ax


def limit(
    data: "xr.DataArray",
    *,
    x: str | None = None,
    error: "xr.DataArray | None" = None,
    terms: int = 1,
    theory: "Theory | None" = None,
    title: str | None = None,
    ax: "Axes | Canvas | None" = None,
) -> "Axes":
    """Draw `data` over sizes N against 1/N, with the fit `a + b/N + ..` and its limit; a second dimension: several.

    x: the dimension of the sizes (the first). error: standard errors, which weigh the fit. terms: how many powers of
    1/N are fitted, as by `rd.extrapolate`. theory: {label: values at each size (and line)}, drawn at 1/N = 0.
    """
    data = _lines(_array(data, "data"), x, "rd.plot.limit draws one dimension of sizes, and a second as several")
    with style.on(ax) as canvas:
        lines.limit(canvas, data, _like(error, data, "error"), terms, _forms(theory, data))
        canvas.ax.set_title(words.title(data) if title is None else title)
        return canvas.ax


def profile(
    data: "xr.DataArray",
    *,
    exponent: "xr.DataArray | float | None" = None,
    theory: "Theory | None" = None,
    title: str | None = None,
    ax: "Axes | Canvas | None" = None,
) -> "Axes":
    """Draw log gradient norms over the dimension `lag` (steps back from the loss); a second becomes several lines.

    exponent: the largest Lyapunov exponent (one for each line), drawn as a dotted slope. theory: as in `curve`.
    """
    import xarray as xr

    data = _array(data, "data")
    if "lag" not in data.dims:
        raise InputError(f"data has the dimensions {_listed(data)}: rd.plot.profile needs `lag`")
    data = _lines(data, "lag", "rd.plot.profile draws `lag`, and a second dimension as several lines")
    if exponent is not None:
        given = exponent if isinstance(exponent, xr.DataArray) else xr.DataArray(exponent)
        given = _largest(given.rename("exponents")).squeeze()
        if given.size not in (1, data.size // data.sizes["lag"]):
            raise InputError(f"exponent has the shape {given.shape}: expected one number for each line")
        exponent = given.broadcast_like(data.isel(lag=0, drop=True))
    with style.on(ax) as canvas:
        lines.profile(canvas, data, exponent)
        lines.theory_lines(canvas, data["lag"].values, _forms(theory, data))
        canvas.ax.set_title(words.title(data) if title is None else title)
        return canvas.ax


def orbit(
    data: "xr.DataArray",
    *,
    x: str | None = None,
    skip: int | None = None,
    title: str | None = None,
    ax: "Axes | Canvas | None" = None,
) -> "Axes":
    """Draw an orbit (bifurcation) diagram: above each value of `x`, the states `data` (x, step) visited.

    skip: leave out so many first steps (None: half of them), so that what remains is where the state ends up.
    """
    data = _array(data, "data")
    if "step" not in data.dims:
        raise InputError(f"data has the dimensions {_listed(data)}: rd.plot.orbit needs `step`")
    order = _order(data, 2, (x, "step"), "rd.plot.orbit draws one beside `step`")
    data = _squeezed(data, order, "rd.plot.orbit draws one beside `step`").transpose(*order)
    late = data.isel(step=slice(data.sizes["step"] // 2 if skip is None else skip, None))
    with style.on(ax) as canvas:
        lines.orbit(canvas, late)
        canvas.ax.set_title("Where the state goes" if title is None else title)
        return canvas.ax


def trajectory(
    data: "xr.DataArray",
    *,
    plane: bool = False,
    equal: bool = False,
    title: str | None = None,
    ax: "Axes | Canvas | None" = None,
) -> "Axes":
    """Draw states `data` (step) or (step, component) over time; `plane`: two components against each other.

    equal: of a plane, a unit is as long upwards as to the right.
    """
    data = _array(data, "data")
    if "step" not in data.dims:
        raise InputError(f"data has the dimensions {_listed(data)}: rd.plot.trajectory needs `step`")
    data = _lines(data, "step", "rd.plot.trajectory draws `step`, and a second dimension as several lines")
    if plane and (data.ndim != 2 or data.shape[0] != 2):
        raise InputError("plane=True needs exactly two components, as in `.isel(component=[0, 1])`")
    with style.on(ax) as canvas:
        lines.trajectory(canvas, data, plane)
        canvas.ax.set_title(words.title(data) if title is None else title)
        if equal and plane:
            canvas.equalise()
        return canvas.ax


def _forms(theory: "Theory | None", data: "xr.DataArray") -> dict[str, Any]:
    """Return {label: values (x) or (line, x)}; raises InputError for values of another length."""
    along, forms = data[data.dims[-1]].values, {}
    for label, given in (theory or {}).items():
        values = np.asarray(given(along) if callable(given) else given, dtype=float)
        if values.shape not in (along.shape, data.shape):
            raise InputError(f"theory {label!r} has the shape {values.shape}: expected {along.shape} or {data.shape}")
        forms[label] = values
    return forms


def _array(data: Any, name: str) -> "xr.DataArray":
    import xarray as xr

    if not isinstance(data, xr.DataArray):
        hint = ": choose one, as in ds.exponents" if isinstance(data, xr.Dataset) else ": wrap it in xr.DataArray"
        raise InputError(f"{name} must be an xarray.DataArray, not {type(data).__name__}{hint}")
    if not data.size:
        raise InputError(f"{name} is empty: {dict(data.sizes)}")
    return data


def _largest(data: "xr.DataArray") -> "xr.DataArray":
    return data.isel(exponent=0) if "exponent" in data.dims else data


def _listed(data: "xr.DataArray") -> str:
    return ", ".join(f"{name} ({size})" for name, size in data.sizes.items()) or "none"


def _order(data: "xr.DataArray", count: int, wanted: tuple[str | None, ...], task: str) -> tuple[str, ...]:
    """Return the `count` dimensions that are drawn: those wanted, else the long ones in order, else short ones.

    Raises InputError for one of texts.
    """
    texts = [str(name) for name in data.dims if holds_texts(data[name])]
    for name in wanted:
        if name is not None and name not in data.dims:
            raise InputError(f"no dimension {name!r}; {suggestion(name, [str(known) for known in data.dims])}")
    ranked = sorted(data.dims, key=lambda name: (name in texts, data.sizes[name] == 1))
    free = [str(name) for name in ranked if name not in wanted]
    chosen = tuple(name if name is not None else (free.pop(0) if free else "") for name in wanted)
    if "" in chosen or len(set(chosen)) < count:
        raise InputError(f"data has the dimensions {_listed(data)}: {task}")
    for name in (name for name in chosen if name in texts):
        raise InputError(f"{name}: texts have no order; draw them as the lines of rd.plot.curve, or choose one of them")
    return tuple(sorted(chosen, key=list(data.dims).index)) if wanted == (None,) * count else chosen


def _squeezed(data: "xr.DataArray", keep: tuple[str, ...], task: str) -> "xr.DataArray":
    """Drop dimensions of length 1 that are not drawn; raises InputError for one that needs a choice."""
    more = [str(name) for name in data.dims if name not in keep and data.sizes[name] > 1]
    if more:
        first = words.plain(data[more[0]].values[0]).replace("−", "-")
        picked = f"isel({more[0]}=0)" if holds_texts(data[more[0]]) else f"sel({more[0]}={first})"
        choice = f".{picked} or .mean({more[0]!r})"
        raise InputError(f"data has the dimensions {_listed(data)}: {task}; choose with {choice}")
    return data.isel({name: 0 for name in data.dims if name not in keep})


def _lines(data: "xr.DataArray", x: str | None, task: str) -> "xr.DataArray":
    """Return `data` as (x) or (series, x)."""
    (along,) = _order(data, 1, (x,), task)
    series = tuple(str(name) for name in data.dims if name != along and data.sizes[name] > 1)
    data = _squeezed(data, (*series[:1], along), task)
    return data.transpose(*series[:1], along)


def _like(other: "xr.DataArray | None", data: "xr.DataArray", name: str) -> "xr.DataArray | None":
    """Return `other` with the dimensions of `data`."""
    if other is None:
        return None
    other = _array(other, name)
    other = _largest(other) if "exponent" not in data.dims else other
    other = other.isel({extra: 0 for extra in other.dims if extra not in data.dims and other.sizes[extra] == 1})
    if dict(other.sizes) != dict(data.sizes):
        raise InputError(f"{name} has the dimensions {_listed(other)}, data {_listed(data)}: expected the same")
    return other.transpose(*data.dims)


def _status(status: "xr.DataArray", data: "xr.DataArray") -> "xr.DataArray":
    if "flag_values" not in _array(status, "status").attrs:
        raise InputError("status has no `flag_values` and `flag_meanings` in its attrs, as a status of rd.sweep has")
    found = _like(status, data, "status")
    assert found is not None
    return found


def _classes(data: "xr.DataArray", period: "xr.DataArray | None") -> regimes.Classes:
    return regimes.classes_of(data, period)
