"""What a thread of a GPU gets of a kernel's arrays: views of the rows that belong to its networks."""

from numba.core import cgutils, types

from .primitive import primitive


def _rows_result(arrays, i, place, width):
    return types.UniTuple(types.Array(arrays[0].dtype, 1, "C"), len(arrays))


def _view(emit, kind, base, skipped, count):
    """A C-contiguous 1-D array of `count` numbers, `skipped` behind the first one of another array."""
    view = emit.context.make_array(kind)(emit.context, emit.builder)
    view.meminfo, view.parent = (cgutils.get_null_value(v.type) for v in (view.meminfo, view.parent))
    view.nitems, view.itemsize = count, base.itemsize
    view.shape, view.strides = (cgutils.pack_array(emit.builder, [v]) for v in (count, base.itemsize))
    view.data = emit.builder.gep(base.data, [skipped])
    return view._getvalue()


def _rows_code(emit, kinds, values):
    b, result = emit.builder, _rows_result(*kinds)
    i = emit.context.cast(b, values[1], kinds[1], types.intp)
    views = []
    for k, kind in enumerate(kinds[0]):
        array = emit.context.make_array(kind)(emit.context, b, emit.item(values[0], k))
        rows, size = (emit.item(array.shape, axis) for axis in (0, 1))
        row = b.select(b.icmp_signed(">", rows, rows.type(1)), i, i.type(0))
        views.append(_view(emit, result.dtype, array, b.mul(row, size), size))
    return emit.tuple(result, views)


@primitive(_rows_result, _rows_code)
def rows(arrays, i, place, width):
    """Row i of each of the arrays, or the only one: the numbers of a tile, of which a thread reads its own."""
    return tuple(array[i if array.shape[0] > 1 else 0, place::width] for array in arrays)


def _behind_code(emit, kinds, values):
    view = emit.context.make_array(kinds[0])(emit.context, emit.builder, values[0])
    begin = emit.context.cast(emit.builder, values[1], kinds[1], types.intp)
    return _view(emit, kinds[0], view, begin, emit.builder.sub(view.nitems, begin))


@primitive(lambda view, begin: view if isinstance(view, types.Array) else None, _behind_code)
def behind(view, begin):
    """A view from element `begin` on."""
    return view[begin:]
