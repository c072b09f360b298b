"""Studies that belong to one page: which files they are, what they are called, and what is changed in each."""

import contextlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.heading import Heading, section_name
from rnndyn.sweep.overview import Overview
from rnndyn.sweep.study import Study

__all__ = ["changes_of", "check_sections", "is_overview", "pages_in", "sweeps"]

Changes = dict[str, Any]
TABLES = set(Study.model_fields) - set(Heading.model_fields)  # what a study without a sweep has not


def is_overview(table: Mapping[str, Any]) -> bool:
    """Tell whether a study file has sections and nothing to sweep."""
    return "sections" in table and not TABLES & set(table)


def pages_in(folder: Path) -> list[Path]:
    """Return the study files of a folder, in order, without those that are sections of another one's page.

    Raises InputError if there are none. What is wrong with a file, reading it tells.
    """
    listed = {path: _listed(path) for path in sorted(folder.glob("*.toml"))}
    if not listed:
        raise InputError(f"{folder} holds no study file (*.toml)")
    named = {os.path.realpath(folder / file) for files in listed.values() for file in files}
    return [path for path, files in listed.items() if files or os.path.realpath(path) not in named]


def _listed(path: Path) -> list[str]:
    """Return the sections that a file lists, none if it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("sections")
        return [file for file in found if isinstance(file, str)] if isinstance(found, list) else []
    return []


def check_sections(path: Path, files: Any) -> tuple[str, ...]:
    """Return what the sections that the study in `path` lists are called; what is no list of texts has none.

    Raises InputError if they do not go together.
    """
    if not isinstance(files, list | tuple) or not all(isinstance(file, str) for file in files):
        return ()
    called: dict[str, str] = {}
    for number, file in enumerate(files):
        name = section_name(file, path.stem)
        if Path(file).suffix != ".toml":
            raise InputError(f"sections: {file!r}: expected the name of a study file, *.toml")
        if os.path.realpath(path.parent / file) == os.path.realpath(path):
            raise InputError(f"sections: {file!r} is this study itself: remove it")
        if file in files[:number]:
            raise InputError(f"sections: {file!r} is there twice: remove one")
        if name in called:
            raise InputError(f"sections: {called[name]!r} and {file!r} would both be called {name!r}: rename one")
        if name in Study.model_fields or "." in name:
            known = "a key of a study" if name in Study.model_fields else "not a name without a dot"
            raise InputError(f"sections: {file!r} would be called {name!r}, which is {known}: rename the file")
        called[name] = file
    return tuple(called)


def changes_of(table: Mapping[str, Any], names: Sequence[str], changes: Mapping[str, Any]) -> tuple[Changes, ...]:
    """Return what changes in the study itself, then in each of its sections.

    `regions.axes.w.num` is of the section `regions`. What names no section is the study's own, or that of every
    section if the study has nothing to sweep. Raises InputError for a name that is neither.
    """
    own: Changes = {}
    inner: list[Changes] = [{} for _ in names]
    for place, value in changes.items():
        head, dot, rest = place.partition(".")
        if head in names and dot:
            inner[names.index(head)][rest] = value
        elif names and head not in Study.model_fields:
            known = [*names, *Study.model_fields]
            words = f"{head!r} is neither a section nor a key of a study; {suggestion(head, known)}"
            raise InputError(f"cannot set {place} = {value!r}: {words}")
        elif head in TABLES and is_overview(table):
            for one in inner:
                one[place] = value
        else:
            own[place] = value
    return own, *inner


def sweeps(study: Study | Overview, directory: Path) -> list[tuple[Study, Path]]:
    """Return what is swept for a page, with the folder of each result: the study, its sections in folders below."""
    own = [(study, directory)] if isinstance(study, Study) else []
    below = zip(study.parts, study.section_names, strict=True) if study.parts else ()
    return [*own, *((part, directory / name) for part, name in below)]
