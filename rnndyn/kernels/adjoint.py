"""Adjoints: backpropagation through time, and how large the gradient is at every step.

    dL/ds_t = direct_t + DF(s_t)^T dL/ds_{t+1}

The cotangent is carried as g 2^e, rescaled by exact powers of two, so that its norm is right far beyond the range of
the floating-point numbers. The forward pass keeps the rules' partials, so that nothing is computed twice; long runs go
in segments (see `target`), each made again from its first state.
"""

from .back import (
    backward,
    bias_gradients,
    input_gradient,
    input_weight_gradients,
    recorded,
    weight_gradients,
)
from .bits import exp2i, exponent
from .elementary import log
from .helper import helper
from .known import numbers
from .lane import absolute, fma, full, maximum, minimum, select, some
from .memory import fresh, give_back, load, own, store
from .orbit import strayed
from .polynomial import pick
from .rule import shares, stages
from .step import drive

BLOCK = 16  # steps kept for one outer product: long enough that sums stay in registers, short enough for the cache
LN2 = 0.6931471805599453


def record(
    lane, cell, sizes, at, room, base, first, steps, stride, theta, u, x, a, state, before, partials, v, gx, length,
    tally,
):  # fmt: skip
    """Forward pass from step `first`, keeping what the backward pass needs of the steps from `base` on.

    Beyond its `length` a lane's state stands still. `tally` 1 turns 0 where the state leaves the bound.
    """
    n, inputs, _, values, _, _, size, drives, sent, _ = numbers(sizes)
    at = numbers(at)
    theta, x, a = own(lane, theta, room, 0), fresh(lane, x, room, 1), fresh(lane, a, room, 2)
    last, state = state, own(lane, state, room, 3)
    end = load(lane, length, 0)
    bounded = load(lane, tally, 1) > 0.0
    for t in range(first, first + steps):
        if t == first or stride > 0:
            drive(lane, drives, inputs, theta, at, u, t * stride, x)
        over = end <= t
        if some(over):
            for i in range(values):
                store(lane, before, i, load(lane, state, i))
        place = t - base
        recorded(lane, stages(cell), n, theta, at, x, a, state, partials, place * size, v, place * sent * n, gx)
        if some(over):
            for i in range(values):
                store(lane, state, i, select(over, load(lane, before, i), load(lane, state, i)))
        bounded = bounded & ~strayed(lane, state, values)
    store(lane, tally, 1, select(bounded, full(lane, 1.0), 0.0))
    give_back(lane, last, state)


@helper
def power(lane, e):
    """Two factors whose product is 2^e, flushed to zero and overflowing as a number does."""
    limit = pick(e, 2000.0, 250.0)
    e = maximum(minimum(e, limit), -limit)
    half = pick(e, 1022.0, 126.0)
    first = maximum(minimum(e, half), -half)
    return exp2i(first), exp2i(e - first)


@helper
def join(lane, values, direct, row, mask, g, e):
    """g 2^e <- g 2^e + d 2^f where the mask is true, (d, f) a row of `direct`; returns the new exponent."""
    start = row * (values + 1)
    f = load(lane, direct, start + values)
    there = mask & ~mask
    for i in range(values):
        there = there | (mask & (absolute(load(lane, direct, start + i)) > 0.0))
    raised = there & (e < f)
    if some(raised):  # a tiny gradient meets a direct one: count in units of the latter
        one, two = power(lane, select(raised, e - f, 0.0))
        for i in range(values):
            store(lane, g, i, load(lane, g, i) * one * two)
        e = select(raised, f, e)
    if some(there):
        one, two = power(lane, select(there, f - e, 0.0))
        for i in range(values):
            new = load(lane, g, i) + load(lane, direct, start + i) * one * two
            store(lane, g, i, select(there, new, load(lane, g, i)))
    return e


@helper
def squared(lane, values, g):
    """|g|^2."""
    total = full(lane, 0.0)
    for i in range(values):
        total = fma(load(lane, g, i), load(lane, g, i), total)
    return total


@helper
def measure(lane, values, place, g, e, log_norms):
    """log_norms[place] = ln |g 2^e|; g is brought back near 1 where it strays. Returns the new exponent."""
    square = squared(lane, values, g)
    far = (square < pick(e, 1e-200, 1e-24)) | (square > pick(e, 1e200, 1e24))
    if some(far):
        largest = full(lane, 0.0)
        for i in range(values):
            largest = maximum(largest, absolute(load(lane, g, i)))
        far = far & (largest > 0.0) & (largest <= pick(e, 1.7976931348623157e308, 3.4028234663852886e38))
        shift = select(far, minimum(exponent(select(far, largest, 1.0)), pick(e, 1022.0, 126.0)), 0.0)
        factor = exp2i(-shift)
        for i in range(values):
            store(lane, g, i, load(lane, g, i) * factor)
        e = e + shift
        square = squared(lane, values, g)
    store(lane, log_norms, place, 0.5 * log(square) + e * LN2)
    return e


def adjoint(
    lane, cell, sizes, at, room, base, first, steps, stride, every, begins, theta, u, x, a, partials, v, length, direct,
    g, tally, ga, gx, gp, gtheta, gu, log_norms,
):  # fmt: skip
    """Backward pass over the steps first + steps - 1, ..., first; begin with the last step, call again to go on.

    sizes: (units, inputs, rows, state values, stages, parameters, partials of a step, rows of the drives, fields sent,
    weights). room: elements of theta, x, a and state. `every`: `direct` holds dL/ds_t for all t, else for the last
    state of each lane; behind the values of each time stands their exponent of two, and so it does in `gu` (of constant
    inputs, whose gradient is a sum over time, it is 0). `begins`: `gtheta` holds nothing yet. `tally` 0 keeps the
    exponent e, `tally` 1 turns 0 where the gradient of a weight is not finite. At t = 0 `g` ends as dL/ds_0. `gx` None:
    nobody asks for the gradients of inputs, weight_ih and bias_ih.
    """
    n, inputs, rows, values, depth, parameters, size, drives, sent, weights = numbers(sizes)
    at = numbers(at)
    theta, wanted, gtheta = own(lane, theta, room, 0), gtheta, fresh(lane, gtheta, room, 0)
    for i in range(weights):
        store(lane, gtheta, i, full(lane, 0.0) if begins else load(lane, wanted, i))
    carried, g = g, own(lane, g, room, 3)
    e = load(lane, tally, 0)
    end = load(lane, length, 0)
    kept = 0
    for t in range(first + steps - 1, first - 1, -1):
        # dL/ds_{t+1} is complete: add what enters at t + 1
        enters = end == t + 1
        if some(enters):
            for i in range(values):
                store(lane, g, i, select(enters, 0.0, load(lane, g, i)))
            e = select(enters, 0.0, e)
        if every:
            e = join(lane, values, direct, t + 1, end >= t + 1, g, e)
        elif some(enters):
            e = join(lane, values, direct, 0, enters, g, e)
        e = measure(lane, values, t + 1, g, e, log_norms)
        here, there = kept * rows, kept * drives
        if gx is not None:  # noqa: SIM102
            if shares(stages(cell)[0]):
                for r in range(there, there + drives):
                    store(lane, gx, r, full(lane, 0.0))
        backward(lane, stages(cell), n, theta, at, x, a, partials, (t - base) * size, g, ga, gx, gp, here, there)
        if some(e != 0.0):
            one, two = power(lane, e)
            rescale(lane, ga, here, rows, one, two)
            rescale(lane, gp, 0, depth * parameters * n, one, two)
            if gx is not None:  # noqa: SIM102 (Numba takes the branch out where gx is None, but not with `and`)
                if stride == 0:
                    rescale(lane, gx, there, drives, one, two)
        for k in range(depth):
            for i in range(parameters * n):
                place = at[4] + i
                store(lane, gtheta, place, load(lane, gtheta, place) + load(lane, gp, k * parameters * n + i))
        if gx is not None:
            if inputs > 0:
                row = 0 if stride == 0 else t * (inputs + 1)
                input_gradient(lane, drives, inputs, theta, at, gx, there, gu, row)
                if stride > 0:
                    store(lane, gu, row + inputs, e)
            if stride > 0 and some(e != 0.0):
                one, two = power(lane, e)
                rescale(lane, gx, there, drives, one, two)
        kept += 1
        if t % BLOCK == 0 or t == first:  # at the same steps wherever a call begins: the sums' order is the same
            latest = t + kept - 1
            back = sent * n
            weight_gradients(lane, stages(cell), n, kept, rows, at, ga, v, (latest - base) * back, back, gtheta)
            if gx is not None:
                bias_gradients(lane, drives, kept, at[3], gx, 0, drives, gtheta)
                if inputs > 0:
                    input_weight_gradients(lane, drives, inputs, kept, at, gx, u, latest * stride, stride, gtheta)
            kept = 0
    if first == 0:
        if every:
            e = join(lane, values, direct, 0, end >= 0.0, g, e)
        e = measure(lane, values, 0, g, e, log_norms)
        one, two = power(lane, e)
        for i in range(values):
            store(lane, g, i, load(lane, g, i) * one * two)
        total = load(lane, gtheta, 0)
        for i in range(1, weights):
            total = total + load(lane, gtheta, i)
        bounded = (load(lane, tally, 1) > 0.0) & (absolute(total - total) <= 0.0)
        store(lane, tally, 1, select(bounded, full(lane, 1.0), 0.0))
    store(lane, tally, 0, e)
    give_back(lane, wanted, gtheta)
    give_back(lane, carried, g)


@helper
def rescale(lane, view, start, count, one, two):
    """Cotangents of one step in true size: times `one` and `two`."""
    for r in range(start, start + count):
        store(lane, view, r, load(lane, view, r) * one * two)
