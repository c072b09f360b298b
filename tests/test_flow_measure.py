"""The flow beside the step, and the step at which stability is lost, as variables of a study."""

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp

import rnndyn as rd
from rnndyn.errors import InputError
from rnndyn.sweep import grid, read_study, sweep
from rnndyn.sweep.measures import flow as flows

STUDY = """
[cell]
kind = "Leaky"
units = 2
step = "method"
[axes]
dt = [0.0625, 0.125, 0.25]
method = ["euler", "rk4"]
w = [-1.0, 0.5]
[weights]
weight_hh = [[0.2, "w"], [0.9, -0.5]]
bias_hh = 0.3
dt = "dt"
[run]
steps = 10
initial_state = [0.4, -0.2]
[measure.flow]
time = 1.0
"""
WEIGHTS = np.array([[[0.2, w], [0.9, -0.5]] for w in (-1.0, 0.5)])
LINEAR = (
    ('kind = "Leaky"', 'kind = "LinearFlow"'),
    ('weight_hh = [[0.2, "w"], [0.9, -0.5]]\nbias_hh = 0.3', 'weight_hh = [[0.0, -2.0], [2.0, 0.0]]\nrate = "w"'),
)


@pytest.fixture
def study(tmp_path):
    """Return a function that reads STUDY with replacements, to run uncompiled."""

    def read(*replacements, python=True):
        text = STUDY
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "try.toml").write_text(text, encoding="utf-8")
        read = read_study(tmp_path / "try.toml")
        return read.model_copy(update={"run": read.run.model_copy(update={"device": "python"})}) if python else read

    return read


def test_the_step_is_held_against_the_flow(study):
    """An integration of our own of the same formula, and steps by hand."""
    dataset = sweep(study(), progress=False)
    assert dataset["state_error"].dims == ("method", "dt", "w")
    assert dataset["flow_exponents"].dims == ("w", "exponent")
    assert dataset["flow_status"].dims == ("w",)
    for place, weight in enumerate(WEIGHTS):

        def rate(t, s, weight=weight):
            return -s + np.tanh(weight @ s + 0.3)

        end = solve_ivp(rate, (0.0, 1.0), [0.4, -0.2], "Radau", rtol=1e-9, atol=1e-11).y[:, -1]
        for dt in (0.0625, 0.25):
            s = np.array([0.4, -0.2])
            for _ in range(round(1 / dt)):
                s = s + dt * rate(0, s)
            found = dataset["state_error"].sel({"method": "euler", "dt": dt}).values[place]
            assert found == pytest.approx(np.linalg.norm(s - end), rel=1e-4)
    fourth = dataset["state_error"].sel({"method": "rk4"}).transpose("dt", "w").values
    assert np.all((fourth[1:] / fourth[:-1] > 12) & (fourth[1:] / fourth[:-1] < 22))
    told = rd.convergence(
        rd.Leaky(2),
        {"weight_hh": WEIGHTS, "bias_hh": 0.3 * np.ones(2)},
        time=1.0,
        steps=[4, 8, 16],
        state=[0.4, -0.2],
        device="python",
    )
    off = dataset["exponent_error"].sel({"method": "euler"}).transpose("w", "dt", "exponent").values
    np.testing.assert_allclose(np.linalg.norm(off, axis=-1)[:, ::-1], told.exponent_error, rtol=1e-6)


def test_exponents_of_a_linear_flow(study):
    """w +- 2i: the flow's exponents are w, a step's ln |R(dt lambda)| / dt; of the same frame, so over any time."""
    dataset = sweep(study(*LINEAR), progress=False)
    np.testing.assert_allclose(dataset["flow_exponents"].values, [[-1.0, -1.0], [0.5, 0.5]], atol=1e-9)
    z = dataset["dt"].values[:, None] * (np.array([-1.0, 0.5]) + 2j)
    growth = {"euler": 1 + z, "rk4": 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24}
    for name, factor in growth.items():
        exact = np.log(np.abs(factor)) / dataset["dt"].values[:, None] - np.array([-1.0, 0.5])
        found = dataset["exponent_error"].sel({"method": name}).transpose("exponent", "dt", "w").values
        np.testing.assert_allclose(found, [exact, exact], atol=1e-9)


def test_blocks_do_not_matter_and_each_flow_is_integrated_once(study, tmp_path, monkeypatch):
    whole = sweep(study(), progress=False)
    monkeypatch.setattr(grid, "MOST", 1)
    calls, real = [], flows.Reference._flow

    def counted(self, block, weights, index):
        before = len(flows.FLOWS)
        found = real(self, block, weights, index)
        calls.append(len(flows.FLOWS) - before)
        return found

    monkeypatch.setattr(flows.Reference, "_flow", counted)
    flows.FLOWS.clear()
    parts = sweep(study(), directory=tmp_path / "out", progress=False)
    xr.testing.assert_identical(whole.drop_attrs(), parts.drop_attrs())
    assert len(calls) == 12
    assert sum(calls) == 2  # one for each w
    assert np.isfinite(parts["flow_exponents"]).all()


def test_what_blows_up_is_not_a_number_and_harms_nobody(study):
    """ds/dt = w s from a thousand, with steps that are too large for w = -80 and right for w = -1."""
    stiff = sweep(
        study(*LINEAR, ("w = [-1.0, 0.5]", "w = [-80.0, -1.0]"), ("time = 1.0", "time = 3.0")), progress=False
    )
    euler = stiff.sel({"method": "euler", "dt": 0.25})
    assert np.isnan(euler["exponent_error"].sel(w=-80.0)).all()
    assert np.isnan(euler["state_error"].sel(w=-80.0))
    assert np.isfinite(euler["exponent_error"].sel(w=-1.0)).all()
    assert stiff["flow_status"].values.tolist() == [0, 0]


SHORT = ("w = [-1.0, 0.5]", "w = [0.5]"), ("time = 1.0", "time = 0.25")
CRITICAL = ("[measure.flow]\ntime = 1.0\n", "[measure.critical_step]\nsettle = 40\n")


def test_the_step_at_which_stability_is_lost(study):
    swaps = [*LINEAR, CRITICAL, ("w = [-1.0, 0.5]", "w = [-3.0, -1.0, 0.5]"), ('"rk4"]', '"midpoint", "rk4"]')]
    dataset = sweep(study(*swaps), progress=False)
    assert dataset["critical_step"].dims == ("method", "w")
    rate = np.array([-3.0, -1.0]) + 2j
    euler = dataset["critical_step"].values[0]
    np.testing.assert_allclose(euler[:2], -2 * rate.real / np.abs(rate) ** 2, rtol=1e-12)
    assert np.isnan(euler[2])
    assert dataset["critical_status"].values.tolist() == [[0, 0, 1]] * 3
    for name, row in zip(("midpoint", "rk4"), dataset["critical_step"].values[1:], strict=True):
        z = row[:2] * rate
        last = {"midpoint": 1 + z + z**2 / 2, "rk4": 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24}[name]
        np.testing.assert_allclose(np.abs(last), 1.0, rtol=1e-9)
    np.testing.assert_allclose(dataset["critical_step_formula"].values, dataset["critical_step"].values, rtol=1e-9)
    assert np.nanmax(dataset["critical_step_difference"].values) < 1e-9
    angle = np.angle(1 + euler[:2] * rate)
    np.testing.assert_allclose(dataset["critical_angle"].values[0, :2], np.abs(angle), atol=1e-6)
    assert {"long_name", "units", "how"} <= set(dataset["critical_step"].attrs)


MISTAKES = [
    ([('kind = "Leaky"\nunits = 2\nstep = "method"', 'kind = "Elman"\nunits = 2'), ('method = ["euler", "rk4"]\n', ""),
      ("dt = [0.0625, 0.125, 0.25]\n", ""), ('dt = "dt"\n', "")], "[measure.flow]: Elman is no step of a vector field"),
    ([("initial_state = [0.4, -0.2]\n", "")], "step and flow start alike: give [run] initial_state"),
    ([("time = 1.0", "time = 1.1")], "time = 1.1: no whole number of steps dt = 0.0625; take steps such as 0.11,"),
    ([("time = 1.0", "time = 0.125")], "time = 0.125: no whole number of steps dt = 0.25"),
    ([("[0.0625, 0.125, 0.25]", "[-0.25, 0.25]")], "no whole number of steps dt = -0.25"),
    ([("time = 1.0", "time = 1.0\nk = 3")], "[measure.flow] k = 3: this cell has 2 exponents"),
    ([("time = 1.0", "time = -1.0")], "[measure.flow] time = -1.0: expected above 0"),
    ([("units = 2", "units = 2\ninputs = 1"), ("[run]", '[inputs]\nkind = "sine"\nperiod = 5\n[run]')],
     "[measure.flow]: the flow has constant inputs only"),
    ([CRITICAL, ("units = 2", "units = 2\ninputs = 1"), ("[run]", '[inputs]\nkind = "sine"\nperiod = 5\n[run]')],
     '[measure.critical_step]: give [inputs] kind = "constant"'),
]  # fmt: skip


@pytest.mark.parametrize(("replacements", "words"), MISTAKES, ids=[words for _, words in MISTAKES])
def test_every_mistake_gets_its_sentence(study, replacements, words):
    with pytest.raises(InputError) as caught:
        study(*replacements)
    assert words in str(caught.value)


def test_a_constant_input_reaches_the_flow(study):
    """The same as a bias."""
    driven = study(
        ("units = 2", "units = 2\ninputs = 1"),
        ("bias_hh = 0.3", "weight_ih = 1.0"),
        ("[run]", '[inputs]\nkind = "constant"\nvalue = 0.3\n[run]'),
    )
    np.testing.assert_allclose(
        sweep(driven, progress=False)["state_error"], sweep(study(), progress=False)["state_error"], rtol=1e-6
    )


def test_the_axes_that_the_flow_lacks(study):
    """Kinds of cells have flows of their own; so has whatever else the axis of dt is used for."""
    kinds = study(
        ('kind = "Leaky"', 'kind = "cell"'),
        ('step = "method"\n', ""),
        ('method = ["euler", "rk4"]', 'cell = ["Leaky", "Rate"]'),
        *SHORT,
    )
    dataset = sweep(kinds, progress=False)
    assert dataset["flow_exponents"].dims == ("cell", "w", "exponent")
    assert not np.allclose(*dataset["flow_exponents"].values, atol=1e-3)
    both = sweep(study(("bias_hh = 0.3", 'bias_hh = "dt"'), *SHORT), progress=False)
    assert both["flow_exponents"].dims == ("dt", "w", "exponent")
    same = both["state_error"].sel({"dt": 0.25}).values
    other = (
        sweep(study(("bias_hh = 0.3", "bias_hh = 0.25"), *SHORT), progress=False)["state_error"]
        .sel({"dt": 0.25})
        .values
    )
    np.testing.assert_allclose(same, other, rtol=1e-7)
