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

LARGE = 32
"""Units from which peers' forms unrolled over columns are not tried: they take minutes to compile."""

TANH_FLOPS = {"float64": 40, "float32": 34}
"""Operations of one tanh or logistic function: range reduction, polynomial of degree 13 (7), one division."""

WANTED = {
    "first": {"scalar": 4.5, "elman2": 40, "elman8": 30, "lstm8": 20, "bptt8": 8},
    "each": {"elman2": 40, "elman8": 30, "elman32": 6, "elman64": 4, "elman128": 2.5, "elman512": 1.2, "lstm8": 25},
    "own": {
        "elman2": 60,
        "elman8": 60,
        "elman32": 12,
        "elman64": 8,
        "elman128": 5,
        "elman512k32": 1.5,
        "elman512": 3,
        "lstm8": 40,
    },
}
"""Wanted ratios of the faster of JAX and PyTorch to rnndyn: in the first table; with QR at each step on both sides;
with rnndyn's own interval against QR at each step."""
WANTED_LOOP = 20
"""Wanted ratio of a plain Numba loop to rnndyn, scalar map."""
WANTED_PEAK = 0.6
"""Wanted share of the machine's matrix-product peak in the products of a spectrum."""


@dataclass(frozen=True)
class Workload:
    """One line of the tables: `batch` networks of `units` units over `transient + steps` steps.

    columns: exponents. peer_steps: steps of a peer's call, fewer where it takes seconds; a multiple of 16. interval:
    steps between a peer's orthogonalisations. device: where it runs, on all sides.
    """

    key: str
    title: str
    kind: str  # "scalar", "elman", "lstm" or "bptt"
    units: int
    columns: int
    batch: int
    steps: int
    transient: int
    peer_steps: int
    arrays: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    interval: int = 1
    device: str = "cpu"

    def on(self, device: str, dtype: str) -> Workload:
        """The same workload on a device ("cpu" or "cuda"), its arrays float64 or float32."""
        arrays = {name: array.astype(dtype, copy=False) for name, array in self.arrays.items()}
        return replace(self, device=device, arrays=arrays)

    @property
    def dtype(self) -> str:
        """float64 or float32."""
        return str(self.arrays["state"].dtype)

    @property
    def network_steps(self) -> int:
        """Number of (network, step) pairs of one call: times are divided by it."""
        return self.batch * (self.steps + self.transient)

    @property
    def is_spectrum(self) -> bool:
        """Whether a frame of columns is carried along."""
        return self.kind in ("elman", "lstm")

    @property
    def is_full(self) -> bool:
        """Whether all exponents are computed, so that their sum is known exactly (mean ln|det J|)."""
        return self.columns == self.arrays["state"].shape[1]

    def part(self, batch: int | None = None, steps: int | None = None, transient: int | None = None) -> Workload:
        """The same workload with the first `batch` networks and other step counts."""
        batch = self.batch if batch is None else min(batch, self.batch)
        arrays = {name: array[:batch] for name, array in self.arrays.items()}
        steps = self.steps if steps is None else steps
        transient = self.transient if transient is None else transient
        return replace(self, batch=batch, steps=steps, transient=transient, arrays=arrays)

    def for_peers(self, interval: int = 1) -> Workload:
        """What a peer is timed with: the same networks over `peer_steps`, QR every `interval` steps."""
        return replace(self, steps=self.peer_steps, interval=interval)

    def product_flops(self) -> float:
        """`W Q` with all gates, of one step."""
        gates = 4 if self.kind == "lstm" else 1
        return 2 * gates * self.units**2 * self.columns

    def qr_flops(self) -> float:
        """Gram-Schmidt of one frame, `2 S K^2`; Householder QR with explicit Q takes twice as many for K = S."""
        return 2 * self.arrays["state"].shape[1] * self.columns**2

    def flops(self, interval: float = 1) -> float:
        """Operations of one step with QR every `interval` steps: a floor; a multiply and an add count as two."""
        n, k, tanh = self.units, self.columns, TANH_FLOPS[self.dtype]
        if self.kind == "scalar":
            return 2 + tanh + 4
        if self.kind == "bptt":  # gates, cotangent through the transpose and gradient of the weights; pointwise
            return 24 * n**2 + 5 * n * tanh + 30 * n
        spectrum = self.product_flops() + self.qr_flops() / interval
        if self.kind == "lstm":  # gates; rows of c and h
            return 8 * n**2 + 11 * n * k + 5 * n * tanh + spectrum
        return 2 * n**2 + n * k + n * tanh + spectrum  # orbit; rows of the frame times 1 - h^2


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


def spectrum(gates: int, units: int, batch: int, steps: int, peer_steps: int, columns: int, shrink: int) -> Workload:
    """A spectrum of random networks: Elman (one gate, one field) or LSTM (four gates, two fields)."""
    kind, fields = ("lstm", 2) if gates == 4 else ("elman", 1)
    batch = max(2, batch // shrink)
    full = columns == fields * units
    return Workload(
        key=f"{kind}{units}" if full else f"{kind}{units}k{columns}",
        title=f"{'LSTM' if gates == 4 else 'Elman'} N = {units}, {'all' if full else 'first'} {columns} exponents",
        kind=kind,
        units=units,
        columns=columns,
        batch=batch,
        steps=steps,
        transient=0,
        peer_steps=peer_steps,
        arrays=random_networks(gates, units, fields, batch, units if gates == 1 else 11 * units),
    )


def workloads(quick: bool = False) -> list[Workload]:
    """All workloads, the scalar one as long as the study; `quick` takes small batches for a trial.

    Our steps are such that the 32 batches of a run, at whose ends the frame is orthogonalised, are 16 steps or longer
    (8 for the largest).
    """
    points, shrink = (128, 8) if quick else (512, 1)
    scalar_title = f"scalar tanh map, exponent, {points} x {points}"
    bptt_title = "LSTM N = 8, BPTT over 100 steps with weight gradients"
    networks = 4096 // shrink
    return [
        Workload("scalar", scalar_title, "scalar", 1, 1, points**2, 1000, 200, 1000, scalar_grid(points)),
        spectrum(1, 2, 16384, 1024, 128, 2, shrink),
        spectrum(1, 8, 4096, 512, 64, 8, shrink),
        spectrum(4, 8, 1024, 512, 96, 16, shrink),
        Workload("bptt8", bptt_title, "bptt", 8, 0, networks, 100, 0, 100, random_networks(4, 8, 2, networks, 888)),
        spectrum(1, 32, 512, 512, 64, 32, shrink),
        spectrum(1, 64, 96, 512, 64, 64, shrink),
        spectrum(1, 128, 16, 512, 64, 128, shrink),
        spectrum(1, 512, 4, 512, 128, 32, shrink),
        spectrum(1, 512, 2, 256, 32, 512, shrink),
    ]
