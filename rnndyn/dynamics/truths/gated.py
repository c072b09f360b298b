"""Gated cells: forget gates as decay factors, multipliers of the origin, critical gains, the rotation GRU."""

import math

import numpy as np

from ...cells import GRU, LSTM, Elman
from .. import theory
from ..gradients import gradients
from ..lyapunov import lyapunov
from .truth import EPS, Claim, truths

TRUTHS, exact = truths("exact")
UNITS = 3
GERS = "Gers et al. 2000"


def logistic(x):
    return 1.0 / (1.0 + np.exp(-np.asarray(x, float)))


def rows(*blocks):
    """`weight_hh` from one block (N, N) for each gate, zeros by None."""
    shape = np.broadcast_shapes(*(np.shape(block) for block in blocks if block is not None))
    return np.concatenate([np.broadcast_to(0.0 if block is None else block, shape) for block in blocks], axis=-2)


def biases(*values):
    """A bias from one value, or one for each unit, for each gate."""
    return np.concatenate([np.broadcast_to(value, (UNITS,)) for value in values]).astype(float)


def at_the_origin(cell, weights, run, steps=300, transient=500, **more):
    start = np.zeros(cell.state_size)
    return lyapunov(cell, weights, steps=steps, transient=transient, state=start, **more, **run).exponents


def triangular(diagonal, seed):
    """A matrix with these eigenvalues that is not normal."""
    return np.diag(diagonal) + np.triu(np.random.default_rng(seed).normal(size=(UNITS, UNITS)), 1)


@exact("LSTM without recurrent weights: N exponents ln sigma(b_f), N of -inf", GERS)
def forget_gate_spectrum(run):
    forget = np.array([-1.0, 3.0, 0.5])
    weights = {"bias_hh": biases(0.7, forget, [0.0, 0.2, -1.0], -0.3)}
    found = lyapunov(LSTM(UNITS), weights, steps=500, transient=2000, **run).exponents
    truth = -np.sort(-np.log(logistic(forget)))
    return Claim(found, np.append(truth, [-np.inf] * UNITS), 1e3 * EPS)


@exact("half-lives of the forget gate at b_f = 1, 2, 3: 2.2127, 5.4609, 14.2660 steps", GERS)
def half_lives(run):
    weights = {"bias_hh": biases(0, [3, 2, 1], 0, 0)}
    found = at_the_origin(LSTM(UNITS), weights, run, steps=100)[:UNITS]
    return Claim(-math.log(2) / found, [14.2660, 5.4609, 2.2127], 5e-5)


@exact("d c_T / d c_0 = sigma(b_f)^T; b_f = ln(T-1) gives (1 - 1/T)^T", GERS)
def forget_gate_gradient(run):
    steps = 50
    forget, last = np.array([0.0, 1.0, math.log(steps - 1)]), np.repeat([0.0, 1.0], UNITS)
    weights = {"bias_hh": biases(0.4, forget, 0.3, 0)}
    found = gradients(LSTM(UNITS), weights, steps=steps, cotangent_last=last, **run).state[UNITS:]
    truth = np.append(logistic(forget[:2]) ** steps, (1 - 1 / steps) ** steps)
    return Claim(found / truth, 1.0, 8 * steps * EPS)


@exact("a gate of 0.90 leaves 1.5e-23 after 499 steps, one of 0.99 leaves 6.6e-3", GERS)
def highway(run):
    gate, last = np.array([0.90, 0.99, 0.5]), np.repeat([0.0, 1.0], UNITS)
    weights = {"bias_hh": biases(0, np.log(gate / (1 - gate)), 0, 0)}
    found = gradients(LSTM(UNITS), weights, steps=499, cotangent_last=last, **run).state[UNITS:]
    return Claim(found[:2] / [1.4689675772e-23, 6.6368515579e-3], 1.0, 1e-9)


GATE_SETS = [(0.0, 0.0, 0.0), (0.8, 1.0, -0.5)]


@exact("LSTM at the origin: multipliers sigma(b_f) + sigma(b_i) sigma(b_o) eig W_g", "Jacobian of the origin")
def lstm_origin(run):
    eigenvalues, rng = np.array([2.0, 0.5, -1.0]), np.random.default_rng(1)
    gates = [rng.normal(size=(UNITS, UNITS)) for _ in range(3)]
    matrix = rows(gates[0], gates[1], triangular(eigenvalues, 2), gates[2])
    bias = np.stack([biases(i, f, 0, o) for i, f, o in GATE_SETS])
    found = at_the_origin(LSTM(UNITS), {"weight_hh": matrix, "bias_hh": bias}, run)
    truth = [np.log(np.abs(theory.lstm_multiplier(eigenvalues, f, i, o))) for i, f, o in GATE_SETS]
    return Claim(found, np.pad(-np.sort(-np.array(truth)), ((0, 0), (0, UNITS)), constant_values=-np.inf), 1e-12)


@exact(
    "GRU at the origin, either reset: multipliers sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) eig U",
    "Jacobian of the origin",
)
def gru_origin(run):
    eigenvalues, rng = np.array([2.0, 0.5, -1.0]), np.random.default_rng(2)
    gates = [rng.normal(size=(UNITS, UNITS)) for _ in range(2)]
    matrix = rows(*gates, triangular(eigenvalues, 3))
    bias = np.stack([biases(r, z, 0) for r, z in ((0.0, 0.0), (0.6, -0.4))])
    weights = {"weight_hh": matrix, "bias_hh": bias}
    found = [at_the_origin(GRU(UNITS, reset_after=after), weights, run) for after in (True, False)]
    truth = [np.log(np.abs(theory.gru_multiplier(eigenvalues, z, r))) for r, z in ((0.0, 0.0), (0.6, -0.4))]
    return Claim(found, -np.sort(-np.array(truth)), 1e-12)


@exact(
    "zero biases: the origin of LSTM and GRU is stable iff |w + 2| < 4 for every w in eig W", "Jacobian of the origin"
)
def gated_circle(run):
    angle = np.linspace(0.1, 3.0, 9)
    w = -2 + np.array([3.9, 4.1])[:, None] * np.exp(1j * angle)
    plane = np.zeros((*w.shape, UNITS, UNITS))
    plane[..., 0, 0] = plane[..., 1, 1] = w.real
    plane[..., 0, 1], plane[..., 1, 0] = -w.imag, w.imag
    plane[..., 2, 2] = -2.0  # its own multiplier is 0
    sums = [
        at_the_origin(LSTM(UNITS), {"weight_hh": rows(None, None, plane, None)}, run, k=2).sum(-1),
        at_the_origin(GRU(UNITS), {"weight_hh": rows(None, None, plane)}, run, k=2).sum(-1),
    ]
    return Claim(np.array(sums) / 2, np.log(np.array([3.9, 4.1]) / 4)[:, None], 1e-12)


@exact(
    "the origin is lost at gain 1 (plain), 2 (GRU, LSTM), 1.075766 (LSTM with forget bias 1)", "Jacobian of the origin"
)
def critical_gains(run):
    cycle = np.roll(np.eye(UNITS), 1, axis=0)  # all eigenvalues on a circle, as of large random matrices
    found = [
        at_the_origin(Elman(UNITS), {"weight_hh": cycle}, run, k=1),
        at_the_origin(GRU(UNITS), {"weight_hh": rows(None, None, 2.0 * cycle)}, run, k=1),
        at_the_origin(LSTM(UNITS), {"weight_hh": rows(None, None, 2.0 * cycle, None)}, run, k=1),
        at_the_origin(
            LSTM(UNITS),
            {"weight_hh": rows(None, None, 1.075766 * cycle, None), "bias_hh": biases(0, 1, 0, 0)},
            run,
            k=1,
        ),
    ]
    return Claim(np.concatenate(found), 0.0, [1e-14, 1e-14, 1e-14, 5e-7])


@exact("rotation GRU, candidate 3 R(alpha): Neimark-Sacker at cos alpha = 1/4", "Jacobian of the origin")
def rotation_gru(run):
    cosine = np.array([-0.9, 0.0, 0.25, 0.8])
    sine, matrix = np.sqrt(1 - cosine**2), np.zeros((4, UNITS, UNITS))
    matrix[:, 0, 0] = matrix[:, 1, 1] = 3 * cosine
    matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 2, 2] = -3 * sine, 3 * sine, -2.0
    found = at_the_origin(GRU(UNITS), {"weight_hh": rows(None, None, matrix)}, run, k=2).sum(axis=-1) / 2
    return Claim(found, np.log(0.8125 + 0.75 * cosine) / 2, 1e-13)
