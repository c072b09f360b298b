"""`[measure.lyapunov]`: Lyapunov exponents, largest first, with their standard errors."""

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from rnndyn.errors import InputError
from rnndyn.sweep.measures.measurement import Arrays, Block, Measurement, Variable, input_bytes, status
from rnndyn.sweep.part import Part, Whole

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["LyapunovMeasure", "Spectrum"]


class LyapunovMeasure(Part):
    """`[measure.lyapunov]`: yields `exponents`, `exponents_stderr`, `status` and `steps`.

    Over `steps` steps after `transient` of `[run]`, from `initial_state`; with a `tolerance`, over as many as a point
    needs, which the variable `steps` tells.
    """

    k: Whole | None = Field(default=None, description="how many exponents, from the largest; all")
    qr_every: Whole | None = Field(
        default=None, description="steps between re-orthonormalisations; as the conditioning asks"
    )
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="run each point until all its standard errors are at most this; a run of fixed length"
    )
    limit: Whole | None = Field(
        default=None,
        description="steps at most with a `tolerance`, after which a point is NOT_CONVERGED; `steps` of `[run]`",
    )


class Spectrum(Measurement):
    """The exponents of every point."""

    name = "lyapunov"

    def __init__(self, study: "Study", cell: Any) -> None:
        options, run = study.measure.lyapunov, study.run
        assert options is not None
        if options.k is not None and options.k > cell.state_size:
            size = f"{cell.state_size} exponent" + "s" * (cell.state_size > 1)
            raise InputError(f"[measure.lyapunov] k = {options.k}: this cell has {size}")
        if options.limit is not None and options.tolerance is None:
            raise InputError(
                f"[measure.lyapunov] limit = {options.limit}: it is the most steps of a run to a tolerance; add "
                "tolerance, or give the length as [run] steps"
            )
        self.table, self.run, self.k = options, run, options.k or cell.state_size
        self.most = options.limit or run.steps
        self.length = self.most + run.transient
        self.steps = float(self.length * (1 + self.k))
        self.bytes = 8.0 * (3 * self.k + 10) * cell.state_size + input_bytes(study, cell, self.length)
        which = {"exponent": np.arange(1, self.k + 1)}
        often = f"every {options.qr_every} steps" if (options.qr_every or 2) > 1 else "every step"
        duration = f"{run.steps} steps"
        if options.tolerance is not None:
            duration = f"steps until every standard error is at most {options.tolerance:g}, {self.most} at most,"
        how = (
            f"{duration} after {run.transient}, from {run.start_words()}; frame re-orthonormalised "
            f"{often if options.qr_every else 'as often as its conditioning asks'}"
        )
        unit = {"units": "nat/step", "how": how}
        error = {"long_name": "standard error of the Lyapunov exponent", **unit}
        self.variables = [
            Variable("exponents", "float64", {"long_name": "Lyapunov exponent", **unit}, which),
            Variable("exponents_stderr", "float64", error, which),
            status("status", "Lyapunov exponents"),
            Variable("steps", "int64", {"long_name": "steps that the exponents are means of", "units": "step"}),
        ]

    def _duration(self) -> dict[str, Any]:
        if self.table.tolerance is None:
            return {"steps": self.run.steps}
        return {"tolerance": self.table.tolerance, "limit": self.most}

    def __call__(self, block: Block) -> Arrays:
        """Return exponents, their errors, status and steps."""
        from rnndyn import dynamics

        found = dynamics.lyapunov(
            block.cell,
            block.weights,
            **self._duration(),
            transient=self.run.transient,
            k=self.table.k,
            qr_every=self.table.qr_every,
            inputs=block.inputs(0, self.length),
            state=block.start(),
            seed=self.run.seed,
            first_index=block.first,
            **block.options(),
        )
        return {
            "exponents": found.exponents,
            "exponents_stderr": found.stderr,
            "status": found.status,
            "steps": found.steps,
        }
