"""rnndyn beside JAX, PyTorch, pynamicalsys, lyapax, NumPy and a plain Numba loop on the same networks, in one run.

    python studies/peers/benchmark.py [--threads 2] [--calls 3] [--only KEY ...] [--quick] [--tune] [--pages] ...

For each workload all results are compared first; then the contenders are called in turn, round after round, and the
median of each is taken. JAX and PyTorch run twice: as one would write it first (`linalg.qr`, automatic
differentiation, one logarithm per step) and in the fastest right form that was found (`--tune` searches again).
Spectra run with QR at each step on all sides, and at rnndyn's own interval. Writes `peers.json`, `peers.md` and
`spectra.md` into `reports/performance/`. The peers are installed by the extra `peers`; what is missing of pynamicalsys
and lyapax is left out, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--calls", type=int, default=3, help="timed calls of each contender; the median counts")
    parser.add_argument("--only", nargs="+", metavar="KEY", help="workloads: scalar bptt8 lstm8 elman2 ... elman512k32")
    parser.add_argument("--keep", action="store_true", help="keep the stored rows of other workloads (with --only)")
    parser.add_argument("--peers-only", action="store_true", help="without rnndyn")
    parser.add_argument("--tune", action="store_true", help="time every variant and take the fastest right one")
    parser.add_argument("--quick", action="store_true", help="small batches, to try the script")
    parser.add_argument("--pages", action="store_true", help="only write the pages again from peers.json")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "performance")
    return parser.parse_args()


def limit_threads(threads: int) -> None:
    """Keeps every library to `threads` processors; to be called before any of them is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC"):
        os.environ[name] = str(threads)


def run(options, save: Callable) -> None:
    """Measures the workloads that were asked for; `save(machine, rows)` after each."""
    import torch
    from contenders import Row
    from machine import fma_peak, libraries, processor, product_peak, versions
    from workloads import workloads

    torch.set_num_threads(options.threads)
    chosen = workloads(options.quick)
    unknown = set(options.only or ()) - {work.key for work in chosen}
    if unknown:
        raise SystemExit(f"No workload {', '.join(sorted(unknown))}; there are {', '.join(w.key for w in chosen)}.")
    machine = {
        "processor": processor(),
        "threads": options.threads,
        "versions": versions(),
        "peak_gflops": fma_peak(),
        "product_gflops": {str(n): product_peak(n) for n in dict.fromkeys((1, options.threads))},
        "calls": options.calls,
    }
    rows = []
    for work in chosen:
        if options.only and work.key not in options.only:
            continue
        start = time.perf_counter()
        print(work.title, flush=True)
        row = Row(work, options)
        row.prepare()
        rows.append(row.measure())
        print(f"  {time.perf_counter() - start:.0f} s in all", flush=True)
        save(machine | {"blas": libraries()}, rows)


def kept_rows(options) -> list[dict]:
    """Stored rows to keep beside new ones: measured on as many threads of the same processor, or refused."""
    from machine import processor

    stored = options.output / "peers.json"
    if not (options.keep and stored.exists()):
        return []
    result = json.loads(stored.read_text())
    if (result["machine"]["threads"], result["machine"]["processor"]) != (options.threads, processor()):
        raise SystemExit(f"--keep: {stored} was measured on another processor or number of threads; leave --keep out.")
    return result["rows"]


def main() -> None:
    """Runs all workloads and writes the tables, after each workload again: a run that is stopped keeps what it has."""
    options = arguments()
    limit_threads(options.threads)  # before NumPy is imported, whose BLAS reads it then
    from tables import peers_page, spectra_page
    from workloads import workloads

    def write(result: dict) -> None:
        for name, page in (("peers.md", peers_page(result)), ("spectra.md", spectra_page(result))):
            (options.output / name).write_text(page + "\n")

    def save(machine: dict, rows: list[dict]) -> None:
        found = {row["key"]: row for row in kept + rows}
        result = {"machine": machine, "rows": [found[w.key] for w in workloads(quick=True) if w.key in found]}
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "peers.json").write_text(json.dumps(result, indent=1) + "\n")
        write(result)

    if options.pages:
        write(json.loads((options.output / "peers.json").read_text()))
    else:
        kept = kept_rows(options)
        run(options, save)
    for name in ("peers.md", "spectra.md"):
        print((options.output / name).read_text())


if __name__ == "__main__":
    main()
