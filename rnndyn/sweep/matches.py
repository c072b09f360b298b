"""Which theory fits a study: for each network of the catalogue, the arguments of its formulas in the study's values.

Each returns {argument: a number, or an entry that names an axis}, or None where the study is of something else.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.sweep.inputs import Noise
from rnndyn.sweep.start import ZERO
from rnndyn.sweep.value import list_shape, split

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = [
    "antisymmetric", "forget_gate", "gated_plane", "linear_flow", "linear_pair", "linear_unit", "oscillator",
    "plane_of_z", "random_gated", "random_layers", "random_plain", "random_rate", "random_tanh", "rotation_gru",
    "tanh_unit", "unit_map",
]  # fmt: skip

Roles = dict[str, Any] | None
GATES = {"LSTM": {"f": "forget", "i": "into", "o": "out"}, "GRU": {"z": "update", "r": "reset"}}
CANDIDATE = {"LSTM": "g", "GRU": "n"}


def single(value: Any) -> Any:
    """Return the one number or axis that fills a value, None if there are several."""
    while isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, int | float | str) else None


def _options(study: "Study") -> dict[str, Any]:
    return dict(study.cell.model_extra or {})


def _is_elman(study: "Study", activation: str) -> bool:
    return study.cell.kind == "Elman" and _options(study).get("activation", "tanh") == activation


def _random(value: Any) -> Any:
    """Return the gain of `{ init = "normal" }`, None of anything else."""
    normal = isinstance(value, Mapping) and value.get("init") == "normal"
    return value.get("gain", 1.0) if normal else None


# --- one unit ---------------------------------------------------------------------------------------------------------


def unit_map(study: "Study", activation: str, x: str | None, y: str | None) -> Roles:
    """`h <- phi(x h + y)`, with nothing else."""
    weights = dict(study.weights)
    biases = [name for name in ("bias_hh", "bias_ih") if name in weights]
    fits = (
        _is_elman(study, activation)
        and study.cell.units == 1
        and weights.get("weight_hh") in (x, [[x]])
        and len(biases) == 1
        and weights[biases[0]] in (y, [y])
    )
    return {} if fits else None


def linear_unit(study: "Study") -> Roles:
    """The weight of a linear unit."""
    linear = study.cell.kind == "Linear" or _is_elman(study, "identity")
    w = single(study.weights.get("weight_hh"))
    return {"w": w} if linear and study.cell.units == 1 and w is not None else None


def tanh_unit(study: "Study") -> Roles:
    """The weight of a tanh unit that has nothing else."""
    w = single(study.weights.get("weight_hh"))
    alone = set(study.weights) == {"weight_hh"} and study.inputs is None
    return {"w": w} if _is_elman(study, "tanh") and study.cell.units == 1 and alone and w is not None else None


# --- gated cells ------------------------------------------------------------------------------------------------------


def forget_gate(study: "Study") -> Roles:
    """The forget bias of an LSTM whose loss reads the cell state."""
    gradient, bias = study.measure.gradient, study.weights.get("bias_hh")
    if study.cell.kind != "LSTM" or gradient is None or gradient.loss != "c" or not isinstance(bias, Mapping):
        return None
    forget = single(bias.get("f", 0.0))
    return None if forget is None else {"b": forget}


def _gate_biases(study: "Study", kind: str) -> Roles:
    """The biases of the gates of an undriven cell that starts, and stays, at its origin."""
    bias = study.weights.get("bias_hh", {})
    if (
        study.cell.kind != kind
        or study.cell.step is not None
        or study.run.initial_state != ZERO
        or study.inputs is not None
    ):
        return None
    if not set(study.weights) <= {"weight_hh", "bias_hh"} or not isinstance(bias, Mapping):
        return None
    found = {argument: single(bias.get(gate, 0.0)) for gate, argument in GATES[kind].items()}
    return None if None in found.values() or bias.get(CANDIDATE[kind], 0.0) != 0.0 else found


def gated_plane(study: "Study", kind: str, x: str | None, y: str | None) -> Roles:
    """Two units whose candidate has the eigenvalues x +- i y, biases of their gates."""
    recurrent, roles = study.weights.get("weight_hh"), _gate_biases(study, kind)
    block = recurrent.get(CANDIDATE[kind]) if isinstance(recurrent, Mapping) else None
    turning = block in ([[x, f"-{y}"], [y, x]], [[x, y], [f"-{y}", x]])
    return roles if turning and study.cell.units == 2 else None


def random_gated(study: "Study", kind: str) -> Roles:
    """The gain of random recurrent weights and the biases of the gates."""
    recurrent, roles = study.weights.get("weight_hh"), _gate_biases(study, kind)
    gain = _random(recurrent)
    if gain is None and isinstance(recurrent, Mapping):
        gain = _random(recurrent.get(CANDIDATE[kind]))
    return None if gain is None or roles is None else {"gain": gain, **roles}


def rotation_gru(study: "Study") -> Roles:
    """Forward Euler steps of a GRU's flow at its origin, all of whose weights are a candidate that rotates."""
    recurrent, cell = study.weights.get("weight_hh"), study.cell
    stepped = (cell.kind, cell.step) == ("GRU", "euler") and "dt" in study.weights
    still = study.run.initial_state == ZERO and study.inputs is None and set(study.weights) == {"weight_hh", "dt"}
    turn = recurrent.get("n") if isinstance(recurrent, Mapping) and set(recurrent) == {"n"} else None
    if not stepped or not still or not isinstance(turn, Mapping) or turn.get("init") != "rotation":
        return None
    e, alpha, scale = single(study.weights["dt"]), turn.get("angle"), turn.get("gain", 1.0)
    return None if e is None or alpha is None else {"e": e, "alpha": alpha, "scale": scale}


# --- steps ------------------------------------------------------------------------------------------------------------


def _turned(matrix: Any) -> tuple[Any, Any, Any] | None:
    """Return (a, b, d) of a matrix [[a, -b], [b, d]] whose b is an axis."""
    if not isinstance(matrix, list | tuple) or list_shape(matrix) != (2, 2) or not isinstance(matrix[1][0], str):
        return None
    (a, above), (b, d) = matrix
    opposite = isinstance(above, str) and split(above) == split(b)._replace(scale=-split(b).scale)
    return (a, b, d) if opposite and split(b).offset == 0.0 else None


def linear_pair(study: "Study") -> Roles:
    """A linear network of two units with the eigenvalues a +- i b."""
    cell, turned = study.cell, _turned(study.weights.get("weight_hh"))
    fits = cell.kind == "Linear" and cell.units == 2 and set(study.weights) == {"weight_hh"} and study.inputs is None
    return {"a": turned[0], "b": turned[1]} if fits and turned is not None and turned[0] == turned[2] else None


def linear_flow(study: "Study") -> Roles:
    """Steps of a linear flow of two units with the eigenvalues re +- i im, the real part in `rate`."""
    cell, turned, re = study.cell, _turned(study.weights.get("weight_hh")), single(study.weights.get("rate"))
    fits = cell.kind == "LinearFlow" and cell.units == 2 and set(study.weights) <= {"weight_hh", "rate", "dt"}
    if not fits or turned is None or (turned[0], turned[2]) != (0.0, 0.0) or re is None or study.inputs is not None:
        return None
    dt = single(study.weights.get("dt", _options(study).get("dt", 0.1)))
    return None if dt is None else {"re": re, "im": turned[1], "dt": dt}


def plane_of_z(study: "Study", x: str | None, y: str | None) -> Roles:
    """A map over the complex plane of dt lambda: of steps of a linear flow, or of the network W = I + Lambda."""
    roles, pair = linear_flow(study), linear_pair(study)
    if roles is not None:
        fits = (roles["re"], roles["im"], roles["dt"]) == (x, y, 1.0)
    else:
        fits = pair is not None and isinstance(pair["a"], str) and (*split(pair["a"]), pair["b"]) == (x, 1.0, 1.0, y)
    return {} if fits else None


def oscillator(study: "Study", x: str | None, y: str | None) -> Roles:
    """A map of steps dt = 1 of one oscillator, over its damping and its frequency."""
    cell, weights = study.cell, study.weights
    here = [single(weights.get(name)) for name in ("damping", "omega")]
    dt = single(weights.get("dt", _options(study).get("dt", 0.1)))
    return {} if (cell.kind, cell.units, dt) == ("Oscillator", 1, 1.0) and here == [x, y] else None


def antisymmetric(study: "Study") -> Roles:
    """The diffusion, step and largest frequency of an antisymmetric cell at its origin."""
    cell, weights, given = study.cell, study.weights, _options(study)
    matrix = weights.get("weight_hh")
    still = study.run.initial_state == ZERO and study.inputs is None and set(weights) <= {"weight_hh", "gamma", "dt"}
    if (
        cell.kind != "Antisymmetric"
        or cell.step not in (None, "euler")
        or not still
        or not isinstance(matrix, list | tuple)
    ):
        return None
    if list_shape(matrix) != (cell.units, cell.units) or any(isinstance(entry, str) for row in matrix for entry in row):
        return None
    array = np.array(matrix, dtype=np.float64)
    omega = float(np.abs(np.linalg.eigvals(array - array.T).imag).max())
    found = {
        name: single(weights.get(name, given.get(name, default))) for name, default in (("gamma", 0.01), ("dt", 0.1))
    }
    return None if None in found.values() else {**found, "omega": omega}


def random_rate(study: "Study") -> Roles:
    """A random network with a step dt: `Rate` and `Leaky` (the same after a change of variables), `Elman` at dt = 1."""
    cell, given, gain = study.cell, _options(study), _random(study.weights.get("weight_hh"))
    if cell.kind not in ("Elman", "Leaky", "Rate") or given.get("activation", "tanh") != "tanh":
        return None
    if cell.step not in (None, "euler"):
        return None
    if not set(study.weights) <= {"weight_hh", "dt"} or study.inputs is not None or gain is None:
        return None
    if cell.kind == "Elman":
        return {"gain": gain, "dt": 1.0}
    dt = single(study.weights.get("dt", given.get("dt", 0.1 if cell.kind == "Rate" else 0.5)))
    return None if dt is None else {"gain": gain, "dt": dt}


# --- random tanh networks ---------------------------------------------------------------------------------------------


def random_tanh(study: "Study") -> Roles:
    """The gain of a random tanh network and the noise of its units, white and of mean zero, one for each."""
    cell, weights, inputs = study.cell, dict(study.weights), study.inputs
    gain, entering = _random(weights.pop("weight_hh", None)), weights.pop("weight_ih", None)
    if not _is_elman(study, "tanh") or weights or gain is None:
        return None
    if inputs is None and entering is None:
        return {"gain": gain, "noise": 0.0}
    each = isinstance(entering, Mapping) and {"gain": 1.0, **entering} == {"init": "identity", "gain": 1.0}
    white = isinstance(inputs, Noise) and (inputs.mean, inputs.hold) == (0.0, 1) and cell.inputs == cell.units
    scale = single(inputs.scale) if white and isinstance(inputs, Noise) else None
    return {"gain": gain, "noise": scale} if each and scale is not None else None


def random_plain(study: "Study") -> Roles:
    """The gain of a random tanh network at its origin."""
    gain = _random(study.weights.get("weight_hh"))
    still = study.run.initial_state == ZERO and study.inputs is None and set(study.weights) == {"weight_hh"}
    return {"gain": gain} if _is_elman(study, "tanh") and still and gain is not None else None


def random_layers(study: "Study", x: str | None, y: str | None) -> Roles:
    """A random tanh network of gain y whose random biases have the standard deviation x: gain x sqrt(N)."""
    weights, units = study.weights, study.cell.units
    gain, bias = _random(weights.get("weight_hh")), _random(weights.get("bias_hh"))
    if not _is_elman(study, "tanh") or set(weights) != {"weight_hh", "bias_hh"} or study.inputs is not None:
        return None
    if not isinstance(units, int) or not isinstance(bias, str) or gain != y or x is None:
        return None
    axis, scale, offset = split(bias)
    return {} if (axis, offset) == (x, 0.0) and np.isclose(scale, np.sqrt(units)) else None


def lookup(entry: Any, point: Mapping[str, Any]) -> Any:
    """Return the values of an entry at a point: a number, or numbers that broadcast with those of the point."""
    return split(entry).of(point[split(entry).axis]) if isinstance(entry, str) else np.asarray(entry, dtype=np.float64)


def placed(roles: Roles, x: str | None, y: str | None, over: str, up: str) -> Roles:
    """Return the roles that remain when one argument is the x axis and one the y axis; None if they are not, or if
    others vary."""
    if roles is None or (roles.get(over), roles.get(up)) != (x, y):
        return None
    rest = {name: value for name, value in roles.items() if name not in (over, up)}
    return None if any(isinstance(value, str) for value in rest.values()) else rest
