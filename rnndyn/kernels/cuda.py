"""The kernels on NVIDIA GPUs: one network a thread, or one a block; memory, streams and devices.

The only module that imports `numba.cuda`, and imported only where a run asks for it. Small networks: a warp takes the
place of a register, a thread that of a number in it; arrays are those of the processor's lanes with a tile of 32, so
that neighbours read side by side, and the kernels are the very functions that run there. Larger ones: a block takes the
place of a team of threads, a warp that of a thread with its registers, and the kernels are those of `dense`.

With NUMBA_ENABLE_CUDASIM=1 set before the import, entries run uncompiled on Numba's simulator, which needs no GPU.
"""

import hashlib
import inspect
import itertools
import threading
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba.core import config, types
from numba.core.compiler_lock import global_compiler_lock

from ..errors import DeviceError
from . import cpu, dense
from .adjoint import adjoint, record
from .arrays import Arrays
from .cache import Cacheable, Tolerant
from .known import Known
from .lane import Lane, earliest
from .memory import load
from .orbit import orbit
from .push import push
from .rows import behind, rows
from .rule import bind
from .tangent import END, SPAN, lyapunov
from .warp import WARP

cuda: Any
MISSING = ""
try:
    from numba import cuda
except ImportError as error:  # numba-cuda without the libraries of its extra
    cuda, MISSING = None, str(error)

SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", 0))
WIDTH = 2 if SIMULATED else WARP  # networks of a tile
THREADS = 4 if SIMULATED else 128  # of a block that has a network in each; not measured yet
BLOCK_WIDTH, PANEL_VECTORS = (1, 3) if SIMULATED else (WARP, 1)  # see `dense_lane`
KERNELS = {"orbit": orbit, "lyapunov": lyapunov, "push": push, "record": record, "adjoint": adjoint}


# --- entries ----------------------------------------------------------------------------------------------------------


def _lanes_entry(kernel, lane, cell, known, width):
    """A kernel for as many networks as the arrays have; lane, cell and known sizes are constants of its code."""

    def entry(scalars, arrays):
        i = cuda.grid(1)
        if i // width < arrays[0].shape[0]:
            kernel(lane, cell, *known, *scalars, *rows(arrays, i // width, i % width, width))

    return entry


def _waiting():
    """What a team of warps waits by: a function where kernels run uncompiled."""
    return (lambda: cuda.syncthreads()) if SIMULATED else None


def _spectrum_entry(lane, cell, width, dtype, near):
    """`dense.lyapunov` for one network a block; `near`: its weights and frame are in shared memory meanwhile."""
    team, kernel = _waiting(), dense.lyapunov

    def entry(sizes, at, first, steps, stride, adapt, transient, arrays):
        thread, threads = cuda.threadIdx.x, cuda.blockDim.x
        (
            theta, u, x, a, da, partials, state, frame, spare, flipped, dots, inverses, before, shifts, marks, squares,
            powers, levels, lost, sums, tally,
        ) = rows(arrays, cuda.blockIdx.x, 0, 1)  # fmt: skip
        total, span = earliest(load(lane, tally, END)), earliest(load(lane, tally, SPAN))
        count = min(steps, total - first)
        if count > 0:
            warp, warps = thread // width, threads // width
            da, dots = behind(da, warp * (len(da) // warps)), behind(dots, warp * (len(dots) // warps))
            weights, vectors = theta, frame
            if near:
                theta = cuda.shared.array(0, dtype)
                frame = behind(theta, len(weights))
                for i in range(thread, len(weights), threads):
                    theta[i] = weights[i]
                for i in range(thread, len(vectors), threads):
                    frame[i] = vectors[i]
                cuda.syncthreads()
            kernel(
                lane, cell, sizes, at, first, count, total, stride, adapt, (span, transient), team, warp, warps, theta,
                u, x, a, da, partials, state, frame, spare, flipped, dots, inverses, before, shifts, marks, squares,
                powers, levels, lost, sums, tally,
            )  # fmt: skip
            if near:
                cuda.syncthreads()
                for i in range(thread, len(vectors), threads):
                    vectors[i] = frame[i]

    return entry


def _path_entry(lane, cell, width, dtype, near):
    """`dense.orbit` for one network a block, of one warp; `near`: its weights are in shared memory meanwhile."""
    kernel = dense.orbit

    def entry(sizes, at, first, steps, stride, keep, arrays):
        thread, threads = cuda.threadIdx.x, cuda.blockDim.x
        theta, u, x, a, state, record = rows(arrays, cuda.blockIdx.x, 0, 1)
        if near:
            weights, theta = theta, cuda.shared.array(0, dtype)
            for i in range(thread, len(weights), threads):
                theta[i] = weights[i]
            cuda.syncthreads()
        kernel(lane, cell, sizes, at, first, steps, stride, keep, theta, u, x, a, state, record)

    return entry


BLOCKS = {"spectrum": _spectrum_entry, "path": _path_entry}


# --- compiled entries -------------------------------------------------------------------------------------------------

_COMPILED: dict[tuple, Any] = {}


def _compiled(make, *constants):
    """The entry of some constants, compiled once for all processes."""
    key = (make.__name__, *(_known_by(constant) for constant in constants))
    if key not in _COMPILED:
        entry = cuda.jit(make(*constants), **OPTIONS)
        if not SIMULATED:
            entry._cache = kept(entry, key)
        _COMPILED[key] = entry
    return _COMPILED[key]


# Numba links all of an entry's functions before NVVM makes PTX: a second optimisation, by nvJitLink where that is
# installed, would take as long again, and run other code than the PTX that tests and the table of registers see.
OPTIONS: dict = {} if SIMULATED else {"lto": False}


def _start(entry_of, blocks, threads, *arguments, shared=0):
    """Launch the entry of (maker, *constants) on this thread's stream; it is compiled first where it has to be.

    One thread at a time, and none while another compiles for the processor: two that bring one kernel to one GPU at
    once trip over each other in numba-cuda, whose lock is another than Numba's. A launch takes microseconds.
    """
    stream = seat().stream
    with global_compiler_lock, _unwarned():
        launch = _compiled(*entry_of)[blocks, threads, stream, shared]
        if shared > USUAL and not SIMULATED:
            launch.pre_launch_callbacks[:] = [_allow_shared]  # numba-cuda gives the same object for the same launch
        launch(*arguments)


@contextmanager
def _unwarned():
    """Without Numba's warning of grids of few blocks: how many networks there are is not chosen for the GPU's sake."""
    loud = config.CUDA_LOW_OCCUPANCY_WARNINGS
    config.CUDA_LOW_OCCUPANCY_WARNINGS = 0
    try:
        yield
    finally:
        config.CUDA_LOW_OCCUPANCY_WARNINGS = loud


USUAL = 48 << 10  # bytes of shared memory that a block gets without asking
RESERVED = 1 << 10  # bytes of it that the system takes of each block


def _allow_shared(kernel, launch):
    """Ask for as much shared memory as the launch takes."""
    from numba.cuda.cudadrv import driver

    function = kernel._codelibrary.get_cufunc()
    size = driver.binding.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    driver.driver.cuKernelSetAttribute(size, launch.sharedmem, function.handle, function.device.id)


def _known_by(constant):
    """A constant of an entry as text that tells it from all others, in every process."""
    return getattr(constant, "digest", None) or getattr(constant, "__qualname__", None) or str(constant)


def kept(entry, key):
    """numba-cuda's cache in our folder (see `cache`), by `key`: that of an entry, not of its closure's bytes."""
    import numba_cuda
    from numba.cuda import dispatcher

    class Implementation(Cacheable, dispatcher.CUDACacheImpl):
        def __init__(self, function):  # files of each entry's own: two processes would give two entries one number
            super().__init__(function)
            self._filename_base += "." + hashlib.sha256(repr(key).encode()).hexdigest()[:16]

    class Cache(Tolerant, dispatcher.CUDACache):
        _impl_class = Implementation

        def _index_key(self, sig, codegen):
            return sig, codegen.magic_tuple(), numba_cuda.__version__, key

    return Cache(entry.py_func)


def _names(function, start):
    return list(inspect.signature(function).parameters)[start:]


def _scalars(kernel):
    """Names of a kernel's integers and tuples of integers, which stand before `theta`; the rest are arrays."""
    names = _names(kernel, 2)
    return names[: names.index("theta")]


def _launch(kernel, lane, cell, given):
    """Run a kernel of lanes on the arguments `given` by name, for as many networks as `theta` has."""
    scalars, tables = _scalars(kernel), _names(kernel, 2)[len(_scalars(kernel)) :]
    known = tuple(given[name] for name in scalars[:3]) if isinstance(given["sizes"], Known) else ()
    blocks = -(-len(given["theta"]) * WIDTH // THREADS)
    numbers = tuple(_number(given[name]) for name in scalars[len(known) :])
    entry = (_lanes_entry, kernel, lane, cell, known, WIDTH)
    _start(entry, blocks, THREADS, numbers, tuple(given[name] for name in tables))


def _number(value):
    return tuple(int(number) for number in value) if isinstance(value, tuple) else int(value)


def _run(function, begin, end, lane, cell, *arguments):
    """Do what a function of `cpu` does, with the same arguments, for all tiles at once; ends when the GPU has."""
    given = dict(zip(_names(function, 4), arguments, strict=True))
    with told():
        for kernel in STEPS[function]:
            if kernel is not record or given.get("forward", True):
                _launch(kernel, lane, cell, given)
        seat().stream.synchronize()


STEPS = {
    cpu.orbits: (orbit,),
    cpu.spectra: (lyapunov,),
    cpu.pushes: (push,),
    cpu.records: (record,),
    cpu.adjoints: (record, adjoint),
}
COMPILED = {function: partial(_run, function) for function in STEPS}


def run_blocks(name, lane, cell, near, warps, numbers, arrays):
    """Run an entry of `BLOCKS` on the arrays, for as many networks as the first has; ends when the GPU has.

    near: bytes of shared memory that a block's weights and frame take, or 0 where they stay in global memory.
    """
    entry = (BLOCKS[name], lane, cell, BLOCK_WIDTH, lane.dtype, near > 0)
    numbers = (_number(number) for number in numbers)
    with told():
        _start(entry, len(arrays[0]), warps * BLOCK_WIDTH, *numbers, tuple(arrays), shared=near)
        seat().stream.synchronize()


# --- devices, streams, memory -----------------------------------------------------------------------------------------

_HERE = threading.local()
_TURN = itertools.count()


def seat():
    """This thread's device and stream: threads take the devices in turn, each its own stream, so that copies of one
    go on while kernels of another run."""
    if not hasattr(_HERE, "seat"):
        number = next(_TURN) % devices()
        cuda.select_device(number)
        _HERE.seat = SimpleNamespace(device=number, stream=cuda.stream())
    return _HERE.seat


def devices():
    """How many GPUs there are."""
    return len(cuda.gpus)


def speed():
    """(compute capability, multiprocessors, clock in Hz) of the first GPU; makes no context on it."""
    device = cuda.gpus[0]
    return device.compute_capability, device.MULTIPROCESSOR_COUNT, 1000.0 * device.CLOCK_RATE


def shared_bytes(warps):
    """Bytes of shared memory that a block of so many warps may take.

    Four warps then fit on a multiprocessor, half of those for which it has 255 registers a thread; not measured yet.
    """
    if SIMULATED:
        return USUAL
    device = cuda.get_current_device()
    fits = device.MAX_SHARED_MEMORY_PER_MULTIPROCESSOR * min(warps, 4) // 4 - RESERVED
    return min(fits, device.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)


def free_bytes():
    """Bytes that are free on the fullest GPU."""
    if SIMULATED:
        return 1 << 30
    with told():
        return min(_free(number) for number in range(devices()))


def _free(number):
    with cuda.gpus[number]:
        return cuda.current_context().get_memory_info().free


# Modules whose exceptions are reports of the driver, of a library of CUDA or of their absence: `CudaDriverError`,
# `NvvmError`, `CCSupportError`, `LinkerError` in the one, `CUDAError`, `nvJitLinkError`, `FunctionNotFoundError` ...
NVIDIA = ("numba.cuda.cudadrv", "cuda.")


@contextmanager
def told():
    """Raises DeviceError, with a sentence, for what the driver or a library of CUDA reports."""
    try:
        yield
    except Exception as error:
        if not any(kind.__module__.startswith(NVIDIA) for kind in type(error).__mro__):
            raise
        text = " ".join(str(error).split())
        if "OUT_OF_MEMORY" in text or "out of memory" in text:
            text = "its memory is full"
        raise DeviceError(f"the GPU could not do it: {text}; device='cpu' does it without one.") from error


SMALL = 1 << 14  # numbers that are copied as soon as written there


class Memory(Arrays):
    """A run's arrays on the GPU of the thread that asks."""

    def parts(self, parts, count, size):
        return self._there(super().parts(parts, count, size))

    def common(self, row):
        return self._there(np.repeat(np.asarray(row, self.dtype), self.width)[None])

    def zeros(self, tiles, size):
        return self._filled(tiles, size, 0.0)

    def ones(self, tiles, size):
        return self._filled(tiles, size, 1.0)

    def empty(self, tiles, size):
        return self.scratch(tiles, size)

    def scratch(self, tiles, size):
        with told():
            return cuda.device_array((tiles, size * self.width), self.dtype, stream=seat().stream)

    def fetch(self, array):
        with told():
            found = array.copy_to_host(stream=seat().stream)
            seat().stream.synchronize()
            return found

    def sort(self, array, order, size=None):
        tiles, length = array.shape
        order = np.concatenate([order, np.full(tiles * self.width - len(order), order[-1])])
        with told():
            copy = self.kept(array, 0, tiles)
            there = self._there(order)
            self._each(_sort, tiles * self.width, copy, there, size or length // self.width, self.width, array)

    def kept(self, array, begin, end):
        copy = self.scratch(len(array), array.shape[1] // self.width)
        self.restore(copy, begin, end, array)
        return copy

    def restore(self, array, begin, end, copy):
        with told():
            array.copy_to_device(copy, stream=seat().stream)

    def _there(self, array):
        """A copy on the GPU, done: where a GPU reads main memory by itself, `array` must live until then."""
        with told():
            copy = cuda.to_device(array, stream=seat().stream)
            seat().stream.synchronize()
            return copy

    def _filled(self, tiles, size, value):
        if tiles * size * self.width < SMALL:
            return self._there(np.full((tiles, size * self.width), value, self.dtype))
        array = self.scratch(tiles, size)
        with told():
            self._each(_fill, array.size, value, array)
        return array

    def _each(self, function, count, *arguments):
        """`function` once for each of `count` places."""
        _start((_elementwise, function), -(-count // THREADS), THREADS, count, arguments)


def _elementwise(function):
    function = cuda.jit(device=True)(function)

    def entry(count, arguments):
        i = cuda.grid(1)
        if i < count:
            function(i, *arguments)

    return entry


def _fill(i, value, array):
    array[i // array.shape[1], i % array.shape[1]] = value


def _sort(i, source, order, size, width, target):
    """Lane i of a target's tile becomes lane order[i] of the source's."""
    for k in range(size):
        target[i // width, k * width + i % width] = source[order[i] // width, k * width + order[i] % width]


def place(dtype, dense_path):
    """(lane, networks of a tile, memory) of a run: one network a thread, or a block."""
    if dense_path:
        return Lane(dtype, 1, 1, BLOCK_WIDTH), 1, Memory(1, dtype)
    return Lane(dtype, 1, 1 if SIMULATED else WARP), WIDTH, Memory(WIDTH, dtype)


def available():
    """(whether a GPU can be used, its name or why there is none)."""
    if SIMULATED:
        return False, "Numba's simulator stands in for a GPU (NUMBA_ENABLE_CUDASIM is set)"
    if cuda is None or not find_spec("numba_cuda"):
        return False, MISSING or "numba-cuda is not installed (the extra `cuda` of rnndyn)"
    try:
        if not cuda.is_available():
            return False, " ".join(str(cuda.cuda_error() or "the compiler NVVM cannot be found").split())
        return True, cuda.gpus[0].name  # which makes no context, for which another process may leave no room
    except Exception as error:  # a driver older than the libraries, say: whatever it is, there is no GPU to use
        return False, " ".join(f"{type(error).__name__}: {error}".split())


# --- PTX without a driver ---------------------------------------------------------------------------------------------

# of a kernel's `sizes`, `room`
LENGTHS = {"orbit": (4, 4), "lyapunov": (6, 9), "push": (6, 7), "record": (10, 4), "adjoint": (10, 4)}
TUPLES = {"at": 5, "batch": 2}


def ptx(cell, kernel, dtype="float64", compute_capability=(9, 0), known=(), near=False, optimised=True):
    """The PTX of a kernel (a name of `KERNELS` or `BLOCKS`) for a cell; needs neither GPU nor driver.

    known: its `sizes`, `at` and `room` where it is compiled for the very sizes. near: see `run_blocks`. Not `optimised`
    takes half the time, and tells as well whether a kernel compiles.
    """
    integer, element = types.int64, types.float64 if dtype == "float64" else types.float32
    array = types.Array(element, 2, "C")
    if kernel in BLOCKS:
        lane, bound = Lane(dtype, 1, 1, WARP), bind(cell)
        entry = BLOCKS[kernel](lane, bound, WARP, lane.dtype, near)
        sizes, arrays = (8, 21) if kernel == "spectrum" else (5, 6)
        numbers = [integer] * (5 if kernel == "spectrum" else 4)
        signature = (
            types.UniTuple(integer, sizes),
            types.UniTuple(integer, 6),
            *numbers,
            types.UniTuple(array, arrays),
        )
    else:
        function, lengths = KERNELS[kernel], TUPLES | dict(zip(("sizes", "room"), LENGTHS[kernel], strict=True))
        names = _scalars(function)
        scalars = [types.UniTuple(integer, lengths[name]) if name in lengths else integer for name in names]
        arrays = types.UniTuple(array, len(_names(function, 2)) - len(names))
        known = tuple(Known(numbers) for numbers in known)
        entry = _lanes_entry(function, Lane(dtype, 1, WARP), bind(cell), known, WARP)
        signature = (types.Tuple(scalars[len(known) :]), arrays)
    with _device(compute_capability):
        code, _ = cuda.compile_ptx(entry, signature, cc=compute_capability, opt=optimised)
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
