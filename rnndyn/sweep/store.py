"""The result on disk: `result.zarr`, one Zarr chunk per block of the grid, and `manifest.json` beside it.

A chunk counts once the manifest lists it, and the manifest lists it only after its data are flushed to the disk. A
sweep killed at any moment therefore leaves whole chunks, and the next one computes only those that are not listed.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep import files
from rnndyn.sweep.grid import Chunk
from rnndyn.sweep.provenance import differences

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.labels import Coordinate
    from rnndyn.sweep.measures import Variable
    from rnndyn.sweep.study import Study

__all__ = [
    "CARD",
    "FORMAT",
    "MANIFEST",
    "PAGE",
    "REFINED",
    "RESULT",
    "Store",
    "check_identity",
    "consolidate",
    "digests",
    "folder_of",
    "is_foreign",
    "open_result",
    "read_card",
    "read_manifest",
    "report_files",
    "results_below",
    "study_of",
]

FORMAT = 1
MANIFEST = "manifest.json"
RESULT = "result.zarr"
PAGE = "index.html"
REFINED = "refined"  # what the names of a refined map's files begin with
FOLDER = "study_folder"  # key of a dataset's encoding
TOLD = ("name", "title", "file", "command", "study", "sections")  # in a manifest, what no number depends on
CARD = "card.json"  # what a report says of itself: words for the gallery, and the names of its files
FRESH = "use --fresh (fresh=True in Python) to replace it, or another folder"


def read_manifest(directory: Path, name: str = MANIFEST) -> dict[str, Any] | None:
    """Return the manifest in `directory`, None if there is none; raises InputError if it cannot be understood."""
    try:
        manifest = json.loads((directory / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise InputError(f"{directory / name} is damaged: {FRESH}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{directory / name} is not of this version of rnndyn: {FRESH}")
    return manifest


def is_foreign(directory: Path, sections: Iterable[str]) -> bool:
    """Tell whether a folder holds anything beside the results of sections, and a refined map."""
    return directory.exists() and any(
        path.name not in sections and not path.name.lstrip(".").startswith(REFINED) for path in directory.iterdir()
    )


def check_identity(words: str, found: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Raise InputError, which begins with `words`, if the manifest found describes other numbers than `manifest`."""
    differing = differences(found.get("identity"), json.loads(json.dumps(manifest["identity"])))
    if differing:
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        raise InputError(f"{words}: {differing[0]}{more}; {FRESH}")


def folder_of(result: Path) -> Path:
    """Return the folder of a result that is named by its folder or by its result.zarr."""
    return result.parent if result.suffix == ".zarr" else result


def open_result(result: str | os.PathLike[str]) -> "xr.Dataset":
    """Open a result of a sweep, finished or not, by its folder or its result.zarr; raises InputError if there is none.

    Values are read when they are asked for; what was not computed yet is NaN, its status NOT_COMPUTED.
    """
    import xarray as xr

    path = Path(result)
    directory = folder_of(path)
    if not path.exists():
        near = [str(found.parent) for found in sorted(path.parent.glob(f"*/{MANIFEST}"))]
        raise InputError(f"there is no result {path}; {suggestion(path, near)}")
    manifest = read_manifest(directory) if directory.is_dir() else None
    if manifest is not None and "overview" in manifest:
        below = ", ".join(str(directory / name) for name in manifest["sections"])
        raise InputError(f"{path} is a page of sections without a result of its own: name one of them: {below}")
    if manifest is None or not manifest.get("laid_out"):
        raise InputError(f"{path} holds no result of rnndyn: name the folder that `rnndyn sweep` or `run` wrote")
    dataset = xr.open_zarr(directory / RESULT, chunks=None)
    return dataset.assign_attrs(manifest=json.dumps(manifest))


def results_below(directory: Path, sections: Iterable[str]) -> "Iterator[tuple[str, xr.Dataset | None]]":
    """Yield (name, result) of the sections below a page; None where nothing is computed yet."""
    for name in sections:
        manifest = read_manifest(directory / name)
        yield name, open_result(directory / name) if manifest is not None and manifest["laid_out"] else None


def study_of(dataset: "xr.Dataset") -> "Study":
    """Return the study of a result; files that it names are looked for beside the study file."""
    from rnndyn.sweep.study import Study

    study = Study.model_validate_json(dataset.attrs["study"])
    manifest = json.loads(dataset.attrs["manifest"])
    study._folder = Path(dataset.encoding.get(FOLDER, Path(manifest["file"]).parent))
    study._name, study._file = manifest["name"], manifest["file"]
    return study


def digests(directory: Path, sections: Iterable[str]) -> dict[str, str]:
    """Return a fingerprint of the result of each section below a page, of those that have one."""
    manifests = {name: directory / name / MANIFEST for name in sections}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in manifests.items() if path.is_file()}


def read_card(directory: Path) -> dict[str, Any]:
    """Return what the report in `directory` says of itself; nothing if there is none, or it is damaged."""
    try:
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
        return card if isinstance(card, dict) and (directory / PAGE).is_file() else {}
    except (OSError, ValueError):
        return {}


def report_files(directory: Path) -> list[Path]:
    """Return the files of the report in `directory`, as its card lists them; none if there is no card."""
    try:
        names = json.loads((directory / CARD).read_text(encoding="utf-8"))["files"]
        return [directory / name for name in names if Path(name).name == name and (directory / name).is_file()]
    except (OSError, ValueError, KeyError, TypeError):
        return []


class Store:
    """A result in a folder. `manifest` is what stands in manifest.json; `done` are the chunks that are safely there."""

    def __init__(self, directory: Path, manifest: dict[str, Any], variables: Iterable["Variable"]) -> None:
        self.directory, self.manifest = directory, manifest
        self.kept = {variable.name: _kept(manifest, variable) for variable in variables}

    @classmethod
    def open(cls, directory: Path, manifest: dict[str, Any], variables: Iterable["Variable"]) -> "Store | None":
        """Return the store in `directory` if it holds the sweep that `manifest` describes, None if there is none yet.

        Raises InputError if it holds something else.
        """
        found = read_manifest(directory)
        if found is None and is_foreign(directory, manifest["sections"]):
            raise InputError(f"{directory} is not empty and holds no result of rnndyn: choose another folder")
        if found is None or not found["identity"]:  # nothing, or a page without a result of its own
            return None
        check_identity(f"{directory} holds the result of another sweep", found, manifest)
        return cls(directory, found, variables) if found["laid_out"] else None

    @classmethod
    def create(
        cls,
        directory: Path,
        manifest: dict[str, Any],
        variables: list["Variable"],
        coordinates: Mapping[str, "Coordinate"],
        attributes: Mapping[str, str],
    ) -> "Store":
        """Lay out an empty result: all metadata and coordinates now, so that later only chunks are added."""
        import zarr

        directory.mkdir(parents=True, exist_ok=True)
        store = cls(directory, manifest, variables)
        store.save()
        files.remove(directory / RESULT)
        shape, size = tuple(manifest["chunks"]["grid"]), tuple(manifest["chunks"]["shape"])
        axes = list(coordinates)[: len(shape)]
        group = zarr.create_group(directory / RESULT, zarr_format=3, attributes=dict(attributes))
        for name, (values, attrs) in coordinates.items():
            group.create_array(name, data=values, dimension_names=[name], attributes=dict(attrs), chunks=values.shape)
        for variable in variables:
            own, kept = tuple(map(len, variable.dims.values())), store.kept[variable.name]
            group.create_array(
                variable.name,
                shape=(*(shape[axis] for axis in kept), *own),
                chunks=(*(size[axis] for axis in kept), *own),
                dtype=variable.dtype,
                fill_value=variable.fill,
                dimension_names=[*(axes[axis] for axis in kept), *variable.dims],
                attributes=dict(variable.attrs),
            )
        consolidate(directory / RESULT)
        for path in sorted((directory / RESULT).rglob("*")):
            files.flush(path)
        manifest["laid_out"] = True
        store.save()
        return store

    def describe(self, manifest: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        """Take over title, figures, numbers and command of a study that computes the same."""
        import zarr

        told = {key: manifest[key] for key in TOLD}
        if told.items() <= self.manifest.items():
            return
        self.manifest |= told
        group = zarr.open_group(self.directory / RESULT, mode="r+", zarr_format=3, use_consolidated=False)
        group.attrs.update({**attributes, "manifest": json.dumps(self.manifest)})
        consolidate(self.directory / RESULT)
        self.save()

    @property
    def done(self) -> set[int]:
        """The numbers of the chunks that are safely on the disk."""
        return set(self.manifest["chunks"]["done"])

    def write(self, chunk: Chunk, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write one chunk of every variable, wait until it is on the disk, then record it."""
        import zarr

        group = zarr.open_group(self.directory / RESULT, mode="r+", zarr_format=3)
        with zarr.config.set({"array.write_empty_chunks": True}):
            for name, values in arrays.items():
                array = group[name]
                assert isinstance(array, zarr.Array)
                kept = self.kept[name]
                array[tuple(chunk.slices[axis] for axis in kept)] = values.astype(array.dtype)
                corner = (*(chunk.corner[axis] for axis in kept), *(0,) * (array.ndim - len(kept)))
                path = self.directory / RESULT / name / array.metadata.encode_chunk_key(corner)
                files.flush(path)
                files.flush(path.parent)
        self.manifest["chunks"]["done"] = sorted({*self.done, chunk.index})
        self.save()

    def save(self) -> None:
        """Replace manifest.json."""
        files.write(self.directory / MANIFEST, json.dumps(self.manifest, indent=2) + "\n")

    def finish(self) -> None:
        """Mark the result as complete, in the dataset's own attributes too."""
        import zarr

        self.manifest["finished"] = True
        group = zarr.open_group(self.directory / RESULT, mode="r+", zarr_format=3, use_consolidated=False)
        group.attrs["manifest"] = json.dumps(self.manifest)
        consolidate(self.directory / RESULT)
        self.save()

    def sweep_up(self) -> None:
        """Delete what a killed process left half-written."""
        for path in [*self.directory.glob(".*.partial"), *(self.directory / RESULT).rglob("*.partial")]:
            files.remove(path)

    def dataset(self) -> "xr.Dataset":
        """Return the result as a dataset that reads from the disk when values are asked for."""
        import xarray as xr

        return xr.open_zarr(self.directory / RESULT, chunks=None).assign_attrs(manifest=json.dumps(self.manifest))


class Memory:
    """The same result without a folder."""

    def __init__(self, manifest: dict[str, Any], variables: list["Variable"], coordinates: Mapping[str, "Coordinate"]):
        self.manifest, self.variables, self.coordinates = manifest, variables, coordinates
        self.kept = {variable.name: _kept(manifest, variable) for variable in variables}
        shape = manifest["chunks"]["grid"]
        self.arrays = {
            v.name: np.full((*(shape[i] for i in self.kept[v.name]), *map(len, v.dims.values())), v.fill, v.dtype)
            for v in variables
        }

    @property
    def done(self) -> set[int]:
        """The numbers of the chunks computed."""
        return set(self.manifest["chunks"]["done"])

    def write(self, chunk: Chunk, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put one chunk of every variable in its place."""
        for name, values in arrays.items():
            self.arrays[name][tuple(chunk.slices[axis] for axis in self.kept[name])] = values
        self.manifest["chunks"]["done"].append(chunk.index)

    def finish(self) -> None:
        """Mark the result as complete."""
        self.manifest["finished"] = True

    def dataset(self, attributes: Mapping[str, str]) -> "xr.Dataset":
        """Return the result as a dataset."""
        import xarray as xr

        axes = list(self.coordinates)
        data = {
            v.name: ([*(axes[i] for i in self.kept[v.name]), *v.dims], self.arrays[v.name], dict(v.attrs))
            for v in self.variables
        }
        coords = {name: (name, values, attrs) for name, (values, attrs) in self.coordinates.items()}
        return xr.Dataset(data, coords, dict(attributes))


def _kept(manifest: dict[str, Any], variable: "Variable") -> tuple[int, ...]:
    """Return the numbers of the study's axes that a variable has."""
    return tuple(i for i, name in enumerate(manifest["chunks"]["axes"]) if name not in variable.at)


def consolidate(path: Path) -> None:
    """Gather all metadata in one file: xarray opens such a store quickly and without a warning."""
    import zarr

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part")
        zarr.consolidate_metadata(path)
