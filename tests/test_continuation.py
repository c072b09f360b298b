"""Branches through folds and the bifurcations on them: closed forms, to what the error bars say."""

import math

import maps
import numpy as np
import pytest
from support import EPS, assert_same_result

import rnndyn as rd
from rnndyn.dynamics.theory import flip_curve, fold_curve

S, B = rd.Stability, rd.Bifurcation
TANH = rd.Elman(1)


def one(name, fields, rule, **parameters):
    """A cell of one unit."""
    return rd.Cell(name, 1, 0, fields, (rd.Stage(rule),), parameters=parameters)


LOGISTIC_MAP = one("LogisticMap", ("x",), lambda x, a, s, p: (p[0] * s[0] * (1.0 - s[0]),), r=0.0)
HENON = one("Henon", ("x", "y"), lambda x, a, s, p: (1.0 - p[0] * s[0] * s[0] + s[1], 0.3 * s[0]), a=0.0)
CIRCLE = one("Circle", ("x",), lambda x, a, s, p: (s[0] + 0.3 * (1.0 - s[0] * s[0] - p[0] * p[0]),), q=0.0)


def assert_bifurcations(found, kinds, mu, least=1e-10):
    """Exactly these, in this order, within their small errors; the critical multiplier is where it must be."""
    marks = found.bifurcations
    assert marks.count == len(kinds)
    assert [B(kind).name for kind in marks.kind] == list(kinds)
    mu = np.asarray(mu)
    assert np.all(np.abs(marks.mu - mu) <= 10 * marks.error + 16 * EPS * np.maximum(1, np.abs(mu))), marks.mu - mu
    assert np.all(marks.error <= least)
    for kind, multiplier in zip(marks.kind, marks.multiplier, strict=True):
        if kind == B.NEIMARK_SACKER:
            assert abs(abs(multiplier) - 1) < 1e-9
            assert multiplier.imag > 1e-3
        else:
            assert abs(multiplier - (-1 if kind == B.FLIP else 1)) < 1e-6


def assert_on_branch(found, step, period=1):
    """Points repeat after `period` steps of `step(s, mu)`, neighbours are near, the type says what the moduli do."""
    states, mu = found.states, found.mu[:, None]
    scale, image = np.maximum(1, np.abs(states).max(axis=1)), states
    for _ in range(period):
        image = step(image, mu)
    assert np.all(np.abs(image - states).max(axis=1) <= 1e-11 * scale)
    assert np.all(np.abs(np.diff(states, axis=0)).max(axis=1) <= 0.03 * scale[1:])
    stable = np.abs(found.multipliers).max(axis=1) < 1 - 1e-7
    np.testing.assert_array_equal(np.isin(found.type, [S.STABLE_NODE, S.STABLE_FOCUS]), stable)


def test_folds_of_the_tanh_unit():
    """w = 2, along b: an S with its folds at |b| = sqrt(w (w - 1)) - arccosh(sqrt w), unstable between them."""
    weights, along = {"weight_hh": [[2.0]]}, {"bias_hh": np.ones(1)}
    found = rd.continuation(TANH, weights, along, bounds=(-1, 1), start=[1.0])
    edge = float(fold_curve(2.0))
    assert found.status == rd.Status.OK
    assert_bifurcations(found, ["FOLD", "FOLD"], [edge, -edge], 1e-14)
    np.testing.assert_allclose(found.bifurcations.states[:, 0], [-math.sqrt(0.5), math.sqrt(0.5)], rtol=0, atol=1e-7)
    assert_on_branch(found, lambda s, mu: np.tanh(2 * s + mu))
    h = found.states[:, 0]
    assert np.all(np.diff(h) > 0)
    assert (found.mu[0], found.mu[-1]) == (-1.0, 1.0)
    np.testing.assert_allclose(found.multipliers[:, 0], 2 * (1 - h * h), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(found.type == S.UNSTABLE_NODE, h * h < 0.5)


def test_cusp():
    """Folds for w just above 1, from the middle on, where b falls as h rises; below a branch without any."""
    w = np.array([1.1, 1.01, 0.99, 0.9])
    found = rd.continuation(TANH, {"weight_hh": w[:, None, None]}, {"bias_hh": [1.0]}, bounds=(-0.1, 0.1))
    np.testing.assert_array_equal(found.bifurcations.count, [2, 2, 0, 0])
    expected = np.stack([-fold_curve(w), fold_curve(w)], axis=1)
    np.testing.assert_allclose(found.bifurcations.mu, expected, rtol=0, atol=1e-12)
    assert not found.status.any()


def test_flips_of_the_tanh_unit_and_the_cycle_between():
    """w = -2, along b: flips at |b| = 2.29558715; the 2-cycle is born at one and ends at the other."""
    weights, along = {"weight_hh": [[-2.0]]}, {"bias_hh": np.ones(1)}
    found = rd.continuation(TANH, weights, along, bounds=(-4, 4))
    edge = float(flip_curve(-2.0))
    assert_bifurcations(found, ["FLIP", "FLIP"], [-edge, edge])
    assert_on_branch(found, lambda s, mu: np.tanh(mu - 2 * s))
    marks = found.bifurcations
    doubled = rd.continuation(
        TANH, weights, along, bounds=(-4, 4), start=marks.states, at=marks.mu, period=2, doubled=True
    )
    assert not doubled.status.any()
    np.testing.assert_array_equal(doubled.bifurcations.kind, [[B.FLIP]] * 2)
    np.testing.assert_allclose(doubled.bifurcations.mu[:, 0], [edge, -edge], rtol=0, atol=1e-13)
    through = rd.continuation(TANH, weights, along, bounds=(-4, 4), start=[0.9], period=2)
    assert_bifurcations(through, ["FLIP", "FLIP"], [-edge, edge])
    assert_on_branch(through, lambda s, mu: np.tanh(mu - 2 * s), period=2)
    assert np.abs(through.mu).max() <= edge + 1e-12


def test_cascade_of_the_logistic_map():
    """x <- r x (1 - x): transcritical at 1, flips at 3, 1 + sqrt 6 and 3.54409035955; 3-cycle from 1 + sqrt 8 on."""
    along, bounds = {"r": 1.0}, (0.5, 4.0)
    origin = rd.continuation(LOGISTIC_MAP, {}, along, bounds=bounds, at=0.7)
    assert_bifurcations(origin, ["BRANCH_POINT"], [1.0])
    found = rd.continuation(LOGISTIC_MAP, {}, along, bounds=bounds, at=2.0, start=[0.5])
    assert_bifurcations(found, ["BRANCH_POINT", "FLIP"], [1.0, 3.0])
    for period, mu in ((2, 1 + math.sqrt(6)), (4, 3.544090359551923)):
        marks = found.bifurcations
        last = {"at": marks.mu[-1], "start": marks.states[-1]}
        found = rd.continuation(LOGISTIC_MAP, {}, along, bounds=bounds, period=period, doubled=True, **last)
        assert_bifurcations(found, ["FLIP"], [mu])
        assert_on_branch(found, lambda s, mu: mu * s * (1 - s), period)
    three = rd.continuation(LOGISTIC_MAP, {}, along, bounds=bounds, at=3.84, start=[0.149407], period=3)
    assert_bifurcations(three, ["FOLD", "FLIP"], [1 + math.sqrt(8), 3.841499007543507])
    assert (three.mu[0], three.mu[-1]) == (4.0, 4.0)


def test_folds_of_the_logistic_unit():
    """w = 5: folds at ln(s / (1 - s)) - w s, s = (1 +- sqrt(1 - 4 / w)) / 2."""
    s = (1 + np.array([1, -1]) * math.sqrt(1 - 4 / 5)) / 2
    cell = rd.Elman(1, activation="logistic")
    found = rd.continuation(
        cell, {"weight_hh": [[5.0]]}, {"bias_hh": [1.0]}, bounds=(-4, 0), at=-2.5, start=[0.5], device="python"
    )
    edges = np.log(s / (1 - s)) - 5 * s
    order = np.argsort(edges) if found.bifurcations.mu[0] < found.bifurcations.mu[1] else np.argsort(-edges)
    assert_bifurcations(found, ["FOLD", "FOLD"], edges[order], 1e-13)


@pytest.mark.parametrize("units", [1, 2])
def test_pitchfork_and_flip_of_the_origin(units):
    """W = mu I: the origin flips at -1 and meets other branches at 1; in two units two multipliers do so at once."""
    found = rd.continuation(rd.Elman(units), {}, {"weight_hh": np.eye(units)}, bounds=(-2, 3))
    assert_bifurcations(found, ["FLIP", "BRANCH_POINT"], [-1.0, 1.0])
    side = rd.continuation(rd.Elman(1), {}, {"weight_hh": [[1.0]]}, bounds=(-2, 3), at=2.0, start=[0.95])
    assert_bifurcations(side, ["BRANCH_POINT"], [1.0])
    np.testing.assert_array_equal(side.mu[[0, -1]], [3.0, 3.0])
    np.testing.assert_allclose(side.states[0], -side.states[-1], rtol=0, atol=1e-12)


def test_all_multipliers_of_the_origin_pass_the_circle():
    """W = mu J, J random of 16 units: each eigenvalue of J beyond 1/4 is one bifurcation, at mu = 1 / its modulus."""
    matrix = np.random.default_rng(0).normal(size=(16, 16)) / 4
    found = rd.continuation(rd.Elman(16), {}, {"weight_hh": matrix}, bounds=(0, 4), at=0.5)
    values = np.linalg.eigvals(matrix)
    values = values[(values.imag >= 0) & (np.abs(values) > 0.25)]
    values = values[np.argsort(-np.abs(values))]
    kinds = ["NEIMARK_SACKER" if v.imag > 0 else "FLIP" if v.real < 0 else "BRANCH_POINT" for v in values]
    assert set(kinds) == {"NEIMARK_SACKER", "FLIP", "BRANCH_POINT"}
    assert_bifurcations(found, kinds, 1 / np.abs(values))
    np.testing.assert_allclose(found.bifurcations.multiplier, values / np.abs(values), rtol=0, atol=1e-9)


def test_neimark_sacker_of_the_rotation_gru():
    """Candidate 3 [[c, -s], [s, c]] with sin alpha fixed: at cos alpha = 1/4."""
    weights, along = np.zeros((2, 6, 2))
    sine = math.sqrt(15) / 4
    weights[4:], along[4:] = 3 * np.array([[0, -sine], [sine, 0]]), 3 * np.eye(2)
    found = rd.continuation(rd.GRU(2), {"weight_hh": weights}, {"weight_hh": along}, bounds=(-0.9, 0.9))
    assert_bifurcations(found, ["NEIMARK_SACKER"], [0.25])
    np.testing.assert_allclose(found.bifurcations.multiplier[0], 0.5 + 0.75 * (0.25 + 1j * sine), rtol=1e-12)
    np.testing.assert_array_equal(found.type[[0, -1]], [S.STABLE_FOCUS, S.UNSTABLE_FOCUS])


def test_limit_of_the_antisymmetric_step():
    """Along dt, a parameter of the cell: stable below 2 gamma / (gamma^2 + omega^2)."""
    gamma, omega = 0.15, np.array([1.0, 2.0, 4.0])
    skew = np.stack([0.5 * w * np.array([[0.0, -1.0], [1.0, 0.0]]) for w in omega])
    cell = rd.Antisymmetric(2, gamma=gamma)
    found = rd.continuation(cell, {"weight_hh": skew, "dt": 0.0}, {"dt": 1.0}, bounds=(0.001, 0.5), at=0.05)
    np.testing.assert_array_equal(found.bifurcations.kind, [[B.NEIMARK_SACKER]] * 3)
    expected = 2 * gamma / (gamma**2 + omega**2)
    np.testing.assert_allclose(found.bifurcations.mu[:, 0], expected, rtol=0, atol=1e-12)


def test_henon_map_along_its_parameter():
    """Fold at -(1 - b)^2 / 4, flip at 3 (1 - b)^2 / 4; the saddle leaves for infinity as a goes to 0."""
    found = rd.continuation(HENON, {}, {"a": 1.0}, bounds=(-0.5, 1.4), at=0.3, start=[0.7, 0.2], most_steps=100)
    assert_bifurcations(found, ["FOLD", "FLIP"], [-(0.7**2) / 4, 3 * 0.7**2 / 4])
    assert found.status == rd.Status.NOT_CONVERGED
    away = rd.continuation(HENON, {}, {"a": 1.0}, bounds=(-0.5, 1.4), at=-0.1, start=[4.5, 1.3], step=0.2)
    assert away.status == rd.Status.DIVERGED
    assert np.abs(away.states[np.isfinite(away.states)]).max() > 1e11


def test_conservative_map():
    """Standard map at the origin: on the circle for -4 < K < 0, where moduli say nothing; the flip at -4 is seen."""
    found = rd.continuation(maps.STANDARD, {"K": 0.0}, {"K": 1.0}, bounds=(-5, -0.5), at=-1.0)
    assert_bifurcations(found, ["FLIP"], [-4.0])


def test_closed_branch():
    """x^2 + q^2 = 1: back at the start, with its two folds once each."""
    found = rd.continuation(CIRCLE, {}, {"q": 1.0}, bounds=(-2, 2), start=[1.0])
    assert found.status == rd.Status.OK
    np.testing.assert_allclose(np.sort(found.bifurcations.mu), [-1, 1], rtol=0, atol=1e-13)
    np.testing.assert_array_equal(found.bifurcations.kind, B.FOLD)
    np.testing.assert_allclose(found.states[:, 0] ** 2 + found.mu**2, 1.0, rtol=0, atol=1e-12)
    assert_same_result((found.mu[0], found.states[0]), (found.mu[-1], found.states[-1]))
    assert found.states[:, 0].min() < -0.99


def test_bifurcations_do_not_depend_on_the_step():
    """A third of the longest step: the same folds, flips and Neimark-Sacker points of random networks."""
    many = [np.random.default_rng(seed).normal(size=10) for seed in range(8)]
    weights = {
        "weight_hh": np.array([1.5 * r[:4].reshape(2, 2) for r in many]),
        "bias_hh": [0.5 * r[4:6] for r in many],
    }
    along = {"weight_hh": np.array([r[6:].reshape(2, 2) for r in many])}
    rough, fine = (rd.continuation(rd.Elman(2), weights, along, bounds=(-3, 3), step=step) for step in (0.03, 0.01))
    assert not rough.status.any()
    assert set(rough.bifurcations.kind.flat) == {B.NONE, B.FOLD, B.FLIP, B.NEIMARK_SACKER}
    np.testing.assert_array_equal(rough.bifurcations.kind, fine.bifurcations.kind)
    np.testing.assert_allclose(rough.bifurcations.mu, fine.bifurcations.mu, rtol=0, atol=1e-12)
    assert np.all(fine.count > 2 * rough.count)


def test_constant_inputs_move_with_their_weights():
    """Along weight_ih under a constant input u: the folds' bias is mu u."""
    cell, along = rd.Elman(1, inputs=2), {"weight_ih": np.array([[1.0, 1.0]])}
    found = rd.continuation(cell, {"weight_hh": [[2.0]]}, along, bounds=(-1, 1), start=[1.0], inputs=[[0.25, 0.5]])
    edge = float(fold_curve(2.0)) / 0.75
    assert_bifurcations(found, ["FOLD", "FOLD"], [edge, -edge], 1e-14)


def test_same_bits_alone_and_beside_others():
    """A branch is its own: bad points, branches of other lengths and threads beside it change nothing."""
    rng = np.random.default_rng(1)
    weights = {"weight_hh": 1.5 * rng.normal(size=(9, 2, 2)), "bias_hh": 0.3 * rng.normal(size=(9, 2))}
    weights["bias_hh"][3] = np.nan
    along = {"weight_hh": rng.normal(size=(2, 2))}
    options = {"bounds": (-1, 1), "start": [0.1, 0.2], "step": 0.05}
    whole = rd.continuation(rd.Elman(2), weights, along, threads=3, **options)
    assert (whole.status[3], whole.count[3], whole.bifurcations.count[3]) == (rd.Status.INVALID, 0, 0)
    assert np.isnan(whole.states[3]).all()
    for k in (0, 4, 8):
        alone = rd.continuation(rd.Elman(2), {n: v[k] for n, v in weights.items()}, along, **options)
        for one_, all_ in ((alone, whole), (alone.bifurcations, whole.bifurcations)):
            for array, rows in zip(one_, all_, strict=True):
                if not isinstance(array, tuple):
                    assert_same_result(rows[k][: len(array)] if array.ndim else rows[k], array)


def test_no_solution_near_the_start():
    """h <- relu(h) + 1 has none: no points, not converged; the neighbour with a bias of -1 has one."""
    cell = rd.Elman(1, activation="relu")
    weights = {"weight_hh": [[1.0]], "bias_hh": np.array([[1.0], [-1.0]])}
    found = rd.continuation(cell, weights, {"bias_hh": [1.0]}, bounds=(-0.5, 0.5), start=[0.5])
    np.testing.assert_array_equal(found.status, [rd.Status.NOT_CONVERGED, rd.Status.OK])
    assert found.count[0] == 0
    assert found.count[1] > 10


def test_doubling_needs_a_flip():
    """From the folds of the tanh unit, or from nowhere, no doubled cycle begins; a bad point in a chunk of its own."""
    folds = rd.continuation(TANH, {"weight_hh": [[2.0]]}, {"bias_hh": [1.0]}, bounds=(-1, 1), start=[1.0]).bifurcations
    given = {"start": [*folds.states, [np.nan]], "at": [*folds.mu, np.nan], "device": "python"}
    found = rd.continuation(
        TANH, {"weight_hh": [[2.0]]}, {"bias_hh": [1.0]}, bounds=(-1, 1), period=2, doubled=True, **given
    )
    np.testing.assert_array_equal(found.status, [rd.Status.NOT_CONVERGED] * 2 + [rd.Status.INVALID])
    assert found.mu.shape == (3, 0)


def test_progress():
    calls = []
    rd.continuation(
        TANH, {"weight_hh": [[2.0]]}, {"bias_hh": [1.0]}, bounds=(-1, 1), progress=lambda *call: calls.append(call)
    )
    assert calls[-1] == (4000, 4000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bounds": (1, 0)}, "bounds"),
        ({"bounds": (0, math.inf)}, "bounds"),
        ({"bounds": 3}, "bounds"),
        ({"at": 2.0}, "at"),
        ({"period": 0}, "period"),
        ({"period": 3, "doubled": True}, "period"),
        ({"along": {}}, "along"),
        ({"along": {"bias_hh": [0.0]}}, "along"),
        ({"along": {"bias_h": [1.0]}}, "bias_hh"),
        ({"start": [0.0, 1.0]}, "start"),
        ({"step": 0.0}, "step"),
        ({"most_steps": 0}, "most_steps"),
        ({"inputs": np.zeros((5, 1))}, "inputs"),
    ],
)
def test_mistakes_are_told(options, message):
    given = {"along": {"bias_hh": [1.0]}, "bounds": (-1, 1)} | options
    with pytest.raises(rd.InputError, match=message):
        rd.continuation(TANH, {"weight_hh": [[2.0]]}, **given)
