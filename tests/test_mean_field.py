"""Mean field of rate networks: published values, an independent solution of the flow, and networks themselves."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq

import rnndyn as rd
from rnndyn.dynamics.theory import mean_field_exponent, mean_field_mean_exponent, mean_field_rate_exponent
from rnndyn.errors import InputError

NODES = np.linspace(-8.0, 8.0, 161)  # the trapezoidal rule
WEIGHTS = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()


def expected(function, variance, covariance):
    """E function(x) function(y) by quadrature: x = c u + s v, y = c u + s w with independent u, v, w."""
    c, s = np.sqrt(max(covariance, 0.0)), np.sqrt(max(variance - covariance, 0.0))
    inner = function(c * NODES[:, None] + s * NODES) @ WEIGHTS
    return WEIGHTS @ inner**2


def log_cosh(x):
    return np.logaddexp(x, -x) - np.log(2.0)


def flow_exponent(g):
    """Sompolinsky, Crisanti & Sommers 1988: the covariance falls in a potential, lambda = -1 + sqrt(1 - E_0)."""

    def potential(covariance, variance):
        return -0.5 * covariance**2 + g**2 * expected(log_cosh, variance, covariance)

    variance = brentq(lambda q: potential(q, q) - potential(0.0, q), 0.05, g**2)

    def fall(_, state):
        return state[1], state[0] - g**2 * expected(np.tanh, variance, state[0])

    step, length = 0.02, 22.0
    times = np.arange(0.0, length, step)
    path = solve_ivp(fall, (0.0, length), (variance, 0.0), t_eval=times, rtol=1e-9, atol=1e-11)
    delta = path.y[0][: np.argmin(np.abs(path.y[0]))]  # rounding takes it off the saddle in the end
    slope = np.array([expected(lambda x: np.cosh(x) ** -2.0, variance, one) for one in delta])
    rest = g**2 * expected(lambda x: np.cosh(x) ** -2.0, variance, 0.0)
    well = 1.0 - np.append(g**2 * slope, np.full(len(times), rest))
    diagonal, beside = well + 2.0 / step**2, np.full(len(well) - 1, -1.0 / step**2)
    beside[0] *= np.sqrt(2.0)  # even solutions: the derivative at lag 0 is zero
    lowest = eigh_tridiagonal(diagonal, beside, select="i", select_range=(0, 0))[0][0]
    return -1.0 + np.sqrt(1.0 - lowest)


def test_published_values():
    found = mean_field_rate_exponent(3.0, [0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(found, [0.235461, 0.225401, 0.216124, 0.310249], atol=1e-6)
    np.testing.assert_allclose(mean_field_rate_exponent([1.5, 2.0], 1.0), [0.065217, 0.154724], atol=1e-6)


def test_one_step_agrees_with_the_formula_of_maps():
    gains = np.array([0.5, 1.0, 1.05, 1.2, 2.0, 5.0])
    np.testing.assert_allclose(mean_field_rate_exponent(gains, 1.0), mean_field_exponent(gains), atol=1e-8)


@pytest.mark.parametrize("g", [2.0, 3.0])
def test_the_flow_agrees_with_the_fall_in_a_potential(g):
    assert abs(mean_field_rate_exponent(g, 0.0) - flow_exponent(g)) < 3e-5  # the twin's differences: step^2 / 12


def test_steps_approach_the_flow_with_order_one():
    found = mean_field_rate_exponent(2.0, [0.0, 0.02, 0.04])
    assert abs(2 * found[1] - found[2] - found[0]) < 2e-5
    assert abs(found[1] - found[0]) > 1e-4


def test_below_gain_one_the_origin_decides():
    np.testing.assert_allclose(mean_field_rate_exponent([0.4, 0.9], 0.0), [-0.6, -0.1], rtol=1e-12)
    np.testing.assert_allclose(mean_field_rate_exponent(0.4, 0.5), np.log(0.5 + 0.5 * 0.4) / 0.5, rtol=1e-12)
    assert mean_field_rate_exponent(1.0, 0.25) == 0.0
    assert np.isnan(mean_field_rate_exponent(1.01, 0.25))
    assert 0.0 < mean_field_rate_exponent(1.05, 0.0) < 0.05


def test_mean_exponent():
    z = np.linspace(-10, 10, 4001)
    weight = np.exp(-z * z / 2)
    weight /= weight.sum()
    q = brentq(lambda q: 9.0 * weight @ np.tanh(np.sqrt(q) * z) ** 2 - q, 1.0, 9.0)
    closed = np.log(3.0) - 0.5 - 2.0 * weight @ log_cosh(np.sqrt(q) * z)
    np.testing.assert_allclose(mean_field_mean_exponent(3.0), closed, atol=1e-9)
    assert mean_field_mean_exponent(3.0, 0.0) == -1.0
    # The origin's Jacobian is (1 - dt) + dt J: for small gains its spectrum is a disc that leaves out 0.
    np.testing.assert_allclose(mean_field_mean_exponent(0.5), np.log(0.5) - 0.5, rtol=1e-12)
    np.testing.assert_allclose(mean_field_mean_exponent(0.5, 0.25), np.log(0.75) / 0.25, rtol=1e-12)
    inside = (np.log(0.5) + 0.5 * np.log(1.0 + 0.8 * 0.9**2) + np.log(1.0)) / 0.5
    assert mean_field_mean_exponent(0.9, 0.5) < inside


@pytest.mark.parametrize(("g", "dt"), [(3.0, 0.5), (3.0, 0.25), (2.0, 0.7)])
def test_mean_exponent_of_networks(g, dt):
    sizes, rng, means, errors = (50, 100, 200), np.random.default_rng(1), [], []
    for n in sizes:
        found = []
        for _ in range(8):
            j, x = g * rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=n)
            for _ in range(int(60 / dt)):
                x = (1 - dt) * x + dt * j @ np.tanh(x)
            logs = []
            for _ in range(8):
                for _ in range(10):
                    x = (1 - dt) * x + dt * j @ np.tanh(x)
                jacobian = (1 - dt) * np.eye(n) + dt * j / np.cosh(x) ** 2
                logs.append(np.linalg.slogdet(jacobian)[1] / n / dt)
            found.append(np.mean(logs))
        means.append(np.mean(found))
        errors.append(np.std(found, ddof=1) / np.sqrt(len(found)))
    fit = rd.extrapolate(sizes, means, errors)
    theory = float(mean_field_mean_exponent(g, dt))
    assert abs(fit.limit - theory) < 3 * fit.stderr
    assert fit.stderr < 0.03


def test_what_cannot_be_is_refused():
    for gain, dt in ((0.0, 1.0), (-1.0, 1.0), (np.inf, 1.0)):
        with pytest.raises(InputError, match="`gain` must be positive"):
            mean_field_rate_exponent(gain, dt)
    for dt in (-0.1, 1.1, np.nan):
        with pytest.raises(InputError, match="`dt` must lie between"):
            mean_field_mean_exponent(2.0, dt)
