"""Orbits: the state advanced step by step, kept on the way if asked."""

from .helper import helper
from .known import numbers
from .lane import absolute
from .memory import fresh, give_back, load, own, store
from .rule import stages
from .step import drive, forward

BOUND = 1e12  # a state beyond this has diverged


def orbit(lane, cell, sizes, at, room, first, steps, stride, keep, theta, u, x, a, state, record):
    """s_{t+1} = F(s_t, u_t) for `steps` steps from step `first`; call again to go on.

    sizes: (units, inputs, rows, state values). room: elements of theta, x, a and state. u holds one input vector a
    step, `stride` apart (0: a constant input).
    With `keep`, state t + 1 is written to place t of `record`; `state` always ends as the last.
    """
    n, inputs, rows, values = numbers(sizes)[:4]
    at = numbers(at)
    theta, x, a = own(lane, theta, room, 0), fresh(lane, x, room, 1), fresh(lane, a, room, 2)
    last, state = state, own(lane, state, room, 3)
    for t in range(first, first + steps):
        if t == first or stride > 0:
            drive(lane, rows, inputs, theta, at, u, t * stride, x)
        forward(lane, stages(cell), n, theta, at, x, a, state)
        if keep:
            for i in range(values):
                store(lane, record, t * values + i, load(lane, state, i))
    give_back(lane, last, state)


@helper
def strayed(lane, state, values):
    """Whether some element is beyond the bound, or no number."""
    bounded = absolute(load(lane, state, 0)) <= BOUND
    for i in range(1, values):
        bounded = bounded & (absolute(load(lane, state, i)) <= BOUND)
    return ~bounded
