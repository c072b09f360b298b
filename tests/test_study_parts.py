"""Parts of the study file at work: initialisers, gates, inputs, starts, cells of one's own."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn import sweep
from rnndyn.errors import InputError
from rnndyn.sweep import read_study
from rnndyn.sweep.examples import FILES
from rnndyn.sweep.measures import Block
from rnndyn.sweep.weights import build_weights

STUDY = """
[cell]
kind = "{kind}"
units = 6
inputs = 2
[axes]
w = [0.5, 2.0]
{axes}
[weights]
{weights}
[inputs]
{drive}
[run]
steps = 40
{run}
[measure.lyapunov]
"""
NETS = "net = [0, 1]"


@pytest.fixture
def study(tmp_path):
    """Return a function that writes and reads a study from its parts."""

    def read(weights='bias_ih = "w"', drive='kind = "none"', run="", kind="Elman", axes=""):
        text = STUDY.format(weights=weights, drive=drive, run=run, kind=kind, axes=axes)
        (tmp_path / "try.toml").write_text(text, encoding="utf-8")
        return read_study(tmp_path / "try.toml")

    return read


def built(study, name="weight_hh", **axes):
    """Return a weight over the values of w, or over the axes given."""
    block = {axis: np.array(axes.get(axis, values.values)) for axis, values in study.axes.items()}
    return build_weights(study, study.make_cell(), block)[name]


# --- initialisers -----------------------------------------------------------------------------------------------------


def test_orthogonal_keeps_lengths(study):
    for array, gain in zip(built(study('weight_hh = { init = "orthogonal", gain = "w" }')), (0.5, 2.0), strict=True):
        np.testing.assert_allclose(array.T @ array, gain**2 * np.eye(6), atol=1e-14)
    tall = built(study('weight_hh = "w"\nweight_ih = { init = "orthogonal" }'), "weight_ih")[0]
    np.testing.assert_allclose(tall.T @ tall, np.eye(2), atol=1e-14)


def test_orthogonal_is_spread_evenly(study):
    """Haar: an entry has mean 0 and variance 1/N; NumPy's Q alone has a diagonal of one sign."""
    read = study('weight_hh = { init = "orthogonal", seed = "net" }\nbias_hh = "w"', axes=NETS)
    diagonal = np.diagonal(built(read, net=np.arange(400))[0], axis1=1, axis2=2)
    assert abs(diagonal.mean()) < 5 / np.sqrt(6 * diagonal.size)
    assert abs(diagonal.var() - 1 / 6) < 0.03


def test_structured_matrices(study):
    half, double = built(study('weight_hh = { init = "antisymmetric", gain = "w" }'))
    np.testing.assert_array_equal(half, -half.T)
    np.testing.assert_allclose(double, 4 * half, rtol=1e-15)
    np.testing.assert_array_equal(built(study('weight_hh = { init = "identity", gain = "w" }'))[1], 2 * np.eye(6))
    turned = built(study('weight_hh = { init = "rotation", angle = "w", gain = 0.9 }'))
    for array, angle in zip(turned, (0.5, 2.0), strict=True):
        np.testing.assert_allclose(array @ array.T, 0.81 * np.eye(6), atol=1e-15)
        np.testing.assert_allclose(array[:2, :2], rd_rotation(angle), atol=1e-15)
        assert not array[:2, 2:].any()
    random = built(study('weight_hh = { init = "rotation", gain = "w" }'))[1]
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(random)), 2.0, rtol=1e-14)
    assert len(np.unique(np.round(np.linalg.eigvals(random).real, 6))) == 3


def rd_rotation(angle):
    return 0.9 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.mark.parametrize(
    ("init", "deviation", "zeros"),
    [('"normal"', 1.0, 0.0), ('"uniform"', 1 / np.sqrt(3), 0.0), ('"sparse", density = 0.25', 1.0, 0.75)],
)
def test_random_matrices_have_the_stated_size(study, init, deviation, zeros):
    read = study(f'weight_hh = {{ init = {init}, gain = 3.0, seed = "net" }}\nbias_hh = "w"', axes=NETS)
    entries, scale = built(read, net=np.arange(200)), 3.0 * deviation / np.sqrt(6)
    assert abs(entries.mean()) < 5 * scale / np.sqrt(entries.size)
    assert abs(entries.std() - scale) < 0.05 * scale
    assert abs((entries == 0).mean() - zeros) < 0.03
    if "uniform" in init:
        assert 0.99 * 3 / np.sqrt(6) < np.abs(entries).max() <= 3 / np.sqrt(6)


def test_antisymmetric_has_entries_of_the_stated_size(study):
    read = study('weight_hh = { init = "antisymmetric", seed = "net" }\nbias_hh = "w"', axes=NETS)
    upper = built(read, net=np.arange(200))[0][:, *np.triu_indices(6, 1)]
    assert abs(upper.std() - 1 / np.sqrt(6)) < 0.05


def test_arrays_from_files(study, tmp_path):
    held = np.random.default_rng(0).normal(size=(3, 6, 6))
    np.save(tmp_path / "w.npy", held)
    read = study('weight_hh = { init = "file", file = "w.npy", gain = "w", seed = "net" }', axes="net = [0, 2]")
    np.testing.assert_array_equal(built(read)[1], 2.0 * held[[0, 2]])
    assert read.files().keys() == {"w.npy"}
    before = read.files()["w.npy"]
    np.save(tmp_path / "w.npy", held + 1)
    assert read.files()["w.npy"] != before


def test_gates_are_built_by_themselves(study):
    whole = built(study('weight_hh = { init = "orthogonal", gain = "w" }', kind="LSTM"))[0]
    gates = [whole[6 * i : 6 * i + 6] for i in range(4)]
    for gate in gates:
        np.testing.assert_allclose(gate.T @ gate, 0.25 * np.eye(6), atol=1e-14)
    assert not np.allclose(gates[0], gates[1])
    some = built(study('weight_hh = { o = { init = "orthogonal", gain = "w" }, f = 3.0 }', kind="LSTM"))[0]
    np.testing.assert_array_equal(some[18:], gates[3])
    np.testing.assert_array_equal(some[:18], np.repeat([0.0, 3.0, 0.0], 6)[:, None] * np.ones(6))
    bias = built(study('bias_hh = { f = "w", g = [1, 2, 3, 4, 5, "-w"] }', kind="LSTM"), "bias_hh")[1]
    np.testing.assert_array_equal(bias, [0] * 6 + [2] * 6 + [1, 2, 3, 4, 5, -2] + [0] * 6)


# --- inputs and starts ------------------------------------------------------------------------------------------------


def drive(study, first=0, begin=0, end=40, **axes):
    """Return the inputs of a block, of noise its numbers."""
    block = {axis: np.array(axes.get(axis, values.values)) for axis, values in study.axes.items()}
    found = Block(study, study.make_cell(), block, first).inputs(begin, end)
    return found.array(end - begin, 2, tuple(map(len, block.values()))) if isinstance(found, rd.Noise) else found


def test_inputs_are_what_they_say(study, tmp_path):
    assert drive(study(drive='kind = "none"')) is None
    constant = drive(study(drive='kind = "constant"\nvalue = ["w", 3]'))
    np.testing.assert_array_equal(constant, [[[0.5, 3.0]], [[2.0, 3.0]]])
    sine = drive(study(drive='kind = "sine"\namplitude = "w"\nperiod = 8\nphase = [0.0, 1.0]'))
    t = np.arange(40)[:, None]
    np.testing.assert_allclose(sine[1], 2 * np.sin(2 * np.pi * t / 8 + [0.0, 1.0]), atol=1e-14)
    held = np.random.default_rng(0).normal(size=(50, 2))
    np.save(tmp_path / "u.npy", held)
    read = study(drive='kind = "file"\nfile = "u.npy"\ngain = "w"')
    np.testing.assert_array_equal(drive(read, begin=10)[1], 2 * held[10:40])
    assert read.files().keys() == {"u.npy"}


def test_noise_belongs_to_grid_points(study):
    read = study(drive='kind = "normal"\nscale = "w"\nmean = 1.0')
    both = drive(read)
    np.testing.assert_array_equal(drive(read, first=1, w=[2.0])[0], both[1])
    unit = (both - 1.0) / np.array([0.5, 2.0])[:, None, None]
    assert abs(np.corrcoef(unit[0].ravel(), unit[1].ravel())[0, 1]) < 5 / np.sqrt(80)
    longer = study(drive='kind = "normal"\nscale = "w"\nmean = 1.0', run="transient = 100")
    np.testing.assert_array_equal(drive(longer), both)
    shared = drive(study(drive='kind = "normal"\nscale = 1.0\nshared = true'))
    np.testing.assert_array_equal(shared[0], shared[1])
    seeds = drive(study('bias_hh = "w"', 'kind = "normal"\nseed = "net"\nshared = true', axes=NETS), net=[1, 0, 1])
    np.testing.assert_array_equal(seeds[0, 0], seeds[0, 2])
    assert not np.any(seeds[0, 0] == seeds[0, 1])
    np.testing.assert_array_equal(drive(read, begin=7), both[:, 7:])
    long = drive(read, w=np.ones(50))
    assert long.shape == (50, 40, 2)
    assert abs((long - 1).std() - 1) < 5 / np.sqrt(2 * long.size)


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("0.5", [0.5] * 12),
        ('"-w"', [-2.0] * 12),
        ('{ c = "w" }', [0.0] * 6 + [2.0] * 6),
        ('{ h = [1, 2, 3, 4, 5, "w"] }', [1, 2, 3, 4, 5, 2.0] + [0.0] * 6),
    ],
)
def test_starts(study, written, state):
    read = study(run=f"initial_state = {written}", kind="LSTM")
    block = Block(read, read.make_cell(), {"w": np.array([2.0])}, 0)
    np.testing.assert_array_equal(np.broadcast_to(block.start(), (1, 12))[0], state)
    zero = Block(study(run='initial_state = "zero"'), read.make_cell(), {"w": np.array([2.0])}, 0).start()
    np.testing.assert_array_equal(np.broadcast_to(zero, (1, 12)), 0.0)


def test_trajectories_are_those_of_the_library(study):
    read = study('bias_ih = "w"', 'kind = "constant"\nvalue = 0.3', "transient = 10").model_copy()
    table = {"trajectory": {"last": 51, "at": {"w": 2.0}, "units": [1, 3]}}
    measure = type(read.measure).model_validate(table)
    run = read.run.model_copy(update={"device": "python"})
    read = read.model_copy(update={"measure": measure, "run": run})
    found = sweep(read, progress=False)["trajectory"]
    assert found.dims == ("step", "component")
    assert found["component"].values.tolist() == [1, 3]
    start = Block(read, read.make_cell(), {"w": read.axes["w"].values}, 0).start()[1]
    inputs = np.full((1, 2), 0.3)
    states = rd.trajectory(rd.Elman(6, 2), {"bias_ih": np.full(6, 2.0)}, steps=50, inputs=inputs, state=start)
    np.testing.assert_allclose(found.values, states[:, [0, 2]], atol=1e-14)


# --- cells of one's own -----------------------------------------------------------------------------------------------

OWN = """
[cell]
kind = "{kind}"
{units}
[axes]
a = [1.2, 1.4]
[weights]
alpha = "a"
[run]
steps = 50
[measure.lyapunov]
"""


@pytest.fixture
def own(tmp_path):
    """Return a function that reads a study of the cells in henon.py."""
    text = FILES["henon.py"] + "\n\nready = Henon(1)\nnothing = 3\n"
    (tmp_path / "henon.py").write_text(text, encoding="utf-8")

    def read(kind="henon.py:Henon", units="units = 1"):
        (tmp_path / "try.toml").write_text(OWN.format(kind=kind, units=units), encoding="utf-8")
        return read_study(tmp_path / "try.toml")

    return read


def test_a_cell_in_a_file(own, tmp_path):
    for study in (own(), own("henon.py:ready", "")):
        cell = study.make_cell()
        assert (cell.name, cell.parameters["beta"]) == ("Henon", 0.3)
        assert study.files().keys() == {"henon.py"}
    assert own(units="units = 1\nbeta = 0.2").make_cell().parameters["beta"] == 0.2
    before = study.files()
    (tmp_path / "henon.py").write_text(FILES["henon.py"].replace("beta: float = 0.3", "beta: float = 0.1"))
    assert own().make_cell().parameters["beta"] == 0.1
    assert study.files() != before


@pytest.mark.parametrize(
    ("kind", "units", "words"),
    [
        ("henon.py:Hénon", "units = 1", "henon.py defines no cell 'Hénon'; did you mean 'Henon'?"),
        ("henon.py:nothing", "units = 1", "defines no cell 'nothing'"),
        ("hennon.py:Henon", "units = 1", "no file hennon.py beside the study; did you mean 'henon.py'?"),
        ("henon.py", "units = 1", 'which cell of it? Write "henon.py:Name"'),
        ("henon.py:ready", "units = 2", "[cell] units = 2: ready in henon.py has units = 1"),
        ("henon.py:ready", "beta = 0.2", "[cell] beta: ready is a ready cell, not a class"),
        ("henon.py:Henon", "", "[cell] units is missing"),
        ("henon.py:Henon", "units = 1\ngamma = 2", "[cell] gamma: Henon has no such keyword"),
        ("broken.py:Henon", "units = 1", "running broken.py failed at line 2: ZeroDivisionError"),
        ("unclear.py:Henon", "units = 1", "running unclear.py failed at line 1: SyntaxError"),
    ],
)
def test_mistakes_with_a_cell_in_a_file(own, tmp_path, kind, units, words):
    (tmp_path / "broken.py").write_text("x = 1\n1 / 0\n")
    (tmp_path / "unclear.py").write_text("def f(:\n")
    with pytest.raises(InputError) as caught:
        own(kind, units)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "try.toml"))


MISTAKES = [
    ({"weights": 'weight_hh = { gain = "w" }'}, "init is missing: one of 'normal', 'uniform'"),
    ({"weights": 'weight_hh = { init = "rotation", angel = "w" }'}, "unknown key 'angel'; did you mean 'angle'?"),
    ({"weights": 'weight_hh = { init = "sparse", gain = "w" }'}, "density is missing"),
    ({"weights": 'weight_hh = { init = "sparse", density = 2.0 }\nbias_hh = "w"'}, "density = 2.0: expected at most 1"),
    ({"weights": 'weight_hh = { init = "normal", seed = 0.5, gain = "w" }'}, "seed = 0.5: seeds must be whole"),
    ({"weights": 'weight_hh = { init = "identity", seed = 1, gain = "w" }'}, "unknown key 'seed'"),
    ({"weights": 'bias_hh = { init = "orthogonal", gain = "w" }'}, "this initialiser makes a matrix, not 6"),
    ({"weights": 'weight_ih = { init = "identity", gain = "w" }'}, "makes a square matrix, not 6 x 2"),
    ({"weights": 'weight_hh = { init = "file", file = "v.npy", gain = "w" }'}, "no file v.npy beside the study"),
    ({"weights": 'weight_hh = { init = "file", file = "t.npy", gain = "w" }'}, "t.npy is not an array of numbers"),
    (
        {"weights": 'weight_hh = { init = "file", file = "u.npy", gain = "w" }'},
        "u.npy has the shape 5, needed is 6 x 6",
    ),
    ({"weights": "bias_hh = { q = 1.0 }", "kind": "LSTM"}, "LSTM has no gate 'q'; known: i, f, g, o, init"),
    ({"weights": 'bias_hh = { f = "v" }', "kind": "LSTM"}, "gate f: 'v' is no axis"),
    ({"weights": "bias_hh = { f = [1] }", "kind": "LSTM"}, "gate f: its shape is 1, the cell needs 6"),
    ({"weights": "bias_hh = {}"}, "the table is empty"),
    ({"drive": 'kind = "noise"'}, "[inputs]: kind = 'noise': expected one of 'none', 'constant', 'normal'"),
    ({"drive": "value = 1"}, "[inputs]: kind is missing"),
    ({"drive": 'kind = "constant"'}, "[inputs]: value is missing"),
    ({"drive": 'kind = "constant"\nvalue = [1]'}, "[inputs] value = (1,): its shape is 1, the cell needs 2"),
    ({"drive": 'kind = "sine"\nperiod = 0'}, "[inputs] period: 0 steps is no period"),
    ({"drive": 'kind = "normal"\nscale = "v"'}, "[inputs] scale = 'v': 'v' is no axis"),
    ({"drive": 'kind = "normal"\nseed = "-w"'}, "seeds, which must be whole numbers"),
    ({"drive": 'kind = "file"\nfile = "u.npy"'}, "[inputs] u.npy has the shape 5, needed is steps x 2"),
    ({"drive": 'kind = "file"\nfile = "s.npy"'}, "[inputs] s.npy holds 5 steps, the study runs 40"),
    ({"run": 'initial_state = "rnadom"'}, "did you mean 'random'?"),
    ({"run": "initial_state = [1, 2]"}, "[run] initial_state = [1, 2]: its shape is 2, the cell needs 6"),
    ({"run": "initial_state = { c = 1 }"}, "Elman has no field 'c'"),
    ({"run": "[measure.attractors]", "drive": 'kind = "constant"\nvalue = 1'}, "attractors are those of the undriven"),
    ({"run": "[measure.gradient]\nhorizon = 8\nlags = [4, 2]"}, "lags = [4, 2]: its values must rise"),
    ({"run": "[measure.gradient]\nhorizon = 8\nlags = [4, 9]"}, "9 is beyond the horizon of 8"),
    ({"run": '[measure.gradient]\nhorizon = 8\nloss = "c"'}, "loss = 'c': no field of the state"),
    ({"run": "[measure.gradient]\nhorizon = 8\nslope = true"}, "slope needs a horizon of at least 64"),
    ({"run": "[measure.trajectory]\nlast = 42"}, "last = 42: 40 steps have 41 states"),
    ({"run": '[measure.trajectory]\nfields = ["c"]'}, "Elman has no field 'c'"),
    ({"run": "[measure.trajectory]\nunits = [7]"}, "there is no unit 7, only 6"),
    ({"run": "[measure.trajectory]\nat = { v = 1 }"}, "at.v = 1: no axis 'v'"),
    ({"run": "[measure.trajectory]\nat = { w = 9 }"}, "at.w = 9: this axis goes from 0.5 to 2"),
]


@pytest.mark.parametrize(("parts", "words"), MISTAKES, ids=[words for _, words in MISTAKES])
def test_every_mistake_gets_its_sentence(study, tmp_path, parts, words):
    np.save(tmp_path / "u.npy", np.zeros(5))
    np.save(tmp_path / "s.npy", np.zeros((5, 2)))
    (tmp_path / "t.npy").write_text("no array")
    with pytest.raises(InputError) as caught:
        study(**parts)
    assert words in str(caught.value)
    assert "try.toml: " in str(caught.value)
    assert "pydantic" not in str(caught.value)
