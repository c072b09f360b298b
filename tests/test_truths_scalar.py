"""Truths of one unit: the tanh map over (w, b), the logistic unit, the skew tent map made of two ReLU units."""

import numpy as np
import pytest
from scipy.optimize import brentq
from support import exponent_rounding, pooled

import rnndyn as rd


def column(values):
    """Scalars as weights of a one-unit network."""
    return np.asarray(values, float)[..., None]


def unit(w, b):
    """Weights of `h <- phi(w h + b)`."""
    return {"weight_hh": column(w)[..., None], "bias_hh": column(b)}


def saddle_node(w):
    """Closed-form |b| of the saddle-node curve, w >= 1."""
    return np.sqrt(w * (w - 1)) - np.arccosh(np.sqrt(w))


def period_doubling(w):
    """Closed-form |b| of the period-doubling curve, w <= -1."""
    return np.sqrt(-w * (-w - 1)) + np.arccosh(np.sqrt(-w))


def attractor_exponent(w, b):
    """ln of the slope at the point, or over the 2-cycle, that is reached from h = 1 (b > 0); root by bracketing."""

    def image(h):
        return np.tanh(w * h + b)

    def log_slope(h):
        return np.log(abs(w)) - 2 * np.log(np.cosh(w * h + b))

    fixed = brentq(lambda h: image(h) - h, 0 if w > 0 else -1, 1, xtol=1e-15, rtol=9e-16)
    if log_slope(fixed) < 0:
        return log_slope(fixed)
    top = brentq(lambda h: image(image(h)) - h, fixed + 1e-3, 1, xtol=1e-15, rtol=9e-16)
    return (log_slope(top) + log_slope(image(top))) / 2


@pytest.mark.parametrize(
    ("w", "truth"),
    [(0.5, np.log(0.5)), (-0.9, np.log(0.9)), (1.5, -0.93061020), (-2, -1.79352851), (2, -1.79352851), (3, -3.4896075)],
)
def test_tanh_map_without_bias(w, truth):
    """b = 0: ln |w| for |w| <= 1, else ln(|w| (1 - x*^2)); fixed point for w > 0, 2-cycle for w < 0."""
    found = rd.lyapunov(rd.Elman(1), unit([w], [0.0]), steps=1000, transient=2000, state=[0.7])
    np.testing.assert_allclose(found.exponents[0, 0], truth, rtol=0, atol=5e-9)


def test_tanh_map_fixed_points_and_cycles():
    """Over (w, b): ln |w sech^2| at the fixed point or over the 2-cycle that is reached, root found by bracketing."""
    w, b = (v.ravel() for v in np.meshgrid([-4, -3, -1.7, -0.8, 0.5, 1.5, 3], [0.3, 0.7, 1.3, 2.2, 4.0]))
    truth = np.array([attractor_exponent(*pair) for pair in zip(w, b, strict=True)])
    assert np.all(truth < -0.01)
    found = rd.lyapunov(rd.Elman(1), unit(w, b), steps=1000, transient=4000, state=[1.0])
    np.testing.assert_allclose(found.exponents[:, 0], truth, rtol=0, atol=1e-12)
    np.testing.assert_array_less(found.stderr, 1e-12)


def test_steep_unit_settles():
    """|w| < 1 is not needed: w = 3, b = 4 settles from every start to one point."""
    states = rd.trajectory(rd.Elman(1), unit(3.0, 4.0), steps=200, state=np.linspace(-1, 1, 9)[:, None])
    assert np.ptp(states[:, -1]) == 0
    found = rd.lyapunov(rd.Elman(1), unit(3.0, 4.0), steps=100, transient=200)
    assert found.exponents[0] == pytest.approx(attractor_exponent(3.0, 4.0), abs=exponent_rounding(1, 20))


def test_saddle_node_curve():
    """Two stable states just inside |b| = sqrt(w(w-1)) - arccosh(sqrt w), one just outside; 0.53283998 at w = 2."""
    assert saddle_node(2.0) == pytest.approx(0.53283998, abs=5e-9)
    w, side = np.array([1.5, 2.0, 3.0, 4.0])[:, None, None], np.array([-1e-3, 1e-3])[:, None]
    for sign in (-1, 1):
        b = sign * (saddle_node(w) + side) + np.zeros((4, 2, 2))
        start = np.array([-1.0, 1.0])[:, None]
        last = rd.trajectory(rd.Elman(1), unit(w + np.zeros((4, 2, 2)), b), steps=4000, state=start)[..., -1, 0]
        gap = np.ptp(last, axis=-1)
        assert np.all(gap[:, 0] > 0.1)
        assert np.all(gap[:, 1] < 1e-9)


def test_period_doubling_curve():
    """A 2-cycle just inside |b| = sqrt(|w|(|w|-1)) + arccosh(sqrt|w|), a point just outside; 2.29558715 at w = -2."""
    assert period_doubling(-2.0) == pytest.approx(2.29558715, abs=5e-9)
    w, side = np.array([-1.3, -2.0, -3.0, -4.0])[:, None], np.array([-0.01, 0.01])
    for sign in (-1, 1):
        weights = unit(w + np.zeros((4, 2)), sign * (period_doubling(w) + side))
        states = rd.trajectory(rd.Elman(1), weights, steps=8000, state=[0.5])[..., 0]
        swing = np.abs(states[..., -1] - states[..., -2])
        assert np.all(swing[:, 0] > 0.01)
        assert np.all(swing[:, 1] < 1e-6)
        assert np.allclose(states[..., -1], states[..., -3], rtol=0, atol=1e-6)


def test_tanh_map_is_never_chaotic():
    """No (w, b) has a positive exponent; the least negative ones lie on the two curves and at the cusp."""
    w, b = np.meshgrid(np.linspace(-4, 4, 33), np.linspace(-2, 2, 17))
    found = rd.lyapunov(rd.Elman(1), unit(w, b), steps=2000, transient=2000)
    assert np.all(found.exponents <= 4 * found.stderr + exponent_rounding(1, 10))
    finite = np.isfinite(found.exponents[..., 0])
    assert np.array_equal(finite, w != 0)
    assert np.all(found.status[~finite] == rd.Status.SINGULAR)
    assert found.exponents[np.abs(w) == 1].max() > -0.01


@pytest.mark.parametrize("w", [5.0, 6.0, 8.0])
def test_logistic_unit_is_bistable_between_two_biases(w):
    """h <- sigma(w h + b), w > 4: bistable between the two ln(s/(1-s)) - w s, s = (1 +- sqrt(1-4/w))/2."""
    s = (1 + np.array([1, -1]) * np.sqrt(1 - 4 / w)) / 2
    low, high = np.log(s / (1 - s)) - w * s
    if w == 5:
        assert [low, high] == pytest.approx([-2.65561034, -2.34438966], abs=5e-9)
    b = np.array([low - 1e-3, low + 1e-3, high - 1e-3, high + 1e-3])[:, None] + np.zeros(2)
    start = np.array([0.0, 1.0])[:, None]
    last = rd.trajectory(rd.Elman(1, activation="logistic"), unit(w + 0 * b, b), steps=6000, state=start)[..., -1, 0]
    gap = np.ptp(last, axis=-1)
    assert np.all(gap[[1, 2]] > 0.05)
    assert np.all(gap[[0, 3]] < 1e-9)


def test_logistic_unit_exponent():
    """At the fixed point: ln(w h (1 - h))."""
    w, b = np.array([2.0, -3.0, 5.0]), np.array([0.5, 1.0, -1.0])
    found = rd.lyapunov(rd.Elman(1, activation="logistic"), unit(w, b), steps=500, transient=1000, state=[1.0])
    last = rd.trajectory(rd.Elman(1, activation="logistic"), unit(w, b), steps=1000, state=[1.0])[:, -1, 0]
    np.testing.assert_allclose(np.exp(w * last + b) * (1 - last), last, rtol=1e-12)
    np.testing.assert_allclose(found.exponents[:, 0], np.log(np.abs(w) * last * (1 - last)), rtol=0, atol=1e-12)


def skew_tent(p):
    """Two ReLU units that are the skew tent map with peak at p."""
    w = np.array([1 / p, -(1 / p + 1 / (1 - p))])
    return {"weight_hh": np.stack([w, w]), "bias_hh": np.array([0.0, -p])}


@pytest.mark.parametrize("p", [0.3, 0.4])
def test_skew_tent_map(p):
    """Exponents -p ln p - (1-p) ln(1-p) (0.6108643 at p = 0.3) and -inf, whose error is 0."""
    truth, runs, steps = -p * np.log(p) - (1 - p) * np.log(1 - p), 96, 4000
    assert p != 0.3 or truth == pytest.approx(0.6108643, abs=5e-8)
    starts = np.stack([np.random.default_rng(8).uniform(0.01, p, size=runs), np.zeros(runs)], -1)
    cell = rd.Elman(2, activation="relu")
    found = rd.lyapunov(cell, skew_tent(p), steps=steps, transient=100, state=starts)
    assert np.all(found.exponents[:, 1] == -np.inf)
    assert np.all(found.stderr[:, 1] == 0)
    assert np.all(found.status == rd.Status.SINGULAR)
    error = pooled(rd.lyapunov(cell, skew_tent(p), steps=steps, transient=100, state=starts, k=1), truth)
    assert error < 2e-3


def test_error_bars_are_calibrated():
    """The skew tent's symbols are independent: one run's error is ln((1-p)/p) sqrt(p(1-p)/T), and stderr says so."""
    p, steps, runs = 0.3, 4000, 256
    starts = np.stack([np.random.default_rng(9).uniform(0.01, p, size=runs), np.zeros(runs)], -1)
    found = rd.lyapunov(
        rd.Elman(2, activation="relu"), skew_tent(p), steps=steps, transient=100, state=starts, k=1, qr_every=1
    )
    one_run = np.log((1 - p) / p) * np.sqrt(p * (1 - p) / steps)
    assert np.std(found.exponents) == pytest.approx(one_run, rel=4 / np.sqrt(2 * runs))
    assert 0.7 < np.sqrt(np.mean(found.stderr**2)) / one_run < 2
    surprise = np.abs(found.exponents[:, 0] + p * np.log(p) + (1 - p) * np.log(1 - p)) / found.stderr[:, 0]
    assert np.mean(surprise < 3) > 0.97
    assert np.mean(surprise < 0.5) < 0.6


def test_settling_has_an_honest_error():
    """A run that starts far from its fixed point is off by C/T; half the difference of its two halves is that C/T."""
    found = rd.lyapunov(rd.Elman(1), unit([0.5, 0.8], [0.0, 0.0]), steps=2000, state=[3.0])
    off = np.abs(found.exponents[:, 0] - np.log([0.5, 0.8]))
    assert np.all(off > 1e-4)
    assert np.all(off <= found.stderr[:, 0] * (1 + 1e-6))
    assert np.all(found.stderr[:, 0] <= 2 * off)
