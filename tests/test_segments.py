"""Long backward passes go in segments, each made again from its first state: the same bits as in one piece."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.kernels import cotangents, tiles

CELLS = {
    "lstm": rd.LSTM(3, inputs=2),
    "gru_before": rd.GRU(3, inputs=1, reset_after=False),
}


def found(cell, seed=0):
    """Gradients of five networks over 70 steps, one cotangent a state, sequences of different length."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(size=(5, *shape)) for name, shape in cell.shapes.items()}
    return rd.gradients(
        cell,
        weights,
        cotangent=rng.normal(size=(5, 71, cell.state_size)),
        inputs=rng.normal(size=(5, 70, cell.inputs)),
        lengths=np.array([70, 1, 33, 69, 16]),
        state=rng.normal(size=(5, cell.state_size)),
    )


@pytest.mark.parametrize("family", CELLS)
def test_segments_change_no_bit(family, monkeypatch):
    """A budget of a few steps, and calls of a few steps, give the gradients of an unlimited one."""
    whole = found(CELLS[family])
    monkeypatch.setitem(cotangents.SEGMENT_BYTES, "cpu", 1)  # the least: BLOCK steps
    monkeypatch.setattr(tiles.Pace, "fit", lambda self: 7)
    parts = found(CELLS[family])
    for name, gradient in whole.weights.items():
        np.testing.assert_array_equal(parts.weights[name], gradient, err_msg=name)
    for name in ("inputs", "state", "log_norms", "status"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)
    assert np.abs(whole.weights["weight_hh"]).max() > 0
