"""`rd.refine`: the borders of a study's map at a high resolution, from few of its points."""

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.dynamics.adaptive import Level, adaptive_map, places, strides
from rnndyn.dynamics.progress import Choice, Progress, progress_display
from rnndyn.errors import InputError
from rnndyn.sweep import files
from rnndyn.sweep.checks import check_study
from rnndyn.sweep.device import placed
from rnndyn.sweep.jobs import chunk_size
from rnndyn.sweep.measures import Arrays, Block
from rnndyn.sweep.refined import Parts, dataset_of
from rnndyn.sweep.refinement import Plan, identity_of, plan
from rnndyn.sweep.run import compute, cores, the_study
from rnndyn.sweep.store import FOLDER, FORMAT
from rnndyn.sweep.study import Study
from rnndyn.sweep.value import Together

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["refine"]

SAVE = 10.0  # seconds after which computed points are kept, if a level takes longer
BYTES = 26  # of memory for each point of the map: measured 14 for two labels, and 12 more while it is drawn
SHARE = 1.5  # points computed for each mixed cell of a level and cell of margin, and one: measured 1.48 to 1.51


def refine(
    study: Study | str | os.PathLike[str],
    *,
    directory: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: Choice = None,
    overrides: Mapping[str, Any] | None = None,
    fresh: bool = False,
) -> "xr.Dataset":
    """Compute the map that the table `[refine]` of a study asks for: only where its labels change.

    study, threads, progress, overrides: as for `rd.sweep`; `{"refine.num": 1024}` changes the resolution.
    directory: where `refined.zarr` and `refined.json` are kept. A refinement that was interrupted there is completed
        with the same bits, a finished one is opened; `fresh` starts again. None: memory.

    Returns a dataset over the two axes (x, y), `num` points each: the labels, and `level`, at which a point was
    computed (from 0, the coarse grid; -1: it has the labels around it); over `point`, the points computed, `index`, the
    grid index, `point_x` and `point_y` by the axes' names, and all that was measured there. The bits of computed points
    are those of a sweep with `num` points along both axes.
    Raises InputError for a mistake in the study, a folder that holds something else, or borders so ragged that more
    than the share `most` of the points would be computed. An interrupt passes through.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads = {threads}: expected at least 1")
    study = the_study(study, overrides)
    if study.refine is None:
        raise InputError(
            f"{study.file} has no table [refine]: add one with variable (or sign_of) and num, as by --set "
            "refine.variable=attractors --set refine.num=4096"
        )
    check_study(study)
    directory = None if directory is None else Path(directory)
    of_them = plan(study)
    work = of_them.job.steps * of_them.job.operations * _expected(of_them, [])
    on_it, ran = placed(study, work, threads, None if directory is None or fresh else directory)
    wanted = plan(on_it)
    _check_memory(wanted)
    manifest = _manifest(study, wanted, directory) | {"ran": ran}
    if directory is None:
        return _with_folder(_run(study, wanted, Parts.open(None, manifest, fresh), threads, progress), study)
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file: a folder is needed")
    directory.mkdir(parents=True, exist_ok=True)
    with files.hold(directory):
        parts = Parts.open(directory, manifest, fresh)
        done = parts.dataset() if parts.manifest["finished"] else _run(study, wanted, parts, threads, progress)
        return _with_folder(done, study)


def _with_folder(dataset: "xr.Dataset", study: Study) -> "xr.Dataset":
    dataset.encoding[FOLDER] = str(study.folder)
    return dataset


def _manifest(study: Study, wanted: Plan, directory: str | os.PathLike[str] | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": study.name,
        "file": study.file,
        "command": study.command(None if directory is None else Path(directory), "refine"),
        "study": study.text,
        "identity": identity_of(wanted),
        "grid": list(wanted.num),
        "levels": [],
        "finished": False,
        "seconds": {"sweep": 0.0, "compile": 0.0},
        "threads": [],
    }


def _run(study: Study, wanted: Plan, parts: Parts, threads: int | None, progress: Choice) -> "xr.Dataset":
    from rnndyn.kernels.clock import compile_clock

    parts.manifest["threads"] = sorted({*parts.manifest["threads"], threads or cores()})
    seconds = parts.manifest["seconds"]
    with progress_display(progress, wanted.job.cost * _expected(wanted, [])) as display, compile_clock() as clock:
        display.say("starting", pause=True)
        work = Work(wanted, parts, threads, display)
        before, begun = dict(seconds), time.monotonic()

        def timed() -> None:
            seconds["compile"] = before["compile"] + clock.seconds
            seconds["sweep"] = before["sweep"] + time.monotonic() - begun

        def watch(levels: list[Level], steps: list[tuple[int, int]]) -> None:
            timed()
            parts.manifest["levels"] = [
                {"stride": list(level.stride), "computed": level.computed, "mixed": level.mixed} for level in levels
            ]
            parts.save()
            _check_ragged(wanted, levels, steps)
            work.expect(_expected(wanted, levels))

        work.timed = timed
        found = adaptive_map(wanted.num, work, coarse=wanted.coarse, margin=wanted.margin, watch=watch)
        display.say("writing")
        return parts.finish(dataset_of(study, wanted, found, parts))


class Work:
    """Computes the labels of points, each once, in calls as large as a sweep's, or looks them up in `parts`."""

    def __init__(self, wanted: Plan, parts: Parts, threads: int | None, display: Progress) -> None:
        self.wanted, self.parts, self.threads, self.display = wanted, parts, threads, display
        self.known, self.arrays = parts.all()
        self.most = math.prod(chunk_size(wanted.study, [wanted.job]))
        self.compiled: set[str] = set()
        self.asked = 0
        self.saved = time.monotonic()
        self.timed = lambda: None

    def expect(self, points: float) -> None:
        """Tell how many points are expected in all."""
        self.display.total = self.wanted.job.cost * max(points, self.asked)
        self.display.at(self.display.done)

    def __call__(self, index: NDArray[np.int64]) -> list[NDArray[np.integer[Any]]]:
        """Return the labels of points numbered along y, then x."""
        if self.asked + len(index) > self.display.total / self.wanted.job.cost:
            self.expect(self.asked + len(index))
        at = np.minimum(np.searchsorted(self.known, index), max(len(self.known) - 1, 0))
        there = self.known[at] == index if len(self.known) else np.zeros(len(index), bool)
        labels = [np.empty(len(index), label.of(self._none()).dtype) for label in self.wanted.labels]
        if there.any():
            looked = {name: values[at[there]] for name, values in self.arrays.items()}
            for values, label in zip(labels, self.wanted.labels, strict=True):
                values[there] = label.of(looked)
            self.asked += int(there.sum())
            self.display.at(self.wanted.job.cost * self.asked)
        rest = np.flatnonzero(~there)
        for begin in range(0, len(rest), self.most):
            some = rest[begin : begin + self.most]
            arrays = self._compute(index[some])
            for values, label in zip(labels, self.wanted.labels, strict=True):
                values[some] = label.of(arrays)
        return labels

    def _none(self) -> Arrays:
        """Return the variables of no points."""
        variables = [variable for measurement in self.wanted.job.work for variable in measurement.variables]
        return {v.name: np.empty((0, *map(len, v.dims.values())), v.dtype) for v in variables}

    def _compute(self, index: NDArray[np.int64]) -> Arrays:
        study, places = self.wanted.study, self.wanted.places(index)
        axes = {name: axis.values[at] for (name, axis), at in zip(study.axes.items(), places, strict=True)}
        grid = np.ravel_multi_index(places, study.shape)
        block = Block(self.wanted.job.study, self.wanted.job.cell, Together(axes), grid, self.threads)
        arrays = compute(self.wanted.job, block, self.display, self.compiled)
        arrays = {name: arrays[name].astype(values.dtype) for name, values in self._none().items() if name in arrays}
        self.asked += len(index)
        self.parts.add(index, arrays)
        if time.monotonic() - self.saved > SAVE:
            self.timed()
            self.parts.save()
            self.saved = time.monotonic()
        return arrays


def _expected(wanted: Plan, levels: list[Level]) -> float:
    """Return about how many points a refinement computes, told by the mixed cells of the last level.

    A border has twice as many cells on each next level. Before the first, it is taken to be as long as the grid's edge.
    """
    steps = strides(wanted.num, wanted.coarse)
    if levels:
        done, mixed = sum(level.computed for level in levels), levels[-1].mixed
    else:
        first = _grid(wanted, steps[0])
        done, mixed = math.prod(first), 2 * sum(first)
    left = len(steps) - max(len(levels), 1)
    return done + SHARE * (wanted.margin + 1) * mixed * (2 ** (left + 1) - 2)


def _check_memory(wanted: Plan) -> None:
    """Raise InputError if the map is larger than what memory may be taken."""
    from rnndyn.kernels.budget import VARIABLE, budget, in_words

    need, limit = BYTES * math.prod(wanted.num), budget()
    if need > limit:
        raise InputError(
            f"[refine] num: a map of {' x '.join(map(str, wanted.num))} points takes about {in_words(need)} of memory, "
            f"and {in_words(limit)} may be taken: give a smaller num, or set {VARIABLE} if there is more"
        )


def _check_ragged(wanted: Plan, levels: list[Level], steps: list[tuple[int, int]]) -> None:
    """Raise InputError if the next level would take more than the share `most` of the points."""
    if len(levels) == len(steps):
        return
    last, done = levels[-1], sum(level.computed for level in levels)
    new = min(2 * SHARE * (wanted.margin + 1) * last.mixed, math.prod(_grid(wanted, steps[len(levels)])) - last.nodes)
    if done + new > wanted.most * math.prod(wanted.num):
        signs = any(label.sign and not label.errors for label in wanted.labels)
        hint = "; with errors = 2.0, signs within two standard errors of zero are not told apart" if signs else ""
        here, all_ = (" x ".join(map(str, shape)) for shape in (_grid(wanted, last.stride), wanted.num))
        raise InputError(
            f"[refine] most = {wanted.most:g}: on {here} points borders pass through {last.mixed} cells, and the next "
            f"level would take more than {100 * wanted.most:g} % of the {all_} points. Labels as ragged as noise (or a "
            f"fractal) have no borders to follow: try a smaller num, or a larger most to go on from here{hint}"
        )


def _grid(wanted: Plan, stride: tuple[int, int]) -> list[int]:
    """Return the nodes along each axis of a level."""
    return [len(places(n, step)) for n, step in zip(wanted.num, stride, strict=True)]
