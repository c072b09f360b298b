"""Regions of labelled grids: areas and boundaries of figures whose areas are known, and what widens them."""

import numpy as np
import pytest

import rnndyn as rd

X, Y = np.linspace(-1.0, 1.0, 81), np.linspace(-2.0, 2.0, 101)
ACROSS, UP = np.meshgrid(X, Y, indexing="ij")
RADIUS = 0.7
DISC = (np.hypot(ACROSS, UP) < RADIUS).astype(int)


def test_area_and_boundary_of_a_disc():
    """pi r^2 well within the uncertainty, which is half a cell along the boundary; every point of the polyline within
    half a cell of the circle."""
    found = rd.regions(DISC, X, Y)
    np.testing.assert_array_equal(found.labels, [0, 1])
    np.testing.assert_array_equal(found.points, [DISC.size - DISC.sum(), DISC.sum()])
    np.testing.assert_allclose(found.area.sum(), 8.0, rtol=1e-12)
    np.testing.assert_allclose(found.share, found.area / 8.0)
    assert abs(found.area[1] - np.pi * RADIUS**2) < 0.2 * found.uncertainty[1]
    np.testing.assert_allclose(found.uncertainty[1], 2 * RADIUS * 0.04, rtol=0.05)  # of each row half a cell twice
    (boundary,) = found.boundaries
    assert boundary.between == (0, 1)
    np.testing.assert_array_equal(boundary.points[0], boundary.points[-1])
    np.testing.assert_allclose(boundary.uncertainty, np.tile([0.0125, 0.02], (len(boundary.points), 1)), rtol=1e-9)
    assert np.abs(np.hypot(*boundary.points.T) - RADIUS).max() < 0.02
    steps = np.abs(np.diff(boundary.points, axis=0))
    assert np.all(steps <= np.array([0.025, 0.04]) * (1 + 1e-9))


def half_plane(angle, offset):
    """The area of cos(angle) x + sin(angle) y < offset in the rectangle: exact in x, 4001 lines in y."""
    c, s = np.cos(angle), np.sin(angle)
    y = np.linspace(-2.0, 2.0, 4001)
    if abs(c) < 1e-12:
        return 2.0 * (offset + 2.0)
    edge = np.clip((offset - s * y) / c, -1.0, 1.0)
    return np.trapezoid(edge + 1.0 if c > 0 else 1.0 - edge, y)


def test_uncertainties_hold_for_half_planes():
    """Lines at random, many of them along the grid: the true area lies within the uncertainty, and near its end for
    some."""
    rng, ratios = np.random.default_rng(0), []
    for _ in range(150):
        angle = rng.integers(4) * np.pi / 2 if rng.random() < 0.4 else rng.uniform(0, 7)
        offset = rng.uniform(-0.6, 0.6)
        found = rd.regions((np.cos(angle) * ACROSS + np.sin(angle) * UP < offset).astype(int), X, Y)
        ratios.append(abs(found.area[1] - half_plane(angle, offset)) / found.uncertainty[1])
    assert 0.8 < max(ratios) <= 1 + 1e-3


def test_boundaries_lie_between_their_labels():
    """Four random labels: every edge with different ends is on a line between just these, halfway."""
    labels = np.random.default_rng(0).integers(0, 4, size=(12, 9))
    found = rd.regions(labels, np.arange(12.0), np.arange(9.0))
    middles = {}
    for boundary in found.boundaries:
        assert boundary.between[0] < boundary.between[1]
        for point in boundary.points:
            if (point % 1 != 0).sum() == 1:
                middles.setdefault(tuple(point), set()).add(boundary.between)
    expected = {}
    for axis in (0, 1):
        for place in np.ndindex(12 - (axis == 0), 9 - (axis == 1)):
            other = place[0] + (axis == 0), place[1] + (axis == 1)
            if labels[place] != labels[other]:
                pair = tuple(sorted((int(labels[place]), int(labels[other]))))
                expected[tuple(np.mean([place, other], axis=0))] = {pair}
    assert middles == expected


def test_three_regions_meet_in_a_cell():
    labels = np.where(ACROSS < 0.01, 0, np.where(UP < 0.01, 1, 2))
    found = rd.regions(labels, X, Y)
    assert [line.between for line in found.boundaries] == [(0, 1), (0, 2), (1, 2)]
    ends = [tuple(np.round(line.points[k], 6)) for line in found.boundaries for k in (0, -1)]
    centre = max(set(ends), key=ends.count)
    assert ends.count(centre) == 3
    np.testing.assert_allclose(centre, [0.0125, 0.02], atol=1e-6)


def test_unknown_points_widen():
    """A ring of unknown points on the circle: its area goes to both uncertainties, its width to the boundary's."""
    ring = np.abs(np.hypot(ACROSS, UP) - RADIUS) < 0.1
    labels = np.where(ring, -1, DISC)
    sure, found = rd.regions(DISC, X, Y), rd.regions(labels, X, Y)
    area = 0.025 * 0.04 * ring.sum()
    assert np.all(found.uncertainty >= area)
    assert np.all(found.uncertainty <= area + sure.uncertainty)
    assert np.all(np.abs(found.area - [8 - np.pi * RADIUS**2, np.pi * RADIUS**2]) < found.uncertainty)
    (boundary,) = found.boundaries
    assert boundary.uncertainty[:, 0].min() > 2 * sure.boundaries[0].uncertainty[0, 0]
    away = np.abs(np.hypot(*boundary.points.T) - RADIUS)
    assert np.all(away < boundary.uncertainty.max(axis=1))
    alone = labels.copy()
    alone[0, 0] = -1
    more = rd.regions(alone, X, Y).uncertainty - found.uncertainty  # a corner, far from the disc
    np.testing.assert_allclose(more, [0.25 * 0.025 * 0.04, 0.0], atol=1e-12)
    assert len(rd.regions(labels, X, Y, unknown=[-1, 1]).labels) == 1


def test_uneven_and_falling_axes():
    """Logarithmic and reversed coordinates: areas in their own units, half cells of their own widths."""
    x = np.geomspace(0.01, 1.0, 30)
    labels = np.repeat((x < 0.1).astype(int)[:, None], 7, axis=1)
    found = rd.regions(labels, x, np.linspace(3.0, 0.0, 7))
    np.testing.assert_allclose(found.area.sum(), 0.99 * 3)
    (line,) = found.boundaries
    low, high = x[x < 0.1].max(), x[x >= 0.1].min()
    np.testing.assert_allclose(line.points[:, 0], 0.5 * (low + high))
    np.testing.assert_allclose(line.uncertainty[:, 0], 0.5 * (high - low))
    np.testing.assert_allclose(found.area[1], 3 * (0.5 * (low + high) - 0.01))
    np.testing.assert_allclose(found.uncertainty, 1.5 * (high - low))
    np.testing.assert_allclose(line.points[[0, -1], 1], [3.0, 0.0])


def test_one_region_has_no_boundary():
    found = rd.regions(np.full((3, 4), 7), np.arange(3), np.arange(4))
    assert (found.labels.tolist(), found.share.tolist(), found.uncertainty.tolist()) == ([7], [1.0], [0.0])
    assert found.boundaries == []


@pytest.mark.parametrize(
    ("labels", "x", "y", "what"),
    [
        (np.zeros((3, 4)), np.arange(3), np.arange(4), "whole"),
        (np.zeros((3, 4), int), np.arange(4), np.arange(3), "shape"),
        (np.zeros((3, 4), int), [0, 1, 1], np.arange(4), "rise"),
        (np.zeros((1, 4), int), [0], np.arange(4), "two"),
        (np.full((3, 4), -1), np.arange(3), np.arange(4), "unknown"),
    ],
)
def test_mistakes_are_told(labels, x, y, what):
    with pytest.raises(rd.InputError, match=what):
        rd.regions(labels, x, y)
