"""Regimes: right wherever the truth is known, close to boundaries too; what looks like order or chaos and is not."""

import math

import maps
import numpy as np
import pytest
from support import assert_same_result, rotation
from test_attractors import regimes as by_curves
from test_attractors import unit
from test_truths_chaos import GRU_WEIGHTS, LSTM_WEIGHTS, PASEMANN

import rnndyn as rd
from rnndyn.dynamics.attractors import Search
from rnndyn.dynamics.birkhoff import Averages
from rnndyn.dynamics.fates import REGULAR
from rnndyn.dynamics.newton import Step
from rnndyn.dynamics.theory import flip_curve, fold_curve

FIXED, CYCLE, TORUS, CHAOS, GROWS, NEUTRAL, OPEN = (
    rd.Regime[name] for name in ("FIXED_POINT", "CYCLE", "QUASI_PERIODIC", "CHAOTIC", "GROWING", "NEUTRAL", "UNDECIDED")
)


def logistic(x, a, s, p):
    """x <- r x (1 - x)."""
    return (p[0] * s[0] * (1.0 - s[0]),)


def general_henon(x, a, s, p):
    return 1.0 - p[0] * s[0] * s[0] + s[1], p[1] * s[0]


LOGISTIC = rd.Cell("Logistic", 1, 0, ("x",), (rd.Stage(logistic),), parameters={"r": 3.5})
HENON = rd.Cell("Henon", 1, 0, ("x", "y"), (rd.Stage(general_henon),), parameters={"alpha": 1.4, "beta": 0.3})
INSIDE = np.linspace(0.1, 0.9, 4)[:, None]  # starts of the logistic map


def assert_regime(found, regime, period=None, confidence=1.0, attractors=None):
    np.testing.assert_array_equal(found.regime, np.broadcast_to(regime, found.regime.shape))
    np.testing.assert_array_equal(found.confidence, np.broadcast_to(confidence, found.regime.shape))
    if period is not None:
        np.testing.assert_array_equal(found.period, np.broadcast_to(period, found.period.shape))
    if attractors is not None:
        np.testing.assert_array_equal(found.attractors, np.broadcast_to(attractors, found.attractors.shape))


# --- settled ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("side", [-1, 1])
def test_tanh_unit_beside_the_curves(distance, side):
    """Folds and flips: the label is decided by the multipliers, within 1e-6 of the curves too."""
    w = np.concatenate([np.linspace(-4, -1.01, 20), np.linspace(1.01, 4, 20)])
    b = np.where(w > 0, fold_curve(w), flip_curve(w)) + side * distance
    count, period = by_curves(w, b)
    found = rd.regimes(rd.Elman(1), unit(w, b), starts=5)
    assert_regime(found, np.where(period == 1, FIXED, CYCLE), period, attractors=count)
    assert np.all(found.test == rd.DecidedBy.MULTIPLIERS)
    assert np.all(found.multiplier < 1)
    np.testing.assert_allclose(found.exponent, np.log(found.multiplier) / period, rtol=1e-12, atol=1e-12)
    state = np.tanh(w * found.state[:, 0] + b)
    np.testing.assert_allclose(np.where(period == 1, state, np.tanh(w * state + b)), found.state[:, 0], atol=1e-9)


def test_which_fixed_point():
    """Two coexist at w = 2: each start names its own, and they are told apart."""
    found = rd.regimes(rd.Elman(1), unit(2.0, 0.0), starts=8)
    assert_regime(found, FIXED, 1, attractors=2)
    high = 0.9575040240772687  # x = tanh(2 x)
    np.testing.assert_allclose(np.abs(found.starts.state[:, 0]), high, rtol=1e-12)
    np.testing.assert_array_equal(found.starts.attractor, np.where(found.starts.state[:, 0] > 0, 1, 0))
    np.testing.assert_allclose(found.exponent, -1.79352851, atol=5e-9)


def test_logistic_unit_and_gated_origins():
    """Fold of the logistic unit at 1e-5; LSTM and GRU origins with zero biases: |w + 2| < 4 is a point."""
    b = np.add.outer([-2.65561034, -2.34438966], [-1e-5, 1e-5])
    found = rd.regimes(rd.Elman(1, activation="logistic"), unit(5.0 + 0 * b, b))
    assert_regime(found, FIXED, 1, attractors=[[1, 2], [2, 1]])
    u = np.array([-6 - 1e-3, -6 + 1e-3, 2 - 1e-3, 2 + 1e-3])
    for cell in (rd.LSTM(1), rd.GRU(1)):
        weights = np.zeros((4, *cell.shapes["weight_hh"]))
        weights[:, 2, 0] = u
        found = rd.regimes(cell, {"weight_hh": weights}, starts=8)
        assert_regime(found, [CYCLE, FIXED, FIXED, FIXED], [2, 1, 1, 1], attractors=[1, 1, 1, 2])
        np.testing.assert_allclose(found.multiplier[1:3], np.abs(0.5 + u[1:3] / 4), rtol=1e-9)


def test_linear_maps():
    """Stable, growing (slowly too), rotating, sheared, drifting, standing still: eig W decides."""
    found = rd.regimes(rd.Linear(1), unit([0.5, -0.999, 1.0, 1.0, -1.0, 1.1, 1.0001], [1, 1, 0.25, 0, 0, 0, 0]))
    assert_regime(found, [FIXED, FIXED, GROWS, NEUTRAL, NEUTRAL, GROWS, GROWS])
    np.testing.assert_allclose(found.state[:2, 0], [2.0, 1 / 1.999], rtol=1e-12)
    turns = [0.999 * rotation(1.0), rotation(1.0), 1.001 * rotation(1.0), np.eye(2), np.array([[1.0, 1.0], [0, 1]])]
    found = rd.regimes(rd.Linear(2), {"weight_hh": np.stack(turns)})
    assert_regime(found, [FIXED, NEUTRAL, GROWS, NEUTRAL, GROWS], attractors=[1, 0, 0, 0, 0])
    np.testing.assert_allclose(found.multiplier, [0.999, 1, 1.001, 1, 1], rtol=1e-7)
    orthogonal = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    found = rd.regimes(rd.Linear(5), {"weight_hh": np.stack([0.9 * orthogonal, orthogonal])}, device="python", starts=2)
    assert_regime(found, [FIXED, NEUTRAL])


def test_on_a_bifurcation_the_label_is_neutral():
    """h <- tanh(+-h): multiplier 1 in modulus, so that the linear test does not decide."""
    assert_regime(rd.regimes(rd.Elman(1), unit([1.0, -1.0], [0.0, 0.0]), starts=4), NEUTRAL, attractors=0)


def test_damped_oscillators_come_to_rest():
    """coRNN without weights: two decaying oscillations a unit; the pair of multipliers has the product 1 - dt eps."""
    found = rd.regimes(rd.CoRNN(1), {}, starts=2, steps=100, device="python")
    assert_regime(found, FIXED, 1)
    both = np.roots([1.0, -(2 - 0.042 * 4.7 - 0.042**2 * 2.7), 1 - 0.042 * 4.7])
    np.testing.assert_allclose(found.multiplier, np.abs(both).max(), rtol=1e-9)


# --- cycles -----------------------------------------------------------------------------------------------------------


def test_period_doubling_of_the_logistic_map():
    """Periods 1, 2, 4, 8 by Newton's method, 16 and 32 as orbits that close; the window of period 3; chaos at 3.7."""
    r = np.array([2.9, 3.2, 3.5, 3.55, 3.5655, 3.569, 3.835, 3.7])
    found = rd.regimes(LOGISTIC, {"r": r}, state=INSIDE[:2], steps=400, transient=400, device="python")
    assert_regime(found, [FIXED, *[CYCLE] * 6, CHAOS], [1, 2, 4, 8, 16, 32, 3, 0])
    assert found.test[4] == found.test[5] == rd.DecidedBy.RETURN
    for k in (1, 2, 3, 4, 5, 6):  # the multiplier is the product of r (1 - 2 x) over the cycle
        x, product = found.state[k, 0], 1.0
        for _ in range(found.period[k]):
            product, x = product * r[k] * (1 - 2 * x), r[k] * x * (1 - x)
        np.testing.assert_allclose(found.multiplier[k], abs(product), rtol=1e-5)
        np.testing.assert_allclose(found.exponent[k], math.log(abs(product)) / found.period[k], rtol=1e-5)


def test_a_long_cycle_is_no_torus():
    """Henon, period 80, lambda_1 = -0.00153: not closed after 500 steps, and regular all along."""
    weights = {"alpha": 1.1942028985507247, "beta": 0.16}
    found = rd.regimes(HENON, weights, starts=1, steps=100, transient=500, spread=0.3, device="python")
    assert not np.any(found.starts.regime == TORUS)
    assert found.regime in (CYCLE, OPEN)


# --- chaos ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "weights", "truth", "spread"),
    [
        pytest.param(rd.Elman(2), PASEMANN, 0.2306, 1.0, id="pasemann"),
        pytest.param(rd.GRU(2, reset_after=False), {"weight_hh": GRU_WEIGHTS}, 0.2203, 1.0, id="gru"),
        pytest.param(rd.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, 0.1695, 1.0, id="lstm"),
        pytest.param(maps.HENON, {}, 0.4192, 0.1, id="henon"),
        pytest.param(maps.LORENZ, {"dt": 0.02}, 0.0181, 1.0, id="lorenz"),
    ],
)
def test_chaotic_networks(cell, weights, truth, spread):
    found = rd.regimes(cell, weights, spread=spread)
    assert_regime(found, CHAOS, 0, attractors=1)
    assert found.test == rd.DecidedBy.EXPONENT
    assert abs(found.exponent - truth) < 4 * found.stderr + 2e-3
    assert found.stderr < 0.01


def test_skew_tent_of_relu_units():
    """Starts within the tent: chaos, -p ln p - (1-p) ln(1-p)."""
    p = 0.3
    w = np.array([1 / p, -(1 / p + 1 / (1 - p))])
    start = np.array([[0.1, 0.0], [0.22, 0.0]])
    weights = {"weight_hh": np.stack([w, w]), "bias_hh": np.array([0.0, -p])}
    cell = rd.Elman(2, activation="relu")
    found = rd.regimes(cell, weights, state=start, steps=600, transient=100, device="python")
    assert_regime(found, CHAOS, attractors=1)
    assert abs(found.exponent - 0.6108643) < 4 * found.stderr


def test_random_networks():
    """N = 32: gain 0.8 comes to rest, gain 3 is chaotic."""
    matrix = np.random.default_rng(0).normal(size=(32, 32)) / np.sqrt(32)
    weights = {"weight_hh": np.array([0.8, 3.0])[:, None, None] * matrix}
    assert_regime(rd.regimes(rd.Elman(32), weights, starts=3, steps=400, transient=300), [FIXED, CHAOS], attractors=1)


def test_weak_chaos_is_never_order():
    """Just beyond the accumulation of period doublings: lambda_1 from 0.006 to 0.05; chaos or undecided."""
    r = np.array([3.5702, 3.572, 3.58, 3.85])
    found = rd.regimes(LOGISTIC, {"r": r}, state=INSIDE[:1], steps=200, transient=200, device="python")
    assert np.all(np.isin(found.regime, [CHAOS, OPEN]))
    assert found.regime[2] == CHAOS


# --- tori -------------------------------------------------------------------------------------------------------------


def test_antisymmetric_circle():
    """(0, -0.005794): an invariant circle; the averages converge, one exponent is zero."""
    cell = rd.Antisymmetric(2, gamma=0.15, dt=0.1)
    found = rd.regimes(cell, {"weight_hh": [[0, -1.0], [1.0, 0]]}, starts=3)
    assert_regime(found, TORUS, 0, attractors=1)
    assert (found.zeros, found.test) == (1, rd.DecidedBy.AVERAGES)
    assert abs(found.exponent) < 1e-3


def test_rotation_gru_beside_its_boundary():
    """Neimark-Sacker at cos alpha = 1/4: a point on one side, also where it spirals in slowly, a torus on the other."""
    cosine = np.array([0.2, 0.249, 0.2499, 0.27, 0.3])
    weights = np.zeros((5, 6, 2))
    weights[:, 4:] = np.stack([3 * rotation(math.acos(c)) for c in cosine])
    found = rd.regimes(rd.GRU(2), {"weight_hh": weights}, starts=4)
    assert_regime(found, [FIXED, FIXED, FIXED, TORUS, TORUS], attractors=1)


def test_on_tori_among_tori_nothing_attracts():
    """Standard map on an island, where volumes are kept: regular, and neutral."""
    found = rd.regimes(maps.STANDARD, {"K": -0.5}, state=[[1.5, 0.0]], steps=400, transient=100, device="python")
    assert_regime(found, NEUTRAL, attractors=0)
    assert found.test == rd.DecidedBy.AVERAGES


def test_what_is_regular_and_no_torus_stays_open():
    """A circle of neutral 9-cycles; the logistic map where period doubling accumulates, in one dimension."""

    def ring(x, a, s, p):
        c, d = math.cos(2 * math.pi / 9), math.sin(2 * math.pi / 9)
        g = 1.1 - 0.1 * (s[0] * s[0] + s[1] * s[1])
        return g * (c * s[0] - d * s[1]), g * (d * s[0] + c * s[1])

    cell = rd.Cell("Ring", 1, 0, ("u", "v"), (rd.Stage(ring),))
    assert_regime(rd.regimes(cell, {}, starts=1, steps=100, transient=200, device="python"), OPEN)
    r = 3.5699456718709449
    found = rd.regimes(LOGISTIC, {"r": r}, state=INSIDE[:1], steps=100, transient=200, device="python")
    assert_regime(found, OPEN)


def test_a_chaotic_layer_is_not_neutral():
    """Standard map, from near its hyperbolic point: elliptic points far away, in units of its state, mean nothing."""
    options = {"state": [[0.01, 0.0]], "steps": 100, "transient": 100, "device": "python"}
    assert_regime(rd.regimes(maps.STANDARD, {"K": 0.9}, **options), CHAOS)
    assert rd.regimes(maps.STANDARD, {"K": 0.4}, **options).regime in (CHAOS, OPEN)


def averages(states, window=3):
    """Averages over one orbit (steps, 1), given in pieces."""
    cuts = range(0, len(states), 64)
    parts = ((begin, states[None, begin : begin + 64]) for begin in cuts)
    return Averages(parts, 1, states.shape[1], len(states), window)


def test_smooth_averages_tell_order_from_the_rest():
    """cos n: mean 0 to 1e-9, where the plain mean is off by 1e-4; chaos, and a decay of 1e-6 a step, are irregular."""
    n = np.arange(4000)
    look = averages(np.cos(1.0 + n)[:, None])
    assert abs(look.smooth[0, 0]) < 1e-9 < 1e-5 < abs(look.mean[0, 0])
    assert look.irregular()[0] < REGULAR
    np.testing.assert_allclose(look.mean[0], [np.cos(1.0 + n).mean(), (np.cos(1.0 + n) ** 2).mean()], rtol=1e-12)
    np.testing.assert_array_equal(look.window[0, :, 0], np.cos(1.0 + n[-4:]))
    np.testing.assert_array_equal(look.first[0, :, 0], np.cos(1.0 + n[:4]))
    assert averages((np.cos(n) * np.exp(-1e-6 * n))[:, None]).irregular()[0] > 100 * REGULAR
    x = np.full(4000, 0.3)
    for k in range(1, 4000):
        x[k] = 4 * x[k - 1] * (1 - x[k - 1])
    chaos = averages(x[:, None])
    assert chaos.irregular()[0] > 1e-3
    assert abs(chaos.mean[0, 0] - 0.5) < 4 * chaos.error[0, 0]
    assert averages(np.full((300, 1), 2.5)).irregular()[0] == 0
    assert averages(1.001 ** n[:, None]).growth[0] > 2


def test_multipliers_are_of_the_least_period():
    """A fixed point that Newton's method finds as a 4-cycle keeps its own multiplier."""
    search = Search(Step(rd.Elman(1)), np.zeros((1, 4)), 1, 8)
    search.multiplier[:] = 0.5**4
    search.keep(np.array([0]), np.full((1, 4, 1), 0.3), np.zeros(1))
    assert (search.period[0], search.multiplier[0]) == (1, 0.5)


# --- growth, nothing, coexistence -------------------------------------------------------------------------------------


def test_an_orbit_on_an_unstable_point_is_not_chaos():
    """Starts at the origin, which is lost: lambda_1 = ln 3 there, and nothing moves."""
    found = rd.regimes(rd.Elman(2), {"weight_hh": 3 * np.eye(2)}, state=np.zeros((1, 2)), steps=200)
    assert_regime(found, OPEN)
    assert found.status == rd.Status.NOT_CONVERGED


def test_label_and_confidence_where_regimes_coexist():
    """Henon: three starts in the basin, one far outside; the attractor is the label, and growth the missing share."""
    starts = np.array([[0.1, 0.1], [0.0, 0.0], [50.0, 0.0], [0.2, 0.0]])
    found = rd.regimes(HENON, {"beta": 0.3, "alpha": [0.2, 1.6]}, state=starts, steps=200, device="python")
    assert_regime(found, [FIXED, GROWS], confidence=[0.75, 1.0], attractors=[1, 0])
    np.testing.assert_array_equal(found.starts.regime[0], [FIXED, FIXED, GROWS, FIXED])
    np.testing.assert_array_equal(found.starts.attractor[0], [0, 0, -1, 0])


def test_seeds_are_more_starts():
    """Two seeds of three starts: six starts, the first three as of the first seed alone."""
    weights = unit([2.0, -3.0], [0.1, 0.2])
    both = rd.regimes(rd.Elman(1), weights, starts=3, seed=[5, 6])
    assert both.starts.regime.shape == (2, 6)
    one = rd.regimes(rd.Elman(1), weights, starts=3, seed=5)
    np.testing.assert_array_equal(both.starts.state[:, :3], one.starts.state)


def test_mirrored_chaotic_attractors_are_two():
    """A bistable unit that a chaotic pair drives a little: averages of s tell its two attractors apart."""
    matrix = np.zeros((3, 3))
    matrix[:2, :2], matrix[2, 2], matrix[2, 0] = PASEMANN["weight_hh"], 2.0, 0.1
    weights = {"weight_hh": matrix, "bias_hh": np.append(PASEMANN["bias_hh"], 0.0)}
    start = np.array([[0.1, 0.1, 0.5], [0.2, 0.1, -0.5], [0.3, 0.0, 0.4]])
    found = rd.regimes(rd.Elman(3), weights, state=start, steps=1000, transient=200)
    assert_regime(found, CHAOS, attractors=2)
    np.testing.assert_array_equal(found.starts.attractor, [0, 1, 0])


def test_constant_inputs_are_a_bias():
    weights = {"weight_hh": [[2.0]], "weight_ih": [[0.3, -0.1]]}
    cell, inputs = rd.Elman(1, inputs=2), np.array([[[1.0, 2.0]], [[-3.0, 1.0]]])
    found = rd.regimes(cell, weights, inputs=inputs)
    told = rd.regimes(rd.Elman(1), unit([2.0, 2.0], [0.1, -1.0]))
    np.testing.assert_allclose(found.state, told.state, rtol=1e-12)
    for bad in (np.zeros((5, 2)), rd.Noise(1.0)):
        with pytest.raises(rd.InputError, match="constant"):
            rd.regimes(cell, weights, inputs=bad)


def test_same_bits_for_any_split_and_bad_points():
    """Threads and parts change nothing; NaN spoils its own point."""
    rng = np.random.default_rng(3)
    weights = {"weight_hh": 3 * rng.normal(size=(40, 2, 2)), "bias_hh": rng.normal(size=(40, 2))}
    weights["weight_hh"][7] = np.nan
    options = {"starts": 3, "steps": 200, "transient": 200, "seed": 7}
    whole = rd.regimes(rd.Elman(2), weights, threads=1, **options)
    assert whole.status[7] == rd.Status.INVALID
    assert np.isnan(whole.exponent[7])
    assert len(np.unique(whole.regime)) >= 4
    assert_same_result(whole, rd.regimes(rd.Elman(2), weights, threads=3, **options))
    part = rd.regimes(rd.Elman(2), {k: v[29:] for k, v in weights.items()}, first_index=29, **options)
    assert_same_result([a[29:] for a in (*whole[:-2], *whole.starts)], [*part[:-2], *part.starts])


@pytest.mark.parametrize(
    "options",
    [
        {"starts": 0},
        {"steps": 99},
        {"transient": 0},
        {"max_period": 0},
        {"spread": -1.0},
        {"seed": []},
        {"seed": [1.5]},
        {"state": [0.0]},
        {"device": "tpu"},
    ],
)
def test_mistakes_are_told(options):
    with pytest.raises(rd.InputError):
        rd.regimes(rd.Elman(1), unit(0.5, 0.0), **options)


def test_progress_reaches_its_end():
    calls = []
    rd.regimes(rd.Elman(1), unit(0.5, np.zeros(5)), starts=2, steps=100, progress=lambda *call: calls.append(call))
    assert calls[-1] == (5 * 2 * 1100, 5 * 2 * 1100)


@pytest.mark.slow
@pytest.mark.parametrize(("units", "gain"), [(2, 3.0), (4, 1.2)])
def test_no_sure_label_is_wrong(units, gain):
    """Random tanh networks: each label with a confidence above 0.9 holds over another million steps."""
    rng = np.random.default_rng(units)
    weights = {"weight_hh": gain * rng.normal(size=(600, units, units)), "bias_hh": rng.normal(size=(600, units)) / 2}
    cell = rd.Elman(units)
    found = rd.regimes(cell, weights, steps=1000, transient=500, starts=4)
    sure = found.confidence > 0.9
    assert np.mean(found.regime == OPEN) < 0.03
    long = rd.lyapunov(cell, weights, steps=200_000, transient=800_000, state=found.state, k=1)
    value, error = long.exponents[:, 0], long.stderr[:, 0]
    last = rd.dynamics.last_state(cell, weights, steps=1_000_000, state=found.state)
    orbit = rd.trajectory(cell, weights, steps=3000, state=last)
    closes = (np.abs(orbit[:, 1:] - orbit[:, :1]).max(axis=2) < 1e-9).any(axis=1)
    chaos, torus = sure & (found.regime == CHAOS), sure & (found.regime == TORUS)
    settled = sure & np.isin(found.regime, [FIXED, CYCLE])
    assert chaos.any()
    assert torus.any()
    assert np.all(value[chaos] > 10 * error[chaos])
    assert not closes[torus].any()
    assert np.all(np.abs(value[torus]) < np.maximum(5 * error[torus], 1e-5))
    assert closes[settled].all()
    np.testing.assert_allclose(value[settled], found.exponent[settled], atol=2e-4)


@pytest.mark.slow
def test_logistic_map_from_rest_to_chaos():
    """601 values of r: the sign of the exponent over 2e5 steps is that of the label."""
    r = np.linspace(2.8, 4.0, 601)
    found = rd.regimes(LOGISTIC, {"r": r}, state=INSIDE)
    long = rd.lyapunov(LOGISTIC, {"r": r}, steps=200_000, transient=200_000, state=[0.3141])
    value = long.exponents[:, 0]
    assert np.all(value[(found.regime == CHAOS) & (found.confidence > 0.9)] > 1e-4)
    assert np.all(value[np.isin(found.regime, [FIXED, CYCLE])] < 0)
    assert np.sum(np.isin(found.regime, [TORUS, GROWS])) == 0
    assert np.sum(np.isin(found.regime, [OPEN, NEUTRAL])) < 5
