"""Large networks, one at a time: the loops of `tangent` and `orbit` with lanes over the units of one network.

A field's units are neighbours in memory, so that a rule takes a register of them at once, by the text that `step` has
for networks side by side, and products are `multiply`'s. Fields and gates are filled up to whole registers: of m
places the first n are units; what rules make of the rest is not read, and is zero in the frame.

Against networks side by side, a network's weights and frame lie in the caches together (8 networks of 64 units: 512 kB,
one: 64 kB) and numbers are loaded once for a register tile of 24 x 8, not 2 x 4.
"""

from numba import njit

from .algebra import gather, scatter
from .cache import cached
from .cpu import OPTIONS
from .dense_frame import orthogonalise
from .dense_lane import cut
from .dense_team import meet, share
from .dense_tile import across, multiply_packed, width_of
from .helper import helper
from .known import numbers
from .lane import absolute, earliest, full, select, some
from .machine import flush_denormals, restore_denormals
from .memory import load, store
from .orbit import BOUND
from .partials import load_rows, push
from .rule import by_direction, enters, gates, leaves, places, products, stages
from .step import _forward_unit, _tangent_duals, _tangent_unit, along, values_of
from .tangent import ALIVE, LAST, NEVER, NEXT, is_finite, schedule

PANEL = 8


@helper
def drive(lane, rows, inputs, theta, at, u, start, x):
    """x = weight_ih u + bias_ih for all rows."""
    copy(lane, rows, theta, at[3], x, 0)
    multiply_packed(lane, x, (0, 0), theta, at[2], u, (start, 0), rows, inputs, 1, True)


@helper
def copy(lane, count, source, start, target, place):
    """target[place:place + count] = source[start:start + count], in whole lanes."""
    for i in range(0, count, width_of(lane)):
        store(lane, target, place + i, load(lane, source, start + i))


@helper
def _mix_straight(lane, product_, n, m, theta, at, a, state):
    """a = weight_hh v + bias_hh for the gates of a product, v the field it sends."""
    place, block, count, sends, _ = places(product_)
    copy(lane, count * m, theta, at[1] + block * m, a, place * m)
    for g in range(count):
        out, matrix = ((place + g) * m, 0), at[0] + (block + g) * m * n
        multiply_packed(lane, a, out, theta, matrix, state, (sends * m, 0), m, n, 1, True)


@helper
def _mix_transposed(lane, product_, n, m, theta, at, a, state):
    """a = weight_hh^T v."""
    place, block, _, sends, _ = places(product_)
    matrix = at[5] + block * m * n
    multiply_packed(lane, a, (place * m, 0), theta, matrix, state, (sends * m, 0), m, n, 1, False)


mix = along(by_direction(_mix_straight, _mix_transposed))


@helper
def _spread_straight(lane, product_, n, m, k, width, pitch, far, theta, at, da, frame):
    """da = weight_hh dv for the gates of a product and `width` columns of the frame from k on."""
    place, block, count, sends, _ = places(product_)
    for g in range(count):
        out, matrix, dv = ((place + g) * m, far), at[0] + (block + g) * m * n, (sends * m + k * pitch, pitch)
        multiply_packed(lane, da, out, theta, matrix, frame, dv, m, n, width, False)


@helper
def _spread_transposed(lane, product_, n, m, k, width, pitch, far, theta, at, da, frame):
    place, block, _, sends, _ = places(product_)
    matrix = at[5] + block * m * n
    multiply_packed(
        lane, da, (place * m, far), theta, matrix, frame, (sends * m + k * pitch, pitch), m, n, width, False
    )


spread = along(by_direction(_spread_straight, _spread_transposed))


@helper
def _forward(one, stage, n, m, theta, at, x, a, state):
    """state <- F(state) for one stage."""
    lane = across(one)
    mix(lane, products(stage), n, m, theta, at, a, state)
    for i in range(0, m, width_of(lane)):
        _forward_unit(lane, stage, m, i, theta, at, x, a, state)


forward = along(_forward)


@helper
def _tangent(one, stage, n, m, columns, pitch, far, theta, at, x, a, da, partials, state, frame, team, rank, threads):
    """state <- F(state), frame <- DF(state) frame, for one stage: da = W dv, then the rule's partials.

    The first thread has the state; the others need its partials only after their first product.
    """
    lane = across(one)
    if rank == 0:
        mix(lane, products(stage), n, m, theta, at, a, state)
        for i in range(0, m, width_of(lane)):
            _tangent_unit(lane, stage, m, i, theta, at, x, a, partials, state)
    low, high = share(0, columns, rank, threads)
    waits = True
    for k in range(low, high, PANEL):
        width = min(PANEL, high - k)
        spread(lane, products(stage), n, m, k, width, pitch, far, theta, at, da, frame)
        if waits:
            meet(team, threads)
            waits = False
        _, like = _tangent_duals(stage, values_of(lane, stage, m, 0, theta, at, x, a, state))  # for its type
        for j in range(width):
            here = (k + j) * pitch
            for i in range(0, m, width_of(lane)):
                rows = load_rows(lane, partials, i, m, like)
                tangents = gather(lane, da, j * far + i, m, gates(stage)) + gather(
                    lane, frame, here + i, m, enters(stage)
                )
                new = push(rows, tangents)
                if i + width_of(lane) > n:  # the places behind the units stay zero, whatever the rule makes of them
                    new = cut(lane, new, n - i)
                scatter(lane, frame, here + i, m, leaves(stage), new)
    if waits:
        meet(team, threads)
    meet(team, threads)


tangent = along(_tangent)


@helper
def _strayed(one, state, n, m, fields):
    """Whether some unit is beyond the bound, or no number."""
    bounded = absolute(load(one, state, 0)) <= BOUND
    for field in range(fields):
        for i in range(field * m, field * m + n):
            bounded = bounded & (absolute(load(one, state, i)) <= BOUND)
    return ~bounded


def lyapunov(
    one, cell, sizes, at, first, steps, total, stride, adapt, batch, team, rank, threads, theta, u, x, a, da, partials,
    state, frame, spare, flipped, dots, inverses, before, shifts, marks, squares, powers, levels, lost, sums, tally,
):  # fmt: skip
    """Advance state, frame and sums of one network by `steps` steps from step `first` of `total`; call again to go on.

    one: the lane of width 1. sizes: (units, places of a field, inputs, rows of weight_ih, state fields, columns, pitch
    of the frame, pitch of da). All threads of a team call this with the same arrays but `da` and `dots`, their own.
    Otherwise as `tangent.lyapunov`; a network that left the bound rests.
    """
    n, m, inputs, rows, fields, columns, pitch, far = numbers(sizes)
    at = numbers(at)
    soon, stop = earliest(load(one, tally, NEXT)), first + steps
    for t in range(first, stop + (1 if stop == total else 0)):
        if t >= soon:
            poor, rich = orthogonalise(
                one, frame, fields * m, fields * n, pitch, columns, spare, flipped, dots, inverses, before, shifts,
                marks, squares, powers, lost, full(one, t) - load(one, tally, LAST), team, rank, threads,
            )  # fmt: skip
            if rank == 0:
                now, upcoming = full(one, t), load(one, tally, NEXT)
                upcoming = schedule(
                    one, fields * n, columns, t, now >= upcoming, load(one, tally, ALIVE) > 0.0, upcoming, poor, rich,
                    adapt, batch, squares, powers, levels, lost, sums, tally,
                )  # fmt: skip
                store(one, tally, LAST, now)
                store(one, tally, NEXT, upcoming)
            meet(team, threads)
            soon = earliest(load(one, tally, NEXT))
        if some(load(one, tally, ALIVE) <= 0.0):
            break
        if t < stop:
            if rank == 0 and (t == first or stride > 0):
                drive(across(one), rows, inputs, theta, at, u, t * stride, x)
            tangent(
                one, stages(cell), n, m, columns, pitch, far, theta, at, x, a, da, partials, state, frame, team, rank,
                threads,
            )  # fmt: skip
            if rank == 0 and some(_strayed(one, state, n, m, fields)):
                going = load(one, tally, NEXT) < NEVER  # its growth up to here still counts, where it can be
                counts = going & is_finite(one, frame, pitch * columns)
                store(one, tally, NEXT, select(counts, full(one, t + 1), NEVER))
                store(one, tally, ALIVE, full(one, 0.0))
            meet(team, threads)
            soon = earliest(load(one, tally, NEXT))


def orbit(one, cell, sizes, at, first, steps, stride, keep, theta, u, x, a, state, record):
    """s_{t+1} = F(s_t, u_t) for `steps` steps from step `first`; with `keep`, state t + 1 to place t of `record`."""
    n, m, inputs, rows, fields = numbers(sizes)[:5]
    at = numbers(at)
    for t in range(first, first + steps):
        if t == first or stride > 0:
            drive(across(one), rows, inputs, theta, at, u, t * stride, x)
        forward(one, stages(cell), n, m, theta, at, x, a, state)
        if keep:
            for field in range(fields):
                for i in range(n):
                    store(one, record, (t * fields + field) * n + i, load(one, state, field * m + i))


_lyapunov, _orbit = helper(lyapunov), helper(orbit)


def spectrum(
    one, cell, sizes, at, first, steps, total, stride, adapt, batch, team, rank, threads, theta, u, x, a, da, partials,
    state, frame, spare, flipped, dots, inverses, before, shifts, marks, squares, powers, levels, lost, sums, tally,
):  # fmt: skip
    """`lyapunov` without denormal numbers."""
    old = flush_denormals()
    _lyapunov(
        one, cell, sizes, at, first, steps, total, stride, adapt, batch, team, rank, threads, theta, u, x, a, da,
        partials, state, frame, spare, flipped, dots, inverses, before, shifts, marks, squares, powers, levels, lost,
        sums, tally,
    )  # fmt: skip
    restore_denormals(old)


def path(one, cell, sizes, at, first, steps, stride, keep, theta, u, x, a, state, record):
    """`orbit` without denormal numbers."""
    old = flush_denormals()
    _orbit(one, cell, sizes, at, first, steps, stride, keep, theta, u, x, a, state, record)
    restore_denormals(old)


COMPILED = {f: cached(njit(**OPTIONS)(f)) for f in (spectrum, path)}
