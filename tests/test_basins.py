"""Basins: which start goes where, against separatrices that are known."""

import math

import numpy as np
import pytest
from support import assert_same_result
from test_attractors import unit

import rnndyn as rd


def separatrix(w, b):
    """The unstable fixed point of h <- tanh(w h + b) between two stable ones, by bisection."""
    edge = math.sqrt(1 - 1 / w)
    low, high = -edge, edge  # there tanh(w h + b) - h rises through zero once
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if math.tanh(w * middle + b) > middle else (middle, high)
    return low


def test_a_bistable_unit_divides_at_its_unstable_point():
    """Starts to 1e-6 on either side of it; for several weights at once, one of them with one attractor only."""
    b = np.array([0.1, -0.3, 0.0, 2.0])
    edges = [separatrix(2.0, value) for value in b[:3]]
    x = np.sort(np.concatenate([np.linspace(-2, 2, 41), *([edge - 1e-6, edge + 1e-6] for edge in edges)]))
    x = x[np.abs(x) > 1e-9]
    found = rd.basins(rd.Elman(1), unit(2.0, b), x=x, y=0.0)
    assert found.label.shape == (4, len(x), 1)
    np.testing.assert_array_equal(found.attractors, [2, 2, 2, 1])
    assert np.all(found.status == rd.Status.OK)
    for k, edge in enumerate(edges):
        upper = int(found.label[k, -1, 0])
        np.testing.assert_array_equal(found.label[k, :, 0] == upper, x > edge)
        np.testing.assert_allclose(found.share[k].sum(), 1)
        assert found.share[k, 0] >= found.share[k, 1]
        state = found.points[k, :, 0, 0]
        np.testing.assert_allclose(np.tanh(2 * state + b[k]), state, atol=1e-12)
        assert state[upper] > edge > state[1 - upper]
    assert np.all(found.label[3] == 0)
    assert found.share[3].tolist() == [1.0, 0.0]
    assert np.isnan(found.points[3, 1]).all()


def test_two_units_have_four_quadrants():
    """Uncoupled bistable units over the plane of both; over a plane turned by 45 degrees the corners are axes."""
    x, weights = np.array([-0.7, -0.2, 0.3, 0.9]), {"weight_hh": 2 * np.eye(2)}
    found = rd.basins(rd.Elman(2), weights, x=x, y=x)
    assert (found.attractors, found.label.shape) == (4, (4, 4))
    signs = np.sign(found.points[found.label][..., 0, :])
    np.testing.assert_array_equal(signs[..., 0], np.sign(x)[:, None] * np.ones(4))
    np.testing.assert_array_equal(signs[..., 1], np.sign(x) * np.ones((4, 1)))
    turned = rd.basins(rd.Elman(2), weights, x=x, y=[-0.1, 0.1], directions=[[1, 1], [1, -1]], origin=[0.01, -0.005])
    starts = np.array([0.01, -0.005]) + x[:, None, None] * [1, 1] + np.array([-0.1, 0.1])[:, None] * [1, -1]
    np.testing.assert_array_equal(np.sign(turned.points[turned.label][..., 0, :]), np.sign(starts))


def test_cycles_and_growth():
    """A ring of three units: two fixed points and two 3-cycles; a linear saddle: growth, and its stable line."""
    ring = 2 * np.roll(np.eye(3), 1, axis=0)
    found = rd.basins(rd.Elman(3), {"weight_hh": ring}, x=[-0.8, 0.8], y=[-0.6, 0.6], origin=[0, 0, 0.5])
    assert sorted(found.period.tolist()) == [1, 3, 3]
    assert found.points.shape == (3, 3, 3)
    for number in np.flatnonzero(found.period == 3):
        cycle = found.points[number]
        np.testing.assert_allclose(np.tanh(cycle @ ring.T), np.roll(cycle, -1, axis=0), atol=1e-9)
    saddle = {"weight_hh": np.diag([0.5, 1.5])}
    found = rd.basins(rd.Linear(2), saddle, x=[-1.0, 1.0], y=[-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(found.label, [[-2, -1, -2], [-2, -1, -2]])
    assert (found.attractors, found.status) == (0, rd.Status.NOT_CONVERGED)


def test_chaos_beside_rest():
    """A bistable unit beside Pasemann's pair: two chaotic attractors, told apart by the sign of the unit."""
    matrix = np.zeros((3, 3))
    matrix[:2, :2], matrix[2, 2] = [[-5, 1.5], [-1.5, 0]], 2.0
    weights = {"weight_hh": matrix, "bias_hh": [-4.5, 0, 0]}
    ways = [[1, 0, 0], [0, 0, 1]]
    found = rd.basins(rd.Elman(3), weights, x=[0.0, 0.3], y=[-0.5, 0.2, 0.6], directions=ways, steps=1000)
    assert found.attractors == 2
    assert np.all(found.regime == rd.Regime.CHAOTIC)
    np.testing.assert_array_equal(found.label, [[1, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(found.exponent, 0.2306, atol=0.03)
    assert np.isfinite(found.points[:, 0]).all()


def test_invalid_points_and_threads():
    weights = unit([2.0, np.nan, -2.0], [0.1, 0.0, 0.2])
    options = {"x": np.linspace(-1, 1, 15), "y": 0.0}
    found = rd.basins(rd.Elman(1), weights, threads=1, **options)
    assert_same_result(found, rd.basins(rd.Elman(1), weights, threads=3, **options))
    assert np.all(found.label[1] == -1)
    np.testing.assert_array_equal(found.status, [rd.Status.OK, rd.Status.INVALID, rd.Status.OK])
    assert found.period[2, 0] == 2


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"x": [0.0], "y": [0.0, 1.0]}, "`y`"),
        ({"x": [np.nan], "y": 0.0}, "`x`"),
        ({"x": 0.0, "y": 0.0, "directions": [1.0]}, "directions"),
        ({"x": 0.0, "y": 0.0, "origin": [1.0, 2.0]}, "origin"),
        ({"x": 0.0, "y": 0.0, "steps": 5}, "steps"),
    ],
)
def test_mistakes_are_told(options, what):
    with pytest.raises(rd.InputError, match=what):
        rd.basins(rd.Elman(1), unit(2.0, 0.0), **options)
