"""The same bits however the work is divided (threads, lanes, tiles, chunks, calls); how soon an interrupt is heard."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import assert_same_result, build, random_weights, take

import rnndyn as rd
from rnndyn.kernels import spectra, stream, target, tiles

ROOT = Path(__file__).parents[1]
POINTS, STEPS, TRANSIENT = 37, 60, 10
NETWORKS = {"lstm": (3, 2), "tanh": (1, 0)}  # odd, so that units are left over where rules take them in pairs
QUANTITIES = ("trajectory", "lyapunov", "lyapunov_adaptive", "gradients", "gradients_last")


class Task:
    """One quantity of random networks; `run(low, high)` computes the points low..high-1 of all."""

    def __init__(self, family, quantity, ragged):
        units, inputs = NETWORKS[family]
        rng = np.random.default_rng(0)
        self.cell, self.quantity = build(rd, family, units, inputs), quantity
        self.arrays = {
            "weights": random_weights(self.cell, rng, (POINTS,), gain=1.6),
            "inputs": rng.normal(size=(POINTS, STEPS, inputs)) if inputs else None,
            "lengths": rng.integers(STEPS // 2, STEPS + 1, POINTS) if ragged else None,
        }
        if quantity.startswith("gradients"):
            every = (STEPS + 1,) if quantity == "gradients" else ()
            name = "cotangent" if quantity == "gradients" else "cotangent_last"
            self.arrays[name] = rng.normal(size=(POINTS, *every, self.cell.state_size))

    def run(self, low=0, high=POINTS, **options):
        arrays = {name: take(value, slice(low, high)) for name, value in self.arrays.items()}
        options |= {"progress": False}
        if self.quantity.startswith("lyapunov"):
            options |= {"transient": TRANSIENT, "first_index": low, "steps": STEPS - TRANSIENT}
            options |= {"qr_every": 1 if self.quantity == "lyapunov" else None}
        else:
            options |= {"steps": STEPS}
        return getattr(rd, self.quantity.split("_")[0])(self.cell, **arrays, **options)


@pytest.fixture(params=[(f, q, r) for f in NETWORKS for q in QUANTITIES for r in (False, True)], ids=str)
def task(request):
    return Task(*request.param)


def test_threads_tiles_chunks_and_calls(task, monkeypatch):
    whole = task.run(threads=1)
    for threads in (2, 3):
        assert_same_result(task.run(threads=threads), whole)
    for low, high in ((0, 1), (5, 6), (1, 20), (POINTS - 1, POINTS)):  # another tile, another lane, other neighbours
        assert_same_result(task.run(low, high), take(whole, slice(low, high)))
    with monkeypatch.context() as patch:
        patch.setattr(tiles, "CHUNK_BYTES", 1)
        assert_same_result(task.run(), whole)
    calls = []
    monkeypatch.setattr(tiles, "CALL", 1e-9)
    timed = tiles.Pace.timed
    monkeypatch.setattr(tiles.Pace, "timed", lambda *given: calls.append(given[1]) or timed(*given))
    assert_same_result(task.run(), whole)
    assert len(calls) > STEPS // 2, "the run was not cut into pieces"


def test_calls_where_products_share_weights(monkeypatch):
    """W and W^T of one cell add into the same gradient: in the same order, wherever a call ends."""
    rng = np.random.default_rng(2)
    cell = rd.Antisymmetric(3, 2)
    weights = {name: rng.normal(size=(5, *shape)) for name, shape in cell.shapes.items()}
    given = {"inputs": rng.normal(size=(45, 2)), "cotangent_last": np.ones(3)}
    whole = rd.gradients(cell, weights, **given)
    monkeypatch.setattr(tiles, "CALL", 1e-9)
    assert_same_result(rd.gradients(cell, weights, **given), whole)


def test_lane_width(task, monkeypatch):
    whole = task.run()
    width = target.lane_width("float64", task.cell.units)
    other = width // 4 if task.cell.units == 1 else 2 * width
    widths = []
    monkeypatch.setattr(target, "lane_width", lambda dtype, units: widths.append(other) or other)
    assert_same_result(task.run(), whole)
    assert widths


def test_kernels_for_the_very_sizes(monkeypatch):
    """A long run gets a kernel compiled for its sizes; a short one that for all sizes, unless the other is there."""
    kinds = []
    room = target.Run.room
    monkeypatch.setattr(target.Run, "room", lambda run, *arrays: kinds.append(run.kind) or room(run, *arrays))
    for case in (("tanh", "trajectory"), ("tanh", "gradients"), ("lstm", "lyapunov_adaptive")):
        task = Task(*case, True)
        with monkeypatch.context() as patch:
            patch.setattr(target, "WORTH", np.inf)
            patch.setattr(target, "MADE", set())
            short = task.run()
            assert set(kinds) == {tuple}
            patch.setattr(target, "WORTH", 0.0)
            assert_same_result(task.run(), short)
            kinds.clear()
            patch.setattr(target, "WORTH", np.inf)
            assert_same_result(task.run(), short)
            assert set(kinds) == {target.Known}
            kinds.clear()


LONG = """
import sys, time
import numpy as np
import rnndyn as rd

weights = {"weight_hh": np.random.default_rng(0).normal(size=(64, 64)) / 4}
rd.lyapunov(rd.Elman(64), weights, steps=10, progress=False)
said = []
def progress(done, total):
    if done and not said:
        said.append(print("runs", flush=True))
try:
    rd.lyapunov(rd.Elman(64), weights, steps=10**8, progress=progress)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_an_interrupt_during_one_long_network_is_heard():
    process = subprocess.Popen(
        [sys.executable, "-c", LONG], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "runs\n", process.communicate()
    time.sleep(1)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    waited = time.monotonic() - sent
    _, message = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in message
    assert process.returncode == -signal.SIGINT
    assert waited < 2.5  # one second, on a busy machine


@pytest.mark.parametrize("noise", [False, True])
def test_points_whose_frames_need_the_same_interval_go_side_by_side(noise, monkeypatch):
    """Their order in the tiles changes on the way, and no bit of a result does."""
    rng = np.random.default_rng(8)
    cell, steps, points = rd.LSTM(3, 2), 300, 150
    gains = rng.permutation(np.geomspace(0.05, 6.0, points))
    weights = {name: array * gains.reshape(-1, *[1] * (array.ndim - 1))
               for name, array in random_weights(cell, rng, (points,)).items()}  # fmt: skip
    weights["weight_hh"][3, 0, 0] = np.nan
    inputs = rd.Noise(1.0) if noise else rng.normal(size=(points, steps + TRANSIENT, 2))
    given = {"lengths": None if noise else rng.integers(steps // 2, steps + 1, points) + TRANSIENT}
    given |= {"transient": TRANSIENT, "steps": steps, "progress": False, "threads": 1}  # several tiles a chunk

    def run(low=0, high=points):
        drive = inputs if noise else inputs[low:high]
        lengths = None if noise else given["lengths"][low:high]
        return rd.lyapunov(cell, take(weights, slice(low, high)), inputs=drive, **given | {"lengths": lengths},
                           first_index=low)  # fmt: skip

    orders = []
    sort = stream.Pieces.sort
    monkeypatch.setattr(stream.Pieces, "sort", lambda pieces, order: orders.append(order) or sort(pieces, order))
    whole = run()
    assert any((np.diff(order) < 0).any() for order in orders), "no point has moved"
    for low, high in ((0, 1), (5, 6), (11, 30)):
        assert_same_result(run(low, high), take(whole, slice(low, high)))
    monkeypatch.setattr(spectra, "REGROUPED", ())
    assert_same_result(run(), whole)
