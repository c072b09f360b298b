"""The PTX emulator's arithmetic against Python's integers, exact fractions and NumPy, instruction by instruction."""

import math
from fractions import Fraction

import numpy as np
import pytest
from handwritten import handwritten
from ptx import Program, Untranslated

THREADS = 96
LETTERS = {"s": "i", "u": "u", "b": "u", "f": "f"}
NAMES = {"s32": "r", "u32": "r", "b32": "r", "s64": "rd", "u64": "rd", "b64": "rd", "f32": "f", "f64": "fd"}
NAMES |= {"u16": "rs", "s16": "rs", "s8": "rs", "u8": "rs"}


def dtype(kind):
    return np.dtype(f"{LETTERS[kind[0]]}{int(kind[1:]) // 8}")


def compute(instruction, result, *given):
    """What an instruction of operands $d, $a, $b, ... makes of arrays; `given` are pairs (type, array)."""
    kinds = [result, *(kind for kind, _ in given)]
    names = [f"%{NAMES[kind]}{20 + k}" for k, kind in enumerate(kinds)]
    body = []
    for k, kind in enumerate(kinds):
        body.append(f"mad.lo.u64 %rd{10 + k}, %rd9, {dtype(kind).itemsize}, %rd{k};")
        body += [f"ld.global.{kind} {names[k]}, [%rd{10 + k}];"] if k else []
    for letter, name in zip("dabc", names, strict=False):
        instruction = instruction.replace(f"${letter}", name)
    body.append(instruction + ";")
    body.append(f"st.global.{result} [%rd10], {names[0]};")
    found = np.zeros(THREADS, dtype(result))
    arrays = [np.ascontiguousarray(array, dtype(kind)) for kind, array in given]
    Program(handwritten("\n".join(body), len(kinds))).launch(1, THREADS, [found, *arrays])
    return found


def samples(kind, seed):
    """Ends of the range, small numbers and random ones."""
    rng, info = np.random.default_rng(seed), np.iinfo(dtype(kind))
    some = [info.min, info.max, info.min + 1, 0, 1, 2, 3, 7, 31, 32, 63, 64]
    some = np.array([value for value in some if value <= info.max] + [info.max // 3], dtype(kind))
    wild = rng.integers(info.min, info.max, THREADS, dtype(kind), endpoint=True)
    return np.where(rng.random(THREADS) < 0.5, rng.choice(some, THREADS), wild)


def wrapped(value, kind):
    """A Python integer as the bits of a type."""
    size = 8 * dtype(kind).itemsize
    value &= (1 << size) - 1
    return value - (1 << size) if dtype(kind).kind == "i" and value >> size - 1 else value


def bits(kind):
    return 8 * dtype(kind).itemsize


def towards_zero(a, b):
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def field(a, position, count, kind):
    """PTX ISA, `bfe`: bit by bit."""
    position, count, size = position & 255, count & 255, bits(kind)
    sign = 0 if kind[0] == "u" or not count else a >> min(position + count - 1, size - 1) & 1
    return sum((a >> position + k & 1 if k < count and position + k < size else sign) << k for k in range(size))


def set_field(a, b, position, count, kind):
    """PTX ISA, `bfi`: bit by bit."""
    position, count = position & 255, count & 255
    for k in range(count):
        if position + k < bits(kind):
            b = b & ~(1 << position + k) | (a >> k & 1) << position + k
    return b


INTEGERS = {
    "add.{}": lambda a, b, kind: a + b,
    "sub.{}": lambda a, b, kind: a - b,
    "mul.lo.{}": lambda a, b, kind: a * b,
    "mul.hi.{}": lambda a, b, kind: a * b >> bits(kind),
    "div.{}": lambda a, b, kind: towards_zero(a, b),
    "rem.{}": lambda a, b, kind: a - b * towards_zero(a, b),
    "min.{}": lambda a, b, kind: min(a, b),
    "max.{}": lambda a, b, kind: max(a, b),
}


@pytest.mark.parametrize("kind", ["s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("form", INTEGERS)
def test_integers_of_two_operands(form, kind):
    a, b = samples(kind, 1), samples(kind, 2)
    if form[:3] in ("div", "rem"):
        b = np.where((b == 0) | (b == -1 if kind[0] == "s" else False), 3, b)
    found = compute(form.format(kind) + " $d, $a, $b", kind, (kind, a), (kind, b))
    wanted = [wrapped(INTEGERS[form](x, y, kind), kind) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert found.tolist() == wanted


@pytest.mark.parametrize(("kind", "wide"), [("s32", "s64"), ("u32", "u64")])
def test_wide_products(kind, wide):
    a, b, c = samples(kind, 1), samples(kind, 2), samples(wide, 3)
    pairs = list(zip(a.tolist(), b.tolist(), c.tolist(), strict=True))
    assert compute(f"mul.wide.{kind} $d, $a, $b", wide, (kind, a), (kind, b)).tolist() == [x * y for x, y, _ in pairs]
    found = compute(f"mad.wide.{kind} $d, $a, $b, $c", wide, (kind, a), (kind, b), (wide, c))
    assert found.tolist() == [wrapped(x * y + z, wide) for x, y, z in pairs]


@pytest.mark.parametrize("kind", ["b32", "s32", "s64", "u64", "b64"])
@pytest.mark.parametrize("name", ["shl", "shr"])
def test_shifts_by_more_than_the_width(name, kind):
    kind = kind.replace("s", "b") if name == "shl" else kind
    a, count = samples(kind, 1), samples("u32", 2)
    found = compute(f"{name}.{kind} $d, $a, $b", kind, (kind, a), ("u32", count))
    pairs = [(x, min(n, 64)) for x, n in zip(a.tolist(), count.tolist(), strict=True)]
    assert found.tolist() == [wrapped(x << n if name == "shl" else x >> n, kind) for x, n in pairs]


@pytest.mark.parametrize("kind", ["s32", "u32", "s64", "u64"])
def test_bit_fields(kind):
    a, b, where, count = samples(kind, 1), samples(kind, 2), samples("u32", 3) % 80, samples("u32", 4) % 80
    found = compute(f"bfe.{kind} $d, $a, $b, $c", kind, (kind, a), ("u32", where), ("u32", count))
    rows = list(zip(a.tolist(), b.tolist(), where.tolist(), count.tolist(), strict=True))
    assert found.tolist() == [wrapped(field(x, p, n, kind), kind) for x, _, p, n in rows]
    plain = f"b{kind[1:]}"
    form = f"bfi.{plain} $d, $a, $b, $c, 5"
    found = compute(form, kind, (kind, a), (kind, b), ("u32", where))
    assert found.tolist() == [wrapped(set_field(x, y, p, 5, kind), kind) for x, y, p, _ in rows]


@pytest.mark.parametrize("kind", ["b32", "b64"])
def test_counts_of_bits(kind):
    a = samples(kind, 1)
    texts = [f"{x:0{bits(kind)}b}" for x in a.tolist()]
    for name, count in {"popc": lambda t: t.count("1"), "clz": lambda t: len(t) - len(t.lstrip("0"))}.items():
        assert compute(f"{name}.{kind} $d, $a", "u32", (kind, a)).tolist() == [count(t) for t in texts]
    assert compute(f"brev.{kind} $d, $a", kind, (kind, a)).tolist() == [int(t[::-1], 2) for t in texts]


def test_bytes_and_funnels():
    a, b, c = (samples("u32", seed) for seed in range(3))
    rows = list(zip(a.tolist(), b.tolist(), c.tolist(), strict=True))
    given = [("b32", x) for x in (a, b, c)]

    def permuted(low, high, selector):
        octets = (high << 32 | low).to_bytes(8, "little")
        picks = [selector >> 4 * k & 15 for k in range(4)]
        return int.from_bytes([octets[p & 7] if p < 8 else 255 * (octets[p & 7] >> 7) for p in picks], "little")

    assert compute("prmt.b32 $d, $a, $b, $c", "b32", *given).tolist() == [permuted(*row) for row in rows]
    for direction, mode in [("l", "wrap"), ("r", "wrap"), ("l", "clamp"), ("r", "clamp")]:
        shifts = [n & 31 if mode == "wrap" else min(n, 32) for n in c.tolist()]
        pairs = [(y << 32 | x, n) for (x, y, _), n in zip(rows, shifts, strict=True)]
        wanted = [(v << n >> 32 if direction == "l" else v >> n) & 0xFFFFFFFF for v, n in pairs]
        assert compute(f"shf.{direction}.{mode}.b32 $d, $a, $b, $c", "b32", *given).tolist() == wanted
    majority = compute("lop3.b32 $d, $a, $b, $c, 0xE8", "b32", *given)
    assert majority.tolist() == [x & y | y & z | x & z for x, y, z in rows]


@pytest.mark.parametrize("name", ["add", "sub"])
def test_carries(name):
    a, b = samples("u64", 1), samples("u64", 2)
    form = f"""{{ .reg .u32 lo, hi, top, a0, a1, b0, b1;
    mov.b64 {{a0, a1}}, $a; mov.b64 {{b0, b1}}, $b;
    {name}.cc.u32 lo, a0, b0; {name}c.cc.u32 hi, a1, b1; {name}c.u32 top, 0, 0;
    mov.b64 $d, {{hi, top}}; }} mov.b64 $d, $d"""
    found = compute(form, "u64", ("u64", a), ("u64", b))
    rows = zip(a.tolist(), b.tolist(), strict=True)
    assert found.tolist() == [wrapped((x + y if name == "add" else x - y) >> 32, "u64") for x, y in rows]


@pytest.mark.parametrize("kind", ["u32", "u64"])
def test_products_with_carries(kind):
    a, b, c = (samples(kind, seed) for seed in range(3))
    form = f"mad.lo.cc.{kind} %r1, $a, $b, $c; madc.hi.{kind} $d, $a, $b, 0".replace("%r1", f"%{NAMES[kind]}31")
    found = compute(form, kind, (kind, a), (kind, b), (kind, c))
    rows = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    assert found.tolist() == [wrapped(x * y + z >> bits(kind), kind) for x, y, z in rows]


# --- floating point ---------------------------------------------------------------------------------------------------


def doubles(seed, spread=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=THREADS) * 2.0 ** rng.integers(-spread, spread + 1, THREADS)


@pytest.mark.parametrize("spread", [0, 30, 500])
def test_fused_multiply_add_rounds_once(spread):
    a, b, c = (doubles(seed, spread) for seed in range(3))
    c = np.where(np.arange(THREADS) % 2, -a * b * (1 + 2.0**-50), c)  # cancels but for the last bits
    found = compute("fma.rn.f64 $d, $a, $b, $c", "f64", ("f64", a), ("f64", b), ("f64", c))
    with np.errstate(under="ignore"):
        exact = [float(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c, strict=True)]
        assert found.tolist() == exact
        assert not np.array_equal(exact, a * b + c)


@pytest.mark.parametrize("mode", ["rn", "rm", "rp", "rz"])
def test_fused_multiply_add_in_single_precision(mode):
    a, b, c = (doubles(seed, 20).astype("f4") for seed in range(3))
    c = np.where(np.arange(THREADS) % 3, c, -a * b).astype("f4")
    found = compute(f"fma.{mode}.f32 $d, $a, $b, $c", "f32", ("f32", a), ("f32", b), ("f32", c))
    for x, y, z, d in zip(a.tolist(), b.tolist(), c.tolist(), found, strict=True):
        exact, d = Fraction(x) * Fraction(y) + Fraction(z), np.float32(d)
        below, above = (Fraction(float(np.nextafter(d, np.float32(s)))) for s in (-np.inf, np.inf))
        d = Fraction(float(d))
        if mode == "rn":
            assert (below + d) / 2 <= exact <= (above + d) / 2
        elif mode == "rm" or (mode == "rz" and exact >= 0):
            assert d <= exact < above
        else:
            assert below < exact <= d


def test_a_sum_next_to_the_middle_of_two_floats_is_rounded_once():
    """24929 * 673 / 2^24 = 1 + 2^-24, the middle between 1 and the next float32; float64 drops an added 2^-60."""
    a, b, c = np.full(THREADS, 24929.0), np.full(THREADS, 673 / 2**24), np.repeat([2.0**-60, -(2.0**-60)], THREADS // 2)
    found = compute("fma.rn.f32 $d, $a, $b, $c", "f32", ("f32", a), ("f32", b), ("f32", c))
    assert found.tolist() == [1 + 2.0**-23] * (THREADS // 2) + [1.0] * (THREADS // 2)


def test_minimum_and_maximum_of_nan_and_of_two_zeros():
    a, b = np.array([[math.nan, 1.0, 0.0, -0.0, -3.0, math.nan] * 16, [1.0, math.nan, -0.0, 0.0, 2.0, math.nan] * 16])
    least = compute("min.f64 $d, $a, $b", "f64", ("f64", a), ("f64", b))[:6]
    most = compute("max.f64 $d, $a, $b", "f64", ("f64", a), ("f64", b))[:6]
    np.testing.assert_array_equal(least, [1, 1, 0, 0, -3, math.nan])
    np.testing.assert_array_equal(most, [1, 1, 0, 0, 2, math.nan])
    assert np.signbit(least[2:4]).all()
    assert not np.signbit(most[2:4]).any()


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
@pytest.mark.parametrize("unordered", ["", "u"])
def test_comparisons_with_nan(name, unordered):
    a, b = (np.random.default_rng(seed).choice([1.0, 2.0, math.nan], THREADS) for seed in (1, 2))
    form = f"setp.{name}{unordered}.f64 %p1, $a, $b; selp.b32 $d, 1, 0, %p1"
    found = compute(form, "u32", ("f64", a), ("f64", b)).astype(bool)
    nan, plain = np.isnan(a) | np.isnan(b), getattr(np, {"eq": "equal", "ne": "not_equal"}.get(name, name), None)
    plain = plain or {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}[name]
    np.testing.assert_array_equal(found, np.where(nan, bool(unordered), plain(a, b)))


def test_comparisons_joined_and_of_unsigned_numbers():
    a, b = samples("u32", 1), samples("u32", 2)
    form = "setp.gt.u32 %p1, $a, 7; setp.lt.and.s32 %p2|%p3, $a, $b, !%p1; selp.b32 %r1, 2, 0, %p3; "
    form += "selp.b32 $d, 1, %r1, %p2"
    small, less = a <= 7, a.view("i4") < b.view("i4")
    found = compute(form, "u32", ("u32", a), ("u32", b))
    np.testing.assert_array_equal(found, np.where(less & small, 1, np.where(~less & small, 2, 0)))


@pytest.mark.parametrize(("mode", "whole"), [("rni", np.rint), ("rzi", np.trunc), ("rmi", np.floor), ("rpi", np.ceil)])
@pytest.mark.parametrize("kind", ["s32", "u32", "s64", "u64"])
def test_floats_become_integers_within_the_range(mode, whole, kind):
    x = np.where(np.arange(THREADS) % 4, doubles(1, 4), doubles(1, 70))
    x[:4] = math.inf, -math.inf, 0.5, -0.5
    info = np.iinfo(dtype(kind))
    wanted = [max(min(int(v), info.max), info.min) if math.isfinite(v) else v for v in whole(x).tolist()]
    wanted[:2] = info.max, info.min
    assert compute(f"cvt.{mode}.{kind}.f64 $d, $a", kind, ("f64", x)).tolist() == wanted


def test_conversions_of_integers():
    a = samples("s64", 1)
    assert compute("cvt.u32.s64 $d, $a", "u32", ("s64", a)).tolist() == (a & 0xFFFFFFFF).tolist()
    assert compute("cvt.s64.s8 $d, $a", "s64", ("s64", a)).tolist() == a.astype("i1").tolist()
    np.testing.assert_array_equal(compute("cvt.rn.f64.s64 $d, $a", "f64", ("s64", a)), a.astype("f8"))
    b = a.astype("i4")
    assert compute("cvt.s64.s32 $d, $a", "s64", ("s32", b)).tolist() == b.tolist()
    assert compute("cvt.u64.u32 $d, $a", "u64", ("s32", b)).tolist() == b.view("u4").tolist()
    np.testing.assert_array_equal(compute("cvt.rn.f32.u64 $d, $a", "f32", ("s64", a)), a.view("u8").astype("f4"))


def test_divisions_and_roots_are_rounded_once():
    a, b = np.abs(doubles(1, 9)), doubles(2, 9)
    for kind in ("f64", "f32"):
        x, y = a.astype(dtype(kind)), b.astype(dtype(kind))
        given = [(kind, x), (kind, y)]
        np.testing.assert_array_equal(compute(f"div.rn.{kind} $d, $a, $b", kind, *given), x / y)
        np.testing.assert_array_equal(compute(f"sqrt.rn.{kind} $d, $a", kind, given[0]), np.sqrt(x))
        np.testing.assert_array_equal(compute(f"rcp.rn.{kind} $d, $a", kind, given[0]), 1 / x)
        np.testing.assert_array_equal(compute(f"copysign.{kind} $d, $b, $a", kind, *given), np.copysign(x, y))
    b = doubles(3, 3)
    np.testing.assert_allclose(compute("ex2.approx.ftz.f32 $d, $a", "f32", ("f32", b)), 2.0 ** b.astype("f4"), 1e-6)
    np.testing.assert_allclose(compute("rcp.approx.ftz.f64 $d, $a", "f64", ("f64", b)), 1 / b, 3e-6)


def test_subnormal_numbers_are_flushed_only_where_asked():
    x = np.full(THREADS, 1e-40, "f4")
    assert (compute("add.f32 $d, $a, $a", "f32", ("f32", x)) == 2 * x).all()
    assert (compute("add.ftz.f32 $d, $a, $a", "f32", ("f32", x)) == 0).all()


@pytest.mark.parametrize(
    "unknown",
    ["fma.rz.f64 $d, $a, $a, $a", "testp.finite.f64 %p1, $a", "mov.u64 %rd3, %clock64", "add.rm.f64 $d, $a, $a"],
)
def test_unknown_instructions_are_refused_with_their_line(unknown):
    with pytest.raises(Untranslated, match=rf"line \d+: .*{unknown.split()[0]}"):
        compute(unknown, "f64", ("f64", doubles(1)))
