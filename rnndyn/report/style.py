"""The look of every figure: fonts, colours, hatches, places. Each colour scale can be read in grey."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = [
    "HATCHES",
    "RC",
    "REGIMES",
    "SERIES",
    "THEORY",
    "Canvas",
    "growth_colours",
    "new_canvas",
    "on",
    "size_colours",
]

INK, SOFT = "#2b3038", "#8c8f93"
RC: dict[Any, Any] = {
    "font.size": 13,
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "axes.titlesize": 14,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titley": 1.0,  # a place that is given is not looked for: that took an eighth of the drawing
    "axes.labelsize": 14,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "lines.linewidth": 2.2,
    "lines.markersize": 6.0,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 12,
    "hatch.linewidth": 0.8,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "auto",
    "svg.fonttype": "path",
    "svg.hashsalt": "rnndyn",
}
# On a dark page: the ink of a page at night on its cards; the colours of the data stay what they are.
CARD, CHALK = "#1c2027", "#dfe3e9"

# Negative (shrinks) is pale, zero is grey, positive (grows) is dark: lightness falls all the way, so the map keeps its
# order in grey; the hue changes at zero, from blue to red. On either side the colours are equal steps apart in CIELAB.
GROWTH = (
    (0.0000, "#f7fbff"),
    (0.0707, "#e0edf9"),
    (0.1414, "#c8e0f2"),
    (0.2121, "#b0d2ea"),
    (0.2829, "#99c3e1"),
    (0.3536, "#82b2d6"),
    (0.4243, "#6ea1c9"),
    (0.4950, "#5b8fbb"),
    (0.5000, "#85888c"),
    (0.5050, "#b85c38"),
    (0.5600, "#ac492f"),
    (0.6150, "#9f3425"),
    (0.6700, "#8e2720"),
    (0.7250, "#7c1d1e"),
    (0.7800, "#6b141c"),
    (0.8350, "#590e19"),
    (0.8900, "#480a16"),
    (0.9450, "#380713"),
    (1.0000, "#2a0410"),
)

# Named regions, from pale to dark.
REGIMES = ("#e9eff5", "#f5c26b", "#7cbfd8", "#e07a3f", "#3e8e7e", "#8a5a9e", "#3b4a8c", "#4d1526")
UNDECIDED = "#ffffff"

# Lines of one figure: colours that differ in grey and for every kind of colour vision, with a marker each.
SERIES = (
    ("#3a70a6", "o", "-"),
    ("#bf6026", "s", "-"),
    ("#3e4c26", "^", "-"),
    ("#a89df2", "D", "-"),
    ("#53a6a6", "v", "-"),
    ("#7a29cc", "P", "-"),
    ("#b27c74", "X", "-"),
    ("#bfb77c", "*", "-"),
)

HATCHES = {"NOT_COMPUTED": "...", "NOT_CONVERGED": "\\\\\\", "SINGULAR": "///", "DIVERGED": "xxx", "INVALID": "+++"}
DOUBT = "///"  # where starts disagree
THEORY = ((0, (5, 2.2)), (0, (5, 1.8, 1.2, 1.8)), (0, (2, 1.5)))


def growth_colours() -> "Colormap":
    """Return the diverging colour map for what shrinks (below zero) and grows (above)."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("rnndyn.growth", list(GROWTH), N=1023)
    return colours.with_extremes(bad=UNDECIDED)


def size_colours() -> "Colormap":
    """Return the colour map for sizes without a sign, from pale (small) to dark: perceptually uniform."""
    from matplotlib import colormaps

    return colormaps["cividis_r"].with_extremes(bad=UNDECIDED)


# Inches. The places are fixed: laying out each figure anew took as long as drawing it.
WIDTH, LEFT, RIGHT, TOP, BOTTOM, ROW = 8.0, 0.95, 0.25, 0.5, 0.72, 0.265
AXES_HEIGHT, BAR, BAR_GAP, BAR_LABELS = 4.35, 0.17, 0.15, 0.85
LEGEND: dict[str, Any] = {"loc": "upper left", "handlelength": 2.6, "columnspacing": 1.2, "borderpad": 0}


@dataclass
class Canvas:
    """Where a figure is drawn: axes, those of the colour bar (None: made beside), and what its legend will tell."""

    ax: "Axes"
    bar: "Axes | None" = None
    handles: list[Any] = field(default_factory=list)
    ratio: float | None = None  # width to height of the axes; None: as the page has room

    @property
    def figure(self) -> "Figure":
        """The figure that the axes belong to."""
        figure = self.ax.figure.get_figure(root=True)
        assert figure is not None
        return figure

    def equalise(self) -> None:
        """Make a unit as long upwards as to the right, once all is drawn."""
        (left, right), (low, high) = self.ax.get_xlim(), self.ax.get_ylim()
        self.ratio = abs((right - left) / (high - low))
        if self.bar is None:  # axes that somebody else has placed
            self.ax.set_aspect("equal")

    def _fitted(self, width: float, tall: float) -> tuple[float, float]:
        """Return the size of the axes in the room that there is for them."""
        if self.ratio is None:
            return width, tall
        width = min(width, tall * self.ratio)
        return width, width / self.ratio

    def arrange(self) -> None:
        """Give a figure that is all ours its size and places, with the legend below."""
        columns, rows = legend_shape([str(handle.get_label()) for handle in self.handles])
        below = BOTTOM + ROW * rows + (0.1 if rows else 0.0)
        beside = 0.0
        if self.bar is not None and not self.bar.has_data():
            self.bar.remove()
        elif self.bar is not None:
            beside = BAR_GAP + BAR + BAR_LABELS
        width, tall = self._fitted(WIDTH - LEFT - RIGHT - beside, AXES_HEIGHT)
        height = TOP + tall + below
        self.figure.set_size_inches(WIDTH, height)
        self.ax.set_position((LEFT / WIDTH, below / height, width / WIDTH, tall / height))
        if beside:
            assert self.bar is not None
            left = (LEFT + width + BAR_GAP) / WIDTH
            self.bar.set_position((left, below / height, BAR / WIDTH, tall / height))
        if self.handles:
            place = (LEFT / WIDTH, (below - BOTTOM) / height)
            self.figure.legend(handles=self.handles, bbox_to_anchor=place, ncols=columns, borderaxespad=0, **LEGEND)

    def darken(self) -> None:
        """Make a figure that was drawn for a white page one for a dark page: what was ink is chalk, on a dark card."""
        from matplotlib.lines import Line2D
        from matplotlib.text import Text

        inked: list[Any] = [*self.figure.findobj(Text), *self.figure.findobj(Line2D)]
        for artist in inked:
            if artist.get_color() == INK:
                artist.set_color(CHALK)
        self.figure.set_facecolor(CARD)
        for ax in self.figure.axes:
            ax.set_facecolor(CARD)
            ax.tick_params(which="both", colors=CHALK)
            for spine in ax.spines.values():
                spine.set_edgecolor(CHALK)

    def shrink(self) -> None:
        """Make a figure that is all ours a small one: the picture and the names of its axes, nothing else."""
        from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator

        if self.bar is not None:
            self.bar.remove()
        self.ax.set_title("")
        self.figure.set_size_inches(3.6, 2.4)
        width, tall = self._fitted(0.73 * 3.6, 0.75 * 2.4)
        self.ax.set_position((0.23, 0.21, width / 3.6, tall / 2.4))
        for axis in (self.ax.xaxis, self.ax.yaxis):
            if isinstance(axis.get_major_locator(), FixedLocator):  # labels of their own: the first few
                axis.set_ticks(axis.get_ticklocs()[:4], [label.get_text() for label in axis.get_ticklabels()[:4]])
            elif axis.get_scale() == "log":
                axis.set_major_locator(LogLocator(numticks=4))
            else:
                axis.set_major_locator(MaxNLocator(3))
            axis.label.set_fontsize(11 if len(axis.label.get_text()) < 26 else 9)
            axis.set_tick_params(labelsize=10)

    def legend_below(self) -> None:
        """Put the legend below axes that somebody else has placed."""
        if self.handles:
            columns, _ = legend_shape([str(handle.get_label()) for handle in self.handles])
            self.ax.legend(handles=self.handles, bbox_to_anchor=(0.0, -0.17), ncols=columns, borderaxespad=0, **LEGEND)


def new_canvas(figure: "Figure") -> Canvas:
    """Return the canvas of an empty figure; `arrange` it after drawing. Both inside `matplotlib.rc_context(RC)`."""
    return Canvas(figure.add_axes((0, 0, 0.9, 1), label="figure"), figure.add_axes((0.95, 0, 0.05, 1), label="scale"))


@contextlib.contextmanager
def on(ax: "Axes | Canvas | None") -> Iterator[Canvas]:
    """Yield a canvas on `ax`; None makes a new pyplot figure with our size and places. A canvas is its maker's."""
    import matplotlib

    if isinstance(ax, Canvas):
        yield ax
        return
    if ax is not None:
        with matplotlib.rc_context(RC):
            canvas = Canvas(ax)
            yield canvas
            canvas.legend_below()
        return
    import matplotlib.pyplot as plt

    # Before the context: a notebook's backend loads with the first figure, and its settings must stay.
    figure = plt.figure(facecolor="white")
    try:
        with matplotlib.rc_context(RC):
            canvas = new_canvas(figure)
            yield canvas
            canvas.arrange()
        plt.sca(canvas.ax)
    except BaseException:
        plt.close(figure)
        raise


def legend_shape(labels: list[str]) -> tuple[int, int]:
    """Return (columns, rows) for legend labels: as many columns, up to four, as fit side by side."""
    for columns in (4, 3, 2):
        rows = -(-len(labels) // columns)
        parts = [labels[start : start + rows] for start in range(0, len(labels), rows)] if labels else []
        if len(parts) == columns and sum(max(map(len, part)) + 8 for part in parts) <= 74:
            return columns, rows
    return 1, len(labels)
