"""The tables of the comparison with other software, from a small stored result: ratios, verdicts, bounds."""

import sys
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[1] / "studies" / "peers"


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(STUDY))
    for name in ("tables", "workloads"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import tables

    yield tables
    for name in ("tables", "workloads"):
        sys.modules.pop(name, None)


def contender(us):
    return {"form": "form", "at_a_time": 4, "size": "4 x 10", "median_us": us, "minimum_us": us}


@pytest.fixture
def result():
    """rnndyn at 1 us and 0.5 us; the best peer at 4 us with QR at each step and 2 us with QR every 4; floor 0.1 us."""
    names = {
        "rnndyn": 1.0,
        "rnndyn, own interval": 0.5,
        "JAX, first": 10.0,
        "JAX, best": 4.0,
        "PyTorch, first": 8.0,
        "PyTorch, best": 6.0,
        "JAX, first, QR every 4": 3.0,
        "JAX, best, QR every 4": 2.0,
        "PyTorch, first, QR every 4": 7.0,
        "PyTorch, best, QR every 4": 5.0,
        "lyapax": 20.0,
    }
    row = {
        "key": "elman32",
        "title": "Elman N = 32, all 32 exponents",
        "columns_of_frame": 32,
        "batch": 4,
        "steps": 10,
        "transient": 0,
        "flops": 10_000.0,
        "qr_flops": 4_000.0,
        "interval": 4,
        "mean_interval": 4.3,
        "contenders": {name: contender(us) for name, us in names.items()},
        "differences": {"state": 1e-15},
        "skipped": {"pynamicalsys": "not installed"},
        "product_gflops": 20.0,
    }
    machine = {
        "processor": "a processor",
        "threads": 2,
        "versions": {"rnndyn": "0"},
        "blas": ["openblas"],
        "peak_gflops": 50.0,
        "product_gflops": {"1": 45.0, "2": 40.0},
        "calls": 3,
    }
    return {"machine": machine, "rows": [row]}


def cells(page, title, table=0):
    """The row of a workload in the page's table number `table`, by the table's head."""
    lines = page.splitlines()
    place = [i for i, line in enumerate(lines) if line.startswith(f"| {title}")][table]
    head = max(i for i in range(place) if lines[i].startswith("| ---")) - 1
    split = [[c.strip() for c in lines[i].strip("|").split("|")] for i in (head, place)]
    return dict(zip(*split, strict=True))


def test_ratios_are_those_of_the_faster_library(tables, result):
    each = cells(tables.spectra_page(result), "Elman N = 32")
    assert each["ratio to first"] == "8.0"
    assert each["ratio to best"] == "4.0"
    assert each["lyapax"] == "20"
    assert each["pynamicalsys"] == "-"
    assert float(each["floor"]) == 0.1


def test_own_interval_has_its_time_its_floor_and_peers_at_the_same_interval(tables, result):
    own = cells(tables.spectra_page(result), "Elman N = 32", 1)
    assert own["rnndyn"] == "0.5"
    assert own["our interval"] == "4.3 (peers 4)"
    assert (own["ratio to first"], own["ratio to best"]) == ("16.0", "8.0")
    assert (own["first at our interval"], own["best at our interval"]) == ("6.0", "4.0")
    assert float(own["floor"]) == 0.07  # three quarters of the QR are saved


def test_a_verdict_names_the_forms_against_which_a_figure_is_reached(tables, result):
    page = tables.spectra_page(result)
    assert cells(page, "Elman N = 32")["verdict"] == "reached against the first form only"  # 8 and 4, wanted 6
    assert cells(page, "Elman N = 32", 1)["verdict"] == "reached against the first form only"  # 16 and 8, wanted 12
    for name in ("JAX, best", "PyTorch, best"):
        result["rows"][0]["contenders"][name]["median_us"] = 6.5
    page = tables.spectra_page(result)
    assert cells(page, "Elman N = 32")["verdict"] == "reached"
    assert "Elman N = 32, all 32 exponents: wanted 6" not in page
    for name in ("JAX, first", "PyTorch, first"):
        result["rows"][0]["contenders"][name]["median_us"] = 5.0
    assert cells(tables.spectra_page(result), "Elman N = 32")["verdict"] == "**not reached**"


def test_what_bounds_a_missed_figure(tables, result):
    page = tables.spectra_page(result)
    assert "rnndyn takes 1 us, 10.0 times its floor of 0.1 us, at which the ratio would be 40.0" in page
    assert "whatever the code" not in page
    result["rows"][0]["flops"] = 100_000.0  # a floor of 1 us, where 4 / 6 would be needed
    assert "bounded by the count of operations, whatever the code" in tables.spectra_page(result)


def test_products_are_judged_by_the_peak_on_as_many_threads(tables, result):
    rates = cells(tables.spectra_page(result), "Elman N = 32", 2)
    assert rates["products"] == "20.0"
    assert rates["share of peak"] == "50%"
    assert rates["verdict"] == "**not reached**"
    assert float(rates["whole step, QR each"]) == 5.0  # 10 000 operations in 1 us on two cores
    assert float(rates["whole step, own interval"]) == 7.0
    result["rows"][0]["product_gflops"] = 24.0
    assert cells(tables.spectra_page(result), "Elman N = 32", 2)["verdict"] == "reached"


def test_what_was_left_out_is_said_with_its_reason(tables, result):
    assert "- Elman N = 32, all 32 exponents: pynamicalsys not installed." in tables.spectra_page(result)


def test_the_first_page_has_all_forms_and_the_loops(tables, result):
    row = result["rows"][0]
    scalar = row | {"key": "scalar", "title": "scalar map", "columns_of_frame": 0, "qr_flops": 0, "interval": None}
    scalar["contenders"] = {
        name: contender(us)
        for name, us in {"rnndyn": 1.0, "Numba loop": 25.0, "Numba prange": 13.0, "NumPy": 9.0}.items()
    }
    result["rows"].append(scalar)
    page = tables.peers_page(result)
    assert "ratio to the plain Numba loop 25.0 (wanted 20: reached), with `prange` 13.0, to NumPy 9.0" in page
    assert page.count("| JAX, best, QR every 4 |") == 1
    assert cells(page, "scalar map")["verdict"] == "-"


def test_operations_fall_with_the_interval(tables):
    import workloads

    work = next(w for w in workloads.workloads(quick=True) if w.key == "elman8")
    assert work.product_flops() == 2 * 8**3
    assert work.flops() - work.flops(4) == pytest.approx(0.75 * work.qr_flops())
    assert work.for_peers(4).network_steps == work.batch * work.peer_steps
    assert {w.key for w in workloads.workloads(quick=True)} >= set().union(*workloads.WANTED.values())
