"""Fixed points and cycles, stable and not: against closed forms, known numbers of cycles, and what must not count."""

import itertools
import math

import maps
import numpy as np
import pytest
from support import EPS, assert_same_result, rotation

import rnndyn as rd
from rnndyn.dynamics.cycles import cycles as cycles_of
from rnndyn.dynamics.newton import Step, polish, solve
from rnndyn.dynamics.theory import flip_curve, fold_curve

S, B = rd.Stability, rd.Bifurcation
HENON = rd.Cell(
    "Henon",
    1,
    0,
    ("x", "y"),
    (rd.Stage(lambda x, a, s, p: (1.0 - p[0] * s[0] * s[0] + s[1], p[1] * s[0])),),
    parameters={"a": 1.4, "b": 0.3},
)
PLAIN = {"device": "python", "steps": 40}  # orbits of a cell of one test need no compiled kernel


def unit(w, b):
    """Weights of `h <- phi(w h + b)`."""
    return {"weight_hh": np.asarray(w, float)[..., None, None], "bias_hh": np.asarray(b, float)[..., None]}


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


def names(kinds, of):
    return [of(kind).name for kind in kinds]


def test_number_on_both_sides_of_the_curves():
    """tanh unit: 3 fixed points inside the fold curve, 1 outside; a 2-cycle inside the flip curve only."""
    w = np.concatenate([np.linspace(-4, -1.3, 12), np.linspace(1.3, 4, 12)])
    curve = np.where(w > 0, fold_curve(w), flip_curve(w))
    for distance in (1e-2, 1e-5, 1e-8):
        inside = rd.cycles(rd.Elman(1), unit(w, curve - distance), max_period=2)
        outside = rd.cycles(rd.Elman(1), unit(w, -curve - distance), max_period=2)
        np.testing.assert_array_equal(inside.count, np.where(w > 0, 3, 2))
        np.testing.assert_array_equal(inside.period[:, :2], [[1, 1 if v > 0 else 2] for v in w])
        np.testing.assert_array_equal(outside.count, 1)
        assert not inside.status.any()
        assert not outside.status.any()


def test_tanh_unit_where_the_solution_is_known():
    """b = artanh(h) - w h has the fixed point h with multiplier w (1 - h^2), within the error."""
    w, h = (v.ravel() for v in np.meshgrid([-3.0, -1.5, 0.5, 2.0, 5.0], [-0.9, -0.3, 0.2, 0.75], indexing="ij"))
    found = rd.fixed_points(rd.Elman(1), unit(w, np.arctanh(h) - w * h))
    away = np.abs(found.states[:, :, 0] - h[:, None])
    nearest = np.nanargmin(away, axis=1), np.arange(len(h))
    place = (nearest[1], nearest[0])
    multiplier = w * (1 - h * h)
    assert np.all(away[place] <= found.error[place] + EPS * np.abs(w) / np.abs(1 - multiplier))
    assert np.nanmax(found.error) < 1e-13
    assert np.nanmax(found.residual) < 1e-14
    np.testing.assert_allclose(found.eigenvalues[place][:, 0], multiplier, rtol=0, atol=1e-12)
    expected = np.where(np.abs(multiplier) < 1, S.STABLE_NODE, S.UNSTABLE_NODE)
    np.testing.assert_array_equal(found.type[place], expected)
    np.testing.assert_array_equal(found.lost[place], np.where(multiplier > 0, B.FOLD, B.FLIP))


def test_on_the_curves_the_root_is_double_and_neutral():
    """At the fold the two solutions are one, known to half the digits, and the error says so; likewise at the cusp."""
    w = np.array([2.0, 2.0, 1.0])
    found = rd.fixed_points(rd.Elman(1), unit(w, [fold_curve(2.0), -fold_curve(2.0), 0.0]))
    np.testing.assert_array_equal((found.type == S.NEUTRAL).sum(axis=1), 1)
    np.testing.assert_array_equal(found.count, [2, 2, 1])
    neutral = found.type == S.NEUTRAL
    away = np.abs(found.states[neutral][:, 0] - [-math.sqrt(0.5), math.sqrt(0.5), 0.0])
    assert np.all(away <= found.error[neutral])
    assert np.all(found.error[neutral] < 1e-4)


def test_two_cycle_of_the_tanh_unit():
    """w = -2, b = 0: (x, -x) with x = tanh 2x, multiplier (w (1 - x^2))^2."""
    found = rd.cycles(rd.Elman(1), unit(-2.0, 0.0), max_period=4)
    x = 0.95750402407726
    assert abs(math.tanh(2 * x) - x) < 1e-14
    np.testing.assert_array_equal(found.period, [1, 2])
    np.testing.assert_allclose(found.points[1, :2, 0], [-x, x], rtol=0, atol=1e-13)
    assert np.isnan(found.points[1, 2:]).all()
    np.testing.assert_allclose(found.multipliers[:, 0], [-2.0, 4 * (1 - x * x) ** 2], rtol=1e-12)
    assert names(found.type, S) == ["UNSTABLE_NODE", "STABLE_NODE"]
    assert names(found.lost, B) == ["FLIP", "FOLD"]


def test_henon_map():
    """(1.4, 0.3): 2 fixed points and 1, 0, 1, 0, 2, 4, 7 cycles of periods 2 to 8; closed forms of the first ones.

    Source of the numbers: Galias, Int. J. Bifurcation and Chaos 11 (2001) 2427 (one of the fixed points is not on the
    attractor).
    """
    found = rd.cycles(HENON, {}, **PLAIN)
    np.testing.assert_array_equal(np.bincount(found.period), [0, 2, 1, 0, 1, 0, 2, 4, 7])
    assert found.status == rd.Status.OK
    a, b = 1.4, 0.3
    x = (-(1 - b) + np.array([-1, 1]) * math.sqrt((1 - b) ** 2 + 4 * a)) / (2 * a)
    assert np.all(np.abs(found.points[:2, 0] - np.stack([x, b * x], axis=1)) <= found.error[:2, None])
    pair = found.points[2, :2, 0]
    np.testing.assert_allclose([pair.sum(), pair.prod()], [(1 - b) / a, ((1 - b) ** 2 - a) / a**2], rtol=1e-13)
    determinant = found.multipliers.prod(axis=1)  # of the Jacobian, -b at each step
    size = np.abs(found.multipliers[:, 0])
    np.testing.assert_allclose(determinant.real, (-b) ** found.period, rtol=0, atol=1e-12 * size.max())
    np.testing.assert_allclose(size[:2], np.abs(-a * x + np.array([1, -1]) * np.sqrt(a * a * x * x + b)), rtol=1e-12)
    assert set(found.type) == {S.SADDLE}
    for cycle, period, error in zip(found.points, found.period, found.error, strict=True):
        image = np.stack([1 - a * cycle[:period, 0] ** 2 + cycle[:period, 1], b * cycle[:period, 0]], axis=1)
        assert np.abs(image - np.roll(cycle[:period], -1, axis=0)).max() <= 20 * error


@pytest.mark.slow
def test_henon_map_up_to_period_12():
    """6, 10, 14, 19 cycles of periods 9 to 12, of which the last has multipliers of some hundreds."""
    found = rd.cycles(HENON, {}, max_period=12, starts=128, device="python")
    np.testing.assert_array_equal(np.bincount(found.period), [0, 2, 1, 0, 1, 0, 2, 4, 7, 6, 10, 14, 19])
    assert found.error.max() < 1e-10


def test_henon_map_where_it_has_fewer():
    """Fixed points from a = -(1 - b)^2 / 4, the 2-cycle from 3 (1 - b)^2 / 4 on."""
    first, second = -(0.7**2) / 4, 3 * 0.7**2 / 4
    a = np.array([first - 1e-3, first + 1e-3, second - 1e-3, second + 1e-3])
    found = rd.cycles(HENON, {"a": a}, max_period=2, spread=3.0, **PLAIN)
    np.testing.assert_array_equal(found.count, [0, 2, 2, 3])
    assert not found.status.any()
    assert not found.period[0].any()


def test_rings_have_the_cycles_of_their_letters():
    """h_i <- tanh(2 h_{i-1}): the states' units take one of three values each, and shift round."""
    found = rd.cycles(rd.Elman(3), {"weight_hh": 2 * np.roll(np.eye(3), 1, axis=0)}, max_period=3)
    x = 0.95750402407726
    words = {min(word[k:] + word[:k] for k in range(3)) for word in itertools.product((-x, 0.0, x), repeat=3)}
    assert len(words) == 3 + 8
    np.testing.assert_array_equal(found.period, [1] * 3 + [3] * 8)
    for word in words:
        distance = np.abs(found.points[:, :, :, None] - np.array([np.roll(word, k) for k in range(3)]).T)
        assert np.nanmin(distance.max(axis=2), axis=(1, 2)).min() < 1e-12


def test_deflation_leads_to_the_other_solutions():
    """One start and h <- tanh 2h: 0, then away from 0, then away from both, the third one; then nothing is left."""
    step, start, reach = Step(rd.Elman(1)), np.array([[0.05]]), np.array([np.inf])
    theta, known, found = np.zeros((1, step.layout.size)), np.full((1, 0, 1), np.nan), []
    theta[0, step.layout.places["weight_hh"][0]] = 2.0
    for _ in range(3):
        points, _, error = polish(step, theta, start, reach, 1, known, shift=1.0)
        assert error < 1e-12
        found.append(points[0, 0, 0])
        known = np.concatenate([known, points], axis=1)
    x = 0.95750402407726
    np.testing.assert_allclose(found, [0.0, -x, x] if found[1] < 0 else [0.0, x, -x], rtol=0, atol=1e-13)
    with np.errstate(all="ignore"):
        last, _, error = polish(step, theta, start, reach, 1, known, shift=1.0)
    assert np.isinf(error)
    assert np.isnan(last).all()


def test_few_starts_find_most():
    """27 fixed points of three tanh units apart: 4 starts in at most 8 rounds find 3 of 4; without deflation, half."""
    weights = np.repeat(2 * np.eye(3)[None], 20, axis=0)
    count = rd.fixed_points(rd.Elman(3), {"weight_hh": weights}, starts=4).count
    assert 18 < count.mean() <= 27


TYPES = [
    (np.diag([0.5, -0.7]), S.STABLE_NODE, B.FLIP),
    (rotation(1.0, 0.9), S.STABLE_FOCUS, B.NEIMARK_SACKER),
    (np.diag([1.5, 0.3]), S.SADDLE, B.FOLD),
    (np.diag([-2.0, 1.5]), S.UNSTABLE_NODE, B.FLIP),
    (rotation(2.0, 1.1), S.UNSTABLE_FOCUS, B.NEIMARK_SACKER),
    (rotation(1.0), S.NEUTRAL, B.NEIMARK_SACKER),
    (np.diag([-1.0, 0.5]), S.NEUTRAL, B.FLIP),
    (np.zeros((2, 2)), S.STABLE_NODE, B.NONE),
]
LARGER = [
    ([1.5], rotation(1.0, 0.9), S.SADDLE_FOCUS, B.FOLD),
    ([0.5], rotation(1.0, 1.1), S.SADDLE_FOCUS, B.NEIMARK_SACKER),
    ([0.95], rotation(1.0, 0.9), S.STABLE_NODE, B.FOLD),
    ([1.05], rotation(1.0, 1.2), S.UNSTABLE_NODE, B.NEIMARK_SACKER),
]


def test_types_of_linear_maps():
    """The names follow the multipliers that lead; the fixed point is where it must be."""
    matrices = np.stack([matrix for matrix, *_ in TYPES])
    found = rd.fixed_points(rd.Linear(2), {"weight_hh": matrices, "bias_hh": [0.5, -1.0]})
    np.testing.assert_array_equal(found.count, 1)
    np.testing.assert_array_equal(found.type[:, 0], [kind for _, kind, _ in TYPES])
    np.testing.assert_array_equal(found.lost[:, 0], [lost for *_, lost in TYPES])
    states = np.linalg.solve(np.eye(2) - matrices, np.broadcast_to([[0.5], [-1.0]], (len(TYPES), 2, 1)))[:, :, 0]
    assert np.all(np.abs(found.states[:, 0] - states) <= found.error + 4 * EPS * np.abs(states))
    size = np.abs(found.eigenvalues[:, 0])
    assert np.all(size[:, 0] >= size[:, 1])


def test_types_with_leading_pairs():
    matrices = np.zeros((len(LARGER), 3, 3))
    for matrix, (real, pair, *_) in zip(matrices, LARGER, strict=True):
        matrix[:1, :1], matrix[1:, 1:] = real, pair
    found = rd.fixed_points(rd.Linear(3), {"weight_hh": matrices}, **PLAIN)
    np.testing.assert_array_equal(found.type[:, 0], [kind for *_, kind, _ in LARGER])
    np.testing.assert_array_equal(found.lost[:, 0], [lost for *_, lost in LARGER])


def test_gated_origins():
    """LSTM multipliers sigma(b_f) + sigma(b_i) sigma(b_o) w and 0; GRU sigma(b_z) + (1 - sigma(b_z)) sigma(b_r) u."""
    rng = np.random.default_rng(2)
    inner, bias = 0.5 * rng.normal(size=(2, 2)), rng.normal(size=4)
    w = np.linalg.eigvals(inner)
    lstm = {"weight_hh": np.zeros((8, 2)), "bias_hh": np.repeat(bias * [1, 1, 0, 1], 2)}
    lstm["weight_hh"][4:6] = inner
    found = rd.fixed_points(rd.LSTM(2), lstm)
    origin = int(np.argmin(np.abs(found.states).max(axis=1)))
    i, f, _, o = logistic(bias)
    expected = np.concatenate([f + i * o * w, [0.0, 0.0]])
    assert_same_multipliers(found.eigenvalues[origin], expected)
    gru = {"weight_hh": np.zeros((6, 2)), "bias_hh": np.repeat([bias[0], bias[1], 0.0], 2)}
    gru["weight_hh"][4:] = inner
    found = rd.fixed_points(rd.GRU(2), gru)
    origin = int(np.argmin(np.abs(found.states).max(axis=1)))
    r, z = logistic(bias[:2])
    assert_same_multipliers(found.eigenvalues[origin], z + (1 - z) * r * w)


def assert_same_multipliers(found, expected):
    np.testing.assert_allclose(found[np.argsort(found)], np.sort_complex(expected), rtol=0, atol=1e-13)


def test_constant_inputs_act_as_biases():
    rng = np.random.default_rng(4)
    weights = {"weight_hh": 2 * rng.normal(size=(5, 2, 2)), "weight_ih": rng.normal(size=(2, 3))}
    inputs = rng.normal(size=(5, 1, 3))
    driven = rd.fixed_points(rd.Elman(2, inputs=3), weights, inputs=inputs)
    bias = np.einsum("ni,bi->bn", weights.pop("weight_ih"), inputs[:, 0])
    alone = rd.fixed_points(rd.Elman(2), weights | {"bias_ih": bias})
    np.testing.assert_array_equal(driven.count, alone.count)
    assert np.ptp(driven.count) > 0
    difference = np.abs(driven.states - alone.states).max(axis=-1)
    assert np.nanmax(difference / (driven.error + alone.error)) <= 1.0


def test_what_is_no_isolated_solution():
    """No fixed point; a plane of them, of which any number is found; a line; one."""
    matrices = np.stack([np.eye(2), np.eye(2), np.diag([1.0, 0.5]), 0.5 * np.eye(2)])
    found = rd.fixed_points(rd.Linear(2), {"weight_hh": matrices, "bias_hh": [[1.0, 0], [0, 0], [0, 1], [1, 1]]})
    assert found.count[0] == 0
    assert found.count[1] > 8
    assert found.status[1] == rd.Status.NOT_CONVERGED
    assert set(found.type[1]) <= {S.NEUTRAL}
    assert np.all(found.type[2, : found.count[2]] == S.NEUTRAL)
    np.testing.assert_allclose(found.states[2, : found.count[2], 1], 2.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.states[3, 0], [2.0, 2.0], rtol=1e-14)
    assert found.count[3] == 1


def test_singular_systems_leave_the_others_alone():
    """A singular matrix in a stack gets the shortest solution; the other solutions keep their bits."""
    rng = np.random.default_rng(0)
    matrices, vectors = rng.normal(size=(6, 3, 3)), rng.normal(size=(6, 3))
    before = solve(matrices, vectors)
    singular = matrices.copy()
    singular[2] = np.diag([1.0, 2.0, 0.0])
    after = solve(singular, vectors)
    rest = np.arange(6) != 2
    assert_same_result(after[rest], before[rest])
    np.testing.assert_allclose(after[2], vectors[2] / [1.0, 2.0, np.inf], rtol=1e-14)


def test_same_bits_for_any_split_and_beside_bad_points():
    """Threads, parts with `first_index`, NaN beside: the rows of a point are its own."""
    rng = np.random.default_rng(3)
    weights = {"weight_hh": 3 * rng.normal(size=(21, 2, 2)), "bias_hh": 0.5 * rng.normal(size=(21, 2))}
    whole = rd.cycles(rd.Elman(2), weights, threads=1, seed=7, starts=8, max_period=3)
    assert_same_result(whole, rd.cycles(rd.Elman(2), weights, threads=3, seed=7, starts=8, max_period=3))
    assert len(np.unique(whole.count)) > 2
    bad = {name: array.copy() for name, array in weights.items()}
    bad["bias_hh"][4, 1] = np.nan
    spoilt = rd.cycles(rd.Elman(2), bad, seed=7, starts=8, max_period=3)
    assert (spoilt.status[4], spoilt.count[4]) == (rd.Status.INVALID, 0)
    assert np.isnan(spoilt.points[4]).all()
    for k in (0, 3, 5, 20):
        own = {name: array[k] for name, array in weights.items()}
        alone = cycles_of(rd.Elman(2), own, seed=7, first_index=k, starts=8, max_period=3)
        for result in (whole, spoilt):
            for name, array in alone._asdict().items():
                rows = getattr(result, name)[k]
                assert_same_result(rows[: len(array)] if array.ndim else rows, array)


def test_shapes_types_and_progress():
    calls = []
    weights = {"weight_hh": 2 * np.eye(2), "bias_hh": np.zeros((3, 1, 2))}
    found = rd.cycles(rd.Elman(2), weights, max_period=2, progress=lambda *call: calls.append(call))
    assert calls[-1][0] == calls[-1][1]
    many = found.count.max()
    assert found.points.shape == (3, 1, many, 2, 2)
    assert found.multipliers.shape == (3, 1, many, 2)
    assert found.multipliers.dtype == complex
    assert {found.type.dtype, found.lost.dtype, found.status.dtype} == {np.dtype(np.int8)}
    assert {found.period.dtype, found.count.dtype} == {np.dtype(np.int32)}
    points = rd.fixed_points(rd.Elman(2), weights)
    np.testing.assert_array_equal(points.count, 9)
    x = 0.95750402407726
    expected = [list(word) for word in itertools.product((-x, 0.0, x), repeat=2)]
    np.testing.assert_allclose(points.states[0, 0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"starts": 0},
        {"steps": 0},
        {"max_period": 0},
        {"spread": 0.0},
        {"spread": math.inf},
        {"seed": -1},
        {"device": "tpu"},
        {"inputs": np.zeros((2, 1))},
    ],
)
def test_mistakes_are_told(options):
    with pytest.raises(rd.InputError):
        rd.cycles(rd.Elman(1, inputs=1), unit(0.5, 0.0), **options)


def test_all_invalid_and_the_textbook_map():
    some = rd.fixed_points(rd.Elman(1), unit([np.nan, 0.5], 0.0), **PLAIN)  # a bad point in a chunk of its own
    np.testing.assert_array_equal(some.count, [0, 1])
    with pytest.raises(rd.InputError, match="every point is invalid"):
        rd.fixed_points(rd.Elman(1), unit(np.nan, 0.0))
    states = rd.fixed_points(maps.HENON, {}, **PLAIN).states
    np.testing.assert_allclose(states, rd.fixed_points(HENON, {}, **PLAIN).states, rtol=0, atol=1e-14)


def test_what_a_shut_gate_keeps_is_no_fixed_point():
    """Far out sigma is 1 to the last bit and h' = h whatever h; a fixed point of a GRU lies within |h| <= 1."""
    chaotic = np.concatenate([[[0, 1], [1, 0]], [[0, -1], [-1, -1]], [[-5, -8], [8, 5]]])
    found = rd.fixed_points(rd.GRU(2, reset_after=False), {"weight_hh": chaotic}, steps=20, device="python")
    assert (found.count, found.status) == (1, rd.Status.OK)
    np.testing.assert_array_equal(found.states, [[0.0, 0.0]])
    rng = np.random.default_rng(2)
    weights = {"weight_hh": 1.5 * rng.normal(size=(6, 9, 3)), "bias_hh": 1.5 * rng.normal(size=(6, 9))}
    found = rd.fixed_points(rd.GRU(3), weights, steps=20, device="python")
    assert np.all(found.count >= 1)
    assert np.all(found.status == rd.Status.OK)
    assert np.nanmax(np.abs(found.states)) <= 1.0
    assert np.nanmax(found.error) <= 1e-9
