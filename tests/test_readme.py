"""The README: its Python runs, its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def by_subject(snippet):
    words = (
        "rd.sweep", "rd.refine", "torch", "theory", "Stage", "Field", "Stack", "plot", "critical_step", "tolerance",
        "regimes", "continuation", "kaplan_yorke", "Noise", "device", "gains",
    )  # fmt: skip
    return next(word for word in words if word in snippet)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=by_subject)
def test_snippets_run(snippet, tmp_path, monkeypatch, capsys):
    if "import torch" in snippet:
        pytest.importorskip("torch", reason="PyTorch is not installed")
    (tmp_path / "studies").mkdir()
    for study in (ROOT / "studies").glob("*.toml"):
        (tmp_path / "studies" / study.name).write_bytes(study.read_bytes())
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    exec(compile(snippet, "README.md", "exec"), names)
    assert capsys.readouterr().out
    if "Stage" in snippet:
        import numpy as np

        found, truth = names["found"], np.log(0.3)
        assert np.all(np.abs(found.exponents.sum(axis=-1) - truth) <= 1e-10)
        assert np.all(np.abs(found.exponents[-1] - [0.41922, truth - 0.41922]) <= 4 * found.stderr[-1])
    if "sweep" in snippet:
        assert (tmp_path / "my_report" / "index.html").exists()


def test_the_table_of_cells_is_the_cells_own():
    """Made by `rnndyn cells --markdown`."""
    from rnndyn.cells import table

    assert table.markdown() in TEXT, "put the output of `rnndyn cells --markdown` in the place of the table"


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", TEXT)
    missing = [link for pair in links for link in pair if link and "://" not in link and not (ROOT / link).exists()]
    assert not missing


def test_commands_are_those_that_exist():
    from typer.testing import CliRunner

    from rnndyn.cli import app

    for line in re.findall(r"^rnndyn (\w+)(.*)$", TEXT, re.MULTILINE):
        options = re.findall(r"(?<!\S)--?[a-z]+", line[1].split("#")[0])
        told = CliRunner().invoke(app, [line[0], "--help"])
        assert told.exit_code == 0
        assert all(option in told.stdout for option in options)
