"""The 0-1 test for chaos: of a series alone, whatever system it comes from."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .batch import as_array, whole
from .progress import PATIENCE, progress_display
from .random import point_uniforms

ZeroOne = namedtuple("ZeroOne", "k k_c oversampled")

LEAST = 100  # values of a series
TOGETHER = 1 << 20  # places in the plane at a time
FEW = 10.0  # steps that cross the range of an oversampled series


def zero_one(series, *, every=1, draws=100, seed=0, progress=None):
    """K = median over c of corr(n, D_c(n)): near 1 for chaos, near 0 for regular motion.

    series (..., T) of numbers, such as one component of `trajectory` after its transient, drives the plane
        p(n) = sum_{j<=n} x_j cos(j c),  q(n) = sum_{j<=n} x_j sin(j c),
    where it diffuses if it is chaotic and stays bounded if not. D_c(n), n = 1 .. T/10, is the mean square displacement
    of (p, q) over n steps for the series less its mean, which takes out what the mean adds, the oscillation
    E(x)^2 (1 - cos n c) / (1 - cos c). `draws` frequencies c are uniform in (pi/5, 4 pi/5), from the seed, away from
    resonances; T of some thousands serves, at least 100.
    A series sampled many times in one oscillation moves too smoothly and looks regular: take every n-th value only, a
    few an oscillation. `every` does so. `oversampled` says where the mean step is still less than a tenth of the range.
    Returns ZeroOne(k (...), k_c (..., draws), oversampled (...)); NaN where a series has a NaN or an infinity; 0 for a
    constant one. Noise counts as chaos: the test is for deterministic series.
    Source: Gottwald & Melbourne, SIAM J. Appl. Dyn. Syst. 8 (2009) 129.
    Raises InputError for wrong shapes and values.
    """
    every, draws, seed = whole("every", every, 1), whole("draws", draws, 1), whole("seed", seed, 0)
    values = as_array("series", series)
    if values.ndim < 1 or -(-values.shape[-1] // every) < LEAST:
        raise InputError(
            f"`series` must have the shape (..., T), at least {LEAST} values left after `every`, not {values.shape}."
        )
    values = values[..., ::every]
    rows = values.reshape(-1, values.shape[-1])
    frequencies = np.pi * (0.5 + 0.3 * point_uniforms(seed, "zero-one", 0, 1, draws)[0])
    found = np.full((len(rows), draws), np.nan)
    smooth = np.full(len(rows), False)
    with progress_display(progress, len(rows), text="0-1 test", patience=PATIENCE) as display:
        for i, row in enumerate(rows):
            if np.isfinite(row).all():
                found[i] = _correlations(row, frequencies)
                smooth[i] = np.ptp(row) > FEW * np.abs(np.diff(row)).mean() > 0
            display.at(i + 1)
    shape = values.shape[:-1]
    return ZeroOne(np.median(found, axis=1).reshape(shape)[()], found.reshape(*shape, draws), smooth.reshape(shape)[()])


def _correlations(x, frequencies):
    """K_c of one series for each frequency."""
    mean, x = x.mean(), x - x.mean()
    size = np.abs(x).max()
    if size <= 64 * np.finfo(float).eps * abs(mean):
        return np.zeros(len(frequencies))
    times, lags = np.arange(1, len(x) + 1), np.arange(1, len(x) // 10 + 1)
    found = []
    for part in np.array_split(frequencies, -(-len(frequencies) * len(x) // TOGETHER)):
        place = np.cumsum(x / size * np.exp(1j * np.outer(part, times)), axis=1)
        found.append(_correlation(lags, mean_square_displacement(place, len(lags))))
    return np.concatenate(found)


def mean_square_displacement(place, most):
    """Mean of |z_{j+n} - z_j|^2 over j = 1 .. T - most, for n = 1 .. most; place (c, T) -> (c, most).

    The square, multiplied out: sums of |z|^2, and a correlation by Fourier transforms.
    """
    total = place.shape[1]
    count = total - most
    length = 1 << (total + count - 1).bit_length()
    head = np.fft.fft(place[:, :count], length, axis=1)
    products = np.fft.ifft(np.fft.fft(place, length, axis=1) * head.conj(), axis=1)[:, 1 : most + 1].real
    squares = np.concatenate([np.zeros((len(place), 1)), np.cumsum(np.abs(place) ** 2, axis=1)], axis=1)
    first, second = squares[:, count : count + 1], squares[:, count + 1 :] - squares[:, 1 : most + 1]
    return (first + second - 2 * products) / count


def _correlation(lags, rows):
    """Pearson's correlation of each row with the lags; 0 for a row that does not vary."""
    lags = lags - lags.mean()
    rows = rows - rows.mean(axis=1, keepdims=True)
    sizes = np.sqrt((lags**2).sum() * (rows**2).sum(axis=1))
    return np.where(sizes > 0, (rows * lags).sum(axis=1) / np.where(sizes > 0, sizes, 1.0), 0.0)
