"""The lane type: `width` numbers of one dtype side by side in SIMD registers, one network in each.

`Lane(dtype, width)` names the kind of lane a kernel works on. Compiled, its values are LLVM vectors (numbers, where the
width is 1); uncompiled they are NumPy scalars (or arrays, for the elementary functions), and every function below is
its own meaning. All operations are elementwise, so that no lane sees its neighbour and bits do not depend on the width.

On CUDA the threads of a warp are the register: a lane is spread over them, one number in each (see `warp`).
"""

import operator

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.imputils import lower_constant
from numba.core.pythonapi import NativeValue
from numba.extending import models, register_model, typeof_impl, unbox

from . import warp
from .machine import register_bits
from .primitive import primitive, register


class Lane:
    """The kind of lane that a kernel works on: dtype ("float64" or "float32") and width (numbers side by side).

    threads: of a warp, over which a lane is spread, `width` numbers in each. alike: threads of a warp that work on one
    network, and hold the same number where a lane is of one (see `dense`).
    """

    def __init__(self, dtype="float64", width=1, threads=1, alike=1):
        self.dtype = np.dtype(dtype)
        self.width, self.threads, self.alike = int(width), int(threads), int(alike)

    def __repr__(self):
        return f"Lane({self.dtype.name}, {self.width}, {self.threads}, {self.alike})"


class Number(types.Type):
    """What a rule computes with: lanes, and (in `dual`) lanes with partial derivatives."""


class LaneType(Number):
    """Values of `Lane(dtype, width, threads)`: what one thread holds of them."""

    def __init__(self, dtype, width, threads=1):
        self.dtype, self.width, self.threads = dtype, width, threads
        super().__init__(name=f"lane({dtype}, {width}, {threads})")


class MaskType(types.Type):
    """One truth value per lane, as wide as the lane's numbers: all bits set or none (one bit where the width is 1).

    Vectors of single bits, LLVM's own masks, are packed into bytes and spread again wherever they live across a branch
    on processors without mask registers: a quarter of the time of a scalar map on AVX2.
    """

    def __init__(self, dtype, width, threads=1):
        self.dtype, self.width, self.threads = dtype, width, threads
        super().__init__(name=f"mask({dtype}, {width}, {threads})")


class KindType(types.Type):
    """The type of a `Lane` object itself: a value without bits. Elements of memory are `unit` numbers apart."""

    def __init__(self, dtype, width, unit=None, threads=1, alike=1):
        self.lane = LaneType(dtype, width, threads)
        self.unit, self.alike = unit or width * threads, alike
        super().__init__(name=f"kind({dtype}, {width}, {self.unit}, {threads}, {alike})")

    @property
    def joint(self):
        """Whether the threads of a warp work on one network: they read what others of them wrote."""
        return self.alike > 1 or self.lane.threads > self.unit


def _vector(element, width):
    return element if width == 1 else ir.VectorType(element, width)


def element_type(dtype):
    return ir.DoubleType() if dtype == types.float64 else ir.FloatType()


@register_model(LaneType)
class _LaneModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _vector(element_type(kind.dtype), kind.width))


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _vector(ir.IntType(1 if kind.width == 1 else kind.dtype.bitwidth), kind.width))


register_model(KindType)(models.OpaqueModel)


@typeof_impl.register(Lane)
def _typeof_lane(lane, context):
    dtype = types.float64 if lane.dtype == np.float64 else types.float32
    return KindType(dtype, lane.width, None, lane.threads, lane.alike)


@unbox(KindType)
def _unbox_lane(kind, value, context):
    return NativeValue(context.context.get_dummy_value())


@lower_constant(KindType)
def _constant_lane(context, builder, kind, value):
    return context.get_dummy_value()


# --- helpers of the code below ----------------------------------------------------------------------------------------


def is_lane(kind):
    return isinstance(kind, LaneType)


def is_scalar(kind):
    return isinstance(kind, (types.Float, types.Integer))


def same(*kinds):
    """The lane type of mixed lane and scalar arguments, or None."""
    lanes = {kind for kind in kinds if is_lane(kind)}
    mixed = all(is_lane(kind) or is_scalar(kind) for kind in kinds)
    return lanes.pop() if mixed and len(lanes) == 1 else None


def splat(emit, kind, value, source=None):
    """An LLVM scalar or lane `value` of type `source` as a lane of type `kind`."""
    if source is not None and is_lane(source):
        return value
    if source is not None:
        value = emit.context.cast(emit.builder, value, source, kind.dtype)
    if kind.width == 1:
        return value
    vector = emit.type(kind)
    if isinstance(value, ir.Constant):
        return ir.Constant(vector, [value.constant] * kind.width)
    i32 = ir.IntType(32)
    first = emit.builder.insert_element(ir.Constant(vector, ir.Undefined), value, i32(0))
    return emit.builder.shuffle_vector(
        first, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(i32, kind.width), None)
    )


def constant(emit, kind, value):
    """A Python number as a constant lane of type `kind`."""
    scalar = ir.Constant(element_type(kind.dtype), float(value))
    return scalar if kind.width == 1 else ir.Constant(emit.type(kind), [scalar.constant] * kind.width)


def integers_of(emit, kind):
    """The integer type as wide as the lane's, and a maker of constants of it."""
    bits = kind.dtype.bitwidth
    vector = _vector(ir.IntType(bits), kind.width)

    def number(value):
        return ir.Constant(vector, value if kind.width == 1 else [value] * kind.width)

    return vector, number


# --- arithmetic and comparison ----------------------------------------------------------------------------------------


def _arithmetic(name):
    def code(emit, kinds, values):
        kind = same(*kinds)
        return getattr(emit.builder, name)(*(splat(emit, kind, v, k) for v, k in zip(values, kinds, strict=True)))

    return code


def mask_of(kind):
    """The mask type of a lane type."""
    return kind and MaskType(kind.dtype, kind.width, kind.threads)


def widened(emit, kind, bits):
    """A vector of single bits as a mask of the lane type `kind`."""
    return bits if kind.width == 1 else emit.builder.sext(bits, emit.type(mask_of(kind)))


def narrowed(emit, mask):
    """A mask as the vector of single bits that LLVM selects by: its sign bits."""
    if not isinstance(mask.type, ir.VectorType):
        return mask
    return emit.builder.icmp_signed("<", mask, ir.Constant(mask.type, None))


def _comparison(symbol):
    def result(a, b):
        return mask_of(same(a, b))

    def code(emit, kinds, values):
        kind = same(*kinds)
        compare = emit.builder.fcmp_unordered if symbol == "!=" else emit.builder.fcmp_ordered
        bits = compare(symbol, *(splat(emit, kind, v, k) for v, k in zip(values, kinds, strict=True)))
        return widened(emit, kind, bits)

    return result, code


PAIRS = ((LaneType, LaneType), (LaneType, types.Number), (types.Number, LaneType))
for _function, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    register(_function, same, _arithmetic(_name), *PAIRS)
for _symbol, _function in (
    ("<", operator.lt),
    ("<=", operator.le),
    (">", operator.gt),
    (">=", operator.ge),
    ("==", operator.eq),
    ("!=", operator.ne),
):
    register(_function, *_comparison(_symbol), *PAIRS)
register(operator.neg, lambda a: a if is_lane(a) else None, lambda emit, k, v: emit.negative(v[0]), (LaneType,))
register(operator.pos, lambda a: a if is_lane(a) else None, lambda emit, k, v: v[0], (LaneType,))


def _masks(*kinds):
    return kinds[0] if all(isinstance(kind, MaskType) for kind in kinds) else None


register(operator.and_, _masks, lambda emit, k, v: emit.builder.and_(*v), (MaskType, MaskType))
register(operator.or_, _masks, lambda emit, k, v: emit.builder.or_(*v), (MaskType, MaskType))
register(operator.invert, _masks, lambda emit, k, v: emit.builder.not_(v[0]), (MaskType,))


# --- primitives: plain functions with a meaning in Python and code in LLVM --------------------------------------------


def _code(name, count):
    def code(emit, kinds, values):
        kind = same(*kinds)
        return emit.call(name, *(splat(emit, kind, v, k) for v, k in zip(values, kinds, strict=True)))

    return code


@primitive(lambda a, b, c: same(a, b, c), _code("llvm.fmuladd", 3))
def fma(a, b, c):
    """`a b + c`, in one rounding where the machine has it (`fmuladd`: without FMA hardware `fma` would call libm)."""
    return a * b + c


@primitive(lambda a: a if is_lane(a) else None, _code("llvm.sqrt", 1))
def sqrt(a):
    """Square root, correctly rounded."""
    return np.sqrt(a)


def _absolute_code(emit, kinds, values):  # by its bits: NVVM knows no llvm.fabs
    integers, number = integers_of(emit, kinds[0])
    bits = emit.builder.bitcast(values[0], integers)
    cleared = emit.builder.and_(bits, number((1 << (kinds[0].dtype.bitwidth - 1)) - 1))
    return emit.builder.bitcast(cleared, emit.type(kinds[0]))


@primitive(lambda a: a if is_lane(a) else None, _absolute_code)
def absolute(a):
    """|a|."""
    return np.abs(a)


def _copysign_code(emit, kinds, values):
    kind = same(*kinds)
    b = emit.builder
    integers, number = integers_of(emit, kind)
    sign = 1 << (kind.dtype.bitwidth - 1)
    a, c = (b.bitcast(splat(emit, kind, v, k), integers) for v, k in zip(values, kinds, strict=True))
    joined = b.or_(b.and_(a, number(sign - 1)), b.and_(c, number(sign)))
    return b.bitcast(joined, emit.type(kind))


@primitive(same, _copysign_code)
def copysign(a, b):
    """|a| with the sign of b."""
    return np.copysign(a, b)


def _extremum_code(symbol):
    def code(emit, kinds, values):
        kind = same(*kinds)
        b = emit.builder
        x, y = (splat(emit, kind, v, k) for v, k in zip(values, kinds, strict=True))
        pick = b.select(b.fcmp_ordered(symbol, x, y), x, y)
        return b.select(b.fcmp_unordered("uno", x, x), x, pick)  # a NaN on either side stays

    return code


@primitive(same, _extremum_code("<"))
def minimum(a, b):
    """The smaller of a and b; NaN if either is."""
    return np.minimum(a, b)


@primitive(same, _extremum_code(">"))
def maximum(a, b):
    """The larger of a and b; NaN if either is."""
    return np.maximum(a, b)


def _select_result(mask, a, b):
    if not isinstance(mask, MaskType):
        return None
    if isinstance(a, MaskType) and isinstance(b, MaskType):
        return a
    if is_scalar(a) and is_scalar(b):
        return LaneType(mask.dtype, mask.width, mask.threads)
    return same(a, b)


def _select_code(emit, kinds, values):
    chosen = narrowed(emit, values[0])
    if isinstance(kinds[1], MaskType):
        return emit.builder.select(chosen, *values[1:])
    kind = _select_result(*kinds)
    a, b = (splat(emit, kind, v, k) for v, k in zip(values[1:], kinds[1:], strict=True))
    return emit.builder.select(chosen, a, b)


@primitive(_select_result, _select_code)
def select(mask, a, b):
    """`a` where the mask is true, `b` elsewhere; what is not taken does not touch the result, be it NaN."""
    return np.where(mask, a, b)[()]


def _some_code(emit, kinds, values):
    (mask,), b = values, emit.builder
    if kinds[0].width == 1:
        return warp.any_of(b, mask) if kinds[0].threads > 1 else mask
    count, bits = mask.type.count, mask.type.element.width
    while count * bits > register_bits():  # half onto half, then one test of a whole register
        count //= 2
        halves = (ir.Constant(ir.VectorType(ir.IntType(32), count), [i + h for i in range(count)]) for h in (0, count))
        mask = b.or_(*(b.shuffle_vector(mask, ir.Constant(mask.type, ir.Undefined), half) for half in halves))
    whole = b.bitcast(mask, ir.IntType(count * bits))
    return b.icmp_unsigned("!=", whole, whole.type(0))


@primitive(lambda mask: types.boolean if isinstance(mask, MaskType) else None, _some_code)
def some(mask):
    """Whether any lane is true. Only ever used to skip work whose result no lane takes: bits never depend on it."""
    return bool(np.any(mask))


def _earliest_code(emit, kinds, values):
    b, (lowest,), kind = emit.builder, values, kinds[0]
    size = kind.width
    while size > 1:  # half onto half
        size //= 2
        halves = [
            b.shuffle_vector(
                lowest,
                ir.Constant(lowest.type, ir.Undefined),
                ir.Constant(ir.VectorType(ir.IntType(32), size), [i + h for i in range(size)]),
            )
            for h in (0, size)
        ]
        lowest = b.select(b.fcmp_ordered("<", *halves), *halves)
    if kind.width > 1:
        lowest = b.extract_element(lowest, ir.IntType(32)(0))
    distance = kind.threads // 2
    while distance:
        other = warp.exchanged(b, lowest, distance)
        lowest = b.select(b.fcmp_ordered("<", other, lowest), other, lowest)
        distance //= 2
    end = ir.Constant(lowest.type, float(LAST))
    return b.fptosi(b.select(b.fcmp_ordered("<", lowest, end), lowest, end), ir.IntType(64))


LAST = 1 << 62


@primitive(lambda a: types.int64 if is_lane(a) else None, _earliest_code)
def earliest(a):
    """The smallest of a lane's times, a whole number (at most 2^62). Like `some`, only ever used to skip work."""
    return int(min(np.min(a), LAST))


# --- memory -----------------------------------------------------------------------------------------------------------


def _full_code(emit, kinds, values):
    return splat(emit, kinds[0].lane, values[1], kinds[1])


@primitive(lambda lane, value: lane.lane if isinstance(lane, KindType) else None, _full_code)
def full(lane, value):
    """The number `value` in every lane."""
    return lane.dtype.type(value)
