"""GALI and the 0-1 test: chaos and regular motion told apart without a frame, on maps whose answers are known."""

import maps
import numpy as np
import pytest
from support import rotation, same_bits
from test_truths_chaos import PASEMANN

import rnndyn as rd
from rnndyn.dynamics.zero_one import _correlations, mean_square_displacement

# --- GALI -------------------------------------------------------------------------------------------------------------


def test_gali_of_a_linear_map_by_hand():
    """ln of the volume of k normalised columns of W^t V, in closed form from determinants; rounding: -inf from then."""
    matrix = np.array([[1.5, 0.4, 0.1], [0.2, 0.9, -0.3], [0.0, 0.1, 0.5]])
    found = rd.gali(rd.Linear(3), {"weight_hh": matrix}, steps=60, k=3, state=np.zeros(3), device="python")
    first = rd.gali(rd.Linear(3), {"weight_hh": np.eye(3)}, steps=1, k=3, state=np.zeros(3), device="python")
    assert abs(first.log_gali[0]) < 1e-14  # it starts from orthonormal vectors
    rates = np.sort(np.log(np.abs(np.linalg.eigvals(matrix))))[::-1]
    fall = np.diff(found.log_gali[10:18])
    np.testing.assert_allclose(fall, -(2 * rates[0] - rates[1] - rates[2]), rtol=0.05)
    assert np.all(found.log_gali[-10:] == -np.inf)
    assert np.isfinite(found.log_gali[:12]).all()
    np.testing.assert_array_equal(found.times, np.arange(1, 61))


def test_gali_of_henon_falls_with_the_gap_of_the_exponents():
    """Mean slope of ln GALI_2 over 400 orbits: -(lambda_1 - lambda_2) = -2.0424 within its scatter."""
    found = rd.gali(maps.HENON, {}, steps=12, transient=50, state=maps.henon_starts(400))
    assert np.all(found.status == rd.Status.OK)
    slopes = (found.log_gali[:, 11] - found.log_gali[:, 3]) / 8
    error = slopes.std(ddof=1) / 20
    assert abs(slopes.mean() + 2.0424) < 4 * error + 0.01
    assert error < 0.05


def test_gali_tells_islands_from_the_chaotic_sea():
    """Standard map: GALI_2 ~ t^-2 on an island (K = 0.5), exp(-2 lambda t) at K = 8, lambda = ln(K/2) (Chirikov)."""
    island = rd.gali(maps.STANDARD, {"K": -0.5}, steps=10_000, every=200, state=[1.5, 0.0])
    power = np.polyfit(np.log(island.times[5:]), island.log_gali[5:], 1)[0]
    assert abs(power + 2) < 0.1
    starts = np.random.default_rng(2).uniform(0, 2 * np.pi, size=(400, 2))
    sea = rd.gali(maps.STANDARD, {"K": 8.0}, steps=7, state=starts)
    slopes = (sea.log_gali[:, 6] - sea.log_gali[:, 1]) / 5
    assert abs(slopes.mean() + 2 * np.log(4.0)) < 4 * slopes.std(ddof=1) / 20 + 0.05


def test_gali_stays_on_a_torus():
    """Two rotations side by side: all deviations keep their angles, GALI_2 to GALI_4 stay 1."""
    matrix = np.zeros((4, 4))
    matrix[:2, :2], matrix[2:, 2:] = rotation(0.7), rotation(1.9)
    for k in (2, 4):
        found = rd.gali(
            rd.Linear(4), {"weight_hh": matrix}, steps=100, k=k, every=30, state=np.ones(4), device="python"
        )
        np.testing.assert_allclose(found.log_gali, np.zeros(4), atol=1e-12)
    np.testing.assert_array_equal(found.times, [30, 60, 90, 100])


# --- the 0-1 test -----------------------------------------------------------------------------------------------------


def test_displacement_by_the_double_sum():
    """The mean of |z_{j+n} - z_j|^2 over the same j for all n, term by term."""
    rng = np.random.default_rng(0)
    place = np.cumsum(rng.normal(size=(3, 157)) + 1j * rng.normal(size=(3, 157)), axis=1)
    expected = [(np.abs(place[:, n : 157 - 15 + n] - place[:, : 157 - 15]) ** 2).mean(axis=1) for n in range(1, 16)]
    np.testing.assert_allclose(mean_square_displacement(place, 15), np.transpose(expected), rtol=1e-11)


def k_by_definition(x, frequencies):
    """K_c as the paper has it: D_c = M_c - E(x)^2 (1 - cos n c) / (1 - cos c), with sums written out."""
    most, found = len(x) // 10, []
    for c in frequencies:
        z = np.cumsum(x * np.exp(1j * c * np.arange(1, len(x) + 1)))
        n = np.arange(1, most + 1)
        square = np.array([np.mean(np.abs(z[i : len(x) - most + i] - z[: len(x) - most]) ** 2) for i in n])
        found.append(np.corrcoef(n, square - x.mean() ** 2 * (1 - np.cos(n * c)) / (1 - np.cos(c)))[0, 1])
    return np.array(found)


def test_zero_one_by_definition():
    """The paper's modified displacement: the same K of a series less its mean, else but for the mean's noise."""
    x = rd.trajectory(maps.HENON, {}, steps=2100, state=maps.HENON_START)[101:, 0]
    found = rd.zero_one(x)
    frequencies = np.linspace(0.7, 2.4, 7)
    expected = k_by_definition(x - x.mean(), frequencies)
    centred = np.array([_correlations(x, np.array([c]))[0] for c in frequencies])
    np.testing.assert_allclose(centred, expected, rtol=0, atol=1e-9)
    assert np.median(k_by_definition(x, frequencies)) == pytest.approx(found.k, abs=0.05)


def test_zero_one_of_chaos():
    """Henon, and the tanh network of Pasemann: K near 1, from either component."""
    henon = rd.trajectory(maps.HENON, {}, steps=3000, state=maps.HENON_START)[500:]
    tanh = rd.trajectory(rd.Elman(2), PASEMANN, steps=3000)[500:]
    found = rd.zero_one(np.stack([henon, tanh]).swapaxes(1, 2))
    assert found.k.shape == (2, 2)
    assert found.k_c.shape == (2, 2, 100)
    assert found.k.min() > 0.97
    assert not found.oversampled.any()


def test_zero_one_of_regular_motion():
    """A fixed point, a 2-cycle of a tanh unit, a rotation of the circle by an irrational angle: K near 0."""
    steps = 3000
    cycle = rd.trajectory(rd.Elman(1), {"weight_hh": [[-2.0]], "bias_hh": [0.4]}, steps=steps, state=[0.1])[501:, 0]
    assert np.ptp(cycle) > 0.5
    circle = np.cos(2 * np.pi * (np.sqrt(5) - 1) / 2 * np.arange(steps - 500))
    found = rd.zero_one(np.stack([np.full(steps - 500, 3.7), cycle, circle, 5.0 + circle]))
    assert np.abs(found.k).max() < 0.05
    assert found.k[0] == 0.0


def test_oversampled_series_look_regular_until_thinned():
    """Lorenz at dt = 0.01 is flagged and K is far from 1; every 20th value (0.2 units of time) shows chaos."""
    states = rd.trajectory(maps.LORENZ, {"dt": 0.01}, steps=62_000, state=[1.0, 2.0, 20.0])[2000:, 0]
    fine, thinned = rd.zero_one(states[:6000], draws=40), rd.zero_one(states, every=20, draws=40)
    assert fine.oversampled
    assert not thinned.oversampled
    assert fine.k < 0.6 < 0.9 < thinned.k


def test_zero_one_rows_are_on_their_own():
    """One series with a NaN: NaN there, the bits of the others; the seed chooses the frequencies."""
    series = np.random.default_rng(3).normal(size=(3, 400))
    whole = rd.zero_one(series)
    spoilt = series.copy()
    spoilt[1, 7] = np.nan
    found = rd.zero_one(spoilt)
    assert np.isnan(found.k[1])
    assert same_bits(found.k_c[[0, 2]], whole.k_c[[0, 2]])
    assert same_bits(rd.zero_one(series[2]).k_c, whole.k_c[2])
    assert rd.zero_one(series[2], seed=1).k != whole.k[2]
    with pytest.raises(rd.InputError, match="series"):
        rd.zero_one(series[0, :99])
    with pytest.raises(rd.InputError, match="every"):
        rd.zero_one(series[0], every=0)
