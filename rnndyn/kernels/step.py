"""One stage of a step, forward and with tangents (`back` has it backward), each for all cells.

Views of one tile (an element is one lane wide): `theta` holds the weights in the order of `plan.Layout`, `at` their
starts; `x` the input pre-activations W_ih u + b_ih of all drives, `a` the recurrent ones of a stage; `state` the values
of the fields, unit by unit within a field; `frame` tangents, column after column, each of them like `state`.
"""

from .algebra import gather, product, scatter
from .helper import helper, helper_overload
from .memory import breadth, broad
from .partials import jacobian, load_rows, primal, push, seed, store_rows
from .plan import Layout
from .rule import by_direction, drives, enters, gates, leaves, parameters, places, products, update

__all__ = ["COLUMNS", "Layout", "along", "drive", "forward", "mix", "over_units", "tangent", "values_of"]


def along(function):
    """`function(lane, item, ...)` for each item of a tuple in turn; items differ in type, so it unrolls by type."""

    def chain(lane, items, *rest):
        for item in items:
            function(lane, item, *rest)

    @helper_overload(chain)
    def _chain(lane, items, *rest):
        if len(items) == 0:
            return lambda lane, items, *rest: None

        def unrolled(lane, items, *rest):
            function(lane, items[0], *rest)
            chain(lane, items[1:], *rest)

        return unrolled

    return chain


def over_units(function):
    """`function(lane, ..., n, i, ...)` for all units i of n, neighbours in one wider lane where that is faster."""

    @helper
    def units(lane, stage, n, *rest):
        i = 0
        while breadth(lane) > 1 and i + breadth(lane) <= n:
            function(broad(lane), stage, n, i, *rest)
            i += breadth(lane)
        while i < n:
            function(lane, stage, n, i, *rest)
            i += 1

    return units


@helper
def drive(lane, rows, inputs, theta, at, u, start, x):
    """x = weight_ih u + bias_ih for all rows, u standing at `start` in its view."""
    product(lane, x, (0, 1, 1), theta, (at[2], inputs, 1), u, (start, 1, 1), rows, inputs, 1, theta, (at[3], 1, 0))


@helper
def _mix_straight(lane, product_, n, theta, at, a, state):
    """a = weight_hh v + bias_hh for the gates of a product, v the field it sends."""
    place, block, count, sends, _ = places(product_)
    out, bias = (place * n, 1, 1), (at[1] + block * n, 1, 0)
    matrix, v = (at[0] + block * n * n, n, 1), (sends * n, 1, 1)
    product(lane, a, out, theta, matrix, state, v, count * n, n, 1, theta, bias)


@helper
def _mix_transposed(lane, product_, n, theta, at, a, state):
    """a = weight_hh^T v."""
    place, block, _, sends, _ = places(product_)
    out, none = (place * n, 1, 1), (0, 0, 0)
    product(lane, a, out, theta, (at[0] + block * n * n, 1, n), state, (sends * n, 1, 1), n, n, 1, None, none)


mix = along(by_direction(_mix_straight, _mix_transposed))


@helper
def values_of(lane, stage, n, i, theta, at, x, a, state):
    """What the rule reads for unit i: x, a, s, p."""
    return (
        gather(lane, x, i, n, drives(stage)),
        gather(lane, a, i, n, gates(stage)),
        gather(lane, state, i, n, enters(stage)),
        gather(lane, theta, at[4] + i, n, parameters(stage)),
    )


@helper
def _forward_unit(lane, stage, n, i, theta, at, x, a, state):
    values = values_of(lane, stage, n, i, theta, at, x, a, state)
    scatter(lane, state, i, n, leaves(stage), update(stage, values[0], values[1], values[2], values[3]))


_forward_units = over_units(_forward_unit)


@helper
def _forward(lane, stage, n, theta, at, x, a, state):
    """state <- F(state) for one stage."""
    mix(lane, products(stage), n, theta, at, a, state)
    _forward_units(lane, stage, n, theta, at, x, a, state)


forward = along(_forward)


COLUMNS = 4  # of a frame that go through a stage together: da stays small beside the weights in the first cache


@helper
def _spread_straight(lane, product_, n, pitch, k, width, theta, at, da, frame):
    """da = weight_hh dv for the gates of a product and `width` columns of the frame from k on."""
    place, block, count, sends, _ = places(product_)
    out, matrix = (place * n * COLUMNS, COLUMNS, 1), (at[0] + block * n * n, n, 1)
    dv, none = (sends * n + k * pitch, 1, pitch), (0, 0, 0)
    product(lane, da, out, theta, matrix, frame, dv, count * n, n, width, None, none)


@helper
def _spread_transposed(lane, product_, n, pitch, k, width, theta, at, da, frame):
    place, block, _, sends, _ = places(product_)
    out, matrix = (place * n * COLUMNS, COLUMNS, 1), (at[0] + block * n * n, 1, n)
    dv, none = (sends * n + k * pitch, 1, pitch), (0, 0, 0)
    product(lane, da, out, theta, matrix, frame, dv, n, n, width, None, none)


spread = along(by_direction(_spread_straight, _spread_transposed))


@helper
def _tangent_duals(stage, values):
    """(outputs, partials) of the rule for one unit's values, a and s seeded."""
    duals = seed((values[1], values[2]))
    outputs = update(stage, values[0], duals[0], duals[1], values[3])
    return outputs, jacobian(outputs)


@helper
def _tangent_unit(lane, stage, n, i, theta, at, x, a, partials, state):
    outputs, rows = _tangent_duals(stage, values_of(lane, stage, n, i, theta, at, x, a, state))
    store_rows(lane, partials, i, n, rows)
    scatter(lane, state, i, n, leaves(stage), primal(outputs))


_tangent_units = over_units(_tangent_unit)


@helper
def _tangent(lane, stage, n, columns, pitch, theta, at, x, a, da, partials, state, frame):
    """state <- F(state), frame <- DF(state) frame, for one stage: da = W dv, then the rule's partials."""
    mix(lane, products(stage), n, theta, at, a, state)
    _tangent_units(lane, stage, n, theta, at, x, a, partials, state)
    for k in range(0, columns, COLUMNS):
        width = min(COLUMNS, columns - k)
        spread(lane, products(stage), n, pitch, k, width, theta, at, da, frame)
        for i in range(n):
            _, like = _tangent_duals(stage, values_of(lane, stage, n, i, theta, at, x, a, state))  # for its type
            rows = load_rows(lane, partials, i, n, like)
            for j in range(width):
                here = (k + j) * pitch + i
                tangents = gather(lane, da, i * COLUMNS + j, n * COLUMNS, gates(stage)) + gather(
                    lane, frame, here, n, enters(stage)
                )
                scatter(lane, frame, here, n, leaves(stage), push(rows, tangents))


tangent = along(_tangent)
