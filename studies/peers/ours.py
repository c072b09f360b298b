"""The workloads in rnndyn: what is timed goes through its public functions."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from workloads import Workload

import rnndyn as rd
from rnndyn.kernels import tangent  # not public: only to count

COUNTED = {"elman2": 24, "elman8": 6, "lstm8": 3}
"""Networks of which `interval` counts orthogonalisations in the uncompiled kernel, some seconds each."""


def cell_of(work: Workload):
    """The cell of a workload."""
    return rd.LSTM(work.units) if work.kind in ("lstm", "bptt") else rd.Elman(work.units)


def weights_of(work: Workload) -> dict[str, np.ndarray]:
    """Its weights."""
    return {name: work.arrays[name] for name in ("weight_hh", "bias_hh")}


def where(work: Workload, threads: int | None) -> dict:
    """Start, device, dtype and threads of a call."""
    return {"state": work.arrays["state"], "device": work.device, "dtype": work.dtype, "threads": threads}


def lyapunov(work: Workload, every: int | None, threads: int | None = None, **more):
    """`rd.lyapunov` of a workload with QR every `every` steps (None: rnndyn's own choice)."""
    how = {"steps": work.steps, "transient": work.transient, **where(work, threads)}
    return rd.lyapunov(cell_of(work), weights_of(work), k=work.columns, qr_every=every, **how | more)


def make(work: Workload, threads: int | None, every: int | None = 1) -> Callable:
    """The timed call: (exponents (B, K),), or gradients (B, 4N, N) and (B, 4N); a scalar needs no QR."""
    if work.kind != "bptt":
        return lambda: (lyapunov(work, None if work.kind == "scalar" else every, threads).exponents,)
    how = {"cotangent_last": work.arrays["cotangent"], "steps": work.steps, **where(work, threads)}

    def gradients():
        found = rd.gradients(cell_of(work), weights_of(work), **how)
        return found.weights["weight_hh"], found.weights["bias_hh"]

    return gradients


def last_state(work: Workload) -> np.ndarray:
    """State (B, S) after all steps."""
    steps = work.steps + work.transient
    return rd.trajectory(cell_of(work), weights_of(work), steps=steps, **where(work, None))[..., -1, :]


def interval(work: Workload, threads: int) -> float:
    """Mean steps between orthogonalisations in rnndyn's own run (harmonic: it counts orthogonalisations).

    Small networks: counted in the uncompiled twin, which decides as the compiled kernel does, bit for bit. Larger ones
    are too slow for it and spend their time in products and QR: from t(m) = a + b / m, where a and b follow from calls
    with QR at each and at every fourth step, and m from one at rnndyn's own interval. If frames of four steps cost
    more than others, m comes out too long, in favour of the peers.
    """
    if work.key in COUNTED:
        return counted(work.part(batch=COUNTED[work.key]))
    best = dict.fromkeys((1, 4, None), float("inf"))
    for _ in range(3):  # the first one compiles
        for every in best:
            start = time.perf_counter()
            lyapunov(work, every, threads)
            best[every] = min(best[every], time.perf_counter() - start)
    b = (best[1] - best[4]) * 4 / 3
    share = (best[None] - (best[1] - b)) / b if b > 0 else 1.0
    return 1 / min(max(share, 1 / 16), 1.0)


def counted(work: Workload) -> float:
    """Steps of all networks over the orthogonalisations that the uncompiled kernel calls."""
    number = 0
    original = tangent.orthogonalise

    def counting(*arguments):
        nonlocal number
        number += 1
        return original(*arguments)

    tangent.orthogonalise = counting
    try:
        lyapunov(work, None, 1, device="python")
    finally:
        tangent.orthogonalise = original
    return work.batch * work.steps / number


def product_calls(work: Workload, threads: int) -> dict[str, tuple[Callable, int, int]]:
    """Calls whose times tell what the products cost, {name: (call, networks, steps)}; see `timing.product_rate`.

    `tangent` moves state and frame through a transient without any QR between its ends, then 4 steps that count;
    `orbit` moves the state only (fewer networks, since it keeps all states). Each in a short and a long form, long
    enough that both run the kernel that the timed calls run.
    """
    lengths = {2: (512, 1536), 8: (256, 768), 128: (64, 1024)}
    short, long = next((both for most, both in lengths.items() if work.units <= most), (16, 96))
    endless = 1 << 20
    fewer = work.part(batch=max(threads, work.batch // 8))

    def tangent(transient):
        return lambda: lyapunov(work.part(steps=4, transient=transient), endless, threads)

    def orbit(steps):
        how = where(fewer, threads)
        return lambda: rd.trajectory(cell_of(fewer), weights_of(fewer), steps=steps, **how)

    return {
        "tangent, short": (tangent(short), work.batch, short),
        "tangent, long": (tangent(long), work.batch, long),
        "orbit, short": (orbit(short), fewer.batch, short),
        "orbit, long": (orbit(long), fewer.batch, long),
    }
