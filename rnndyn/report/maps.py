"""Maps of a variable over two axes of a study, with theory curves over them."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.report import style, words
from rnndyn.report.regimes import Classes
from rnndyn.sweep.curves import Curve
from rnndyn.sweep.grid import holds_texts

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from rnndyn.report.style import Canvas

__all__ = [
    "borders",
    "class_map",
    "doubtful",
    "edges",
    "even",
    "growth_map",
    "limits",
    "share",
    "size_map",
    "statuses",
    "theory_curves",
]


AGREED = 0.9  # the share of starts that agree from which on a regime is not doubtful


def edges(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cell edges around coordinate values, one more than there are values."""
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 1:
        return values[0] + np.array([-0.5, 0.5])
    middle = (values[1:] + values[:-1]) / 2
    return np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])


def even(values: NDArray[Any]) -> bool:
    """Whether coordinate values are evenly spaced."""
    rise = np.diff(values.astype(np.float64))
    return bool(np.allclose(rise, rise.mean() if len(rise) else 0.0, rtol=1e-6))


def limits(values: NDArray[np.float64]) -> float:
    """Return the end of a colour scale centred at zero: few values (and no infinite one) lie beyond it."""
    finite = np.abs(values[np.isfinite(values)])
    largest = float(np.quantile(finite, 0.75)) if len(finite) else 1.0
    growing = values[np.isfinite(values) & (values > 0)]
    if len(growing) > 0.001 * values.size:
        largest = max(min(largest, 4 * float(growing.max())), float(np.quantile(growing, 0.99)))
    return _round_up(largest) if largest > 0 else 1.0


def _round_up(value: float) -> float:
    size = 10.0 ** np.floor(np.log10(value))
    return float(size * next(step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * size >= value * (1 - 1e-9)))


def _fill(canvas: "Canvas", data: "xr.DataArray", values: NDArray[Any], **options: Any) -> Any:
    """Colour the cells of a 2-D array with dimensions (x, y); crisp, never blurred across a border."""
    ax = canvas.ax
    x, y = (data[name].values for name in data.dims)
    image: Any
    if even(x) and even(y):
        across, up = edges(x), edges(y)
        extent = (across[0], across[-1], up[0], up[-1])
        # "none", so that a vector file holds the points themselves; among pixels it is "nearest".
        image = ax.imshow(values.T, origin="lower", aspect="auto", interpolation="none", extent=extent, **options)
    else:
        image = ax.pcolormesh(edges(x), edges(y), values.T, rasterized=True, **options)
    ax.set_xlim(min(edges(x)), max(edges(x)))
    ax.set_ylim(min(edges(y)), max(edges(y)))
    ax.set_xlabel(words.axis(data[data.dims[0]]))
    ax.set_ylabel(words.axis(data[data.dims[1]]))
    return image


def growth_map(canvas: "Canvas", data: "xr.DataArray") -> None:
    """Draw a quantity whose sign matters (dimensions x, y): colours centred at zero, the bar as far as they occur."""
    values = data.values.astype(float)
    end = limits(values)
    image = _fill(canvas, data, values, cmap=style.growth_colours(), vmin=-end, vmax=end)
    finite = values[np.isfinite(values)]
    least, most = (float(finite.min()), float(finite.max())) if len(finite) else (-end, end)
    below, above = least < -end or bool(np.any(values == -np.inf)), most > end or bool(np.any(values == np.inf))
    bar = _bar(canvas, image, words.scale(data), below, above)
    low, high = (-end if below else min(least, -0.05 * end)), (end if above else max(most, 0.05 * end))
    bar.ax.set_ylim(low, high)
    bar.ax.axhline(0.0, color="black", linewidth=1.4)


def size_map(canvas: "Canvas", data: "xr.DataArray") -> None:
    """Draw a quantity without a sign, such as an error (dimensions x, y)."""
    values = data.values.astype(float)
    finite = values[np.isfinite(values)]
    end = _round_up(float(np.quantile(finite, 0.98))) if len(finite) and finite.max() > 0 else 1.0
    start = 0.0 if not len(finite) or finite.min() >= 0 else float(finite.min())
    image = _fill(canvas, data, values, cmap=style.size_colours(), vmin=start, vmax=end)
    _bar(canvas, image, words.scale(data), False, bool(np.any(values > end)))


def _bar(canvas: "Canvas", image: Any, label: str, below: bool, above: bool) -> Any:
    """Draw the colour bar; an arrow at an end says that values lie beyond it."""
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
    bar = canvas.figure.colorbar(image, ax=None if canvas.bar else canvas.ax, cax=canvas.bar, extend=extend)
    bar.set_label(label)
    bar.outline.set_linewidth(0.6)
    return bar


def class_map(
    canvas: "Canvas", data: "xr.DataArray", classes: Classes, counts: Sequence[int] | None = None, total: int = 0
) -> None:
    """Draw named regions; the legend tells the share of each: of `counts` in `total`, if more points than are drawn."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = [style.UNDECIDED, *classes.colours()]
    _fill(canvas, data, classes.index, cmap=ListedColormap(colours), vmin=-1.5, vmax=len(classes.names) - 0.5)
    counts, total = (classes.counts(), classes.index.size) if counts is None else (counts, total)
    rows = list(zip(classes.names, counts, colours[1:], strict=True))
    missing = total - sum(counts)
    if missing:
        rows.append(("undecided", missing, style.UNDECIDED))
    canvas.handles += [
        Patch(facecolor=colour, edgecolor=style.INK, linewidth=0.6, label=f"{name}, {share(count, total)}")
        for name, count, colour in rows
    ]


def borders(canvas: "Canvas", data: "xr.DataArray", classes: Classes) -> None:
    """Draw the boundaries between regions (dimensions x, y), where the map has some."""
    from matplotlib.collections import LineCollection

    found = regions_of(data, classes)
    if found is not None and found.boundaries:
        lines = [boundary.points for boundary in found.boundaries]
        canvas.ax.add_collection(LineCollection(lines, colors=style.INK, linewidths=0.8), autolim=False)


def regions_of(data: "xr.DataArray", classes: Classes) -> Any:
    """Return the regions of classes over (x, y), None where an axis has one value or texts, or nothing is decided."""
    from rnndyn import dynamics

    axes = [data[name].values for name in data.dims]
    if min(data.shape) < 2 or any(map(holds_texts, axes)) or not np.any(classes.index >= 0):
        return None
    return dynamics.regions(classes.index, *axes)


def doubtful(canvas: "Canvas", data: "xr.DataArray", confidence: "xr.DataArray") -> None:
    """Hatch the points where starts disagree about the regime, and count them."""
    found = confidence.values < AGREED
    if found.any():
        _hatch(canvas.ax, data, found, style.DOUBT)
        _count(canvas, found, f"fewer than {AGREED:.0%} of the starts agree".replace("%", " %"), style.DOUBT)


def statuses(canvas: "Canvas", status: "xr.DataArray") -> None:
    """Hatch the points (x, or x and y) whose status says that their value is not what it seems, and count them."""
    flags = dict(zip(status.attrs["flag_values"], str(status.attrs["flag_meanings"]).split(), strict=True))
    for flag, name in flags.items():
        found = status.values == flag
        if name in style.HATCHES and found.any():
            (_hatch if found.ndim == 2 else _hatch_span)(canvas.ax, status, found, style.HATCHES[name])
            _count(canvas, found, name.lower().replace("_", " "), style.HATCHES[name])


def _count(canvas: "Canvas", found: NDArray[np.bool_], what: str, hatch: str) -> None:
    """Tell in the legend how many points are hatched."""
    from matplotlib.patches import Patch

    count = int(found.sum())
    points = "1 point" if count == 1 else f"{count} points"
    label = f"{what}: {share(count, found.size)} ({points})"
    canvas.handles.append(Patch(facecolor="white", edgecolor=style.INK, hatch=hatch, linewidth=0.6, label=label))


def _hatch(ax: "Axes", data: "xr.DataArray", mask: NDArray[np.bool_], pattern: str) -> None:
    """Hatch whole cells, black on white seams; the mask is doubled so that a single point is hatched too."""
    import matplotlib

    x, y = (edges(data[name].values) for name in data.dims)
    fine = [np.stack([at[:-1] + 1e-3 * np.diff(at), at[1:] - 1e-3 * np.diff(at)], axis=1).ravel() for at in (x, y)]
    twice = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1).astype(float)
    for colour, width in (("white", 2.6), ("black", 0.9)):
        with matplotlib.rc_context({"hatch.color": colour, "hatch.linewidth": width}):
            ax.contourf(*fine, twice.T, levels=[0.5, 1.5], colors="none", hatches=[pattern])


def _hatch_span(ax: "Axes", data: "xr.DataArray", mask: NDArray[np.bool_], pattern: str) -> None:
    """Hatch the stretches of the only axis that `mask` marks, from bottom to top."""
    at = edges(data[data.dims[0]].values)
    steps = np.diff(np.concatenate([[0], mask.astype(int), [0]]))
    for start, stop in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True):
        ax.axvspan(at[start], at[stop], facecolor="none", edgecolor=style.SOFT, hatch=pattern, linewidth=0, zorder=0)


def theory_curves(canvas: "Canvas", x: NDArray[Any], curves: Sequence[Curve]) -> None:
    """Draw theory over a map in black on a white seam: curves dashed, each with other dashes, points as rings."""
    from matplotlib.patheffects import withStroke

    ends, dashes = edges(x), itertools.cycle(style.THEORY)
    for curve in curves:
        point, line = curve.entry.kind == "point", None
        look: dict[str, Any] = {"marker": "o", "markersize": 7, "markerfacecolor": "white", "markeredgewidth": 1.8}
        look = {"linestyle": "none", **look} if point else {"linestyle": next(dashes)}
        for branch in curve.polylines(float(ends.min()), float(ends.max())):
            (line,) = canvas.ax.plot(*branch.T, color="black", linewidth=1.8, label=curve.label, **look)
            line.set_path_effects([withStroke(linewidth=3.6, foreground="white", alpha=0.8)])
        if line is not None:
            canvas.handles.append(line)


def share(count: int, total: int) -> str:
    """Return a share as "12.3 %"; a small one keeps a digit that is not zero, and 100 % means all."""
    if count in (0, total):
        return f"{100 * count // total} %"
    percent = 100 * count / total
    if percent > 99.9:
        return f"{min(percent, 99.99):.2f} %"
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2g} %"
