"""The scalar map and BPTT in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch_spectra import LAST, chunked, compile_afresh, lstm_gates
from workloads import Workload

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
    return chunked(run_in_place if in_place else run, arrays, chunk, False, work.device)


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
    return chunked(run, arrays, chunk, layout is LAST, work.device)


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
    return chunked(run, arrays, chunk, last, work.device)
