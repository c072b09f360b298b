"""`[[figure]]` and `[[number]]`: what is left open is filled in, what does not fit gets its sentence."""

import numpy as np
import pytest
import xarray as xr

from rnndyn.dynamics import slope, theory
from rnndyn.errors import InputError
from rnndyn.sweep import read_study
from rnndyn.sweep.curves import LINES
from rnndyn.sweep.figure import Figure, complete
from rnndyn.sweep.found import find_numbers
from rnndyn.sweep.number import fill

W, B, SEED, LAG = np.linspace(-2, 2, 9), np.linspace(0, 1, 5), np.arange(20), np.arange(101)
COORDS = {"w": W, "b": B, "seed": SEED, "lag": LAG, "exponent": np.array([1, 2]), "step": np.arange(50, 100)}
COORDS["component"] = np.array([1, 3])
AXES = ("w", "b", "seed")
DIMS = {
    "exponents": (*AXES, "exponent"),
    "log_norms": (*AXES, "lag"),
    "attractors": AXES,
    "trajectory": ("w", "seed", "step", "component"),
}


def done(**keys):
    return complete(Figure(**keys), DIMS, COORDS, AXES)


def test_a_map_is_the_first_two_axes_at_the_middle_of_the_others():
    figure = done(variable="exponents")
    assert (figure.kind, figure.x, figure.y, figure.index) == ("map", "w", "b", (1,))
    assert figure.at == {"seed": 10}
    assert done(variable="exponents", x="b").y == "w"
    assert done(variable="exponents", y="w").x == "b"
    assert done(variable="log_norms", x="w", y="lag").at == {"b": 0.5, "seed": 10}
    assert done(variable="log_norms").at == {"seed": 10, "lag": 100}


def test_one_axis_left_is_a_curve():
    figure = done(variable="exponents", at={"b": 0.3}, mean=("seed",), index="all")
    assert (figure.kind, figure.x, figure.y, figure.index, figure.at) == ("curve", "w", None, (1, 2), {"b": 0.25})
    lines = done(variable="exponents", series="b", at={"b": (0.0, 0.9, 1.0)}, mean=("seed",))
    assert (lines.kind, lines.x, lines.at) == ("curve", "w", {"b": (0.0, 1.0)})
    assert done(variable="attractors", series="b", x="w").at == {"b": tuple(B), "seed": 10}
    assert len(done(variable="attractors", series="seed", x="w").at["seed"]) == 6


def test_profiles_orbits_and_trajectories():
    figure = done(kind="profile", mean=("seed",), at={"b": 0.0})
    assert (figure.variable, figure.x, figure.series, len(figure.at["w"])) == ("log_norms", "lag", "w", 6)
    assert done(kind="profile").series is None
    figure = done(kind="orbit", x="w", index=3)
    assert (figure.variable, figure.x, figure.index, figure.at) == ("trajectory", "w", (3,), {"seed": 10})
    figure = done(variable="trajectory")
    assert (figure.kind, figure.x, figure.index, figure.at) == ("trajectory", "step", (1, 3), {"w": 0.0, "seed": 10})
    figure = done(kind="trajectory", plane=(3, 1), at={"w": -2.0})
    assert (figure.x, figure.index, figure.at) == (None, (3, 1), {"w": -2.0, "seed": 10})


MISTAKES = [
    ({}, "variable is missing"),
    ({"variable": "exponent"}, "this study does not measure it; did you mean 'exponents'?"),
    ({"variable": "period"}, "known: exponents, log_norms, attractors, trajectory"),
    ({"variable": "exponents", "kind": "orbit"}, "a figure of kind 'orbit' draws 'trajectory'"),
    ({"variable": "exponents", "x": "v"}, "x = 'v' is no axis of it; known: w, b, seed"),
    ({"variable": "exponents", "x": "lag"}, "x = 'lag' is no axis of it"),
    ({"variable": "trajectory", "at": {"b": 1}}, "at.b = 1: no axis of it"),
    ({"variable": "exponents", "x": "w", "y": "w"}, "x and y are both 'w'"),
    ({"variable": "exponents", "x": "w", "at": {"w": 1}}, "at.w: this axis is drawn as well"),
    ({"variable": "exponents", "x": "w", "mean": ("w",)}, "mean = 'w': this axis is drawn or fixed as well"),
    ({"variable": "log_norms", "mean": ("lag",)}, "mean = 'lag': only axes of the study"),
    ({"variable": "exponents", "at": {"b": (0, 1)}}, "at.b is a list: add series = 'b'"),
    ({"variable": "exponents", "at": {"b": 9}}, "at.b = 9: this axis goes from 0 to 1"),
    ({"variable": "exponents", "kind": "curve", "y": "b"}, "only a map has a y; use series"),
    ({"variable": "exponents", "kind": "map", "series": "b"}, "a figure of kind 'map' has none; use a curve"),
    ({"variable": "exponents", "kind": "curve", "x": "w", "series": "w"}, "series = 'w' is drawn as an axis already"),
    ({"variable": "exponents", "kind": "map", "at": {"b": 0}, "mean": ("seed",)}, "only 'w' is left; make it a curve"),
    ({"variable": "exponents", "mean": AXES}, "no axis is left to draw it over"),
    ({"variable": "exponents", "index": 3}, "index = 3: known: 1, 2"),
    ({"variable": "exponents", "index": "all"}, "a map shows one"),
    ({"variable": "attractors", "index": 1}, "index: it has no components"),
    ({"variable": "exponents", "plane": (1, 2)}, "plane: only a figure of kind 'trajectory' has one"),
    ({"kind": "profile", "x": "w"}, "a figure of kind 'profile' is drawn over 'lag'"),
]


@pytest.mark.parametrize(("keys", "words"), MISTAKES, ids=[words for _, words in MISTAKES])
def test_every_mistake_in_a_figure_gets_its_sentence(keys, words):
    with pytest.raises(InputError) as caught:
        done(**keys)
    assert words in str(caught.value)
    assert str(caught.value).startswith("[[figure]]")


def test_a_profile_needs_lags():
    with pytest.raises(InputError, match=r'add lags = "all" to \[measure.gradient\]'):
        complete(Figure(kind="profile"), DIMS, COORDS | {"lag": np.array([9])}, AXES)


# --- numbers and theory -----------------------------------------------------------------------------------------------

STUDY = """
[cell]
kind = "Linear"
units = 1
[axes]
w = [0.5, 1.0, 2.0]
[weights]
weight_hh = "w"
[run]
steps = 70
[measure.lyapunov]
[measure.gradient]
horizon = 70
slope = true
"""


@pytest.fixture
def study(tmp_path):
    """Return a function that reads STUDY with more at its end."""

    def read(more="", top="", number=""):
        (tmp_path / "try.toml").write_text(top + STUDY + more + number, encoding="utf-8")
        return read_study(tmp_path / "try.toml")

    return read


def entry(**keys):
    lines = [f"{key} = {value}" for key, value in {"label": '"x"', "variable": '"exponents"', **keys}.items()]
    return "\n[[number]]\n" + "\n".join(lines)


NUMBERS = [
    ({"variable": '"exponent"'}, "variable = 'exponent': this study does not measure it; did you mean 'exponents'?"),
    ({}, "w: give a value in at, or reduce = 'mean' over them"),
    ({"at": "{ v = 1 }"}, "at.v = 1: no axis of exponents; known: w"),
    ({"at": "{ w = 5 }"}, "at.w = 5: this axis goes from 0.5 to 2"),
    ({"at": "{ w = 1 }", "reduce": '"mean"'}, "at leaves one point only; remove reduce"),
    ({"above": '"x"'}, "above = 'x': expected a number"),
    ({"at": '{ w = "x" }'}, "at.w = 'x': expected a number"),
    ({"theory": "[1]"}, "theory = [1]: expected a number or a text in quotes"),
    ({"at": "{ w = 1 }", "index": "2"}, "index = 2: known: 1"),
    ({"above": "0", "reduce": '"mean"'}, "above gives a share of points; remove reduce"),
    ({"above": "0", "agrees_with": '"gradient_slope"'}, "above gives a share of points; remove agrees_with"),
    ({"agrees_with": '"slope"'}, "agrees_with = 'slope': this study does not measure it"),
    ({"at": "{ w = 1 }", "theory": '"linear_powr"'}, "no theory 'linear_powr'; did you mean 'linear_power'?"),
    ({"at": "{ w = 1 }", "theory": '"linear_power"'}, "theory 'linear_power' does not apply here"),
    ({"first": '"v"', "above": "0"}, "first = 'v': no axis of it; known: w"),
    ({"first": '"w"'}, "first needs above or below"),
    ({"lable": '"x"'}, "unknown key 'lable' in [[number]] 1 'x'; did you mean 'label'?"),
]


@pytest.mark.parametrize(("keys", "words"), NUMBERS, ids=[words for _, words in NUMBERS])
def test_every_mistake_in_a_number_gets_its_sentence(study, keys, words):
    with pytest.raises(InputError) as caught:
        study(entry(**keys))
    assert words in str(caught.value)
    assert "[[number]] 1 " in str(caught.value)


def test_numbers_are_found(study):
    read = study(
        entry(at="{ w = 2.0 }", theory="0.69")
        + entry(variable='"log_norms"', at="{ w = 2.0 }", show='"exp"', theory='"linear_power"')
        + entry(reduce='"mean"')
        + entry(above="-1.0")
        + entry(below="0.0")
        + entry(agrees_with='"gradient_slope"', theory="1.0")
        + entry(first='"w"', above="-0.5")
        + entry(above="-0.5", below="0.5")
    )
    exponents = np.log([0.5, 1.0, 2.0])
    dataset = xr.Dataset(
        {
            "exponents": (("w", "exponent"), exponents[:, None], {"units": "nat/step"}),
            "exponents_stderr": (("w", "exponent"), np.full((3, 1), 0.2)),
            "log_norms": (("w", "lag"), 70 * exponents[:, None]),
            "gradient_slope": ("w", exponents + np.array([0.1, 0.39, 0.6])),
            "gradient_slope_stderr": ("w", np.zeros(3)),
        },
        {"w": [0.5, 1.0, 2.0], "exponent": [1], "lag": [70]},
    )
    point, power, mean, above, below, agree, first, between = find_numbers(dataset, read)
    assert (point.value, point.stderr, point.units, point.theory) == (exponents[2], 0.2, "nat/step", 0.69)
    assert point.off == pytest.approx(abs(np.log(2) - 0.69) / 0.69)
    assert power.value == pytest.approx(2.0**70, rel=1e-13)
    assert power.off < 1e-13
    assert (mean.value, mean.stderr) == (pytest.approx(0.0), pytest.approx(np.log(2) / np.sqrt(3)))
    assert [found.value for found in (above, below, agree)] == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert (above.share, agree.theory) == (True, 1.0)
    assert "largest 0.6" in agree.note
    assert (first.value, first.share, first.note) == (1.0, False, "between 0.5 and 1 on the grid")
    assert between.value == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("keys", "values", "found", "note"),
    [
        ({}, [[-1, -1, 1, 1]], 3.0, "between 2 and 3 on the grid"),
        ({}, [[-1, np.nan, 1, 1]], 3.0, "between 1 and 3 on the grid"),  # nothing is known of 2
        ({"note": '"look"'}, [[1, 1, 1, -1]], 1.0, "look; no grid value before it is known"),
        ({}, [[np.nan, 1, 1, 1]], 2.0, "no grid value before it is known"),
        ({}, [[-1, -1, -1, np.nan]], np.nan, "0 of 1 pass it at all"),
        ({"reduce": '"median"'}, [[1, 1, 1, 1], [-1, -1, 1, 1], [-1, -1, -1, 1], [-1, -1, -1, -1]], 3.0,
         "between 2 and 3 on the grid; 3 of 4 pass it at all"),
        ({"reduce": '"min"'}, [[1, 1, 1, 1], [-1, -1, 1, 1]], 1.0,
         "no grid value before it is known in 1 of 2; 2 of 2 pass it at all"),
    ],
)  # fmt: skip
def test_a_first_value_tells_the_one_before_it(study, keys, values, found, note):
    read = study(entry(**({"first": '"w"', "above": "0", "reduce": '"mean"'} | keys)))
    values, axis = np.array(values, float)[..., None], np.arange(1.0, 5.0)
    dataset = xr.Dataset({"exponents": (("b", "w", "exponent"), values)}, {"w": axis, "exponent": [1]})
    number = find_numbers(dataset, read)[0]
    assert (number.value, number.note) == (pytest.approx(found, nan_ok=True), note)
    if not keys and np.isfinite(values).all():  # the same along an axis that falls
        number = find_numbers(dataset.assign_coords(w=axis[::-1]), read)[0]
        assert (number.value, number.note) == (5 - found, f"between {5 - found:g} and {6 - found:g} on the grid")


def test_an_answer_is_filled_with_the_numbers(study):
    number = entry(at="{ w = 1.0 }", id='"one"')
    read = study("", 'answer = "It is {one}, {x}."', number)
    assert fill(read.answer, {"one": "1", "x": "2"}) == "It is 1, 2."
    with pytest.raises(InputError, match=r"answer: \{two\} is no id or label of a \[\[number\]\]; known: one, x"):
        study("", 'answer = "It is {two}."', number)


def test_closed_forms_have_their_published_values():
    np.testing.assert_allclose(np.exp(theory.linear_power([1.1, 0.9], 100)), [13780.6, 2.656e-5], rtol=2e-4)
    np.testing.assert_allclose(np.exp(theory.forget_gate(np.log([9, 99]), 499)), [1.469e-23, 6.637e-3], rtol=3e-4)
    halves = np.log(0.5) / theory.forget_gate([1.0, 2.0, 3.0], 1)
    np.testing.assert_allclose(halves, [2.2127, 5.4609, 14.2660], atol=5e-5)
    found = theory.tanh_exponent([0.5, -1.5, 2.0, 3.0])
    np.testing.assert_allclose(found, [np.log(0.5), -0.93061020, -1.79352851, -3.48960750], atol=5e-9)
    found = theory.mean_field_exponent([0.8, 1.5, 2.0, 3.0, 5.0])
    np.testing.assert_allclose(found, [np.log(0.8), 0.065217, 0.154724, 0.310249, 0.532428], atol=2e-6)
    assert theory.linear_power(0.0, 0) == 0.0
    assert theory.linear_power(0.0, 3) == -np.inf


def test_closed_forms_know_where_they_apply(study):
    read = study('\n[[figure]]\nvariable = "log_norms"\ntheory = ["linear_power"]')
    found = LINES["linear_power"].values(read, {"w": W, "lag": 70})
    np.testing.assert_array_equal(found, theory.linear_power(W, 70))
    for name in ("forget_gate", "mean_field", "tanh_exponent"):
        variable = LINES[name].of
        with pytest.raises(InputError, match=f"theory '{name}' does not apply here: it is for"):
            study(f'\n[[figure]]\nvariable = "{variable}"\ntheory = ["{name}"]')
    with pytest.raises(InputError, match="no theory curve 'tanh_fold' for a curve"):
        study('\n[[figure]]\nvariable = "log_norms"\ntheory = ["tanh_fold"]')


def test_the_slope_of_a_profile():
    random = np.random.default_rng(0)
    steps = 0.1 + 0.5 * random.standard_normal((300, 400))
    profile = np.concatenate([np.zeros((300, 1)), steps.cumsum(axis=1)], axis=1)
    mean, error = slope(profile)
    np.testing.assert_allclose(mean, steps[:, 112:].mean(axis=1), atol=1e-13)  # 18 * 16 of the last 300
    assert 0.9 < np.sqrt(np.mean(error**2)) / (0.5 / np.sqrt(288)) < 1.6
    assert np.mean(np.abs(mean - 0.1) < 2 * error) > 0.9
    profile[0, 200:] = -np.inf
    assert np.isnan(slope(profile)[0][0])
    assert np.isnan(slope(profile)[1][0])
