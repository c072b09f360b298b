"""The figures of a report: which ones a study gets, drawn and encoded."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.report import maps, style
from rnndyn.report.regimes import period_classes, regime_classes
from rnndyn.sweep.figure import Drawing, complete_for

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from rnndyn.sweep.study import Figure, Study

__all__ = ["Drawn", "draw_figures", "warm_up"]

SVG_LIMIT = 400_000  # bytes: larger ones are not written
DPI = 160
CLASSES = {"attractors": regime_classes, "period": period_classes}
STATUS = {"exponents": "status", "exponents_stderr": "status", "log_norms": "gradient_status"}


@dataclass(frozen=True)
class Drawn:
    """A figure as files: `name` without ending, the encoded images, and its words."""

    name: str
    variable: str
    title: str
    caption: str
    alt: str
    png: bytes
    svg: bytes | None
    width: int
    height: int


def draw_figures(dataset: "xr.Dataset", study: "Study") -> list[Drawn]:
    """Draw the figures that the study names, or one for each quantity; the first one answers the question."""
    import matplotlib

    entries = list(study.figure) or _default_figures(dataset)
    wanted = [complete_for(dataset, entry, study.axes) for entry in entries]
    with matplotlib.rc_context(style.RC):
        drawn: list[Drawn] = []
        for number, figure in enumerate(wanted):
            name = "map" if number == 0 else f"map_{figure.variable}"
            while any(name == other.name for other in drawn):
                name += "_"
            drawn.append(_draw(dataset, study, figure, name))
    return drawn


def warm_up() -> None:
    """Draw nothing in particular, so that fonts and formats are loaded."""
    import matplotlib
    import matplotlib.colors
    import matplotlib.patheffects

    with matplotlib.rc_context(style.RC):
        figure, ax, _ = style.new_figure(bar=True)
        style.arrange(figure, [ax.plot([0, 1], [-1, 1], label="λ‖∂₁")[0]])
        _encode(figure, "png")


def _default_figures(dataset: "xr.Dataset") -> "list[Figure]":
    from rnndyn.sweep.study import Figure

    return [Figure(variable=name) for name in ("exponents", "log_norms", "attractors") if name in dataset]


def _draw(dataset: "xr.Dataset", study: "Study", wanted: Drawing, name: str) -> Drawn:
    names = list(study.axes)
    x, y = wanted.x, wanted.y
    assert x is not None
    cut = {other: len(dataset[other]) // 2 for other in names if other not in (x, y)}
    part = dataset.isel(cut).isel(exponent=0, lag=0, missing_dims="ignore").transpose(x, *([y] if y else []))
    title, label = _words(dataset, wanted.variable)
    at = ", ".join(f"{other} = {float(dataset[other][index]):g}" for other, index in cut.items())
    figure, ax, bar = style.new_figure(bar=y is not None and wanted.variable not in CLASSES)
    ax.set_title(title + (f", at {at}" if at else ""))
    if y is None:
        handles = _line(ax, part, wanted.variable, x, label)
    else:
        handles = _map(ax, bar, part, wanted, label)
        handles += maps.theory_curves(ax, part[x].values, wanted.theory)
    style.arrange(figure, handles)
    png = _encode(figure, "png")
    svg = _encode(figure, "svg") if part[wanted.variable].size <= 10_000 else b""
    kept = svg if 0 < len(svg) <= SVG_LIMIT else None
    pixels = (round(figure.get_figwidth() * DPI), round(figure.get_figheight() * DPI))
    caption = _caption(dataset, wanted, x, y, handles)
    alt = (
        f"{'Map' if y else 'Curve'} of {title[0].lower()}{title[1:]} over {x}"
        + (f" and {y}" if y else "")
        + f". {caption}"
    )
    return Drawn(name, wanted.variable, title, caption, alt, png, kept, *pixels)


def _words(dataset: "xr.Dataset", variable: str) -> tuple[str, str]:
    """Return a figure's title and the label of its scale."""
    if variable == "exponents":
        return "Largest Lyapunov exponent", "λ₁ (nat/step)"
    if variable == "exponents_stderr":
        return "Standard error of the largest Lyapunov exponent", "error of λ₁ (nat/step)"
    if variable == "log_norms":
        lag = int(dataset["lag"][0])
        return f"Gradient that arrives {lag} steps back", f"ln ‖∂L/∂s‖ after {lag} steps (nat)"
    if variable == "period":
        return "Shortest period of an attractor", "period (steps)"
    return "Where it ends up", "number of attractors"


def _map(ax: "Axes", bar: "Axes | None", part: "xr.Dataset", wanted: Drawing, label: str) -> list[Any]:
    data = part[wanted.variable]
    if wanted.variable in CLASSES:
        return maps.class_map(ax, data, CLASSES[wanted.variable](part))
    maps.growth_map(ax, data, label, bar)
    return maps.statuses(ax, part[STATUS[wanted.variable]])


def _line(ax: "Axes", part: "xr.Dataset", variable: str, x: str, label: str) -> list[Any]:
    """Draw a variable over the only axis, with its error band."""
    at, values = part[x].values, part[variable].values.astype(float)
    ax.axhline(0.0, color="#8c8f93", linewidth=0.8)
    ax.plot(
        at, np.where(np.isfinite(values), values, np.nan), color="#9c2f22", linewidth=1.6, marker="o", markersize=2.5
    )
    if variable == "exponents":
        error = part["exponents_stderr"].values
        ax.fill_between(at, values - error, values + error, color="#9c2f22", alpha=0.25, linewidth=0)
    ax.set_xlabel(x)
    ax.set_ylabel(label)
    return []


def _caption(dataset: "xr.Dataset", wanted: Drawing, x: str, y: str | None, handles: list[Any]) -> str:
    attrs = dataset[wanted.variable].attrs
    sentence = {
        "exponents": "Below zero (pale) nearby states meet and the network settles; above zero (dark red) they part "
        "and it does not; grey is the border between.",
        "log_norms": "Below zero (pale) the gradient has shrunk, above zero (dark red) it has grown; grey is as large "
        "as it was at the loss.",
        "attractors": "How many attractors random starts reach, and the shortest period among them.",
        "period": "The shortest period among the attractors that random starts reach; period 1 is a fixed point.",
    }.get(wanted.variable, "")
    legend = "; ".join(str(handle.get_label()) for handle in handles)
    return " ".join(
        filter(None, [sentence, f"Shown: {legend}." if legend else "", f"Computed: {attrs.get('how', '')}."])
    )


def _encode(figure: Any, form: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    figure.savefig(buffer, format=form, dpi=DPI, metadata=metadata)
    return buffer.getvalue()
