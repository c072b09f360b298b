"""The command line: what it prints, the codes it leaves with, and the page at the end."""

import errno
import html.parser
import json
import os
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_dynamics import Fake
from support import python
from typer.testing import CliRunner

from rnndyn.cli import app
from rnndyn.errors import InputError
from rnndyn.report import explore, report
from rnndyn.sweep import grid, read_study, sweep

ROOT = Path(__file__).parents[1]
STUDY = """
title = "A title with <b>marks</b> & more"
question = "What is asked?"
claim = 3
[cell]
kind = "Elman"
units = 1
[axes]
w = { start = -4.0, stop = 4.0, num = 41 }
b = { start = -5.0, stop = 5.0, num = 40 }
[weights]
weight_hh = [["w"]]
bias_hh = ["b"]
[run]
steps = 20
[measure.lyapunov]
[measure.gradient]
horizon = 5
[measure.attractors]
[[figure]]
variable = "exponents"
theory = ["tanh_fold", "tanh_flip"]
[[figure]]
variable = "period"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty working folder with the study `try.toml`, to be cut into about ten chunks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grid, "MOST", 170)
    monkeypatch.setattr(explore, "LATTICE", 3)
    Path("try.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(app, list(arguments))


def told(result, code, words):
    """Check an error: its code, its words in one line on stderr, and nothing else."""
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.strip().splitlines()) == 1
    return True


def test_run_leaves_the_report(folder, monkeypatch):
    Fake().install(monkeypatch)
    result = call("run", "try.toml", "--threads", "2")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(Path("reports/try/index.html"))
    assert result.stderr == ""
    seconds = json.loads(Path("reports/try/manifest.json").read_text(encoding="utf-8"))["seconds"]
    assert seconds["sweep"] > seconds["compile"] == 0.0  # nothing was compiled
    names = {path.name for path in Path("reports/try").iterdir()}
    assert {"index.html", "manifest.json", "result.zarr", "map.html", "map.png", "map_period.png"} <= names
    assert not [name for name in names if name.startswith(".")]


def test_an_existing_report_is_refused_without_fresh(folder, monkeypatch):
    Fake().install(monkeypatch)
    assert call("run", "try.toml", "-o", "out").exit_code == 0
    before = Path("out/index.html").stat().st_mtime_ns
    told(call("run", "try.toml", "-o", "out"), 2, "--fresh")
    assert Path("out/index.html").stat().st_mtime_ns == before
    assert call("run", "try.toml", "-o", "out", "--fresh").exit_code == 0
    assert Path("out/index.html").stat().st_mtime_ns > before


def test_an_interrupt_says_how_to_resume(folder, monkeypatch):
    fake = Fake(fuse=10).install(monkeypatch)
    told(call("run", "try.toml"), 130, "3 of 11 chunks are kept in reports/try; the same command")
    fake.fuse = None
    assert call("run", "try.toml").exit_code == 0
    assert len(fake.calls) == 10 + 24


def test_the_page_of_a_part_does_not_stop_the_rest(folder, monkeypatch):
    fake = Fake(fuse=10).install(monkeypatch)
    told(call("run", "try.toml", "-o", "out"), 130, "3 of 11 chunks are kept in out")
    assert call("report", "out").exit_code == 0
    part = Path("out/index.html").read_text(encoding="utf-8")
    fake.fuse = None
    assert call("run", "try.toml", "-o", "out").exit_code == 0
    assert len(fake.calls) == 10 + 24
    whole = Path("out/index.html").read_text(encoding="utf-8")
    assert "partial" in part.lower()
    assert "partial" not in whole.lower().split("<body", 1)[1]
    told(call("run", "try.toml", "-o", "out"), 2, "--fresh")


def test_an_interrupted_page_is_written_without_computing(folder, monkeypatch):
    fake = Fake().install(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["rnndyn.report"], "report", Fake(fuse=0)._interrupt)
        told(call("run", "try.toml"), 130, "11 of 11 chunks are kept")
    done = len(fake.calls)
    assert call("run", "try.toml").exit_code == 0
    assert len(fake.calls) == done


@pytest.mark.parametrize(
    ("bomb", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), 1, "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "no permission to write or read x"),
        (OSError(errno.EIO, "Input/output error", "x"), 1, "input/output error: x"),
        (MemoryError(), 1, "not enough memory"),
        (InputError("a sentence"), 2, "rnndyn: a sentence"),
        (
            ZeroDivisionError("oops"),
            1,
            "internal failure: ZeroDivisionError: oops (run again with -v for the traceback)",
        ),
    ],
)
def test_failures_are_one_sentence(folder, monkeypatch, bomb, code, words):
    Fake(fuse=0, bomb=bomb).install(monkeypatch)
    told(call("run", "try.toml"), code, words)
    loud = call("run", "try.toml", "-v")
    assert loud.exit_code == code
    assert "Traceback" in loud.stderr


def test_mistakes_of_the_user(folder, monkeypatch):
    told(call("run", "tri.toml"), 2, "did you mean try.toml?")
    Path("empty").mkdir()
    told(call("run", "empty"), 2, "empty holds no study file (*.toml)")
    told(call("check", "empty"), 2, "empty holds no study file (*.toml)")
    told(call("sweep", "empty"), 2, "is a folder")
    Path("try.toml").write_text(STUDY.replace("steps", "stops"), encoding="utf-8")
    result = call("run", "try.toml")
    assert result.exit_code == 2
    assert "unknown key 'stops' in [run]; did you mean 'steps'?" in result.stderr
    assert not Path("reports").exists()
    assert call("run", "try.toml", "--threads", "0").exit_code == 2
    assert call("rum").exit_code == 2


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(folder, monkeypatch):
    Fake().install(monkeypatch)
    Path("out").mkdir(mode=0o500)
    told(call("run", "try.toml", "-o", "out/x"), 2, "no permission")


def test_a_folder_of_studies_under_one_display(folder, monkeypatch):
    fake = Fake().install(monkeypatch)
    pages = sys.modules["rnndyn.report"]
    monkeypatch.setattr(pages, "report", lambda dataset, directory: Path(directory) / "index.html")
    Path("all").mkdir()
    for name in ("one", "two"):
        Path("all", f"{name}.toml").write_text(STUDY.split("[[figure]]")[0], encoding="utf-8")
    result = call("run", "all", "-o", "out", "--set", "axes.w.num=5", "--set", "axes.b.num=4")
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == ["out/one/index.html", "out/two/index.html", "out/index.html"]
    assert "rnndyn gallery" in Path("out/index.html").read_text(encoding="utf-8")
    done = len(fake.calls)
    assert call("run", "all", "-o", "out", "--set", "axes.w.num=5", "--set", "axes.b.num=4").exit_code == 0
    assert len(fake.calls) == done
    for name in ("a_bad", "two"):
        Path("all", f"{name}.toml").write_text("[cell]", encoding="utf-8")
    result = call("run", "all", "-o", "out")
    assert result.exit_code == 2
    assert all(f"{name}: [cell] kind is missing" in result.stderr for name in ("all/a_bad.toml", "all/two.toml"))
    assert len(fake.calls) == done
    result = call("check", "all", "--no-time")
    assert result.exit_code == 2
    assert "all/one.toml is valid" in result.stdout
    assert all(f"rnndyn: {name}" in result.stderr for name in ("all/a_bad.toml", "all/two.toml", "2 of 3 studies"))


def test_the_command_on_the_page_is_the_one_that_was_given(folder):
    def shell(directory, **changes):
        return shlex.split(read_study("try.toml", changes).command(directory))

    assert (
        shell(Path("reports/try")) == shell(folder / "reports" / "try") == shell(None) == ["rnndyn", "run", "try.toml"]
    )
    assert shell(folder / "all of it") == ["rnndyn", "run", "try.toml", "-o", "all of it"]
    assert shell(folder.parent / "out")[-2:] == shell(Path("../out"))[-2:] == ["-o", "out"]
    assert shell(None, **{"axes.w": [0.5, 1]})[-2:] == ["--set", "axes.w=[0.5, 1]"]


def test_sweep_then_report_then_show(folder, monkeypatch):
    Fake().install(monkeypatch)
    result = call("sweep", "try.toml", "-o", "out", "--set", "axes.w.num=5")
    assert (result.exit_code, result.stdout.strip()) == (0, "out/result.zarr")
    assert not Path("out/index.html").exists()
    assert call("report", "out/result.zarr").stdout.strip() == "out/index.html"
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert "rnndyn run try.toml --set axes.w.num=5 -o out" in page
    result = call("show", "out", "--at", "w=2,b=0.5", "--figure", "point.png")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "w = 2, b = 0.384615 (point 141)" in result.stdout
    assert "b = 0.5 is not on the grid: nearest grid point b = 0.3846" in result.stdout
    assert "w = 2 is not" not in result.stdout
    assert "exponent 1" in result.stdout
    assert "▁" in result.stdout
    assert Path("point.png").stat().st_size > 10_000
    for places in (("w=2", "b=0.5"), ("b=0.5,w=2",), ("w=2,b=0.5", "w=2.0")):
        options = [word for place in places for word in ("--at", place)]
        assert "w = 2, b = 0.384615 (point 141)" in call("show", "out", *options).stdout
    two = "--at w: given as 2.0 and as 1.5: one point is shown, give one value"
    told(call("show", "out", "--at", "w=2", "--at", "w=1.5"), 2, two)
    told(call("show", "out", "--at", "w=2,w=1.5"), 2, two)
    assert "b not given: its middle, 0.1282" in call("show", "try.toml", "--at", "w=2").stdout
    told(call("show", "out", "--at", "v=2"), 2, "out: --at v = 2: no axis 'v'")
    told(call("show", "out", "--at", "w=99"), 2, "out: --at w = 99: this axis goes from -4 to 4")
    told(call("show", "out", "--at", "w"), 2, "--at w: expected AXIS=NUMBER")
    told(call("show", "out", "--at", "w=1", "--figure", "point.doc"), 2, "point.doc: the ending tells the kind")
    told(call("show", "outt"), 2, "there is no result outt; did you mean 'out'?")
    told(call("report", "."), 2, "holds no result of rnndyn")


def test_check_tells_what_a_study_takes(folder, monkeypatch):
    Fake().install(monkeypatch)
    result = call("check", "try.toml", "--threads", "2")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "try.toml is valid"
    assert [line.split()[0] for line in lines[1:]] == ["points", "steps", "memory", "disk", "time"]
    assert "1 640 (41 x 40) in 11 chunks" in lines[1]
    values = 8 + 8 + 1 + 8 + 8 + 1 + 4 + 4 + 1  # bytes of a point: every variable by its type
    assert f"at most {1640 * values / 1000:.3g} kB" in lines[4]
    assert "on 2 threads" in lines[5]
    assert "time" not in call("check", "try.toml", "--no-time").stdout
    assert "1 640" not in call("check", "try.toml", "--no-time", "--set", "axes.w.num=3").stdout
    assert not Path("reports").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("axes.v.num=3", "try.toml: cannot set axes.v.num = 3: no axis 'v'"),
        ("figure.0.variable=foo", "try.toml: cannot set figure.0.variable = 'foo': figure is not a table; entries"),
        ("axes.w.nun=3", "did you mean 'num'?"),
        ("run.steps", "--set run.steps: expected KEY=VALUE"),
        ("run.dtype=float46", "did you mean 'float64'?"),
        ("rum.steps=3", "unknown key 'rum'; did you mean 'run'?"),
    ],
)
def test_mistakes_in_set(folder, change, words):
    told(call("check", "try.toml", "--no-time", "--set", change), 2, words)


def test_new_writes_a_study_that_check_accepts(folder):
    assert call("new", "mine").stdout.strip() == "mine.toml"
    assert call("check", "mine.toml", "--no-time").exit_code == 0
    told(call("new", "mine.toml"), 2, "mine.toml is there already")
    told(call("new", "no/mine"), 2, "there is no folder no")
    assert call("reference").stdout == (ROOT / "studies" / "REFERENCE.md").read_text(encoding="utf-8")


def test_a_study_that_runs_code_says_so(folder):
    from rnndyn.sweep.examples import FILES

    own = folder / "elsewhere" / "own.toml"
    own.parent.mkdir()
    (own.parent / "henon.py").write_text(FILES["henon.py"], encoding="utf-8")
    text = '[cell]\nkind = "henon.py:Henon"\nunits = 1\n[axes]\na = [1.2, 1.4]\n[weights]\nalpha = "a"\n'
    own.write_text(text + "[run]\nsteps = 1000\ninitial_state = 0.1\n[measure.lyapunov]\n", encoding="utf-8")
    result = call("run", str(own), "-o", "out")
    assert (result.exit_code, result.stderr.strip()) == (0, "own.toml runs the code in henon.py")
    result = call("show", "elsewhere/own.toml", "--at", "a=1.4")
    assert "own.toml runs the code in henon.py" in result.stderr
    value = float(re.search(r"exponent 1 +(\S+)", result.stdout).group(1))
    assert abs(value - 0.419) < 0.05
    assert str(folder) not in Path("out/index.html").read_text(encoding="utf-8")


def test_sparklines():
    from rnndyn.cli.looking import sparkline

    assert sparkline([0, 1, 2, 3.5, 7]) == "▁▂▃▅█"
    assert sparkline([1.0, 1.0]) == "▄▄"
    assert sparkline([0, np.nan, 1, -np.inf]) == "▁ █ "
    assert sparkline([np.nan]) == " "
    assert len(sparkline(np.arange(1000))) == 60


def test_cells_and_info():
    from rnndyn.cells import CELLS

    listed = call("cells")
    assert listed.exit_code == 0
    assert all(kind in listed.stdout for kind in CELLS)
    assert all(
        fact in listed.stdout for fact in ("z += dt (tanh(W_hh y", "state: y, z", "gamma = 2.7", "Rusch & Mishra 2021")
    )
    told_facts = call("info")
    assert told_facts.exit_code == 0
    assert {"rnndyn", "python"} <= {line.split()[0] for line in told_facts.stdout.splitlines()}


class Page(html.parser.HTMLParser):
    """The tags, attributes and text of a page; complains about tags left open."""

    VOID = ("meta", "link", "img", "source", "br", "hr")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"[ \n]+", " ", " ".join(self.words))


def test_the_page_tells_everything(folder, monkeypatch):
    Fake().install(monkeypatch)
    assert call("run", "try.toml").exit_code == 0
    source = Path("reports/try/index.html").read_text(encoding="utf-8")
    page = Page(source)
    assert "A title with <b>marks</b> & more" in page.text
    for words in (
        "What is asked?",
        "rnndyn run try.toml",
        'xr.open_zarr("reports/try/result.zarr")',
        "1\u202f640 points",
        "DIVERGED",
        "saddle-node",
        "grid cells",
        "one cycle of period 2",
        "manifest.json",
        "h = tanh(",
    ):
        assert words in page.text, words
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 2
    for attrs in images:
        assert attrs["src"].startswith("data:image/png;base64,")
        assert len(attrs["alt"]) > 40
        assert int(attrs["width"]) > 600
    links = [value for tag, attrs in page.tags for key, value in attrs.items() if key in ("href", "src")]
    for link in links:
        assert link.startswith("data:") or Path("reports/try", link).exists()
    assert not [attrs for tag, attrs in page.tags if tag == "script" and "src" in attrs]
    assert "prefers-color-scheme: dark" in source
    assert str(folder) not in source


def test_the_three_lines_of_python_work(folder, monkeypatch):
    Fake().install(monkeypatch)
    assert call("run", "try.toml").exit_code == 0
    page = Path("reports/try/index.html").read_text(encoding="utf-8")
    lines = re.search(r"<code>(import xarray.*?)</code>", page, re.DOTALL).group(1)
    lines = lines.replace("&#34;", '"')
    assert len(lines.splitlines()) == 3
    told = python(lines, cwd=folder, PYTHONWARNINGS="error")
    assert re.fullmatch(r"\[-?\d+\.\d+\]", told.strip())


def test_distances_to_theory_are_within_a_cell(folder, monkeypatch):
    Fake().install(monkeypatch)
    from rnndyn.report.numbers import key_numbers
    from rnndyn.sweep import read_study

    study = read_study("try.toml")
    found = [number for number in key_numbers(sweep(study, progress=False), study) if "curve" in number.what]
    assert len(found) == 2
    for number in found:
        assert float(re.search(r"at most ([\d.]+) grid cells", number.value).group(1)) <= 0.55


def test_a_partial_result_says_so(folder, monkeypatch):
    Fake(fuse=10).install(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        sweep("try.toml", directory="out", progress=False)
    report(xr.open_zarr("out/result.zarr", chunks=None), "out")
    page = Page(Path("out/index.html").read_text(encoding="utf-8"))
    assert "a sweep that is not finished: 480 of 1\u202f640 grid points" in page.text
    assert page.text.index("a sweep that is not finished") < page.text.index("What is asked?")
    assert "are not computed yet" in page.text
    assert "NOT_COMPUTED" in page.text


@pytest.mark.parametrize("axes", ["w = [0.5]", "w = [0.0, 0.5, 2.0]", "w = [1.0, 2.0]\nb = [0.1, 1.0]\nc = [0, 1, 2]"])
def test_other_numbers_of_axes(folder, monkeypatch, axes):
    Fake().install(monkeypatch)
    bias = '["b"]' if "b = [" in axes else "[0.5]"
    third = 'bias_ih = "c"' if "c = [" in axes else ""
    text = re.sub(r"\[axes\].*?\[weights\]", f"[axes]\n{axes}\n[weights]\n{third}", STUDY, flags=re.DOTALL)
    text = text.replace('["b"]', bias).split("[[figure]]")[0]
    Path("try.toml").write_text(text, encoding="utf-8")
    assert call("run", "try.toml").exit_code == 0
    page = Page(Path("reports/try/index.html").read_text(encoding="utf-8"))
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 3
    assert list(Path("reports/try").glob("*.svg"))


def test_a_dataset_of_others_is_refused(folder):
    with pytest.raises(InputError, match="does not come from"):
        report(xr.Dataset({"x": ("i", np.zeros(3))}), "out")
