"""The workloads of the comparison: data, step counts, wanted ratios, operation counts.

Every array has its batch axis first, as rnndyn takes it; a peer brings it into the layout that suits it before the
clock starts. Weights carry PyTorch's names and shapes, `weight_hh (B, G*N, N)` and `bias_hh (B, G*N)`; LSTM rows are
i, f, g, o.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

GAIN = 2.0
"""Gain of the random networks: entries of the recurrent weights are normal with deviation GAIN / sqrt(N)."""

TANH_FLOPS = 40
"""Operations of one tanh or logistic function: range reduction, polynomial of degree 13, one division."""

LOG_FLOPS = 30
"""Operations of one logarithm; a spectrum needs it only once every few steps, so floors count none."""


@dataclass(frozen=True)
class Workload:
    """One line of the table: `batch` networks of `units` units over `transient + steps` steps."""

    key: str
    title: str
    kind: str  # "scalar", "elman", "lstm" or "bptt"
    units: int
    batch: int
    steps: int
    transient: int
    wanted: float
    flops: float
    arrays: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    @property
    def network_steps(self) -> int:
        """Number of (network, step) pairs of one call: times are divided by it."""
        return self.batch * (self.steps + self.transient)

    def part(self, batch: int | None = None, steps: int | None = None, transient: int | None = None) -> Workload:
        """The same workload with the first `batch` networks and other step counts."""
        batch = self.batch if batch is None else min(batch, self.batch)
        arrays = {name: array[:batch] for name, array in self.arrays.items()}
        steps = self.steps if steps is None else steps
        transient = self.transient if transient is None else transient
        return replace(self, batch=batch, steps=steps, transient=transient, arrays=arrays)


def elman_flops(n: int) -> float:
    """`a = W h + b` (2 n^2), `D W Q` (2 n^3 + n^2), Gram-Schmidt (2 n^3), and n tanh; multiply and add count as two."""
    return 2 * n**2 + 2 * n**3 + n**2 + 2 * n**3 + n * TANH_FLOPS


def lstm_flops(n: int) -> float:
    """Gates (8 n^2), `U Q_h` with 2n columns (16 n^3), rows of c and h (22 n^2), Gram-Schmidt of 2n x 2n (16 n^3)."""
    return 8 * n**2 + 16 * n**3 + 22 * n**2 + 16 * n**3 + 5 * n * TANH_FLOPS


def bptt_flops(n: int) -> float:
    """Gates (8 n^2), cotangent through `U^T` (8 n^2), gradient of weights (8 n^2), 5 n functions, 30 n pointwise."""
    return 24 * n**2 + 5 * n * TANH_FLOPS + 30 * n


def scalar_grid(points: int) -> dict[str, np.ndarray]:
    """`weight_hh (B, 1, 1)`, `bias_hh (B, 1)` over w in [-4, 4] and b in [-2, 2], start `state (B, 1)` of 0.1."""
    w, b = np.meshgrid(np.linspace(-4, 4, points), np.linspace(-2, 2, points), indexing="ij")
    return {
        "weight_hh": w.reshape(-1, 1, 1).copy(),
        "bias_hh": b.reshape(-1, 1).copy(),
        "state": np.full((points * points, 1), 0.1),
    }


def random_networks(gates: int, units: int, fields: int, batch: int, seed: int) -> dict[str, np.ndarray]:
    """Weights of deviation GAIN / sqrt(N), biases of deviation 0.1, states and cotangents of deviation 0.1 and 1."""
    rng = np.random.default_rng(seed)
    return {
        "weight_hh": rng.normal(0, GAIN / np.sqrt(units), (batch, gates * units, units)),
        "bias_hh": rng.normal(0, 0.1, (batch, gates * units)),
        "state": rng.normal(0, 0.1, (batch, fields * units)),
        "cotangent": rng.normal(0, 1, (batch, fields * units)),
    }


def workloads(quick: bool = False) -> list[Workload]:
    """All workloads, the scalar one as long as the study; `quick` takes small batches for a trial."""
    points = 128 if quick else 512
    shrink = 8 if quick else 1
    steps, transient = 1000, 200
    return [
        Workload(
            "scalar",
            f"scalar tanh map, exponent, {points} x {points}",
            "scalar",
            1,
            points**2,
            steps,
            transient,
            4.5,
            2 + TANH_FLOPS + 4,
            scalar_grid(points),
        ),
        Workload(
            "elman2",
            "Elman N = 2, full spectrum",
            "elman",
            2,
            16384 // shrink,
            1000,
            0,
            40,
            elman_flops(2),
            random_networks(1, 2, 1, 16384 // shrink, 2),
        ),
        Workload(
            "elman8",
            "Elman N = 8, full spectrum",
            "elman",
            8,
            4096 // shrink,
            500,
            0,
            30,
            elman_flops(8),
            random_networks(1, 8, 1, 4096 // shrink, 8),
        ),
        Workload(
            "lstm8",
            "LSTM N = 8, 16 exponents",
            "lstm",
            8,
            1024 // shrink,
            400,
            0,
            20,
            lstm_flops(8),
            random_networks(4, 8, 2, 1024 // shrink, 88),
        ),
        Workload(
            "bptt8",
            "LSTM N = 8, BPTT over 100 steps with weight gradients",
            "bptt",
            8,
            16384 // shrink,
            100,
            0,
            8,
            bptt_flops(8),
            random_networks(4, 8, 2, 16384 // shrink, 888),
        ),
    ]
