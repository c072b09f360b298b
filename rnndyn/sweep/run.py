"""The runner: a study's grid, chunk by chunk, into a labelled dataset."""

import contextlib
import dataclasses
import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnndyn.dynamics.progress import Choice, Progress, progress_display
from rnndyn.errors import InputError
from rnndyn.sweep import files
from rnndyn.sweep.checks import check_study
from rnndyn.sweep.device import placed
from rnndyn.sweep.grid import chunks
from rnndyn.sweep.jobs import Job, chunk_size, job_of, jobs, variables
from rnndyn.sweep.labels import attributes, coordinates
from rnndyn.sweep.measures import Block
from rnndyn.sweep.overview import Overview
from rnndyn.sweep.provenance import identity
from rnndyn.sweep.reading import read_study
from rnndyn.sweep.store import CARD, FOLDER, FORMAT, MANIFEST, PAGE, RESULT, Memory, Store, is_foreign, report_files
from rnndyn.sweep.study import Study
from rnndyn.sweep.value import Together

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["clear", "compute", "cores", "cost", "renew", "run_study", "sweep", "the_study"]


def sweep(
    study: Study | Overview | str | os.PathLike[str],
    *,
    directory: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    progress: Choice = None,
    overrides: Mapping[str, Any] | None = None,
    fresh: bool = False,
) -> "xr.Dataset":
    """Compute a study on its grid and return the dataset, whose dimensions are the study's axes.

    study: a Study or the path of its file; `overrides` (of a path only) replaces values, `{"axes.w.num": 64}`.
    directory: where `result.zarr` and `manifest.json` are kept chunk by chunk. A sweep of the same study that was
        interrupted there is completed with the same bits, a finished one is opened; `fresh` starts again. None: memory.
    threads: number of threads (None: all cores). The bits do not depend on it.
    progress: None (a bar in a terminal or a notebook), True, False, or a callable of (steps done, steps in all).

    Sections are studies of their own, `rd.read_study(path).parts`: sweep them one by one. Raises InputError for a
    mistake in the study, for one that is only sections, or for a folder that holds something else. An interrupt passes
    through.
    """
    return run_study(the_study(study, overrides), directory, threads, progress, fresh)


def the_study(study: Study | Overview | str | os.PathLike[str], overrides: Mapping[str, Any] | None) -> Study:
    """Return a study that is given, or read from its path with `overrides`; raises InputError if it has no grid."""
    if not isinstance(study, Study | Overview):
        study = read_study(study, overrides)
    elif overrides:
        raise InputError("overrides change a study file: give its path instead of a Study")
    if isinstance(study, Overview):
        below = ", ".join(str(study.folder / file) for file in study.sections)
        raise InputError(f"{study.file} has no grid of its own, only sections: sweep one of them: {below}")
    return study


def run_study(
    study: Study,
    directory: str | os.PathLike[str] | None,
    threads: int | None,
    progress: Choice,
    fresh: bool,
    meanwhile: Callable[[], None] | None = None,
) -> "xr.Dataset":
    """Do what `sweep` says; `meanwhile` is called in a thread of its own while the kernels run."""
    if threads is not None and threads < 1:
        raise InputError(f"threads = {threads}: expected at least 1")
    check_study(study)
    directory = None if directory is None else Path(directory)
    on_it, ran = placed(study, cost(study), threads, None if fresh else directory)
    work = jobs(on_it)
    manifest = _manifest(study, work, directory, on_it.run.device) | {"ran": ran}
    found = variables(study, work)
    labels, told = coordinates(study, found), attributes(study, work[0].cell, manifest)
    if directory is None:
        memory = Memory(manifest, found, labels)
        _fill(study, work, memory, threads, progress, meanwhile)
        return _with_folder(memory.dataset(told), study)
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file: a folder is needed")
    directory.mkdir(parents=True, exist_ok=True)
    with files.hold(directory):
        if fresh:
            clear(directory, study.section_names)
        store = None if fresh else Store.open(directory, manifest, found)
        if store is None:
            store = Store.create(directory, manifest, found, labels, told)
        else:
            store.describe(manifest, told)
        store.sweep_up()
        _fill(study, work, store, threads, progress, meanwhile)
        return _with_folder(store.dataset(), study)


def _with_folder(dataset: "xr.Dataset", study: Study) -> "xr.Dataset":
    """Note the study's folder where it is never written to a disk: files that the study names are found there."""
    dataset.encoding[FOLDER] = str(study.folder)
    return dataset


def renew(study: Study | Overview, directory: Path) -> None:
    """Delete what rnndyn wrote of a page, the results of its sections too; raises InputError as `clear` does."""
    folders = [folder for folder in (directory, *(directory / name for name in study.section_names)) if folder.is_dir()]
    for act in (_check_ours, clear):
        for folder in folders:
            with files.hold(folder):
                act(folder, study.section_names if folder == directory else ())


def clear(directory: Path, sections: Sequence[str] = ()) -> None:
    """Delete what rnndyn wrote into a folder, but not `sections` below it.

    Raises InputError if the folder is not one of its own.
    """
    _check_ours(directory, sections)
    if not (directory / MANIFEST).exists():
        return
    # First the manifest stops vouching for the chunks, then they go; it stays until the end to mark the folder as ours.
    files.write(directory / MANIFEST, json.dumps({"format": FORMAT, "identity": {}, "laid_out": False}) + "\n")
    partial = directory.glob(".*.partial")
    for path in (directory / PAGE, *report_files(directory), directory / CARD, directory / RESULT, *partial):
        files.remove(path)


def _check_ours(directory: Path, sections: Sequence[str]) -> None:
    if is_foreign(directory, sections) and not (directory / MANIFEST).exists():
        raise InputError(f"{directory} is not empty and holds no result of rnndyn: choose another folder")


def cost(study: Study) -> float:
    """Return about how long a sweep takes beside others, in multiply-adds."""
    work = jobs(study)
    return sum(job.steps * job.operations for job in work) * study.points / len(work)


def _manifest(study: Study, work: list[Job], directory: Path | None, device: str) -> dict[str, Any]:
    size = chunk_size(study, work)
    return {
        "format": FORMAT,
        "name": study.name,
        "title": study.title,
        "file": study.file,
        "command": study.command(directory),
        "study": study.text,
        "sections": list(study.section_names),
        "identity": identity(study, [job.cell for job in work], device),
        "chunks": {
            "axes": list(study.axes),
            "grid": list(study.shape),
            "shape": list(size),
            "total": sum(1 for _ in chunks(study.shape, size)),
            "done": [],
        },
        "laid_out": False,
        "finished": False,
        "seconds": {"sweep": 0.0, "compile": 0.0},
        "threads": [],
    }


def _fill(
    study: Study,
    work: list[Job],
    store: Store | Memory,
    threads: int | None,
    progress: Choice,
    meanwhile: Callable[[], None] | None,
) -> None:
    """Compute the chunks that `store` does not hold yet; each is written while the next is computed."""
    from rnndyn.kernels.clock import compile_clock

    if store.manifest["finished"]:
        return
    everything = [(job_of(work, one), one) for one in chunks(study.shape, tuple(store.manifest["chunks"]["shape"]))]
    total = sum(job.cost * chunk.points for job, chunk in everything)
    done = sum(job.cost * chunk.points for job, chunk in everything if chunk.index in store.done)
    store.manifest["threads"] = sorted({*store.manifest["threads"], threads or cores()})
    seconds = store.manifest["seconds"]
    before, compiled = seconds["compile"], set[str]()
    aside = threading.Thread(target=_quietly, args=(meanwhile,), daemon=True)
    aside.start()
    display_of = progress_display(progress, total, done)
    written: list[Future[None]] = []
    with display_of as display, ThreadPoolExecutor(1) as writer, compile_clock() as clock:
        display.say("starting", pause=True)
        display.at(done)
        for job, chunk in everything:
            if chunk.index in store.done:
                continue
            start = time.monotonic()
            arrays = compute(job, job.block(chunk, threads), display, compiled)
            seconds["compile"] = before + clock.seconds
            seconds["sweep"] += time.monotonic() - start
            if written:
                written.pop().result()
            written.append(writer.submit(store.write, chunk, arrays))
        display.say("writing")
        if written:
            written.pop().result()
    store.finish()
    aside.join()


def _quietly(function: Callable[[], None] | None) -> None:
    """Call a function whose failure will show again where its work is needed."""
    with contextlib.suppress(Exception):
        if function is not None:
            function()


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compute(job: Job, block: Block, display: Progress, compiled: set[str]) -> dict[str, Any]:
    """Return the variables of a block of the grid; `compiled` are the measurements whose kernels are there."""
    arrays: dict[str, Any] = {}
    points = math.prod(block.shape)
    for measurement in job.work:
        before, steps = display.done, measurement.steps * job.share * points
        report = _reporter(display, measurement.name, before, steps)
        new = measurement.name not in compiled
        display.say(f"compiling {measurement.name}" if new else measurement.name, pause=new)
        result = measurement(dataclasses.replace(block, progress=report))
        display.at(before + steps)
        compiled.add(measurement.name)
        for variable in (one for one in measurement.variables if one.name in result):
            single = isinstance(block.axes, Together)
            kept = [n for name, n in zip(block.axes, block.shape, strict=not single) if name not in variable.at]
            shape = (*kept, *map(len, variable.dims.values()))
            if result[variable.name].shape != shape:
                raise AssertionError(f"{variable.name}: shape {result[variable.name].shape}, expected {shape}")
            arrays[variable.name] = result[variable.name]
    return arrays


def _reporter(display: Progress, name: str, before: float, steps: float) -> Callable[[float, float], None]:
    """Return the callable that moves the display from `before` to `before + steps`, and says so at the first steps."""
    begun = False

    def report(done: float, total: float) -> None:
        nonlocal begun
        if not begun and done > 0:
            begun = True
            display.say(name)
        display.at(before + steps * done / max(total, 1))

    return report
