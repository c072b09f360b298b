"""`[measure.attractors]`: how many attractors the starts reach, and the shortest period among them."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from rnndyn.sweep.measures.measurement import Arrays, Block, Measurement, Variable, status
from rnndyn.sweep.part import Part, Whole

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["AttractorsMeasure", "Basins"]


class AttractorsMeasure(Part):
    """`[measure.attractors]`: yields `attractors`, `period` and `attractors_status`, from random starts of its own."""

    starts: Whole = Field(default=8, description="how many starts")
    max_period: Whole = Field(default=8, description="the longest cycle looked for")
    steps: Whole | None = Field(default=None, description="steps of each start; `steps` of `[run]`")


class Basins(Measurement):
    """How many attractors the starts reach, and the shortest period among them."""

    name = "attractors"

    def __init__(self, study: "Study", cell: Any) -> None:
        options = study.measure.attractors
        assert options is not None
        self.table = options
        self.length = options.steps or study.run.steps
        self.steps = float(options.starts * self.length)
        self.bytes = 8.0 * options.starts * cell.state_size * (options.max_period + 10)
        how = (
            f"{options.starts} starts, {self.length} steps each; then Newton's method for cycles of period up to "
            f"{options.max_period}, told apart and called stable by the multipliers at the cycle found; 0: undecided"
        )
        self.variables = [
            Variable("attractors", "int32", {"long_name": "number of attractors reached", "units": "1", "how": how}),
            Variable("period", "int32", {"long_name": "shortest period of an attractor", "units": "step", "how": how}),
            status("attractors_status", "attractors"),
        ]

    def __call__(self, block: Block) -> Arrays:
        """Return the number of attractors, the shortest period and the status."""
        from rnndyn import dynamics

        found = dynamics.attractors(
            block.cell,
            block.weights,
            starts=self.table.starts,
            steps=self.length,
            max_period=self.table.max_period,
            seed=block.study.run.seed,
            first_index=block.first,
            threads=block.threads,
            progress=block.progress,
        )
        return {"attractors": found.count, "period": found.period, "attractors_status": found.status}
