"""Rules on tuples of any length, made by recursion: the language of a rule has no loops.

Each function here returns a rule (see `kernels.walk`) that a step puts around a field's own.
"""

import math

from .language import where


def moving(size):
    """The rule `(h, k, s) -> s + h k` on `size` numbers."""
    if size == 1:

        def last(h, k, s):
            return (s[0] + h * k[0],)

        return last
    rest = moving(size - 1)

    def move(h, k, s):
        return (s[0] + h * k[0],) + rest(h, k[1:], s[1:])  # noqa: RUF005 (unpacking makes a list)

    return move


def joint(parts):
    """The rate of all parts together."""
    first, gates, drives = parts[0].rate, len(parts[0].gates), len(parts[0].drives)
    if len(parts) == 1:
        return first
    rest = joint(parts[1:])

    def rate(x, a, s, p):
        return first(x[:drives], a[:gates], s, p) + rest(x[drives:], a[gates:], s, p)

    return rate


def together(rows):
    """The rule `(s, k, dt) -> values` of all rows, one after another."""
    first = rows[0]
    if len(rows) == 1:
        return first
    rest = together(rows[1:])

    def values(s, k, dt):
        return first(s, k, dt) + rest(s, k, dt)

    return values


def row(size, begin, c):
    """The rule `(s, k, dt) -> r + c dt k`, r standing in s from `begin` on."""
    end = begin + size
    if c == 0.0:

        def kept(s, k, dt):
            return s[begin:end]

        return kept
    move = moving(size)

    def moved(s, k, dt):
        return move(c * dt, k, s[begin:end])

    return moved


def imaged(size, image):
    """The rule `(s, p) -> s with its images`, which stand behind its first `size` values."""
    if image is None:

        def bare(s, p):
            return s

        return bare

    def extended(s, p):
        return s[:size] + image(s[:size], p[:-1]) + s[size:]

    return extended


def phi1(z):
    """`(exp(z) - 1) / z`; its series near zero, where the slope of the quotient would cancel."""
    near = abs(z) < 0.05
    tail = 1.0 + z / 5.0 * (1.0 + z / 6.0 * (1.0 + z / 7.0 * (1.0 + z / 8.0 * (1.0 + z / 9.0))))
    series = 1.0 + z / 2.0 * (1.0 + z / 3.0 * (1.0 + z / 4.0 * tail))
    away = where(near, 1.0, z)
    return where(near, series, math.expm1(away) / away)


def relaxed(dt, linear, k, s):
    """`e^z s + dt phi1(z) (k - linear s)`, z = dt linear; not `s + dt phi1(z) k`, which loses a small e^z."""
    z = dt * linear
    return math.exp(z) * s + dt * phi1(z) * (k - linear * s)


def relaxing(size):
    """The rule `(dt, linear, k, s) -> relaxed(dt, linear, k, s)` on `size` numbers."""
    if size == 1:

        def last(dt, linear, k, s):
            return (relaxed(dt, linear[0], k[0], s[0]),)

        return last
    rest = relaxing(size - 1)

    def relax(dt, linear, k, s):
        return (relaxed(dt, linear[0], k[0], s[0]),) + rest(dt, linear[1:], k[1:], s[1:])  # noqa: RUF005

    return relax
