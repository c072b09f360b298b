"""CUDA without a GPU: kernels compiled to PTX, and run on Numba's simulator beside the uncompiled twin.

The simulator and real compilation cannot share one process, so each check has processes of its own.
"""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import FAMILIES, assert_same_result, build, random_weights
from test_laws import PACKAGE, ROOT, SOURCES, by_name, imports

ABSENT = 77  # exit status of a process that found no compiler


def start(call, **environment):
    """Start a process that runs `call`, a function call of this module."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-c", f"import test_cuda; test_cuda.{call}"]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path} | environment, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    """Wait for a process; skip where its compiler is absent, fail with its message where it failed."""
    _, message = process.communicate(timeout=600)
    if process.returncode == ABSENT:
        pytest.skip(message.strip())
    assert process.returncode == 0, message


# --- PTX for compute capability 9.0, without a driver -----------------------------------------------------------------

COMPILED = {
    "tanh": ("orbit", "lyapunov", "push", "adjoint"),
    "lstm": ("orbit", "lyapunov", "push", "record", "adjoint"),
    "gru_before": ("adjoint",),  # two stages, forward and back
}
DTYPES = ("float32", "float64")


def compile_all(dtype, folder):
    """Write the PTX of all kernels in `COMPILED` to `folder`."""
    import rnndyn
    from rnndyn.kernels import cuda

    if cuda.cuda is None:
        print(f"numba-cuda is not complete: {cuda.MISSING}", file=sys.stderr)
        sys.exit(ABSENT)
    try:
        for family, kernels in COMPILED.items():
            for kernel in kernels:
                text = cuda.ptx(build(rnndyn, family, 2, 1), kernel, dtype, (9, 0))
                Path(folder, f"{family}-{kernel}-{dtype}.ptx").write_text(text)
    except Exception as error:
        if not _has_nvvm():
            print(f"no NVVM, the compiler to PTX: {error}", file=sys.stderr)
            sys.exit(ABSENT)
        raise


def _has_nvvm():
    from numba.cuda.cudadrv import nvvm

    try:
        nvvm.NVVM()
    except Exception:
        return False
    return True


@pytest.fixture(scope="module")
def ptx(tmp_path_factory):
    """The folder of all PTX; both dtypes are compiled at the same time."""
    folder = tmp_path_factory.mktemp("ptx")
    for process in [start(f"compile_all({dtype!r}, {str(folder)!r})") for dtype in DTYPES]:
        finish(process)
    return folder


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("family", "kernel"), [(f, k) for f, kernels in COMPILED.items() for k in kernels])
def test_kernels_compile_to_ptx_without_a_driver(ptx, family, kernel, dtype):
    text = (ptx / f"{family}-{kernel}-{dtype}.ptx").read_text()
    assert re.search(r"^\.target sm_90$", text, re.MULTILINE)
    assert text.count(".visible .entry") == 1
    assert ".extern" not in text, "a call that nothing answers"
    assert ".local" not in text, "tuples of lanes left the registers"
    assert f"fma.rn.f{dtype[-2:]}" in text
    other = "f64" if dtype == "float32" else "f32"
    assert not re.findall(rf"^.*\.{other}\b.*$", text, re.MULTILINE), "numbers of the other width"


# --- the simulator beside the uncompiled twin -------------------------------------------------------------------------

# (family, units, inputs, dtype): with 3 points in blocks of 2 threads, one thread has nothing to do
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
QUANTITIES = ("trajectory", "lyapunov", "lyapunov adaptive", "covariant", "volume", "gradients", "gradients in parts")
POINTS, STEPS, PART = 3, 9, 32  # a run of more steps than `PART` begins with a call of so many


def quantity(rd, name, family, units, inputs, dtype):
    """One quantity of three random networks of a case, some with inputs and of different lengths."""
    rng = np.random.default_rng(units)
    cell = build(rd, family, units, inputs) if family in FAMILIES else rd.CELLS[family](units, inputs)
    weights = random_weights(cell, rng, (POINTS,), gain=1.5)
    steps = PART + 2 if "parts" in name else STEPS
    given = {"inputs": rng.normal(size=(steps, inputs))} if inputs else {"steps": steps}
    given |= {"dtype": dtype, "device": "python", "threads": 1}
    lengths = steps - np.arange(POINTS)
    if name == "trajectory":
        return rd.trajectory(cell, weights, lengths=lengths, **given)
    if name.startswith("lyapunov"):
        k, every = max(1, cell.state_size - 1), None if "adaptive" in name else 2
        return rd.lyapunov(cell, weights, k=k, qr_every=every, transient=2, **given | {"steps": steps - 2})
    if name == "covariant":
        return rd.covariant_vectors(cell, weights, transient=2, backward=2, **given | {"steps": steps - 4})
    if name == "volume":
        return rd.volume(cell, weights, lengths=lengths, **given)
    cotangent = rng.normal(size=(POINTS, steps + 1, cell.state_size))
    return rd.gradients(cell, weights, cotangent=cotangent, lengths=lengths, **given)


def simulate_all(path):
    """Write all quantities, from the twin and from the simulator, and the entries that ran, to a file."""
    import rnndyn as rd
    from rnndyn.kernels import cuda, target

    class Simulated(target.Run):
        def __post_init__(self):
            self.device = "cuda"
            super().__post_init__()

    cuda.THREADS = 2
    twin, results = target.Run, {}
    for case in CASES:
        for name in QUANTITIES:
            for target.Run in (twin, Simulated):
                results[target.Run.__name__, name, *case] = quantity(rd, name, *case)
    results = {key: tuple(v) if isinstance(v, tuple) else v for key, v in results.items()}
    entries = {kernel.__name__ for kernel, *_ in cuda._ENTRIES}
    Path(path).write_bytes(pickle.dumps((results, entries, cuda.available())))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulator") / "results"
    finish(start(f"simulate_all({str(path)!r})", NUMBA_ENABLE_CUDASIM="1"))
    return pickle.loads(path.read_bytes())


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
@pytest.mark.parametrize("name", QUANTITIES)
def test_simulator_equals_the_twin(simulated, name, case):
    results = simulated[0]
    found = results["Simulated", name, *case]
    assert_same_result(found, results["Run", name, *case])
    first = found if isinstance(found, np.ndarray) else found[2 if name.startswith("gradients") else -1]
    assert np.isfinite(first).any()


def test_all_entries_ran_on_the_simulator(simulated):
    assert simulated[1] == {"orbit", "lyapunov", "push", "record", "adjoint"}


def test_the_simulator_is_no_gpu(simulated):
    there, reason = simulated[2]
    assert not there
    assert "simulator" in reason


# --- one module, and only when asked ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=by_name)
def test_numba_cuda_is_imported_in_one_module(path):
    if path != PACKAGE / "kernels" / "cuda.py":
        assert not [name for name in imports(path) if name.startswith(("numba.cuda", "numba_cuda"))]
    assert "rnndyn.kernels.cuda" not in imports(path, at_import_time=True), "loaded by everyone"


def no_cuda():
    """Load the kernels and use them uncompiled."""
    import rnndyn

    rnndyn.trajectory(rnndyn.Elman(1), {}, steps=2, device="python")
    assert not [name for name in sys.modules if name.startswith(("numba.cuda", "numba_cuda", "cuda"))]


def test_runs_elsewhere_load_no_numba_cuda():
    finish(start("no_cuda()"))
