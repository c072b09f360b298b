"""Stable regions of steps as theory, from the catalogue to the study; other variables and distances in its place."""

import math

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.errors import InputError
from rnndyn.report.pictures import picture
from rnndyn.sweep import read_study, sweep
from rnndyn.sweep.figure import complete_for
from rnndyn.sweep.found import find_numbers

ORDER = {"euler": 1, "midpoint": 2, "rk4": 4}


def growth(step, z):
    """Return R(z), written down anew."""
    if step == "exponential":
        return np.exp(z.real) + 1j * (z.imag * (np.expm1(z.real) / z.real))
    return sum(z**k / math.factorial(k) for k in range(ORDER[step] + 1))


@pytest.mark.parametrize("step", [*ORDER, "exponential"])
def test_the_region_ends_where_the_growth_is_one(step):
    x = np.array([-3.5, -2.7, -1.9, -1.0, -0.3, -0.01, 0.1, 0.2, 0.5])
    y = np.atleast_2d(getattr(rd.theory, f"{step}_region")(x))
    z = x + 1j * y
    assert np.nanmax(np.abs(np.abs(growth(step, z)) - 1.0)) < 1e-12
    inside = np.abs(growth(step, x + 0.0j)) < 1
    left = x < 0
    np.testing.assert_array_equal(np.isfinite(y).sum(axis=0)[left] % 2 == 1, inside[left])
    re, im = np.random.default_rng(0).uniform(-3, 3, (2, 50))
    found = getattr(rd.theory, f"{step}_growth")(re, im, 0.5)
    np.testing.assert_allclose(found, np.log(np.abs(growth(step, 0.5 * (re + 1j * im)))), rtol=1e-10, atol=1e-13)


def test_known_places():
    np.testing.assert_allclose(rd.theory.euler_region([-1.5, -1.0]), [[math.sqrt(0.75), 1.0]])
    assert np.isnan(rd.theory.euler_region([-2.1, 0.1])).all()
    axis = rd.theory.rk4_region([-1e-9, 1e-9])
    assert axis[0] == pytest.approx(2 * math.sqrt(2), rel=1e-6)  # the outer border first, on both sides of the axis
    assert np.isfinite(axis[1]).tolist() == [False, True]
    assert np.isfinite(rd.theory.rk4_region([-2.7852935])[0])
    assert np.isnan(rd.theory.rk4_region([-2.7852937])).all()
    branches = rd.theory.CATALOGUE["midpoint_region"].polylines(-2.5, 0.5)
    assert not any(np.all(branch[:, 1] == 0) for branch in branches)  # two roots that meet make no line of their own
    inner = rd.theory.CATALOGUE["rk4_region"].polylines(-4.0, 1.0)[1]  # of the two lobes: along the imaginary axis
    assert inner[:, 1].min() < 0.02  # |R| is 1 + O(y^6) there: to the axis, though that lies between two samples
    assert rd.theory.linear_pair(1.0 - 0.3, 0.4) == pytest.approx(math.log(math.hypot(0.7, 0.4)))


def test_oscillators_leave_the_circle_on_their_curves():
    """The matrix of one step of dt = 1, written down: radius 1 on the curve, less below, more above."""
    damping = np.array([0.1, 0.7, 1.3, 1.9])
    for name, first in (("symplectic", 1.0), ("euler", 0.0)):
        for factor, side in ((0.99, -1), (1.0, 0), (1.01, 1)):
            omega = factor * getattr(rd.theory, f"{name}_oscillator")(damping)
            for w, d in zip(omega, damping, strict=True):  # p moves first in one, q and p together in the other
                matrix = [[1 - first * w**2, 1 - first * d], [-(w**2), 1 - d]]
                radius = np.abs(np.linalg.eigvals(matrix)).max()
                assert np.sign(round(radius - 1.0, 9)) == side
    assert np.isnan(rd.theory.symplectic_oscillator([-0.1, 2.1])).all()
    assert np.isnan(rd.theory.euler_oscillator([-0.1, 4.1])).all()


STUDY = """
[cell]
kind = "LinearFlow"
units = 2
step = "method"
dt = 1.0
[axes]
method = ["euler", "rk4"]
re = [-1.5, -1.0, -0.5]
im = [0.25, 0.75, 1.25, 1.75]
[weights]
rate = "re"
weight_hh = [[0.0, "-im"], ["im", 0.0]]
[run]
steps = 4
[measure.lyapunov]
[measure.trajectory]
last = 3
[[figure]]
variable = "exponents"
at = { method = "euler" }
theory = ["euler_region", "rk4_region"]
[[figure]]
kind = "trajectory"
plane = [1, 2]
[[number]]
label = "border"
variable = "exponents"
at = { method = "euler", re = -1.0 }
first = "im"
above = 0.0
interpolate = true
theory = "euler_region"
[[number]]
label = "distance"
variable = "exponents"
at = { method = "euler" }
reduce = "max"
show = "distance"
theory = "euler_growth"
"""
NETWORK = (
    ('kind = "LinearFlow"\nunits = 2\nstep = "method"\ndt = 1.0', 'kind = "Linear"\nunits = 2'),
    ('method = ["euler", "rk4"]\n', ""),
    ('rate = "re"\nweight_hh = [[0.0, "-im"], ["im", 0.0]]', 'weight_hh = [["1 + re", "-im"], ["im", "1 + re"]]'),
    ('at = { method = "euler" }\ntheory = ["euler_region", "rk4_region"]', 'theory = ["euler_region"]'),
    ('at = { method = "euler", re = -1.0 }', "at = { re = -1.0 }"),
    ('at = { method = "euler" }\nreduce', "reduce"),
    ('"euler_growth"', '"linear_pair"'),
)


@pytest.fixture
def study(tmp_path):
    """Return a function that reads STUDY with replacements, to run uncompiled."""

    def read(*replacements, more=""):
        text = STUDY
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "try.toml").write_text(text + more, encoding="utf-8")
        read = read_study(tmp_path / "try.toml")
        return read.model_copy(update={"run": read.run.model_copy(update={"device": "python"})})

    return read


@pytest.mark.parametrize("swaps", [(), NETWORK], ids=["flow", "network"])
def test_a_flow_and_a_network_have_the_numbers_of_the_formula(study, swaps):
    read = study(*swaps)
    dataset = sweep(read, progress=False)
    border, distance = find_numbers(dataset, read)
    assert border.theory == pytest.approx(1.0)
    assert abs(border.value - 1.0) < 0.1
    assert (distance.theory, distance.stderr) == (0.0, None)
    assert distance.value < 1e-14
    part = dataset["exponents"] if swaps else dataset["exponents"].sel({"method": "euler"})
    z = dataset["re"].values[:, None] + 1j * dataset["im"].values
    np.testing.assert_allclose(part.values[..., 0], np.log(np.abs(1 + z)), atol=1e-14)
    wrong = study(*swaps, ('theory = "linear_pair"' if swaps else 'theory = "euler_growth"', 'theory = "status"'))
    assert find_numbers(dataset, wrong)[1].value == pytest.approx(np.abs(part.values[..., 0]).max())


def test_a_plane_is_drawn_over_its_steps(study):
    read = study()
    dataset = sweep(read, progress=False)
    drawn = picture(dataset, read, complete_for(dataset, read.figure[1], read.axes))
    assert drawn.data.dims == ("component", "step")
    assert rd.plot.trajectory(drawn.data, plane=True) is not None
    import matplotlib.pyplot as plt

    plt.close("all")


BESIDE = """
[measure.critical_step]
[[figure]]
kind = "curve"
variable = "critical_step"
x = "im"
theory = ["critical_step_formula"]
[[number]]
label = "step"
variable = "critical_step"
at = { method = "euler", re = -1.0, im = 0.75 }
theory = "critical_step_formula"
"""


def test_another_variable_stands_beside_a_curve_and_a_number(study):
    read = study(("dt = 1.0", "dt = 0.1"), ('theory = ["euler_region", "rk4_region"]', ""), (
        'theory = "euler_region"', ""), ('theory = "euler_growth"', 'theory = "status"'), more=BESIDE)  # fmt: skip
    dataset = sweep(read, progress=False)
    found = find_numbers(dataset, read)[-1]
    assert found.theory == pytest.approx(2.0 / (1.0 + 0.75**2))
    assert found.value == pytest.approx(found.theory)
    drawn = picture(dataset, read, complete_for(dataset, read.figure[-1], read.axes))
    (label,) = drawn.theory
    assert label == "largest stable step by the formula"
    assert drawn.theory[label].dims == drawn.data.dims == ("method", "im")
    np.testing.assert_allclose(drawn.theory[label].values, drawn.data.values, rtol=1e-9)


MISTAKES = [
    ((("dt = 1.0", "dt = 0.5"),), "theory 'euler_region' does not apply here: it is for"),
    ((('["im", 0.0]]', '["im", 0.1]]'),), "theory 'euler_region' does not apply here"),
    ((('theory = "euler_growth"', ""),), "show = 'distance' is that from a theory by name"),
    ((('theory = "euler_growth"', "theory = 1.0"),), "show = 'distance' is that from a theory by name"),
    ((('theory = "euler_growth"', 'theory = "euler_grow"'),), "no theory 'euler_grow'; did you mean 'euler_growth'?"),
    ((('show = "distance"\ntheory = "euler_growth"', 'theory = "euler_growth"'),), "euler_growth' does not apply here"),
    ((('theory = "euler_growth"', 'theory = "trajectory"'),), "it is for variables with the same axes"),
]


@pytest.mark.parametrize(("swaps", "words"), MISTAKES, ids=[f"{k}: {words}" for k, (_, words) in enumerate(MISTAKES)])
def test_every_mistake_gets_its_sentence(study, swaps, words):
    with pytest.raises(InputError) as caught:
        study(*swaps)
    assert words in str(caught.value)


def test_a_curve_takes_variables_with_its_axes_only(study):
    more = '[[figure]]\nkind = "curve"\nvariable = "exponents"\nx = "im"\ntheory = ["trajectory"]\n'
    with pytest.raises(InputError, match="theory 'trajectory' does not apply here: it has axes of its own"):
        study(more=more)
