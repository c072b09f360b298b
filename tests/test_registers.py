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
    names = [import_module(name) for name in ("sizes", "jobs", "assembler", "registers")]
    yield SimpleNamespace(**{name: value for module in names for name, value in vars(module).items()})
    for name in own:
        sys.modules.pop(name, None)


def test_all_is_compiled_for_one_device_and_one_of_each_shape_for_the_others(registers):
    wanted = list(registers.jobs(registers.all_cells(), [*registers.KERNELS, *registers.BLOCKS]))
    assert len(wanted) == len(set(wanted)) == len(set(map(str, wanted)))
    for kernel in (*registers.KERNELS, *registers.BLOCKS):
        for dtype in registers.DTYPES:
            here = [j for j in wanted if (j.kernel, j.dtype, j.units) == (kernel, dtype, 0)]
            assert {j.cell for j in here if j.capability == (9, 0)} == {*rd.CELLS, *registers.VARIANTS}
            near = {j.cell for j in here if j.near and j.capability == (9, 0)}
            assert near == (set(registers.SHAPES) if kernel in registers.BLOCKS else set())
            for capability in registers.OTHERS:
                others = {j.cell for j in here if j.capability == capability}
                assert others == (set(registers.SHAPES) if dtype == "float64" else set())
    for units in registers.KNOWN_UNITS:
        sized = {(j.cell, j.kernel, j.dtype) for j in wanted if j.units == units}
        assert len(sized) == len(registers.SHAPES) * len(registers.KNOWN_KERNELS) * len(registers.DTYPES)


def test_no_kernel_is_left_out(registers):
    from rnndyn.kernels import cuda

    assert list(registers.KERNELS) == list(cuda.KERNELS)
    assert list(registers.BLOCKS) == list(cuda.BLOCKS)


def test_known_sizes_are_those_of_a_run(registers):
    """Numbers of a tile's arrays are multiples of the lane width; here they are of one lane."""
    cell = rd.LSTM(2, 1)
    sizes, at, room = registers.known(cell, "lyapunov")
    assert sizes[:2] == (2, 1)
    assert sizes[4] == cell.state_size == 4, "all exponents"
    assert at == (0, 16, 24, 32, 40)
    assert room[0] == at[-1], "no parameters"
    assert registers.known(cell, "record") == registers.known(cell, "adjoint")
    for kernel in registers.KERNELS:
        assert registers.known(cell, kernel) != registers.known(rd.LSTM(3, 1), kernel)


def test_a_cell_of_each_shape_has_that_shape(registers):
    stages = {name: [len(s.gates) for s in registers.build(name).stages] for name in registers.SHAPES}
    assert len(stages["GRU, reset before"]) == len(stages["LSTM"]) == 2
    assert len(stages["Elman"]) == 1
    assert registers.build("LSTM").fields == ("h", "c")
    assert registers.build("CoRNN").fields == ("y", "z")


def test_what_ptxas_tells_is_read(registers):
    assert registers.used(TOLD) == registers.Used(184, 1024, 48, 24, 40)
    with pytest.raises(ValueError, match="nothing of registers"):
        registers.used("ptxas fatal : no such file")


def test_the_page_has_registers_spills_and_failures(registers):
    good, spilled = registers.Used(72, 0, 0, 0, 0, 1.0, 0.5), registers.Used(255, 512, 64, 16, 32, 3.0, 2.5)
    results = {
        registers.Job("Elman", "orbit", "float64", (9, 0)): good,
        registers.Job("Elman", "push", "float64", (9, 0)): spilled,
        registers.Job("LSTM", "orbit", "float64", (9, 0)): "ValueError: no",
        registers.Job("LSTM", "path", "float64", (9, 0)): good,
        registers.Job("LSTM", "path", "float64", (9, 0), near=True): spilled,
        registers.Job("Elman", "orbit", "float32", (8, 0)): good,
        registers.Job("Elman", "orbit", "float32", (9, 0), units=4): spilled,
    }
    page = registers.page(results, {"ptxas": "13.5"})
    assert "Versions: ptxas 13.5." in page
    assert "| Elman | 72 / 0 | 255 / 32, 512 B shared, 64 B stack |" in page
    assert "| LSTM | **fails** |  |" in page
    assert "| cell | path | path, shared |" in page
    assert "| Elman, N = 4 | 255 / 32, 512 B shared, 64 B stack |" in page
    assert "- LSTM, orbit, float64, 9.0: ValueError: no" in page
    assert f"| {registers.THREAD} | push | 1 | 1 | 1 | 32 |" in page
    assert f"| {registers.THREAD} | orbit | 2 | 0 | 0 | 0 |" in page
    assert page.index("float64, compute capability 9.0") < page.index("float32, compute capability 8.0")
    assert f"| {registers.THREAD} | push | 3.0 | 2.5 | 2.5 |" in page


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
