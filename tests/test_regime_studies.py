"""[measure.regimes]: from the study file to labels, areas with uncertainty, map and page."""

import numpy as np
import pytest
import xarray as xr

import rnndyn as rd
from rnndyn.dynamics.theory import flip_curve, fold_curve
from rnndyn.report import regimes, style
from rnndyn.report.areas import area_rows
from rnndyn.report.numbers import key_numbers
from rnndyn.report.words import uncertain_share
from rnndyn.sweep import read_study
from rnndyn.sweep.found import find_numbers
from rnndyn.sweep.store import study_of

STUDY = """
[cell]
kind = "Elman"
units = 1

[axes]
w = { start = -3.0, stop = 3.0, num = 37 }
b = { start = -1.9, stop = 2.0, num = 24 }

[weights]
weight_hh = "w"
bias_hh = "b"

[run]
steps = 200
transient = 400

[measure.regimes]
starts = 4

[[number]]
label = "rest"
variable = "regime"
region = "fixed_point"

[[number]]
label = "cycles"
variable = "regime"
region = "cycle"
theory = 0.2

[[number]]
label = "two states"
variable = "regime_attractors"
region = 2

[[number]]
label = "chaos"
variable = "regime"
region = "chaotic"
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path = tmp_path_factory.mktemp("regimes") / "unit.toml"
    path.write_text(STUDY, encoding="utf-8")
    return rd.sweep(path, progress=False)


def test_variables(result):
    """Labels by name, right all over the map, and statuses; no name of [measure.attractors] is taken."""
    names = {"regime", *(f"regime_{n}" for n in ("confidence", "period", "attractors", "exponent", "multiplier"))}
    assert set(result.data_vars) == names | {"regime_exponent_stderr", "regime_test", "regime_status"}
    w, b = (array.values for array in xr.broadcast(result.w, result.b))
    with np.errstate(invalid="ignore"):
        period, count = np.where(np.abs(b) < flip_curve(w), 2, 1), np.where(np.abs(b) < fold_curve(w), 2, 1)
    decided = np.abs(np.abs(w) - 1) > 1e-9  # the cusp
    np.testing.assert_array_equal(result.regime_period.values[decided], period[decided])
    np.testing.assert_array_equal(result.regime_attractors.values[decided], count[decided])
    flags = dict(zip(result.regime.attrs["flag_meanings"].split(), result.regime.attrs["flag_values"], strict=True))
    assert flags["CYCLE"] == rd.Regime.CYCLE
    np.testing.assert_array_equal(result.regime.values[decided] == flags["CYCLE"], period[decided] == 2)
    assert np.all(result.regime_confidence.values[decided] == 1)


def test_areas_hold_the_truth(result):
    """Shares of the map within their uncertainties: the area within the flip and the fold curve by quadrature."""
    numbers = {found.label: found for found in find_numbers(result, study_of(result))}
    w = np.linspace(1.0, 3.0, 20_001)
    total = 6.0 * 3.9
    flip, fold = flip_curve(-w), fold_curve(w)
    cycles = np.trapezoid(np.minimum(flip, 1.9) + np.minimum(flip, 2.0), w) / total
    two = np.trapezoid(np.minimum(fold, 1.9) + np.minimum(fold, 2.0), w) / total
    for label, truth in (("cycles", cycles), ("rest", 1 - cycles), ("two states", two)):
        found = numbers[label]
        assert found.share
        assert abs(found.value - truth) <= found.stderr
        assert found.stderr < 0.03
    assert (numbers["chaos"].value, numbers["chaos"].stderr) == (0.0, 0.0)
    told = {number.what: number for number in key_numbers(result, study_of(result))}
    assert told["cycles"].value == uncertain_share(numbers["cycles"].value, numbers["cycles"].stderr)
    assert "±" in told["Fixed point"].value
    assert "of the map's area" in told["Cycle of period 2"].note
    assert told["90 % of the starts agree at least"].value in ("99.9 %", "100 %")
    assert [row[0] for row in area_rows(result)][:2] == ["fixed point", "cycle of period 2"]


def test_shares_are_written_to_the_digit_of_their_uncertainty():
    assert uncertain_share(0.12345, 0.0034) == "12.3 % ± 0.3 %"
    assert uncertain_share(0.5, 0.12) == "50 % ± 12 %"


def labels(codes, periods):
    data = xr.DataArray(np.array([codes]), dims=("x", "y"), name="regime")
    return regimes.classes_of(data, data.copy(data=np.array([periods])))


def test_classes_have_colours_of_their_own():
    """From rest to chaos; chaos is darkest on every map; rare periods are gathered; undecided points have none."""
    some = labels([1, 2, 2, 4, 0], [1, 2, 4, 0, 0])
    assert some.names == ["fixed point", "cycle of period 2", "cycle of period 4", "chaotic"]
    assert some.colours() == [style.REGIMES[0], style.REGIMES[1], style.REGIMES[2], style.REGIMES[7]]
    assert some.index.tolist() == [[0, 1, 2, 3, -1]]
    many = labels([2] * 12 + [1, 3, 4, 5, 6], [2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 2, 2, 1, 0, 0, 0, 0])
    assert len(many.names) == len(set(many.colours())) == 8
    assert many.names[1:4] == ["cycle of period 2", "cycle of period 3", "cycles of other periods"]
    assert many.names[-1] == "chaotic"


def test_map_and_page(result, tmp_path):
    """The boundaries are drawn as rd.regions gives them; doubtful points are hatched; the page tells the areas."""
    from matplotlib.figure import Figure

    doubtful = result.regime_confidence.copy()
    doubtful[3:5, 4] = 0.5
    ax = Figure().add_subplot()
    rd.plot.map(result.regime, period=result.regime_period, confidence=doubtful, ax=ax)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0].startswith("fixed point")
    assert any(text.startswith("fewer than 90 % of the starts agree") and text.endswith("points)") for text in texts)
    (lines,) = [one for one in ax.collections if type(one).__name__ == "LineCollection"]
    index = regimes.classes_of(result.regime, result.regime_period).index
    wanted = rd.regions(index, result.w.values, result.b.values).boundaries
    assert len(lines.get_segments()) == len(wanted)
    np.testing.assert_allclose(np.concatenate(lines.get_segments()), np.concatenate([w.points for w in wanted]))
    rd.report(result, tmp_path / "page")
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "boundaries between regions" in page
    assert "of the map" in page
    assert (tmp_path / "page" / "map.html").exists()


@pytest.mark.parametrize(
    ("axes", "bias", "drawn"),
    [
        ("w = { start = -2.0, stop = 2.0, num = 9 }", "0.3", "curve"),
        ("w = [-2.0, 0.5, 2.0]\nb = [0.0, 1.0]\nother = [0.0, 0.1]", '"b"', "map"),
    ],
)
def test_pages_over_one_axis_and_three(tmp_path, axes, bias, drawn):
    """Over one axis the exponent of the regimes is drawn; over three, shares are of the points."""
    head, _, tail = STUDY.split("[[number]]")[0].partition("[axes]")
    text = head + "[axes]\n" + axes + tail[tail.index("\n\n[weights]") :].replace('"b"', bias)
    text = text.replace("[weights]", '[weights]\nbias_ih = "other"') if "other" in axes else text
    path = tmp_path / "axes.toml"
    path.write_text(text, encoding="utf-8")
    found = rd.sweep(path, progress=False)
    rd.report(found, tmp_path / "page")
    assert (tmp_path / "page" / f"{drawn}.png").exists()
    rows = area_rows(found)
    assert {row[0] for row in rows} == {"fixed point", "cycle of period 2"}
    assert all("area" not in row[2] and row[2].endswith("points") for row in rows)


def test_areas_are_over_two_axes_of_numbers(tmp_path):
    """Cells by name have no breadth: shares are of the points, the exponent is a curve for each of them."""
    text = STUDY.split("[[number]]")[0].replace('"Elman"', '"kinds"')
    text = text.replace("b = { start = -1.9, stop = 2.0, num = 24 }", 'kinds = ["Elman", "Leaky"]')
    path = tmp_path / "kinds.toml"
    path.write_text(text.replace('"b"', "0.3").replace("num = 37", "num = 5"), encoding="utf-8")
    found = rd.sweep(path, progress=False)
    rd.report(found, tmp_path / "page")
    assert (tmp_path / "page" / "curve.png").exists()
    rows = area_rows(found)
    assert {row[0] for row in rows} == {"fixed point", "cycle of period 2"}
    assert all("area" not in row[2] and row[2].endswith("points") for row in rows)
    assert {row[1] for row in area_rows(found.sel(kinds="Elman"))} == {"60.0 %", "40.0 %"}
    with pytest.raises(rd.InputError, match="kinds: texts have no order"):
        rd.plot.map(found.regime)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('region = "chaotic"', 'region = "caotic"', "chaotic"),
        ("region = 2", 'region = "two"', "whole number"),
        ("region = 2", "region = 2\nabove = 1.0", "remove above"),
        ("region = 2", "region = 2\nat = { w = 1.0 }", "two axes"),
        ('"regime_attractors"', '"regime_confidence"', "regime_attractors"),
        ("starts = 4", "starts = 4\nsteps = 50", "100"),
    ],
)
def test_mistakes_are_told(tmp_path, old, new, message):
    path = tmp_path / "bad.toml"
    path.write_text(STUDY.replace(old, new), encoding="utf-8")
    with pytest.raises(rd.InputError, match=message):
        read_study(path)


def test_inputs_must_be_constant(tmp_path):
    """A constant input that is an axis is a bias; a driven network has no regimes."""
    more = STUDY.replace("units = 1", "units = 1\ninputs = 1").replace('bias_hh = "b"', "weight_ih = 1.0")
    path = tmp_path / "driven.toml"
    path.write_text(more + '\n[inputs]\nkind = "normal"\nscale = "b"\n', encoding="utf-8")
    with pytest.raises(rd.InputError, match="constant"):
        read_study(path)
    path.write_text(more + '\n[inputs]\nkind = "constant"\nvalue = "b"\n', encoding="utf-8")
    found = rd.sweep(path, overrides={"axes.w.num": 5, "axes.b.num": 5}, progress=False)
    with np.errstate(invalid="ignore"):
        cycle = np.abs(found.b.values) < flip_curve(found.w.values)[:, None]
    np.testing.assert_array_equal(found.regime_period.values == 2, cycle)
