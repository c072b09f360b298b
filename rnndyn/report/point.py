"""A figure of one grid point: its orbit, its gradient profile and its spectrum."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from rnndyn.errors import InputError
from rnndyn.report import plot, style

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.study import Study

__all__ = ["draw_point"]

FORMATS = (".png", ".svg", ".pdf")
COMPONENTS = 8


def draw_point(found: "xr.Dataset", study: "Study", path: Path) -> None:
    """Draw what `rnndyn.sweep.points.points` found of one point; raises InputError for an unknown kind of file."""
    import matplotlib
    from matplotlib.figure import Figure

    from rnndyn.sweep import files

    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: the ending tells the kind of picture, one of {', '.join(FORMATS)}")
    with matplotlib.rc_context(style.rc(False)):
        figure = Figure(figsize=(7.2, 8.4), layout="constrained")
        above, middle, below = figure.subplots(3)
        plot.trajectory(found["orbit"].isel(component=slice(COMPONENTS)), ax=above)
        plot.profile(found["log_norms"], exponent=found["exponents"].isel(exponent=0, drop=True), ax=middle)
        plot.curve(found["exponents"], x="exponent", error=found["exponents_stderr"], ax=below)
        figure.suptitle(", ".join(f"{name} = {found[name].item():g}" for name in study.axes))
        buffer = io.BytesIO()
        figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=160)
    files.write(path, buffer.getvalue())
