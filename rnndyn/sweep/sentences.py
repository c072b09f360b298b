"""Pydantic's findings as sentences: the key, its value, and what to write instead."""

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from rnndyn.errors import nearest, suggestion

__all__ = ["entry", "sentences"]

Loc = tuple[int | str, ...]

EXPECTED = {
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "string_type": "expected a text in quotes",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
    "too_short": "expected at least one entry",
}
BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "greater_than": ("gt", "above"),
}


def sentences(error: ValidationError, model: type[BaseModel], table: Any = None) -> list[str]:
    """Return one sentence for each place of the study file that is wrong.

    model: the root that was validated; table: what it was validated from, for the titles of figures and numbers.
    """
    by_place: dict[str, dict[Loc, list[dict[str, Any]]]] = {}
    for found in error.errors():
        loc = tuple(part for part in found["loc"] if not _is_branch(part))
        by_place.setdefault(place(loc), {}).setdefault(loc, []).append(dict(found))
    told = []
    for where, here in by_place.items():
        if any(other.startswith(f"{where}.") for other in by_place):
            continue  # of a union, the branch that came as far as a key of a table
        loc = max(here, key=len)  # of a union, the branch that came furthest: the first of those
        told.append(_sentence(_joined(here[loc]), loc, model, table))
    return told


def entry(key: str, number: int, name: Any) -> str:
    """Return what an entry of `[[figure]]` or `[[number]]` is called: its number from 1, its title or label if any."""
    return f"[[{key}]] {number}" + (f" {name!r}" if name and isinstance(name, str) else "")


def _joined(branches: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the finding that speaks for all branches of a union: `expected a number or a text in quotes`."""
    kinds = [found["type"] for found in branches]
    words = [EXPECTED[kind].removeprefix("expected ") for kind in kinds if kind in EXPECTED]
    if len(words) < 2 or len(set(kinds) - set(EXPECTED) - {"literal_error"}):
        return branches[0]
    if "a number" in words:
        words = [word for word in words if word != "a whole number"]
    words += [found["ctx"]["expected"] for found in branches if found["type"] == "literal_error"]
    words = list(dict.fromkeys(words))
    joined = " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    return branches[0] | {"type": "any_of", "msg": f"expected {joined}"}


def place(loc: Loc, table: Any = None) -> str:
    """Return a key as the study file writes it: `[run] steps`, `[axes] w`, `[measure.lyapunov] k`, `title`."""
    if len(loc) > 1 and loc[0] in ("figure", "number") and isinstance(loc[1], int):
        one = table[loc[0]][loc[1]] if isinstance(table, Mapping) else {}
        name = one.get("title", one.get("label")) if isinstance(one, Mapping) else None
        keys = [str(part) for part in loc[2:] if isinstance(part, str)]
        return ": ".join(filter(None, [entry(str(loc[0]), loc[1] + 1, name), ".".join(keys)]))
    keys = [str(part) for part in loc if isinstance(part, str) and part != "listed"]
    if not keys:
        return ""
    if len(keys) == 1:
        return keys[0] if keys[0] in ("title", "question", "answer", "claim", "sections") else f"[{keys[0]}]"
    depth = 2 if keys[0] == "measure" else 1
    return f"[{'.'.join(keys[:depth])}] {'.'.join(keys[depth:])}".strip()


def _is_branch(part: int | str) -> bool:
    """Pydantic names the branch of a union it tried (`int`, `function-before[...]`) as if it were a key."""
    return isinstance(part, str) and (
        part in ("int", "float", "str", "finite-float", "constrained-int", "constrained-str")
        or part.startswith(("function-", "literal[", "tuple[", "dict["))
    )


def _sentence(found: dict[str, Any], loc: Loc, model: type[BaseModel], table: Any) -> str:
    kind, value, where = found["type"], found["input"], place(loc, table)
    if kind == "extra_forbidden":
        above = place(loc[:-1], table)
        inside = f" in {above}" if above else ""
        return f"unknown key '{loc[-1]}'{inside}; {suggestion(loc[-1], _fields(model, loc[:-1]))}"
    if kind == "missing":
        return f"{where} is missing"
    if kind == "value_error":
        text = str(found["ctx"]["error"])
        return f"{where}: {text}" if where else text
    if kind == "literal_error":
        expected = found["ctx"]["expected"]
        guess = nearest(value, expected.replace("'", "").replace(" or ", ", ").split(", "))
        hint = f"; did you mean '{guess}'?" if guess else ""
        return f"{where} = {value!r}: expected {expected}{hint}"
    if kind in BOUNDS:
        key, words = BOUNDS[kind]
        return f"{where} = {value!r}: expected {words} {found['ctx'][key]:g}"
    return f"{where} = {value!r}: {EXPECTED.get(kind, found['msg'][0].lower() + found['msg'][1:])}"


def _fields(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the keys that the table at `loc` knows."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            inner = list(_models(model.model_fields[part].annotation))
            if not inner:
                return []
            model = inner[0]
    return [name for name in model.model_fields if name != "listed"]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the tables inside a type: those of a union, of a dictionary's values, of a list's entries."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from _models(inner)
