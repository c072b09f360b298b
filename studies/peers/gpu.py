"""rnndyn on a GPU beside itself on the CPU, PyTorch and JAX on the same GPU: a table, and `gpu.md`, `gpu.json`.

    python studies/peers/gpu.py [--only KEY ...] [--keep] [--seconds 25] [--minutes 9] [--rehearse] [--pages]

Each contender has a process of its own and `--seconds` for a row and dtype; a row is begun while `--minutes` are not
over. With `--keep` the stored rows stay and only missing ones, or those of `--only`, are measured: call it again until
none is left. The peers are installed by the extras `peers` and `peers-cuda`; one that is missing is left out, with its
reason. Without a GPU the table is empty and says so. `--rehearse` runs all of it on the CPU with tiny grids and prints
the table; it writes nothing, and its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from gpu_rows import DTYPES, ROWS, Row
from workers import Worker

ROOT = Path(__file__).resolve().parents[2]
MORE = ("numba-cuda", "nvidia-nvvm", "jax-cuda13-plugin", "triton")
"""Packages whose versions matter here, beside those of the comparison on a processor."""
REFERENCE_SECONDS = 300
"""For what the others are compared with: it compiles the kernels of a row for the CPU."""


def arguments(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="KEY", help=f"rows: {' '.join(row.key for row in ROWS)}")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument("--keep", action="store_true", help="keep the stored rows; measure missing ones or --only")
    parser.add_argument("--seconds", type=float, default=25, help="of a contender, row and dtype")
    parser.add_argument("--minutes", type=float, default=9, help="after which no row is begun")
    parser.add_argument("--rehearse", action="store_true", help="everything on the CPU with tiny grids; writes nothing")
    parser.add_argument("--pages", action="store_true", help="only write the page again from gpu.json")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "performance")
    options = parser.parse_args(given)
    if unknown := set(options.only or ()) - {row.key for row in ROWS}:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(row.key for row in ROWS)}")
    return options


class Comparison:
    """The contenders' processes, and what they found."""

    def __init__(self, device: str, seconds: float):
        self.device, self.seconds = device, seconds
        for_jax = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} | ({"JAX_PLATFORMS": "cpu"} if device == "cpu" else {})
        self.workers = {"rnndyn, CPU": Worker(), "rnndyn, GPU": Worker(), "PyTorch": Worker(), "JAX": Worker(for_jax)}

    def reference(self, row: Row) -> dict | str:
        """What all are compared with, or why there is none."""
        found: list[dict] = []
        worker = self.workers["rnndyn, CPU"]
        why = worker.ask("gpu_contenders", "reference", row, limit=REFERENCE_SECONDS, take=found.append)
        return found[0] if found else why

    def measure(self, row: Row, dtype: str, against: dict) -> dict:
        """One row in one dtype."""
        import device

        work = row.workload(2).on("cpu", dtype)
        tried: dict[str, list[dict]] = {}
        skipped: dict[str, str] = {}

        def take(result):
            name, found = result
            tried.setdefault(name, []).append(found)
            told = f"left out: {found['refused']}" if "refused" in found else f"{found['call_ns']:.4g} ns"
            print(f"  {dtype}, {name} ({found['form']}): {told}", flush=True)

        for name, worker in self.workers.items():
            place = "cpu" if name == "rnndyn, CPU" else self.device
            function = "ours_rows" if name.startswith("rnndyn") else "peer_rows"
            # a form under way may end, then the process is stopped; this package compiles four times or more
            limit = (6 if function == "ours_rows" else 2) * self.seconds
            given = (name, row, dtype, place, against, self.seconds)
            why = worker.ask("gpu_contenders", function, *given, limit=limit, take=take)
            if why:
                skipped[name] = why
                print(f"  {dtype}, {name}: {why}", flush=True)
        good = {name: [f for f in found if "refused" not in f] for name, found in tried.items()}
        fastest = {n: min(found, key=lambda f: f["kernel_ns"] or f["call_ns"]) for n, found in good.items() if found}
        return {
            "key": row.key,
            "title": work.title,
            "dtype": dtype,
            "steps": row.steps,
            "transient": row.transient,
            "flops": work.flops(),
            "bytes": device.compulsory_bytes(work),
            "contenders": fastest,
            "tried": tried,
            "skipped": skipped,
        }

    def stop(self) -> None:
        """End all processes."""
        for worker in self.workers.values():
            worker.stop()


def gpu_or_reason() -> tuple[bool, str]:
    """Whether there is a GPU, and its name or why there is none."""
    from rnndyn.kernels import cuda

    return cuda.available()


def stored(options) -> dict | None:
    """The result of earlier calls, if there is one with rows."""
    path = options.output / "gpu.json"
    result = json.loads(path.read_text()) if path.exists() else None
    return result if result and result["rows"] else None


def write(options, result: dict) -> None:
    """Both files."""
    from gpu_tables import page

    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "gpu.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "gpu.md").write_text(page(result) + "\n")


def run(options, machine: dict, rows: list[dict], save) -> dict:
    """Measures; `save(result)` after each row, so that a run that is stopped keeps what it has."""
    begun, longest = time.monotonic(), 0.0
    found = {(row["key"], row["dtype"]): row for row in rows}
    comparison = Comparison("cpu" if options.rehearse else "cuda", options.seconds)
    left = []
    try:
        for row in ROWS:
            missing = [d for d in options.dtypes if options.only or (row.key, d) not in found]
            if (options.only and row.key not in options.only) or not missing:
                continue
            start = time.monotonic()
            if start - begun + longest > 60 * options.minutes and longest:
                left.append(row.key)
                continue
            fitting = row.tiny() if options.rehearse else row.fitting(machine["device"]["memory"])
            print(f"{row.key}, {fitting.points} points", flush=True)
            against = comparison.reference(fitting)
            for dtype in missing:
                if isinstance(against, str):
                    print(f"  nothing to compare with: {against}", flush=True)
                    break
                found[row.key, dtype] = comparison.measure(fitting, dtype, against)
                save({"machine": machine, "rows": list(found.values())})
            longest = max(longest, time.monotonic() - start)
    finally:
        comparison.stop()
    if left:
        print(f"Not begun within {options.minutes:g} minutes: {', '.join(left)}; call it again with --keep.")
    return {"machine": machine, "rows": list(found.values())}


def main(given: list[str] | None = None) -> int:
    """The command."""
    options = arguments(given)
    from gpu_tables import NOT_RUN, page

    before = stored(options)
    if options.pages:
        write(options, json.loads((options.output / "gpu.json").read_text()))
        return 0
    import device
    import machine as computer

    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    there, reason = (True, "") if options.rehearse else gpu_or_reason()
    if not there:
        print(f"No GPU can be used: {reason.rstrip('.')}.")
        if before:
            print(f"{options.output / 'gpu.md'} was measured with one and stays as it is.")
        else:
            write(options, {"machine": None, "reason": reason.rstrip("."), "rows": []})
            print(f"{options.output / 'gpu.md'} has empty cells: {NOT_RUN}.")
        return 0
    where = device.processor(threads) if options.rehearse else device.gpu()
    about = {"processor": computer.processor(), "threads": threads, "versions": computer.versions(MORE)}
    about |= {"device": where.stored(), "rehearsal": options.rehearse}
    rows = before["rows"] if before and options.keep and not options.rehearse else []
    if rows and before["machine"]["device"] != about["device"]:
        name = before["machine"]["device"]["name"]
        raise SystemExit(f"--keep: the stored rows were measured on {name} or with another driver; leave --keep out.")
    result = run(options, about, rows, (lambda _: None) if options.rehearse else lambda r: write(options, r))
    print()
    print(page(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
