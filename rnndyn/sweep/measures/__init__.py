"""What a study can measure, one file each: its table, the variables it yields, what it costs, the call."""

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field
from pydantic import model_validator as validator

from rnndyn.sweep.measures.attractors import AttractorsMeasure, Basins
from rnndyn.sweep.measures.critical_step import CriticalStepMeasure, Loss
from rnndyn.sweep.measures.flow import FlowMeasure, Reference
from rnndyn.sweep.measures.gradient import GradientMeasure, Reach
from rnndyn.sweep.measures.lyapunov import LyapunovMeasure, Spectrum
from rnndyn.sweep.measures.measurement import Arrays, Block, Measurement, Variable
from rnndyn.sweep.measures.regimes import RegimesMeasure, Verdicts
from rnndyn.sweep.measures.trajectory import Orbit, TrajectoryMeasure
from rnndyn.sweep.part import Part

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["KINDS", "Arrays", "Block", "Measure", "Measurement", "Variable", "measurements"]

KINDS: dict[str, type[Measurement]] = {
    "lyapunov": Spectrum,
    "gradient": Reach,
    "trajectory": Orbit,
    "attractors": Basins,
    "regimes": Verdicts,
    "flow": Reference,
    "critical_step": Loss,
}


class Measure(Part):
    """`[measure.*]`: at least one quantity."""

    lyapunov: LyapunovMeasure | None = Field(default=None, description="Lyapunov exponents with their errors")
    gradient: GradientMeasure | None = Field(default=None, description="how far back a gradient reaches")
    trajectory: TrajectoryMeasure | None = Field(default=None, description="states along the orbit")
    attractors: AttractorsMeasure | None = Field(default=None, description="how many attractors, of which period")
    regimes: RegimesMeasure | None = Field(default=None, description="the regime of each point, with evidence")
    flow: FlowMeasure | None = Field(default=None, description="the flow beside the step, and what the step is off by")
    critical_step: CriticalStepMeasure | None = Field(default=None, description="the dt at which stability is lost")

    @validator(mode="after")
    def _measures_something(self) -> Self:
        if all(getattr(self, name) is None for name in KINDS):
            known = [f"[measure.{name}]" for name in KINDS]
            raise ValueError(f"nothing is measured: add {', '.join(known[:-1])} or {known[-1]}")
        return self


def measurements(study: "Study", cell: Any) -> list[Measurement]:
    """Return the measurements that a study asks for, in the order they run; raises InputError if one does not fit."""
    return [kind(study, cell) for name, kind in KINDS.items() if getattr(study.measure, name) is not None]
