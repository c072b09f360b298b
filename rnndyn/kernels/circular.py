"""Sine, cosine and arc tangent on lanes, and their slopes (see `elementary`)."""

from .bits import nearest
from .helper import helper
from .lane import absolute, copysign, fma, select
from .polynomial import pick, polynomial, remainder, within

# pi / 2 in parts whose products with k are exact for |k| < 2^20 (float32: 2^12), that is |x| < 1.6e6 (6.4e3); with FMA
# for |x| < 2^51 (2^22) as far as the parts reach: errors grow as 1e-49 |k| (1e-19 |k|). Beyond, the results are mere
# numbers in -1..1.
_reduce = remainder(
    (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32),
    (1.5703125, 0.0004837512969970703, 7.549533620476723e-08, 2.5633440682570896e-12),
)
_eighth = within(0.79, 0.79)
# sin r = r + r^3 S(r^2) and cos r = 1 - r^2 / 2 + r^4 C(r^2) on |r| <= pi / 4, minimax: 4e-18 and 2e-19 (4e-9, 2e-10)
_sine = polynomial(
    (
        -0.16666666666666632,
        0.008333333333322413,
        -0.00019841269829807886,
        2.7557313691945325e-06,
        -2.5050758119514353e-08,
        1.58967958976342e-10,
    ),
    (-0.16666655242443085, 0.008332177996635437, -0.00019517235341481864),
)
_cosine = polynomial(
    (
        0.04166666666666665,
        -0.0013888888888882798,
        2.4801587294600164e-05,
        -2.755731573024605e-07,
        2.0875896594128572e-09,
        -1.1367923381616837e-11,
    ),
    (0.041666653007268906, -0.0013887652894482017, 2.4463613954139873e-05),
)
# atan t = t + t^3 A(t^2) on |t| <= tan(pi / 8), minimax: relative error 1e-18 (7e-10)
_arc = polynomial(
    (
        -0.333333333333332,
        0.19999999999954043,
        -0.14285714280244352,
        0.11111110785918488,
        -0.09090897829842429,
        0.07692061514777208,
        -0.06663118943248168,
        0.058479980994982896,
        -0.05039795381043071,
        0.03807701442620502,
        -0.017920814857606097,
    ),
    (-0.33333316445350647, 0.19998489320278168, -0.1424383819103241, 0.10595916211605072, -0.06083226576447487),
)


@helper
def sin_cos(x):
    """`(sin x, cos x)`: the nearest multiple k of pi / 2 off, then by k modulo 4."""
    k = nearest(x * 0.6366197723675814)
    r = _eighth(_reduce(x, k))
    z = r * r
    sine = select(x == 0.0, x, fma(r * z, _sine(z), r))  # keeps -0
    half = 0.5 * z
    most = 1.0 - half
    cosine = most + fma(z * z, _cosine(z), (1.0 - most) - half)
    quadrant = k - 4.0 * nearest(0.25 * k)  # -2, -1, 0, 1 or 2
    turned = absolute(quadrant) == 1.0
    first, second = select(turned, cosine, sine), select(turned, sine, cosine)
    return (
        select((quadrant < 0.0) | (quadrant > 1.0), -first, first),
        select((quadrant > 0.0) | (quadrant < -1.0), -second, second),
    )


@helper
def sin(x):
    """`sin(x)`, for |x| up to 1e6 (float32: 6e3); NaN at infinity."""
    return sin_cos(x)[0]


@helper
def sin_jet(x):
    """`sin(x)` and its slope `cos(x)`."""
    return sin_cos(x)


@helper
def cos(x):
    """`cos(x)`, for |x| up to 1e6 (float32: 6e3); NaN at infinity."""
    return sin_cos(x)[1]


@helper
def cos_jet(x):
    """`cos(x)` and its slope `-sin(x)`."""
    sine, cosine = sin_cos(x)
    return cosine, -sine


@helper
def atan(x):
    """`atan(x)`: `pi/4 + atan((a - 1) / (a + 1))` and `pi/2 - atan(1 / a)` bring a = |x| below tan(pi / 8)."""
    a = absolute(x)
    middle, far = a > 0.41421356237309503, a > 2.414213562373095
    above = select(far, pick(x, -1.0), select(middle, a - 1.0, a))
    below = select(far, a, select(middle, a + 1.0, 1.0))
    t = above / below
    z = t * t
    # pi / 4 times 0, 1 or 2, and what rounding took from it
    share = select(far, pick(x, 2.0), select(middle, pick(x, 1.0), 0.0))
    high = share * pick(x, 0.7853981633974483, 0.7853981852531433)
    low = share * pick(x, 3.061616997868383e-17, -2.1855695000931213e-08)
    return copysign(high + (t + fma(t * z, _arc(z), low)), x)


@helper
def atan_jet(x):
    """`atan(x)` and its slope `1 / (1 + x^2)`."""
    return atan(x), 1.0 / fma(x, x, 1.0)
