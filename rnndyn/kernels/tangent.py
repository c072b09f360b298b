"""Tangents: a frame of perturbations carried along an orbit, re-orthonormalised, its growth summed (Benettin et al. 1980).

    V_{t+1} = DF(s_t) V_t,  V = Q R,  exponent k = mean of ln |R_kk| per step

The growth is summed in `BATCHES` stretches of equal length, whose scatter is the error bar.
"""

from .elementary import log
from .frame import orthonormalise
from .known import numbers
from .lane import absolute, full, load, maximum, minimum, select, some, store
from .polynomial import pick
from .helper import helper
from .rule import stages
from .step import drive, tangent

BATCHES = 32
BOUND = 1e12  # a state beyond this has diverged
LN2 = 0.6931471805599453
NEVER = 1e30  # a step that does not come
LONGEST = 16  # steps between re-orthonormalisations where the interval follows the frame
PATIENCE = 16  # well conditioned frames in a row before the interval doubles: growth comes in bursts

# Lanes of `tally`: 1 while the state is bounded; steps at the last re-orthonormalisation, at the next, at the end of the
# batch; number of the batch (-1: transient); interval between re-orthonormalisations; steps in a batch; steps in all;
# re-orthonormalisations in a row after which the frame was well conditioned.
ALIVE, LAST, NEXT, UNTIL, BATCH, PACE, SPAN, END, CALM, TALLY = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9


def lyapunov(
    lane, cell, sizes, at, first, steps, stride, adapt, theta, u, x, a, da, state, frame, spare, before, products,
    powers, lost, sums, tally,
):  # fmt: skip
    """Advance state, frame and sums by `steps` steps from step `first`; call again to go on.

    sizes: (units, inputs, rows, state values, columns). `adapt`: the interval follows the frame's conditioning, per
    lane, in powers of two up to `LONGEST`; else it stays. Each lane decides for itself and results are blended by mask:
    `some` only skips work that no lane takes. A lane whose state leaves the bound keeps its sums as they are then.
    """
    n, inputs, rows, values, columns = numbers(sizes)
    at = numbers(at)
    alive = load(lane, tally, ALIVE) > 0.0
    last, upcoming = load(lane, tally, LAST), load(lane, tally, NEXT)
    for t in range(first, first + steps):
        if t == first or stride > 0:
            drive(lane, rows, inputs, theta, at, u, t * stride, x)
        tangent(lane, stages(cell), n, columns, theta, at, x, a, da, state, frame)
        bounded = alive
        for i in range(values):
            bounded = bounded & (absolute(load(lane, state, i)) <= BOUND)
        now = full(lane, t + 1)
        due = bounded & (now >= upcoming)
        dying = alive & ~bounded
        if some(dying):  # its growth up to here still counts
            due = due | (dying & (upcoming < NEVER) & is_finite(lane, frame, values * columns))
        alive = bounded
        if some(due):
            poor, rich = orthonormalise(
                lane, frame, values, columns, spare, before, due, now - last, products, powers, lost
            )
            last = select(due, now, last)
            pace = load(lane, tally, PACE)
            if adapt:
                calm = select(rich, load(lane, tally, CALM) + 1.0, 0.0)
                longer = due & (calm >= 1.0 * PATIENCE)
                pace = select(longer, minimum(pace * 2.0, full(lane, 1.0 * LONGEST)), pace)
                pace = select(poor, maximum(pace * 0.5, full(lane, 1.0)), pace)
                store(lane, tally, PACE, pace)
                store(lane, tally, CALM, select(due, select(longer, 0.0, calm), load(lane, tally, CALM)))
            until = load(lane, tally, UNTIL)
            ended = due & (now >= until)
            if some(ended):
                until = close_batch(lane, columns, now, until, ended, products, powers, lost, sums, tally)
            upcoming = select(due, select(until >= NEVER, NEVER, minimum(now + pace, until)), upcoming)
    store(lane, tally, ALIVE, select(alive, full(lane, 1.0), 0.0))
    store(lane, tally, LAST, last)
    store(lane, tally, NEXT, upcoming)


@helper
def is_finite(lane, frame, size):
    """Whether the first `size` elements are finite."""
    finite = full(lane, 0.0) <= 0.0
    for i in range(size):
        finite = finite & (absolute(load(lane, frame, i)) < pick(full(lane, 0.0), 1e300, 1e30))
    return finite


@helper
def close_batch(lane, columns, now, until, ended, products, powers, lost, sums, tally):
    """Write the growth of the batches that ended, start the next ones; returns where those end (never, at the end)."""
    batch = load(lane, tally, BATCH)
    for k in range(columns):
        growth = log(load(lane, products, k)) + load(lane, powers, k) * LN2
        for b in range(BATCHES):
            here = b * columns + k
            mine = ended & (batch == b)
            store(lane, sums, here, select(mine, growth, load(lane, sums, here)))
        store(lane, products, k, select(ended, 1.0, load(lane, products, k)))
        store(lane, powers, k, select(ended, 0.0, load(lane, powers, k)))
        store(lane, lost, k, select(ended & (batch < 0.0), 0.0, load(lane, lost, k)))  # the transient does not count
    store(lane, tally, BATCH, select(ended, batch + 1.0, batch))
    end = load(lane, tally, END)
    later = minimum(until + load(lane, tally, SPAN), end)
    until = select(ended, select(now >= end, NEVER, later), until)
    store(lane, tally, UNTIL, until)
    return until
