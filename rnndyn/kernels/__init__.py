"""Kernels: the compiled loops, each written once for all cells, and the targets that run them."""

import hashlib

from .machine import threads as available_threads

__all__ = ["available_threads", "choose_device", "describe", "fingerprint", "gpu", "numba_version"]


def gpu() -> tuple[bool, str]:
    """Whether `device="cuda"` can be used, and the GPU's name or why not."""
    from .devices import usable

    return usable()


def choose_device(dtype: str, multiply_adds: float, threads: int | None = None) -> tuple[str, str]:
    """("cuda" or "cpu", why) for `device="auto"` and a run of so many multiply-adds."""
    from .devices import choose

    return choose(dtype, multiply_adds, threads)


def fingerprint(*cells) -> str:
    """Digest of all that cells' numbers come from: their rules with what they reach, and the package's sources."""
    from .cache import sources_digest
    from .rule import bind

    sources = sources_digest(("cells", "kernels", "dynamics", "sweep"))
    rules = dict.fromkeys(bind(cell).digest for cell in cells)
    return hashlib.sha256(("".join(rules) + sources).encode()).hexdigest()


def numba_version() -> str:
    """Version of the compiler."""
    import numba

    return numba.__version__


def describe() -> dict[str, str]:
    """What runs here: versions, threads, memory, SIMD width, GPU or why none, folder of the compile cache."""
    import llvmlite
    import numpy as np

    from . import cuda
    from .budget import VARIABLE, budget, free, in_words
    from .cache import folder
    from .machine import processor, register_bits

    found, gpu = cuda.available()
    return {
        "numpy": np.__version__,
        "numba": numba_version(),
        "llvmlite": llvmlite.__version__,
        "processor": processor(),
        "threads": str(available_threads()),
        "memory": f"at most {in_words(budget())} for a call's work, {in_words(free())} are free (set {VARIABLE})",
        "SIMD width": f"{register_bits()} bits: {register_bits() // 64} float64 or {register_bits() // 32} float32",
        "GPU": gpu if found else f"none: {gpu}",
        "compile cache": str(folder()),
    }
