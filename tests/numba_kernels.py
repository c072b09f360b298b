"""Small CUDA kernels for tests of the PTX emulator, compiled without a driver.

Imported only by a process of its own: real compilation and Numba's simulator cannot share one.
"""

import math
import sys
from pathlib import Path

import numpy as np
from numba import float32, float64, int32, int64, types

from rnndyn.kernels.cuda import MISSING, _device, cuda

ABSENT = 77  # exit status of a process that found no compiler


def compile_all(folder):
    """Write the PTX of all kernels to a folder, `<name>.ptx`; exit with ABSENT where a compiler is missing."""
    if cuda is None:
        print(f"numba-cuda is not complete: {MISSING}", file=sys.stderr)
        sys.exit(ABSENT)
    from numba.cuda.cudadrv import nvvm

    try:
        nvvm.NVVM()
    except Exception as error:
        print(f"no NVVM, the compiler to PTX: {error}", file=sys.stderr)
        sys.exit(ABSENT)
    doubles, singles, table = (types.Array(*kind, "C") for kind in ((float64, 1), (float32, 1), (float64, 2)))
    integers, words = types.Array(int64, 1, "C"), types.Array(int32, 1, "C")
    for kernel, signature in {
        sums: (doubles, doubles),
        exchange: (doubles, doubles, words),
        diverge: (integers, doubles, doubles),
        counts: (integers, integers, doubles),
        copy: (types.UniTuple(int64, 2), types.UniTuple(table, 2)),
        functions: (doubles, table),
        singly: (singles, singles),
    }.items():
        with _device((9, 0)):
            text, _ = cuda.compile_ptx(kernel, signature, cc=(9, 0))
        Path(folder, f"{kernel.__name__}.ptx").write_text(text)


def call_entries():
    """Run entries as on a GPU; fails where the numbers are not right."""
    from emulated import Entry

    source, found = np.arange(12.0).reshape(4, 3), np.zeros((4, 2))
    entry = Entry(copy, races=True)
    entry[1, 4]((1, 0), (found, source))
    assert found.tolist() == [[0, 0], [0, 6], [0, 12], [0, 18]]
    assert entry.program.instructions > 0
    x, out = np.ones(64), np.zeros(64)
    Entry(sums)[1, 64, None, 64 * 8](x, out)
    assert (out == 1064).all()


def sums(x, out):
    """The sum of a block of 64 threads in static shared memory, and the opposite thread's x from dynamic memory."""
    tile, mirror = cuda.shared.array(64, float64), cuda.shared.array(0, float64)
    i, t = cuda.grid(1), cuda.threadIdx.x
    tile[t] = mirror[t] = x[i]
    cuda.syncthreads()
    half = 32
    while half:
        if t < half:
            tile[t] += tile[t + half]
        cuda.syncthreads()
        half //= 2
    out[i] = tile[0] + 1000 * mirror[63 - t]


def exchange(x, out, votes):
    """Shuffles of doubles, ballots and votes of a warp."""
    i = cuda.grid(1)
    v = x[i] + cuda.shfl_xor_sync(0xFFFFFFFF, x[i], 5)
    v += 10 * cuda.shfl_sync(0xFFFFFFFF, x[i], 3)
    v += 100 * cuda.shfl_up_sync(0xFFFFFFFF, x[i], 2)
    v += 1000 * cuda.shfl_down_sync(0xFFFFFFFF, x[i], 1)
    cuda.syncwarp()
    votes[i] = cuda.ballot_sync(0xFFFFFFFF, x[i] > 0)
    if cuda.any_sync(0xFFFFFFFF, x[i] > 2):
        v = -v
    if cuda.all_sync(0xFFFFFFFF, x[i] > -2):
        v += 0.5
    out[i] = v


def diverge(steps, x, out):
    """A loop of as many steps as each thread wants, on an array in local memory, and a function that is called."""
    i = cuda.grid(1)
    own = cuda.local.array(8, float64)
    for j in range(8):
        own[j] = x[i] * j
    for j in range(steps[i]):
        own[(3 * j) % 8] += own[(j + steps[i]) % 8]
        if own[j % 8] > 30:
            own[j % 8] -= 30
    total = 0.0
    for j in range(8):
        total += own[j]
    out[i] = math.sin(1e9 * total)  # so large an angle calls a device function


def counts(keys, histogram, total):
    """Atomics."""
    i = cuda.grid(1)
    cuda.atomic.add(histogram, keys[i], 1)
    cuda.atomic.max(histogram, 0, keys[i])
    cuda.atomic.add(total, 0, 0.5 * keys[i])


def copy(columns, tables):
    """Tuples of integers and of two-dimensional arrays."""
    i = cuda.grid(1)
    if i < tables[0].shape[0]:
        tables[0][i, columns[0]] = 2 * tables[1][i, columns[1]]


def functions(x, out):
    i = cuda.grid(1)
    out[0, i], out[1, i], out[2, i] = math.exp(x[i]), math.tanh(x[i]), math.log(abs(x[i]))
    out[3, i], out[4, i], out[5, i] = math.sqrt(abs(x[i])), math.expm1(x[i]), math.atan(x[i])
    out[6, i] = math.erf(x[i])


def singly(x, out):
    i = cuda.grid(1)
    out[i] = math.exp(x[i]) / math.sqrt(abs(x[i])) + math.tanh(x[i])
