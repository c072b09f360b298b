"""The refined map on the page and on the command line: what it says, draws and leaves."""

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from fake_dynamics import Fake
from PIL import Image
from typer.testing import CliRunner

import rnndyn as rd
from rnndyn.cli import app
from rnndyn.report import explore, refined, report
from rnndyn.sweep import read_study

STUDY = """
title = "A unit"
[cell]
kind = "Elman"
units = 1
[axes]
w = { start = -4.0, stop = 4.0, num = 24 }
b = { start = -5.0, stop = 5.0, num = 24 }
[weights]
weight_hh = [["w"]]
bias_hh = ["b"]
[run]
steps = 20
[measure.lyapunov]
[measure.attractors]
[refine]
variable = ["attractors", "period"]
num = 256
[[figure]]
variable = "attractors"
theory = ["tanh_fold", "tanh_flip"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty working folder with the study `try.toml`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(explore, "LATTICE", 3)
    Path("try.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_refine_then_run_then_refine(folder, monkeypatch):
    Fake().install(monkeypatch)
    result = call("refine", "try.toml", "--threads", "1")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Computed for the map of 256 × 256 points: ")
    assert "Border of the 256 × 256 map from the saddle-node curve: at most 0." in lines[1]
    assert "Border of the 256 × 256 map from the period doubling curve: at most 0." in lines[2]
    assert lines[3:] == [str(Path("reports/try/refined.png"))]
    names = {"refined.json", "refined.png", "refined.zarr", "refined_closely.png"}
    assert {path.name for path in Path("reports/try").iterdir()} == names
    refused = call("refine", "try.toml")
    assert (refused.exit_code, "already holds a refined map: use --fresh" in refused.stderr) == (2, True)

    fake = Fake().install(monkeypatch)
    assert call("run", "try.toml").exit_code == 0
    points = sum(np.size(options["first_index"]) == 1 for _, options in fake.calls)
    assert points == len(fake.calls)  # blocks of the sweep only: the map is there
    page = Path("reports/try/index.html").read_text(encoding="utf-8")
    assert "On a map of 256 × 256 points, " in page
    assert "cells from the closed-form curves." in page
    assert page.count("<figure>") == 3  # of the attractors, and two of the map
    assert "Borders that reach between two points of its coarse grid" in page
    card = json.loads(Path("reports/try/card.json").read_text(encoding="utf-8"))
    assert {"refined.png", "refined_closely.svg"} <= set(card["files"])

    again = call("refine", "try.toml", "--fresh", "--set", "refine.num=128")
    assert again.stdout.splitlines()[-1] == str(Path("reports/try/index.html"))
    assert "On a map of 128 × 128 points, " in Path("reports/try/index.html").read_text(encoding="utf-8")


def test_a_fresh_start_takes_the_pictures_with_the_map(folder, monkeypatch):
    """Also where it is refused on the way; the page then shows the sweep alone, and nothing of the user's own goes."""
    Fake().install(monkeypatch)
    directory, small = Path("reports/try"), ["--set", "refine.num=64"]
    assert call("run", "try.toml", *small).exit_code == 0
    (directory / "mine.png").write_bytes(b"")
    assert len(list(directory.glob("refined*.*g"))) == 4
    assert 'href="refined.png"' in (directory / "index.html").read_text(encoding="utf-8")
    early = call("refine", "try.toml", "--fresh", *small, "--set", "refine.variable=exponents")
    assert (early.exit_code, len(list(directory.glob("refined*.*g")))) == (2, 4)
    refused = call("refine", "try.toml", "--fresh", *small, "--set", "refine.most=0.01")
    assert (refused.exit_code, "[refine] most = 0.01" in refused.stderr) == (2, True), refused.output
    assert not json.loads((directory / "refined.json").read_text(encoding="utf-8"))["finished"]
    assert [path.name for path in directory.glob("*.png") if "refined" in path.name or path.name == "mine.png"] == [
        "mine.png"
    ]
    assert "refined" not in (directory / "index.html").read_text(encoding="utf-8").partition("<figure>")[2]
    other = call("refine", "try.toml", "--fresh", *small, "--set", "run.seed=1")  # not of the sweep beside it
    assert other.exit_code == 0, other.output
    assert sorted(path.name for path in directory.glob("refined*.*g")) == ["refined.png", "refined_closely.png"]


def test_an_interrupt_says_what_is_kept(folder, monkeypatch):
    fake = Fake(fuse=2).install(monkeypatch)
    result = call("refine", "try.toml", "-o", "out")
    assert (result.exit_code, result.stderr.strip()) == (
        130,
        "Interrupted. What was computed is kept in out; the same command (without --fresh) goes on from there.",
    )
    fake.fuse = None
    assert call("refine", "try.toml", "-o", "out").exit_code == 0


def test_mistakes_leave_with_a_sentence(folder, monkeypatch):
    Fake().install(monkeypatch)
    for change, words in (
        ("refine.variable=exponents", "it is no label"),
        ("refine.num=1", "[refine] num = 1: expected at least 2"),
    ):
        result = call("refine", "try.toml", "--set", change)
        assert (result.exit_code, words in result.stderr) == (2, True), result.stderr
    Path("try.toml").write_text(STUDY.replace("[refine]", "[refin]"), encoding="utf-8")
    result = call("refine", "try.toml")
    assert "unknown key 'refin'; did you mean 'refine'?" in result.stderr


def test_a_folder_of_studies_shows_refined_maps_too(folder, monkeypatch):
    Fake().install(monkeypatch)
    Path("studies").mkdir()
    Path("try.toml").rename("studies/try.toml")
    assert call("refine", "studies/try.toml", "--set", "refine.num=64").exit_code == 0
    told = call("run", "studies/try.toml")
    assert "study.axes.w.num is 64 there and 256 here" in told.stderr
    result = call("run", "studies", "--fresh")
    assert result.exit_code == 0, result.output
    assert "On a map of 256 × 256 points, " in Path("reports/try/index.html").read_text(encoding="utf-8")


def test_figures_and_tables(folder, monkeypatch):
    Fake().install(monkeypatch)
    study = read_study("try.toml")
    found = rd.refine(study, progress=False)
    labels, closely = refined.draw_refined(found, study)
    assert (labels.name, closely.name) == ("refined", "refined_closely")
    assert "one fixed point" in labels.alt
    rows = gzip.decompress(labels.table).decode().splitlines()
    assert rows[0] == "one,other,line,w,b"
    assert len(rows) == labels.rows + 1
    lines = np.array([row.split(",")[-2:] for row in rows[1:] if "two attractors" in row], float)
    from rnndyn.dynamics import theory

    cell = 10 / 255
    inside = lines[lines[:, 0] > 1.3]
    assert np.max(np.abs(np.abs(inside[:, 1]) - theory.fold_curve(inside[:, 0]))) < cell
    dots = np.genfromtxt(io.BytesIO(gzip.decompress(closely.table)), delimiter=",", names=True)
    assert len(dots) == closely.rows > 100
    assert set(dots["level"]) == set(range(4))
    for figure in (labels, closely):
        assert Image.open(io.BytesIO(figure.png)).size == (figure.width, figure.height)
    shares = refined.Labelled([found["attractors"], found["period"]])
    assert sum(shares.counts) == 256**2
    assert shares.counts[shares.names.index("one cycle of period 2")] == int((found["period"] == 2).sum())


def test_a_map_without_theory_and_of_a_sign(folder, monkeypatch):
    Fake().install(monkeypatch)
    changes = {"refine.variable": "attractors_status", "refine.sign_of": "exponents", "refine.num": 40, "figure": []}
    study = read_study("try.toml", changes)
    found = rd.refine(study, progress=False)
    path = report(found, folder / "out")
    assert path == folder / "out" / "refined_attractors_status.png"
    assert {p.name for p in path.parent.iterdir()} == {
        "refined_attractors_status.png",
        "refined_exponents_sign.png",
        "refined_attractors_status_closely.png",
    }
    numbers, sentence = refined.refined_numbers(found, study)
    assert len(numbers) == 1
    assert sentence.startswith("On a map of 40 × 40 points, ")
    assert sentence.endswith("to find where labels change.")
