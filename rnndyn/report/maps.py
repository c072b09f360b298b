"""Maps of a variable over two axes of a study, with theory curves over them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.report import style
from rnndyn.report.regimes import Classes
from rnndyn.sweep.curves import CURVES

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["class_map", "growth_map", "limits", "statuses", "theory_curves"]


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


def _fill(ax: "Axes", data: "xr.DataArray", values: NDArray[Any], **options: Any) -> Any:
    """Colour the cells of a 2-D array with dimensions (x, y); crisp, never blurred across a border."""
    x, y = (data[name].values for name in data.dims)
    image: Any
    if even(x) and even(y):
        across, up = edges(x), edges(y)
        extent = (across[0], across[-1], up[0], up[-1])
        image = ax.imshow(values.T, origin="lower", aspect="auto", interpolation="nearest", extent=extent, **options)
    else:
        image = ax.pcolormesh(edges(x), edges(y), values.T, rasterized=True, **options)
    ax.set_xlim(min(edges(x)), max(edges(x)))
    ax.set_ylim(min(edges(y)), max(edges(y)))
    ax.set_xlabel(str(data.dims[0]))
    ax.set_ylabel(str(data.dims[1]))
    return image


def growth_map(ax: "Axes", data: "xr.DataArray", label: str, bar_ax: "Axes | None" = None) -> None:
    """Draw a quantity whose sign matters (dimensions x, y), with its colour bar in `bar_ax` (or beside `ax`)."""
    values = data.values
    end = limits(values)
    image = _fill(ax, data, values, cmap=style.growth_colours(), vmin=-end, vmax=end)
    below, above = bool(np.any(values < -end)), bool(np.any(values > end))
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
    figure = ax.get_figure()
    assert figure is not None
    bar = figure.colorbar(image, ax=None if bar_ax is not None else ax, cax=bar_ax, extend=extend)
    bar.set_label(label)
    bar.outline.set_linewidth(0.6)
    bar.ax.axhline(0.0, color="black", linewidth=1.0)


def class_map(ax: "Axes", data: "xr.DataArray", classes: Classes) -> list[Any]:
    """Draw named regions; returns the legend's patches, with the share of each region."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = [style.UNDECIDED, *style.REGIMES[: len(classes.names)]]
    _fill(ax, data, classes.index, cmap=ListedColormap(colours), vmin=-1.5, vmax=len(classes.names) - 0.5)
    total = classes.index.size
    rows = list(zip(classes.names, classes.counts(), colours[1:], strict=True))
    missing = int(np.sum(classes.index < 0))
    if missing:
        rows.append(("undecided", missing, style.UNDECIDED))
    return [
        Patch(facecolor=colour, edgecolor="#3a3f47", linewidth=0.6, label=f"{name}, {share(count, total)}")
        for name, count, colour in rows
    ]


def statuses(ax: "Axes", status: "xr.DataArray") -> list[Any]:
    """Hatch the points whose status makes their value no exponent; returns the legend's patches, with counts."""
    from matplotlib.patches import Patch

    names = dict(zip(status.attrs["flag_values"], str(status.attrs["flag_meanings"]).split(), strict=True))
    patches = []
    for flag, name in names.items():
        found = status.values == flag
        if name in style.HATCHES and found.any():
            _hatch(ax, status, found, style.HATCHES[name])
            label = f"{name.lower().replace('_', ' ')}: {share(int(found.sum()), found.size)} ({found.sum()} points)"
            patches.append(Patch(facecolor="white", edgecolor="#3a3f47", hatch=style.HATCHES[name], label=label))
    return patches


def _hatch(ax: "Axes", data: "xr.DataArray", mask: NDArray[np.bool_], pattern: str) -> None:
    """Hatch whole cells: the mask is doubled in resolution so that a single point is hatched too."""
    x, y = (edges(data[name].values) for name in data.dims)
    fine = [np.stack([at[:-1] + 1e-3 * np.diff(at), at[1:] - 1e-3 * np.diff(at)], axis=1).ravel() for at in (x, y)]
    twice = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1).astype(float)
    ax.contourf(*fine, twice.T, levels=[0.5, 1.5], colors="none", hatches=[pattern])


def theory_curves(ax: "Axes", x: NDArray[Any], names: tuple[str, ...]) -> list[Any]:
    """Draw named theory curves, dashed in black on a white seam; returns their legend lines."""
    from matplotlib.patheffects import withStroke

    lines = []
    for name, dashes in zip(names, style.THEORY, strict=False):
        curve = CURVES[name]
        at = np.unique(np.append(np.linspace(min(x), max(x), 4001), np.clip(curve.tip, min(x), max(x))))
        for sign in (1, -1):
            (line,) = ax.plot(
                at, sign * curve.height(at), color="black", linewidth=1.4, linestyle=dashes, label=curve.label
            )
            line.set_path_effects([withStroke(linewidth=3.0, foreground="white", alpha=0.75)])
        lines.append(line)
    return lines


def share(count: int, total: int) -> str:
    """Return a share as "12.3 %"; a small one keeps a digit that is not zero, and 100 % means all."""
    if count in (0, total):
        return f"{100 * count // total} %"
    percent = 100 * count / total
    if percent > 99.9:
        return f"{min(percent, 99.99):.2f} %"
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2g} %"
