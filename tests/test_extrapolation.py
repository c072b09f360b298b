"""`rd.extrapolate`: the limit lies inside its error bars as often as it should, and chi^2 tells what does not fit."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.errors import InputError

SIZES = np.array([256, 512, 1024, 2048])


def drawn(function, errors, rows=4000, seed=0):
    return function(SIZES) + errors * np.random.default_rng(seed).normal(size=(rows, len(SIZES)))


def test_exact_values_give_their_form_back():
    fit = rd.extrapolate(SIZES, 0.31 - 2.6 / SIZES, np.full(4, 1e-3))
    np.testing.assert_allclose(fit.coefficients, [0.31, -2.6], rtol=1e-12)
    np.testing.assert_allclose(fit.limit, 0.31, rtol=1e-12)
    assert fit.freedom == 2
    assert fit.chi2 < 1e-20
    fit = rd.extrapolate(SIZES, 0.2 - 8.0 / SIZES + 900.0 / SIZES**2, np.full(4, 1e-3), terms=2)
    np.testing.assert_allclose(fit.coefficients, [0.2, -8.0, 900.0], rtol=1e-9)


@pytest.mark.parametrize("terms", [1, 2])
def test_the_error_is_right(terms):
    errors = np.array([2e-3, 1e-3, 8e-4, 4e-4])
    fit = rd.extrapolate(SIZES, drawn(lambda n: 0.31 - 2.6 / n, errors), np.broadcast_to(errors, (4000, 4)), terms)
    assert abs(fit.chi2.mean() / fit.freedom - 1.0) < 0.1
    pulls = np.abs(fit.limit - 0.31) / fit.stderr
    assert 0.93 < np.mean(pulls < 2.0) < 0.99  # Birge's ratio only ever enlarges
    least = fit.stderr.min()  # what it is without enlargement
    np.testing.assert_allclose(fit.limit.std(), least, rtol=0.05)
    powers = (1.0 / SIZES)[:, None] ** np.arange(terms + 1) / errors[:, None]
    np.testing.assert_allclose(least, np.sqrt(np.linalg.inv(powers.T @ powers)[0, 0]), rtol=1e-6)


def test_weights_follow_the_errors():
    values, errors = 0.31 - 2.6 / SIZES, np.array([1.0, 1e-4, 1e-4, 1e-4])
    values[0] += 0.5  # vague, so it hardly counts
    assert abs(rd.extrapolate(SIZES, values, errors).limit - 0.31) < 1e-6
    assert abs(rd.extrapolate(SIZES, values).limit - 0.31) > 0.01


def test_a_form_that_does_not_fit_shows():
    values, errors = 0.31 - 100.0 * SIZES**-0.5 / 100.0, np.full(4, 1e-5)
    fit = rd.extrapolate(SIZES, values, errors)
    assert fit.chi2 > 100 * fit.freedom
    assert fit.stderr > 10 * rd.extrapolate(SIZES, 0.31 - 2.6 / SIZES, errors).stderr


def test_without_errors_the_residuals_tell():
    fit = rd.extrapolate(SIZES, drawn(lambda n: 0.31 - 2.6 / n, 1e-3))
    assert np.isnan(fit.chi2).all()
    assert abs(np.mean(fit.stderr**2) / fit.limit.var() - 1.0) < 0.1
    fit = rd.extrapolate([256, 512], [0.3, 0.305])
    assert np.isnan(fit.stderr)
    assert abs(fit.limit - 0.31) < 1e-12
    assert rd.extrapolate([256, 512], [0.3, 0.305], [1e-3, 1e-3]).stderr == pytest.approx(np.sqrt(5) * 1e-3)


def test_rows_without_a_value_are_unknown_alone():
    values = np.tile(0.31 - 2.6 / SIZES, (3, 1))
    values[1, 2] = np.nan
    errors = np.full((3, 4), 1e-3)
    errors[2, 0] = np.inf
    fit = rd.extrapolate(SIZES, values, errors)
    assert np.isnan(fit.limit).tolist() == np.isnan(fit.stderr).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1, 1, 2], [1, 2, 3]), "different positive"),
        (([0, 1, 2], [1, 2, 3]), "different positive"),
        (([1, 2, 3], [1, 2]), "one for each size"),
        (([1, 2], [1, 2], None, 2), "needs 3 sizes"),
        (([1, 2, 3], [1, 2, 3], [1, 0, 1]), "must be positive"),
        (([1, 2, 3], [1, 2, 3], [1, 1]), "the shape of `values`"),
    ],
)
def test_what_cannot_be_is_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        rd.extrapolate(*arguments)
