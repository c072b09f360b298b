"""The bare-array interface: shapes, dtypes, broadcasting, progress, threads, same bits however a batch is cut."""

import inspect

import numpy as np
import pytest
from support import assert_same_result, build, take

import rnndyn as rd

BITS = ["tanh", "lstm", "gru_before"]


def batch_of(family, count, units=3, inputs=2, steps=15, seed=0):
    """A cell with `count` random networks, their inputs and starts."""
    rng = np.random.default_rng(seed)
    cell = build(rd, family, units, inputs)
    weights = {name: rng.normal(size=(count, *shape)) for name, shape in cell.shapes.items()}
    return cell, weights, rng.normal(size=(count, steps, inputs)), rng.normal(size=(count, cell.state_size))


def everything(cell, weights, inputs, state, **keywords):
    """All three quantities of one batch."""
    last = np.ones(cell.state_size)
    return (
        rd.trajectory(cell, weights, inputs=inputs, state=state, **keywords),
        rd.gradients(cell, weights, inputs=inputs, state=state, cotangent_last=last, **keywords),
        rd.lyapunov(cell, weights, steps=10, transient=5, inputs=inputs, state=state, **keywords),
    )


def test_signatures():
    """Names and defaults that scripts rely on."""
    defaults = {
        rd.trajectory: {"steps": None, "inputs": None, "lengths": None, "state": None},
        rd.lyapunov: {"transient": 0, "k": None, "qr_every": None, "inputs": None, "lengths": None, "state": None},
        rd.gradients: {"cotangent": None, "cotangent_last": None, "steps": None, "inputs": None, "state": None},
    }
    shared = {"device": "auto", "dtype": "float64", "threads": None, "progress": None}
    for function, own in defaults.items():
        parameters = inspect.signature(function).parameters
        assert list(parameters)[:2] == ["cell", "weights"]
        for name, default in (own | shared).items():
            assert parameters[name].default == default
            assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
    more = inspect.signature(rd.lyapunov).parameters
    assert (more["seed"].default, more["first_index"].default) == (0, 0)


def test_results_are_named():
    """Field names and their order are part of the interface; statuses are five small whole numbers."""
    assert rd.Lyapunov._fields == ("exponents", "stderr", "status", "steps")
    assert rd.Gradients._fields == ("weights", "inputs", "state", "log_norms", "status")
    names = ["OK", "NOT_CONVERGED", "SINGULAR", "DIVERGED", "INVALID"]
    assert len({int(getattr(rd.Status, name)) for name in names}) == 5
    assert rd.Status.OK == 0


@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_shapes_and_types(batch, dtype):
    """Leading axes are the batch, () included; numbers in the asked type, status int8, steps whole."""
    rng = np.random.default_rng(1)
    cell = rd.LSTM(2, 3)
    weights = {name: rng.normal(size=(*batch, *shape)) for name, shape in cell.shapes.items()}
    inputs, size = rng.normal(size=(7, 3)), cell.state_size
    states = rd.trajectory(cell, weights, inputs=inputs, dtype=dtype)
    assert (states.shape, states.dtype) == ((*batch, 8, size), dtype)
    assert isinstance(states, np.ndarray)
    found = rd.gradients(cell, weights, inputs=inputs, cotangent=np.ones((8, size)), dtype=dtype)
    for name, shape in cell.shapes.items():
        assert (found.weights[name].shape, found.weights[name].dtype) == ((*batch, *shape), dtype)
    assert (found.inputs.shape, found.state.shape) == ((*batch, 7, 3), (*batch, size))
    assert (found.log_norms.shape, found.status.shape) == ((*batch, 8), batch)
    assert found.inputs.dtype == found.state.dtype == dtype
    exponents = rd.lyapunov(cell, weights, steps=5, transient=2, inputs=inputs, k=3, dtype=dtype)
    assert exponents.exponents.shape == exponents.stderr.shape == (*batch, 3)
    assert exponents.status.shape == exponents.steps.shape == batch
    assert exponents.status.dtype == found.status.dtype == np.int8
    assert exponents.steps.dtype.kind in "iu"
    assert np.all(exponents.steps == 5)


def test_state_starts_the_trajectory():
    """First row the initial state, zeros by default; T+1 rows; `steps` alone and `inputs` alone both set T."""
    cell, weights, inputs, state = batch_of("lstm", 3)
    states = rd.trajectory(cell, weights, inputs=inputs, state=state)
    assert states.shape == (3, 16, 6)
    assert np.array_equal(states[:, 0], state)
    free = rd.trajectory(cell, weights, steps=4)
    assert free.shape == (3, 5, 6)
    assert np.all(free[:, 0] == 0)
    assert_same_result(rd.trajectory(cell, weights, steps=15, inputs=inputs, state=state), states)


def test_gradients_only_for_what_was_given():
    """One gradient per name given: a bias that was left out (zero) has none."""
    cell, weights, inputs, _ = batch_of("tanh", 3)
    given = {name: weights[name] for name in ("weight_hh", "weight_ih")}
    found = rd.gradients(cell, given, inputs=inputs, cotangent_last=np.ones(3))
    assert set(found.weights) == {"weight_hh", "weight_ih"}


def test_broadcasting_adds_axes():
    """Weights (4, 1), inputs (3) and starts (2, 1, 1) give (2, 4, 3): the points are those of the full arrays."""
    rng = np.random.default_rng(2)
    cell = rd.GRU(2, 1)
    weights = {"weight_hh": rng.normal(size=(4, 1, 6, 2)), "weight_ih": rng.normal(size=(6, 1))}
    inputs, state = rng.normal(size=(3, 9, 1)), rng.normal(size=(2, 1, 1, 2))
    full = {
        "weight_hh": np.broadcast_to(weights["weight_hh"], (2, 4, 3, 6, 2)).copy(),
        "weight_ih": weights["weight_ih"],
    }
    wide = {
        "inputs": np.broadcast_to(inputs, (2, 4, 3, 9, 1)).copy(),
        "state": np.broadcast_to(state, (2, 4, 3, 2)).copy(),
    }
    states = rd.trajectory(cell, weights, inputs=inputs, state=state)
    assert states.shape == (2, 4, 3, 10, 2)
    assert_same_result(states, rd.trajectory(cell, full, **wide))
    found = rd.lyapunov(cell, weights, steps=7, transient=2, inputs=inputs, state=state)
    assert_same_result(found, rd.lyapunov(cell, full, steps=7, transient=2, **wide))


def test_arguments_are_left_alone():
    """No argument is written to; lists, integers and non-contiguous arrays do as well as arrays."""
    cell, weights, inputs, state = batch_of("gru", 4)
    kept = [v.copy() for v in (*weights.values(), inputs, state)]
    one = everything(cell, weights, inputs, state)
    assert all(np.array_equal(a, b) for a, b in zip(kept, (*weights.values(), inputs, state), strict=True))
    strided = {name: np.asfortranarray(value) for name, value in weights.items()}
    twice = np.repeat(inputs, 2, axis=1)[:, ::2]
    assert_same_result(one, everything(cell, strided, twice, state[::-1][::-1]))
    listed = rd.trajectory(rd.Linear(1), {"weight_hh": [[2]]}, steps=3, state=[1])
    assert listed.tolist() == [[1], [2], [4], [8]]


@pytest.mark.parametrize("family", BITS)
def test_same_bits_for_any_number_of_threads(family):
    """One, two and seven threads, more than points included."""
    cell, weights, inputs, state = batch_of(family, 70)
    one = everything(cell, weights, inputs, state, threads=1)
    for threads in (2, 7, 200, None):
        assert_same_result(one, everything(cell, weights, inputs, state, threads=threads))


@pytest.mark.parametrize("family", BITS)
@pytest.mark.parametrize("units", [1, 3, 9])
def test_same_bits_alone_and_in_any_batch(family, units):
    """A point alone, in small, odd and large batches, at any position, has the bits it has in the whole batch."""
    cell, weights, inputs, state = batch_of(family, 75, units=units)
    whole = everything(cell, weights, inputs, state)
    orders = [np.arange(33), np.arange(40, 75), np.array([74, 3, 3, 31, 32, 33]), np.arange(75)[::-1]]
    for order in [*(np.array([i]) for i in (0, 7, 8, 31, 32, 74)), *orders]:
        part = everything(cell, take(weights, order), inputs[order], state[order])
        assert_same_result(part[0], whole[0][order])
        assert_same_result(part[1], refold(whole[1], order))


def refold(result, order):
    """Some points of a named tuple of arrays and mappings."""
    return type(result)(*take(tuple(result), order))


@pytest.mark.parametrize("family", BITS)
@pytest.mark.parametrize("units", [1, 3, 9])
def test_first_index_places_a_part_in_the_whole(family, units):
    """Default starts and frames belong to the grid index: with `first_index=i` a part equals the whole from i on."""
    cell, weights, inputs, _ = batch_of(family, 70, units=units)
    keywords = {"steps": 10, "transient": 5, "seed": 3}
    whole = rd.lyapunov(cell, weights, inputs=inputs, **keywords)
    for begin, end in ((0, 1), (5, 6), (31, 64), (33, 70), (69, 70)):
        part = slice(begin, end)
        found = rd.lyapunov(cell, take(weights, part), inputs=inputs[part], first_index=begin, **keywords)
        assert_same_result(found, refold(whole, part))
    single = rd.lyapunov(cell, take(weights, 42), inputs=inputs[42], first_index=42, **keywords)
    assert_same_result(single, refold(whole, 42))
    some = np.array([[7, 8, 9], [64, 3, 42]])  # the index of each point, in any order and shape
    found = rd.lyapunov(cell, take(weights, some), inputs=inputs[some], first_index=some, **keywords)
    assert_same_result(found, refold(whole, some))


def test_an_array_of_indices_broadcasts_with_the_batch():
    """Many starts and frames of one network; the same bits as one by one; networks of cells and attractors too."""
    layers = rd.Stack([rd.Bidirectional(rd.Elman(2, 1)), rd.GRU(2, 4)])
    rng, indices = np.random.default_rng(1), [5, 6, 2**40]
    for cell in (rd.Elman(2, 1), layers):
        weights = {name: rng.normal(size=shape) for name, shape in cell.shapes.items()}
        keywords = {"inputs": rng.normal(size=(9, 1)), "transient": 4, "seed": 3, "device": "python"}
        found = rd.lyapunov(cell, weights, first_index=indices, **keywords)
        assert found.exponents.shape == (3, cell.state_size)
        assert len(np.unique(found.exponents[:, 0])) == 3
        for number, index in enumerate(indices):
            assert_same_result(refold(found, number), rd.lyapunov(cell, weights, first_index=index, **keywords))
    both, keywords = {"weight_hh": np.array([[2.0]])}, {"starts": 1, "steps": 30, "device": "python"}
    found = rd.attractors(rd.Linear(1), both, first_index=indices, **keywords)
    assert_same_result(refold(found, 2), rd.attractors(rd.Linear(1), both, first_index=2**40, **keywords))


@pytest.mark.parametrize("indices", [-1, 0.5, True, [0, -1], [0.0, 1.0], [[0], [1, 2]]], ids=str)
def test_indices_that_are_none(indices):
    with pytest.raises(rd.InputError, match="first_index"):
        rd.lyapunov(rd.Linear(1), {"weight_hh": [[0.5]]}, steps=1, first_index=indices)


def test_starts_and_frames_come_from_seed_and_index():
    """Equal networks at different grid indices start differently; so do different seeds; the same again is the same."""
    weights = {"weight_hh": np.broadcast_to([[0.5, 1.0], [-1.0, 0.3]], (6, 2, 2))}
    keywords = {"steps": 3, "k": 1}
    found = rd.lyapunov(rd.Elman(2), weights, seed=1, **keywords)
    assert len(np.unique(found.exponents)) == 6
    assert_same_result(found, rd.lyapunov(rd.Elman(2), weights, seed=1, **keywords))
    other = rd.lyapunov(rd.Elman(2), weights, seed=2, **keywords)
    assert not np.any(other.exponents == found.exponents)
    framed = rd.lyapunov(rd.Elman(2), weights, state=[0.1, 0.2], seed=1, **keywords)
    assert len(np.unique(framed.exponents)) == 6


def test_default_start_is_a_tenth_of_a_standard_normal():
    """One step under w = 1 has the exponent ln sech^2 of the start, which tells |start|: its variance is 0.01."""
    count = 4000
    found = rd.lyapunov(rd.Elman(1), {"weight_hh": np.ones((count, 1, 1))}, steps=1)
    squared = 1 - np.exp(found.exponents[:, 0])
    start = np.arctanh(np.sqrt(np.clip(squared, 0, 1)))
    assert np.mean(start**2) == pytest.approx(0.01, rel=4 * np.sqrt(2 / count))
    assert np.mean(start < 0.1) == pytest.approx(0.6827, abs=4 * np.sqrt(0.22 / count))


def test_progress_is_called_and_changes_nothing():
    """A callable hears of the work; True, False and None are taken too; the numbers stay the same."""
    cell, weights, inputs, state = batch_of("tanh", 40)
    heard = []
    one = everything(cell, weights, inputs, state, progress=lambda *news: heard.append(news))
    assert heard
    assert_same_result(one, everything(cell, weights, inputs, state, progress=False))
    assert_same_result(one, everything(cell, weights, inputs, state))


def test_progress_may_stop_the_work():
    """An exception in the callable reaches the caller: nothing swallows it."""
    cell, weights, inputs, state = batch_of("tanh", 40)

    def stop(*news):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rd.trajectory(cell, weights, inputs=inputs, state=state, progress=stop)


def test_blas_and_float_environment_are_restored():
    """Subnormal numbers still exist after a call (the kernels flush them in their own threads only)."""
    cell, weights, inputs, state = batch_of("tanh", 40)
    everything(cell, weights, inputs, state, threads=1)
    tiny = np.full(64, 5e-324)
    assert np.all(tiny * 1.0 > 0)
