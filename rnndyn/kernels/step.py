"""One stage of a step, three ways: forward, with tangents, and backward with cotangents; each for all cells.

Views of one tile (an element is one lane wide): `theta` holds the weights in the order of `Layout`, `at` their starts;
`x` the input pre-activations W_ih u + b_ih of all rows, `a` the recurrent ones; `state` the values of the fields, unit
by unit within a field; `frame` tangents, column after column, each of them like `state`; `g` cotangents, like `state`.
"""

from numba.core import types

from .algebra import gather, product, scatter
from .dual import jacobian, load_rows, primal, pull, push, seed, store_rows
from .helper import helper, helper_overload
from .memory import breadth, broad, load, store
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
            for name, start, end in zip(
                ("weight_hh", "bias_hh", "weight_ih", "bias_ih"), starts, starts[1:], strict=False
            )
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
def _values_of(lane, stage, n, i, theta, at, x, a, state):
    """What the rule reads for unit i: x, a, s, p."""
    row = first(stage) * n
    return (
        gather(lane, x, row + i, n, gates(stage)),
        gather(lane, a, row + i, n, gates(stage)),
        gather(lane, state, i, n, enters(stage)),
        gather(lane, theta, at[4] + i, n, parameters(stage)),
    )


@helper
def _forward_unit(lane, stage, n, i, theta, at, x, a, state):
    values = _values_of(lane, stage, n, i, theta, at, x, a, state)
    scatter(lane, state, i, n, leaves(stage), update(stage, values[0], values[1], values[2], values[3]))


@helper
def _forward(lane, stage, n, theta, at, x, a, state):
    """state <- F(state) for one stage."""
    mix(lane, stage, n, theta, at, a, state)
    i = 0
    while breadth(lane) > 1 and i + breadth(lane) <= n:
        _forward_unit(broad(lane), stage, n, i, theta, at, x, a, state)
        i += breadth(lane)
    while i < n:
        _forward_unit(lane, stage, n, i, theta, at, x, a, state)
        i += 1


forward = along(_forward)


COLUMNS = 4  # of a frame that go through a stage together: da stays small beside the weights in the first cache


@helper
def _tangent_duals(stage, values):
    """(outputs, partials) of the rule for one unit's values, a and s seeded."""
    duals = seed((values[1], values[2]))
    outputs = update(stage, values[0], duals[0], duals[1], values[3])
    return outputs, jacobian(outputs)


@helper
def _tangent_unit(lane, stage, n, i, theta, at, x, a, partials, state):
    outputs, rows = _tangent_duals(stage, _values_of(lane, stage, n, i, theta, at, x, a, state))
    store_rows(lane, partials, i, n, rows)
    scatter(lane, state, i, n, leaves(stage), primal(outputs))


@helper
def _tangent(lane, stage, n, columns, pitch, theta, at, x, a, da, partials, state, frame):
    """state <- F(state), frame <- DF(state) frame, for one stage: da = W dv, then the rule's partials."""
    mix(lane, stage, n, theta, at, a, state)
    i = 0
    while breadth(lane) > 1 and i + breadth(lane) <= n:
        _tangent_unit(broad(lane), stage, n, i, theta, at, x, a, partials, state)
        i += breadth(lane)
    while i < n:
        _tangent_unit(lane, stage, n, i, theta, at, x, a, partials, state)
        i += 1
    row = first(stage) * n
    weights = (at[0] + row * n, n, 1)
    sent = sends(stage) * n
    rows_ = len(gates(stage)) * n
    for k in range(0, columns, COLUMNS):
        width = min(COLUMNS, columns - k)
        right, out, none = (sent + k * pitch, 1, pitch), (0, COLUMNS, 1), (0, 0, 0)
        product(lane, da, out, theta, weights, frame, right, rows_, n, width, None, none)
        for i in range(n):
            _, like = _tangent_duals(stage, _values_of(lane, stage, n, i, theta, at, x, a, state))  # for its type
            rows = load_rows(lane, partials, i, n, like)
            for j in range(width):
                here = (k + j) * pitch + i
                tangents = gather(lane, da, i * COLUMNS + j, n * COLUMNS, gates(stage)) + gather(
                    lane, frame, here, n, enters(stage)
                )
                scatter(lane, frame, here, n, leaves(stage), push(rows, tangents))


tangent = along(_tangent)


# --- backward: the forward pass keeps each rule's partials, the backward pass applies their transposes ----------------
#
# Keeping them costs memory, not time: an LSTM's nine partials a unit are read back faster than its five gates are made
# again. Stage by stage, partial (output o, seed j) of unit i stands at `start + (o seeds + j) n + i` of `partials`, the
# field sent at `there + i` of `v`. Where nobody asks for cotangents of x (`gx` None), x is not seeded.


@helper
def _with_x(stage, values, gx):
    duals = seed(values)
    outputs = update(stage, duals[0], duals[1], duals[2], duals[3])
    return outputs, jacobian(outputs), values


@helper
def _without_x(stage, values, gx):
    seeds = ((), values[1], values[2], values[3])
    duals = seed(seeds)
    outputs = update(stage, values[0], duals[1], duals[2], duals[3])
    return outputs, jacobian(outputs), seeds


def _partials(stage, values, gx):
    """(outputs, partials, seeds) of the rule for one unit's values; x is seeded unless `gx` is None."""
    return _without_x(stage, values, gx) if gx is None else _with_x(stage, values, gx)


@helper_overload(_partials)
def _choose_partials(stage, values, gx):
    chosen = _without_x if isinstance(gx, types.NoneType) else _with_x
    return lambda stage, values, gx: chosen(stage, values, gx)


@helper
def _record_unit(lane, stage, n, i, theta, at, x, a, state, partials, start, gx):
    values = _values_of(lane, stage, n, i, theta, at, x, a, state)
    outputs, rows, _ = _partials(stage, values, gx)
    store_rows(lane, partials, start + i, n, rows)
    scatter(lane, state, i, n, leaves(stage), primal(outputs))


@helper
def _record(lane, stage, n, theta, at, x, a, state, partials, start, v, there, gx):
    """A stage forward: state <- F(state), keeping its partials and the field it sends."""
    for i in range(n):
        store(lane, v, there + i, load(lane, state, sends(stage) * n + i))
    mix(lane, stage, n, theta, at, a, state)
    i = 0
    while breadth(lane) > 1 and i + breadth(lane) <= n:
        _record_unit(broad(lane), stage, n, i, theta, at, x, a, state, partials, start, gx)
        i += breadth(lane)
    while i < n:
        _record_unit(lane, stage, n, i, theta, at, x, a, state, partials, start, gx)
        i += 1


@helper
def _transpose(lane, stage, n, theta, at, x, a, partials, start, g, ga, gx, gp, here, k):
    """A stage backward: g <- (its Jacobian)^T g; the cotangents of its rows go to ga and gx from `here` on."""
    row = first(stage) * n
    for i in range(n):
        values = _values_of(lane, stage, n, i, theta, at, x, a, g)
        _, like, seeds = _partials(stage, values, gx)  # for its type: nothing of it is computed
        rows = load_rows(lane, partials, start + i, n, like)
        cotangents = pull(rows, gather(lane, g, i, n, leaves(stage)), seeds)
        if gx is not None:
            scatter(lane, gx, here + row + i, n, gates(stage), cotangents[0])
        scatter(lane, ga, here + row + i, n, gates(stage), cotangents[1])
        scatter(lane, g, i, n, enters(stage), cotangents[2])
        scatter(lane, gp, k * len(parameters(stage)) * n + i, n, parameters(stage), cotangents[3])
    sent = (sends(stage) * n, 1, 1)
    rows_ = len(gates(stage)) * n
    product(lane, g, sent, theta, (at[0] + row * n, 1, n), ga, (here + row, 1, 1), n, rows_, 1, g, sent)


@helper
def _kept(stage, n):
    """Elements of `partials` that a stage takes, whether x is seeded or not."""
    return len(leaves(stage)) * (2 * len(gates(stage)) + len(enters(stage)) + len(parameters(stage))) * n


def kept(cell):
    """Elements of `partials` that a step of the cell takes."""
    entering = (cell.fields, *(stage.leaves for stage in cell.stages))
    return cell.units * sum(
        len(stage.leaves) * (2 * len(stage.gates) + len(enters_) + len(cell.parameters))
        for stage, enters_ in zip(cell.stages, entering, strict=False)
    )


def recorded(lane, stages, n, theta, at, x, a, state, partials, start, v, there, gx):
    """state <- F(state) for a whole step, keeping partials and sent fields."""
    for stage in stages:
        _record(lane, stage, n, theta, at, x, a, state, partials, start, v, there, gx)
        start, there = start + _kept(stage, n), there + n


@helper_overload(recorded)
def _recorded(lane, stages, n, theta, at, x, a, state, partials, start, v, there, gx):
    if len(stages) == 1:

        def last(lane, stages, n, theta, at, x, a, state, partials, start, v, there, gx):
            _record(lane, stages[0], n, theta, at, x, a, state, partials, start, v, there, gx)

        return last

    def unrolled(lane, stages, n, theta, at, x, a, state, partials, start, v, there, gx):
        _record(lane, stages[0], n, theta, at, x, a, state, partials, start, v, there, gx)
        start += _kept(stages[0], n)
        recorded(lane, stages[1:], n, theta, at, x, a, state, partials, start, v, there + n, gx)

    return unrolled


def backward(lane, stages, k, n, theta, at, x, a, partials, start, g, ga, gx, gp, here):
    """g <- DF(state)^T g for the stages from k on."""
    if len(stages) > 1:
        after = start + _kept(stages[0], n)
        backward(lane, stages[1:], k + 1, n, theta, at, x, a, partials, after, g, ga, gx, gp, here)
    _transpose(lane, stages[0], n, theta, at, x, a, partials, start, g, ga, gx, gp, here, k)


@helper_overload(backward)
def _backward(lane, stages, k, n, theta, at, x, a, partials, start, g, ga, gx, gp, here):
    if len(stages) == 1:

        def last(lane, stages, k, n, theta, at, x, a, partials, start, g, ga, gx, gp, here):
            _transpose(lane, stages[0], n, theta, at, x, a, partials, start, g, ga, gx, gp, here, k)

        return last

    def unrolled(lane, stages, k, n, theta, at, x, a, partials, start, g, ga, gx, gp, here):
        after = start + _kept(stages[0], n)
        backward(lane, stages[1:], k + 1, n, theta, at, x, a, partials, after, g, ga, gx, gp, here)
        _transpose(lane, stages[0], n, theta, at, x, a, partials, start, g, ga, gx, gp, here, k)

    return unrolled


def weight_gradients(lane, stages, depth, n, steps, rows, at, ga, v, latest, gtheta):
    """gradient of weight_hh += sum over the kept steps of ga v^T, for the stages given of `depth`.

    The latest step was kept first; its sent fields stand at `latest` of `v`, each step's before the next one's.
    """
    for k, stage in enumerate(stages):
        _outer_products(lane, stage, depth, n, steps, rows, at, ga, v, latest + k * n, gtheta)


@helper_overload(weight_gradients)
def _weight_gradients(lane, stages, depth, n, steps, rows, at, ga, v, latest, gtheta):
    if len(stages) == 1:

        def last(lane, stages, depth, n, steps, rows, at, ga, v, latest, gtheta):
            _outer_products(lane, stages[0], depth, n, steps, rows, at, ga, v, latest, gtheta)

        return last

    def unrolled(lane, stages, depth, n, steps, rows, at, ga, v, latest, gtheta):
        _outer_products(lane, stages[0], depth, n, steps, rows, at, ga, v, latest, gtheta)
        weight_gradients(lane, stages[1:], depth, n, steps, rows, at, ga, v, latest + n, gtheta)

    return unrolled


@helper
def _outer_products(lane, stage, depth, n, steps, rows, at, ga, v, latest, gtheta):
    """One product over the kept steps instead of one outer product a step: the sums stay in registers."""
    row = first(stage) * n
    out = (at[0] + row * n, n, 1)
    right = (latest, -depth * n, 1)
    product(lane, gtheta, out, ga, (row, 1, rows), v, right, len(gates(stage)) * n, steps, n, gtheta, out)


@helper
def bias_gradients(lane, rows, steps, start, g, gtheta):
    """gradient of a bias += sum of the rows' cotangents over the kept steps."""
    for r in range(rows):
        total = load(lane, gtheta, start + r)
        for b in range(steps):
            total = total + load(lane, g, b * rows + r)
        store(lane, gtheta, start + r, total)


@helper
def input_gradient(lane, rows, inputs, theta, at, gx, here, gu, start):
    """gradient of u += weight_ih^T gx for one step."""
    out = (start, 1, 1)
    product(lane, gu, out, theta, (at[2], 1, inputs), gx, (here, 1, 1), inputs, rows, 1, gu, out)


@helper
def input_weight_gradients(lane, rows, inputs, steps, at, gx, u, latest, stride, gtheta):
    """gradient of weight_ih += sum of gx u^T over the kept steps; the latest was kept first."""
    out = (at[2], inputs, 1)
    product(lane, gtheta, out, gx, (0, 1, rows), u, (latest, -stride, 1), rows, steps, inputs, gtheta, out)
