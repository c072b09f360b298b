"""Functions made of exponentials, on lanes, and their slopes: exp, expm1, tanh, logistic, softplus (see `elementary`).

Measured beside the choices: ns per element, float64, 16 lanes, one core with AVX2 at 2.5 GHz, over arrays in cache, and
in brackets where each step waits for the last, `x <- f(w x + b)`; there `np.tanh` takes 19 ns.
"""

from .helper import helper
from .lane import absolute, copysign, fma, maximum, minimum, select
from .polynomial import binary, pick, polynomial, remainder, within

LOG2E = 1.4426950408889634
# ln 2 in parts whose products with |k| <= 1075 (float32: 150) are exact
LN2_HIGH64, LN2_LOW64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
LN2_HIGH32, LN2_LOW32 = 0.693145751953125, 1.42860682030941723212e-06
LN2 = ((LN2_HIGH64, LN2_LOW64), (LN2_HIGH32, LN2_LOW32))
END64, END32 = 709.0895657128241, 88.02969193111305  # 1023 ln 2, 127 ln 2: there 2^-k counts as 0, 2^k is a number yet
# (exp(r) - 1) / r on |r| <= ln(2) / 2, minimax: relative error 2e-17 (float32: 1.3e-8)
EXPM1 = (
    (
        1.0,
        0.5000000000000006,
        0.16666666666666588,
        0.04166666666657676,
        0.008333333333389571,
        0.0013888888931564685,
        0.00019841269718960092,
        2.4801505274032374e-05,
        2.7557407588903515e-06,
        2.7626037784056607e-07,
        2.5053758824864854e-08,
    ),
    (1.0, 0.4999999701976776, 0.1666654348373413, 0.04166720062494278, 0.008366520516574383, 0.001388251781463623),
)
# tanh(r) / r in powers of r^2 on |r| <= ln(2) / 4, minimax: relative error 4e-18 (float32: 2e-10)
TANH = (
    (
        1.0,
        -0.3333333333333249,
        0.1333333333278519,
        -0.05396825278421987,
        0.021869370862130165,
        -0.00885731324624996,
        0.003444888357974687,
    ),
    (1.0, -0.33333322405815125, 0.13331186771392822, -0.05272775515913963),
)


def _reduction(scale):
    """Make `x -> (s, r)` with `exp(scale x) = s exp(scale r)`, s = 2^k, `|scale r| <= ln(2) / 2`; scale is +-2^i.

    The scale is folded into the constants. It needs `|scale x| <= END`.
    """
    split = binary(scale * LOG2E)
    reduce = remainder(*(tuple(part / scale for part in parts) for parts in LN2))

    @helper
    def reduction(x):
        k, s = split(x)
        return s, reduce(x, k)

    return reduction


def exponential(scale):
    """Make `x -> (s, p)` with `exp(scale x) = s (1 + p)`, s = 2^k, |p| < 0.42."""
    reduction = _reduction(scale)
    tail = polynomial(*([c * scale ** (i + 1) for i, c in enumerate(numbers)] for numbers in EXPM1))

    @helper
    def parts(x):
        s, r = reduction(x)
        return s, r * tail(r)

    return parts


def ratio(scale):
    """Make `x -> (s, w)` with `exp(scale x) = s (1 + w) / (1 - w)`, s = 2^k, w = tanh(scale r / 2), |w| < 0.18.

    For what is divided anyway: by `exponential`, tanh takes 25 instructions and not 21, 1.46 ns and not 0.96.
    """
    reduction = _reduction(scale)
    tail = polynomial(*([c * (0.5 * scale) ** (2 * i + 1) for i, c in enumerate(numbers)] for numbers in TANH))

    @helper
    def parts(x):
        s, r = reduction(x)
        return s, r * tail(r * r)

    return parts


_root, _reciprocal = exponential(0.5), exponential(-1)
_odds, _against, _against_twice = ratio(2), ratio(-1), ratio(-2)
_twice = within(2 * END64, 2 * END32)
_early = within(350.0, 43.0)


@helper
def exp(x):
    """`exp(x)`; infinite from 709.79 (float32: 88.73) on, 0 below -708.39 (-87.33).

    The square of exp(x / 2), whose scale 2^k stays in range: one product where a scale in two steps takes four more.
    """
    s, p = _root(_twice(x))
    root = fma(s, p, s)
    return root * root


@helper
def exp_jet(x):
    """`exp(x)` and its slope, itself."""
    value = exp(x)
    return value, value


@helper
def expm1_jet(x):
    """`exp(x) - 1` as `a (a + 2)` with `a = exp(x / 2) - 1`, and its slope `exp(x)`."""
    s, p = _root(_twice(x))
    a = fma(s, p, s - 1.0)
    root = fma(s, p, s)
    # below an ulp of 1 it is x itself: -0 too, and numbers whose half is subnormal
    return select(absolute(x) < pick(x, 1e-17, 1e-8), x, fma(a, a, a + a)), root * root


@helper
def expm1(x):
    """`exp(x) - 1`, accurate where x is small."""
    return expm1_jet(x)[0]


# --- saturating functions ---------------------------------------------------------------------------------------------


@helper
def tanh(x):
    """`tanh(x) = (q - 1) / (q + 1)` with `q = exp(2 x) = s (1 + w) / (1 - w)`: 0.96 ns (1.8).

    Exactly odd without looking at the sign: for -x, s is 1/s and all that follows is the same but for powers of two.
    Saturated it is 1 or the number below (a division of numerator by denominator, always 1, would cost the jet 10 %).
    """
    s, w = _odds(_early(x))
    less, more = 1.0 - s, 1.0 + s
    return fma(w, more, -less) * (1.0 / fma(-w, less, more))


@helper
def tanh_jet(x):
    """`tanh(x)` and its slope `sech^2 x`, accurate up to |x| = 354, then 0: 1.3 ns.

    From q = exp(-2 |x|): `h = 1 - |tanh x| = 2 q / (1 + q)` without cancellation, and the slope is `h (1 + |tanh x|)`.
    """
    s, w = _against_twice(minimum(pick(x, 0.5 * END64, 0.5 * END32), absolute(x)))
    less, more = 1.0 - s, 1.0 + s
    inverse = 1.0 / fma(-w, less, more)
    t = fma(-w, more, less) * inverse
    half = fma(s, w, s) * inverse
    h = half + half
    return copysign(t, x), fma(h, t, h)


@helper
def logistic_jet(x):
    """`p = 1 / (1 + exp(-x))` and its slope `p (1 - p)`.

    Both from `q / (1 + q)` with `q = exp(-|x|) = s (1 + w) / (1 - w)`, the smaller of p and 1 - p: 24.0 cycles for the
    8 numbers of an AVX-512 register, p alone 22.2. By the reciprocal of 1 + q, q = exp(-x), they were 25.5 and 21.1.
    """
    s, w = _against(minimum(pick(x, END64, END32), absolute(x)))
    least = fma(s, w, s) / fma(-w, 1.0 - s, 1.0 + s)
    return select(x < 0.0, least, 1.0 - least), fma(-least, least, least)


@helper
def logistic(x):
    """`1 / (1 + exp(-x))`, accurate in both tails."""
    return logistic_jet(x)[0]


# 2 atanh(s) = 2 s + s^3 L(s^2) = log(1 + q) with s = q / (2 + q), for q in 0..1, minimax: to 3e-18 (float32: 2e-10)
_log1p_tail = polynomial(
    (
        0.6666666666666631,
        0.40000000000157393,
        0.2857142854783365,
        0.2222222397106053,
        0.18181743875830944,
        0.1538656101233049,
        0.13300958764284976,
        0.12106207312249412,
        0.08339556974342102,
        0.17019611869343226,
    ),
    (0.6666667461395264, 0.3999887704849243, 0.28616899251937866, 0.2142747938632965, 0.24301663041114807),
)


@helper
def softplus_jet(x):
    """`max(x, 0) + log(1 + q)` with `q = exp(-|x|)`, and its slope `logistic(x)`."""
    s, p = _reciprocal(minimum(pick(x, END64, END32), absolute(x)))
    q = fma(s, p, s)
    share = q / (2.0 + q)
    z = share * share
    half = 0.5 * q * q
    value = maximum(0.0, x) + (q - (half - share * fma(z, _log1p_tail(z), half)))
    return value, select(x < 0.0, q, 1.0) / (1.0 + q)


@helper
def softplus(x):
    """`log(1 + exp(x))`, accurate in both tails."""
    return softplus_jet(x)[0]
