"""The lane type: each primitive means compiled what it means in Python, at every width; masks, NaN, memory; ARM."""

import re

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from rnndyn.kernels import elementary
from rnndyn.kernels.bits import exp2i, exponent, mantissa, nearest
from rnndyn.kernels.lane import Lane, absolute, copysign, fma, full, maximum, minimum, select, some, sqrt
from rnndyn.kernels.memory import load, store
from rnndyn.kernels.polynomial import binary, pick, polynomial, remainder, within

DTYPES = ("float64", "float32")
WIDTHS = (1, 4, 8)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
widths = pytest.mark.parametrize("width", WIDTHS)


def numbers(dtype, count=64):
    """Pairs of numbers of all sizes, with equal ones, zeros of both signs, infinities and NaN among them."""
    rng = np.random.default_rng(3)
    a, b = (rng.normal(size=(2, count)) * 10.0 ** rng.integers(-12, 12, (2, count))).astype(dtype)
    a[:4] = b[:4]
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0], dtype)
    x, y = (grid.ravel() for grid in np.meshgrid(special, special))
    return (np.concatenate(pair)[: (count + 36) // 8 * 8] for pair in ((a, x), (b, y)))


def exact(x, y):
    """Every primitive whose result is determined to the bit, as Python and the compiler are to agree on it."""
    return (
        x + y - 1.0,
        -(x * y) / 3.0 + 2 * (+x),
        absolute(x),
        copysign(x, y),
        sqrt(absolute(x)),
        minimum(x, y),
        maximum(x, y),
        maximum(-1.0, minimum(1, x)),
        within_two(x),
        select(x < y, x, 2.0),
        select((x <= y) & (x >= 0.0) | ~(x > -1.0) | (y == 0.0) & (x != 1.0), x, y),
        select(select(x > 0.0, y > 0.0, y < 0.0), x, 1.0),
        pick(x, 2.0, 3.0) + pick(y, 1.0),
        fma(nearest(minimum(1e3, maximum(-1e3, x))), 2.0, 1.0),
    )


def of_normal(x, y):
    """Primitives for normal positive numbers x and small integers y."""
    k, power = steps(y)
    return (
        mantissa(x),
        exponent(x),
        mantissa(x) * exp2i(exponent(x)),
        exp2i(y),
        nearest(y / 3.0),
        cubic(y),
        off(y, y),
        k,
        power,
    )


within_two = within(2.0, 3.0)
cubic = polynomial((1.0, -2.0, 0.0, 4.0), (1.0, -2.0, 3.0))
off = remainder((0.5, 0.25), (0.5,))
steps = binary(-0.29)
COUNTS = {exact: 14, of_normal: 9}


def run(function, lane, x, y):
    """Compile a function of two lanes and apply it to arrays: one row for each result."""
    rule = njit(function)

    @njit
    def loop(lane, count, x, y, results):
        for i in range(count):
            for row, result in enumerate(rule(load(lane, x, i), load(lane, y, i))):
                store(lane, results[row], i, result)

    results = np.zeros((COUNTS[function], len(x)), x.dtype)
    loop(lane, len(x) // lane.width, x, y, results)
    return results


def interpreted(function, x, y):
    """The same uncompiled: on arrays, and number by number."""
    with np.errstate(all="ignore"):
        arrays = [np.broadcast_to(row, x.shape) for row in function(x, y)]
        scalars = [function(a, b) for a, b in zip(x, y, strict=True)]
    kinds = {row.dtype for row in arrays} | {number.dtype for row in scalars for number in row}
    assert kinds == {x.dtype}
    return np.array(arrays), np.array(scalars).T


@dtypes
@widths
def test_primitives_mean_compiled_what_they_mean_in_python(dtype, width):
    x, y = numbers(dtype)
    arrays, scalars = interpreted(exact, x, y)
    found = run(exact, Lane(dtype, width), x, y)
    np.testing.assert_array_equal(arrays, scalars)
    np.testing.assert_array_equal(found, scalars)
    signs = [2, 3, 5, 6, 7, 8]  # NaN apart: where zeros of both signs meet, minimum and maximum may take either
    known = ~np.isnan(scalars[signs]) & ((x != 0) | (y != 0))
    assert np.array_equal(np.signbit(found[signs])[known], np.signbit(scalars[signs])[known])


@dtypes
@widths
def test_bits_of_numbers(dtype, width):
    limits = np.finfo(dtype)
    rng = np.random.default_rng(4)
    x = np.exp2(rng.uniform(limits.minexp, limits.maxexp, 64)).astype(dtype)
    x[:4] = limits.tiny, limits.max, 1, 2
    y = rng.integers(limits.minexp, limits.maxexp, 64).astype(dtype)
    y[:4] = limits.minexp, limits.maxexp - 1, 1.5, -1.5
    y[2:4] = np.rint(y[2:4])
    arrays, scalars = interpreted(of_normal, x, y)
    np.testing.assert_array_equal(arrays, scalars)
    np.testing.assert_array_equal(run(of_normal, Lane(dtype, width), x, y), scalars)
    np.testing.assert_array_equal(scalars[2], x)


@dtypes
def test_powers_of_two_end_in_zero(dtype):
    last = {"float64": 1023, "float32": 127}[dtype]
    k = np.array([-last, 1 - last, last, -1, 0, 1, 2, 3])
    y = (k / -0.29).astype(dtype)
    found = run(of_normal, Lane(dtype, 8), np.ones_like(y), y)
    np.testing.assert_array_equal(found[7], k)
    np.testing.assert_array_equal(found[8], np.where(k == -last, 0, 2.0**k))


@dtypes
def test_nan_stays(dtype):
    x = np.array([np.nan, 1.0, np.nan, 2.0, np.nan, np.inf, -np.inf, np.nan], dtype)
    y = np.array([1.0, np.nan, np.nan, 3.0, np.inf, np.nan, np.nan, -np.inf], dtype)
    for width in WIDTHS:
        found = run(exact, Lane(dtype, width), x, y)
        for row in (5, 6):
            np.testing.assert_array_equal(np.isnan(found[row]), [True] * 3 + [False] + [True] * 4)
        for row in (7, 8):
            np.testing.assert_array_equal(np.isnan(found[row]), np.isnan(x))


# --- memory and reductions --------------------------------------------------------------------------------------------


@njit
def _copy(lane, count, x, result, any_above):
    for i in range(count):
        a = load(lane, x, i)
        any_above[i] = some(a > 2.0)
        store(lane, result, count - 1 - i, a + full(lane, 1) * full(lane, 0.5))


@dtypes
@widths
def test_load_and_store_keep_to_their_elements(dtype, width):
    x = np.arange(16, dtype=dtype) / 4
    room = np.full(16 + 2, -1, dtype)
    count = 16 // width
    above = np.zeros(count, bool)
    _copy(Lane(dtype, width), count, x, room[1:17], above)
    assert room[0] == room[17] == -1
    blocks = (x + np.dtype(dtype).type(0.5)).reshape(count, width)
    np.testing.assert_array_equal(room[1:17], blocks[::-1].ravel())
    np.testing.assert_array_equal(above, [some(block > 2) for block in x.reshape(count, width)])


@dtypes
def test_strided_views_have_no_lanes(dtype):
    """Elements of memory are neighbouring numbers."""
    x = np.arange(24, dtype=dtype).reshape(8, 3)
    result, above = np.zeros((8, 2), dtype), np.zeros(8, bool)
    with pytest.raises(TypingError):
        _copy(Lane(dtype), 8, x[:, 1], result[:, 1], above)


def test_lanes_of_different_kinds_do_not_mix():
    @njit
    def mixed(first, second, x, y):
        store(first, x, 0, load(first, x, 0) + load(second, y, 0))

    x, y = np.zeros(8), np.zeros(8, np.float32)
    with pytest.raises(TypingError):
        mixed(Lane("float64", 4), Lane("float32", 4), x, y)
    with pytest.raises(TypingError):
        mixed(Lane("float64", 4), Lane("float64", 8), x, x)


# --- ARM --------------------------------------------------------------------------------------------------------------


@njit
def _arm(lane, count, x, result):
    for i in range(count):
        a = load(lane, x, i)
        value, slope = elementary.tanh_jet(a)
        value = fma(value, slope, elementary.log(absolute(a)))
        value = fma(elementary.sin(value), minimum(a, value), maximum(a, sqrt(slope)))
        store(lane, result, i, value + elementary.exp(a))


@dtypes
def test_primitives_compile_for_neon(dtype):
    """Through LLVM only: no ARM processor has run this."""
    x = np.zeros(8, dtype)
    _arm(Lane(dtype, 8), 1, x, x.copy())
    code = next(text for kinds, text in _arm.inspect_llvm().items() if dtype in str(kinds[0]))
    code = re.sub(r"^target (triple|datalayout).*$", "", code, flags=re.M)
    # the kernel alone, without its wrapper for Python
    functions = re.findall(r"^define .*?^}$", code, flags=re.M | re.S)
    kernel = functions[0]
    for function in functions:
        if function is not kernel:
            code = code.replace(function, "")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple("aarch64-linux-gnu").create_target_machine(cpu="generic", opt=2)
    module = llvm.parse_assembly(code)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    text = machine.emit_assembly(module)
    suffix = {"float64": "2d", "float32": "4s"}[dtype]
    for instruction in ("fmla", "fdiv", "fsqrt", "shl", "bsl|bit|bif|fcmgt"):
        assert re.search(rf"\s({instruction})(\.|\s+v\d+\.)(\d+[bds]|{suffix})", text), instruction
    assert not re.search(r"\sbl\s", text), "a call"
