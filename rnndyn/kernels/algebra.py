"""Tuples of lanes to and from memory, and the one matrix product.

A matrix is a `(start, row stride, column stride)` in some view; `product` is the register-tiled
`out = init + left right` for all strides, so that the recurrent product, its transpose in BPTT and the outer products
of weight gradients are one text.
"""

from llvmlite import ir
from numba.core import types

from .helper import helper
from .lane import KindType, constant
from .machine import register_bits
from .memory import address, written
from .primitive import primitive

# Register tiles (rows, columns): 2 x 4 keeps 8 sums, 4 + 2 operands: 14 of AVX2's 16 registers, and 8 fused
# multiply-adds for 6 loads, so that two multiply-adds a cycle are the limit. A single column has 8 rows for the same
# reason: a sum takes 4 cycles to come back.
PAIR, QUAD, EIGHT, ONE = (0, 1), (0, 1, 2, 3), (0, 1, 2, 3, 4, 5, 6, 7), (0,)


def _registers(lane):
    return types.intp if isinstance(lane, KindType) else None


def _registers_code(emit, kinds, values):
    bits = kinds[0].lane.width * kinds[0].lane.dtype.bitwidth
    return emit.context.get_constant(types.intp, max(1, bits // register_bits()))


@primitive(_registers, _registers_code)
def registers(lane):
    """Registers that a lane fills, known when a kernel is compiled: wide lanes leave fewer for a tile."""
    return 1


def _gather_result(lane, view, start, stride, indices):
    if not isinstance(lane, KindType) or not isinstance(indices, types.BaseTuple):
        return None
    return types.UniTuple(lane.lane, len(indices)) if len(indices) else types.Tuple([])


def _places(emit, kinds, values):
    """LLVM pointers to start + stride * i for the indices i in the last tuple."""
    lane, intp = kinds[0], types.intp
    start, stride = (emit.context.cast(emit.builder, values[i], kinds[i], intp) for i in (2, 3))
    for i in range(len(kinds[4])):
        index = emit.builder.add(start, emit.builder.mul(stride, emit.item(values[4], i)))
        yield address(emit, lane, kinds[1], values[1], intp, index)


def _gather_code(emit, kinds, values):
    lane = kinds[0].lane
    loaded = [emit.builder.load(p, align=lane.dtype.bitwidth // 8) for p in _places(emit, kinds, values)]
    return emit.tuple(_gather_result(*kinds), loaded)


@primitive(_gather_result, _gather_code)
def gather(lane, view, start, stride, indices):
    """The tuple of elements start + stride i of a view for i in indices."""
    return tuple(view[start + stride * i] for i in indices)


def _scatter_code(emit, kinds, values):
    pairs = [(emit.item(values[5], i), pointer) for i, pointer in enumerate(_places(emit, kinds, values))]
    written(emit, kinds[0], pairs)
    return emit.context.get_dummy_value()


@primitive(
    lambda lane, view, start, stride, indices, values: types.none if isinstance(lane, KindType) else None,
    _scatter_code,
)
def scatter(lane, view, start, stride, indices, values):
    """Set elements start + stride i of a view to values[i] for i in indices."""
    for i, number in zip(indices, values, strict=True):
        view[start + stride * i] = number


def _zeros_result(lane, rows, columns):
    return types.UniTuple(lane.lane, len(rows) * len(columns)) if isinstance(lane, KindType) else None


def _zeros_code(emit, kinds, values):
    result = _zeros_result(*kinds)
    return emit.tuple(result, [constant(emit, result.dtype, 0.0)] * len(result))


@primitive(_zeros_result, _zeros_code)
def zeros(lane, rows, columns):
    """A zero for each element of a tile."""
    return (lane.dtype.type(0),) * (len(rows) * len(columns))


def _fused_code(emit, kinds, values):
    def member(i, which):
        return emit.item(values[which], i) if isinstance(kinds[which], types.BaseTuple) else values[which]

    members = [emit.call("llvm.fmuladd", member(i, 1), member(i, 2), member(i, 0)) for i in range(len(kinds[0]))]
    return emit.tuple(kinds[0], members)


@primitive(lambda total, left, right: total if isinstance(total, types.BaseTuple) else None, _fused_code)
def fused(total, left, right):
    """total + left right, element by element; left or right may be one lane for all."""
    lefts = left if isinstance(left, tuple) else (left,) * len(total)
    rights = right if isinstance(right, tuple) else (right,) * len(total)
    return tuple(t + x * y for t, x, y in zip(total, lefts, rights, strict=True))


def _scaled_code(emit, kinds, values):
    members = [emit.builder.fmul(emit.item(values[0], i), values[1]) for i in range(len(kinds[0]))]
    return emit.tuple(kinds[0], members)


@primitive(lambda members, factor: members if isinstance(members, types.BaseTuple) else None, _scaled_code)
def scaled(members, factor):
    """Each member times one lane."""
    return tuple(m * factor for m in members)


def _total_code(emit, kinds, values):
    members = [emit.item(values[0], i) for i in range(len(kinds[0]))]
    while len(members) > 1:
        pairs = [emit.builder.fadd(*members[i : i + 2]) for i in range(0, len(members) - 1, 2)]
        members = pairs + members[len(members) // 2 * 2 :]
    return members[0]


@primitive(lambda members: members[0] if isinstance(members, types.BaseTuple) else None, _total_code)
def total(members):
    """Sum of the members, in pairs."""
    members = list(members)
    while len(members) > 1:
        pairs = [members[i] + members[i + 1] for i in range(0, len(members) - 1, 2)]
        members = pairs + members[len(members) // 2 * 2 :]
    return members[0]


def _fused_tile(lane, out, o, left, a, right, b, depth, init, c, rows, columns):
    """One register tile of `product`, the corner at the start of each matrix."""
    tile = [0.0 if init is None else init[c[0] + c[1] * i + c[2] * j] for i in rows for j in columns]
    for n in range(depth):
        x = [left[a[0] + a[1] * i + a[2] * n] for i in rows]
        y = [right[b[0] + b[1] * n + b[2] * j] for j in columns]
        tile = [t + x[k // len(y)] * y[k % len(y)] for k, t in enumerate(tile)]
    for (i, j), number in zip(((i, j) for i in rows for j in columns), tile, strict=True):
        out[o[0] + o[1] * i + o[2] * j] = number


def _fused_tile_code(emit, kinds, values):
    """The same with the sums in registers: a loop over the depth that carries them as phi nodes."""
    lane, b = kinds[0].lane, emit.builder
    align = lane.dtype.bitwidth // 8
    m, n = len(kinds[10]), len(kinds[11])

    def place(view, matrix, i, j):
        start, rs, cs = (emit.item(values[matrix], k) for k in range(3))
        index = b.add(start, b.add(b.mul(rs, as_index(i)), b.mul(cs, as_index(j))))
        return address(emit, kinds[0], kinds[view], values[view], types.intp, index)

    def as_index(i):
        return ir.Constant(ir.IntType(64), i) if isinstance(i, int) else i

    def read(view, matrix, i, j):
        return b.load(place(view, matrix, i, j), align=align)

    if isinstance(kinds[8], types.NoneType):
        sums = [constant(emit, lane, 0.0)] * (m * n)
    else:
        sums = [read(8, 9, i, j) for i in range(m) for j in range(n)]
    before = b.block
    body, after = (b.append_basic_block(name) for name in ("tile.body", "tile.after"))
    depth = values[7]
    zero = depth.type(0)
    b.cbranch(b.icmp_signed(">", depth, zero), body, after)
    b.position_at_end(body)
    step = b.phi(depth.type)
    step.add_incoming(zero, before)
    carried = [b.phi(emit.type(lane)) for _ in sums]
    for phi, start in zip(carried, sums, strict=True):
        phi.add_incoming(start, before)
    x = [read(3, 4, i, step) for i in range(m)]
    y = [read(5, 6, step, j) for j in range(n)]
    grown = [emit.call("llvm.fmuladd", x[k // n], y[k % n], phi) for k, phi in enumerate(carried)]
    following = b.add(step, step.type(1))
    step.add_incoming(following, b.block)
    for phi, new in zip(carried, grown, strict=True):
        phi.add_incoming(new, b.block)
    end = b.block
    b.cbranch(b.icmp_signed("<", following, depth), body, after)
    b.position_at_end(after)
    for k, (start, new) in enumerate(zip(sums, grown, strict=True)):
        result = b.phi(emit.type(lane))
        result.add_incoming(start, before)
        result.add_incoming(new, end)
        sums[k] = result
    written(emit, kinds[0], [(result, place(1, 2, k // n, k % n)) for k, result in enumerate(sums)])
    return emit.context.get_dummy_value()


fused_tile = primitive(lambda lane, *rest: types.none if isinstance(lane, KindType) else None, _fused_tile_code)(
    _fused_tile
)


@helper
def _moved(matrix, i, j):
    return matrix[0] + matrix[1] * i + matrix[2] * j, matrix[1], matrix[2]


@helper
def product(lane, out, o, left, a, right, b, rows, depth, columns, init, c):
    """out = init + left right: (rows x depth) times (depth x columns); o, a, b, c are matrices in their views.

    `init` None is zero; it may be `out` itself (accumulation) or a vector with strides (1, 0) (a bias).
    """
    j = 0
    while j < columns:
        wide = 4 if j + 4 <= columns and registers(lane) == 1 else (2 if j + 2 <= columns else 1)
        bj = _moved(b, 0, j)
        i = 0
        while i < rows:
            oi, ai, ci = _moved(o, i, j), _moved(a, i, 0), _moved(c, i, j)
            if wide == 1 and i + 8 <= rows and registers(lane) == 1:
                fused_tile(lane, out, oi, left, ai, right, bj, depth, init, ci, EIGHT, ONE)
                i += 8
            elif wide == 1 and i + 4 <= rows:
                fused_tile(lane, out, oi, left, ai, right, bj, depth, init, ci, QUAD, ONE)
                i += 4
            elif i + 2 <= rows:
                if wide == 4:
                    fused_tile(lane, out, oi, left, ai, right, bj, depth, init, ci, PAIR, QUAD)
                elif wide == 2:
                    fused_tile(lane, out, oi, left, ai, right, bj, depth, init, ci, PAIR, PAIR)
                else:
                    fused_tile(lane, out, oi, left, ai, right, bj, depth, init, ci, PAIR, ONE)
                i += 2
            else:
                if wide == 4:
                    fused_tile(lane, out, oi, left, ai, right, bj, depth, init, ci, ONE, QUAD)
                elif wide == 2:
                    fused_tile(lane, out, oi, left, ai, right, bj, depth, init, ci, ONE, PAIR)
                else:
                    fused_tile(lane, out, oi, left, ai, right, bj, depth, init, ci, ONE, ONE)
                i += 1
        j += wide
