"""Truths of the steps and of the cells made by them: science.md B, each in closed form; and the order of each step."""

import math

import numpy as np
import pytest
from support import assert_close, log_moduli, rotation

import rnndyn as rd

PLAIN = {"device": "python"}  # short runs need no compiler


SCALAR, OSCILLATOR = rd.LinearFlow.vector_field(1), rd.Oscillator.vector_field(1)


def per_time(cell, weights, dt, steps=40, state=None, **keywords):
    """Exponents per unit time."""
    state = np.zeros(cell.state_size) if state is None else state
    found = rd.lyapunov(cell, weights | {"dt": dt}, steps=steps, qr_every=1, state=state, **keywords)
    return found.exponents / np.asarray(dt)[..., None]


# --- stability of the steps -------------------------------------------------------------------------------------------


def test_euler_of_a_scalar():
    """ln|1 + dt lambda| / dt; stable iff |1 + dt lambda| < 1."""
    rates, dt = np.array([-1.0, -3.0, 0.5, -25.0]), 0.1
    found = per_time(rd.Euler(SCALAR), {"rate": rates[:, None]}, np.full(4, dt), **PLAIN)[:, 0]
    np.testing.assert_allclose(found, np.log(np.abs(1 + dt * rates)) / dt, rtol=1e-13)
    assert np.array_equal(found < 0, [True, True, False, False])


def test_rk4_on_the_real_axis():
    """Multiplier 1 + z + z^2/2 + z^3/6 + z^4/24; the real axis is stable down to z = -2.785294 (to 1e-6)."""
    z = np.array([-0.5, -2.785294 + 1e-6, -2.785294 - 1e-6])
    found = per_time(rd.RK4(SCALAR), {"rate": z[:, None]}, np.ones(3), **PLAIN)[:, 0]
    np.testing.assert_allclose(found, np.log(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24), rtol=0, atol=1e-14)
    assert found[1] < 0 < found[2]


def test_midpoint_and_exponential_of_a_scalar():
    """Multipliers 1 + z + z^2/2, and e^z exactly, from tiny z (its series) to stiff ones."""
    z = np.array([-1e-9, -0.01, -0.0299, -0.06, -0.7, -30.0])
    found = per_time(rd.ExponentialEuler(SCALAR), {"rate": z[:, None]}, np.ones(6), **PLAIN)[:, 0]
    np.testing.assert_allclose(found, z, rtol=1e-13, atol=1e-15)
    found = per_time(rd.Midpoint(SCALAR), {"rate": z[:, None]}, np.ones(6), **PLAIN)[:, 0]
    np.testing.assert_allclose(found, np.log(1 + z + z**2 / 2), rtol=1e-12, atol=1e-15)


def test_harmonic_oscillator():
    """Euler: both exponents ln(1 + dt^2 w^2)/(2 dt), w = 1, dt = 0.1: 0.0497517; symplectic Euler keeps the area: 0."""
    start = [1.0, 0.0]
    euler = per_time(rd.Euler(OSCILLATOR), {}, 0.1, state=start, **PLAIN)
    assert euler.mean() == pytest.approx(math.log1p(0.01) / 0.2, rel=1e-12)
    assert euler.mean() == pytest.approx(0.0497517, abs=5e-8)
    assert per_time(rd.SymplecticEuler(OSCILLATOR), {}, 0.1, state=start, **PLAIN).sum() == pytest.approx(0, abs=1e-12)
    orbit = rd.trajectory(rd.SymplecticEuler(OSCILLATOR, dt=0.1), {}, steps=2000, state=start, **PLAIN)
    energy = np.sum(orbit**2, axis=1) / 2 - 0.05 * orbit[:, 0] * orbit[:, 1]  # what this step keeps exactly
    assert np.ptp(energy) < 1e-12
    first = [1.0, -0.1]  # p moves first, then q with the new p
    np.testing.assert_allclose(orbit[1], [1 + 0.1 * first[1], first[1]], rtol=1e-15)


def test_lorenz_contracts_as_its_divergence():
    """The exponents of the flow sum to -(sigma + 1 + beta) = -41/3; RK4 at dt = 0.005 to 1e-5."""
    found = per_time(rd.RK4(rd.Lorenz.vector_field(1)), {}, 0.005, steps=100, state=[1.0, 2.0, 20.0], **PLAIN)
    assert found.sum() == pytest.approx(-41 / 3, abs=1e-5)


def test_rotation_gru():
    """h <- h + e (1-z)(n-h), candidate 3 R(alpha): both multipliers on the circle at (1 - 0.8125 e)/(1.5 - 0.75 e)."""
    field = rd.GRU.vector_field(2)
    for e in (0.1, 0.5, 1.0):
        critical = math.acos((1 - 0.8125 * e) / (1.5 - 0.75 * e))
        for shift, sign in ((1e-4, 1), (0.0, 0), (-1e-4, -1)):
            weights = {"weight_hh": np.vstack([np.zeros((4, 2)), rotation(critical + shift, 3.0)])}
            pair = per_time(rd.Euler(field), weights, e, **PLAIN).sum()
            assert abs(pair) <= 1e-13 if sign == 0 else np.sign(pair) == -sign


def test_gated_cells_are_steps_of_length_one():
    """GRU: Euler of dh/dt = (1-z)(n-h); LSTM: Euler of dc/dt = i g - (1-f) c, both with dt = 1, driven or not."""
    rng, given = np.random.default_rng(0), {"steps": 10, **PLAIN}
    pairs = (rd.GRU(2, 1), rd.Euler(rd.GRU.vector_field(2, 1), dt=1.0)), (rd.LSTM(2, 1), rd.EulerLSTM(2, 1))
    for cell, step in pairs:
        weights = {name: rng.normal(size=shape) for name, shape in cell.shapes.items()}
        given |= {"inputs": rng.normal(size=(10, 1)), "state": rng.normal(size=cell.state_size)}
        one, other = (rd.trajectory(c, weights, **given) for c in (cell, step))
        assert_close(other, one, 1e-14)
        shorter = rd.trajectory(step, weights | {"dt": 0.5}, **given)
        assert np.abs(shorter[1] - one[1]).max() > 0.01


def test_a_short_step_of_the_lstm_slows_its_cell_path_alone():
    """Gates without weights: d c_{t+1}/d c_t = 1 - dt (1 - sigma(b_f)), as many exponents of h are -inf as there are
    units, whatever dt."""
    bias, dt = np.array([1.25, 1.25, 0.0, 0.0]), np.array([0.1, 0.5])
    given = {"steps": 40, "transient": 1, "qr_every": 1, "state": [0.0, 0.0], **PLAIN}
    found = rd.lyapunov(rd.EulerLSTM(1), {"bias_hh": bias, "dt": dt}, **given)
    forget = 1 / (1 + math.exp(-1.25))
    np.testing.assert_allclose(found.exponents[:, 0], np.log1p(-dt * (1 - forget)), rtol=1e-12)
    assert np.all(found.exponents[:, 1] == -np.inf)


# --- the cells --------------------------------------------------------------------------------------------------------


def test_antisymmetric_origin():
    """Stable iff eps < 2 gamma/(gamma^2 + omega^2), 0.0745805 for 0.15 and 2; at eps = 0.1: +0.00508654."""
    weights, critical = {"weight_hh": [[0.0, -2.0], [0.0, 0.0]], "gamma": 0.15}, 0.3 / (0.15**2 + 4)
    assert critical == pytest.approx(0.0745805, abs=5e-8)
    for dt, expected in ((critical, 0.0), (0.1, 0.00508654)):
        found = rd.lyapunov(rd.Antisymmetric(2), weights | {"dt": dt}, steps=40, state=[0.0, 0.0], **PLAIN)
        assert found.exponents.mean() == pytest.approx(expected, abs=5e-9)


def test_antisymmetric_circle():
    """eps = 0.1, W - W^T - gamma = [[-0.15, -2], [2, -0.15]]: (0, -0.005794); a third unit alone decays."""
    matrix = np.zeros((3, 3))
    matrix[0, 1], matrix[1, 0] = -1.5, 0.5
    found = rd.lyapunov(rd.Antisymmetric(3, 2, gamma=0.15, dt=0.1), {"weight_hh": matrix}, steps=40_000, transient=5000)
    expected = [0.0, -0.005794, math.log(1 - 0.015)]
    assert np.all(np.abs(found.exponents - expected) <= 4 * found.stderr + [0, 5e-7, 1e-12])
    assert np.all(found.stderr < 2e-4)


def test_cfn_forgets_at_the_rate_of_its_gate():
    """Zero input: every exponent is ln sigma(b_theta), whatever U; from any start once the state has decayed."""
    rng = np.random.default_rng(0)
    bias = np.concatenate([np.full(3, 1.25), rng.normal(size=3)])
    weights = {"weight_hh": 3 * rng.normal(size=(5, 6, 3)), "bias_hh": bias}
    expected = -math.log1p(math.exp(-1.25))
    exact = rd.lyapunov(rd.CFN(3, 2), weights, steps=40, state=np.zeros(3))
    np.testing.assert_allclose(exact.exponents, expected, rtol=1e-12)
    decayed = rd.lyapunov(rd.CFN(3, 2), weights, steps=400, transient=400, state=np.ones(3))
    np.testing.assert_allclose(decayed.exponents, expected, rtol=1e-10)


def test_cornn_pairs():
    """Without W and U a pair sums to ln|1 - dt eps|, whatever gamma, drive and start; only if the new z moves y."""
    rng = np.random.default_rng(1)
    inputs, state = rng.normal(size=(20, 2)), rng.normal(size=6)
    weights = {"weight_ih": rng.normal(size=(3, 2)), "gamma": 1.5, "epsilon": 0.8, "dt": 0.3}
    found = rd.lyapunov(rd.CoRNN(3, 2), weights, inputs=inputs, state=state, qr_every=1)
    assert found.exponents.sum() == pytest.approx(3 * math.log(1 - 0.24), abs=1e-12)
    euler = rd.Euler(rd.CoRNN.vector_field(3, 2))
    found = rd.lyapunov(euler, weights, inputs=inputs, state=state, qr_every=1, **PLAIN)
    assert found.exponents.sum() == pytest.approx(3 * math.log(1 - 0.24 + 0.09 * 1.5), abs=1e-12)


def test_unicornn_keeps_the_area():
    """det J = 1 for any weights and inputs: the spectrum sums to 0."""
    rng, cell = np.random.default_rng(2), rd.UnICORNN(3, 2)
    weights = {n: rng.normal(size=shape) for n, shape in cell.shapes.items()} | {"dt": 0.5, "alpha": 0.7}
    found = rd.lyapunov(cell, weights, inputs=rng.normal(size=(50, 2)), state=rng.normal(size=6), qr_every=1)
    assert found.exponents.sum() == pytest.approx(0, abs=1e-11)
    assert found.exponents[0] > 1e-3


def test_lem_of_zeros():
    """Zero weights and biases, dt = 1: all exponents ln 0.5, from any start."""
    found = rd.lyapunov(rd.LEM(3, 2), {}, steps=20, state=np.arange(6.0))
    np.testing.assert_allclose(found.exponents, math.log(0.5), rtol=1e-14)


def test_rate_and_leaky_origins():
    """x <- (1-d) x + d J tanh(x): exponents per unit time ln|1 - d + d mu|/d; leaky linear: eig of (1-a) I + a W."""
    matrix = np.diag([0.9, 0.5, -0.6]) + np.triu(np.full((3, 3), 0.3), 1)
    d = np.array([0.1, 0.5, 1.0])
    expected = np.array([log_moduli((1 - e) * np.eye(3) + e * matrix) for e in d])
    keywords = {"steps": 4000, "transient": 500, "state": np.zeros(3)}
    found = rd.lyapunov(rd.Rate(3, 2), {"weight_hh": matrix, "dt": d}, **keywords)
    assert np.all(np.abs(found.exponents - expected) <= found.stderr + 1e-12)
    keywords = {"steps": 200, "transient": 200, "state": np.ones(3), **PLAIN}
    found = rd.lyapunov(rd.Leaky(3, activation="identity"), {"weight_hh": matrix, "dt": 0.5}, **keywords)
    np.testing.assert_allclose(found.exponents, expected[1], rtol=0, atol=1e-12)
    leaky, elman = (rd.trajectory(c, {"weight_hh": matrix}, steps=9, state=np.ones(3), **PLAIN)
                    for c in (rd.Leaky(3, dt=1.0), rd.Elman(3)))  # fmt: skip
    assert_close(leaky, elman, 1e-15)


def test_lipschitz_matrices():
    """At the origin J = I + dt (A + W), each (1-beta)(M + M^T) + beta (M - M^T) - gamma I."""
    rng = np.random.default_rng(3)
    weights = {"weight_hh": rng.normal(size=(6, 3)), "beta_a": 0.6, "gamma_a": 0.3, "beta_w": 0.9, "gamma_w": 0.1}
    parts = [(1 - b) * (m + m.T) + b * (m - m.T) - g * np.eye(3)
             for m, b, g in zip(np.split(weights["weight_hh"], 2), (0.6, 0.9), (0.3, 0.1), strict=True)]  # fmt: skip
    jacobian = np.eye(3) + 0.1 * sum(parts)
    found = rd.lyapunov(rd.LipschitzRNN(3, 2), weights, steps=20, state=np.zeros(3), qr_every=1)
    assert found.exponents.sum() == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-12)


# --- orders -----------------------------------------------------------------------------------------------------------

ORDERS = [(rd.Euler, 1), (rd.Midpoint, 2), (rd.RK4, 4), (rd.SymplecticEuler, 1), (rd.ExponentialEuler, 1)]


@pytest.mark.parametrize(("step", "order"), ORDERS)
def test_order(step, order):
    """The error at t = 1 of a nonlinear flow falls as dt^order, fitted within 0.05 (SciPy's DOP853 is the truth)."""
    from scipy.integrate import solve_ivp

    rng = np.random.default_rng(4)
    family = rd.CoRNN if step is rd.SymplecticEuler else rd.Rate
    field = family.vector_field(3, 2)
    cell = step(field)
    weights = {n: rng.normal(size=s) for n, s in cell.shapes.items() if n.startswith(("weight", "bias"))}
    u, start = rng.normal(size=2), rng.normal(size=cell.state_size)
    one = rd.Euler(field, dt=1.0)  # s + f(s)

    def flow(t, s):
        return rd.trajectory(one, weights, inputs=u[None], steps=1, state=s, **PLAIN)[1] - s

    truth = solve_ivp(flow, (0, 1), start, method="DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    numbers = np.array([256, 512, 1024]) if order == 1 else np.array([32, 64, 128])
    errors = [np.linalg.norm(rd.trajectory(cell, weights | {"dt": 1 / k}, inputs=u[None], steps=int(k), state=start,
                                           **PLAIN)[-1] - truth) for k in numbers]  # fmt: skip
    fitted = -np.polyfit(np.log(numbers), np.log(errors), 1)[0]
    assert fitted == pytest.approx(order, abs=0.05)
