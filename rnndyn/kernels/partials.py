"""Partial derivatives of a rule, by dual numbers: seeded, read off, applied, kept in memory.

`seed` makes dual numbers of a rule's arguments, `jacobian` reads the partials off its results, `push` and `pull` apply
them to tangents and, transposed, to cotangents; `store_rows` and `load_rows` keep them.
"""

from numba.core import types

from .dual import NONE, ONE, Dual, DualType, lane_of, made, scaled_sum, taken, value
from .lane import KindType, constant
from .memory import address, written
from .primitive import primitive

ONE_TYPE = types.Opaque("one")  # of a partial that is known to be 1


def _seed_result(groups):
    if not isinstance(groups, types.BaseTuple):
        return None
    size = sum(len(group) for group in groups)
    position = iter(range(size))
    return types.Tuple(
        [types.Tuple([DualType(lane, _unit(next(position), size)) for lane in group]) for group in groups]
    )


def _unit(position, size):
    return [ONE if i == position else NONE for i in range(size)]


def _seed_code(emit, kinds, values):
    kind = _seed_result(*kinds)
    groups = []
    for g, group in enumerate(kind):
        members = []
        for i, dual in enumerate(group):
            number = emit.item(emit.item(values[0], g), i)
            members.append(made(emit, dual, number, dual.slots))
        groups.append(emit.tuple(group, members))
    return emit.tuple(kind, groups)


@primitive(_seed_result, _seed_code)
def seed(groups):
    """Tuples of numbers as tuples of duals, each with the partial 1 in a slot of its own, in order."""
    size = sum(map(len, groups))
    position = iter(range(size))
    return tuple(
        tuple(Dual(number, (1.0 if slot else None for slot in _unit(next(position), size))) for number in group)
        for group in groups
    )


def _primal_result(outputs):
    return types.Tuple([lane_of(kind) for kind in outputs]) if isinstance(outputs, types.BaseTuple) else None


def _primal_code(emit, kinds, values):
    result = _primal_result(*kinds)
    members = [emit.item(values[0], i) for i in range(len(kinds[0]))]
    return emit.tuple(
        result,
        [emit.item(m, 0) if isinstance(k, DualType) else m for m, k in zip(members, kinds[0], strict=True)],
    )


@primitive(_primal_result, _primal_code)
def primal(outputs):
    """The values of a tuple of numbers."""
    return tuple(value(y) for y in outputs)


def _jacobian_result(outputs):
    if not isinstance(outputs, types.BaseTuple):
        return None
    return types.Tuple(
        [
            types.Tuple([(types.none, ONE_TYPE, kind.lane)[slot] for slot in kind.slots])
            if isinstance(kind, DualType)
            else types.none
            for kind in outputs
        ]
    )


def _jacobian_code(emit, kinds, values):
    result = _jacobian_result(*kinds)
    rows = []
    for i, (kind, row) in enumerate(zip(kinds[0], result, strict=True)):
        if not isinstance(kind, DualType):
            rows.append(emit.context.get_dummy_value())
            continue
        _, partials = taken(emit, kind, kind, emit.item(values[0], i))
        known = emit.context.get_dummy_value()
        rows.append(emit.tuple(row, [known if p is None or p is ONE else p for p in partials]))
    return emit.tuple(result, rows)


@primitive(_jacobian_result, _jacobian_code)
def jacobian(outputs):
    """The partials of each output with respect to each seed; None where there is none, of `ONE_TYPE` where it is 1."""
    return tuple(y.partials if isinstance(y, Dual) else None for y in outputs)


def _row(emit, kinds, value, i):
    """Partials of output i as LLVM values, None or ONE."""
    kind = kinds[i]
    if isinstance(kind, types.NoneType):
        return None
    row = emit.item(value, i)
    known = {types.none: None, ONE_TYPE: ONE}
    return [known[k] if k in known else emit.item(row, j) for j, k in enumerate(kind)]


def _push_result(rows, tangents):
    if not isinstance(rows, types.BaseTuple) or not isinstance(tangents, types.BaseTuple):
        return None
    return types.UniTuple(tangents[0], len(rows))


def _push_code(emit, kinds, values):
    result = _push_result(*kinds)
    lane = result.dtype
    tangents = [emit.item(values[1], j) for j in range(len(kinds[1]))]
    outputs = []
    for i in range(len(kinds[0])):
        row = _row(emit, kinds[0], values[0], i) or []
        total = scaled_sum(emit, lane, zip(tangents, row, strict=False))
        outputs.append(constant(emit, lane, 0.0) if total is None else total)
    return emit.tuple(result, outputs)


@primitive(_push_result, _push_code)
def push(rows, tangents):
    """J d: the tangents of the outputs from those of the seeds."""
    return tuple(
        sum((d * t for d, t in zip(row or (), tangents, strict=False) if d is not None), 0.0 * tangents[0])
        for row in rows
    )


def _pull_result(rows, cotangents, seeds):
    if not all(isinstance(kind, types.BaseTuple) for kind in (rows, cotangents, seeds)):
        return None
    lane = cotangents[0]
    return types.Tuple([types.UniTuple(lane, len(group)) if len(group) else types.Tuple([]) for group in seeds])


def _pull_code(emit, kinds, values):
    result = _pull_result(*kinds)
    lane = kinds[1][0]
    cotangents = [emit.item(values[1], i) for i in range(len(kinds[1]))]
    rows = [_row(emit, kinds[0], values[0], i) for i in range(len(kinds[0]))]
    position, groups = 0, []
    for group in result:
        members = []
        for _ in range(len(group)):
            column = [(c, row[position]) for c, row in zip(cotangents, rows, strict=True) if row is not None]
            total = scaled_sum(emit, lane, column)
            members.append(constant(emit, lane, 0.0) if total is None else total)
            position += 1
        groups.append(emit.tuple(group, members))
    return emit.tuple(result, groups)


@primitive(_pull_result, _pull_code)
def pull(rows, cotangents, seeds):
    """J^T c: the cotangents of the seeds from those of the outputs, grouped like `seeds`."""
    zero = 0.0 * cotangents[0]
    position, groups = 0, []
    for group in seeds:
        members = []
        for _ in group:
            terms = [
                c * row[position]
                for c, row in zip(cotangents, rows, strict=True)
                if row is not None and row[position] is not None
            ]
            members.append(sum(terms, zero))
            position += 1
        groups.append(tuple(members))
    return tuple(groups)


# --- partials to and from memory: entry (output i, seed j) of n seeds at start + (i n + j) stride ---------------------


def _row_places(emit, kinds, values):
    """((i, j), LLVM pointer) of each partial that exists."""
    lane, intp, rows = kinds[0], types.intp, kinds[4]
    start, stride = (emit.context.cast(emit.builder, values[i], kinds[i], intp) for i in (2, 3))
    for i, row in enumerate(rows):
        for j, kind in enumerate(row if isinstance(row, types.BaseTuple) else ()):
            if kind == lane.lane:
                index = emit.builder.add(start, emit.builder.mul(stride, stride.type(i * len(row) + j)))
                yield (i, j), address(emit, lane, kinds[1], values[1], intp, index)


def _store_rows_code(emit, kinds, values):
    places = list(_row_places(emit, kinds, values))
    written(emit, kinds[0], [(emit.item(emit.item(values[4], i), j), pointer) for (i, j), pointer in places])
    return emit.context.get_dummy_value()


@primitive(lambda lane, view, start, stride, rows: types.none if isinstance(lane, KindType) else None, _store_rows_code)
def store_rows(lane, view, start, stride, rows):
    """Write partials to a view."""
    for i, row in enumerate(rows):
        for j, number in enumerate(row or ()):
            if number is not None:
                view[start + stride * (i * len(row) + j)] = number


def _load_rows_code(emit, kinds, values):
    places = dict(_row_places(emit, kinds, values))
    align = kinds[0].lane.dtype.bitwidth // 8
    rows = []
    for i, row in enumerate(kinds[4]):
        if not isinstance(row, types.BaseTuple):
            rows.append(emit.context.get_dummy_value())
            continue
        loaded = [
            emit.builder.load(places[i, j], align=align) if (i, j) in places else emit.context.get_dummy_value()
            for j in range(len(row))
        ]
        rows.append(emit.tuple(row, loaded))
    return emit.tuple(kinds[4], rows)


@primitive(lambda lane, view, start, stride, like: like if isinstance(lane, KindType) else None, _load_rows_code)
def load_rows(lane, view, start, stride, like):
    """Partials read from a view, with the structure of `like`; its numbers do not matter."""
    return tuple(
        row and tuple(None if p is None else view[start + stride * (i * len(row) + j)] for j, p in enumerate(row))
        for i, row in enumerate(like)
    )
