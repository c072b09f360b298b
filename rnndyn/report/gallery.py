"""The gallery: `index.html` above the reports, a card with a thumbnail for each, and links between their pages."""

import json
import os
import re
from pathlib import Path
from typing import Any

from rnndyn.errors import InputError
from rnndyn.report.section import embedded
from rnndyn.report.template import template
from rnndyn.sweep import files
from rnndyn.sweep.store import CARD, PAGE

__all__ = ["gallery", "is_gallery"]

GENERATOR = "rnndyn gallery"
OTHERS = re.compile(rb'(?<=<nav class="soft" id="others" aria-label="Other reports">).*?(?=</nav>)', re.DOTALL)
NEAR = 1  # how far apart the numbers of claims may be for their pages to be linked


def gallery(directory: str | os.PathLike[str]) -> Path:
    """Write `index.html` with a card for every report in the folders of `directory`; returns its path.

    A report is a folder with a page and the card that `rd.report` leaves beside it; each page gets links to those about
    the same claim or the next. Raises InputError if `directory` holds an index.html that is no gallery.
    """
    directory = Path(directory)
    page = directory / PAGE
    if page.exists() and not is_gallery(directory):
        raise InputError(f"{page} is not a gallery of rnndyn: it is left as it is; choose another folder for reports")
    cards = [card for folder in sorted(directory.iterdir()) if folder.is_dir() and (card := _card(folder)) is not None]
    files.write(page, template("gallery.html.j2").render(cards=cards, generator=GENERATOR))
    for card in cards:
        _link(directory / card["folder"] / PAGE, card, cards)
    return page


def _link(page: Path, card: dict[str, Any], cards: list[dict[str, Any]]) -> None:
    """Put the links to the gallery and to related reports into a page that is there, if they have changed."""
    claim, text = card.get("claim"), page.read_bytes()
    about = [one for one in cards if claim and one.get("claim") and one["folder"] != card["folder"]]
    near = [one for one in about if abs(one["claim"] - claim) <= NEAR]
    near.sort(key=lambda one: abs(one["claim"] - claim))
    links = template("others.html.j2").render(near=near).encode("utf-8")
    new = OTHERS.sub(lambda _: links, text, count=1)
    if new != text:
        files.write(page, new)


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
        small = embedded("image/png", (folder / card["thumbnail"]).read_bytes()) if card["thumbnail"] else ""
        return {**card, "folder": folder.name, "thumbnail": small}
    except (ValueError, KeyError, TypeError, OSError):  # damaged: the report itself still stands
        unknown = dict.fromkeys(("answer", "question", "partial", "thumbnail", "alt", "points", "seconds"), "")
        return {**unknown, "folder": folder.name, "title": folder.name}
