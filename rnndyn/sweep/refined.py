"""A refined map on the disk: `refined.zarr` and `refined.json` beside it; `refined.parts` while it is made.

The points computed are kept part by part, a level at least, and what is left of them after a break-off is looked up
instead of computed: the same points are asked for in the same order, so the rest has the same bits.
"""

import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.sweep import files
from rnndyn.sweep.labels import attributes, coordinates
from rnndyn.sweep.measures import Arrays
from rnndyn.sweep.provenance import differences
from rnndyn.sweep.refinement import Plan
from rnndyn.sweep.store import FOLDER, REFINED, check_identity, consolidate, read_manifest, study_of

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.dynamics.adaptive import AdaptiveMap
    from rnndyn.sweep.study import Study

__all__ = ["Parts", "dataset_of", "is_refined", "open_refined"]

ZARR, MANIFEST, PARTS, PARTIAL = (f"{REFINED}{ending}" for ending in (".zarr", ".json", ".parts", ".partial"))
CHUNK = 1024  # labels along each axis in one piece of the store: a megabyte before compression


class Parts:
    """The points of a refinement, in a folder or (directory None) in memory only."""

    def __init__(self, directory: Path | None, manifest: dict[str, Any]) -> None:
        self.directory, self.manifest = directory, manifest
        self.index: list[NDArray[np.int64]] = []
        self.arrays: list[Arrays] = []
        self.saved = 0

    @classmethod
    def open(cls, directory: Path | None, manifest: dict[str, Any], fresh: bool) -> "Parts":
        """Return what is there of the refinement that `manifest` describes; raises InputError if that is another."""
        if directory is None:
            return cls(None, manifest)
        if fresh and (directory / MANIFEST).exists():
            for picture in pictures(directory):
                files.remove(picture)
            files.remove(directory / MANIFEST)
        found = read_manifest(directory, MANIFEST)
        if found is None:  # nothing vouches for what may be left of another one
            for name in (ZARR, PARTS, PARTIAL):
                files.remove(directory / name)
        else:
            check_identity(f"{directory} holds another refined map", found, manifest)
            there = found["finished"] and (directory / ZARR).is_dir()  # a copy of the folder may lack it
            manifest = (
                found | {key: manifest[key] for key in ("name", "file", "command", "study")} | {"finished": there}
            )
        parts = cls(directory, manifest)
        if manifest["finished"]:
            return parts
        (directory / PARTS).mkdir(exist_ok=True)
        parts.note()
        for path in sorted((directory / PARTS).glob("*.npz")):
            with np.load(path) as content:
                arrays = dict(content)
            parts.add(arrays.pop("index"), arrays)
        parts.saved = len(parts.index)
        return parts

    def add(self, index: NDArray[np.int64], arrays: Arrays) -> None:
        """Take in points (K,), numbered along y and then x, with their variables."""
        self.index.append(index)
        self.arrays.append(arrays)

    def save(self) -> None:
        """Write what is not on the disk yet."""
        if self.directory is None or self.saved == len(self.index):
            return
        new = slice(self.saved, None)
        packed = io.BytesIO()
        names = self.arrays[self.saved]
        content: dict[str, Any] = {name: np.concatenate([part[name] for part in self.arrays[new]]) for name in names}
        np.savez(packed, index=np.concatenate(self.index[new]), **content)
        files.write(self.directory / PARTS / f"{self.saved:06}.npz", packed.getvalue())
        self.saved = len(self.index)
        self.note()

    def note(self) -> None:
        """Replace the manifest."""
        if self.directory is not None:
            files.write(self.directory / MANIFEST, json.dumps(self.manifest, indent=2) + "\n")

    def all(self) -> tuple[NDArray[np.int64], Arrays]:
        """Return all points, in the order of their numbers."""
        if not self.index:
            return np.empty(0, np.int64), {}
        index = np.concatenate(self.index)
        order = np.argsort(index)
        arrays = {name: np.concatenate([part[name] for part in self.arrays])[order] for name in self.arrays[0]}
        return index[order], arrays

    def finish(self, dataset: "xr.Dataset") -> "xr.Dataset":
        """Put the map in its place, whole, and return it as it is read from there."""
        if self.directory is None:
            return dataset
        partial, place = self.directory / PARTIAL, self.directory / ZARR
        files.remove(partial)
        chunks = {name: {"chunks": (CHUNK, CHUNK)} for name, array in dataset.data_vars.items() if _is_map(array)}
        dataset.to_zarr(partial, zarr_format=3, consolidated=False, encoding=chunks)
        consolidate(partial)
        for path in sorted(partial.rglob("*")):
            files.flush(path)
        files.remove(place)
        os.replace(partial, place)
        self.manifest["finished"] = True
        self.note()
        files.remove(self.directory / PARTS)
        return self.dataset()

    def dataset(self) -> "xr.Dataset":
        """Return the map that is there, read when values are asked for."""
        import xarray as xr

        assert self.directory is not None
        opened = xr.open_zarr(self.directory / ZARR, chunks=None)
        return opened.assign_attrs(manifest=json.dumps(self.manifest))


def pictures(directory: Path) -> list[Path]:
    """Return the pictures of a refined map in a folder."""
    return [path for ending in ("png", "svg") for path in sorted(directory.glob(f"{REFINED}*.{ending}"))]


def _is_map(array: "xr.DataArray") -> bool:
    return array.ndim == 2 and "point" not in array.dims


def dataset_of(study: "Study", plan: Plan, found: "AdaptiveMap", parts: Parts) -> "xr.Dataset":
    """Return a refined map: its labels and levels over the two axes, and the variables of the points computed."""
    import xarray as xr

    work, (x, y) = plan.job.work, (plan.x, plan.y)
    index, arrays = parts.all()
    places = plan.places(index)
    variables = [variable for measurement in work for variable in measurement.variables]
    known = coordinates(plan.study, variables)
    labels = {label.name: label for label in plan.labels}
    data: dict[str, Any] = {
        name: ((x, y), _narrow(values), label.attrs)
        for (name, label), values in zip(labels.items(), found.labels, strict=True)
    }
    words = "level at which the point was computed, from 0; -1: it was not, its labels are those around it"
    data["level"] = ((x, y), found.level, {"long_name": words, "units": "1"})
    grid = np.ravel_multi_index(places, plan.study.shape)
    data["index"] = ("point", grid, {"long_name": "grid index, from which starts and seeds are drawn", "units": "1"})
    for variable in variables:
        if variable.name not in labels and not variable.at:
            values = arrays[variable.name].astype(variable.dtype)
            data[variable.name] = (("point", *variable.dims), values, dict(variable.attrs))
    coords: dict[str, Any] = {name: (name, *known[name]) for name in (x, y)}
    for name, at in zip(plan.study.axes, places, strict=True):
        if name in (x, y):
            coords[f"point_{name}"] = ("point", known[name][0][at], {"long_name": f"{name} of the points computed"})
    coords |= {name: ((), value, known[name][1]) for name, value in plan.held.items()}
    used = {name for variable in variables for name in variable.dims}
    coords |= {name: (name, *known[name]) for name in used}
    return xr.Dataset(data, coords, attributes(study, plan.job.cell, parts.manifest))


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers in the smallest type that holds them."""
    ends = values.min(), values.max()
    kinds: tuple[Any, ...] = (np.int8, np.int16, np.int32)
    fits = (kind for kind in kinds if np.iinfo(kind).min <= ends[0] and ends[1] <= np.iinfo(kind).max)
    return values.astype(next(fits, np.int64))


def is_refined(dataset: "xr.Dataset") -> bool:
    """Whether a dataset is a refined map."""
    return "level" in dataset and "point" in dataset.dims


def open_refined(directory: str | os.PathLike[str], like: "xr.Dataset | None" = None) -> "xr.Dataset | None":
    """Open the finished refined map in a folder; None if there is none, or not of what the result `like` is of.

    That is the same study (whatever is refined, drawn and told of it), computed by the same versions.
    """
    directory = Path(directory)
    manifest = read_manifest(directory, MANIFEST) if directory.is_dir() else None
    if manifest is None or not manifest["finished"] or not (directory / ZARR).is_dir():
        return None
    dataset = Parts(directory, manifest).dataset()
    if like is None:
        return dataset
    study, there = study_of(like), json.loads(like.attrs["manifest"])["identity"]
    here = manifest["identity"] | {"study": study_of(dataset).numbers()}
    here.pop("refine")
    dataset.encoding[FOLDER] = str(study.folder)
    return None if differences(there, here) else dataset
