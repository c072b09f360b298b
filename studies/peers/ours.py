"""The workloads in rnndyn, through its public functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from workloads import Workload

import rnndyn as rd


def cell_of(work: Workload):
    """The cell of a workload."""
    return rd.LSTM(work.units) if work.kind in ("lstm", "bptt") else rd.Elman(work.units)


def make(work: Workload, threads: int) -> Callable:
    """The timed call: exponents (B, K), or gradients (B, 4N, N) and (B, 4N); QR at each step (a scalar has none)."""
    cell = cell_of(work)
    weights = {name: work.arrays[name] for name in ("weight_hh", "bias_hh")}
    state = work.arrays["state"]
    if work.kind == "bptt":

        def gradients():
            found = rd.gradients(
                cell, weights, cotangent_last=work.arrays["cotangent"], steps=work.steps, state=state, threads=threads
            )
            return found.weights["weight_hh"], found.weights["bias_hh"]

        return gradients

    def exponents():
        found = rd.lyapunov(
            cell,
            weights,
            steps=work.steps,
            transient=work.transient,
            qr_every=None if work.kind == "scalar" else 1,
            state=state,
            threads=threads,
        )
        return (found.exponents,)

    return exponents


def last_state(work: Workload) -> np.ndarray:
    """State (B, S) after all steps."""
    weights = {name: work.arrays[name] for name in ("weight_hh", "bias_hh")}
    steps = work.steps + work.transient
    return rd.trajectory(cell_of(work), weights, steps=steps, state=work.arrays["state"])[..., -1, :]


def exponents_with_errors(work: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Exponents and their standard errors (B, K)."""
    weights = {name: work.arrays[name] for name in ("weight_hh", "bias_hh")}
    found = rd.lyapunov(
        cell_of(work), weights, steps=work.steps, transient=work.transient, qr_every=1, state=work.arrays["state"]
    )
    return found.exponents, found.stderr
