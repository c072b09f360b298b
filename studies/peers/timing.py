"""How a call is timed, and the rates of rnndyn's products."""

from __future__ import annotations

import time
from collections.abc import Callable

import ours
from workloads import Workload


def timed(call: Callable) -> float:
    """Seconds of one call, begun when the threads of the one before have ceased to wait for work in a loop.

    PyTorch's do so for some tenths of a second, on the processors that the next contender is to use: BPTT of 50 ms
    took three times as long after it.
    """
    time.sleep(0.5)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def product_rate(work: Workload, threads: int, calls: int) -> float | None:
    """GFLOP/s per core of the products `W Q` alone, by differences of times; None if they drown in noise.

    The frame moves through a long and a short transient without QR between the ends; the difference is steps of state
    and frame and nothing else. The same difference of two orbits is the state's part. What is left is the product with
    the rows' slopes; 2 G N^2 K operations are counted. Minima of the calls, which interleave.
    """
    makes = ours.product_calls(work, threads)
    best = dict.fromkeys(makes, float("inf"))
    for _ in range(calls + 1):  # the first one compiles
        for name, (call, _, _) in makes.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - start)

    def step(what):
        (_, networks, long), (_, _, short) = makes[f"{what}, long"], makes[f"{what}, short"]
        return (best[f"{what}, long"] - best[f"{what}, short"]) / (long - short) / networks

    alone = step("tangent") - step("orbit")
    return work.product_flops() / alone / threads / 1e9 if alone > 0 else None
