"""The workloads in packages for Lyapunov exponents, as their users would call them: pynamicalsys and lyapax.

    pip install "pynamicalsys>=1.7" "lyapax>=0.3"

`LIBRARIES` maps a package's name to `make(work)`, which returns a function without arguments that yields (exponents
(B, K), last state (B, S)). pynamicalsys (Numba) has no batch: a grid is a loop over networks, on one thread, and `few`
networks and steps are enough to time one. It moves first and takes the Jacobian after that, so its exponents are those
of steps 1..T where others have 0..T-1. lyapax (JAX) sweeps a batch with `vmap`; its call is jitted as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
from workloads import Workload

FEW = {
    "scalar": (256, 1000),
    "elman2": (200, 500),
    "elman8": (64, 500),
    "elman32": (16, 200),
    "elman64": (8, 60),
    "elman128": (4, 24),
    "elman512": (1, 2),
    "elman512k32": (1, 8),
    "lstm8": (32, 200),
}
"""Networks and steps of a timed call of pynamicalsys."""
METHODS = {1: "QR", 2: "ER", 8: "QR", 16: "QR"}
"""pynamicalsys' faster method by size of the state: Eckmann-Ruelle for two, Gram-Schmidt, else Householder."""
SWEPT = {"scalar": 16384, "elman2": 4096, "elman8": 4096, "lstm8": 128, "elman32": 256, "elman64": 32}
"""Networks that lyapax sweeps at a time (all, if fewer)."""


def reason_against(name: str, work: Workload) -> str | None:
    """Why a package is not timed on a workload, or None."""
    if work.kind == "bptt":
        return "computes no gradients"
    return None if find_spec(name) else "not installed"


def few(work: Workload) -> Workload:
    """What pynamicalsys is timed with."""
    batch, steps = FEW[work.key]
    return work.part(batch=batch, steps=steps)


def swept(work: Workload) -> Workload:
    """What lyapax is timed with: it keeps the history of all steps, so not more networks than it sweeps at a time."""
    return work.for_peers().part(batch=SWEPT.get(work.key, work.batch))


def elman_functions(njit: Callable) -> tuple[Callable, Callable]:
    """`h <- tanh(W h + b)` and its Jacobian `diag(1 - h^2) W`; parameters are W and b one after the other."""

    def mapping(u, parameters):
        n = u.size
        w = parameters[: n * n].copy().reshape(n, n)
        return np.tanh(np.dot(w, u) + parameters[n * n :])

    compiled = njit(mapping)

    def jacobian(u, parameters, mapping):
        n = u.size
        h = compiled(u, parameters)
        return (1 - h * h).reshape(n, 1) * parameters[: n * n].copy().reshape(n, n)

    return compiled, njit(jacobian)


def lstm_functions(njit: Callable) -> tuple[Callable, Callable]:
    """LSTM with state `(h, c)` and its Jacobian; parameters are W (4N, N) and b (4N) one after the other."""

    def gates(u, parameters):
        n = u.size // 2
        w = parameters[: 4 * n * n].copy().reshape(4 * n, n)
        a = np.dot(w, u[:n]) + parameters[4 * n * n :]
        i, f, o = 1 / (1 + np.exp(-a[:n])), 1 / (1 + np.exp(-a[n : 2 * n])), 1 / (1 + np.exp(-a[3 * n :]))
        return w, i, f, np.tanh(a[2 * n : 3 * n]), o

    gates_of = njit(gates)

    def mapping(u, parameters):
        n = u.size // 2
        _, i, f, g, o = gates_of(u, parameters)
        out = np.empty(2 * n)
        out[n:] = f * u[n:] + i * g
        out[:n] = o * np.tanh(out[n:])
        return out

    def jacobian(u, parameters, mapping):
        n = u.size // 2
        w, i, f, g, o = gates_of(u, parameters)
        t = np.tanh(f * u[n:] + i * g)
        out = np.zeros((2 * n, 2 * n))
        for r in range(n):
            out[n + r, :n] = (
                u[n + r] * f[r] * (1 - f[r]) * w[n + r]
                + g[r] * i[r] * (1 - i[r]) * w[r]
                + i[r] * (1 - g[r] * g[r]) * w[2 * n + r]
            )
            out[n + r, n + r] = f[r]
            slope = o[r] * (1 - t[r] * t[r])
            out[r] = slope * out[n + r]
            out[r, :n] += t[r] * o[r] * (1 - o[r]) * w[3 * n + r]
        return out

    return njit(mapping), njit(jacobian)


def make_pynamicalsys(work: Workload) -> Callable:
    """One system, and a loop over networks as parameter sets."""
    from numba import njit
    from pynamicalsys import DiscreteDynamicalSystem

    mapping, jacobian = (lstm_functions if work.kind == "lstm" else elman_functions)(njit)
    parameters = np.concatenate([work.arrays["weight_hh"].reshape(work.batch, -1), work.arrays["bias_hh"]], 1)
    states = work.arrays["state"]
    size = states.shape[1]
    system = DiscreteDynamicalSystem(
        mapping=mapping, jacobian=jacobian, system_dimension=size, number_of_parameters=parameters.shape[1]
    )
    how = {"method": METHODS.get(size, "QR_HH"), "num_exponents": work.columns, "return_last_state": True}
    how |= {"total_time": work.steps + work.transient, "transient_time": work.transient or None}

    def call():
        found = [system.lyapunov(u, parameters=p, **how) for u, p in zip(states, parameters, strict=True)]
        return np.array([np.ravel(f[0]) for f in found]), np.array([f[1] for f in found])

    return call


def make_lyapax(work: Workload) -> Callable:
    """`sweep_lyapunov_spectrum` over the networks' weights and states."""
    import jax
    from jax_spectra import lstm_gates
    from lyapax.sweep import sweep_lyapunov_spectrum

    jnp = jax.numpy

    def elman(state, parameters):
        return jnp.tanh(parameters["w"] @ state + parameters["b"])

    def lstm(state, parameters):
        h, c, _ = lstm_gates(parameters["w"] @ state[: work.units] + parameters["b"], state[work.units :])
        return jnp.concatenate([h, c])

    step = lstm if work.kind == "lstm" else elman
    states = jax.device_put(work.arrays["state"])
    weights = {"w": jax.device_put(work.arrays["weight_hh"]), "b": jax.device_put(work.arrays["bias_hh"])}

    @jax.jit
    def sweep(weights, states):
        found = sweep_lyapunov_spectrum(
            step,
            states[0],
            weights,
            1.0,
            work.steps,
            k=work.columns,
            renorm_every=work.interval,
            t_transient=float(work.transient),
            state0_batch=states,
        )
        return found.exponents, found.checkpoint.state

    return lambda: tuple(np.asarray(out) for out in sweep(weights, states))


LIBRARIES = {"pynamicalsys": (make_pynamicalsys, few), "lyapax": (make_lyapax, swept)}


def forms(name: str, work: Workload) -> str:
    """How the package is called."""
    if name == "lyapax":
        return "sweep_lyapunov_spectrum, jitted"
    method = METHODS.get(work.arrays["state"].shape[1], "QR_HH")
    return f"loop over networks, method {method}, one thread"


def shifted(name: str, work: Workload) -> Workload:
    """The workload whose exponents are those that the package finds for `work`: pynamicalsys is one step ahead."""
    return replace(work, transient=work.transient + 1) if name == "pynamicalsys" else work
