"""Runs to a tolerance: what they promise, that they are the fixed run of as many steps, and the running estimate."""

import numpy as np
import pytest
from support import assert_same_result, same_bits, take
from test_truths_chaos import LSTM_WEIGHTS, PASEMANN
from test_truths_scalar import skew_tent

import rnndyn as rd
from rnndyn.dynamics import tolerance
from rnndyn.errors import InputError
from rnndyn.kernels import tiles

OK, LATE, SINGULAR, DIVERGED, INVALID = rd.Status


def chaos(points=24, **options):
    starts = np.linspace(-0.5, 0.5, 2 * points).reshape(points, 2)
    given = {"weights": PASEMANN, "transient": 500, "state": starts} | options
    return rd.lyapunov(rd.Elman(2), **given)


def units(w, b=0.0):
    w, b = np.broadcast_arrays(np.asarray(w, float), b)
    return {"weight_hh": w[..., None, None], "bias_hh": b[..., None]}


def test_errors_are_below_the_tolerance():
    """Chaos: every error is at most the tolerance, the truth within two of them; half of it, four times the steps."""
    steps = []
    for wanted in (0.02, 0.01):
        found = chaos(200, tolerance=wanted, limit=10**6)
        assert np.all(found.status == OK)
        assert np.all(found.stderr <= wanted)
        off = np.abs(found.exponents - [0.2306, -3.3588])
        assert np.all(np.mean(off <= 2 * found.stderr, axis=0) > 0.87)
        assert np.all(np.sqrt(np.mean(off**2, axis=0)) < 1.1 * wanted)
        steps.append(np.mean(found.steps))
        spent = np.median(found.stderr.max(axis=1)) / wanted
        assert spent > 0.5, "runs go on far longer than they need"
    assert 2.5 < steps[1] / steps[0] < 6


def test_fixed_points_and_cycles_stop_when_their_halves_agree():
    """One tanh unit from far off: the exponent is off by at most its error, which is at most the tolerance."""
    w, wanted = np.array([0.5, 0.8, 2.0, -2.0]), 1e-4
    x = np.array([0.0, 0.0, 0.95750402407, 0.95750402407])
    found = rd.lyapunov(rd.Elman(1), units(w), tolerance=wanted, state=[3.0])
    off = np.abs(found.exponents[:, 0] - np.log(np.abs(w) * (1 - x**2)))
    assert np.all(found.status == OK)
    assert np.all(found.stderr <= wanted)
    assert np.all(off <= found.stderr[:, 0] * (1 + 1e-5) + 1e-9)
    assert np.all(found.stderr[:, 0] > 0.1 * wanted), "errors fall like 1/T here: predicted, not overshot tenfold"


def test_steps_follow_from_a_points_own_numbers(monkeypatch):
    """Neighbours, threads, chunks and the split into calls change no bit."""
    whole = chaos(tolerance=0.02, limit=30_000, threads=1)
    assert len(np.unique(whole.steps)) > 2
    for low, high in ((0, 1), (5, 6), (3, 17)):
        starts = np.linspace(-0.5, 0.5, 48).reshape(24, 2)[low:high]
        part = chaos(tolerance=0.02, limit=30_000, state=starts, first_index=low)
        assert_same_result(part, take(whole, slice(low, high)))
    assert_same_result(chaos(tolerance=0.02, limit=30_000, threads=2), whole)
    with monkeypatch.context() as patch:
        patch.setattr(tiles, "CHUNK_BYTES", 1)
        assert_same_result(chaos(tolerance=0.02, limit=30_000), whole)
    monkeypatch.setattr(tiles, "CALL", 1e-5)
    assert_same_result(chaos(tolerance=0.02, limit=30_000), whole)


def test_it_is_the_fixed_run_of_as_many_steps():
    """State and frame are carried on: the same orbit, and exponents to rounding; errors of the same size."""
    found = chaos(8, tolerance=0.02, limit=30_000)
    for i, steps in enumerate(found.steps):
        starts = np.linspace(-0.5, 0.5, 16).reshape(8, 2)[i : i + 1]
        fixed = chaos(steps=int(steps), state=starts)
        np.testing.assert_allclose(found.exponents[i], fixed.exponents[0], rtol=0, atol=1e-11)
        np.testing.assert_allclose(found.stderr[i], fixed.stderr[0], rtol=0.8)


@pytest.mark.parametrize("limit", [1, 5, 100, 1024, 1025, 3000, 5119, 9999])
def test_the_limit_comes_first(limit):
    """NOT_CONVERGED after exactly `limit` steps, with the exponents and errors of that many."""
    found = chaos(4, tolerance=1e-6, limit=limit)
    fixed = chaos(4, steps=limit, state=np.linspace(-0.5, 0.5, 8).reshape(4, 2))
    assert np.all(found.status == LATE)
    assert np.all(found.steps == limit)
    np.testing.assert_allclose(found.exponents, fixed.exponents, rtol=0, atol=1e-11)
    known = np.isfinite(fixed.stderr)
    assert np.array_equal(np.isfinite(found.stderr), known)
    assert np.all(np.abs(np.log(found.stderr[known] / fixed.stderr[known])) < np.log(3))


def test_schedule_reaches_every_limit():
    """Batches stay of equal length and 24 to 64 in number, and the last step is the limit, whatever is wanted."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        limit, steps, spans = int(rng.integers(1025, 10**6)), 1024, 32
        while steps < limit:
            wanted = steps * np.exp(rng.uniform(0, 3))
            length, longer = (
                int(v[0])
                for v in tolerance._following(
                    np.array([steps]), np.array([spans]), np.array([limit]), np.array([wanted])
                )
            )
            assert length > 0
            assert longer % spans == 0
            steps, spans = steps + length, longer
            assert steps <= limit
            whole = steps % spans == 0 and (length * 32) % spans == 0
            assert (whole and 24 <= steps // spans <= 64) or steps == limit
        assert steps == limit


def test_points_that_are_not_ordinary():
    """NaN, divergence, lost rank and a fixed point side by side: each its own status, none waits for another."""
    w = np.stack([[[np.nan, 0.0], [0.0, 0.5]], [[2.0, 0.0], [0.0, 0.5]], [[0.5, 0.0], [0.0, 0.0]], np.diag([0.7, 0.4])])
    found = rd.lyapunov(rd.Linear(2), {"weight_hh": w}, tolerance=1e-3, limit=20_000, transient=10, state=[1.0, 1.0])
    assert found.status.tolist() == [INVALID, DIVERGED, SINGULAR, OK]
    assert np.isnan(found.exponents[0]).all()
    assert found.exponents[1, 0] == pytest.approx(np.log(2), abs=1e-12)
    assert found.steps[0] == 0
    assert found.steps[1] < 40
    np.testing.assert_allclose(found.exponents[2:, 0], np.log([0.5, 0.7]), rtol=0, atol=1e-3)
    assert (found.exponents[2, 1], found.stderr[2, 1]) == (-np.inf, 0)
    assert np.all(found.steps[2:] < 20_000)


def test_lost_rank_does_not_keep_a_run_going():
    """The skew tent's second exponent is -inf with error 0: the run stops for its first."""
    start = np.stack([np.random.default_rng(8).uniform(0.01, 0.3, 16), np.zeros(16)], -1)
    found = rd.lyapunov(
        rd.Elman(2, activation="relu"), skew_tent(0.3), tolerance=0.01, limit=10**5, transient=100, state=start
    )
    assert np.all(found.status == SINGULAR)
    assert np.all(found.exponents[:, 1] == -np.inf)
    assert np.all(found.stderr[:, 0] <= 0.01)
    assert np.all(found.steps < 50_000)
    late = rd.lyapunov(
        rd.Elman(2, activation="relu"), skew_tent(0.3), tolerance=1e-9, limit=2000, transient=100, state=start
    )
    assert np.all(late.status == LATE)


def driven(points=6, length=6000):
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(points, length, 1))
    weights = {"weight_hh": np.array([[0.5, -0.9], [0.9, 0.4]]), "weight_ih": np.array([[1.0], [0.5]])}
    return weights, inputs


def test_inputs_are_the_limit():
    """Exponents of the driven network to a tolerance: steps are taken in order, all inputs at most."""
    weights, inputs = driven()
    cell, given = rd.Elman(2, 1), {"transient": 50, "state": np.zeros(2)}
    found = rd.lyapunov(cell, weights, inputs=inputs, tolerance=0.025, **given)
    assert np.all(found.status == OK)
    assert len(np.unique(found.steps)) > 1
    for i, steps in enumerate(found.steps):
        fixed = rd.lyapunov(cell, weights, inputs=inputs[i, : 50 + steps], **given)
        np.testing.assert_allclose(found.exponents[i], fixed.exponents, rtol=0, atol=1e-11)
    late = rd.lyapunov(cell, weights, inputs=inputs, tolerance=1e-9, **given)
    assert np.all(late.status == LATE)
    assert np.all(late.steps == 5950)
    short = rd.lyapunov(cell, weights, inputs=inputs, tolerance=1e-9, limit=3000, **given)
    fixed = rd.lyapunov(cell, weights, inputs=inputs[:, :3050], **given)
    np.testing.assert_allclose(short.exponents, fixed.exponents, rtol=0, atol=1e-11)
    constant = rd.lyapunov(cell, weights, inputs=inputs[:, :1], tolerance=0.02, limit=3000, **given)
    assert np.all(constant.status == OK)


def test_sequences_of_different_length():
    """Each has its own limit, and what stands behind its end does not matter."""
    weights, inputs = driven()
    lengths = np.array([60, 700, 1500, 2500, 4000, 6000])
    given = {"transient": 50, "state": np.zeros(2), "tolerance": 0.02, "k": 1}
    padded = np.where(np.arange(6000)[:, None] < lengths[:, None, None], inputs, np.nan)
    found = rd.lyapunov(rd.Elman(2, 1), weights, inputs=padded, lengths=lengths, **given)
    assert np.all(found.steps <= lengths - 50)
    assert np.all((found.status == OK) | (found.steps == lengths - 50))
    assert {LATE, OK} <= {rd.Status(status) for status in found.status}
    for i, length in enumerate(lengths):
        alone = rd.lyapunov(rd.Elman(2, 1), weights, inputs=inputs[i, :length], first_index=i, **given)
        assert_same_result(alone, take(found, i))
    cut = rd.lyapunov(rd.Elman(2, 1), weights, inputs=padded, lengths=lengths, limit=900, **given)
    assert np.all(cut.steps <= np.minimum(lengths - 50, 900))


def test_single_precision():
    weights = {"weight_hh": LSTM_WEIGHTS}
    found = rd.lyapunov(
        rd.LSTM(2), weights, tolerance=0.03, limit=10**5, transient=500, state=[0.5] * 4, dtype="float32"
    )
    assert found.exponents.dtype == found.stderr.dtype == np.float32
    assert found.status == OK
    assert np.all(found.stderr <= np.float32(0.03))
    assert np.all(np.abs(found.exponents - [0.1695, -0.3848, -1.677, -4.623]) <= 4 * found.stderr)


def test_networks():
    """A stack and both directions: each cell runs until its own exponents are told, up to the limit."""
    rng = np.random.default_rng(5)
    for net in (
        rd.Stack([rd.Elman(2), rd.Elman(2, 2)]),
        rd.Bidirectional(rd.Elman(2, 1)),
    ):
        weights = {name: 0.9 * rng.normal(size=shape) for name, shape in net.shapes.items()}
        given = {"inputs": rng.normal(size=(5000, net.inputs))} if net.inputs else {"limit": 5000}
        found = rd.lyapunov(net, weights, tolerance=0.03, history=True, **given)
        assert found.status == OK
        assert np.all(found.stderr <= 0.03)
        assert 1024 <= found.steps < 5000
        fixed = rd.lyapunov(net, weights, **(given if net.inputs else {"steps": 5000}))
        assert np.all(np.abs(found.exponents - fixed.exponents) <= 3 * found.stderr + 3 * fixed.stderr + 1e-9)
        assert same_bits(found.history[-1], found.exponents)
        assert same_bits(found.history_stderr[-1], found.stderr)
        assert np.all(np.diff(found.history_steps) >= 0)
        late = rd.lyapunov(net, weights, tolerance=1e-9, **given)
        assert late.status == LATE
        whole = rd.lyapunov(net, weights, history=True, **(given if net.inputs else {"steps": 5000}))
        assert same_bits(whole.history[-1], whole.exponents)


def test_progress_ends_at_the_whole():
    told = []
    chaos(tolerance=0.05, limit=100_000, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == 24 * 100_500
    assert np.all(np.diff([done for done, _ in told]) > 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"steps": 10, "tolerance": 0.1}, "`steps` and `tolerance` are both given"),
        ({"steps": 10, "limit": 100}, "`limit` is the most steps of a run to a `tolerance`"),
        ({"limit": 100}, "`limit` is the most steps of a run to a `tolerance`"),
        ({"tolerance": 0.0}, "`tolerance` must be a finite number above 0, not 0.0"),
        ({"tolerance": -1}, "`tolerance` must be a finite number above 0, not -1"),
        ({"tolerance": np.nan}, "`tolerance` must be a finite number above 0, not nan"),
        ({"tolerance": np.inf}, "`tolerance` must be a finite number above 0, not inf"),
        ({"tolerance": "small"}, "`tolerance` must be a finite number above 0, not 'small'"),
        ({"tolerance": True}, "`tolerance` must be a finite number above 0, not True"),
        ({"tolerance": 0.1, "limit": 0}, "`limit` must be a whole number from 1 up, not 0"),
        ({"tolerance": 0.1, "limit": 1e6}, "`limit` must be a whole number from 1 up, not 1000000.0"),
        ({"tolerance": 0.1, "inputs": np.zeros((9, 1)), "limit": 10}, "`inputs` has 9 steps, too few"),
        ({"tolerance": 0.1, "inputs": np.zeros((9, 1)), "transient": 9}, "`inputs` has 9 steps, the transient alone 9"),
        ({"tolerance": 0.1, "limit": 2**24, "dtype": "float32"}, "float32 counts steps exactly"),
        ({}, "neither `steps` nor `inputs` is given"),
    ],
)
def test_mistakes_are_told(given, words):
    with pytest.raises(InputError, match=words.replace(".", r"\.")):
        rd.lyapunov(rd.Elman(1, 1), units(0.5), **given)
