"""Which device a run takes, what it says of it, and how points are shared out among GPUs; all without one."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from support import ROOT, random_weights

import rnndyn as rd
from rnndyn import kernels

GPU = "NVIDIA Imaginary"


@pytest.fixture
def devices(monkeypatch):
    """`kernels.devices` where there are two imaginary GPUs like an H100, each with 1 GiB free."""
    from rnndyn.kernels import cuda, devices

    monkeypatch.setattr(cuda, "available", lambda: (True, GPU))
    monkeypatch.setattr(cuda, "speed", lambda: ((9, 0), 132, 1.7e9))
    monkeypatch.setattr(cuda, "devices", lambda: 2)
    monkeypatch.setattr(cuda, "free_bytes", lambda: 1 << 30)
    return devices


def test_the_peak_of_a_gpu(devices):
    assert devices.peak("float64", (9, 0), 132, 1.7e9) == 64 * 132 * 1.7e9  # an H100: 29 of 34 TFLOP/s at its boost
    assert devices.peak("float32", (8, 9), 100, 1e9) == 128e11
    assert devices.peak("float64", (8, 9), 100, 1e9) == 2e11
    assert devices.peak("float64", (9, 9), 1, 1.0) == 64  # unknown: as the one before it
    assert devices.peak("float64", (3, 5), 1, 1.0) == 4


def test_a_gpu_is_taken_where_it_ends_sooner(devices):
    assert devices.choose("float64", 1e9) == ("cpu", "")
    assert devices.choose("float64", 1e16, threads=2) == ("cuda", "")
    device, why = devices.choose("float64", 2.5e11, threads=64)
    assert device == "cpu"
    assert GPU in why


def test_without_a_gpu_the_cpu_is_taken_and_it_is_told(monkeypatch):
    from rnndyn.kernels import cuda, devices

    monkeypatch.setattr(cuda, "available", lambda: (False, "no driver"))
    assert devices.choose("float64", 1e16) == ("cpu", "no GPU: no driver")


def test_small_runs_do_not_look_for_a_gpu():
    code = (
        "import sys, rnndyn as rd; rd.lyapunov(rd.Elman(1), {}, steps=8, device='auto', state=[0.1]);"
        "print([m for m in sys.modules if m.startswith('numba.cuda') or m == 'rnndyn.kernels.cuda'])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"


def run_of(units=2, dtype="float64", width=32):
    from rnndyn.kernels.plan import Layout

    cell = rd.Elman(units)
    return SimpleNamespace(cell=cell, dtype=dtype, layout=Layout(cell), width=width, dense=False, columns=units)


def test_points_are_shared_out_in_whole_tiles_and_all_once(devices):
    for count in (1, 31, 33, 100_000, 1_000_003):
        ranges, workers = devices.shares(run_of(), count, 100)
        assert [low for low, _ in ranges] == [0, *(high for _, high in ranges[:-1])]
        assert ranges[-1][1] == count
        assert all((high - low) % 32 == 0 for low, high in ranges[:-1])
        assert workers == min(4, len(ranges))


def test_no_range_is_larger_than_the_memory(devices):
    """Of a GiB, 0.8 for two ranges at a time."""
    run = run_of()
    need = 8 * (1000 + devices.scratch(run))
    ranges, _ = devices.shares(run, 10_000_000, 1000)
    assert 0.7 * 2**30 < 2 * max(high - low for low, high in ranges) * need <= 0.8 * 2**30 + 2 * 32 * need
    few, _ = devices.shares(run, 4 * devices.FILL, 10)
    assert len(few) == 4  # one for each worker: none waits


def test_the_work_of_a_range_counts_what_blocks_keep(devices):
    alone = run_of(units=64, width=1)
    alone.dense, alone.columns = True, 64
    assert devices.scratch(alone) > 5 * 64 * 64


def test_the_first_call_of_large_networks_is_short():
    from rnndyn.kernels import block_run
    from rnndyn.kernels.dense_run import guess
    from rnndyn.kernels.tiles import Pace

    for units, networks, steps in ((17, 100, 32), (512, 50, 3), (512, 10_000, 1)):
        run = run_of(units)
        run.pace = Pace()
        guess(run, units, networks, **block_run.BEGIN)
        assert next(run.pace.slices(networks, 1000, together=True))[3] == steps


def test_noise_of_many_networks_is_made_in_short_pieces():
    """On a GPU all networks have their inputs at once, not a tile after the other."""
    from rnndyn.kernels.tangent import LONGEST
    from rnndyn.kernels.target import Run

    of_processor, of_gpu = (Run(rd.Elman(2, 1), "float64", device).piece(10**6) for device in ("cpu", "cuda"))
    assert 100_000 * of_gpu * 8 < 1e9 < 100_000 * of_processor * 8
    assert of_gpu % LONGEST == 0


@pytest.mark.parametrize("quantity", ["lyapunov", "gradients"])
def test_results_tell_what_they_ran_on(quantity, monkeypatch):
    cell = rd.Elman(2)
    weights = random_weights(cell, np.random.default_rng(0))

    def run(**more):
        if quantity == "lyapunov":
            return rd.lyapunov(cell, weights, steps=20, **more)
        return rd.gradients(cell, weights, steps=20, cotangent_last=np.ones(2), **more)

    assert run(device="cpu").ran == "float64 on the CPU"
    assert run(device="python", dtype="float32").ran == "float32 on the CPU, uncompiled"
    monkeypatch.setattr(kernels, "choose_device", lambda *_: ("cpu", "no GPU: no driver"))
    assert run().ran == "float64 on the CPU (no GPU: no driver)"


def test_a_gpu_that_fails_is_told_and_the_cpu_goes_on(monkeypatch):
    from rnndyn.kernels import target

    real = target.Run

    def run(cell, dtype, device, *rest, **more):
        if device == "cuda":
            raise rd.DeviceError("the GPU could not do it: its memory is full.")
        return real(cell, dtype, device, *rest, **more)

    monkeypatch.setattr(kernels, "choose_device", lambda *_: ("cuda", ""))
    monkeypatch.setattr(kernels, "gpu", lambda: (True, GPU))
    monkeypatch.setattr(target, "Run", run)
    weights = {"weight_hh": [[0.5, 0.1], [0.0, 0.4]]}
    found = rd.lyapunov(rd.Elman(2), weights, steps=20)
    assert found.ran == "float64 on the CPU (the GPU could not do it: its memory is full.)"
    with pytest.raises(rd.DeviceError, match="its memory is full"):
        rd.lyapunov(rd.Elman(2), weights, steps=20, device="cuda")


def test_a_missing_gpu_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(kernels, "gpu", lambda: (False, "no driver."))
    for call in (
        lambda: rd.trajectory(rd.Elman(1), {}, steps=2, device="cuda"),
        lambda: rd.gradients(rd.Elman(1), {}, steps=2, cotangent_last=[1.0], device="cuda"),
        lambda: rd.attractors(rd.Elman(1), {}, device="cuda"),
    ):
        with pytest.raises(rd.DeviceError, match=r"^device='cuda': no driver\. Use device='auto' or 'cpu'\.$"):
            call()


@pytest.mark.parametrize(
    ("module", "text", "words"),
    [
        ("numba.cuda.cudadrv.driver", "[2] CUDA_ERROR_OUT_OF_MEMORY in cuMemAlloc", "its memory is full"),
        ("cuda.core._utils.cuda_utils", "CUDA_ERROR_ILLEGAL_ADDRESS: an\naddress", "CUDA_ERROR_ILLEGAL_ADDRESS: an ad"),
        ("cuda.bindings.nvjitlink", "ERROR_UNRECOGNIZED_OPTION (1)", "UNRECOGNIZED"),
    ],
)
def test_what_a_driver_reports_becomes_a_sentence(module, text, words):
    from rnndyn.kernels import cuda

    kind = type("Reported", (Exception,), {"__module__": module})
    with pytest.raises(rd.DeviceError, match=words), cuda.told():
        raise type("Special", (kind,), {})(text)
    with pytest.raises(KeyError), cuda.told():
        raise KeyError("a mistake of ours")


def test_the_reports_of_the_packages_at_hand_are_known():
    from rnndyn.kernels import cuda

    if cuda.cuda is None:
        pytest.skip(f"numba-cuda is not complete: {cuda.MISSING}")
    from cuda.bindings.nvjitlink import nvJitLinkError
    from cuda.core._utils.cuda_utils import CUDAError
    from numba.cuda.cudadrv import driver, error

    for kind in (nvJitLinkError, CUDAError, driver.CudaAPIError, driver.LinkerError, error.CCSupportError):
        with pytest.raises(rd.DeviceError, match="a report"), cuda.told():
            raise type("One", (kind,), {"__init__": lambda self: None, "__str__": lambda self: "a report"})()


def test_a_driver_that_cannot_even_be_asked_is_no_gpu(monkeypatch):
    from rnndyn.kernels import cuda

    def old():
        raise RuntimeError("Function cuNew\nnot found")

    monkeypatch.setattr(cuda, "cuda", SimpleNamespace(is_available=old))
    monkeypatch.setattr(cuda, "find_spec", lambda name: True)
    assert cuda.available() == (False, "RuntimeError: Function cuNew not found")


# --- sweeps -----------------------------------------------------------------------------------------------------------

STUDY = """
title = "Two points"
[cell]
kind = "Elman"
units = 1
[axes]
w = {{start = 0.2, stop = 0.4, num = 2}}
[weights]
weight_hh = "w"
[run]
steps = 20
device = "{device}"
[measure.lyapunov]
"""


def study(tmp_path, device):
    path = tmp_path / "two.toml"
    path.write_text(STUDY.format(device=device))
    return path


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_a_sweep_records_its_device(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "choose_device", lambda *_: ("cpu", "no GPU: no driver"))
    rd.sweep(study(tmp_path, "auto"), directory=tmp_path / "out")
    found = manifest(tmp_path / "out")
    assert found["identity"]["device"] == "cpu"
    assert found["ran"] == "float64, CPU (no GPU: no driver)"
    assert found["identity"]["study"]["run"]["device"] == "auto"


def test_a_sweep_goes_on_only_on_a_gpu_like_its_own(tmp_path, monkeypatch):
    from rnndyn.sweep.provenance import differences, identity

    one, found = rd.read_study(study(tmp_path, "cuda")), []
    for name in (GPU, "NVIDIA Other"):
        monkeypatch.setattr(kernels, "gpu", lambda name=name: (True, name))
        found.append(identity(one, [rd.Elman(1)], "cuda"))
    assert differences(*found) == [f"machine.gpu is {GPU} there and NVIDIA Other here"]
    assert "gpu" not in identity(one, [rd.Elman(1)], "cpu")["machine"]


def test_a_sweep_without_its_gpu_is_refused_with_file_and_key(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "gpu", lambda: (False, "no driver."))
    with pytest.raises(rd.DeviceError, match=r"two\.toml: \[run\] device = 'cuda': no driver; use 'auto' or 'cpu'"):
        rd.sweep(study(tmp_path, "cuda"), directory=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_auto_goes_on_with_what_a_sweep_was_begun_with(tmp_path, monkeypatch):
    """Bits must not depend on how a sweep was cut: a device is chosen once."""
    from rnndyn.sweep.device import placed

    file = study(tmp_path, "auto")
    rd.sweep(file, directory=tmp_path / "out")
    monkeypatch.setattr(kernels, "choose_device", lambda *_: ("cuda", ""))
    monkeypatch.setattr(kernels, "gpu", lambda: (True, GPU))
    one = rd.read_study(file)
    assert placed(one, 1e16, None, tmp_path / "out")[0].run.device == "cpu"
    fresh, words = placed(one, 1e16, None, None)
    assert (fresh.run.device, words) == ("cuda", f"float64, {GPU}")


def test_a_sweep_begun_on_a_gpu_says_so_where_there_is_none(tmp_path, monkeypatch):
    file, out = study(tmp_path, "auto"), tmp_path / "out"
    rd.sweep(file, directory=out)
    begun = manifest(out)
    begun["identity"]["device"] = "cuda"
    (out / "manifest.json").write_text(json.dumps(begun))
    monkeypatch.setattr(kernels, "gpu", lambda: (False, "no driver."))
    with pytest.raises(rd.DeviceError, match=r"out was begun on a GPU, and there is none here \(no driver\)"):
        rd.sweep(file, directory=out)


# --- float32 ----------------------------------------------------------------------------------------------------------


def test_error_bars_of_float32_hold_its_rounding():
    """Settled networks, whose exponents have no other error: float32's differ by much more than theirs in float64."""
    cell = rd.Elman(8)
    weights = random_weights(cell, np.random.default_rng(2), (100,), gain=0.7)
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    one, other = (rd.lyapunov(cell, weights, steps=1000, transient=500, dtype=d) for d in ("float64", "float32"))
    assert other.exponents.dtype == other.stderr.dtype == np.float32
    assert other.ran.startswith("float32")
    difference = np.abs(one.exponents - other.exponents)
    settled = one.stderr < 1e-9
    assert settled.mean() > 0.1
    assert np.mean(difference > 3 * np.hypot(one.stderr, other.stderr)) < 0.01
    assert np.mean(difference[settled] > 10 * one.stderr[settled]) > 0.9
    assert other.stderr[settled].max() < 1e-6


def test_steps_that_lose_rank_are_in_the_error_bar():
    """Float32 takes some steps of an ill-conditioned network for a loss of rank: what they shrank by is not known."""
    cell = rd.Elman(64)
    weights = random_weights(cell, np.random.default_rng(0), (8,), gain=2.0, bias=0.0)
    one, other = (rd.lyapunov(cell, weights, steps=30, dtype=d, qr_every=1) for d in ("float64", "float32"))
    difference = np.abs(one.exponents - other.exponents)
    assert difference.max() > 0.01
    assert np.all(difference <= 3 * np.hypot(one.stderr, other.stderr))


def test_a_tolerance_below_float32_is_refused():
    with pytest.raises(rd.InputError, match=r"`tolerance` is 1e-08, but float32's rounding alone leaves"):
        rd.lyapunov(rd.Elman(1), {"weight_hh": [[0.5]]}, tolerance=1e-8, dtype="float32")
