"""On a GPU: `pytest -m gpu`. Everywhere else these tests are skipped, with the reason.

With NUMBA_ENABLE_CUDASIM=1 they run on Numba's simulator, in small, which tests the tests.
"""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from cuda_support import CASES, close, quantity
from support import ROOT, assert_same_result, random_weights

import rnndyn as rd

pytestmark = pytest.mark.gpu
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
POINTS = 5 if SIMULATED else 1000
LANES = ("trajectory", "lyapunov", "lyapunov adaptive", "ragged", "covariant", "gradients", "gradients in parts")
BLOCKS = [
    ("tanh", 17, 1, "float64"),
    ("relu", 33, 0, "float64"),
    ("lstm", 20, 1, "float32"),
    ("tanh", 64, 0, "float32"),
]
real = pytest.mark.skipif(SIMULATED, reason="the simulator is too slow, and no GPU")


@pytest.fixture(autouse=True)
def gpu():
    from rnndyn import kernels

    found, why = kernels.gpu()
    if not found:
        pytest.skip(f"no GPU: {why}")


@pytest.mark.parametrize("name", LANES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_a_thread_a_network_equals_the_cpu(name, case):
    found = quantity(rd, name, *case, "cuda", points=POINTS)
    close(found, quantity(rd, name, *case, "cpu", points=POINTS), np.finfo(case[3]).eps)


@pytest.mark.parametrize("name", ["trajectory", "lyapunov", "lyapunov all adaptive", "ragged"])
@pytest.mark.parametrize("case", BLOCKS, ids=lambda case: "-".join(map(str, case)))
def test_a_block_a_network_equals_the_cpu(name, case):
    points = 2 if SIMULATED else 50
    found = quantity(rd, name, *case, "cuda", points=points)
    close(found, quantity(rd, name, *case, "cpu", points=points), np.finfo(case[3]).eps, growth=1000)


def _chaos(points):
    cell = rd.Elman(8)
    return cell, random_weights(cell, np.random.default_rng(1), (points,), gain=3.0, bias=0.0)


@real
def test_chaos_agrees_in_its_statistics():
    cell, weights = _chaos(2000)
    run = {"steps": 5000, "transient": 500, "k": 2}
    one, other = (rd.lyapunov(cell, weights, device=device, **run) for device in ("cpu", "cuda"))
    assert other.ran.startswith("float64 on ")
    error = np.hypot(one.stderr, other.stderr)
    assert (np.abs(one.exponents - other.exponents) <= 3 * error).mean() > 0.97
    single = rd.lyapunov(cell, weights, device="cuda", dtype="float32", **run)
    error = np.hypot(one.stderr, single.stderr)
    assert (np.abs(one.exponents - single.exponents) <= 3 * error).mean() > 0.97


@pytest.mark.parametrize("noise", [False, True])
def test_ranges_are_in_no_bit(monkeypatch, noise):
    from rnndyn.kernels import devices

    cell = rd.Elman(2, 1)
    weights = random_weights(cell, np.random.default_rng(5), (POINTS,), gain=3.0)
    given = {"inputs": rd.Noise(0.5)} if noise else {}
    whole = rd.lyapunov(cell, weights, steps=40, device="cuda", **given)
    monkeypatch.setattr(devices, "FILL", 64)
    monkeypatch.setattr(devices, "SHARE", 1e-6)
    assert_same_result(rd.lyapunov(cell, weights, steps=40, device="cuda", **given), whole)


@real
def test_auto_takes_the_gpu_where_it_pays_and_says_so(monkeypatch):
    from rnndyn import kernels
    from rnndyn.kernels import devices

    cell, weights = _chaos(5000)
    monkeypatch.setattr(devices, "BEGINNING", 0.0)
    assert rd.lyapunov(cell, weights, steps=2000).ran == f"float64 on {kernels.gpu()[1]}"


@real
def test_too_little_memory_is_told_and_nothing_is_broken(monkeypatch):
    from rnndyn.kernels import cuda, devices

    cell, weights = _chaos(200_000)  # about a gigabyte
    taken = cuda.cuda.device_array(cuda.free_bytes() - (100 << 20), np.uint8)
    with monkeypatch.context() as patch:
        patch.setattr(cuda, "free_bytes", lambda: 1 << 40)
        patch.setattr(devices, "BEGINNING", 0.0)
        with pytest.raises(rd.DeviceError, match="memory is full"):
            rd.lyapunov(cell, weights, steps=200, device="cuda")
        found = rd.lyapunov(cell, weights, steps=200)
    assert found.ran.startswith("float64 on the CPU (")
    assert "memory is full" in found.ran
    del taken
    again = rd.lyapunov(cell, weights, steps=200, device="cuda")
    assert np.isfinite(again.exponents).all()


RUN = """
import numpy as np, rnndyn as rd
from rnndyn.kernels import cuda
cell = rd.LSTM(3)
rd.lyapunov(cell, {"weight_hh": np.ones((100, 12, 3))}, steps=10, device="cuda")
print(sum(sum(entry._cache_misses.values()) for entry in cuda._COMPILED.values()))
"""


@real
def test_a_second_process_compiles_nothing(tmp_path):
    environment = os.environ | {"RNNDYN_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN]
    misses = [int(subprocess.check_output(command, env=environment, text=True)) for _ in range(2)]
    assert misses[0] > 0
    assert misses[1] == 0


LONG = """
import numpy as np, rnndyn as rd
cell = rd.Elman(8)
print("begun", flush=True)
rd.lyapunov(cell, {"weight_hh": np.ones((100_000, 8, 8))}, steps=10_000_000, device="cuda")
"""


@real
def test_an_interrupt_ends_a_long_run():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", LONG], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "begun"
    time.sleep(60)  # compiled by then
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert time.monotonic() - begun < 2
    assert "KeyboardInterrupt" in message
