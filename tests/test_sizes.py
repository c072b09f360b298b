"""The number of units as an axis: one size after another, with draws of their own, and what follows from them."""

import json

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.cli import app
from rnndyn.dynamics.theory import mean_field_mean_exponent, mean_field_rate_exponent
from rnndyn.errors import InputError
from rnndyn.report import explore
from rnndyn.sweep import estimate, grid, measures, read_study, sweep
from rnndyn.sweep.found import find_numbers
from rnndyn.sweep.jobs import chunk_size, jobs
from rnndyn.sweep.limit import averaged, fit
from rnndyn.sweep.points import points
from rnndyn.sweep.value import generator
from rnndyn.sweep.weights import build_weights

STUDY = """
[cell]
kind = "Rate"
units = "N"
[axes]
dt = [0.5, 1.0]
N = [3, 2, 1]
net = [0, 7]
[weights]
weight_hh = { init = "normal", gain = 2.0, seed = "net" }
dt = "dt"
[run]
steps = 60
transient = 20
[measure.lyapunov]
k = 1
"""


@pytest.fixture
def study(tmp_path):
    """Return a function that reads STUDY with replacements."""

    def read(*replacements, more=""):
        text = STUDY
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "try.toml"
        path.write_text(text + more, encoding="utf-8")
        return read_study(path)

    return read


WHOLE = ("k = 1", "keep = 1\nderive = ['dimension', 'entropy', 'mean_exponent', 'memory_time', 'entropy_per_unit']")


def test_sizes_are_the_first_axis_and_no_chunk_mixes_them(study, monkeypatch):
    read = study()
    assert list(read.axes) == ["N", "dt", "net"]
    assert read.shape == (3, 2, 2)
    work = jobs(read)
    assert [job.cell.units for job in work] == [3, 2, 1]
    assert chunk_size(read, work) == (1, 2, 2)
    monkeypatch.setattr(grid, "MOST", 2)
    assert chunk_size(read, work) == (1, 1, 2)
    assert work[0].share == 1.0 > work[1].share > work[2].share > 0.0


def test_the_result_is_that_of_the_sizes_by_themselves(study):
    """Also tells apart what a wrong grid index, cell or draw would give: starts and frames depend on the index."""
    dataset = sweep(study(WHOLE), progress=False)
    assert dataset["exponents"].dims == ("N", "dt", "net", "exponent")
    assert dataset["dimension"].dims == ("N", "dt", "net")
    assert dataset["N"].attrs["long_name"] == "N (in units)"
    for place, n in enumerate((3, 2, 1)):
        one = study(WHOLE).of_cell(place)
        block = {"N": np.array([n]), "dt": np.array([0.5, 1.0]), "net": np.array([0, 7])}
        weights = build_weights(one, rd.Rate(n), block)
        assert weights["weight_hh"].shape == (1, 1, 2, n, n)
        found = rd.lyapunov(rd.Rate(n), weights, steps=60, transient=20, first_index=4 * place)
        np.testing.assert_array_equal(dataset["exponents"].values[place, ..., 0], found.exponents[0, ..., 0])
        np.testing.assert_array_equal(dataset["mean_exponent"].values[place], found.exponents[0].mean(axis=-1))
        entropy, error = dynamics.entropy(found.exponents, found.stderr)
        np.testing.assert_array_equal(dataset["entropy"].values[place], entropy[0])
        np.testing.assert_array_equal(dataset["entropy_per_unit_stderr"].values[place], error[0] / n)
        for name, function in (("dimension", dynamics.kaplan_yorke), ("memory_time", dynamics.memory_time)):
            more = {"size": n} if name == "dimension" else {}
            value, error = function(found.exponents, found.stderr, **more)
            np.testing.assert_array_equal(dataset[name].values[place], value[0])
            np.testing.assert_array_equal(dataset[f"{name}_stderr"].values[place], error[0])
    for name in ("dimension", "entropy_per_unit", "mean_exponent_stderr"):
        assert {"long_name", "units", "how"} <= set(dataset[name].attrs)
    assert dataset["entropy"].attrs["units"] == "nat/step"


def test_draws_depend_on_the_size_only_among_several(study):
    first = {place: build_weights(study().of_cell(place), rd.Rate(n), block(n)) for place, n in ((0, 3), (1, 2))}
    assert not np.isin(first[1]["weight_hh"] * np.sqrt(2), first[0]["weight_hh"] * np.sqrt(3)).any()
    alone = study(('units = "N"', "units = 3"), ("N = [3, 2, 1]\n", ""))
    drawn = build_weights(alone, rd.Rate(3), {"dt": np.array([0.5]), "net": np.array([0, 7])})["weight_hh"]
    word = generator(0, "weight_hh", 7).standard_normal((3, 3)) * 2.0 / np.sqrt(3)
    np.testing.assert_allclose(drawn[0, 1], word, rtol=1e-15)  # as before there were axes of sizes
    assert not np.isin(drawn, first[0]["weight_hh"]).any()


def block(n):
    return {"N": np.array([n]), "dt": np.array([0.5]), "net": np.array([0, 7])}


def test_an_interrupted_sweep_goes_on(study, tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "MOST", 2)
    whole = sweep(study(), directory=tmp_path / "whole", progress=False)
    calls, real = [], measures.lyapunov.Spectrum.__call__

    def few(self, part):
        calls.append(part.first)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(self, part)

    monkeypatch.setattr(measures.lyapunov.Spectrum, "__call__", few)
    with pytest.raises(KeyboardInterrupt):
        sweep(study(), directory=tmp_path / "part", progress=False)
    done = json.loads((tmp_path / "part" / "manifest.json").read_text())["chunks"]
    assert done["shape"] == [1, 1, 2]
    assert 0 < len(done["done"]) < done["total"] == 6
    seen = []
    again = sweep(study(), directory=tmp_path / "part", progress=lambda at, total: seen.append(at / total))
    xr.testing.assert_identical(whole.drop_attrs(), again.drop_attrs())
    assert seen[-1] == 1.0
    assert seen == sorted(seen)


def test_points_have_one_size(study):
    found = points(study(), {"N": 2, "dt": 1.0, "net": 7})
    assert found["orbit"].sizes["component"] == 2
    assert found["index"] == 7
    assert points(study(), [{"N": 1, "net": 0}, {"N": 1, "net": 7}])["orbit"].sizes["component"] == 1
    with pytest.raises(InputError, match="networks of several values of N cannot be looked at together"):
        points(study(), [{"N": 1}, {"N": 2}])


def test_commands(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    more = '[[figure]]\nvariable = "exponents"\nkind = "limit"\nmean = ["net"]\n'
    study(more=more + '[[figure]]\nvariable = "exponents"\nx = "dt"\ny = "net"\nat = {N = 2}\n')
    run = CliRunner().invoke
    checked = run(app, ["check", "try.toml"])
    assert "12 (3 x 2 x 2) in 3 chunks" in checked.output
    assert run(app, ["run", "try.toml", "-o", "out"]).exit_code == 0
    assert (tmp_path / "out" / "limit.png").exists()
    assert (tmp_path / "out" / "map.html").exists()  # of N = 2, all of one size
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Units, inputs" in page
    assert "a + b/N" in page
    shown = run(app, ["show", "out", "--at", "N=3,net=7"])
    assert "N = 3, dt = 1, net = 7 (point 3)" in shown.output
    assert "the result holds" not in shown.output  # the same numbers again


def test_large_networks_are_not_looked_at_again(study, tmp_path, monkeypatch):
    monkeypatch.setattr(explore, "OPERATIONS", 1e3)
    dataset = sweep(study(more='[[figure]]\nvariable = "exponents"\nx = "dt"\ny = "net"\n'), progress=False)
    page = rd.report(dataset, tmp_path / "page").read_text()
    assert "too large to look at some of them again" in page
    assert not (tmp_path / "page" / "map.html").exists()


def test_long_runs_are_timed_by_their_beginning(study, monkeypatch):
    ran, real = [], measures.lyapunov.Spectrum.__call__

    def watched(self, part):
        ran.append((part.cell.units, self.run.steps, self.run.transient))
        return real(self, part)

    monkeypatch.setattr(measures.lyapunov.Spectrum, "__call__", watched)
    read = study(("steps = 60", "steps = 4000"), ("transient = 20", "transient = 1000"))
    short = estimate.estimate(read, threads=1)
    assert {units for units, *_ in ran} == {3, 2, 1}
    assert {steps for _, steps, _ in ran} == {4000}
    ran.clear()
    monkeypatch.setattr(estimate, "OPERATIONS", 4 * 24 * 2 * 500.0)  # 500 steps of 3 units: 16 weights + 8
    assert estimate.estimate(read, threads=1).steps == short.steps == 4 * 3 * 5000 * 2
    assert {(steps, transient) for units, steps, transient in ran if units == 3} == {(400, 100)}


MISTAKES = [
    (('units = "N"', 'units = "M"'), "[cell] units = 'M': neither a number nor an axis; known: dt, N, net"),
    (("[3, 2, 1]", "[3, 2, 0]"), "[axes] N: 0: the number of units must be a whole number from 1 up"),
    (("[3, 2, 1]", "[3.5, 2, 1]"), "[axes] N: 3.5: the number of units must be a whole number"),
    (("k = 1", ""), "exponents has 3, 2, 1 exponents over the axis N: give [measure.lyapunov] keep (or k)"),
    (("k = 1", "k = 2"), "[measure.lyapunov] k = 2: this cell has 1 exponent"),
    (("k = 1", "keep = 2"), "[measure.lyapunov] keep = 2: 1 are computed"),
    (("k = 1", "whole_up_to = 2"), "whole_up_to: without k all are computed"),
    (("k = 1", "k = 1\nderive = ['mean_exponent']"), "derive = 'mean_exponent': this takes all exponents; remove k"),
    (("k = 1", "k = 1\nderive = ['dimensions']"), "derive = 'dimensions': unknown; did you mean 'dimension'?"),
    (('{ init = "normal", gain = 2.0, seed = "net" }', "[[1, 'net'], [0, 1]]"), "the cell needs 3 x 3 (of 3 units)"),
    (("[measure.lyapunov]", "[measure.trajectory]\n[measure.lyapunov]"), "trajectory has 3, 2, 1 components over"),
]


@pytest.mark.parametrize(("replacement", "words"), MISTAKES, ids=[words for _, words in MISTAKES])
def test_every_mistake_gets_its_sentence(study, replacement, words):
    with pytest.raises(InputError) as caught:
        study(replacement)
    assert words in str(caught.value)


def test_a_step_is_needed_for_unit_time(study):
    swaps = [('"Rate"', '"Elman"'), ('dt = "dt"\n', ""), ("dt = [0.5, 1.0]\n", "")]
    with pytest.raises(InputError, match="Elman has no step dt"):
        study(*swaps, ("k = 1", 'k = 1\nderive = ["exponent_per_time"]'))


def test_states_of_one_size(study):
    dataset = sweep(study(("k = 1", "k = 1\n[measure.trajectory]\nat = { N = 2 }\nlast = 5")), progress=False)
    assert dataset["trajectory"].dims == ("dt", "net", "step", "component")
    assert dataset.sizes["component"] == 2
    assert np.isfinite(dataset["trajectory"]).all()


def test_whole_spectra_of_small_networks_only(study):
    derive = "derive = ['exponent_per_time', 'mean_exponent', 'entropy']"
    dataset = sweep(study(("k = 1", f"k = 1\nwhole_up_to = 2\n{derive}")), progress=False)
    assert dataset.sizes["exponent"] == 1
    assert np.isnan(dataset["mean_exponent"].values[0]).all()
    assert np.isnan(dataset["entropy"].values[0]).all()  # what one exponent says of it would be those that settle
    assert np.isfinite(dataset["mean_exponent"].values[1:]).all()
    per_time = dataset["exponents"].values[..., 0] / np.array([0.5, 1.0])[:, None]
    np.testing.assert_array_equal(dataset["exponent_per_time"].values, per_time)


# --- limits -----------------------------------------------------------------------------------------------------------

LIMIT = """
[[number]]
label = "limit"
variable = "exponents"
at = { dt = 0.5 }
extrapolate = "N"
theory = "mean_field_rate"
"""
SIZES = ("N = [3, 2, 1]", "N = [64, 128, 256, 512]")


def made(read, slope, scatter):
    """A result of `read` whose exponents follow 0.1 dt + slope / N."""
    rng = np.random.default_rng(0)
    n, dt = read.axes["N"].values[:, None, None], read.axes["dt"].values[:, None]
    values = 0.1 * dt + slope / n + scatter / np.sqrt(n) * rng.normal(size=read.shape)
    dims = ("N", "dt", "net", "exponent")
    coords = {name: axis.values for name, axis in read.axes.items()} | {"exponent": [1]}
    error = np.full(values.shape, scatter)[..., None]
    data = {"exponents": (dims, values[..., None], {"units": "nat/step"}), "exponents_stderr": (dims, error)}
    return xr.Dataset(data, coords)


def test_a_number_is_extrapolated(study):
    read = study(SIZES, ("net = [0, 7]", "net = [0, 1, 2, 3, 4, 5, 6, 7]"), more=LIMIT)
    (found,) = find_numbers(made(read, -2.6, 0.02), read)
    assert abs(found.value - 0.05) < 3 * found.stderr
    assert found.stderr < 0.003
    assert found.theory == pytest.approx(0.5 * float(mean_field_rate_exponent(2.0, 0.5)))
    assert "a + b/N over N = 64 to 512" in found.note
    assert "2 degrees of freedom" in found.note
    assert "standard errors from theory" in found.note


def test_errors_of_few_networks_are_wide_enough():
    n = np.array([64, 96, 128])
    data = np.random.default_rng(0).normal(size=(2000, 3, 4)) / n[:, None]
    array = xr.DataArray(data, {"N": n}, ("row", "N", "net"))
    mean, error = averaged(array, None, ["net"])
    found = fit(mean, error, "N", 1)
    assert 0.95 < np.mean(np.abs(found.limit) < 2 * found.stderr) < 0.99
    plain = rd.extrapolate(n, data.mean(-1), data.std(-1, ddof=1) / 2)
    assert np.mean(np.abs(plain.limit) < 2 * plain.stderr) < 0.93
    array[:, 0, 1:] = np.nan  # one value is left: its own error counts
    assert np.all(averaged(array, array * 0.0 + 0.5, ["net"])[1][:, 0] == 0.5)


def test_a_limit_over_large_sizes_with_a_curve(study):
    more = LIMIT + "terms = 2\nsmallest = 100\n"
    read = study(SIZES, more=more)
    (found,) = find_numbers(made(read, -2.6, 1e-9), read)
    assert abs(found.value - 0.05) < 1e-7
    assert "a + b/N + c/N² over N = 128 to 512, b = −2.6" in found.note


def test_theory_of_the_mean(study):
    more = "[[number]]\nlabel = 'm'\nvariable = 'mean_exponent'\nat = {dt = 1.0}\nextrapolate = 'N'\n"
    read = study(("k = 1", "keep = 1\nderive = ['mean_exponent']"), more=more + "theory = 'mean_field_mean'\n")
    (found,) = find_numbers(sweep(read, progress=False), read)
    assert found.theory == pytest.approx(float(mean_field_mean_exponent(2.0)))


LIMITS = [
    ("at = { dt = 0.5 }", "at = { dt = 0.5, N = 64 }", "extrapolate = 'N': at has a value of this axis"),
    ('extrapolate = "N"', 'extrapolate = "M"', "extrapolate = 'M': no axis of it; known: N, dt, net"),
    ('extrapolate = "N"', 'extrapolate = "net"', "net has values that are not positive: it is no axis of sizes"),
    ('extrapolate = "N"', 'extrapolate = "N"\nsmallest = 300', "1 powers of 1/N need 2 sizes, there are 1 from 300 up"),
    ('extrapolate = "N"', 'extrapolate = "N"\nreduce = "mean"', "extrapolate averages by itself"),
    ('extrapolate = "N"', "terms = 2", "terms and smallest are of extrapolate"),
    ('"mean_field_rate"', '"tanh_exponent"', "theory 'tanh_exponent' does not apply here"),
]


@pytest.mark.parametrize(("old", "new", "words"), LIMITS, ids=[words for *_, words in LIMITS])
def test_every_mistake_of_a_limit_gets_its_sentence(study, old, new, words):
    with pytest.raises(InputError) as caught:
        study(SIZES, more=LIMIT.replace(old, new))
    assert words in str(caught.value)


def test_a_limit_is_drawn_with_its_fit_and_theory():
    n = np.array([64, 128, 256])
    data = xr.DataArray(0.3 - 2.0 / n, {"N": n}, ("N",), "exponents", {"units": "nat/step"})
    ax = rd.plot.limit(data, error=data.copy(data=np.full(3, 1e-3)), theory={"mean field": np.full(3, 0.31)})
    fit = next(line for line in ax.lines if len(line.get_xdata()) == 50)
    assert fit.get_xdata()[0] == 0.0
    assert fit.get_ydata()[0] == pytest.approx(0.3)
    cross = next(line for line in ax.lines if line.get_marker() == "x")
    assert (float(cross.get_xdata()[0]), float(cross.get_ydata()[0])) == (0.0, 0.31)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["∞", "64", "128", "256"]
    rd.plot.curve(data)  # and the figures of others are as they were
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.slow
@pytest.mark.parametrize(("dt", "slope"), [(1.0, -2.6), (0.5, -8.0), (0.25, -10.0)])
def test_networks_meet_the_mean_field(tmp_path, dt, slope):
    """N = 64 to 512, eight networks each, gain 3."""
    text = STUDY.replace("dt = [0.5, 1.0]", f"dt = [{dt}]").replace("gain = 2.0", "gain = 3.0")
    text = text.replace("N = [3, 2, 1]", "N = [128, 256, 512]").replace("[0, 7]", "[0, 1, 2, 3, 4, 5, 6, 7]")
    text = text.replace("steps = 60", "steps = 2000").replace("transient = 20", "transient = 400")
    (tmp_path / "try.toml").write_text(text, encoding="utf-8")
    values = sweep(tmp_path / "try.toml", progress=False)["exponents"].values[:, 0, :, 0] / dt
    errors = values.std(axis=1, ddof=1) / np.sqrt(8)
    fit = rd.extrapolate([128, 256, 512], values.mean(axis=1), errors)
    assert abs(fit.limit - float(mean_field_rate_exponent(3.0, dt))) < 3 * fit.stderr
    assert fit.stderr < 0.01
    assert abs(fit.coefficients[1] / slope - 1.0) < 0.5
