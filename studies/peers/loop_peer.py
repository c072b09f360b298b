"""The scalar tanh map in NumPy and as the loop a user would write in Numba, on one thread and with `prange`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np
from workloads import Workload


def numpy_map(w, b, h, steps, transient):
    """`h <- tanh(w h + b)` and the mean of `ln|w (1 - h^2)|` for arrays (B,)."""
    for _ in range(transient):
        h = np.tanh(w * h + b)
    total = np.zeros_like(h)
    for _ in range(steps):
        h = np.tanh(w * h + b)
        total += np.log(np.abs(w * (1 - h * h)))
    return total / steps, h


def loop(w, b, h, steps, transient):
    """The same, one grid point after the other."""
    exponent, last = np.empty(w.size), np.empty(w.size)
    for i in range(w.size):
        x = h[i]
        for _ in range(transient):
            x = math.tanh(w[i] * x + b[i])
        total = 0.0
        for _ in range(steps):
            x = math.tanh(w[i] * x + b[i])
            total += math.log(abs(w[i] * (1 - x * x)))
        exponent[i], last[i] = total / steps, x
    return exponent, last


def parallel_loop(w, b, h, steps, transient):
    """The same with grid points shared among threads."""
    exponent, last = np.empty(w.size), np.empty(w.size)
    for i in numba.prange(w.size):
        x = h[i]
        for _ in range(transient):
            x = math.tanh(w[i] * x + b[i])
        total = 0.0
        for _ in range(steps):
            x = math.tanh(w[i] * x + b[i])
            total += math.log(abs(w[i] * (1 - x * x)))
        exponent[i], last[i] = total / steps, x
    return exponent, last


FUNCTIONS = {
    "NumPy": numpy_map,
    "Numba loop": numba.njit(loop),
    "Numba prange": numba.njit(parallel=True)(parallel_loop),
}


def make(name: str, work: Workload) -> Callable:
    """A call of the named function on the scalar workload; returns (exponents (B, 1), state (B, 1))."""
    w, b, h = (work.arrays[key].reshape(-1) for key in ("weight_hh", "bias_hh", "state"))
    function = FUNCTIONS[name]

    def call():
        with np.errstate(divide="ignore"):
            exponent, last = function(w, b, h, work.steps, work.transient)
        return exponent[:, None], last[:, None]

    return call
