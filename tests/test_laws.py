"""The laws of the house, read from the sources, and how quickly the door opens."""

import ast
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from support import python

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rnndyn"
FLOORS = ["cells", "kernels", "dynamics", "sweep", "report", "cli"]
GPU = {"cupy", "pycuda", "cuda", "numba_cuda", "torch", "jax"}
HEAVY = ["numba", "llvmlite", "xarray", "zarr", "pandas", "matplotlib", "pydantic", "jinja2", "typer", "rich", "scipy"]
SOURCES = sorted(PACKAGE.rglob("*.py"))


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor(name):
    """Return the floor of a module of the package ("" for the package itself, `errors` and `__main__`)."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else ""


def imports(path, at_import_time=False):
    """Return the absolute names of all that a file imports, inside functions too unless `at_import_time`."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found = set()

    def walk(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and at_import_time:
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else []
                base = ".".join([*base, *([child.module] if child.module else [])])
                found.add(base)
                found.update(f"{base}.{alias.name}" for alias in child.names)
            walk(child)

    walk(ast.parse(path.read_text(encoding="utf-8")))
    return found


def roots(path, **options):
    return {name.split(".")[0] for name in imports(path, **options)}


def by_name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=by_name)
def test_a_floor_imports_only_floors_below(path):
    own = floor(module_name(path))
    reached = {floor(name) for name in imports(path) if name.startswith("rnndyn.")} - {"", own}
    if path.name != "__main__.py":
        assert "cli" not in reached, "nobody imports cli"
    if own:
        above = [name for name in reached if FLOORS.index(name) > FLOORS.index(own)]
        assert not above, f"{own} imports {above}"


@pytest.mark.parametrize("path", SOURCES, ids=by_name)
def test_libraries_stay_on_their_floor(path):
    own, used = floor(module_name(path)), roots(path)
    if path == PACKAGE / "dynamics" / "truths" / "parity.py":  # holds our numbers against PyTorch's, if it is there
        assert "torch" not in roots(path, at_import_time=True), "nobody needs PyTorch"
        used -= {"torch"}
    if own != "kernels":
        assert not used & {"numba", "llvmlite", "threadpoolctl", *GPU}, "only kernels compiles"
    if own in ("", "cells", "kernels", "dynamics"):
        lazy_door = path == PACKAGE / "__init__.py"
        assert lazy_door or not used & {"xarray", "zarr", "pydantic", "pandas", "tomllib"}, "no labels below sweep"
    if own != "cli":
        assert "typer" not in used, "only cli parses"
    if own not in ("report",):
        assert not used & {"matplotlib", "jinja2"}, "only report draws"
    if path != PACKAGE / "report" / "style.py":  # where rd.plot makes a figure for a user who gave no axes
        assert not any(name.startswith("matplotlib.pyplot") for name in imports(path)), "pyplot keeps global state"


@pytest.mark.parametrize("path", sorted((PACKAGE / "cells").glob("*.py")), ids=by_name)
def test_cells_import_only_math(path):
    outside = {name for name in imports(path) if not name.startswith("rnndyn.cells") and name != "rnndyn"}
    describing = (
        {"dataclasses", "typing", "collections"}
        if path.stem in ("__init__", "cell", "field", "network", "steps")
        else set()
    )
    assert {name.split(".")[0] for name in outside} <= {"math", *describing}


@pytest.mark.parametrize("path", SOURCES, ids=by_name)
def test_errors_is_the_ground(path):
    if path.stem == "errors" and path.parent == PACKAGE:
        assert roots(path) <= set(sys.stdlib_module_names)


def test_top_level_of_the_repository():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {name.split("/")[0] for name in listed.stdout.splitlines()}
    allowed = {"pyproject.toml", "README.md", "rnndyn", "tests", "studies", "reports"}
    assert {name for name in top if not name.startswith(".")} <= allowed


def timed(code):
    """Run code in a process of its own; returns (output, CPU seconds), which a busy machine changes little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = python(code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return told, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_importing_the_package_loads_nothing_heavy():
    loaded = python("import sys, rnndyn; print(*sys.modules)")
    assert not set(loaded.split()) & set(HEAVY)


def test_help_loads_nothing_heavy():
    code = "import sys\ntry:\n import rnndyn.cli; sys.argv = ['rnndyn', '--help']; rnndyn.cli.main()\n"
    loaded = python(code + "except SystemExit:\n print(*sys.modules)")
    assert "numpy" not in loaded.split()
    assert not set(loaded.split()) & (set(HEAVY) - {"typer", "rich"})


def test_importing_and_helping_are_quick():
    empty = min(timed("pass")[1] for _ in range(3))
    assert min(timed("import rnndyn")[1] for _ in range(3)) - empty <= 0.3
    helping = "import runpy, sys; sys.argv = ['rnndyn', '--help']; runpy.run_module('rnndyn', run_name='__main__')"
    assert min(timed(helping)[1] for _ in range(3)) <= 0.5


def test_importing_the_floors_compiles_and_draws_nothing():
    code = "import sys; from rnndyn import cells; from rnndyn.sweep import read_study; "
    loaded = python(code + "read_study('studies/scalar_stability.toml'); print(*sys.modules)")
    assert not set(loaded.split()) & {"xarray", "zarr", "matplotlib", "jinja2"}
