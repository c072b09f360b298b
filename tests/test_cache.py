"""The compile cache: no edit ever yields an old number, nothing is compiled twice; and what a rule may not hold."""

import json
import math
import os
import pickle
import re
import shutil

import numpy as np
import pytest
import support
from support import FAMILIES, ROOT, assert_same_result, build, random_weights

import rnndyn as rd
from rnndyn.errors import InputError
from rnndyn.kernels.rule import bind

RECORD = """
from numba.core import event
recording = event.install_recorder("numba:compile")
recorder = recording.__enter__()
"""
REPORT = """
import json
print(json.dumps([float(found), len(recorder.buffer)]))
"""


def python(*arguments, **options):
    """Run code or a script in a process of its own; returns the last line of its output, read as JSON."""
    return json.loads(support.python(*arguments, **options).splitlines()[-1])


# --- edits between processes ------------------------------------------------------------------------------------------

AFFINE = (
    RECORD
    + """
import rnndyn as rd

SLOPE = 0.5
SHIFTS = (1.0, 0.0)

def helper(v, factor=1.0):
    return SLOPE * factor * v

def outer(v):
    return helper(v)

def step(x, a, s, p):
    return (outer(s[0]) + SHIFTS[0],)

stage = rd.Stage(gates=(), update=step, sends="h", leaves=("h",))
cell = rd.Cell(name="Affine", units=1, inputs=0, fields=("h",), stages=(stage,))
found = rd.trajectory(cell, {}, steps=3, state=[1.0])[-1, 0]
"""
    + REPORT
)


def third(slope, shift):
    """Third iterate of h <- slope h + shift from h = 1."""
    return slope**3 + shift * (1 + slope + slope**2)


EDITS = [
    (None, None, third(0.5, 1.0)),
    ("SLOPE = 0.5", "SLOPE = 0.2", third(0.2, 1.0)),  # a constant of the module, of a helper of a helper
    ("(1.0, 0.0)", "(3.0, 0.0)", third(0.5, 3.0)),  # a number in a tuple
    ("SLOPE * factor * v", "SLOPE + factor * v", third(1.0, 1.5)),  # a helper
    ("factor=1.0", "factor=0.4", third(0.2, 1.0)),  # a default of a helper
    ("return helper(v)", "return -helper(v)", third(-0.5, 1.0)),
    ("SHIFTS[0]", "SHIFTS[1]", third(0.5, 0.0)),  # the rule itself
    (None, None, third(0.5, 1.0)),  # back to the first: found in the cache
]


def test_edits_of_a_script_between_processes(tmp_path):
    script, known = tmp_path / "script.py", {}
    for old, new, expected in EDITS:
        text = AFFINE if old is None else AFFINE.replace(old, new)
        assert old is None or text != AFFINE
        script.write_text(text)
        os.utime(script, (1e9, 1e9))  # the date tells nothing
        found, compiled = python(script, RNNDYN_CACHE_DIR=tmp_path / "cache")
        assert math.isclose(found, expected, rel_tol=1e-14), f"{old} -> {new}"
        assert (compiled == 0) == (text in known), "compiled twice" if compiled else "not compiled"
        known[text] = found


def test_edits_reach_exponents_too(tmp_path):
    script = tmp_path / "script.py"
    text = AFFINE.replace(
        "trajectory(cell, {}, steps=3, state=[1.0])[-1, 0]", "lyapunov(cell, {}, steps=8).exponents[0]"
    )
    for slope in (0.5, 0.2):
        script.write_text(text.replace("SLOPE = 0.5", f"SLOPE = {slope}"))
        found, _ = python(script, RNNDYN_CACHE_DIR=tmp_path / "cache")
        assert math.isclose(found, math.log(slope), rel_tol=1e-14)


def test_edits_within_a_process():
    scope = {}
    exec(compile(AFFINE.replace(REPORT, "").replace(RECORD, ""), "script.py", "exec"), scope)

    def found():
        return rd.trajectory(scope["cell"], {}, steps=3, state=[1.0])[-1, 0]

    assert math.isclose(found(), third(0.5, 1.0), rel_tol=1e-14)
    scope["SLOPE"] = 0.2
    assert math.isclose(found(), third(0.2, 1.0), rel_tol=1e-14)
    exec("def helper(v):\n    return 3.0 * v", scope)
    assert math.isclose(found(), third(3.0, 1.0), rel_tol=1e-14)
    scope["SLOPE"] = 0.5
    assert math.isclose(found(), third(3.0, 1.0), rel_tol=1e-14)


UNIT = (
    RECORD
    + """
import rnndyn as rd

found = rd.trajectory(rd.Elman(1), {"weight_hh": [[0.5]], "bias_hh": [0.3]}, steps=2)[-1, 0]
"""
    + REPORT
)


def test_edits_of_the_package(tmp_path):
    shutil.copytree(ROOT / "rnndyn", tmp_path / "rnndyn", ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path / "cache"

    def found():
        return python(UNIT, path=tmp_path, RNNDYN_CACHE_DIR=cache)

    def edit(name, old, new):
        path = tmp_path / "rnndyn" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")

    value, compiled = found()
    assert math.isclose(value, math.tanh(0.5 * math.tanh(0.3) + 0.3), rel_tol=1e-15)
    assert compiled > 0
    assert found() == [value, 0]
    edit("cells/elman.py", "phi(x[0] + a[0])", "phi(x[0] - a[0])")
    value, compiled = found()
    assert math.isclose(value, math.tanh(-0.5 * math.tanh(-0.3) - 0.3), rel_tol=1e-15)
    assert compiled > 0
    with (tmp_path / "rnndyn" / "kernels" / "orbit.py").open("a", encoding="utf-8") as file:
        file.write("\n# an edit\n")
    again, compiled = found()
    assert again == value
    assert compiled > 0, "a kernel's source was edited, its old machine code was used"


# --- what is kept, and where ------------------------------------------------------------------------------------------

STUDY = """
[cell]
kind = "Elman"
units = 1
[axes]
w = { start = -4.0, stop = 4.0, num = 5 }
b = [0.0, 1.0]
[weights]
weight_hh = [["w"]]
bias_hh = ["b"]
[run]
steps = 20
[measure.lyapunov]
[measure.gradient]
horizon = 5
[measure.attractors]
"""


def test_a_second_run_compiles_nothing(tmp_path):
    (tmp_path / "try.toml").write_text(STUDY)
    code = RECORD + "import sys\nfrom rnndyn.cli import main\nfound = 0\n"
    code += "try:\n    main()\nexcept SystemExit as leaves:\n    found = leaves.code or 0\n" + REPORT
    counts = []
    for folder in ("one", "two"):
        command = ("run", tmp_path / "try.toml", "-o", tmp_path / folder)
        found, compiled = python(code, *command)
        assert found == 0
        counts.append(compiled)
    assert counts[1] == 0


def test_importing_compiles_nothing(tmp_path):
    code = (
        RECORD + "import rnndyn as rd\nfrom rnndyn import dynamics, kernels\nfrom rnndyn.kernels import cpu, target\n"
    )
    code += "rd.lyapunov, rd.gradients, rd.trajectory, rd.attractors, rd.LSTM(2)\nfound = 0\n" + REPORT
    assert python(code, RNNDYN_CACHE_DIR=tmp_path / "cache") == [0, 0]
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    found, compiled = python(UNIT, RNNDYN_CACHE_DIR=tmp_path / "file" / "cache", TMPDIR=tmp_path)
    assert math.isclose(found, math.tanh(0.5 * math.tanh(0.3) + 0.3), rel_tol=1e-15)
    assert compiled > 0


def test_damaged_files_are_compiled_anew(tmp_path):
    value, _ = python(UNIT, RNNDYN_CACHE_DIR=tmp_path)
    kept = [path for path in tmp_path.rglob("*.nb*") if path.is_file()]
    assert {path.suffix for path in kept} == {".nbi", ".nbc"}
    for suffix in (".nbc", ".nbi"):
        for path in tmp_path.rglob(f"*{suffix}"):
            path.write_bytes(path.read_bytes()[:100])
        again, compiled = python(UNIT, RNNDYN_CACHE_DIR=tmp_path)
        assert again == value
        assert compiled > 0
    assert python(UNIT, RNNDYN_CACHE_DIR=tmp_path) == [value, 0]


def test_code_that_cannot_be_kept_runs_all_the_same():
    from rnndyn.kernels.cache import Tolerant

    class Broken:
        def save_overload(self, sig, data):
            raise TypeError("cannot pickle")

        def flush(self):
            tried.append(True)

    tried = []
    type("Cache", (Tolerant, Broken), {})().save_overload(None, None)
    assert tried


TWO = (
    RECORD
    + """
import rnndyn as rd
maps = rd.Elman(1), rd.Elman(1, activation="relu")
found = sum(rd.trajectory(cell, {"bias_ih": [0.3]}, steps=2)[-1, 0] for cell in maps)
"""
    + REPORT
)


def test_a_file_of_another_cell_is_compiled_anew(tmp_path):
    """Two processes that compile at once may give their cells' code one number in their common index."""
    value, _ = python(TWO, RNNDYN_CACHE_DIR=tmp_path)
    assert python(TWO, RNNDYN_CACHE_DIR=tmp_path) == [value, 0]
    one, two = sorted(tmp_path.rglob("*orbit*.nbc"))
    one.write_bytes(two.read_bytes())
    again, compiled = python(TWO, RNNDYN_CACHE_DIR=tmp_path)
    assert again == value
    assert compiled > 0


# --- pickling ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_cells_pickle(family):
    cell = build(rd, family, 2, 1)
    other = pickle.loads(pickle.dumps(cell))
    assert repr(other) == repr(cell)
    assert other.shapes == cell.shapes
    assert other.equation == cell.equation
    assert bind(other).digest == bind(cell).digest


HENON = """
import rnndyn as rd

def step(x, a, s, p):
    return 1.0 - p[0] * s[0] ** 2 + s[1], p[1] * s[0]

stage = rd.Stage(gates=(), update=step, sends="u", leaves=("u", "v"))
cell = rd.Cell("Henon", 1, 0, ("u", "v"), (stage,), parameters={"alpha": 1.4, "beta": 0.3})
"""


def test_a_cell_of_ones_own_pickles(tmp_path, monkeypatch):
    (tmp_path / "henon_module.py").write_text(HENON)
    monkeypatch.syspath_prepend(tmp_path)
    from henon_module import cell

    other = pickle.loads(pickle.dumps(cell))
    here = rd.trajectory(cell, {}, steps=20)
    assert_same_result(rd.trajectory(other, {}, steps=20), here)
    u, v = 0.0, 0.0
    for _ in range(20):
        u, v = 1.0 - 1.4 * u * u + v, 0.3 * u
    np.testing.assert_allclose(here[-1], [u, v], rtol=1e-9)
    (tmp_path / "cell.pickle").write_bytes(pickle.dumps(cell))
    code = f"import pickle, sys\nsys.path.insert(0, {str(tmp_path)!r})\n" + RECORD + "import rnndyn as rd\n"
    code += f"cell = pickle.load(open({str(tmp_path / 'cell.pickle')!r}, 'rb'))\n"
    code += "found = rd.trajectory(cell, {}, steps=20)[-1, 0]\n" + REPORT
    assert python(code) == [here[-1, 0], 0]  # the same bits, from the same machine code


def test_a_pickled_cell_computes_the_same():
    cell = rd.GRU(2, 1, reset_after=False)
    weights = random_weights(cell, np.random.default_rng(0), (3,))
    inputs = np.random.default_rng(1).normal(size=(9, 1))
    other = pickle.loads(pickle.dumps(cell))
    assert_same_result(rd.trajectory(other, weights, inputs=inputs), rd.trajectory(cell, weights, inputs=inputs))


# --- what a rule may not hold -----------------------------------------------------------------------------------------

REFUSED = {
    "if": ("if s[0] > 0:\n        return (x[0],)\n    return (s[0],)", "rd.where"),
    "conditional": ("return (s[0] if s[0] > 0 else 0.0,)", "rd.where"),
    "and": ("return (rd.where(s[0] > 0 and s[0] < 1, s[0], 0.0),)", "rd.where"),
    "chain": ("return (rd.where(0 < s[0] < 1, s[0], 0.0),)", "rd.where"),
    "for": ("h = 0.0\n    for v in s:\n        h = h + v\n    return (h,)", "loops"),
    "while": ("h = s[0]\n    while h > 1:\n        h = h - 1\n    return (h,)", "loops|rd.where"),
    "comprehension": ("return tuple([v for v in s])", "loops|functions within functions|lists"),
    "numpy": ("return (np.tanh(s[0]),)", "'np' \\(module\\)"),
    "unknown name": ("return (tanhh(s[0]),)", "'tanhh' is not defined"),
    "unknown function of math": ("return (math.tanhh(s[0]),)", "'.tanhh'"),
    "attribute": ("return (s.real,)", "'.real'"),
    "import": ("import math as m\n    return (m.tanh(s[0]),)", "import"),
    "print": ("print(s)\n    return (s[0],)", "'print'"),
    "inner function": ("def f(v):\n        return v\n    return (f(s[0]),)", "functions within functions"),
    "list": ("return [s[0]]", "lists"),
    "global": ("global COUNT\n    COUNT = 1.0\n    return (s[0],)", "global"),
    "helper": ("return (helper(s[0]),)", "function 'helper'.*rd.where"),
    "object": ("return (TABLE[0],)", "'TABLE' \\(dict\\)"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals(reason, tmp_path):
    body, words = REFUSED[reason]
    head = "import math\nimport numpy as np\nimport rnndyn as rd\nTABLE = {0: 1.0}\n"
    head += "def helper(v):\n    if v > 0:\n        return v\n    return 0.0\n"
    source, path = f"{head}def step(x, a, s, p):\n    {body}\n", tmp_path / "my_cell.py"
    scope = {"__name__": "my_cell"}
    exec(compile(source, str(path), "exec"), scope)
    stage = rd.Stage(gates=("g",), update=scope["step"], sends="h", leaves=("h",))
    cell = rd.Cell("Mine", 2, 0, ("h",), (stage,))
    with pytest.raises(InputError) as refusal:
        rd.trajectory(cell, {}, steps=1)
    told = str(refusal.value)
    assert re.search(words, told), told
    assert "function 'helper'" in told if reason == "helper" else "function 'step'" in told
    assert str(path) in told
    assert "a rule holds assignments, arithmetic" in told


def test_two_runs_of_equal_cells_compile_side_by_side():
    """What one run told the compiler of its cell is there for the other, whichever ends first."""
    from rnndyn.kernels import rule

    one, other = (rule.bind(rd.GRU(2)) for _ in range(2))
    kinds = [rule._typeof_stage(bound.stages[0], None) for bound in (one, other)]
    assert kinds[0] == kinds[1]
    del other
    assert rule._STAGES[one.stages[0].digest].plan == one.stages[0].plan
