"""The limit of infinitely many units, from networks of several sizes."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .batch import as_array, whole

__all__ = ["Extrapolation", "extrapolate"]

Extrapolation = namedtuple("Extrapolation", "limit stderr coefficients chi2 freedom")


def extrapolate(sizes, values, errors=None, terms=1):
    """Weighted least squares of `value(N) = a_0 + a_1 / N + .. + a_terms / N^terms`; the limit is `a_0`.

    sizes (n), values (..., n), of standard errors `errors` (..., n); None: all the same, unknown.
    Returns Extrapolation(limit (...), its stderr (...), coefficients (..., terms + 1), chi2 (...), freedom): chi2 is
    the sum of squared residuals in units of their errors, about as large as `freedom = n - terms - 1` where the form
    holds and the errors are right. Where it is larger, the stderr is enlarged by sqrt(chi2 / freedom) (Birge's ratio),
    so that it tells of a form that does not fit; without errors it comes from the residuals alone, and chi2 is NaN.
    Without freedom the line goes through all values: the stderr comes from `errors`, and is NaN without them.
    Values that are not finite, or whose error is not, make NaN of their row.
    Source: Birge, Phys. Rev. 40 (1932) 207.
    Raises InputError for wrong shapes, sizes that repeat or are not positive, errors that are not, too few sizes.
    """
    sizes, values = as_array("sizes", sizes), as_array("values", values)
    terms = whole("terms", terms, 1)
    if sizes.ndim != 1 or not (np.all(sizes > 0) and len(set(sizes.tolist())) == len(sizes)):
        raise InputError("`sizes` must be a list of different positive numbers.")
    if values.shape[-1:] != sizes.shape:
        raise InputError(f"`values` must have the shape (..., {len(sizes)}), one for each size, not {values.shape}.")
    if len(sizes) < terms + 1:
        raise InputError(f"a fit with {terms} powers of 1/N needs {terms + 1} sizes at least, not {len(sizes)}.")
    given = np.ones_like(values) if errors is None else as_array("errors", errors)
    if given.shape != values.shape:
        raise InputError(f"`errors` must have the shape of `values`, {values.shape}, not {given.shape}.")
    if np.any(given <= 0):
        raise InputError("`errors` must be positive: a value without an error would decide alone.")
    known = (np.isfinite(values) & np.isfinite(given)).all(axis=-1)
    scale = sizes.max()  # powers of scale / N lie between 1 and a few: well conditioned
    powers = (scale / sizes)[:, None] ** np.arange(terms + 1)
    weighted = powers / np.where(known[..., None], given, 1.0)[..., None]
    target = np.where(known[..., None], values, 0.0) / np.where(known[..., None], given, 1.0)
    inverse = np.linalg.pinv(weighted)
    found = np.einsum("...pn,...n->...p", inverse, target)
    residual = target - np.einsum("...np,...p->...n", weighted, found)
    chi2, freedom = np.sum(residual**2, axis=-1), len(sizes) - terms - 1
    stderr = np.sqrt(np.sum(inverse[..., 0, :] ** 2, axis=-1))
    birge = np.sqrt(chi2 / freedom) if freedom else np.full_like(chi2, np.nan if errors is None else 1.0)
    stderr = stderr * (birge if errors is None else np.maximum(1.0, birge))
    gone = np.where(known, 0.0, np.nan)
    coefficients = found * scale ** np.arange(terms + 1) + gone[..., None]
    chi2 = chi2 + (gone if errors is not None else np.nan)
    return Extrapolation(coefficients[..., 0], (stderr + gone)[()], coefficients, chi2[()], freedom)
