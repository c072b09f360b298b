"""`rd.plot`: what is drawn is what the arrays say, on new figures and on given axes, from arrays of anybody."""

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import rnndyn as rd
from rnndyn.dynamics import theory
from rnndyn.errors import InputError

FLAGS = {"flag_values": [0, 1, 3], "flag_meanings": "OK NOT_CONVERGED DIVERGED", "long_name": "status"}
LAG = np.arange(51)


@pytest.fixture(autouse=True)
def _agg(monkeypatch):
    """Draw into memory, and leave no figure open."""
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    yield
    plt.close("all")


def array(values, name, units="nat/step", **coords):
    return xr.DataArray(values, coords, tuple(coords), name=name, attrs={"units": units})


@pytest.fixture
def exponents():
    """Exponents (w, b, exponent), the largest -1 .. 1 along w."""
    w, b = np.linspace(-2, 2, 9), np.linspace(0, 1, 4)
    values = np.stack([np.broadcast_to(w[:, None] / 2, (9, 4)), np.broadcast_to(-np.abs(w[:, None]) - 3, (9, 4))], -1)
    return array(values, "exponents", w=w, b=b, exponent=[1, 2])


def texts(ax):
    legends = ([ax.get_legend()] if ax.get_legend() else []) + list(ax.figure.legends)
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def test_a_map_shows_the_largest_exponent_centred_at_zero(exponents):
    ax = rd.plot.map(exponents)
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), exponents.isel(exponent=0).values.T)
    assert image.norm.vmin == -image.norm.vmax
    assert image.get_interpolation() == "none"
    np.testing.assert_allclose(image.get_extent(), [-2.25, 2.25, -1 / 6, 7 / 6])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("w", "b")
    assert ax.get_title(loc="left") == "Largest Lyapunov exponent"
    bar = next(other for other in ax.figure.axes if other is not ax)
    assert bar.get_ylabel() == "λ₁ (nat/step)"


@pytest.mark.parametrize(("across", "up"), [(2.0, 1.0), (1.0, 2.0), (9.0, 1.0)])
def test_a_map_of_equal_units_is_as_wide_as_its_axes_say(across, up):
    values = array(np.zeros((5, 5)), "exponents", re=np.linspace(0, across, 5), im=np.linspace(0, up, 5))
    ax = rd.plot.map(values, equal=True)
    width, height = ax.get_position().size * ax.figure.get_size_inches()
    assert width / height == pytest.approx(across / up)
    free = rd.plot.map(values).get_position().size
    assert np.all(ax.get_position().size <= free + 0.2)
    _, given = mpl.pyplot.subplots()
    assert rd.plot.map(values, equal=True, ax=given).get_aspect() == 1.0


def test_the_bar_ends_where_the_values_end():
    ax = rd.plot.map(array(-np.ones((3, 3)) * [[1.0, 2.0, 4.0]], "exponents", w=range(3), b=range(3)))
    bar = next(other for other in ax.figure.axes if other is not ax)
    low, high = bar.get_ylim()
    assert low == -4.0
    assert 0 < high < 0.5
    assert ax.images[0].norm.vmax == 4.0


def test_turned_and_uneven_maps(exponents):
    uneven = exponents.isel(exponent=0).assign_coords(w=np.arange(9.0) ** 2)
    ax = rd.plot.map(uneven, x="b", y="w")
    (mesh,) = ax.collections
    np.testing.assert_array_equal(mesh.get_array(), uneven.values)
    assert ax.get_ylim() == (-0.5, 71.5)


def test_sizes_regions_and_statuses(exponents):
    error = array(np.abs(exponents.values[..., 0]), "exponents_stderr", w=exponents.w.values, b=exponents.b.values)
    (image,) = rd.plot.map(error).images
    assert image.norm.vmin == 0
    count = array(np.array([[1, 2], [1, 0]]), "attractors", "1", w=[0.0, 1.0], b=[0.0, 1.0])
    period = array(np.array([[1, 1], [2, 0]]), "period", "1", w=[0.0, 1.0], b=[0.0, 1.0])
    named = texts(rd.plot.map(count, period=period))
    assert named == [
        "one fixed point, 25.0 %",
        "two attractors, a fixed point among them, 25.0 %",
        "one cycle of period 2, 25.0 %",
        "undecided, 25.0 %",
    ]
    status = xr.DataArray([[0, 3], [1, 3]], count.coords, count.dims, attrs=FLAGS)
    assert texts(rd.plot.map(status)) == ["ok, 25.0 %", "not converged, 25.0 %", "diverged, 50.0 %"]
    hatched = texts(rd.plot.map(array(np.ones((2, 2)), "exponents", w=[0.0, 1.0], b=[0.0, 1.0]), status=status))
    assert hatched == ["not converged: 25.0 % (1 point)", "diverged: 50.0 % (2 points)"]


def test_theory_over_a_map():
    w, b = np.linspace(-4, 4, 33), np.linspace(-5, 5, 33)
    ax = rd.plot.map(array(np.zeros((33, 33)), "exponents", w=w, b=b), theory=["tanh_fold"])
    upper, lower = ax.lines
    x, y = upper.get_data()
    at = np.argmin(np.abs(x - 3.0))
    assert y[at] == pytest.approx(float(theory.fold_curve(x[at])), abs=1e-12)
    assert lower.get_ydata()[at] == -y[at]
    assert upper.is_dashed()
    assert texts(ax) == ["saddle-node (closed form)"]


def test_curves_with_bands_and_theory(exponents):
    line = exponents.isel(b=0)
    error = xr.full_like(line, 0.25)
    ax = rd.plot.curve(line, error=error, theory={"w / 2": lambda w: w / 2})
    zero, first, second, dashed = ax.lines
    np.testing.assert_array_equal(first.get_ydata(), line.values[:, 0])
    np.testing.assert_array_equal(second.get_ydata(), line.values[:, 1])
    np.testing.assert_array_equal(dashed.get_ydata(), first.get_ydata())
    assert dashed.is_dashed()
    assert set(zero.get_ydata()) == {0.0}
    bands = [band.get_paths()[0].get_extents() for band in ax.collections]
    np.testing.assert_allclose([(box.ymin, box.ymax) for box in bands], [(-1.25, 1.25), (-5.25, -2.75)])
    assert texts(ax) == ["λ₁", "λ₂", "w / 2"]


def test_gaps_and_hatches_of_a_curve():
    x = np.arange(5.0)
    data = array([0.0, np.nan, np.inf, 3.0, 4.0], "exponents", w=x)
    status = xr.DataArray([0, 3, 3, 0, 1], {"w": x}, ("w",), attrs=FLAGS)
    ax = rd.plot.curve(data, status=status)
    assert np.isnan(ax.lines[1].get_ydata()).tolist() == [False, True, True, False, False]
    spans = [(patch.get_x(), patch.get_width(), patch.get_hatch()) for patch in ax.patches]
    assert spans == [(3.5, 1.0, "\\\\\\"), (0.5, 2.0, "xxx")]


def test_many_series_are_shades_with_some_names():
    data = array(np.arange(20.0)[:, None] * np.ones(3), "exponents", gain=np.arange(20.0), w=np.arange(3.0))
    ax = rd.plot.curve(data, x="w")
    assert len(ax.lines) == 21
    assert texts(ax) == [f"gain = {value}" for value in (0, 3, 5, 8, 11, 14, 16, 19)]


def test_a_profile_and_the_slope_it_should_have():
    values = np.stack([2.0 - 0.1 * LAG, 0.3 * LAG])
    data = array(values, "log_norms", "nat", gain=[1.0, 2.0], lag=LAG)
    ax = rd.plot.profile(data, exponent=array([-0.1, 0.3], "exponents", gain=[1.0, 2.0]))
    _, *lines = ax.lines
    for measured, dashed in zip(lines[:2], lines[2:], strict=True):
        np.testing.assert_allclose(dashed.get_ydata(), measured.get_ydata(), atol=1e-12)
    assert texts(ax) == ["gain = 1", "gain = 2", "slope λ₁"]
    apart = rd.plot.profile(data.isel(gain=0), exponent=-0.2).lines[-1].get_ydata()
    np.testing.assert_allclose(np.diff(apart), -0.2)
    np.testing.assert_allclose(apart[25:].mean(), values[0, 25:].mean())


def test_orbits_and_trajectories():
    states = np.arange(24.0).reshape(3, 4, 2)
    data = array(states, "trajectory", "1", w=[0.0, 1.0, 2.0], step=range(4), component=[1, 2])
    (dots,) = rd.plot.orbit(data.sel(component=2)).lines
    assert dots.get_xdata().tolist() == [0, 0, 1, 1, 2, 2]
    assert dots.get_ydata().tolist() == [5, 7, 13, 15, 21, 23]
    everything = rd.plot.orbit(data.sel(component=2), skip=0).lines[0]
    assert len(everything.get_xdata()) == 12
    one = rd.plot.trajectory(data.isel(w=0))
    assert texts(one) == ["s₁", "s₂"]
    assert [line.get_ydata().tolist() for line in one.lines] == [[0, 2, 4, 6], [1, 3, 5, 7]]
    plane, start = rd.plot.trajectory(data.isel(w=0), plane=True).lines
    assert plane.get_xydata().tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert start.get_xydata().tolist() == [[0, 1]]


def test_given_axes_are_drawn_on_and_nothing_else_changes(exponents):
    import matplotlib.pyplot as plt

    settings = dict(mpl.rcParams)
    figure = Figure(figsize=(9, 4))
    left, right = figure.subplots(1, 2)
    place = right.get_position().bounds
    assert rd.plot.map(exponents, ax=left) is left
    assert rd.plot.curve(exponents.isel(b=0), ax=right, title="mine") is right
    assert right.get_title(loc="left") == "mine"
    assert right.get_position().bounds == place
    assert figure.get_size_inches().tolist() == [9, 4]
    assert len(figure.axes) == 3
    assert plt.get_fignums() == []
    assert rd.plot.map(exponents).figure.number in plt.get_fignums()
    assert dict(mpl.rcParams) == settings


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda e: rd.plot.map(e.to_dataset()), "not Dataset: choose one, as in ds.exponents"),
        (lambda e: rd.plot.map(e.values), "not ndarray: wrap it"),
        (lambda e: rd.plot.map(e.isel(b=0)), "w (9): rd.plot.map draws two"),
        (lambda e: rd.plot.map(e.rename(exponent="seed")), "choose with .sel(seed=1) or .mean('seed')"),
        (lambda e: rd.plot.map(e, x="v"), "no dimension 'v'; known: w, b"),
        (lambda e: rd.plot.map(e, theory=["tanh_fould"]), "no curve 'tanh_fould'; did you mean 'tanh_fold'?"),
        (lambda e: rd.plot.map(e, status=e), "status has no `flag_values`"),
        (lambda e: rd.plot.curve(e), "and a second as several lines"),
        (lambda e: rd.plot.curve(e.isel(b=0), error=e.isel(b=0, w=slice(3))), "error has the dimensions"),
        (lambda e: rd.plot.curve(e.isel(b=0), theory={"line": [1.0, 2.0]}), "theory 'line' has the shape (2,)"),
        (lambda e: rd.plot.profile(e), "rd.plot.profile needs `lag`"),
        (lambda e: rd.plot.orbit(e), "rd.plot.orbit needs `step`"),
        (lambda e: rd.plot.trajectory(e.isel(w=0, b=0).rename(exponent="step"), plane=True), "exactly two components"),
        (lambda e: rd.plot.map(e.isel(w=slice(0))), "data is empty"),
    ],
)
def test_mistakes_are_sentences_and_leave_no_figure(exponents, draw, words):
    import matplotlib.pyplot as plt

    with pytest.raises(InputError) as error:
        draw(exponents)
    assert words in str(error.value)
    assert plt.get_fignums() == []
