"""The catalogue of theory: its values against published ones and independent computations; drawn and matched."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad
from typer.testing import CliRunner

import rnndyn as rd
from rnndyn.cli import app
from rnndyn.dynamics import theory
from rnndyn.report import numbers
from rnndyn.report.boundaries import boundary_distances
from rnndyn.sweep import read_study, sweep
from rnndyn.sweep.curves import CURVES, LINES

CATALOGUE = theory.CATALOGUE
TOPICS = (theory.units, theory.gates, theory.steps, theory.networks, theory.rate)  # those that are tested here
HERE = {name for topic in TOPICS for name in topic.ENTRIES}


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "value", "digits"),
    [
        ("tanh_fold", (2.0,), 0.53283998, 8),
        ("tanh_flip", (-2.0,), 2.29558715, 8),
        ("tanh_cusp", (), [1.0, 0.0], 15),
        ("tanh_exponent", ([0.5, -1.5, 2.0, 3.0],), [-0.69314718, -0.93061020, -1.79352851, -3.48960750], 8),
        ("logistic_fold", (5.0,), [-2.65561034, -2.34438966], 8),
        ("logistic_cusp", (), [4.0, -2.0], 15),
        ("linear_settled", ([0.5, -0.5], 1.0), [2.0, 2 / 3], 12),
        ("linear_settled", (1.8, 1.0, 0.5), 5.0, 12),
        ("linear_gradient", (1.1, 100, 2.0), 200 * 1.1**99, 8),
        ("skew_tent", (0.3,), 0.6108643, 7),
        ("forget_half_life", ([1.0, 2.0, 3.0],), [2.2127, 5.4609, 14.2660], 4),
        ("cfn_exponent", (1.25,), -math.log1p(math.exp(-1.25)), 14),
        ("lstm_multiplier", (2.0,), 1.0, 14),
        ("lstm_multiplier", (2.0j, 1.0), 0.7310585786 + 0.5j, 10),
        ("gru_multiplier", (-6.0, 0.0, 0.0), -1.0, 14),
        ("lstm_circle", ([-6.0, -2.0, 2.0, 2.01],), [0.0, 4.0, 0.0, math.nan], 12),
        ("gru_circle", ([-6.0, -2.0, 2.0, 2.01],), [0.0, 4.0, 0.0, math.nan], 12),
        ("lstm_critical_gain", ([0.0, 1.0],), [2.0, 1.075766], 6),
        ("gru_critical_gain", (), 2.0, 14),
        ("lstm_origin_exponent", (2.0,), 0.0, 14),
        ("gru_origin_exponent", ([1.0, 2.0], 3.0), [math.log(0.9762870634), 0.0], 9),
        ("plain_origin_exponent", (2.0,), math.log(2.0), 14),
        ("plain_critical_gain", (), 1.0, 15),
        ("euler_exponent", ([-1.0, -3.0, 0.5], 0.5), [2 * math.log(0.5), 2 * math.log(0.5), 2 * math.log(1.25)], 13),
        ("euler_exponent", (1j - 0.3, 0.0), -0.3, 15),
        ("euler_exponent", (-2.0, 0.5), -math.inf, 1),
        ("euler_limit", ([-1.0, -0.15 + 2j, 1.0],), [2.0, 0.0745805, math.nan], 7),
        ("oscillator_euler", (1.0, 0.1), 0.0497517, 7),
        ("oscillator_backward", (1.0, 0.1), -0.0497517, 7),
        ("oscillator_symplectic", (1.0, [0.1, 2.0]), [0.0, 0.0], 14),
        ("rate_origin_exponent", (0.5, 0.5), 2 * math.log(0.75), 13),
        ("antisymmetric_limit", ([0.15, 2.0, -0.1], 2.0), [0.0745805, 0.5, math.nan], 7),
        ("antisymmetric_example", (), [0.15, 0.1], 15),
        ("antisymmetric_exponent", (0.15, 0.1, 2.0), 0.00508654, 8),
        ("rotation_gru", ([0.0, 1.0, 2.5],), [math.acos(2 / 3), math.acos(0.25), math.nan], 13),
        ("rotation_gru_exponent", (1.0, math.acos(0.25)), 0.0, 14),
        ("cornn_pair", (0.3, 0.8), math.log(0.76), 14),
        ("lem_exponent", (1.0,), math.log(0.5), 14),
        ("mean_field", ([1.5, 2.0, 3.0, 5.0],), [0.065217, 0.154724, 0.310249, 0.532428], 6),
        ("mean_field", (2.0, 1.0), 0.045975, 6),
        ("gradient_growth", (math.sqrt(1.760955), math.sqrt(0.05)), 1.0, 6),
        ("gradient_growth", (0.5,), 0.25, 14),
        ("critical_noise", ([1.5, 2.0, 3.0],), [0.431444, 1.279045, 3.883382], 6),
        ("critical_initialisation", ([0.0, math.sqrt(0.05)],), [1.0, math.sqrt(1.760955)], 6),
        ("mean_field_rate", (3.0, 1.0), 0.310249, 6),
        ("mean_field_per_time", (3.0, 1.0), 0.310249, 6),
        ("mean_field_mean", (3.0,), -2.272805, 6),
        ("mean_field_mean_per_time", (3.0, 1.0), -2.272805, 6),
        ("linear_power", (1.1, 100), math.log(13780.61233982227), 12),
        ("forget_gate", (math.log(9), 499), math.log(1.4689675772e-23), 8),
    ],
)
def test_published_values(name, arguments, value, digits):
    np.testing.assert_allclose(CATALOGUE[name](*arguments), value, rtol=0, atol=0.6 * 10.0**-digits)


def test_every_entry_of_these_topics_is_tested():
    marks = next(mark for mark in test_published_values.pytestmark if mark.name == "parametrize")
    assert {row[0] for row in marks.args[1]} | {"logistic_flip"} == HERE


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


@pytest.mark.parametrize(("curve", "w"), [("logistic_fold", 5.0), ("logistic_flip", -7.0)])
def test_logistic_curves(curve, w):
    """Both branches against their own formula, and against the multiplier at the fixed point that they name."""
    s = 0.5 * (1 + np.array([1, -1]) * math.sqrt(1 - 4 / abs(w)))
    b = np.log(s / (1 - s)) - w * s
    np.testing.assert_allclose(np.sort(CATALOGUE[curve](w)), np.sort(b), rtol=0, atol=1e-12)
    np.testing.assert_allclose(logistic(w * s + b), s, rtol=1e-13)
    np.testing.assert_allclose(w * s * (1 - s), 1.0 if w > 0 else -1.0, rtol=1e-13)


@pytest.mark.parametrize(("e", "scale"), [(0.05, 3.0), (0.7, 3.0), (1.0, 2.5), (1.4, 2.2)])
def test_rotation_is_where_the_jacobian_leaves_the_circle(e, scale):
    alpha = float(theory.rotation_gru(e, scale))
    turn = np.array([[math.cos(alpha), -math.sin(alpha)], [math.sin(alpha), math.cos(alpha)]])
    jacobian = np.eye(2) + e * 0.5 * (0.5 * scale * turn - np.eye(2))
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(jacobian)), 1.0, rtol=1e-13)


def test_circles_and_gains_with_biases():
    """On the circle of any biases the multiplier has modulus 1; the critical gain is its place on the real axis."""
    x = np.linspace(-3, 1, 9)
    for name, biases in (("lstm", {"forget": 0.7, "into": -0.4, "out": 1.1}), ("gru", {"update": 0.7, "reset": -0.3})):
        circle = CATALOGUE[f"{name}_circle"](x, **biases)
        there = np.isfinite(circle)
        assert there.sum() > 2
        w = x[there] + 1j * circle[there]
        np.testing.assert_allclose(np.abs(CATALOGUE[f"{name}_multiplier"](w, **biases)), 1.0, rtol=1e-13)
        kept = {key: value for key, value in biases.items() if key != "update"}
        gain = float(CATALOGUE[f"{name}_critical_gain"](**kept))
        assert abs(float(CATALOGUE[f"{name}_origin_exponent"](gain, **biases))) < 1e-14


@pytest.mark.parametrize(("bias", "gain"), [(math.sqrt(0.05), None), (0.5, None), (2.0, None)])
def test_critical_line_by_quadrature(bias, gain):
    """q from an iteration with SciPy's integrals: chi is 1 on the line, and the noise there is the bias."""
    gain = float(theory.critical_initialisation(bias))

    def mean(function):
        return quad(lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * function(z), -12, 12, epsabs=1e-12)[0]

    q = 1.0
    for _ in range(200):
        q = gain**2 * mean(lambda z, q=q: math.tanh(math.sqrt(q) * z) ** 2) + bias**2
    assert gain**2 * mean(lambda z: math.cosh(math.sqrt(q) * z) ** -4) == pytest.approx(1.0, abs=1e-8)
    assert float(theory.critical_noise(gain)) == pytest.approx(bias, rel=1e-8)


def test_symplectic_euler_by_its_matrix():
    for omega, dt in ((1.0, 0.5), (2.0, 1.0), (2.0, 1.3), (1.0, 2.7)):
        step = np.array([[1 - (dt * omega) ** 2, dt], [-dt * omega**2, 1.0]])
        largest = np.log(np.abs(np.linalg.eigvals(step))).max() / dt
        assert float(theory.oscillator_symplectic(omega, dt)) == pytest.approx(largest, abs=1e-7)


def test_small_steps_keep_their_digits():
    rate, dt = -0.3 + 2j, 1e-9
    series = rate.real + dt * (rate.imag**2 - rate.real**2) / 2
    assert float(theory.euler_exponent(rate, dt)) == pytest.approx(series, rel=1e-14)


def test_outside_the_domain():
    assert np.isnan(theory.tanh_fold([0.99, -2.0])).all()
    assert np.isnan(theory.logistic_flip(-3.9)).all()
    assert np.isnan(theory.skew_tent([0.0, 1.0, -1.0])).all()
    assert np.isnan(theory.linear_settled([1.0, -1.2], 1.0)).all()
    assert np.isnan(theory.critical_initialisation([-0.1, math.nan])).all()
    assert np.isnan(theory.euler_limit([0.0, 1j]).astype(float)).all()


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_the_catalogue_is_whole():
    assert rd.theory is theory
    for name, entry in CATALOGUE.items():
        assert entry.name == name
        assert getattr(theory, name) is entry.function
        assert entry.kind in theory.KINDS
        for text in (entry.label, entry.equation, entry.domain, entry.source):
            assert text
            assert text[-1] not in ".;"
        assert entry.equation in entry.function.__doc__
        assert entry.source in entry.function.__doc__
        assert name in theory.__all__
        assert f"`{entry.signature}`" in theory.table()
    for name, known in {**CURVES, **LINES}.items():
        assert known.entry is CATALOGUE[name]
        assert (known.entry.kind == "value") == (name in LINES)
    assert theory.fold_curve is theory.tanh_fold
    assert theory.mean_field_exponent is theory.mean_field
    assert CATALOGUE["lstm_circle"].signature == "lstm_circle(x, forget=0, into=0, out=0)"


def test_the_command_lists_it():
    listed = CliRunner().invoke(app, ["theory"])
    assert listed.exit_code == 0
    assert all(entry.signature in listed.output and entry.source in listed.output for entry in CATALOGUE.values())
    assert CliRunner().invoke(app, ["theory", "--markdown"]).output.strip() == theory.table()


def test_the_command_shows_single_entries_whole():
    def shown(*names):
        return CliRunner().invoke(app, ["theory", *names])

    one = shown("lstm_circle").output
    entry = CATALOGUE["lstm_circle"]
    assert one.startswith(f"lstm_circle(x, forget=0, into=0, out=0)\n    {entry.equation}\n    where: {entry.domain}\n")
    assert f"source: {entry.source}\n    arguments: x, forget (if not given, 0), into (if not given, 0), out (" in one
    assert entry.notes.splitlines()[-1] in one
    two = shown("tanh_fold", "tanh_cusp").output
    assert two.index("tanh_fold(w)") < two.index("kind: curve, a boundary") < two.index("-y is one, too")
    assert two.index("-y is one, too") < two.index("At `w = 2`: 0.53283998") < two.index("tanh_cusp()\n")
    assert "arguments: none" in two
    assert shown("--markdown", "tanh_fold").output.strip() == theory.table(["tanh_fold"])
    assert len(theory.table(["tanh_fold"]).splitlines()) == 3
    wrong = shown("tanh_fold", "tanh_fould")
    assert (wrong.exit_code, wrong.stderr.strip()) == (2, "rnndyn: no theory 'tanh_fould'; did you mean 'tanh_fold'?")


def test_branches_reach_their_tips():
    upper, lower = CATALOGUE["tanh_fold"].polylines(-4, 4, 11)
    assert upper[0].tolist() == [1.0, 0.0]
    assert upper[-1].tolist() == [4.0, float(theory.tanh_fold(4.0))]
    np.testing.assert_array_equal(upper * [1, -1], lower)
    low, high = CATALOGUE["logistic_fold"].polylines(0, 10, 7)
    np.testing.assert_allclose([low[0], high[0]], [[4.0, -2.0]] * 2, atol=1e-6)
    circle = CATALOGUE["lstm_circle"].polylines(-9, 9, 5, forget=1.0)
    centre, radius = -0.7310585786 / 0.25, 1 / 0.25
    np.testing.assert_allclose([circle[0][0, 0], circle[0][-1, 0]], [centre - radius, centre + radius], atol=1e-8)
    assert [len(part) for part in CATALOGUE["tanh_cusp"].polylines(-1, 1)] == [1]
    assert CATALOGUE["tanh_fold"].polylines(-3, 0) == []


def test_drawn_by_name():
    x, y = np.linspace(0.0, 6.0, 25), np.linspace(0.0, 0.6, 13)
    data = xr.DataArray(np.zeros((25, 13)), {"gamma": x, "eps": y}, ("gamma", "eps"), "exponents")
    drawn = {"antisymmetric_limit": {"omega": 2.0}, "antisymmetric_example": {}}
    curve, point = rd.plot.map(data, theory=drawn).get_lines()
    at = int(np.argmax(curve.get_ydata()))
    assert (curve.get_xdata()[at], curve.get_ydata()[at]) == pytest.approx((2.0, 0.5), abs=1e-3)
    assert (point.get_xdata()[0], point.get_ydata()[0], point.get_linestyle()) == (0.15, 0.1, "None")
    assert len(rd.plot.map(data, theory="gru_critical_gain").get_lines()) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["antisymmetric_limt"], "no curve 'antisymmetric_limt'; did you mean 'antisymmetric_limit'?"),
        (["tanh_exponent"], "theory: no curve 'tanh_exponent'"),
        ({"lstm_circle": {"forgt": 1.0}}, "theory 'lstm_circle': no argument 'forgt'; did you mean 'forget'?"),
        ({"tanh_fold": {"w": 1.0}}, "theory 'tanh_fold': no argument 'w'"),
    ],
)
def test_mistakes_in_drawing(given, words):
    data = xr.DataArray(np.zeros((3, 3)), {"a": np.arange(3.0), "b": np.arange(3.0)}, ("a", "b"))
    with pytest.raises(rd.InputError) as caught:
        rd.plot.map(data, theory=given)
    assert words in str(caught.value)


def test_the_border_of_a_sign():
    """Exponents are labelled by their sign: a border half a cell off a circle is told, one three cells off as well."""
    x, y = np.linspace(-7, 3, 61), np.linspace(-5, 5, 61)
    w = x[:, None] + 1j * y
    exponents = np.log(np.abs(theory.lstm_multiplier(w)) + 1e-300)[..., None]
    data = xr.DataArray(exponents, {"re": x, "im": y}, ("re", "im", "exponent"), "exponents")
    labels, told = numbers._labels(data)
    assert set(np.unique(labels)) == {1, 2}
    assert "sign of" in told
    assert boundary_distances(labels.values, x, y, CURVES["lstm_circle"]).to_curve < 0.55
    shifted = boundary_distances(np.roll(labels.values, 3, axis=0), x, y, CURVES["lstm_circle"])
    assert 2.5 < shifted.to_curve < 3.6
    unknown = numbers._labels(data.where(data > -0.1))[0]
    assert 0 in unknown.values


# --- studies ----------------------------------------------------------------------------------------------------------

STUDY = """
[cell]
{cell}
[axes]
x = {{ start = {low}, stop = {high}, num = 5 }}
y = {{ start = 0.05, stop = 1.05, num = 5 }}
[weights]
{weights}
[run]
steps = 40
transient = 0
initial_state = "zero"
[measure.lyapunov]
k = 1
[[figure]]
{figure}
"""
NORMAL = '{ init = "normal", gain = "y" }'
CASES = {
    "tanh_fold": ('kind = "Elman"\nunits = 1', 'weight_hh = "x"\nbias_hh = "y"'),
    "tanh_flip": ('kind = "Elman"\nunits = 1', 'weight_hh = "x"\nbias_hh = "y"'),
    "tanh_cusp": ('kind = "Elman"\nunits = 1', 'weight_hh = "x"\nbias_hh = "y"'),
    "logistic_fold": ('kind = "Elman"\nunits = 1\nactivation = "logistic"', 'weight_hh = "x"\nbias_ih = ["y"]'),
    "logistic_flip": ('kind = "Elman"\nunits = 1\nactivation = "logistic"', 'weight_hh = "x"\nbias_ih = ["y"]'),
    "logistic_cusp": ('kind = "Elman"\nunits = 1\nactivation = "logistic"', 'weight_hh = "x"\nbias_ih = ["y"]'),
    "lstm_circle": ('kind = "LSTM"\nunits = 2', 'weight_hh = { g = [["x", "-y"], ["y", "x"]] }\nbias_hh = { f = 1.0 }'),
    "gru_circle": ('kind = "GRU"\nunits = 2', 'weight_hh = { n = [["x", "-y"], ["y", "x"]], z = 1.0 }'),
    "lstm_critical_gain": ('kind = "LSTM"\nunits = 2', f'weight_hh = {NORMAL}\nbias_hh = {{ f = "x", o = 0.5 }}'),
    "gru_critical_gain": ('kind = "GRU"\nunits = 2', f'weight_hh = {NORMAL}\nbias_hh = {{ r = "x", z = 0.5 }}'),
    "antisymmetric_limit": (
        'kind = "Antisymmetric"\nunits = 2',
        'weight_hh = [[0, -2], [0, 0]]\ngamma = "x"\ndt = "y"',
    ),
    "antisymmetric_example": (
        'kind = "Antisymmetric"\nunits = 2',
        'weight_hh = [[0, -1], [1, 0]]\ngamma = "x"\ndt = "y"',
    ),
    "rotation_gru": (
        'kind = "GRU"\nunits = 2\nstep = "euler"',
        'weight_hh = { n = { init = "rotation", gain = 3.0, angle = "y" } }\ndt = "x"',
    ),
    "critical_noise": (
        'kind = "Elman"\nunits = 2\ninputs = 2',
        'weight_hh = { init = "normal", gain = "x" }\nweight_ih = { init = "identity" }\n'
        '[inputs]\nkind = "normal"\nscale = "y"',
    ),
    "critical_initialisation": (
        'kind = "Elman"\nunits = 4',
        f'weight_hh = {NORMAL}\nbias_hh = {{ init = "normal", gain = "2 * x" }}',
    ),
}
OF_LINES = {
    "antisymmetric_exponent": CASES["antisymmetric_limit"],
    "rotation_gru_exponent": CASES["rotation_gru"],
    "plain_origin_exponent": ('kind = "Elman"\nunits = 2', 'weight_hh = { init = "normal", gain = "1 + x", seed = 0 }'),
    "lstm_origin_exponent": CASES["lstm_critical_gain"],
    "gru_origin_exponent": CASES["gru_critical_gain"],
}


def written(path, name, cell, weights, change=("", "")):
    drawn = {"curve": 'kind = "curve"\nx = "x"', "map": 'kind = "map"\nx = "x"\ny = "y"'}
    figure = f'variable = "exponents"\n{drawn["curve" if name in LINES else "map"]}\ntheory = ["{name}"]'
    text = STUDY.format(cell=cell, weights=weights, figure=figure, low=0.1, high=1.1).replace(*change)
    if '"y"' not in weights:
        text = text.replace("y = { start = 0.05, stop = 1.05, num = 5 }\n", "")
    (path / "try.toml").write_text(text, encoding="utf-8")
    return path / "try.toml"


@pytest.mark.parametrize("name", CASES)
def test_curves_fit_their_studies(tmp_path, name):
    study = read_study(written(tmp_path, name, *CASES[name]))
    assert CURVES[name].of(study, "x", "y") is not None
    assert CURVES[name].of(study, "y", "x") is None
    assert set(CASES) == HERE & set(CURVES)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tanh_fold", ('weight_hh = "x"', 'weight_hh = "2 * x"')),
        ("tanh_flip", ("units = 1", 'units = 1\nactivation = "relu"')),
        ("logistic_fold", ('"logistic"', '"softplus"')),
        ("lstm_circle", ('"-y"', '"y"')),
        ("lstm_circle", ("f = 1.0", "f = 1.0, g = 0.1")),
        ("lstm_circle", ('"zero"', '"random"')),
        ("lstm_critical_gain", ('f = "x"', 'i = "x"')),
        ("gru_critical_gain", ('r = "x", z = 0.5', 'z = "x"')),
        ("antisymmetric_limit", ('"zero"', '"random"')),
        ("antisymmetric_limit", ("Antisymmetric", "GatedAntisymmetric")),
        ("antisymmetric_example", ("[1, 0]", "[2, 0]")),
        ("rotation_gru", ('"euler"', '"midpoint"')),
        ("rotation_gru", ("n = {", "r = 1.0, n = {")),
        ("critical_initialisation", ("2 * x", "3 * x")),
        ("critical_initialisation", ("2 * x", "2 * x + 1")),
    ],
)
def test_curves_do_not_fit_others(tmp_path, name, change):
    with pytest.raises(rd.InputError, match=f"theory '{name}' does not apply here: it is for"):
        read_study(written(tmp_path, name, *CASES[name], change))


@pytest.mark.parametrize("name", OF_LINES)
def test_lines_are_the_exponents_of_the_origin(tmp_path, name):
    """Small networks, from the zero state: where the theory is exact the measured exponent is that."""
    study = read_study(written(tmp_path, name, *OF_LINES[name]))
    point = {"x": np.array([0.2, 0.7]), "y": np.array([0.3, 0.9])}
    values = LINES[name].values(study, point)
    assert values.shape == (2,)
    if name in ("antisymmetric_exponent", "rotation_gru_exponent"):
        plain = study.run.model_copy(update={"device": "python"})
        found = sweep(study.model_copy(update={"run": plain}), progress=False)["exponents"].isel(exponent=0)
        grid = {"x": found["x"].values[:, None], "y": found["y"].values}
        np.testing.assert_allclose(found, LINES[name].values(study, grid), rtol=0, atol=1e-13)
    elif name == "plain_origin_exponent":
        np.testing.assert_allclose(values, np.log(1 + point["x"]))
    else:
        bias = {"forget": point["x"], "out": 0.5} if "lstm" in name else {"reset": point["x"], "update": 0.5}
        np.testing.assert_allclose(values, CATALOGUE[name](point["y"], **bias))
