"""The look of every figure: fonts, colours, hatches. Each colour scale can be read in grey."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = ["HATCHES", "REGIMES", "THEORY", "arrange", "growth_colours", "new_figure"]

RC: dict[Any, Any] = {
    "font.size": 12,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 13,
    "axes.edgecolor": "#3a3f47",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#3a3f47",
    "ytick.color": "#3a3f47",
    "legend.frameon": False,
    "legend.fontsize": 11,
    "hatch.linewidth": 0.7,
    "svg.fonttype": "path",
    "svg.hashsalt": "rnndyn",
    "savefig.facecolor": "white",
}

# Negative (shrinks) is pale, zero is grey, positive (grows) is dark: lightness falls all the way, so the map keeps its
# order in grey; the hue changes at zero, from blue to red.
GROWTH = (
    (0.000, "#f7fbff"),
    (0.200, "#d3e6f5"),
    (0.380, "#a3cae6"),
    (0.470, "#7ea9ca"),
    (0.500, "#86898d"),
    (0.530, "#b0603f"),
    (0.660, "#9c2f22"),
    (0.830, "#64101b"),
    (1.000, "#2a0410"),
)

# Named regions, from pale to dark.
REGIMES = ("#e9eff5", "#f5c26b", "#7cbfd8", "#e07a3f", "#3e8e7e", "#8a5a9e", "#3b4a8c", "#4d1526")
UNDECIDED = "#ffffff"

HATCHES = {"NOT_COMPUTED": "..", "SINGULAR": "///", "DIVERGED": "xxx", "INVALID": "+++"}
THEORY = ((0, (5, 2.2)), (0, (5, 1.8, 1.2, 1.8)), (0, (2, 1.5)))


def growth_colours() -> "Colormap":
    """Return the diverging colour map for what shrinks (below zero) and grows (above)."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("rnndyn.growth", list(GROWTH), N=511)
    return colours.with_extremes(bad="#ffffff")


# Inches. The places are fixed: laying out each figure anew took as long as drawing it.
WIDTH, LEFT, RIGHT, TOP, BOTTOM, ROW = 8.0, 0.8, 0.25, 0.5, 0.65, 0.245
AXES_HEIGHT, BAR, BAR_GAP, BAR_LABELS = 4.35, 0.17, 0.15, 0.75


def new_figure(bar: bool) -> tuple["Figure", "Axes", "Axes | None"]:
    """Return a figure, its axes, and those of its colour bar if it has one.

    Draw, `arrange` and save it inside `matplotlib.rc_context(RC)`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((0, 0, 1, 1)), figure.add_axes((0, 0, 1, 1)) if bar else None


def arrange(figure: "Figure", handles: list[Any]) -> None:
    """Give a figure of `new_figure` its size and places, with a legend of `handles` below."""
    columns, rows = legend_shape([str(handle.get_label()) for handle in handles])
    below = BOTTOM + ROW * rows + (0.1 if rows else 0.0)
    height = TOP + AXES_HEIGHT + below
    beside = BAR_GAP + BAR + BAR_LABELS if len(figure.axes) > 1 else 0.0
    width = WIDTH - LEFT - RIGHT - beside
    figure.set_size_inches(WIDTH, height)
    lefts, widths = (LEFT, LEFT + width + BAR_GAP), (width, BAR)
    for ax, left, wide in zip(figure.axes, lefts, widths, strict=False):
        ax.set_position((left / WIDTH, below / height, wide / WIDTH, AXES_HEIGHT / height))
    if handles:
        figure.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(LEFT / WIDTH, 0.1 / height),
            ncols=columns,
            handlelength=2.6,
            columnspacing=1.2,
            borderpad=0,
            borderaxespad=0,
        )


def legend_shape(labels: list[str]) -> tuple[int, int]:
    """Return (columns, rows) for legend labels: two columns if they fit side by side."""
    half = (len(labels) + 1) // 2
    widest = [max(map(len, part), default=0) for part in (labels[:half], labels[half:])]
    return (2, half) if sum(widest) <= 78 else (1, len(labels))
