"""Registers and spills of every CUDA kernel, cell by cell, as a table: `reports/performance/cuda.md`. Needs no GPU.

    python studies/cuda/registers.py [--cells LSTM ...] [--kernels orbit ...] [--processes 2] [--output FOLDER]

Kernels are compiled to PTX by NVVM, without a driver, and assembled by `ptxas -v`, which says what one thread takes:
registers, shared memory of its block, and the bytes that did not fit into registers. Both come with the extra `ptxas`.
All cells are compiled for compute capability 9.0, one of each shape for 8.0 and 10.0 too; a run takes half an hour.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from assembler import Used, assemble, missing, versions
from jobs import BLOCK, BLOCKS, INPUTS, KERNELS, SHAPES, SIZED, THREAD, UNITS, Job, all_cells, jobs

ROOT = Path(__file__).resolve().parents[2]


def compile_one(job: Job) -> Used | str:
    """What a kernel takes, or in one line why it does not compile."""
    start = os.times()
    try:
        found = assemble(job.ptx(), job.capability)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    user, system, childs_user, childs_system, _ = (end - begin for begin, end in zip(start, os.times(), strict=True))
    return replace(found, compiling=user + system, assembling=childs_user + childs_system)


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
            text = f"{len(found)}/{len(wanted)}, {left / 60:.1f} min left: {job}"
            print(f"\r{text:<78}", end="", file=sys.stderr, flush=True)
            if isinstance(found[job], str):
                print(f"\n{job}: {found[job]}", file=sys.stderr)
    print(file=sys.stderr)
    return {job: found[job] for job in wanted}


def cell_text(result: Used | str | None) -> str:
    """`registers / spilled bytes`; a failure is a failure, nothing is left out silently."""
    if result is None:
        return ""
    if isinstance(result, str):
        return "**fails**"
    shared = f", {result.shared} B shared" if result.shared else ""
    stack = f", {result.stack} B stack" if result.stack else ""
    return f"{result.registers} / {max(result.stores, result.loads)}{shared}{stack}"


NOTES = {
    THREAD: "Sizes are arguments of these kernels. A warp takes the place of a register: 32 networks, side by side.",
    BLOCK: "Sizes are arguments of these kernels. *shared*: the block's weights and frame are in shared memory, whose "
    "size is said at the launch and not counted here; one cell of each shape.",
    SIZED: "All sizes are constants of these kernels: N units, no inputs, all exponents; one cell of each shape. A "
    "kernel copies its network to memory of its own: what of it did not fit into registers is the stack.",
}
"""What to say about each table."""


def tables(results: dict[Job, Used | str], title: str) -> list[str]:
    """A table of each dtype and compute capability; empty if nothing was compiled for them."""
    here = {job: r for job, r in results.items() if job.table == title}
    lines = [f"## {title}", "", NOTES[title], ""] if here else []
    for dtype, capability in dict.fromkeys((job.dtype, job.capability) for job in here):
        these = {(j.row, j.column): r for j, r in here.items() if (j.dtype, j.capability) == (dtype, capability)}
        columns, rows = list(dict.fromkeys(c for _, c in these)), list(dict.fromkeys(r for r, _ in these))
        table = [["cell", *columns], ["---"] * (1 + len(columns))]
        table += [[row, *(cell_text(these.get((row, column))) for column in columns)] for row in rows]
        heading = f"### {dtype}, compute capability {capability[0]}.{capability[1]}"
        lines += [heading, "", *("| " + " | ".join(line) + " |" for line in table), ""]
    return lines


def page(results: dict[Job, Used | str], software: dict[str, str]) -> str:
    """The page: what was compiled and by what, the tables, what spills, what fails, how long it took."""
    good = {job: r for job, r in results.items() if isinstance(r, Used)}
    lines = ["# Registers of the CUDA kernels", ""]
    lines += ["Versions: " + ", ".join(f"{name} {v}" for name, v in software.items()) + ".", ""]
    lines += [
        "A cell of the tables is *registers / spilled bytes* of one thread (the larger of stores and loads, as `ptxas "
        "-v` tells them), and where there are any the shared memory of its block and its stack, which holds what is "
        "spilled and what else of its own a thread keeps in memory. A thread has at most 255 registers; a "
        "multiprocessor has 65536, so that with 128 registers 512 threads run on it, with 255 registers 256. Where "
        f"sizes are arguments, cells have {UNITS} units and {INPUTS} input: no number here depends on it. All was "
        "compiled for compute capability 9.0; for 8.0 and 10.0 one cell of each shape, in float64, sizes as arguments. "
        "Nothing here was run: these are the compilers' own counts, from `python studies/cuda/registers.py`.",
        "",
        "Shapes: " + "; ".join(f"{name} ({shape})" for name, shape in SHAPES.items()) + ".",
        "",
    ]
    for title in NOTES:
        lines += tables(results, title)
    lines += ["## Spills", "", "| table | kernel | compiled | spill | have a stack | most spilled, bytes |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for title, column in dict.fromkeys((job.table, job.column) for job in good):
        these = [r for job, r in good.items() if (job.table, job.column) == (title, column)]
        spilled = [max(r.stores, r.loads) for r in these]
        counts = len(these), sum(map(bool, spilled)), sum(r.stack > 0 for r in these), max(spilled)
        lines.append(f"| {title} | {column} | " + " | ".join(map(str, counts)) + " |")
    if failed := {job: r for job, r in results.items() if isinstance(r, str)}:
        lines += ["", "## Not compiled", ""]
        lines += [f"- {job}: {r}" for job, r in failed.items()]
    lines += ["", "## A core's seconds", "", "| table | kernel | to PTX, mean | ptxas, mean | ptxas, longest |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for title, column in dict.fromkeys((job.table, job.column) for job in good):
        these = [r for job, r in good.items() if (job.table, job.column) == (title, column)]
        means = [sum(getattr(r, what) for r in these) / len(these) for what in ("compiling", "assembling")]
        longest = max(r.assembling for r in these)
        lines.append(f"| {title} | {column} | {means[0]:.1f} | {means[1]:.1f} | {longest:.1f} |")
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
    kernels = [*KERNELS, *BLOCKS]
    for given, known in ((options.cells, all_cells()), (options.kernels, kernels)):
        if unknown := set(given or ()) - set(known):
            parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    wanted = list(jobs(options.cells or all_cells(), options.kernels or kernels))
    results = compile_all(wanted, options.processes)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "cuda.md").write_text(page(results, versions()))
    print(f"{options.output / 'cuda.md'}: {len(results)} kernels")
    return int(any(isinstance(r, str) for r in results.values()))


if __name__ == "__main__":
    sys.exit(main())
