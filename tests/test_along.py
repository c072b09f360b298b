"""What the quantities along an orbit share: shapes, statuses, bits, devices, arguments, progress."""

import functools

import numpy as np
import pytest
from support import assert_same_result, build, random_weights, take

import rnndyn as rd
from rnndyn.dynamics import along
from rnndyn.kernels import target, tiles

POINTS, STEPS, TRANSIENT = 11, 24, 6
QUANTITIES = {
    "volume": functools.partial(rd.volume, steps=STEPS),
    "finite_time": functools.partial(rd.finite_time, window=4, windows=STEPS // 4, qr_every=2),
    "covariant_vectors": functools.partial(rd.covariant_vectors, steps=STEPS - TRANSIENT, times=[0, 5, 9]),
    "transient_growth": functools.partial(rd.transient_growth, steps=STEPS),
    "two_trajectories": functools.partial(rd.two_trajectories, steps=STEPS, every=5),
    "gali": functools.partial(rd.gali, steps=STEPS, k=3, every=5),
}
LENGTHS = ("volume", "transient_growth", "gali")  # those that know sequences of different length


def arrays(cell, seed=0):
    """Random networks under random inputs, from random starts."""
    rng = np.random.default_rng(seed)
    weights = random_weights(cell, rng, (POINTS,), gain=1.6)
    inputs = rng.normal(size=(POINTS, TRANSIENT + STEPS, cell.inputs))
    return {"weights": weights, "inputs": inputs, "state": rng.normal(size=(POINTS, cell.state_size))}


def points(result, index):
    """Some points of a result; times are all points'."""
    return [v if name == "times" else take(v, index) for name, v in zip(result._fields, result, strict=True)]


@pytest.mark.parametrize("name", QUANTITIES)
def test_bits_do_not_depend_on_how_the_work_is_divided(name, monkeypatch):
    """Threads, neighbours, tiles, chunks, calls, blocks of Jacobians; starts and frames belong to the index."""
    cell, quantity = build(rd, "lstm", 2, 1), functools.partial(QUANTITIES[name], transient=TRANSIENT)
    given = arrays(cell)
    if name in LENGTHS:
        given["lengths"] = TRANSIENT + np.random.default_rng(1).integers(1, STEPS + 1, POINTS)
    for these in (given, {key: value for key, value in given.items() if key != "state"}):
        whole = quantity(cell, **these, threads=1)
        assert_same_result(list(quantity(cell, **these, threads=3)), list(whole))
        for low, high in ((0, 1), (4, 5), (3, POINTS)):
            part = {key: take(value, slice(low, high)) for key, value in these.items()}
            found = quantity(cell, **part, first_index=low)
            assert_same_result(points(found, slice(None)), points(whole, slice(low, high)))
    with monkeypatch.context() as patch:
        patch.setattr(tiles, "CHUNK_BYTES", 1)
        assert_same_result(list(quantity(cell, **given)), list(quantity(cell, **given, threads=1)))
    expected = quantity(cell, **given)
    monkeypatch.setattr(tiles, "CALL", 1e-9)
    monkeypatch.setattr(along, "ENTRIES", 1)
    assert_same_result(list(quantity(cell, **given)), list(expected))


@pytest.mark.parametrize("name", QUANTITIES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_uncompiled_twin_shapes_and_types(name, dtype):
    """Two batch axes, numbers of the dtype, statuses in int8; compiled and uncompiled agree."""
    cell, quantity = build(rd, "lstm", 2, 1), functools.partial(QUANTITIES[name], transient=TRANSIENT)
    given = {key: take(value, slice(0, 6)) for key, value in arrays(cell).items()}
    given["weights"] = {key: value.reshape(2, 3, *value.shape[1:]) for key, value in given["weights"].items()}
    given = given | {"inputs": given["inputs"][:3], "state": given["state"][0]}
    found = quantity(cell, **given, device="python", dtype=dtype, threads=1)
    for field, value in zip(found._fields, found, strict=True):
        if field != "times":
            assert value.shape[:2] == (2, 3), field
            assert value.dtype.kind in "iu" or value.dtype == dtype
    assert found.status.dtype == np.int8
    if dtype == "float64":
        compiled = quantity(cell, **given)
        assert np.array_equal(compiled.status, found.status)
        np.testing.assert_allclose(compiled[0], found[0], rtol=1e-4, atol=1e-6)  # GALI near the floor


@pytest.mark.parametrize("name", QUANTITIES)
def test_one_bad_point_never_harms_the_others(name):
    """NaN weights: INVALID and NaN; a point that blows up: DIVERGED; the bits of the others stay."""
    cell, quantity = rd.Linear(3), functools.partial(QUANTITIES[name], device="python", state=np.ones(3))
    matrices = 0.5 * np.random.default_rng(4).normal(size=(5, 3, 3))
    before = quantity(cell, {"weight_hh": matrices})
    spoilt = matrices.copy()
    spoilt[1], spoilt[3] = np.nan, 50.0 * np.eye(3)
    found = quantity(cell, {"weight_hh": spoilt})
    assert found.status[[1, 3]].tolist() == [rd.Status.INVALID, rd.Status.DIVERGED]
    assert np.isnan(found[0][1]).all()
    assert_same_result(points(found, [0, 2, 4]), points(before, [0, 2, 4]))
    with pytest.raises(rd.InputError, match="every point is invalid"):
        quantity(cell, {"weight_hh": spoilt[1:2]})


@pytest.mark.parametrize("name", QUANTITIES)
def test_sequences_of_different_length(name):
    """What a sequence gives within its length is what it gives alone; padding may hold anything."""
    if name not in LENGTHS:
        return
    cell, quantity = build(rd, "lstm", 2, 1), functools.partial(QUANTITIES[name], transient=TRANSIENT)
    given = arrays(cell)
    lengths = np.full(POINTS, TRANSIENT + STEPS)
    lengths[2] = TRANSIENT + 10
    given["inputs"][2, TRANSIENT + 10 :] = np.nan
    found = quantity(cell, **given, lengths=lengths)
    alone = QUANTITIES[name](
        cell,
        take(given["weights"], 2),
        inputs=given["inputs"][2, : TRANSIENT + 10],
        state=given["state"][2],
        first_index=2,
        transient=TRANSIENT,
        steps=10,
    )
    assert found.status.tolist() == [rd.Status.OK] * POINTS
    if name == "volume":
        assert_same_result(points(found, 2), points(alone, ()))
        assert found.steps[2] == 10
    else:
        kept = found[0][2, : len(alone[0])]
        assert_same_result(kept, alone[0])
        assert np.isnan(found[0][2, len(alone[0]) :]).all()


@pytest.mark.parametrize("name", QUANTITIES)
def test_arguments_are_checked(name):
    """Networks, unknown weights, wrong inputs and devices are refused in one sentence; progress counts to the end."""
    quantity, cell = functools.partial(QUANTITIES[name], device="python"), rd.Elman(3, 1)
    with pytest.raises(rd.InputError, match="network"):
        quantity(rd.Stack([rd.Elman(1), rd.Elman(3, 1)]), {})
    with pytest.raises(rd.InputError, match="weight_hh"):
        quantity(cell, {"weigth_hh": np.eye(3)})
    with pytest.raises(rd.InputError, match="inputs"):
        quantity(cell, {}, inputs=np.zeros((3, 1)))
    with pytest.raises(rd.InputError, match="device"):
        quantity(cell, {}, device="abacus")
    with pytest.raises(rd.InputError, match="transient"):
        quantity(cell, {}, transient=-1)
    told = []
    quantity(rd.Elman(3), {}, progress=lambda done, total: told.append((done, total)))
    done, total = told[-1]
    assert done == total > 0


def test_means_are_those_of_the_steps_that_count():
    """Rows of different lengths, steps of lost rank, none at all; the error of independent numbers is 1/sqrt(n)."""
    values = np.random.default_rng(0).normal(size=(40, 3200))
    mean, error, singular = along.mean_of(values, np.full(40, 3200))
    np.testing.assert_allclose(mean, values.mean(axis=1), rtol=0, atol=1e-15)
    assert error.mean() == pytest.approx(3200**-0.5, rel=0.4)
    values[0, :100], values[1, :60], values[2, 100:] = -np.inf, -np.inf, np.nan
    mean, error, singular = along.mean_of(values[:4], np.array([150, 150, 100, 0]))
    np.testing.assert_array_equal(singular, [True, False, False, False])
    np.testing.assert_allclose(mean[:3], [-np.inf, values[1, 60:150].mean(), values[2, :100].mean()])
    assert np.isnan(mean[3])
    assert np.isnan(error[3])
    assert error[0] == 0


def test_pushed_frames_are_orthonormal_and_their_products_exact():
    """Q R of every step: Q orthonormal to rounding after a loss of rank too, Q R = J Q of the step before."""
    cell = rd.Elman(3)
    run = target.Run(cell, "float64", "python")
    rng = np.random.default_rng(6)
    theta = np.zeros((2, run.layout.size))
    theta[:, :9] = rng.normal(size=(2, 9))
    theta[1, 3:9] = 1e-16 * theta[1, 3:9] + np.tile(theta[1, :3], 2)  # of rank one, but for rounding
    state, frame = 0.1 * rng.normal(size=(2, 3)), np.linalg.qr(rng.normal(size=(2, 3, 3)))[0]
    spare, nothing = rng.normal(size=(3, 3)), np.zeros((2, 1, 0))
    found = target.pushes(run, theta, state, frame, spare, nothing, 5, 1, True, tiles.Meter())
    before = np.concatenate([frame[:, None], found.frames[:, :-1]], axis=1)
    states = np.concatenate([state[:, None], found.states[:, :-1]], axis=1)
    jacobians = target.jacobians(run, theta, states, nothing, tiles.Meter())
    np.testing.assert_allclose(
        found.frames.swapaxes(2, 3) @ found.frames, np.eye(3) + np.zeros((2, 5, 3, 3)), atol=1e-14
    )
    np.testing.assert_allclose(found.frames @ found.factors, jacobians @ before, rtol=0, atol=1e-12)
    diagonal = np.diagonal(found.factors, axis1=2, axis2=3)
    assert np.all(diagonal[0] > 0)
    assert np.all(diagonal[1, :, 0] > 0)
    assert np.all(diagonal[1, :, 2] == 0)
    alone = target.pushes(run, theta, state, frame, spare, nothing, 5, 1, False, tiles.Meter())
    assert_same_result([alone.state, alone.frame, alone.factors], [found.state, found.frame, diagonal])
    slopes = 1 - found.states[0, 0] ** 2
    np.testing.assert_allclose(jacobians[0, 0], slopes[:, None] * theta[0, :9].reshape(3, 3), rtol=1e-12)


@pytest.mark.parametrize("size", [1.0, 1e-170, 1e170])
def test_frames_of_steep_matrices_of_any_size(size):
    """Singular values 1, 1e-6, 1e-12 times 1e+-170: one pass of Gram-Schmidt or a plain square would lose them."""
    rng = np.random.default_rng(7)
    one, other = (np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(2))
    matrix = one @ np.diag([1.0, 1e-6, 1e-12]) @ other
    run = target.Run(rd.Linear(3), "float64", "python")
    theta, frame = np.zeros((1, run.layout.size)), np.eye(3)[None]
    theta[0, :9] = size * matrix.reshape(-1)
    found = target.pushes(run, theta, np.zeros((1, 3)), frame, frame[0], np.zeros((1, 1, 0)), 1, 1, True, tiles.Meter())
    np.testing.assert_allclose(found.frame[0].T @ found.frame[0], np.eye(3), atol=1e-14)
    np.testing.assert_allclose(found.frame[0] @ (found.factors[0, 0] / size), matrix, rtol=0, atol=1e-15)
    r = np.linalg.qr(matrix)[1]
    np.testing.assert_allclose(np.diagonal(found.factors[0, 0]) / size, np.abs(np.diagonal(r)), rtol=1e-3)


def test_blas_has_one_thread_beside_ours():
    """While chunks run, and what it had before after that."""
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads():
        pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
        return [pool["num_threads"] for pool in pools if "numpy" in pool["filepath"]]  # SciPy has its own

    before, during = threads(), []
    rd.volume(rd.Linear(2), {}, steps=3, device="python", progress=lambda *_: during.append(threads()))
    assert all(number == 1 for number in during[-1])
    assert threads() == before


@pytest.mark.slow
def test_kernels_for_the_very_sizes(monkeypatch):
    """A long run gets a kernel compiled for its sizes: the same bits."""
    cell, quantity = build(rd, "lstm", 2, 1), functools.partial(QUANTITIES["finite_time"], transient=TRANSIENT)
    kinds, room = [], target.Run.room
    monkeypatch.setattr(target.Run, "room", lambda run, *arrays: kinds.append(run.kind) or room(run, *arrays))
    monkeypatch.setattr(target, "WORTH", np.inf)
    short = quantity(cell, **arrays(cell))
    monkeypatch.setattr(target, "WORTH", 0.0)
    assert_same_result(list(quantity(cell, **arrays(cell))), list(short))
    assert set(kinds) == {tuple, target.Known}
