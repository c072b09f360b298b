"""The kernels on CUDA: one network a thread, every array (elements, threads), so that neighbours read side by side.

The only module that imports `numba.cuda`, and imported only where a run asks for it. The kernels are the very functions
that run on lanes, here of width 1: one entry serves them all, a thread passes them its own columns of the arrays. With
NUMBA_ENABLE_CUDASIM=1 set before the import, the entry runs uncompiled on Numba's simulator, which needs no GPU.
"""

import inspect
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba.core import cgutils, config, types

from . import cpu
from .adjoint import adjoint, record
from .lane import Lane
from .orbit import orbit
from .primitive import primitive
from .push import push
from .rule import bind
from .tangent import lyapunov

cuda: Any
MISSING = ""
try:
    from numba import cuda
except ImportError as error:  # numba-cuda without the libraries of its extra
    cuda, MISSING = None, str(error)

THREADS = 64  # threads in a block
KERNELS = {"orbit": orbit, "lyapunov": lyapunov, "push": push, "record": record, "adjoint": adjoint}


# --- the entry --------------------------------------------------------------------------------------------------------


def _columns_result(arrays, i):
    return types.UniTuple(types.Array(arrays[0].dtype, 1, "A"), len(arrays))


def _columns_code(emit, kinds, values):
    b, result = emit.builder, _columns_result(*kinds)
    i = emit.context.cast(b, values[1], kinds[1], types.intp)
    views = []
    for k, kind in enumerate(kinds[0]):
        array = emit.context.make_array(kind)(emit.context, b, emit.item(values[0], k))
        view = emit.context.make_array(result.dtype)(emit.context, b)
        view.meminfo, view.parent = (cgutils.get_null_value(v.type) for v in (view.meminfo, view.parent))
        view.nitems, view.itemsize = emit.item(array.shape, 0), array.itemsize
        view.shape, view.strides = (cgutils.pack_array(b, [emit.item(v, 0)]) for v in (array.shape, array.strides))
        view.data = b.gep(array.data, [i])
        views.append(view._getvalue())
    return emit.tuple(result, views)


@primitive(_columns_result, _columns_code)
def columns(arrays, i):
    """Column i of each of the arrays, which are C-contiguous."""
    return tuple(array[:, i] for array in arrays)


def _entry(kernel, lane, cell):
    """A kernel for as many threads as the arrays have columns; lane and cell are constants of its code."""

    def entry(scalars, arrays):
        i = cuda.grid(1)
        if i < arrays[0].shape[1]:
            kernel(lane, cell, *scalars, *columns(arrays, i))

    return entry


def _scalars(kernel):
    """Names of a kernel's integers and tuples of integers, which stand before `theta`; the rest are arrays."""
    names = _names(kernel, 2)
    return names[: names.index("theta")]


def _names(function, start):
    return list(inspect.signature(function).parameters)[start:]


# --- runs -------------------------------------------------------------------------------------------------------------

_ENTRIES: dict[tuple, Any] = {}  # (kernel, cell's digest, dtype) -> its entry


def _launch(kernel, lane, cell, arguments):
    """Run a kernel on the `arguments`, by name, as many threads as they have columns."""
    key = kernel, cell.digest, lane.dtype
    if key not in _ENTRIES:
        _ENTRIES[key] = cuda.jit(_entry(kernel, lane, cell))
    names, scalars = _names(kernel, 2), _scalars(kernel)
    blocks = -(-arguments["theta"].shape[1] // THREADS)
    taken = [arguments[name] for name in names]
    _ENTRIES[key][blocks, THREADS](tuple(taken[: len(scalars)]), tuple(taken[len(scalars) :]))


def _run(function, begin, end, lane, cell, *arguments):
    """Do what a function of `cpu` does, points being tiles of one lane: same arguments, same results in place.

    Rows of 2-D arrays are the points' own and become columns; 1-D arrays are scratch or common to all points: each
    thread has a copy.
    """
    names = _names(function, 4)
    there = {name: _there(argument, begin, end) for name, argument in zip(names, arguments, strict=True)}
    for kernel in STEPS[function]:
        if kernel is not record or there.get("forward", True):
            _launch(kernel, lane, cell, there)
    for name, argument in zip(names, arguments, strict=True):
        if not isinstance(argument, np.ndarray) or not argument.flags.writeable:
            continue
        if argument.ndim == 2:
            argument[begin:end] = there[name].T
        else:
            argument[:] = there[name][:, -1]  # the last point's, as on the CPU: a run in parts goes on with it


def _there(argument, begin, end):
    """An argument as the entry takes it: (elements, threads), integers, tuples of integers."""
    if isinstance(argument, tuple):
        return tuple(argument)
    if not isinstance(argument, np.ndarray):
        return int(argument)
    if argument.ndim == 1:
        return np.repeat(argument[:, None], end - begin, axis=1)
    return np.ascontiguousarray(argument[begin:end].T)


STEPS = {
    cpu.orbits: (orbit,),
    cpu.spectra: (lyapunov,),
    cpu.pushes: (push,),
    cpu.records: (record,),
    cpu.adjoints: (record, adjoint),
}
COMPILED = {function: partial(_run, function) for function in STEPS}


def available():
    """(whether a GPU can be used, its name or why there is none)."""
    if getattr(config, "ENABLE_CUDASIM", 0):
        return False, "Numba's simulator stands in for a GPU (NUMBA_ENABLE_CUDASIM is set)"
    if cuda is None or not find_spec("numba_cuda"):
        return False, MISSING or "numba-cuda is not installed (the extra `cuda` of rnndyn)"
    if not cuda.is_available():
        return False, " ".join(str(cuda.cuda_error() or "the compiler NVVM cannot be found").split())
    name = cuda.get_current_device().name
    return True, name.decode() if isinstance(name, bytes) else name


# --- PTX without a driver ---------------------------------------------------------------------------------------------

# of a kernel's `sizes`, `room`
LENGTHS = {"orbit": (4, 4), "lyapunov": (6, 9), "push": (6, 7), "record": (10, 4), "adjoint": (10, 4)}
TUPLES = {"at": 5, "batch": 2}


def ptx(cell, kernel, dtype="float64", compute_capability=(9, 0)):
    """The PTX of a kernel (a name of `KERNELS`) for a cell; needs neither GPU nor driver."""
    function, lengths = KERNELS[kernel], TUPLES | dict(zip(("sizes", "room"), LENGTHS[kernel], strict=True))
    names, integer = _scalars(function), types.int64
    scalars = [types.UniTuple(integer, lengths[name]) if name in lengths else integer for name in names]
    array = types.Array(types.float64 if dtype == "float64" else types.float32, 2, "C")
    arrays = types.UniTuple(array, len(_names(function, 2)) - len(names))
    entry = _entry(function, Lane(dtype), bind(cell))
    with _device(compute_capability):
        code, _ = cuda.compile_ptx(entry, (types.Tuple(scalars), arrays), cc=compute_capability)
    return code


@contextmanager
def _device(compute_capability):
    """A stand-in for the current device, which Numba asks for its capability when it compiles a device function."""
    from numba.cuda import dispatcher

    real = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=compute_capability)
    try:
        yield
    finally:
        dispatcher.get_current_device = real
