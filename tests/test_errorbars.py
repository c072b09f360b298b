"""Error bars: calibrated over 200 independent runs of chaos, honest for bounded growth, settling and slow switching."""

import numpy as np
import pytest
from support import same_bits
from test_truths_chaos import GRU_WEIGHTS, LSTM_WEIGHTS, PASEMANN
from test_truths_scalar import skew_tent

import rnndyn as rd
from rnndyn.dynamics.errorbars import half_difference, standard_error

RUNS = 200
CHANCE = np.sqrt(0.9 * 0.1 / RUNS)  # standard error of a coverage of 90 % over so many runs
SCATTER = 1 / np.sqrt(2 * (RUNS - 1))  # relative standard error of their standard deviation


def assert_calibrated(errors, scatter, stderr, low=0.90, high=0.99, within=0.3):
    """errors, stderr (runs, k): 90-99 % within 2 stderr, mean stderr within 30 % of the scatter; 3 sigma of chance."""
    covered, ratio = np.mean(np.abs(errors) <= 2 * stderr, axis=0), stderr.mean(axis=0) / scatter
    assert np.all(covered >= low - 3 * CHANCE), covered
    assert np.all(covered <= high + 3 * np.sqrt(0.01 * 0.99 / RUNS)), covered
    assert np.all(np.abs(ratio - 1) <= within + 3 * SCATTER), ratio


def henon_step(x, a, s, p):
    u, v = s
    alpha, beta = p
    return 1.0 - alpha * u**2 + v, beta * u


def lorenz_rates(x, a, s, p):
    u, v, w = s
    sigma, rho, beta = p
    return sigma * (v - u), u * (rho - w) - v, u * v - beta * w


def cloud(size, centre=0.0, width=1e-2):
    return centre + width * np.random.default_rng(1).normal(size=(RUNS, size))


def random_net(units):
    return {"weight_hh": 4 / np.sqrt(units) * np.random.default_rng({8: 11, 16: 0}[units]).normal(size=(units, units))}


def system(name):
    """(cell, weights, starts, k)"""
    if name == "henon":
        stage = rd.Stage(update=henon_step)
        cell = rd.Cell("Henon", 1, 0, ("u", "v"), (stage,), parameters={"alpha": 1.4, "beta": 0.3})
        return cell, {}, cloud(2), None
    if name == "lorenz":
        numbers = {"sigma": 10.0, "rho": 28.0, "beta": 8 / 3}
        field = rd.Field("Lorenz", 1, 0, ("u", "v", "w"), (rd.Part(lorenz_rates),), parameters=numbers)
        return rd.RK4(field), {"dt": 0.02}, cloud(3, [1.0, 1.0, 20.0], 1.0), None
    if name == "tent":
        starts = np.stack([np.random.default_rng(9).uniform(0.01, 0.3, RUNS), np.zeros(RUNS)], -1)
        return rd.Elman(2, activation="relu"), skew_tent(0.3), starts, 1
    if name in ("tanh8", "tanh16"):
        units = int(name[4:])
        return rd.Elman(units), random_net(units), cloud(units, width=0.1), None
    return {
        "pasemann": (rd.Elman(2), PASEMANN, cloud(2), None),
        "lstm": (rd.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, cloud(4, 0.5), None),
        "gru": (rd.GRU(2, reset_after=False), {"weight_hh": GRU_WEIGHTS}, cloud(2, [0.3, 0.2]), None),
    }[name]


def run(name, steps):
    cell, weights, starts, k = system(name)
    return rd.lyapunov(cell, weights, steps=steps, transient=2000, state=starts, k=k)


@pytest.mark.parametrize("name", ["pasemann", "lstm", "gru", "tent"])
def test_chaos_is_calibrated(name):
    """2 000 steps of four systems against their mean over 200 runs four times as long."""
    found, truth = run(name, 2000), run(name, 8000).exponents.mean(axis=0)
    assert_calibrated(found.exponents - truth, found.exponents.std(axis=0, ddof=1), found.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["henon", "pasemann", "lstm", "gru", "tent", "tanh8", "tanh16", "lorenz"])
def test_chaos_is_calibrated_at_all_lengths(name):
    """The table of `standard_error`; Lorenz' zero exponent is exact, and 1e3 of its steps are but 20 units of time."""
    truth = run(name, 200_000).exponents.mean(axis=0)
    for steps in (1000, 10_000, 100_000):
        found = run(name, steps)
        errors, scatter, stderr = found.exponents - truth, found.exponents.std(axis=0, ddof=1), found.stderr
        if name == "lorenz":
            assert np.all(np.abs(found.exponents[:, 1]) <= 2 * stderr[:, 1])
            assert np.all(stderr[:, 1].mean() < 2.5 * scatter[1])
            if steps == 1000:
                assert np.all(stderr.mean(axis=0) < 3 * scatter)
                assert np.all(np.mean(np.abs(errors) <= 2 * stderr, axis=0) > 0.95)
                continue
            errors, scatter, stderr = errors[:, ::2], scatter[::2], stderr[:, ::2]
        assert_calibrated(errors, scatter, stderr)


def error_of(sums, span=10):
    """stderr (runs,) of batch sums (batches, runs)."""
    runs = sums.shape[1]
    return standard_error(sums[:, :, None], np.full(runs, span), np.full(runs, span * len(sums)))[:, 0]


def persistent(batches, correlation, seed=0):
    """Batch sums with a correlation of so much from each to the next."""
    rng, sums = np.random.default_rng(seed), []
    value = rng.normal(size=RUNS) / np.sqrt(1 - correlation**2)
    for _ in range(batches):
        value = correlation * value + rng.normal(size=RUNS)
        sums.append(value)
    return np.array(sums)


@pytest.mark.parametrize("batches", [16, 31, 32, 40, 64])
@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_batches_are_calibrated(batches, correlation):
    """Independent batches, and batches whose neighbours correlate (batch means alone would be 27 % too small)."""
    sums = persistent(batches, correlation)
    mean = sums.mean(axis=0) / 10
    spread = np.sqrt((1 + correlation) / (1 - correlation) / (1 - correlation**2) / batches) / 10  # long series
    assert_calibrated(mean[:, None], np.array([spread]), error_of(sums)[:, None], within=0.35)


def test_growth_that_is_bounded_falls_like_one_over_the_time():
    """S_i = f_i+1 - f_i: the mean is off by (f_n - f_0) / T only; batch means alone say 5.7 times as much."""
    for batches in (32, 64):
        f = np.random.default_rng(1).normal(size=(batches + 1, RUNS))
        mean, error = (f[-1] - f[0]) / (10 * batches), error_of(np.diff(f, axis=0))
        assert np.mean(np.abs(mean) <= 2 * error) > 0.9
        assert 1 < error.mean() / np.std(mean) < 2.4


def test_slow_switching_makes_errors_large():
    """Neighbouring batches correlate by 0.8 or 0.9: few independent ones, and the error says so in most runs."""
    for correlation, least in ((0.8, 0.85), (0.9, 0.75)):
        sums = persistent(32, correlation)
        mean, error = sums.mean(axis=0) / 10, error_of(sums)
        alone = sums.std(axis=0, ddof=1) / np.sqrt(32) / 10
        assert np.mean(np.abs(mean) <= 2 * error) > least - 3 * CHANCE
        assert error.mean() > 2 * alone.mean()


@pytest.mark.parametrize("batches", [31, 32, 48, 64])
@pytest.mark.parametrize("ratio", [1e-9, 0.1, 0.3, 0.5, 0.7])
def test_settling_has_half_the_difference_of_the_halves(batches, ratio):
    """Growth that settles is off by what the first half has too much, over the time: exactly half the difference."""
    sums = -1.0 + ratio ** np.arange(batches)[:, None] * np.array([[3.0, -0.2]])
    off = np.abs(sums.mean(axis=0) + 1) / 10
    error = error_of(sums)
    spans, steps = np.full(2, 10), np.full(2, 10 * batches)
    np.testing.assert_allclose(error, half_difference(sums[:, :, None], spans, steps)[:, 0], rtol=1e-5)
    np.testing.assert_allclose(error, off, rtol=0.05)


def test_drift_counts_in_full():
    """Where growth still drifts all along, the error is at least half the difference of the halves."""
    for shape in (np.linspace(0, 1, 32), 0.9 ** np.arange(32), 1 / np.arange(1, 33)):
        sums = shape[:, None] * np.ones((32, 2))
        half = half_difference(sums[:, :, None], np.full(2, 10), np.full(2, 320))[:, 0]
        assert np.all(error_of(sums) >= half * (1 - 1e-6))


def test_equal_batches_have_no_error():
    sums = np.full((32, 3), 0.1)
    assert np.all(error_of(sums) == 0)
    assert np.all(error_of(sums[:1]) == np.inf)


def test_scale_does_not_matter():
    """Errors of growth of 1e-150 or 1e150 a batch are those of growth of 1, in the same bits for powers of two."""
    sums = np.random.default_rng(2).normal(size=(32, 50))
    for power in (-500, 500):
        assert same_bits(error_of(np.ldexp(sums, power)), np.ldexp(error_of(sums), power))


def test_columns_do_not_look_at_each_other():
    """The same bits for one column, some columns, or more than fit in a block; and for points of other lengths."""
    sums, spans = np.random.default_rng(3).normal(size=(32, 700, 2)), np.full(700, 8)
    steps = np.random.default_rng(4).choice([100, 240, 256], 700)
    sums[5, 11] = np.nan
    whole = standard_error(sums, spans, steps)
    assert np.isnan(whole[11]).all()
    assert np.isfinite(np.delete(whole, 11, axis=0)).all()
    for low, high in ((0, 1), (11, 12), (3, 20), (255, 258), (699, 700)):
        part = standard_error(sums[:, low:high], spans[low:high], steps[low:high])
        assert same_bits(part, whole[low:high])


def test_what_follows_the_end_of_a_sequence_does_not_diverge_it():
    """A sequence of 10 steps of a map that doubles is no divergence, though its padding would pass 1e12."""
    weights = {"weight_hh": np.array([2.0, 0.5])[:, None, None]}
    for steps in (100, 1000):
        found = rd.lyapunov(rd.Linear(1), weights, steps=steps, lengths=[10, steps], state=[1.0])
        assert found.status.tolist() == [rd.Status.OK, rd.Status.OK]
        assert found.steps.tolist() == [10, steps]
        np.testing.assert_allclose(found.exponents[:, 0], [np.log(2), -np.log(2)], rtol=0, atol=1e-14)
