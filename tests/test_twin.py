"""The twins themselves: complex step, finite differences, autograd of PyTorch, and truths they must meet alone."""

import numpy as np
import pytest
import twin
from support import FAMILIES, assert_close, build, exponent_rounding, random_weights

SMOOTH = [family for family in FAMILIES if family != "relu"]
SPANS = {"units": 3, "inputs": 2}


def network(family, seed=0, steps=6):
    """A random network with inputs, a start and cotangents."""
    rng = np.random.default_rng(seed)
    cell = build(twin, family, **SPANS)
    given = {"inputs": rng.normal(size=(steps, cell.inputs)), "state": rng.normal(size=cell.state_size)}
    return cell, random_weights(cell, rng), given, rng.normal(size=(steps + 1, cell.state_size))


def complex_step(function, at):
    """Jacobian of `function` by the complex step (error of order 1e-40)."""
    columns = [np.imag(function(at + 1e-20j * e)) / 1e-20 for e in np.eye(len(at))]
    return np.array(columns).T


def loss(cell, weights, given, cotangent):
    """The loss whose gradient the twins compute: sum over t of cotangent . state."""
    return np.sum(cotangent * twin.trajectory(cell, weights, **given))


def central(function, array, delta=1e-6):
    """Gradient by central differences, error of order delta^2 + eps/delta."""
    gradient = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        step = np.zeros(array.shape)
        step[index] = delta
        gradient[index] = (function(array + step) - function(array - step)) / (2 * delta)
    return gradient


@pytest.mark.parametrize("family", SMOOTH)
def test_jacobian_is_the_complex_step(family):
    """The Jacobian written by hand, against the complex step through `step`."""
    cell, weights, given, _ = network(family)
    x, w = given["inputs"][0], cell.fill(weights)
    assert_close(cell.jacobian(w, given["state"], x), complex_step(lambda s: cell.step(w, s, x), given["state"]), 1e-14)


@pytest.mark.parametrize("family", FAMILIES)
def test_pullback_is_the_transposed_jacobian(family):
    """The pullback and the Jacobian were written separately; they are transposes."""
    cell, weights, given, cotangent = network(family)
    w = cell.fill(weights)
    pulled = cell.pullback(w, given["state"], given["inputs"][0], cotangent[0]).state
    assert_close(pulled, cell.jacobian(w, given["state"], given["inputs"][0]).T @ cotangent[0], 1e-14)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_the_differences(family):
    """BPTT by hand, against central differences in every weight, input and start."""
    cell, weights, given, cotangent = network(family)
    found = twin.gradients(cell, weights, cotangent=cotangent, **given)
    for name in weights:
        expected = central(lambda v, n=name: loss(cell, weights | {n: v}, given, cotangent), weights[name])
        assert_close(found.weights[name], expected, 1e-8)
    for name in given:
        expected = central(lambda v, n=name: loss(cell, weights, given | {n: v}, cotangent), given[name])
        assert_close(getattr(found, name), expected, 1e-8)
    assert_close(found.log_norms[0], np.log(np.linalg.norm(found.state)), 1e-12)


def torch_module(torch, family):
    """PyTorch's module of the same family."""
    kinds = {"tanh": (torch.nn.RNN, {}), "relu": (torch.nn.RNN, {"nonlinearity": "relu"})}
    module, keywords = (kinds | {"lstm": (torch.nn.LSTM, {}), "gru": (torch.nn.GRU, {})})[family]
    return module(SPANS["inputs"], SPANS["units"], dtype=torch.float64, **keywords)


@pytest.mark.parametrize("family", ["tanh", "relu", "lstm", "gru"])
def test_gradients_are_autograd(family):
    """Trajectory and BPTT by hand, against PyTorch's module and its autograd (loss on h of every step)."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: no parity with it")
    cell, weights, given, cotangent = network(family)
    cotangent[0] = cotangent[:, cell.units :] = 0
    module = torch_module(torch, family)
    with torch.no_grad():
        for name, value in weights.items():
            getattr(module, f"{name}_l0").copy_(torch.as_tensor(value))
    x, start = (torch.tensor(given[name], requires_grad=True) for name in ("inputs", "state"))
    fields = [part[None] for part in torch.split(start, cell.units)]
    h, _ = module(x, tuple(fields) if len(fields) > 1 else fields[0])
    (h * torch.tensor(cotangent[1:, : cell.units])).sum().backward()
    found = twin.gradients(cell, weights, cotangent=cotangent, **given)
    assert_close(twin.trajectory(cell, weights, **given)[1:, : cell.units], h.detach().numpy(), 1e-13)
    assert_close(found.inputs, x.grad.numpy(), 1e-13)
    assert_close(found.state, start.grad.numpy(), 1e-13)
    for name in weights:
        assert_close(found.weights[name], getattr(module, f"{name}_l0").grad.numpy(), 1e-13)


def test_exponents_of_triangular_steps():
    """A linear map with known eigenvalues; blocks of 1, 3 and 7, the last one partial, give the same numbers."""
    weights = {"weight_hh": np.array([[0.5, 3.0, 1.0], [0.0, -0.9, 2.0], [0.0, 0.0, 0.2]])}
    for every in (1, 3, 7):
        found = twin.lyapunov(twin.Linear(3), weights, steps=50, transient=200, qr_every=every)
        np.testing.assert_allclose(found.exponents, np.log([0.9, 0.5, 0.2]), rtol=0, atol=1e-11)


@pytest.mark.parametrize("family", ["tanh", "lstm", "gru", "gru_before"])
def test_exponents_sum_to_the_determinant(family):
    """The sum of the spectrum is the mean of ln |det J|, whatever the frame."""
    cell, weights, given, _ = network(family, steps=40)
    found = twin.lyapunov(cell, weights, steps=40, qr_every=1, **given)
    expected = np.mean([np.linalg.slogdet(j)[1] for j in twin.jacobians(cell, weights, **given)])
    tolerance = exponent_rounding(cell.state_size, found.conditioning.sum())
    np.testing.assert_allclose(found.exponents.sum(), expected, rtol=0, atol=tolerance)


def test_rank_loss_is_minus_infinity():
    """A dead ReLU unit has the exponent -inf, not the log of rounding noise."""
    weights = {"weight_hh": np.array([[0.5, 0.3], [0.2, 0.4]]), "bias_hh": np.array([1.0, -9.0])}
    found = twin.lyapunov(twin.Elman(2, activation="relu"), weights, steps=30, transient=50)
    assert found.exponents[0] == pytest.approx(np.log(0.5), abs=1e-13)
    assert found.exponents[1] == -np.inf


def test_log_norms_beyond_float64():
    """0.01^500 and 100^500 in ln ||dL/ds_t||, the gradients themselves 0 and inf."""
    for w in (0.01, 100.0):
        found = twin.gradients(twin.Linear(1), {"weight_hh": [[w]]}, steps=500, state=[0.0], cotangent_last=[1.0])
        np.testing.assert_allclose(found.log_norms, np.log(w) * np.arange(500, -1, -1), rtol=1e-13, atol=1e-13)
        assert found.state[0] == (0.0 if w < 1 else np.inf)


def test_first_states_of_the_chaotic_networks():
    """Laurent and von Brecht's GRU (reset before the product, other sign of z) and the chaotic LSTM: science.md B."""
    gru = {"weight_hh": np.array([[0, 1], [1, 0], [0, -1], [-1, -1], [-5, -8], [8, 5]], float)}
    states = twin.trajectory(twin.GRU(2, reset_after=False), gru, steps=3, state=[0.3, 0.2])
    np.testing.assert_allclose(states[3], [0.141073950660, -0.366908477228], rtol=0, atol=1e-11)
    lstm = {"weight_hh": np.array([[-1, -4], [-3, -2], [-2, 6], [0, -6], [-1, -6], [6, -9], [4, 1], [-9, -7]], float)}
    states = twin.trajectory(twin.LSTM(2), lstm, steps=1, state=[0.5] * 4)
    expected = [0.322828964991, -0.000015063832, 0.364678580339, -0.044949962582]
    np.testing.assert_allclose(states[1], expected, rtol=0, atol=1e-11)


def test_saturated_slopes_come_from_the_exponential():
    """ln of the slope at a = 15, 20, 40: -2a + 2 ln 2 for tanh, -|a| for the logistic, up to exp(-|a|)."""
    for a in (15.0, 20.0, 40.0):
        assert np.log(twin.tanh_slope(a)) == pytest.approx(-2 * a + np.log(4) - 2 * np.log1p(np.exp(-2 * a)), rel=1e-14)
        assert np.log(twin.logistic_slope(-a)) == pytest.approx(-a - 2 * np.log1p(np.exp(-a)), rel=1e-14)
