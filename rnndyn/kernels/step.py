"""One stage of a step, three ways: forward, with tangents, and backward with cotangents; each for all cells.

Views of one tile (an element is one lane wide): `theta` holds the weights in the order of `Layout`, `at` their starts;
`x` the input pre-activations W_ih u + b_ih of all rows, `a` the recurrent ones; `state` the values of the fields, unit
by unit within a field; `frame` tangents, one row for each value and `columns` wide; `g` cotangents, like `state`.
"""

from .algebra import gather, product, scatter
from .dual import jacobian, primal, pull, push, seed
from .lane import load, store
from .helper import helper, helper_overload
from .rule import enters, first, gates, leaves, parameters, sends, update


class Layout:
    """Where the weights of a cell stand in `theta`: weight_hh, bias_hh, weight_ih, bias_ih, then the parameters."""

    def __init__(self, cell):
        n, i, rows = cell.units, cell.inputs, len(cell.gates) * cell.units
        starts = [0]
        for size in (rows * n, rows, rows * i, rows, len(cell.parameters) * n):
            starts.append(starts[-1] + size)
        self.at = tuple(starts[:5])
        self.size = starts[5]
        self.places = {
            name: (start, end - start)
            for name, start, end in zip(("weight_hh", "bias_hh", "weight_ih", "bias_ih"), starts, starts[1:], strict=False)
        } | {name: (starts[4] + k * n, n) for k, name in enumerate(cell.parameters)}
        self.rows = rows
        self.width = n * max(len(cell.fields), *(len(stage.leaves) for stage in cell.stages))


def along(function):
    """`function(lane, stage, ...)` for each stage of a chain in turn; stages differ in type, so it unrolls by type."""

    def chain(lane, stages, *rest):
        for stage in stages:
            function(lane, stage, *rest)

    @helper_overload(chain)
    def _chain(lane, stages, *rest):
        if len(stages) == 0:
            return lambda lane, stages, *rest: None

        def unrolled(lane, stages, *rest):
            function(lane, stages[0], *rest)
            chain(lane, stages[1:], *rest)

        return unrolled

    return chain


@helper
def drive(lane, rows, inputs, theta, at, u, start, x):
    """x = weight_ih u + bias_ih for all rows, u standing at `start` in its view."""
    product(lane, x, (0, 1, 1), theta, (at[2], inputs, 1), u, (start, 1, 1), rows, inputs, 1, theta, (at[3], 1, 0))


@helper
def mix(lane, stage, n, theta, at, a, state):
    """a = weight_hh v + bias_hh for the rows of a stage, v the field it sends."""
    row = first(stage) * n
    v = (sends(stage) * n, 1, 1)
    rows = len(gates(stage)) * n
    product(lane, a, (row, 1, 1), theta, (at[0] + row * n, n, 1), state, v, rows, n, 1, theta, (at[1] + row, 1, 0))


@helper
def _forward(lane, stage, n, theta, at, x, a, state):
    mix(lane, stage, n, theta, at, a, state)
    row = first(stage) * n
    for i in range(n):
        values = update(
            stage,
            gather(lane, x, row + i, n, gates(stage)),
            gather(lane, a, row + i, n, gates(stage)),
            gather(lane, state, i, n, enters(stage)),
            gather(lane, theta, at[4] + i, n, parameters(stage)),
        )
        scatter(lane, state, i, n, leaves(stage), values)


forward = along(_forward)


@helper
def _tangent(lane, stage, n, columns, theta, at, x, a, da, state, frame):
    """state <- F(state), frame <- DF(state) frame, for one stage: da = W dv, then the rule's partials."""
    mix(lane, stage, n, theta, at, a, state)
    row = first(stage) * n
    weights = (at[0] + row * n, n, 1)
    dv = (sends(stage) * n * columns, columns, 1)
    rows = len(gates(stage)) * n
    product(lane, da, (0, columns, 1), theta, weights, frame, dv, rows, n, columns, None, dv)
    for i in range(n):
        duals = seed((gather(lane, a, row + i, n, gates(stage)), gather(lane, state, i, n, enters(stage))))
        values = update(
            stage,
            gather(lane, x, row + i, n, gates(stage)),
            duals[0],
            duals[1],
            gather(lane, theta, at[4] + i, n, parameters(stage)),
        )
        scatter(lane, state, i, n, leaves(stage), primal(values))
        partials = jacobian(values)
        for k in range(columns):
            here = i * columns + k
            tangents = gather(lane, da, here, n * columns, gates(stage)) + gather(
                lane, frame, here, n * columns, enters(stage)
            )
            scatter(lane, frame, here, n * columns, leaves(stage), push(partials, tangents))


tangent = along(_tangent)


# --- backward: a stage's entering values and pre-activations are made again, then its transpose is applied --------------
#
# Stage k keeps what enters it at `k width` of `entry`. The cotangents of its rows go to `ga` and `gx` from `here` on, its
# sent field to `v` at `there + k n`, its parameters' cotangents to `gp` at `k` times their number.


@helper
def _remember(lane, stage, k, n, theta, at, a, state, entry, width):
    """Keep the values that enter a stage, and its pre-activations."""
    for i in range(len(enters(stage)) * n):
        store(lane, entry, k * width + i, load(lane, state, i))
    mix(lane, stage, n, theta, at, a, state)


@helper
def _transpose(lane, stage, k, n, theta, at, x, a, entry, width, g, ga, gx, gp, v, here, there):
    """g <- (stage's Jacobian)^T g."""
    row = first(stage) * n
    for i in range(n):
        seeds = (
            gather(lane, x, row + i, n, gates(stage)),
            gather(lane, a, row + i, n, gates(stage)),
            gather(lane, entry, k * width + i, n, enters(stage)),
            gather(lane, theta, at[4] + i, n, parameters(stage)),
        )
        duals = seed(seeds)
        partials = jacobian(update(stage, duals[0], duals[1], duals[2], duals[3]))
        cotangents = pull(partials, gather(lane, g, i, n, leaves(stage)), seeds)
        scatter(lane, gx, here + row + i, n, gates(stage), cotangents[0])
        scatter(lane, ga, here + row + i, n, gates(stage), cotangents[1])
        scatter(lane, g, i, n, enters(stage), cotangents[2])
        scatter(lane, gp, k * len(parameters(stage)) * n + i, n, parameters(stage), cotangents[3])
        store(lane, v, there + k * n + i, load(lane, entry, k * width + sends(stage) * n + i))
    sent = (sends(stage) * n, 1, 1)
    rows = len(gates(stage)) * n
    product(lane, g, sent, theta, (at[0] + row * n, 1, n), ga, (here + row, 1, 1), n, rows, 1, g, sent)


def backward(lane, stages, k, n, theta, at, x, a, state, entry, width, g, ga, gx, gp, v, here, there):
    """g <- DF(state)^T g for the stages from k on; `state` is used up."""
    _remember(lane, stages[0], k, n, theta, at, a, state, entry, width)
    if len(stages) > 1:
        _forward(lane, stages[0], n, theta, at, x, a, state)
        backward(lane, stages[1:], k + 1, n, theta, at, x, a, state, entry, width, g, ga, gx, gp, v, here, there)
    _transpose(lane, stages[0], k, n, theta, at, x, a, entry, width, g, ga, gx, gp, v, here, there)


@helper_overload(backward)
def _backward(lane, stages, k, n, theta, at, x, a, state, entry, width, g, ga, gx, gp, v, here, there):
    if len(stages) == 1:

        def last(lane, stages, k, n, theta, at, x, a, state, entry, width, g, ga, gx, gp, v, here, there):
            _remember(lane, stages[0], k, n, theta, at, a, state, entry, width)
            _transpose(lane, stages[0], k, n, theta, at, x, a, entry, width, g, ga, gx, gp, v, here, there)

        return last

    def unrolled(lane, stages, k, n, theta, at, x, a, state, entry, width, g, ga, gx, gp, v, here, there):
        _remember(lane, stages[0], k, n, theta, at, a, state, entry, width)
        _forward(lane, stages[0], n, theta, at, x, a, state)
        backward(lane, stages[1:], k + 1, n, theta, at, x, a, state, entry, width, g, ga, gx, gp, v, here, there)
        _transpose(lane, stages[0], k, n, theta, at, x, a, entry, width, g, ga, gx, gp, v, here, there)

    return unrolled


def weight_gradients(lane, stages, k, n, steps, rows, at, ga, v, gtheta):
    """gradient of weight_hh += sum over `steps` kept steps of ga v^T, for the stages from k on."""
    _outer_products(lane, stages[0], k, n, steps, rows, at, ga, v, gtheta, len(stages) + k)
    if len(stages) > 1:
        weight_gradients(lane, stages[1:], k + 1, n, steps, rows, at, ga, v, gtheta)


@helper_overload(weight_gradients)
def _weight_gradients(lane, stages, k, n, steps, rows, at, ga, v, gtheta):
    if len(stages) == 1:

        def last(lane, stages, k, n, steps, rows, at, ga, v, gtheta):
            _outer_products(lane, stages[0], k, n, steps, rows, at, ga, v, gtheta, 1 + k)

        return last

    def unrolled(lane, stages, k, n, steps, rows, at, ga, v, gtheta):
        _outer_products(lane, stages[0], k, n, steps, rows, at, ga, v, gtheta, len(stages) + k)
        weight_gradients(lane, stages[1:], k + 1, n, steps, rows, at, ga, v, gtheta)

    return unrolled


@helper
def _outer_products(lane, stage, k, n, steps, rows, at, ga, v, gtheta, count):
    """One product over the kept steps instead of one outer product a step: the sums stay in registers."""
    row = first(stage) * n
    out = (at[0] + row * n, n, 1)
    product(lane, gtheta, out, ga, (row, 1, rows), v, (k * n, count * n, 1), len(gates(stage)) * n, steps, n, gtheta, out)


@helper
def bias_gradients(lane, rows, steps, at, ga, gx, gtheta):
    """gradients of bias_hh, bias_ih += sums of ga, gx over the kept steps."""
    for r in range(rows):
        total_a, total_x = load(lane, gtheta, at[1] + r), load(lane, gtheta, at[3] + r)
        for b in range(steps):
            total_a = total_a + load(lane, ga, b * rows + r)
            total_x = total_x + load(lane, gx, b * rows + r)
        store(lane, gtheta, at[1] + r, total_a)
        store(lane, gtheta, at[3] + r, total_x)


@helper
def input_gradient(lane, rows, inputs, theta, at, gx, here, gu, start):
    """gradient of u += weight_ih^T gx for one step."""
    out = (start, 1, 1)
    product(lane, gu, out, theta, (at[2], 1, inputs), gx, (here, 1, 1), inputs, rows, 1, gu, out)


@helper
def input_weight_gradients(lane, rows, inputs, steps, at, gx, u, earliest, stride, gtheta):
    """gradient of weight_ih += sum of gx u^T over the kept steps; the latest step was kept first."""
    out = (at[2], inputs, 1)
    latest = earliest + (steps - 1) * stride
    product(lane, gtheta, out, gx, (0, 1, rows), u, (latest, -stride, 1), rows, steps, inputs, gtheta, out)
