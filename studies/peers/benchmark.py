"""rnndyn beside JAX and PyTorch (and NumPy and a plain Numba loop) on the same networks, in one run.

    python studies/peers/benchmark.py [--threads 2] [--calls 7] [--only KEY ...] [--peers-only] [--tune] ...

For each workload all results are compared first; then the contenders are called in turn, round after round, and the
median of each is taken. Every peer runs twice: as one would write it first (`linalg.qr`, automatic differentiation, one
logarithm per step) and in the fastest right form that was found (`--tune` searches again). QR at each step everywhere.
Writes `peers.md` and `peers.json` into `reports/performance/`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHUNKS = {
    "scalar": (262144, 65536, 16384),
    "elman": (4096, 1024, 512, 256),
    "lstm": (1024, 256, 128),
    "bptt": (4096, 1024, 512),
}
"""Numbers of networks at a time among which `--tune` chooses."""
SHORT = {"scalar": 30, "elman": 20, "lstm": 15, "bptt": 100}
"""Steps of the comparison: few, since chaotic orbits separate by rounding; multiples of 10 for the scalar map."""

Contenders = dict[str, Callable]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--calls", type=int, default=7, help="timed calls of each contender; the median counts")
    parser.add_argument("--only", nargs="+", help="keys of workloads: scalar elman2 elman8 lstm8 bptt8")
    parser.add_argument("--peers-only", action="store_true", help="without rnndyn")
    parser.add_argument("--tune", action="store_true", help="time every variant and take the fastest right one")
    parser.add_argument("--quick", action="store_true", help="small batches, to try the script")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "performance")
    return parser.parse_args()


def limit_threads(threads: int) -> None:
    """Keeps every library to `threads` processors; to be called before any of them is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC"):
        os.environ[name] = str(threads)


def error(found, wanted, relative: bool) -> float:
    """Largest difference of two arrays, divided by the largest entry if `relative`; infinite if NaN is found."""
    import numpy as np

    found, wanted = np.asarray(found), np.asarray(wanted)
    difference = np.max(np.abs(found - wanted)) / (np.max(np.abs(wanted)) if relative else 1)
    return float(difference) if np.isfinite(difference) else np.inf


def peer_error(work, make: Callable, wanted) -> float:
    """Error of a peer's results (exponents and state, or gradients) over few steps against those of the first."""
    found = make(work, work.batch)()
    return max(error(f, w, work.kind == "bptt") for f, w in zip(found, wanted, strict=True))


def short(work, batch: int = 128):
    """The workload of the comparison: few networks, few steps; networks are taken from the whole batch."""
    from dataclasses import replace

    stride = max(1, work.batch // batch)
    arrays = {name: array[::stride].copy() for name, array in work.arrays.items()}
    size = len(arrays["state"])
    return replace(work, batch=size, arrays=arrays, steps=SHORT[work.kind], transient=10 if work.transient else 0)


TOLERANCE = 1e-8


def tuned(work, module) -> dict[str, tuple[str, int]]:
    """All variants and chunks of a peer, three calls each: the first variant and the fastest right one."""
    makes = module.variants(work.kind)
    small = short(work)
    first = next(iter(makes))
    wanted = makes[first](small, small.batch)()
    best: dict[str, tuple[float, int]] = {}
    for name, make in makes.items():
        wrong = peer_error(small, make, wanted)
        if not wrong < TOLERANCE:
            print(f"    {name}: refused, differs by {wrong:.1e}")
            continue
        for chunk in sorted({min(c, work.batch) for c in CHUNKS[work.kind]}, reverse=True):
            call = make(work, chunk)
            call()
            seconds = min(timed(call) for _ in range(3))
            print(f"    {name}, {chunk} at a time: {seconds / work.network_steps * 1e6:.4f} us")
            best[name] = min(best.get(name, (float("inf"), 0)), (seconds, chunk))
    fastest = min(best, key=lambda name: best[name][0])
    return {"first": (first, best[first][1]), "best": (fastest, best[fastest][1])}


def timed(call: Callable) -> float:
    """Seconds of one call, begun when the threads of the one before have ceased to wait for work in a loop.

    PyTorch's do so for some tenths of a second, on the processors that the next contender is to use: BPTT of 50 ms
    took three times as long after it.
    """
    time.sleep(0.5)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare_ours(work, wanted) -> dict[str, float]:
    """rnndyn's results against a peer's over few steps, and single exponents over a longer run within their errors.

    Frames start differently, so the sum of a full spectrum (`mean ln|det J|`) is compared exactly and the single
    exponents statistically: at least nine in ten within five combined standard errors.
    """
    import jax_peer
    import numpy as np
    import ours

    found = ours.make(work, 1)()
    if work.kind == "bptt":
        errors = {"gradients": max(error(f, w, True) for f, w in zip(found, wanted, strict=True))}
    else:
        errors = {
            "sum of exponents": error(found[0].sum(-1), wanted[0].sum(-1), False),
            "state": error(ours.last_state(work), wanted[1], False),
        }
    for what, value in errors.items():
        if not value < TOLERANCE:
            raise SystemExit(f"{work.key}: {what} of rnndyn and JAX differ by {value:.1e}")
    if work.kind in ("elman", "lstm"):
        long = work.part(batch=64, steps=1500, transient=100)
        values, stderr = ours.exponents_with_errors(long)
        name, _ = jax_peer.PICKS[work.key][0]
        peer = -np.sort(-jax_peer.variants(work.kind)[name](long, 64)()[0], -1)
        inside = float(np.mean(np.abs(values - peer) <= 5 * np.sqrt(2) * stderr + 1e-9))
        errors["exponents within 5 standard errors"] = inside
        if inside < 0.9:
            raise SystemExit(f"{work.key}: only {inside:.0%} of rnndyn's exponents agree with JAX's")
    return errors


def contenders_of(work, options) -> tuple[Contenders, dict[str, dict], dict[str, float]]:
    """The calls of a workload, what they are, and the errors of the comparison."""
    import jax_peer
    import loop_peer
    import torch_peer

    calls: Contenders = {}
    about: dict[str, dict] = {}
    errors: dict[str, float] = {}
    small = short(work)
    first_name = next(iter(jax_peer.variants(work.kind)))
    wanted = jax_peer.variants(work.kind)[first_name](small, small.batch)()
    if not options.peers_only:
        import ours

        errors = compare_ours(small, wanted)
        calls["rnndyn"] = ours.make(work, options.threads)
        about["rnndyn"] = {"library": "rnndyn", "form": "public functions", "at_a_time": work.batch}
    for library, module in (("JAX", jax_peer), ("PyTorch", torch_peer)):
        picks = module.PICKS[work.key]
        if options.tune:
            print(f"  {library}: all variants")
            found = tuned(work, module)
            picks = (found["first"], found["best"])
        for role, (name, chunk) in zip(("first", "best"), picks, strict=True):
            make = module.variants(work.kind)[name]
            wrong = peer_error(small, make, wanted)
            if not wrong < TOLERANCE:
                raise SystemExit(f"{work.key}: {library} ({name}) differs by {wrong:.1e}")
            label = f"{library}, {role}"
            errors[label] = wrong
            calls[label] = make(work, min(chunk, work.batch))
            about[label] = {"library": library, "role": role, "form": name, "at_a_time": min(chunk, work.batch)}
    if work.kind == "scalar":
        for name in loop_peer.FUNCTIONS:
            errors[name] = peer_error(small, lambda w, _, name=name: loop_peer.make(name, w), wanted)
            if not errors[name] < TOLERANCE:
                raise SystemExit(f"{work.key}: {name} differs by {errors[name]:.1e}")
            calls[name] = loop_peer.make(name, work)
            about[name] = {"library": name, "form": "loop", "at_a_time": work.batch}
    return calls, about, errors


def measure(work, options, peak: float) -> dict:
    """One workload: compare, warm up, call in turn; microseconds per network and step, ratios and floor."""
    calls, about, errors = contenders_of(work, options)
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(options.calls):
        for name, call in calls.items():
            seconds[name].append(timed(call))
    for name, times in seconds.items():
        about[name]["median_us"] = statistics.median(times) / work.network_steps * 1e6
        about[name]["minimum_us"] = min(times) / work.network_steps * 1e6
        print(f"  {name} ({about[name]['form']}): {about[name]['median_us']:.4f} us")
    row = {
        "key": work.key,
        "title": work.title,
        "batch": work.batch,
        "steps": work.steps,
        "transient": work.transient,
        "wanted_ratio": work.wanted,
        "flops": work.flops,
        "floor_us": work.flops / (peak * options.threads) * 1e-3,
        "contenders": about,
        "differences": errors,
    }
    if "rnndyn" in about:
        mine = about["rnndyn"]["median_us"]
        for role in ("first", "best"):
            row[f"ratio_{role}"] = min(a["median_us"] for a in about.values() if a.get("role") == role) / mine
        if work.kind == "scalar":
            row["ratio_numba_loop"] = about["Numba loop"]["median_us"] / mine
            row["ratio_numba_prange"] = about["Numba prange"]["median_us"] / mine
    return row


def page(result: dict) -> str:
    """The table as Markdown."""
    machine = result["machine"]
    lines = [
        "# Speed beside JAX and PyTorch",
        "",
        f"Processor: {machine['processor']}; {machine['threads']} threads; float64; measured peak "
        f"{machine['peak_gflops']:.1f} GFLOP/s per core (multiply-adds in registers).",
        "Versions: " + ", ".join(f"{name} {value}" for name, value in machine["versions"].items()) + ".",
        "",
        f"Microseconds per network and step, median of {machine['calls']} calls; the contenders were called in turn in "
        "one run, after their results had been compared. QR at each step on all sides (a scalar has none: there rnndyn "
        "takes its default interval).",
        "*First*: as one would write it first (`linalg.qr`, automatic differentiation, one logarithm per step). "
        "*Best*: the fastest right form found, with the batch size that suits it. "
        "Ratios are those of the faster of JAX and PyTorch to rnndyn. The floor is the count of operations over the "
        "peak of all threads.",
        "",
        "| work | rnndyn | JAX first | JAX best | PyTorch first | PyTorch best | ratio to first | ratio to best "
        "| wanted | floor |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]

    def number(about: dict | None) -> str:
        return "-" if about is None else f"{about['median_us']:.3g}"

    for row in result["rows"]:
        about = row["contenders"]
        names = ("rnndyn", "JAX, first", "JAX, best", "PyTorch, first", "PyTorch, best")
        ratios = [f"{row[r]:.1f}" if r in row else "-" for r in ("ratio_first", "ratio_best")]
        cells = [row["title"], *(number(about.get(n)) for n in names), *ratios, f"{row['wanted_ratio']:g}"]
        lines.append("| " + " | ".join([*cells, f"{row['floor_us']:.2g}"]) + " |")
    lines += ["", "## Forms", ""]
    for row in result["rows"]:
        lines += [f"**{row['title']}** ({row['batch']} networks, {row['steps']} steps after {row['transient']})", ""]
        lines += ["| | form | networks at a time | median | minimum |", "|---|---|---|---|---|"]
        lines += [
            f"| {name} | {a['form']} | {a['at_a_time']} | {a['median_us']:.4g} | {a['minimum_us']:.4g} |"
            for name, a in row["contenders"].items()
        ]
        if "ratio_numba_loop" in row:
            lines += [
                "",
                f"Ratio to the plain Numba loop {row['ratio_numba_loop']:.1f} (wanted 20), with `prange` "
                f"{row['ratio_numba_prange']:.1f}.",
            ]
        lines += [
            "",
            "Largest differences before timing: "
            + "; ".join(f"{k} {v:.1e}" for k, v in row["differences"].items())
            + ".",
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    """Runs all workloads and writes the tables."""
    options = arguments()
    limit_threads(options.threads)
    import torch
    from machine import fma_peak, processor, versions
    from workloads import workloads

    torch.set_num_threads(options.threads)
    peak = fma_peak()
    rows = []
    for work in workloads(options.quick):
        if options.only and work.key not in options.only:
            continue
        print(work.title, flush=True)
        rows.append(measure(work, options, peak))
    machine = {
        "processor": processor(),
        "threads": options.threads,
        "versions": versions(),
        "peak_gflops": peak,
        "calls": options.calls,
    }
    result = {"machine": machine, "rows": rows}
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "peers.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.output / "peers.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
