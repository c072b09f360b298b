"""The grid by cells: points of one cell (one size, one step) are a job, with measurements of its own."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.errors import InputError
from rnndyn.sweep.grid import Chunk, chunk_shape
from rnndyn.sweep.measures import Block, Measurement, Variable, measurements

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["Job", "chunk_size", "job_at", "job_of", "jobs", "variables"]

STEP = 8  # multiply-adds that a step takes beside its products


@dataclass(frozen=True)
class Job:
    """The grid points of one cell. `study` has that cell; `work` are its measurements, `share` tells how much a step
    takes beside one of the largest networks of the study."""

    study: "Study"
    cell: Any
    work: list[Measurement]
    share: float = 1.0

    @property
    def weights(self) -> int:
        """Numbers that the weights of a network hold."""
        return sum(math.prod(shape) for shape in self.cell.shapes.values())

    @property
    def operations(self) -> int:
        """Multiply-adds of a step, about: a step of several stages uses the same weights several times."""
        stages, gates = self.cell.stages, len(self.cell.gates)
        uses = sum(len(stage.gates) for stage in stages) / gates if gates else len(stages)
        return int(uses * (STEP + self.weights))

    @property
    def steps(self) -> float:
        """What a point costs, in steps of a network of this cell."""
        return sum(measurement.steps for measurement in self.work)

    @property
    def cost(self) -> float:
        """What a point costs, in steps of the largest networks."""
        return self.steps * self.share

    @property
    def bytes(self) -> float:
        """Working memory of a point, its weights too."""
        return max(measurement.bytes for measurement in self.work) + 8.0 * self.weights

    def block(self, chunk: Chunk, threads: int | None) -> Block:
        """Return the block of the grid that a chunk is."""
        places = zip(self.study.axes.items(), chunk.slices, strict=True)
        axes = {name: axis.values[part] for (name, axis), part in places}
        return Block(self.study, self.cell, axes, chunk.first, threads)


def jobs(study: "Study") -> list[Job]:
    """Return the jobs of a study, one for each value of the axis that chooses the cell, or the one that most have."""
    places = range(1 if study.cell_axis is None else study.shape[0])
    found = [job_at(study, (place,)) for place in places]
    most = max(job.operations for job in found)
    return [replace(job, share=job.operations / most) for job in found]


def job_at(study: "Study", place: tuple[int, ...]) -> Job:
    """Return the job that a place of the grid belongs to."""
    one = study.of_cell(place[0])
    cell = one.make_cell()
    return Job(one, cell, measurements(one, cell))


def job_of(all_jobs: list[Job], chunk: Chunk) -> Job:
    """Return the job that a chunk belongs to: cells are the first axis, and no chunk mixes them."""
    return all_jobs[chunk.corner[0]] if len(all_jobs) > 1 else all_jobs[0]


def chunk_size(study: "Study", all_jobs: list[Job]) -> tuple[int, ...]:
    """Return the size of a chunk along each axis: one cell, as many points as fit of the largest."""
    memory = max(job.bytes for job in all_jobs)
    operations = max(job.steps * job.weights for job in all_jobs)
    first = 0 if study.cell_axis is None else 1
    return (*(1,) * first, *chunk_shape(study.shape[first:], memory, operations))


def variables(study: "Study", all_jobs: list[Job]) -> list[Variable]:
    """Return what comes out of the jobs; raises InputError for a variable that is longer for some cells than others.

    One that is measured at one cell only is that cell's.
    """
    name = study.cell_axis
    found = []
    for several in zip(*([v for m in job.work for v in m.variables] for job in all_jobs), strict=True):
        first = several[0]
        if name is not None and name in first.at:
            found.append(several[first.at[name]])
            continue
        for dimension in first.dims:
            lengths = [len(variable.dims[dimension]) for variable in several]
            if len(set(lengths)) > 1 or any(np.any(v.dims[dimension] != first.dims[dimension]) for v in several):
                raise InputError(_differ(first.name, dimension, lengths, str(name)))
        found.append(first)
    return found


def _differ(variable: str, dimension: str, lengths: list[int], axis: str) -> str:
    """Say what to do about a variable whose length depends on the cell."""
    advice = {
        "exponent": "give [measure.lyapunov] keep (or k), a number that all of them have",
        "component": "give [measure.trajectory] units and fields that all of them have, or one value in at",
    }
    several = ", ".join(map(str, dict.fromkeys(lengths)))
    return f"{variable} has {several} {dimension}s over the axis {axis}: {advice[dimension]}"
