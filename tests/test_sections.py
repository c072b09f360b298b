"""A page of several studies: its sections are run, resumed, renewed and shown with it, and nowhere else."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import xarray as xr
from fake_dynamics import Fake
from typer.testing import CliRunner

import rnndyn as rd
from rnndyn.cli import app
from rnndyn.errors import InputError
from rnndyn.report import explore, gallery, report
from rnndyn.report.numbers import key_numbers
from rnndyn.sweep import grid
from rnndyn.sweep.overview import overview_in
from rnndyn.sweep.sections import pages_in, sweeps
from rnndyn.sweep.store import open_result, study_of

UNIT = """
title = "{title}"
question = "Where does the {title} settle?"
answer = "In {{rest}} of the map."
claim = 3
[cell]
kind = "Elman"
units = 1
[axes]
w = {{ start = -3.0, stop = 3.0, num = {num} }}
b = {{ start = -5.0, stop = 5.0, num = 10 }}
[weights]
weight_hh = "w"
bias_hh = "b"
[run]
steps = 20
[measure.lyapunov]
[[figure]]
variable = "exponents"
[[number]]
label = "Units at rest"
id = "rest"
variable = "exponents"
below = -1.0
"""
CLAIM = """
title = "A claim"
question = "Does it hold?"
answer = '''
The broad one rests in {broad.rest} of its map,
the fine one in {fine.Units at rest}.'''
claim = 3
sections = ["claim/broad.toml", "claim_fine.toml"]
"""


def write(path, text):
    Path(path).parent.mkdir(exist_ok=True, parents=True)
    Path(path).write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty working folder with studies/: two pages, one with a grid of its own, and their sections."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grid, "MOST", 40)
    monkeypatch.setattr(explore, "LATTICE", 2)
    write("studies/claim.toml", CLAIM)
    write("studies/claim/broad.toml", UNIT.format(title="Broad unit", num=12))
    write("studies/claim_fine.toml", UNIT.format(title="Fine unit", num=8))
    own = UNIT.format(title="Own unit", num=8).replace("claim = 3", 'claim = 4\nsections = ["claim/broad.toml"]')
    write("studies/own.toml", own.replace("map.", "own map, {broad.rest} of the broad one."))
    return tmp_path


@pytest.fixture
def fake(monkeypatch):
    return Fake().install(monkeypatch)


@pytest.fixture
def undrawn(monkeypatch):
    """Reports are not written: what is swept is what counts. Returns the list of folders that would get one."""
    asked = []

    def stand_in(result, directory, **_):
        asked.append(Path(directory))
        return Path(directory) / "index.html"

    monkeypatch.setattr(sys.modules["rnndyn.report"], "report", stand_in)
    return asked


def call(*arguments, code=0):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_study_of_sections_is_read_with_them(folder):
    claim, own = rd.read_study("studies/claim.toml"), rd.read_study("studies/own.toml")
    assert isinstance(claim, rd.Overview)
    assert claim.section_names == ("broad", "fine")
    assert [part.title for part in claim.parts] == ["Broad unit", "Fine unit"]
    assert isinstance(own, rd.Study)
    assert own.section_names == ("broad",)
    found = [[(one.name, str(folder)) for one, folder in sweeps(page, Path("out"))] for page in (claim, own)]
    assert found == [[("broad", "out/broad"), ("claim_fine", "out/fine")], [("own", "out"), ("broad", "out/broad")]]
    assert claim.parts[0].command(Path("out/broad")) == "rnndyn run studies/claim/broad.toml -o out/broad"
    text = Path("studies/own.toml").read_text(encoding="utf-8").replace('sections = ["claim/broad.toml"]', "")
    write("studies/alone.toml", text.replace(", {broad.rest} of the broad one", ""))
    assert rd.read_study("studies/alone.toml").digest() == own.digest()  # sections change no number of it
    assert pages_in(Path("studies")) == [Path("studies", name) for name in ("alone.toml", "claim.toml", "own.toml")]


def test_changes_are_of_the_study_a_section_or_all_sections(folder):
    claim = rd.read_study("studies/claim.toml", {"fine.axes.w.num": 3, "run.steps": 7, "title": "Else"})
    assert claim.title == "Else"
    assert [part.shape for part in claim.parts] == [(12, 10), (3, 10)]
    assert [part.run.steps for part in claim.parts] == [7, 7]
    assert "--set axes.w.num=3 --set run.steps=7" in claim.parts[1].command()
    own = rd.read_study("studies/own.toml", {"run.steps": 7, "broad.axes.w.num": 3})
    assert (own.run.steps, own.shape, own.parts[0].run.steps, own.parts[0].shape) == (7, (8, 10), 20, (3, 10))
    fewer = rd.read_study("studies/claim.toml", {"sections": ["claim_fine.toml"], "answer": "{fine.rest}"})
    assert fewer.section_names == ("fine",)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"claim/broad.toml"', '"claim/broat.toml"', "there is no study file studies/claim/broat.toml; did you mean"),
        ('"claim/broad.toml"', '"own.toml"', "studies/own.toml has sections itself: name them here, one by one"),
        ('"claim/broad.toml"', '"claim.toml"', "sections: 'claim.toml' is this study itself: remove it"),
        ('"claim/broad.toml"', '"claim_fine.toml"', "sections: 'claim_fine.toml' is there twice: remove one"),
        ('"claim/broad.toml"', '"x/fine.toml"', "'x/fine.toml' and 'claim_fine.toml' would both be called 'fine'"),
        ('"claim/broad.toml"', '"run.toml"', "would be called 'run', which is a key of a study: rename the file"),
        ('"claim/broad.toml"', '"a.b.toml"', "would be called 'a.b', which is not a name without a dot"),
        ('"claim/broad.toml"', '"broad"', "sections: 'broad': expected the name of a study file, *.toml"),
        ('"claim/broad.toml"', "5", "sections = 5: expected a text in quotes"),
        ('"claim/broad.toml", "claim_fine.toml"', "", "sections = []: expected at least one entry"),
        (
            "{broad.rest}",
            "{broad.rust}",
            "answer: {broad.rust} is no id or label of a [[number]]; did you mean 'broad.",
        ),
        ("claim = 3", "clam = 3", "unknown key 'clam'; did you mean 'claim'?"),
        ("claim = 3", "claim = 3\ncel = { kind = 'Elman' }", "unknown key 'cel'; did you mean 'cell'?"),
    ],
)
def test_mistakes_in_sections(folder, old, new, words):
    write("studies/claim.toml", CLAIM.replace(old, new))
    with pytest.raises(InputError) as caught:
        rd.read_study("studies/claim.toml")
    assert words in str(caught.value)
    assert str(caught.value).startswith("studies/claim.toml: ")
    assert len(str(caught.value).splitlines()) == 1


def test_mistakes_inside_a_section_and_in_changes(folder):
    for changes, words in (
        ({"brood.run.steps": 3}, "'brood' is neither a section nor a key of a study; did you mean 'broad'?"),
        ({"run.stops": 3}, "claim_fine.toml: unknown key 'stops' in [run]; did you mean 'steps'?"),
        ({"fine.axes.v.num": 3}, "claim_fine.toml: cannot set axes.v.num = 3: no axis 'v'"),
    ):
        with pytest.raises(InputError, match=re.escape(words)):
            rd.read_study("studies/claim.toml", changes)
    write("studies/claim/broad.toml", "[cell]\nkind = 'Elman'\nunits = 1")
    write("studies/claim_fine.toml", "title = 5")
    with pytest.raises(InputError) as caught:
        rd.read_study("studies/claim.toml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3 + 5  # all that is missing in the one, and in the other
    assert all(line.startswith("studies/claim.toml: sections: studies/claim") for line in lines)


def test_a_study_of_sections_is_not_swept_as_one(folder):
    with pytest.raises(InputError, match=r"no grid of its own, only sections: sweep one of them: studies/claim/broad"):
        rd.sweep("studies/claim.toml")


# --- running ----------------------------------------------------------------------------------------------------------


def test_a_folder_runs_sections_with_their_page_only(folder, fake, undrawn):
    result = call("run", "studies")
    assert result.stdout.split()[:2] == ["reports/claim/index.html", "reports/own/index.html"]
    assert undrawn == [Path("reports/claim"), Path("reports/own")]
    stores = sorted(str(path.parent) for path in Path("reports").rglob("result.zarr"))
    assert stores == ["reports/claim/broad", "reports/claim/fine", "reports/own", "reports/own/broad"]
    assert len(fake.calls) == 3 + 2 + 2 + 3
    assert call("run", "studies").exit_code == 0
    assert len(fake.calls) == 10  # opened, not computed


def test_an_interrupted_page_goes_on_where_it_stopped(folder, fake, undrawn):
    fake.fuse = 4
    result = call("run", "studies/claim.toml", code=130)
    words = "1 of 2 sweeps are whole; 1 of 2 chunks are kept in reports/claim/fine; the same command"
    assert words in result.stderr
    fake.fuse = None
    call("run", "studies/claim.toml")
    assert len(fake.calls) == 5
    fake.fuse = 6
    call("run", "studies/claim.toml", "--fresh", code=130)
    for name, chunks in (("broad", 1), ("fine", 0)):  # nothing of the old is left to be mistaken for new
        manifest = json.loads(Path("reports/claim", name, "manifest.json").read_text())
        assert len(manifest.get("chunks", {"done": []})["done"]) == chunks
    fake.fuse = None
    call("run", "studies/claim.toml")
    assert len(fake.calls) == 5 + 5


def test_sections_that_changed(folder, fake, undrawn):
    call("sweep", "studies/claim.toml")
    write("studies/claim_fine.toml", UNIT.format(title="Fine unit", num=4))
    result = call("run", "studies/claim.toml", code=2)
    assert (
        "reports/claim/fine holds the result of another sweep: study.axes.w.num is 8 there and 4 here" in result.stderr
    )
    command = re.search(r"of this section alone: rnndyn (run .* --fresh)", result.stderr)[1]
    assert command == "run studies/claim_fine.toml -o reports/claim/fine --fresh"
    before = len(fake.calls)
    call(*command.split())
    call("run", "studies/claim.toml")
    assert len(fake.calls) == before + 1


def test_check_sweep_and_show(folder, fake):
    told = call("check", "studies", "--no-time").stdout
    heads = [line for line in told.splitlines() if not line.startswith("  ")]
    assert heads == [
        "studies/claim.toml is valid",
        "studies/claim/broad.toml is valid",
        "studies/claim_fine.toml is valid",
        "studies/claim.toml with its 2 sections",
        "studies/own.toml is valid",
        "studies/claim/broad.toml is valid",
        "studies/own.toml with its 1 section",
    ]
    assert "points   200 in 5 chunks" in told.split("with its 2 sections")[1]
    assert "time " in call("check", "studies/own.toml").stdout.split("with its 1 section")[1]
    found = call("sweep", "studies/claim.toml", "-o", "out").stdout.split()
    assert found == ["out/broad/result.zarr", "out/fine/result.zarr"]
    assert not list(Path("out").rglob("index.html"))
    assert "only sections: name one of them: studies/claim/broad" in call("show", "studies/claim.toml", code=2).stderr
    assert "name one of them: out/broad, out/fine" in call("show", "out", code=2).stderr
    assert "exponent 1" in call("show", "out/fine", "--at", "w=1").stdout


def test_folders_of_something_else_are_left_alone(folder, fake, undrawn):
    write("out/mine.txt", "kept")
    assert "out is not empty and holds no result" in call("run", "studies/claim.toml", "-o", "out", code=2).stderr
    call("sweep", "studies/claim_fine.toml", "-o", "there/fine")  # a section that was run before its page
    call("run", "studies/claim.toml", "-o", "there")
    call("sweep", "studies/claim_fine.toml", "-o", "grid")
    assert "grid holds the result of a sweep" in call("run", "studies/claim.toml", "-o", "grid", code=2).stderr
    write("grid/broad/mine.txt", "kept")
    call("run", "studies/claim.toml", "-o", "grid", "--fresh", code=2)
    assert xr.open_zarr("grid/result.zarr").sizes["w"] == 8  # nothing was deleted: one folder is not ours
    shutil.rmtree("grid/broad")
    call("run", "studies/claim.toml", "-o", "grid", "--fresh")
    assert overview_in(Path("grid")).section_names == ("broad", "fine")
    assert not Path("grid/result.zarr").exists()


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_its_sections(folder, fake):
    assert call("run", "studies").stdout.split()[-1] == "reports/index.html"
    shown = {}
    for page, below in (("claim", ("broad", "fine")), ("own", ("broad",))):
        source = Path(f"reports/{page}/index.html").read_text(encoding="utf-8")
        for name in below:
            dataset = open_result(f"reports/{page}/{name}")
            study = study_of(dataset)
            number = next(one for one in key_numbers(dataset, study) if one.what == "Units at rest")
            shown[page, name] = number.value
            part = source.split(f'<section id="{name}"')[1].split("</section>")[0]
            for words in (study.title, study.question, number.value, f'href="{name}/index.html"', "data:image/png"):
                assert words in part
            own = Path(f"reports/{page}/{name}/index.html").read_text(encoding="utf-8")
            assert f'<a href="../index.html">← {"A claim" if page == "claim" else "Own unit"}</a>' in own
        for link in re.findall(r'href="([^"#:]+)"', source):
            assert Path(f"reports/{page}", link).exists(), link
        assert "not finished" not in source
    plain = shown["claim", "broad"].replace(" %", "\u00a0%"), shown["claim", "fine"].replace(" %", "\u00a0%")
    claim = Path("reports/claim/index.html").read_text(encoding="utf-8")
    assert f"<li>The broad one rests in {plain[0]} of its map,</li>" in claim
    assert f"<li>the fine one in {plain[1]}.</li>" in claim
    assert plain[0] != plain[1]
    assert f"own map, {plain[0]} of the broad one." in Path("reports/own/index.html").read_text(encoding="utf-8")
    cards = Path("reports/index.html").read_text(encoding="utf-8")
    assert re.findall(r'<li><a href="([^"]*)"', cards) == ["claim/index.html", "own/index.html"]
    assert "200 grid points" in cards
    result = call("run", "studies/claim.toml", code=2)
    assert "already holds a report" in result.stderr
    write("manifest.json", '{"short_name": "of an application"}')
    for place in ("reports/claim/mine", "else"):  # below a page without being of it, below something else
        page = report(open_result("reports/claim/fine"), place)
        assert "../index.html" not in page.read_text(encoding="utf-8")


def test_the_page_of_a_part(folder, fake):
    fake.fuse = 4
    call("run", "studies/claim.toml", code=130)
    call("report", "reports/claim", "-o", "elsewhere")
    fake.fuse = None
    source = Path("elsewhere/index.html").read_text(encoding="utf-8")
    assert "not finished: 40 of 80 grid points of “Fine unit” so far" in source
    assert Path("elsewhere/broad/index.html").exists()
    shutil.rmtree("reports/claim/fine")
    call("report", "reports/claim")
    source = Path("reports/claim/index.html").read_text(encoding="utf-8")
    assert "the fine one in (not computed yet)." in source
    assert "not finished: nothing of “Fine” so far" in source
    call("run", "studies/claim.toml")  # not refused: it is not whole
    assert "not finished" not in Path("reports/claim/index.html").read_text(encoding="utf-8")
    call("sweep", "studies/claim_fine.toml", "-o", "reports/claim/fine", "--fresh")
    call("run", "studies/claim.toml")  # not refused: a section is another result now
    call("run", "studies/claim.toml", code=2)
    with pytest.raises(InputError, match="does not come from"):
        report(rd.read_study("studies/own.toml"), "out")


def test_pages_of_the_same_claim_and_the_next_are_linked(tmp_path):
    nav = '<body><nav class="soft" id="others" aria-label="Other reports"></nav></body>'

    def put(name, claim):
        write(tmp_path / name / "index.html", nav)
        card = dict.fromkeys(("answer", "question", "partial", "alt", "points", "seconds", "thumbnail"), "")
        write(tmp_path / name / "card.json", json.dumps({**card, "title": f"<{name}>", "claim": claim}))

    def links(name):
        return re.findall(r'href="\.\./(\w+)/index', (tmp_path / name / "index.html").read_text(encoding="utf-8"))

    for name, claim in (("a", 3), ("b", 4), ("c", 4), ("d", 5), ("e", None)):
        put(name, claim)
    write(tmp_path / "old/index.html", "<body>no place for links</body>")
    write(tmp_path / "old/card.json", "{")
    gallery(tmp_path)
    assert [links(name) for name in "abcde"] == [["b", "c"], ["c", "a", "d"], ["b", "a", "d"], ["b", "c"], []]
    assert "&lt;b&gt;" in (tmp_path / "a/index.html").read_text(encoding="utf-8")
    before = (tmp_path / "a/index.html").stat().st_mtime_ns
    gallery(tmp_path)
    assert (tmp_path / "a/index.html").stat().st_mtime_ns == before  # nothing changed: not touched
    shutil.rmtree(tmp_path / "b")
    gallery(tmp_path)
    assert [links(name) for name in "acd"] == [["c"], ["a", "d"], ["c"]]
