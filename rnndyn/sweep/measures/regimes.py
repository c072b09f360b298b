"""`[measure.regimes]`: the regime of each point, with evidence and the share of starts that agree."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from rnndyn.errors import InputError
from rnndyn.sweep.inputs import Constant, Nothing
from rnndyn.sweep.measures.measurement import STATUS_FILL, Arrays, Block, Measurement, Variable, status
from rnndyn.sweep.part import Part, Whole

if TYPE_CHECKING:
    import enum

    from rnndyn.sweep.study import Study

__all__ = ["RegimesMeasure", "Verdicts"]

LEAST = 100  # steps of a run that an exponent is told from
TRANSIENT = 1000  # steps before the search, if a study has none


class RegimesMeasure(Part):
    """`[measure.regimes]`: yields `regime` (fixed point, cycle, quasi-periodic, chaotic, growing, neutral, undecided).

    With it `regime_confidence` (the share of starts and seeds that agree with the label), `regime_period`,
    `regime_attractors` (how many different ones the starts reach), `regime_exponent` (the largest one, with its error),
    `regime_multiplier`, `regime_test` (what decided) and `regime_status`. Starts are random ones of its own; inputs
    must be constant. A map of `regime` tells the area of each region with its uncertainty.
    """

    starts: Whole = Field(default=8, description="how many starts for each seed")
    seeds: Whole = Field(default=1, description="how many seeds, from that of `[run]` upwards")
    max_period: Whole = Field(
        default=8, description="the longest cycle solved for; longer ones, up to 1000, are named once an orbit closes"
    )
    transient: Whole | None = Field(
        default=None, description="steps before cycles are looked for; `transient` of `[run]`, or 1000 if there is none"
    )
    steps: Annotated[int, Field(ge=LEAST)] | None = Field(
        default=None,
        description="steps of the exponents of what is no cycle; who is undecided then goes on for 4 and 16 times as "
        "many; `steps` of `[run]`, at least 100",
    )


class Verdicts(Measurement):
    """The regime of every point."""

    name = "regimes"

    def __init__(self, study: "Study", cell: Any) -> None:
        options, run = study.measure.regimes, study.run
        assert options is not None
        if not isinstance(study.inputs, Constant | Nothing | None):
            raise InputError(
                f"[measure.regimes] inputs of kind = {study.inputs.kind!r}: a map that is driven in time has no "  # type: ignore[attr-defined]
                "regimes; make them constant, or remove this measure"
            )
        self.table = options
        self.transient = options.transient or run.transient or TRANSIENT
        self.run_steps = options.steps or max(run.steps, LEAST)
        self.length = self.transient + self.run_steps
        number = options.starts * options.seeds
        self.steps = float(number * self.length)
        self.bytes = 8.0 * number * cell.state_size * (2 * options.max_period + 60 + 4 * cell.state_size)
        self.variables = self._variables(number)

    def _variables(self, number: int) -> list[Variable]:
        from rnndyn.dynamics import DecidedBy, Regime

        how = (
            f"{number} starts, {self.transient} steps each; multipliers at Newton's solution for cycles of period up "
            f"to {self.table.max_period}, else the largest Lyapunov exponent beyond four standard errors, smooth "
            f"averages and returns over {self.run_steps} steps, 4 and 16 times as many where that did not decide"
        )

        def made(name: str, kind: str, long_name: str, units: str = "1", **more: Any) -> Variable:
            return Variable(name, kind, {"long_name": long_name, "units": units, "how": how, **more})

        return [
            made("regime", "int8", "regime", **_flags(Regime)),
            made("regime_confidence", "float64", "share of starts that agree with the regime"),
            made("regime_period", "int32", "period of the regime", "step"),
            made("regime_attractors", "int32", "number of attractors reached"),
            made("regime_exponent", "float64", "largest Lyapunov exponent of the regime", "nat/step"),
            made("regime_exponent_stderr", "float64", "standard error of the regime's exponent", "nat/step"),
            made("regime_multiplier", "float64", "largest modulus of the multipliers"),
            made("regime_test", "int8", "what decided the regime", **_flags(DecidedBy)),
            status("regime_status", "regimes"),
        ]

    def __call__(self, block: Block) -> Arrays:
        """Return the labels and their evidence."""
        from rnndyn import dynamics

        seed = block.study.run.seed
        found = dynamics.regimes(
            block.cell,
            block.weights,
            starts=self.table.starts,
            seed=[seed + more for more in range(self.table.seeds)],
            steps=self.run_steps,
            transient=self.transient,
            max_period=self.table.max_period,
            inputs=block.inputs(0, 1),
            first_index=block.first,
            device=block.study.run.device,
            threads=block.threads,
            progress=block.progress,
        )
        return {
            "regime": found.regime,
            "regime_confidence": found.confidence,
            "regime_period": found.period,
            "regime_attractors": found.attractors,
            "regime_exponent": found.exponent,
            "regime_exponent_stderr": found.stderr,
            "regime_multiplier": found.multiplier,
            "regime_test": found.test,
            "regime_status": found.status,
        }


def _flags(kinds: "type[enum.IntEnum]") -> dict[str, Any]:
    """Return the attributes that name the values of a variable."""
    names = {"NOT_COMPUTED": STATUS_FILL} | {kind.name: kind.value for kind in kinds}
    return {"flag_values": list(names.values()), "flag_meanings": " ".join(names)}
