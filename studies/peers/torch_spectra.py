"""Spectra in PyTorch: orthogonalisation, steps of state and frame in two layouts, batches in pieces."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from calls import Call
from workloads import Workload

# Orthogonalisation: V -> (Q, diagonal of R)


def qr_lapack(v):
    """`V = Q R` of (B, n, m) by LAPACK's Householder QR."""
    q, r = torch.linalg.qr(v)
    return q, r.diagonal(dim1=-2, dim2=-1).abs()


def cholesky_rows(v):
    """`V^T V = L L^T`, `Q = V L^-T` of (B, n, m); loses the small exponents of ill-conditioned frames."""
    low, _ = torch.linalg.cholesky_ex(v.mT @ v)
    q = torch.linalg.solve_triangular(low.mT, v, upper=True, left=False)
    return q, low.diagonal(dim1=-2, dim2=-1)


def cholesky_twice(v):
    """The same once more with Q: right as long as the first one finds a factor (condition below 1e8)."""
    q, first = cholesky_rows(v)
    q, second = cholesky_rows(q)
    return q, first * second


def mgs_last(v):
    """Modified Gram-Schmidt of `V (n, m, B)` in place, one column at a time against all later ones."""
    lengths = torch.empty_like(v[0])
    for j in range(v.shape[1]):
        column = v[:, j]
        torch.sum(column * column, 0, out=lengths[j])
        lengths[j].sqrt_()
        column /= lengths[j]
        if j + 1 < v.shape[1]:
            rest = v[:, j + 1 :]
            rest.addcmul_(column[:, None], (column[:, None] * rest).sum(0)[None], value=-1)
    return v, lengths


def mgs_entries(v):
    """Modified Gram-Schmidt of `V (n, m, B)`, unrolled over rows and columns, to be compiled: entries are (B,)."""
    n, m = v.shape[:2]
    a = [[v[i, j] for i in range(n)] for j in range(m)]
    lengths = []
    for j in range(m):
        length = sum(x * x for x in a[j]).sqrt()
        scale = 1 / length
        a[j] = [x * scale for x in a[j]]
        lengths.append(length)
        for k in range(j + 1, m):
            dot = sum(x * y for x, y in zip(a[j], a[k], strict=True))
            a[k] = [y - x * dot for x, y in zip(a[j], a[k], strict=True)]
    return torch.stack([torch.stack([a[j][i] for j in range(m)]) for i in range(n)]), torch.stack(lengths)


# Products in the two layouts


def affine_rows(w, h, b):
    """`W h + b`: (B, M, N), (B, N), (B, M)."""
    return torch.baddbmm(b.unsqueeze(-1), w, h.unsqueeze(-1)).squeeze(-1)


def affine_last(w, h, b):
    """`W h + b`: (M, N, B), (N, B), (M, B)."""
    return (w * h).sum(1) + b


def product_last(w, q):
    """`W (M, N, B)` times `Q (N, K, B)`, one inner index after the other."""
    out = w[:, 0, None] * q[0]
    for k in range(1, w.shape[1]):
        out = torch.addcmul(out, w[:, k, None], q[k])
    return out


ROWS = (torch.bmm, affine_rows, 1, -1)
LAST = (product_last, affine_last, 0, 1)


# One step of state and frame


def elman_step(w, b, state, frame, layout):
    """`h <- tanh(W h + b)`, `V = diag(1 - h^2) W Q`."""
    product, affine, _, column = layout
    h = torch.tanh(affine(w, state, b))
    return h, (1 - h * h).unsqueeze(column) * product(w, frame)


def lstm_gates(pre, c, axis):
    """Gates, new state and the partials of `c'` and `h'` from the pre-activations (4N along `axis`)."""
    i, f, g, o = pre.chunk(4, axis)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    new_c = f * c + i * g
    t = torch.tanh(new_c)
    partials = (g * i * (1 - i), c * f * (1 - f), i * (1 - g * g), f, t * o * (1 - o), o * (1 - t * t))
    return o * t, new_c, partials


def lstm_step(w, b, state, frame, layout):
    """LSTM state `(h, c)` and its frame, rows of h first."""
    product, affine, axis, column = layout
    h, c = state.chunk(2, axis)
    h, c, partials = lstm_gates(affine(w, h, b), c, axis)
    p_i, p_f, p_g, p_c, p_o, p_t = (p.unsqueeze(column) for p in partials)
    q_h, q_c = frame.chunk(2, axis)
    d_i, d_f, d_g, d_o = product(w, q_h.contiguous()).chunk(4, axis)
    d_c = p_i * d_i + p_f * d_f + p_g * d_g + p_c * q_c
    return torch.cat([h, c], axis), torch.cat([p_o * d_o + p_t * d_c, d_c], axis)


def pieces_of(arrays: tuple, chunk: int, last: bool) -> list[tuple]:
    """The arrays (batch axis first) in pieces of `chunk` networks as contiguous tensors in the wanted layout."""
    tensors = [torch.from_numpy(np.ascontiguousarray(np.moveaxis(a, 0, -1) if last else a)) for a in arrays]
    return list(zip(*(t.split(chunk, -1 if last else 0) for t in tensors), strict=True))


def chunked(function: Callable, arrays: tuple, chunk: int, last: bool, device: str, workers: int = 1) -> Call:
    """A call that runs `function` over the batch on a device, `chunk` networks a piece, `workers` at the same time.

    LAPACK takes the matrices of a batch one after the other on one thread: several threads of one's own help it.
    """
    pieces = [tuple(t.contiguous() for t in piece) for piece in pieces_of(arrays, chunk, last)]
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) if workers > 1 else None

    def wait(what):
        if device == "cuda":
            torch.cuda.synchronize()
        return what

    def load():
        return wait([tuple(t.to(device) for t in piece) for piece in pieces])

    def compute(loaded):
        return wait(list((pool.map if pool else map)(lambda piece: function(*piece), loaded)))

    def fetch(outs):
        axis = -1 if last else 0
        return tuple(torch.cat([o[k] for o in outs], axis).movedim(axis, 0).cpu().numpy() for k in range(len(outs[0])))

    return Call(load, compute, fetch)


def compile_afresh(*functions: Callable):
    """`torch.compile` with fixed shapes; forgets earlier compilations, whose number is limited."""
    torch.compiler.reset()
    compiled = tuple(torch.compile(function, dynamic=False) for function in functions)
    return compiled if len(compiled) > 1 else compiled[0]


def make_spectrum(
    work: Workload, chunk: int, layout: tuple, qr: Callable, compiled: bool = False, pooled: bool = False
) -> Callable:
    """The call of a spectrum workload; returns (exponents (B, K), state (B, S)). `pooled`: on threads of its own."""
    last = layout is LAST
    rule = elman_step if work.kind == "elman" else lstm_step

    def move(w, b, state, frame):
        return rule(w, b, state, frame, layout)

    def advance(w, b, state, frame, sums):
        state, frame = move(w, b, state, frame)
        frame, lengths = qr(frame)
        return state, frame, sums + torch.log(lengths)

    between, step = compile_afresh(move, advance) if compiled else (move, advance)

    @torch.no_grad()
    def run(w, b, state):
        n, k = state.shape[0] if last else state.shape[1], work.columns
        eye = torch.eye(n, k, dtype=state.dtype, device=state.device)
        frame = eye[..., None].repeat(1, 1, state.shape[-1]) if last else eye.repeat(state.shape[0], 1, 1)
        zero = torch.zeros_like(frame[0] if last else frame[:, 0])
        sums = zero
        for _ in range(work.transient):
            state, frame, _ = step(w, b, state, frame, zero)
        for _ in range(work.steps // work.interval):
            for _ in range(work.interval - 1):
                state, frame = between(w, b, state, frame)
            state, frame, sums = step(w, b, state, frame, sums)
        return sums / work.steps, state

    arrays = tuple(work.arrays[k] for k in ("weight_hh", "bias_hh", "state"))
    return chunked(run, arrays, chunk, last, work.device, torch.get_num_threads() if pooled else 1)
