"""A step of a cell's vector field, and an axis of texts that chooses the cell: from the file to disk and page."""

import gzip

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import rnndyn as rd
from rnndyn.cells import STEPS
from rnndyn.cli import app
from rnndyn.errors import InputError
from rnndyn.sweep import read_study, sweep
from rnndyn.sweep.found import find_numbers
from rnndyn.sweep.jobs import jobs
from rnndyn.sweep.store import open_result

STUDY = """
[cell]
kind = "CoRNN"
units = 2
gamma = 2.0
step = "method"
[axes]
dt = [0.02, 0.1]
method = ["euler", "symplectic", "rk4"]
[weights]
weight_hh = { init = "normal", gain = 1.5, seed = 3 }
dt = "dt"
[run]
steps = 40
initial_state = 0.3
[measure.lyapunov]
"""


@pytest.fixture
def study(tmp_path):
    """Return a function that reads STUDY with replacements."""

    def read(*replacements, text=STUDY):
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "try.toml"
        path.write_text(text, encoding="utf-8")
        return read_study(path)

    return read


def uncompiled(study):
    """Return a study that runs as plain Python."""
    return study.model_copy(update={"run": study.run.model_copy(update={"device": "python"})})


def test_each_step_is_computed_with_the_same_weights(study):
    read = uncompiled(study())
    dataset = sweep(read, progress=False)
    assert dataset["exponents"].dims == ("method", "dt", "exponent")
    assert dataset["method"].values.tolist() == ["euler", "symplectic", "rk4"]
    assert dataset["method"].attrs["long_name"] == "method (in step)"
    weight = jobs(read)[0].block(next(iter(blocks(read))), 1).weights["weight_hh"]
    field = rd.CoRNN.vector_field(2, gamma=2.0)
    for place, name in enumerate(dataset["method"].values):
        given = {"weight_hh": weight[0], "dt": np.array([0.02, 0.1])}
        cell, start = STEPS[str(name)](field), np.full(4, 0.3)
        found = rd.lyapunov(cell, given, steps=40, state=start, first_index=2 * place, device="python")
        np.testing.assert_array_equal(dataset["exponents"].values[place], found.exponents)
    assert len(np.unique(dataset["exponents"].values[:, 1, 0])) == 3


def blocks(read):
    from rnndyn.sweep.grid import chunks

    return chunks(read.shape, (1, *read.shape[1:]))


def test_a_cell_with_its_own_step_is_the_cell_itself(study):
    """So that nothing is compiled twice, and the default of dt is the family's."""
    one = study(('step = "method"', 'step = "symplectic"'), ('method = ["euler", "symplectic", "rk4"]\n', ""))
    assert type(one.make_cell()) is rd.CoRNN
    made = [job.cell for job in jobs(study(('dt = "dt"\n', ""), ("dt = [0.02, 0.1]\n", "")))]
    assert [type(cell).__name__ for cell in made] == ["Euler", "CoRNN", "RK4"]
    assert {cell.parameters["dt"] for cell in made} == {rd.CoRNN(1).parameters["dt"]} == {0.042}
    assert {cell.parameters["gamma"] for cell in made} == {2.0}
    set_here = jobs(study(("gamma = 2.0", "dt = 0.3"), ('dt = "dt"\n', ""), ("dt = [0.02, 0.1]\n", "")))
    assert {job.cell.parameters["dt"] for job in set_here} == {0.3}
    products = [job.operations for job in jobs(study())]
    assert products[0] == products[1] < products[2] / 3.9  # RK4 takes the rate four times


def test_fields_of_a_file_are_stepped(study, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import rnndyn as rd\n\n\ndef rate(x, a, s, p):\n    return (-p[0] * s[0],)\n\n\n"
        'flow = rd.Field("Fade", 1, 0, ("s",), (rd.Part(rate),), parameters={"k": 2.0}, linear=lambda p: (-p[0],))\n'
        "cell = rd.Euler(flow, dt=0.25)\nother = rd.Elman(1)\n",
        encoding="utf-8",
    )
    text = STUDY.replace('kind = "CoRNN"\nunits = 2\ngamma = 2.0', 'kind = "mine.py:flow"')
    text = text.replace('[weights]\nweight_hh = { init = "normal", gain = 1.5, seed = 3 }', "[weights]")
    swap = ("symplectic", "exponential")
    values = sweep(uncompiled(study(swap, text=text)), progress=False)["exponents"].values[..., 0]
    z = -2.0 * np.array([0.02, 0.1])
    rk4 = np.log(1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24)
    np.testing.assert_allclose(values, [np.log1p(z), z, rk4], rtol=1e-12)
    ready = jobs(
        study(swap, ("mine.py:flow", "mine.py:cell"), ('dt = "dt"\n', ""), ("dt = [0.02, 0.1]\n", ""), text=text)
    )
    assert {job.cell.parameters["dt"] for job in ready} == {0.25}
    with pytest.raises(InputError, match="other is no step of a vector field; remove step"):
        study(swap, ("mine.py:flow", "mine.py:other"), text=text)
    with pytest.raises(InputError, match='a vector field: say by which step, as in step = "euler"'):
        study(swap, ('step = "method"\n', ""), text=text)


MISTAKES = [
    (('step = "method"', 'step = "methods"'), "[cell] step = 'methods': no step and no axis; known: euler, midpoint"),
    (('"rk4"]', '"rk5"]'), "[cell] step = 'rk5': no step and no axis; did you mean 'rk4'?"),
    (('kind = "CoRNN"\nunits = 2\ngamma = 2.0', 'kind = "LEM"\nunits = 2'), "step = 'euler': LEM has no vector field;"),
    (
        ('kind = "CoRNN"\nunits = 2\ngamma = 2.0', 'kind = "Leaky"\nunits = 2'),
        "Leaky moves all fields at once, and that",
    ),
    (('"rk4"]', '"exponential"]'), "step = 'exponential': CoRNN: the exponential step needs the field's `linear` part"),
    (('"rk4"]', "4]"), "[axes] method: a list of numbers or of texts, not of both"),
    (('"rk4"]', '"euler"]'), "[axes] method: a text stands in it twice"),
    (('"rk4"]', '""]'), "[axes] method"),
    (('dt = "dt"', 'dt = "method"'), "'method' is an axis of texts: only a key of [cell] takes one"),
    (("seed = 3", 'seed = "method"'), "'method' is an axis of texts"),
    (("gamma = 2.0", 'gamma = "dt"'), "[cell] gamma = 'dt': a parameter that is swept stands in [weights]"),
    (("units = 2", 'units = "method"'), "[axes] method: euler: the number of units must be a whole number"),
    (("gamma = 2.0", "gama = 2.0"), "[cell] gama: CoRNN has no such keyword; did you mean 'gamma'?"),
    (
        ("[measure.l", "[measure.trajectory]\nat = {method = 'rk3'}\n[measure.l"),
        "at.method = 'rk3': did you mean 'rk4'?",
    ),
    (
        ("[measure.l", "[measure.trajectory]\nat = {method = 1}\n[measure.l"),
        "at.method = 1: known: euler, symplectic, rk4",
    ),
    (("[measure.l", "[measure.trajectory]\nat = {dt = 'a'}\n[measure.l"), "at.dt = 'a': expected a number"),
]


@pytest.mark.parametrize(("replacement", "words"), MISTAKES, ids=[words for _, words in MISTAKES])
def test_every_mistake_gets_its_sentence(study, replacement, words):
    with pytest.raises(InputError) as caught:
        study(replacement)
    assert words in str(caught.value)


def test_one_key_chooses_the_cell(study):
    two = ("[axes]\n", '[axes]\nN = [2, 3]\nphi = ["tanh", "relu"]\n')
    with pytest.raises(InputError, match=r"\[cell\] units and step name an axis each: only one axis can choose"):
        study(two, ("units = 2", 'units = "N"'))


FIGURES = [
    ('x = "method"', "x = 'method': texts have no order; draw them as lines, series = 'method'"),
    ('kind = "map"\nx = "dt"\ny = "method"', "y = 'method': texts have no order"),
    ('kind = "limit"\nx = "method"', "x = 'method': texts have no order"),
    ('at = { method = "rk3" }', "at.method = 'rk3': did you mean 'rk4'?"),
    ('kind = "map"\nlog = "x"', "a map needs two axes"),
    ('kind = "limit"\nx = "dt"\nlog = "y"', "log = 'y': only a curve has logarithmic scales, this is a limit"),
]


@pytest.mark.parametrize(("keys", "words"), FIGURES, ids=[words for _, words in FIGURES])
def test_every_mistake_in_a_figure_gets_its_sentence(study, keys, words):
    with pytest.raises(InputError) as caught:
        study(text=f'{STUDY}\n[[figure]]\nvariable = "exponents"\n{keys}\n')
    assert words in str(caught.value)


NUMBERS = [
    ("", "method, dt: give a value in at"),
    ('first = "method"\nabove = 0', "first = 'method': texts have no order"),
    ('extrapolate = "method"', "extrapolate = 'method': texts have no order"),
    ("at = { method = 'rk3' }", "at.method = 'rk3': did you mean 'rk4'?"),
]


@pytest.mark.parametrize(("keys", "words"), NUMBERS, ids=[words for _, words in NUMBERS])
def test_every_mistake_in_a_number_gets_its_sentence(study, keys, words):
    with pytest.raises(InputError) as caught:
        study(text=f'{STUDY}\n[[number]]\nlabel = "x"\nvariable = "exponents"\n{keys}\n')
    assert words in str(caught.value)


PAGES = """
[cell]
kind = "Elman"
units = 2
activation = "phi"
[axes]
w = [0.1, 0.3, 0.9, 2.7]
b = [0.0, 0.1]
phi = ["tanh", "relu"]
[weights]
weight_hh = [["w", 0.5], [-0.5, "w"]]
bias_hh = "b"
[run]
steps = 60
[measure.lyapunov]
[measure.trajectory]
at = { phi = "relu", b = 0.0 }
last = 3
[[figure]]
variable = "exponents"
x = "w"
y = "b"
[[figure]]
kind = "curve"
variable = "exponents"
x = "w"
[[figure]]
kind = "curve"
variable = "exponents"
x = "w"
at = { phi = ["relu"] }
log = "xy"
[[number]]
label = "relu"
variable = "exponents"
at = { phi = "relu", w = 0.9, b = 0.1 }
"""


def test_texts_reach_the_disk_the_page_and_the_terminal(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study(text=PAGES)
    run = CliRunner().invoke
    assert "16 (2 x 4 x 2) in 2 chunks" in run(app, ["check", "try.toml", "--no-time"]).output
    done = run(app, ["run", "try.toml", "-o", "out"])
    assert done.exit_code == 0, done.output
    dataset = open_result("out")
    assert dataset["phi"].values.tolist() == ["tanh", "relu"]
    assert dataset["trajectory"].dims == ("w", "step", "component")
    value = dataset["exponents"].sel(phi="relu", w=0.9, b=0.1).values[0]
    assert dataset.sel(phi="tanh")["exponents"].values[3, 0, 0] != dataset.sel(phi="relu")["exponents"].values[3, 0, 0]
    xr.testing.assert_identical(dataset.drop_attrs(), sweep("try.toml", progress=False).drop_attrs())

    page = (tmp_path / "out" / "index.html").read_text()
    assert "phi: tanh, relu; w: 4 from 0.1 to 2.7" in page
    assert "phi = relu" in page  # the title of the map, whose axis of texts is at its middle
    assert find_numbers(dataset, study(text=PAGES))[0].value == value
    snippet = (
        page.partition("ds = xr.open_zarr(")[2].partition("</code>")[0].replace("&#34;", '"').replace("&quot;", '"')
    )
    assert '.isel(phi=1).sel(w=2.7, b=0.1, method="nearest").values)' in snippet
    assert dataset["exponents"].isel(phi=1).sel(w=2.7, b=0.1, method="nearest").shape == (2,)
    assert '"held": {"phi": "relu"}' in (tmp_path / "out" / "map.html").read_text()
    table = gzip.decompress(rows(page, "curve_exponents")).decode().splitlines()
    assert table[0] == "phi,w,exponents,error,status"
    assert {line.split(",")[0] for line in table[1:]} == {"tanh", "relu"}

    shown = run(app, ["show", "out", "--at", "phi=tanh,w=0.3"])
    assert "phi = tanh, w = 0.3, b = 0.1 (point 3)" in shown.output
    assert "the result holds" not in shown.output
    assert "--at phi = 'tan': did you mean 'tanh'?" in run(app, ["show", "out", "--at", "phi=tan"]).output
    assert "--at w=tanh: expected AXIS=NUMBER" in run(app, ["show", "out", "--at", "w=tanh"]).output


def rows(page, name):
    """Return the table of a figure that the page embeds."""
    import base64
    import re

    data = dict(re.findall(r'href="data:application/gzip;base64,([^"]+)" download="try_(\w+).csv.gz"', page)[::-1])
    return base64.b64decode({name: data for data, name in data.items()}[name])


# --- logarithmic scales -----------------------------------------------------------------------------------------------


def test_scales_are_logarithmic_where_values_have_equal_ratios(study):
    from rnndyn.sweep.figure import Figure, complete

    def of(x, **keys):
        coords = {"x": np.array(x), "exponent": np.array([1])}
        return complete(Figure(variable="exponents", **keys), {"exponents": ("x", "exponent")}, coords, ("x",)).log

    assert of([0.01, 0.1, 1.0]) == "x"
    assert of([1.0, 0.5, 0.25, 0.125]) == "x"
    assert of([1.0, 2.0, 3.0]) == of([1.0, 2.0]) == of([1.0, 2.0, 4.1]) == of([-1.0, -2.0, -4.0]) == ""
    assert of([0.01, 0.1, 1.0], log="y") == "y"
    assert of([0.01, 0.1, 1.0], log="") == ""
    with pytest.raises(InputError, match="log = 'xy': x has values that are not positive"):
        of([0.0, 1.0], log="xy")


def test_a_logarithmic_curve_shows_sizes():
    import matplotlib.pyplot as plt

    at = np.array([0.01, 0.1, 1.0])
    data = xr.DataArray([-1e-4, 0.0, 1.0], {"dt": at}, ("dt",), "exponents", {"units": "nat/step"})
    ax = rd.plot.curve(data, error=abs(data) * 0 + 1e-3, theory={"square": lambda x: -(x**2)}, log="xy")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_ylabel() == "|λ| (nat/step)"
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_array_equal(drawn["square"], at**2)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1e-4, np.nan, 1.0])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band[np.isfinite(band)].min() == pytest.approx(1e-5)  # and not below zero, which has no place here
    assert rd.plot.curve(data).get_ylabel() == "λ (nat/step)"
    with pytest.raises(InputError, match="log = 'z'"):
        rd.plot.curve(data, log="z")
    plt.close("all")
