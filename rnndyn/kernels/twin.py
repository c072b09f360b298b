"""What the names in a rule mean in plain Python: the lanes' own formulas on NumPy numbers, and on dual numbers.

A rule's uncompiled copy runs on these (device "python"): the reference for the compiled kernels, and the way to step
through a rule in a debugger. Being NumPy's arithmetic, the same copy also takes whole arrays.
"""

import math
import types

from ..cells import language
from .dual import Dual, chain, value
from .elementary import JETS, VALUES
from .lane import maximum, minimum, select


def _lift(function):
    plain, jet = VALUES[function], JETS[function]

    def meaning(x):
        return chain(x, *jet(x.value)) if isinstance(x, Dual) else plain(x)

    return meaning


def _pick(mask, a, b):
    """`a` where the mask is true, else `b`, of numbers and dual numbers."""
    if not isinstance(a, Dual) and not isinstance(b, Dual):
        return select(mask, a, b)
    like = a if isinstance(a, Dual) else b
    slots = zip(*(x.partials if isinstance(x, Dual) else (None,) * len(like.partials) for x in (a, b)), strict=True)
    partials = (
        None if p is None and q is None else select(mask, 0.0 if p is None else p, 0.0 if q is None else q)
        for p, q in slots
    )
    return Dual(select(mask, value(a), value(b)), partials)


def _extremum(better):
    def meaning(a, b):
        x, y = value(a), value(b)
        chosen = better(x, y)
        return _pick((chosen == x) | (x != x), a, b)

    return meaning


FUNCTIONS = {function: _lift(function) for function in VALUES} | {
    language.where: _pick,
    min: _extremum(minimum),
    max: _extremum(maximum),
}
MATH = types.SimpleNamespace(**{name: getattr(math, name) for name in ("pi", "e", "tau", "inf", "nan")})
LANGUAGE = types.SimpleNamespace()
for _function, _meaning in FUNCTIONS.items():
    _home = MATH if getattr(math, _function.__name__, None) is _function else LANGUAGE
    setattr(_home, _function.__name__, _meaning)
MEANINGS = FUNCTIONS | {math: MATH, language: LANGUAGE}
