"""`[measure.lyapunov]`: Lyapunov exponents, largest first, with their standard errors."""

from typing import TYPE_CHECKING, Any

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

    Over `steps` steps after `transient` of `[run]`, from `initial_state`.
    """

    k: Whole | None = Field(default=None, description="how many exponents, from the largest; all")
    qr_every: Whole | None = Field(
        default=None, description="steps between re-orthonormalisations; as the conditioning asks"
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
        self.table, self.run, self.k = options, run, options.k or cell.state_size
        self.length = run.steps + run.transient
        self.steps = float(self.length * (1 + self.k))
        self.bytes = 8.0 * (3 * self.k + 10) * cell.state_size + input_bytes(study, cell, self.length)
        which = {"exponent": np.arange(1, self.k + 1)}
        often = f"every {options.qr_every} steps" if (options.qr_every or 2) > 1 else "every step"
        how = (
            f"{run.steps} steps after {run.transient}, from {run.start_words()}; frame re-orthonormalised "
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

    def __call__(self, block: Block) -> Arrays:
        """Return exponents, their errors, status and steps."""
        from rnndyn import dynamics

        found = dynamics.lyapunov(
            block.cell,
            block.weights,
            steps=self.run.steps,
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
