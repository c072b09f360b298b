"""The elementary functions of a rule's language on lanes: straight-line formulas over the primitives, and their slopes.

The same text runs uncompiled (NumPy scalars and arrays), on lanes of any width and on CUDA. `NAME_jet(x)` returns the
value, with the same bits as `NAME(x)` (tanh up to |x| = 350, float32 43), and the slope, sharing the work. Slopes of
saturated functions come from the exponential, never from `1 - h^2`. Errors are at most 4 ulp for normal arguments and
results (the tests say how much for which); infinities and signed zeros are exact, NaN stays, subnormal numbers count as
zero.
"""

import math

from numba.core import types

from ..cells import language
from .bits import exp2i, exponent, mantissa
from .circular import atan, atan_jet, cos, cos_jet, sin, sin_jet
from .exponential import (
    LN2_HIGH32,
    LN2_HIGH64,
    LN2_LOW32,
    LN2_LOW64,
    exp,
    exp_jet,
    expm1,
    expm1_jet,
    logistic,
    logistic_jet,
    softplus,
    softplus_jet,
    tanh,
    tanh_jet,
)
from .helper import helper, helper_overload
from .lane import PAIRS, LaneType, MaskType, absolute, copysign, fma, maximum, minimum, select, sqrt
from .polynomial import pick, polynomial
from .primitive import alias

# --- logarithms -------------------------------------------------------------------------------------------------------

TINY64, TINY32 = 2.0**-1022, 2.0**-126  # the smallest normal numbers
# 2 atanh(s) = 2 s + s^3 L(s^2), minimax: on s^2 <= 0.0295 (mantissas in sqrt(1/2)..sqrt(2)) to 3e-18 (float32 1e-11)
_log_tail = polynomial(
    (
        0.6666666666666734,
        0.39999999999413965,
        0.28571428742561145,
        0.22222198553895753,
        0.18183565401126048,
        0.15314021284877966,
        0.147962594154207,
    ),
    (0.6666666269302368, 0.4000033438205719, 0.28537294268608093, 0.2358243465423584),
)


@helper
def _log_near_one(f, k):
    """`log(1 + f) + k ln 2` for 1 + f in sqrt(1/2)..sqrt(2): `f - (f^2/2 - s (f^2/2 + R))` with `s = f / (2 + f)`."""
    s = f / (2.0 + f)
    z = s * s
    half = 0.5 * f * f
    low = fma(k, pick(f, LN2_LOW64, LN2_LOW32), s * fma(z, _log_tail(z), half))
    return fma(k, pick(f, LN2_HIGH64, LN2_HIGH32), f - (half - low))


@helper
def _parts(x):
    """k, m with x = m 2^k and m in sqrt(1/2)..sqrt(2), for normal x > 0."""
    m = mantissa(x)
    above = m > 1.4142135623730951
    return exponent(x) + select(above, pick(x, 1.0), 0.0), select(above, 0.5 * m, m)


@helper
def log(x):
    """`log(x)`; -inf at 0 (and subnormal numbers), NaN below."""
    k, m = _parts(x)
    value = _log_near_one(m - 1.0, k)
    value = select(x < pick(x, TINY64, TINY32), select(x < 0.0, pick(x, math.nan), -math.inf), value)
    return select(x < math.inf, value, x)


@helper
def log_jet(x):
    """`log(x)` and its slope `1 / x`."""
    return log(x), 1.0 / x


@helper
def log1p(x):
    """`log(1 + x)`, accurate where x is small; -inf at -1, NaN below."""
    u = 1.0 + x
    gone = u - 1.0
    rest = (1.0 - (u - gone)) + (x - gone)  # u + rest = 1 + x exactly
    k, m = _parts(u)
    value = _log_near_one(fma(rest, exp2i(maximum(pick(x, -1022.0, -126.0), -k)), m - 1.0), k)
    value = select(u == 1.0, x, value)
    value = select(u > 0.0, value, select(u < 0.0, pick(x, math.nan), -math.inf))
    return select(absolute(x) < math.inf, value, select(x > 0.0, x, pick(x, math.nan)))


@helper
def log1p_jet(x):
    """`log(1 + x)` and its slope `1 / (1 + x)`."""
    return log1p(x), 1.0 / (1.0 + x)


# --- roots and corners ------------------------------------------------------------------------------------------------


@helper
def square_root(x):
    """`sqrt(x)`."""
    return sqrt(x)


@helper
def square_root_jet(x):
    """`sqrt(x)` and its slope `1 / (2 sqrt(x))`, infinite at 0."""
    root = sqrt(x)
    return root, 0.5 / root


@helper
def magnitude(x):
    """`|x|`."""
    return absolute(x)


@helper
def magnitude_jet(x):
    """`|x|` and its slope, the sign of x; 0 at 0."""
    return absolute(x), select(x == 0.0, pick(x, 0.0), copysign(pick(x, 1.0), x))


@helper
def relu(x):
    """`max(x, 0)`."""
    return maximum(0.0, x)


@helper
def relu_jet(x):
    """`max(x, 0)` and its slope, 0 at 0."""
    return maximum(0.0, x), select(x > 0.0, pick(x, 1.0), 0.0)


# --- registration -----------------------------------------------------------------------------------------------------

VALUES = {
    math.exp: exp,
    math.expm1: expm1,
    math.log: log,
    math.log1p: log1p,
    math.tanh: tanh,
    language.logistic: logistic,
    language.softplus: softplus,
    language.relu: relu,
    math.sin: sin,
    math.cos: cos,
    math.atan: atan,
    math.sqrt: square_root,
    math.fabs: magnitude,
    abs: magnitude,
}
JETS = {
    math.exp: exp_jet,
    math.expm1: expm1_jet,
    math.log: log_jet,
    math.log1p: log1p_jet,
    math.tanh: tanh_jet,
    language.logistic: logistic_jet,
    language.softplus: softplus_jet,
    language.relu: relu_jet,
    math.sin: sin_jet,
    math.cos: cos_jet,
    math.atan: atan_jet,
    math.sqrt: square_root_jet,
    math.fabs: magnitude_jet,
    abs: magnitude_jet,
}


def _lane_meaning(function, meaning):
    @helper_overload(function)
    def on_lanes(x):
        return meaning if isinstance(x, LaneType) else None


for _function, _meaning in VALUES.items():
    _lane_meaning(_function, _meaning)
# Functions of two numbers, or of a mask, are primitives: `a, b` and not one lane at a time.
alias(min, minimum, *PAIRS)
alias(max, maximum, *PAIRS)
alias(language.where, select, *((MaskType, *pair) for pair in (*PAIRS, (types.Number, types.Number))))
