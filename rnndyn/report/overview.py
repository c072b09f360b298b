"""The page of a study that is only sections: its question, and an answer made of their numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnndyn.report.section import Section, answer_lines, card, html, seconds, unfinished
from rnndyn.sweep.overview import Overview
from rnndyn.sweep.provenance import version

__all__ = ["OverviewPage"]


class OverviewPage:
    """What the page says, of what the pages of its sections told."""

    def __init__(self, overview: Overview, sections: Sequence[Section]) -> None:
        self.overview, self.sections = overview, sections
        self.answer = answer_lines(overview.answer, {}, sections) or [one.answer[0] for one in sections if one.answer]
        self.partial = "; ".join(unfinished(sections))

    def render(self, directory: Path) -> str:
        """Return the page as HTML."""
        return html(
            directory,
            self.sections,
            title=self.overview.title or self.overview.name,
            question=self.overview.question,
            claim=self.overview.claim,
            answer=self.answer,
            partial=self.partial,
            seconds=seconds([section.manifest for section in self.sections if section.manifest is not None]),
            command=self.overview.command(directory),
            python="",
            study_text=self.overview.text,
            version=version(),
        )

    def card(self, directory: Path) -> dict[str, Any]:
        """Return what a gallery says of this page."""
        return card(directory, self.overview, self.answer, self.partial, self.sections)
