"""The matrix product of one network: lanes run over rows, and a register tile of them takes numbers of the right side.

    out = left right  or  out += left right,   left (rows x depth), right (depth x columns)

`left` is read a lane of neighbouring rows at a time, `right` number by number. The three products of a spectrum have
this one shape: W V with W packed once, Q^T V with Q^T packed, and V += Q G with Q as it stands in the frame. The sums
of an element are taken in the order of the depth, whatever tile it lies in: bits do not depend on the split of columns.

Measured (AVX-512, one core, W packed, no copy of V): 53 GFLOP/s at N = 32, 64 and 128, 56 at 256, 54 at 512, 53 at 1024
and 2048, where OpenBLAS reaches 29, 51, 47, 52, 50 and 53 (1024), and its calls, copies and thread limits come on top.
"""

from llvmlite import ir
from numba.core import types

from .helper import helper, separate_helper
from .lane import KindType, constant, splat
from .machine import is_arm, register_bits
from .memory import address, written
from .primitive import primitive

UNROLL = 4  # of the depth: steps whose addresses are one sum
DEPTH = 512  # of the products in a turn: as good as any from 384 up, and 256 is 5 % slower for 2048 units
ROWS = 8  # bands of left rows in a turn: 8 x 24 rows x 512 float64 stay in the second cache


def _across(lane):
    if not isinstance(lane, KindType):
        return None
    if lane.alike > 1:
        return KindType(lane.lane.dtype, 1, 1, lane.alike)
    return KindType(lane.lane.dtype, register_bits() // lane.lane.dtype.bitwidth, 1)


@primitive(_across, lambda emit, kinds, values: emit.context.get_dummy_value())
def across(lane):
    """The lane of one register, or warp, of neighbouring numbers of one network."""
    return lane


def _width_code(emit, kinds, values):
    return emit.context.get_constant(types.intp, kinds[0].lane.width * kinds[0].lane.threads)


@primitive(lambda lane: types.intp if isinstance(lane, KindType) else None, _width_code)
def width_of(lane):
    """Numbers in a lane."""
    return lane.width


def _breadth_code(emit, kinds, values):
    many = register_bits() == 512 or is_arm() or kinds[0].lane.threads > 1
    return emit.context.get_constant(types.intp, 8 if many else 4)


@primitive(lambda lane: types.intp if isinstance(lane, KindType) else None, _breadth_code)
def breadth_of(lane):
    """Columns of a register tile: 3 x 8 sums on 32 registers (AVX-512, ARM) or in a thread, 3 x 4 on 16."""
    return 8


def _tile(lane, out, o, left, a, right, b, depth, add, vectors, columns):
    places = [(o[0] + i, o[0] + i + o[1] * j) for i in vectors for j in columns]
    sums = [out[place] if add else 0.0 for _, place in places]
    for d in range(depth):
        x = [left[a[0] + i + a[1] * d] for i in vectors]
        y = [right[b[0] + d + b[1] * j] for j in columns]
        sums = [s + x[k // len(y)] * y[k % len(y)] for k, s in enumerate(sums)]
    for (_, place), number in zip(places, sums, strict=True):
        out[place] = number


def _tile_code(emit, kinds, values):
    """The sums stay in registers: a loop over the depth carries them as phi nodes."""
    kind, b = kinds[0], emit.builder
    lane, width, align = kind.lane, kind.lane.width * kind.lane.threads, kind.lane.dtype.bitwidth // 8
    number, i64 = KindType(lane.dtype, 1, 1), ir.IntType(64)
    vectors, columns = range(len(kinds[9])), range(len(kinds[10]))

    def read(kind_, which, index):
        return b.load(address(emit, kind_, kinds[which], values[which], types.intp, index), align=align)

    def part(which, k):
        return emit.context.cast(b, emit.item(values[which], k), kinds[which][k], types.intp)

    start, pitch = part(2, 0), part(2, 1)
    places = [b.add(b.add(start, i64(i * width)), b.mul(pitch, i64(j))) for i in vectors for j in columns]
    adding = emit.context.is_true(b, kinds[8], values[8])
    before = b.block
    with b.if_then(adding):
        old = [read(kind, 1, place) for place in places]
        there = b.block
    sums = [b.phi(emit.type(lane)) for _ in places]
    for phi, value in zip(sums, old, strict=True):
        phi.add_incoming(constant(emit, lane, 0.0), before)
        phi.add_incoming(value, there)
    a_start, a_pitch, b_start, b_pitch = part(4, 0), part(4, 1), part(6, 0), part(6, 1)
    tops = [b.add(b_start, b.mul(b_pitch, i64(j))) for j in columns]

    def step(d, sums):
        row, grown = b.add(a_start, b.mul(a_pitch, d)), list(sums)
        x = [read(kind, 3, b.add(row, i64(i * width))) for i in vectors]
        for j in columns:  # one number at a time: with all of them loaded first, sums are spilled
            y = splat(emit, lane, read(number, 5, b.add(tops[j], d)), None)
            for i in vectors:
                k = i * len(columns) + j
                grown[k] = emit.call("llvm.fmuladd", x[i], y, sums[k])
        return grown

    depth = emit.context.cast(b, values[7], kinds[7], types.intp)
    whole = b.and_(depth, i64(-UNROLL))
    sums = _loop(b, i64(0), whole, UNROLL, sums, step)
    sums = _loop(b, whole, depth, 1, sums, step)
    there = [address(emit, kind, kinds[1], values[1], types.intp, place) for place in places]
    written(emit, kind, list(zip(sums, there, strict=True)))
    return emit.context.get_dummy_value()


def _loop(b, begin, end, stride, carried, step):
    """LLVM values carried through `for d in range(begin, end, stride)`, `stride` steps in a turn."""
    before = b.block
    body, after = (b.append_basic_block(name) for name in ("tile.body", "tile.after"))
    b.cbranch(b.icmp_signed("<", begin, end), body, after)
    b.position_at_end(body)
    d = b.phi(begin.type)
    phis = [b.phi(value.type) for value in carried]
    grown = phis
    for k in range(stride):
        grown = step(b.add(d, d.type(k)), grown)
    following = b.add(d, d.type(stride))
    for phi, first, new in zip([d, *phis], [begin, *carried], [following, *grown], strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(new, b.block)
    inside = b.block
    b.cbranch(b.icmp_signed("<", following, end), body, after)
    b.position_at_end(after)
    left = []
    for first, new in zip(carried, grown, strict=True):
        phi = b.phi(first.type)
        phi.add_incoming(first, before)
        phi.add_incoming(new, inside)
        left.append(phi)
    return left


tile = primitive(lambda lane, *rest: types.none if isinstance(lane, KindType) else None, _tile_code)(_tile)

THREE, TWO, ONE = (0, 1, 2), (0, 1), (0,)
EIGHT, FOUR = (0, 1, 2, 3, 4, 5, 6, 7), (0, 1, 2, 3)


@helper
def _columns(lane, out, o, left, a, right, b, depth, add, wide, vectors):
    if wide == 8:
        tile(lane, out, o, left, a, right, b, depth, add, vectors, EIGHT)
    elif wide == 4:
        tile(lane, out, o, left, a, right, b, depth, add, vectors, FOUR)
    elif wide == 2:
        tile(lane, out, o, left, a, right, b, depth, add, vectors, TWO)
    else:
        tile(lane, out, o, left, a, right, b, depth, add, vectors, ONE)


@helper
def band(left):
    """Vectors of a band of rows where `left` vectors remain: threes, the rest in twos."""
    return 3 if left == 3 or left > 4 else min(left, 2)


@helper
def _multiply(lane, out, o, left, a, packed, right, b, rows, depth, columns, add):
    w, most = width_of(lane), breadth_of(lane)
    vectors = rows // w
    for begin in range(0, depth, DEPTH):
        part, more = min(DEPTH, depth - begin), add or begin > 0
        top = 0
        while top < vectors:
            bottom = min(top + 3 * ROWS, vectors)
            bottom = bottom if vectors - bottom > 4 else vectors  # the last bands are twos
            j = 0
            while j < columns:
                wide = most if j + most <= columns else (4 if j + 4 <= columns else (2 if j + 2 <= columns else 1))
                there = (b[0] + begin + j * b[1], b[1])
                i = top
                while i < bottom:
                    here, tall = (o[0] + i * w + j * o[1], o[1]), band(vectors - i)
                    start = a[0] + (i * depth + begin * tall if packed else i) * w + a[1] * begin
                    if tall == 3:
                        source = (start, 3 * w if packed else a[1])
                        _columns(lane, out, here, left, source, right, there, part, more, wide, THREE)
                    elif tall == 2:
                        source = (start, 2 * w if packed else a[1])
                        _columns(lane, out, here, left, source, right, there, part, more, wide, TWO)
                    else:
                        source = (start, w if packed else a[1])
                        _columns(lane, out, here, left, source, right, there, part, more, wide, ONE)
                    i += tall
                j += wide
            top = bottom


def _apart_code(emit, kinds, values):
    if emit.context.target_name == "cuda":
        emit.builder.function.attributes.add("noinline")
    return emit.context.get_dummy_value()


@primitive(lambda: types.none, _apart_code)
def apart():
    """Keep the function that calls this a function on CUDA, where all others become part of their callers."""


@separate_helper
def multiply(lane, out, o, left, a, right, b, rows, depth, columns, add):
    """out (+)= left right; o = (start, pitch of columns), a and b alike; `rows` a multiple of the lane's width."""
    apart()
    _multiply(lane, out, o, left, a, False, right, b, rows, depth, columns, add)


@separate_helper
def multiply_packed(lane, out, o, left, start, right, b, rows, depth, columns, add):
    """The same with `left` packed from `start` on: in bands of `band` vectors, each of them depth first.

    Addresses are known to differ by constants then: 15 % faster for 128 units than a pitch that comes with the call.
    """
    apart()
    _multiply(lane, out, o, left, (start, 0), True, right, b, rows, depth, columns, add)
