"""The device on which a comparison runs, as it describes itself: its peaks, and the least time that a step can take."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import asdict, dataclass

from workloads import Workload

from rnndyn.kernels.devices import FMAS


@dataclass(frozen=True)
class Device:
    """What a device says of itself. fma: multiply-adds per second by dtype, None if unknown; bandwidth: bytes/s."""

    name: str
    about: str
    memory: float
    bandwidth: float
    fma: dict[str, float | None]

    def stored(self) -> dict:
        """For the JSON file."""
        return asdict(self)


def fma_rates(capability: tuple[int, int], multiprocessors: int, clock: float) -> dict[str, float | None]:
    """Multiply-adds per second by dtype, None for an unknown capability; clock in Hz."""
    per_clock = FMAS.get(tuple(capability))
    rates = [None, None] if per_clock is None else [n * multiprocessors * clock for n in per_clock]
    return dict(zip(("float64", "float32"), rates, strict=True))


def gpu() -> Device:
    """The GPU that Numba takes; clocks are its highest ones, as its driver states them."""
    from numba import cuda
    from numba.cuda.cudadrv.driver import driver

    device = cuda.get_current_device()
    capability, clock = tuple(device.compute_capability), device.CLOCK_RATE * 1e3
    bandwidth = 2 * device.MEMORY_CLOCK_RATE * 1e3 * device.GLOBAL_MEMORY_BUS_WIDTH / 8  # two transfers a clock
    _, memory = cuda.current_context().get_memory_info()
    about = (
        f"compute capability {capability[0]}.{capability[1]}, {device.MULTIPROCESSOR_COUNT} multiprocessors at "
        f"{clock / 1e9:.3g} GHz at most, {memory / 2**30:.0f} GiB; driver {driver_version()}, CUDA "
        + ".".join(map(str, driver.get_version()))
    )
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    return Device(name, about, memory, bandwidth, fma_rates(capability, device.MULTIPROCESSOR_COUNT, clock))


def driver_version() -> str:
    """The driver's version, as nvidia-smi tells it."""
    if not shutil.which("nvidia-smi"):
        return "of unknown version"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    told = subprocess.run(command, capture_output=True, text=True).stdout.split()
    return told[0] if told else "of unknown version"


def processor(threads: int) -> Device:
    """The processor in the place of a GPU, for a rehearsal: measured multiply-adds, a measured copy."""
    import machine
    import numpy as np

    source = np.ones(1 << 23)
    target, best = np.empty_like(source), float("inf")
    for _ in range(4):
        start = time.perf_counter()
        target[:] = source
        best = min(best, time.perf_counter() - start)
    rate = machine.fma_peak() * 1e9 / 2 * threads
    bandwidth = 2 * source.nbytes / best
    return Device(machine.processor(), f"{threads} threads", 4e9, bandwidth, {"float64": rate, "float32": 2 * rate})


def compulsory_bytes(work: Workload) -> float:
    """Bytes per network and step that no program can avoid: what goes in is read once, what comes out is written once.

    State and frame are taken to stay on the chip, and so are the states that BPTT goes back through.
    """
    names = ("weight_hh", "bias_hh", "state")
    read = sum(work.arrays[name][0].size for name in names)
    size = work.arrays["state"].shape[1]
    if work.kind == "bptt":
        written = work.arrays["weight_hh"][0].size + work.arrays["bias_hh"][0].size
        read += size  # the cotangent
    else:
        written = max(work.columns, 1) + size
    itemsize = work.arrays["state"].itemsize
    return itemsize * (read + written) / (work.steps + work.transient)


def floors(row: dict, device: dict) -> tuple[float | None, float]:
    """Nanoseconds per network and step: (operations over the peak of the row's dtype, bytes over the bandwidth)."""
    rate = device["fma"][row["dtype"]]
    arithmetic = None if rate is None else row["flops"] / (2 * rate) * 1e9
    return arithmetic, row["bytes"] / device["bandwidth"] * 1e9
