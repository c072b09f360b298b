"""Gated cells: the forget gate as a decay factor, and the origin of LSTM and GRU without input.

At the origin all gates are at `sigma(bias)` and the candidate's slope is 1, so that of the recurrent weights only the
candidate's count: the LSTM's multipliers there are `sigma(b_f) + sigma(b_i) sigma(b_o) w` for the eigenvalues w of W_g
(and N zeros), the GRU's `sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) w` for those of W_n, with the reset before the
product or after it; biases are the same for all units, that of the candidate 0. All lie in the unit circle if w lies in
a disc around `-decay / write`, with radius `1 / write`: both cells are `decay + write w`. Random matrices of N
independent entries of deviation g / sqrt(N) have eigenvalues that fill the disc of radius g as N grows (Girko 1985).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .entry import topic

__all__ = [
    "cfn_exponent", "forget_gate", "forget_half_life", "gru_circle", "gru_critical_gain", "gru_multiplier",
    "gru_origin_exponent", "lstm_circle", "lstm_critical_gain", "lstm_multiplier", "lstm_origin_exponent",
]  # fmt: skip

ENTRIES, known = topic()
Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
GERS = "Gers, Schmidhuber & Cummins, Neural Computation 12 (2000) 2451"
ORIGIN = "Jacobian of the origin"
GIRKO = f"{ORIGIN}; circular law, Girko 1985"
ZERO = "zero input, candidate's bias 0"
RANDOM = f"{ZERO}, independent random weights of variance g²/N, N to infinity; other attractors may exist below"
LSTM = "sigma(b_f) + sigma(b_i) sigma(b_o) w"
GRU = "sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) w"


def _sigma(x: ArrayLike) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * np.asarray(x, dtype=np.float64))


def _lstm(forget: ArrayLike, into: ArrayLike, out: ArrayLike) -> tuple[Array, Array]:
    """(decay, write)."""
    return _sigma(forget), _sigma(into) * _sigma(out)


def _gru(update: ArrayLike, reset: ArrayLike) -> tuple[Array, Array]:
    """(decay, write): sigma(-b) = 1 - sigma(b), without its cancellation."""
    return _sigma(update), _sigma(np.negative(update)) * _sigma(reset)


def _multiplier(eigenvalue: ArrayLike, decay: Array, write: Array) -> Complex:
    return np.asarray(decay + write * np.asarray(eigenvalue, dtype=np.complex128))


def _circle(x: ArrayLike, decay: Array, write: Array) -> Array:
    """|Im w| where |decay + write w| = 1, over Re w."""
    square = 1.0 / write**2 - (np.asarray(x, dtype=np.float64) + decay / write) ** 2
    return np.where(square >= 0.0, np.sqrt(np.maximum(square, 0.0)), np.nan)


def _largest(gain: ArrayLike, decay: Array, write: Array) -> Array:
    """ln of the largest |decay + write w| over the disc |w| <= gain."""
    return np.log(decay + write * np.asarray(gain, dtype=np.float64))


# --- the forget gate --------------------------------------------------------------------------------------------------


@known(
    "value",
    "LSTM without recurrent weights: ln |d c_T / d c_(T - lag)| = lag ln sigma(b)",
    label="the forget gate alone, lag · ln σ(b)",
    domain="every b; gates that see no state",
    source=GERS,
)
def forget_gate(b: ArrayLike, lag: ArrayLike) -> Array:
    """Return the log gradient norm: the gate is open by `sigma(b) = 1 / (1 + exp(-b))` at every step."""
    return -np.asarray(lag, dtype=np.float64) * np.logaddexp(0.0, -np.asarray(b, dtype=np.float64))


@known(
    "value",
    "steps after which a forget gate has left one half: -ln 2 / ln sigma(b)",
    label="half-life of the forget gate (closed form)",
    domain="every b; gates that see no state",
    source=GERS,
)
def forget_half_life(b: ArrayLike) -> Array:
    """Return the half-life in steps. At b = 1, 2, 3: 2.2127, 5.4609, 14.2660."""
    return -np.log(2.0) / forget_gate(b, 1.0)


@known(
    "value",
    "CFN, h <- theta tanh(h) + eta tanh(W x), without input: every exponent is ln sigma(b_theta), whatever its weights",
    label="ln σ(b) (closed form)",
    domain="zero input, b_theta the same for all units",
    source="Laurent & von Brecht, ICLR 2017",
)
def cfn_exponent(b: ArrayLike) -> Array:
    """Return each exponent per step."""
    return forget_gate(b, 1.0)


# --- the origin -------------------------------------------------------------------------------------------------------


@known(
    "value",
    f"LSTM at the origin: {LSTM}, w in eig W_g, and N zeros",
    label="multiplier of the origin",
    domain=ZERO,
    source=ORIGIN,
)
def lstm_multiplier(
    eigenvalue: ArrayLike, forget: ArrayLike = 0.0, into: ArrayLike = 0.0, out: ArrayLike = 0.0
) -> Complex:
    """Return the multipliers of complex eigenvalues; forget, into (b_i), out: the gates' biases."""
    decay, write = _lstm(forget, into, out)
    return _multiplier(eigenvalue, decay, write)


@known(
    "value",
    f"GRU at the origin, either reset: {GRU}, w in eig W_n",
    label="multiplier of the origin",
    domain=ZERO,
    source=ORIGIN,
)
def gru_multiplier(eigenvalue: ArrayLike, update: ArrayLike = 0.0, reset: ArrayLike = 0.0) -> Complex:
    """Return the multipliers of complex eigenvalues; update (b_z), reset: the gates' biases."""
    decay, write = _gru(update, reset)
    return _multiplier(eigenvalue, decay, write)


@known(
    "curve",
    f"LSTM: the origin is stable iff all |{LSTM}| < 1; with zero biases |w + 2| < 4",
    label="|σ(b_f) + σ(b_i) σ(b_o) w| = 1 (closed form)",
    domain=f"{ZERO}; x and y are Re w and Im w",
    source=ORIGIN,
    mirrored=True,
)
def lstm_circle(x: ArrayLike, forget: ArrayLike = 0.0, into: ArrayLike = 0.0, out: ArrayLike = 0.0) -> Array:
    """Return |Im w| on the circle over Re w, NaN where there is none."""
    return _circle(x, *_lstm(forget, into, out))


@known(
    "curve",
    f"GRU: the origin is stable iff all |{GRU}| < 1; with zero biases |w + 2| < 4",
    label="|σ(b_z) + (1 − σ(b_z)) σ(b_r) w| = 1 (closed form)",
    domain=f"{ZERO}; x and y are Re w and Im w",
    source=ORIGIN,
    mirrored=True,
)
def gru_circle(x: ArrayLike, update: ArrayLike = 0.0, reset: ArrayLike = 0.0) -> Array:
    """Return |Im w| on the circle over Re w, NaN where there is none."""
    return _circle(x, *_gru(update, reset))


@known(
    "value",
    "LSTM at the origin: ln(sigma(b_f) + sigma(b_i) sigma(b_o) g)",
    label="the origin's largest exponent, infinitely many units",
    domain=RANDOM,
    source=GIRKO,
)
def lstm_origin_exponent(
    gain: ArrayLike, forget: ArrayLike = 0.0, into: ArrayLike = 0.0, out: ArrayLike = 0.0
) -> Array:
    """Return the largest exponent of the origin per step."""
    return _largest(gain, *_lstm(forget, into, out))


@known(
    "value",
    "GRU at the origin: ln(sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) g)",
    label="the origin's largest exponent, infinitely many units",
    domain=RANDOM,
    source=GIRKO,
)
def gru_origin_exponent(gain: ArrayLike, update: ArrayLike = 0.0, reset: ArrayLike = 0.0) -> Array:
    """Return the largest exponent of the origin per step."""
    return _largest(gain, *_gru(update, reset))


@known(
    "curve",
    "LSTM: the origin is lost at the gain g = (1 - sigma(b_f)) / (sigma(b_i) sigma(b_o))",
    label="the origin is lost, infinitely many units",
    domain=RANDOM,
    source=GIRKO,
)
def lstm_critical_gain(forget: ArrayLike = 0.0, into: ArrayLike = 0.0, out: ArrayLike = 0.0) -> Array:
    """Return the gain. With zero biases 2; with a forget bias of 1, 1.075766."""
    return _sigma(np.negative(forget)) / _lstm(forget, into, out)[1]


@known(
    "curve",
    "GRU: the origin is lost at the gain g = 1 / sigma(b_r), whatever b_z",
    label="the origin is lost, infinitely many units",
    domain=RANDOM,
    source=GIRKO,
)
def gru_critical_gain(reset: ArrayLike = 0.0) -> Array:
    """Return the gain. With a zero bias 2."""
    return 1.0 / _sigma(reset)
