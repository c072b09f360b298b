"""The closed-form curves a figure can name: what each is called, where it applies, which label jumps across it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnndyn.dynamics import theory

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["CURVES", "Curve"]


@dataclass(frozen=True)
class Curve:
    """A curve `y = +-height(x)` over a map; the measured variable `jumps` changes its value across it."""

    height: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    tip: float
    label: str
    jumps: str
    domain: str
    applies: Callable[["Study", str | None, str | None], bool]


def _is_tanh_unit(study: "Study", x: str | None, y: str | None) -> bool:
    """Whether the study is of `h <- tanh(x h + y)`, with nothing else."""
    cell, weights = study.cell, dict(study.weights)
    biases = [name for name in ("bias_hh", "bias_ih") if name in weights]
    return (
        (cell.kind, cell.units) == ("Elman", 1)
        and (cell.model_extra or {}).get("activation", "tanh") == "tanh"
        and weights.get("weight_hh") in (x, [[x]])
        and len(biases) == 1
        and weights[biases[0]] in (y, [y])
    )


TANH_UNIT = "one tanh unit (Elman, units = 1) with weight_hh on the x axis and one bias on the y axis"

CURVES = {
    "tanh_fold": Curve(theory.fold_curve, 1.0, "saddle-node (closed form)", "attractors", TANH_UNIT, _is_tanh_unit),
    "tanh_flip": Curve(theory.flip_curve, -1.0, "period doubling (closed form)", "period", TANH_UNIT, _is_tanh_unit),
}
