"""The kernels on the CPU: tiles of networks, one lane each, over ranges that threads take in turn.

All arrays are (tiles, elements * width), an element being one lane wide; a kernel works on one tile's row of each.
"""

from numba import njit

from . import adjoint as _adjoint
from . import errorbars as _errorbars
from . import orbit as _orbit
from . import push as _push
from . import tangent as _tangent
from .cache import cached
from .helper import helper
from .machine import flush_denormals, restore_denormals

# nogil: threads run side by side. error_model "numpy": a division by zero is infinite, not an exception (a branch for
# each division would end vectorisation). _nrt off: no reference counts in loops, and none can creep in.
OPTIONS = {"nogil": True, "error_model": "numpy", "_nrt": False}

_one_orbit = helper(_orbit.orbit)
_one_lyapunov = helper(_tangent.lyapunov)
_one_push = helper(_push.push)
_one_record = helper(_adjoint.record)
_one_adjoint = helper(_adjoint.adjoint)
_one_total_error = helper(_errorbars.total_error)


def orbits(begin, end, lane, cell, sizes, at, room, first, steps, stride, keep, theta, u, x, a, state, record):
    """`orbit` for the tiles begin..end-1; x and a are scratch of one tile."""
    old = flush_denormals()
    for tile in range(begin, end):
        _one_orbit(
            lane,
            cell,
            sizes,
            at,
            room,
            first,
            steps,
            stride,
            keep,
            theta[tile],
            u[tile],
            x,
            a,
            state[tile],
            record[tile],
        )
    restore_denormals(old)


def spectra(
    begin, end, lane, cell, sizes, at, room, first, steps, total, origin, stride, adapt, batch, theta, u, x, a, da,
    partials, state, frame, spare, before, shifts, squares, powers, levels, lost, sums, tally,
):  # fmt: skip
    """`lyapunov` for the tiles begin..end-1.

    x, a, da, partials, before, shifts are scratch of one tile, `spare` is the same for all.
    """
    old = flush_denormals()
    for tile in range(begin, end):
        _one_lyapunov(
            lane, cell, sizes, at, room, first, steps, total, origin, stride, adapt, batch, theta[tile], u[tile], x, a,
            da, partials, state[tile], frame[tile], spare, before, shifts, squares[tile], powers[tile], levels[tile],
            lost[tile], sums[tile], tally[tile],
        )  # fmt: skip
    restore_denormals(old)


def pushes(
    begin, end, lane, cell, sizes, at, room, first, steps, stride, every, keep, theta, u, x, a, da, partials, state,
    frame, spare, record, path,
):  # fmt: skip
    """`push` for the tiles begin..end-1; x, a, da, partials are scratch of one tile, `spare` is the same for all."""
    old = flush_denormals()
    for tile in range(begin, end):
        _one_push(
            lane, cell, sizes, at, room, first, steps, stride, every, keep, theta[tile], u[tile], x, a, da, partials,
            state[tile], frame[tile], spare, record[tile], path[tile],
        )  # fmt: skip
    restore_denormals(old)


def records(
    begin, end, lane, cell, sizes, at, room, base, first, steps, stride, theta, u, x, a, state, before, partials, v, gx,
    length, tally,
):  # fmt: skip
    """`record` for the tiles begin..end-1; what is kept is one tile's."""
    old = flush_denormals()
    for tile in range(begin, end):
        _one_record(
            lane, cell, sizes, at, room, base, first, steps, stride, theta[tile], u[tile], x, a, state[tile], before,
            partials, v, gx, length[tile], tally[tile],
        )  # fmt: skip
    restore_denormals(old)


def adjoints(
    begin, end, lane, cell, sizes, at, room, base, first, steps, stride, every, begins, forward, theta, u, x, a, state,
    before, partials, v, length, direct, g, tally, ga, gx, gp, gtheta, gu, log_norms,
):  # fmt: skip
    """`adjoint` for the tiles begin..end-1, each after its forward pass if `forward`; what is kept is one tile's."""
    old = flush_denormals()
    for tile in range(begin, end):
        if forward:
            _one_record(
                lane, cell, sizes, at, room, base, first, steps, stride, theta[tile], u[tile], x, a, state[tile],
                before, partials, v, gx, length[tile], tally[tile],
            )  # fmt: skip
        _one_adjoint(
            lane, cell, sizes, at, room, base, first, steps, stride, every, begins, theta[tile], u[tile], x, a,
            partials, v, length[tile], direct[tile], g[tile], tally[tile], ga, gx, gp, gtheta[tile], gu[tile],
            log_norms[tile],
        )  # fmt: skip
    restore_denormals(old)


def total_errors(
    begin, end, lane, number, rows, row, tiles, cosines, inverse, weight, whole, difference, persists, scratch, totals,
    errors,
):  # fmt: skip
    """`total_error` for the tiles begin..end-1, `row` columns each."""
    for tile in range(begin, end):
        for column in range(row):
            _one_total_error(
                lane, number, rows, row, column, tiles[tile], cosines, inverse, weight, whole, difference, persists,
                scratch, totals[tile], errors[tile],
            )  # fmt: skip


COMPILED = {f: cached(njit(**OPTIONS)(f)) for f in (orbits, spectra, pushes, records, adjoints, total_errors)}
