"""Elements of memory: views of arrays, and a kernel's own memory, which no one else can see.

An element is one lane wide; of a lane spread over threads, each has its own number. Networks of a few units are copied
into memory of the kernel's own while it works on them: its size is known when the kernel is compiled, so that loops
unroll over it and what fits stays in registers (nothing that is stored can be another array's element).
"""

from numba.core import cgutils, types
from numba.extending import models, register_model

from . import warp
from .known import KnownType
from .lane import KindType, splat
from .machine import register_bits
from .primitive import primitive, register


class OwnType(types.Type):
    """The type of `size` lanes of a kernel's own memory; its value is their address."""

    def __init__(self, lane, size):
        self.lane, self.size = lane, size
        super().__init__(name=f"own({lane}, {size})")


@register_model(OwnType)
class _OwnModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, manager[kind.lane].get_value_type().as_pointer())


def is_view(kind):
    """Whether a kernel can load and store elements of this type."""
    if isinstance(kind, OwnType):
        return True
    array = isinstance(kind, types.Array) and kind.ndim == 1 and kind.layout == "C"
    return array and isinstance(kind.dtype, types.Float)


def address(emit, kind, array_kind, array, index_kind, index):
    """Pointer to (this thread's part of) element `index` of a view."""
    b = emit.builder
    index = emit.context.cast(b, index, index_kind, types.intp)
    if isinstance(array_kind, OwnType):
        return b.bitcast(b.gep(array, [index]), emit.type(kind.lane).as_pointer())
    view = emit.context.make_array(array_kind)(emit.context, b, array)
    index = b.mul(index, index.type(kind.unit))
    if kind.lane.threads > 1:
        index = b.add(index, warp.thread(b))
    return b.bitcast(b.gep(view.data, [index]), emit.type(kind.lane).as_pointer())


def written(emit, kind, pairs):
    """Store (value, pointer) pairs; where threads of a warp work on one network, in the order of the text."""
    b = emit.builder
    if not kind.joint:
        for value, pointer in pairs:
            b.store(value, pointer, align=alignment(kind))
        return
    warp.meet(b)  # all have read what stood there
    if kind.alike > 1:
        with b.if_then(b.icmp_unsigned("==", warp.thread(b), warp.I64(0))):
            for value, pointer in pairs:
                b.store(value, pointer, align=alignment(kind))
    else:
        for value, pointer in pairs:
            b.store(value, pointer, align=alignment(kind))
    warp.meet(b)


def alignment(kind):
    """What loads and stores may count on, in bytes: a number's size."""
    return kind.lane.dtype.bitwidth // 8


def _load_code(emit, kinds, values):
    pointer = address(emit, kinds[0], kinds[1], values[1], kinds[2], values[2])
    return emit.builder.load(pointer, align=alignment(kinds[0]))


@primitive(lambda lane, view, i: lane.lane if isinstance(lane, KindType) and is_view(view) else None, _load_code)
def load(lane, view, i):
    """Element i of a view: `width` neighbouring numbers. Views are 1-D; indices are not checked."""
    return view[i]


def _store_code(emit, kinds, values):
    pointer = address(emit, kinds[0], kinds[1], values[1], kinds[2], values[2])
    value = splat(emit, kinds[0].lane, values[3], kinds[3])
    written(emit, kinds[0], [(value, pointer)])
    return emit.context.get_dummy_value()


@primitive(
    lambda lane, view, i, value: types.none if isinstance(lane, KindType) and is_view(view) else None, _store_code
)
def store(lane, view, i, value):
    """Set element i of a view."""
    view[i] = value


def _copy(emit, kind, size, source_kind, source, target_kind, target):
    for i in range(size):
        index = emit.context.get_constant(types.intp, i)
        places = (
            address(emit, kind, *view, types.intp, index) for view in ((source_kind, source), (target_kind, target))
        )
        begin, end = places
        emit.builder.store(emit.builder.load(begin, align=alignment(kind)), end, align=alignment(kind))


def own(lane, view, room, i):
    """The first room[i] elements of a view in a kernel's own memory, if `room` is known; else the view itself."""
    return view


def fresh(lane, view, room, i):
    """The same, but for what stands in it: of a view that the kernel fills."""
    return view


def _own_result(lane, view, room, i):
    if not isinstance(lane, KindType):
        return None
    if not isinstance(room, KnownType):
        return view
    return OwnType(lane.lane, room.numbers[i.literal_value]) if isinstance(i, types.IntegerLiteral) else None


def _fresh_code(emit, kinds, values):
    result = _own_result(*kinds)
    if not isinstance(result, OwnType):
        return values[1]
    return cgutils.alloca_once(emit.builder, emit.type(result.lane), size=result.size)


def _own_code(emit, kinds, values):
    result, memory = _own_result(*kinds), _fresh_code(emit, kinds, values)
    if isinstance(result, OwnType):
        _copy(emit, kinds[0], result.size, kinds[1], values[1], result, memory)
    return memory


register(own, _own_result, _own_code, (types.VarArg(types.Any),), literal=True)
register(fresh, _own_result, _fresh_code, (types.VarArg(types.Any),), literal=True)


def _give_back_code(emit, kinds, values):
    if isinstance(kinds[2], OwnType):
        _copy(emit, kinds[0], kinds[2].size, kinds[2], values[2], kinds[1], values[1])
    return emit.context.get_dummy_value()


@primitive(lambda lane, view, mine: types.none if isinstance(lane, KindType) else None, _give_back_code)
def give_back(lane, view, mine):
    """Write what `own` gave back into the view that it came from."""


# --- several units at once: a rule mixes neither units nor networks, so that neighbours make one wider lane -----------

SEVERAL = 2  # registers that the values of one gate fill


def _breadth(kind):
    registers = kind.lane.width * kind.lane.dtype.bitwidth // register_bits()
    return SEVERAL // registers if kind.lane.width > 1 and 0 < registers < SEVERAL else 1


def _breadth_code(emit, kinds, values):
    return emit.context.get_constant(types.intp, _breadth(kinds[0]))


@primitive(lambda lane: types.intp if isinstance(lane, KindType) else None, _breadth_code)
def breadth(lane):
    """How many neighbouring units a rule takes at once: its long chains of operations wait for each other otherwise."""
    return 1


def _broad_result(lane):
    if not isinstance(lane, KindType):
        return None
    return KindType(lane.lane.dtype, lane.lane.width * _breadth(lane), lane.unit)


@primitive(_broad_result, lambda emit, kinds, values: emit.context.get_dummy_value())
def broad(lane):
    """The lane of `breadth(lane)` neighbouring elements of memory."""
    return lane
