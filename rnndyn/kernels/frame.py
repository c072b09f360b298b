"""Re-orthogonalisation of a frame in lanes: modified Gram-Schmidt, columns updated as soon as a direction is known.

The frame is column-major: element (r, k) stands at `k pitch + r`. Its columns are orthogonalised, not normalised: with
V = Q D R and D diagonal, the length of column k is multiplied by |R_kk| each time, so that the growth is the logarithm
of the length, and no square root, product or exponent has to be taken on the way. A column whose length leaves the
range comes back by an exact power of two, counted in `powers`.
"""

from .algebra import ONE, PAIR, QUAD, fused, gather, scaled, scatter, total, zeros
from .bits import exp2i, exponent, mantissa
from .helper import helper
from .lane import absolute, fma, full, maximum, minimum, select, some, sqrt
from .memory import load, store
from .polynomial import pick


@helper
def _dots(lane, frame, rows, i, k):
    """(|column at i|^2, column at i times column at k); four sums side by side, as one takes four cycles to return."""
    squares, dots = zeros(lane, QUAD, ONE), zeros(lane, QUAD, ONE)
    r = 0
    while r + 4 <= rows:
        left = gather(lane, frame, i + r, 1, QUAD)
        squares = fused(squares, left, left)
        dots = fused(dots, left, gather(lane, frame, k + r, 1, QUAD))
        r += 4
    square, dot = total(squares), total(dots)
    while r < rows:
        left = load(lane, frame, i + r)
        square = fma(left, left, square)
        dot = fma(left, load(lane, frame, k + r), dot)
        r += 1
    return square, dot


@helper
def _square(lane, frame, rows, i):
    """|column at i|^2."""
    squares = zeros(lane, QUAD, ONE)
    r = 0
    while r + 4 <= rows:
        column = gather(lane, frame, i + r, 1, QUAD)
        squares = fused(squares, column, column)
        r += 4
    square = total(squares)
    while r < rows:
        element = load(lane, frame, i + r)
        square = fma(element, element, square)
        r += 1
    return square


@helper
def _subtract(lane, frame, rows, i, k, factor):
    """Column at k += factor column at i; returns its new square."""
    squares = zeros(lane, QUAD, ONE)
    r = 0
    while r + 4 <= rows:
        column = fused(gather(lane, frame, k + r, 1, QUAD), gather(lane, frame, i + r, 1, QUAD), factor)
        scatter(lane, frame, k + r, 1, QUAD, column)
        squares = fused(squares, column, column)
        r += 4
    square = total(squares)
    while r < rows:
        element = fma(factor, load(lane, frame, i + r), load(lane, frame, k + r))
        store(lane, frame, k + r, element)
        square = fma(element, element, square)
        r += 1
    return square


@helper
def _project(lane, frame, rows, pitch, i, j, k, one, two, block):
    """Take the directions at i and j out of the columns k + block; one, two: -1/|column|^2, or 0 to leave them.

    Two directions at a time: half the loads and stores of one at a time, which bound it.
    """
    dots, others = zeros(lane, block, ONE), zeros(lane, block, ONE)
    start = k * pitch
    for r in range(rows):
        row = gather(lane, frame, start + r, pitch, block)
        dots = fused(dots, row, load(lane, frame, i + r))
        others = fused(others, row, load(lane, frame, j + r))
    dots, others = scaled(dots, one), scaled(others, two)
    for r in range(rows):
        row = fused(gather(lane, frame, start + r, pitch, block), dots, load(lane, frame, i + r))
        scatter(lane, frame, start + r, pitch, block, fused(row, others, load(lane, frame, j + r)))


@helper
def _rescale(lane, frame, rows, k, mask):
    """Bring the column at k back where the mask is true, by an exact power of two; returns the exponent taken out.

    It goes to the other side of 1, which a contracting or expanding column reaches only after as many steps again.
    """
    largest = full(lane, 0.0)
    for r in range(rows):
        largest = maximum(largest, absolute(load(lane, frame, k + r)))
    usable = mask & (largest > 0.0)
    limit, aside = pick(largest, 1022.0, 126.0), pick(largest, 200.0, 16.0)
    power = exponent(select(usable, largest, 1.0))
    power = power + select(power < 0.0, -aside, aside)
    shift = select(usable, maximum(minimum(power, limit), -limit), 0.0)
    factor = exp2i(-shift)
    for r in range(rows):
        store(lane, frame, k + r, load(lane, frame, k + r) * factor)
    return shift


@helper
def _revive(lane, frame, rows, pitch, columns, j, spare, before, length, dead):
    """Give column j a new direction, orthogonal to those before it, where it is dead.

    The direction comes from `spare`, a random matrix like the frame, projected twice for full orthogonality; it gets
    the `length` squared that the column had, so that its growth does not count.
    """
    candidate = columns * pitch  # a column of scratch stands behind the frame
    for r in range(rows):
        store(lane, frame, candidate + r, load(lane, spare, j * pitch + r))
    for _ in range(2):
        for i in range(j):
            _, dot = _dots(lane, frame, rows, i * pitch, candidate)
            _subtract(lane, frame, rows, i * pitch, candidate, -dot / load(lane, before, i))
    factor = sqrt(length / _square(lane, frame, rows, candidate))
    for r in range(rows):
        here = j * pitch + r
        store(lane, frame, here, select(dead, factor * load(lane, frame, candidate + r), load(lane, frame, here)))


@helper
def _growth(lane, frame, rows, pitch, columns, due, before, shifts, squares, powers):
    """before <- the columns' squares as they come, brought back into the range; 1 where one left it by its growth."""
    unit = full(lane, 1.0)
    small, large = pick(unit, 1e-180, 1e-14), pick(unit, 1e180, 1e14)
    little, much = pick(unit, 1e-120, 1e-16), pick(unit, 1e120, 1e16)
    wild = due & ~due
    for k in range(columns):
        square = _square(lane, frame, rows, k * pitch)
        store(lane, before, k, square)
        store(lane, shifts, k, full(lane, 0.0))
        wild = wild | (due & ((square < small) | (square > large)))
    poor = full(lane, 0.0)
    if some(wild):
        for k in range(columns):
            square, last = load(lane, before, k), load(lane, squares, k)
            wild = due & ((square < small) | (square > large))
            if some(wild):
                poor = select(wild & ((square < little * last) | (square > much * last)), 1.0, poor)
                shift = _rescale(lane, frame, rows, k * pitch, wild)
                store(lane, shifts, k, shift)
                store(lane, powers, k, load(lane, powers, k) + shift)
                store(lane, before, k, _square(lane, frame, rows, k * pitch))
    return poor


@helper
def leaves_room(square, last, shift, most):
    """(1 where a column's growth leaves room for an interval twice as long, the largest growth up to it, squared).

    A column of square `last` became one of `square 4^shift`; `most` is the largest growth of those before it. The
    rounding that it has of their directions grows as they do. In a normal matrix nothing else mixes them, so that no
    angle tells until it is too late: the ratio of their growth must leave room for its own square.
    """
    factor = exp2i(shift)
    growth = square / last * factor * factor
    room = select(growth >= pick(square, 1e-16, 1e-7) * most, pick(square, 1.0), 0.0)
    return room, maximum(most, growth)


@helper
def _settle(
    lane, frame, rows, pitch, columns, j, spare, before, shifts, due, pending, square, squares, powers, lost, adapt,
    most,
):  # fmt: skip
    """The bookkeeping of column j, orthogonal to those before it and `square` long: (whether it got a new direction,
    -1/square where due, 1 where it is too ill conditioned, 1 where it is well conditioned, the largest growth up to it,
    squared; see `leaves_room`)."""
    unit = full(lane, 1.0)
    tolerance = pick(unit, 8.0 * 2.0**-52, 8.0 * 2.0**-23) * rows
    steep, gentle = pick(unit, 1e-12, 1e-4), pick(unit, 1e-6, 1e-2)  # squared sines of the angle to the columns before
    was = load(lane, before, j)
    dead = due & (square <= tolerance * tolerance * was)
    poor = select(square < steep * was, 1.0, full(lane, 0.0))
    rich = select(square > gentle * was, 1.0, full(lane, 0.0))
    if adapt > 0:
        room, larger = leaves_room(square, load(lane, squares, j), load(lane, shifts, j), most)
        rich, most = rich * room, select(dead, most, larger)
    renewed = some(dead)
    if renewed:
        poor = select(dead, select(pending > 1.0, 1.0, full(lane, 0.0)), poor)  # rank loss, or contraction?
        rich = select(dead, 1.0, rich)
        length = load(lane, squares, j)
        _revive(lane, frame, rows, pitch, columns, j, spare, before, length, dead)
        square = select(dead, _square(lane, frame, rows, j * pitch), square)
        store(lane, powers, j, load(lane, powers, j) - select(dead, load(lane, shifts, j), 0.0))
        store(lane, lost, j, load(lane, lost, j) + select(dead, pending, 0.0))
    store(lane, before, j, square)
    store(lane, squares, j, select(due, square, load(lane, squares, j)))
    return renewed, select(due, -1.0 / square, 0.0), poor, rich, most


@helper
def _scalar(lane, frame, due, pending, squares, powers, lost):
    """The frame of a scalar is a length: it comes back into [1, 2) each time, cheaper than to ask whether it must."""
    v = load(lane, frame, 0)
    size = absolute(v)
    dead = due & (size <= 0.0)
    counts = due & ~dead
    power = select(counts, exponent(size), 0.0)
    one, gentle, steep = full(lane, 1.0), pick(v, 80.0, 10.0), pick(v, 200.0, 25.0)
    rich = select(absolute(power) < gentle, one, 0.0)
    poor = select(absolute(power) > steep, one, 0.0)
    size = select(counts, mantissa(size), v)
    if some(dead):
        size = select(dead, sqrt(load(lane, squares, 0)), size)
        poor = select(dead & (pending > 1.0), one, poor)
        store(lane, lost, 0, load(lane, lost, 0) + select(dead, pending, 0.0))
    store(lane, frame, 0, size)
    store(lane, powers, 0, load(lane, powers, 0) + power)
    store(lane, squares, 0, select(due, size * size, load(lane, squares, 0)))
    return poor, rich


@helper
def orthogonalise(lane, frame, rows, pitch, columns, spare, before, shifts, due, pending, squares, powers, lost, adapt):
    """The frame's columns made orthogonal where `due`; `squares` and `powers` hold their lengths, squared, as
    `squares 4^powers`.

    A column whose norm after projection is at most 8 n eps of its norm before counts as zero: its length stays, `lost`
    counts the `pending` steps since the last call, and it gets a new direction. Returns two lanes: `poor`, 1 where some
    column lost so much to the others that the interval should be shorter, and `rich`, 1 where it may be longer; they
    are no masks because they go through branches, where a vector of single bits is unpacked again (a third slower).
    """
    if rows == 1:
        return _scalar(lane, frame, due, pending, squares, powers, lost)
    poor = _growth(lane, frame, rows, pitch, columns, due, before, shifts, squares, powers)
    rich = full(lane, 1.0)
    square = dot = one = two = most = full(lane, 0.0)
    for j in range(columns):  # directions in pairs: the second of a pair meets its partner first, the rest meet both
        here = j * pitch
        if j % 2 == 0:
            square, dot = _dots(lane, frame, rows, here, min(j + 1, columns - 1) * pitch)
        else:
            square = _subtract(lane, frame, rows, here - pitch, here, dot * one)
        renewed, inverse, bad, good, most = _settle(
            lane, frame, rows, pitch, columns, j, spare, before, shifts, due, pending, square, squares, powers, lost,
            adapt, most,
        )  # fmt: skip
        poor, rich = maximum(poor, bad), rich * good
        if j % 2 == 0:
            one = inverse
            if renewed:
                _, dot = _dots(lane, frame, rows, here, min(j + 1, columns - 1) * pitch)
        else:
            two = inverse
            k = j + 1
            while k + 4 <= columns:
                _project(lane, frame, rows, pitch, here - pitch, here, k, one, two, QUAD)
                k += 4
            if k + 2 <= columns:
                _project(lane, frame, rows, pitch, here - pitch, here, k, one, two, PAIR)
                k += 2
            if k < columns:
                _project(lane, frame, rows, pitch, here - pitch, here, k, one, two, ONE)
    return poor, rich
