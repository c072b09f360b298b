"""`[measure.flow]`: the flow whose step the cell is, integrated beside it, and what the step is off by."""

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
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
    steps_of,
)
from rnndyn.sweep.part import Part, Whole
from rnndyn.sweep.start import RANDOM

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["FlowMeasure", "Reference"]

BOUND = 1e12  # a state beyond this has diverged, as in `lyapunov`
WHOLE = 1e-6  # of a step: by so much the compared time may miss a whole number of them
FLOW = 2.5e6  # network steps that the flow of a point takes about: 128 intervals of 2 ms
KEPT = 64  # blocks whose flow is remembered: the same flow is held beside several steps, in blocks of their own
FLOWS: dict[bytes, tuple[NDArray[Any], ...]] = {}

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class FlowMeasure(Part):
    """`[measure.flow]`: yields `flow_exponents`, `exponent_error`, `state_error` and `flow_status`.

    The cell must be a step of a vector field, or have one taken by `step`. Step and flow start alike, where the flow is
    a `transient` after `initial_state`, and go on for a `time` that is a whole number of steps. The exponents are those
    of this time alone, per unit time, of the same frame, so that the difference has no statistical error; on a chaotic
    orbit it means something as long as the orbits have not parted.
    """

    time: Positive = Field(description="the time compared, a whole number of steps of every dt")
    transient: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0.0, description="time that the flow runs before, to start both on its attractor"
    )
    k: Whole | None = Field(default=None, description="how many exponents are compared, from the largest; all")
    tolerance: Positive = Field(default=1e-11, description="of each step of the reference, relative and absolute")


class Reference(Measurement):
    """The flow's exponents, and the distance of the step's exponents and last state from the flow's."""

    name = "flow"

    def __init__(self, study: "Study", cell: Any) -> None:
        table = study.measure.flow
        assert table is not None
        _check(study, cell, table)
        self.table, self.study, self.cell = table, study, cell
        self.k = table.k or cell.state_size
        self.without = axes_of_the_step(study, cell, method=True)
        dt = steps_of(study, cell)
        self.length = round(table.time / float(dt.min()))
        flows = np.prod([len(study.axes[name].values) for name in self.without])
        self.steps = float(np.mean(table.time / dt) * (2 + self.k) + FLOW / flows)
        self.bytes = 8.0 * (3 * self.k + 10) * cell.state_size
        after = f"{table.transient:g} time units of the flow after " if table.transient else ""
        how = f"over a time of {table.time:g} from {after}{study.run.start_words()}"
        exact = f"the flow by SciPy's solve_ivp (DOP853, tolerance {table.tolerance:g})"
        rate, which = {"units": "nat/time", "how": f"{how}; {exact}"}, {"exponent": np.arange(1, self.k + 1)}
        spread = {"long_name": "standard error of the flow's exponent", **rate}
        off = {"units": "nat/time", "how": f"{how}; the step's less those of {exact}, of the same start and frame"}
        away = {"units": "1", "how": f"{how}; Euclidean distance from {exact}, of the same start"}
        self.variables = [
            Variable("flow_exponents", "float64", {"long_name": "exponent of the flow", **rate}, which, self.without),
            Variable("flow_exponents_stderr", "float64", spread, which, self.without),
            Variable("flow_status", "int8", status("", "flow").attrs, {}, self.without),
            Variable(
                "exponent_error", "float64", {"long_name": "exponent per unit time, step minus flow", **off}, which
            ),
            Variable("state_error", "float64", {"long_name": "distance of the step's state from the flow's", **away}),
        ]

    def __call__(self, block: Block) -> Arrays:
        """Return what the step is off by, and the flow's exponents if the block is the one that holds them."""
        weights = dict(block.weights)
        dt = np.asarray(weights.pop("dt", self.cell.parameters["dt"]), dtype=np.float64)
        dt = dt.reshape(dt.shape or (1,) * len(block.shape))
        held, index = block.holds(self.without), block.without(self.without)
        flow = start, ends, exponents, *_ = self._flow(block, weights, index)
        error, away = np.full((*block.shape, self.k), np.nan), np.full(block.shape, np.nan)
        for at in np.ndindex(dt.shape):
            places = {axis: place for axis, place in enumerate(at) if dt.shape[axis] > 1}
            here = {name: cut(array, places) for name, array in weights.items()} | {"dt": dt[at]}
            found, end = self._step(block, here, float(dt[at]), cut(start, places), cut(index, places))
            part = tuple(slice(p, p + 1) if axis in places else slice(None) for axis, p in enumerate(at))
            _part(block, 0.9, 1.0)(float(np.ravel_multi_index(at, dt.shape)), dt.size)
            error[part], away[part] = found - cut(exponents, places), np.linalg.norm(end - cut(ends, places), axis=-1)
        arrays = {"exponent_error": error, "state_error": away}
        if held is not None:
            names = ("flow_exponents", "flow_exponents_stderr", "flow_status")
            arrays |= {name: self._own(values, block) for name, values in zip(names, flow[2:], strict=True)}
        return arrays

    def _own(self, values: NDArray[Any], block: Block) -> NDArray[Any]:
        """Return what is the flow's with the axes that it has."""
        gone = tuple(number for number, name in enumerate(block.axes) if name in self.without)
        shape = tuple(1 if number in gone else size for number, size in enumerate(block.shape))
        return np.broadcast_to(values, (*shape, *values.shape[len(shape) :])).squeeze(gone)

    def _flow(self, block: Block, weights: Arrays, index: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """Return (start, end, exponents, their errors, status) of the flow of each point, along the axes it has."""
        from rnndyn import dynamics
        from rnndyn.cells.steps import Rates
        from rnndyn.kernels import fingerprint

        table, state = self.table, block.start()
        drive: Any = block.inputs(0, 1)
        state = np.zeros((*(1,) * len(block.shape), self.cell.state_size)) if state is None else state
        field = self.cell.field
        parts = [fingerprint(Rates(field)), repr(field), json.dumps([*map(str, field.parameters.items())])]
        parts += [table.model_dump_json(), str(self.study.run.seed)]
        key = hashlib.sha256("".join(parts).encode())
        for name, array in sorted({**weights, "state": state, "inputs": drive, "index": index}.items()):
            key.update(f"{name}{np.shape(array)}".encode() + (b"" if array is None else np.asarray(array).tobytes()))
        if key.digest() in FLOWS:
            return FLOWS[key.digest()]
        exact = {"inputs": drive, "rtol": table.tolerance, "atol": table.tolerance}
        if table.transient:
            state = dynamics.flow_trajectory(
                self.cell, weights, times=[table.transient], state=state, **exact, progress=_part(block, 0.0, 0.1)
            )
            state = state[..., 0, :]
        more = {"state": state, **exact, "progress": _part(block, 0.1, 0.3)}
        end = dynamics.flow_trajectory(self.cell, weights, times=[table.time], **more)[..., 0, :]
        seed = {"seed": self.study.run.seed, "first_index": index}
        more["progress"] = _part(block, 0.3, 0.9)
        found = dynamics.flow_exponents(self.cell, weights, time=table.time, k=self.k, **seed, **more)
        while len(FLOWS) >= KEPT:
            del FLOWS[next(iter(FLOWS))]
        FLOWS[key.digest()] = state, end, found.exponents, found.stderr, found.status
        return FLOWS[key.digest()]

    def _step(self, block: Block, weights: Arrays, dt: float, state: Any, index: Any) -> tuple[Any, Any]:
        """Return (exponents per unit time, last state) of the step; NaN of what blows up."""
        from rnndyn import dynamics

        run: dict[str, Any] = {"steps": round(self.table.time / dt), "state": state, "inputs": block.inputs(0, 1)}
        run |= block.options() | {"progress": False}
        end = dynamics.last_state(block.cell, weights, **run)
        seed = {"seed": self.study.run.seed, "first_index": index}
        found = dynamics.lyapunov(block.cell, weights, k=self.k, qr_every=1, **seed, **run)
        lost = found.status == dynamics.Status.DIVERGED
        gone = lost | ~(np.abs(end) < BOUND).all(axis=-1)
        return np.where(lost[..., None], np.nan, found.exponents) / dt, np.where(gone[..., None], np.nan, end)


def _part(block: Block, begin: float, end: float) -> Callable[[float, float], None]:
    """Return what tells the block's progress of how far a part of its work is, that goes from `begin` to `end` of 1."""

    def tell(done: float, total: float) -> None:
        if callable(block.progress):
            block.progress(begin + (end - begin) * done / (total or 1.0), 1.0)

    return tell


def _check(study: "Study", cell: Any, table: FlowMeasure) -> None:
    """Raise InputError for a study that has no flow, or one that cannot be compared."""
    from rnndyn.cells.steps import Stepped

    if not isinstance(cell, Stepped):
        raise InputError(f"[measure.flow]: {cell.name} is no step of a vector field; give [cell] a step")
    if study.run.initial_state == RANDOM:
        raise InputError('[measure.flow]: step and flow start alike: give [run] initial_state, "zero" or numbers')
    if study.inputs is not None and not isinstance(study.inputs, Constant):
        raise InputError('[measure.flow]: the flow has constant inputs only; give [inputs] kind = "constant"')
    if table.k is not None and table.k > cell.state_size:
        raise InputError(f"[measure.flow] k = {table.k}: this cell has {cell.state_size} exponents")
    for dt in steps_of(study, cell).ravel():
        if (
            not dt > 0
            or abs(table.time / dt - round(table.time / dt)) > WHOLE * round(table.time / dt)
            or dt > table.time
        ):
            raise InputError(
                f"[measure.flow] time = {table.time:g}: no whole number of steps dt = {dt:.6g}; take steps such as "
                f"{table.time / 10:g}, {table.time / 20:g}, {table.time / 40:g}"
            )
