"""The refined map of a report: its labels, where its points went, and how far its borders lie from theory."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.dynamics.boundaries import boundaries
from rnndyn.report import images, maps, style, words
from rnndyn.report.boundaries import boundary_distances
from rnndyn.report.figures import Drawn, figure_of
from rnndyn.report.maps import share
from rnndyn.report.numbers import Number, count
from rnndyn.report.pictures import Picture
from rnndyn.report.regimes import Classes, classes_of
from rnndyn.sweep import files
from rnndyn.sweep.curves import CURVES, Curve
from rnndyn.sweep.figure import Drawing
from rnndyn.sweep.store import REFINED

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.report.style import Canvas
    from rnndyn.sweep.study import Study

__all__ = ["draw_refined", "refined_caution", "refined_numbers", "write_refined"]

SIDE = 1024  # points drawn along each axis, at most: a figure has no more pixels
PAIRS = (("attractors", "period"), ("regime", "regime_period"))  # labels that are shown together
WINDOW = 64  # points along each axis of the part that is drawn closely


def draw_refined(refined: "xr.Dataset", study: "Study") -> list[Drawn]:
    """Draw the labels of a refined map, those of `PAIRS` together, and its densest part closely."""
    names = labels(refined)
    pairs = [list(pair) for pair in PAIRS if set(pair) <= set(names)]
    groups = [*pairs, *([name] for name in names if not any(name in pair for pair in pairs))]
    shown = [Labelled([refined[name] for name in group]) for group in groups]
    return [*(_draw_labels(refined, study, one) for one in shown), _draw_closely(refined, study, shown[0])]


def write_refined(refined: "xr.Dataset", study: "Study", directory: Path) -> Path:
    """Write the figures of a refined map as PNG into `directory`; returns the path of the first."""
    figures = draw_refined(refined, study)
    directory.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        files.write(directory / f"{figure.name}.png", figure.png)
    return directory / f"{figures[0].name}.png"


def refined_numbers(refined: "xr.Dataset", study: "Study") -> tuple[list[Number], str]:
    """Return what a refined map cost, how far its borders lie from the closed-form curves of the study; and a sentence.

    Distances are in cells of the refined map.
    """
    x, y = axes(refined)
    manifest = json.loads(refined.attrs["manifest"])
    levels, seconds = manifest["levels"], manifest["seconds"]["sweep"]
    total, computed = refined["level"].size, refined.sizes["point"]
    grid = f"{refined.sizes[x]} × {refined.sizes[y]}"
    spent = f"{share(computed, total)} ({count(computed)} of {count(total)} points)"
    note = f"{len(levels)} levels, from steps of {' × '.join(map(str, levels[0]['stride']))} to 1, in {seconds:.1f} s"
    numbers, far = [Number(f"Computed for the map of {grid} points", spent, note)], []
    for curve in theory(refined, study).values():
        if curve.jumps not in labels(refined) or not all(maps.even(refined[name].values) for name in (x, y)):
            continue
        found = boundary_distances(refined[curve.jumps].values, refined[x].values, refined[y].values, curve)
        what = f"Border of the {grid} map from the {curve.label.removesuffix(' (closed form)')} curve"
        if found is None:
            numbers.append(Number(what, "–", f"no border of “{curve.jumps}” inside this map"))
            continue
        note = (
            f"median {found.median:.2f}; from {count(found.pieces)} pairs of neighbours that differ. Back from the "
            f"curve: at most {found.to_border:.2f}, where the tongue is at least two cells high"
        )
        numbers.append(Number(what, f"at most {found.to_curve:.2f} of its cells", note, theory="0"))
        far.append(found.to_curve)
    sentence = f"On a map of {grid} points, {share(computed, total)} of which were computed to find where labels change"
    sentence += f", borders lie at most {max(far):.2f} cells from the closed-form curves." if far else "."
    return numbers, sentence.replace(" %", "\u00a0%")


def refined_caution(refined: "xr.Dataset") -> str:
    """Say what a refined map can miss."""
    first = json.loads(refined.attrs["manifest"])["levels"][0]["stride"]
    return (
        f"Of the refined map {share(refined.sizes['point'], refined['level'].size)} of the points are computed, the "
        "others have the label of those around them. Borders that reach between two points of its coarse grid are "
        f"followed to the end; an island, or a strip, thinner than {' × '.join(map(str, first))} cells can be missed."
    )


def axes(refined: "xr.Dataset") -> tuple[str, str]:
    """Return the names of the two axes."""
    x, y = refined["level"].dims
    return str(x), str(y)


def labels(refined: "xr.Dataset") -> list[str]:
    """Return the names of the labels."""
    return [str(name) for name, a in refined.data_vars.items() if a.dims == refined["level"].dims and name != "level"]


def theory(refined: "xr.Dataset", study: "Study") -> dict[str, Curve]:
    """Return the closed-form curves that figures of the study name and that apply to the axes of the map."""
    x, y = axes(refined)
    named = dict.fromkeys(name for figure in study.figure for name in figure.theory)
    found = {name: CURVES[name].of(study, x, y) for name in named if name in CURVES}
    return {name: curve for name, curve in found.items() if curve is not None}


class Labelled:
    """The classes of a refined map's points by one label, or by a pair: attractors or regimes, and their period.

    index (n, m) numbers `names`, -1 where nothing was decided; counts: the points of each. Few values occur many times,
    so each is named once.
    """

    def __init__(self, arrays: "list[xr.DataArray]") -> None:
        self.data = arrays[0]
        self.name = REFINED if len(arrays) > 1 else f"{REFINED}_{arrays[0].name}"
        code = np.zeros(self.data.shape, np.int64)
        ends = [(int(array.values.min()), int(array.values.max()) + 1) for array in arrays]
        for array, (low, high) in zip(arrays, ends, strict=True):
            code *= high - low
            code += array.values
            code -= low
        number = np.bincount(code.ravel())
        left = there = np.flatnonzero(number)
        few: list[Any] = []
        for array, (low, high) in zip(reversed(arrays), reversed(ends), strict=True):
            few.insert(0, _few(array, left % (high - low) + low))
            left = left // (high - low)
        classes = classes_of(few[0], few[1] if len(few) > 1 else None)
        self.classes, self.names = classes, classes.names
        lookup = np.full(len(number), -1, np.int64)
        lookup[there] = classes.index
        self.index = lookup[code]
        self.counts = [int(number[there[classes.index == place]].sum()) for place in range(len(self.names))]

    def part(self, by: tuple[slice, ...]) -> "tuple[xr.DataArray, Classes]":
        """Return a part of the map: where, and its classes."""
        where = self.data.isel(dict(zip(self.data.dims, by, strict=True)))
        return where, replace(self.classes, index=self.index[by])


def _few(array: "xr.DataArray", values: NDArray[Any]) -> "xr.DataArray":
    """Return values under the name and labels of a map."""
    return type(array)(values, name=array.name, attrs=array.attrs)


def _draw_labels(refined: "xr.Dataset", study: "Study", shown: Labelled) -> Drawn:
    data = shown.data
    title = f"{words.title(data)}, {' × '.join(map(str, data.shape))} points"
    drawing = _drawing(refined, study, str(data.name), title, shown.name)
    thin, classes = shown.part(tuple(slice(None, None, -(-n // SIDE)) for n in data.shape))

    def paint(canvas: "Canvas") -> None:
        maps.class_map(canvas, thin, classes, shown.counts, data.size)
        maps.theory_curves(canvas, data[drawing.x].values, [*theory(refined, study).values()])
        canvas.ax.set_title(title)

    lines = boundaries(shown.index, *(refined[name].values for name in axes(refined)))
    caption = (
        f"Computed where the label changes: {share(refined.sizes['point'], data.size)} of the points. The others have "
        "the label of those around them."
    ) + (" Dashed: closed formulas, fitted to nothing." if drawing.theory else "")
    alt = f"Map: {title}. {len(lines)} borders between {', '.join(shown.names)}."
    rows = [
        (*(f'"{shown.names[label]}"' if label >= 0 else "undecided" for label in line.between), number, *point)
        for number, line in enumerate(lines, 1)
        for point in line.points.tolist()
    ]
    return _drawn(Picture(drawing, thin), paint, caption, alt, ("one", "other", "line", *axes(refined)), rows)


def _draw_closely(refined: "xr.Dataset", study: "Study", shown: Labelled) -> Drawn:
    """Draw the points computed, by their steps, where borders are densest."""
    window = _densest(shown.index)
    data, classes = shown.part(window)
    level, manifest = refined["level"].values[window], json.loads(refined.attrs["manifest"])
    x, y = (data[name].values for name in axes(refined))
    middle = ", ".join(f"{name} = {words.plain(data[name].values.mean(), 4)}" for name in axes(refined))
    title = f"Closely, at {middle}"
    drawing = _drawing(refined, study, str(data.name), title, f"{shown.name}_closely")
    steps = [" × ".join(map(str, row["stride"])) for row in manifest["levels"]]

    def paint(canvas: "Canvas") -> None:
        maps.class_map(canvas, data, classes)
        canvas.handles.clear()
        maps.theory_curves(canvas, x, [*theory(refined, study).values()])
        curves, canvas.handles = canvas.handles, []
        for number, step in enumerate(steps):
            i, j = np.nonzero(level == number)
            dots: dict[str, Any] = {"markersize": 8.0 * 0.75**number, "color": style.INK, "label": f"steps of {step}"}
            canvas.handles += canvas.ax.plot(x[i], y[j], "o", **dots)
        canvas.handles += curves
        canvas.ax.set_title(title)

    each = [f"{count(row['computed'])} at steps of {step}" for row, step in zip(manifest["levels"], steps, strict=True)]
    caption = (
        f"The {' × '.join(map(str, data.shape))} points where borders are densest, in the colours of the map; dots are "
        f"the points computed, the first ones large. In the whole map: {', '.join(each)}."
    )
    i, j = np.nonzero(level >= 0)
    names = labels(refined)
    columns = [x[i], y[j], level[i, j], *(refined[name].values[window][i, j] for name in names)]
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    heads = (*axes(refined), "level", *names)
    return _drawn(Picture(drawing, data), paint, caption, f"Map: {title}. {caption}", heads, rows)


def _densest(index: NDArray[np.int64]) -> tuple[slice, ...]:
    """Return the window, of WINDOW points along each axis, whose rows or columns change label most."""
    half = WINDOW // 2
    shape = [max(2, -(-n // half)) for n in index.shape]
    most = np.zeros([n - 1 for n in shape], int)
    for at in (np.nonzero(index[1:] != index[:-1]), np.nonzero(index[:, 1:] != index[:, :-1])):
        found = np.zeros(shape, int)
        np.add.at(found, tuple(place // half for place in at), 1)
        most = np.maximum(most, found[1:, 1:] + found[1:, :-1] + found[:-1, 1:] + found[:-1, :-1])
    low = [int(at) * half for at in np.unravel_index(int(np.argmax(most)), most.shape)]
    return slice(low[0], low[0] + WINDOW), slice(low[1], low[1] + WINDOW)


def _drawing(refined: "xr.Dataset", study: "Study", variable: str, title: str, name: str) -> Drawing:
    held = {str(key): refined[key].item() for key in refined.coords if refined[key].ndim == 0}
    return Drawing("map", variable, *axes(refined), None, (), held, (), tuple(theory(refined, study)), title, name)


def _drawn(
    picture: Picture, paint: Any, caption: str, alt: str, heads: tuple[str, ...], rows: list[tuple[Any, ...]]
) -> Drawn:
    figure, canvas = figure_of(paint)
    white = images.pixels(figure)
    svg = images.svg(figure)
    canvas.darken()
    night = images.png(images.pixels(figure))
    drawing, how = picture.drawing, str(picture.data.attrs.get("how", ""))
    told, (width, height) = (str(drawing.name), drawing.title, caption, how, alt), white.size
    lines = [",".join(f"{v:.7g}" if isinstance(v, float) else str(v) for v in row) for row in rows]
    table = gzip.compress("\n".join([",".join(heads), *lines, ""]).encode(), mtime=0)
    return Drawn(picture, *told, images.png(white), night, svg, table, width, height, len(rows))
