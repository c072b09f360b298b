"""Elementary functions on lanes: errors in ulp over the whole range, special values, slopes, equal bits everywhere."""

import math
import re
from functools import cache

import mpmath
import numpy as np
import pytest
from numba import njit

from rnndyn.cells import language
from rnndyn.kernels import elementary
from rnndyn.kernels.lane import Lane
from rnndyn.kernels.machine import flush_denormals, restore_denormals
from rnndyn.kernels.memory import load, store

DTYPES = ("float64", "float32")
NAMES = {
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "tanh": math.tanh,
    "logistic": language.logistic,
    "softplus": language.softplus,
    "relu": language.relu,
    "sin": math.sin,
    "cos": math.cos,
    "atan": math.atan,
    "sqrt": math.sqrt,
    "abs": abs,
}
# Largest errors in ulp, of the value and of the slope, in both dtypes: what ten times these samples showed, with up to
# half an ulp to spare. Required are 4.
BOUNDS = {
    "exp": (3.25, 3.25),
    "expm1": (3.25, 3.25),
    "log": (1, 0.75),
    "log1p": (1.5, 1.75),
    "tanh": (3.25, 4),
    "logistic": (3.25, 3.5),
    "softplus": (2, 2.5),
    "relu": (0, 0),
    "sin": (2.25, 2.25),
    "cos": (2.25, 2.25),
    "atan": (2, 1.75),
    "sqrt": (0.5, 1.5),
    "abs": (0, 0),
}
LIMITS = {"float64": 1e6, "float32": 6e3}  # of sin and cos
STEADY = {"float64": 350, "float32": 43}  # tanh is constant from there on, not so the slope of its jet


# --- the truth, to twice the digits -----------------------------------------------------------------------------------


def _logistic(x):
    return 1 / (1 + mpmath.exp(-x))


TRUTH = {
    "exp": (mpmath.exp, mpmath.exp),
    "expm1": (mpmath.expm1, mpmath.exp),
    "log": (mpmath.log, lambda x: 1 / x),
    "log1p": (mpmath.log1p, lambda x: 1 / (1 + x)),
    "tanh": (mpmath.tanh, lambda x: mpmath.sech(x) ** 2),
    "logistic": (_logistic, lambda x: _logistic(x) * _logistic(-x)),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), _logistic),
    "relu": (lambda x: max(x, 0), lambda x: int(x > 0)),
    "sin": (mpmath.sin, mpmath.cos),
    "cos": (mpmath.cos, lambda x: -mpmath.sin(x)),
    "atan": (mpmath.atan, lambda x: 1 / (1 + x * x)),
    "sqrt": (mpmath.sqrt, lambda x: 1 / (2 * mpmath.sqrt(x))),
    "abs": (abs, lambda x: int(mpmath.sign(x))),
}


@cache
def truth(name, dtype):
    """Value and slope at the samples, each as high and low part in float64."""
    results = []
    with mpmath.workprec(120):
        for function in TRUTH[name]:
            exact = [function(mpmath.mpf(float(x))) for x in samples(name, dtype)]
            high = np.array([float(y) if abs(y) < 1.8e308 else math.copysign(math.inf, y) for y in exact])
            low = np.array([float(y - h) if math.isfinite(h) else 0.0 for y, h in zip(exact, high, strict=True)])
            results.append((high, low))
    return results


def ulps(found, exact, dtype, floor=1.0):
    """Errors in ulp of the true value; below `floor` times the smallest normal number all that is as small is right."""
    high, low = exact
    limits = np.finfo(dtype)
    found = found.astype(float)
    size = np.abs(high)
    with np.errstate(all="ignore"):
        error = np.abs((found - high) - low) / np.spacing(np.maximum(size, limits.tiny).astype(dtype)).astype(float)
    small = size < floor * limits.tiny
    error[small] = np.where(np.abs(found[small]) <= floor * limits.tiny, 0, np.inf)
    large = size > limits.max
    error[large] = np.where(found[large] == np.copysign(np.inf, high[large]), 0, np.inf)
    return np.where(np.isnan(error), np.inf, error)


# --- where to look ----------------------------------------------------------------------------------------------------


def neighbours(points, dtype):
    """The points with three numbers on each side."""
    points = np.asarray(points, float).astype(dtype)
    found = [points]
    for end in (-np.inf, np.inf):
        near = points
        for _ in range(3):
            near = np.nextafter(near, np.asarray(end, dtype))
            found.append(near)
    return np.concatenate(found)


def seams(dtype):
    """Where a range reduction changes its mind, or a result leaves the range."""
    halves = np.arange(-9, 10) / 2
    last = 1023 if dtype == "float64" else 127
    edges = np.concatenate([halves, [last - 1, last - 0.5, last, last + 0.5, last + 1, last + 2]])
    edges = np.concatenate([edges, -edges])
    return np.concatenate(
        [
            *(edges * math.log(2) * scale for scale in (0.5, 1, 2)),
            2.0 ** np.arange(-4, 5) * math.sqrt(2),
            2.0 ** np.arange(-4, 5),
            [math.sqrt(2) - 1, math.sqrt(2) + 1, math.sqrt(2) - 2, math.sqrt(0.5) - 1, 350, 43, 354, 43.5],
        ]
    )


@cache
def samples(name, dtype, count=250):
    """Arguments all over the range of a function: dense, huge, tiny, and beside every seam; a multiple of 8."""
    rng = np.random.default_rng(len(name))
    limits = np.finfo(dtype)
    end = math.log(float(limits.max))
    magnitudes = np.exp(rng.uniform(math.log(float(limits.tiny)) + 1e-9, end - 1e-9, count))
    sign = rng.choice([-1, 1], count)
    parts = [
        rng.uniform(-1, 1, 2 * count),
        rng.uniform(-6, 6, 2 * count),
        rng.uniform(-1.01 * end, 1.01 * end, count),
        rng.uniform(-end / 2, end / 2, count),
        rng.normal(size=count) * 10.0 ** rng.uniform(-8, 0, count),
        sign * magnitudes,
        neighbours(seams(dtype), dtype),
        [limits.tiny, 2 * limits.tiny, -limits.tiny, limits.max, -limits.max],
    ]
    if name in ("sin", "cos"):
        quarters = rng.integers(1, int(LIMITS[dtype] / 1.6), count) * (math.pi / 2)
        parts += [
            rng.uniform(-LIMITS[dtype], LIMITS[dtype], 3 * count),
            neighbours(quarters, dtype),
            neighbours(np.arange(-60, 61) * (math.pi / 4), dtype),
        ]
    if name == "log1p":
        parts.append(-1 + np.exp(rng.uniform(-36 if dtype == "float64" else -16, 0, count)))
    x = np.concatenate([np.asarray(part, float) for part in parts]).astype(dtype)
    keep = np.abs(x) >= limits.tiny
    if name in ("sin", "cos"):
        keep &= np.abs(x) <= LIMITS[dtype]
    if name in ("log", "sqrt"):
        x = np.abs(x)
    if name == "log1p":
        keep &= x > -1
    x = x[keep]
    return x[: len(x) // 8 * 8]


# --- compiled and uncompiled ------------------------------------------------------------------------------------------


@cache
def kernel(name, with_plain):
    plain, jet = elementary.VALUES[NAMES[name]], elementary.JETS[NAMES[name]]

    @njit
    def run(lane, count, x, values, slopes, plains):
        old = flush_denormals()
        for i in range(count):
            a = load(lane, x, i)
            value, slope = jet(a)
            store(lane, values, i, value)
            store(lane, slopes, i, slope)
            if with_plain:  # known when compiled
                store(lane, plains, i, plain(a))
        restore_denormals(old)

    return run


def compiled(name, x, width=8, with_plain=True):
    """The jet's values and slopes, and the plain function's values, with flush-to-zero on as in every kernel."""
    results = [np.empty_like(x) for _ in range(3)]
    kernel(name, with_plain)(Lane(x.dtype, width), len(x) // width, x, *results)
    return results


def uncompiled(name, x):
    with np.errstate(all="ignore"):
        return [*elementary.JETS[NAMES[name]](x), elementary.VALUES[NAMES[name]](x)]


def same(a, b):
    """Equal bits; any NaN is as good as another."""
    bits = f"i{a.dtype.itemsize}"
    return np.all((a.view(bits) == b.view(bits)) | (np.isnan(a) & np.isnan(b)))


cases = pytest.mark.parametrize("name", NAMES)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


@cases
@dtypes
def test_errors_compiled_and_the_same_bits_at_every_width(name, dtype):
    x = samples(name, dtype)
    value, slope = truth(name, dtype)
    floor = 32 if name == "tanh" else 1  # its slope 4 exp(-2 |x|) ends where exp(-2 |x|) does
    values, slopes, plains = compiled(name, x)
    far = np.abs(x) > (STEADY[dtype] if name == "tanh" else np.inf)
    assert same(values[~far], plains[~far]), "a value and its jet's value differ"
    for width in (1, 4):
        other = compiled(name, x, width, with_plain=False)
        assert same(values, other[0]), f"width {width}"
        assert same(slopes, other[1]), f"width {width}"
    if name == "tanh":
        assert ulps(plains, value, dtype).max() <= BOUNDS[name][0]
    errors = ulps(values, value, dtype), ulps(slopes, slope, dtype, floor)
    for error, bound in zip(errors, BOUNDS[name], strict=True):
        assert error.max() <= bound, f"{error.max():.2f} ulp at {x[error.argmax()]!r}"
        assert bound < 2 or error.max() > 0.4 * bound, "the bound is not what is measured"


@cases
@dtypes
def test_errors_uncompiled(name, dtype):
    x = samples(name, dtype)
    value, slope = truth(name, dtype)
    values, slopes, plains = uncompiled(name, x)
    assert values.dtype == slopes.dtype == plains.dtype == np.dtype(dtype)
    assert np.all((values == plains) | (name == "tanh") & (np.abs(x) > STEADY[dtype]))
    assert ulps(values, value, dtype).max() <= 4
    assert ulps(slopes, slope, dtype, 32).max() <= 5
    one = uncompiled(name, x[7])
    assert {type(y) for y in one} == {x.dtype.type}
    assert one == [values[7], slopes[7], plains[7]]


INF, NAN = np.inf, np.nan
# At 0, -0, inf, -inf, nan, 1e30, -1e30 and a subnormal number: the value, and the slope (None: not asked).
AT = [0.0, -0.0, INF, -INF, NAN, 1e30, -1e30]
SPECIAL = {
    "exp": ([1, 1, INF, 0, NAN, INF, 0, 1], [1, 1, INF, 0, NAN, INF, 0, 1]),
    "expm1": ([0.0, -0.0, INF, -1, NAN, INF, -1, 0], [1, 1, INF, 0, NAN, INF, 0, 1]),
    "log": ([-INF, -INF, INF, NAN, NAN, None, NAN, -INF], [INF, -INF, 0, None, NAN, None, None, INF]),
    "log1p": ([0.0, -0.0, INF, NAN, NAN, None, NAN, 0], [1, 1, 0, None, NAN, None, None, 1]),
    "tanh": ([0.0, -0.0, 1, -1, NAN, 1, -1, 0], [1, 1, 0, 0, NAN, 0, 0, 1]),
    "logistic": ([0.5, 0.5, 1, 0, NAN, 1, 0, 0.5], [0.25, 0.25, 0, 0, NAN, 0, 0, 0.25]),
    "softplus": ([None, None, INF, 0, NAN, None, 0, None], [0.5, 0.5, 1, 0, NAN, 1, 0, 0.5]),
    "relu": ([0, 0, INF, 0, NAN, None, 0, 0], [0, 0, 1, 0, None, 1, 0, None]),
    "sin": ([0.0, -0.0, NAN, NAN, NAN, None, None, 0], [1, 1, NAN, NAN, NAN, None, None, 1]),
    "cos": ([1, 1, NAN, NAN, NAN, None, None, 1], [0, 0, NAN, NAN, NAN, None, None, 0]),
    "atan": ([0.0, -0.0, math.pi / 2, -math.pi / 2, NAN, None, None, 0], [1, 1, 0, 0, NAN, None, None, 1]),
    "sqrt": ([0.0, -0.0, INF, NAN, NAN, None, NAN, 0], [INF, None, 0, NAN, NAN, None, NAN, INF]),
    "abs": ([0.0, 0.0, INF, INF, NAN, None, None, 0], [0, 0, 1, -1, None, 1, -1, None]),
}


@cases
@dtypes
def test_special_values(name, dtype):
    tiny = np.finfo(dtype).tiny
    x = np.array([*AT, tiny / 100], dtype)
    found = compiled(name, x)
    plain = uncompiled(name, x[:-1])
    for results in (found, plain):
        for ys, wanted in zip(results, (*SPECIAL[name], SPECIAL[name][0]), strict=True):
            for at, y, z in zip(x, ys, wanted, strict=False):
                if z is None:
                    continue
                z = np.dtype(dtype).type(z)
                equal = np.isnan(y) if np.isnan(z) else np.abs(y) < tiny if z == 0 else y == z
                assert equal, f"{y} at {at}, not {z}"
                if name in ("expm1", "log1p", "tanh", "sin", "atan", "sqrt") and ys is results[0] and at == 0:
                    assert np.signbit(y) == np.signbit(at), f"{y} at {at}"


@dtypes
def test_tanh_is_odd_and_never_beyond_one(dtype):
    x = samples("tanh", dtype)
    values, slopes, plains = compiled("tanh", x)
    mirrored = compiled("tanh", -x)
    assert same(-values, mirrored[0])
    assert same(slopes, mirrored[1])
    assert same(-plains, mirrored[2])
    assert np.abs(values).max() == np.abs(plains).max() == 1


def test_slope_of_a_saturated_unit_keeps_its_logarithm():
    x = np.linspace(10, 350, 64)
    slopes = compiled("tanh", x)[1]
    np.testing.assert_allclose(np.log(slopes), math.log(4) - 2 * x - 2 * np.log1p(np.exp(-2 * x)), rtol=1e-15)


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_circular_functions_stay_bounded_beyond_their_range(name):
    x = 10.0 ** np.linspace(6, 308, 64)
    values, slopes, _ = compiled(name, x)
    assert np.all(np.abs(values) <= 1)
    assert np.all(np.abs(slopes) <= 1)


# --- the language -----------------------------------------------------------------------------------------------------


def _rule(x, y):
    a = math.exp(-abs(x)) + math.expm1(x) * math.log(abs(y)) - math.log1p(max(x, 0.0)) + math.tanh(y)
    b = language.logistic(x) + language.softplus(y) * language.relu(x) + math.sin(x) * math.cos(y)
    c = math.atan(x) + math.sqrt(math.fabs(y)) + min(x, y) + max(1, y) + language.where(x > y, a, 2.0)
    d = language.where(x > 0, 1.0, 0) * language.where(y < 0.5, 2, 3)
    return a + b * c + d + language.where((x < 0) & ~(y > 1) | (x == y), x, y)


@njit
def _run_rule(lane, count, x, y, result):
    rule = _compiled_rule
    for i in range(count):
        store(lane, result, i, rule(load(lane, x, i), load(lane, y, i)))


_compiled_rule = njit(_rule)


@pytest.mark.parametrize(("dtype", "width"), [("float64", 8), ("float32", 1)])
def test_the_language_has_its_meaning_on_lanes(dtype, width):
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 16)).astype(dtype)
    result = np.empty_like(x)
    _run_rule(Lane(dtype, width), len(x) // width, x, y, result)
    expected = [_rule(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(result, expected, rtol=200 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)


def test_plain_meanings_of_the_language():
    for x in (-800.0, -40.0, -1.0, 0.0, 1e-9, 2.0, 40.0, 800.0):
        for name in ("logistic", "softplus", "relu"):
            exact = float(TRUTH[name][0](mpmath.mpf(x)))
            assert getattr(language, name)(x) == pytest.approx(exact, rel=1e-15, abs=1e-300)
    assert math.isnan(language.relu(math.nan))
    assert language.relu(math.inf) == math.inf
    assert language.where(True, 1, 2) == 1
    assert language.where(False, 1, 2) == 2
    assert set(language.__all__) == {"where", "logistic", "softplus", "relu"}


@cases
def test_calls_are_inlined(name):
    run = kernel(name, True)
    compiled(name, samples(name, "float64"))
    code = next(iter(run.inspect_llvm().values()))
    body = next(part for part in code.split("\ndefine ") if "run" in part.split("(")[0] and "cpython" not in part[:200])
    calls = {name for name in re.findall(r"call [^@\n]*@([\w.]+)", body) if not name.startswith("llvm.")}
    assert not calls
    assert "float " not in body
