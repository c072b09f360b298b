"""PTX's arithmetic on NumPy arrays, one element a thread, where NumPy has no operation that does just that.

Source: NVIDIA, "Parallel Thread Execution ISA", chapter "Instruction Set". All is exact as IEEE 754 asks, but for
`approximate`, where PTX itself leaves the last bits open.
"""

import ctypes
import os

import numpy as np

i4, u4, i8, u8, f4, f8 = (np.dtype(t) for t in ("i4", "u4", "i8", "u8", "f4", "f8"))
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


# --- floating point ---------------------------------------------------------------------------------------------------

_fma = ctypes.CDLL(None if os.name == "posix" else "ucrtbase").fma  # `math.fma` came with Python 3.13, and raises
_fma.argtypes, _fma.restype = (ctypes.c_double,) * 3, ctypes.c_double


def fma64(a, b, c):
    """a * b + c in float64, rounded once, to nearest (by C's `fma`)."""
    return np.fromiter(map(_fma, a.tolist(), b.tolist(), c.tolist()), f8, len(a))


def fma32(a, b, c, mode="rn"):
    """a * b + c in float32, rounded once: the product is exact in float64, the sum there is rounded to odd.

    Source: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57 (2008).
    """
    product, c = a.astype(f8) * b.astype(f8), c.astype(f8)
    total = product + c
    back = total - product
    error = (product - (total - back)) + (c - back)
    bits = total.view(i8)
    inexact = (error != 0) & (error == error) & (bits & 1 == 0)
    away = np.where((error > 0) == (total > 0), 1, -1)
    return round32((bits + inexact * away).view(f8), mode)


def round32(x, mode="rn"):
    """Float64 to float32: to nearest even `rn`, down `rm`, up `rp`, towards zero `rz`."""
    result = x.astype(f4)
    if mode == "rn":
        return result
    wrong = {"rm": result > x, "rp": result < x, "rz": np.abs(result) > np.abs(x)}[mode]
    towards = {"rm": -np.inf, "rp": np.inf, "rz": 0}[mode]
    return np.where(wrong, np.nextafter(result, f4.type(towards)), result)


def flush(x):
    """Float32 with subnormal numbers made zero of the same sign (`.ftz`)."""
    return np.where(np.abs(x) < np.finfo(f4).tiny, np.copysign(f4.type(0), x), x) if x.dtype == f4 else x


def minimum(a, b):
    """The number where the other is NaN; -0 is less than 0."""
    return np.where(a == b, np.where(np.signbit(b), b, a), np.fmin(a, b))


def maximum(a, b):
    """The number where the other is NaN; -0 is less than 0."""
    return np.where(a == b, np.where(np.signbit(b), a, b), np.fmax(a, b))


APPROXIMATIONS = {
    "ex2": np.exp2,
    "lg2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sqrt": np.sqrt,
    "rcp": lambda x: 1 / x,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}


def approximate(name, x):
    """`.approx` of a function: float32 to nearest, where a GPU may err by 1e-6; float64 of 20 bits, as on a GPU."""
    if x.dtype == f4:
        return APPROXIMATIONS[name](x.astype(f8)).astype(f4)
    upper = i8.type(-1 << 32)
    return (APPROXIMATIONS[name]((x.view(i8) & upper).view(f8)).view(i8) & upper).view(f8)


# --- conversion -------------------------------------------------------------------------------------------------------

WHOLE = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def to_integer(x, dtype, mode):
    """Float to integer: values beyond the range become its ends; NaN is 0, or the top bit where 64 bits take part."""
    dtype, whole = np.dtype(dtype), WHOLE[mode](x.astype(f8))
    low, high = (int(v) for v in (np.iinfo(dtype).min, np.iinfo(dtype).max))
    inside = (whole > low) & (whole < float(high) + (dtype.itemsize < 8))
    result = np.where(inside, whole, 0).astype(dtype)
    result[whole >= high] = high
    result[whole <= low] = low
    if x.dtype == f8 or dtype.itemsize == 8:
        result[np.isnan(x)] = low or high // 2 + 1
    return result


def saturate(x, dtype):
    """Integer to integer, values beyond the range becoming its ends (`.sat`)."""
    info, own = np.iinfo(dtype), np.iinfo(x.dtype)
    return np.clip(x, max(info.min, own.min), min(info.max, own.max)).astype(dtype)


def unit(x):
    """Floats into [0, 1], NaN being 0 (`.sat`)."""
    return np.where(x > 0, np.minimum(x, 1), 0).astype(x.dtype)


# --- integers ---------------------------------------------------------------------------------------------------------


def high(a, b):
    """The upper half of the product of integers (`mul.hi`)."""
    if a.dtype.itemsize == 4:
        wide = np.dtype(f"{a.dtype.kind}8")
        return (a.astype(wide) * b.astype(wide) >> wide.type(32)).astype(a.dtype)
    x, y = a.view(u8), b.view(u8)
    (x0, x1), (y0, y1) = (x & LOW, x >> HALF), (y & LOW, y >> HALF)
    middle = x1 * y0 + (x0 * y0 >> HALF)
    result = (x1 * y1 + (middle >> HALF) + (x0 * y1 + (middle & LOW) >> HALF)).view(a.dtype)
    return result if a.dtype == u8 else result - np.where(a < 0, b, 0) - np.where(b < 0, a, 0)


def divide(a, b):
    """The quotient of integers towards zero; of no meaning where b is 0."""
    return (a - np.fmod(a, b)) // b


def add_carry(a, b, carry):
    """a + b + carry of unsigned integers and the carry out."""
    result = a + b + carry
    return result, (result < a) | (carry & (result == a))


def subtract_borrow(a, b, borrow):
    """a - b - borrow of unsigned integers and the borrow out."""
    return a - b - borrow, (a < b) | (borrow & (a == b))


def shift_left(x, count):
    """x << count, 0 where the unsigned count is the width or more."""
    width = x.dtype.itemsize * 8
    return np.where(count < width, x << np.minimum(count, width - 1).astype(x.dtype), x.dtype.type(0))


def shift_right(x, count):
    """x >> count, signs (of signed x) or zeros coming in, also where the unsigned count is the width or more."""
    width = x.dtype.itemsize * 8
    empty = x >> x.dtype.type(width - 1) if x.dtype.kind == "i" else x.dtype.type(0)
    return np.where(count < width, x >> np.minimum(count, width - 1).astype(x.dtype), empty)


def funnel(low, upper, count, direction, mode):
    """`shf`: 32 bits of the 64 of upper:low, shifted."""
    count = (count & u4.type(31) if mode == "wrap" else np.minimum(count, 32)).astype(u8)
    pair = upper.astype(u8) << HALF | low.astype(u8)
    return (pair << count >> HALF if direction == "l" else pair >> count).astype(u4)


def _ones(count, dtype):
    """Integers whose `count` lower bits are set."""
    return ~shift_left(np.full(count.shape, ~dtype.type(0)), count)


def extract(x, position, count):
    """`bfe`: `count` bits of x from a position on, the uppermost of them being the sign of signed x."""
    unsigned, size = np.dtype(f"u{x.dtype.itemsize}"), x.dtype.itemsize * 8
    position, count = position & u4.type(255), count & u4.type(255)
    kept = _ones(count, unsigned)
    field = shift_right(x, position).view(unsigned) & kept
    if x.dtype.kind == "u":
        return field
    top = np.minimum(position + count - u4.type(1), size - 1)
    negative = (shift_right(x.view(unsigned), top) & unsigned.type(1)).astype(bool) & (count > 0)
    return np.where(negative, field | ~kept, field).view(x.dtype)


def insert(x, into, position, count):
    """`bfi`: `into` with `count` bits from a position on replaced by the lower bits of x."""
    position, count = position & u4.type(255), count & u4.type(255)
    field = shift_left(_ones(count, x.dtype), position)
    return into & ~field | shift_left(x, position) & field


def leading_zeros(x):
    """`clz` of unsigned x."""
    for count in (1, 2, 4, 8, 16, 32)[: 5 + (x.dtype.itemsize == 8)]:
        x = x | x >> x.dtype.type(count)
    return (x.dtype.itemsize * 8 - np.bitwise_count(x)).astype(u4)


def permute(a, b, selector):
    """`prmt` in its default mode: each four bits of the selector choose a byte of b:a, or eight copies of its sign."""
    source = np.stack([a, b], axis=1).view("u1").reshape(len(a), 8)
    picks = selector[:, None] >> np.arange(0, 16, 4, dtype=u4)
    chosen = np.take_along_axis(source, (picks & u4.type(7)).astype(i8), axis=1)
    return np.where(picks & u4.type(8), np.where(chosen & 128, 255, 0), chosen).astype("u1").view(u4)[:, 0]


def reverse(x):
    """`brev`: the bits of unsigned x in the opposite order."""
    octets = np.unpackbits(x.view("u1").reshape(len(x), -1), axis=1, bitorder="little")[:, ::-1]
    return np.packbits(octets, axis=1, bitorder="little").copy().view(x.dtype)[:, 0]


def look_up(a, b, c, table):
    """`lop3`: the logical function of three bits that an 8-bit table gives."""
    result = np.zeros_like(a)
    for row in range(8):
        if int(table) >> row & 1:
            result |= (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
    return result


def pack(parts, dtype):
    """Several integers a thread in one, the first lowest (`mov` of a vector)."""
    return np.stack(parts, axis=1).view(dtype)[:, 0]


def unpack(x, part, count):
    """The integers of which x consists, the first lowest."""
    return np.ascontiguousarray(np.ascontiguousarray(x).view(part).reshape(len(x), count).T)
