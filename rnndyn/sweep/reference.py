"""The reference of the study file, made from the tables themselves: every key, and an example of each table."""

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rnndyn.dynamics import theory
from rnndyn.sweep.axis import Axis
from rnndyn.sweep.cell import CellTable
from rnndyn.sweep.curves import CURVES, LINES
from rnndyn.sweep.examples import BASE, EXAMPLES
from rnndyn.sweep.figure import Figure
from rnndyn.sweep.initialisers import INITIALISERS
from rnndyn.sweep.inputs import INPUTS
from rnndyn.sweep.measures import Measure
from rnndyn.sweep.number import Number
from rnndyn.sweep.refinement import Refine
from rnndyn.sweep.study import Run, Study

__all__ = ["reference", "tables"]

TABLES = ("cell", "axes", "weights", "inputs", "run", "measure", "refine", "figure", "number")
OPENING = """\
# The study file

Every key of a study (`*.toml`). This page is made by `rnndyn reference`; `rnndyn new NAME` writes a commented study to
begin with, `rnndyn check` says what is wrong with one. Where a value may be *an axis*, write the name of an entry of
`[axes]` in quotes, or an affine form of one: a number, or none, times the axis, plus or minus a number. `"w"`, `"-w"`,
`"2 * w"`, `"1 + w"`, `"1 - 0.5 * w"` and `"-w + 3"` are such forms.

The examples below are parts: put each in the place of the same table of this study, and it runs.
"""
WEIGHTS = """\
Names, shapes and the order of gates are PyTorch's (`weight_hh`, `weight_ih`, `bias_hh`, `bias_ih`); the cell's
parameters (a leak, a step size) stand here too if they are swept. What is left out is zero, or the parameter's own
default. A value is a number or an axis, which fills the whole weight; a nested list of them, of the weight's shape; an
initialiser `{ init = ... }`; or, for a cell with gates, a table of any of these by gate, `{ f = 1.0, o = "b" }`.
"""


SECTIONS = """\
A claim may need several cells, grids and measures. Each is a study of its own, in a file beside this one or in a folder
there (`sections = ["forward_euler/regions.toml", "forward_euler/orbit.toml"]`): `rnndyn run forward_euler.toml` runs
them all, and its page tells of each the question, the answer, the first figure and the numbers, with a link to the
section's whole page in a folder below (`reports/forward_euler/regions/`). The name of a section is that of its file
without ending, and without the name of this file and a `_` before it, if it begins so (`forward_euler_regions.toml`).
`{regions.id}` in `answer` is the number `id` of that section, `--set regions.axes.w.num=8` changes the section alone.
A study that has sections need not have a grid: without `[cell]` and all other tables it is a page of its sections, as
below, and `--set run.steps=100` changes every one of them. `rnndyn run FOLDER` runs sections with their page only.
"""


THEORY = """\
## The catalogue of theory

All closed forms and mean-field results of the package, with their arguments, as `rnndyn theory` prints them;
`rnndyn theory NAME` shows one of them whole. In Python, `rd.theory.NAME(...)` computes one, `rd.theory.CATALOGUE` holds
them all, and `rd.plot.map(..., theory=[...])` draws the curves and points over any map. sigma is the logistic function,
z standard normal.
"""
SIZES = """\
`units` may be an axis: the networks of each size are computed one size after another, with weights drawn anew for each.
The axis is the first dimension of the result, and a variable must be as long for every size: keep a number of exponents
that all have. `extrapolate` of a number and a figure of kind `limit` tell the limit of infinitely many units.
"""


STEPS = """\
A cell that is a step of a vector field ds/dt = f(s) can take another one: `step` names it, and `dt` is a parameter as
before, so it can be an axis. `step` may be an axis of texts, and so may any other key of `[cell]` whose value is a text
(`kind`, `activation`): the cells are computed one after another, with the same weights, as sizes are. One key can do
so. Where a variable has such an axis, a curve draws a line for each of its texts.
"""


def reference() -> str:
    """Return the reference as Markdown."""
    parts = [OPENING, _code(BASE)]
    for title, text, model, example in tables():
        parts += [f"## {title}", text, _keys(model) if model is not None else "", _code(EXAMPLES[example])]
    parts += ["## Theory by name", "For `theory` of a map:", _curves(CURVES)]
    parts += ["For `theory` of a curve, a profile or a number:", _curves(LINES)]
    parts += [THEORY, theory.table()]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def tables() -> Iterator[tuple[str, str, type[BaseModel] | None, str]]:
    """Yield (title, words, model or None, key of the example) for each table of the study file."""
    yield "Top level", "", Study, "study"
    yield "Pages of several studies", SECTIONS, None, "sections"
    yield "`[cell]`", _doc(CellTable), CellTable, "cell"
    yield "`[axes]`", _doc(Axis), Axis, "axes"
    yield "Networks of several sizes", SIZES, None, "sizes"
    yield "Steps of a vector field", STEPS, None, "steps"
    yield "`[weights]`", WEIGHTS, None, "weights"
    for name, init in INITIALISERS.items():
        yield f'`{{ init = "{name}" }}`', _doc(init), init, f"init {name}"
    for name, inputs in INPUTS.items():
        yield f'`[inputs]` of `kind = "{name}"`', _doc(inputs), inputs, f"inputs {name}"
    yield "`[run]`", _doc(Run), Run, "run"
    for name, field in Measure.model_fields.items():
        model = next(inner for inner in typing.get_args(field.annotation) if inner is not types.NoneType)
        yield f"`[measure.{name}]`", _doc(model), model, f"measure {name}"
    yield "`[refine]`", _doc(Refine), Refine, "refine"
    yield "`[[figure]]`", _doc(Figure), Figure, "figure"
    yield "`[[number]]`", _doc(Number), Number, "number"


def _doc(model: type[BaseModel]) -> str:
    """Return a table's description without its own name before it."""
    text = " ".join((model.__doc__ or "").split())
    name, colon, rest = text.partition(": ")
    text = rest if colon and name.startswith("`") and name.endswith("`") else text
    return text[0].upper() + text[1:]


def _code(example: str) -> str:
    return f"```toml\n{example.strip()}\n```"


def _curves(curves: Mapping[str, Any]) -> str:
    return "\n".join(f"- `{name}`: {curve.label}; for {curve.domain}." for name, curve in curves.items())


def keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of a table that its user writes; those of `Study` that are tables have sections of their own."""
    names = [name for name in model.model_fields if name != "listed" and not (model is Study and name in TABLES)]
    return sorted(names, key=lambda name: name != "init")


def _keys(model: type[BaseModel]) -> str:
    rows = ["| key | value | without it | meaning |", "| --- | --- | --- | --- |"]
    for name in keys(model):
        field = model.model_fields[name]
        meaning, without = _meaning(field)
        if name in ("init", "kind") and field.description is None:
            meaning = "chooses this"
        rows.append(f"| `{name}` | {words(field.annotation, field.metadata)} | {without} | {meaning} |")
    return "\n".join(rows)


def _meaning(field: FieldInfo) -> tuple[str, str]:
    """Return (what a key means, what holds without it)."""
    text = field.description or ""
    if field.is_required():
        return text, "needed"
    if field.default in (None, "", (), {}):
        meaning, _, without = text.rpartition("; ")
        return (meaning, without) if meaning else (text, "")
    return text, _toml(field.default)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def words(annotation: Any, metadata: Any = ()) -> str:
    """Return what values a type takes, in words."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return words(inner[0], inner[1:])
    if origin is typing.Literal:
        return ", ".join(f'`"{value}"`' for value in inner)
    if origin in (typing.Union, types.UnionType):
        kinds = [kind for kind in inner if kind is not types.NoneType]
        numeric = [kind for kind in kinds if _bare(kind) in (int, float)]
        others = [words(kind) for kind in kinds if kind not in numeric]
        if len(numeric) > 1:
            axis = "number or axis" if str in kinds else "number"
            others = [other for other in others if other != "text" or str not in kinds]
            return axis + "".join(", or a list of them" if "list" in other else f" or {other}" for other in others)
        return " or ".join([*map(words, numeric), *others])
    if origin is tuple:
        return f"list of {words(inner[0]).replace('number', 'numbers', 1).replace('text', 'texts', 1)}"
    if origin is dict:
        return f"table of {words(inner[1]).replace('number', 'numbers', 1).replace('or axis', 'or texts')}"
    if annotation is bool:
        return "`true`, `false`"
    if annotation is int:
        least = next((entry.ge for entry in _flat(metadata) if hasattr(entry, "ge")), None)
        return "whole number" if least is None else f"whole number from {least}"
    return {float: "number", str: "text"}.get(annotation, "see right")


def _bare(annotation: Any) -> Any:
    return _bare(typing.get_args(annotation)[0]) if typing.get_origin(annotation) is typing.Annotated else annotation


def _flat(metadata: Any) -> Iterator[Any]:
    """Yield the constraints of a type, those inside a `Field` too."""
    for entry in metadata:
        yield entry
        yield from getattr(entry, "metadata", ())
