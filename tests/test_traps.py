"""Traps that peers' code falls into: order of products, whole state, QR bookkeeping, cycles, rank loss."""

import numpy as np
import pytest
import twin
from support import EPS, ROOT, assert_close, build, exponent_rounding, log_moduli, random_weights, rotation, rounding

import rnndyn as rd

PERIOD = 3


def driven_cycle(family, units, seed):
    """A contracting network under an input of period 3: weights, the input, its cycle's start and three Jacobians."""
    rng = np.random.default_rng(seed)
    cell = build(twin, family, units, 2)
    weights, wave = random_weights(cell, rng, gain=1.2), 2 * rng.normal(size=(PERIOD, 2))
    states = twin.trajectory(cell, weights, inputs=np.tile(wave, (400, 1)))
    np.testing.assert_allclose(states[-1], states[-1 - PERIOD], rtol=0, atol=1e-13)
    return cell, weights, wave, states[-1], twin.jacobians(cell, weights, inputs=wave, state=states[-1])


# Two tanh units would not do: a 2 x 2 matrix is similar to its transpose by a diagonal one, which commutes with slopes.
CYCLES = [("tanh", 3, 3), ("lstm", 2, 3), ("gru", 2, 5), ("gru_before", 2, 1)]


@pytest.mark.parametrize(("family", "units", "seed"), CYCLES)
def test_exponents_multiply_in_the_order_of_time(family, units, seed):
    """Period 3: ln |eig(J3 J2 J1)| / 3, and not that of J1 J2 J3 (each factor transposed, order kept)."""
    cell, weights, wave, start, (one, two, three) = driven_cycle(family, units, seed)
    expected, reverse = log_moduli(three @ two @ one) / PERIOD, log_moduli(one @ two @ three) / PERIOD
    assert np.min(-np.diff(expected)) > 0.05
    assert np.max(np.abs(expected - reverse)) > 0.01
    found = rd.lyapunov(
        build(rd, family, units, 2), weights, steps=300, transient=900, inputs=np.tile(wave, (400, 1)), state=start
    )
    spread = np.exp(PERIOD * np.ptp(expected))
    np.testing.assert_allclose(found.exponents, expected, rtol=0, atol=exponent_rounding(cell.state_size, spread))
    assert exponent_rounding(cell.state_size, spread) < 1e-5


@pytest.mark.parametrize(("family", "units", "seed"), CYCLES)
def test_gradients_multiply_transposes_backwards(family, units, seed):
    """dL/ds_0 = J1' J2' J3' v over a period-3 cycle, and not J3' J2' J1' v."""
    cell, weights, wave, start, (one, two, three) = driven_cycle(family, units, seed)
    vectors = np.eye(cell.state_size)
    found = rd.gradients(build(rd, family, units, 2), weights, inputs=wave, state=start, cotangent_last=vectors).state
    assert_close(found, three @ two @ one, rounding(PERIOD, 4 * (units + 2)))
    assert np.max(np.abs(found - one @ two @ three)) > 1e-3


def test_autonomous_cycles_of_period_three_and_two():
    """A ring of three tanh units (period 3) and one inverting unit (period 2): ln |product of slopes| / period."""
    gain, bias = np.array([1.8, 2.5, 1.6]), np.array([0.05, -0.1, 0.2])
    ring = {"weight_hh": np.roll(np.diag(gain), 1, axis=0), "bias_hh": bias}
    states = rd.trajectory(rd.Elman(3), ring, steps=300, state=[1.0, -1.0, 1.0])
    cycle, moved = states[-3:], np.abs(states[-1] - states[-2])
    assert np.array_equal(states[-1], states[-4])
    assert moved.max() > 0.5
    slopes = 1 - cycle**2
    product = np.eye(3)
    for slope in slopes:
        product = np.diag(slope) @ ring["weight_hh"] @ product
    found = rd.lyapunov(rd.Elman(3), ring, steps=300, transient=600, state=[1.0, -1.0, 1.0])
    np.testing.assert_allclose(found.exponents, log_moduli(product) / 3, rtol=0, atol=exponent_rounding(3, 100))
    two = rd.lyapunov(rd.Elman(1), {"weight_hh": [[-2.0]], "bias_hh": [0.4]}, steps=300, transient=600)
    pair = rd.trajectory(rd.Elman(1), {"weight_hh": [[-2.0]], "bias_hh": [0.4]}, steps=600, state=[0.1])[-2:, 0]
    assert abs(pair[0] - pair[1]) > 0.5
    expected = np.mean(np.log(2 * (1 - pair**2)))
    np.testing.assert_allclose(two.exponents[0], expected, rtol=0, atol=exponent_rounding(1, 10))


def test_whole_state_of_the_lstm():
    """At a fixed point of an LSTM: ln |eig| of the Jacobian of (h, c), 2N numbers; its h-block alone says otherwise."""
    rng = np.random.default_rng(1)
    slow, units = twin.LSTM(2), 2
    weights = random_weights(slow, rng)
    fixed = twin.trajectory(slow, weights, steps=3000)[-1]
    jacobian = slow.jacobian(slow.fill(weights), fixed, np.zeros(0))
    found = rd.lyapunov(rd.LSTM(units), weights, steps=2000, transient=1000, state=fixed)
    expected = log_moduli(jacobian)
    bound = 8 * np.log(np.linalg.cond(np.linalg.eig(jacobian)[1])) * 4 / 2000
    np.testing.assert_allclose(found.exponents, expected, rtol=0, atol=bound)
    alone = log_moduli(jacobian[:units, :units])
    assert np.max(np.abs(alone - expected[:units])) > 4 * bound


@pytest.mark.parametrize("transient", [0, 20_000])
def test_long_transient_keeps_the_frame(transient):
    """After 20 000 contracting steps the frame still spans all directions: every exponent, in order."""
    values = np.array([0.9, 0.5, 0.1])
    matrix = np.diag(values) + np.triu(np.ones((3, 3)), 1)
    found = rd.lyapunov(rd.Linear(3), {"weight_hh": matrix}, steps=4000, transient=transient, state=np.ones(3))
    atol = exponent_rounding(3, 1e3) if transient else 10 / 4000
    np.testing.assert_allclose(found.exponents, np.log(values), rtol=0, atol=atol)


@pytest.mark.parametrize(("steps", "qr_every"), [(1, 7), (3, 7), (10, 7), (23, 5), (14, 7)])
def test_last_partial_block_counts(steps, qr_every):
    """A driven scalar unit: the mean of ln |slope| over every step, those after the last full QR block included."""
    rng = np.random.default_rng(steps)
    cell, weights, inputs = twin.Elman(1, 1), {"weight_hh": [[1.5]], "weight_ih": [[2.0]]}, rng.normal(size=(steps, 1))
    slopes = np.array(twin.jacobians(cell, weights, inputs=inputs, state=[0.2]))[:, 0, 0]
    found = rd.lyapunov(rd.Elman(1, 1), weights, steps=steps, inputs=inputs, state=[0.2], qr_every=qr_every)
    np.testing.assert_allclose(found.exponents[0], np.log(np.abs(slopes)).mean(), rtol=0, atol=exponent_rounding(1, 4))
    assert found.steps == steps


def test_early_stop_divides_by_the_time_used():
    """w = 2 from 1 passes 1e12 in 40 steps: DIVERGED, exponent still ln 2; when it happens in the transient, NaN."""
    weights = {"weight_hh": np.array([2.0, 0.5])[:, None, None]}
    found = rd.lyapunov(rd.Linear(1), weights, steps=1000, state=[1.0])
    assert found.status.tolist() == [rd.Status.DIVERGED, rd.Status.OK]
    np.testing.assert_allclose(found.exponents[:, 0], [np.log(2), -np.log(2)], rtol=0, atol=1e-14)
    assert found.steps[0] in (39, 40)
    assert found.steps[1] == 1000
    early = rd.lyapunov(rd.Linear(1), weights, steps=1000, transient=100, state=[1.0])
    assert early.status.tolist() == [rd.Status.DIVERGED, rd.Status.OK]
    assert np.isnan(early.exponents[0, 0])
    assert early.steps[0] == 0


def test_stopping_at_a_tolerance_divides_by_the_time_used():
    """A driven scalar unit, run until its error is small: the mean of ln |slope| over just the steps that it tells."""
    inputs = np.random.default_rng(0).normal(size=(3, 20_000, 1))
    weights = {"weight_hh": [[1.5]], "weight_ih": [[2.0]]}
    found = rd.lyapunov(rd.Elman(1, 1), weights, inputs=inputs, state=[0.2], transient=7, tolerance=0.04)
    assert np.all(found.status == rd.Status.OK)
    assert np.all(found.steps < 20_000 - 7)
    for drive, exponent, steps in zip(inputs[:, :, 0], found.exponents[:, 0], found.steps, strict=True):
        h, logs = 0.2, []
        for u in drive[: 7 + steps]:
            a = 1.5 * h + 2.0 * u
            h = np.tanh(a)
            logs.append(np.log(1.5 * 4) - 2 * np.abs(a) - 2 * np.log1p(np.exp(-2 * np.abs(a))))
        assert exponent == pytest.approx(np.mean(logs[7:]), abs=1e-11)


def test_contracting_for_a_hundred_thousand_steps():
    """Exponents, errors and log norms of systems whose state, frame and gradient underflow many times over."""
    steps, values = 100_000, np.array([0.5, 0.1, 0.01])
    found = rd.lyapunov(rd.Linear(3), {"weight_hh": np.diag(values)}, steps=steps, transient=100, state=np.ones(3))
    naive = steps * EPS  # relative error of a plain sum of that many logarithms
    np.testing.assert_allclose(found.exponents, np.log(values), rtol=naive)
    settled = rd.lyapunov(rd.Elman(3), {"weight_hh": np.diag(values)}, steps=steps, transient=1000)
    np.testing.assert_allclose(settled.exponents, np.log(values), rtol=naive)
    gru = rd.lyapunov(rd.GRU(2), {"bias_ih": [0, 0, 1.0, -1.0, 0, 0]}, steps=steps, transient=1000)
    expected = [np.log(twin.logistic(1.0)), np.log(twin.logistic(-1.0))]
    np.testing.assert_allclose(gru.exponents, expected, rtol=naive)
    norms = rd.gradients(rd.Linear(1), {"weight_hh": [[0.01]]}, steps=steps, cotangent_last=[1.0]).log_norms
    np.testing.assert_allclose(norms, np.log(0.01) * np.arange(steps, -1, -1.0), rtol=naive)


def test_dead_units_are_rank_loss():
    """ReLU with two dead units of four: the live block's exponents, then -inf twice with error 0, status SINGULAR."""
    live = np.array([[0.5, 0.3], [0.2, 0.4]])
    matrix = np.random.default_rng(2).uniform(0, 0.1, size=(4, 4))
    matrix[:2, :2] = live
    weights = {"weight_hh": matrix, "bias_hh": np.array([1.0, 1.0, -9.0, -9.0])}
    found = rd.lyapunov(rd.Elman(4, activation="relu"), weights, steps=300, transient=200)
    np.testing.assert_allclose(found.exponents[:2], log_moduli(live), rtol=0, atol=exponent_rounding(4, 50))
    assert np.all(found.exponents[2:] == -np.inf)
    assert np.all(found.stderr[2:] == 0)
    assert found.status == rd.Status.SINGULAR
    kept = rd.lyapunov(rd.Elman(4, activation="relu"), weights, steps=300, transient=200, k=2)
    assert kept.status == rd.Status.OK


@pytest.mark.parametrize("qr_every", [1, None])
def test_rank_loss_of_mixing_matrices(qr_every):
    """A rank-one and a rank-two product that rounding fills up again: -inf as often as the rank is short."""
    rng = np.random.default_rng(3)
    for rank in (1, 2):
        matrices = rng.normal(size=(8, 5, rank)) @ rng.normal(size=(8, rank, 5))
        found = rd.lyapunov(
            rd.Linear(5), {"weight_hh": matrices}, steps=200, transient=50, state=np.zeros(5), qr_every=qr_every
        )
        assert np.all(np.isfinite(found.exponents[:, :rank]))
        assert np.all(found.exponents[:, rank:] == -np.inf)
        assert np.all(found.status == rd.Status.SINGULAR)


def test_near_rank_loss_is_a_number():
    """A direction that shrinks by 1e-11 in a step is no rank loss: its exponent is ln 1e-11."""
    matrix = rotation(0.3) @ np.diag([1.0, 1e-11]) @ rotation(-0.3)
    found = rd.lyapunov(rd.Linear(2), {"weight_hh": matrix}, steps=100, transient=20, state=np.zeros(2), qr_every=1)
    np.testing.assert_allclose(found.exponents, [0.0, np.log(1e-11)], rtol=0, atol=exponent_rounding(2, 1e11))
    assert found.status == rd.Status.OK


def test_decoupled_units_need_a_random_frame():
    """Two uncoupled blocks, the slow one first in the state: k = 1 finds the fast one."""
    matrix = np.diag([0.1, 0.2, 0.9, 0.8])
    found = rd.lyapunov(rd.Linear(4), {"weight_hh": matrix}, steps=200, transient=2000, state=np.zeros(4), k=1)
    np.testing.assert_allclose(found.exponents, [np.log(0.9)], rtol=0, atol=exponent_rounding(4))


def test_non_normal_growth_comes_before_decay():
    """Spectral radius 1/2, yet the norm first grows: ln ||(W')^k v|| at every depth, beside an exponent of ln 1/2."""
    matrix, steps = np.array([[0.5, 10.0], [0.0, 0.5]]), 60
    found = rd.gradients(rd.Linear(2), {"weight_hh": matrix}, steps=steps, cotangent_last=[1.0, 0.0])
    vectors = [np.linalg.matrix_power(matrix.T, k) @ [1.0, 0.0] for k in range(steps, -1, -1)]
    np.testing.assert_allclose(found.log_norms, np.log(np.linalg.norm(vectors, axis=1)), rtol=0, atol=1e-13)
    assert found.log_norms.max() > 2
    assert found.log_norms[0] < -30
    exponents = rd.lyapunov(rd.Linear(2), {"weight_hh": matrix}, steps=20_000, transient=1000, state=[0, 0]).exponents
    np.testing.assert_allclose(exponents, -np.log(2), rtol=0, atol=2 * np.log(20_000) / 20_000)


def test_points_do_not_inherit_from_their_neighbours():
    """A hysteretic sweep: each point starts from its own start, so up, down and shuffled sweeps agree to the bit."""
    bias = np.linspace(-1, 1, 101)
    order = np.random.default_rng(4).permutation(101)

    def swept(b):
        weights = {"weight_hh": np.full((101, 1, 1), 2.0), "bias_hh": b[:, None]}
        last = rd.trajectory(rd.Elman(1), weights, steps=300, state=[0.0])[:, -1, 0]
        return last, rd.lyapunov(rd.Elman(1), weights, steps=300, state=[0.0]).exponents[:, 0]

    up, down, shuffled = swept(bias), swept(bias[::-1].copy()), swept(bias[order])
    for rising, falling, mixed in zip(up, down, shuffled, strict=True):
        assert np.array_equal(rising, falling[::-1])
        assert np.array_equal(rising[order], mixed)
    assert np.all(np.sign(up[0]) == np.sign(np.round(bias, 12)))


def test_leaky_stability_is_not_that_of_the_weights():
    """Leaky linear step (1-alpha) 1 + alpha W: W = -1.5 is stable at alpha = 0.5, a stable W stays so; eig decides."""
    alpha = 0.5
    matrices = np.stack([-1.5 * np.eye(2), rotation(2.0, 1.2), rotation(0.2, 1.2), rotation(1.0, 0.9)])
    weights = {"weight_hh": (1 - alpha) * np.eye(2) + alpha * matrices}
    found = rd.lyapunov(rd.Linear(2), weights, steps=50, state=np.zeros(2)).exponents[:, 0]
    moduli = np.abs(1 - alpha + alpha * np.linalg.eigvals(matrices)).max(axis=-1)
    np.testing.assert_allclose(found, np.log(moduli), rtol=0, atol=exponent_rounding(2))
    assert (found < 0).tolist() == [True, True, False, True]
    assert np.abs(np.linalg.eigvals(matrices[:3])).max(axis=-1).min() > 1


@pytest.mark.parametrize("study", sorted((ROOT / "studies").glob("*.toml")), ids=lambda path: path.stem)
def test_trap_11_natural_logarithm_and_unit_of_time_are_in_every_label(study):
    from rnndyn.sweep import read_study
    from rnndyn.sweep.jobs import jobs
    from rnndyn.sweep.sections import sweeps

    for job in (job for one, _ in sweeps(read_study(study), ROOT) for job in jobs(one)):
        for variable in (variable for measurement in job.work for variable in measurement.variables):
            attrs = variable.attrs
            if "exponent" in variable.name:
                assert attrs["units"].startswith("nat/"), variable.name
                assert attrs["units"].removeprefix("nat/") in ("step", "time"), attrs["units"]
            if variable.name == "log_norms":
                assert (attrs["units"], "ln" in attrs["long_name"]) == ("nat", True)
