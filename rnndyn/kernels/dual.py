"""Dual numbers through a rule: the value and its partial derivatives with respect to chosen arguments, exactly.

A dual number carries a value and one slot for each seeded argument, `None` where the argument cannot matter: such slots
are skipped by type, so that a rule pays only for the derivatives that exist. A partial that is 1 whatever the numbers
are (of a field that a rule hands on, say) is known by type too: it is neither kept nor multiplied. `partials` starts
dual numbers and reads the partials off the rule's results.
"""

import operator

import numpy as np
from numba.core import types
from numba.extending import models, register_model

from ..cells import language
from .elementary import JETS
from .helper import helper_overload
from .lane import LaneType, MaskType, Number, constant, is_lane, is_scalar, mask_of, narrowed, splat, widened
from .primitive import register

COMPARED = (bool, np.bool_)  # what a comparison gives


class Dual:
    """A value with partials, uncompiled. Unseeded numbers have no partials."""

    def __init__(self, value, partials):
        self.value, self.partials = value, tuple(partials)

    def __add__(self, other):
        return _combine(self, other, value(self) + value(other), 1.0, 1.0)

    __radd__ = __add__

    def __sub__(self, other):
        return _combine(self, other, value(self) - value(other), 1.0, -1.0)

    def __rsub__(self, other):
        return _combine(other, self, value(other) - value(self), 1.0, -1.0)

    def __mul__(self, other):
        return _combine(self, other, value(self) * value(other), value(other), value(self))

    __rmul__ = __mul__

    def __truediv__(self, other):
        return _quotient(self, other)

    def __rtruediv__(self, other):
        return _quotient(other, self)

    def __neg__(self):
        return chain(self, -self.value, -1.0)

    def __pos__(self):
        return self

    def __pow__(self, n):
        return chain(self, self.value**n, n * self.value ** (n - 1) if n else 0.0)

    def __abs__(self):
        return chain(self, abs(self.value), 1.0 if self.value > 0 else -1.0)

    def __lt__(self, other):
        return self.value < value(other)

    def __le__(self, other):
        return self.value <= value(other)

    def __gt__(self, other):
        return self.value > value(other)

    def __ge__(self, other):
        return self.value >= value(other)


def value(x):
    """The value of a dual number; a plain number itself."""
    return x.value if isinstance(x, Dual) else x


def _slots(x, like):
    return x.partials if isinstance(x, Dual) else (None,) * len(like.partials)


def _combine(x, y, result, dx, dy):
    """The dual number `result` whose partials are dx x' + dy y'."""
    if isinstance(x, COMPARED) or isinstance(y, COMPARED):
        raise TypeError("arithmetic with a comparison: use rd.where(condition, a, b)")
    like = x if isinstance(x, Dual) else y
    pairs = zip(_slots(x, like), _slots(y, like), strict=True)
    return Dual(result, (_sum(None if a is None else dx * a, None if b is None else dy * b) for a, b in pairs))


def _sum(a, b):
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _quotient(x, y):
    q, r = value(x) / value(y), 1.0 / value(y)
    return _combine(x, y, q, r, -q * r)


def chain(x, result, slope):
    """The dual number `result` whose partials are slope x'."""
    return Dual(result, (None if a is None else slope * a for a in x.partials))


# --- the compiled type ------------------------------------------------------------------------------------------------


NONE, ONE, ANY = range(3)  # what is known of a partial by type: that it is 0, that it is 1, nothing


class DualType(Number):
    """A lane and its partials; `slots[i]` is what is known of partial i."""

    def __init__(self, lane, slots):
        self.lane, self.slots = lane, tuple(slots)
        super().__init__(name=f"dual({lane}, {''.join('01d'[s] for s in self.slots)})")


@register_model(DualType)
class _DualModel(models.StructModel):
    def __init__(self, manager, kind):
        members = [("value", kind.lane)] + [(f"d{i}", kind.lane) for i, slot in enumerate(kind.slots) if slot == ANY]
        super().__init__(manager, kind, members)


def lane_of(kind):
    return kind.lane if isinstance(kind, DualType) else kind


def joining(slot):
    """Make the type rule of a dual with a dual, lane or scalar: a dual, with `slot(a, b)` where one of them has any."""

    def rule(*kinds):
        duals = [kind for kind in kinds if isinstance(kind, DualType)]
        if not duals or not all(isinstance(kind, DualType) or is_lane(kind) or is_scalar(kind) for kind in kinds):
            return None
        none = (NONE,) * len(duals[0].slots)
        pairs = zip(*(kind.slots if isinstance(kind, DualType) else none for kind in kinds), strict=True)
        return DualType(duals[0].lane, (slot(*pair) if any(pair) else NONE for pair in pairs))

    return rule


of_product = joining(lambda a, b: ANY)
of_sum = joining(lambda a, b: ANY if a and b else a or b)
of_difference = joining(lambda a, b: ANY if b else a)
of_choice = joining(lambda a, b: a if a == b else ANY)


def of_image(kind):
    """The type of a dual number's image under a function."""
    return DualType(kind.lane, (slot and ANY for slot in kind.slots))


def taken(emit, kind, source, number):
    """(value, partials) of an argument of type `source`, for a dual of type `kind`; partials are None where they are 0
    by type, ONE where they are 1."""
    if not isinstance(source, DualType):
        return splat(emit, kind.lane, number, source), [None] * len(kind.slots)
    known = {NONE: None, ONE: ONE}
    position = iter(range(1, len(source.slots) + 1))
    return emit.item(number, 0), [
        known[slot] if slot in known else emit.item(number, next(position)) for slot in source.slots
    ]


def made(emit, kind, number, partials):
    """A dual of type `kind` from its value and partials."""
    from llvmlite import ir

    result = ir.Constant(emit.type(kind), ir.Undefined)
    members = [number] + [p for p, slot in zip(partials, kind.slots, strict=True) if slot == ANY]
    for i, member in enumerate(members):
        result = emit.builder.insert_value(result, member, i)
    return result


def real(emit, lane, partial):
    """A partial as a number."""
    if partial is None or partial is ONE:
        return constant(emit, lane, 0.0 if partial is None else 1.0)
    return partial


def times(emit, lane, factor, partial):
    """factor * partial, factor None for 1."""
    if factor is None:
        return real(emit, lane, partial)
    return factor if partial is ONE else emit.builder.fmul(factor, partial)


def scaled_sum(emit, lane, pairs):
    """Sum of factor * partial over the pairs whose partial exists (factor None: 1), fused; None if there are none."""
    total = None
    for factor, partial in pairs:
        if partial is None:
            continue
        if total is None:
            total = times(emit, lane, factor, partial)
        elif factor is None or partial is ONE:
            total = emit.builder.fadd(total, times(emit, lane, factor, partial))
        else:
            total = emit.call("llvm.fmuladd", factor, partial, total)
    return total


PAIRS = (
    (DualType, DualType),
    (DualType, LaneType),
    (LaneType, DualType),
    (DualType, types.Number),
    (types.Number, DualType),
)


def _binary(function, rule, derive):
    """A binary operation; `derive(emit, kind, x, y) -> value, dx, dy` with factor None for 1."""

    def code(emit, kinds, values):
        kind = rule(*kinds)
        (x, xs), (y, ys) = (taken(emit, kind, k, v) for k, v in zip(kinds, values, strict=True))
        result, dx, dy = derive(emit, kind, x, y)
        partials = [scaled_sum(emit, kind.lane, ((dx, a), (dy, b))) for a, b in zip(xs, ys, strict=True)]
        return made(emit, kind, result, partials)

    register(function, rule, code, *PAIRS)


def _divide(emit, kind, x, y):
    q = emit.builder.fdiv(x, y)
    r = emit.builder.fdiv(constant(emit, kind.lane, 1.0), y)
    return q, r, emit.negative(emit.builder.fmul(q, r))


_binary(operator.add, of_sum, lambda e, k, x, y: (e.builder.fadd(x, y), None, None))
_binary(operator.sub, of_difference, lambda e, k, x, y: (e.builder.fsub(x, y), None, constant(e, k.lane, -1.0)))
_binary(operator.mul, of_product, lambda e, k, x, y: (e.builder.fmul(x, y), y, x))
_binary(operator.truediv, of_product, _divide)


def _negative_code(emit, kinds, values):
    x, xs = taken(emit, kinds[0], kinds[0], values[0])
    lane = kinds[0].lane
    return made(emit, of_image(kinds[0]), emit.negative(x), [p and emit.negative(real(emit, lane, p)) for p in xs])


register(operator.neg, lambda x: of_image(x) if isinstance(x, DualType) else None, _negative_code, (DualType,))
register(
    operator.pos, lambda x: x if isinstance(x, DualType) else None, lambda emit, kinds, values: values[0], (DualType,)
)


def _comparison(symbol):
    def result(a, b):
        kind = of_product(a, b)
        return kind and mask_of(kind.lane)

    def code(emit, kinds, values):
        kind = of_product(*kinds)
        (x, _), (y, _) = (taken(emit, kind, k, v) for k, v in zip(kinds, values, strict=True))
        return widened(emit, kind.lane, emit.builder.fcmp_ordered(symbol, x, y))

    return result, code


for _symbol, _function in (("<", operator.lt), ("<=", operator.le), (">", operator.gt), (">=", operator.ge)):
    register(_function, *_comparison(_symbol), *PAIRS)


# --- integer powers, of lanes and of duals ----------------------------------------------------------------------------


def _power(emit, kind, x, n):
    """x^n by repeated squaring; n >= 0."""
    if n == 0:
        return constant(emit, kind, 1.0)
    half = _power(emit, kind, x, n // 2) if n > 1 else None
    square = emit.builder.fmul(half, half) if half is not None else None
    if n % 2 == 0:
        return square
    return x if square is None else emit.builder.fmul(square, x)


def _signed_power(emit, kind, x, n):
    if n >= 0:
        return _power(emit, kind, x, n)
    return emit.builder.fdiv(constant(emit, kind, 1.0), _power(emit, kind, x, -n))


def _power_code(emit, kinds, values):
    kind, n = kinds[0], kinds[1].literal_value
    if is_lane(kind):
        return _signed_power(emit, kind, values[0], n)
    x, xs = taken(emit, kind, kind, values[0])
    result = _signed_power(emit, kind.lane, x, n)
    slope = emit.builder.fmul(constant(emit, kind.lane, n), _signed_power(emit, kind.lane, x, n - 1))
    return made(emit, of_image(kind), result, [p and times(emit, kind.lane, slope, p) for p in xs])


def _power_result(x, n):
    if not isinstance(x, Number) or not isinstance(n, types.IntegerLiteral):
        return None
    return of_image(x) if isinstance(x, DualType) else x


register(operator.pow, _power_result, _power_code, (Number, types.IntegerLiteral), literal=True)


# --- functions of the language ----------------------------------------------------------------------------------------


def _chain_code(emit, kinds, values):
    _, xs = taken(emit, kinds[0], kinds[0], values[0])
    lane = kinds[0].lane
    return made(emit, of_image(kinds[0]), values[1], [p and times(emit, lane, values[2], p) for p in xs])


register(
    chain,
    lambda x, result, slope: of_image(x) if isinstance(x, DualType) and is_lane(result) and is_lane(slope) else None,
    _chain_code,
    (DualType, LaneType, LaneType),
)
register(
    value,
    lambda x: lane_of(x) if isinstance(x, Number) else None,
    lambda emit, kinds, values: emit.item(values[0], 0) if isinstance(kinds[0], DualType) else values[0],
    (Number,),
)


def _dual_overload(function, jet):
    @helper_overload(function)
    def through(x):
        if isinstance(x, DualType):

            def derived(x):
                result, slope = jet(value(x))
                return chain(x, result, slope)

            return derived
        return None


for _function, _jet in JETS.items():
    _dual_overload(_function, _jet)


def _choice(mask, a, b):
    return of_choice(a, b) if isinstance(mask, MaskType) else None


def _choice_code(emit, kinds, values):
    kind = of_choice(*kinds[1:])
    (x, xs), (y, ys) = (taken(emit, kind, k, v) for k, v in zip(kinds[1:], values[1:], strict=True))
    return _choose(emit, kind, narrowed(emit, values[0]), (x, xs), (y, ys))


def _choose(emit, kind, mask, first, second):
    partials = [
        emit.builder.select(mask, real(emit, kind.lane, a), real(emit, kind.lane, b)) if slot == ANY else None
        for a, b, slot in zip(first[1], second[1], kind.slots, strict=True)
    ]
    return made(emit, kind, emit.builder.select(mask, first[0], second[0]), partials)


CHOICES = tuple((MaskType, *pair) for pair in PAIRS)
register(language.where, _choice, _choice_code, *CHOICES)


def _extremum_code(symbol):
    def code(emit, kinds, values):
        kind = of_choice(*kinds)
        (x, xs), (y, ys) = (taken(emit, kind, k, v) for k, v in zip(kinds, values, strict=True))
        b = emit.builder
        first = b.or_(b.fcmp_ordered(symbol, x, y), b.fcmp_unordered("uno", x, x))  # a NaN on either side stays
        return _choose(emit, kind, first, (x, xs), (y, ys))

    return code


register(min, of_choice, _extremum_code("<"), *PAIRS)
register(max, of_choice, _extremum_code(">"), *PAIRS)
