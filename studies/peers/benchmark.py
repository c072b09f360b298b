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
import math
import os
import statistics
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def chunks(work) -> tuple[int, ...]:
    """Numbers of networks at a time among which `--tune` chooses."""
    if work.units >= 32:
        return tuple(sorted({max(1, work.batch // part) for part in (1, 2, 4, 8)}, reverse=True))
    return {
        "scalar": (262144, 65536, 16384),
        "elman": (4096, 1024, 512, 256),
        "lstm": (1024, 256, 128),
        "bptt": (4096, 1024, 512),
    }[work.kind]


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


def tuned(work, module, wanted) -> tuple[tuple[str, int], tuple[str, int]]:
    """All variants and chunks of a peer, three calls each: the first variant and the fastest right one."""
    import compare
    from timing import timed

    makes = module.variants(work)
    small = compare.short(work)
    first = next(iter(makes))
    best: dict[str, tuple[float, int]] = {}
    for name, make in makes.items():
        wrong = compare.peer_error(small, make, wanted)
        if not wrong < compare.TOLERANCE:
            print(f"    {name}: refused, differs by {wrong:.1e}", flush=True)
            continue
        for chunk in sorted({min(c, work.batch) for c in chunks(work)}, reverse=True):
            call = make(work, chunk)
            call()
            seconds = min(timed(call) for _ in range(3))
            print(f"    {name}, {chunk} at a time: {seconds / work.network_steps * 1e6:.4f} us", flush=True)
            best[name] = min(best.get(name, (float("inf"), 0)), (seconds, chunk))
    fastest = min(best, key=lambda name: best[name][0])
    return (first, best[first][1]), (fastest, best[fastest][1])


class Row:
    """One workload: its contenders {name: (call, network steps)}, what they are, and what was found."""

    def __init__(self, work, options):
        self.work, self.options = work, options
        self.calls: dict[str, tuple[Callable, int]] = {}
        self.about: dict[str, dict] = {}
        self.differences: dict[str, float] = {}
        self.skipped: dict[str, str] = {}
        self.interval = self.mean_interval = None

    def add(self, name: str, call: Callable, work, form: str, at_a_time: int) -> None:
        """A contender."""
        self.calls[name] = call, work.network_steps
        size = f"{work.batch} x {work.steps + work.transient}"
        self.about[name] = {"form": form, "at_a_time": at_a_time, "size": size}

    def prepare(self) -> None:
        """Compares all results and collects the calls."""
        import compare

        small = compare.short(self.work)
        wanted = compare.reference(small)
        if not self.options.peers_only:
            self.add_ours(small, wanted)
        self.add_peers(small, wanted)
        self.add_packages(small, wanted)
        if self.work.kind == "scalar":
            self.add_loops(small, wanted)

    def add_ours(self, small, wanted) -> None:
        """rnndyn: QR at each step, its own choice, and the fixed interval next to it."""
        import compare
        import ours

        work, threads = self.work, self.options.threads
        self.differences = compare.our_errors(work, small, wanted)
        self.add("rnndyn", ours.make(work, threads), work, "public functions", work.batch)
        if not work.is_spectrum:
            return
        self.mean_interval = ours.interval(work, threads)
        self.interval = 2 ** round(math.log2(self.mean_interval))
        print(f"  our mean interval: {self.mean_interval:.2f}", flush=True)
        self.add("rnndyn, own interval", ours.make(work, threads, None), work, "qr_every=None", work.batch)
        if self.interval > 1:
            fixed = ours.make(work, threads, self.interval)
            self.add(f"rnndyn, QR every {self.interval}", fixed, work, f"qr_every={self.interval}", work.batch)

    def add_peers(self, small, wanted) -> None:
        """JAX and PyTorch, first and best form, QR at each step and at our interval."""
        from dataclasses import replace

        import compare
        import jax_peer
        import torch_peer

        for library, module in (("JAX", jax_peer), ("PyTorch", torch_peer)):
            picks = module.PICKS[self.work.key]
            if self.options.tune:
                print(f"  {library}: all variants", flush=True)
                picks = tuned(self.work.for_peers(), module, wanted)
            for interval in dict.fromkeys((1, self.interval or 1)):
                work = self.work.for_peers(interval)
                for role, (form, chunk) in zip(("first", "best"), picks, strict=True):
                    make = module.variants(work)[form]
                    label = f"{library}, {role}" + (f", QR every {interval}" if interval > 1 else "")
                    if interval > 1:
                        share = compare.share_right(replace(small, interval=interval), make, wanted)
                        self.differences[f"{label}: share of networks right"] = share
                    else:
                        wrong = {label: compare.peer_error(small, make, wanted)}
                        self.differences |= compare.checked(work, form, wrong)
                    chunk = min(chunk, work.batch)
                    self.add(label, make(work, chunk), work, form, chunk)

    def add_packages(self, small, wanted) -> None:
        """pynamicalsys and lyapax."""
        import compare
        import package_peers

        for name, (make, size) in package_peers.LIBRARIES.items():
            why = package_peers.reason_against(name, self.work)
            if why:
                self.skipped[name] = why
                continue
            self.differences |= compare.package_errors(name, small.part(batch=8), tuple(w[:8] for w in wanted))
            work = size(self.work)
            self.add(name, make(work), work, package_peers.forms(name, work), work.batch if name == "lyapax" else 1)

    def add_loops(self, small, wanted) -> None:
        """NumPy and plain Numba loops over the scalar map."""
        import compare
        import loop_peer

        for name in loop_peer.FUNCTIONS:
            wrong = compare.peer_error(small, lambda w, _, name=name: loop_peer.make(name, w), wanted)
            self.differences |= compare.checked(self.work, name, {name: wrong})
            self.add(name, loop_peer.make(name, self.work), self.work, "loop", self.work.batch)

    def measure(self) -> dict:
        """Warm up, call in turn; microseconds per network and step."""
        from timing import product_rate, timed

        for call, _ in self.calls.values():
            call()
        seconds: dict[str, list[float]] = {name: [] for name in self.calls}
        for _ in range(self.options.calls):
            for name, (call, _) in self.calls.items():
                seconds[name].append(timed(call))
        for name, about in self.about.items():
            about["median_us"] = statistics.median(seconds[name]) / self.calls[name][1] * 1e6
            about["minimum_us"] = min(seconds[name]) / self.calls[name][1] * 1e6
            print(f"  {name} ({about['form']}): {about['median_us']:.4g} us", flush=True)
        work = self.work
        row = {
            "key": work.key,
            "title": work.title,
            "columns_of_frame": work.columns if work.is_spectrum else 0,
            "batch": work.batch,
            "steps": work.steps,
            "transient": work.transient,
            "flops": work.flops(),
            "qr_flops": work.qr_flops() if work.is_spectrum else 0,
            "interval": self.interval,
            "mean_interval": self.mean_interval,
            "contenders": self.about,
            "differences": self.differences,
            "skipped": self.skipped,
        }
        if work.is_spectrum and not self.options.peers_only:
            row["product_gflops"] = product_rate(work, self.options.threads, self.options.calls)
        return row


def run(options) -> dict:
    """Measures the workloads that were asked for."""
    import torch
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
        print(work.title, flush=True)
        row = Row(work, options)
        row.prepare()
        rows.append(row.measure())
    machine["blas"] = libraries()
    return {"machine": machine, "rows": rows}


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
    """Runs all workloads and writes the tables."""
    options = arguments()
    limit_threads(options.threads)  # before NumPy is imported, whose BLAS reads it then
    from tables import peers_page, spectra_page
    from workloads import workloads

    if options.pages:
        result = json.loads((options.output / "peers.json").read_text())
    else:
        kept = kept_rows(options)
        result = run(options)
        rows = {row["key"]: row for row in kept + result["rows"]}
        result["rows"] = [rows[work.key] for work in workloads(quick=True) if work.key in rows]
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "peers.json").write_text(json.dumps(result, indent=1) + "\n")
    for name, page in (("peers.md", peers_page(result)), ("spectra.md", spectra_page(result))):
        (options.output / name).write_text(page + "\n")
        print(page)


if __name__ == "__main__":
    main()
