"""What is compiled for the table of registers: cells, kernels, forms, dtypes, compute capabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sizes import known

DTYPES = ("float64", "float32")
MAIN, OTHERS = (9, 0), ((8, 0), (10, 0))
"""Compute capability for which all is compiled; those for which one cell of each shape is, in float64."""
UNITS, INPUTS = 2, 1
"""Sizes of the compiled cells where they are arguments of the kernels, not part of their code."""
VARIANTS = {"GRU, reset before": ("GRU", {"reset_after": False})}
"""Forms of a cell that are kernels of their own, beside the one that a constructor makes when it is told nothing."""
SHAPES = {
    "Elman": "one field, one stage",
    "LSTM": "two fields, two stages",
    "GRU, reset before": "a field between two stages",
    "GatedAntisymmetric": "a transposed product",
    "CoRNN": "two fields, two matrices in one stage",
}
"""A cell of each shape."""
KERNELS, BLOCKS = ("orbit", "lyapunov", "push", "record", "adjoint"), ("spectrum", "path")
"""Those of one network a thread, and of one network a block: names of `cuda.KERNELS` and `cuda.BLOCKS`."""
KNOWN_UNITS, KNOWN_KERNELS = (1, 2, 4, 8), ("orbit", "lyapunov", "record", "adjoint")
"""Kernels compiled for the very sizes: of cells without inputs, all exponents."""
THREAD, BLOCK, SIZED = "One network a thread", "One network a block", "One network a thread, for the very sizes"
"""Tables of the page."""


@dataclass(frozen=True)
class Job:
    """One kernel of one cell. near: a block's weights and frame are in shared memory; units: its very size, or 0."""

    cell: str
    kernel: str
    dtype: str
    capability: tuple[int, int]
    near: bool = False
    units: int = 0

    @property
    def table(self) -> str:
        """The table that it stands in."""
        return SIZED if self.units else BLOCK if self.kernel in BLOCKS else THREAD

    @property
    def row(self) -> str:
        return f"{self.cell}, N = {self.units}" if self.units else self.cell

    @property
    def column(self) -> str:
        return f"{self.kernel}, shared" if self.near else self.kernel

    def __str__(self) -> str:
        return f"{self.row}, {self.column}, {self.dtype}, {self.capability[0]}.{self.capability[1]}"

    def ptx(self, optimised: bool = True) -> str:
        """Compile it."""
        from rnndyn.kernels import cuda

        cell = build(self.cell, self.units, 0) if self.units else build(self.cell)
        sizes = known(cell, self.kernel) if self.units else ()
        return cuda.ptx(cell, self.kernel, self.dtype, self.capability, sizes, self.near, optimised)


def jobs(cells: list[str], kernels: list[str]) -> Iterator[Job]:
    """All that is compiled: the one place that knows which kernels there are and in what forms."""
    shapes = [name for name in cells if name in SHAPES]
    for dtype, capability in [(dtype, MAIN) for dtype in DTYPES] + [(DTYPES[0], other) for other in OTHERS]:
        for cell in cells if capability == MAIN else shapes:
            for kernel in kernels:
                yield Job(cell, kernel, dtype, capability)
                if cell in shapes and kernel in BLOCKS:
                    yield Job(cell, kernel, dtype, capability, near=True)
        for cell in shapes if capability == MAIN else ():
            for units in KNOWN_UNITS:
                for kernel in kernels:
                    if kernel in KNOWN_KERNELS:
                        yield Job(cell, kernel, dtype, capability, units=units)


def all_cells() -> list[str]:
    """Names of all cells and of their variants."""
    import rnndyn as rd

    return [name for kind in rd.CELLS for name in (kind, *(v for v, (base, _) in VARIANTS.items() if base == kind))]


def build(name: str, units: int = UNITS, inputs: int = INPUTS):
    """The cell of a row."""
    import rnndyn as rd

    base, keywords = VARIANTS.get(name, (name, {}))
    return rd.CELLS[base](units, inputs, **keywords)
