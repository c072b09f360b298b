"""The table of registers: what is compiled, what ptxas tells, the page; one kernel compiled and assembled in truth."""

import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

import rnndyn as rd

STUDY = Path(__file__).parents[1] / "studies" / "cuda"
TOLD = """ptxas info    : 456 bytes gmem
ptxas info    : Compiling entry function 'entry' for 'sm_90'
ptxas info    : Function properties for entry
    48 bytes stack frame, 24 bytes spill stores, 40 bytes spill loads
ptxas info    : Used 184 registers, used 1 barriers, 48 bytes cumulative stack size, 1024 bytes smem
ptxas info    : Compile time = 2846.793 ms
"""


@pytest.fixture
def registers(monkeypatch):
    monkeypatch.syspath_prepend(str(STUDY))
    own = [path.stem for path in STUDY.glob("*.py")]
    for name in own:
        monkeypatch.delitem(sys.modules, name, raising=False)
    names = [import_module(name) for name in ("jobs", "assembler", "registers")]
    yield SimpleNamespace(**{name: value for module in names for name, value in vars(module).items()})
    for name in own:
        sys.modules.pop(name, None)


def test_every_cell_is_compiled_for_one_device_and_one_of_each_shape_for_the_others(registers):
    wanted = list(registers.jobs(registers.all_cells(), ["orbit", "adjoint"]))
    assert len(wanted) == len(set(wanted))
    for kernel in ("orbit", "adjoint"):
        for dtype in registers.DTYPES:
            here = [j for j in wanted if (j.kernel, j.dtype) == (kernel, dtype)]
            assert {j.cell for j in here if j.capability == (9, 0)} == {*rd.CELLS, *registers.VARIANTS}
            for capability in registers.OTHERS:
                assert {j.cell for j in here if j.capability == capability} == set(registers.SHAPES)


def test_a_cell_of_each_shape_has_that_shape(registers):
    stages = {name: [len(s.gates) for s in registers.build(name).stages] for name in registers.SHAPES}
    assert len(stages["GRU, reset before"]) == 2
    assert len(stages["Elman"]) == len(stages["LSTM"]) == 1
    assert registers.build("LSTM").fields == ("h", "c")
    assert registers.build("CoRNN").fields == ("y", "z")


def test_what_ptxas_tells_is_read(registers):
    assert registers.used(TOLD) == registers.Used(184, 1024, 48, 24, 40)
    with pytest.raises(ValueError, match="nothing of registers"):
        registers.used("ptxas fatal : no such file")


def test_the_page_has_registers_spills_and_failures(registers):
    good, spilled = registers.Used(72, 0, 0, 0, 0, 1.0, 0.5), registers.Used(255, 512, 64, 16, 32, 3.0, 2.5)
    results = {
        registers.Job("Elman", "orbit", "float64", (9, 0), (), "orbit"): good,
        registers.Job("Elman", "push", "float64", (9, 0), (), "push"): spilled,
        registers.Job("LSTM", "orbit", "float64", (9, 0), (), "orbit"): "ValueError: no",
        registers.Job("Elman", "orbit", "float32", (8, 0), (), "orbit"): good,
    }
    page = registers.page(results, {"ptxas": "13.5"})
    assert "Versions: ptxas 13.5." in page
    assert "| Elman | 72 / 0 | 255 / 32, 512 B shared, 64 B stack |" in page
    assert "| LSTM | **fails** |  |" in page
    assert "- LSTM, orbit, float64, 9.0: ValueError: no" in page
    assert "1 of 3 kernels spill; 1 have a stack." in page
    assert page.index("float64, compute capability 9.0") < page.index("float32, compute capability 8.0")
    assert "| push | 3.0 | 2.5 | 2.5 |" in page


def test_a_kernel_is_compiled_and_assembled(registers):
    if reason := registers.missing():
        pytest.skip(reason)
    found = registers.compile_one(registers.Job("Elman", "orbit", "float32", (9, 0)))
    assert isinstance(found, registers.Used), found
    assert 16 < found.registers <= 255
    assert found.shared == found.stores == found.loads == 0


def test_a_kernel_that_does_not_compile_is_told(registers):
    told = registers.compile_one(registers.Job("Elman", "no such kernel", "float32", (9, 0)))
    assert told.startswith("KeyError")
