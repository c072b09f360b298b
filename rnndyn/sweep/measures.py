"""What a study can measure: the variables it yields, what it costs, and the call that computes a block of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["Measurement", "Variable", "measurements"]

Arrays = dict[str, NDArray[Any]]
STATUS_FILL = -1
STATUSES = {"NOT_COMPUTED": STATUS_FILL, "OK": 0, "NOT_CONVERGED": 1, "SINGULAR": 2, "DIVERGED": 3, "INVALID": 4}


@dataclass(frozen=True)
class Variable:
    """A result: its dimensions after the axes (name -> coordinate), its type and its labels."""

    name: str
    dtype: str
    attrs: Mapping[str, Any]
    dims: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def fill(self) -> float | int:
        """The value of a point not computed yet."""
        return math.nan if self.dtype.startswith("float") else STATUS_FILL


@dataclass(frozen=True)
class Block:
    """What a measurement gets: the weights of a block of the grid and its place in it."""

    weights: Arrays
    first: int
    threads: int | None
    progress: Callable[[float, float], None]


class Measurement(Protocol):
    """One `[measure.*]` table at work. `steps` is the cost of a point in network steps, `bytes` its working memory."""

    name: str
    variables: list[Variable]
    steps: float
    bytes: float

    def __call__(self, block: Block) -> Arrays:
        """Return an array for each variable, of the block's shape and the variable's own dimensions."""
        ...


def measurements(study: "Study", cell: Any) -> list[Measurement]:
    """Return the measurements that a study asks for, in the order they run."""
    kinds: dict[str, Callable[[Any, Any], Measurement]] = {
        "lyapunov": Spectrum,
        "gradient": Reach,
        "attractors": Basins,
    }
    return [kind(study, cell) for name, kind in kinds.items() if getattr(study.measure, name) is not None]


def _status(name: str, of: str) -> Variable:
    attrs = {
        "long_name": f"status of the {of}",
        "flag_values": list(STATUSES.values()),
        "flag_meanings": " ".join(STATUSES),
    }
    return Variable(name, "int8", attrs)


class Spectrum:
    """Lyapunov exponents, largest first, with their standard errors."""

    name = "lyapunov"

    def __init__(self, study: "Study", cell: Any) -> None:
        options, run = study.measure.lyapunov, study.run
        assert options is not None
        self.study, self.cell, self.k = study, cell, options.k or cell.state_size
        self.steps = float((run.steps + run.transient) * (1 + self.k))
        self.bytes = 8.0 * (3 * cell.state_size * self.k + 10 * cell.state_size)
        which = {"exponent": np.arange(1, self.k + 1)}
        often = f"every {options.qr_every} steps" if (options.qr_every or 2) > 1 else "every step"
        how = (
            f"{run.steps} steps after {run.transient}, from 0.1 times a standard normal state drawn from (seed, grid "
            f"index); frame re-orthonormalised {often if options.qr_every else 'as often as its conditioning asks'}"
        )
        unit = {"units": "nat/step", "how": how}
        self.variables = [
            Variable("exponents", "float64", {"long_name": "Lyapunov exponent", **unit}, which),
            Variable(
                "exponents_stderr",
                "float64",
                {"long_name": "standard error of the Lyapunov exponent", **unit},
                which,
            ),
            _status("status", "Lyapunov exponents"),
            Variable("steps", "int64", {"long_name": "steps that the exponents are means of", "units": "step"}),
        ]

    def __call__(self, block: Block) -> Arrays:
        """Return exponents, their errors, status and steps."""
        from rnndyn import dynamics

        run, options = self.study.run, self.study.measure.lyapunov
        assert options is not None
        result = dynamics.lyapunov(
            self.cell,
            block.weights,
            steps=run.steps,
            transient=run.transient,
            k=options.k,
            qr_every=options.qr_every,
            seed=run.seed,
            first_index=block.first,
            device=run.device,
            dtype=run.dtype,
            threads=block.threads,
            progress=block.progress,
        )
        return {
            "exponents": result.exponents,
            "exponents_stderr": result.stderr,
            "status": result.status,
            "steps": result.steps,
        }


class Reach:
    """How much of the gradient of a loss on the last state arrives `horizon` steps earlier, at the start."""

    name = "gradient"

    def __init__(self, study: "Study", cell: Any) -> None:
        options = study.measure.gradient
        assert options is not None
        self.study, self.cell, self.horizon = study, cell, options.horizon
        weights = sum(math.prod(shape) for shape in cell.shapes.values())
        self.steps = 4.0 * self.horizon
        self.bytes = 8.0 * (12 * cell.state_size * (self.horizon + 1) + 3 * weights)
        how = (
            f"back-propagation through {self.horizon} steps from the zero state; the loss has a gradient of norm 1 at "
            "the last state, the same in every component"
        )
        attrs = {"long_name": "log of the gradient norm ln ||dL/ds||", "units": "nat", "how": how}
        lag = {"lag": np.array([self.horizon])}
        self.variables = [
            Variable("log_norms", "float64", attrs, lag),
            _status("gradient_status", "gradient"),
        ]

    def __call__(self, block: Block) -> Arrays:
        """Return the log norm at the start and the status."""
        from rnndyn import dynamics

        size = self.cell.state_size
        result = dynamics.gradients(
            self.cell,
            block.weights,
            cotangent_last=np.full(size, 1.0 / math.sqrt(size)),
            steps=self.horizon,
            device=self.study.run.device,
            dtype=self.study.run.dtype,
            threads=block.threads,
            progress=block.progress,
        )
        return {"log_norms": result.log_norms[..., :1], "gradient_status": result.status}


class Basins:
    """How many attractors the starts reach, and the shortest period among them."""

    name = "attractors"

    def __init__(self, study: "Study", cell: Any) -> None:
        options = study.measure.attractors
        assert options is not None
        self.study, self.cell, self.options = study, cell, options
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
            _status("attractors_status", "attractors"),
        ]

    def __call__(self, block: Block) -> Arrays:
        """Return the number of attractors, the shortest period and the status."""
        from rnndyn import dynamics

        result = dynamics.attractors(
            self.cell,
            block.weights,
            starts=self.options.starts,
            steps=self.length,
            max_period=self.options.max_period,
            seed=self.study.run.seed,
            first_index=block.first,
            threads=block.threads,
            progress=block.progress,
        )
        return {"attractors": result.count, "period": result.period, "attractors_status": result.status}
