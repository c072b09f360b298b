"""`[measure.trajectory]`: states along the orbit, of all or some points."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, FiniteFloat

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.grid import nearest_place
from rnndyn.sweep.measures.measurement import Arrays, Block, Measurement, Variable, cut, input_bytes, status
from rnndyn.sweep.part import Listed, Part, Whole, in_words

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["Orbit", "TrajectoryMeasure", "component_names"]

LAST = 100
BOUND = 1e12  # a state beyond this has diverged, as in `lyapunov`


class TrajectoryMeasure(Part):
    """`[measure.trajectory]`: yields `trajectory`, the states of the last steps over `step` and `component`.

    The orbit is that of the exponents: `transient + steps` of `[run]`, from `initial_state`.
    """

    at: dict[str, int | FiniteFloat | str] = Field(
        default={}, description="axes that are kept at one value (the nearest of the grid), to store less; none"
    )
    steps: Whole | None = Field(default=None, description="steps that are run; `transient + steps` of `[run]`")
    last: Whole | None = Field(
        default=None, description="how many of the last states are kept; 100, or all of a shorter run"
    )
    fields: Annotated[tuple[str, ...], Listed] | None = Field(default=None, description="state fields kept; all")
    units: Annotated[tuple[Whole, ...], Listed] | None = Field(
        default=None, description="units kept, counted from 1; all"
    )


def component_names(cell: Any) -> list[str]:
    """Return the names of the state's components, in order: h1, h2, ..., c1, c2, ..."""
    size = cell.state_size // len(cell.fields)
    return [f"{field}{unit}" for field in cell.fields for unit in range(1, size + 1)]


class Orbit(Measurement):
    """The states of the last steps of every point, or of those at the fixed values of some axes."""

    name = "trajectory"

    def __init__(self, study: "Study", cell: Any) -> None:
        table, run = study.measure.trajectory, study.run
        assert table is not None
        self.length = table.steps or run.transient + run.steps
        self.last = min(LAST, self.length) if table.last is None else table.last
        if self.last > self.length + 1:
            raise InputError(
                f"[measure.trajectory] last = {self.last}: {self.length} steps have {self.length + 1} states"
            )
        self.components = _components(table, cell)
        self.at = {name: _place(study, name, value) for name, value in table.at.items()}
        self.fixed = {name: study.axes[name].values[place] for name, place in self.at.items()}
        self.steps = self.length * math.prod(1 / len(study.axes[name].values) for name in self.at)
        self.bytes = 8.0 * 3 * self.last * cell.state_size / self._spared(study) + input_bytes(study, cell, self.length)
        how = f"the last {self.last} of {self.length} steps, from {run.start_words()}"
        if self.fixed:
            how += f", at {', '.join(f'{name} = {in_words(value)}' for name, value in self.fixed.items())}"
        names = component_names(cell)
        attrs = {
            "long_name": "state",
            "units": "1",
            "how": how,
            "component_names": " ".join(names[number] for number in self.components),
        }
        dims = {
            "step": np.arange(self.length - self.last + 1, self.length + 1),
            "component": np.array(self.components) + 1,
        }
        self.variables = [
            Variable("trajectory", "float64", attrs, dims, self.at),
            Variable("trajectory_status", "int8", status("", "trajectory").attrs, {}, self.at),
        ]

    def _spared(self, study: "Study") -> int:
        """Return how many points of a chunk there are at least for each that is kept: chunks hold whole last axes."""
        spared = 1
        for name in reversed(study.axes):
            if name not in self.at:
                break
            spared *= len(study.axes[name].values)
        return spared

    def __call__(self, block: Block) -> Arrays:
        """Return the states and the status; nothing if no point of the block is kept."""
        from rnndyn import dynamics

        places = block.holds(self.at)
        if places is None:
            return {}
        options = block.options()
        state, before = block.start(), self.length - self.last
        weights = {name: cut(array, places) for name, array in block.weights.items()}
        state = None if state is None else cut(state, places)
        if before > 0:
            drive = cut(block.inputs(0, before), places)
            options |= {"progress": False}
            state = dynamics.last_state(block.cell, weights, steps=before, inputs=drive, state=state, **options)
        drive = cut(block.inputs(max(before, 0), self.length), places)
        steps = self.length - max(before, 0)
        states = dynamics.trajectory(
            block.cell, weights, steps=steps, inputs=drive, state=state, **options | {"progress": block.progress}
        )
        shape = tuple(size for number, size in enumerate(block.shape) if number not in places)
        whole = tuple(1 if number in places else size for number, size in enumerate(block.shape))
        states = np.broadcast_to(states, (*whole, *states.shape[-2:])).reshape(*shape, *states.shape[-2:])
        fate = np.where(np.isfinite(states[..., -1, :]).all(-1) & (np.abs(states[..., -1, :]).max(-1) < BOUND), 0, 3)
        fate = np.where(np.isnan(states[..., 0, :]).any(-1) & (before <= 0), 4, fate).astype(np.int8)
        return {"trajectory": states[..., -self.last :, self.components], "trajectory_status": fate}


def _components(table: TrajectoryMeasure, cell: Any) -> list[int]:
    """Return the places in the state that are kept."""
    size, fields = cell.state_size // len(cell.fields), list(cell.fields)
    for name in table.fields or ():
        if name not in fields:
            raise InputError(
                f"[measure.trajectory] fields: {cell.name} has no field {name!r}; {suggestion(name, fields)}"
            )
    for unit in table.units or ():
        if unit > size:
            raise InputError(f"[measure.trajectory] units: there is no unit {unit}, only {size}")
    kept = table.fields or tuple(fields)
    return [
        number * size + unit
        for number, field in enumerate(fields)
        if field in kept
        for unit in range(size)
        if table.units is None or unit + 1 in table.units
    ]


def _place(study: "Study", name: str, value: float | str) -> int:
    """Return the place on an axis that is nearest to a value."""
    where = f"[measure.trajectory] at.{name}"
    if name not in study.axes:
        raise InputError(f"{where} = {value!r}: no axis {name!r}; {suggestion(name, study.axes)}")
    return nearest_place(where, study.axes[name].values, value)
