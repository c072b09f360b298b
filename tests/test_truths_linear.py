"""Truths of linear maps: spectra, sums, Forward Euler, memory as a sum of powers, backpropagation in closed form."""

import numpy as np
import pytest
from support import assert_close, exponent_rounding, log_moduli, rotation, rounding

import rnndyn as rd


def spectrum(matrices, steps=200, transient=400, **keywords):
    """Exponents of linear maps, from the origin: the state stays there while the frame moves."""
    matrices = np.asarray(matrices, float)
    size = matrices.shape[-1]
    found = rd.lyapunov(
        rd.Linear(size), {"weight_hh": matrices}, steps=steps, transient=transient, state=np.zeros(size), **keywords
    )
    assert found.exponents.shape == (*matrices.shape[:-2], keywords.get("k", size))
    return found


def with_eigenvalues(values, count, seed):
    """Non-normal matrices with the given real eigenvalues, and the condition numbers of their eigenvectors."""
    rng = np.random.default_rng(seed)
    vectors = np.eye(len(values)) + 0.15 * rng.normal(size=(count, len(values), len(values)))
    return vectors @ np.diag(values) @ np.linalg.inv(vectors), np.linalg.cond(vectors)


def test_real_spectrum_is_the_eigenvalues():
    """Linear W: exponents ln |eig W|; the frame has converged (ratio 1.4 per step at least) after the transient."""
    values = np.array([1.4, -0.9, 0.6, -0.3, 0.1])
    matrices, condition = with_eigenvalues(values, 12, seed=1)
    found = spectrum(matrices)
    tolerance = exponent_rounding(5, np.max(condition) ** 2 * 14)
    np.testing.assert_allclose(found.exponents, np.broadcast_to(np.log(np.abs(values)), (12, 5)), atol=tolerance)
    assert tolerance < 1e-10
    assert np.all(found.status == rd.Status.OK)


def test_complex_spectrum_within_its_finite_time_bound():
    """Random W with complex pairs: volumes differ from |eig|^T by at most the conditioning of the eigenvectors."""
    matrices = np.random.default_rng(2).normal(size=(16, 5, 5)) / np.sqrt(5)
    found = spectrum(matrices, steps=20_000)
    for matrix, exponents in zip(matrices, found.exponents, strict=True):
        bound = 4 * np.log(np.linalg.cond(np.linalg.eig(matrix)[1])) * 5 / 20_000
        np.testing.assert_allclose(exponents, log_moduli(matrix), rtol=0, atol=bound)
        assert bound < 1e-2


def test_diagonal_is_its_logarithms_sorted():
    """diag(p): ln p, from large to small, though the canonical axes stand in another order."""
    p = np.array([[0.1, 0.5, -0.9, 0.3], [0.7, 1.2, 0.2, 0.4]])
    found = spectrum(p[:, :, None] * np.eye(4))
    expected = np.sort(np.log(np.abs(p)), axis=-1)[:, ::-1]
    np.testing.assert_allclose(found.exponents, expected, rtol=0, atol=exponent_rounding(4, 9))


def test_orthogonal_is_zero():
    """An orthogonal W neither grows nor shrinks: all exponents 0, and the error bar says so."""
    matrices = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 8, 8)))[0]
    found = spectrum(matrices)
    np.testing.assert_allclose(found.exponents, 0, rtol=0, atol=exponent_rounding(8))
    np.testing.assert_allclose(found.stderr, 0, rtol=0, atol=exponent_rounding(8))


@pytest.mark.parametrize("qr_every", [1, 3, None])
def test_sum_is_the_log_determinant(qr_every):
    """The sum of the full spectrum is ln |det W|, whatever the frame and from the first step on."""
    matrices = np.random.default_rng(4).normal(size=(16, 4, 4))
    found = spectrum(matrices, steps=50, transient=0, qr_every=qr_every)
    block = 4 * exponent_rounding(4, np.linalg.cond(matrices) ** (qr_every or 1))
    tolerance = block if qr_every else np.maximum(block, 1e-8)
    assert np.all(np.abs(found.exponents.sum(-1) - np.linalg.slogdet(matrices)[1]) <= tolerance)
    assert np.min(tolerance) < 1e-7


def test_first_exponents_are_those_of_the_full_spectrum():
    """k = 2 of 5: the two largest."""
    values = np.array([1.4, -0.9, 0.6, -0.3, 0.1])
    matrices, condition = with_eigenvalues(values, 4, seed=5)
    found = spectrum(matrices, k=2)
    expected = np.broadcast_to(np.log(np.abs(values[:2])), (4, 2))
    np.testing.assert_allclose(found.exponents, expected, rtol=0, atol=exponent_rounding(5, 14 * condition.max() ** 2))


def test_euler_plane():
    """Forward Euler as a network, W = 1 + dt Lambda: exponent ln |1 + dt lambda|, stable exactly inside the circle."""
    dt = 0.25
    real, imag = np.meshgrid(np.linspace(-10, 2, 25), np.linspace(0.1, 6, 13))
    matrices = np.eye(2) + dt * (real[..., None, None] * np.eye(2) + imag[..., None, None] * rotation(np.pi / 2))
    found = spectrum(matrices, steps=50, transient=0)
    expected = np.log(np.abs(1 + dt * (real + 1j * imag)))
    np.testing.assert_allclose(found.exponents, np.stack([expected] * 2, -1), rtol=0, atol=exponent_rounding(2))
    inside = np.abs(1 + dt * (real + 1j * imag)) < 1
    assert np.array_equal(found.exponents[..., 0] < 0, inside)
    assert 20 < inside.sum() < inside.size - 20


def test_oscillator_integrators():
    """Harmonic oscillator, dt = 0.1: Euler grows by ln(1 + dt^2)/(2 dt) = 0.0497517, backward decays, symplectic 0."""
    dt, field = 0.1, np.array([[0.0, 1.0], [-1.0, 0.0]])
    symplectic = np.array([[1.0, 0.0], [-dt, 1.0]]) @ np.array([[1.0, dt], [0.0, 1.0]])
    steps = 20_000
    found = spectrum([np.eye(2) + dt * field, np.linalg.inv(np.eye(2) - dt * field), symplectic], steps=steps)
    rate = found.exponents / dt
    np.testing.assert_allclose(rate[:2], [[0.0497517] * 2, [-0.0497517] * 2], rtol=0, atol=5e-8)
    bound = 2 * np.log(np.linalg.cond(np.linalg.eig(symplectic)[1])) / steps / dt
    np.testing.assert_allclose(rate[2], 0, rtol=0, atol=bound)
    assert bound < 1e-3


def test_antisymmetric_cell_linearised_at_its_origin():
    """gamma = 0.15, omega = 2: lost at eps = 2 gamma / (gamma^2 + omega^2) = 0.0745805; eps = 0.1: +0.00508654."""
    critical = 2 * 0.15 / (0.15**2 + 4)
    assert critical == pytest.approx(0.0745805, abs=5e-8)
    eps = np.array([critical - 1e-5, critical + 1e-5, 0.1])
    field = np.array([[-0.15, -2.0], [2.0, -0.15]])
    found = spectrum(np.eye(2) + eps[:, None, None] * field, steps=100, transient=0)
    assert found.exponents[0].max() < 0 < found.exponents[1].min()
    np.testing.assert_allclose(found.exponents[2], 0.00508654, rtol=0, atol=5e-9)


def test_random_tanh_network_at_the_origin():
    """Gain below one: the exponents of h <- tanh(J h) at the origin are ln |eig J|."""
    values = np.array([0.8, -0.5, 0.3])
    matrices, condition = with_eigenvalues(values, 6, seed=6)
    found = rd.lyapunov(rd.Elman(3), {"weight_hh": matrices}, steps=100, transient=2000, state=np.full(3, 0.01))
    expected = np.broadcast_to(np.log(np.abs(values)), (6, 3))
    np.testing.assert_allclose(found.exponents, expected, rtol=0, atol=exponent_rounding(3, 3 * condition.max() ** 2))


def test_memory_is_a_sum_of_powers():
    """Without phi, from zero: h_T = sum_i W^i V x_(T-i); and the reach dh_T/dx_(T-i) = W^i V."""
    rng, steps = np.random.default_rng(7), 9
    w, v, x = rng.normal(size=(3, 3)) * 0.5, rng.normal(size=(3, 2)), rng.normal(size=(steps, 2))
    powers = [np.linalg.matrix_power(w, steps - 1 - t) for t in range(steps)]
    weights = {"weight_hh": w, "weight_ih": v}
    states = rd.trajectory(rd.Linear(3, 2), weights, inputs=x)
    assert_close(states[-1], sum(p @ v @ x_t for p, x_t in zip(powers, x, strict=True)), rounding(steps, 5))
    found = rd.gradients(rd.Linear(3, 2), weights, inputs=x, cotangent_last=np.eye(3))
    assert_close(found.inputs, np.stack([p @ v for p in powers]).transpose(1, 0, 2), rounding(steps, 5))


def test_linear_backpropagation():
    """d x_T / d w = T x_0 w^(T-1), for w of either sign, at and around one."""
    w, steps = np.array([0.3, -0.9, 1.0, 1.1]), 100
    found = rd.gradients(rd.Linear(1), {"weight_hh": w[:, None, None]}, steps=steps, state=[2.0], cotangent_last=[1.0])
    np.testing.assert_allclose(
        found.weights["weight_hh"][:, 0, 0], steps * 2 * w ** (steps - 1), rtol=rounding(steps, 1)
    )
    np.testing.assert_allclose(found.state[:, 0], w**steps, rtol=rounding(steps, 1))


@pytest.mark.parametrize(("w", "printed"), [(1.1, "13780.6"), (0.9, "2.656e-05")])
def test_hundred_steps(w, printed):
    """1.1^100 = 13 780.6 and 0.9^100 = 2.656e-5, as gradients and as norms."""
    found = rd.gradients(rd.Linear(1), {"weight_hh": [[w]]}, steps=100, cotangent_last=[1.0])
    assert f"{found.state[0]:.6g}" == printed or f"{found.state[0]:.3e}" == printed
    np.testing.assert_allclose(found.log_norms, np.log(w) * np.arange(100, -1, -1), rtol=0, atol=8e-16 * 100)


def test_norms_far_beyond_float64():
    """0.01^500 and 100^500: ln ||dL/ds_t|| is right where the number itself is 0 or inf; a zero norm is -inf."""
    weights = {"weight_hh": np.array([0.01, 100.0, 0.0])[:, None, None]}
    found = rd.gradients(rd.Linear(1), weights, steps=500, cotangent_last=[1.0])
    expected = np.log(100.0) * np.arange(500, -1, -1)
    np.testing.assert_allclose(found.log_norms[:2], [-expected, expected], rtol=1e-13, atol=1e-13)
    assert np.all(found.log_norms[2, :-1] == -np.inf)
    assert found.log_norms[2, -1] == 0
    assert found.state[0, 0] == 0
    assert found.state[1, 0] == np.inf


def test_norms_with_direct_parts_on_every_scale():
    """Direct cotangents at t = 0, 200 and 500 of a decaying and a growing map: the sum is the larger, in full."""
    cotangent = np.zeros((501, 1))
    cotangent[[0, 200, 500]] = [[3.0], [-2.0], [1.0]]
    weights = {"weight_hh": np.array([0.01, 100.0])[:, None, None]}
    norms = rd.gradients(rd.Linear(1), weights, steps=500, cotangent=cotangent).log_norms
    ln = np.log(100.0)
    np.testing.assert_allclose(norms[0, [0, 100, 200, 201]], np.log([3, 2, 2, 1]) - ln * np.array([0, 100, 0, 299]))
    np.testing.assert_allclose(norms[1, [0, 200, 499]], ln * np.array([500, 300, 1]), rtol=1e-13)
