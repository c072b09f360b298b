"""The sizes that a kernel compiled for them knows: those that the package itself passes when it runs such a network."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

STEPS = 1  # of the run that is looked at: no size depends on it


class Called(Exception):
    """A run came to the kernel; `sizes` are its first three arguments."""

    def __init__(self, sizes: tuple):
        super().__init__()
        self.sizes = sizes


def known(cell, kernel: str) -> tuple[tuple[int, ...], ...]:
    """`sizes`, `at` and `room` of a kernel (a name of `cuda.KERNELS`) for a cell, all exponents: `cuda.ptx`'s `known`.

    The public function that needs the kernel runs, uncompiled, up to where it calls it.
    """
    import rnndyn as rd
    from rnndyn.kernels import cuda, target

    wanted, call = cuda.KERNELS[kernel], target.Run.call

    def watched(run, function, meter, points, part, *arguments):
        if wanted in cuda.STEPS[function]:
            raise Called(tuple(tuple(numbers) for numbers in arguments[:3]))
        call(run, function, meter, points, part, *arguments)

    quantity, keywords = _users(rd, cell)[kernel]
    inputs = {"inputs": [[0.0] * cell.inputs] * STEPS} if cell.inputs else {"steps": STEPS}
    with patch.object(target.Run, "call", watched):
        try:
            quantity(cell, {}, device="python", **inputs, **keywords)
        except Called as found:
            return found.sizes
    raise RuntimeError(f"{quantity.__name__} does not run the kernel {kernel}")


def _users(rd, cell) -> dict[str, tuple[Any, dict]]:
    """The function that runs each kernel, and what it takes beside cell and weights."""
    gradients = (rd.gradients, {"cotangent_last": [1.0] * cell.state_size})
    return {
        "orbit": (rd.trajectory, {}),
        "lyapunov": (rd.lyapunov, {}),
        "push": (rd.covariant_vectors, {}),
        "record": gradients,
        "adjoint": gradients,
    }
