"""The workloads in JAX: float64, `jit`, `lax.scan` over time, batched with `vmap` or by hand with the batch axis last.

`variants(work)` lists what was tried as {name: make}; `make(work, chunk)` moves the data to the device and returns a
function without arguments that runs all networks, `chunk` at a time, and returns finished arrays, batch axis first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from jax_others import make_bptt_autodiff, make_bptt_by_hand, make_scalar
from jax_spectra import cholesky_rows, cholesky_twice, make_spectrum, mgs_last, mgs_rows, mgs_scalars, qr_lapack
from workloads import LARGE, Workload

PICKS = {
    "scalar": (("vmap + scan", 65536), ("batched + scan, log of products of 5", 65536)),
    "elman2": (("vmap, linalg.qr", 4096), ("batch last, Gram-Schmidt by entries", 512)),
    "elman8": (("vmap, linalg.qr", 4096), ("batch last, Gram-Schmidt", 512)),
    "elman32": (("vmap, linalg.qr", 256), ("vmap, linalg.qr", 256)),
    "elman64": (("vmap, linalg.qr", 96), ("one at a time, linalg.qr", 96)),
    "elman128": (("vmap, linalg.qr", 16), ("one at a time, linalg.qr", 1)),
    "elman512": (("vmap, linalg.qr", 2), ("one at a time, linalg.qr", 1)),
    "elman512k32": (("vmap, linalg.qr", 4), ("one at a time, linalg.qr", 1)),
    "lstm8": (("vmap, linalg.qr", 128), ("batch last, Gram-Schmidt", 128)),
    "bptt8": (("vmap(grad)", 1024), ("by hand, vmap", 512)),
}
"""For each workload (variant, networks at a time): as written first, and the fastest right one that was found."""


def variants(work: Workload) -> dict[str, Callable]:
    """What was tried for a workload: {name: make(work, chunk)}."""
    if work.kind == "scalar":
        return {
            "vmap + scan": partial(make_scalar, block=1, unroll=1, mapped=True),
            "batched + scan, unroll 5": partial(make_scalar, block=1, unroll=5, mapped=False),
            "batched + scan, log of products of 5": partial(make_scalar, block=5, unroll=1, mapped=False),
        }
    if work.kind == "bptt":
        return {
            "vmap(grad)": partial(make_bptt_autodiff, layout="rows"),
            "grad, batch last": partial(make_bptt_autodiff, layout="last"),
            "by hand, vmap": partial(make_bptt_by_hand, layout="rows", late=False),
            "by hand, vmap, one product": partial(make_bptt_by_hand, layout="rows", late=True),
            "by hand, batch last": partial(make_bptt_by_hand, layout="last", late=False),
        }
    if work.units >= LARGE:
        return {
            "vmap, linalg.qr": partial(make_spectrum, layout="rows", qr=qr_lapack),
            "vmap, Cholesky QR twice": partial(make_spectrum, layout="rows", qr=cholesky_twice),
            "one at a time, linalg.qr": partial(make_spectrum, layout="one", qr=qr_lapack),
            "one at a time, Cholesky QR twice": partial(make_spectrum, layout="one", qr=cholesky_twice),
        }
    return {
        "vmap, linalg.qr": partial(make_spectrum, layout="rows", qr=qr_lapack),
        "vmap, Gram-Schmidt": partial(make_spectrum, layout="rows", qr=mgs_rows),
        "vmap, Cholesky QR": partial(make_spectrum, layout="rows", qr=cholesky_rows),
        "batch last, Gram-Schmidt": partial(make_spectrum, layout="last", qr=mgs_last),
        "batch last, Gram-Schmidt by entries": partial(make_spectrum, layout="last", qr=mgs_scalars),
    }
