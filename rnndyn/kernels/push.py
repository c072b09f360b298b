"""Products of Jacobians: a state and any matrix of tangents carried on together, as they come or in steps of QR.

    V_{t+1} = DF(s_t) V_t;  where asked for, V = Q R every few steps: V <- Q, and R is kept

`tangent` keeps the growth of orthogonal columns only, which is all that exponents need; here are the matrices
themselves. From the identity one step gives the Jacobian; Q and R together carry covariant vectors back.
"""

from .algebra import ONE, PAIR, QUAD, fused, gather, scatter, total, zeros
from .frame import _square
from .helper import helper
from .known import numbers
from .lane import absolute, full, maximum, select, some, sqrt
from .memory import fresh, give_back, load, own, store
from .orbit import strayed
from .polynomial import pick
from .rule import stages
from .step import drive, tangent

NAN = float("nan")


def push(
    lane, cell, sizes, at, room, first, steps, stride, every, keep, theta, u, x, a, da, partials, state, frame, spare,
    record, path,
):  # fmt: skip
    """s_{t+1} = F(s_t, u_t) and V_{t+1} = DF(s_t, u_t) V_t for `steps` steps from step `first`; call again to go on.

    sizes: (units, inputs, rows, state values, columns, rows of the frame's columns). room: elements of theta, x, a, da,
    partials, state and frame, behind which stands a column of scratch. After each `every` steps, counted from 0, the
    frame becomes Q, and the diagonal of R goes to the next place of `record`, NaN if the state is beyond the bound
    then; with `keep` all rows of R do, and Q and the state go to `path`. With `every` 0 the frame stays as it comes.
    """
    n, inputs, rows, values, columns, pitch = numbers(sizes)
    at = numbers(at)
    theta, x, a = own(lane, theta, room, 0), fresh(lane, x, room, 1), fresh(lane, a, room, 2)
    da, partials = fresh(lane, da, room, 3), fresh(lane, partials, room, 4)
    states, state = state, own(lane, state, room, 5)
    frames, frame = frame, own(lane, frame, room, 6)
    below = columns if keep else 0  # from a row of R to the next
    for t in range(first, first + steps):
        if t == first or stride > 0:
            drive(lane, rows, inputs, theta, at, u, t * stride, x)
        tangent(lane, stages(cell), n, columns, pitch, theta, at, x, a, da, partials, state, frame)
        if every > 0 and (t + 1) % every == 0:
            number = (t + 1) // every - 1
            place = number * columns * (columns if keep else 1)
            factorise(lane, frame, values, pitch, columns, spare, record, place, below)
            gone = strayed(lane, state, values)
            if some(gone):
                for k in range(columns):
                    here = place + k * (below + 1)
                    store(lane, record, here, select(gone, NAN, load(lane, record, here)))
            if keep:
                place = number * (columns * pitch + values)
                for i in range(columns * pitch):
                    store(lane, path, place + i, load(lane, frame, i))
                for i in range(values):
                    store(lane, path, place + columns * pitch + i, load(lane, state, i))
    give_back(lane, states, state)
    give_back(lane, frames, frame)


@helper
def factorise(lane, frame, rows, pitch, columns, spare, record, place, below):
    """V = Q R: frame <- Q, R's rows `below` apart (0: its diagonal alone); Gram-Schmidt, twice for full orthogonality.

    A column whose norm after projection is at most 8 n eps of its norm before counts as zero: R_jj = 0, and column j of
    Q is a new direction made from `spare`.
    Source: Giraud, Langou, Rozloznik & van den Eshof, Numer. Math. 101 (2005) 87.
    """
    one, nothing, candidate = full(lane, 1.0), full(lane, 0.0), columns * pitch
    tolerance = pick(one, 8.0 * 2.0**-52, 8.0 * 2.0**-23) * rows
    for j in range(columns):
        here, entry = j * pitch, place + j
        scale = _rescaled(lane, frame, rows, here)
        before = sqrt(_square(lane, frame, rows, here))
        if below > 0:
            for i in range(columns):
                store(lane, record, entry + i * below, nothing)
        for _ in range(2):
            _project_all(lane, frame, rows, pitch, j, here, record, entry, below, scale)
        after = sqrt(_square(lane, frame, rows, here))
        dead = after <= tolerance * before
        _multiply(lane, frame, rows, here, one / select(dead, one, after))
        store(lane, record, entry + j * below, select(dead, nothing, after * scale))
        if some(dead):
            for r in range(rows):
                store(lane, frame, candidate + r, load(lane, spare, here + r))
            for _ in range(2):
                _project_all(lane, frame, rows, pitch, j, candidate, record, entry, 0, scale)
            _multiply(lane, frame, rows, candidate, one / sqrt(_square(lane, frame, rows, candidate)))
            for r in range(rows):
                other = load(lane, frame, candidate + r)
                store(lane, frame, here + r, select(dead, other, load(lane, frame, here + r)))


@helper
def _rescaled(lane, frame, rows, i):
    """Bring a column whose squares would leave the range back (a slope of 1e-200 is a number); returns the factor."""
    one, scale = full(lane, 1.0), full(lane, 0.0)
    for r in range(rows):
        scale = maximum(scale, absolute(load(lane, frame, i + r)))
    small, large = pick(one, 1e-120, 1e-12), pick(one, 1e120, 1e12)
    wild = (scale > 0.0) & ((scale < small) | (scale > large))
    factor = select(wild, scale, one)
    if some(wild):
        _multiply(lane, frame, rows, i, one / factor)
    return factor


@helper
def _multiply(lane, frame, rows, i, factor):
    """The column at i times a factor."""
    for r in range(rows):
        store(lane, frame, i + r, load(lane, frame, i + r) * factor)


@helper
def _project_all(lane, frame, rows, pitch, j, k, record, entry, below, scale):
    """Take the first j columns out of the column at k, four at a time: a single sum would wait for itself."""
    i = 0
    while i + 4 <= j:
        _project(lane, frame, rows, pitch, i, k, record, entry, below, scale, QUAD)
        i += 4
    if i + 2 <= j:
        _project(lane, frame, rows, pitch, i, k, record, entry, below, scale, PAIR)
        i += 2
    if i < j:
        _project(lane, frame, rows, pitch, i, k, record, entry, below, scale, ONE)


@helper
def _project(lane, frame, rows, pitch, i, k, record, entry, below, scale, block):
    """Take the unit columns i + block out of the column at k; their products are added to R."""
    start, dots = i * pitch, zeros(lane, block, ONE)
    for r in range(rows):
        dots = fused(dots, gather(lane, frame, start + r, pitch, block), load(lane, frame, k + r))
    for r in range(rows):
        part = fused(zeros(lane, block, ONE), gather(lane, frame, start + r, pitch, block), dots)
        store(lane, frame, k + r, load(lane, frame, k + r) - total(part))
    if below > 0:
        first = entry + i * below
        entries = fused(gather(lane, record, first, below, block), dots, scale)
        scatter(lane, record, first, below, block, entries)
