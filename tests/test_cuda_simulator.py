"""Every kernel on Numba's CUDA simulator, which needs no GPU, beside the uncompiled twin: equal to the bit."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from cuda_support import CASES, cell_of, finish, quantity, start
from support import assert_same_result, random_weights

LANES = (
    "trajectory", "last state", "lyapunov", "lyapunov adaptive", "ragged", "covariant", "volume", "gradients",
    "gradients in parts",
)  # fmt: skip
BLOCKS = ("trajectory", "last state", "lyapunov", "lyapunov all adaptive", "ragged")
ALONE = [("tanh", 1, 0, "float64"), ("tanh", 7, 1, "float64"), ("lstm", 3, 1, "float64")]
ONE = ("tanh", 3, 1, "float64")  # one point: a tile with a network too many
RANKS = ("relu", 7, 0, "float64")  # dead units: new directions


def run_all(path):
    """Write all quantities of the twin and of the simulator, and which entries ran, to a file."""
    import rnndyn as rd
    from rnndyn.kernels import block_run, cuda, target

    found = {}
    for case in CASES:
        for name in LANES:
            for device in ("python", "cuda"):
                found[device, name, case] = quantity(rd, name, *case, device)
    for name in LANES:
        for device in ("python", "cuda"):
            found[device, name, ONE] = quantity(rd, name, *ONE, device, points=1)
    twin = target.Run

    class Alone(target.Run):
        def __post_init__(self):
            self.path = "dense"
            super().__post_init__()

    cuda.THREADS, target.Run = 2, Alone
    for warps in (1, 3):
        block_run._warps = lambda columns, warps=warps: warps
        for case in (*ALONE, RANKS):
            for name in BLOCKS:
                for device in ("python", "cuda"):
                    found[device, f"{name}, {warps} warps", case] = quantity(rd, name, *case, device)
    target.Run = twin
    found = {key: tuple(value) if isinstance(value, tuple) else value for key, value in found.items()}
    told, streamed = quantity(rd, "lyapunov", *ONE, "cuda").ran, _streamed(rd)
    entries = sorted({" ".join(str(part) for part in key[:2]) for key in cuda._COMPILED})
    Path(path).write_bytes(pickle.dumps((found, entries, cuda.available(), told, *streamed)))


def _streamed(rd):
    """A run that is cut into many ranges, sorted on the way, and one with noise; on the twin and on the simulator."""
    from rnndyn.kernels import cuda, devices, spectra

    devices.FILL, devices.SHARE, spectra.REGROUPED, cuda.SMALL = 2, 8e-6, (4,), 0
    ranges = []
    real = devices.shares

    def shares(*arguments):
        ranges.append(real(*arguments))
        return ranges[-1]

    from rnndyn.kernels import target

    target.shares = shares
    cell = cell_of(rd, "tanh", 2, 1)
    weights = random_weights(cell, np.random.default_rng(5), (9,), gain=3.0)
    noise = rd.Noise(0.5)
    runs = [
        [rd.lyapunov(cell, weights, steps=24, device=device, **given) for given in ({}, {"inputs": noise})]
        for device in ("python", "cuda")
    ]
    return [[tuple(result) for result in results] for results in runs], ranges


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulator") / "results"
    finish(start("test_cuda_simulator", f"run_all({str(path)!r})", NUMBA_ENABLE_CUDASIM="1"))
    return pickle.loads(path.read_bytes())


def keys():
    found = [(name, case) for case in (*CASES, ONE) for name in LANES]
    found += [(f"{n}, {w} warps", case) for case in (*ALONE, RANKS) for n in BLOCKS for w in (1, 3)]
    return [pytest.param(*key, id=f"{key[0]}-{'-'.join(map(str, key[1]))}") for key in found]


@pytest.mark.parametrize(("name", "case"), keys())
def test_simulator_equals_the_twin(simulated, name, case):
    found = simulated[0]["cuda", name, case]
    assert_same_result(found, simulated[0]["python", name, case])
    first = found if isinstance(found, np.ndarray) else found[2 if name.startswith("gradients") else -1]
    assert np.isfinite(first).any()


def test_all_entries_ran(simulated):
    entries = "; ".join(simulated[1])
    for name in ("orbit", "lyapunov", "push", "record", "adjoint", "_spectrum_entry", "_path_entry", "_fill", "_sort"):
        assert re.search(rf"\b{name}\b", entries), f"{name} did not run: {entries}"


def test_the_simulator_is_no_gpu(simulated):
    there, reason = simulated[2]
    assert not there
    assert "simulator" in reason
    assert simulated[3] == f"float64 on {reason}"


def test_results_do_not_depend_on_ranges(simulated):
    (twin, found), ranges = simulated[4:]
    assert max(len(points) for points, _ in ranges) > 2
    for one, other in zip(twin, found, strict=True):
        assert_same_result(other, one)
