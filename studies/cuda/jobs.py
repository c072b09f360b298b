"""What is compiled for the table of registers: cells, kernels, dtypes, compute capabilities. A new kernel goes here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

DTYPES = ("float64", "float32")
MAIN, OTHERS = (9, 0), ((8, 0), (10, 0))
"""Compute capability for which all cells are compiled; those for which one of each shape is."""
UNITS, INPUTS = 2, 1
"""Sizes of the compiled cells: an argument of the kernels, not part of their code, unless a column says so."""
VARIANTS = {"GRU, reset before": ("GRU", {"reset_after": False})}
"""Forms of a cell that are kernels of their own, beside the one that a constructor makes when it is told nothing."""
SHAPES = {
    "Elman": "one field, one stage",
    "LSTM": "two fields",
    "GRU, reset before": "two stages",
    "GatedAntisymmetric": "a transposed product",
    "CoRNN": "two fields, two matrices in one stage",
}
"""A cell of each shape."""


@dataclass(frozen=True)
class Job:
    """One kernel of one cell; `column` is its place in the table, `more` further keywords of `cuda.ptx`."""

    cell: str
    kernel: str
    dtype: str
    capability: tuple[int, int]
    more: tuple = ()
    column: str = ""


def jobs(cells: list[str], kernels: list[str]) -> Iterator[Job]:
    """All that is compiled: the one place that knows which kernels there are and in what forms."""
    for dtype in DTYPES:
        for capability in (MAIN, *OTHERS):
            for cell in cells if capability == MAIN else [name for name in cells if name in SHAPES]:
                for kernel in kernels:
                    yield Job(cell, kernel, dtype, capability, (), kernel)


def all_cells() -> list[str]:
    """Names of all cells and of their variants."""
    import rnndyn as rd

    return [name for kind in rd.CELLS for name in (kind, *(v for v, (base, _) in VARIANTS.items() if base == kind))]


def build(name: str):
    """The cell of a row."""
    import rnndyn as rd

    base, keywords = VARIANTS.get(name, (name, {}))
    return rd.CELLS[base](UNITS, INPUTS, **keywords)
