"""Launches up to the driver, by numba-cuda's own objects: what no GPU is needed for, and neither emulator nor simulator
has."""

import warnings
from types import SimpleNamespace

from cuda_support import finish, need_compiler, start

SHARED = 100 << 10


def _launches(calls):
    """Let launches on an invented stream end before the driver is asked, in `calls`."""
    from numba.cuda import dispatcher
    from numba.cuda.cudadrv import driver

    from rnndyn.kernels import cuda

    place = SimpleNamespace(stream=driver.Stream(driver.binding.CUstream(5)))
    cuda.seat = lambda: place
    dispatcher.CUDADispatcher.call = lambda self, arguments, launch: calls.append((self, arguments, launch))
    return cuda


def run_launches():
    need_compiler()
    calls = []
    cuda = _launches(calls)
    warnings.simplefilter("error")
    for _ in range(3):
        cuda._start((cuda._elementwise, cuda._fill), 2, 128, 7, (0.0, None), shared=SHARED)
    for entry, arguments, launch in calls:
        assert arguments == (7, (0.0, None))
        assert (launch.griddim, launch.blockdim, launch.sharedmem) == ((2, 1, 1), (128, 1, 1), SHARED)
        assert int(launch.stream.handle) == 5
        assert launch.pre_launch_callbacks == [cuda._allow_shared], "asked once a launch, however many there were"
        assert entry.targetoptions["lto"] is False
    assert len({entry for entry, *_ in calls}) == 1
    assert cuda.config.CUDA_LOW_OCCUPANCY_WARNINGS, "other people's warnings are theirs"


def test_a_launch_of_few_blocks_warns_nobody_and_asks_once_for_its_memory():
    finish(start("test_cuda_launch", "run_launches()"))


def run_caches():
    need_compiler()
    from numba.cuda import dispatcher

    from rnndyn.kernels import cuda
    from rnndyn.kernels.cache import folder

    entries = [cuda._compiled(cuda._elementwise, function) for function in (cuda._fill, cuda._sort)]
    paths = {entry._cache._cache_file._index_path for entry in entries}
    assert len(paths) == 2, "two processes that compile one each would write to one file"
    for entry in entries:
        assert isinstance(entry._cache, dispatcher.CUDACache)
        assert entry._cache.cache_path == str(folder())
        assert not entry._cache.is_launch_config_sensitive()


def test_entries_are_kept_in_files_of_their_own():
    finish(start("test_cuda_launch", "run_caches()"))


def run_arguments():
    need_compiler()
    import numpy as np
    from numba import cuda
    from numba.cuda import dispatcher
    from numba.cuda.cudadrv import devicearray, driver
    from ptx import numba_arguments

    devicearray.devices.get_context = lambda: SimpleNamespace()
    address = 4096

    def there(array):
        memory = driver.MemoryPointer(None, driver.binding.CUdeviceptr(address), array.nbytes) if array.size else None
        return devicearray.DeviceNDArray(array.shape, array.strides, array.dtype, gpu_data=memory)

    shapes = (3, 64), (3, 0), (1, 32), (5, 1), (1, 1)
    numbers, arrays = ((1, 2, 3), (4, 5), 7, 0), tuple(np.zeros(shape, np.float32) for shape in shapes)
    entry = cuda.jit(lambda numbers, arrays: None)
    on_gpu = numbers, tuple(there(array) for array in arrays)
    kinds = [entry.typeof_pyval(argument) for argument in on_gpu]
    assert len(set(kinds[1])) == 1, "an array without numbers is of the same type: the kernel is not compiled anew"

    kernel, found = SimpleNamespace(extensions=[]), []
    kernel._prepare_args = lambda *rest: dispatcher._Kernel._prepare_args(kernel, *rest)
    for kind, argument in zip(kinds, on_gpu, strict=True):
        kernel._prepare_args(kind, argument, None, [], found)
    found = [getattr(value, "value", value) for value in found]
    expected = []
    for value in numba_arguments(numbers, arrays):
        if isinstance(value, np.ndarray):
            value = address if value.size else 0
        expected.append(value or 0)
    assert [found[k] for k in range(len(found)) if expected[k]] == [value for value in expected if value]
    assert len(found) == len(expected)


def test_arguments_are_those_that_the_emulator_takes():
    finish(start("test_cuda_launch", "run_arguments()"))
