"""The package against the NumPy twins: random networks of every cell, in batches, every way to give inputs."""

import numpy as np
import pytest
import twin
from support import (
    FAMILIES,
    assert_close,
    assert_same_result,
    build,
    core,
    point,
    random_weights,
    rounding,
    sized,
)

import rnndyn as rd

SIZES = [1, 2, 3, 5, 8, 9]
STEPS = 12


def terms(cell):
    """Products that enter one state value."""
    return cell.gates * (cell.units + cell.inputs + 4)


def problem(family, units, inputs, batch, seed=0, steps=STEPS, gain=0.9):
    """Twin, cell, weights, inputs, starts and cotangents of a full batch."""
    rng = np.random.default_rng([seed, units, inputs])
    slow = build(twin, family, units, inputs)
    shapes = {"inputs": (steps, inputs), "state": (slow.state_size,), "cotangent": (steps + 1, slow.state_size)}
    arrays = {name: rng.normal(size=(*batch, *shape)) for name, shape in shapes.items()}
    return slow, build(rd, family, units, inputs), random_weights(slow, rng, batch, gain), arrays


def given_of(arrays, batch, index):
    """The start and the inputs of one point (their last axes are 1 and 2)."""
    ndims = {"state": 1, "inputs": 2, "cotangent": 2, "cotangent_last": 1}
    return {name: core(value, batch, index, ndims[name]) for name, value in arrays.items()}


def check_trajectory(slow, weights, arrays, found, batch, steps=None):
    """Every point of a batch of trajectories against its twin."""
    for index in np.ndindex(*batch):
        own = point(weights, slow.shapes, batch, index)
        expected = twin.trajectory(slow, own, steps=steps, **given_of(arrays, batch, index))
        assert_close(found[index], expected, rounding(len(expected), terms(slow)))


def check_gradients(slow, weights, arrays, found, batch, steps=None):
    """Every point of a batch of gradients against its twin; inputs' gradients summed over time where constant."""
    for index in np.ndindex(*batch):
        own = point(weights, slow.shapes, batch, index)
        expected = twin.gradients(slow, own, steps=steps, **given_of(arrays, batch, index))
        tolerance = rounding(2 * len(expected.log_norms), terms(slow))
        for name in weights:
            assert_close(found.weights[name][index], expected.weights[name], tolerance, expected.sizes[name])
        assert_close(found.state[index], expected.state, tolerance)
        np.testing.assert_allclose(found.log_norms[index], expected.log_norms, rtol=0, atol=100 * tolerance)
        if slow.inputs and "inputs" in arrays:
            summed = np.shape(found.inputs)[-2] == 1
            assert_close(
                found.inputs[index], expected.inputs.sum(0, keepdims=True) if summed else expected.inputs, tolerance
            )


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_are_those_of_the_twin(family):
    """`cell.shapes`, `cell.state_size` and `cell.fields` are PyTorch's."""
    for units, inputs in ((1, 1), (3, 2), (5, 4)):
        slow, cell = build(twin, family, units, inputs), build(rd, family, units, inputs)
        assert {name: tuple(shape) for name, shape in cell.shapes.items()} == slow.shapes
        assert (cell.state_size, tuple(cell.fields)) == (slow.state_size, slow.fields)


@pytest.mark.parametrize(("family", "sizes"), sized(SIZES, (3, 5, 8, 9)))
@pytest.mark.parametrize("inputs", [0, 1, 2, 3])
def test_trajectory(family, sizes, inputs):
    """Driven states of networks of 1 to 9 units, own weights, inputs and starts for each point."""
    for units in sizes:
        slow, cell, weights, arrays = problem(family, units, inputs, (5,))
        del arrays["cotangent"]
        if not inputs:
            del arrays["inputs"]
        found = rd.trajectory(cell, weights, steps=STEPS, **arrays)
        assert found.shape == (5, STEPS + 1, slow.state_size)
        check_trajectory(slow, weights, arrays, found, (5,), STEPS)


@pytest.mark.parametrize(("family", "sizes"), sized(SIZES, (3, 5, 8, 9)))
@pytest.mark.parametrize("inputs", [0, 1, 3])
def test_gradients(family, sizes, inputs):
    """Gradients of weights, biases, inputs and start, and log norms, for cotangents on every state."""
    for units in sizes:
        slow, cell, weights, arrays = problem(family, units, inputs, (5,), seed=1)
        if not inputs:
            del arrays["inputs"]
        found = rd.gradients(cell, weights, steps=STEPS, **arrays)
        assert found.log_norms.shape == (5, STEPS + 1)
        assert np.all(found.status == rd.Status.OK)
        check_gradients(slow, weights, arrays, found, (5,), STEPS)


@pytest.mark.parametrize("family", ["tanh", "lstm", "gru", "gru_before"])
def test_cotangent_of_the_last_state(family):
    """`cotangent_last` is a `cotangent` that is zero before the end, to the bit; and equals the twin's."""
    slow, cell, weights, arrays = problem(family, 3, 2, (4,), seed=2)
    last = arrays.pop("cotangent")[:, -1]
    found = rd.gradients(cell, weights, cotangent_last=last, **arrays)
    check_gradients(slow, weights, arrays | {"cotangent_last": last}, found, (4,))
    full = np.zeros((4, STEPS + 1, slow.state_size))
    full[:, -1] = last
    for one, other in zip(found[1:], rd.gradients(cell, weights, cotangent=full, **arrays)[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=0)


@pytest.mark.parametrize("family", ["tanh", "lstm", "gru", "gru_before"])
def test_broadcasting(family):
    """Batch axes of weights, inputs, starts and cotangents broadcast like a gufunc."""
    rng, batch = np.random.default_rng(3), (2, 4, 3)
    slow, cell = build(twin, family, 2, 1), build(rd, family, 2, 1)
    weights = random_weights(slow, rng, (4, 1)) | {"bias_hh": rng.normal(size=(3, *slow.shapes["bias_hh"]))}
    arrays = {"inputs": rng.normal(size=(2, 1, 1, STEPS, 1)), "state": rng.normal(size=slow.state_size)}
    found = rd.trajectory(cell, weights, **arrays)
    assert found.shape == (*batch, STEPS + 1, slow.state_size)
    check_trajectory(slow, weights, arrays, found, batch)
    arrays["cotangent"] = rng.normal(size=(4, 1, STEPS + 1, slow.state_size))
    found = rd.gradients(cell, weights, **arrays)
    assert found.weights["weight_hh"].shape == (*batch, *slow.shapes["weight_hh"])
    check_gradients(slow, weights, arrays, found, batch)


@pytest.mark.parametrize("family", ["tanh", "lstm", "gru", "gru_before"])
def test_constant_inputs(family):
    """`(..., 1, I)` with `steps` is a constant input: that of the same row at every step, and the twin's."""
    slow, cell, weights, arrays = problem(family, 3, 2, (4,), seed=4)
    arrays["inputs"] = arrays["inputs"][:, :1]
    found = rd.gradients(cell, weights, steps=STEPS, **arrays)
    check_gradients(slow, weights, arrays, found, (4,), STEPS)
    del arrays["cotangent"]
    states = rd.trajectory(cell, weights, steps=STEPS, **arrays)
    check_trajectory(slow, weights, arrays, states, (4,), STEPS)
    repeated = arrays | {"inputs": np.repeat(arrays["inputs"], STEPS, axis=1)}
    assert_same_result(states, rd.trajectory(cell, weights, **repeated))


@pytest.mark.parametrize("family", ["tanh", "lstm", "gru"])
def test_missing_weights_and_inputs_are_zero(family):
    """Without biases and inputs: the same as with zeros; no start is a start of zeros."""
    slow, cell, weights, arrays = problem(family, 3, 2, (4,), seed=5)
    bare = {"weight_hh": weights["weight_hh"]}
    found = rd.trajectory(cell, bare, steps=STEPS, state=arrays["state"])
    assert_close(found[0], twin.trajectory(slow, point(bare, slow.shapes, (4,), (0,)), STEPS, None, arrays["state"][0]),
                 rounding(STEPS, terms(slow)))  # fmt: skip
    zeros = {name: np.zeros(shape) for name, shape in slow.shapes.items()}
    again = rd.trajectory(cell, zeros | bare, inputs=np.zeros((STEPS, 2)), state=arrays["state"])
    np.testing.assert_array_equal(found, again)
    driven = rd.trajectory(cell, weights, inputs=arrays["inputs"])
    np.testing.assert_array_equal(driven, rd.trajectory(cell, weights, inputs=arrays["inputs"], state=slow_zeros(slow)))


def slow_zeros(cell):
    """The start of zeros."""
    return np.zeros(cell.state_size)


@pytest.mark.parametrize("family", ["tanh", "lstm", "gru", "gru_before"])
def test_ragged_lengths(family):
    """Sequences of different length in one array: each equal to the bit to its own run; NaN after the end."""
    slow, cell, weights, arrays = problem(family, 3, 2, (6,), seed=6)
    lengths = np.array([12, 1, 7, 3, 12, 2])
    junk = arrays["inputs"].copy()
    for row, length in zip(junk, lengths, strict=True):
        row[length:] = np.nan
    last, start = arrays["cotangent"][:, -1], arrays["state"]
    states = rd.trajectory(cell, weights, inputs=junk, lengths=lengths, state=start)
    found = rd.gradients(cell, weights, inputs=junk, lengths=lengths, state=start, cotangent_last=last)
    assert np.all(found.status == rd.Status.OK)
    for i, length in enumerate(lengths):
        own = point(weights, slow.shapes, (6,), (i,))
        alone = {"inputs": arrays["inputs"][i, :length], "state": start[i]}
        assert_same_result(states[i, : length + 1], rd.trajectory(cell, own, **alone))
        assert np.all(np.isnan(states[i, length + 1 :]))
        one = rd.gradients(cell, own, cotangent_last=last[i], **alone)
        assert_same_result({name: value[i] for name, value in found.weights.items()}, one.weights)
        assert_same_result(found.inputs[i, :length], one.inputs)
        assert_same_result(found.state[i], one.state)
        assert_same_result(found.log_norms[i, : length + 1], one.log_norms)
        assert not np.any(np.nan_to_num(found.inputs[i, length:]))


@pytest.mark.parametrize("family", ["tanh", "lstm", "gru", "gru_before"])
def test_single_precision(family):
    """float32: the twin's numbers to the rounding of float32, and no closer than that (it is really computed so)."""
    slow, cell, weights, arrays = problem(family, 5, 2, (4,), seed=11, gain=0.7)
    weights, arrays = ({n: v.astype(np.float32) for n, v in d.items()} for d in (weights, arrays))
    cotangent, eps = arrays.pop("cotangent"), np.finfo(np.float32).eps
    states = rd.trajectory(cell, weights, dtype="float32", **arrays)
    found = rd.gradients(cell, weights, dtype="float32", cotangent=cotangent, **arrays)
    assert states.dtype == found.state.dtype == found.weights["weight_hh"].dtype == np.float32
    for i in range(4):
        own, given = point(weights, slow.shapes, (4,), (i,)), given_of(arrays, (4,), (i,))
        expected = twin.trajectory(slow, own, **given)
        assert_close(states[i], expected, rounding(STEPS, 3, eps=eps))
        assert np.max(np.abs(states[i] - expected)) > eps / 16
        slopes = twin.gradients(slow, own, cotangent=cotangent[i], **given)
        assert_close(found.weights["weight_hh"][i], slopes.weights["weight_hh"], rounding(2 * STEPS, 3, eps=eps))
        assert_close(found.state[i], slopes.state, rounding(2 * STEPS, 3, eps=eps))
