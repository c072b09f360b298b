"""Non-normal growth: powers in closed form and by brute force, products along orbits, beyond the range of floats."""

import numpy as np
import pytest
import twin
from support import rotation
from test_truths_chaos import LSTM_WEIGHTS, PASEMANN

import rnndyn as rd

PLAIN = {"device": "python"}


def jordan_norm(a, b, k):
    """||[[a, b], [0, a]]^k|| = (|x| + sqrt(x^2 + 4 a^2k)) / 2, x = k b a^(k-1)."""
    x, y = k * b * a ** (k - 1.0), a ** (1.0 * k)
    return (np.abs(x) + np.sqrt(x**2 + 4 * y**2)) / 2


def test_trap_8_spectral_radius_below_one_still_grows_first():
    """[[0.9, 5], [0, 0.9]]: rho = 0.9, yet ||W^9|| = 19.4: closed form at every k, the supremum by brute force."""
    matrix, steps = np.array([[0.9, 5.0], [0.0, 0.9]]), 400
    found = rd.transient_growth(rd.Linear(2), {"weight_hh": matrix}, steps=steps, state=[0.0, 0.0], **PLAIN)
    k = np.arange(steps + 1)
    np.testing.assert_allclose(found.log_norms, np.log(jordan_norm(0.9, 5.0, k)), rtol=0, atol=1e-11)
    brute = [np.linalg.norm(np.linalg.matrix_power(matrix, n), 2) for n in range(100)]
    assert found.peak == pytest.approx(np.log(max(brute)), abs=1e-13)
    assert found.peak_step == np.argmax(brute) == 9
    np.testing.assert_allclose(found.sigma_max, np.linalg.norm(matrix, 2), rtol=1e-14)
    assert np.abs(np.linalg.eigvals(matrix)).max() < 1 < np.exp(found.peak) / 19
    assert found.log_norms[-1] < -30
    normal = rd.transient_growth(rd.Linear(2), {"weight_hh": 0.9 * rotation(0.4)}, steps=50, state=[0.0, 0.0], **PLAIN)
    assert (normal.peak, normal.peak_step) == (0.0, 0)
    np.testing.assert_allclose(normal.log_norms, np.arange(51) * np.log(0.9), atol=1e-13)


def test_growth_beyond_the_range_of_floats():
    """0.01^500 and 100^500: ln of both to rounding; a nilpotent matrix: -inf from its index on."""
    values = np.array([0.01, 100.0])
    found = rd.transient_growth(rd.Linear(1), {"weight_hh": values[:, None, None]}, steps=500, state=[0.0], **PLAIN)
    np.testing.assert_allclose(found.log_norms, np.outer(np.log(values), np.arange(501)), rtol=1e-13)
    assert found.peak_step.tolist() == [0, 500]
    gone = rd.transient_growth(
        rd.Linear(2), {"weight_hh": [[0.0, 7.0], [0.0, 0.0]]}, steps=3, state=[0.0, 0.0], **PLAIN
    )
    np.testing.assert_allclose(gone.log_norms, [0.0, np.log(7), -np.inf, -np.inf])
    assert (gone.peak, gone.peak_step) == (pytest.approx(np.log(7)), 1)


def test_products_along_a_chaotic_orbit():
    """||J_k .. J_1|| of the chaotic LSTM from the twin's Jacobians; never more than the product of the sigma_max."""
    steps, start = 40, np.full(4, 0.5)
    found = rd.transient_growth(rd.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, steps=steps, state=start)
    product, norms, sigmas = np.eye(4), [0.0], []
    for jacobian in twin.jacobians(twin.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, steps, state=start):
        product = jacobian @ product
        norms.append(np.log(np.linalg.norm(product, 2)))
        sigmas.append(np.linalg.norm(jacobian, 2))
    np.testing.assert_allclose(found.log_norms, norms, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.sigma_max, sigmas, rtol=1e-8)
    assert np.all(found.log_norms[1:] <= np.cumsum(np.log(found.sigma_max)) + 1e-12)
    assert found.log_norms[-1] > 2


def test_its_slope_is_the_first_exponent():
    """Pasemann's network: (1/T) ln ||J_T .. J_1|| over many orbits, within its scatter and the O(1/T) of alignment."""
    starts = np.random.default_rng(0).uniform(-1, 1, size=(64, 2))
    found = rd.transient_growth(rd.Elman(2), PASEMANN, steps=400, transient=100, state=starts)
    slopes = (found.log_norms[:, -1] - found.log_norms[:, 100]) / 300
    assert abs(slopes.mean() - 0.2306) < 4 * slopes.std(ddof=1) / 8 + 1e-3
    assert slopes.std(ddof=1) / 8 < 0.01


def test_frozen_at_a_fixed_point():
    """An unstable fixed point leaves the orbit soon; `frozen` takes the powers of its Jacobian alone."""
    matrix = np.array([[1.05, 3.0], [0.0, 0.7]])
    found = rd.transient_growth(rd.Elman(2), {"weight_hh": matrix}, steps=60, frozen=True, state=[1e-9, 0.0], **PLAIN)
    powers = [np.log(np.linalg.norm(np.linalg.matrix_power(matrix, n), 2)) for n in range(61)]
    np.testing.assert_allclose(found.log_norms, powers, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.sigma_max, np.full(60, np.linalg.norm(matrix, 2)), rtol=1e-12)
    assert found.status == rd.Status.OK
    along = rd.transient_growth(rd.Elman(2), {"weight_hh": matrix}, steps=300, state=[1e-2, 0.0], **PLAIN)
    assert along.log_norms[-1] < along.peak - 5 < along.peak < found.log_norms[-1] + 1


def test_sequences_of_different_length_and_divergence():
    """NaN after a sequence's end and from where the state is beyond the bound; the others are not touched."""
    rng, cell = np.random.default_rng(1), rd.Elman(2, 1)
    weights = {"weight_hh": rng.normal(size=(2, 2, 2)), "weight_ih": np.ones((2, 1))}
    inputs = rng.normal(size=(2, 9, 1))
    found = rd.transient_growth(cell, weights, inputs=inputs, lengths=[9, 5], state=np.zeros(2), **PLAIN)
    alone = rd.transient_growth(
        cell, {n: w[..., :] for n, w in weights.items()}, inputs=inputs, state=np.zeros(2), **PLAIN
    )
    np.testing.assert_array_equal(found.log_norms[0], alone.log_norms[0])
    np.testing.assert_array_equal(found.log_norms[1, :6], alone.log_norms[1, :6])
    assert np.isnan(found.log_norms[1, 6:]).all()
    assert np.isnan(found.sigma_max[1, 5:]).all()
    assert found.status.tolist() == [rd.Status.OK, rd.Status.OK]
    blown = rd.transient_growth(rd.Linear(1), {"weight_hh": [[[10.0]], [[0.5]]]}, steps=20, state=[1.0], **PLAIN)
    assert blown.status.tolist() == [rd.Status.DIVERGED, rd.Status.OK]
    np.testing.assert_allclose(blown.log_norms[0, :13], np.arange(13) * np.log(10), atol=1e-12)
    assert np.isnan(blown.log_norms[0, 14:]).all()
