"""Truths of chaotic networks, of random networks, and of products of Jacobians."""

import mpmath
import numpy as np
import pytest
import twin
from support import assert_close, build, pooled, random_weights, rounding

import rnndyn as rd

GRU_WEIGHTS = np.array([[0, 1], [1, 0], [0, -1], [-1, -1], [-5, -8], [8, 5]], float)
LSTM_WEIGHTS = np.array([[-1, -4], [-3, -2], [-2, 6], [0, -6], [-1, -6], [6, -9], [4, 1], [-9, -7]], float)
PASEMANN = {"weight_hh": np.array([[-5, 1.5], [-1.5, 0]]), "bias_hh": np.array([-4.5, 0.0])}


def chaotic(cell, weights, centre, runs=96, steps=6000):
    """Independent runs from a small cloud of starts, after a transient."""
    starts = centre + 1e-3 * np.random.default_rng(1).normal(size=(runs, cell.state_size))
    found = rd.lyapunov(cell, weights, steps=steps, transient=1000, state=starts)
    assert np.all(found.status == rd.Status.OK)
    assert np.all(found.steps == steps)
    return found


def test_first_states_of_the_chaotic_gru():
    """Laurent and von Brecht 2017: reset before the product, our z of the other sign; three states to 1e-11."""
    states = rd.trajectory(rd.GRU(2, reset_after=False), {"weight_hh": GRU_WEIGHTS}, steps=3, state=[0.3, 0.2])
    expected = [
        [0.3, 0.2],
        [-0.382163956319, 0.670407866701],
        [-0.606797542133, -0.044523191136],
        [0.141073950660, -0.366908477228],
    ]
    np.testing.assert_allclose(states, expected, rtol=0, atol=1e-11)


def test_exponents_of_the_chaotic_gru():
    """(0.2203, -0.5400); uncertainty of the stated numbers 1e-3 (they are one long run's)."""
    found = chaotic(rd.GRU(2, reset_after=False), {"weight_hh": GRU_WEIGHTS}, np.array([0.3, 0.2]))
    error = pooled(found, [0.2203, -0.5400], stated=1e-3)
    assert np.all(error < 1.5e-3)


def test_reset_after_the_product_is_another_network():
    """The same matrices with the reset after the product: 0.041, five times less chaotic."""
    found = chaotic(rd.GRU(2), {"weight_hh": GRU_WEIGHTS}, np.array([0.3, 0.2]))
    error = pooled(rd.Lyapunov(*(v[..., :1] for v in found[:2]), *found[2:]), [0.041], stated=5e-4)
    assert np.all(error < 1.5e-3)


def test_first_state_of_the_chaotic_lstm():
    """All from 0.5: (h1, h2, c1, c2) after one step, to 1e-11."""
    states = rd.trajectory(rd.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, steps=1, state=np.full(4, 0.5))
    expected = [0.322828964991, -0.000015063832, 0.364678580339, -0.044949962582]
    np.testing.assert_allclose(states[1], expected, rtol=0, atol=1e-11)


def test_exponents_of_the_chaotic_lstm():
    """(0.1695, -0.3848, -1.677, -4.623) +- 2e-3: the whole state; the h-block alone would say -0.087."""
    found = chaotic(rd.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, np.full(4, 0.5))
    error = pooled(found, [0.1695, -0.3848, -1.677, -4.623], stated=2e-3)
    assert error[0] < 1.5e-3
    assert np.all(error < 6e-3)
    assert found.exponents[:, 0].min() > 0.1


def test_exponents_of_pasemanns_network():
    """Pasemann's chaotic neuromodule: (0.2306, -3.3588), one run of 1e6 steps, whose error is that of our pool."""
    found = chaotic(rd.Elman(2), PASEMANN, np.zeros(2), runs=128, steps=8000)
    error = pooled(found, [0.2306, -3.3588], stated=1e-3)
    assert np.all(error < 1.5e-3)


def test_one_long_run_agrees_with_many_short_ones():
    """One orbit of 2e5 steps and 100 orbits of 2e3 steps: the same exponent within their joint error."""
    long = rd.lyapunov(rd.Elman(2), PASEMANN, steps=200_000, transient=1000, k=1)
    short = rd.lyapunov(
        rd.Elman(2), PASEMANN, steps=2000, transient=1000, k=1, state=np.linspace(-1, 1, 200).reshape(100, 2)
    )
    error = np.hypot(long.stderr[0], np.sqrt(np.mean(short.stderr**2) / 100))
    assert abs(long.exponents[0] - short.exponents.mean()) < 4 * error
    assert error < 5e-3


def mean_field(gain):
    """lambda_1 of the infinite random tanh network: q = g^2 E tanh^2(sqrt(q) z), ln(g^2 E sech^4(sqrt(q) z)) / 2."""
    nodes, q = np.linspace(-10, 10, 20_001), 1.0
    masses = np.exp(-(nodes**2) / 2)
    masses /= masses.sum()
    for _ in range(500):
        q = gain**2 * masses @ np.tanh(np.sqrt(q) * nodes) ** 2
    return np.log(gain**2 * masses @ np.cosh(np.sqrt(q) * nodes) ** -4) / 2


def test_random_network_of_256_units():
    """g = 3: mean field 0.310249; N = 256: mean 0.3005, standard deviation over seeds 0.0025."""
    assert mean_field(3.0) == pytest.approx(0.310249, abs=2e-6)
    nets, units = 8, 256
    matrices = 3 / np.sqrt(units) * np.random.default_rng(4).normal(size=(nets, units, units))
    found = rd.lyapunov(rd.Elman(units), {"weight_hh": matrices}, steps=1500, transient=300, k=1)
    error = np.sqrt((0.0025**2 + np.mean(found.stderr**2)) / nets)
    assert abs(found.exponents.mean() - 0.3005) < 4 * error
    assert error < 2.4e-3
    assert found.exponents.mean() < 0.310249


def adjoint_product(cell, weights, **given):
    """The transposed Jacobians in reverse order, from the gradients of every component of the last state."""
    return rd.gradients(cell, weights, cotangent_last=np.eye(cell.state_size), **given).state


@pytest.mark.parametrize("family", ["tanh", "lstm", "gru", "gru_before"])
def test_forward_and_adjoint_products_share_singular_values(family):
    """The forward tangent product (twin) and the transposed adjoint product (package) have equal singular values."""
    rng, steps = np.random.default_rng(5), 8
    slow, cell = build(twin, family, 3, 2), build(rd, family, 3, 2)
    weights = random_weights(slow, rng, gain=1.5)
    given = {"inputs": rng.normal(size=(steps, 2)), "state": rng.normal(size=slow.state_size)}
    forward = np.eye(slow.state_size)
    for jacobian in twin.jacobians(slow, weights, **given):
        forward = jacobian @ forward
    adjoint = adjoint_product(cell, weights, **given)
    expected = np.linalg.svd(forward, compute_uv=False)
    assert_close(np.linalg.svd(adjoint, compute_uv=False), expected, rounding(steps, 20))
    assert_close(adjoint, forward, rounding(steps, 20))


def test_tangent_growth_reaches_the_adjoint_singular_values():
    """Growth of a vector over 3 steps (k = 1, many frames) spans the singular values of the adjoint product, N = 2."""
    rng, steps = np.random.default_rng(6), 3
    cell, weights, start = rd.Elman(2), {"weight_hh": np.eye(2) + 0.4 * rng.normal(size=(2, 2))}, np.array([0.4, -0.3])
    top, bottom = np.log(np.linalg.svd(adjoint_product(cell, weights, steps=steps, state=start), compute_uv=False))
    assert top - bottom < 4
    many = np.broadcast_to(start, (4000, 2))
    growth = steps * rd.lyapunov(cell, weights, steps=steps, k=1, state=many).exponents[:, 0]
    assert bottom - 1e-12 < growth.min() < bottom + 1e-2
    assert top - 1e-4 < growth.max() < top + 1e-12
    both = steps * rd.lyapunov(cell, weights, steps=steps, state=start).exponents.sum()
    assert both == pytest.approx(top + bottom, abs=1e-12)


@pytest.mark.parametrize(("family", "gates"), [("tanh", 1), ("lstm", 4), ("gru", 3)])
def test_permuting_units_changes_nothing(family, gates):
    """Renumbered units: the same states in the new order, and the same sum of exponents."""
    rng, units = np.random.default_rng(7), 4
    slow, cell, order = build(twin, family, units), build(rd, family, units), np.array([2, 0, 3, 1])
    weights, start = random_weights(slow, rng), rng.normal(size=slow.state_size)
    rows = np.concatenate([order + units * g for g in range(gates)])
    fields = np.concatenate([order + units * f for f in range(len(slow.fields))])
    renamed = {name: value[rows] for name, value in weights.items()}
    renamed["weight_hh"] = renamed["weight_hh"][:, order]
    one = rd.trajectory(cell, weights, steps=10, state=start)
    other = rd.trajectory(cell, renamed, steps=10, state=start[fields])
    assert_close(other, one[:, fields], rounding(10, 4 * gates))
    sums = [
        rd.lyapunov(cell, w, steps=40, transient=100, state=s, qr_every=1).exponents.sum()
        for w, s in ((weights, start), (renamed, start[fields]))
    ]
    assert sums[0] == pytest.approx(sums[1], abs=1e-10)


def gaussian(function):
    """Expectation under the standard normal."""
    return mpmath.quad(lambda z: function(z) * mpmath.npdf(z), [-9, -3, -1, 0, 1, 3, 9])


def test_mean_field_to_many_digits():
    """The quadrature of `mean_field` against mpmath at one gain, so that the truth above is not its own witness."""
    q = mpmath.findroot(lambda q: q - 9 * gaussian(lambda z: mpmath.tanh(mpmath.sqrt(q) * z) ** 2), 7.0)
    value = mpmath.log(9 * gaussian(lambda z: mpmath.sech(mpmath.sqrt(q) * z) ** 4)) / 2
    assert float(value) == pytest.approx(0.310249, abs=5e-7)
