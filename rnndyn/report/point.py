"""A figure of one grid point: its orbit, its gradient profile and its spectrum."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from rnndyn.errors import InputError
from rnndyn.report import plot, style, words

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.study import Study

__all__ = ["draw_point"]

FORMATS = (".png", ".svg", ".pdf")
COMPONENTS, STEPS = 4, 60  # of the orbit, at most


def draw_point(found: "xr.Dataset", study: "Study", path: Path) -> None:
    """Draw what `rnndyn.sweep.points.points` found of one point; raises InputError for an unknown kind of file."""
    import matplotlib
    from matplotlib.figure import Figure

    from rnndyn.sweep import files

    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: the ending tells the kind of picture, one of {', '.join(FORMATS)}")
    with matplotlib.rc_context(style.RC):
        figure = Figure(figsize=(7.2, 8.4), layout="constrained")
        above, middle, below = figure.subplots(3)
        plot.trajectory(found["orbit"].isel(step=slice(-STEPS, None), component=slice(COMPONENTS)), ax=above)
        plot.profile(found["log_norms"], exponent=found["exponents"].isel(exponent=0, drop=True), ax=middle)
        for ax in (ax for ax in (above, middle) if ax.get_legend_handles_labels()[0]):
            ax.legend(loc="upper left", ncols=COMPONENTS, fontsize="small", framealpha=0.8)
        form = {"linestyle": "none", "marker": "o", "capsize": 4, "color": style.SERIES[0][0]}
        below.errorbar(found["exponent"], found["exponents"], found["exponents_stderr"], **form)
        below.axhline(0.0, color=style.SOFT, linewidth=1.0, zorder=0.5)
        below.set(title=words.title(found["exponents"]), ylabel=words.scale(found["exponents"]))
        below.set_xlabel(words.axis(found["exponent"]))
        below.xaxis.get_major_locator().set_params(integer=True)
        figure.suptitle(", ".join(f"{name} = {words.plain(found[name].item(), 6)}" for name in study.axes))
        buffer = io.BytesIO()
        figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=160)
    files.write(path, buffer.getvalue())
