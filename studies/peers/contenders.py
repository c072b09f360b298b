"""The contenders of one workload: compared, collected, timed in turn."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import replace

import compare
import jax_peer
import loop_peer
import ours
import package_peers
import torch_peer
from timing import product_rate, timed


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


def tuned(work, module, wanted) -> tuple[tuple[str, int], tuple[str, int]]:
    """All variants and chunks of a peer, three calls each: the first variant and the fastest right one."""
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
        for name in loop_peer.FUNCTIONS:
            wrong = compare.peer_error(small, lambda w, _, name=name: loop_peer.make(name, w), wanted)
            self.differences |= compare.checked(self.work, name, {name: wrong})
            self.add(name, loop_peer.make(name, self.work), self.work, "loop", self.work.batch)

    def measure(self) -> dict:
        """Warm up, call in turn; microseconds per network and step."""
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
