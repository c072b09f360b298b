"""Noise as input: the numbers, where they go, and what is known of networks that are driven by them."""

import functools
import tracemalloc

import numpy as np
import pytest
from support import ROOT, assert_same_result, random_weights, same_bits, take

import rnndyn as rd
from rnndyn.dynamics import last_state
from rnndyn.dynamics.theory import critical_noise, mean_field_exponent
from rnndyn.kernels import target
from rnndyn.sweep.curves import CURVES, LINES
from rnndyn.sweep.measures import Block
from rnndyn.sweep.weights import build_weights

PLAIN = {"device": "python"}
rng = np.random.default_rng(0)
CELL = rd.Elman(4, 2)
WEIGHTS = random_weights(CELL, rng, batch=(3,), gain=1.5)


# --- the numbers ------------------------------------------------------------------------------------------------------


def test_numbers_are_white_and_normal():
    """Moments, neighbours in time, channel and point within five standard errors; another seed gives others."""
    z = rd.Noise().array(4000, 3, (10,))
    count = z.size
    assert abs(z.mean()) < 5 / np.sqrt(count)
    assert abs(z.var() - 1) < 5 * np.sqrt(2 / count)
    assert abs((z**3).mean()) < 5 * np.sqrt(15 / count)
    assert abs((z**4).mean() - 3) < 5 * np.sqrt(96 / count)
    for one, other in ((z[:, 1:], z[:, :-1]), (z[..., 1:], z[..., :-1]), (z[1:], z[:-1])):
        assert abs(np.mean(one * other)) < 5 / np.sqrt(one.size)
    for other in (rd.Noise(seed=1), rd.Noise(draw=1)):
        assert abs(np.mean(z * other.array(4000, 3, (10,)))) < 5 / np.sqrt(count)


def test_a_longer_run_begins_with_the_shorter_one():
    for noise in (rd.Noise(2.0, 1.0), rd.Noise(hold=3)):
        long = noise.array(30_001, 3)
        for steps in (1, 2, 5, 30_000):
            assert same_bits(noise.array(steps, 3), long[:steps])
        for begin in (1, 2, 3, 29_990):
            assert same_bits(noise.after(begin).array(7, 3), long[begin : begin + 7])


def test_scale_mean_draw_and_index_are_axes():
    z = rd.Noise().array(20, 2, (6,))
    scale, mean = np.array([[0.0], [0.5], [2.0]]), np.array([1.0, -1.0])
    found = rd.Noise(scale, mean, index=[4, 4, 2]).array(20, 2, (3,))
    np.testing.assert_array_equal(found, mean + scale[:, None] * z[[4, 4, 2]])
    draws = rd.Noise(draw=[[0], [7]]).array(20, 2, (2, 3))
    assert same_bits(draws[0], z[:3])
    assert same_bits(draws[1], rd.Noise(draw=7).array(20, 2, (6,))[3:])
    shared = rd.Noise(shared=True).array(20, 2, (2, 2))
    assert (shared == z[0]).all()
    held = rd.Noise(hold=4).array(20, 2)
    assert same_bits(held[::4], z[0, :5])
    assert (held == np.repeat(held[::4], 4, axis=0)).all()


MISTAKES = [
    ({"inputs": rd.Noise()}, "steps` is missing"),
    ({"inputs": rd.Noise(np.ones(3)), "steps": 5}, r"the `scale` of the noise must be a number or have the shape"),
    ({"inputs": rd.Noise(np.ones((2, 1))), "steps": 5}, "do not broadcast"),
    ({"inputs": rd.Noise(np.nan), "steps": 5}, "every point is invalid"),
]


@pytest.mark.parametrize(("given", "words"), MISTAKES)
def test_mistakes_of_runs(given, words):
    with pytest.raises(rd.InputError, match=words):
        rd.trajectory(CELL, WEIGHTS, **given)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: rd.Noise(-0.5), "not negative: -0.5 is"),
        (lambda: rd.Noise("loud"), "`scale` cannot be read"),
        (lambda: rd.Noise(seed=-1), "`seed` must be a whole number"),
        (lambda: rd.Noise(draw=0.5), "`draw` must be whole numbers"),
        (lambda: rd.Noise(hold=0), "`hold` must be a whole number from 1 up"),
        (lambda: rd.Noise(index=3, shared=True), "not both"),
        (lambda: rd.Noise(index=[1, 2]).array(5, 1, (3,)), "does not fit"),
        (lambda: rd.reach(CELL, WEIGHTS, inputs=rd.Noise()), "Noise.array"),
        (lambda: rd.trajectory(rd.Elman(2), {}, inputs=rd.Noise(), steps=3), "takes no inputs"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises(rd.InputError, match=words):
        make()


# --- where they go ----------------------------------------------------------------------------------------------------


def quantities(cell, weights, inputs, **more):
    """Every quantity of single cells that takes inputs."""
    yield rd.trajectory(cell, weights, inputs=inputs, steps=40, **more)
    yield rd.lyapunov(cell, weights, inputs=inputs, steps=30, transient=10, **more)
    yield rd.gradients(cell, weights, inputs=inputs, steps=40, cotangent_last=np.ones(cell.state_size), **more)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_noise_is_an_array_made_on_the_way(dtype):
    """The same bits as from the array of its numbers; lengths as well; gradients for every number."""
    noise = rd.Noise(0.7, [0.1, -0.2], seed=5)
    given = dict(PLAIN, dtype=dtype)
    for lengths in (None, np.array([40, 25, 11])):
        there = quantities(CELL, WEIGHTS, noise.array(40, 2, (3,)), lengths=lengths, **given)
        for one, other in zip(quantities(CELL, WEIGHTS, noise, lengths=lengths, **given), there, strict=True):
            assert_same_result(one, other)


def test_a_point_hears_the_same_alone():
    """Alone (by its index), among others, in another order of axes: the same bits."""
    third = {name: array[2] for name, array in WEIGHTS.items()}
    state = 0.3 * np.ones(4)
    whole = list(quantities(CELL, WEIGHTS, rd.Noise(), state=state, **PLAIN))
    alone = list(quantities(CELL, third, rd.Noise(index=2), state=state, **PLAIN))
    assert_same_result(take(whole[0], 2), take(alone[0], ...))
    assert_same_result(take(whole[2], 2), take(alone[2], ...))
    for given in ({"inputs": rd.Noise(), "first_index": 2}, {"inputs": rd.Noise(index=2), "first_index": 2}):
        found = rd.lyapunov(CELL, third, steps=30, transient=10, state=state, **given, **PLAIN)
        assert_same_result(take(whole[1], 2), take(found, ...))


def test_pieces_chunks_and_threads_leave_the_bits(monkeypatch):
    """Noise made 16 steps at a time, or 48, or all at once; one thread or three; k exponents over a transient."""
    cell, weights = rd.Elman(6, 6), random_weights(rd.Elman(6, 6), rng, batch=(21,), gain=2.0)
    noise, found = rd.Noise(0.5), []
    for size, threads, every in (
        (1, 3, None),
        (8 * 8 * 6 * 48, 1, None),
        (1 << 24, 2, None),
        (1, 1, 7),
        (1 << 24, 1, 7),
    ):
        monkeypatch.setattr(target, "CHUNK_BYTES", size)
        more = {"inputs": noise, "threads": threads}
        spectrum = rd.lyapunov(cell, weights, steps=300, transient=77, qr_every=every, **more)
        found.append((spectrum, last_state(cell, weights, steps=101, **more)))
    for other in found[1:3]:
        assert_same_result(other, found[0])
    assert_same_result(found[4], found[3])
    array = rd.lyapunov(cell, weights, steps=300, transient=77, inputs=noise.array(377, 6, (21,)))
    assert_same_result(array, found[0][0])


def test_runs_to_a_tolerance_hear_noise():
    """They go on where the noise goes on: the same bits as from the array of its numbers."""
    weights = {"weight_hh": normal_nets(24, 5, 2.0, 9), "weight_ih": np.eye(24)}
    given = {"tolerance": 0.006, "limit": 20_000, "transient": 100, "k": 1}
    found = rd.lyapunov(rd.Elman(24, 24), weights, inputs=rd.Noise(), **given)
    array = rd.Noise().array(20_100, 24, (5,))
    assert_same_result(found, rd.lyapunov(rd.Elman(24, 24), weights, inputs=array, **given))
    assert len(set(found.steps.tolist())) > 1


def test_memory_of_a_long_run_is_bounded():
    """Six hundred thousand steps of 32 units at once would be 154 MB of noise, and as much again packed."""
    weights = {"weight_hh": np.linspace(0.5, 2, 32)[:, None, None], "weight_ih": [[1.0]]}
    run = functools.partial(rd.lyapunov, rd.Elman(1, 1), weights, inputs=rd.Noise(), steps=600_000, threads=1)
    run()
    tracemalloc.start()
    try:
        run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * target.CHUNK_BYTES


def last_gradients(net, weights, **given):
    return rd.gradients(net, weights, cotangent_last=np.ones(net.state_size), **given)


@pytest.mark.parametrize(
    "net",
    [rd.Stack([rd.Elman(3, 2), rd.Elman(3, 3)]), rd.Bidirectional(rd.Elman(3, 2))],
    ids=["stack", "bidirectional"],
)
def test_networks_hear_noise(net):
    """The first layer hears it, backwards if it reads backwards; the same bits as from the array."""
    weights = {name: rng.normal(size=(2, *shape)) for name, shape in net.shapes.items()}
    noise, lengths = rd.Noise(0.5, draw=[0, 3]), np.array([20, 13])
    array = noise.array(20, 2, (2,))
    for more in ({}, {"lengths": lengths}):
        more = more | PLAIN
        for call in (rd.trajectory, rd.outputs, last_gradients):
            one = call(net, weights, inputs=noise, steps=20, **more)
            assert_same_result(one, call(net, weights, inputs=array, **more))
        more = more | {"transient": 5}
        found = rd.lyapunov(net, weights, inputs=noise, steps=15, **more)
        assert_same_result(found, rd.lyapunov(net, weights, inputs=array, **more))


# --- what is known ----------------------------------------------------------------------------------------------------


def test_mean_field_with_noise():
    """g = 2, s = 1: 0.045975; without noise the table; where the exponent is zero, the critical noise."""
    np.testing.assert_allclose(mean_field_exponent(2.0, 1.0), 0.045975, rtol=0, atol=5e-7)
    table = mean_field_exponent([1.5, 2.0, 3.0, 5.0], 0.0)
    np.testing.assert_allclose(table, [0.065217, 0.154724, 0.310249, 0.532428], rtol=0, atol=1e-6)
    gains = np.array([1.05, 1.5, 2.0, 3.0, 6.0])
    np.testing.assert_allclose(mean_field_exponent(gains, critical_noise(gains)), 0.0, rtol=0, atol=1e-12)
    assert critical_noise(1.0) == pytest.approx(0, abs=1e-12)
    assert np.isnan(critical_noise(0.9))
    assert np.all(np.diff(mean_field_exponent(2.0, np.linspace(0, 5, 40))) < 0)
    weak = mean_field_exponent(0.5, [1e-4, 0.01])  # ln g - q + ..., q = s^2 / (1 - g^2)
    np.testing.assert_allclose(weak, np.log(0.5) - np.array([1e-8, 1e-4]) / 0.75, rtol=0, atol=1e-7)


def normal_nets(units, count, gain, seed):
    return gain / np.sqrt(units) * np.random.default_rng(seed).normal(size=(count, units, units))


def test_driven_networks_extrapolate_to_the_mean_field():
    """g = 2, s = 1: lambda_1 of 24, 16, 12 networks of 24, 48, 96 units, linear in 1/N, meets 0.045975 at 1/N = 0."""
    inverse, means, errors = [], [], []
    for units, nets in ((24, 24), (48, 16), (96, 12)):
        weights = {"weight_hh": normal_nets(units, nets, 2.0, units), "weight_ih": np.eye(units)}
        found = rd.lyapunov(rd.Elman(units, units), weights, inputs=rd.Noise(), steps=2000, transient=200, k=1)
        inverse.append(1 / units)
        means.append(found.exponents.mean())
        errors.append(found.exponents.std(ddof=1) / np.sqrt(nets))
        assert means[-1] < 0.045975
    (slope, limit), covariance = np.polyfit(inverse, means, 1, w=1 / np.array(errors), cov="unscaled")
    error = np.sqrt(covariance[1, 1])
    assert abs(limit - 0.045975) < 4 * error
    assert error < 0.006
    assert -3 < slope < -0.5


# --- studies ----------------------------------------------------------------------------------------------------------


def test_theory_of_driven_studies():
    """Lines and the border of `echo_state`: mean field with the noise of the axis; other studies are refused it."""
    path = ROOT / "studies" / "echo_state.toml"
    study = rd.read_study(path)
    found = LINES["mean_field"].values(study, {"gain": np.array([2.0, 4.0]), "noise": np.array([1.0, 2.0])})
    np.testing.assert_allclose(found, mean_field_exponent([2.0, 4.0], [1.0, 2.0]), rtol=1e-14)
    assert CURVES["critical_noise"].applies(study, "gain", "noise")
    assert not CURVES["critical_noise"].applies(study, "noise", "gain")
    for change in (
        {"inputs.hold": 2},
        {"inputs.mean": 0.5},
        {"weights.weight_ih.gain": 0.5},
        {"weights.bias_hh": 1.0},
        {"cell.activation": "relu"},
    ):
        with pytest.raises(rd.InputError, match="theory 'critical_noise' does not apply here"):
            rd.sweep(path, overrides=change | {"axes.net": [0]})


def test_a_study_of_noise_equals_the_library():
    """Exponents, gradients and orbits of a small driven study: those of calls with the same noise, to the bit."""
    overrides = {
        "cell.units": 4, "cell.inputs": 4, "axes.gain": [1.0, 3.0], "axes.noise": [0.5, 2.0], "axes.net": [0, 1],
        "run.steps": 60, "run.initial_state": 0.1, "inputs.hold": 2, "figure": [], "number": [], "answer": "",
        "measure.gradient": {"horizon": 30, "transient": 20}, "measure.trajectory": {"last": 9, "at": {"noise": 2.0}},
    }  # fmt: skip
    study = rd.read_study(ROOT / "studies" / "echo_state.toml", overrides)
    study = study.model_copy(update={"run": study.run.model_copy(update=PLAIN)})
    found, block = rd.sweep(study, progress=False), Block(study, study.make_cell(), {}, 0)
    axes = {name: axis.values for name, axis in study.axes.items()}
    weights = build_weights(study, block.cell, axes)
    noise = rd.Noise(axes["noise"][:, None, None], draw=0, hold=2)
    given = {"state": 0.1 * np.ones(4), **PLAIN}
    exponents = rd.lyapunov(block.cell, weights, inputs=noise, steps=60, transient=200, k=1, **given).exponents
    assert same_bits(found["exponents"].values, exponents)
    states = rd.trajectory(block.cell, weights, inputs=noise, steps=260, **given)
    assert same_bits(found["trajectory"].values, states[:, 1, :, -9:])
    later = noise.after(20)
    cotangent = np.full(4, 0.5)
    back = rd.gradients(
        block.cell, weights, inputs=later, steps=30, cotangent_last=cotangent, state=states[..., 20, :], **PLAIN
    )
    assert same_bits(found["log_norms"].values[..., 0], back.log_norms[..., 0])


def test_a_negative_deviation_is_refused():
    with pytest.raises(rd.InputError, match=r"\[inputs\] scale = '-noise': a standard deviation is not negative"):
        rd.sweep(ROOT / "studies" / "echo_state.toml", overrides={"inputs.scale": "-noise", "figure": []})
