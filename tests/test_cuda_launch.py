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
