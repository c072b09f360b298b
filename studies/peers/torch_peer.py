"""The workloads in PyTorch: float64, no autograd where none is needed, all networks in one batch of tensors.

`variants(work)` lists what was tried as {name: make}, as in `jax_peer`: `make(work, chunk)` returns a function without
arguments that runs all networks, `chunk` at a time, and returns arrays with the batch axis first. "Rows" keep the batch
axis first and use `bmm`; "last" keeps it last, so that every operation runs over contiguous memory.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from workloads import LARGE, Workload

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
    lengths = torch.empty(v.shape[1:], dtype=v.dtype)
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


def chunked(function: Callable, arrays: tuple, chunk: int, last: bool, workers: int = 1) -> Callable:
    """A call that runs `function` over the batch in pieces of `chunk` networks, `workers` pieces at the same time.

    LAPACK takes the matrices of a batch one after the other on one thread: several threads of one's own help it.
    """
    pieces = [tuple(t.contiguous() for t in piece) for piece in pieces_of(arrays, chunk, last)]
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) if workers > 1 else None

    def call():
        outs = list((pool.map if pool else map)(lambda piece: function(*piece), pieces))
        axis = -1 if last else 0
        return tuple(torch.cat([o[k] for o in outs], axis).movedim(axis, 0).numpy() for k in range(len(outs[0])))

    return call


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
        eye = torch.eye(n, k, dtype=state.dtype)
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
    return chunked(run, arrays, chunk, last, torch.get_num_threads() if pooled else 1)


# Scalar map


def make_scalar(work: Workload, chunk: int, in_place: bool, compiled: int = 0) -> Callable:
    """`h <- tanh(w h + b)`, mean of `ln|w (1 - h^2)|`; returns (exponents (B, 1), state (B, 1)).

    `compiled` > 0 compiles that many steps at a time.
    """

    def measured(w, b, h, total):
        for _ in range(max(compiled, 1)):
            h = torch.tanh(w * h + b)
            total = total + torch.log(torch.abs(w * (1 - h * h)))
        return h, total

    def plain(w, b, h):
        for _ in range(max(compiled, 1)):
            h = torch.tanh(w * h + b)
        return h

    if compiled:
        measured, plain = compile_afresh(measured, plain)

    @torch.no_grad()
    def run(w, b, h):
        total = torch.zeros_like(h)
        for _ in range(work.transient // max(compiled, 1)):
            h = plain(w, b, h)
        for _ in range(work.steps // max(compiled, 1)):
            h, total = measured(w, b, h, total)
        return (total / work.steps)[:, None], h[:, None]

    @torch.no_grad()
    def run_in_place(w, b, h):
        h, total, slope = h.clone(), torch.zeros_like(h), torch.empty_like(h)
        for _ in range(work.transient):
            torch.addcmul(b, w, h, out=h).tanh_()
        for _ in range(work.steps):
            torch.addcmul(b, w, h, out=h).tanh_()
            torch.mul(h, h, out=slope)
            total += slope.neg_().add_(1).mul_(w).abs_().log_()
        return (total / work.steps)[:, None], h[:, None]

    arrays = tuple(work.arrays[name].reshape(-1) for name in ("weight_hh", "bias_hh", "state"))
    return chunked(run_in_place if in_place else run, arrays, chunk, False)


# Gradients


def make_bptt_autograd(work: Workload, chunk: int, layout: tuple) -> Callable:
    """`dL/dW`, `dL/db` of `L = <cotangent, s_T>` by autograd: networks are independent, so their sum is one loss."""
    _, affine, axis, _ = layout

    def run(w, b, state, cotangent):
        w, b = w.detach().requires_grad_(), b.detach().requires_grad_()
        h, c = state.chunk(2, axis)
        for _ in range(work.steps):
            i, f, g, o = affine(w, h, b).chunk(4, axis)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return torch.autograd.grad((torch.cat([h, c], axis) * cotangent).sum(), (w, b))

    arrays = tuple(work.arrays[k] for k in ("weight_hh", "bias_hh", "state", "cotangent"))
    return chunked(run, arrays, chunk, layout is LAST)


def make_bptt_by_hand(work: Workload, chunk: int, layout: tuple, compiled: bool = False) -> Callable:
    """The same by a hand-written backward pass; the rows' `dW = sum_t delta_t h_(t-1)^T` is one `bmm` at the end."""
    _, affine, axis, _ = layout
    last = layout is LAST

    def forward(w, b, h, c):
        h, c, partials = lstm_gates(affine(w, h, b), c, axis)
        return h, c, *partials

    def backward(w, h, p_i, p_f, p_g, p_c, p_o, p_t, d_h, d_c, d_w, d_b):
        d_c = d_c + p_t * d_h
        delta = torch.cat([p_i * d_c, p_f * d_c, p_g * d_c, p_o * d_h], axis)
        if last:
            return (w * delta[:, None]).sum(0), p_c * d_c, d_w + delta[:, None] * h, d_b + delta
        return torch.bmm(delta.unsqueeze(1), w).squeeze(1), p_c * d_c, d_w, delta

    if compiled:
        forward, backward = compile_afresh(forward, backward)

    @torch.no_grad()
    def run(w, b, state, cotangent):
        h, c = (x.contiguous() for x in state.chunk(2, axis))
        saved = []
        for _ in range(work.steps):
            new_h, new_c, *partials = forward(w, b, h, c)
            saved.append((h, *partials))
            h, c = new_h, new_c
        d_h, d_c = (x.contiguous() for x in cotangent.chunk(2, axis))
        d_w, d_b = torch.zeros_like(w), torch.zeros_like(b)
        deltas = []
        for entry in reversed(saved):
            d_h, d_c, d_w, d_b = backward(w, *entry, d_h, d_c, d_w, d_b)
            if not last:
                deltas.append(d_b)
        if not last:
            all_deltas = torch.stack(deltas, 2)
            d_w = torch.bmm(all_deltas, torch.stack([entry[0] for entry in reversed(saved)], 1))
            d_b = all_deltas.sum(2)
        return d_w, d_b

    arrays = tuple(work.arrays[k] for k in ("weight_hh", "bias_hh", "state", "cotangent"))
    return chunked(run, arrays, chunk, last)


PICKS = {
    "scalar": (("eager", 65536), ("compiled, 10 steps", 16384)),
    "elman2": (("bmm, linalg.qr", 4096), ("batch last, Gram-Schmidt, compiled", 4096)),
    "elman8": (("bmm, linalg.qr", 4096), ("batch last, Gram-Schmidt, compiled", 4096)),
    "elman32": (("bmm, linalg.qr", 256), ("bmm, linalg.qr, on threads", 64)),
    "elman64": (("bmm, linalg.qr", 32), ("bmm, linalg.qr, on threads", 16)),
    "elman128": (("bmm, linalg.qr", 16), ("bmm, linalg.qr, on threads", 4)),
    "elman512": (("bmm, linalg.qr", 2), ("bmm, linalg.qr, on threads", 1)),
    "elman512k32": (("bmm, linalg.qr", 4), ("bmm, linalg.qr, on threads", 1)),
    "lstm8": (("bmm, linalg.qr", 1024), ("batch last, Gram-Schmidt", 1024)),
    "bptt8": (("autograd, bmm", 4096), ("by hand, batch last, compiled", 1024)),
}
"""For each workload (variant, networks at a time): as written first, and the fastest right one that was found."""


def variants(work: Workload) -> dict[str, Callable]:
    """What was tried for a workload: {name: make(work, chunk)}."""
    if work.kind == "scalar":
        return {
            "eager": partial(make_scalar, in_place=False),
            "eager in place": partial(make_scalar, in_place=True),
            "compiled, 10 steps": partial(make_scalar, in_place=False, compiled=10),
        }
    if work.kind == "bptt":
        return {
            "autograd, bmm": partial(make_bptt_autograd, layout=ROWS),
            "autograd, batch last": partial(make_bptt_autograd, layout=LAST),
            "by hand, bmm": partial(make_bptt_by_hand, layout=ROWS),
            "by hand, batch last": partial(make_bptt_by_hand, layout=LAST),
            "by hand, batch last, compiled": partial(make_bptt_by_hand, layout=LAST, compiled=True),
        }
    rows = {
        "bmm, linalg.qr": partial(make_spectrum, layout=ROWS, qr=qr_lapack),
        "bmm, linalg.qr, on threads": partial(make_spectrum, layout=ROWS, qr=qr_lapack, pooled=True),
    }
    if work.units >= LARGE:
        return {
            **rows,
            "bmm, Cholesky QR twice": partial(make_spectrum, layout=ROWS, qr=cholesky_twice),
            "bmm, Cholesky QR twice, on threads": partial(make_spectrum, layout=ROWS, qr=cholesky_twice, pooled=True),
        }
    return {
        **rows,
        "bmm, Cholesky QR": partial(make_spectrum, layout=ROWS, qr=cholesky_rows),
        "batch last, Gram-Schmidt": partial(make_spectrum, layout=LAST, qr=mgs_last),
        "batch last, Gram-Schmidt, compiled": partial(make_spectrum, layout=LAST, qr=mgs_entries, compiled=True),
    }
