"""The workloads in rnndyn, through its public functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from workloads import Workload

import rnndyn as rd

BATCHES = 32
"""Stretches whose growth is summed apart for the error bars; the frame is orthogonalised where they end."""
AGREEMENT = 1e-9
"""Largest difference of exponents found with QR at each step and with QR every few steps."""


def cell_of(work: Workload):
    """The cell of a workload."""
    return rd.LSTM(work.units) if work.kind in ("lstm", "bptt") else rd.Elman(work.units)


def weights_of(work: Workload) -> dict[str, np.ndarray]:
    """Its weights."""
    return {name: work.arrays[name] for name in ("weight_hh", "bias_hh")}


def lyapunov(work: Workload, every: int | None, threads: int | None = None):
    """`rd.lyapunov` of a workload with QR every `every` steps (None: rnndyn's own choice)."""
    how = {"steps": work.steps, "transient": work.transient, "state": work.arrays["state"], "threads": threads}
    return rd.lyapunov(cell_of(work), weights_of(work), k=work.columns, qr_every=every, **how)


def make(work: Workload, threads: int, every: int | None = 1) -> Callable:
    """The timed call: (exponents (B, K),), or gradients (B, 4N, N) and (B, 4N); a scalar needs no QR."""
    if work.kind != "bptt":
        return lambda: (lyapunov(work, None if work.kind == "scalar" else every, threads).exponents,)
    how = {"cotangent_last": work.arrays["cotangent"], "steps": work.steps, "state": work.arrays["state"]}

    def gradients():
        found = rd.gradients(cell_of(work), weights_of(work), threads=threads, **how)
        return found.weights["weight_hh"], found.weights["bias_hh"]

    return gradients


def last_state(work: Workload) -> np.ndarray:
    """State (B, S) after all steps."""
    steps = work.steps + work.transient
    return rd.trajectory(cell_of(work), weights_of(work), steps=steps, state=work.arrays["state"])[..., -1, :]


def interval(work: Workload, networks: int = 32) -> tuple[int, float]:
    """Steps between orthogonalisations that the networks allow: (power of two, mean).

    For each network the longest of 1, 2, 4, 8, 16 steps at which the exponents agree to `AGREEMENT` with those of QR
    at each step; then the harmonic mean over networks (it counts orthogonalisations), and the power of two next to it.
    Intervals are not longer than the run's batches. Orbits do not depend on the frame, so that nothing else differs.
    """
    work = work.part(batch=networks)
    each = lyapunov(work, 1).exponents
    found = np.ones(work.batch)
    agree = np.ones(work.batch, bool)
    for every in (2, 4, 8, 16):
        if every > work.steps // BATCHES or not agree.any():
            break
        exponents = lyapunov(work, every).exponents
        both = np.isneginf(exponents) & np.isneginf(each)
        with np.errstate(invalid="ignore"):
            agree &= (both | (np.abs(exponents - each) <= AGREEMENT)).all(axis=1)
        found[agree] = every
    mean = 1 / np.mean(1 / found)
    return int(2 ** round(np.log2(mean))), float(mean)


def product_calls(work: Workload, threads: int) -> dict[str, tuple[Callable, int, int]]:
    """Calls whose times tell what the products cost, {name: (call, networks, steps)}; see `timing.product_rate`.

    `tangent` moves state and frame through a transient without any QR between its ends, then 4 steps that count;
    `orbit` moves the state only (fewer networks, since it keeps all states). Each in a short and a long form, long
    enough that both run the kernel that the timed calls run.
    """
    short, long = (512, 1536) if work.units < 8 else (256, 768) if work.units < 32 else (16, 96)
    endless = 1 << 20
    fewer = work.part(batch=max(threads, work.batch // 8))

    def tangent(transient):
        return lambda: lyapunov(work.part(steps=4, transient=transient), endless, threads)

    def orbit(steps):
        how = {"steps": steps, "state": fewer.arrays["state"], "threads": threads}
        return lambda: rd.trajectory(cell_of(fewer), weights_of(fewer), **how)

    return {
        "tangent, short": (tangent(short), work.batch, short),
        "tangent, long": (tangent(long), work.batch, long),
        "orbit, short": (orbit(short), fewer.batch, short),
        "orbit, long": (orbit(long), fewer.batch, long),
    }
