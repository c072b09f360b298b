"""Trap: `1 - h^2` loses the slope of a saturated unit. ln slope is -2|a| + 2 ln 2 (tanh), -|a| (logistic), always."""

import numpy as np
import pytest
from support import exponent_rounding

import rnndyn as rd

ARGUMENTS = np.array([15.0, 20.0, 40.0])


def log_tanh_slope(a):
    """ln sech^2 a without cancellation."""
    return -2 * np.abs(a) + np.log(4) - 2 * np.log1p(np.exp(-2 * np.abs(a)))


def log_logistic_slope(a):
    """ln of sigma(a) sigma(-a) without cancellation."""
    return -np.abs(a) - 2 * np.log1p(np.exp(-np.abs(a)))


def saturated(activation, argument, image):
    """A unit of weight 1 that sits at the pre-activation `argument` (its state there is `image`)."""
    argument, image = np.asarray(argument), np.asarray(image)
    weights = {"weight_hh": np.ones((*argument.shape, 1, 1)), "bias_hh": (argument - image)[..., None]}
    return rd.Elman(1, activation=activation), weights, image[..., None]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_saturated_tanh_exponents(sign):
    """a = 15, 20, 40: -28.6137, -38.6137, -78.6137; `1 - h^2` is off by 1.7e-4 at 15 and -inf from 20 on."""
    a = sign * ARGUMENTS
    cell, weights, start = saturated("tanh", a, np.tanh(a))
    found = rd.lyapunov(cell, weights, steps=50, transient=10, state=start)
    expected = log_tanh_slope(a)
    np.testing.assert_allclose(expected, [-28.6137, -38.6137, -78.6137], rtol=0, atol=5e-5)
    np.testing.assert_allclose(found.exponents[:, 0], expected, rtol=0, atol=exponent_rounding(1, 4 * 40))
    assert np.all(found.status == rd.Status.OK)
    with np.errstate(divide="ignore"):
        lost = np.log(1 - np.tanh(a) ** 2)
    assert np.abs(lost - expected)[0] > 1e-4
    assert np.all(lost[1:] == -np.inf)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_saturated_logistic_exponents(sign):
    """sigma(1 - sigma) at a = +-15, 20, 40: -|a|."""
    a = sign * ARGUMENTS
    cell, weights, start = saturated("logistic", a, 1 / (1 + np.exp(-a)))
    found = rd.lyapunov(cell, weights, steps=50, transient=10, state=start)
    np.testing.assert_allclose(found.exponents[:, 0], log_logistic_slope(a), rtol=0, atol=exponent_rounding(1, 4 * 40))


def test_saturated_softplus_exponents():
    """The slope of softplus at a = -15, -20, -40 is sigma(a): its log is a, not -inf."""
    a = -ARGUMENTS
    cell, weights, start = saturated("softplus", a, np.log1p(np.exp(a)))
    found = rd.lyapunov(cell, weights, steps=50, transient=10, state=start)
    expected = a - np.log1p(np.exp(a))
    np.testing.assert_allclose(found.exponents[:, 0], expected, rtol=0, atol=exponent_rounding(1, 4 * 40))


def test_saturated_tanh_gradients():
    """BPTT through 30 saturated steps: 30 ln slope, and the one-step bias gradient is the slope itself."""
    a = np.concatenate([-ARGUMENTS, ARGUMENTS])
    cell, weights, start = saturated("tanh", a, np.tanh(a))
    found = rd.gradients(cell, weights, steps=30, state=start, cotangent_last=[1.0])
    np.testing.assert_allclose(found.log_norms[:, 0], 30 * log_tanh_slope(a), rtol=1e-13)
    one = rd.gradients(cell, weights, steps=1, state=start, cotangent_last=[1.0])
    np.testing.assert_allclose(np.log(one.weights["bias_hh"][:, 0]), log_tanh_slope(a), rtol=1e-14)


@pytest.mark.parametrize("gate", [0, 1, 3])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_saturated_lstm_gates(gate, sign):
    """Gates i, f, o at a = +-15, 20, 40: the gradient to their bias is sigma' times the rest."""
    a, start = sign * ARGUMENTS, np.array([0.0, 0.7])
    bias = np.tile([0.3, -0.2, 0.5, 0.1], (3, 1))
    bias[:, gate] = a
    last = [1.0, 0.0] if gate == 3 else [0.0, 1.0]
    found = rd.gradients(rd.LSTM(1), {"bias_ih": bias}, steps=1, state=start, cotangent_last=last)
    cell_state = rd.trajectory(rd.LSTM(1), {"bias_ih": bias}, steps=1, state=start)[:, 1, 1]
    rest = {0: np.tanh(0.5), 1: 0.7, 3: np.tanh(cell_state)}[gate]
    np.testing.assert_allclose(
        np.log(found.weights["bias_ih"][:, gate]), log_logistic_slope(a) + np.log(rest), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_saturated_gru_update_gate(reset_after, sign):
    """The update gate at a = +-15, 20, 40: the gradient to its bias is (h - n) sigma'."""
    a = sign * ARGUMENTS
    bias = np.tile([0.0, 0.0, 0.4], (3, 1))
    bias[:, 1] = a
    found = rd.gradients(
        rd.GRU(1, reset_after=reset_after), {"bias_ih": bias}, steps=1, state=[0.9], cotangent_last=[1.0]
    )
    expected = log_logistic_slope(a) + np.log(0.9 - np.tanh(0.4))
    np.testing.assert_allclose(np.log(found.weights["bias_ih"][:, 1]), expected, rtol=0, atol=1e-13)


def test_saturated_lstm_candidate():
    """The candidate at a = 15, 20, 40: its slope is sech^2, through the exponential."""
    bias = np.zeros((3, 4))
    bias[:, 2] = ARGUMENTS
    found = rd.gradients(rd.LSTM(1), {"bias_ih": bias}, steps=1, cotangent_last=[0.0, 1.0])
    expected = log_tanh_slope(ARGUMENTS) + np.log(0.5)
    np.testing.assert_allclose(np.log(found.weights["bias_ih"][:, 2]), expected, rtol=0, atol=1e-13)
