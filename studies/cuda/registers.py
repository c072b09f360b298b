"""Registers and spills of every CUDA kernel, cell by cell, as a table: `reports/performance/cuda.md`. Needs no GPU.

    python studies/cuda/registers.py [--cells LSTM ...] [--kernels orbit ...] [--processes 2] [--output FOLDER]

Kernels are compiled to PTX by NVVM, without a driver, and assembled by `ptxas -v`, which says what one thread takes:
registers, shared memory of its block, and the bytes that did not fit into registers. Both come with the extra `ptxas`.
All cells are compiled for compute capability 9.0, one of each shape for 8.0 and 10.0 too; a run takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from assembler import Used, assemble, missing, versions
from jobs import DTYPES, INPUTS, MAIN, OTHERS, SHAPES, UNITS, Job, all_cells, build, jobs

ROOT = Path(__file__).resolve().parents[2]


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
