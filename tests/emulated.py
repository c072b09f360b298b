"""CUDA without a GPU: kernels compiled by Numba without a driver and run by the PTX emulator, called as on a GPU.

To be imported in a process of its own, as real compilation and Numba's simulator cannot share one.
"""

from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import numpy as np
from numba.core import types
from ptx import Program, numba_arguments

from rnndyn.kernels import cuda as ours
from rnndyn.kernels import devices

CAPABILITY = (9, 0)
NAME = "an emulated GPU"


def kind(value):
    """The Numba type of a kernel's argument."""
    if isinstance(value, np.ndarray):
        return types.Array(getattr(types, value.dtype.name), value.ndim, "C")
    if isinstance(value, tuple):
        return types.Tuple([kind(item) for item in value])
    return types.float64 if isinstance(value, float) else types.int64


class Entry:
    """What `cuda.jit(function)` is: entry[blocks, threads, stream, shared](*arguments), arrays being NumPy's.

    Compiled once for each types of arguments; `program` is what ran last. See `Program.launch` for races and limit.
    """

    def __init__(self, function, races=False, limit=10**8):
        self.function, self.options = function, {"races": races, "limit": limit}
        self.programs, self.program = {}, None

    def __getitem__(self, configuration):
        blocks, threads, *rest = configuration
        run = partial(self._launch, blocks, threads, rest[1] if len(rest) > 1 else 0)
        run.pre_launch_callbacks = []
        return run

    def _launch(self, blocks, threads, shared, *arguments):
        signature = tuple(kind(argument) for argument in arguments)
        if signature not in self.programs:
            self.programs[signature] = Program(compiled(self.function, signature))
        self.program = self.programs[signature]
        self.program.launch(blocks, threads, numba_arguments(*arguments), shared=shared, **self.options)


def compiled(function, signature):
    """PTX of an entry; its text calls Numba's `cuda`, whatever stands for it meanwhile."""
    stand_in, ours.cuda = ours.cuda, REAL
    try:
        with ours._device(CAPABILITY):
            return REAL.compile_ptx(function, signature, cc=CAPABILITY)[0]
    finally:
        ours.cuda = stand_in


REAL = ours.cuda


class DeviceArray(np.ndarray):
    """An array "on the GPU"."""

    def copy_to_host(self, stream):
        return np.array(self)

    def copy_to_device(self, new, stream):
        assert new.dtype == self.dtype
        self[...] = new


class GPU:
    """Stands for the module `numba.cuda`: memory and launches in NumPy."""

    def __init__(self, races):
        self.races, self.gpus, self.copies = races, [self], 0

    def jit(self, function=None, device=False, lto=False):
        return REAL.jit(device=True) if device else Entry(function, self.races)

    def to_device(self, array, stream):
        self.copies += 1
        return np.array(array).view(DeviceArray)

    def device_array(self, shape, dtype, stream):
        return np.full(shape, np.nan, dtype).view(DeviceArray)  # what is read before it is written shows

    def stream(self):
        return SimpleNamespace(synchronize=lambda: None)

    def select_device(self, number):
        assert number == 0

    def get_current_device(self):
        return SimpleNamespace(
            compute_capability=CAPABILITY,
            MAX_SHARED_MEMORY_PER_MULTIPROCESSOR=228 << 10,
            MAX_SHARED_MEMORY_PER_BLOCK_OPTIN=227 << 10,
        )

    def current_context(self):
        return SimpleNamespace(get_memory_info=lambda: SimpleNamespace(free=1 << 30))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@contextmanager
def emulated(races=False):
    """Let `device="cuda"` be an emulated GPU: all of the package is the real thing, up to numba-cuda's own part."""
    stands = {
        "cuda": GPU(races),
        "available": lambda: (True, NAME),
        "kept": lambda entry, key: None,
        "_COMPILED": {},
    }
    real, workers = {name: getattr(ours, name) for name in stands}, devices.WORKERS
    devices.WORKERS = 1  # compiling swaps the module's `cuda`
    for name, stand_in in stands.items():
        setattr(ours, name, stand_in)
    try:
        yield stands["cuda"]
    finally:
        devices.WORKERS = workers
        for name, thing in real.items():
            setattr(ours, name, thing)
