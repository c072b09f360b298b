"""The comparison on a GPU without one: its table from invented numbers, the empty table, its floors, its processes."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

STUDY = Path(__file__).parents[1] / "studies" / "peers"
CELLS = 18  # columns of the table of times


@pytest.fixture
def study(monkeypatch):
    """The study's modules; they are forgotten afterwards, as their names are common ones."""
    monkeypatch.syspath_prepend(str(STUDY))
    own = {path.stem for path in STUDY.glob("*.py")}
    for name in own:
        monkeypatch.delitem(sys.modules, name, raising=False)
    import device
    import gpu
    import gpu_checks
    import gpu_contenders
    import gpu_rows
    import gpu_tables
    import workers

    yield SimpleNamespace(
        **{m.__name__: m for m in (device, gpu, gpu_checks, gpu_contenders, gpu_rows, gpu_tables, workers)}
    )
    for name in own:
        sys.modules.pop(name, None)


def found(call, kernel, networks=1000, steps=100):
    return {
        "form": "a form",
        "checks": {"state": 1e-15},
        "networks": networks,
        "steps": steps,
        "call_ns": call,
        "minimum_ns": call,
        "kernel_ns": kernel,
        "calls": 3,
    }


@pytest.fixture
def result():
    """Elman N = 8 at 2 ns a call (1 ns in the kernel); PyTorch at 60 (50), over a tenth of the steps, JAX refused.

    2e5 operations and 50 bytes a step on a device of 1e15 multiply-adds and 1e12 bytes a second: floors 0.1, 0.05 ns.
    """
    contenders = {
        "rnndyn, GPU": found(2.0, 1.0, steps=1000),
        "rnndyn, GPU, own interval": found(1.0, 0.5, steps=1000),
        "rnndyn, CPU": found(400.0, None),
        "PyTorch": found(60.0, 50.0),
    }
    row = {
        "key": "elman8",
        "title": "Elman N = 8, all 8 exponents",
        "dtype": "float64",
        "steps": 1000,
        "transient": 0,
        "flops": 2e5,
        "bytes": 50.0,
        "contenders": contenders,
        "tried": {name: [f] for name, f in contenders.items()}
        | {"JAX": [{"form": "vmap", "refused": "wrong: its state differs by 1.0e+00 from the CPU's"}]},
        "skipped": {"JAX": "JAX 0.10 has no CUDA"},
    }
    device = {"name": "a GPU", "about": "compute capability 9.0", "memory": 8e10, "bandwidth": 1e12}
    device["fma"] = {"float64": 1e15, "float32": None}
    machine = {"processor": "a processor", "threads": 2, "versions": {"rnndyn": "0"}, "device": device}
    return {"machine": machine, "rows": [row]}


def lines_of(page, title):
    """The page's table lines that begin with a title, as lists of cells."""
    lines = [line for line in page.splitlines() if line.startswith(f"| {title}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_ratios_of_calls_spread_the_copies_and_those_of_kernels_do_not(study, result):
    page = study.gpu_tables.page(result)
    cells = dict(zip(study.gpu_tables.TIMES, lines_of(page, "Elman N = 8")[0], strict=True))
    first = lines_of(page, "Elman N = 8")[0]
    assert cells["networks x steps"] == "1000 x 1000"
    assert first[2:6] == ["2", "1", "1", "0.5"]
    assert (cells["rnndyn CPU"], cells["PyTorch"]) == ("400", "51")  # 50, and a tenth of the copies' 10 ns
    assert first[12:16] == ["25.5", "50.0", "51.0", "100.0"]
    assert (cells["wanted"], cells["verdict"]) == ("ratio 20", "reached")


@pytest.mark.parametrize(("call", "kernel"), [(3.0, 1.0), (2.0, 3.0)])
def test_a_ratio_is_reached_only_by_calls_and_kernels_both(study, result, call, kernel):
    result["rows"][0]["contenders"]["rnndyn, GPU"] |= {"call_ns": call, "kernel_ns": kernel}
    assert lines_of(study.gpu_tables.page(result), "Elman N = 8")[0][-1] == "**not reached**"


def test_the_faster_peer_counts(study, result):
    result["rows"][0]["contenders"]["JAX"] = found(20.0, 18.0)
    cells = lines_of(study.gpu_tables.page(result), "Elman N = 8")[0]
    assert cells[12:14] == ["9.1", "18.0"]
    assert cells[-1] == "**not reached**"


def test_kernel_time_stands_over_the_larger_floor(study, result):
    line = lines_of(study.gpu_tables.page(result), "Elman N = 8")[1]
    assert line[1:8] == ["0.1", "0.05", "0.1", "10.0", "5.0", "500.0", "-"]
    result["rows"][0]["bytes"] = 200.0
    assert lines_of(study.gpu_tables.page(result), "Elman N = 8")[1][1:5] == ["0.1", "0.2", "0.2", "5.0"]


@pytest.mark.parametrize(("kernel", "verdict"), [(0.19, "reached"), (0.21, "**not reached**")])
def test_the_scalar_map_is_judged_by_its_floor(study, result, kernel, verdict):
    title = "scalar tanh map, exponent, 512 x 512"
    row = result["rows"][0] | {"key": "scalar", "title": title}
    row["contenders"] = {"rnndyn, GPU": found(1.0, kernel)}
    result["rows"].append(row)
    assert lines_of(study.gpu_tables.page(result), "scalar tanh map, exponent, 512 x 512")[0][-2:] == [
        "2 floors",
        verdict,
    ]


def test_an_unknown_peak_leaves_the_floor_open(study, result):
    result["rows"][0]["dtype"] = "float32"
    line = lines_of(study.gpu_tables.page(result), "Elman N = 8")[3]
    assert line[1:8] == ["-", "0.05", "-", "-", "-", "-", "-"]
    assert "float32 unknown" in study.gpu_tables.page(result)


def test_what_was_left_out_or_not_run_is_said(study, result):
    page = study.gpu_tables.page(result)
    assert "left out: wrong: its state differs by 1.0e+00 from the CPU's" in page
    assert "- JAX: JAX 0.10 has no CUDA." in page
    assert "Not run: scalar tanh map, exponent, 512 x 512, float64;" in page
    assert "not run: no GPU" not in page.lower()


def test_without_a_gpu_the_table_is_empty_and_says_so(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study.gpu, "gpu_or_reason", lambda: (False, "no driver."))
    assert study.gpu.main(["--output", str(tmp_path)]) == 0
    assert "No GPU can be used: no driver.\n" in capsys.readouterr().out
    page = (tmp_path / "gpu.md").read_text()
    assert "**Not run: no GPU; nothing is claimed.** The reason: no driver." in page
    assert json.loads((tmp_path / "gpu.json").read_text())["rows"] == []
    for row in study.gpu_rows.ROWS:
        lines = lines_of(page, row.workload(2).title)
        assert len(lines) == 4
        for cells in lines:
            assert not "".join(cells[1:-2]), "a number without a run"
        assert lines[0][-2:] == [study.gpu_tables.wanted_of(row), ""]
    assert len(lines_of(page, "Elman N = 8")[0]) == CELLS


def test_a_measured_table_outlives_a_run_without_a_gpu(study, result, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study.gpu, "gpu_or_reason", lambda: (False, "no driver"))
    study.gpu.write(SimpleNamespace(output=tmp_path), result)
    before = (tmp_path / "gpu.md").read_text()
    assert study.gpu.main(["--output", str(tmp_path)]) == 0
    assert "stays as it is" in capsys.readouterr().out
    assert (tmp_path / "gpu.md").read_text() == before


@pytest.fixture
def on_a_gpu(study, result, monkeypatch, tmp_path):
    """`gpu.main` on an invented GPU whose contenders are invented too; returns (call, rows that were measured)."""
    device = study.device.Device(**result["machine"]["device"])
    measured = []

    class Comparison:
        def __init__(self, where, seconds):
            assert where == "cuda"

        def reference(self, row):
            return "no reference" if row.key == "elman128" else {}

        def measure(self, row, dtype, against):
            measured.append((row.key, dtype))
            return result["rows"][0] | {"key": row.key, "dtype": dtype}

        def stop(self):
            measured.append("stopped")

    monkeypatch.setattr(study.gpu, "gpu_or_reason", lambda: (True, device.name))
    monkeypatch.setattr(study.gpu, "Comparison", Comparison)
    monkeypatch.setattr(study.device, "gpu", lambda: device)
    return lambda *more: study.gpu.main(["--output", str(tmp_path), *more]), measured


def test_stored_rows_are_kept_and_missing_ones_measured(study, on_a_gpu, tmp_path, capsys, monkeypatch):
    call, measured = on_a_gpu
    assert call("--only", "elman8", "--dtypes", "float64") == 0
    assert measured == [("elman8", "float64"), "stopped"]
    del measured[:]
    assert call("--keep") == 0
    every = {(row.key, dtype) for row in study.gpu_rows.ROWS for dtype in study.gpu_rows.DTYPES}
    assert set(measured) == every - {("elman8", "float64"), ("elman128", "float64"), ("elman128", "float32")} | {
        "stopped"
    }
    assert "nothing to compare with: no reference" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "gpu.json").read_text())["rows"]) == len(every) - 2
    other = replace(study.device.gpu(), name="another GPU")
    monkeypatch.setattr(study.device, "gpu", lambda: other)
    with pytest.raises(SystemExit, match="measured on a GPU"):
        call("--keep")


def test_no_row_is_begun_after_the_time(on_a_gpu, capsys):
    call, measured = on_a_gpu
    assert call("--minutes", "0") == 0
    assert measured == [("scalar", "float64"), ("scalar", "float32"), "stopped"]
    assert "Not begun within 0 minutes: scalar1e6, elman2," in capsys.readouterr().out


def test_the_committed_table_is_that_of_the_stored_result(study):
    folder = STUDY.parents[1] / "reports" / "performance"
    stored = json.loads((folder / "gpu.json").read_text())
    assert (folder / "gpu.md").read_text() == study.gpu_tables.page(stored) + "\n"


def test_peaks_follow_from_the_device(study):
    rates = study.device.fma_rates((9, 0), 132, 1.98e9)
    assert 2 * rates["float64"] == pytest.approx(33.45e12, rel=1e-3)
    assert 2 * rates["float32"] == pytest.approx(66.91e12, rel=1e-3)
    assert study.device.fma_rates((99, 0), 132, 1.98e9) == {"float64": None, "float32": None}


def test_floors_count_what_no_program_can_avoid(study):
    row = next(row for row in study.gpu_rows.ROWS if row.key == "elman8")
    work = row.workload(2).on("cpu", "float32")
    assert study.device.compulsory_bytes(work) == 4 * (64 + 8 + 8 + 8 + 8) / 512
    assert work.flops() < row.workload(2).flops()  # a shorter polynomial


def test_points_shrink_with_the_memory(study):
    row = next(row for row in study.gpu_rows.ROWS if row.key == "elman32")
    assert row.fitting(8e10).points == row.points
    assert row.fitting(1e9).points < row.points / 10
    assert row.fitting(1e9).points * 8 * study.gpu_rows.COPIES * row.numbers() <= study.gpu_rows.SHARE * 1e9


def test_a_contender_that_is_stopped_or_dies_keeps_what_it_had(study):
    taken = []
    worker = study.workers.Worker()
    try:
        assert worker.ask("builtins", "range", 3, limit=60, take=taken.append) == ""
        assert taken == [0, 1, 2]
        assert worker.ask("math", "sqrt", -1.0, limit=60, take=taken.append).startswith("ValueError: ")
        start = time.monotonic()
        assert worker.ask("time", "sleep", 60, limit=0.2, take=taken.append) == "stopped after 0 s"
        assert time.monotonic() - start < 10
        assert worker.ask("os", "_exit", 3, limit=60, take=taken.append) == "its process ended with exit status 3"
        assert worker.ask("builtins", "range", 1, limit=60, take=taken.append) == ""
        assert taken == [0, 1, 2, 0]
    finally:
        worker.stop()


class Fake:
    """A call that takes no memory up to so many networks."""

    def __init__(self, work, most):
        self.work, self.most = work, most

    def whole(self):
        if self.work.batch > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate")

    def kernel(self, seconds, until):
        return None


def test_networks_grow_as_far_as_memory_allows(study):
    row = next(row for row in study.gpu_rows.ROWS if row.key == "elman2")
    work = replace(row, points=4096).workload()
    until = time.monotonic() + 60

    def measured(most, start=16):
        return study.gpu_contenders.measured(lambda w: Fake(w, most), work, start, until, largest=True)

    assert measured(1 << 20)["networks"] == 4096
    short = measured(2000)
    assert (short["networks"], short["note"]) == (1024, "out of memory at 4096 networks")
    assert short["call_ns"] > 0
    with pytest.raises(study.workers.Left, match="out of memory"):
        measured(0)


@pytest.mark.parametrize(("largest", "networks"), [(True, 4096), (False, 16)])
def test_a_peer_runs_as_many_networks_as_suit_it_and_this_package_all(study, monkeypatch, largest, networks):
    row = next(row for row in study.gpu_rows.ROWS if row.key == "elman2")
    work, contenders = replace(row, points=4096).workload(), study.gpu_contenders
    monkeypatch.setattr(contenders, "once", lambda call: 1e-9 * call.__self__.work.batch**2)  # the fewer the faster
    until = time.monotonic() + 60
    found = contenders.measured(lambda w: Fake(w, 1 << 20), work, 16, until, largest)
    assert found["networks"] == networks
    assert found["call_ns"] == pytest.approx(networks / work.steps)


def test_wrong_results_are_refused_and_right_ones_are_not(study):
    checks, row = study.gpu_checks, next(row for row in study.gpu_rows.ROWS if row.key == "elman2")
    work = row.tiny().workload()
    against = checks.reference(work)

    def ours(w):
        return checks.ours_out(w, 1)

    for dtype in study.gpu_rows.DTYPES:
        errors = checks.check(work.on("cpu", dtype), ours, against, careful=True)
        assert errors["share within 5 standard errors"] > 0.9
    wrongs = {
        "state": lambda e, s: (e, s + 1e-6),
        "sum of exponents": lambda e, s: (e + 1e-6, s),
        "its exponents": lambda e, s: (e + np.array([0.3, -0.3]), s),
    }
    for what, wrong in wrongs.items():
        with pytest.raises(study.workers.Left, match=what):
            checks.check(work, lambda w, wrong=wrong: wrong(*ours(w)), against)
    with pytest.raises(study.workers.Left, match="state"):
        checks.check(work, lambda w: (ours(w)[0], np.full_like(ours(w)[1], np.nan)), against)
