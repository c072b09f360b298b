"""The workloads in PyTorch: float64, no autograd where none is needed, all networks in one batch of tensors.

`variants(work)` lists what was tried as {name: make}, as in `jax_peer`: `make(work, chunk)` returns a function without
arguments that runs all networks, `chunk` at a time, and returns arrays with the batch axis first. "Rows" keep the batch
axis first and use `bmm`; "last" keeps it last, so that every operation runs over contiguous memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch_others import make_bptt_autograd, make_bptt_by_hand, make_scalar
from torch_spectra import LAST, ROWS, cholesky_rows, cholesky_twice, make_spectrum, mgs_entries, mgs_last, qr_lapack
from workloads import LARGE, Workload

PICKS = {
    "scalar": (("eager", 65536), ("compiled, 10 steps", 16384)),
    "elman2": (("bmm, linalg.qr", 4096), ("batch last, Gram-Schmidt, compiled", 4096)),
    "elman8": (("bmm, linalg.qr", 4096), ("batch last, Gram-Schmidt, compiled", 4096)),
    "elman32": (("bmm, linalg.qr", 64), ("bmm, linalg.qr, on threads", 128)),
    "elman64": (("bmm, linalg.qr", 96), ("bmm, linalg.qr, on threads", 12)),
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
