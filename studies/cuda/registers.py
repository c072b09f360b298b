"""Registers and spills of every CUDA kernel, cell by cell, as a table: `reports/performance/cuda.md`. Needs no GPU.

    python studies/cuda/registers.py [--cells LSTM ...] [--kernels orbit ...] [--processes 2] [--output FOLDER]

Kernels are compiled to PTX by NVVM, without a driver, and assembled by `ptxas -v`, which says what one thread takes:
registers, shared memory of its block, and the bytes that did not fit into registers. Both come with the extra `ptxas`.
All cells are compiled for compute capability 9.0, one of each shape for 8.0 and 10.0 too; a run takes some minutes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from shutil import which

ROOT = Path(__file__).resolve().parents[2]
DTYPES = ("float64", "float32")
MAIN, OTHERS = (9, 0), ((8, 0), (10, 0))
"""Compute capability for which all cells are compiled; those for which one of each shape is."""
UNITS, INPUTS = 2, 1
"""Sizes of the compiled cells: an argument of the kernels, not part of their code, unless a column says so."""
VARIANTS = {"GRU, reset before": ("GRU", {"reset_after": False})}
"""Forms of a cell that are kernels of their own, beside the one that a constructor makes when it is told nothing."""
SHAPES = {
    "Elman": "one field, one stage",
    "LSTM": "two fields",
    "GRU, reset before": "two stages",
    "GatedAntisymmetric": "a transposed product",
    "CoRNN": "two fields, two matrices in one stage",
}
"""A cell of each shape."""


@dataclass(frozen=True)
class Job:
    """One kernel of one cell; `column` is its place in the table, `more` further keywords of `cuda.ptx`."""

    cell: str
    kernel: str
    dtype: str
    capability: tuple[int, int]
    more: tuple = ()
    column: str = ""


@dataclass(frozen=True)
class Used:
    """What one thread takes: registers, and bytes of memory; seconds to compile to PTX and to assemble it."""

    registers: int
    shared: int
    stack: int
    stores: int
    loads: int
    compiling: float = 0.0
    assembling: float = 0.0


def jobs(cells: list[str], kernels: list[str]) -> Iterator[Job]:
    """All that is compiled: the one place that knows which kernels there are and in what forms."""
    for dtype in DTYPES:
        for capability in (MAIN, *OTHERS):
            for cell in cells if capability == MAIN else [name for name in cells if name in SHAPES]:
                for kernel in kernels:
                    yield Job(cell, kernel, dtype, capability, (), kernel)


def all_cells() -> list[str]:
    """Names of all cells and of their variants."""
    import rnndyn as rd

    return [name for kind in rd.CELLS for name in (kind, *(v for v, (base, _) in VARIANTS.items() if base == kind))]


def build(name: str):
    """The cell of a row."""
    import rnndyn as rd

    base, keywords = VARIANTS.get(name, (name, {}))
    return rd.CELLS[base](UNITS, INPUTS, **keywords)


def assembler() -> str | None:
    """The path of ptxas: that of PyPI's `nvidia-cuda-nvcc`, else one in PATH, else None."""
    spec = find_spec("nvidia")
    for folder in spec.submodule_search_locations or [] if spec else []:
        found = sorted(p for p in Path(folder).glob("*/bin/ptxas*") if p.suffix in ("", ".exe"))
        if found:
            return str(found[-1])
    return which("ptxas")


def nothing():
    """A kernel that does nothing."""


def missing() -> str | None:
    """Why nothing can be compiled here, in one sentence, or None."""
    from rnndyn.kernels import cuda

    advice = "pip install 'rnndyn[cuda,ptxas]'."
    if cuda.cuda is None:
        return f"numba-cuda is not complete ({cuda.MISSING}); {advice}"
    try:
        nvvm_version()
    except Exception as error:
        return f"NVVM, the compiler to PTX, cannot be loaded ({error}); {advice}"
    if assembler() is None:
        return f"ptxas is not installed; {advice}"
    try:
        assemble(cuda.cuda.compile_ptx(nothing, (), cc=MAIN)[0], MAIN)
    except RuntimeError as error:  # an older ptxas than NVVM, say
        return f"{assembler()} does not take what NVVM makes ({error}); {advice}"
    return None


def nvvm_version() -> str:
    """NVVM's version of its intermediate language."""
    from numba.cuda.cudadrv import nvvm

    return ".".join(map(str, nvvm.NVVM().get_ir_version()[:2]))


def versions() -> dict[str, str]:
    """Versions of what compiled."""
    found = {"rnndyn": "-", "numba": "-", "numba-cuda": "-", "nvidia-nvvm": "-", "nvidia-nvvm-cu12": "-"}
    for name in found:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    told = subprocess.run([assembler(), "--version"], capture_output=True, text=True, check=True).stdout
    found["ptxas"] = re.findall(r"\bV([\d.]+)", told)[0]
    return {name: v for name, v in found.items() if v != "-"} | {"NVVM IR": nvvm_version()}


def used(told: str) -> Used:
    """What `ptxas -v` told about a kernel (of several functions, the largest numbers)."""

    def most(pattern: str) -> int:
        return max((int(n) for n in re.findall(pattern, told)), default=0)

    if not re.search(r"Used \d+ registers", told):
        raise ValueError(f"ptxas told nothing of registers: {told.strip()!r}")
    return Used(
        most(r"Used (\d+) registers"),
        most(r"(\d+) bytes smem"),
        most(r"(\d+) bytes stack frame"),
        most(r"(\d+) bytes spill stores"),
        most(r"(\d+) bytes spill loads"),
    )


def assemble(ptx: str, capability: tuple[int, int]) -> Used:
    """Assemble PTX and read what its kernel takes; a RuntimeError carries what ptxas said against it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx)
        command = [assembler(), "-v", f"-arch=sm_{capability[0]}{capability[1]}", "-o", str(source) + ".cubin"]
        done = subprocess.run([*command, str(source)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ptxas: {' '.join((done.stderr + done.stdout).split())}")
    return used(done.stderr + done.stdout)


def compile_one(job: Job) -> Used | str:
    """What a kernel takes, or in one line why it does not compile."""
    from rnndyn.kernels import cuda

    start = time.perf_counter()
    try:
        ptx = cuda.ptx(
            build(job.cell), job.kernel, dtype=job.dtype, compute_capability=job.capability, **dict(job.more)
        )
        middle = time.perf_counter()
        found = assemble(ptx, job.capability)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    return Used(*list(vars(found).values())[:5], middle - start, time.perf_counter() - middle)


def compile_all(wanted: list[Job], processes: int) -> dict[Job, Used | str]:
    """All results; tells on stderr how far it is. Processes begin afresh, so that none inherits a driver or a lock."""
    found: dict[Job, Used | str] = {}
    start = time.perf_counter()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(compile_one, job): job for job in wanted}
        for future in as_completed(futures):
            job = futures[future]
            found[job] = future.result()
            seconds = time.perf_counter() - start
            left = seconds / len(found) * (len(wanted) - len(found))
            text = f"{len(found)}/{len(wanted)}, {left / 60:.1f} min left: {job.cell}, {job.column}"
            print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)
            if isinstance(found[job], str):
                print(f"\n{job.cell}, {job.column}, {job.dtype}: {found[job]}", file=sys.stderr)
    print(file=sys.stderr)
    return {job: found[job] for job in wanted}


def cell_text(result: Used | str | None) -> str:
    """`registers / spilled bytes`; a failure is a failure, nothing is left out silently."""
    if result is None:
        return ""
    if isinstance(result, str):
        return "**fails**"
    shared = f", {result.shared} B shared" if result.shared else ""
    stack = f", {result.stack} B stack" if result.stack > max(result.stores, result.loads) else ""
    return f"{result.registers} / {max(result.stores, result.loads)}{shared}{stack}"


def table(results: dict[Job, Used | str], dtype: str, capability: tuple[int, int]) -> list[str]:
    """The table of one dtype and compute capability; empty if nothing was compiled for it."""
    here = {(j.cell, j.column): r for j, r in results.items() if (j.dtype, j.capability) == (dtype, capability)}
    columns, rows = list(dict.fromkeys(c for _, c in here)), list(dict.fromkeys(r for r, _ in here))
    if not here:
        return []
    lines = [["cell", *columns], ["---"] * (1 + len(columns))]
    lines += [[row, *(cell_text(here.get((row, column))) for column in columns)] for row in rows]
    title = f"### {dtype}, compute capability {capability[0]}.{capability[1]}"
    return [title, "", *("| " + " | ".join(line) + " |" for line in lines), ""]


def page(results: dict[Job, Used | str], software: dict[str, str]) -> str:
    """The page: what was compiled and by what, the tables, what spills, what fails, how long it took."""
    good = {job: r for job, r in results.items() if isinstance(r, Used)}
    lines = ["# Registers of the CUDA kernels", ""]
    lines += ["Versions: " + ", ".join(f"{name} {v}" for name, v in software.items()) + ".", ""]
    lines += [
        "A cell of the tables is *registers / spilled bytes* of one thread (the larger of stores and loads, as `ptxas "
        "-v` tells them), with shared memory and a stack frame beyond the spills where there are any. A thread has at "
        "most 255 registers; a multiprocessor has 65536, so that with 128 registers 512 threads run on it, with 255 "
        f"registers 256. Cells have {UNITS} units and {INPUTS} input; sizes are arguments of a kernel, not part of its "
        "code, unless its column says so. Nothing here was run: these are the compilers' own counts, from "
        "`python studies/cuda/registers.py`.",
        "",
        "Shapes: " + "; ".join(f"{name} ({shape})" for name, shape in SHAPES.items()) + ".",
        "",
    ]
    for capability in (MAIN, *OTHERS):
        for dtype in DTYPES:
            lines += table(results, dtype, capability)
    lines += ["## Spills", ""]
    spilling = [job for job, r in good.items() if max(r.stores, r.loads)]
    lines += [f"{len(spilling)} of {len(good)} kernels spill; {sum(r.stack > 0 for r in good.values())} have a stack."]
    if failed := {job: r for job, r in results.items() if isinstance(r, str)}:
        lines += ["", "## Not compiled", ""]
        lines += [
            f"- {j.cell}, {j.column}, {j.dtype}, {j.capability[0]}.{j.capability[1]}: {r}" for j, r in failed.items()
        ]
    lines += ["", "## Seconds per kernel", "", "| kernel | to PTX (NVVM), mean | ptxas, mean | ptxas, longest |"]
    lines += ["| --- | --- | --- | --- |"]
    for column in dict.fromkeys(job.column for job in good):
        these = [r for job, r in good.items() if job.column == column]
        means = [sum(getattr(r, what) for r in these) / len(these) for what in ("compiling", "assembling")]
        longest = max(r.assembling for r in these)
        lines.append(f"| {column} | {means[0]:.1f} | {means[1]:.1f} | {longest:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Compiles and writes the page; 1 if a kernel does not compile, 2 if there is no compiler."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", metavar="CELL", help="only these rows")
    parser.add_argument("--kernels", nargs="+", metavar="KERNEL", help="only these columns")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "performance", help="folder of cuda.md")
    options = parser.parse_args()
    if reason := missing():
        print(f"Nothing was compiled: {reason}", file=sys.stderr)
        return 2
    from rnndyn.kernels import cuda

    for given, known in ((options.cells, all_cells()), (options.kernels, list(cuda.KERNELS))):
        if unknown := set(given or ()) - set(known):
            parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    wanted = list(jobs(options.cells or all_cells(), options.kernels or list(cuda.KERNELS)))
    results = compile_all(wanted, options.processes)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "cuda.md").write_text(page(results, versions()))
    print(f"{options.output / 'cuda.md'}: {len(results)} kernels")
    return int(any(isinstance(r, str) for r in results.values()))


if __name__ == "__main__":
    sys.exit(main())
