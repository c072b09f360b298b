"""One contender on one row: compared, tried with more and more networks, timed. Runs in a process of its own.

Each function yields (name, what was found) and is asked through `workers`; nothing here knows the others.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from importlib import import_module

from gpu_rows import Row
from workers import Left
from workloads import Workload

BUDGET = 1.5
"""Seconds of one call at most, by what the shorter one before took."""
REPEATS, ENOUGH = 15, 1.0
"""Timed calls at most, and seconds after which three are enough."""
ELSEWHERE = ("on threads", "one at a time")
"""Forms of the peers that help a processor only."""
SLOW = ("compiled", "by entries")
"""Forms that take long to compile, and are tried last: a process that is stopped meanwhile has done the others."""


class Ours:
    """This package's call; its kernel's time is that of a long call less that of one half as long: copies cancel."""

    def __init__(self, work: Workload, every: int | None):
        import ours

        half = replace(work, steps=work.steps // 2)
        self.whole, self.short = ours.make(work, None, every), ours.make(half, None, every)
        self.network_steps = work.network_steps - half.network_steps

    def kernel(self, seconds: float, until: float) -> float | None:
        """Seconds per network and step, or None if the difference drowns in noise."""
        self.short()
        difference = seconds - statistics.median(repeated(self.short, until))
        return difference / self.network_steps if difference > 0 else None


class Theirs:
    """A peer's call; its kernel's time begins and ends with the batch on the device."""

    def __init__(self, work: Workload, make: Callable):
        self.call, self.network_steps = make(work, work.batch), work.network_steps
        self.whole = self.call.whole

    def kernel(self, seconds: float, until: float) -> float | None:
        """Seconds per network and step."""
        loaded = self.call.load()
        return statistics.median(repeated(lambda: self.call.compute(loaded), until)) / self.network_steps


def once(call: Callable) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def repeated(call: Callable, until: float) -> list[float]:
    """Seconds of calls after the first: three or, if they are short, as many as take a second; one past `until`."""
    found = [once(call)]
    while len(found) < REPEATS and time.monotonic() < until and (len(found) < 3 or sum(found) < ENOUGH):
        found.append(once(call))
    return found


def out_of_memory(error: Exception) -> bool:
    """Whether a call failed for want of memory, in any library's words."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in text for words in ("out of memory", "out_of_memory", "resource_exhausted", "of memory, but")
    )


@lru_cache(maxsize=1)
def data(row: Row) -> Workload:
    """The workload of a row, for its two dtypes."""
    return row.workload()


def measured(make: Callable, work: Workload, start: int, until: float, largest: bool = False) -> dict:
    """The fastest call per network and step among more and more networks, as time and memory allow.

    make(work) -> `Ours` or `Theirs`. After each call the next one has as many networks as `BUDGET` seconds allow if its
    time grows with them. largest: not the fastest one, but that with the most networks.
    Raises `Left` if not even the first one fits into memory.
    """
    size, most, best, note = min(start, work.batch), work.batch, None, ""
    while True:
        part = work.part(batch=size)
        try:
            call = make(part)
            call.whole()  # compiles
            seconds = once(call.whole)
        except Exception as error:
            if not out_of_memory(error):
                raise
            note, most = f"out of memory at {size} networks", size // 4
            size = most
            if best is not None and size <= 2 * best[0].batch:
                break
            if size < 1:
                raise Left(note) from error
            continue
        if best is None or largest or seconds / part.network_steps < best[1] / best[0].network_steps:
            best = part, seconds
        factor = min(most / size, BUDGET / seconds)
        if factor < 1.5 or time.monotonic() > until:
            break
        size = min(most, int(size * factor))
    if best is None:
        raise Left(note)
    part, _ = best
    del call
    call = make(part)
    call.whole()
    times = repeated(call.whole, until)
    middle = statistics.median(times)
    kernel = call.kernel(middle, until)
    found = {
        "networks": part.batch,
        "steps": part.steps + part.transient,
        "call_ns": middle / part.network_steps * 1e9,
        "minimum_ns": min(times) / part.network_steps * 1e9,
        "kernel_ns": None if kernel is None else kernel * 1e9,
        "calls": len(times),
    }
    return found | ({"note": note} if note else {})


def reference(row: Row) -> Iterator[dict]:
    """What all contenders of a row are compared with."""
    import gpu_checks

    yield gpu_checks.reference(data(row))


def told(error: Exception) -> str:
    """An error in one line."""
    text = str(error).strip().splitlines()
    return str(error) if isinstance(error, Left) else f"{type(error).__name__}: {text[0] if text else ''}"[:300]


def attempt(form: str, compared: Callable[[], dict], timed: Callable[[], dict]) -> dict:
    """One form: compared, then timed; or why it is `refused`."""
    try:
        checks = compared()
        return {"form": form, "checks": checks, **timed()}
    except Exception as error:
        return {"form": form, "refused": told(error)}


def ours_rows(
    label: str, row: Row, dtype: str, device: str, against: dict, seconds: float
) -> Iterator[tuple[str, dict]]:
    """This package, named `label`: QR at each step and as it chooses."""
    import gpu_checks

    work = data(row).on(device, dtype)
    for every in (1, None) if work.is_spectrum else (None,):
        own = work.is_spectrum and every is None
        run = partial(gpu_checks.ours_out, every=every)

        def timed(every=every):
            until = time.monotonic() + seconds / 2  # compiling, for the comparison, does not count
            return measured(partial(Ours, every=every), work, row.start(), until, largest=True)

        form = f"qr_every={every}" if work.is_spectrum else "public functions"
        compared = partial(gpu_checks.check, work, run, against, careful=True)
        yield f"{label}, own interval" if own else label, attempt(form, compared, timed)


def peer_forms(library: str, work: Workload, device: str) -> dict[str, Callable]:
    """What is tried of a peer: as written first, the one that is best on a processor, the others, the slow ones."""
    try:
        if library == "JAX":
            import jax

            try:
                jax.devices(device)
            except RuntimeError as error:
                raise Left(f"JAX {jax.__version__} has no CUDA: {str(error).splitlines()[0]}") from error
        else:
            import torch

            if device == "cuda" and not torch.cuda.is_available():
                raise Left(f"PyTorch {torch.__version__} has no CUDA")
    except ImportError as error:
        raise Left(f"{library} is not installed ({error})") from error
    module = import_module("jax_peer" if library == "JAX" else "torch_peer")
    makes = {n: m for n, m in module.variants(work).items() if not any(words in n for words in ELSEWHERE)}
    picks = module.PICKS.get(work.key) or module.PICKS[work.kind]
    order = [name for name in dict.fromkeys([*(form for form, _ in picks), *makes]) if name in makes]
    order.sort(key=lambda name: any(words in name for words in SLOW))
    return {name: makes[name] for name in order}


def peer_rows(
    library: str, row: Row, dtype: str, device: str, against: dict, seconds: float
) -> Iterator[tuple[str, dict]]:
    """A peer's forms, one after the other, QR at each step; those that are wrong or fail are told as `refused`."""
    import gpu_checks

    until = time.monotonic() + seconds
    work = data(row).on(device, dtype).for_peers()
    for form, make in peer_forms(library, work, device).items():
        if time.monotonic() > until:
            yield library, {"form": form, "refused": f"not tried: {seconds:.0f} s were over"}
            continue
        compared = partial(gpu_checks.check, work, lambda w, make=make: make(w, w.batch)(), against)
        yield library, attempt(form, compared, partial(measured, partial(Theirs, make=make), work, row.start(), until))
