"""What every study has, with a grid or with others only: its words, where it came from, its sections."""

import contextlib
import json
import shlex
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr

from rnndyn.sweep.part import Listed, Part

__all__ = ["Heading", "section_name"]


class Heading(Part):
    """The keys at the top of a study file. Name, file and text tell where it came from; nothing computed depends on
    them.
    """

    title: str = Field(default="", description="what the page is called; the file's name")
    question: str = Field(default="", description="what is asked, in a sentence or two; nothing")
    answer: str = Field(
        default="",
        description="what was found, first on the page, a line for each sentence; `{id}` or `{label}` holds the "
        "value of that `[[number]]`, `{section.id}` that of a section; made from the numbers",
    )
    claim: Annotated[int, Field(ge=1, le=9)] | None = Field(
        default=None, description="the number of the claim it is about; none"
    )
    sections: Annotated[tuple[str, ...], Listed] = Field(
        default=(),
        description="study files, beside this one or in a folder there, that run with it and stand on its page; none",
    )
    _name: str = PrivateAttr("study")
    _file: str = PrivateAttr("study.toml")
    _text: str = PrivateAttr("")
    _folder: Path = PrivateAttr(Path())
    _changes: dict[str, Any] = PrivateAttr(default_factory=dict)
    _parts: tuple[Any, ...] = PrivateAttr(())

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self._name

    @property
    def file(self) -> str:
        """The study file as it was named, for the command that repeats it; never an absolute path."""
        return self._file

    @property
    def text(self) -> str:
        """The study file's text as read ("" for a study made in Python)."""
        return self._text

    @property
    def folder(self) -> Path:
        """The folder of the study file; files that it names are looked for there."""
        return self._folder

    @property
    def section_names(self) -> tuple[str, ...]:
        """What the sections are called: in the answer, in changes, and as folders below the report."""
        return tuple(section_name(file, self.name) for file in self.sections)

    @property
    def parts(self) -> tuple[Any, ...]:
        """The studies of the sections, in order, of a study that was read from its file."""
        return self._parts

    def command(self, directory: Path | None = None, verb: str = "run") -> str:
        """Return the command that repeats the sweep and its report (or another `verb`) in `directory`, as for a shell.

        Like the study file, a folder outside the current one is named without its place.
        """
        words = ["rnndyn", verb, self.file]
        for place, value in self._changes.items():
            words += ["--set", f"{place}={json.dumps(value)}"]
        if directory is not None:
            with contextlib.suppress(ValueError):
                directory = directory.resolve().relative_to(Path.cwd())
            name = directory.name if directory.is_absolute() or ".." in directory.parts else directory.as_posix()
            if name != f"reports/{self.name}":
                words += ["-o", name]
        return shlex.join(words)


def section_name(file: str, page: str) -> str:
    """Return what the section in `file` of the study `page` is called: "regions" of `page_regions.toml`, too."""
    stem = Path(file).stem
    return stem.removeprefix(f"{page}_") or stem
