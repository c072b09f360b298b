"""Spectra in JAX: orthogonalisation, steps of state and frame, `lax.scan` over time, batches in pieces."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from calls import Call
from jax import lax
from workloads import Workload

jax.config.update("jax_enable_x64", True)


# Orthogonalisation: V -> (Q, diagonal of R)


def qr_lapack(v):
    """`V = Q R` of (..., n, m) by LAPACK's Householder QR."""
    q, r = jnp.linalg.qr(v)
    return q, jnp.abs(jnp.diagonal(r, axis1=-2, axis2=-1))


def mgs_rows(v):
    """Modified Gram-Schmidt of one `V (n, m)`, unrolled over columns, to be mapped over a leading batch axis."""
    columns, lengths = [], []
    rest = v
    for j in range(v.shape[1]):
        length = jnp.sqrt(jnp.sum(rest[:, 0] ** 2))
        q = rest[:, 0] / length
        columns.append(q)
        lengths.append(length)
        if j + 1 < v.shape[1]:
            rest = rest[:, 1:]
            rest = rest - q[:, None] * (q @ rest)[None, :]
    return jnp.stack(columns, 1), jnp.stack(lengths)


def mgs_last(v):
    """Modified Gram-Schmidt of `V (n, m, B)` with the batch axis last, unrolled over columns."""
    columns, lengths = [], []
    rest = v
    for j in range(v.shape[1]):
        length = jnp.sqrt(jnp.sum(rest[:, 0] ** 2, 0))
        q = rest[:, 0] * (1 / length)
        columns.append(q)
        lengths.append(length)
        if j + 1 < v.shape[1]:
            rest = rest[:, 1:]
            rest = rest - q[:, None] * jnp.sum(q[:, None] * rest, 0)[None]
    return jnp.stack(columns, 1), jnp.stack(lengths)


def mgs_scalars(v):
    """Modified Gram-Schmidt of `V (n, m, B)`, unrolled over rows and columns: every entry is an array of length B."""
    n, m = v.shape[:2]
    a = [[v[i, j] for i in range(n)] for j in range(m)]
    lengths = []
    for j in range(m):
        length = jnp.sqrt(sum(x * x for x in a[j]))
        scale = 1 / length
        a[j] = [x * scale for x in a[j]]
        lengths.append(length)
        for k in range(j + 1, m):
            dot = sum(x * y for x, y in zip(a[j], a[k], strict=True))
            a[k] = [y - x * dot for x, y in zip(a[j], a[k], strict=True)]
    return jnp.stack([jnp.stack([a[j][i] for j in range(m)]) for i in range(n)]), jnp.stack(lengths)


def cholesky_rows(v):
    """`V^T V = L L^T`, `Q = V L^-T` for one `V (n, m)`; loses the small exponents of ill-conditioned frames."""
    low = jnp.linalg.cholesky(v.T @ v)
    q = lax.linalg.triangular_solve(low, v, left_side=False, lower=True, transpose_a=True)
    return q, jnp.diagonal(low)


def cholesky_twice(v):
    """The same once more with Q: right as long as the first one finds a factor (condition below 1e8)."""
    q, first = cholesky_rows(v)
    q, second = cholesky_rows(q)
    return q, first * second


# One step of state and frame


def elman_rows(weights, state, frame):
    """`h <- tanh(W h + b)`, `V = diag(1 - h^2) W Q` of one network: `W (N, N)`, `Q (N, K)`."""
    w, b = weights
    h = jnp.tanh(w @ state + b)
    return h, (1 - h * h)[:, None] * (w @ frame)


def product_last(w, q):
    """`W (M, N, B)` times `Q (N, K, B)`, unrolled over the inner index."""
    return sum(w[:, k, None] * q[None, k] for k in range(w.shape[1]))


def elman_last(weights, state, frame):
    """The same with the batch axis last: `W (N, N, B)`, `h (N, B)`, `Q (N, K, B)`."""
    w, b = weights
    h = jnp.tanh(sum(w[:, k] * state[k] for k in range(w.shape[1])) + b)
    return h, (1 - h * h)[:, None] * product_last(w, frame)


def lstm_gates(pre, c):
    """Gates, new state and the partials of `c'` and `h'` from the pre-activations `pre (4N, ...)`."""
    i, f, g, o = jnp.split(pre, 4)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    new_c = f * c + i * g
    t = jnp.tanh(new_c)
    partials = (g * i * (1 - i), c * f * (1 - f), i * (1 - g * g), f, t * o * (1 - o), o * (1 - t * t))
    return o * t, new_c, partials


def lstm_step(weights, state, frame, product, affine):
    """LSTM state `(h, c)` and frame `(2N, K, ...)`: rows of h first; `product` and `affine` fix the layout."""
    w, b = weights
    n = w.shape[1]
    h, c, (p_i, p_f, p_g, p_c, p_o, p_t) = lstm_gates(affine(w, state[:n], b), state[n:])
    d_i, d_f, d_g, d_o = jnp.split(product(w, frame[:n]), 4)
    d_c = p_i[:, None] * d_i + p_f[:, None] * d_f + p_g[:, None] * d_g + p_c[:, None] * frame[n:]
    d_h = p_o[:, None] * d_o + p_t[:, None] * d_c
    return jnp.concatenate([h, c]), jnp.concatenate([d_h, d_c])


def affine_rows(w, h, b):
    """`W h + b` of one network."""
    return w @ h + b


def affine_last(w, h, b):
    """`W h + b` with the batch axis last."""
    return sum(w[:, k] * h[k] for k in range(w.shape[1])) + b


STEPS = {
    ("elman", "one"): elman_rows,
    ("elman", "rows"): elman_rows,
    ("elman", "last"): elman_last,
    ("lstm", "rows"): partial(lstm_step, product=jnp.matmul, affine=affine_rows),
    ("lstm", "last"): partial(lstm_step, product=product_last, affine=affine_last),
}


def spectrum(weights, state, frame, *, step, qr, steps, transient, interval):
    """Exponents by column, `mean ln R_jj` of a QR every `interval` steps, and the last state.

    The transient (with QR at each step) moves state and frame.
    """

    def advance(carry, _):
        return step(weights, *carry), None

    def body(carry, _, interval):
        state, frame, sums = carry
        (state, frame), _ = lax.scan(advance, (state, frame), None, length=interval)
        frame, lengths = qr(frame)
        return (state, frame, sums + jnp.log(lengths)), None

    zero = jnp.zeros(frame.shape[1:], frame.dtype)
    state, frame, _ = lax.scan(partial(body, interval=1), (state, frame, zero), None, length=transient)[0]
    blocks = steps // interval
    state, frame, sums = lax.scan(partial(body, interval=interval), (state, frame, zero), None, length=blocks)[0]
    return sums / steps, state


def chunked(function: Callable, arrays: tuple, chunk: int, axes: tuple, out_axis: int, device: str) -> Call:
    """A call that runs `function` over the batch on a device, in pieces of `chunk` networks."""
    batch, place = arrays[0].shape[axes[0]], jax.devices(device)[0]
    pieces = [
        tuple(
            np.ascontiguousarray(np.take(a, range(s, min(s + chunk, batch)), axis=x))
            for a, x in zip(arrays, axes, strict=True)
        )
        for s in range(0, batch, chunk)
    ]

    def load():
        return jax.block_until_ready([jax.device_put(piece, place) for piece in pieces])

    def compute(loaded):
        return [jax.block_until_ready(function(*piece)) for piece in loaded]

    def fetch(outs):
        return tuple(
            np.concatenate([np.moveaxis(np.asarray(o[k]), out_axis, 0) for o in outs]) for k in range(len(outs[0]))
        )

    return Call(load, compute, fetch)


def make_spectrum(work: Workload, chunk: int, layout: str, qr: Callable) -> Callable:
    """The call of a spectrum workload; returns (exponents (B, K), state (B, S))."""
    how = {"steps": work.steps, "transient": work.transient, "interval": work.interval}
    run = partial(spectrum, step=STEPS[work.kind, layout], qr=qr, **how)
    w, b, state = work.arrays["weight_hh"], work.arrays["bias_hh"], work.arrays["state"]
    eye = np.eye(state.shape[1], work.columns, dtype=state.dtype)
    if layout == "one":
        single = jax.jit(lambda w, b, s: tuple(out[None] for out in run((w[0], b[0]), s[0], jnp.asarray(eye))))
        return chunked(single, (w, b, state), 1, (0, 0, 0), 0, work.device)
    if layout == "rows":
        mapped = jax.jit(jax.vmap(lambda w, b, s: run((w, b), s, jnp.asarray(eye))))
        return chunked(mapped, (w, b, state), chunk, (0, 0, 0), 0, work.device)

    def last(w, b, s):
        return run((w, b), s, jnp.broadcast_to(jnp.asarray(eye)[..., None], (*eye.shape, s.shape[-1])))

    arrays = (w.transpose(1, 2, 0), b.T, state.T)
    return chunked(jax.jit(last), arrays, chunk, (2, 1, 1), -1, work.device)
