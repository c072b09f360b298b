"""A report on the disk: the figures as files and the page that shows them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rnndyn.errors import InputError
from rnndyn.sweep import files
from rnndyn.sweep.store import PAGE

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["prepare", "report"]


def prepare() -> None:
    """Import and warm up what a report needs: more than a second that can pass while kernels run."""
    import jinja2  # noqa: F401
    import xarray  # noqa: F401

    from rnndyn.report.figures import warm_up

    warm_up()


def report(dataset: "xr.Dataset", directory: str | os.PathLike[str]) -> Path:
    """Write figures and `index.html` for a dataset of `rd.sweep` into `directory` and return the page's path.

    Each file is written whole or not at all, the page last. Raises InputError if `dataset` is not of a sweep.
    """
    from rnndyn.report.figures import draw_figures
    from rnndyn.report.page import render
    from rnndyn.sweep.study import Study

    if "study" not in dataset.attrs or "manifest" not in dataset.attrs:
        raise InputError("this dataset does not come from rd.sweep: its attributes name no study")
    study = Study.model_validate_json(dataset.attrs["study"])
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    dataset = dataset.load()
    figures = draw_figures(dataset, study)
    for figure in figures:
        files.write(directory / f"{figure.name}.png", figure.png)
        if figure.svg is not None:
            files.write(directory / f"{figure.name}.svg", figure.svg)
    files.write(directory / PAGE, render(dataset, study, figures, directory))
    return directory / PAGE
