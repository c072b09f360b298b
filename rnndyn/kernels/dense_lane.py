"""What lanes over the rows of one network need beside those over networks: sums over a lane, ends, turned blocks."""

from llvmlite import ir
from numba.core import types

from . import warp
from .lane import KindType, LaneType, constant, splat
from .memory import address, written
from .primitive import primitive


def _sums_code(emit, kinds, values):
    """Half onto half, in all lanes at once: sums are the same in each."""
    (kind,), b = kinds, emit.builder
    members = []
    for i in range(len(kind)):
        member = emit.item(values[0], i)
        half = kind.dtype.width // 2
        while half:
            other = [k ^ half for k in range(kind.dtype.width)]
            mask = ir.Constant(ir.VectorType(ir.IntType(32), len(other)), other)
            member = b.fadd(member, b.shuffle_vector(member, ir.Constant(member.type, ir.Undefined), mask))
            half //= 2
        half = kind.dtype.threads // 2
        while half:
            member = b.fadd(member, warp.exchanged(b, member, half))
            half //= 2
        members.append(member)
    return emit.tuple(kind, members)


@primitive(lambda members: members if isinstance(members, types.BaseTuple) else None, _sums_code)
def sums_of(members):
    """Each lane's sum over its numbers, in all of them."""
    return members


def _single_result(lane):
    return LaneType(lane.dtype, 1) if isinstance(lane, LaneType) else None


def _single_code(emit, kinds, values):
    return values[0] if kinds[0].width == 1 else emit.builder.extract_element(values[0], ir.IntType(32)(0))


@primitive(_single_result, _single_code)
def single(lane):
    """The first number of a lane."""
    return lane


@primitive(
    lambda lane, number: lane.lane if isinstance(lane, KindType) and isinstance(number, LaneType) else None,
    lambda emit, kinds, values: splat(emit, kinds[0].lane, values[1], None),
)
def repeated(lane, number):
    """A lane of one number in each number of a wider lane."""
    return number


@primitive(
    lambda members, number: members if isinstance(members, types.BaseTuple) else None,
    lambda emit, kinds, values: emit.tuple(
        kinds[0], [emit.builder.fmul(emit.item(values[0], i), values[1]) for i in range(len(kinds[0]))]
    ),
)
def times(members, number):
    """Each member times a lane."""
    return tuple(member * number for member in members)


def _cut_code(emit, kinds, values):
    kind, b = kinds[0].lane, emit.builder
    i64 = ir.IntType(64)
    count = emit.context.cast(b, values[2], kinds[2], types.intp)
    if kind.threads > 1 or kind.width == 1:
        there = b.icmp_signed("<", warp.thread(b) if kind.threads > 1 else i64(0), count)
    else:
        places = ir.Constant(ir.VectorType(i64, kind.width), list(range(kind.width)))
        one = b.insert_element(ir.Constant(places.type, ir.Undefined), count, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), kind.width), None)
        there = b.icmp_signed("<", places, b.shuffle_vector(one, ir.Constant(places.type, ir.Undefined), zeros))
    members = [b.select(there, emit.item(values[1], i), constant(emit, kind, 0.0)) for i in range(len(kinds[1]))]
    return emit.tuple(kinds[1], members)


@primitive(lambda lane, members, count: members if isinstance(lane, KindType) else None, _cut_code)
def cut(lane, members, count):
    """Lanes with zeros for all but their first `count` numbers."""
    return tuple(member if count > 0 else 0 * member for member in members)


def _thirds_code(emit, kinds, values):
    return emit.context.get_constant(types.intp, 1 if kinds[0].lane.threads > 1 else 3)


@primitive(lambda lane: types.intp if isinstance(lane, KindType) else None, _thirds_code)
def thirds(lane):
    """Lanes of directions in a panel: a warp's would be 96, more than most frames have."""
    return 3


def _turn(lane, source, start, pitch, factors, i, target, there, size):
    target[there] = source[start] * factors[i]


def _turn_code(emit, kinds, values):
    """Corners of blocks are exchanged, the block's size halved each time; threads write each its own row."""
    kind, b = kinds[0], emit.builder
    lane, width, align = kind.lane, kind.lane.width * kind.lane.threads, kind.lane.dtype.bitwidth // 8
    number, i64 = KindType(lane.dtype, 1, 1), ir.IntType(64)

    def place(which, at, k, step=None):
        start = emit.context.cast(b, values[at], kinds[at], types.intp)
        gap = i64(1) if step is None else emit.context.cast(b, values[step], kinds[step], types.intp)
        return address(emit, number if step is None else kind, kinds[which], values[which], types.intp,
                       b.add(start, b.mul(gap, i64(k))))  # fmt: skip

    rows = []
    for k in range(width):
        factor = splat(emit, lane, b.load(place(4, 5, k), align=align), None)
        rows.append(b.fmul(b.load(place(1, 2, k, 3), align=align), factor))
    if lane.threads > 1:
        start, gap = (emit.context.cast(b, values[k], kinds[k], types.intp) for k in (7, 8))
        first = b.add(start, b.mul(gap, warp.thread(b)))
        places = [address(emit, number, kinds[6], values[6], types.intp, b.add(first, i64(k))) for k in range(width)]
        written(emit, kind, list(zip(rows, places, strict=True)))
        return emit.context.get_dummy_value()
    half = width // 2
    while half:
        for k in (k for k in range(width) if not k & half):
            pair = rows[k], rows[k + half]
            for row, part in ((k, 0), (k + half, half)):
                taken = [j + part if not j & half else width + j - half + part for j in range(width)]
                mask = ir.Constant(ir.VectorType(ir.IntType(32), width), taken)
                rows[row] = b.shuffle_vector(*pair, mask)
        half //= 2
    for k, row in enumerate(rows):
        b.store(row, place(6, 7, k, 8), align=align)
    return emit.context.get_dummy_value()


turn = primitive(lambda lane, *rest: types.none if isinstance(lane, KindType) else None, _turn_code)(_turn)
