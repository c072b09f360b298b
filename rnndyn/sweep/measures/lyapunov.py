"""`[measure.lyapunov]`: Lyapunov exponents, largest first, with their standard errors, and what follows from them."""

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.measures.derived import DERIVED
from rnndyn.sweep.measures.measurement import Arrays, Block, Measurement, Variable, input_bytes, status
from rnndyn.sweep.part import Listed, Part, Whole

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["LyapunovMeasure", "Spectrum"]


class LyapunovMeasure(Part):
    """`[measure.lyapunov]`: yields `exponents`, `exponents_stderr`, `status`, `steps`, and what `derive` names.

    Over `steps` steps after `transient` of `[run]`, from `initial_state`; with a `tolerance`, over as many as a point
    needs, which the variable `steps` tells.
    """

    k: Whole | None = Field(default=None, description="how many exponents are computed, from the largest; all")
    whole_up_to: Whole | None = Field(
        default=None,
        description="computes all exponents of networks of at most so many units, whatever `k`; what is derived from "
        "more than one exponent is then of these networks only; none",
    )
    keep: Whole | None = Field(default=None, description="how many of them are kept in the result; all computed")
    derive: Annotated[tuple[str, ...], Listed] = Field(
        default=(),
        description=f"variables made of the exponents, with errors: {', '.join(f'`{name}`' for name in DERIVED)}; none",
    )
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
        if options.limit is not None and options.tolerance is None:
            raise InputError(
                f"[measure.lyapunov] limit = {options.limit}: it is the most steps of a run to a tolerance; add "
                "tolerance, or give the length as [run] steps"
            )
        self.table, self.run, self.study, self.cell = options, run, study, cell
        self.k, self.keep = self._counts()
        self.most = options.limit or run.steps
        self.length = self.most + run.transient
        self.steps = float(self.length * (1 + self.k))
        self.bytes = 8.0 * (3 * self.k + 10) * cell.state_size + input_bytes(study, cell, self.length)
        which = {"exponent": np.arange(1, self.keep + 1)}
        often = f"every {options.qr_every} steps" if (options.qr_every or 2) > 1 else "every step"
        duration = f"{run.steps} steps"
        if options.tolerance is not None:
            duration = f"steps until every standard error is at most {options.tolerance:g}, {self.most} at most,"
        self.how = (
            f"{duration} after {run.transient}, from {run.start_words()}; frame re-orthonormalised "
            f"{often if options.qr_every else 'as often as its conditioning asks'}"
        )
        unit = {"units": "nat/step", "how": self.how}
        error = {"long_name": "standard error of the Lyapunov exponent", **unit}
        self.variables = [
            Variable("exponents", "float64", {"long_name": "Lyapunov exponent", **unit}, which),
            Variable("exponents_stderr", "float64", error, which),
            status("status", "Lyapunov exponents"),
            Variable("steps", "int64", {"long_name": "steps that the exponents are means of", "units": "step"}),
        ]
        for name in options.derive:
            self.variables += self._derived(name)

    def _counts(self) -> tuple[int, int]:
        """Return (how many exponents are computed, how many are kept)."""
        table, size = self.table, self.cell.state_size
        if table.k is not None and table.k > size:
            words = f"{size} exponent" + "s" * (size > 1)
            raise InputError(f"[measure.lyapunov] k = {table.k}: this cell has {words}")
        if table.whole_up_to is not None and table.k is None:
            raise InputError("[measure.lyapunov] whole_up_to: without k all are computed; give k, or remove it")
        whole = table.whole_up_to is not None and self.cell.units <= table.whole_up_to
        k = size if whole or table.k is None else table.k
        keep = table.keep or table.k or size
        if keep > k:
            raise InputError(f"[measure.lyapunov] keep = {keep}: {k} are computed")
        return k, keep

    def _derived(self, name: str) -> list[Variable]:
        """Return the variable that follows from the exponents, and its error."""
        if name not in DERIVED:
            raise InputError(f"[measure.lyapunov] derive = {name!r}: unknown; {suggestion(name, DERIVED)}")
        made = DERIVED[name]
        if made.whole and self.table.k is not None and self.table.whole_up_to is None:
            raise InputError(f"[measure.lyapunov] derive = {name!r}: this takes all exponents; remove k")
        if made.time and "dt" not in self.cell.parameters:
            raise InputError(f"[measure.lyapunov] derive = {name!r}: {self.cell.name} has no step dt; remove it")
        attrs = {"units": made.units, "how": f"{made.how}; exponents over {self.how}"}
        return [
            Variable(name, "float64", {"long_name": made.long_name, **attrs}),
            Variable(f"{name}_stderr", "float64", {"long_name": f"standard error of the {made.long_name}", **attrs}),
        ]

    def _duration(self) -> dict[str, Any]:
        if self.table.tolerance is None:
            return {"steps": self.run.steps}
        return {"tolerance": self.table.tolerance, "limit": self.most}

    def __call__(self, block: Block) -> Arrays:
        """Return exponents, their errors, status and steps, and what follows from them."""
        from rnndyn import dynamics

        found = dynamics.lyapunov(
            block.cell,
            block.weights,
            **self._duration(),
            transient=self.run.transient,
            k=self.k,
            qr_every=self.table.qr_every,
            inputs=block.inputs(0, self.length),
            state=block.start(),
            seed=self.run.seed,
            first_index=block.first,
            **block.options(),
        )
        arrays = {
            "exponents": found.exponents[..., : self.keep],
            "exponents_stderr": found.stderr[..., : self.keep],
            "status": found.status,
            "steps": found.steps,
        }
        dt = block.weights.get("dt", self.cell.parameters.get("dt", 1.0))
        for name in self.table.derive:
            value, error = DERIVED[name].of(found.exponents, found.stderr, self.cell, dt)
            unknown = not DERIVED[name].first and self.table.whole_up_to is not None and self.k < self.cell.state_size
            arrays[name] = np.full_like(value, np.nan) if unknown else value
            arrays[f"{name}_stderr"] = np.full_like(error, np.nan) if unknown else error
        return arrays
