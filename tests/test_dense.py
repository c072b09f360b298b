"""Large networks, one at a time: against networks side by side, the NumPy twin and closed forms; to the bit or not."""

import math

import numpy as np
import pytest
import twin
from support import assert_same_result, log_moduli, take

import rnndyn as rd
from rnndyn.dynamics.trajectory import last_state
from rnndyn.errors import InputError
from rnndyn.kernels import dense_tile, target, tiles
from rnndyn.kernels.budget import VARIABLE

UNITS = 67  # not whole registers, more panels than one, and a block that is not whole


def on(path, monkeypatch):
    """All runs from now on take this path."""
    monkeypatch.setattr(target, "_path", lambda run, columns: path)


def both(monkeypatch, function, *arguments, **keywords):
    """The results of the dense path and of the lanes."""
    found = []
    for path in ("dense", "lanes"):
        with monkeypatch.context() as patch:
            on(path, patch)
            found.append(function(*arguments, progress=False, **keywords))
    return found


def networks(cell, count, gain=1.6, seed=0):
    """Random weights of some networks of a cell."""
    rng = np.random.default_rng(seed)
    scale = {"weight_hh": gain / np.sqrt(cell.units), "weight_hh2": gain / np.sqrt(cell.units)}
    shapes = {name: shape for name, shape in cell.shapes.items() if name not in cell.parameters}
    return {name: scale.get(name, 0.5) * rng.normal(size=(count, *shape)) for name, shape in shapes.items()}


def assert_agree(one, other, tolerance):
    """Two spectra: equal status and steps, exponents within the tolerance, where they are finite in both."""
    assert np.array_equal(one.status, other.status)
    assert np.array_equal(one.steps, other.steps)
    assert np.array_equal(np.isfinite(one.exponents), np.isfinite(other.exponents))
    finite = np.isfinite(one.exponents)
    assert finite.any()
    np.testing.assert_allclose(one.exponents[finite], other.exponents[finite], rtol=0, atol=tolerance)


CELLS = {
    "tanh": rd.Elman(5, 2),
    "relu": rd.Elman(5, 2, activation="relu"),
    "lstm": rd.LSTM(3, 2),
    "gru_before": rd.GRU(3, 2, reset_after=False),
    "antisymmetric": rd.Antisymmetric(5),
    "lem": rd.LEM(3, 1),
}


@pytest.mark.parametrize(("family", "k"), [*((family, None) for family in CELLS), ("tanh", 2), ("lstm", 3)])
def test_uncompiled(family, k, monkeypatch):
    """The same text on numbers, several panels and blocks: driven sequences of different length, orbits to the bit."""
    monkeypatch.setattr(dense_tile, "DEPTH", 2)
    monkeypatch.setattr(dense_tile, "ROWS", 1)
    monkeypatch.setattr("rnndyn.kernels.dense_frame.BLOCK", 1)
    cell, rng = CELLS[family], np.random.default_rng(1)
    inputs = rng.normal(size=(2, 16, cell.inputs)) if cell.inputs else None
    given = {"inputs": inputs, "lengths": [16, 13]} if cell.inputs else {"steps": 16}
    weights = networks(cell, 2)
    one, other = both(monkeypatch, rd.trajectory, cell, weights, device="python", **given)
    assert_same_result(one, other)
    given |= {"transient": 6, "steps": 10, "k": k, "device": "python"}
    for every in (1, None):
        assert_agree(*both(monkeypatch, rd.lyapunov, cell, weights, qr_every=every, **given), 1e-11)


@pytest.fixture(scope="module")
def large():
    """Three networks of `UNITS` units, their spectra on the dense path and on lanes."""
    cell = rd.Elman(UNITS)
    weights = networks(cell, 3, gain=2.0)
    with pytest.MonkeyPatch.context() as patch:
        found = both(patch, rd.lyapunov, cell, weights, steps=120, transient=40, qr_every=1)
    return cell, weights, *found


def test_compiled(large):
    """One network in a register's neighbours, units and columns left over, against networks side by side."""
    assert_agree(large[2], large[3], 1e-11)
    np.testing.assert_allclose(large[2].stderr, large[3].stderr, rtol=0, atol=1e-11)


class Bare:
    """Spectra of one network of the fixture, state and frame in hand."""

    def __init__(self, cell, weights, k):
        self.run = target.Run(cell, "float64", "cpu", (100, k), path="dense")
        self.theta = np.zeros((1, self.run.layout.size))
        self.theta[0, : UNITS * UNITS] = weights["weight_hh"][0].ravel()
        rng = np.random.default_rng(4)
        self.state, self.frame = 0.1 * rng.normal(size=(1, UNITS)), rng.normal(size=(1, UNITS, k))
        self.spare = rng.normal(size=(UNITS, k))

    def go(self, state, frame, steps, transient):
        lengths, still = np.array([steps + transient]), np.zeros((1, 1, 0))
        given = (self.theta, state, frame, self.spare, still, lengths, transient, 1, tiles.Meter())
        return target.spectra(self.run, *given)


def test_against_the_twin(large):
    """The growth of the same frame along the twin's Jacobians, by NumPy's QR at every step."""
    cell, weights = large[:2]
    bare = Bare(cell, weights, UNITS)
    found = bare.go(bare.state, bare.frame, 60, 10)
    matrices = twin.jacobians(twin.Elman(UNITS), {"weight_hh": weights["weight_hh"][0]}, steps=70, state=bare.state[0])
    frame, growth = np.linalg.qr(bare.frame[0])[0], np.zeros(UNITS)
    for t, matrix in enumerate(matrices):
        frame, r = np.linalg.qr(matrix @ frame)
        growth += np.log(np.abs(np.diag(r))) * (t >= 10)
    np.testing.assert_allclose(found.sums.sum(axis=0)[0], growth, rtol=0, atol=1e-8)
    assert found.steps[0] == 60


def test_own_interval(large, monkeypatch):
    """Chosen from the conditioning: fewer re-orthonormalisations, the same exponents to 1e-9; the orbit is the same."""
    cell, weights, every, _ = large
    calls = []
    settle = tiles.Pace.timed
    monkeypatch.setattr(tiles.Pace, "timed", lambda *given: calls.append(given[-1]) or settle(*given))
    found = rd.lyapunov(cell, weights, steps=120, transient=40, progress=False)
    assert_agree(found, every, 1e-9)
    assert not np.array_equal(found.exponents, every.exponents)
    paces = {tally[5] for tally in calls}  # PACE
    assert max(paces) >= 2


def test_bits(large, monkeypatch):
    """Threads side by side, a team on one network, calls, single points, other neighbours (one of them NaN)."""
    cell, weights, whole, _ = large
    on("dense", monkeypatch)
    given = {"steps": 120, "transient": 40, "qr_every": 1, "progress": False}
    for threads in (1, 2, 4):
        assert_same_result(rd.lyapunov(cell, weights, threads=threads, **given), whole)
    monkeypatch.setattr(target, "TEAM", 1)
    alone = rd.lyapunov(cell, take(weights, slice(1, 2)), first_index=1, threads=3, **given)
    assert_same_result(alone, take(whole, slice(1, 2)))
    spoilt = {name: array.copy() for name, array in weights.items()}
    spoilt["weight_hh"][0, 3, 4] = np.nan
    monkeypatch.setattr(tiles, "CALL", 1e-9)
    found = rd.lyapunov(cell, spoilt, threads=2, **given)
    assert found.status[0] == rd.Status.INVALID
    assert_same_result(take(found, slice(1, 3)), take(whole, slice(1, 3)))


def test_orbits(large, monkeypatch):
    """The bits of networks side by side, since sums are taken in the same order."""
    cell, weights = large[:2]
    assert_same_result(*both(monkeypatch, rd.trajectory, cell, weights, steps=50))
    assert_same_result(*both(monkeypatch, last_state, cell, weights, steps=50))


def divided(x, a, s, p):
    return (s[0] + (math.tanh(a[0] + x[0]) - s[0]) / p[0],)


def test_places_without_a_unit(monkeypatch):
    """What a rule makes of the places that fill a register, here 0/0, reaches neither frame nor state."""
    stages = [rd.Stage(divided, gates=("h",))]
    cell = rd.Cell("Divided", 11, 0, ("h",), stages, parameters={"tau": 3.0})
    weights, given = networks(cell, 1, gain=3.0), {"steps": 12, "qr_every": 1, "progress": False}
    slowly = rd.lyapunov(cell, weights, device="python", **given)
    on("dense", monkeypatch)
    assert_agree(rd.lyapunov(cell, weights, **given), slowly, 1e-11)


def test_stages_with_fields_of_their_own(monkeypatch):
    """A reset before the product: two stages, the first leaves more fields than the state has."""
    cell = rd.GRU(19, 2, reset_after=False)
    inputs = np.random.default_rng(3).normal(size=(2, 60, 2))
    weights = networks(cell, 2)
    assert_agree(*both(monkeypatch, rd.lyapunov, cell, weights, inputs=inputs, steps=50, transient=10), 1e-10)
    assert_same_result(*both(monkeypatch, rd.trajectory, cell, weights, inputs=inputs))


def test_single_precision(large, monkeypatch):
    """The first exponents, before single and double orbits part."""
    cell, weights = large[:2]
    on("dense", monkeypatch)
    given = {"steps": 8, "k": 8, "state": np.full(UNITS, 0.1), "qr_every": 1, "progress": False}
    double, single = (rd.lyapunov(cell, weights, dtype=dtype, **given) for dtype in ("float64", "float32"))
    assert single.exponents.dtype == np.float32
    np.testing.assert_allclose(single.exponents, double.exponents, rtol=0, atol=2e-4)


def test_going_on(large):
    """State and frame after a run begin the next one: together the growth of the whole run."""
    k = 20
    bare = Bare(*large[:2], k)
    whole = bare.go(bare.state, bare.frame, 60, 20)
    first = bare.go(bare.state, bare.frame, 25, 20)
    then = bare.go(first.state, first.frame, 35, 0)
    np.testing.assert_allclose(first.sums.sum(0) + then.sums.sum(0), whole.sums.sum(0), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(then.state, whole.state)
    gram = then.frame[0].T @ then.frame[0]
    lengths = np.sqrt(np.diag(gram))
    np.testing.assert_allclose(gram / lengths / lengths[:, None], np.eye(k), rtol=0, atol=1e-10)


def test_rank_loss(monkeypatch):
    """ReLU with dead units: the rank that is lost is counted as by lanes, in the same places."""
    cell = rd.Elman(12, activation="relu")
    weights = networks(cell, 3, gain=1.2)
    weights["bias_hh"][:, :5] = -40.0
    found, other = both(monkeypatch, rd.lyapunov, cell, weights, steps=30, transient=5, qr_every=1, device="python")
    assert np.all(np.isneginf(found.exponents).sum(axis=1) >= 5)
    assert np.all(found.status == rd.Status.SINGULAR)
    assert_agree(found, other, 1e-10)


def test_divergence(monkeypatch):
    """What was counted before the state left the bound stays; a frame that overflows comes back."""
    weights = {"weight_hh": np.stack([30.0 * np.eye(4), np.diag([1e100, 3e99, 2e99, 1e99])])}
    state = [[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    given = {"state": state, "steps": 40, "device": "python"}
    found, other = both(monkeypatch, rd.lyapunov, rd.Linear(4), weights, **given)
    assert list(found.status) == [rd.Status.DIVERGED, rd.Status.OK]
    assert_agree(found, other, 1e-9)
    np.testing.assert_allclose(found.exponents[0], np.log(30.0))
    np.testing.assert_allclose(found.exponents[1], np.log([1e100, 3e99, 2e99, 1e99]), atol=0.1)


def test_closed_forms():
    """An orthogonal matrix of 256 units: zeros. A linear network: ln |eigenvalues|, a few of them."""
    rng = np.random.default_rng(5)
    matrix, _ = np.linalg.qr(rng.normal(size=(256, 256)))
    found = rd.lyapunov(rd.Linear(256), {"weight_hh": matrix}, steps=20, progress=False)
    np.testing.assert_allclose(found.exponents, 0.0, atol=1e-12)
    vectors = np.eye(100) + 0.3 * rng.normal(size=(100, 100)) / 10
    matrix = vectors @ np.diag(0.97 ** np.arange(100.0)) @ np.linalg.inv(vectors)
    found = rd.lyapunov(rd.Linear(100), {"weight_hh": matrix}, steps=400, transient=1200, k=30, progress=False)
    np.testing.assert_allclose(found.exponents, log_moduli(matrix)[:30], atol=1e-6)


def test_the_path_is_a_networks_own():
    """From cell, units, k and dtype alone."""

    def path(cell, k):
        return target.Run(cell, "float64", "cpu", (10**6, k)).dense

    assert not path(rd.Elman(32), 32)
    assert path(rd.Elman(64), 64)
    assert path(rd.Elman(512), 1)
    assert path(rd.LSTM(32), 64)
    assert not path(rd.LSTM(8), 16)


def test_memory(monkeypatch):
    """What does not fit is refused in a sentence; what fits one at a time goes one at a time."""
    cell = rd.Elman(100)
    weights = networks(cell, 2)
    monkeypatch.setenv(VARIABLE, "500K")
    with pytest.raises(InputError, match=r"exponents of Elman\(units=100.*needs about .* MiB.*allows 500 KiB"):
        rd.lyapunov(cell, weights, steps=10, progress=False)
    run = target.Run(cell, "float64", "cpu", (10, 100))
    values = run.layout.size + 100 * (run.layout.width + 40)
    monkeypatch.setenv(VARIABLE, "3M")
    assert [many for _, many, _ in run.rounds(3, values, 8, "it")] == [2, 1]
    monkeypatch.setenv(VARIABLE, "nothing")
    with pytest.raises(InputError, match=VARIABLE):
        rd.lyapunov(cell, weights, steps=10, progress=False)
    monkeypatch.setenv(VARIABLE, "10M")
    gradients = {"steps": 3, "cotangent_last": np.ones(400), "progress": False}
    with pytest.raises(InputError, match="networks side by side, needs about"):
        rd.gradients(rd.Elman(400), networks(rd.Elman(400), 1), **gradients)
