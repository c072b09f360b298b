"""A section: what the page of a study tells of another study, whose own page lies in a folder below."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnndyn.errors import InputError
from rnndyn.report.figures import THUMBNAIL
from rnndyn.report.numbers import Number, count
from rnndyn.report.template import source, template
from rnndyn.sweep.number import fill
from rnndyn.sweep.store import MANIFEST, digests, read_manifest

if TYPE_CHECKING:
    from rnndyn.sweep.heading import Heading

__all__ = ["Section", "absent", "answer_lines", "card", "embedded", "html", "seconds", "unfinished"]

# What a page without a grid of its own leaves out.
NOTHING: dict[str, Any] = {"figures": (), "map": False, "numbers": (), "cautions": (), "statuses": (), "computed": ()}


@dataclass(frozen=True)
class Section:
    """The words, numbers and first figure of a study's page, for the page above it.

    name: its folder, seen from that page. values: its numbers by id and by label, for the answer above. partial: how
    much is computed, "" for all. figure: the first, as the template shows one; more: how many others there are.
    """

    name: str
    title: str
    question: str = ""
    answer: Sequence[str] = ()
    numbers: Sequence[Number] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    figure: Mapping[str, Any] | None = None
    small: bytes = b""
    more: int = 0
    map: bool = False
    cautions: Sequence[str] = ()
    partial: str = ""
    points: int = 0
    manifest: Mapping[str, Any] | None = None

    @property
    def thumbnail(self) -> str:
        """The small picture of its first figure, "" if there is none."""
        return embedded("image/png", self.small) if self.small else ""

    @property
    def theory(self) -> bool:
        """Whether a number stands beside a theory."""
        return any(number.theory for number in self.numbers)


def absent(name: str) -> Section:
    """Return a section of which nothing is computed yet."""
    return Section(name, name.replace("_", " ").capitalize(), partial="nothing")


def unfinished(sections: Sequence[Section]) -> list[str]:
    """Say which sections are not whole."""
    return [f"{section.partial} of “{section.title}”" for section in sections if section.partial]


def answer_lines(answer: str, values: Mapping[str, str], sections: Sequence[Section]) -> list[str]:
    """Return the sentences of a study's own answer, filled with its numbers and those of its sections."""
    below = {f"{section.name}.{key}": value for section in sections for key, value in section.values.items()}
    lines = fill(answer, {**below, **values}).splitlines()
    return [line.strip().replace(" %", "\u00a0%") for line in lines if line.strip()]


def html(directory: Path, sections: Sequence[Section], **words: Any) -> str:
    """Return a page; images are embedded, nothing is loaded from anywhere. `words` are what the template shows."""
    words = {**NOTHING, **words}
    return str(
        template("page.html.j2").render(
            **words,
            sections=sections,
            above=_above(directory),
            theory=any(number.theory for number in words["numbers"]),
            manifest=(directory / MANIFEST).exists(),
            count=count,
            script=source("page.js"),
        )
    )


def card(
    directory: Path, study: "Heading", answer: Sequence[str], partial: str, told: Sequence[Section]
) -> dict[str, Any]:
    """Return what a gallery says of a page, with `told`: of the study itself, if it has a grid, and its sections."""
    first = next((section for section in told if section.figure is not None), None)
    return {
        "title": study.title or study.name,
        "question": study.question,
        "claim": study.claim,
        "answer": " ".join(answer[:2]),
        "partial": partial,
        "points": count(sum(section.points for section in told)),
        "seconds": seconds([section.manifest for section in told if section.manifest is not None]),
        "alt": first.figure["alt"] if first is not None and first.figure is not None else "",
        "thumbnail": f"{THUMBNAIL}.png" if first is not None else "",
        "sections": digests(directory, study.section_names),
    }


def embedded(kind: str, content: bytes) -> str:
    """Return content as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def seconds(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Say how long sweeps took together; "" of none."""
    if not manifests:
        return ""
    sweep, compiling = (sum(one["seconds"][part] for one in manifests) for part in ("sweep", "compile"))
    threads = ", ".join(map(str, sorted({number for one in manifests for number in one["threads"]})))
    words = f"{_duration(sweep)} on {threads} thread" + ("" if threads == "1" else "s")
    return words + (f", of which {_duration(compiling)} of compiling" if compiling >= 0.5 else "")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{math.floor(seconds / 60)} min {seconds % 60:.0f} s"


def _above(directory: Path) -> str:
    """Return the title of the page that this one is a section of, "" if it is none."""
    place = directory.resolve()
    try:
        manifest = read_manifest(place.parent)
    except InputError:  # a manifest.json of something else
        return ""
    if manifest is None or place.name not in manifest.get("sections", ()):
        return ""
    return str(manifest["title"] or manifest["name"])
