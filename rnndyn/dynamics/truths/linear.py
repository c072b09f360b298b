"""Linear networks: spectra, sums, memory as a sum of powers, backpropagation."""

import numpy as np

from ...cells import Linear
from .. import theory
from ..gradients import gradients
from ..lyapunov import lyapunov
from ..trajectory import trajectory
from .truth import EPS, Claim, truths

TRUTHS, exact = truths("exact")
UNITS = 3


def spectrum(matrices, run, steps=200, transient=400, **more):
    """Exponents at the origin, where the state stays while the frame moves."""
    start = np.zeros(UNITS)
    given = {"steps": steps, "transient": transient, "state": start, **more, **run}
    return lyapunov(Linear(UNITS, 2), {"weight_hh": matrices}, **given).exponents


def powers(matrix, count):
    """W^0 .. W^(count - 1)."""
    return [np.linalg.matrix_power(matrix, i) for i in range(count)]


@exact("h <- W h, W not normal: exponents ln |eig W|", "Oseledets 1968")
def linear_spectrum(run):
    values = np.array([1.4, -0.9, 0.3])
    vectors = np.eye(UNITS) + 0.15 * np.random.default_rng(1).normal(size=(8, UNITS, UNITS))
    found = spectrum(vectors @ np.diag(values) @ np.linalg.inv(vectors), run)
    conditioning = 5.0 * np.linalg.cond(vectors).max() ** 2  # of the frame, times the worst ratio of growth factors
    return Claim(found, np.log(np.abs(values)), 32 * UNITS * EPS * conditioning)


@exact("diag(p): exponents ln p, sorted", "Oseledets 1968")
def diagonal(run):
    p = np.array([[0.1, 0.5, -0.9], [0.7, 1.2, 0.2]])
    return Claim(spectrum(p[:, :, None] * np.eye(UNITS), run), -np.sort(-np.log(np.abs(p)), axis=1), 1e3 * EPS)


@exact("an orthogonal W: every exponent is 0", "Oseledets 1968")
def orthogonal(run):
    matrices = np.linalg.qr(np.random.default_rng(3).normal(size=(5, UNITS, UNITS)))[0]
    return Claim(spectrum(matrices, run), 0.0, 1e2 * EPS)


@exact("the spectrum sums to ln |det W|", "Liouville's formula")
def linear_volume(run):
    matrices = np.random.default_rng(4).normal(size=(16, UNITS, UNITS))
    found = spectrum(matrices, run, steps=50, transient=0, qr_every=1).sum(axis=-1)
    return Claim(found, np.linalg.slogdet(matrices)[1], 1e2 * EPS * np.linalg.cond(matrices))


@exact("without phi, from zero: h_T = sum_i W^i W_x x_(T-i)", "unrolled recursion")
def memory_of_powers(run):
    rng = np.random.default_rng(7)
    w, v, x = 0.5 * rng.normal(size=(UNITS, UNITS)), rng.normal(size=(UNITS, 2)), rng.normal(size=(9, 2))
    found = trajectory(Linear(UNITS, 2), {"weight_hh": w, "weight_ih": v}, inputs=x, **run)[-1]
    truth = sum(power @ v @ past for power, past in zip(powers(w, 9), x[::-1], strict=True))
    return Claim(found, truth, 1e2 * EPS * np.abs(x).sum())


@exact("its reach: d h_T / d x_(T-i) = W^i W_x", "chain rule")
def reach_of_powers(run):
    rng = np.random.default_rng(7)
    w, v, x = 0.5 * rng.normal(size=(UNITS, UNITS)), rng.normal(size=(UNITS, 2)), rng.normal(size=(9, 2))
    weights, cell = {"weight_hh": w, "weight_ih": v}, Linear(UNITS, 2)
    found = gradients(cell, weights, inputs=x, cotangent_last=np.eye(UNITS), **run).inputs
    return Claim(found, np.stack([p @ v for p in powers(w, 9)[::-1]], axis=1), 1e2 * EPS * np.linalg.norm(v))


@exact("constant force: h <- a (w h + F) settles at a F / (1 - a w) from every start if |a w| < 1", "geometric series")
def settling(run):
    slope, w, force = 0.5, np.array([1.8, -1.9, 0.6]), np.array([1.0, -3.0, 0.2])
    weights = {"weight_hh": np.diag(slope * w), "bias_hh": slope * force}
    starts = np.array([[0.0, 0.0, 0.0], [100.0, -100.0, 1.0], [-5.0, 7.0, -1e3]])
    found = trajectory(Linear(UNITS, 2), weights, steps=1000, state=starts, **run)[:, -1]
    return Claim(found, theory.linear_settled(w, force, slope), 1e3 * EPS * np.abs(force))


@exact("constant force, |a w| > 1: every start but a F / (1 - a w) leaves it as (a w)^t", "geometric series")
def unbounded_growth(run):
    slope, w, force = 0.5, np.array([2.2, -2.4, 3.0]), np.array([1.0, -3.0, 0.2])
    rest = slope * force / (1 - slope * w)
    weights = {"weight_hh": np.diag(slope * w), "bias_hh": slope * force}
    starts = rest + np.array([[1.0, 1e-3, -1.0], [-2.0, 1.0, 0.1]])
    found = trajectory(Linear(UNITS, 2), weights, steps=60, state=starts, **run)
    grown = (found[:, -1] - rest) / (found[:, 0] - rest)
    return Claim(grown / (slope * w) ** 60, 1.0, 1e-10)


@exact("h <- w h: d x_T / d w = T x_0 w^(T-1); 1.1^100 = 13 780.6, 0.9^100 = 2.656e-5", "Werbos 1990")
def linear_backpropagation(run):
    w, steps = np.array([1.1, 0.9, -0.3]), 100
    given = {"steps": steps, "state": 2.0 * np.ones(UNITS), "cotangent_last": np.ones(UNITS)}
    found = gradients(Linear(UNITS, 2), {"weight_hh": np.diag(w)}, **given, **run)
    value = np.stack([np.diag(found.weights["weight_hh"]), found.state])
    truth = np.stack([theory.linear_gradient(w, steps, 2.0), w**steps])
    return Claim(np.append(value, found.state[0]), np.append(truth, 13780.6), np.append(1e3 * EPS * abs(truth), 0.05))


@exact("0.01^500 and 100^500: ln ||dL/ds_t|| where the numbers themselves are 0 or infinite", "chain rule")
def norms_beyond_float64(run):
    weights = {"weight_hh": np.array([0.01, 100.0])[:, None, None] * np.eye(UNITS)}
    last = np.array([1.0, 0.0, 0.0])
    found = gradients(Linear(UNITS, 2), weights, steps=500, cotangent_last=last, **run).log_norms
    truth = np.log(100.0) * np.arange(500, -1, -1)
    return Claim(found, np.stack([-truth, truth]), 1e3 * EPS * (1 + truth))


@exact("Forward Euler as a network, W = I + dt Lambda: exponents ln |1 + dt lambda|", "Hairer & Wanner 1996")
def euler_plane(run):
    dt, z = 0.25, np.add.outer(np.linspace(-10, 2, 7), 1j * np.linspace(0.1, 6, 5))
    matrices = np.zeros((*z.shape, UNITS, UNITS))
    matrices[..., 0, 0] = matrices[..., 1, 1] = 1 + dt * z.real
    matrices[..., 1, 0], matrices[..., 0, 1] = dt * z.imag, -dt * z.imag
    matrices[..., 2, 2] = 1e-3  # far below, so that the pair comes first
    found = spectrum(matrices, run, k=2).sum(axis=-1) / 2
    return Claim(found, np.log(np.abs(1 + dt * z)), 1e3 * EPS)


@exact(
    "harmonic oscillator, dt = 0.1: Euler grows by 0.0497517 per unit time, backward Euler decays so",
    "Hairer & Wanner 1996",
)
def oscillator_of_matrices(run):
    dt, field = 0.1, np.array([[0.0, 1.0], [-1.0, 0.0]])
    matrices = np.zeros((2, UNITS, UNITS))
    matrices[:, :2, :2] = np.eye(2) + dt * field, np.linalg.inv(np.eye(2) - dt * field)
    matrices[:, 2, 2] = 1e-3
    found = spectrum(matrices, run, k=2).sum(axis=-1) / 2 / dt
    return Claim(found, [0.0497517, -0.0497517], 5e-8)
