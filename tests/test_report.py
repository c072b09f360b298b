"""Figures and numbers of a report: they say what the data say."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rnndyn.dynamics import theory
from rnndyn.report import boundaries, lines, maps, numbers, regimes, style, words
from rnndyn.sweep.curves import CURVES


def test_closed_form_curves():
    assert theory.fold_curve(2.0) == pytest.approx(0.53283998, abs=5e-9)
    assert theory.flip_curve(-2.0) == pytest.approx(2.29558715, abs=5e-9)
    assert theory.fold_curve(1.0) == theory.flip_curve(-1.0) == 0.0
    assert np.isnan(theory.fold_curve([0.99, -2.0])).all()
    assert np.isnan(theory.flip_curve([-0.99, 2.0])).all()


@pytest.mark.parametrize(("curve", "w", "multiplier"), [("fold_curve", 3.7, 1.0), ("flip_curve", -3.7, -1.0)])
def test_curves_are_where_the_multiplier_is_one(curve, w, multiplier):
    b = float(getattr(theory, curve)(w))
    grid = np.linspace(-1, 1, 2_000_001)
    misses = np.tanh(w * grid + b) - grid
    slope = w * (1 - grid**2)
    fixed = np.argsort(np.abs(misses))[:2000]
    assert np.min(np.abs(slope[fixed] - multiplier)) < 1e-2


def grids(num_x, num_y):
    return np.linspace(-4, 4, num_x), np.linspace(-5, 5, num_y)


def labels(x, y, shift=0.0):
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(y)[None, :] < theory.fold_curve(x)[:, None] + shift, 2, 1)


@pytest.mark.parametrize("size", [(64, 64), (129, 200), (512, 512)])
def test_exact_labels_lie_on_the_curve(size):
    x, y = grids(*size)
    found = boundaries.boundary_distances(labels(x, y), x, y, CURVES["tanh_fold"])
    assert found.to_curve <= 0.5 + boundaries.STEP
    assert found.to_border <= 1.0
    assert 0 < found.median < 0.5


def test_shifted_labels_are_told():
    x, y = grids(256, 256)
    cell = y[1] - y[0]
    found = boundaries.boundary_distances(labels(x, y, 3 * cell), x, y, CURVES["tanh_fold"])
    assert 1.5 < found.to_curve < 3.6
    assert found.to_border > 1.5
    missing = labels(x, y)
    missing[200:] = 1
    assert boundaries.boundary_distances(missing, x, y, CURVES["tanh_fold"]).to_border > 50
    assert boundaries.boundary_distances(np.ones((256, 256), int), x, y, CURVES["tanh_fold"]) is None
    assert boundaries.boundary_distances(labels(x + 100, y), x - 100, y, CURVES["tanh_fold"]) is None


def test_undecided_points_make_no_border():
    table = np.array([[1, 1, 0, 2], [1, -1, 2, 2]])
    found = boundaries.borders(table)
    assert found.tolist() == []
    assert boundaries.borders(np.array([[1, 2]])).tolist() == [[0.0, 0.5]]


def test_nearest_equals_brute_force():
    random = np.random.default_rng(0)
    points, targets = random.uniform(0, 300, (200, 2)), random.uniform(0, 300, (50, 2))
    brute = np.sqrt(((points[:, None] - targets[None]) ** 2).sum(-1)).min(1)
    np.testing.assert_allclose(boundaries.nearest(points, targets), brute, rtol=1e-12)


def test_classes_are_named_and_counted():
    count = xr.DataArray([[1, 1, 2], [1, 0, 3]])
    period = xr.DataArray([[1, 2, 1], [1, 0, 4]])
    classes = regimes.regime_classes(count, period)
    assert classes.names == [
        "one fixed point",
        "two attractors, a fixed point among them",
        "one cycle of period 2",
        "three attractors, a cycle of period 4 the shortest",
    ]
    assert classes.counts() == [2, 1, 1, 1]
    assert classes.index.tolist() == [[0, 2, 1], [0, -1, 3]]


def test_too_many_classes_are_gathered():
    count = xr.DataArray(np.arange(1, 21))
    classes = regimes.regime_classes(count, xr.ones_like(count))
    assert len(classes.names) == len(style.REGIMES)
    assert classes.names[-1] == "13 other kinds"
    assert sum(classes.counts()) == 20


def test_limits_are_robust():
    values = -np.ones(1000)
    values[:5] = -np.inf
    values[5] = -1e6
    assert maps.limits(values) == 1.0
    assert maps.limits(np.full(4, -np.inf)) == 1.0
    assert maps.limits(np.full(4, np.nan)) == 1.0
    mixed = np.concatenate([np.full(900, -5.0), np.full(100, 0.2)])
    assert maps.limits(mixed) <= 1.0


@pytest.mark.parametrize(
    ("part", "words"),
    [(0, "0 %"), (10_000, "100 %"), (1, "0.01 %"), (9_999, "99.99 %"), (1234, "12.3 %"), (50, "0.5 %")],
)
def test_shares(part, words):
    assert maps.share(part, 10_000) == words


def test_numbers_are_written_to_their_error():
    assert words.with_error(-0.0015149, 0.00042) == "−0.0015 ± 0.0004"
    assert words.with_error(0.30051, 2.6e-3) == "0.301 ± 0.003"
    assert numbers.small(8e-18) == "8 · 10⁻¹⁸"
    assert numbers.small(0.02) == "0.02"
    assert numbers.small(0.0) == "0"


def test_edges_surround_the_values():
    assert maps.edges(np.array([0.0, 1.0, 3.0])).tolist() == [-0.5, 0.5, 2.0, 4.0]
    assert maps.edges(np.array([2.0, 1.0])).tolist() == [2.5, 1.5, 0.5]
    assert maps.edges(np.array([7])).tolist() == [6.5, 7.5]


@pytest.mark.parametrize("x", [[0.0, 1.0, 2.0], [0.0, 1.0, 4.0], [2.0, 1.0, 0.0], [5.0]])
def test_a_hatched_point_is_drawn_where_it_is(x):
    y = np.array([0.0, 1.0, 2.0])
    flags = {"flag_values": [0, 2, 3], "flag_meanings": "OK SINGULAR DIVERGED", "long_name": "status"}
    status = xr.DataArray(np.zeros((len(x), 3), np.int8), {"x": x, "y": y}, ("x", "y"), attrs=flags)
    status[0, 2] = 3
    figure = Figure(figsize=(3, 3))
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_xlim(min(maps.edges(status["x"])), max(maps.edges(status["x"])))
    ax.set_ylim(-0.5, 2.5)
    drawn = style.Canvas(ax)
    maps.statuses(drawn, status)
    assert [patch.get_label() for patch in drawn.handles] == [f"diverged: {maps.share(1, status.size)} (1 point)"]
    canvas.draw()
    rows, columns = np.nonzero(np.asarray(canvas.buffer_rgba())[..., 0] < 128)
    assert len(rows) > 20
    assert rows.max() <= 102
    edge = maps.edges(status["x"])
    left, right = (300 * (at - edge.min()) / np.ptp(edge) for at in sorted(edge[:2]))
    assert left - 2 <= columns.min() <= columns.max() <= right + 2


def test_what_is_far_below_does_not_squeeze_the_rest():
    values = xr.DataArray([[0.0, -20.0, -52.6], [0.0, -300.0, -700.0]], {"lag": [0, 1, 2]}, ("b", "lag"))
    figure = Figure()
    canvas = style.Canvas(figure.add_subplot())
    lines.curve(canvas, values.rename("log_norms"), None)
    low, high = canvas.ax.get_ylim()
    assert (low, 0 < high < 10) == (lines.FLOOR, True)
    assert not lines.reaches_below(values.rename("exponents"))
    assert not lines.reaches_below(values.isel(b=0).rename("log_norms"))
