"""The scalar map and BPTT in JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax_spectra import affine_last, affine_rows, chunked, lstm_gates
from workloads import Workload

# Scalar map


def scalar(w, b, h, *, steps, transient, block, unroll):
    """`h <- tanh(w h + b)`; mean of `ln|w (1 - h^2)|`, one logarithm per `block` steps, for arrays of any shape."""

    def body(h, _):
        return jnp.tanh(w * h + b), None

    def measured(carry, _):
        h, total = carry
        growth = 1.0
        for _ in range(block):
            h = jnp.tanh(w * h + b)
            growth = growth * (w * (1 - h * h))
        return (h, total + jnp.log(jnp.abs(growth))), None

    h = lax.scan(body, h, None, length=transient, unroll=unroll)[0]
    h, total = lax.scan(measured, (h, jnp.zeros_like(h)), None, length=steps // block, unroll=unroll)[0]
    return (total / steps)[:, None], h[:, None]


def make_scalar(work: Workload, chunk: int, block: int, unroll: int, mapped: bool) -> Callable:
    """The call of the scalar workload; returns (exponents (B, 1), state (B, 1))."""
    run = partial(scalar, steps=work.steps, transient=work.transient, block=block, unroll=unroll)
    w, b, h = (work.arrays[name].reshape(-1) for name in ("weight_hh", "bias_hh", "state"))
    one = jax.vmap(lambda w, b, h: tuple(x[0] for x in run(w[None], b[None], h[None])))
    batched = one if mapped else run
    return chunked(jax.jit(batched), (w, b, h), chunk, (0, 0, 0), 0, work.device)


# Gradients


def lstm_orbit(weights, state, steps, affine):
    """Last state of an LSTM after `steps` steps."""
    n = weights[0].shape[1]

    def body(state, _):
        h, c, _ = lstm_gates(affine(weights[0], state[:n], weights[1]), state[n:])
        return jnp.concatenate([h, c]), None

    return lax.scan(body, state, None, length=steps)[0]


def make_bptt_autodiff(work: Workload, chunk: int, layout: str) -> Callable:
    """`dL/dW`, `dL/db` of `L = <cotangent, s_T>` by `jax.grad`; returns (B, 4N, N) and (B, 4N)."""
    affine = affine_rows if layout == "rows" else affine_last

    def loss(weights, state, cotangent):
        return jnp.sum(lstm_orbit(weights, state, work.steps, affine) * cotangent)

    def gradient(w, b, state, cotangent):
        return jax.grad(loss)((w, b), state, cotangent)

    w, b, state, cotangent = (work.arrays[k] for k in ("weight_hh", "bias_hh", "state", "cotangent"))
    if layout == "rows":
        return chunked(jax.jit(jax.vmap(gradient)), (w, b, state, cotangent), chunk, (0, 0, 0, 0), 0, work.device)
    return chunked(
        jax.jit(gradient), (w.transpose(1, 2, 0), b.T, state.T, cotangent.T), chunk, (2, 1, 1, 1), -1, work.device
    )


def make_bptt_by_hand(work: Workload, chunk: int, layout: str, late: bool) -> Callable:
    """The same by a hand-written backward scan; `late` forms `dW = sum_t delta_t h_(t-1)^T` in one product."""
    rows = layout == "rows"
    affine = affine_rows if rows else affine_last

    def gradient(w, b, state, cotangent):
        n = w.shape[1]

        def forward(s, _):
            h, c, partials = lstm_gates(affine(w, s[:n], b), s[n:])
            return jnp.concatenate([h, c]), (s[:n], jnp.concatenate(partials))

        def backward(carry, saved):
            d_h, d_c, d_w, d_b = carry
            h, partials = saved
            p_i, p_f, p_g, p_c, p_o, p_t = jnp.split(partials, 6)
            d_c = d_c + p_t * d_h
            delta = jnp.concatenate([p_i * d_c, p_f * d_c, p_g * d_c, p_o * d_h])
            d_h = w.T @ delta if rows else sum(w[k] * delta[k] for k in range(4 * n))
            if not late:
                d_w = d_w + delta[:, None] * h[None]
                d_b = d_b + delta
            return (d_h, p_c * d_c, d_w, d_b), (delta if late else None)

        _, saved = lax.scan(forward, state, None, length=work.steps)
        start = (cotangent[:n], cotangent[n:], jnp.zeros_like(w), jnp.zeros_like(b))
        (_, _, d_w, d_b), deltas = lax.scan(backward, start, saved, reverse=True)
        if late:
            d_w = jnp.einsum("tk...,tn...->kn...", deltas, saved[0])
            d_b = deltas.sum(0)
        return d_w, d_b

    w, b, state, cotangent = (work.arrays[k] for k in ("weight_hh", "bias_hh", "state", "cotangent"))
    if rows:
        return chunked(jax.jit(jax.vmap(gradient)), (w, b, state, cotangent), chunk, (0, 0, 0, 0), 0, work.device)
    return chunked(
        jax.jit(gradient), (w.transpose(1, 2, 0), b.T, state.T, cotangent.T), chunk, (2, 1, 1, 1), -1, work.device
    )
