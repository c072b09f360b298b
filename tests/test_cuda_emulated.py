"""The kernels as compiled for a GPU, PTX for compute capability 9.0, run by the tests' emulator beside the CPU.

What the simulator cannot see is tested here: addresses, votes, shuffles and barriers of the compiled code. Results
agree to rounding: a GPU's compiler fuses other products and sums than a processor's.
"""

import pickle
from pathlib import Path

import numpy as np
import pytest
from cuda_support import close, finish, need_compiler, quantity, start
from support import assert_same_result

LANES = {
    ("tanh", 2, 1, "float64"): ("trajectory", "lyapunov adaptive", "ragged", "gradients"),
    ("tanh", 9, 0, "float64"): ("lyapunov all adaptive", "covariant"),  # sizes as arguments
    ("GatedAntisymmetric", 2, 1, "float32"): ("gradients in parts",),
}
MORE_LANES = {
    ("lstm", 3, 1, "float64"): ("lyapunov", "gradients in parts"),
    ("tanh", 9, 0, "float64"): ("last state", "gradients"),
    ("GatedAntisymmetric", 2, 1, "float32"): ("lyapunov",),
}
BLOCKS = {("tanh", 17, 1, "float64"): ("trajectory", "lyapunov all adaptive")}
MORE_BLOCKS = {
    ("lstm", 5, 1, "float32"): ("last state", "ragged"),
    ("relu", 18, 0, "float64"): ("lyapunov",),  # dead units: new directions
}
POINTS = 37  # a warp and a part of one
WAYS = {"shared memory": (1, False), "global memory": (1, True), "two warps": (2, False)}


def run_lanes(path, cases):
    """Write results of one network a thread."""
    need_compiler()
    from emulated import emulated

    import rnndyn as rd

    found = {}
    with emulated() as gpu:
        for case, names in cases.items():
            for name in names:
                result = quantity(rd, name, *case, "cuda", points=POINTS)
                found[name, case] = result
                found["ran"] = getattr(result, "ran", found.get("ran"))
        found["copies"] = gpu.copies
    Path(path).write_bytes(pickle.dumps(found))


def run_blocks(path, cases, ways):
    """Write results of one network a block, looking for races."""
    need_compiler()
    from emulated import emulated

    import rnndyn as rd
    from rnndyn.kernels import block_run, cuda, target

    target.BLOCKS, bytes_, found = 1, cuda.shared_bytes, {}
    for way in ways:
        warps, far = WAYS[way]
        block_run._warps = lambda columns, warps=warps: warps
        cuda.shared_bytes = (lambda warps: 0) if far else bytes_
        with emulated(races=True):
            for case, names in cases.items():
                for name in names:
                    found[way, name, case] = quantity(rd, name, *case, "cuda", points=2)
    Path(path).write_bytes(pickle.dumps(found))


def run(folder, lanes, blocks, ways):
    """(results of lanes, of blocks), from two processes."""
    calls = {"lanes": f"{lanes!r}", "blocks": f"{blocks!r}, {tuple(ways)!r}"}
    paths = {name: folder / name for name in calls}
    processes = [start("test_cuda_emulated", f"run_{n}({str(paths[n])!r}, {call})") for n, call in calls.items()]
    for process in processes:
        finish(process)
    return [pickle.loads(path.read_bytes()) for path in paths.values()]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return run(tmp_path_factory.mktemp("emulated"), LANES, BLOCKS, WAYS)


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    return run(tmp_path_factory.mktemp("more"), MORE_LANES, MORE_BLOCKS, ["two warps"])


def pairs(cases):
    return pytest.mark.parametrize(("name", "case"), [(name, case) for case, names in cases.items() for name in names])


def same_as_the_cpu(found, name, case, points):
    import rnndyn as rd

    close(found, quantity(rd, name, *case, "python", points=points), np.finfo(case[3]).eps)


@pairs(LANES)
def test_a_thread_a_network_equals_the_cpu(results, name, case):
    same_as_the_cpu(results[0][name, case], name, case, POINTS)


@pairs(BLOCKS)
def test_a_block_a_network_equals_the_cpu(results, name, case):
    same_as_the_cpu(results[1]["two warps", name, case], name, case, 2)


@pytest.mark.slow
@pairs(MORE_LANES)
def test_more_networks_of_a_thread_equal_the_cpu(more, name, case):
    same_as_the_cpu(more[0][name, case], name, case, POINTS)


@pytest.mark.slow
@pairs(MORE_BLOCKS)
def test_more_networks_of_a_block_equal_the_cpu(more, name, case):
    same_as_the_cpu(more[1]["two warps", name, case], name, case, 2)


def test_the_way_of_a_block_is_in_no_bit(results):
    case, names = next(iter(BLOCKS.items()))
    for name in names:
        one, *others = (results[1][way, name, case] for way in WAYS)
        for other in others:
            assert_same_result(other, one)


def test_arrays_are_copied_once_and_the_result_tells_the_gpu(results):
    assert results[0]["ran"] == "float32 on an emulated GPU"
    runs = sum(len(names) for names in LANES.values())
    assert results[0]["copies"] < 20 * runs
