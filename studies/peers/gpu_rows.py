"""The rows of the comparison on a GPU: workloads as on the CPU, over grids of 1e5 to 1e6 points where memory allows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from workloads import Workload, random_networks, scalar_grid, spectrum

DTYPES = ("float64", "float32")
SHARE = 1 / 4
"""Of a device's memory that one contender may take: those of a row hold theirs at the same time."""
COPIES = 6
"""Of a network's weights and frame that one contender may hold."""


@dataclass(frozen=True)
class Row:
    """One row: `points` networks at most, `steps` of this package, `peer_steps` of the others.

    wanted: ratio of the faster of PyTorch and JAX to this package. wanted_floor: kernel time over the floor.
    """

    key: str
    kind: str
    units: int
    columns: int
    points: int
    steps: int
    peer_steps: int
    transient: int = 0
    wanted: float | None = None
    wanted_floor: float | None = None

    def workload(self, points: int | None = None) -> Workload:
        """Its data, of all or fewer points; a scalar grid is a square of them."""
        points = self.points if points is None else min(points, self.points)
        if self.kind == "scalar":
            side = max(2, math.isqrt(points))
            title = f"scalar tanh map, exponent, {math.isqrt(self.points)} x {math.isqrt(self.points)}"
            work = Workload(self.key, title, "scalar", 1, 1, side**2, 0, 0, 0, scalar_grid(side))
        elif self.kind == "bptt":
            title = f"LSTM N = {self.units}, BPTT over {self.steps} steps with weight gradients"
            arrays = random_networks(4, self.units, 2, points, 888)
            work = Workload(self.key, title, "bptt", self.units, 0, points, 0, 0, 0, arrays)
        else:
            work = spectrum(4 if self.kind == "lstm" else 1, self.units, points, 0, 0, self.columns, 1)
        return replace(work, steps=self.steps, transient=self.transient, peer_steps=self.peer_steps)

    def numbers(self) -> int:
        """Numbers of one network: weights, biases, state and frame, or the states that BPTT keeps."""
        few = self.workload(2)
        size = few.arrays["state"].shape[1]
        own = sum(array[0].size for array in few.arrays.values())
        return own + size * (self.columns + (self.steps if self.kind == "bptt" else 0))

    def fitting(self, memory: float) -> Row:
        """The row with so many points that one contender's float64 fit into its share of `memory` bytes."""
        most = int(memory * SHARE / (8 * COPIES * self.numbers()))
        return replace(self, points=max(2, min(self.points, most)))

    def tiny(self) -> Row:
        """The row of a rehearsal."""
        points = max(2, min(256, 8192 // self.units**2))
        steps = 100 if self.kind == "bptt" else 60 if self.kind == "scalar" else 32 if self.units < 128 else 8
        return replace(self, points=points, steps=steps, peer_steps=steps, transient=min(self.transient, 20))

    def start(self) -> int:
        """Networks of the first, shortest call of a contender; it goes on to as many as it can run in its time."""
        return max(2, 2048 // self.units**2, 256 // self.units)


ROWS = (
    Row("scalar", "scalar", 1, 1, 512**2, 1000, 1000, transient=200, wanted_floor=2),
    Row("scalar1e6", "scalar", 1, 1, 1000**2, 1000, 1000, transient=200, wanted_floor=2),
    Row("elman2", "elman", 2, 2, 1_000_000, 1024, 256, wanted=20),
    Row("elman8", "elman", 8, 8, 262_144, 512, 128, wanted=20),
    Row("lstm8", "lstm", 8, 16, 131_072, 512, 64, wanted=20),
    Row("bptt8", "bptt", 8, 0, 131_072, 100, 100),
    Row("elman32", "elman", 32, 32, 100_000, 512, 64, wanted=20),
    Row("elman64", "elman", 64, 64, 16_384, 512, 32, wanted=5),
    Row("elman128", "elman", 128, 128, 4096, 512, 32),
    Row("elman512k32", "elman", 512, 32, 256, 512, 32),
    Row("elman512", "elman", 512, 512, 128, 256, 16),
)
