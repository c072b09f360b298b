"""A study that is only sections: no grid of its own, a page on which several studies answer one question."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from rnndyn.errors import InputError
from rnndyn.sweep import files
from rnndyn.sweep.heading import Heading
from rnndyn.sweep.part import Listed
from rnndyn.sweep.store import FORMAT, FRESH, MANIFEST, is_foreign, read_manifest

__all__ = ["Overview", "lay_out", "overview_in"]


class Overview(Heading):
    """A checked study without a cell and a grid: its `parts` have them, and its answer is made of their numbers."""

    sections: Annotated[tuple[str, ...], Listed, Field(min_length=1)]


def lay_out(overview: Overview, directory: Path) -> None:
    """Note in `directory` which page the results of the sections below it belong to.

    Raises InputError if the folder holds something else.
    """
    found = read_manifest(directory)
    if found is not None and found["laid_out"]:
        raise InputError(f"{directory} holds the result of a sweep, {overview.file} has none of its own; {FRESH}")
    if found is None and is_foreign(directory, overview.section_names):
        raise InputError(f"{directory} is not empty and holds no result of rnndyn: choose another folder")
    directory.mkdir(parents=True, exist_ok=True)
    files.write(directory / MANIFEST, json.dumps(_manifest(overview, directory), indent=2) + "\n")


def overview_in(directory: Path) -> Overview | None:
    """Return the study without a sweep whose page `directory` is for; None if it is the folder of a result, or none."""
    manifest = read_manifest(directory) if directory.is_dir() else None
    if manifest is None or "overview" not in manifest:
        return None
    overview = Overview.model_validate_json(json.dumps(manifest["overview"]))
    overview._name, overview._file, overview._text = manifest["name"], manifest["file"], manifest["study"]
    overview._folder, overview._changes = Path(manifest["file"]).parent, manifest["changes"]
    return overview


def _manifest(overview: Overview, directory: Path) -> dict[str, Any]:
    """Return what stands in manifest.json: of a folder without numbers, so that any sweep may take its place."""
    return {
        "format": FORMAT,
        "name": overview.name,
        "title": overview.title,
        "file": overview.file,
        "command": overview.command(directory),
        "changes": overview._changes,
        "study": overview.text,
        "overview": overview.model_dump(mode="json", exclude_none=True),
        "sections": list(overview.section_names),
        "identity": {},
        "laid_out": False,
    }
