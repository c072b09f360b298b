"""`rd.refine`: the labels of the full map from few points, the same bits, resumable, and errors in sentences."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_dynamics import Attractors, Fake, Lyapunov
from support import same_bits

import rnndyn as rd
from rnndyn.errors import InputError
from rnndyn.report.boundaries import boundary_distances
from rnndyn.sweep import grid, read_study
from rnndyn.sweep.curves import CURVES
from rnndyn.sweep.estimate import estimate
from rnndyn.sweep.refined import open_refined

STUDIES = Path(__file__).parents[1] / "studies"
STUDY = """
[cell]
kind = "Elman"
units = 1
[axes]
net = [0, 1, 2]
w = { start = -4.0, stop = 4.0, num = 9 }
b = { start = -1.0, stop = 1.0, num = 6 }
[weights]
weight_hh = [["w"]]
bias_hh = "b"
bias_ih = "net"
[run]
steps = 20
[measure.lyapunov]
[measure.gradient]
horizon = 5
[measure.attractors]
[refine]
variable = ["attractors", "period"]
num = { w = 129, b = 65 }
coarse = 17
"""
PLAIN = STUDY.replace("net = [0, 1, 2]\n", "").replace('bias_ih = "net"\n', "")


@pytest.fixture
def study(tmp_path):
    """Return the path of a study of one tanh unit, without the axis that is held."""
    path = tmp_path / "try.toml"
    path.write_text(PLAIN, encoding="utf-8")
    return path


class Round(Fake):
    """Exponents that change sign on a circle about (0.4, 0.1), are zero on a line, and NaN in a corner."""

    def lyapunov(self, cell, weights, *, progress, first_index=0, **options):
        w, b = self._call("lyapunov", weights, progress, first_index=first_index, **options)
        value = (w - 0.4) ** 2 / 4 + (b - 0.1) ** 2 - 0.4
        value = np.where((w > 3) & (b > 0.5), np.nan, value)
        return Lyapunov(
            value[..., None], np.full((*w.shape, 1), 0.05), np.zeros(w.shape, np.int8), np.full(w.shape, 20)
        )


FINE = {"axes.w.num": 129, "axes.b.num": 65}


def test_labels_and_bits_are_those_of_the_full_sweep(tmp_path, monkeypatch):
    path = tmp_path / "try.toml"
    path.write_text(STUDY.replace("[refine]", '[refine]\nsign_of = "exponents"'), encoding="utf-8")
    Fake().install(monkeypatch)
    full = rd.sweep(path, progress=False, overrides=FINE).isel(net=2)
    fake = Fake().install(monkeypatch)
    found = rd.refine(path, progress=False, overrides={"refine.at": {"net": 2}})
    assert {name for name, _ in fake.calls} == {"lyapunov", "attractors"}  # no gradient: no label needs it
    for name in ("attractors", "period"):
        np.testing.assert_array_equal(found[name], full[name])
        assert found[name].attrs == full[name].attrs
        assert found[name].dtype == np.int8
    np.testing.assert_array_equal(found["exponents_sign"], np.sign(full["exponents"][..., 0]))
    at = {"w": found["point_w"], "b": found["point_b"]}
    for name in ("exponents", "exponents_stderr", "status", "steps", "attractors_status"):
        assert same_bits(found[name], full[name].sel(at)), (
            name
        )  # exponents draw from the seed and the fine grid's index
    assert found["index"].values.tolist() == sorted(found["index"].values.tolist())
    np.testing.assert_array_equal(found["level"].sel(at) >= 0, True)
    assert found.sizes["point"] == int((found["level"] >= 0).sum()) < 0.5 * 129 * 65
    assert found["net"].item() == 2
    assert json.loads(found.attrs["manifest"])["finished"] is False  # in memory, nothing is kept


def test_the_sign_of_an_exponent(study, monkeypatch):
    Round().install(monkeypatch)
    change = {"refine.variable": [], "refine.sign_of": ["exponents"]}
    full = rd.sweep(study, progress=False, overrides=FINE)
    value = full["exponents"][..., 0].values
    found = rd.refine(study, progress=False, overrides=change)
    expected = np.where(np.isnan(value), 2, np.sign(np.nan_to_num(value)))
    np.testing.assert_array_equal(found["exponents_sign"], expected)
    assert set(np.unique(expected)) >= {-1, 1, 2}
    assert found["exponents_sign"].attrs["flag_meanings"].split() == ["below_zero", "zero", "above_zero", "unknown"]
    wide = rd.refine(study, progress=False, overrides=change | {"refine.errors": 2.0})
    expected = np.where(np.abs(value) <= 2 * 0.05, 0, expected)
    np.testing.assert_array_equal(wide["exponents_sign"], expected)
    assert np.sum(expected == 0) > 50
    assert wide["exponents_sign"].attrs["flag_meanings"].split()[1] == "within_2_errors_of_zero"


def test_the_bits_do_not_depend_on_threads_and_calls(study, monkeypatch):
    study.write_text(PLAIN.replace("w = 129, b = 65", "w = 65, b = 33"), encoding="utf-8")
    full = rd.sweep(study, progress=False, overrides={"axes.w.num": 65, "axes.b.num": 33, "run.steps": 200})
    one = rd.refine(study, progress=False, threads=1, overrides={"run.steps": 200})
    monkeypatch.setattr(grid, "MOST", 50)
    two = rd.refine(study, progress=False, threads=2, overrides={"run.steps": 200})
    for name in one.variables:
        assert same_bits(one[name], two[name]), name
    for name in ("attractors", "period"):
        np.testing.assert_array_equal(one[name], full[name])
    assert set(np.unique(one["period"])) >= {1, 2}
    distances = [
        boundary_distances(one[curve.jumps].values, one["w"].values, one["b"].values, curve)
        for curve in (CURVES["tanh_fold"], CURVES["tanh_flip"])
    ]
    assert all(found.to_curve <= 1.0 for found in distances)


def content(directory):
    return {
        str(p.relative_to(directory)): p.read_bytes()
        for p in directory.rglob("*")
        if p.is_file() and "json" not in p.name
    }


def test_an_interrupt_loses_at_most_a_level(study, monkeypatch, tmp_path):
    whole = Fake().install(monkeypatch)
    expected = rd.refine(study, progress=False, directory=tmp_path / "whole", threads=1).load()
    asked = sum(np.size(options["first_index"]) for _, options in whole.calls)
    broken = Fake(fuse=3).install(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        rd.refine(study, progress=False, directory=tmp_path / "a")
    assert open_refined(tmp_path / "a") is None
    rest = Fake().install(monkeypatch)
    found = rd.refine(study, progress=False, directory=tmp_path / "a", threads=1)
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())
    done = [sum(np.size(options["first_index"]) for _, options in fake.calls) for fake in (broken, rest)]
    assert done[0] > 0
    assert done[1] < asked <= sum(done) < asked + done[1]
    assert content(tmp_path / "a") == content(tmp_path / "whole")
    assert not list((tmp_path / "a").glob("refined.pa*"))
    again = Fake().install(monkeypatch)
    opened = rd.refine(study, progress=False, directory=tmp_path / "a")
    assert not again.calls
    assert json.loads(opened.attrs["manifest"])["finished"]


def test_what_is_left_of_another_map_is_not_taken_over(study, monkeypatch, tmp_path):
    Fake(fuse=3).install(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        rd.refine(study, progress=False, directory=tmp_path / "a")
    (tmp_path / "a" / "refined.json").unlink()  # as where `fresh` was killed
    change = {"weights.bias_hh": "-b", "axes.b.stop": 1.5}
    Fake().install(monkeypatch)
    expected = rd.refine(study, progress=False, overrides=change)
    found = rd.refine(study, progress=False, overrides=change, directory=tmp_path / "a")
    xr.testing.assert_identical(found.drop_attrs(), expected.drop_attrs())


def test_a_folder_holds_one_map(study, monkeypatch, tmp_path):
    Fake().install(monkeypatch)
    rd.refine(study, progress=False, directory=tmp_path / "a")
    with pytest.raises(
        InputError, match=r"holds another refined map: study.axes.w.num is 129 there and 33 here .and 1 more.; use --fr"
    ):
        rd.refine(study, progress=False, directory=tmp_path / "a", overrides={"refine.num": 33})
    with pytest.raises(InputError, match=r"refine.margin is 1 there and 2 here"):
        rd.refine(study, progress=False, directory=tmp_path / "a", overrides={"refine.margin": 2})
    other = rd.refine(study, progress=False, directory=tmp_path / "a", overrides={"refine.num": 33}, fresh=True)
    assert other.sizes["w"] == 33
    result = rd.sweep(study, progress=False, directory=tmp_path / "a")  # a sweep beside it
    assert result.sizes["w"] == 9
    assert open_refined(tmp_path / "a", result) is not None  # whatever its resolution
    another = rd.sweep(study, progress=False, overrides={"run.seed": 1})
    assert open_refined(tmp_path / "a", another) is None
    (tmp_path / "b").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        rd.refine(study, progress=False, directory=tmp_path / "b")


def test_progress_counts_to_the_end(study, monkeypatch):
    Fake().install(monkeypatch)
    seen = []
    rd.refine(study, progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == pytest.approx(seen[-1][1], rel=0.2)
    assert all(done <= total * (1 + 1e-12) for done, total in seen)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["attractors", "period"]', '"atractors"', "[refine] variable = 'atractors': this study does not measure"),
        ('["attractors", "period"]', '"exponents"', "'exponents': it is no label, a whole number; where its"),
        ('["attractors", "period"]', "[]", "[refine]: variable is missing (or sign_of)"),
        ("variable = ", 'sign_of = "period"\nvariable = ', "sign_of = 'period': it has whole numbers; where they"),
        ("variable = ", 'sign_of = "exponents"\nindex = 2\nvariable = ', "[refine] index = 2: 1 exponents are kept"),
        ("{ w = 129, b = 65 }", "{ w = 129, c = 65 }", "[refine] num.c: this axis is not refined; known: w, b"),
        ("{ w = 129, b = 65 }", "{ w = 129 }", "[refine] num: points along b are missing; give num.b too"),
        ("{ w = 129, b = 65 }", "1", "[refine] num = 1: expected at least 2"),
        ("{ w = 129, b = 65 }", "{ w = 1 }", "[refine] num.w = 1: expected at least 2"),
        ("{ w = 129, b = 65 }", '"many"', "[refine] num = 'many': expected a whole number or a table"),
        ("coarse = 17", "coarse = 70", "[refine] coarse: 70 points along b to begin with, num asks for 65"),
        ("coarse = 17", 'x = "z"', "[refine] x = 'z': no such axis; known: net, w, b"),
        ("coarse = 17", 'y = "net"', "[refine] y = 'net': only an axis of start, stop and num can be refined, no list"),
        ("coarse = 17", 'x = "w"\ny = "w"', "[refine] x and y are both 'w'; a map needs two axes"),
        ("coarse = 17", "at = { w = 1.0 }", "[refine]: two axes of start, stop and num are needed"),
        ("coarse = 17", 'x = "w"\nat = { w = 1.0 }', "[refine] at.w: this axis is refined as well; do one of them"),
        ("coarse = 17", "at = { net = 7 }", "[refine] at net = 7: this axis goes from 0 to 2"),
        ("coarse = 17", "levels = 3", "unknown key 'levels' in [refine]"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_a_sentence(tmp_path, old, new, words):
    assert old in STUDY
    path = tmp_path / "try.toml"
    path.write_text(STUDY.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_study(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_without_the_table_is_told_what_to_add(tmp_path):
    path = tmp_path / "try.toml"
    path.write_text(STUDY.split("[refine]")[0], encoding="utf-8")
    with pytest.raises(InputError, match=r"try.toml has no table \[refine\]: add one with variable"):
        rd.refine(path)
    with pytest.raises(InputError, match="threads = 0"):
        rd.refine(path, threads=0)


def test_a_map_beyond_the_memory_is_refused(study, monkeypatch):
    monkeypatch.setenv("RNNDYN_MEMORY", "100K")
    with pytest.raises(
        InputError, match=r"num: a map of 129 x 65 points takes about 213 KiB of memory, and 100 KiB may"
    ):
        rd.refine(study, progress=False)


def test_noise_has_no_borders_to_follow(study, monkeypatch):
    def ragged(self, cell, weights, *, first_index, progress, **options):
        w, _ = self._call("attractors", weights, progress, first_index=first_index, **options)
        count = np.reshape(np.asarray(first_index) * 2654435761 // 65536 % 2 + 1, w.shape).astype(np.int32)
        return Attractors(count, np.ones(w.shape, np.int32), np.zeros(w.shape, np.int8))

    monkeypatch.setattr(Fake, "attractors", ragged)
    Fake().install(monkeypatch)
    with pytest.raises(
        InputError, match=r"\[refine\] most = 0.5: on 65 x 33 points borders pass through .* try a smaller"
    ):
        rd.refine(study, progress=False)
    assert rd.refine(study, progress=False, overrides={"refine.most": 1.0}).sizes["point"] > 0.9 * 129 * 65


def test_check_tells_where_it_begins(study):
    told = dict(estimate(read_study(study), timing=False).lines())
    assert told["refined"].startswith("289 points of 129 x 65 to begin with")


@pytest.mark.slow
def test_4096_points_along_both_axes():
    found = rd.refine(STUDIES / "scalar_borders.toml", progress=False)
    assert found["attractors"].shape == (4096, 4096)
    assert found.sizes["point"] <= 0.05 * 4096**2
    for name in ("tanh_fold", "tanh_flip"):
        curve = CURVES[name]
        off = boundary_distances(found[curve.jumps].values, found["w"].values, found["b"].values, curve)
        assert off.to_curve <= 0.51
        assert off.to_border <= 1.0
        assert off.pieces > 4000
