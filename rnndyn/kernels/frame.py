"""Re-orthonormalisation of a frame in lanes: modified Gram-Schmidt, columns updated as soon as a direction is known.

The frame is row-major: element (r, k) of its `rows x columns` stands at `r columns + k`.
"""

from .algebra import ONE, PAIR, QUAD, fused, gather, scaled, scatter, total, zeros
from .helper import helper
from .lane import (
    absolute,
    copysign,
    exp2i,
    exponent,
    fma,
    full,
    load,
    mantissa,
    maximum,
    minimum,
    select,
    some,
    sqrt,
    store,
)
from .polynomial import pick


@helper
def _dot(lane, frame, rows, columns, i, k):
    """Column i times column k; four sums side by side, as one sum takes four cycles to come back."""
    sums = zeros(lane, QUAD, ONE)
    r = 0
    while r + 4 <= rows:
        left = gather(lane, frame, r * columns + i, columns, QUAD)
        sums = fused(sums, left, gather(lane, frame, r * columns + k, columns, QUAD))
        r += 4
    rest = zeros(lane, ONE, ONE)
    while r < rows:
        left = gather(lane, frame, r * columns + i, columns, ONE)
        rest = fused(rest, left, gather(lane, frame, r * columns + k, columns, ONE))
        r += 1
    return total(sums) + rest[0]


@helper
def _subtract(lane, frame, rows, columns, i, k, factor):
    """Column k += factor column i."""
    for r in range(rows):
        place = r * columns + k
        store(lane, frame, place, fma(factor, load(lane, frame, r * columns + i), load(lane, frame, place)))


@helper
def _project(lane, frame, rows, columns, j, k, one, two, block):
    """Take the directions j and j + 1 out of the columns k + block; one, two: -1/|column|^2, or 0 to leave them.

    Two directions at a time: half the loads and stores of one at a time, which bound it.
    """
    dots, others = zeros(lane, block, ONE), zeros(lane, block, ONE)
    for r in range(rows):
        row = gather(lane, frame, r * columns + k, 1, block)
        dots = fused(dots, row, load(lane, frame, r * columns + j))
        others = fused(others, row, load(lane, frame, r * columns + j + 1))
    dots, others = scaled(dots, one), scaled(others, two)
    for r in range(rows):
        place = r * columns + k
        row = fused(gather(lane, frame, place, 1, block), dots, load(lane, frame, r * columns + j))
        scatter(lane, frame, place, 1, block, fused(row, others, load(lane, frame, r * columns + j + 1)))


@helper
def _rescale(lane, frame, rows, columns, k, mask):
    """Bring column k near 1 by an exact power of two where the mask is true; returns the exponent taken out."""
    largest = full(lane, 0.0)
    for r in range(rows):
        largest = maximum(largest, absolute(load(lane, frame, r * columns + k)))
    usable = mask & (largest > 0.0)
    limit = pick(largest, 1022.0, 126.0)
    shift = select(usable, minimum(exponent(select(usable, largest, 1.0)), limit), 0.0)
    factor = exp2i(-shift)
    for r in range(rows):
        store(lane, frame, r * columns + k, load(lane, frame, r * columns + k) * factor)
    return shift


@helper
def _revive(lane, frame, rows, columns, j, spare, units, dead):
    """Give column j a new direction, orthogonal to those before it, where it is dead; its sum of squares there.

    The direction comes from `spare`, a random matrix like the frame, projected twice for full orthogonality.
    """
    candidate = rows * columns  # a column of scratch stands behind the frame
    for r in range(rows):
        store(lane, frame, candidate + r, load(lane, spare, r * columns + j))
    for _ in range(2):
        for i in range(j):
            dot = zeros(lane, ONE, ONE)
            for r in range(rows):
                q = gather(lane, frame, r * columns + i, 1, ONE)
                dot = fused(dot, q, load(lane, frame, candidate + r))
            share = dot[0] / load(lane, units, i)
            for r in range(rows):
                q = load(lane, frame, r * columns + i)
                store(lane, frame, candidate + r, load(lane, frame, candidate + r) - share * q)
    square = full(lane, 0.0)
    for r in range(rows):
        new = load(lane, frame, candidate + r)
        square = square + new * new
        store(lane, frame, r * columns + j, select(dead, new, load(lane, frame, r * columns + j)))
    return square


@helper
def _count(lane, products, powers, k, growth):
    """Multiply the growth into column k's running product, kept as mantissa and exponent: no logarithm a step."""
    factor = load(lane, products, k) * growth
    store(lane, powers, k, load(lane, powers, k) + exponent(factor))
    store(lane, products, k, mantissa(factor))


@helper
def _scalar(lane, frame, due, pending, products, powers, lost):
    """The frame of a scalar is its sign: no square root, no division (together they cost as much as tanh)."""
    v = load(lane, frame, 0)
    size = absolute(v)
    dead = due & (size <= 0.0)
    _count(lane, products, powers, 0, select(due & ~dead, size, 1.0))
    store(lane, lost, 0, load(lane, lost, 0) + select(dead, pending, 0.0))
    store(lane, frame, 0, select(due, copysign(full(lane, 1.0), v), v))
    least, most = pick(v, 1e-80, 1e-10), pick(v, 1e80, 1e10)  # a product of growth factors may not leave the range
    poor = due & ((size < least) | (size > most) | dead)
    return poor, due & (size > pick(v, 1e-8, 1e-2)) & (size < pick(v, 1e8, 1e2))


@helper
def orthonormalise(lane, frame, rows, columns, spare, before, units, due, pending, products, powers, lost):
    """frame <- Q of frame = Q R where `due`; |R_kk| is multiplied into the running product of column k.

    A column whose norm after projection is at most 8 n eps of its norm before counts as zero: its product stays, `lost`
    counts the `pending` steps since the last call, and it gets a new direction. Returns two masks: `poor`, whether some
    column lost so much to the others that the interval should be shorter, and `rich`, whether it may be longer.
    """
    if rows == 1:
        return _scalar(lane, frame, due, pending, products, powers, lost)
    poor, rich = due & ~due, due
    unit = full(lane, 1.0)
    small, large = pick(unit, 1e-200, 1e-24), pick(unit, 1e200, 1e24)
    tolerance = pick(unit, 8.0 * 2.0**-52, 8.0 * 2.0**-23) * rows
    tolerance = tolerance * tolerance
    steep, gentle = pick(unit, 1e-8, 1e-4), pick(unit, 1e-4, 1e-2)  # squared sines of the angle to the columns before
    for k in range(columns):
        square = _dot(lane, frame, rows, columns, k, k)
        wild = due & ((square < small) | (square > large))
        if some(wild):
            shift = _rescale(lane, frame, rows, columns, k, wild)
            store(lane, powers, k, load(lane, powers, k) + shift)
            square = _dot(lane, frame, rows, columns, k, k)
            poor = poor | wild
        store(lane, before, k, square)
    one = two = full(lane, 0.0)
    for j in range(columns):
        square = load(lane, before, j)
        if j % 2 == 1:  # the second of a pair: its partner first, the rest with both at once
            _subtract(lane, frame, rows, columns, j - 1, j, _dot(lane, frame, rows, columns, j - 1, j) * one)
        if j > 0:
            square = _dot(lane, frame, rows, columns, j, j)
        was = load(lane, before, j)
        dead = due & (square <= tolerance * was)
        poor = poor | (due & ~dead & (square < steep * was)) | (dead & (pending > 1.0))  # rank loss, or contraction?
        rich = rich & (dead | (square > gentle * was))
        counts = due & ~dead
        if some(dead):
            square = select(dead, _revive(lane, frame, rows, columns, j, spare, units, dead), square)
            store(lane, lost, j, load(lane, lost, j) + select(dead, pending, 0.0))
        # directions keep their length till the end: no square root stands between one and the next
        store(lane, before, j, select(counts, square, 0.0))
        store(lane, units, j, square)
        inverse = select(due, -1.0 / square, 0.0)
        if j % 2 == 0:
            one = inverse
        else:
            two = inverse
            k = j + 1
            while k + 4 <= columns:
                _project(lane, frame, rows, columns, j - 1, k, one, two, QUAD)
                k += 4
            if k + 2 <= columns:
                _project(lane, frame, rows, columns, j - 1, k, one, two, PAIR)
                k += 2
            if k < columns:
                _project(lane, frame, rows, columns, j - 1, k, one, two, ONE)
    for j in range(columns):
        size = sqrt(load(lane, units, j))
        counted = load(lane, before, j)
        _count(lane, products, powers, j, select(counted > 0.0, size, 1.0))
        store(lane, units, j, select(due, 1.0 / size, 1.0))
    for r in range(rows):
        for k in range(columns):
            place = r * columns + k
            store(lane, frame, place, load(lane, frame, place) * load(lane, units, k))
    return poor, rich
