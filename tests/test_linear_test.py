"""The linear test: growth measured from the kernels, against stability functions known from the literature."""

import math

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.dynamics.step_stability import coefficients, critical_dt, growth_factor

PLAIN = {"device": "python"}
EPS = np.finfo(float).eps
GRID = np.linspace(-4.1, 1.4, 12)[:, None] + 1j * np.linspace(-3.2, 3.2, 11)
RALSTON = rd.Tableau(a=((), (2 / 3,)), b=(1 / 4, 3 / 4))
KUTTA = rd.Tableau(a=((), (1 / 2,), (-1.0, 2.0)), b=(1 / 6, 2 / 3, 1 / 6))


def series(order):
    """1 + z + .. + z^order / order!, what any step of as many stages as its order multiplies by."""
    return lambda z: sum(z**j / math.factorial(j) for j in range(order + 1))


def partly_exact(z):
    """e^x + i y (e^x - 1)/x."""
    x = np.where(z.real == 0, 1e-300, z.real)
    return np.exp(x) + 1j * z.imag * np.expm1(x) / x


KNOWN = {
    "Euler": (rd.Euler, series(1)),
    "Midpoint": (rd.Midpoint, series(2)),
    "Ralston": (RALSTON, series(2)),
    "Kutta": (KUTTA, series(3)),
    "RK4": (rd.RK4, series(4)),
    "ExponentialEuler": (rd.ExponentialEuler, partly_exact),
    "recurrent cell": (rd.Linear, series(1)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_growth_over_the_plane(name):
    """R(z) as measured and as the module has it, against Taylor's series; exponent and region follow from it."""
    step, known = KNOWN[name]
    found, truth = rd.linear_test(step, GRID, dt=0.25, **PLAIN), known(GRID)
    tolerance = 40 * EPS * np.exp(np.abs(GRID))
    assert np.all(np.abs(found.growth - truth) <= tolerance)
    assert np.all(np.abs(found.formula - truth) <= tolerance)
    np.testing.assert_allclose(found.exponent, np.log(np.abs(truth)) / 0.25, rtol=1e-9, atol=1e-12)
    assert np.array_equal(found.stable, np.abs(truth) < 1)
    assert 0 < found.stable.sum() < found.stable.size


def test_growth_of_the_symplectic_step():
    """Of the oscillator's matrix [[1 - |z|^2, 1 + 2x], [-|z|^2, 1 + 2x]]; on the axis |R| = 1 up to |z| = 2."""
    found = rd.linear_test(rd.SymplecticEuler, GRID, dt=0.25, **PLAIN)
    square, damped = np.abs(GRID) ** 2, 1 + 2 * GRID.real
    matrix = np.stack([np.stack([1 - square, damped], -1), np.stack([-square, damped], -1)], -2)
    radius = np.abs(np.linalg.eigvals(matrix)).max(axis=-1)
    np.testing.assert_allclose(found.modulus, radius, rtol=1e-12)
    np.testing.assert_allclose(found.growth, found.formula, rtol=1e-11)
    axis = rd.linear_test(rd.SymplecticEuler, [0.3j, -1.9j, 1.999j, 2.01j], **PLAIN)
    np.testing.assert_allclose(axis.modulus[:3], 1.0, rtol=1e-13)
    assert axis.modulus[3] > 1.1
    np.testing.assert_allclose(np.angle(axis.growth[:2]), [2 * math.asin(0.15), -2 * math.asin(0.95)], rtol=1e-12)


def test_one_region_by_three_ways():
    """Forward Euler's run, the network W = I + dt Lambda and |1 + z| < 1 agree on every point of the plane."""
    regions = [rd.linear_test(step, GRID, dt=0.1, device="auto") for step in (rd.Euler, rd.Linear)]
    formula = np.abs(1 + GRID) < 1
    assert all(np.array_equal(found.stable, formula) for found in regions)
    uncompiled = rd.linear_test(rd.Euler, GRID, dt=0.1, **PLAIN)
    np.testing.assert_allclose(regions[0].growth, uncompiled.growth, rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("step", [rd.Midpoint, rd.RK4, rd.SymplecticEuler, rd.ExponentialEuler])
def test_compiled_growth(step):
    """The compiled kernels' growth is the formula's."""
    found = rd.linear_test(step, GRID)
    assert np.all(np.abs(found.growth - found.formula) <= 40 * EPS * np.exp(np.abs(GRID)))


def test_exponents_are_those_of_long_runs():
    """The exponent of one step is that of `lyapunov`; the oscillator at dt = 0.1: Euler 0.0497517, symplectic 0."""
    rate, turn = np.array([-0.4, 0.1, -3.0]), np.array([1.0, 2.0, 5.0])
    found = rd.linear_test(rd.RK4, 0.3 * (rate + 1j * turn), dt=0.3, **PLAIN)
    weights = {"weight_hh": turn[:, None, None] * np.array([[0.0, -1.0], [1.0, 0.0]]), "rate": rate[:, None] * [1, 1]}
    cell = rd.RK4(rd.LinearFlow.vector_field(2), dt=0.3)
    long = rd.lyapunov(cell, weights, steps=30, qr_every=1, state=[1.0, 0.0], **PLAIN)
    np.testing.assert_allclose(long.exponents / 0.3, found.exponent[:, None] * [1, 1], rtol=1e-12)
    euler = rd.linear_test(rd.Euler, 0.1j, dt=0.1, **PLAIN).exponent
    assert euler == pytest.approx(0.0497517, abs=5e-8)
    assert rd.linear_test(rd.SymplecticEuler, 0.1j, dt=0.1, **PLAIN).exponent == pytest.approx(0.0, abs=1e-13)


def test_ends_of_the_stable_ranges():
    """Real axis: Euler and midpoint -2, Kutta's -2.512745, RK4 -2.785294; imaginary axis: Kutta sqrt 3, RK4 sqrt 8."""
    ends = {rd.Euler: 2.0, rd.Midpoint: 2.0, KUTTA: 2.5127453266, rd.RK4: 2.7852935634}
    for step, end in ends.items():
        assert critical_dt(step, [-1.0]) == pytest.approx(end, abs=1e-9)
        inside, outside = rd.linear_test(step, [-end + 1e-8, -end - 1e-8], **PLAIN).stable
        assert inside
        assert not outside
    for step, end in ((KUTTA, math.sqrt(3)), (rd.RK4, math.sqrt(8))):
        found = rd.linear_test(step, [1j * end * 0.99, 1j * end, 1j * end * 1.01], **PLAIN).modulus
        assert found[0] < 1 - 1e-3
        assert found[1] == pytest.approx(1.0, abs=1e-13)
        assert found[2] > 1 + 1e-3
    weak = np.array([-0.01 + 1j, -1.0])
    first = critical_dt(rd.Midpoint, weak)  # the weakly damped one goes first, long before -2
    assert first < 0.6
    assert np.abs(growth_factor(rd.Midpoint, first * weak[0])) == pytest.approx(1.0, abs=1e-12)
    assert np.abs(growth_factor(rd.Midpoint, 0.99 * first * weak[0])) < 1
    assert rd.linear_test(rd.ExponentialEuler, -1e3, **PLAIN).stable
    np.testing.assert_allclose(coefficients(rd.RK4.tableau), [1, 1, 1 / 2, 1 / 6, 1 / 24], rtol=1e-15)


def test_shapes_bad_points_and_wrong_steps():
    """One NaN harms no other point; a number gives numbers; what is no step is refused with the list of them."""
    found = rd.linear_test(rd.Euler, [[-0.5, np.nan], [np.inf, 1j]], **PLAIN)
    assert np.array_equal(np.isnan(found.growth), [[False, True], [True, False]])
    assert not found.stable[0, 1]
    assert rd.linear_test(rd.Euler, -0.5, **PLAIN).growth == 0.5
    for wrong in (rd.LSTM, "euler", rd.GRU(2)):
        with pytest.raises(rd.InputError, match=r"is not a step: rd\.Euler"):
            rd.linear_test(wrong, 1j, **PLAIN)
    with pytest.raises(rd.InputError, match="must be a class"):
        rd.linear_test(rd.Leaky(2), 1j, **PLAIN)
    with pytest.raises(rd.InputError, match="step of one family"):
        rd.linear_test(rd.Leaky, 1j, **PLAIN)
    with pytest.raises(rd.InputError, match="every point is invalid"):
        rd.linear_test(rd.Euler, np.nan, **PLAIN)
    assert growth_factor(rd.Linear, 0.5j) == 1 + 0.5j
