"""The running estimate of a spectrum: what shorter runs would tell, the result at its end."""

import numpy as np
import pytest
from support import assert_same_result, same_bits
from test_tolerance import chaos

import rnndyn as rd


@pytest.mark.parametrize("points", [(), (3,)])
def test_history_is_what_shorter_runs_would_tell(points):
    """After each batch, exponents and errors of a run of as many steps; the last ones are the result."""
    state = np.full((*points, 2), 0.1)
    found = chaos(steps=1000, history=True, state=state)
    plain = chaos(steps=1000, state=state)
    assert found._fields[:4] == plain._fields
    assert_same_result(tuple(plain), tuple(found[:4]))
    length = found.history_steps.shape[-1]
    assert found.history.shape == found.history_stderr.shape == (*points, length, 2)
    assert same_bits(found.history[..., -1, :], found.exponents)
    assert same_bits(found.history_stderr[..., -1, :], found.stderr)
    assert np.all(np.diff(found.history_steps) > 0)
    assert np.all(found.history_steps[..., -1] == 1000)
    assert np.all(np.isinf(found.history_stderr[..., 0, :]))
    for at in (3, 15, length - 1):
        steps = int(found.history_steps[..., at].flat[0])
        short = chaos(steps=steps, state=state)
        np.testing.assert_allclose(found.history[..., at, :], short.exponents, rtol=0, atol=1e-11)
    assert np.all(
        np.abs(found.history - found.exponents[..., None, :])[..., 5:, :] < 6 * found.history_stderr[..., 5:, :]
    )


def test_history_of_a_run_to_a_tolerance():
    found = chaos(tolerance=0.02, limit=30_000, history=True)
    plain = chaos(tolerance=0.02, limit=30_000)
    assert_same_result(tuple(plain), tuple(found[:4]))
    assert np.array_equal(found.history_steps[:, -1], found.steps)
    assert same_bits(found.history[:, -1], found.exponents)
    assert same_bits(found.history_stderr[:, -1], found.stderr)
    assert found.history_steps.shape[1] <= 65
    for steps, history in zip(found.history_steps, found.history, strict=True):
        rises = np.diff(steps)
        assert np.all(rises[: np.count_nonzero(rises)] > 0)
        assert np.all(history[np.count_nonzero(rises) :] == history[-1]), "a point that has stopped stays"


def test_history_of_points_that_are_not_ordinary():
    w = np.stack([[[np.nan, 0.0], [0.0, 0.5]], [[2.0, 0.0], [0.0, 0.5]], [[0.5, 0.0], [0.0, 0.0]], np.diag([0.7, 0.4])])
    found = rd.lyapunov(rd.Linear(2), {"weight_hh": w}, steps=400, transient=10, state=[1.0, 1.0], history=True)
    assert np.isnan(found.history[0]).all()
    assert found.history_steps[0].max() == 0
    assert found.history_steps[1, -1] == found.steps[1]
    assert np.all(found.history[2, :, 1] == -np.inf)
    assert np.all(found.history_stderr[2, 1:, 1] == 0)
    assert same_bits(found.history[:, -1], found.exponents)
