"""Affine forms of an axis as values of a study; numbers read between the values of an axis; the zero start."""

import numpy as np
import pytest
from support import same_bits

import rnndyn as rd
from rnndyn.dynamics import theory
from rnndyn.sweep import read_study, sweep
from rnndyn.sweep.crossing import _root
from rnndyn.sweep.found import find_numbers
from rnndyn.sweep.value import Together, along, split

# --- the forms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "axis", "scale", "offset"),
    [
        ("w", "w", 1, 0),
        ("-w", "w", -1, 0),
        (" - w ", "w", -1, 0),
        ("+w", "w", 1, 0),
        ("2 * w", "w", 2, 0),
        ("-0.5*w", "w", -0.5, 0),
        ("1 + w", "w", 1, 1),
        ("1-w", "w", -1, 1),
        ("1 - 0.5 * w", "w", -0.5, 1),
        ("-w + 3", "w", -1, 3),
        ("-1 + 2 * w", "w", 2, -1),
        ("1e-3 * w - 2.5E+1", "w", 1e-3, -25),
        (".5 * w", "w", 0.5, 0),
        ("2. * gain_1 + 1", "gain_1", 2, 1),
        ("1 - e", "e", -1, 1),
        ("1e2 - e1", "e1", -1, 100),
        ("2 * α", "α", 2, 0),
        ("1 + w + 1", "w", 1, 2),
    ],
)
def test_forms(text, axis, scale, offset):
    assert split(text) == (axis, scale, offset)
    values = np.array([-1.5, 0.0, 2.0])
    np.testing.assert_array_equal(split(text).of(values), scale * values + offset)


@pytest.mark.parametrize(
    "text",
    [
        "2 w",
        "w * 2",
        "w / 2",
        "w + v",
        "2 * 3 * w",
        "(w)",
        "1 + ",
        "-",
        "",
        "--w",
        "w ** 2",
        "w - -1",
        "1e * w",
        "2 + 3",
    ],
)
def test_what_is_no_form_is_a_name_that_no_axis_has(text):
    found = split(text)
    assert (found.scale, found.offset) == (1.0, 0.0)
    assert not found.axis.isidentifier()


def test_an_axis_alone_keeps_its_bits():
    values = np.array([-0.0, 0.1, 1e-310])
    block = {"v": np.arange(3.0), "w": values}
    assert same_bits(along("w", block), values[None, :])
    assert along("1 - 0.5 * w", block).shape == (1, 3)
    assert along("2 * w", Together(v=np.arange(3.0), w=values)).shape == (3,)


STUDY = """
[cell]
kind = "Elman"
units = 2
inputs = 1
[axes]
w = { start = 0.5, stop = 1.5, num = 3 }
net = [0, 1]
[weights]
weight_hh = [["1 - 0.5 * w", "w"], ["-w + 0.25", 0.5]]
weight_ih = { init = "normal", gain = "2 * w", seed = "net + 3" }
bias_hh = "1e-1 * w"
[inputs]
kind = "constant"
value = "w - 1"
[run]
steps = 20
initial_state = ["0.5 * w", 0.1]
[measure.trajectory]
steps = 3
last = 4
"""


def study(tmp_path, *changes):
    text = STUDY
    for change in changes:
        assert change[0] in text
        text = text.replace(*change)
    (tmp_path / "try.toml").write_text(text, encoding="utf-8")
    return read_study(tmp_path / "try.toml")


def run(found):
    return sweep(found.model_copy(update={"run": found.run.model_copy(update={"device": "python"})}), progress=False)


def test_a_study_of_forms_is_that_of_their_values(tmp_path):
    """Weights, an initialiser's gain and seed, an input and a start: all as numbers instead, point by point."""
    read = study(tmp_path)
    found = run(read)["trajectory"]
    moved = run(study(tmp_path, ("net = [0, 1]", "net = [3, 4]"), ('"net + 3"', '"net"')))["trajectory"]
    assert same_bits(found, moved)
    for at, w in enumerate((0.5, 1.0, 1.5)):
        numbers = [
            ('"2 * w"', str(2 * w)),
            ('[["1 - 0.5 * w", "w"], ["-w + 0.25", 0.5]]', f"[[{1 - 0.5 * w}, {w}], [{0.25 - w}, 0.5]]"),
            ('"1e-1 * w"', str(0.1 * w)),
            ('"w - 1"', str(w - 1)),
            ('["0.5 * w", 0.1]', f"[{0.5 * w}, 0.1]"),
        ]
        numbers.append(("w = { start = 0.5, stop = 1.5, num = 3 }\n", ""))
        fixed = run(study(tmp_path, *numbers))["trajectory"]
        np.testing.assert_allclose(found.isel(w=at), fixed, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"1e-1 * w"', '"1 + v"', "bias_hh = '1 + v': '1 + v' is no axis; "),
        ('"1e-1 * w"', '"w / 2"', "'w / 2' is no axis nor an affine form of one, as \"1 - 0.5 * w\""),
        ('"1e-1 * w"', '"1e999 * w"', "'1e999 * w' holds a number that is not finite"),
        ('"net + 3"', '"net - 3"', "axis 'net - 3' gives seeds, which must be whole numbers from 0 up"),
        ('"net + 3"', '"0.5 * net"', "axis '0.5 * net' gives seeds, which must be whole numbers from 0 up"),
        ('["0.5 * w", 0.1]', '"2 * wv"', "expected 'random', 'zero', numbers or an axis"),
        ('"w - 1"', '"w - v"', "[inputs] value = 'w - v': 'w - v' is no axis nor an affine form"),
    ],
)
def test_mistakes_in_forms(tmp_path, old, new, words):
    with pytest.raises(rd.InputError) as caught:
        study(tmp_path, (old, new))
    assert words in str(caught.value)


# --- numbers between the values of an axis ----------------------------------------------------------------------------


def test_roots_on_a_cubic():
    x = np.linspace(0, 1, 6)
    for root in (0.05, 0.31, 0.5, 0.97):
        y = (x - root) * (1 + x + x**2)
        left = int(np.searchsorted(x, root)) - 1
        assert _root(x, y, left) == pytest.approx(root, abs=1e-14)
        holes = np.where(np.abs(x - root) > 0.25, np.nan, y)
        assert _root(x, holes, left) == pytest.approx(root, abs=0.05)
    assert _root(np.array([0.0, 2.0]), np.array([-1.0, 3.0]), 0) == pytest.approx(0.5)


ORIGIN = """
[cell]
kind = "Antisymmetric"
units = 2
[axes]
gamma = [0.5, 1.0, 2.0]
eps = { start = 0.05, stop = 0.6, num = 12 }
[weights]
weight_hh = [[0.0, -2.0], [0.0, 0.0]]
gamma = "gamma"
dt = "eps"
[run]
steps = 20
initial_state = "zero"
[measure.lyapunov]
k = 1
"""
NUMBER = '[[number]]\nlabel = "limit"\nvariable = "exponents"\nat = { gamma = 1.0 }\nfirst = "eps"\nabove = 0.0\n'


def read(tmp_path, number):
    (tmp_path / "try.toml").write_text(ORIGIN + number, encoding="utf-8")
    return read_study(tmp_path / "try.toml")


def test_the_limit_between_the_steps_of_a_grid(tmp_path):
    number = f'{NUMBER}interpolate = true\ntheory = "antisymmetric_limit"\n'
    mean = number.replace("at = { gamma = 1.0 }\n", "").replace('theory = "antisymmetric_limit"', 'reduce = "mean"')
    asked = read(tmp_path, number + NUMBER + mean)
    between, behind, both = find_numbers(run(asked), asked)
    assert between.theory == pytest.approx(0.4)
    assert between.value == pytest.approx(0.4, abs=1e-4)
    assert between.off == pytest.approx(abs(between.value - 0.4) / 0.4)
    assert behind.value == pytest.approx(0.4)  # the grid has 0.4, whose exponent is 0 to rounding, or the next
    limits = theory.antisymmetric_limit([0.5, 1.0, 2.0], 2.0)
    assert both.value == pytest.approx(limits.mean(), abs=1e-3)
    assert both.stderr == pytest.approx(limits.std(ddof=1) / np.sqrt(3), abs=1e-3)


def test_a_study_from_zero_starts_there(tmp_path):
    found = run(read(tmp_path, ""))["exponents"].isel(exponent=0)
    truth = theory.antisymmetric_exponent(found["gamma"].values[:, None], found["eps"].values, 2.0)
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('first = "eps"\nabove = 0.0\n', "interpolate = true\n"), "interpolate is of first"),
        (("above = 0.0", 'above = 0.0\ntheory = "tanh_exponent"'), "no theory 'tanh_exponent' for a map"),
        (("above = 0.0", 'above = 0.0\ntheory = "tanh_fold"'), "theory 'tanh_fold' does not apply here: it is for one"),
        (
            ("at = { gamma = 1.0 }", 'reduce = "mean"\ntheory = "antisymmetric_limit"'),
            "theory 'antisymmetric_limit' does not apply here",
        ),
    ],
)
def test_mistakes_in_numbers(tmp_path, change, words):
    with pytest.raises(rd.InputError) as caught:
        read(tmp_path, NUMBER.replace(*change))
    assert words in str(caught.value)
