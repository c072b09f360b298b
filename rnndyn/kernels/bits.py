"""Bits of floating-point numbers: powers of two, mantissas, exponents and rounding of lanes."""

import numpy as np

from .lane import constant, integers_of, is_lane
from .primitive import primitive

FORMAT = {"float64": (52, 1023, np.int64), "float32": (23, 127, np.int32)}  # mantissa bits, exponent bias, integer


def _format(kind):
    return FORMAT[str(kind.dtype)]


def _exp2i_code(emit, kinds, values):
    (kind,) = kinds
    b = emit.builder
    bits, bias, _ = _format(kind)
    integers, number = integers_of(emit, kind)
    magic = constant(emit, kind, 1.5 * 2.0**bits + bias)
    return b.bitcast(b.shl(b.bitcast(b.fadd(values[0], magic), integers), number(bits)), emit.type(kind))


@primitive(lambda k: k if is_lane(k) else None, _exp2i_code)
def exp2i(k):
    """2^k for an integer-valued lane k within the range of normal numbers (-1022..1023; float32 -126..127)."""
    return np.ldexp(np.ones_like(k), np.asarray(k).astype(np.int32))


def _nearest_code(emit, kinds, values):
    magic = constant(emit, kinds[0], 1.5 * 2.0 ** _format(kinds[0])[0])
    return emit.builder.fsub(emit.builder.fadd(values[0], magic), magic)


@primitive(lambda a: a if is_lane(a) else None, _nearest_code)
def nearest(a):
    """The nearest integer, ties to even, for |a| < 2^51 (float32: 2^22)."""
    return np.rint(a)


def _mantissa_code(emit, kinds, values):
    (kind,) = kinds
    b = emit.builder
    bits, bias, _ = _format(kind)
    integers, number = integers_of(emit, kind)
    masked = b.and_(b.bitcast(values[0], integers), number((1 << bits) - 1))
    return b.bitcast(b.or_(masked, number(bias << bits)), emit.type(kind))


@primitive(lambda a: a if is_lane(a) else None, _mantissa_code)
def mantissa(a):
    """m in [1, 2) with a = m 2^exponent(a), for normal a > 0."""
    return 2 * np.frexp(a)[0]


def _exponent_code(emit, kinds, values):
    (kind,) = kinds
    b = emit.builder
    bits, bias, _ = _format(kind)
    integers, number = integers_of(emit, kind)
    shifted = b.lshr(b.bitcast(values[0], integers), number(bits))
    # an integer k in the low bits of 2^bits reads as 2^bits + k
    high = b.bitcast(b.or_(shifted, number((bias + bits) << bits)), emit.type(kind))
    return b.fsub(high, constant(emit, kind, 2.0**bits + bias))


@primitive(lambda a: a if is_lane(a) else None, _exponent_code)
def exponent(a):
    """e with a = mantissa(a) 2^e, as a lane, for normal a > 0."""
    return (np.frexp(a)[1] - 1).astype(np.asarray(a).dtype)
