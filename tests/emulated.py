"""A GPU that is not there: `device="cuda"` whose kernels are compiled to PTX and run by the tests' emulator of it.

All of the package is the real thing, from the public function to the arguments of each launch; only what numba-cuda
itself does on a GPU (memory, streams, launches) is done here, in NumPy.
"""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from ptx import Program, numba_arguments

CAPABILITY = (9, 0)


class DeviceArray(np.ndarray):
    """An array "on the GPU": read and written by copies only."""

    def copy_to_host(self, stream):
        return np.array(self)

    def copy_to_device(self, new, stream):
        assert new.dtype == self.dtype
        self[...] = new


class Entry:
    """A compiled entry: `entry[grid, block, stream, shared](...)`."""

    def __init__(self, device, function):
        self.device, self.function, self.programs = device, function, {}

    def __getitem__(self, launch):
        grid, block, _, shared = (*launch, 0)[:4]

        def run(*arguments):
            signature = tuple(kind(argument) for argument in arguments)
            if signature not in self.programs:
                self.programs[signature] = Program(self.device.compile(self.function, signature))
            program = self.programs[signature]
            program.launch(grid, block, numba_arguments(*arguments), shared, races=self.device.races, limit=10**8)
            self.device.instructions += program.instructions

        run.pre_launch_callbacks = []
        return run


class Emulated:
    """Stands for the module `numba.cuda` while kernels run."""

    def __init__(self, real, module, races):
        self.real, self.module, self.races = real, module, races
        self.instructions = 0
        self.gpus = [self]

    def compile(self, function, signature):
        self.module.cuda = self.real  # what the entry's text calls
        try:
            with self.module._device(CAPABILITY):
                return self.real.compile_ptx(function, signature, cc=CAPABILITY)[0]
        finally:
            self.module.cuda = self

    def jit(self, function=None, device=False):
        return self.real.jit(device=True) if device else Entry(self, function)

    def to_device(self, array, stream):
        return np.array(array).view(DeviceArray)

    def device_array(self, shape, dtype, stream):
        return np.full(shape, np.nan, dtype).view(DeviceArray)  # what is read before it is written shows

    def stream(self):
        return SimpleNamespace(synchronize=lambda: None)

    def select_device(self, number):
        assert number == 0

    def get_current_device(self):
        return SimpleNamespace(compute_capability=CAPABILITY, MAX_SHARED_MEMORY_PER_MULTIPROCESSOR=233472)

    def current_context(self):
        return SimpleNamespace(get_memory_info=lambda: SimpleNamespace(free=1 << 30))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def kind(value):
    """The Numba type of an argument."""
    from numba.core import types

    if isinstance(value, np.ndarray):
        return types.Array(getattr(types, value.dtype.name), value.ndim, "C")
    if isinstance(value, tuple):
        return types.Tuple([kind(item) for item in value])
    return types.float64 if isinstance(value, float) else types.int64


@contextmanager
def emulated(races=False):
    """Let `device="cuda"` be an emulated GPU."""
    from rnndyn.kernels import cuda, devices

    real, available, workers = cuda.cuda, cuda.available, devices.WORKERS
    device = Emulated(real, cuda, races)
    cuda.cuda, cuda.available, devices.WORKERS = device, lambda: (True, "an emulated GPU"), 1
    kept, cuda.kept = cuda.kept, lambda entry, key: None
    compiled, cuda._COMPILED = cuda._COMPILED, {}
    try:
        yield device
    finally:
        cuda.cuda, cuda.available, devices.WORKERS, cuda.kept, cuda._COMPILED = real, available, workers, kept, compiled
        cuda._HERE.__dict__.clear()
