"""Statuses of single points, which never spoil their neighbours, and errors that name what was wrong."""

import numpy as np
import pytest
from support import same_bits

import rnndyn as rd

COUNT = 37


def good(cell, seed=0, count=COUNT):
    """A batch of tame networks."""
    rng = np.random.default_rng(seed)
    return {name: 0.5 * rng.normal(size=(count, *shape)) for name, shape in cell.shapes.items()}


def spoilt(weights, at, value):
    """The same with one weight of one point replaced."""
    copy = {name: array.copy() for name, array in weights.items()}
    copy["weight_hh"][at, 0, 0] = value
    return copy


def others_unchanged(before, after, at):
    """Every point but one has the bits it had."""
    rest = np.arange(COUNT) != at
    pairs = zip(before, after, strict=True)
    return all(same_bits(a[rest], b[rest]) for a, b in pairs if not isinstance(a, dict) and a is not None)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 17, COUNT - 1])
def test_one_invalid_point(value, at):
    """NaN or infinite weights: INVALID, all NaN, and the other points keep their bits, in all three quantities."""
    cell = rd.GRU(2)
    weights = good(cell)
    bad = spoilt(weights, at, value)
    states = rd.trajectory(cell, bad, steps=9)
    assert np.all(np.isnan(states[at]))
    assert others_unchanged([rd.trajectory(cell, weights, steps=9)], [states], at)
    found = rd.lyapunov(cell, bad, steps=9)
    assert np.flatnonzero(found.status == rd.Status.INVALID).tolist() == [at]
    assert np.all(np.isnan(found.exponents[at]))
    assert np.all(np.isnan(found.stderr[at]))
    assert others_unchanged(rd.lyapunov(cell, weights, steps=9), found, at)
    slopes = rd.gradients(cell, bad, steps=9, cotangent_last=[1.0, 1.0])
    assert np.flatnonzero(slopes.status == rd.Status.INVALID).tolist() == [at]
    assert np.all(np.isnan(slopes.weights["weight_hh"][at]))
    assert np.all(np.isnan(slopes.state[at]))
    assert np.all(np.isnan(slopes.log_norms[at]))
    before = rd.gradients(cell, weights, steps=9, cotangent_last=[1.0, 1.0])
    assert others_unchanged(before[2:], slopes[2:], at)
    assert others_unchanged(before.weights.values(), slopes.weights.values(), at)


@pytest.mark.parametrize("where", ["inputs", "state", "bias_hh"])
def test_invalid_inputs_starts_and_biases(where):
    """The same for one NaN in the inputs, the start or a bias of one point."""
    cell, at = rd.Elman(3, 1), 5
    rng = np.random.default_rng(1)
    arrays = {"inputs": rng.normal(size=(COUNT, 12, 1)), "state": rng.normal(size=(COUNT, 3))}
    weights = good(cell)
    before = rd.lyapunov(cell, weights, steps=10, transient=2, **arrays)
    (arrays if where in arrays else weights)[where][at].flat[-1] = np.nan
    found = rd.lyapunov(cell, weights, steps=10, transient=2, **arrays)
    assert np.flatnonzero(found.status == rd.Status.INVALID).tolist() == [at]
    assert np.all(np.isnan(found.exponents[at]))
    assert others_unchanged(before, found, at)


def test_one_singular_point():
    """A dead ReLU unit in one point: SINGULAR and -inf there, the others finite with their bits."""
    cell, at = rd.Elman(2, activation="relu"), 11
    weights = {"weight_hh": np.abs(good(cell)["weight_hh"]) + np.eye(2) * 0.2, "bias_hh": np.ones((COUNT, 2))}
    weights["weight_hh"] *= 0.5 / np.linalg.norm(weights["weight_hh"], axis=(1, 2), keepdims=True)
    before = rd.lyapunov(cell, weights, steps=40, transient=10)
    weights["bias_hh"][at, 1] = -50.0
    found = rd.lyapunov(cell, weights, steps=40, transient=10)
    assert np.all(before.status == rd.Status.OK)
    assert np.flatnonzero(found.status == rd.Status.SINGULAR).tolist() == [at]
    assert found.exponents[at, 1] == -np.inf
    assert found.stderr[at, 1] == 0
    assert np.isfinite(found.exponents[at, 0])
    assert others_unchanged(before, found, at)


def test_one_diverging_point():
    """A linear network that blows up: DIVERGED with the mean up to there, the others finish with their bits."""
    cell, at = rd.Linear(2), 30
    weights = {"weight_hh": 0.2 * good(cell)["weight_hh"], "bias_hh": good(cell)["bias_hh"]}
    before = rd.lyapunov(cell, weights, steps=300, state=[1.0, 1.0], k=1)
    weights["weight_hh"][at] = 3 * np.eye(2)
    weights["bias_hh"][at] = 0
    found = rd.lyapunov(cell, weights, steps=300, state=[1.0, 1.0], k=1)
    assert np.flatnonzero(found.status == rd.Status.DIVERGED).tolist() == [at]
    assert found.exponents[at, 0] == pytest.approx(np.log(3), abs=1e-13)
    assert found.steps[at] in (25, 26)
    assert np.all(np.delete(found.steps, at) == 300)
    assert others_unchanged(before, found, at)


def test_gradients_of_a_diverging_point():
    """The state beyond 1e12 on the way: DIVERGED in `gradients` too, the others OK with their bits."""
    cell, at = rd.Linear(1), 3
    weights = {"weight_hh": np.full((COUNT, 1, 1), 0.5)}
    before = rd.gradients(cell, weights, steps=80, state=[1.0], cotangent_last=[1.0])
    weights["weight_hh"][at] = 3.0
    found = rd.gradients(cell, weights, steps=80, state=[1.0], cotangent_last=[1.0])
    assert np.flatnonzero(found.status == rd.Status.DIVERGED).tolist() == [at]
    assert others_unchanged(before[2:], found[2:], at)


def test_all_invalid_is_an_error():
    """Nothing to compute is an error, not an array of NaN."""
    weights = {"weight_hh": np.full((3, 1, 1), np.nan)}
    with pytest.raises(rd.InputError):
        rd.lyapunov(rd.Elman(1), weights, steps=5)
    with pytest.raises(rd.InputError):
        rd.trajectory(rd.Elman(1), weights, steps=5)
    with pytest.raises(rd.InputError):
        rd.gradients(rd.Elman(1), weights, steps=5, cotangent_last=[1.0])


def test_input_errors_are_value_errors():
    """Scripts catch ValueError."""
    assert issubclass(rd.InputError, ValueError)


@pytest.mark.parametrize(
    ("name", "nearest"), [("weigth_hh", "weight_hh"), ("bias_hx", "bias_"), ("weight-ih", "weight_ih")]
)
def test_unknown_weights_are_refused_with_the_nearest(name, nearest):
    """A misspelt weight is not a zero weight."""
    with pytest.raises(rd.InputError, match=nearest):
        rd.trajectory(rd.LSTM(1, 1), {name: np.zeros((4, 1))}, steps=3)


def test_unknown_activation_is_refused():
    """With what there is."""
    with pytest.raises(ValueError, match="tanh"):
        rd.Elman(2, activation="tahn")


@pytest.mark.parametrize(("units", "inputs"), [(0, 0), (-1, 0), (2, -1), (1.5, 0)])
def test_impossible_sizes_are_refused(units, inputs):
    """Units from 1 up, inputs from 0 up, whole numbers."""
    with pytest.raises((ValueError, TypeError)):
        rd.LSTM(units, inputs)


WEIGHTS = {"weight_hh": np.eye(2), "weight_ih": np.ones((2, 3))}
WRONG = {
    "neither steps nor inputs": {},
    "inputs of another width": {"inputs": np.zeros((5, 2))},
    "inputs without a time axis": {"inputs": np.zeros(3)},
    "steps that are not T": {"inputs": np.zeros((5, 3)), "steps": 4},
    "a start of another size": {"steps": 5, "state": np.zeros(3)},
    "no steps": {"steps": 0},
    "negative steps": {"steps": -3},
    "batches that do not broadcast": {"inputs": np.zeros((2, 5, 3)), "state": np.zeros((3, 2))},
    "lengths beyond T": {"inputs": np.zeros((2, 5, 3)), "lengths": [5, 6]},
    "negative lengths": {"inputs": np.zeros((2, 5, 3)), "lengths": [5, -1]},
    "fractional lengths": {"inputs": np.zeros((2, 5, 3)), "lengths": [5.0, 2.5]},
    "an unknown dtype": {"steps": 5, "dtype": "float16"},
    "an unknown device": {"steps": 5, "device": "abacus"},
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_arguments_of_trajectory(what):
    """Each is an InputError, before anything is computed."""
    with pytest.raises(rd.InputError):
        rd.trajectory(rd.Elman(2, 3), WEIGHTS, **WRONG[what])


@pytest.mark.parametrize("shape", [(2,), (3, 2), (2, 3), ()])
def test_wrong_weight_shapes_are_refused_by_name(shape):
    """The message names the weight."""
    with pytest.raises(rd.InputError, match="weight_hh"):
        rd.trajectory(rd.Elman(2), {"weight_hh": np.zeros(shape)}, steps=3)


WRONG_EXPONENTS = {
    "T is steps only": {"steps": 5, "transient": 2, "inputs": np.zeros((5, 3))},
    "T is more": {"steps": 5, "transient": 2, "inputs": np.zeros((8, 3))},
    "k of none": {"steps": 5, "k": 0},
    "k beyond the state": {"steps": 5, "k": 3},
    "no QR": {"steps": 5, "qr_every": 0},
    "negative transient": {"steps": 5, "transient": -1},
    "no steps": {"steps": 0},
    "lengths within the transient": {"steps": 5, "transient": 2, "inputs": np.zeros((2, 7, 3)), "lengths": [7, -2]},
}


@pytest.mark.parametrize("what", WRONG_EXPONENTS)
def test_wrong_arguments_of_lyapunov(what):
    """T must be transient + steps exactly; k from 1 to the state's size; QR at least every step."""
    with pytest.raises(rd.InputError):
        rd.lyapunov(rd.Elman(2, 3), WEIGHTS, **WRONG_EXPONENTS[what])


WRONG_GRADIENTS = {
    "no cotangent": {},
    "both cotangents": {"cotangent": np.zeros((6, 2)), "cotangent_last": np.zeros(2)},
    "a cotangent without the start": {"cotangent": np.zeros((5, 2))},
    "a cotangent of another width": {"cotangent": np.zeros((6, 3))},
    "a last cotangent of another width": {"cotangent_last": np.zeros(3)},
}


@pytest.mark.parametrize("what", WRONG_GRADIENTS)
def test_wrong_arguments_of_gradients(what):
    """Exactly one cotangent, of the states' shape."""
    with pytest.raises(rd.InputError):
        rd.gradients(rd.Elman(2, 3), WEIGHTS, steps=5, **WRONG_GRADIENTS[what])
