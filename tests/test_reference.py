"""The reference of the study file: it is of the present tables, and every example in it runs."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from rnndyn.sweep import read_study, sweep
from rnndyn.sweep.examples import BASE, EXAMPLES, FILES
from rnndyn.sweep.initialisers import Initialiser
from rnndyn.sweep.reference import keys, reference, tables
from rnndyn.sweep.template import TEMPLATE

ROOT = Path(__file__).parents[1]


def test_the_reference_is_up_to_date():
    written = (ROOT / "studies" / "REFERENCE.md").read_text(encoding="utf-8")
    assert written == reference(), "make it again: rnndyn reference -o studies/REFERENCE.md"
    assert "studies/REFERENCE.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_key_stands_in_an_example():
    shown = set()
    for title, _, model, name in tables():
        shown.add(name)
        if model is None:
            continue
        examples = (name, "sizes", "steps", "measure regimes")
        written = set().union(*(used(tomllib.loads(EXAMPLES[one])) for one in examples))
        missing = [key for key in keys(model) if key not in written]
        assert not missing, f"{title}: {missing}"
        assert all(
            field.description or key in ("init", "kind")
            for key, field in model.model_fields.items()
            if key in keys(model)
        )
    assert shown == set(EXAMPLES)


def used(table):
    """Return all keys in a table and in those within it."""
    inner = table.values() if isinstance(table, dict) else table if isinstance(table, list) else ()
    return set().union(table if isinstance(table, dict) else (), *map(used, inner))


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the files that the examples name."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    random = np.random.default_rng(0)
    np.save(tmp_path / "matrices.npy", random.normal(size=(3, 2, 2)))
    np.save(tmp_path / "sequence.npy", random.normal(size=(200, 1)))
    return tmp_path


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(folder, name):
    path = folder / "try.toml"
    path.write_text(placed(EXAMPLES[name]), encoding="utf-8")
    study = read_study(path)
    slow = study.run.model_copy(update={"device": "python", "steps": 20})  # uncompiled: what counts is that it runs
    dataset = sweep(study.model_copy(update={"run": slow}), progress=False)
    for variable in dataset.data_vars:
        if variable.endswith("status"):
            assert set(np.unique(dataset[variable])) <= {0, 3} if "henon" in EXAMPLES[name] else {0}
        assert not np.all(np.isnan(dataset[variable].astype(float)))


def placed(example):
    """Return BASE with the tables of an example in the place of its own."""
    heads = {line.strip("[]").split(".")[0] for line in example.splitlines() if line.startswith("[")}
    parts = ("\n" + BASE.strip()).split("\n[")
    kept = [f"[{part}" for part in parts if part and part.split("]")[0].split(".")[0] not in heads]
    first = example if not heads or not example.strip().startswith("[") else ""
    return "\n".join([first, *kept, "" if first else example])


def test_the_template_is_a_study(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEMPLATE, encoding="utf-8")
    study = read_study(path)
    assert study.points > 100
    assert {figure.kind for figure in study.figure} == {"curve", "profile", "orbit"}
    assert study.number


def test_all_initialisers_stand_in_the_reference():
    text = reference()
    for kind in Initialiser.__subclasses__():
        for init in (kind, *kind.__subclasses__()):
            if "init" in init.model_fields:
                assert f"init = {init.model_fields['init'].annotation.__args__[0]!r}".replace("'", '"') in text
