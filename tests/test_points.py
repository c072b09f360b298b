"""Single points of a grid equal those of the sweep to the bit; the studies of the repository meet their theory."""

from pathlib import Path

import numpy as np
import pytest
from support import same_bits

from rnndyn.errors import InputError
from rnndyn.sweep import read_study, sweep
from rnndyn.sweep.found import find_numbers
from rnndyn.sweep.points import points

STUDIES = Path(__file__).parents[1] / "studies"
STUDY = """
[cell]
kind = "Elman"
units = 8
inputs = 1
[axes]
gain = [0.5, 1.5, 3.0]
seed = [0, 1]
[weights]
weight_hh = { init = "normal", gain = "gain", seed = "seed" }
weight_ih = 1.0
[inputs]
kind = "normal"
scale = "gain"
seed = "seed"
[run]
steps = 100
transient = 20
[measure.lyapunov]
k = 3
[measure.gradient]
horizon = 64
[measure.trajectory]
at = { gain = 1.5 }
last = 30
"""


def test_points_are_those_of_the_sweep(tmp_path):
    (tmp_path / "try.toml").write_text(STUDY, encoding="utf-8")
    study = read_study(tmp_path / "try.toml")
    whole = sweep(study, progress=False)
    found = points(study, [{"gain": 1.4, "seed": 1}, {"gain": 3.0, "seed": 0}])
    assert found["index"].values.tolist() == [3, 4]
    assert found["gain"].values.tolist() == [1.5, 3.0]
    for number, place in enumerate([{"gain": 1, "seed": 1}, {"gain": 2, "seed": 0}]):
        one, there = found.isel(point=number), whole.isel(place)
        for name in ("exponents", "exponents_stderr", "status", "gradient_status"):
            assert same_bits(one[name], there[name]), name
        assert same_bits(one["log_norms"][-1], there["log_norms"][0])
    assert same_bits(found["orbit"][0, -30:], whole["trajectory"][1])
    assert found["orbit"].sizes == {"point": 2, "step": 121, "component": 8}
    assert found["component_name"].values.tolist() == [f"h{unit}" for unit in range(1, 9)]
    halves = points(study, [{"gain": 1.4, "seed": 1}, {"gain": 3.0, "seed": 0}, {"gain": 3.0, "seed": 1}], threads=3)
    for name in found.data_vars:
        assert same_bits(halves[name][:2], found[name]), name
    alone = points(study, {"gain": 1.5, "seed": 1}, last=10, horizon=32)
    assert (alone.sizes["step"], alone.sizes["lag"]) == (10, 33)
    assert same_bits(alone["orbit"], found["orbit"][0, -10:])
    assert points(study, {})["index"].item() == 3


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ({"gian": 1.0}, "at gian = 1: no axis 'gian'; did you mean 'gain'?"),
        ({"gain": 9.0}, "at gain = 9: this axis goes from 0.5 to 3"),
        ([], "no point is named"),
    ],
)
def test_points_that_are_not_there(tmp_path, at, words):
    (tmp_path / "try.toml").write_text(STUDY, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        points(read_study(tmp_path / "try.toml"), at)
    assert words in str(caught.value)


def numbers(name, **overrides):
    """Sweep a study of the repository, or a part of it; returns (result, {label: number})."""
    study = read_study(STUDIES / f"{name}.toml", {key.replace("__", "."): value for key, value in overrides.items()})
    dataset = sweep(study, progress=False)
    return dataset, {found.label: found for found in find_numbers(dataset, study)}


def test_powers_of_1_1_and_0_9():
    dataset, found = numbers("gradient_powers")
    assert found["1.1 to the 100th, by back-propagation"].value == pytest.approx(13780.61233982227, rel=1e-10)
    assert found["0.9 to the 100th, by back-propagation"].value == pytest.approx(2.6561398887587476e-05, rel=1e-10)
    off = [number.off for number in found.values() if number.off is not None]
    assert len(off) >= 2
    assert max(off) < 1e-10
    np.testing.assert_allclose(dataset["exponents"][:, 0], np.log(dataset["w"]), atol=1e-13)


def test_gradients_grow_at_the_rate_of_the_largest_exponent():
    dataset, found = numbers("gradient_depth", axes__gain__num=8, axes__net=list(range(8)))
    agree = next(number for label, number in found.items() if "rate of their largest exponent" in label)
    assert agree.value >= 0.95
    apart = (dataset["gradient_slope"] - dataset["exponents"][..., 0]).values
    assert np.all(np.abs(apart) < 0.1)
    assert np.median(np.abs(apart)) < 1e-3
    assert np.median(np.abs(dataset["exponents"][..., 0])) > 0.05


def test_forget_gates_of_90_and_99_percent():
    dataset, found = numbers("forget_gate", axes__net=[0, 1], axes__gain=[0.0, 0.5])
    assert found["Forget gate 0.90, sequence of 500: what is left"].value == pytest.approx(0.9**499, rel=1e-10)
    assert found["Forget gate 0.99, sequence of 500: what is left"].value == pytest.approx(0.99**499, rel=1e-10)
    alone = dataset["log_norms"].sel(gain=0.0, net=0)
    expected = -dataset["lag"].values * np.log1p(np.exp(-dataset["b"].values[:, None]))
    np.testing.assert_allclose(alone, expected, rtol=1e-12, atol=1e-13)
    assert np.all(dataset["log_norms"].sel(gain=0.5, lag=499).mean("net") > alone.sel(lag=499))
