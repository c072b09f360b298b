"""What follows from a spectrum: dimension, entropy, memory, finite-time exponents, volume, two trajectories."""

import maps
import numpy as np
import pytest
import twin
from support import EPS, exponent_rounding, random_weights
from test_truths_chaos import LSTM_WEIGHTS, PASEMANN

import rnndyn as rd

INF, NAN = np.inf, np.nan


# --- from the exponents alone -----------------------------------------------------------------------------------------

DIMENSIONS = [  # (exponents, size, dimension)
    ([0.4192, -1.6232], 2, 1 + 0.4192 / 1.6232),
    ([0.4192, -1.6232], None, 1 + 0.4192 / 1.6232),
    ([-14.57, 0.0, 0.9056], 3, 2 + 0.9056 / 14.57),  # in any order
    ([0.5, 0.1, -0.2], 5, NAN),  # a part that does not reach it
    ([0.5, 0.1, -0.2], None, NAN),  # a part, or a whole that expands: not known
    ([0.5, 0.1, -0.2], 3, 3.0),  # the whole, whose sum is not negative
    ([0.5, 0.1, -0.7], 8, 2 + 0.6 / 0.7),  # a part that reaches it
    ([0.5, -0.5], 2, 2.0),
    ([-0.1, -0.2], 2, 0.0),
    ([-0.1], 7, 0.0),
    ([0.0, -0.2], 2, 1.0),
    ([0.3, -INF], 2, 1.0),
    ([-INF, -INF], 2, 0.0),
    ([0.3, NAN, -1.0], 3, NAN),
]


@pytest.mark.parametrize(("exponents", "size", "dimension"), DIMENSIONS)
def test_trap_7_kaplan_yorke_of_parts_and_of_wholes(exponents, size, dimension):
    """NaN from a part that does not reach it, 0 if all are negative, `size` if the whole sum is not negative."""
    found = rd.kaplan_yorke(exponents, size=size)
    np.testing.assert_allclose(found, dimension, rtol=4 * EPS)
    value, error = rd.kaplan_yorke(exponents, np.full(len(exponents), 0.01), size=size)
    np.testing.assert_array_equal(value, found)
    assert np.isnan(error) == np.isnan(found)


def test_kaplan_yorke_is_where_the_sum_crosses_zero():
    """The zero of the broken line through the partial sums, found by interpolation; over any leading axes."""
    spectra = -np.sort(-np.random.default_rng(0).normal(-0.3, 1.0, size=(40, 5, 6)), axis=-1)
    found = rd.kaplan_yorke(spectra, size=6)
    assert found.shape == (40, 5)
    grid = np.linspace(0, 6, 600_001)
    for spectrum, dimension in zip(spectra.reshape(-1, 6), found.reshape(-1), strict=True):
        line = np.interp(grid, np.arange(7), np.concatenate([[0.0], np.cumsum(spectrum)]))
        expected = grid[line >= -1e-12].max()
        assert dimension == pytest.approx(expected, abs=2e-5)
    assert len(np.unique(np.floor(found))) > 4


def test_error_bars_are_bounds_to_first_order():
    """No change of the exponents within their errors moves a quantity by more, and the worst one does by as much."""
    exponents, stderr = np.array([0.5, 0.2, -0.4, -0.9]), 1e-6 * np.array([1.0, 2.0, 3.0, 4.0])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T
    for function in (rd.kaplan_yorke, rd.entropy, lambda *given: rd.memory_time(given[0] - 0.6, *given[1:])):
        value, error = function(exponents, stderr)
        moved = np.abs(function(exponents + signs * stderr) - value)
        assert moved.max() == pytest.approx(error, rel=1e-4)
    assert rd.kaplan_yorke([-0.1, -0.2], [0.01, 0.01]) == (0.0, 0.0)
    assert rd.kaplan_yorke([0.3, -INF], [0.01, 0.0]) == (1.0, 0.0)


def test_entropy_and_memory():
    """Sum of the positive exponents; -1/lambda_1, infinite from 0 on; NaN stays NaN, point by point."""
    spectra = np.array([[0.5, 0.2, -1.0], [-0.5, -2.0, -INF], [0.0, -1.0, -1.0], [NAN, 0.1, -1.0]])
    np.testing.assert_array_equal(rd.entropy(spectra), [0.7, 0.0, 0.0, NAN])
    np.testing.assert_array_equal(rd.memory_time(spectra), [INF, 2.0, INF, NAN])
    value, error = rd.memory_time([-0.5, -1.0], [0.01, 0.3])
    assert (value, error) == pytest.approx((2.0, 0.04))
    assert rd.memory_time([-INF]) == 0.0
    assert np.isnan(rd.memory_time([NAN]))
    assert rd.memory_time([0.2, -1.0], [0.0, 0.1]) == (INF, INF)


def test_a_memory_time_is_a_half_life():
    """LSTM without recurrent weights: h <- sigma(b_f) h; e-folding time -1/ln sigma(b_f), half-life ln 2 of it."""
    bias = np.array([1.0, 2.0, 3.0])
    time = rd.memory_time(np.log(1 / (1 + np.exp(-bias)))[:, None])
    np.testing.assert_allclose(time * np.log(2), [2.2127, 5.4609, 14.2660], rtol=0, atol=5e-5)


@pytest.mark.parametrize("function", [rd.kaplan_yorke, rd.entropy, rd.memory_time])
def test_wrong_spectra_are_refused(function):
    with pytest.raises(rd.InputError, match="shape"):
        function(0.5)
    with pytest.raises(rd.InputError, match="stderr"):
        function([0.5, -1.0], [0.1])
    with pytest.raises(rd.InputError, match="exponents"):
        function("chaos")


def test_more_exponents_than_the_system_has_are_refused():
    with pytest.raises(rd.InputError, match="3 columns"):
        rd.kaplan_yorke([0.1, 0.0, -1.0], size=2)


def test_henon():
    """(0.4192, -1.6232), entropy 0.4192, dimension 1.2582, each within its error bar; the sum is ln 0.3."""
    found = rd.lyapunov(maps.HENON, {}, steps=100_000, transient=200, state=maps.HENON_START)
    assert np.all(np.abs(found.exponents - maps.HENON_EXPONENTS) < 4 * found.stderr + 5e-5)
    dimension, error = rd.kaplan_yorke(found.exponents, found.stderr)
    assert abs(dimension - 1.2582) < 4 * error + 5e-5
    assert error < 2e-3
    entropy, error = rd.entropy(found.exponents, found.stderr)
    assert abs(entropy - 0.4192) < 4 * error + 5e-5


# --- finite-time exponents --------------------------------------------------------------------------------------------


def test_finite_time_exponents_of_henon_by_hand():
    """Every window of both exponents against QR in NumPy with Jacobians written out; their mean is the spectrum."""
    window, windows, transient, seed = 6, 300, 50, 3
    given = {"transient": transient, "state": maps.HENON_START, "seed": seed}
    found = rd.finite_time(maps.HENON, {}, window=window, windows=windows, **given)
    states = rd.trajectory(maps.HENON, {}, steps=transient + window * windows, state=maps.HENON_START)
    growths = twin.benettin(list(maps.henon_jacobian(states[:-1])), transient=transient)[2]
    expected = growths.reshape(windows, window, 2).mean(axis=1)
    np.testing.assert_allclose(
        found.exponents[5:], expected[5:], rtol=0, atol=1e-9
    )  # after the other frame is forgotten
    assert np.std(found.exponents[:, 0]) > 0.05
    whole = rd.lyapunov(maps.HENON, {}, steps=window * windows, **given)
    np.testing.assert_allclose(found.exponents.mean(axis=0), whole.exponents, rtol=0, atol=1e-12)
    coarse = rd.finite_time(maps.HENON, {}, window=window, windows=windows, qr_every=3, **given)
    np.testing.assert_allclose(coarse.exponents, found.exponents, rtol=0, atol=1e-12)


def test_finite_time_scatter_shrinks_as_one_over_the_window():
    """Variance times window settles: of chaos it is the diffusion coefficient, of a cycle it goes to zero."""
    given = {"transient": 100, "state": maps.henon_starts(32)}
    short, long = (
        rd.finite_time(maps.HENON, {}, window=w, windows=6400 // w, **given).exponents[..., 0] for w in (20, 80)
    )
    diffusion = [w * v.var(axis=-1, ddof=1) for w, v in ((20, short), (80, long))]
    errors = [d.std(ddof=1) / np.sqrt(32) for d in diffusion]
    assert diffusion[0].mean() > 10 * errors[0]
    assert abs(diffusion[0].mean() - diffusion[1].mean()) < 0.1 * diffusion[0].mean() + 4 * np.hypot(*errors)


def test_finite_time_exponents_of_lorenz():
    """(0.9056, 0, -14.57) per unit of time by RK4 at dt = 0.01, and the dimension 2.062."""
    runs, dt = 32, 0.01
    starts = np.array([1.0, 2.0, 20.0]) + np.random.default_rng(1).normal(size=(runs, 3))
    found = rd.finite_time(maps.LORENZ, {"dt": dt}, window=500, windows=40, qr_every=5, transient=2000, state=starts)
    exponents = found.exponents.mean(axis=1) / dt
    mean, error = exponents.mean(axis=0), exponents.std(axis=0, ddof=1) / np.sqrt(runs)
    assert np.all(np.abs(mean - [0.9056, 0.0, -14.572]) < 4 * error + 1e-3)
    assert error[0] < 5e-3
    dimension, bound = rd.kaplan_yorke(mean, error)
    assert abs(dimension - 2.062) < 4 * bound + 5e-4


def test_windows_of_lost_rank_and_after_divergence():
    """Dead units: -inf in every window; a network that blows up: numbers while it is bounded, NaN after, DIVERGED."""
    cell, given = rd.Elman(2, activation="relu"), {"window": 4, "windows": 20, "device": "python"}
    dead = rd.finite_time(cell, {"weight_hh": 0.5 * np.eye(2), "bias_hh": [1.0, -9.0]}, **given)
    np.testing.assert_allclose(dead.exponents[1:], np.tile([np.log(0.5), -INF], (19, 1)))  # the frame settles first
    assert dead.status == rd.Status.SINGULAR
    blown = rd.finite_time(rd.Linear(1), {"weight_hh": [[[2.0]], [[0.5]]]}, state=[1.0], **given)
    assert blown.status.tolist() == [rd.Status.DIVERGED, rd.Status.OK]
    finite = np.isfinite(blown.exponents[0, :, 0])
    assert finite.tolist() == [True] * 9 + [False] * 11  # 2^40 > 1e12
    np.testing.assert_allclose(blown.exponents[0, finite, 0], np.log(2))


def test_windows_that_a_frame_does_not_end_are_refused():
    with pytest.raises(rd.InputError, match="qr_every"):
        rd.finite_time(maps.HENON, {}, window=10, windows=2, qr_every=4)


# --- volume -----------------------------------------------------------------------------------------------------------


def test_henon_contracts_by_its_determinant():
    """ln 0.3 at every step: exactly, with error 0, whatever the frame; the sum of the spectrum is the same number."""
    found = rd.volume(maps.HENON, {}, steps=5000, transient=50, state=maps.HENON_START)
    assert found.growth == pytest.approx(np.log(0.3), abs=32 * EPS)
    assert found.stderr < 32 * EPS
    assert (found.status, found.steps) == (rd.Status.OK, 5000)


def test_volume_is_the_sum_of_the_spectrum():
    """Chaotic LSTM: -6.52 with fluctuations; from the same start the two sums are over the same Jacobians."""
    given = {"steps": 4000, "transient": 500, "state": np.full(4, 0.5)}
    volume = rd.volume(rd.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, **given)
    spectrum = rd.lyapunov(rd.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, **given)
    assert volume.growth == pytest.approx(spectrum.exponents.sum(), abs=exponent_rounding(4, np.exp(7)))
    assert abs(volume.growth - (0.1695 - 0.3848 - 1.677 - 4.623)) < 4 * volume.stderr + 4e-3
    assert 0.01 < volume.stderr < 0.2


def test_volume_of_oscillators():
    """coRNN without products: ln|1 - dt eps| for each unit (symplectic order); UnICORNN keeps every volume."""
    rng, plain = np.random.default_rng(2), {"steps": 50, "device": "python"}
    found = rd.volume(rd.CoRNN(3), {"bias_ih": rng.normal(size=3)}, state=rng.normal(size=6), **plain)
    assert found.growth == pytest.approx(3 * np.log(abs(1 - 0.042 * 4.7)), abs=64 * EPS)
    cell = rd.UnICORNN(3)
    weights = random_weights(cell, rng)
    found = rd.volume(cell, weights, state=rng.normal(size=6), **plain)
    assert abs(found.growth) < 64 * EPS


def test_volume_of_coupled_cornn():
    """With all products: the mean ln|det| of Jacobians from the uncompiled rules, one by one."""
    rng, cell = np.random.default_rng(3), rd.CoRNN(3)
    weights, start = random_weights(cell, rng), rng.normal(size=6)
    found = rd.volume(cell, weights, steps=40, transient=10, state=start, device="python")
    spectrum = rd.lyapunov(cell, weights, steps=40, transient=10, state=start, qr_every=1, device="python")
    assert found.growth == pytest.approx(spectrum.exponents.sum(), abs=exponent_rounding(6))


def test_volume_of_saturated_and_of_dead_units():
    """A slope of 1e-21 is small, not lost: ln|det W| + sum of ln slopes. Dead ReLU units, rank one: -inf, SINGULAR."""
    matrix, drive = np.array([[1.0, 0.3], [-0.4, 0.8]]), np.array([0.5, 25.0])
    state = np.tanh(drive)
    for _ in range(100):
        state = np.tanh(matrix @ state + drive)
    a = matrix @ state + drive
    slopes = np.log(4) - 2 * np.abs(a) - 2 * np.log1p(np.exp(-2 * np.abs(a)))
    plain = {"steps": 12, "device": "python"}
    found = rd.volume(rd.Elman(2), {"weight_hh": matrix, "bias_hh": drive}, state=state, **plain)
    assert slopes.sum() < -45
    assert found.growth == pytest.approx(slopes.sum() + np.log(np.linalg.det(matrix)), rel=1e-13)
    assert found.status == rd.Status.OK
    dead = {"weight_hh": np.stack([0.5 * np.eye(2), 0.5 * np.eye(2)]), "bias_hh": [[1.0, -9.0], [1.0, 1.0]]}
    found = rd.volume(rd.Elman(2, activation="relu"), dead, **plain)
    np.testing.assert_allclose(found.growth, [-INF, 2 * np.log(0.5)])
    assert found.stderr[0] == 0
    assert found.status.tolist() == [rd.Status.SINGULAR, rd.Status.OK]
    outer = rd.volume(rd.Linear(3), {"weight_hh": np.outer([1.0, 0.3, -0.7], [0.2, 0.9, 0.5])}, **plain)
    assert (outer.growth, outer.status) == (-INF, rd.Status.SINGULAR)


# --- two trajectories -------------------------------------------------------------------------------------------------

CHAOTIC = {
    "henon": (maps.HENON, {}, maps.HENON_START, 0.4192, 5e-5),
    "lstm": (rd.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, np.full(4, 0.5), 0.1695, 1e-3),
    "elman": (rd.Elman(2), PASEMANN, np.zeros(2), 0.2306, 5e-4),
}


@pytest.mark.parametrize("system", CHAOTIC)
def test_two_trajectories_find_the_first_exponent(system):
    """Within its error bar of the known value; and of `lyapunov` along the same orbit by far more than that."""
    cell, weights, start, value, stated = CHAOTIC[system]
    given = {"steps": 4000, "transient": 400, "state": start}
    found = rd.two_trajectories(cell, weights, **given)
    assert abs(found.exponent - value) < 4 * found.stderr + stated
    assert 0 < found.stderr < 0.05
    assert (found.status, found.steps) == (rd.Status.OK, 4000)
    tangent = rd.lyapunov(cell, weights, k=1, **given)
    assert abs(found.exponent - tangent.exponents[0]) < 1e-5
    assert found.stderr == pytest.approx(tangent.stderr[0], rel=0.1)


def test_two_trajectories_of_contracting_and_diverging_networks():
    """ln 0.5 to rounding of the distance; trajectories that meet: -inf; beyond the bound: mean up to there."""
    weights = {"weight_hh": np.array([0.5, 0.0, 2.0])[:, None, None]}
    found = rd.two_trajectories(rd.Linear(1), weights, steps=102, state=[0.3], every=4, device="python")
    assert found.status.tolist() == [rd.Status.OK, rd.Status.SINGULAR, rd.Status.DIVERGED]
    np.testing.assert_allclose(found.exponent, [np.log(0.5), -INF, np.log(2)], rtol=0, atol=1e-6)
    assert found.steps.tolist() == [102, 102, 40]
    with pytest.raises(rd.InputError, match="distance"):
        rd.two_trajectories(rd.Linear(1), weights, steps=5, distance=0)
