"""One stage of a step backward, for all cells: the forward pass keeps each rule's partials, the backward pass applies
their transposes.

Keeping them costs memory, not time: an LSTM's nine partials a unit are read back faster than its five gates are made
again. Stage by stage, partial (output o, seed j) of unit i stands at `start + (o seeds + j) n + i` of `partials`, the
fields sent from `there` on in `v`. Where nobody asks for cotangents of x (`gx` None), x is not seeded.

`g` are cotangents of the state, like `state` in `step`, whose views these are.
"""

from numba.core import types

from .algebra import fused, gather, product, scatter
from .helper import helper, helper_overload
from .lane import full
from .memory import load, store
from .partials import jacobian, load_rows, primal, pull, seed, store_rows
from .rule import (
    by_direction,
    drives,
    enters,
    entries,
    first,
    gates,
    index,
    leaves,
    parameters,
    places,
    products,
    ranks,
    sent,
    shares,
    update,
    vectors,
)
from .step import along, mix, over_units, values_of


def against(function):
    """`along` from the last item to the first."""

    def chain(lane, items, *rest):
        for item in reversed(items):
            function(lane, item, *rest)

    @helper_overload(chain)
    def _chain(lane, items, *rest):
        if len(items) == 0:
            return lambda lane, items, *rest: None

        def unrolled(lane, items, *rest):
            chain(lane, items[1:], *rest)
            function(lane, items[0], *rest)

        return unrolled

    return chain


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
def _record_unit(lane, stage, n, i, theta, at, x, a, state, partials, here, gx):
    values = values_of(lane, stage, n, i, theta, at, x, a, state)
    outputs, rows, _ = _partials(stage, values, gx)
    store_rows(lane, partials, here + i, n, rows)
    scatter(lane, state, i, n, leaves(stage), primal(outputs))


_record_units = over_units(_record_unit)


@helper
def _record(lane, stage, n, theta, at, x, a, state, partials, start, v, there, gx):
    """A stage forward: state <- F(state), keeping its partials and the fields it sends."""
    here, own = start + entries(stage) * n, there + vectors(stage) * n
    for i in range(n):
        scatter(lane, v, own + i, n, ranks(stage), gather(lane, state, i, n, sent(stage)))
    mix(lane, products(stage), n, theta, at, a, state)
    _record_units(lane, stage, n, theta, at, x, a, state, partials, here, gx)


recorded = along(_record)


@helper
def _collect_straight(lane, product_, n, theta, at, ga, here, g):
    """g of the field sent += weight_hh^T ga."""
    place, block, count, sends, _ = places(product_)
    out, matrix = (sends * n, 1, 1), (at[0] + block * n * n, 1, n)
    product(lane, g, out, theta, matrix, ga, (here + place * n, 1, 1), n, count * n, 1, g, out)


@helper
def _collect_transposed(lane, product_, n, theta, at, ga, here, g):
    place, block, _, sends, _ = places(product_)
    out, matrix = (sends * n, 1, 1), (at[0] + block * n * n, n, 1)
    product(lane, g, out, theta, matrix, ga, (here + place * n, 1, 1), n, n, 1, g, out)


collect = along(by_direction(_collect_straight, _collect_transposed))


@helper
def _transpose(lane, stage, n, theta, at, x, a, partials, start, g, ga, gx, gp, here, there):
    """A stage backward: g <- (its Jacobian)^T g.

    The cotangents of its recurrent pre-activations go to ga from `here` on, those of the input's to gx from `there` on.
    """
    mine, parameter = here + first(stage) * n, index(stage) * len(parameters(stage)) * n
    for i in range(n):
        values = values_of(lane, stage, n, i, theta, at, x, a, g)
        _, like, seeds = _partials(stage, values, gx)  # for its type: nothing of it is computed
        rows = load_rows(lane, partials, start + entries(stage) * n + i, n, like)
        cotangents = pull(rows, gather(lane, g, i, n, leaves(stage)), seeds)
        if gx is not None:
            _into_x(lane, stage, n, there + i, gx, cotangents[0])
        scatter(lane, ga, mine + i, n, gates(stage), cotangents[1])
        scatter(lane, g, i, n, enters(stage), cotangents[2])
        scatter(lane, gp, parameter + i, n, parameters(stage), cotangents[3])
    collect(lane, products(stage), n, theta, at, ga, mine, g)


@helper
def _into_x(lane, stage, n, place, gx, cotangents):
    """Set the cotangents of a stage's drives; add them where stages share drives, `gx` being zero before."""
    if shares(stage):
        before = gather(lane, gx, place, n, drives(stage))
        cotangents = fused(before, cotangents, full(lane, 1.0))
    scatter(lane, gx, place, n, drives(stage), cotangents)


backward = against(_transpose)


@helper
def _outer_straight(lane, product_, n, steps, rows, at, ga, mine, v, latest, back, gtheta):
    """Gradient of weight_hh += sum of ga v^T over the kept steps, of bias_hh += sum of ga.

    One product over the steps instead of one outer product a step: the sums stay in registers.
    """
    place, block, count, _, vector = places(product_)
    begin = mine + place * n
    out, right = (at[0] + block * n * n, n, 1), (latest + vector * n, -back, 1)
    product(lane, gtheta, out, ga, (begin, 1, rows), v, right, count * n, steps, n, gtheta, out)
    bias_gradients(lane, count * n, steps, at[1] + block * n, ga, begin, rows, gtheta)


@helper
def _outer_transposed(lane, product_, n, steps, rows, at, ga, mine, v, latest, back, gtheta):
    """Gradient of weight_hh += sum of v ga^T over the kept steps."""
    place, block, _, _, vector = places(product_)
    out, left = (at[0] + block * n * n, n, 1), (latest + vector * n, 1, -back)
    product(lane, gtheta, out, v, left, ga, (mine + place * n, rows, 1), n, steps, n, gtheta, out)


outer = along(by_direction(_outer_straight, _outer_transposed))


@helper
def _weight_gradients(lane, stage, n, steps, rows, at, ga, v, latest, back, gtheta):
    mine = first(stage) * n
    outer(lane, products(stage), n, steps, rows, at, ga, mine, v, latest + vectors(stage) * n, back, gtheta)


# Gradients of weight_hh and bias_hh. The latest step was kept first; its sent fields stand at `latest` of `v`, each
# step's `back` before the next one's.
weight_gradients = along(_weight_gradients)


@helper
def bias_gradients(lane, count, steps, start, g, begin, rows, gtheta):
    """gradient of a bias += sum over the kept steps of `count` rows of cotangents from `begin` on, `rows` a step."""
    for r in range(count):
        total = load(lane, gtheta, start + r)
        for b in range(steps):
            total = total + load(lane, g, begin + b * rows + r)
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
