"""Products of Jacobians: cycles, volumes, both directions through time; networks of cells; renumbered units."""

import numpy as np

from ...cells import GRU, LSTM, Bidirectional, Elman, Stack
from ..echo import echo_state
from ..gradients import gradients
from ..lyapunov import lyapunov
from ..trajectory import trajectory
from .truth import EPS, Claim, truths

TRUTHS, exact = truths("exact")
UNITS = 3


def weights_of(cell, seed, gain=1.0):
    """Random weights, the recurrent ones about `gain` large."""
    rng = np.random.default_rng(seed)
    scale = {"weight_hh": gain / np.sqrt(UNITS)}
    return {name: scale.get(name, 0.5) * rng.normal(size=shape) for name, shape in cell.shapes.items()}


def jacobian(cell, weights, state, steps, run):
    """d s_T / d s_0 by backpropagation of every component of s_T."""
    return gradients(cell, weights, steps=steps, state=state, cotangent_last=np.eye(cell.state_size), **run).state


@exact("a 3-cycle of matrices that do not commute: ln |eig| of their product, over 3", "Floquet")
def period_three(run):
    rng, cell = np.random.default_rng(5), Elman(UNITS)
    matrix = 1.6 * np.roll(np.eye(UNITS), 1, axis=0) + 0.1 * rng.normal(size=(UNITS, UNITS))
    start = trajectory(cell, {"weight_hh": matrix}, steps=999, state=[0.9, 0.9, -0.9], **run)[-1]
    again = trajectory(cell, {"weight_hh": matrix}, steps=3, state=start, **run)
    product = jacobian(cell, {"weight_hh": matrix}, start, 3, run)
    found = lyapunov(cell, {"weight_hh": matrix}, steps=3000, transient=3000, state=start, **run)
    truth = -np.sort(-np.log(np.abs(np.linalg.eigvals(product)))) / 3
    value = np.concatenate([found.exponents, again[3], [np.abs(again[1] - again[0]).max() > 0.1]])
    return Claim(value, np.concatenate([truth, again[0], [1.0]]), 1e-12 + np.append(found.stderr, [0.0] * 4))


@exact("a fixed point of a GRU: ln |eig| of its Jacobian", "Floquet")
def gated_fixed_point(run):
    cell = GRU(UNITS)
    weights = weights_of(cell, 3, gain=0.7)
    rest = trajectory(cell, weights, steps=2000, **run)[-1]
    found = lyapunov(cell, weights, steps=2000, transient=2000, state=rest, **run)
    truth = -np.sort(-np.log(np.abs(np.linalg.eigvals(jacobian(cell, weights, rest, 1, run)))))
    return Claim(found.exponents, truth, found.stderr + 1e-12)


@exact("chaotic or not, the spectrum sums to the mean of ln |det J|, J = diag(1 - h^2) W", "Liouville's formula")
def nonlinear_volume(run):
    matrices = 3.0 / np.sqrt(UNITS) * np.random.default_rng(6).normal(size=(6, UNITS, UNITS))
    state = 0.3 * np.ones(UNITS)
    found = lyapunov(Elman(UNITS), {"weight_hh": matrices}, steps=50, state=state, qr_every=1, **run).exponents.sum(-1)
    orbit = trajectory(Elman(UNITS), {"weight_hh": matrices}, steps=50, state=state, **run)
    sums = np.einsum("mij,mtj->mti", matrices, orbit[:, :-1])
    slopes = -2.0 * np.log(np.cosh(sums)).sum(axis=-1).mean(axis=1)
    truth = slopes + np.linalg.slogdet(matrices)[1]
    return Claim(found, truth, 1e4 * EPS * np.linalg.cond(matrices))


@exact("tangents forward and cotangents backward are one product: equal volumes over 4 steps", "Jacobi's formula")
def both_directions(run):
    found, truth, conditioning = [], [], []
    for number, cell in enumerate((Elman(UNITS), LSTM(UNITS), GRU(UNITS))):
        weights, state = weights_of(cell, 10 + number, gain=1.5), np.linspace(-0.5, 0.6, cell.state_size)
        found.append(4 * lyapunov(cell, weights, steps=4, state=state, qr_every=1, **run).exponents.sum())
        product = jacobian(cell, weights, state, 4, run)
        truth.append(np.linalg.slogdet(product)[1])
        conditioning.append(np.linalg.cond(product))
    return Claim(found, truth, 1e2 * EPS * np.array(conditioning))


@exact("renumbered units: the same states in the new order", "symmetry")
def permuted_units(run):
    order, found, truth = np.array([2, 0, 1]), [], []
    for cell, gates in ((Elman(UNITS), 1), (LSTM(UNITS), 4), (GRU(UNITS), 3)):
        weights, state = weights_of(cell, 7), np.linspace(-0.5, 0.6, cell.state_size)
        rows = np.concatenate([order + UNITS * gate for gate in range(gates)])
        fields = np.concatenate([order + UNITS * field for field in range(len(cell.fields))])
        renamed = {name: value[rows] for name, value in weights.items()}
        renamed["weight_hh"] = renamed["weight_hh"][:, order]
        truth.append(trajectory(cell, weights, steps=10, state=state, **run)[:, fields])
        found.append(trajectory(cell, renamed, steps=10, state=state[fields], **run))
    return Claim(np.concatenate(found, axis=1), np.concatenate(truth, axis=1), 1e3 * EPS)


@exact("layers: the union of their conditional spectra, each driven by the layer below", "triangular Jacobian")
def stacked_layers(run):
    layers = [Elman(UNITS), Elman(UNITS, UNITS)]
    net = Stack(layers)
    rng, state = np.random.default_rng(8), np.linspace(-0.5, 0.6, 2 * UNITS)
    weights = {name: rng.normal(size=shape) for name, shape in net.shapes.items()}
    own = [{n.removesuffix(f"_l{i}"): v for n, v in weights.items() if n.endswith(f"_l{i}")} for i in (0, 1)]
    found = lyapunov(net, weights, steps=60, state=state, **run).exponents
    below = trajectory(layers[0], own[0], steps=60, state=state[:UNITS], **run)[1:]
    lower = lyapunov(layers[0], own[0], steps=60, state=state[:UNITS], **run).exponents
    upper = lyapunov(layers[1], own[1], inputs=below, state=state[UNITS:], **run).exponents
    return Claim(found, -np.sort(-np.concatenate([lower, upper])), 1e-12)


@exact("both directions, equal weights, a palindrome: mirrored states, to the bit", "symmetry")
def palindrome(run):
    cell = Elman(UNITS, 2)
    net, weights = Bidirectional(cell), weights_of(cell, 9)
    both = {f"{name}_l0{way}": value for name, value in weights.items() for way in ("", "_reverse")}
    half = np.random.default_rng(9).normal(size=(6, 2))
    states = trajectory(net, both, inputs=np.concatenate([half, half[::-1]]), **run)
    return Claim(states[:, UNITS:], states[:, :UNITS], 0.0)


@exact("h <- tanh(r W h) loses its echo states at r = 1/rho(W), found by search from the origin", "Jaeger 2001")
def echo_state_of_a_network(run):
    matrices = np.random.default_rng(12).normal(size=(6, UNITS, UNITS))
    given = {"steps": 1000, "transient": 300, "state": np.zeros(UNITS), "between": (0.01, 10.0)}
    found = echo_state(Elman(UNITS), {"weight_hh": matrices}, **given, **run)
    truth = 1 / np.abs(np.linalg.eigvals(matrices)).max(axis=-1)
    return Claim(found.scale, truth, 2 * found.stderr + 1e-9)
