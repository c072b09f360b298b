"""CUDA without a GPU: every kernel of every cell compiles to PTX; compiled kernels are kept; who loads numba-cuda."""

import gc
import pickle
import re
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from cuda_support import finish, need_compiler, start
from test_laws import GPU, PACKAGE, ROOT, SOURCES, by_name, imports

from rnndyn.cells import CELLS

with patch.object(sys, "path", [str(ROOT / "studies" / "cuda"), *sys.path]):
    import jobs

# --- PTX, without a driver --------------------------------------------------------------------------------------------


def wanted(job):
    """Of what the table of registers compiles: all cells in float64; of one of each shape a kernel of each form for
    other GPUs, where the target's name is the difference; float32 and a block's shared memory once; kernels for the
    very sizes where registers hold all."""
    if job.units:
        return (job.units, job.dtype) == (2, "float64") and job.cell in HELD and job.kernel in ("orbit", "record")
    if job.capability != jobs.MAIN:
        return job.cell in SHAPES and job.kernel in ELSEWHERE and not job.near
    return job.cell == "Elman" or (job.dtype == "float64" and not job.near)


def optimised(job):
    """As it would run: a cell of each shape for one GPU; whether the others compile shows in half the time."""
    return (job.cell in SHAPES or job.units > 0) and job.capability == jobs.MAIN


SHAPES = ("Elman", "LSTM", "GRU, reset before")  # one field and stage, two of both, a field between two stages
HELD = ("Elman", "GatedAntisymmetric", "CoRNN")  # NVVM leaves 240 bytes and more of two stages with products in each
ELSEWHERE = "lyapunov", "adjoint", "spectrum"
JOBS = sorted(filter(wanted, jobs.jobs(jobs.all_cells(), (*jobs.KERNELS, *jobs.BLOCKS))), key=lambda job: job.cell)
PARTS = JOBS[: len(JOBS) // 2], JOBS[len(JOBS) // 2 :]  # side by side; kernels of one cell have functions in common


def complaints(job, text):
    """What is wrong with the PTX of a kernel."""
    capability, other = "".join(map(str, job.capability)), "f64" if job.dtype == "float32" else "f32"
    if not re.search(rf"^\.target sm_{capability}$", text, re.MULTILINE):
        yield f"not for sm_{capability}"
    if text.count(".visible .entry") != 1:
        yield "not one entry"
    if unknown := re.findall(r"^.*\.extern (?!\.shared).*$", text, re.MULTILINE):
        yield f"calls that nothing answers: {unknown}"
    if (".extern .shared" in text) != job.near:
        yield "shared memory"
    if ".local" in text and job.kernel in jobs.KERNELS and optimised(job):
        yield "lanes left the registers"
    if f"fma.rn.f{job.dtype[-2:]}" not in text:
        yield "no fused products and sums"
    if found := re.findall(rf"^.*\.{other}\b.*$", text, re.MULTILINE):
        yield f"numbers of the other width: {found[:3]}"


def compile_part(number, path):
    """Write the complaints about each kernel of a part to a file, up to the first kernel that has some."""
    need_compiler()
    gc.disable()  # a tenth of the time: all that was compiled is looked through again and again
    found = {}
    for job in PARTS[number]:
        print(job, file=sys.stderr)  # the last one, should this process die
        try:
            found[str(job)] = list(complaints(job, job.ptx(optimised(job))))
        except Exception:
            found[str(job)] = [traceback.format_exc()]
        if found[str(job)]:
            break
    Path(path).write_bytes(pickle.dumps(found))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """{kernel: complaints}, as far as both processes came."""
    paths = [tmp_path_factory.mktemp("ptx") / f"part{number}" for number in range(len(PARTS))]
    processes = [start("test_cuda", f"compile_part({k}, {str(path)!r})") for k, path in enumerate(paths)]
    for process in processes:
        finish(process)
    return {job: found for path in paths for job, found in pickle.loads(path.read_bytes()).items()}


@pytest.mark.parametrize("job", list(map(str, JOBS)))
def test_a_kernel_compiles_to_ptx_without_a_driver(compiled, job):
    if job not in compiled:
        pytest.skip("a kernel before it failed")
    assert not compiled[job], "\n".join(compiled[job])


GOOD = ".target sm_90\n.visible .entry kernel(\n)\n\tfma.rn.f64 \t%fd3, %fd1, %fd2, %fd3;\n"
FLAWS = {
    "not for sm_90": GOOD.replace("sm_90", "sm_80"),
    "not one entry": GOOD.replace(".visible .entry", ".visible .func"),
    "calls that nothing answers": ".extern .func (.param .b64 func_retval0) tanh\n" + GOOD,
    "shared memory": ".extern .shared .align 8 .b8 memory[];\n" + GOOD,
    "left the registers": GOOD + ".local .align 8 .b8 \t__local_depot0[32];\n",
    "no fused products": GOOD.replace("fma", "add"),
    "the other width": GOOD + "\tcvt.f64.f32 \t%fd1, %f1;\n",
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_what_is_wrong_with_ptx_is_told(flaw):
    job = jobs.Job("Elman", "orbit", "float64", (9, 0))
    assert not list(complaints(job, GOOD))
    (told,) = complaints(job, FLAWS[flaw])
    assert flaw in told


def test_all_kernels_of_all_cells_are_compiled():
    for kernel in (*jobs.KERNELS, *jobs.BLOCKS):  # which are all that there are: see `test_registers`
        here = {(job.cell, job.dtype, job.capability) for job in JOBS if job.kernel == kernel and not job.units}
        assert here >= {(cell, "float64", (9, 0)) for cell in (*CELLS, "GRU, reset before")}
        assert here >= {("Elman", "float32", (9, 0))}
        others = {(cell, "float64", other) for cell in SHAPES for other in ((8, 0), (10, 0))}
        assert here >= (others if kernel in ELSEWHERE else set())


# --- compiled kernels are kept ----------------------------------------------------------------------------------------


def keep(action, folder):
    """Ask for a kernel in this process, as a launch does where `compute_capability` is what the GPU has.

    The driver's own part, taking the machine code to the GPU, is left out; all before it is the real thing.
    """
    need_compiler()
    from numba import typeof
    from numba.cuda import dispatcher
    from numba.cuda.cudadrv import devices

    import rnndyn as rd
    from rnndyn.kernels import cuda
    from rnndyn.kernels.cache import folder as cache_folder
    from rnndyn.kernels.lane import Lane
    from rnndyn.kernels.rule import bind

    device = SimpleNamespace(compute_capability=(9, 0), id=0)
    dispatcher.get_current_device = lambda: device
    devices.get_context = lambda *_: SimpleNamespace(device=device)
    dispatcher._Kernel.bind = lambda kernel: kernel._codelibrary.get_cubin()
    assert str(cache_folder()).startswith(folder)
    numbers, arrays = ((0,) * 4, (0,) * 5, (0,) * 4, 0, 0, 0, 0), (np.zeros((1, 32)),) * 6
    signature = (typeof(numbers), typeof(arrays))

    def found(cell, capability=(9, 0)):
        """(whether the kernel was found, its name and machine code)."""
        device.compute_capability = capability
        cuda._COMPILED.clear()
        entry = cuda._compiled(cuda._lanes_entry, cuda.orbit, Lane("float64", 1, 32), bind(cell), (), 32)
        kernel = entry.compile(signature)
        assert sum(entry._cache_hits.values()) + sum(entry._cache_misses.values()) == 1
        return sum(entry._cache_hits.values()) == 1, kernel.entry_name, bytes(kernel._codelibrary.get_cubin().code)

    action(SimpleNamespace(cells=rd, found=found, folder=Path(folder)))


def keep_one(folder):
    def action(here):
        there, *kernel = here.found(here.cells.Elman(2, 1))
        assert not there
        (here.folder / "kernel").write_bytes(pickle.dumps(kernel))

    keep(action, folder)


def find_it(folder):
    def action(here):
        kernel = [True, *pickle.loads((here.folder / "kernel").read_bytes())]
        cell = here.cells.Elman(2, 1)
        assert list(here.found(cell)) == kernel
        assert list(here.found(here.cells.Elman(5, 3))) == kernel, "sizes are arguments"
        assert not here.found(here.cells.Elman(2, 1, activation="relu"))[0], "another rule"
        assert not here.found(cell, (8, 0))[0], "another GPU"
        for index in here.folder.rglob("*.nbi"):
            index.write_bytes(b"broken")
        assert not here.found(cell)[0]
        assert here.found(cell)[0], "kept again"

    keep(action, folder)


def test_compiled_kernels_are_kept_between_processes(tmp_path):
    for call in ("keep_one", "find_it"):
        finish(start("test_cuda", f"{call}({str(tmp_path)!r})", RNNDYN_CACHE_DIR=str(tmp_path)))


# --- one module, and only when asked ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=by_name)
def test_numba_cuda_is_imported_in_one_module(path):
    loaders = [PACKAGE / "kernels" / name for name in ("cuda.py", "block_run.py")]
    if path != loaders[0]:
        assert not [name for name in imports(path) if name.startswith(("numba.cuda", "numba_cuda"))]
    if path not in loaders:
        loaded = imports(path, at_import_time=True)
        assert loaded.isdisjoint(f"rnndyn.kernels.{loader.stem}" for loader in loaders), "loaded by everyone"


def no_cuda():
    """Load the kernels and use them uncompiled."""
    import rnndyn

    rnndyn.trajectory(rnndyn.Elman(1), {}, steps=2, device="python")
    loaded = [name for name in sys.modules if name.startswith("numba.cuda") or name.split(".")[0] in GPU]
    assert not loaded, loaded


def test_runs_elsewhere_load_no_numba_cuda():
    finish(start("test_cuda", "no_cuda()"))
