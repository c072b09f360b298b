"""`[measure.gradient]`: how much of the gradient of a loss on the last state arrives how many steps earlier."""

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.measures.measurement import Arrays, Block, Measurement, Variable, input_bytes, status
from rnndyn.sweep.part import Listed, Natural, Part, Whole

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["GradientMeasure", "Reach"]

SLOPE = 64  # steps of a profile from which a slope with an error can be told


class GradientMeasure(Part):
    """`[measure.gradient]`: yields `log_norms` (ln ||dL/ds||, over `lag`) and `gradient_status`.

    The loss has a gradient of norm 1 at the last state, the same in every component that it reads. The networks start
    from `initial_state` of `[run]`.
    """

    horizon: Whole = Field(description="steps from the loss back to where the gradient is measured")
    transient: Natural = Field(default=0, description="steps that are run before, to start on the attractor")
    lags: Literal["all"] | Annotated[tuple[Natural, ...], Listed] | None = Field(
        default=None, description='the lags kept, up to the horizon: a list, or "all" for a profile; the horizon alone'
    )
    loss: Literal["all"] | str = Field(default="all", description='the state field the loss reads, or "all"')
    slope: bool = Field(
        default=False, description="yield the profile's slope (nat/step), `gradient_slope`, with its error as well"
    )


class Reach(Measurement):
    """The gradient norms of every point."""

    name = "gradient"

    def __init__(self, study: "Study", cell: Any) -> None:
        options = study.measure.gradient
        assert options is not None
        self.table, self.horizon, self.transient = options, options.horizon, options.transient
        self.lags = self._lags()
        self.cotangent = self._cotangent(cell)
        self.length = self.transient + self.horizon
        weights = sum(math.prod(shape) for shape in cell.shapes.values())
        self.steps = float(self.transient + 4 * self.horizon)
        per_step = 12 * cell.state_size + cell.inputs
        self.bytes = 8.0 * (per_step * (self.horizon + 1) + 3 * weights) + input_bytes(study, cell, self.transient)
        read = "every component" if options.loss == "all" else f"every component of {options.loss}"
        begin = f"{self.transient} steps after " if self.transient else ""
        how = (
            f"back-propagation through {self.horizon} steps from {begin}{study.run.start_words()}; the loss has a "
            f"gradient of norm 1 at the last state, the same in {read}"
        )
        attrs = {"long_name": "log of the gradient norm ln ||dL/ds||", "units": "nat", "how": how}
        self.variables = [
            Variable("log_norms", "float64", attrs, {"lag": self.lags}),
            status("gradient_status", "gradient"),
        ]
        if options.slope:
            if self.horizon < SLOPE:
                raise InputError(f"[measure.gradient] slope needs a horizon of at least {SLOPE}, not {self.horizon}")
            words = {"units": "nat/step", "how": f"{how}; mean growth per step, the first quarter of the lags left out"}
            self.variables += [
                Variable("gradient_slope", "float64", {"long_name": "slope of the log gradient norm", **words}),
                Variable("gradient_slope_stderr", "float64", {"long_name": "standard error of the slope", **words}),
            ]

    def _lags(self) -> NDArray[np.int64]:
        lags = self.table.lags
        if lags is None:
            return np.array([self.horizon])
        if lags == "all":
            return np.arange(self.horizon + 1)
        where = f"[measure.gradient] lags = {list(lags)}"
        if not lags or list(lags) != sorted(set(lags)):
            raise InputError(f"{where}: its values must rise from each to the next")
        if lags[-1] > self.horizon:
            raise InputError(f"{where}: {lags[-1]} is beyond the horizon of {self.horizon}")
        return np.array(lags)

    def _cotangent(self, cell: Any) -> NDArray[np.float64]:
        """Return dL/ds at the last state, of norm 1."""
        fields, loss = list(cell.fields), self.table.loss
        if loss != "all" and loss not in fields:
            raise InputError(
                f"[measure.gradient] loss = {loss!r}: no field of the state; {suggestion(loss, ['all', *fields])}"
            )
        read = np.ones((len(fields), cell.state_size // len(fields)))
        if loss != "all":
            read *= (np.array(fields) == loss)[:, None]
        return read.reshape(-1) / math.sqrt(read.sum())

    def __call__(self, block: Block) -> Arrays:
        """Return the log norms, the status, and the slope if it is asked for."""
        from rnndyn import dynamics

        state = block.start()
        if self.transient:
            inputs = block.inputs(0, self.transient)
            options = block.options() | {"progress": False}
            state = dynamics.last_state(
                block.cell, block.weights, steps=self.transient, inputs=inputs, state=state, **options
            )
        found = dynamics.gradients(
            block.cell,
            block.weights,
            cotangent_last=self.cotangent,
            steps=self.horizon,
            inputs=block.inputs(self.transient, self.length),
            state=state,
            **block.options(),
        )
        backwards = np.broadcast_to(found.log_norms, (*block.shape, self.horizon + 1))[..., ::-1]
        arrays = {
            "log_norms": backwards[..., self.lags],
            "gradient_status": np.broadcast_to(found.status, block.shape),
        }
        if self.table.slope:
            mean, error = dynamics.slope(backwards)
            arrays |= {"gradient_slope": mean, "gradient_slope_stderr": error}
        return arrays
