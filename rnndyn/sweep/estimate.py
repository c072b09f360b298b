"""What a study takes before it runs: points, steps, memory, disk and, from timing a few points, seconds."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rnndyn.dynamics.adaptive import places, strides
from rnndyn.errors import InputError
from rnndyn.sweep.grid import Chunk, chunks, fit
from rnndyn.sweep.jobs import Job, chunk_size, jobs, variables
from rnndyn.sweep.measures import measurements
from rnndyn.sweep.refinement import plan
from rnndyn.sweep.run import cores

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["Estimate", "estimate", "together"]

FEW = 32  # points in the first block timed
ENOUGH = 0.5  # seconds that a block should take, for its time to mean something
LONG = 2.0  # seconds: a block that takes more stands for all
OPERATIONS = 2e9  # multiply-adds of a first block, at most: about a second
LEAST = 20  # steps that a shortened run has


@dataclass(frozen=True)
class Estimate:
    """`steps` of single networks in all; `memory`, `disk` in bytes, at most; `seconds`, `compiling` None if untimed.

    refined: points along both axes of the refined map, and points computed to begin with; None if there is none.
    """

    shape: tuple[int, ...]
    chunks: int
    steps: float
    memory: float
    disk: float
    threads: int
    seconds: float | None
    compiling: float | None
    refined: tuple[int, int, int] | None = None

    def lines(self) -> list[tuple[str, str]]:
        """Return (what, in words)."""
        size = f" ({' x '.join(map(str, self.shape))})" if len(self.shape) > 1 else ""
        found = [
            ("points", f"{_count(math.prod(self.shape))}{size} in {self.chunks} chunk" + "s" * (self.chunks > 1)),
            ("steps", f"{self.steps:.3g} of single networks"),
            ("memory", f"about {_bytes(self.memory)} beside the program's own"),
            ("disk", f"at most {_bytes(self.disk)} before compression"),
        ]
        if self.seconds is not None and self.compiling is not None:
            wait = f", and {self.compiling:.0f} s of compiling once" if self.compiling >= 1 else ""
            found.append(("time", f"about {_duration(self.seconds)} on {self.threads} threads{wait}, and the page"))
        if self.refined is not None:
            n, m, first = self.refined
            words = f"{_count(first)} points of {n} x {m} to begin with, then those where labels change, beside this"
            found.append(("refined", words))
        return found


def estimate(study: "Study", threads: int | None = None, timing: bool = True) -> Estimate:
    """Return what a sweep of `study` takes; `timing` runs some points at three places of the grid for a while."""
    work, names = jobs(study), tuple(study.axes)
    size = chunk_size(study, work)
    disk = 0.0
    for variable in variables(study, work):
        points = math.prod(len(study.axes[name].values) for name in variable.axes(names))
        disk += np.dtype(variable.dtype).itemsize * points * math.prod(map(len, variable.dims.values()))
    timed = [_timed(job, place, threads, math.prod(size)) for place, job in enumerate(work)] if timing else None
    return Estimate(
        study.shape,
        sum(1 for _ in chunks(study.shape, size)),
        sum(job.steps for job in work) * study.points / len(work),
        math.prod(size) * (max(job.bytes for job in work) + 2 * disk / study.points),
        disk,
        threads or cores(),
        sum(seconds for seconds, _ in timed) if timed else None,
        sum(compiling for _, compiling in timed) if timed else None,
        None if study.refine is None else _refined(study),
    )


def _refined(study: "Study") -> tuple[int, int, int]:
    wanted = plan(study)
    first = strides(wanted.num, wanted.coarse)[0]
    return *wanted.num, math.prod(len(places(n, step)) for n, step in zip(wanted.num, first, strict=True))


def together(estimates: Sequence[Estimate]) -> Estimate:
    """Return what several sweeps take one after another."""
    timed = [one for one in estimates if one.seconds is not None and one.compiling is not None]
    return Estimate(
        (sum(math.prod(one.shape) for one in estimates),),
        sum(one.chunks for one in estimates),
        sum(one.steps for one in estimates),
        max(one.memory for one in estimates),
        sum(one.disk for one in estimates),
        max(one.threads for one in estimates),
        sum(one.seconds or 0.0 for one in timed) if timed else None,
        sum(one.compiling or 0.0 for one in timed) if timed else None,
    )


def _timed(job: Job, place: int, threads: int | None, size: int) -> tuple[float, float]:
    """Return (seconds of the grid of one job in chunks of `size` points, seconds of compiling).

    A call takes so long by itself and so long for each point: two sizes of blocks tell the two apart. Runs of large
    networks are shortened; how long a step takes does not depend on how many there are.
    """
    short, factor = _shortened(job)
    begun = time.monotonic()
    few = max(min(FEW, int(OPERATIONS / (short.steps * short.operations))), threads or cores())
    small = _parts(job, place, few)[0]
    _compute(short, small, threads)
    compiling = time.monotonic() - begun
    base = _compute(short, small, threads)
    room, seconds, total = small.points, base, _points(job)
    while seconds < ENOUGH and room < min(size, total):
        room = min(4 * room, size, total)
        seconds = _compute(short, _parts(job, place, room)[0], threads)
    parts = _parts(job, place, room)
    chosen = [parts[at] for at in sorted({0, len(parts) // 2, len(parts) - 1})] if seconds < LONG else parts[:1]
    mean = sum(_compute(short, part, threads) for part in chosen) / len(chosen)
    points = sum(part.points for part in chosen) / len(chosen)
    each = (mean - base) / (points - small.points) if points > small.points and mean > base else mean / points
    once = max(0.0, base - small.points * each)
    return (total * each + math.ceil(total / size) * once) * factor, max(0.0, compiling - base)


def _shortened(job: Job) -> tuple[Job, float]:
    """Return a job whose points take at most a second or so, and by how much it is shorter: fewer steps of `[run]`."""
    run, most = job.study.run, OPERATIONS / 4 / job.operations
    if job.steps <= most:
        return job, 1.0
    share = most / job.steps
    less = {"steps": max(LEAST, int(run.steps * share)), "transient": int(run.transient * share)}
    study = job.study.model_copy(update={"run": run.model_copy(update=less)})
    try:
        short = replace(job, study=study, work=measurements(study, job.cell))
    except InputError:  # something that is kept needs all the steps
        return job, 1.0
    return short, job.steps / short.steps


def _points(job: Job) -> int:
    """Return the number of grid points of one cell."""
    return job.study.points // (1 if job.study.one_cell is None else job.study.shape[0])


def _parts(job: Job, place: int, room: float) -> list[Chunk]:
    """Return blocks of about `room` points that cover the grid of a job, of the cell at `place` of the first axis."""
    shape = job.study.shape
    if job.study.one_cell is None:
        return list(chunks(shape, fit(shape, room)))
    return [part for part in chunks(shape, (1, *fit(shape[1:], room))) if part.corner[0] == place]


def _compute(job: Job, part: Chunk, threads: int | None) -> float:
    begun, block = time.monotonic(), job.block(part, threads)
    for measurement in job.work:
        measurement(block)
    return time.monotonic() - begun


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
