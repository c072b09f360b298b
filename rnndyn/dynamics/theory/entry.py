"""What an entry of the catalogue is: a function, what it says, where it holds and who found it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "Entry", "topic"]

Array = NDArray[np.float64]
Kind = Literal["curve", "point", "value"]
KINDS: dict[Kind, str] = {
    "curve": "a boundary: for each x, the y (one or several) at which the behaviour changes",
    "point": "places (x, y) where boundaries end or meet",
    "value": "a number that a measurement should give",
}
BISECTIONS = 52


@dataclass(frozen=True)
class Entry:
    """A closed form or mean-field result.

    kind: a key of `KINDS`. label: its name in a legend. equation, domain (where it holds; the function is NaN outside),
    source: in words. function: arrays in, array out; a curve's takes x first, and `mirrored` says that -y is one, too.
    notes: what is returned, and of which shape.
    """

    name: str
    kind: Kind
    label: str
    equation: str
    domain: str
    source: str
    function: Callable[..., Any]
    mirrored: bool = False
    notes: str = ""

    def __call__(self, *args: Any, **given: Any) -> Any:
        """Call the function."""
        return self.function(*args, **given)

    @property
    def arguments(self) -> dict[str, float | None]:
        """{name of an argument: its default, None if it must be given}, in order."""
        parameters = inspect.signature(self.function).parameters.values()
        return {one.name: None if one.default is one.empty else float(one.default) for one in parameters}

    @property
    def signature(self) -> str:
        """The name with its arguments and their defaults."""
        words = [key if value is None else f"{key}={value:g}" for key, value in self.arguments.items()]
        return f"{self.name}({', '.join(words)})"

    def polylines(self, low: float, high: float, count: int = 4001, **given: float) -> list[Array]:
        """Return the branches of a curve between two values of x, as points (n, 2) where there are any; or the points.

        The ends of its domain are found by bisection, so that branches reach their tips. given: the other arguments.
        """
        if self.kind == "point":
            return [place[None] for place in np.atleast_2d(self.function(**given))]
        x = np.linspace(low, high, count)
        x = np.sort(np.append(x, self._ends(x, given)))
        return [np.stack([x, y], axis=1)[np.isfinite(y)] for y in self.branches(x, **given) if np.isfinite(y).any()]

    def branches(self, x: Array, **given: float) -> Array:
        """Return the y of each branch of a curve, (branches, x)."""
        y = np.asarray(self.function(x, **given), dtype=np.float64).reshape(-1, len(x))
        return np.concatenate([y, -y]) if self.mirrored else y

    def _ends(self, x: Array, given: dict[str, float]) -> Array:
        """Return the last x, from inside, of those that have more branches than their neighbours."""
        count = np.isfinite(self.branches(x, **given)).sum(axis=0)
        at = np.flatnonzero(count[1:] != count[:-1])
        most, first = np.maximum(count[at], count[at + 1]), count[at] > count[at + 1]
        inside, outside = np.where(first, x[at], x[at + 1]), np.where(first, x[at + 1], x[at])
        for _ in range(BISECTIONS if len(at) else 0):
            middle = 0.5 * (inside + outside)
            more = np.isfinite(self.branches(middle, **given)).sum(axis=0) >= most
            inside, outside = np.where(more, middle, inside), np.where(more, outside, middle)
        return inside


def topic() -> tuple[dict[str, Entry], Callable]:
    """Return an empty catalogue and the decorator that puts a function into it under its own name.

    The decorator takes kind, equation, and the other attributes of an `Entry` by name. Equation, domain and source
    become part of the function's docstring.
    """
    found: dict[str, Entry] = {}

    def known(kind: Kind, equation: str, *, label: str, domain: str, source: str, mirrored: bool = False) -> Callable:
        def add(function: Callable) -> Callable:
            name = function.__name__
            notes = inspect.cleandoc(function.__doc__ or "")
            found[name] = Entry(name, kind, label, equation, domain, source, function, mirrored, notes)
            function.__doc__ = f"{equation}\n\n{notes}\n\nDomain: {domain}.\nSource: {source}."
            return function

        return add

    return found, known
