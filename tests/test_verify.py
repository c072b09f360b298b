"""`rnndyn verify`: the catalogue of truths, its judgement, what it prints, writes and leaves with."""

import json
import math
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import rnndyn.dynamics.truths as truths
from rnndyn.cli import app, verify
from rnndyn.dynamics.truths import CATALOGUE, TIERS, Claim, Truth, judge
from rnndyn.dynamics.truths.truth import Skipped

PLAIN = {"device": "python", "progress": False, "threads": 1}
COMPILED = PLAIN | {"device": "cpu"}
# of each theme some that take no time uncompiled
CHEAP = (
    "linear-volume", "memory-of-powers", "reach-of-powers", "forget-gate-gradient", "both-directions", "permuted-units",
    "stacked-layers", "palindrome", "nonlinear-volume", "states-of-the-chaotic-gru", "state-of-the-chaotic-lstm",
    "mean-field-formulas", "euler-step", "rk4-step", "oscillator", "antisymmetric-origin", "cfn-forgets", "cornn-pairs",
    "unicornn-area", "lem-of-zeros", "rotation-boundary", "critical-line-formula", "settling", "unbounded-growth",
    "rate-origin", "lipschitz-origin", "rotation-flow",
    "linear-tests", "critical-steps", "gated-steps", "lorenz-flow", "network-flows", "torch-GRU", "torch-RNN-relu",
)  # fmt: skip


def named(name):
    return next(truth for truth in CATALOGUE if truth.name == name)


@pytest.mark.parametrize("name", CHEAP)
def test_cheap_truths_are_right(name):
    row = judge(named(name), PLAIN)
    assert row.verdict == "right" or (row.verdict == "skipped" and "torch" in row.note), row


@pytest.mark.slow
@pytest.mark.parametrize("truth", CATALOGUE, ids=lambda truth: truth.name)
def test_every_truth_is_right(truth):
    row = judge(truth, COMPILED)
    assert row.verdict == "right" or (row.verdict == "skipped" and row.note), row


def test_the_catalogue_is_plain():
    names = [truth.name for truth in CATALOGUE]
    assert len(set(names)) == len(names)
    assert {truth.tier for truth in CATALOGUE} == set(TIERS)
    for truth in CATALOGUE:
        assert truth.says
        assert truth.source
        assert truth.says[-1] not in ".;"
    assert sum(truth.tier == "exact" for truth in CATALOGUE) >= 45


# --- judgement --------------------------------------------------------------------------------------------------------


def truth(claim, name="made-up", tier="exact"):
    """A truth whose measurement returns, or raises, what is given."""

    def measure(run):
        if isinstance(claim, BaseException):
            raise claim
        return claim

    return Truth(name, tier, "what is | known", "nobody", measure)


@pytest.mark.parametrize(
    ("claim", "verdict", "error"),
    [
        (Claim(1.0, 1.0, 0.0), "right", 0.0),
        (Claim(1.05, 1.0, 0.1), "right", 0.05),
        (Claim(1.2, 1.0, 0.1), "wrong", 0.2),
        (Claim([1.0, -np.inf], [1.0, -np.inf], 0.0), "right", 0.0),
        (Claim([0.0, np.nan], 0.0, 1.0), "wrong", np.inf),
        (Claim([0.0, 5.0], [0.0, -np.inf], 1.0), "wrong", np.inf),
        (Claim([0.5, 0.2], 0.0, [1.0, 0.1]), "wrong", 0.2),
        (Claim([0.5, 0.2], 0.0, [np.inf, 1.0]), "right", 0.2),
        (Claim([0.2], 0.0, [np.nan]), "wrong", 0.2),
        (Claim([], [], 0.0), "wrong", None),
    ],
)
def test_judgement(claim, verdict, error):
    row = judge(truth(claim), PLAIN)
    assert row.verdict == verdict
    assert row.error == (error if error is None else pytest.approx(error))


def test_a_failure_is_wrong_and_an_absence_is_skipped(monkeypatch):
    row = judge(truth(RuntimeError("out of luck")), PLAIN)
    assert (row.verdict, row.note, row.value) == ("wrong", "RuntimeError: out of luck", None)
    assert judge(truth(Skipped("nobody is here")), PLAIN).note == "nobody is here"
    monkeypatch.setitem(sys.modules, "torch", None)
    row = judge(named("torch-LSTM"), PLAIN)
    assert (row.verdict, row.note) == ("skipped", "PyTorch (torch) is not installed")
    assert judge(named("compiled-LSTM"), PLAIN).verdict == "skipped"


def test_a_broken_package_is_found(monkeypatch):
    """An exponent that is off by 1e-9, a gradient off by 1e-10: the truths about them are wrong."""
    from rnndyn.dynamics.truths import gated, linear

    found = linear.lyapunov
    monkeypatch.setattr(
        linear, "lyapunov", lambda *a, **k: (r := found(*a, **k))._replace(exponents=r.exponents + 1e-9)
    )
    assert judge(named("linear-volume"), PLAIN).verdict == "wrong"
    slopes = gated.gradients
    monkeypatch.setattr(
        gated, "gradients", lambda *a, **k: (r := slopes(*a, **k))._replace(state=r.state * (1 + 1e-10))
    )
    assert judge(named("forget-gate-gradient"), PLAIN).verdict == "wrong"


# --- the command ------------------------------------------------------------------------------------------------------


def call(*arguments):
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_the_command_prints_and_writes(tmp_path):
    names = [part for name in ("linear-volume", "palindrome") for part in ("--only", name)]
    result = call(*names, "--device", "python", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "2 truths: 2 right" in result.output
    assert "the spectrum sums to ln |det W|" in result.output
    page = (tmp_path / "out" / "verify.md").read_text(encoding="utf-8")
    assert "## Exact: closed forms, to rounding" in page
    assert "ln \\|det W\\|" in page
    stored = json.loads((tmp_path / "out" / "verify.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in stored["truths"]}
    assert set(rows) == {"linear-volume", "palindrome"}
    assert rows["linear-volume"]["error"] <= rows["linear-volume"]["tolerance"]
    assert rows["linear-volume"]["value"] == pytest.approx(rows["linear-volume"]["truth"], abs=1e-10)
    assert stored["facts"]["numpy"] == np.__version__


def test_a_wrong_value_leaves_with_one(tmp_path, monkeypatch):
    wrong = truth(Claim([0.25, -np.inf], [0.5, 0.0], 0.1))
    monkeypatch.setattr(truths, "CATALOGUE", [truth(Claim(1.0, 1.0, 0.0), "fine"), wrong])
    result = call("--device", "python", "-o", tmp_path)
    assert result.exit_code == 1
    assert "2 truths: 1 right, 1 wrong" in result.output
    rows = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))["truths"]
    assert [row["verdict"] for row in rows] == ["right", "wrong"]
    assert rows[1]["value"] == "-inf"
    assert "| wrong |" in (tmp_path / "verify.md").read_text(encoding="utf-8")


def test_tiers_and_the_list():
    everything, parity = call("--list").output, call("--list", "--tier", "parity").output
    for truth in CATALOGUE:
        assert truth.name in everything
        assert (truth.name in parity) == (truth.tier == "parity")


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    catalogue = [truth(Claim(1.0, 1.0, 0.0), "fine"), truth(KeyboardInterrupt(), "stopped")]
    monkeypatch.setattr(truths, "CATALOGUE", catalogue)
    result = call("--device", "python", "-o", tmp_path / "out")
    assert result.exit_code == 130
    assert "Interrupted. 1 of 2 truths were measured; nothing was written." in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tier", "exct"), "--tier exct: no such tier; did you mean 'exact'?"),
        (("--only", "linear-volum"), "no such truth (rnndyn verify --list). Did you mean 'linear-volume'?"),
        (("--only", "qqqqqq"), "--only qqqqqq: no such truth (rnndyn verify --list)."),
        (("--only", "palindrome", "--tier", "parity"), "none of the truths named is of that tier"),
        (("--device", "gpu"), "`device` must be one of"),
        (("-o", __file__), "is a file: a folder is needed"),
    ],
)
def test_mistakes(arguments, words):
    result = call(*arguments)
    assert result.exit_code == 2
    assert words in result.output.replace("\n", " ")


def test_numbers_are_short():
    assert [verify.number(v, 3) for v in (None, -math.inf, 0.123456, 1e-17)] == ["–", "-inf", "0.123", "1e-17"]
