"""`[measure.critical_step]`: the time step at which the simulation loses a fixed point that the flow has."""

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from rnndyn.errors import InputError
from rnndyn.sweep.inputs import Constant
from rnndyn.sweep.measures.measurement import (
    Arrays,
    Block,
    Measurement,
    Variable,
    axes_of_the_step,
    cut,
    status,
)
from rnndyn.sweep.part import Part, Whole

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["CriticalStepMeasure", "Loss"]


class CriticalStepMeasure(Part):
    """`[measure.critical_step]`: yields `critical_step`, `critical_step_formula`, `critical_step_difference`,
    `critical_angle` and `critical_status`.

    The cell must be a step of a vector field, or have one taken by `step`. It settles with the smallest dt of the
    study, Newton's method finds the fixed point, and bisection the dt at which an eigenvalue of the step's own Jacobian
    reaches modulus 1 there; the formula has it from the eigenvalues of the field's Jacobian alone. These variables lack
    the axis of dt.
    """

    settle: Whole = Field(default=1000, description="steps of the smallest dt from `initial_state` to the fixed point")


class Loss(Measurement):
    """The critical step, measured and by the formula."""

    name = "critical_step"

    def __init__(self, study: "Study", cell: Any) -> None:
        from rnndyn.cells.steps import Stepped

        table = study.measure.critical_step
        assert table is not None
        if not isinstance(cell, Stepped):
            raise InputError(f"[measure.critical_step]: {cell.name} is no step of a vector field; give [cell] a step")
        if study.inputs is not None and not isinstance(study.inputs, Constant):
            raise InputError('[measure.critical_step]: give [inputs] kind = "constant": fixed points have no other')
        self.table, self.at = table, axes_of_the_step(study, cell, method=False)
        self.length = table.settle
        self.steps = float(table.settle + 5e4) / np.prod([len(study.axes[name].values) for name in self.at])
        self.bytes = 8.0 * 8 * cell.state_size**2
        how = (
            f"{table.settle} steps from {study.run.start_words()}, Newton's method for the fixed point, bisection on "
            "the eigenvalues of the step's Jacobian there"
        )
        formula = "from the eigenvalues of the field's Jacobian at the same fixed point"
        told = {
            "critical_step": ("largest stable step", "time", how),
            "critical_step_formula": ("largest stable step by the formula", "time", formula),
            "critical_step_difference": ("relative difference from the formula", "1", f"{how}; {formula}"),
            "critical_angle": ("angle at which the multiplier leaves the circle", "rad", f"{how}; π: period doubling"),
        }
        self.variables = [
            Variable(name, "float64", {"long_name": words, "units": units, "how": made}, {}, self.at)
            for name, (words, units, made) in told.items()
        ]
        self.variables.append(Variable("critical_status", "int8", status("", "critical step").attrs, {}, self.at))

    def __call__(self, block: Block) -> Arrays:
        """Return the critical steps; nothing if the block does not hold the smallest dt."""
        from rnndyn import dynamics

        places = block.holds(self.at)
        if places is None:
            return {}
        state = block.start()
        found = dynamics.critical_step(
            block.cell,
            {name: cut(array, places) for name, array in block.weights.items()},
            settle=self.table.settle,
            inputs=cut(block.inputs(0, 1), places),
            state=np.zeros(block.cell.state_size) if state is None else cut(state, places),
            device=block.study.run.device,
            threads=block.threads,
            progress=block.progress,
        )
        shape = tuple(1 if number in places else size for number, size in enumerate(block.shape))
        with np.errstate(invalid="ignore"):
            off = np.abs(found.dt - found.formula) / found.formula
        arrays = {
            "critical_step": found.dt,
            "critical_step_formula": found.formula,
            "critical_step_difference": np.where((found.dt == np.inf) & (found.formula == np.inf), 0.0, off),
            "critical_angle": np.abs(np.angle(found.multiplier)),
            "critical_status": found.status,
        }
        return {name: np.broadcast_to(values, shape).squeeze(tuple(places)) for name, values in arrays.items()}
