"""Attractors counted and their periods: against closed-form curves, exact cycles, and what must not count."""

import math

import numpy as np
import pytest
import twin
from support import FAMILIES, assert_close, assert_same_result, build, random_weights, rounding

import rnndyn as rd
from rnndyn.dynamics.newton import Step
from rnndyn.dynamics.theory import flip_curve, fold_curve


def unit(w, b):
    """Weights of `h <- phi(w h + b)`."""
    return {"weight_hh": np.asarray(w, float)[..., None, None], "bias_hh": np.asarray(b, float)[..., None]}


def regimes(w, b):
    """(number, period) of the tanh unit's attractors from the closed-form curves."""
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(b) < fold_curve(w), 2, 1), np.where(np.abs(b) < flip_curve(w), 2, 1)


def assert_found(found, count, period, status=rd.Status.OK):
    np.testing.assert_array_equal(found.count, np.broadcast_to(count, found.count.shape))
    np.testing.assert_array_equal(found.period, np.broadcast_to(period, found.period.shape))
    np.testing.assert_array_equal(found.status, np.broadcast_to(status, found.status.shape))


@pytest.mark.parametrize("starts", [4, 8])
def test_tanh_unit_over_weight_and_bias(starts):
    """Right at every point of a grid: two fixed points inside the fold curve, a 2-cycle inside the flip curve."""
    w, b = np.meshgrid(np.linspace(-4, 4, 64), np.linspace(-2, 2, 64), indexing="ij")
    count, period = regimes(w, b)
    assert set(np.unique(count)) == set(np.unique(period)) == {1, 2}
    assert_found(rd.attractors(rd.Elman(1), unit(w, b), starts=starts), count, period)


@pytest.mark.parametrize("distance", [1e-3, 1e-4, 1e-5, 1e-6])
@pytest.mark.parametrize("side", [-1, 1])
def test_tanh_unit_beside_the_curves(distance, side):
    """Where orbits creep the label is right all the same, on both sides of both curves."""
    w = np.concatenate([np.linspace(-4, -1.01, 50), np.linspace(1.01, 4, 50)])
    b = np.where(w > 0, fold_curve(w), flip_curve(w)) + side * distance
    w, b = np.stack([w, w]), np.stack([b, -b])
    assert_found(rd.attractors(rd.Elman(1), unit(w, b), starts=5), *regimes(w, b))


def test_tanh_unit_at_the_first_bifurcations_without_bias():
    """b = 0: the pitchfork at w = 1 and the flip at w = -1, to 1e-5."""
    w = np.array([1 - 1e-5, 1 + 1e-5, -1 + 1e-5, -1 - 1e-5])
    assert_found(rd.attractors(rd.Elman(1), unit(w, 0 * w), starts=4), [1, 2, 1, 1], [1, 1, 1, 2])


def test_on_a_curve_nothing_attracts_exponentially():
    """w = 1, b = 0: multiplier 1, so that no orbit is decided."""
    assert_found(rd.attractors(rd.Elman(1), unit(1.0, 0.0), steps=200), 0, 0, rd.Status.NOT_CONVERGED)


def test_logistic_unit_is_bistable_between_two_biases():
    """w = 5: two states for b in (-2.65561034, -2.34438966), one outside."""
    edges = np.array([-2.65561034, -2.34438966])
    s = (1 + np.array([1, -1]) * np.sqrt(1 - 4 / 5)) / 2
    np.testing.assert_allclose(np.log(s / (1 - s)) - 5 * s, edges, rtol=0, atol=5e-9)
    b = np.add.outer(edges, [-1e-3, -1e-5, 1e-5, 1e-3])
    found = rd.attractors(rd.Elman(1, activation="logistic"), unit(5.0 + 0 * b, b))
    assert_found(found, [[1, 1, 2, 2], [2, 2, 1, 1]], 1)


def test_rings_of_units_have_the_cycles_of_their_signs():
    """h_i <- tanh(2 h_{i-1}): signs shift round. Two units: 2 fixed points, a 2-cycle; three: 2 and two 3-cycles;
    with one sign changed two units have one 4-cycle and three a 2-cycle and a 6-cycle."""
    sign = np.array([1.0, -1.0])
    for units, count, period in ((2, [3, 1], [1, 4]), (3, [4, 2], [1, 2])):
        ring = np.repeat(2 * np.roll(np.eye(units), 1, axis=0)[None], 2, axis=0)
        ring[:, 0] *= sign[:, None]
        assert_found(rd.attractors(rd.Elman(units), {"weight_hh": ring}, starts=64), count, period)


def test_longest_period():
    """A 6-cycle counts with `max_period=6` and not with 5; nor does it then pass for something shorter."""
    ring = 2 * np.roll(np.eye(3), 1, axis=0)
    ring[0] *= -1
    six = {"weight_hh": ring, "bias_hh": [0.3, 0.0, 0.0]}
    cell, options = rd.Elman(3), {"starts": 32, "seed": 1}
    assert_found(rd.attractors(cell, six, max_period=6, **options), 2, 2)
    assert_found(rd.attractors(cell, six, max_period=5, **options), 1, 2, rd.Status.NOT_CONVERGED)
    assert_found(rd.attractors(cell, six, max_period=1, **options), 0, 0, rd.Status.NOT_CONVERGED)


def settled(weights, starts, longest):
    """(number, shortest period) of a two-unit tanh network from long orbits alone; the orbits must have closed."""
    orbits = rd.trajectory(rd.Elman(2), weights, steps=8000 + longest, state=starts)[:, -longest - 1 :]
    cycles = {}
    for orbit in orbits:
        closed = np.abs(orbit[1:] - orbit[0]).max(axis=1) < 1e-12
        assert closed.any(), "the orbit has not settled"
        period = int(np.argmax(closed)) + 1
        cycles[min(tuple(np.round(point, 6) + 0.0) for point in orbit[:period])] = period
    return len(cycles), min(cycles.values())


@pytest.mark.parametrize(
    ("angle", "gain", "bias", "period"), [(3, 1.2, 0.1, 3), (3, 1.5, 0.5, 3), (5, 3.0, 0.1, 4), (3, 1.02, 0.5, 1)]
)
def test_rotations_with_tanh_lock_to_cycles(angle, gain, bias, period):
    """W = gain R(360 / angle degrees) with a bias: a 3-cycle, a 4-cycle, a point, as long orbits say."""
    c, s = math.cos(2 * math.pi / angle), math.sin(2 * math.pi / angle)
    weights = {"weight_hh": gain * np.array([[c, -s], [s, c]]), "bias_hh": [bias, 0.4 * bias]}
    truth = settled(weights, np.random.default_rng(0).normal(size=(32, 2)), 8)
    assert truth == (1, period)
    assert_found(rd.attractors(rd.Elman(2), weights, starts=32), *truth)


@pytest.mark.parametrize("family", ["lstm", "gru", "gru_before"])
@pytest.mark.parametrize("units", [1, 2])
def test_gated_units_with_a_candidate_weight(family, units):
    """Zero biases: the origin has multipliers 1/2 + u/4. u in (-6, 2): a point; above, two a unit; below, 2-cycles."""
    cell = build(rd, family, units)
    u = np.array([-6 - 1e-3, -6 + 1e-3, 0.0, 2 - 1e-3, 2 + 1e-3, 3.0])
    weights = np.zeros((6, *cell.shapes["weight_hh"]))
    weights[:, 2 * units : 3 * units] = u[:, None, None] * np.eye(units)
    found = rd.attractors(cell, {"weight_hh": weights}, starts=24)
    assert_found(found, [units, 1, 1, 1, 2**units, 2**units], [2, 1, 1, 1, 1, 1])


CHAOTIC = {
    "gru": (
        rd.GRU(2, reset_after=False),
        np.vstack([[[0, 1], [1, 0]], [[0, -1], [-1, -1]], [[-5, -8], [8, 5]]]),
    ),
    "lstm": (
        rd.LSTM(2),
        np.vstack([[[-1, -4], [-3, -2]], [[-2, 6], [0, -6]], [[-1, -6], [6, -9]], [[4, 1], [-9, -7]]]),
    ),
}


@pytest.mark.parametrize("name", CHAOTIC)
def test_chaos_is_no_attractor_of_finite_period(name):
    cell, weights = CHAOTIC[name]
    found = rd.attractors(cell, {"weight_hh": np.repeat(weights[None].astype(float), 20, axis=0)}, steps=500)
    assert_found(found, 0, 0, rd.Status.NOT_CONVERGED)


def test_unbounded_neutral_and_invalid_points():
    """A linear unit: one fixed point, a line of neutral ones, growth; NaN spoils its own point only."""
    found = rd.attractors(rd.Linear(1), unit([0.5, -0.5, 1.0, -1.0, 1.1, np.nan], np.full(6, 0.25)))
    status = rd.Status
    expected = [status.OK, status.OK, status.NOT_CONVERGED, status.NOT_CONVERGED, status.DIVERGED, status.INVALID]
    assert_found(found, [1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], expected)


def test_neutral_rotations_do_not_stop_the_others():
    """Orthogonal matrices (I - J singular or not) beside a contraction."""
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    matrices = np.stack([np.eye(2), turn, 0.5 * turn])
    found = rd.attractors(rd.Linear(2), {"weight_hh": matrices})
    assert_found(found, [0, 0, 1], [0, 0, 1], [1, 1, 0])


def test_same_labels_for_any_split():
    """Threads, and a grid computed in parts with `first_index`, change nothing; one type of integers."""
    rng = np.random.default_rng(3)
    weights = {"weight_hh": 2 * rng.normal(size=(60, 2, 2)), "bias_hh": rng.normal(size=(60, 2))}
    whole = rd.attractors(rd.Elman(2), weights, threads=1, seed=7)
    assert [array.dtype for array in whole] == [np.int32, np.int32, np.int8]
    assert_same_result(whole, rd.attractors(rd.Elman(2), weights, threads=3, seed=7))
    part = rd.attractors(rd.Elman(2), {k: v[37:] for k, v in weights.items()}, seed=7, first_index=37)
    assert_same_result([array[37:] for array in whole], list(part))


def test_batch_axes_inputs_and_the_uncompiled_kernels():
    """Weights broadcast; inputs count as zero; device 'python' finds the same."""
    cell = rd.Elman(1, inputs=3)
    weights = {"weight_hh": np.array([[2.0]]), "bias_ih": np.array([[-1.0], [0.5], [0.6]])}
    weights["weight_ih"] = np.ones((1, 3))
    found = rd.attractors(cell, weights, steps=60, starts=4)
    assert_found(found, [1, 2, 1], 1)
    assert_same_result(found, rd.attractors(cell, weights, steps=60, starts=4, device="python"))
    assert rd.attractors(rd.Elman(1), unit(0.5, 0.0)).count.shape == ()


def test_progress_counts_the_orbits():
    calls = []
    rd.attractors(rd.Elman(1), unit(0.5, np.zeros(9)), starts=3, steps=50, progress=lambda *call: calls.append(call))
    assert calls[-1] == (9 * 3 * 50, 9 * 3 * 50)


@pytest.mark.parametrize(
    "options",
    [
        {"starts": 0},
        {"steps": 0},
        {"max_period": 0},
        {"spread": 0.0},
        {"spread": [1.0, 2.0]},
        {"spread": math.inf},
        {"seed": -1},
        {"device": "tpu"},
        {"threads": 0},
    ],
)
def test_mistakes_are_told(options):
    with pytest.raises(rd.InputError):
        rd.attractors(rd.Elman(1), unit(0.5, 0.0), **options)


def test_unknown_weights_and_all_invalid():
    with pytest.raises(rd.InputError, match="weight_hh"):
        rd.attractors(rd.Elman(1), {"weight_h": 1.0})
    with pytest.raises(rd.InputError, match="every point is invalid"):
        rd.attractors(rd.Elman(1), unit(np.nan, 0.0))


@pytest.mark.parametrize("family", FAMILIES)
def test_step_and_jacobian(family):
    """One step and its Jacobian for many rows at once, against the twin written out by hand."""
    rng, slow, cell = np.random.default_rng(5), build(twin, family, 3), build(rd, family, 3)
    many = [random_weights(slow, rng, gain=1.5) for _ in range(4)]
    states = rng.normal(size=(4, slow.state_size))
    step = Step(cell)
    theta = np.zeros((4, step.layout.size))
    for row, weights in zip(theta, many, strict=True):
        for name, (start, size) in step.layout.places.items():
            if name in weights:
                row[start : start + size] = np.ravel(weights[name])
    images, jacobians = step(theta, states)
    for k, weights in enumerate(many):
        assert_close(images[k], rd.trajectory(cell, weights, steps=1, state=states[k])[-1], rounding(1, 20))
        (expected,) = twin.jacobians(slow, weights, steps=1, state=states[k])
        assert_close(jacobians[k], expected, rounding(1, 20))


def leaky(x, a, s, p):
    return ((1.0 - p[0]) * s[0] + p[0] * math.tanh(x[0] + a[0]),)


def test_a_cell_with_a_parameter():
    """h <- (1 - alpha) h + alpha tanh(w h): at w = -3 the origin flips at alpha = 2 / (1 - w) = 1/2."""
    stage = rd.Stage(gates=("h",), update=leaky, sends="h", leaves=("h",))
    cell = rd.Cell("Leaky", 1, 0, ("h",), (stage,), parameters={"alpha": 0.5})
    weights = {"weight_hh": [[-3.0]], "alpha": np.array([0.3, 0.5 - 1e-4, 0.5 + 1e-4, 0.9])}
    assert_found(rd.attractors(cell, weights), 1, [1, 1, 2, 2])
