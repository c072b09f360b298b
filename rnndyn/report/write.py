"""A report on the disk: the figures as files and the page that shows them."""

import contextlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from rnndyn.errors import InputError
from rnndyn.sweep import files
from rnndyn.sweep.store import CARD, PAGE, report_files

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["prepare", "report"]

MAP = "map.html"
GALLERY = "reports"  # a folder of this name above a report gets a gallery of all reports in it, if it has none yet


def prepare() -> None:
    """Import and warm up what a report needs: more than a second that can pass while kernels run."""
    from rnndyn.report import explore, page  # noqa: F401
    from rnndyn.report.figures import warm_up
    from rnndyn.report.template import template

    warm_up()
    for name in ("page.html.j2", "map.html.j2", "gallery.html.j2"):
        template(name)


def report(dataset: "xr.Dataset", directory: str | os.PathLike[str]) -> Path:
    """Write figures and `index.html` for a dataset of `rd.sweep` into `directory` and return the page's path.

    Each file is written whole or not at all, the page last. Raises InputError if `dataset` is not of a sweep.
    """
    from rnndyn.report.explore import exploration
    from rnndyn.report.figures import THUMBNAIL, draw_figures, thumbnail
    from rnndyn.report.gallery import gallery, is_gallery
    from rnndyn.report.page import TABLE_LIMIT, Page
    from rnndyn.sweep.store import study_of

    if "study" not in dataset.attrs or "manifest" not in dataset.attrs:
        raise InputError("this dataset does not come from rd.sweep: its attributes name no study")
    study = study_of(dataset)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    dataset = dataset.load()
    with ThreadPoolExecutor(1) as aside:
        looked = aside.submit(exploration, dataset, study)
        figures = draw_figures(dataset, study)
    page = Page(dataset, study, figures)
    leave: dict[str, str | bytes] = {}
    for figure in figures:
        leave[f"{figure.name}.png"] = figure.png
        if figure.svg is not None:
            leave[f"{figure.name}.svg"] = figure.svg
        if len(figure.table) > TABLE_LIMIT:
            leave[f"{figure.name}.csv.gz"] = figure.table
    if figures:
        leave[f"{THUMBNAIL}.png"] = thumbnail(figures[0].picture)
    try:
        points = looked.result()
    except InputError as error:  # a file of the user's own, a cell or an input, that is not there any more
        page.warn(f"The page of the map, point by point, could not be made: {error}")
        points = None
    if points is not None:
        leave[MAP] = page.render_map(points)
    leave[CARD] = json.dumps({**page.card(), "files": sorted(leave)}, indent=2, ensure_ascii=False) + "\n"
    leave[PAGE] = page.render(directory, MAP in leave)
    for path in report_files(directory):  # of an earlier report, with other figures
        if path.name not in leave:
            files.remove(path)
    for name, content in leave.items():
        files.write(directory / name, content)
    above = directory.resolve().parent
    if above.name == GALLERY or is_gallery(above):
        with contextlib.suppress(InputError):  # an index.html of the user's own stays
            gallery(above)
    return directory / PAGE
