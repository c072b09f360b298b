"""GPUs: whether one pays, and how the points of a run are shared out among them."""

import numpy as np

from .budget import budget
from .machine import threads as available_threads

WORKERS = 2  # threads of a GPU: while one's kernels run, the other one packs and copies
FILL = 1 << 17  # networks from which on a large GPU has enough to do
SHARE = 0.8  # of the free memory
HOST = 4  # copies of a point's numbers that a chunk holds in main memory, as float64

# Fused multiply-adds a clock of a multiprocessor, float64 and float32, by compute capability, without tensor cores.
# Source: CUDA C++ Programming Guide, "Throughput of native arithmetic instructions".
FMAS = {
    (5, 0): (4, 128), (5, 2): (4, 128), (6, 0): (32, 64), (6, 1): (4, 128), (7, 0): (32, 64), (7, 5): (2, 64),
    (8, 0): (32, 64), (8, 6): (2, 128), (8, 9): (2, 128), (9, 0): (64, 128), (10, 0): (64, 128), (10, 3): (2, 128),
    (12, 0): (2, 128),
}  # fmt: skip

# Guesses, to be replaced by measurements on a GPU: seconds until a GPU's first step (context, compiling), the part of
# its peak that kernels reach, and multiply-adds a second of a core.
BEGINNING, REACHED, CORE = 20.0, 0.1, 1e10


def peak(dtype, capability, multiprocessors, clock):
    """Fused multiply-adds a second of a GPU; clock in Hz. An unknown capability counts as the one before it."""
    known = [key for key in FMAS if key <= tuple(capability)] or [min(FMAS)]
    return FMAS[max(known)][dtype == "float32"] * multiprocessors * clock


def choose(dtype, multiply_adds, threads=None):
    """("cuda" or "cpu", why) for a run of so many multiply-adds: the one that ends sooner, by a rough count."""
    if multiply_adds / CORE < BEGINNING:  # not even asked for: its context takes a second
        return "cpu", ""
    from . import cuda

    found, name = cuda.available()
    if not found:
        return "cpu", f"no GPU: {name}"
    there = BEGINNING + multiply_adds / (REACHED * peak(dtype, *cuda.speed()) * cuda.devices())
    here = multiply_adds / (CORE * (threads or available_threads()))
    return ("cuda", "") if there < here else ("cpu", f"by a rough count sooner than {name}")


def usable():
    """(whether `device="cuda"` can be used, the GPU's name or why not); also Numba's simulator, where asked for."""
    from . import cuda

    return (True, cuda.available()[1]) if cuda.SIMULATED else cuda.available()


def shares(run, count, values):
    """(ranges of points, threads that take them) of a run on all GPUs.

    values: packed numbers a point. As few ranges as keep all GPUs busy and let copies of one range go on while the
    kernels of another run; none is larger than the free memory allows.
    """
    from . import cuda

    workers = 1 if cuda.SIMULATED else WORKERS * cuda.devices()  # the simulator runs one kernel at a time
    there = np.dtype(run.dtype).itemsize * (values + scratch(run))
    fits = min(SHARE * cuda.free_bytes() / (WORKERS * there), budget() / (workers * 8 * HOST * values))
    size = max(1, min(int(fits), max(FILL, -(-count // (2 * workers)))))
    size = -(-size // run.width) * run.width
    ranges = [(low, min(low + size, count)) for low in range(0, count, size)]
    return ranges, min(workers, len(ranges))


def scratch(run):
    """Numbers of a point that a run keeps on the GPU beside those that are packed."""
    if run.dense:
        from .block_run import numbers_of

        return numbers_of(run, run.columns)
    layout = run.layout
    return layout.drives + layout.width + 6 * layout.rows + layout.kept + 3 * run.columns
