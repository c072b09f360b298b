"""Curves with error bands, gradient profiles, orbit diagrams and trajectories: everything that is no map."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.report import style, words
from rnndyn.sweep.limit import fit

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.report.style import Canvas

__all__ = ["curve", "limit", "orbit", "profile", "reaches_below", "slope_of", "theory_lines", "trajectory"]

MARKED = 14  # markers on a line, at most; those of other lines stand elsewhere
JOINED = 100  # points in a plane: more are not joined by lines
NAMED = len(style.SERIES)
CROSS: dict[str, Any] = {"linestyle": "none", "marker": "x", "markeredgewidth": 2.0}
FEW = 100.0  # as far as the ends of a logarithmic scale may lie apart for its powers of ten to be too few
LEAST = 0.1  # of a value: how far below it a band reaches at most on a logarithmic scale
FLOOR = -60.0  # nat: of a gradient less is nothing to anybody, and would squeeze the rest (exp(-60) is 1e-26)


def curve(
    canvas: "Canvas", data: "xr.DataArray", error: "xr.DataArray | None", zero: bool = True, log: str = ""
) -> None:
    """Draw `data` (x) or (series, x) with bands of +- `error` (of the same shape); gaps where it is not finite.

    log: scales that are logarithmic; on that of the values stands their size, and zero is a gap.
    """
    x = data.dims[-1]
    at = data[x].values.astype(float)
    if zero and "y" not in log:
        canvas.ax.axhline(0.0, color=style.SOFT, linewidth=1.0, zorder=0.5)
    for number, (label, values, form) in enumerate(_series(data)):
        values = np.where(np.isfinite(values), values, np.nan)
        if "y" in log:
            values = np.where(values == 0.0, np.nan, np.abs(values))
        if error is not None:
            spread = np.atleast_2d(error.values)[number]
            low = np.maximum(values - spread, LEAST * values) if "y" in log else values - spread
            canvas.ax.fill_between(at, low, values + spread, color=form["color"], alpha=0.25, linewidth=0)
        step = -(-len(at) // MARKED)
        (line,) = canvas.ax.plot(at, values, label=label, markevery=(number * step // NAMED, step), **form)
        if label:
            canvas.handles.append(line)
    canvas.ax.set_xlabel(words.axis(data[x]))
    canvas.ax.set_ylabel(words.scale(data, size="y" in log and bool(np.any(data.values < 0))))
    _floor(canvas, data)
    canvas.ax.set(**{f"{name}scale": "log" for name in log})
    if at.min() < at.max():
        canvas.ax.set_xlim(at.min(), at.max())
    for name in log:
        _ticks(getattr(canvas.ax, f"{name}axis"))


def _ticks(axis: Any) -> None:
    """Give a logarithmic scale of less than two decades more than its powers of ten, as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    if 0.0 < high < FEW * low:
        digits = (1.0, 2.0, 5.0) if high > 10.0 * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
        axis.set_major_locator(LogLocator(subs=digits))
        axis.set_major_formatter(FuncFormatter(lambda value, _: words.plain(value)))
        axis.set_minor_formatter(NullFormatter())


def reaches_below(data: "xr.DataArray") -> bool:
    """Whether gradients (log norms) reach so far below the floor of a figure that they are cut there."""
    if data.name != "log_norms":
        return False
    finite = data.values[np.isfinite(data.values)]
    return len(finite) > 0 and float(finite.min()) < FLOOR <= float(finite.max())


def _floor(canvas: "Canvas", data: "xr.DataArray") -> None:
    """Cut the figure at the floor if the data reach below it."""
    if reaches_below(data):
        high = max(float(data.values[np.isfinite(data.values)].max()), 0.0)
        canvas.ax.set_ylim(FLOOR, high + 0.05 * (high - FLOOR))


def theory_lines(canvas: "Canvas", x: NDArray[Any], curves: Mapping[str, NDArray[Any]], log: str = "") -> None:
    """Draw theory over lines: {label: values (x) or (line, x)}, dashed; equal lines once."""
    for number, (label, values) in enumerate(curves.items()):
        values = np.abs(values) if "y" in log else values
        dashes = style.THEORY[number % len(style.THEORY)]
        for row in np.unique(np.atleast_2d(values), axis=0):
            (line,) = canvas.ax.plot(x, row, color=_ink(), linewidth=1.1, linestyle=dashes, label=label, zorder=3)
        canvas.handles.append(line)


def limit(
    canvas: "Canvas",
    data: "xr.DataArray",
    error: "xr.DataArray | None",
    terms: int,
    theory: Mapping[str, NDArray[Any]],
) -> None:
    """Draw `data` (N) or (series, N) against 1/N with bars, the fits in 1/N, their limits and theory at 1/N = 0."""
    axis = str(data.dims[-1])
    sizes = data[axis].values.astype(float)
    inverse, ends = 1.0 / sizes, np.linspace(0.0, 1.0 / sizes.min(), 50)
    spread = data.copy(data=np.zeros(data.shape)) if error is None else error
    found = fit(data, spread, axis, terms)
    limits, stderr = np.atleast_1d(found.limit), np.atleast_1d(found.stderr)
    for number, (label, values, form) in enumerate(_series(data)):
        look: dict[str, Any] = {"color": form["color"], "linestyle": "none"}
        bars = np.atleast_2d(spread.values)[number]
        points = canvas.ax.errorbar(
            inverse, values, bars, label=label, marker=form.get("marker", "o"), capsize=3, **look
        )
        powers = np.atleast_2d(found.coefficients)[number] @ ends ** np.arange(terms + 1)[:, None]
        canvas.ax.plot(ends, powers, color=form["color"], linewidth=1.2)
        canvas.ax.errorbar(0.0, limits[number], stderr[number], marker="s", markerfacecolor="none", capsize=6, **look)
        for formula in theory.values():
            height = np.broadcast_to(formula, np.atleast_2d(data.values).shape)[number, 0]
            canvas.ax.plot(0.0, height, **CROSS, color=form["color"], markersize=11, zorder=4)
        canvas.handles += [points] if label else []
    for label in theory:
        canvas.handles += canvas.ax.plot([], [], **CROSS, color=_ink(), markersize=8, label=label)
    apart = [at for at, value in enumerate(inverse) if value > 0.04 * inverse.max()]
    canvas.ax.set_xticks([0.0, *inverse[apart]], ["∞", *(words.plain(sizes[at]) for at in apart)])
    canvas.ax.set_xlabel(f"{axis} (equal steps of 1/{axis})")
    canvas.ax.set_ylabel(words.scale(data))


def profile(canvas: "Canvas", data: "xr.DataArray", exponent: "xr.DataArray | None") -> None:
    """Draw gradient sizes `data` (lag) or (series, lag); dashed lines have the slope `exponent` () or (series).

    A dashed line goes through the mean of its profile's second half: the first steps depend on the loss.
    """
    curve(canvas, data, None)
    if exponent is None:
        return
    lag = data["lag"].values.astype(float)
    slopes = []
    for values, slope in zip(np.atleast_2d(data.values), np.atleast_1d(exponent.values), strict=True):
        height = slope_of(lag, values, float(slope))
        if height is not None:
            (line,) = canvas.ax.plot(lag, height + slope * lag, color=_ink(), linewidth=1.1, linestyle=style.THEORY[2])
            line.set(zorder=3, label="slope λ₁")
            slopes.append(line)
    canvas.handles += slopes[:1]


def slope_of(lag: NDArray[Any], values: NDArray[Any], slope: float) -> float | None:
    """Return the height at lag 0 of the line of a given slope through the mean of a profile's second half."""
    late = (lag >= lag.max() / 2) & np.isfinite(values)
    if not late.any() or not np.isfinite(slope):
        return None
    return float(np.mean(values[late] - slope * lag[late]))


def orbit(canvas: "Canvas", data: "xr.DataArray") -> None:
    """Draw the visited states `data` (x, step) as dots above their x: an orbit (bifurcation) diagram."""
    x = data.dims[0]
    at = np.broadcast_to(data[x].values.astype(float)[:, None], data.shape)
    crowd = data.size / max(len(data[x]), 1)
    room = 480 / max(len(data[x]), 1)  # points of the paper for each column
    (line,) = canvas.ax.plot(at.ravel(), data.values.astype(float).ravel(), linestyle="none", rasterized=True)
    line.set(
        marker="o",
        markersize=float(np.clip(room / 2, 1.6, 5.0)),
        markeredgewidth=0,
        color=style.SERIES[0][0],
        alpha=float(np.clip(max(40 / crowd, room / 20), 0.15, 1)),
    )
    canvas.ax.set_xlabel(words.axis(data[x]))
    canvas.ax.set_ylabel(words.scale(data))
    canvas.ax.margins(x=0.0)


def trajectory(canvas: "Canvas", data: "xr.DataArray", plane: bool) -> None:
    """Draw states `data` (step) or (component, step) against time, or the second component against the first."""
    if not plane:
        curve(canvas, data, None, zero=False)
        return
    first, second = data.values
    names = [words.member(data, str(data.dims[0]), index) for index in (0, 1)]
    joined = {"linewidth": 0.8} if len(first) <= JOINED else {"linestyle": "none"}
    canvas.ax.plot(first, second, color=style.SERIES[0][0], marker="o", markersize=2.5, markeredgewidth=0, **joined)
    (start,) = canvas.ax.plot(
        first[:1], second[:1], linestyle="none", marker="s", markersize=8, color=style.SERIES[1][0]
    )
    start.set_label("start")
    canvas.handles.append(start)
    canvas.ax.set_xlabel(names[0])
    canvas.ax.set_ylabel(names[1])


def _ink() -> str:
    import matplotlib

    return str(matplotlib.rcParams["text.color"])


def _series(data: "xr.DataArray") -> list[tuple[str, NDArray[Any], dict[str, Any]]]:
    """Return (label, values, form of the line) for each series; a single one has no label.

    Few series differ in colour and marker; many are shades of one scale, from light to dark, labelled at some of them.
    """
    values = np.atleast_2d(data.values.astype(float))
    if data.ndim == 1:
        colour, marker, dashes = style.SERIES[0]
        return [("", values[0], {"color": colour, "marker": marker, "linestyle": dashes})]
    labels = [words.member(data, str(data.dims[0]), index) for index in range(len(values))]
    if len(values) <= NAMED:
        forms = [{"color": colour, "marker": marker, "linestyle": dashes} for colour, marker, dashes in style.SERIES]
        return list(zip(labels, values, forms[: len(values)], strict=True))
    shades = style.size_colours()(np.linspace(0.15, 1.0, len(values)))
    shown = set(np.linspace(0, len(values) - 1, NAMED).round().astype(int).tolist())
    return [
        (labels[index] if index in shown else "", values[index], {"color": shades[index], "linewidth": 1.4})
        for index in range(len(values))
    ]
