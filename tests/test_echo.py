"""The boundary of the echo state property: closed forms, mean fields, error bars, mistakes; and the property itself."""

import numpy as np
import pytest
from support import random_weights

import rnndyn as rd
from rnndyn.dynamics.theory import critical_noise

PLAIN = {"device": "python"}
CELL = rd.Elman(4, 2)
WEIGHTS = random_weights(CELL, np.random.default_rng(0), batch=(3,), gain=1.5)


def normal_nets(units, count, gain, seed):
    """Matrices (count, units, units) of independent normal entries, of spectral radius about `gain`."""
    return gain / np.sqrt(units) * np.random.default_rng(seed).normal(size=(count, units, units))


def test_two_starts_converge_iff_the_exponent_is_negative():
    """The echo state property itself: one drive, two starts, and the conditional exponent's sign tells their fate."""
    gain = np.repeat([1.0, 4.0], 8)
    weights = {"weight_hh": gain[:, None, None] * normal_nets(12, 16, 1.0, 3), "weight_ih": np.eye(12)}
    cell = rd.Elman(12, 12)
    found = rd.lyapunov(cell, weights, inputs=rd.Noise(0.3), steps=2000, transient=100, k=1)
    exponent, error = found.exponents[:, 0], found.stderr[:, 0]
    clear = np.abs(exponent) > 4 * error
    starts = np.random.default_rng(4).normal(size=(2, 1, 12))
    noise = rd.Noise(0.3, index=np.arange(16))
    states = rd.trajectory(cell, weights, inputs=noise, steps=2000, state=starts)
    apart = np.linalg.norm(states[0, :, 1000:] - states[1, :, 1000:], axis=-1)
    np.testing.assert_array_equal(apart[clear].max(axis=1) < 1e-12, exponent[clear] < 0)
    assert (exponent[clear] > 0).sum() > 3
    assert (exponent[clear] < 0).sum() > 3
    assert np.all(apart[clear & (exponent > 0)].mean(axis=1) > 0.1)


def test_boundary_of_one_unit():
    """h <- tanh(r w h): lost at r = 1/w; under a constant drive the fixed point of h <- tanh(r h + u) never is."""
    w = np.array([0.5, 1.0, 2.0])[:, None, None]
    found = rd.echo_state(rd.Elman(1), {"weight_hh": w}, steps=100, state=[0.0], **PLAIN)
    np.testing.assert_allclose(found.scale, [2.0, 1.0, 0.5], rtol=0, atol=1e-6)
    assert np.all(np.abs(found.scale - [2.0, 1.0, 0.5]) <= 1.5 * found.stderr)
    np.testing.assert_allclose(found.slope, 1 / found.scale, rtol=1e-5)
    assert (found.status == rd.Status.OK).all()
    driven = {"weight_hh": [[1.0]], "weight_ih": [[1.0]]}
    never = rd.echo_state(rd.Elman(1, 1), driven, inputs=np.ones((1, 1)), steps=100, state=[0.0], **PLAIN)
    assert never.status == rd.Status.NOT_CONVERGED
    assert np.isnan(never.scale)


def test_boundary_of_the_origin_is_the_spectral_radius():
    """Without a drive, from the origin: r = 1/rho(W) for every matrix; one with NaN harms no other."""
    matrices = normal_nets(12, 7, 1.0, 5)
    matrices[3, 0, 0] = np.nan
    found = rd.echo_state(rd.Elman(12), {"weight_hh": matrices}, steps=1000, transient=200, state=np.zeros(12))
    good = np.arange(7) != 3
    truth = 1 / np.abs(np.linalg.eigvals(matrices[good])).max(axis=-1)
    assert np.all(np.abs(found.scale[good] - truth) <= 2 * found.stderr[good] + 1e-9)
    assert np.all(found.stderr[good] < 5e-3)
    assert found.status.tolist() == [0, 0, 0, rd.Status.INVALID, 0, 0, 0]
    assert np.isnan(found.scale[3])


def test_boundary_of_a_stack_is_that_of_the_layer_lost_first():
    """From the origin: r = 1/max rho over the layers; progress ends where it said it would."""
    net, told = rd.Stack([rd.Elman(12, 2), rd.Elman(12, 12)]), []
    weights = {"weight_hh_l0": normal_nets(12, 3, 1.0, 6), "weight_hh_l1": normal_nets(12, 3, 1.2, 7)}
    weights |= {"weight_ih_l1": normal_nets(12, 1, 1.0, 8)[0]}
    given = {"steps": 1000, "transient": 200, "state": np.zeros(24), "progress": lambda *done: told.append(done)}
    found = rd.echo_state(net, weights, **given)
    truth = 1 / np.max([np.abs(np.linalg.eigvals(weights[f"weight_hh_l{i}"])).max(axis=-1) for i in (0, 1)], axis=0)
    assert np.all(np.abs(found.scale - truth) <= 2 * found.stderr + 1e-9)
    assert told[-1][0] == told[-1][1]


def test_boundary_over_the_noise_meets_the_mean_field():
    """g = 2: noise of 1.279045 suppresses the chaos of infinitely many units; N = 64, 128 extrapolate to it."""
    means, errors = [], []
    for units, nets in ((64, 8), (128, 6)):
        weights = {"weight_hh": normal_nets(units, nets, 2.0, units), "weight_ih": np.eye(units)}
        options = {"inputs": rd.Noise(), "over": "inputs", "between": (0.2, 3.0), "tolerance": 0.02}
        found = rd.echo_state(rd.Elman(units, units), weights, steps=1000, transient=100, **options)
        assert (found.status == rd.Status.OK).all()
        assert (found.slope < 0).all()
        means.append(found.scale.mean())
        errors.append(np.sqrt((found.scale.var(ddof=1) + np.mean(found.stderr**2)) / nets))
    limit, error = 2 * means[1] - means[0], np.hypot(2 * errors[1], errors[0])
    assert abs(limit - critical_noise(2.0)) < 3 * error
    assert error < 0.05
    assert means[0] < means[1] < 1.279045


def test_error_of_the_boundary_is_the_scatter():
    """Twenty-four draws of the noise for one network: the boundary scatters as its error bar says, or sqrt(3) less."""
    weights = {"weight_hh": normal_nets(32, 1, 2.0, 8)[0], "weight_ih": np.eye(32)}
    options = {"inputs": rd.Noise(1.0, draw=np.arange(24)), "steps": 1500, "transient": 100, "tolerance": 1e-2}
    found = rd.echo_state(rd.Elman(32, 32), weights, between=(0.1, 2.0), **options)
    assert (found.status == rd.Status.OK).all()
    ratio = found.scale.std(ddof=1) / np.sqrt(np.mean(found.stderr**2))
    assert 0.7 / np.sqrt(3) < ratio < 1.3  # a scatter of 24 is known to 15 %


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"over": "input"}, "Did you mean 'inputs'"),
        ({"between": 3}, "`between` must be two factors"),
        ({"between": (2.0, 1.0)}, "the first the smaller one"),
        ({"tolerance": 0}, "`tolerance` must be a number above 0"),
        ({"over": "inputs"}, "no inputs to multiply"),
        ({"weights": {"bias_hh": np.ones(4)}}, "no weight_hh among the weights"),
    ],
)
def test_mistakes_of_the_boundary(given, words):
    weights = given.pop("weights", WEIGHTS)
    with pytest.raises(rd.InputError, match=words):
        rd.echo_state(CELL, weights, steps=10, **given)
