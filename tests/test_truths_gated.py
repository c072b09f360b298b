"""Truths of gated cells: forget gates as decay factors, stability of the origin, critical gains, the rotation GRU."""

import numpy as np
import pytest
from support import exponent_rounding, log_moduli, rotation
from twin import logistic

import rnndyn as rd


def lstm_gates(units, *, input_gate=0.0, forget=0.0, candidate=0.0, output=0.0):
    """An LSTM bias from one value (or one per unit) for each gate."""
    return np.concatenate([np.broadcast_to(v, (units,)) for v in (input_gate, forget, candidate, output)]).astype(float)


def from_origin(cell, weights, *, steps=100, transient=0, **keywords):
    """The spectrum of the origin, where the state stays."""
    start = np.zeros(cell.state_size)
    return rd.lyapunov(cell, weights, steps=steps, transient=transient, state=start, **keywords)


def test_lstm_without_recurrent_weights():
    """N exponents ln sigma(b_f), sorted, and N of -inf, whatever the other gates."""
    forget = np.array([-1.0, 3.0, 0.5])
    bias = lstm_gates(3, input_gate=0.7, forget=forget, candidate=[0.0, 0.2, -1.0], output=-0.3)
    cell = rd.LSTM(3)
    found = rd.lyapunov(cell, {"bias_ih": bias}, steps=500, transient=2000)
    expected = np.sort(np.log(logistic(forget)))[::-1]
    np.testing.assert_allclose(found.exponents[:3], expected, rtol=0, atol=exponent_rounding(6, 4))
    assert np.all(found.exponents[3:] == -np.inf)
    assert np.all(found.stderr[3:] == 0)
    assert found.status == rd.Status.SINGULAR


def test_half_life_of_the_forget_gate():
    """Half-lives in steps for b_f = 1, 2, 3: 2.2127, 5.4609, 14.2660."""
    bias = np.stack([lstm_gates(1, forget=b) for b in (1, 2, 3)])
    found = from_origin(rd.LSTM(1), {"bias_hh": bias}, transient=10, k=1)
    np.testing.assert_allclose(-np.log(2) / found.exponents[:, 0], [2.2127, 5.4609, 14.2660], rtol=0, atol=5e-5)


def test_forget_gate_is_the_decay_factor():
    """d c_T / d c_0 = sigma(b_f)^T; b_f = ln(T-1) gives (1 - 1/T)^T."""
    steps = 50
    forget = np.array([0.0, 1.0, np.log(steps - 1)])
    bias = lstm_gates(3, input_gate=0.4, forget=forget, candidate=0.3)
    last = np.array([0, 0, 0, 1.0, 1.0, 1.0])
    found = rd.gradients(rd.LSTM(3), {"bias_ih": bias}, steps=steps, cotangent_last=last)
    np.testing.assert_allclose(found.state[3:], logistic(forget) ** steps, rtol=1e-15 * 8 * steps)
    assert found.state[5] == pytest.approx((1 - 1 / steps) ** steps, rel=1e-15 * 8 * steps)
    assert np.all(found.state[:3] == 0)


def test_highway_of_five_hundred_steps():
    """0.90^499 = 1.5e-23 against 0.99^499 = 6.6e-3, with real gates."""
    gate = np.array([0.90, 0.99])
    bias = np.stack([lstm_gates(1, forget=b) for b in np.log(gate / (1 - gate))])
    found = rd.gradients(rd.LSTM(1), {"bias_ih": bias}, steps=499, cotangent_last=[0.0, 1.0])
    assert [f"{v:.1e}" for v in found.state[:, 1]] == ["1.5e-23", "6.6e-03"]
    np.testing.assert_allclose(found.log_norms[:, 0], 499 * np.log(gate), rtol=1e-13)


def plane(eigenvalue):
    """Real 2 x 2 matrices with the eigenvalue and its conjugate: scaled rotations."""
    return np.stack(
        [np.stack([eigenvalue.real, -eigenvalue.imag], -1), np.stack([eigenvalue.imag, eigenvalue.real], -1)], -2
    )


def stacked(*rows):
    """`weight_hh` from one block per gate, zeros by None."""
    shape = np.broadcast_shapes(*(np.shape(row) for row in rows if row is not None))
    return np.concatenate([np.broadcast_to(0.0 if row is None else row, shape) for row in rows], axis=-2)


EIGENVALUES = np.add.outer(np.linspace(-7, 4, 12), 1j * np.linspace(0.2, 5, 9))


def test_lstm_origin_is_stable_inside_a_circle():
    """Zero biases: multipliers 1/2 + w/4, stable iff |w + 2| < 4."""
    found = from_origin(rd.LSTM(2), {"weight_hh": stacked(None, None, plane(EIGENVALUES), None)}, k=2, transient=10)
    expected = np.log(np.abs(EIGENVALUES + 2) / 4)
    np.testing.assert_allclose(found.exponents, np.stack([expected] * 2, -1), rtol=0, atol=exponent_rounding(4))
    assert np.array_equal(found.exponents[..., 0] < 0, np.abs(EIGENVALUES + 2) < 4)


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_origin_is_stable_inside_the_same_circle(reset_after):
    """Zero biases: multipliers 1/2 + u/4, stable iff |u + 2| < 4, wherever the reset stands."""
    weights = {"weight_hh": stacked(None, None, plane(EIGENVALUES))}
    found = from_origin(rd.GRU(2, reset_after=reset_after), weights)
    expected = np.log(np.abs(EIGENVALUES + 2) / 4)
    np.testing.assert_allclose(found.exponents, np.stack([expected] * 2, -1), rtol=0, atol=exponent_rounding(2))
    assert np.array_equal(found.exponents[..., 0] < 0, np.abs(EIGENVALUES + 2) < 4)


def triangular(diagonal, rng):
    """A non-normal matrix with these eigenvalues."""
    return np.diag(diagonal) + np.triu(rng.normal(size=(len(diagonal),) * 2), 1)


def test_lstm_origin_with_gate_biases():
    """Multipliers sigma(b_f) + sigma(b_i) sigma(b_o) w over eig(W_g); the gates' own weights do not matter there."""
    rng, eigenvalues = np.random.default_rng(1), np.array([2.0, 0.5, -1.0])
    gates = [rng.normal(size=(3, 3)) for _ in range(3)]
    weights = {"weight_hh": stacked(gates[0], gates[1], triangular(eigenvalues, rng), gates[2])}
    weights["bias_ih"] = lstm_gates(3, input_gate=0.8, forget=1.0, output=-0.5)
    found = from_origin(rd.LSTM(3), weights, steps=300, transient=500)
    expected = np.log(np.abs(logistic(1.0) + logistic(0.8) * logistic(-0.5) * eigenvalues))
    np.testing.assert_allclose(found.exponents[:3], np.sort(expected)[::-1], rtol=0, atol=1e-12)
    assert np.all(found.exponents[3:] == -np.inf)


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_origin_with_gate_biases(reset_after):
    """Multipliers sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) u over eig(U_n)."""
    rng, eigenvalues = np.random.default_rng(2), np.array([2.0, 0.5, -1.0])
    gates = [rng.normal(size=(3, 3)) for _ in range(2)]
    weights = {"weight_hh": stacked(*gates, triangular(eigenvalues, rng)), "bias_hh": np.repeat([0.6, -0.4, 0.0], 3)}
    found = from_origin(rd.GRU(3, reset_after=reset_after), weights, steps=300, transient=500)
    z, r = logistic(-0.4), logistic(0.6)
    expected = np.log(np.abs(z + (1 - z) * r * eigenvalues))
    np.testing.assert_allclose(found.exponents, np.sort(expected)[::-1], rtol=0, atol=1e-12)


CRITICAL = {
    "plain": ("Elman", 1, None, 1.0),
    "gru": ("GRU", 3, None, 2.0),
    "lstm": ("LSTM", 4, None, 2.0),
    "lstm, forget bias 1": ("LSTM", 4, lstm_gates(3, forget=1.0), 1.075766),
}


@pytest.mark.parametrize("name", CRITICAL)
def test_critical_gain_of_the_origin(name):
    """Eigenvalues on the circle of radius g (a cycle of units): the origin is lost at g = 1, 2, 2, 1.075766."""
    family, gates, bias, critical = CRITICAL[name]
    gain = critical + np.array([-1e-6, 1e-6])[:, None, None]
    cycle = gain * np.roll(np.eye(3), 1, axis=0)
    rows = [None] * gates
    rows[{"Elman": 0}.get(family, 2)] = cycle
    weights = {"weight_hh": stacked(*rows)} | ({} if bias is None else {"bias_hh": bias})
    found = from_origin(getattr(rd, family)(3), weights, transient=200, k=1)
    assert found.exponents[0, 0] < 0 < found.exponents[1, 0]
    assert np.all(np.abs(found.exponents) < 2e-6)


def test_rotation_gru_loses_its_origin_at_a_quarter():
    """No gate weights, candidate 3 R(alpha): Neimark-Sacker at cos alpha = 1/4."""
    cosine = np.array([-0.9, 0.0, 0.25 - 1e-6, 0.25 + 1e-6, 0.8])
    matrices = np.stack([rotation(np.arccos(c), 3.0) for c in cosine])
    found = from_origin(rd.GRU(2), {"weight_hh": stacked(None, None, matrices)})
    expected = np.log(0.8125 + 0.75 * cosine) / 2
    np.testing.assert_allclose(found.exponents, np.stack([expected] * 2, -1), rtol=0, atol=exponent_rounding(2))
    assert np.array_equal(found.exponents[:, 0] > 0, cosine > 0.25)


def test_fixed_point_away_from_the_origin():
    """A GRU that settles: the spectrum is ln |eig J| at its fixed point, J by central differences of `trajectory`."""
    rng = np.random.default_rng(3)
    weights = {"weight_hh": rng.normal(size=(9, 3)) * 0.5, "bias_ih": rng.normal(size=9)}
    cell, delta = rd.GRU(3), 1e-5
    fixed = rd.trajectory(cell, weights, steps=2000)[-1]
    sides = fixed + delta * np.stack([np.eye(3), -np.eye(3)])
    images = rd.trajectory(cell, weights, steps=1, state=sides)[..., 1, :]
    jacobian = ((images[0] - images[1]) / (2 * delta)).T
    moduli = log_moduli(jacobian)
    assert np.all(np.diff(moduli) < -0.05)
    found = rd.lyapunov(cell, weights, steps=200, transient=3000, state=fixed)
    np.testing.assert_allclose(found.exponents, moduli, rtol=0, atol=1e-8)
