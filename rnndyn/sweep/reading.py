"""Reading a study file, with those of its sections; what is wrong with it, in sentences."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rnndyn.errors import InputError, nearest, suggestion
from rnndyn.sweep.checks import check_study
from rnndyn.sweep.number import check_answer
from rnndyn.sweep.overview import Overview
from rnndyn.sweep.sections import changes_of, check_sections, is_overview
from rnndyn.sweep.sentences import sentences
from rnndyn.sweep.study import Study

__all__ = ["read_study"]


def read_study(path: str | os.PathLike[str], overrides: Mapping[str, Any] | None = None) -> Study | Overview:
    """Read and check a study file and those that its `sections` name; an Overview if it has nothing else to sweep.

    `overrides` replaces single values by their dotted place, as in `{"axes.w.num": 64}`; `regions.axes.w.num` is of
    the section `regions`. Raises InputError, one sentence for each mistake with the file, the key and the value.
    """
    return _read(Path(path), dict(overrides or {}), False)


def _read(path: Path, overrides: dict[str, Any], inside: bool) -> Study | Overview:
    """Read a study; `inside`: as a section of another, so that it has none itself."""
    text = _text(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}{_twice(text, str(error))}") from None
    if inside and "sections" in table:
        raise InputError(f"{path} has sections itself: name them here, one by one")
    study, below = _validated(path, table, overrides)
    study._name, study._text, study._folder = path.stem, text, path.parent
    study._changes = overrides
    study._file = path.name if path.is_absolute() or ".." in path.parts else path.as_posix()
    study._parts = _sections(path, study.sections, below)
    known = dict(zip(study.section_names, (part.number for part in study.parts), strict=True))
    try:
        if isinstance(study, Study):
            check_study(study)
        check_answer(study.answer, study.number if isinstance(study, Study) else (), known)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return study


def _validated(
    path: Path, table: dict[str, Any], overrides: Mapping[str, Any]
) -> tuple[Study | Overview, tuple[dict[str, Any], ...]]:
    """Return the study of a table with its own changes made, and the changes of each section."""
    try:
        if "sections" in overrides:  # first: the others may be of them
            _set(table, "sections", overrides["sections"])
        own, *below = changes_of(table, check_sections(path, table.get("sections")), overrides)
        for place, value in own.items():
            _set(table, place, value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    model = Overview if is_overview(table) else Study
    try:
        return model.model_validate(table), tuple(below)
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {line}" for line in sentences(error, Study, table))) from None


def _sections(path: Path, named: Sequence[str], changes: Sequence[dict[str, Any]]) -> tuple[Study, ...]:
    """Read the sections of the study in `path`; raises InputError with what is wrong in any of them."""
    found, wrong = [], []
    for file, change in zip(named, changes, strict=True):
        try:
            found.append(_read(path.parent / file, change, True))
        except InputError as error:
            wrong += [f"{path}: sections: {line}" for line in str(error).splitlines()]
    if wrong:
        raise InputError("\n".join(wrong))
    return tuple(one for one in found if isinstance(one, Study))  # all of them: none has sections itself


def _text(path: Path) -> str:
    if path.is_dir():
        raise InputError(f"{path} is a folder: give one study file (*.toml)")
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        siblings = [str(found) for found in sorted(path.parent.glob("*.toml"))] if path.parent.is_dir() else []
        guess = nearest(path, siblings)
        raise InputError(f"there is no study file {path}" + (f"; did you mean {guess}?" if guess else "")) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8 (byte {error.start})") from None


def _twice(text: str, message: str) -> str:
    """Return "; the key 'steps' is there twice" where that is what the parser found: it names the line only."""
    at = re.search(r"at line (\d+)", message)
    if at is None or not message.startswith("Cannot overwrite"):
        return ""
    keys = [re.match(r"""\s*([\w."'-]+)\s*=""", line) for line in text.splitlines()[: int(at[1])]]
    found = [key[1] for key in keys if key is not None]
    return f"; the key {found[-1]!r} is there twice: remove one" if found else ""


def _set(table: dict[str, Any], place: str, value: Any) -> None:
    """Change one value of a study file by its dotted place."""
    *tables, key = place.split(".")
    try:
        if tables[:1] == ["axes"] and len(tables) > 1 and (name := tables[1]) not in table.get("axes", {}):
            raise InputError(f"no axis {name!r}; {suggestion(name, table.get('axes', {}))}")
        for name in tables:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                more = "; entries of a list are changed in the file" if isinstance(table, list) else ""
                raise InputError(f"{name} is not a table{more}")
    except InputError as error:
        raise InputError(f"cannot set {place} = {value!r}: {error}") from None
    table[key] = value
