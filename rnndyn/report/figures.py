"""The figures of a report: which ones a study gets, drawn and encoded."""

import itertools
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.report import images, lines, pictures, plot, style, words
from rnndyn.report.pictures import Picture
from rnndyn.report.table import table
from rnndyn.sweep.curves import CURVES, LINES
from rnndyn.sweep.figure import Figure, complete_for
from rnndyn.sweep.limit import form
from rnndyn.sweep.start import RANDOM

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.report.style import Canvas
    from rnndyn.sweep.study import Study

__all__ = ["Drawn", "draw_figures", "figure_of", "warm_up"]

POINTS = 10_000  # values: of more, lines and hatches are pixels in an SVG too (axes, theory and words never are)
THUMBNAIL = "thumbnail"  # the name of the small image, which no figure may have
NAMES = {
    "map": "Map",
    "curve": "Curve",
    "limit": "Limit",
    "orbit": "Orbit diagram",
    "profile": "Profile",
    "trajectory": "Time course",
}


@dataclass(frozen=True)
class Drawn:
    """A figure as files: `name` without ending, images on white, for dark pages and small, its table and its words.

    `table` is CSV, compressed (gzip), of so many `rows`. `width` and `height` are those of the image in pixels.
    """

    picture: Picture
    name: str
    title: str
    caption: str
    how: str
    alt: str
    png: bytes
    dark: bytes
    svg: bytes
    table: bytes
    width: int
    height: int
    rows: int


def draw_figures(dataset: "xr.Dataset", study: "Study") -> list[Drawn]:
    """Draw the figures that the study names, or one for each quantity; the first one answers the question."""
    entries = list(study.figure) or _default_figures(dataset)
    taken, begun = [THUMBNAIL], []
    with ThreadPoolExecutor() as aside:
        for number, entry in enumerate(entries):
            picture = pictures.picture(dataset, study, complete_for(dataset, entry, study.axes))
            name = picture.drawing.name or picture.drawing.kind + (f"_{picture.drawing.variable}" if number else "")
            numbered = (f"{name}_{count}" for count in itertools.count(2))
            taken.append(next(free for free in itertools.chain([name], numbered) if free not in taken))
            begun.append(_draw(picture, taken[-1], study.run.initial_state == RANDOM, aside))
        return [finish() for finish in begun]


def warm_up() -> None:
    """Draw nothing in particular, so that fonts and formats are loaded."""
    import matplotlib.patheffects  # noqa: F401
    import xarray as xr

    grid = xr.DataArray(np.eye(2) - 0.5, dims=("x", "y"), name="exponents", attrs={"units": "λ‖∂₁"})
    figure, _ = figure_of(lambda canvas: plot.map(grid, ax=canvas))
    images.png(images.pixels(figure))
    images.svg(figure)


def _default_figures(dataset: "xr.Dataset") -> list[Figure]:
    names = ["exponents", "log_norms", "attractors"]
    if "regime" in dataset:  # its labels make a map; over one axis its exponent says more
        flat = sum(size > 1 for size in dataset["regime"].sizes.values()) > 1
        names.append("regime" if flat else "regime_exponent")
    return [Figure(variable=name) for name in names if name in dataset]


def _draw(picture: Picture, name: str, random: bool, aside: Executor) -> Callable[[], Drawn]:
    """Draw a figure, on white and again on dark; tables and pixels are packed `aside` until the result is asked for."""
    numbers = aside.submit(table, picture)
    figure, canvas = figure_of(lambda canvas: paint(canvas, picture))
    white = images.pixels(figure)
    day = aside.submit(images.png, white)
    closed = {*picture.theory, *(curve.label for curve in picture.curves)}
    if picture.data.size > POINTS:
        for artist in (*canvas.ax.lines, *canvas.ax.collections):
            artist.set_rasterized(artist.get_label() not in closed)
    svg = images.svg(figure)
    canvas.darken()
    night = aside.submit(images.png, images.pixels(figure))
    title = canvas.ax.get_title(loc="left")
    caption = _caption(picture, [str(handle.get_label()) for handle in canvas.handles], random)
    how, alt = str(picture.data.attrs.get("how", "")), _alt(picture, title)
    size = (*white.size, picture.data.size)
    return lambda: Drawn(
        picture, name, title, caption, how, alt, day.result(), night.result(), svg, numbers.result(), *size
    )


def thumbnail(picture: Picture) -> bytes:
    """Return a small image (PNG) of a figure for a gallery: the picture alone, its two axes named."""
    figure, _ = figure_of(lambda canvas: paint(canvas, picture), small=True)
    return images.png(images.pixels(figure, 100))


def figure_of(draw: Callable[["Canvas"], Any], small: bool = False) -> "tuple[Any, Canvas]":
    """Return a figure of our look with its canvas, drawn by `draw` on the canvas."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Empty

    with matplotlib.rc_context(style.RC):
        figure = Empty()
        FigureCanvasAgg(figure)
        canvas = style.new_canvas(figure)
        draw(canvas)
        (canvas.shrink if small else canvas.arrange)()
        return figure, canvas


def paint(canvas: "Canvas", picture: Picture) -> None:
    """Draw a picture as `rd.plot` does."""
    drawing, data, title = picture.drawing, picture.data, _title(picture)
    if drawing.kind == "map":
        options: dict[str, Any] = {"x": drawing.x, "y": drawing.y, "period": picture.period}
        options["theory"] = {curve.entry.name: curve.given for curve in picture.curves}
        options |= {"confidence": picture.confidence, "equal": drawing.equal}
        shown = picture.status if drawing.variable not in ("attractors", "period", "regime") else None
        plot.map(data, status=shown, title=title, ax=canvas, **options)
    elif drawing.kind == "curve":
        shown = picture.status if picture.status is None or data.ndim == 1 else _worst(picture.status)
        options = {"x": drawing.x, "error": picture.error, "theory": picture.theory, "log": drawing.log}
        plot.curve(data, status=shown, title=title, ax=canvas, **options)
    elif drawing.kind == "limit":
        options = {"x": drawing.x, "terms": drawing.terms, "theory": picture.theory}
        plot.limit(data, error=picture.error, title=title, ax=canvas, **options)
    elif drawing.kind == "profile":
        plot.profile(data, exponent=picture.exponent, theory=picture.theory, title=title, ax=canvas)
    elif drawing.kind == "orbit":
        plot.orbit(data, x=drawing.x, skip=0, title=title, ax=canvas)
    else:
        plot.trajectory(data, plane=drawing.x is None, equal=drawing.equal, title=title, ax=canvas)


def _worst(status: "xr.DataArray") -> "xr.DataArray":
    """Return the worst status among the lines of a curve."""
    return status.max([status.dims[0]], keep_attrs=True)


def _title(picture: Picture) -> str:
    drawing = picture.drawing
    if drawing.title:
        return drawing.title
    own = "Where the state goes" if drawing.kind == "orbit" else words.title(picture.data)
    fixed = [f"{name} = {words.plain(v)}" for name, v in _fixed(picture).items()]
    return own + (f", at {', '.join(fixed)}" if fixed else "")


def _fixed(picture: Picture) -> dict[str, float]:
    """Return the values at which axes are held."""
    at = picture.drawing.at.items()
    return {name: v for name, v in at if not isinstance(v, tuple) and name not in ("lag", "step", "component")}


def _caption(picture: Picture, legend: list[str], random: bool) -> str:
    drawing = picture.drawing
    parts = [words.reading(drawing.kind, drawing.variable)]
    if "y" in drawing.log and np.any(picture.data.values < 0):
        parts.append("The sizes of the values, without their sign.")
    if picture.band and drawing.kind == "curve":
        parts.append(f"Band: {picture.band}.")
    elif drawing.kind == "limit":
        parts.append(f"Bars: {picture.band}. Lines: weighted least squares, {form(str(drawing.x), drawing.terms)}.")
    elif drawing.mean:
        parts.append(f"Mean over {' and '.join(drawing.mean)}.")
    if picture.exponent is not None and drawing.kind == "profile":
        parts.append("Dotted: the slope that the largest Lyapunov exponent, measured on its own, demands.")
    if drawing.theory and drawing.kind == "limit":
        parts.append("Crosses: theory, fitted to nothing.")
    elif set(drawing.theory) - {*LINES, *CURVES}:
        parts.append(f"Dashed: {'; '.join(picture.theory)}.")
    elif drawing.theory:
        parts.append("Dashed: closed formulas, fitted to nothing.")
    if drawing.kind in ("curve", "profile") and lines.reaches_below(picture.data):
        least = picture.data.values[np.isfinite(picture.data.values)].min()
        parts.append(f"What lies below {words.plain(lines.FLOOR)} is cut; the lowest value is {words.plain(least, 3)}.")
    if drawing.kind == "orbit" and random:
        parts.append("Each value has a random start of its own: where there are several attractors, it reaches one.")
    hatched = [label for label in legend if label.endswith(("point)", "points)"))]
    if hatched:
        parts.append(f"Hatched: {'; '.join(hatched)}.")
    return " ".join(filter(None, parts))


def _alt(picture: Picture, title: str) -> str:
    """Return what somebody who cannot see the figure should know of it."""
    data, drawing = picture.data, picture.drawing
    over = " and ".join(
        f"{name} from {words.plain(data[name].values[0])} to {words.plain(data[name].values[-1])}"
        for name in (drawing.x, drawing.y)
        if name is not None
    )
    values = data.values[np.isfinite(data.values)]
    text = f"{NAMES[drawing.kind]}: {title}" + (f", over {over}" if over else "") + "."
    if len(values):
        unit = data.attrs.get("units", "1").replace("1", "")
        text += f" Values from {words.plain(values.min(), 3)} to {words.plain(values.max(), 3)} {unit}".rstrip() + "."
    if drawing.variable in ("exponents", "log_norms") and len(values):
        text += f" {100 * np.mean(values < 0):.0f} % of them are below zero."
    return text
