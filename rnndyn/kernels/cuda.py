"""The kernels on CUDA: one network a thread, every array (elements, threads), so that neighbours read side by side.

The only module that imports `numba.cuda`, and to be imported only where a run asks for it. The kernels are the very same
functions that run on lanes, here of width 1; a thread passes them its own columns of the arrays. With
NUMBA_ENABLE_CUDASIM=1 set before the import, the entries run uncompiled on Numba's simulator, which needs no GPU.
"""

import inspect
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import numpy as np
from numba.core import types

from . import cpu
from .cpu import _one_adjoint, _one_lyapunov, _one_orbit, _one_record
from .lane import Lane
from .rule import bind

try:
    from numba import cuda
except ImportError as error:  # numba-cuda without the libraries of its extra
    cuda, MISSING = None, str(error)

THREADS = 64  # threads in a block


# --- entries: functions that make a CUDA kernel for a lane and a cell, which are constants of its code ------------------


def orbits(lane, cell):
    """`orbit` for each thread."""

    def entry(sizes, at, first, steps, stride, keep, theta, u, x, a, state, record):
        i = cuda.grid(1)
        if i < theta.shape[1]:
            _one_orbit(
                lane, cell, sizes, at, first, steps, stride, keep, theta[:, i], u[:, i], x[:, i], a[:, i], state[:, i],
                record[:, i],
            )  # fmt: skip

    return entry


def spectra(lane, cell):
    """`lyapunov` for each thread."""

    def entry(
        sizes, at, first, steps, stride, adapt, theta, u, x, a, da, state, frame, spare, before, products, powers, lost,
        sums, tally,
    ):  # fmt: skip
        i = cuda.grid(1)
        if i < theta.shape[1]:
            _one_lyapunov(
                lane, cell, sizes, at, first, steps, stride, adapt, theta[:, i], u[:, i], x[:, i], a[:, i], da[:, i],
                state[:, i], frame[:, i], spare[:, i], before[:, i], products[:, i], powers[:, i], lost[:, i],
                sums[:, i], tally[:, i],
            )  # fmt: skip

    return entry


def records(lane, cell):
    """`record` for each thread."""

    def entry(sizes, at, first, steps, stride, theta, u, x, a, state, history, length, tally):
        i = cuda.grid(1)
        if i < theta.shape[1]:
            _one_record(
                lane, cell, sizes, at, first, steps, stride, theta[:, i], u[:, i], x[:, i], a[:, i], state[:, i],
                history[:, i], length[:, i], tally[:, i],
            )  # fmt: skip

    return entry


def adjoints(lane, cell):
    """`adjoint` for each thread, after its whole forward pass if `forward`."""

    def entry(
        sizes, at, first, steps, stride, every, forward, theta, u, x, a, state, history, entry, length, direct, g,
        tally, ga, gx, gp, v, gtheta, gu, log_norms,
    ):  # fmt: skip
        i = cuda.grid(1)
        if i < theta.shape[1]:
            if forward:
                _one_record(
                    lane, cell, sizes[:4], at, first, steps, stride, theta[:, i], u[:, i], x[:, i], a[:, i],
                    state[:, i], history[:, i], length[:, i], tally[:, i],
                )  # fmt: skip
            _one_adjoint(
                lane, cell, sizes, at, first, steps, stride, every, theta[:, i], u[:, i], x[:, i], a[:, i],
                state[:, i], history[:, i], entry[:, i], length[:, i], direct[:, i], g[:, i], tally[:, i], ga[:, i],
                gx[:, i], gp[:, i], v[:, i], gtheta[:, i], gu[:, i], log_norms[:, i],
            )  # fmt: skip

    return entry


# --- runs ----------------------------------------------------------------------------------------------------------------

_LAUNCHERS = {}  # (entry, cell's digest, dtype) -> kernel


def launch(make, begin, end, lane, cell, *arguments, threads=THREADS):
    """What `cpu` does for the points begin..end-1, one each tile, on the device: same arguments, same results in place.

    Rows of the 2-D arrays are the points' own and go to the device as columns; 1-D arrays (scratch, and what all points
    share) are copied for each thread.
    """
    key = make, cell.digest, lane.dtype
    if key not in _LAUNCHERS:
        _LAUNCHERS[key] = cuda.jit(make(lane, cell))
    there = [_columns(a, begin, end) if isinstance(a, np.ndarray) else a for a in arguments]
    _LAUNCHERS[key][-(-(end - begin) // threads), threads](*there)
    for array, columns in zip(arguments, there, strict=True):
        if isinstance(array, np.ndarray) and array.ndim == 2:
            array[begin:end] = columns.T
        elif isinstance(array, np.ndarray):
            array[:] = columns[:, -1]  # a run in parts goes on with its scratch, as on the CPU


def _columns(array, begin, end):
    if array.ndim == 2:
        return np.ascontiguousarray(array[begin:end].T)
    return np.repeat(array[:, None], end - begin, axis=1)


COMPILED = {
    cpu.orbits: partial(launch, orbits),
    cpu.spectra: partial(launch, spectra),
    cpu.records: partial(launch, records),
    cpu.adjoints: partial(launch, adjoints),
}


def available():
    """(whether a GPU can be used, its name or why not)."""
    if cuda is None:
        return False, f"numba-cuda is not complete ({MISSING}): pip install 'rnndyn[cuda]'"
    if not hasattr(cuda, "dispatcher") and hasattr(cuda, "simulator"):
        return False, "Numba's simulator runs in place of a GPU (NUMBA_ENABLE_CUDASIM is set)"
    if not cuda.is_available():
        return False, f"no GPU with a driver: {cuda.cuda_error() or 'the CUDA driver found no device'}"
    return True, cuda.get_current_device().name.decode()


# --- PTX without a driver ---------------------------------------------------------------------------------------------------

SIZES = {orbits: 4, spectra: 5, records: 4, adjoints: 7}
INTEGERS = {"first", "steps", "stride", "keep", "adapt", "every", "forward"}


def ptx(cell, kernel, dtype="float64", compute_capability=(9, 0)):
    """The PTX of a kernel ("orbits", "spectra", "records" or "adjoints") for a cell; needs neither GPU nor driver."""
    make = {function.__name__: function for function in SIZES}[kernel]
    entry = make(Lane(dtype), bind(cell))
    array = types.Array(types.float64 if dtype == "float64" else types.float32, 2, "C")
    kinds = {"sizes": types.UniTuple(types.int64, SIZES[make]), "at": types.UniTuple(types.int64, 5)}
    kinds |= dict.fromkeys(INTEGERS, types.int64)
    signature = tuple(kinds.get(name, array) for name in inspect.signature(entry).parameters)
    with _device(compute_capability):
        code, _ = cuda.compile_ptx(entry, signature, cc=compute_capability)
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
