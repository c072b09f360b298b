"""Tangents: a frame of perturbations carried along an orbit, its growth summed (Benettin et al. 1980).

    V_{t+1} = DF(s_t) V_t,  V = Q D R,  exponent k = mean growth of ln D_kk per step

The growth is summed in `BATCHES` stretches of equal length, whose scatter is the error bar.
"""

from .bits import nearest
from .elementary import log
from .frame import orthogonalise
from .helper import helper
from .known import numbers
from .lane import absolute, earliest, full, maximum, minimum, select, some
from .memory import fresh, give_back, load, own, store
from .orbit import strayed
from .polynomial import pick
from .rule import stages
from .step import drive, forward, tangent

BATCHES = 32
SHORTEST = 4  # steps in a batch
LN2 = 0.6931471805599453
NEVER = 1e30  # a step that does not come
LONGEST = 16  # steps between re-orthonormalisations where the interval follows the frame
PATIENCE = 16  # well conditioned frames in a row before the interval doubles: growth comes in bursts

# Lanes of `tally`: 1 while the state is bounded; time of the last re-orthonormalisation, of the next, of the batch's
# end; number of the batch (-2: the start, before the transient; -1: the transient); interval between
# re-orthonormalisations; steps in a batch; steps in all, in the transient; well conditioned frames in a row.
ALIVE, LAST, NEXT, UNTIL, BATCH, PACE, SPAN, END, TRANSIENT, CALM, TALLY = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10


def lyapunov(
    lane, cell, sizes, at, room, first, steps, total, origin, stride, adapt, batch, theta, u, x, a, da, partials, state,
    frame, spare, before, shifts, squares, powers, levels, lost, sums, tally,
):  # fmt: skip
    """Advance state, frame and sums by `steps` steps from step `first` of `total`; call again to go on.

    sizes: (units, inputs, rows, state values, columns, rows of the frame's columns). u holds the inputs from step
    `origin` on, one vector a step, `stride` apart (0: a constant input). The frame is orthogonalised at
    time 0, and whenever a lane is due at the time before a step; after the last step once more. `room`: elements of
    theta, x, a, da, partials, state, frame, a column and tally. `adapt`: the interval follows the frame's
    conditioning, per lane, in powers of two up to `LONGEST`; else it stays. `batch`: (steps in a batch if all lanes
    have the same, else 0; steps of the transient).

    Each lane decides for itself and results are blended by mask: `some` only skips work that no lane takes. A lane
    whose state leaves the bound keeps its sums as they are then.
    """
    n, inputs, rows, values, columns, pitch = numbers(sizes)
    at = numbers(at)
    theta, x, a = own(lane, theta, room, 0), fresh(lane, x, room, 1), fresh(lane, a, room, 2)
    da, partials = fresh(lane, da, room, 3), fresh(lane, partials, room, 4)
    before, shifts = fresh(lane, before, room, 7), fresh(lane, shifts, room, 7)
    states, state = state, own(lane, state, room, 5)
    frames, frame = frame, own(lane, frame, room, 6)
    all_squares, squares = squares, own(lane, squares, room, 7)
    all_powers, powers = powers, own(lane, powers, room, 7)
    tallies, tally = tally, own(lane, tally, room, 8)
    alive = load(lane, tally, ALIVE) > 0.0
    last, upcoming = load(lane, tally, LAST), load(lane, tally, NEXT)
    stop = first + steps
    soon = earliest(upcoming)
    if stride == 0:
        drive(lane, rows, inputs, theta, at, u, 0, x)
    t = first
    while True:
        if t >= soon and (t < stop or stop == total):
            now = full(lane, t)
            due = now >= upcoming
            poor, rich = orthogonalise(
                lane, frame, values, pitch, columns, spare, before, shifts, due, now - last, squares, powers, lost,
                adapt,
            )  # fmt: skip
            last = select(due, now, last)
            upcoming = schedule(
                lane, values, columns, t, due, alive, upcoming, poor, rich, adapt, batch, squares, powers, levels, lost,
                sums, tally,
            )  # fmt: skip
            soon = earliest(upcoming)
        if t >= stop:
            break
        pause = min(soon, stop)
        watched = alive & (upcoming < NEVER)  # not beyond its end, in the padding
        dying = ~watched & watched
        settling = min(pause, batch[1]) if values == 1 else t  # a scalar's frame needs no transient
        while t < settling:
            if stride > 0:
                drive(lane, rows, inputs, theta, at, u, (t - origin) * stride, x)
            forward(lane, stages(cell), n, theta, at, x, a, state)
            t += 1
            dying = strayed(lane, state, values) & watched
            if some(dying):
                pause = t
                break
        while t < pause:  # a loop of its own: what is needed only when a lane is due stays out of its registers
            if stride > 0:
                drive(lane, rows, inputs, theta, at, u, (t - origin) * stride, x)
            tangent(lane, stages(cell), n, columns, pitch, theta, at, x, a, da, partials, state, frame)
            t += 1
            dying = strayed(lane, state, values) & watched
            if some(dying):
                break
        if some(dying):  # its growth up to here still counts, where it can be represented
            counts = is_finite(lane, frame, pitch * columns)
            upcoming = select(dying, select(counts, full(lane, t), NEVER), upcoming)
            alive = alive & ~dying
            soon = earliest(upcoming)
    store(lane, tally, ALIVE, select(alive, full(lane, 1.0), 0.0))
    store(lane, tally, LAST, last)
    store(lane, tally, NEXT, upcoming)
    give_back(lane, states, state)
    give_back(lane, frames, frame)
    give_back(lane, all_squares, squares)
    give_back(lane, all_powers, powers)
    give_back(lane, tallies, tally)


@helper
def schedule(
    lane, values, columns, t, due, alive, upcoming, poor, rich, adapt, batch, squares, powers, levels, lost, sums, tally
):  # fmt: skip
    """After a re-orthonormalisation at time t of the lanes that are due: their batches end, and when they are due next.

    With `adapt` that is a multiple of the interval before the batch's end, where other lanes are due as well.
    """
    now, pace, until = full(lane, t), load(lane, tally, PACE), load(lane, tally, UNTIL)
    ended = due & (now >= until)
    if some(ended):
        until = close_batch(lane, columns, t, now, until, ended, batch, squares, powers, levels, lost, sums, tally)
    following = now + pace
    if adapt:
        patience, longest = 1.0 * PATIENCE, 1.0 * LONGEST
        if values == 1:  # no directions to lose, only the range of numbers
            patience, longest = 2.0, 2.0 * LONGEST
        calm = (load(lane, tally, CALM) + 1.0) * rich
        longer = due & (calm >= patience)
        pace = select(longer, minimum(pace * 2.0, full(lane, longest)), pace)
        pace = select(due & (poor > 0.0), maximum(pace * 0.5, full(lane, 1.0)), pace)
        store(lane, tally, PACE, pace)
        store(lane, tally, CALM, select(due, select(longer, 0.0, calm), load(lane, tally, CALM)))
        # the ceiling, less one, of a multiple of 1/32, as intervals are powers of two up to 32
        following = until - nearest((until - now) / pace - 0.515625) * pace
    upcoming = select(due, select(alive, minimum(following, until), NEVER), upcoming)
    return select(until >= NEVER, NEVER, upcoming)


@helper
def is_finite(lane, frame, size):
    """Whether the first `size` elements are finite."""
    finite = full(lane, 0.0) <= 0.0
    for i in range(size):
        finite = finite & (absolute(load(lane, frame, i)) < pick(full(lane, 0.0), 1e300, 1e30))
    return finite


@helper
def close_batch(lane, columns, t, now, until, ended, batch, squares, powers, levels, lost, sums, tally):
    """Write the growth of the batches that ended, start the next ones; returns where those end (never, at the end)."""
    number, transient = load(lane, tally, BATCH), load(lane, tally, TRANSIENT)
    begin, end = 0, BATCHES
    if batch[0] > 0:  # all lanes are in the same batch: one place to write to, not a choice among all
        begin = (t - batch[1] - 1) // batch[0] if t > batch[1] else 0
        end = begin + 1
    for k in range(columns):
        level = 0.5 * log(load(lane, squares, k))
        growth = level + load(lane, powers, k) * LN2 - load(lane, levels, k)
        for b in range(begin, end):
            here = b * columns + k
            mine = ended & (number == b)
            store(lane, sums, here, select(mine, growth, load(lane, sums, here)))
        store(lane, levels, k, select(ended, level, load(lane, levels, k)))
        store(lane, powers, k, select(ended, 0.0, load(lane, powers, k)))
        store(lane, lost, k, select(ended & (number < 0.0), 0.0, load(lane, lost, k)))  # the transient does not count
    number = select(ended, number + 1.0, number)
    store(lane, tally, BATCH, number)
    last = load(lane, tally, END)
    later = select(number < 0.0, transient, minimum(maximum(until, transient) + load(lane, tally, SPAN), last))
    until = select(ended, select(now >= last, NEVER, later), until)
    store(lane, tally, UNTIL, until)
    return until
