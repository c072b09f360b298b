"""What follows from the exponents alone: dimension, entropy, memory."""

import numpy as np

from ..errors import InputError
from .batch import as_array, whole

__all__ = ["entropy", "kaplan_yorke", "memory_time"]


def kaplan_yorke(exponents, stderr=None, size=None):
    """D = j + (lambda_1 + .. + lambda_j) / |lambda_{j+1}|, j the most exponents whose sum is not negative.

    The Kaplan-Yorke (Lyapunov) dimension of the attractor, of exponents (..., k) in any unit and order. size: how many
    exponents the whole spectrum has, the state's size. Where no sum of the exponents given is negative, D is `size` for
    a whole spectrum (k = size), and NaN for a part of one, or if `size` is not given: a part that does not reach D says
    nothing about it. 0 if all are negative; -inf is a number like others, NaN stays NaN.
    Returns D (...), or (D, its error) with stderr (..., k): the sum of |dD/dlambda_i| stderr_i, a bound to first
    order, since errors of exponents of one run depend on each other.
    Source: Kaplan & Yorke, Lect. Notes Math. 730 (1979) 204.
    Raises InputError for wrong shapes, and for more exponents than `size`.
    """
    values, errors = _spectrum(exponents, stderr)
    k = values.shape[-1]
    if size is not None and whole("size", size, 1) < k:
        raise InputError(f"`exponents` has {k} columns, but `size` says that the whole spectrum has {size}.")
    sums = np.cumsum(values, axis=-1)
    number = np.sum(np.logical_and.accumulate(sums >= 0, axis=-1), axis=-1, keepdims=True)
    before, last = np.maximum(number - 1, 0), np.minimum(number, k - 1)
    total = np.where(number > 0, np.take_along_axis(sums, before, -1), 0.0)
    steep = np.abs(np.take_along_axis(values, last, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        dimension = np.where(number < k, number + total / steep, float(k) if size == k else np.nan)
        slopes = np.where(np.arange(k) < number, 1.0 / steep, 0.0)
        slopes = np.where((np.arange(k) == number) & (number > 0), total / steep**2, slopes)
    slopes = np.where(number < k, slopes, 0.0)
    return _answer(np.isnan(values).any(axis=-1), dimension[..., 0], stderr, slopes, errors)


def entropy(exponents, stderr=None):
    """h = sum of the positive exponents: Pesin's identity, nats per step (or per unit of time of the exponents).

    The metric entropy of a system whose measure is smooth along unstable directions, else a bound from above (Ruelle).
    exponents (..., k): as many as are positive, at least. NaN stays NaN.
    Returns h (...), or (h, its error) with stderr (..., k): the sum of the positive exponents' errors, a bound, since
    errors of exponents of one run depend on each other.
    Source: Pesin, Russ. Math. Surv. 32 (1977) 55.
    Raises InputError for wrong shapes.
    """
    values, errors = _spectrum(exponents, stderr)
    positive = values > 0
    total = np.where(positive, values, 0.0).sum(axis=-1)
    return _answer(np.isnan(values).any(axis=-1), total, stderr, positive.astype(float), errors)


def memory_time(exponents, stderr=None):
    """tau = -1 / lambda_1: steps (or units of time) in which a perturbation fades by the factor e.

    exponents (..., k), of which only the largest counts. Infinite where lambda_1 >= 0: it never fades; 0 where all are
    -inf. NaN stays NaN.
    Returns tau (...), or (tau, its error) with stderr (..., k): stderr_1 / lambda_1^2, infinite where tau is.
    Raises InputError for wrong shapes.
    """
    values, errors = _spectrum(exponents, stderr)
    first = values[..., :1]
    with np.errstate(divide="ignore"):
        time = np.where(first >= 0, np.inf, -1.0 / first)
        slopes = np.where(np.arange(values.shape[-1]) == 0, time**2, 0.0)
    errors = np.where(np.isinf(slopes), 1.0, errors)  # an unbounded time has no error, whatever the exponent's
    return _answer(np.isnan(values).any(axis=-1), time[..., 0], stderr, slopes, errors)


def _spectrum(exponents, stderr):
    """(exponents from large to small, NaN last, and their errors in that order), both (..., k)."""
    values = as_array("exponents", exponents)
    if values.ndim < 1 or values.shape[-1] < 1:
        raise InputError(f"`exponents` must have the shape (..., k), not {values.shape}.")
    errors = np.zeros_like(values) if stderr is None else as_array("stderr", stderr)
    if errors.shape != values.shape:
        raise InputError(f"`stderr` must have the shape of `exponents`, {values.shape}, not {errors.shape}.")
    order = np.argsort(np.where(np.isnan(values), np.inf, -values), axis=-1, kind="stable")
    return np.take_along_axis(values, order, -1), np.take_along_axis(errors, order, -1)


def _answer(unknown, value, stderr, slopes, errors):
    """The value, with its error if the exponents have any: sum of |slope| error; NaN where unknown."""
    value = np.where(unknown, np.nan, value)[()]
    if stderr is None:
        return value
    with np.errstate(invalid="ignore"):
        terms = np.where(slopes == 0, 0.0, np.abs(slopes) * errors)
    return value, np.where(np.isnan(value), np.nan, terms.sum(axis=-1))[()]
