"""Error bars: the standard error of a sum of correlated batches, column by column (`dynamics.errorbars` says why)."""

from .helper import helper
from .lane import absolute, fma, full, maximum, minimum, select, sqrt
from .memory import load, store

SMALL = 1.05  # an error from some dozens of batches is one of Student's: so much more for 95 % within two of it
SURPRISE = 3.0  # times the difference of the halves that is expected, beyond which chance does not explain it
SETTLED = 1e-3  # of the variance of the batches in the first half: what is left of it in the second, if it settles


def total_error(
    lane, number, rows, row, column, values, cosines, inverse, weight, whole, difference, persists, scratch, totals,
    errors,
):  # fmt: skip
    """totals[column] = sum of the `rows` batches x_b = values[b row + column], errors[column] that of the sum of the
    first `number` of them.

        I_f = (sum_b c_fb x_b)^2,  s_j = sum_f I_f / g_jf / (n - 1),  w_j ~ p_j s_j^(-(n-1)/2)
        error = sum_j w_j (V_j s_j)^(1/2),  of the difference of the halves: sum_j w_j (D_j s_j)^(1/2)

    `cosines` c (frequencies, n // 2), even frequencies first; `inverse` 1/g (shapes, frequencies); `weight` p, `whole`
    V, `difference` D and `persists` (shapes,). scratch: 2 (n // 2) + shapes elements.
    """
    half, shapes = number // 2, len(weight)
    even = (number - 1) // 2
    middle = load(lane, values, half * row + column)  # equal batches have no error at all; of an odd number it is zero
    size = absolute(middle - middle)
    for b in range(number):
        size = maximum(size, absolute(load(lane, values, b * row + column) - middle))
    unit = 1.0 / select(size > 0.0, size, 1.0)
    early = late = size * 0.0
    for b in range(half):
        one = (load(lane, values, b * row + column) - middle) * unit
        other = (load(lane, values, (number - 1 - b) * row + column) - middle) * unit
        store(lane, scratch, b, one + other)
        store(lane, scratch, half + b, one - other)
        early = early + one
        late = late + (load(lane, values, (half + b) * row + column) - middle) * unit
    halves = absolute(early - late) * (number / (2.0 * half))
    first, second = early * (1.0 / half), late * (1.0 / half)  # means; then the scatter about them
    early = late = size * 0.0
    for b in range(half):
        one = (load(lane, values, b * row + column) - middle) * unit - first
        other = (load(lane, values, (half + b) * row + column) - middle) * unit - second
        early = fma(one, one, early)
        late = fma(other, other, late)
    for j in range(shapes):
        store(lane, scratch, 2 * half + j, size * 0.0)
    for f in range(number - 1):
        folded = 0 if f < even else half
        amplitude = size * 0.0
        for b in range(half):
            amplitude = fma(load(lane, scratch, folded + b), cosines[f * half + b], amplitude)
        power = amplitude * amplitude
        for j in range(shapes):
            here = 2 * half + j
            store(lane, scratch, here, fma(power, inverse[j * (number - 1) + f], load(lane, scratch, here)))
    least = load(lane, scratch, 2 * half)
    for j in range(1, shapes):
        least = minimum(least, load(lane, scratch, 2 * half + j))
    total = error = expected = lasting = size * 0.0
    for j in range(shapes):
        scale = load(lane, scratch, 2 * half + j)
        likely = weight[j] * sqrt(_power(lane, select(least > 0.0, least / scale, 1.0), number - 1))
        scale = scale * (1.0 / (number - 1))
        total = total + likely
        error = fma(likely, sqrt(scale * whole[j]), error)
        expected = fma(likely, sqrt(scale * difference[j]), expected)
        lasting = fma(likely, persists[j], lasting)
    counted = select(halves * total > SURPRISE * expected, total, lasting) * halves
    error = select(late < SETTLED * early, halves * total, maximum(SMALL * error, counted))
    store(lane, errors, column, error / total * size)
    total = load(lane, values, column)
    for b in range(1, rows):
        total = total + load(lane, values, b * row + column)
    store(lane, totals, column, total)


@helper
def _power(lane, base, exponent):
    """base ** exponent for a whole number."""
    found = full(lane, 1.0)
    while exponent > 0:
        if exponent % 2 == 1:
            found = found * base
        base = base * base
        exponent = exponent // 2
    return found
