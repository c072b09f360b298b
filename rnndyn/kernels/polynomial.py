"""Makers of the primitives that elementary functions are built from: polynomials, powers of two, constants by dtype.

Each maker takes numbers for float64 and for float32 and returns a primitive that uses the ones of its argument's dtype;
they are constants of the compiled code. Uncompiled, they are NumPy numbers of that dtype, so that float32 stays so.
"""

import numpy as np
from llvmlite import ir
from numba.core import types

from .bits import FORMAT
from .lane import constant, is_lane, splat
from .primitive import primitive


def _lane(x):
    return x if is_lane(x) else None


def _chosen(kind, for64, for32):
    return for64 if kind.dtype == types.float64 else for32


def _dtype(x):
    return np.float32 if getattr(x, "dtype", None) == np.float32 else np.float64


def _numbers(x, for64, for32):
    dtype = _dtype(x)
    return [dtype(c) for c in (for64 if dtype is np.float64 else for32)]


def _pick_code(emit, kinds, values):
    which = _chosen(kinds[0], 1, len(kinds) - 1)
    return splat(emit, kinds[0], values[which], kinds[which])


@primitive(lambda x, for64, for32=None: _lane(x), _pick_code)
def pick(x, for64, for32=None):
    """The number `for64` as wide as x, or `for32` where x is float32 and that is given."""
    return _numbers(x, (for64,), (for64 if for32 is None else for32,))[0]


def polynomial(for64, for32):
    """A primitive `x -> c[0] + c[1] x + c[2] x^2 + ...`.

    Horner's rule: in tanh and logistic, splitting into even and odd powers shortens the wait but costs a product and
    registers: 5 to 10 % slower for 16 float64 on AVX2 (1.05 against 0.96 ns per tanh), equal where each step waits for
    the last.
    """

    def code(emit, kinds, values):
        numbers = [constant(emit, kinds[0], c) for c in _chosen(kinds[0], for64, for32)]
        total = numbers[-1]
        for number in numbers[-2::-1]:
            total = emit.call("llvm.fmuladd", values[0], total, number)
        return total

    @primitive(_lane, code)
    def evaluate(x):
        numbers = _numbers(x, for64, for32)
        total = numbers[-1]
        for number in numbers[-2::-1]:
            total = x * total + number
        return total

    return evaluate


def within(for64, for32):
    """A primitive `x -> max(-bound, min(bound, x))`; NaN stays.

    Two instructions: with the bound as first operand, x86's min and max return x if it is NaN.
    """

    def code(emit, kinds, values):
        b = emit.builder
        bound = _chosen(kinds[0], for64, for32)
        x = values[0]
        for symbol, end in (("<", constant(emit, kinds[0], bound)), (">", constant(emit, kinds[0], -bound))):
            x = b.select(b.fcmp_ordered(symbol, end, x), end, x)
        return x

    @primitive(_lane, code)
    def clamp(x):
        (bound,) = _numbers(x, (for64,), (for32,))
        return np.maximum(-bound, np.minimum(bound, x))

    return clamp


def binary(factor):
    """A primitive `x -> (k, 2^k)`, k the integer nearest to `factor x`, |k| <= 1023 (float32: 127); 2^-1023 is 0.

    One fused step adds 1.5 2^52 + 1023 (float32: 1.5 2^23 + 127): the low bits of the sum are the exponent bits of 2^k.
    """

    def code(emit, kinds, values):
        (kind,) = kinds
        b = emit.builder
        bits, bias, _ = FORMAT[str(kind.dtype)]
        integer = ir.IntType(kind.dtype.bitwidth)
        shift = ir.Constant(integer, bits)
        if kind.width > 1:
            integer = ir.VectorType(integer, kind.width)
            shift = ir.Constant(integer, [bits] * kind.width)
        magic = constant(emit, kind, 1.5 * 2.0**bits + bias)
        total = emit.call("llvm.fmuladd", values[0], constant(emit, kind, factor), magic)
        power = b.bitcast(b.shl(b.bitcast(total, integer), shift), emit.type(kind))
        return emit.tuple(types.UniTuple(kind, 2), [b.fsub(total, magic), power])

    @primitive(lambda x: types.UniTuple(x, 2) if is_lane(x) else None, code)
    def split(x):
        dtype = _dtype(x)
        k = np.rint(x * dtype(factor))
        known = np.where(np.isnan(k), 0, k).astype(np.int32)
        return k, np.ldexp(dtype(1), known) * (known > (-1023 if dtype is np.float64 else -127))

    return split


def remainder(for64, for32):
    """A primitive `(x, k) -> x - k (parts[0] + parts[1] + ...)`, subtracted in this order (Cody and Waite).

    As exact as the products `k parts[i]` are, by trailing zeros of the parts (or by FMA).
    """

    def code(emit, kinds, values):
        x, k = values
        for part in _chosen(kinds[0], for64, for32):
            x = emit.call("llvm.fmuladd", k, constant(emit, kinds[0], -part), x)
        return x

    @primitive(lambda x, k: _lane(x) if x == k else None, code)
    def reduce(x, k):
        for part in _numbers(x, for64, for32):
            x = x - k * part
        return x

    return reduce
