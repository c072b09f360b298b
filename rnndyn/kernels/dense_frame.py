"""Re-orthogonalisation of one network's frame: Gram-Schmidt over panels of columns, as matrix products.

    V = Q D R:   a panel Q of V is made orthogonal column by column, then  V_k -= Q (Q^T V_k / |Q|^2)  for all later k

Panel after panel, each column meets the directions in the order of modified Gram-Schmidt, and its growth has that
method's accuracy, eps times the frame's conditioning (Bjorck 1967). A column that lost much to its own panel is
projected twice, so that the panel's products count as one projection. In all 2 N k^2 operations, nearly all in
`multiply`; Householder's method takes 8/3 N^3 for a full frame, Cholesky's 7/3 N^3 for the conditioning squared, or
twice that. As in `frame`, columns are orthogonal, not normalised, and lengths are squares with powers of two.

Measured (AVX-512, one core, where OpenBLAS multiplies 256 x 256 matrices at 52 GFLOP/s): 36 GFLOP/s at N = 64, 42 at
128, 43 at 256, 49 at 512 with the step's own product; panels of two registers take 15 % longer than of three.
"""

from .algebra import ONE, PAIR, QUAD, fused, gather, scatter, total, zeros
from .dense_lane import repeated, single, sums_of, thirds, times, turn
from .dense_team import meet, share
from .dense_tile import across, apart, multiply, multiply_packed, width_of
from .frame import _rescale, leaves_room
from .helper import helper, separate_helper
from .lane import full, maximum, select, some, sqrt
from .memory import load, store
from .polynomial import pick

TILE = 16  # columns that go through a projection together
SEVEN, SIX, FIVE, THREE = (0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4), (0, 1, 2)
BLOCK = 3  # panels taken through all panels before them, a thread's share each; among themselves, by one thread


@helper
def square_of(lane, frame, rows, i):
    """|column at i|^2, of width 1; four sums side by side."""
    w = width_of(lane)
    squares = zeros(lane, QUAD, ONE)
    r = 0
    while r + 4 * w <= rows:
        column = gather(lane, frame, i + r, w, QUAD)
        squares = fused(squares, column, column)
        r += 4 * w
    rest = zeros(lane, ONE, ONE)
    while r < rows:
        column = gather(lane, frame, i + r, w, ONE)
        rest = fused(rest, column, column)
        r += w
    sums = sums_of((total(squares) + rest[0],))
    return single(sums[0])


@helper
def _take_out(lane, frame, rows, pitch, i, k, inverse, block):
    """Take the direction at i out of the columns k + pitch block; returns the new square of the first of them.

    inverse: -1/|column at i|^2.
    """
    w = width_of(lane)
    dots = zeros(lane, block, ONE)
    for r in range(0, rows, w):
        dots = fused(dots, gather(lane, frame, k + r, pitch, block), load(lane, frame, i + r))
    dots = times(sums_of(dots), repeated(lane, inverse))
    squares = zeros(lane, ONE, ONE)
    for r in range(0, rows, w):
        row = fused(gather(lane, frame, k + r, pitch, block), dots, load(lane, frame, i + r))
        scatter(lane, frame, k + r, pitch, block, row)
        squares = fused(squares, row[:1], row[:1])
    return single(sums_of(squares)[0])


@separate_helper
def _take_out_of_all(lane, frame, rows, pitch, i, begin, end, inverse):
    """Take the direction at i out of the columns begin..end-1; returns the new square of the first of them.

    A third of a panel has up to 7 of them in one pass: more wait for the direction's sums only once.
    """
    square = _take_out_of_some(lane, frame, rows, pitch, i, begin, end, inverse)
    k = begin + len(SEVEN)
    while k < end:
        _take_out_of_some(lane, frame, rows, pitch, i, k, end, inverse)
        k += len(SEVEN)
    return square


@separate_helper
def _take_out_of_some(lane, frame, rows, pitch, i, begin, end, inverse):
    """The same for the first seven of them."""
    apart()
    k, count = begin * pitch, end - begin
    if count >= 7:
        return _take_out(lane, frame, rows, pitch, i, k, inverse, SEVEN)
    if count == 6:
        return _take_out(lane, frame, rows, pitch, i, k, inverse, SIX)
    if count == 5:
        return _take_out(lane, frame, rows, pitch, i, k, inverse, FIVE)
    if count == 4:
        return _take_out(lane, frame, rows, pitch, i, k, inverse, QUAD)
    if count == 3:
        return _take_out(lane, frame, rows, pitch, i, k, inverse, THREE)
    if count == 2:
        return _take_out(lane, frame, rows, pitch, i, k, inverse, PAIR)
    return _take_out(lane, frame, rows, pitch, i, k, inverse, ONE)


@separate_helper
def _project(lane, frame, rows, pitch, first, count, flipped, dots, begin, end):
    """Take the directions first..first + count - 1 out of the columns begin..end-1.

    They are a panel, or a third of one; `flipped` holds -Q^T / |Q|^2 of each panel, row after row.
    """
    apart()
    size = panel_width(lane)
    at = first // size * size * rows + first % size
    for k in range(begin, end, TILE):
        many = min(TILE, end - k)
        there = (k * pitch, pitch)
        if count == size:
            multiply_packed(lane, dots, (0, count), flipped, at, frame, there, count, rows, many, False)
        else:
            multiply(lane, dots, (0, count), flipped, (at, size), frame, there, count, rows, many, False)
        multiply(lane, frame, there, frame, (first * pitch, pitch), dots, (0, count), rows, count, many, True)


@helper
def panel_width(lane):
    """Columns of a panel: three registers of directions, the height of a register tile, or one warp."""
    return thirds(lane) * width_of(lane)


@helper
def _flip(one, frame, rows, pitch, begin, inverses, i, flipped, there):
    """The directions of a third of a panel, from column `begin` on, times -1/|direction|^2, as columns of `flipped`."""
    lane = across(one)
    size = panel_width(lane)
    for r in range(0, rows, width_of(lane)):
        turn(lane, frame, begin * pitch + r, pitch, inverses, i, flipped, there + r * size, size)


@helper
def _growth(one, frame, rows, pitch, begin, end, before, shifts, marks, squares, powers):
    """before <- the columns' squares as they come, brought back into the range; mark those that left it by growth."""
    lane, unit = across(one), full(one, 1.0)
    small, large = pick(unit, 1e-180, 1e-14), pick(unit, 1e180, 1e14)
    little, much = pick(unit, 1e-120, 1e-16), pick(unit, 1e120, 1e16)
    for k in range(begin, end):
        square, last = square_of(lane, frame, rows, k * pitch), load(one, squares, k)
        store(one, shifts, k, full(one, 0.0))
        store(one, marks, k, full(one, 0.0))
        wild = (square < small) | (square > large)
        if some(wild):
            poor = (square < little * last) | (square > much * last)
            store(one, marks, k, select(poor, unit, full(one, 0.0)))
            shift = _rescale(one, frame, rows, k * pitch, wild)
            store(one, shifts, k, shift)
            store(one, powers, k, load(one, powers, k) + shift)
            square = square_of(lane, frame, rows, k * pitch)
        store(one, before, k, square)


@separate_helper
def _candidates(one, frame, rows, pitch, columns, begin, end, spare, flipped, dots):
    """New directions for the columns of a panel, behind the frame, orthogonal to all panels before it (twice over)."""
    lane = across(one)
    for k in range(begin, end):
        for r in range(rows):
            store(one, frame, (columns + k - begin) * pitch + r, load(one, spare, k * pitch + r))
    for _ in range(2):
        for panel in range(begin // panel_width(lane)):
            first = panel * panel_width(lane)
            _project(lane, frame, rows, pitch, first, panel_width(lane), flipped, dots, columns, columns + end - begin)


@separate_helper
def _factor(
    one, frame, rows, size, pitch, columns, begin, end, spare, flipped, dots, inverses, before, shifts, marks, squares,
    powers, lost, pending, most,
):  # fmt: skip
    """Make the columns of a panel orthogonal, and keep the books of their lengths; returns (poor, rich, most).

    A growth's relative error is about eps over the sine of the column's angle to those before it, of either sign. Of
    full spectra of tanh networks at gain 2, the interval 2 has the smallest sines, and differs from re-orthonormalising
    at every step in the worst exponent, by: N = 64: 1e-5, 1e-12; 128: 1e-6, 3e-11; 256: 4e-7, 2e-10 (100 to 300
    steps); 4 loses the last exponents. Hence sines down to 1e-9 (float32: 1e-2), and twice the interval, whose sines
    are about the squares, where all are above 6e-5 (float32: 0.1).
    """
    apart()
    lane, unit = across(one), full(one, 1.0)
    tolerance = pick(unit, 8.0 * 2.0**-52, 8.0 * 2.0**-23) * size
    steep, gentle = pick(unit, 1e-18, 1e-4), pick(unit, 4e-9, 1e-2)  # squared sines of the angle to the columns before
    poor, rich = full(one, 0.0), unit
    prepared, narrow, square = False, width_of(lane), unit
    for j in range(begin, end):
        store(one, inverses, j - begin, square_of(lane, frame, rows, j * pitch))
    for j in range(begin, end):
        stop = min(j // narrow * narrow + narrow, end)  # of this third of the panel
        here, was = j * pitch, load(one, before, j)
        poor = maximum(poor, load(one, marks, j))
        if j % narrow == 0:
            square = square_of(lane, frame, rows, here)
        if some(square < 0.01 * load(one, inverses, j - begin)):  # what rounding left of this panel goes too
            for i in range(begin, j):
                inverse = load(one, inverses, i - begin)
                square = _take_out_of_all(lane, frame, rows, pitch, i * pitch, j, j + 1, inverse)
        if some(square <= tolerance * tolerance * was):
            poor = select(pending > 1.0, unit, poor)  # rank loss, or contraction?
            if not prepared:
                _candidates(one, frame, rows, pitch, columns, begin, end, spare, flipped, dots)
                prepared = True
            candidate = columns + j - begin
            for _ in range(2):
                for i in range(begin, j):
                    inverse = load(one, inverses, i - begin)
                    _take_out_of_all(lane, frame, rows, pitch, i * pitch, candidate, candidate + 1, inverse)
            factor = sqrt(load(one, squares, j) / square_of(lane, frame, rows, candidate * pitch))
            for r in range(rows):  # as long as the column was, so that its growth does not count
                store(one, frame, here + r, factor * load(one, frame, candidate * pitch + r))
            square = square_of(lane, frame, rows, here)
            store(one, powers, j, load(one, powers, j) - load(one, shifts, j))
            store(one, lost, j, load(one, lost, j) + pending)
        else:
            poor = select(square < steep * was, unit, poor)
            room, most = leaves_room(square, load(one, squares, j), load(one, shifts, j), most)
            rich = select(square > gentle * was, rich, full(one, 0.0)) * room
        store(one, squares, j, square)
        inverse = -1.0 / square
        store(one, inverses, j - begin, inverse)
        if j + 1 < stop:
            square = _take_out_of_all(lane, frame, rows, pitch, here, j + 1, stop, inverse)
        elif stop < columns:
            first = stop - narrow
            _flip(one, frame, rows, pitch, first, inverses, first - begin, flipped, begin * rows + first - begin)
            if stop < end:
                _project(lane, frame, rows, pitch, first, narrow, flipped, dots, stop, end)
    return poor, rich, most


@helper
def orthogonalise(
    one, frame, rows, size, pitch, columns, spare, flipped, dots, inverses, before, shifts, marks, squares, powers,
    lost, pending, team, rank, threads,
):  # fmt: skip
    """The frame's columns made orthogonal; `squares` and `powers` hold their lengths, squared, as `squares 4^powers`.

    rows: of a column, of them `size` count; pitch: from column to column. The law of rank loss, and what `poor` and
    `rich` mean, are those of `frame.orthogonalise`. Returns them in the first thread of the team.
    """
    lane = across(one)
    poor, rich, most = full(one, 0.0), full(one, 1.0), full(one, 0.0)
    low, high = share(0, columns, rank, threads)
    _growth(one, frame, rows, pitch, low, high, before, shifts, marks, squares, powers)
    meet(team, threads)
    width = panel_width(lane)
    for block in range(0, columns, BLOCK * width):
        last = min(block + BLOCK * width, columns)
        if block > 0:
            low, high = share(block, last, rank, threads)
            for k in range(low, high, TILE):
                for panel in range(block // width):
                    _project(lane, frame, rows, pitch, panel * width, width, flipped, dots, k, min(k + TILE, high))
            meet(team, threads)
        if rank == 0:
            for begin in range(block, last, width):
                end = min(begin + width, columns)
                bad, good, most = _factor(
                    one, frame, rows, size, pitch, columns, begin, end, spare, flipped, dots, inverses, before, shifts,
                    marks, squares, powers, lost, pending, most,
                )  # fmt: skip
                poor, rich = maximum(poor, bad), rich * good
                _project(lane, frame, rows, pitch, begin, width, flipped, dots, end, last)
        meet(team, threads)
    return poor, rich
