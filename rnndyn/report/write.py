"""A report on the disk: the figures as files and the page that shows them."""

import contextlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnndyn.errors import InputError
from rnndyn.sweep import files
from rnndyn.sweep.store import CARD, PAGE, report_files

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.report.section import Section
    from rnndyn.sweep.heading import Heading
    from rnndyn.sweep.overview import Overview

__all__ = ["prepare", "report"]

MAP = "map.html"
GALLERY = "reports"  # a folder of this name above a report gets a gallery of all reports in it, if it has none yet


def prepare() -> None:
    """Import and warm up what a report needs: more than a second that can pass while kernels run."""
    import scipy.spatial  # noqa: F401

    from rnndyn.report import explore, page  # noqa: F401
    from rnndyn.report.figures import warm_up
    from rnndyn.report.template import template

    warm_up()
    for name in ("page.html.j2", "map.html.j2", "gallery.html.j2"):
        template(name)


def report(
    result: "xr.Dataset | Overview",
    directory: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
) -> Path:
    """Write figures and `index.html` for a dataset of `rd.sweep` into `directory` and return the page's path.

    The page of a study with sections shows those whose results lie in the folders of `source` (None: of `directory`)
    that are named after them, and their own pages are written into folders of `directory`. `result` may be an Overview,
    a study that is only sections. A refined map of the same study in `source` is shown, too; of a dataset of
    `rd.refine` itself the map is drawn, and its path returned. Each file is written whole or not at all, the page last.
    Raises InputError if `result` is of neither.
    """
    from rnndyn.report.gallery import gallery, is_gallery
    from rnndyn.report.refined import write_refined
    from rnndyn.sweep.overview import Overview
    from rnndyn.sweep.refined import is_refined
    from rnndyn.sweep.store import study_of

    directory = Path(directory)
    source = directory if source is None else Path(source)
    if not isinstance(result, Overview) and not {"study", "manifest"} <= set(getattr(result, "attrs", ())):
        raise InputError("this dataset does not come from rd.sweep: its attributes name no study")
    if not isinstance(result, Overview) and is_refined(result):
        return write_refined(result, study_of(result), directory)
    if isinstance(result, Overview):
        _write_overview(result, directory, source)
    else:
        _write(result, directory, source, directory.name)
    above = directory.resolve().parent
    if above.name == GALLERY or is_gallery(above):
        with contextlib.suppress(InputError):  # an index.html of the user's own stays
            gallery(above)
    return directory / PAGE


def _write(dataset: "xr.Dataset", directory: Path, source: Path, name: str) -> "Section":
    """Write the pages of a result and of the sections of its study; returns what they tell, as the section `name`."""
    from rnndyn.report.explore import exploration
    from rnndyn.report.figures import THUMBNAIL, draw_figures, thumbnail
    from rnndyn.report.page import TABLE_LIMIT, Page
    from rnndyn.report.refined import draw_refined, refined_caution, refined_numbers
    from rnndyn.sweep.refined import open_refined
    from rnndyn.sweep.store import study_of

    study = study_of(dataset)
    sections = _sections(study, directory, source)
    dataset = dataset.load()
    with ThreadPoolExecutor(1) as aside:
        looked = aside.submit(exploration, dataset, study)
        figures = draw_figures(dataset, study)
    refined = open_refined(source, dataset)
    if refined is not None:
        figures += draw_refined(refined, study)
    page = Page(dataset, study, figures, sections)
    if refined is not None:
        page.tell(*refined_numbers(refined, study), refined_caution(refined))
    leave: dict[str, str | bytes] = {}
    for figure in figures:
        leave[f"{figure.name}.png"] = figure.png
        if figure.svg is not None:
            leave[f"{figure.name}.svg"] = figure.svg
        if len(figure.table) > TABLE_LIMIT:
            leave[f"{figure.name}.csv.gz"] = figure.table
    small = thumbnail(figures[0].picture) if figures else b""
    if small:
        leave[f"{THUMBNAIL}.png"] = small
    try:
        points = looked.result()
    except InputError as error:  # a file of the user's own, a cell or an input, that is not there any more
        page.warn(f"The page of the map, point by point, could not be made: {error}")
        points = None
    if points is not None:
        leave[MAP] = page.render_map(points)
    _leave(directory, leave, page.card(directory, MAP in leave), page.render(directory, MAP in leave))
    return page.section(name, MAP in leave, small)


def _write_overview(overview: "Overview", directory: Path, source: Path) -> None:
    """Write the pages of the sections that have a result, and the page above them."""
    from rnndyn.report.figures import THUMBNAIL
    from rnndyn.report.overview import OverviewPage
    from rnndyn.sweep.overview import lay_out

    lay_out(overview, directory)
    page = OverviewPage(overview, _sections(overview, directory, source))
    small = next((section.small for section in page.sections if section.small), b"")
    leave: dict[str, str | bytes] = {f"{THUMBNAIL}.png": small} if small else {}
    _leave(directory, leave, page.card(directory), page.render(directory))


def _sections(study: "Heading", directory: Path, source: Path) -> "list[Section]":
    """Write the page of each section that has a result; returns what all sections tell."""
    from rnndyn.report.section import absent
    from rnndyn.sweep.store import results_below

    return [
        absent(name) if dataset is None else _write(dataset, directory / name, source / name, name)
        for name, dataset in results_below(source, study.section_names)
    ]


def _leave(directory: Path, leave: dict[str, str | bytes], card: dict[str, Any], page: str) -> None:
    """Put a report into its folder: its files, its card and last its page, and nothing of an earlier one."""
    directory.mkdir(parents=True, exist_ok=True)
    listed = json.dumps({**card, "files": sorted(leave)}, indent=2, ensure_ascii=False) + "\n"
    leave = {**leave, CARD: listed, PAGE: page}
    for path in report_files(directory):  # of an earlier report, with other figures
        if path.name not in leave:
            files.remove(path)
    for name, content in leave.items():
        files.write(directory / name, content)
