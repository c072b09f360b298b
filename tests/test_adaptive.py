"""Refinement of label maps: the full map's labels from few of its points; polylines between labels."""

import itertools

import numpy as np
import pytest

from rnndyn import boundaries
from rnndyn.dynamics import adaptive, theory
from rnndyn.dynamics.adaptive import adaptive_map, mixed_cells, places, strides
from rnndyn.errors import InputError


def scalar_labels(n):
    """The number of attractors and the shortest period of one tanh unit over n x n points, from the closed forms."""
    w, b = np.linspace(-4, 4, n)[:, None], np.linspace(-5, 5, n)
    with np.errstate(invalid="ignore"):
        return [(np.abs(b) < theory.fold_curve(w)) + 1, (np.abs(b) < theory.flip_curve(w)) + 1]


def refined(full, coarse, margin=1):
    """Refine maps that are known; returns (the refinement, the nodes asked for), each of them once."""
    asked = []

    def evaluate(index):
        asked.append(index)
        return [label.ravel()[index] for label in full]

    found = adaptive_map(full[0].shape, evaluate, coarse=(coarse, coarse), margin=margin)
    asked = np.concatenate(asked)
    assert len(np.unique(asked)) == len(asked)
    return found, asked


@pytest.mark.parametrize("n", [257, 300, 512])
@pytest.mark.parametrize("margin", [0, 1, 3])
def test_all_labels_of_the_scalar_map(n, margin):
    full = scalar_labels(n)
    found, asked = refined(full, 17, margin)
    for label, known in zip(found.labels, full, strict=True):
        np.testing.assert_array_equal(label, known)
    assert set(np.flatnonzero(found.level >= 0)) == set(asked)
    # A border that crosses so many columns and rows has as many mixed cells, half of them on each level before.
    length = 2 * (n - 1) * (2 * 3 / 8 + (theory.fold_curve(4.0) + theory.flip_curve(-4.0)) / 10)
    assert found.levels[-1].mixed == pytest.approx(length, rel=0.05)
    spent = len(asked) - found.levels[0].nodes
    ratio = spent / (1.5 * (margin + 1) * length * (2 - 2 ** (2 - len(found.levels))))
    assert 0.6 < ratio < (1.25 if margin else 2.5), ratio
    assert [level.computed for level in found.levels] == np.bincount(found.level[found.level >= 0]).tolist()


def tongue(n, width, slope=0.31):
    """A tongue from the left edge whose height falls from `width` cells to one, where it ends."""
    x, y = np.arange(n)[:, None], np.arange(n)
    height = width - (width - 1.0) * x / (0.9 * n)
    return [((np.abs(y - 0.2 * n - slope * x) <= height / 2) & (x < 0.9 * n)).astype(int)]


@pytest.mark.parametrize("slope", [0.0, 0.31, 0.77])
def test_a_thin_tongue_is_followed_to_its_end(slope, monkeypatch):
    full = tongue(513, 20, slope)
    found, asked = refined(full, 33)
    np.testing.assert_array_equal(found.labels[0], full[0])
    assert len(asked) < 0.1 * full[0].size
    monkeypatch.setattr(adaptive.Grid, "close", lambda *_: 0)
    assert np.any(refined(full, 33)[0].labels[0] != full[0]), "the cells of the level before tell it all: no test"


def test_an_island_is_found_if_it_holds_a_node_of_the_coarse_grid():
    x, y = np.arange(257)[:, None], np.arange(257)
    for centre, there in ((96, True), (104, False)):
        full = [((x - centre) ** 2 + (y - centre) ** 2 < 36).astype(int)]
        found, _ = refined(full, 17)
        assert np.array_equal(found.labels[0], full[0]) == there


def test_axes_of_different_length_and_their_ends():
    x, y = np.arange(331)[:, None], np.arange(90)
    full = [(x + 3 * y > 400).astype(int) + (x > 329) - 5]
    asked = []
    found = adaptive_map((331, 90), lambda at: asked.append(at) or [full[0].ravel()[at]], coarse=(11, 30))
    np.testing.assert_array_equal(found.labels[0], full[0])
    assert [level.stride for level in found.levels] == strides((331, 90), (11, 30))
    assert found.levels[0].stride == (32, 2)
    assert found.levels[-1].stride == (1, 1)


@pytest.mark.parametrize("num", [2, 3, 64, 65, 100, 4096])
def test_nodes_of_a_level_are_nodes_of_the_next(num):
    for coarse in (2, 7, num):
        steps = [step for step, _ in strides((num, num), (coarse, coarse))]
        assert steps[-1] == 1
        assert len(places(num, steps[0])) >= min(coarse, num)
        assert coarse >= num or len(places(num, 2 * steps[0])) < coarse or 2 * steps[0] > num
        for one, next_ in itertools.pairwise(steps):
            assert one == 2 * next_
            assert set(places(num, one)) <= set(places(num, next_))
        assert {0, num - 1} <= set(places(num, steps[0]))


def test_mixed_cells_of_several_labels():
    one, other = np.zeros((4, 5), int), np.zeros((4, 5), int)
    one[3, 4], other[0, 0] = 1, -1
    assert np.transpose(mixed_cells([one, other])).tolist() == [[0, 0], [2, 3]]


def area(points):
    """The area inside a closed polyline."""
    x, y = points.T
    return abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2


def test_a_circle_is_one_closed_line():
    x, y = np.linspace(-1, 1, 301), np.linspace(-2, 2, 401)
    labels = np.where(x[:, None] ** 2 + y**2 < 0.6, 7, 3)
    (line,) = boundaries(labels, x, y)
    assert line.between == (3, 7)
    np.testing.assert_array_equal(line.points[0], line.points[-1])
    assert area(line.points) == pytest.approx(0.6 * np.pi, rel=2e-3)
    off = np.abs(np.hypot(*line.points.T) - np.sqrt(0.6))
    assert off.max() <= 0.005
    assert np.hypot(*np.diff(line.points, axis=0).T).max() <= 0.0101


def test_lines_end_where_three_labels_meet_and_at_the_edge():
    labels = np.array([[1, 1, 1], [1, 1, 2], [3, 3, 2], [3, 3, 2]])
    lines = {line.between: line for line in boundaries(labels)}
    assert set(lines) == {(1, 2), (1, 3), (2, 3)}
    meeting = [1.5, 1.5]
    for line in lines.values():
        assert meeting in line.points[[0, -1]].tolist()
    assert sorted(lines[1, 3].points.tolist()) == [[1.5, 0.0], [1.5, 1.0], meeting]
    assert sorted(lines[2, 3].points.tolist()) == [meeting, [2.0, 1.5], [3.0, 1.5]]


def test_lines_that_cross_end_in_the_middle_of_a_cell():
    lines = boundaries([[0, 1], [1, 0]])
    assert {tuple(line.points[0]) for line in lines} == {(0.5, 0.5)}
    assert sorted(line.points[1].tolist() for line in lines) == [[0.0, 0.5], [0.5, 0.0], [0.5, 1.0], [1.0, 0.5]]
    assert len(boundaries([[0, 1], [2, 3]])) == 4
    for labels in ([[0, 1], [2, 0]], [[1, 0], [0, 2]]):  # a corner each, around the middle
        assert [line.points[1].tolist() for line in boundaries(labels)] == [[0.5, 0.5]] * 2
    assert boundaries(np.zeros((3, 3))) == []
    assert boundaries([["rest", "cycle"], ["rest", "cycle"]])[0].between == ("cycle", "rest")


def test_every_pair_of_neighbours_that_differ_is_crossed_once():
    labels = np.random.default_rng(0).integers(0, 4, (40, 30))
    points = np.concatenate([line.points for line in boundaries(labels)])
    edges = {tuple(p) for p in points.tolist() if (p[0] % 1 == 0) != (p[1] % 1 == 0)}
    across = {(i + 0.5, float(j)) for i, j in np.argwhere(labels[1:] != labels[:-1])}
    up = {(float(i), j + 0.5) for i, j in np.argwhere(labels[:, 1:] != labels[:, :-1])}
    assert edges == across | up


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros(4),), "of at least 2 x 2, not of shape (4,)"),
        ((np.zeros((4, 3)), np.arange(3)), "`x` has the shape (3,); labels (4, 3) need (4,)"),
    ],
)
def test_shapes_that_make_no_map(arguments, words):
    with pytest.raises(InputError) as caught:
        boundaries(*arguments)
    assert words in str(caught.value)
