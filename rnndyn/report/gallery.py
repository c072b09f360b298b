"""The gallery: `index.html` above the reports, a card with a thumbnail for each."""

import base64
import json
import os
from pathlib import Path
from typing import Any

from rnndyn.errors import InputError
from rnndyn.report.template import template
from rnndyn.sweep import files
from rnndyn.sweep.store import CARD, PAGE

__all__ = ["gallery", "is_gallery"]

GENERATOR = "rnndyn gallery"


def gallery(directory: str | os.PathLike[str]) -> Path:
    """Write `index.html` with a card for every report in the folders of `directory`; returns its path.

    A report is a folder with a page and the card that `rd.report` leaves beside it. Raises InputError if `directory`
    holds an index.html that is no gallery.
    """
    directory = Path(directory)
    page = directory / PAGE
    if page.exists() and not is_gallery(directory):
        raise InputError(f"{page} is not a gallery of rnndyn: it is left as it is; choose another folder for reports")
    cards = [card for folder in sorted(directory.iterdir()) if folder.is_dir() and (card := _card(folder)) is not None]
    files.write(page, template("gallery.html.j2").render(cards=cards, generator=GENERATOR))
    return page


def is_gallery(directory: Path) -> bool:
    """Tell whether a folder's `index.html` is a gallery of ours."""
    page = directory / PAGE
    return page.is_file() and GENERATOR in page.read_text(encoding="utf-8", errors="replace")[:2000]


def _card(folder: Path) -> dict[str, Any] | None:
    """Return what the gallery says of a report; None where there is none."""
    if not all((folder / name).is_file() for name in (PAGE, CARD)):
        return None
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        image = (folder / card["thumbnail"]).read_bytes()
        data = "data:image/png;base64," + base64.b64encode(image).decode("ascii")
        return {**card, "folder": folder.name, "thumbnail": data}
    except (ValueError, KeyError, TypeError, OSError):  # damaged: the report itself still stands
        unknown = dict.fromkeys(("answer", "question", "partial", "thumbnail", "alt", "points", "seconds"), "")
        return {**unknown, "folder": folder.name, "title": folder.name}
