"""The closed-form curves a figure can name: what each is called, where it applies, which label jumps across it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.dynamics import mean_field, theory
from rnndyn.sweep.inputs import Noise
from rnndyn.sweep.value import split

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["CURVES", "LINES", "Curve", "Line"]


@dataclass(frozen=True)
class Curve:
    """A curve `y = sign height(x)` for both signs, or those given, over a map.

    The measured variable `jumps`, if any, changes its value across it.
    """

    height: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    tip: float
    label: str
    jumps: str | None
    domain: str
    applies: Callable[["Study", str | None, str | None], bool]
    signs: tuple[int, ...] = (1, -1)


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


def _is_noisy_tanh(study: "Study", x: str | None, y: str | None) -> bool:
    """Whether the study is of random tanh networks with the gain to the right and the noise upwards."""
    roles = _random_tanh(study)
    return roles is not None and (roles["gain"], roles["noise"]) == (x, y)


TANH_UNIT = "one tanh unit (Elman, units = 1) with weight_hh on the x axis and one bias on the y axis"
NOISY = (
    'a tanh network (Elman) with weight_hh = { init = "normal", ... }; undriven, or with weight_ih = '
    '{ init = "identity" } and [inputs] of kind = "normal"'
)

CURVES = {
    "tanh_fold": Curve(theory.fold_curve, 1.0, "saddle-node (closed form)", "attractors", TANH_UNIT, _is_tanh_unit),
    "tanh_flip": Curve(theory.flip_curve, -1.0, "period doubling (closed form)", "period", TANH_UNIT, _is_tanh_unit),
    "critical_noise": Curve(
        theory.critical_noise,
        1.0,
        "λ₁ = 0 of infinitely many units (mean field)",
        None,
        f"{NOISY}, with the gain on the x axis and the noise's scale on the y axis",
        _is_noisy_tanh,
        (1,),
    ),
}


@dataclass(frozen=True)
class Line:
    """A closed form for the values of a variable. `roles(study)`: {argument of `formula`: number or axis}, or None.

    `formula` takes them, and `lag` if it is a log gradient norm, as arrays that broadcast.
    """

    formula: Callable[..., NDArray[np.float64]]
    of: str
    label: str
    domain: str
    roles: Callable[["Study"], dict[str, Any] | None]

    def values(self, study: "Study", point: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return the closed form at the axis values (and `lag`) in `point`, numbers or arrays that broadcast."""
        roles = self.roles(study)
        assert roles is not None, "checked when the study was read"
        given = {role: self._lookup(entry, point) for role, entry in roles.items()}
        if self.of == "log_norms":
            given["lag"] = np.asarray(point["lag"], dtype=np.float64)
        return np.asarray(self.formula(**given))

    @staticmethod
    def _lookup(entry: Any, point: Mapping[str, Any]) -> NDArray[np.float64]:
        if not isinstance(entry, str):
            return np.asarray(entry, dtype=np.float64)
        name, sign = split(entry)
        return sign * np.asarray(point[name], dtype=np.float64)


def _single(value: Any) -> Any:
    """Return the one number or axis that fills a value, None if there are several."""
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, int | float | str) else None


def _scalar_linear(study: "Study") -> dict[str, Any] | None:
    cell = study.cell
    linear = cell.kind == "Linear" or (
        cell.kind == "Elman" and (cell.model_extra or {}).get("activation") == "identity"
    )
    w = _single(study.weights.get("weight_hh"))
    return {"w": w} if linear and cell.units == 1 and w is not None else None


def _forget(study: "Study") -> dict[str, Any] | None:
    """The forget bias of an LSTM whose loss reads the cell state."""
    gradient, bias = study.measure.gradient, study.weights.get("bias_hh")
    if study.cell.kind != "LSTM" or gradient is None or gradient.loss != "c" or not isinstance(bias, Mapping):
        return None
    forget = _single(bias.get("f", 0.0))
    return None if forget is None else {"b": forget}


def _tanh_exponent(study: "Study") -> dict[str, Any] | None:
    cell, w = study.cell, _single(study.weights.get("weight_hh"))
    tanh = cell.kind == "Elman" and (cell.model_extra or {}).get("activation", "tanh") == "tanh"
    alone = set(study.weights) == {"weight_hh"} and study.inputs is None
    return {"w": w} if tanh and cell.units == 1 and alone and w is not None else None


def _random_tanh(study: "Study") -> dict[str, Any] | None:
    """The gain of a random tanh network and the noise of its units, white and of mean zero, one for each."""
    cell, weights, inputs = study.cell, dict(study.weights), study.inputs
    recurrent, entering = weights.pop("weight_hh", None), weights.pop("weight_ih", None)
    tanh = cell.kind == "Elman" and (cell.model_extra or {}).get("activation", "tanh") == "tanh"
    if not tanh or weights or not isinstance(recurrent, Mapping) or recurrent.get("init") != "normal":
        return None
    gain = recurrent.get("gain", 1.0)
    if inputs is None and entering is None:
        return {"gain": gain, "noise": 0.0}
    each = isinstance(entering, Mapping) and {"gain": 1.0, **entering} == {"init": "identity", "gain": 1.0}
    white = isinstance(inputs, Noise) and (inputs.mean, inputs.hold) == (0.0, 1) and cell.inputs == cell.units
    scale = _single(inputs.scale) if white and isinstance(inputs, Noise) else None
    return {"gain": gain, "noise": scale} if each and scale is not None else None


def _random_rate(study: "Study") -> dict[str, Any] | None:
    """A random network with a step dt: `Rate` and `Leaky` (the same after a change of variables), `Elman` at dt = 1."""
    cell, weight, given = study.cell, study.weights.get("weight_hh"), dict(study.cell.model_extra or {})
    if cell.kind not in ("Elman", "Leaky", "Rate") or given.get("activation", "tanh") != "tanh":
        return None
    if cell.step not in (None, "euler"):
        return None
    if not set(study.weights) <= {"weight_hh", "dt"} or study.inputs is not None:
        return None
    if not isinstance(weight, Mapping) or weight.get("init") != "normal":
        return None
    if cell.kind == "Elman":
        return {"gain": weight.get("gain", 1.0), "dt": 1.0}
    dt = _single(study.weights.get("dt", given.get("dt", 0.1 if cell.kind == "Rate" else 0.5)))
    return None if dt is None else {"gain": weight.get("gain", 1.0), "dt": dt}


def _per_step(function: Callable[..., NDArray[np.float64]]) -> Callable[..., NDArray[np.float64]]:
    """Return a function of (gain, dt) per step, of one per unit time."""
    return lambda gain, dt: dt * function(gain, dt)


RANDOM_RATE = 'of a random tanh network (Elman, Leaky, Rate) with weight_hh = { init = "normal", ... } and dt alone'

LINES = {
    "linear_power": Line(
        theory.linear_power,
        "log_norms",
        "lag · ln |w| (closed form)",
        "log_norms of one linear unit (Linear, units = 1)",
        _scalar_linear,
    ),
    "forget_gate": Line(
        theory.forget_gate,
        "log_norms",
        "the forget gate alone, lag · ln σ(b)",
        'log_norms of an LSTM with bias_hh = { f = ... }, of a loss on "c"',
        _forget,
    ),
    "tanh_exponent": Line(
        theory.tanh_exponent,
        "exponents",
        "one tanh unit (closed form)",
        "exponents of one tanh unit (Elman, units = 1) with weight_hh alone",
        _tanh_exponent,
    ),
    "mean_field": Line(
        theory.mean_field_exponent,
        "exponents",
        "mean field, infinitely many units",
        f"exponents of {NOISY}",
        _random_tanh,
    ),
    "mean_field_rate": Line(
        _per_step(mean_field.mean_field_rate_exponent),
        "exponents",
        "mean field, infinitely many units",
        f"exponents {RANDOM_RATE}",
        _random_rate,
    ),
    "mean_field_per_time": Line(
        mean_field.mean_field_rate_exponent,
        "exponent_per_time",
        "mean field, infinitely many units",
        f"exponent_per_time {RANDOM_RATE}",
        _random_rate,
    ),
    "mean_field_mean": Line(
        _per_step(mean_field.mean_field_mean_exponent),
        "mean_exponent",
        "mean field, infinitely many units",
        f"mean_exponent {RANDOM_RATE}",
        _random_rate,
    ),
    "mean_field_mean_per_time": Line(
        mean_field.mean_field_mean_exponent,
        "mean_exponent_per_time",
        "mean field, infinitely many units",
        f"mean_exponent_per_time {RANDOM_RATE}",
        _random_rate,
    ),
}
