"""What the tests of CUDA share: processes of their own, and quantities of small networks on any device."""

import os
import subprocess
import sys

import numpy as np
import pytest
from support import FAMILIES, ROOT, build, random_weights, rounding

ABSENT = 77  # exit status of a process that found no compiler


def start(module, call, **environment):
    """Start a process that runs `call`, a function call of a module of the tests.

    Numba's simulator and its compiler cannot share a process, and neither belongs into that of the other tests.
    """
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-c", f"import {module}; {module}.{call}"]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path} | environment, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    """Wait for a process; skip where its compiler is absent, fail with its message where it failed."""
    _, message = process.communicate(timeout=1800)
    if process.returncode == ABSENT:
        pytest.skip(message.strip().splitlines()[-1])
    assert process.returncode == 0, message


def need_compiler():
    """End this process with `ABSENT` if PTX cannot be made here."""
    from rnndyn.kernels import cuda

    reason = cuda.MISSING and f"numba-cuda is not complete: {cuda.MISSING}"
    if not reason:
        from numba.cuda.cudadrv import nvvm

        try:
            nvvm.NVVM()
        except Exception as error:
            reason = f"no NVVM, the compiler to PTX: {error}"
    if reason:
        print(reason, file=sys.stderr)
        sys.exit(ABSENT)


# (family or cell, units, inputs, dtype)
CASES = [
    ("tanh", 1, 0, "float64"),
    ("tanh", 2, 1, "float32"),
    ("relu", 3, 0, "float64"),
    ("lstm", 1, 2, "float32"),
    ("lstm", 3, 1, "float64"),
    ("gru_before", 2, 1, "float64"),
    ("GatedAntisymmetric", 2, 1, "float64"),  # a transposed product, more drives than gates
    ("CoRNN", 3, 1, "float32"),  # two matrices in one stage
]
POINTS, STEPS, PART = 3, 9, 32  # a run of more steps than `PART` begins with a call of so many


def cell_of(rd, family, units, inputs):
    return build(rd, family, units, inputs) if family in FAMILIES else rd.CELLS[family](units, inputs)


def quantity(rd, name, family, units, inputs, dtype, device, points=POINTS):
    """One quantity of random networks of a case, some with inputs and of different lengths."""
    rng = np.random.default_rng(units)
    cell = cell_of(rd, family, units, inputs)
    weights = random_weights(cell, rng, (points,), gain=1.5)
    steps = PART + 2 if "parts" in name else STEPS
    given = {"inputs": rng.normal(size=(steps, inputs))} if inputs else {"steps": steps}
    given |= {"dtype": dtype, "device": device}
    lengths = steps - np.arange(points) % 4
    if name == "trajectory":
        return rd.trajectory(cell, weights, lengths=lengths, **given)
    if name == "last state":
        from rnndyn.dynamics.trajectory import last_state

        return last_state(cell, weights, **given | {"steps": steps})
    if name.startswith("lyapunov"):
        k = cell.state_size if "all" in name else max(1, cell.state_size - 1)
        every = None if "adaptive" in name else 2
        return rd.lyapunov(cell, weights, k=k, qr_every=every, transient=2, **given | {"steps": steps - 2})
    if name == "ragged":
        return rd.lyapunov(cell, weights, transient=2, lengths=lengths, **given | {"steps": steps - 2})
    if name == "covariant":
        return rd.covariant_vectors(cell, weights, transient=2, backward=2, **given | {"steps": steps - 4})
    if name == "volume":
        return rd.volume(cell, weights, lengths=lengths, **given)
    cotangent = rng.normal(size=(points, steps + 1, cell.state_size))
    return rd.gradients(cell, weights, cotangent=cotangent, lengths=lengths, **given)


def close(found, expected, eps, growth=100):
    """Equal to rounding, grown over the steps as far as it does in these networks."""
    if isinstance(found, dict):
        found, expected = tuple(found.values()), tuple(expected.values())
    if isinstance(found, tuple):
        for one, other in zip(found, expected, strict=True):
            close(one, other, eps, growth)
    elif found is None:
        assert expected is None
    else:
        assert found.dtype == expected.dtype
        scale = np.max(np.abs(expected), where=np.isfinite(expected), initial=1.0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=rounding(STEPS, 10, growth, eps) * scale)
