"""Steps of vector fields, and the cells that are made of them, at rest or of known volume.

These run uncompiled: they are short, and to compile a kernel for each of these cells would take longer than all the
rest. The tier "parity" holds the compiled kernels of every cell against the same uncompiled ones.
"""

import math

import numpy as np

from ...cells import (
    CFN,
    GRU,
    LEM,
    LSTM,
    RK4,
    Antisymmetric,
    CoRNN,
    Euler,
    EulerLSTM,
    ExponentialEuler,
    Leaky,
    Linear,
    LinearFlow,
    LipschitzRNN,
    Lorenz,
    Midpoint,
    Oscillator,
    Rate,
    SymplecticEuler,
    UnICORNN,
)
from .. import theory
from ..critical_step import critical_step
from ..flow_spectrum import flow_exponents
from ..linear_test import linear_test
from ..lyapunov import lyapunov
from ..trajectory import trajectory
from .truth import EPS, Claim, truths

TRUTHS, exact = truths("exact")
DAHLQUIST = "Hairer & Wanner 1996"


SCALARS = LinearFlow.vector_field(3)
OSCILLATOR = Oscillator.vector_field(1)


def spectrum(cell, weights, run, state=None, steps=40, **more):
    """Exponents per step, orthonormalised after each."""
    state = np.zeros(cell.state_size) if state is None else state
    given = {"state": state, "qr_every": 1, **({} if "inputs" in more else {"steps": steps}), **more}
    return lyapunov(cell, weights, **given, **{**run, "device": "python"}).exponents


@exact("Forward Euler of ds/dt = lambda s: ln |1 + dt lambda| / dt per unit time", DAHLQUIST)
def euler_step(run):
    rate, dt = np.array([-1.0, -3.0, 0.5]), np.array([0.1, 0.5])
    found = spectrum(Euler(SCALARS), {"rate": rate, "dt": dt}, run, steps=400).sum(axis=-1) / dt
    return Claim(found, theory.euler_exponent(rate, dt[:, None]).sum(axis=1), 1e4 * EPS)


@exact("RK4 is stable on the real axis down to dt lambda = -2.785294", DAHLQUIST)
def rk4_step(run):
    z = np.array([-0.5, -1.0, -2.785294])
    found = spectrum(RK4(SCALARS), {"rate": z[:, None] * np.ones(3), "dt": 1.0}, run)
    inside = np.log(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24)[:2]
    return Claim(found, np.append(inside, 0.0)[:, None], np.array([1e-14, 1e-14, 1e-6])[:, None])


@exact("harmonic oscillator, dt = 0.1: Euler ln(1 + dt^2)/(2 dt) = 0.0497517, symplectic Euler 0", "Hairer et al. 2006")
def oscillator(run):
    euler = spectrum(Euler(OSCILLATOR), {"dt": 0.1}, run, state=[1.0, 0.0]).sum()
    symplectic = spectrum(SymplecticEuler(OSCILLATOR), {"dt": 0.1}, run, state=[1.0, 0.0]).sum()
    return Claim(np.array([euler, symplectic]) / 0.2, [0.0497517, 0.0], [5e-8, 1e-12])


@exact(
    "antisymmetric cell: stable iff eps < 2 gamma/(gamma^2 + omega^2), 0.0745805; at eps = 0.1: +0.00508654",
    "Chang et al. 2019",
)
def antisymmetric_origin(run):
    weights = {"weight_hh": [[0.0, -2.0], [0.0, 0.0]], "gamma": 0.15, "dt": [0.3 / (0.15**2 + 4), 0.1, 0.0745805]}
    found = spectrum(Antisymmetric(2), weights, run).sum(axis=-1) / 2
    return Claim(found, [0.0, 0.00508654, 0.0], [1e-14, 5e-9, 5e-9])


@exact("CFN without input: every exponent is ln sigma(b_theta), whatever its weights", "Laurent & von Brecht 2017")
def cfn_forgets(run):
    rng = np.random.default_rng(0)
    weights = {"weight_hh": 3 * rng.normal(size=(4, 6, 3)), "bias_hh": np.append([1.25] * 3, rng.normal(size=3))}
    return Claim(spectrum(CFN(3, 2), weights, run), -math.log1p(math.exp(-1.25)), 1e3 * EPS)


@exact(
    "coRNN without W and U: a pair sums to ln |1 - dt epsilon|; by explicit Euler to another number",
    "Rusch & Mishra 2021",
)
def cornn_pairs(run):
    rng = np.random.default_rng(1)
    given = {"inputs": rng.normal(size=(20, 2)), "state": rng.normal(size=6)}
    weights = {"weight_ih": rng.normal(size=(3, 2)), "gamma": 1.5, "epsilon": 0.8, "dt": 0.3}
    cells = CoRNN(3, 2), Euler(CoRNN.vector_field(3, 2))
    found = [spectrum(cell, weights, run, **given).sum() for cell in cells]
    return Claim(found, 3 * np.log([1 - 0.24, 1 - 0.24 + 0.09 * 1.5]), 1e-12)


@exact("UnICORNN keeps the area: its spectrum sums to 0 under any input", "Rusch & Mishra 2021")
def unicornn_area(run):
    rng, cell = np.random.default_rng(2), UnICORNN(3, 2)
    weights = {n: rng.normal(size=shape) for n, shape in cell.shapes.items()} | {"dt": 0.5, "alpha": 0.7}
    found = spectrum(cell, weights, run, inputs=rng.normal(size=(50, 2)), state=rng.normal(size=6))
    return Claim(found.sum(), 0.0, 1e-11)


@exact("LEM of zero weights and dt = 1: all exponents ln 0.5, from any start", "Rusch et al. 2022")
def lem_of_zeros(run):
    return Claim(spectrum(LEM(3, 2), {}, run, state=np.arange(6.0)), math.log(0.5), 1e2 * EPS)


@exact("x <- (1-d) x + d J tanh(x) at the origin: ln |1 - d + d eig J|", "Sompolinsky et al. 1988")
def rate_origin(run):
    matrix, d = np.diag([0.9, 0.5, -0.6]) + np.triu(np.full((3, 3), 0.3), 1), np.array([0.1, 0.5, 1.0])
    found = spectrum(Rate(3, 2), {"weight_hh": matrix, "dt": d}, run).sum(axis=-1)
    truth = np.log(np.abs(1 - d[:, None] + d[:, None] * np.diag(matrix))).sum(axis=1)
    return Claim(found, truth, 1e3 * EPS)


@exact(
    "Lipschitz cell at the origin: det(I + dt (A + W)), each (1-b)(M + M^T) + b(M - M^T) - g I", "Erichson et al. 2021"
)
def lipschitz_origin(run):
    matrices, parameters = np.random.default_rng(3).normal(size=(2, 3, 3)), ((0.6, 0.3), (0.9, 0.1))
    parts = [
        (1 - b) * (m + m.T) + b * (m - m.T) - g * np.eye(3) for m, (b, g) in zip(matrices, parameters, strict=True)
    ]
    weights = {"weight_hh": matrices.reshape(6, 3), "beta_a": 0.6, "gamma_a": 0.3, "beta_w": 0.9, "gamma_w": 0.1}
    found = spectrum(LipschitzRNN(3, 2), weights, run).sum()
    return Claim(found, np.linalg.slogdet(np.eye(3) + 0.1 * sum(parts))[1], 1e3 * EPS)


def rotating(alpha):
    """`weight_hh` of a GRU whose candidate is 3 R(alpha) and that has no gates' weights, (..., 6, 2)."""
    matrix = np.zeros((*np.shape(alpha), 6, 2))
    matrix[..., 4, 0] = matrix[..., 5, 1] = 3 * np.cos(alpha)
    matrix[..., 5, 0], matrix[..., 4, 1] = 3 * np.sin(alpha), -3 * np.sin(alpha)
    return matrix


@exact(
    "h <- h + e (1-z)(n-h), candidate 3 R(alpha): Neimark-Sacker at cos alpha = (1 - 0.8125 e)/(1.5 - 0.75 e)",
    "Jacobian of the origin",
)
def rotation_flow(run):
    e = np.array([1e-3, 0.1, 0.5, 1.0])
    weights = {"weight_hh": rotating(np.arccos((1 - 0.8125 * e) / (1.5 - 0.75 * e))), "dt": e}
    return Claim(spectrum(Euler(GRU.vector_field(2)), weights, run).sum(axis=-1), 0.0, 1e-13)


@exact("the same boundary found by bisection of the measured exponent, e from 0.05 to 1", "Jacobian of the origin")
def rotation_boundary(run):
    e, cell = np.linspace(0.05, 1.0, 20), Euler(GRU.vector_field(2))
    low, high = np.zeros(20), np.full(20, np.pi / 2)
    for _ in range(40):
        alpha = 0.5 * (low + high)
        stable = spectrum(cell, {"weight_hh": rotating(alpha), "dt": e}, run, steps=2).sum(axis=-1) < 0
        low, high = np.where(stable, low, alpha), np.where(stable, alpha, high)
    return Claim(low, theory.rotation_gru(e), 1e-11)


@exact("one step over the plane of dt lambda: 1 + z + .. + z^p/p!, symplectic |R| = 1 up to |z| = 2", DAHLQUIST)
def linear_tests(run):
    z, how = np.array([-2.7, -0.5, 0.4, 0.0])[:, None] + 1j * np.array([-1.3, 0.0, 0.7]), {**run, "device": "python"}
    found = [linear_test(step, z, **how).growth for step in (Euler, Linear, Midpoint, RK4)]
    truth = [sum(z**j / math.factorial(j) for j in range(order + 1)) for order in (1, 1, 2, 4)]
    circle = linear_test(SymplecticEuler, 1j * np.linspace(0.1, 1.9, 12).reshape(4, 3), **how).modulus
    return Claim(np.abs([*(np.array(found) - truth), circle - 1.0]), 0.0, 1e2 * EPS)


@exact(
    "dt that loses a fixed point: antisymmetric 0.0745805, Euler 2/|lambda|, RK4 2.785294/|lambda|; exponential none",
    "Hairer & Wanner 1996",
)
def critical_steps(run):
    how = {**run, "device": "python", "settle": 50}
    pair = critical_step(Antisymmetric(2), {"weight_hh": [[0, -2], [0, 0]], "gamma": 0.15, "dt": 0.05}, **how).dt
    field, weights = LinearFlow.vector_field(1), {"rate": [-4.0], "dt": 0.1}
    found = [critical_step(step(field), weights, **how).dt for step in (Euler, RK4, ExponentialEuler)]
    return Claim([pair, *found], [0.3 / (0.15**2 + 4), 0.5, 2.78529356340528 / 4, np.inf], 1e-11)


@exact("GRU is Euler of dh/dt = (1-z)(n-h), LSTM of dc/dt = i g - (1-f) c, both with dt = 1", "Tallec & Ollivier 2018")
def gated_steps(run):
    rng, found = np.random.default_rng(4), []
    for cell, step in ((GRU(3), Euler(GRU.vector_field(3), dt=1.0)), (LSTM(3), EulerLSTM(3))):
        weights = {name: rng.normal(size=shape) for name, shape in cell.shapes.items()}
        given = {"steps": 20, "state": rng.normal(size=cell.state_size), **run, "device": "python"}
        found.append(np.abs(trajectory(step, weights, **given) - trajectory(cell, weights, **given)).max())
    return Claim(found, 0.0, 1e4 * EPS)


@exact("Lorenz 1963: the flow's exponents sum to -(sigma + 1 + beta), at any time", "Lorenz 1963")
def lorenz_flow(run):
    found = flow_exponents(Lorenz(1), {}, time=1.0, state=[1.0, 2.0, 20.0], progress=False).exponents
    return Claim(found.sum(), -41 / 3, 1e-6)


@exact("an antisymmetric network's flow settles at the rate gamma, a leaky one's at 1 - eig W", "Chang et al. 2019")
def network_flows(run):
    given = {"time": 2.0, "state": np.zeros(2), "progress": False}
    pair = flow_exponents(Antisymmetric(2), {"weight_hh": [[0, -2], [0, 0]], "gamma": 0.15}, **given).exponents
    leaky = flow_exponents(Leaky(2), {"weight_hh": np.diag([0.5, -1.0])}, transient=12.0, **given).exponents
    return Claim([*pair, *leaky], [-0.15, -0.15, -0.5, -2.0], 1e-7)
