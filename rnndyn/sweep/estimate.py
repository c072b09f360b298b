"""What a study takes before it runs: points, steps, memory, disk and, from timing a few points, seconds."""

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.sweep.grid import Chunk, chunks, fit
from rnndyn.sweep.measures import Block, measurements
from rnndyn.sweep.run import chunk_size, cores

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["Estimate", "estimate"]

FEW = 32  # points in the first block timed
ENOUGH = 0.5  # seconds that a block should take, for its time to mean something


@dataclass(frozen=True)
class Estimate:
    """`steps` of single networks in all; `memory`, `disk` in bytes, at most; `seconds`, `compiling` None if untimed."""

    shape: tuple[int, ...]
    chunks: int
    steps: float
    memory: float
    disk: float
    threads: int
    seconds: float | None
    compiling: float | None

    def lines(self) -> list[tuple[str, str]]:
        """Return (what, in words)."""
        size = " x ".join(map(str, self.shape))
        found = [
            ("points", f"{_count(math.prod(self.shape))} ({size}) in {self.chunks} chunk" + "s" * (self.chunks > 1)),
            ("steps", f"{self.steps:.3g} of single networks"),
            ("memory", f"about {_bytes(self.memory)} beside the program's own"),
            ("disk", f"at most {_bytes(self.disk)} before compression"),
        ]
        if self.seconds is not None and self.compiling is not None:
            wait = f", and {self.compiling:.0f} s of compiling once" if self.compiling >= 1 else ""
            found.append(("time", f"about {_duration(self.seconds)} on {self.threads} threads{wait}, and the page"))
        return found


def estimate(study: "Study", threads: int | None = None, timing: bool = True) -> Estimate:
    """Return what a sweep of `study` takes; `timing` runs some points at three places of the grid for a while."""
    cell = study.make_cell()
    work = measurements(study, cell)
    names, size = tuple(study.axes), chunk_size(study, cell, work)
    largest = max(measurement.bytes for measurement in work) + 8.0 * sum(map(math.prod, cell.shapes.values()))
    disk = 0.0
    for measurement in work:
        for variable in measurement.variables:
            points = math.prod(len(study.axes[name].values) for name in variable.axes(names))
            disk += np.dtype(variable.dtype).itemsize * points * math.prod(map(len, variable.dims.values()))
    seconds, compiling = _timed(study, cell, work, threads, math.prod(size)) if timing else (None, None)
    return Estimate(
        study.shape,
        sum(1 for _ in chunks(study.shape, size)),
        sum(measurement.steps for measurement in work) * study.points,
        math.prod(size) * (largest + 2 * disk / study.points),
        disk,
        threads or cores(),
        seconds,
        compiling,
    )


def _timed(study: "Study", cell: Any, work: list[Any], threads: int | None, size: int) -> tuple[float, float]:
    """Return (seconds of the sweep in chunks of `size` points, seconds of compiling).

    A call takes so long by itself and so long for each point: two sizes of blocks tell the two apart.
    """
    begun = time.monotonic()
    small = _parts(study, FEW)[0]
    _compute(study, cell, work, small, threads)
    compiling = time.monotonic() - begun
    base = _compute(study, cell, work, small, threads)
    room, seconds = small.points, base
    while seconds < ENOUGH and room < min(size, study.points):
        room = min(4 * room, size, study.points)
        seconds = _compute(study, cell, work, _parts(study, room)[0], threads)
    parts = _parts(study, room)
    chosen = [parts[place] for place in sorted({0, len(parts) // 2, len(parts) - 1})]
    mean = sum(_compute(study, cell, work, part, threads) for part in chosen) / len(chosen)
    points = sum(part.points for part in chosen) / len(chosen)
    each = (mean - base) / (points - small.points) if points > small.points and mean > base else mean / points
    once = max(0.0, base - small.points * each)
    return study.points * each + math.ceil(study.points / size) * once, max(0.0, compiling - base)


def _parts(study: "Study", room: int) -> list[Chunk]:
    return list(chunks(study.shape, fit(study.shape, room)))


def _compute(study: "Study", cell: Any, work: list[Any], part: Any, threads: int | None) -> float:
    axes = {name: axis.values[piece] for (name, axis), piece in zip(study.axes.items(), part.slices, strict=True)}
    begun = time.monotonic()
    for measurement in work:
        measurement(Block(study, cell, axes, part.first, threads))
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
