"""What lanes over the rows of one network need beside those over networks: sums over a lane, repeats, turned blocks."""

from llvmlite import ir
from numba.core import types

from .lane import KindType, LaneType, splat
from .memory import address
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


def _turn(lane, source, start, pitch, factors, i, target, there, size):
    target[there] = source[start] * factors[i]


def _turn_code(emit, kinds, values):
    """Corners of blocks are exchanged, the block's size halved each time."""
    kind, b = kinds[0], emit.builder
    lane, width, align = kind.lane, kind.lane.width, kind.lane.dtype.bitwidth // 8
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
