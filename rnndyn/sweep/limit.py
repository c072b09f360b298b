"""Infinitely many units: a variable extrapolated in 1/N over an axis of sizes, for numbers and figures."""

from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.dynamics import Extrapolation

__all__ = ["averaged", "check_limit", "extrapolated", "fit", "form", "sizes_from"]

TWO_SIGMA = 0.97725  # of a normal distribution, the share below two standard deviations


def check_limit(where: str, axis: str, values: Any, terms: int, smallest: float | None) -> None:
    """Raise InputError if an axis cannot be extrapolated over; where: what the sentence begins with."""
    if np.any(np.asarray(values) <= 0):
        raise InputError(f"{where}: {axis} has values that are not positive: it is no axis of sizes")
    count = int(np.sum(np.asarray(values) >= (smallest or 0)))
    if count < terms + 1:
        least = "" if smallest is None else f" from {smallest:g} up"
        raise InputError(f"{where}: {terms} powers of 1/{axis} need {terms + 1} sizes, there are {count}{least}")


def averaged(
    values: "xr.DataArray", error: "xr.DataArray | None", over: list[str]
) -> "tuple[xr.DataArray, xr.DataArray]":
    """Return the mean over some dimensions, of what is finite, and its standard error.

    Of two values or more the error comes from their scatter, widened by Student's t so that twice the error holds 95 %
    for few values too (of 6 by 1.32; plain errors of 3 values hold 88 %); else it is the value's own.
    """
    from scipy.special import stdtrit

    finite = values.where(np.isfinite(values))
    own = values.copy(data=np.zeros(values.shape)) if error is None else error
    if not over:
        return finite, own.where(np.isfinite(finite))
    count = finite.count(over)
    many = count.where(count > 1)
    student = many.copy(data=stdtrit(many.values - 1.0, TWO_SIGMA) / 2.0)
    scatter = finite.std(over, ddof=1) / many**0.5 * student
    alone = own.where(np.isfinite(finite)).mean(over)
    return finite.mean(over, keep_attrs=True), scatter.where(count > 1, alone)


def sizes_from(data: "xr.DataArray", axis: str, smallest: float | None) -> "xr.DataArray":
    """Return the part of an array from a size up; sizes at which nothing is known are left out, if others are."""
    enough = data[axis].values >= (smallest or 0)
    known = enough & np.isfinite(data.transpose(axis, ...).values.reshape(len(enough), -1)).any(axis=1)
    return data.isel({axis: np.flatnonzero(known if known.any() else enough)})


def fit(values: "xr.DataArray", error: "xr.DataArray", axis: str, terms: int) -> "Extrapolation":
    """Return the limit of means (..., axis); if one has no error, all count alike, and their scatter is the error.

    NaN if too few sizes are known.
    """
    from rnndyn import dynamics

    values, error = values.transpose(..., axis), error.transpose(..., axis)
    given: Any = None if np.any(error.values <= 0) else error.values
    if values.sizes[axis] < terms + 1:
        unknown = np.full(values.shape[:-1], np.nan)
        return dynamics.Extrapolation(unknown, unknown, np.full((*unknown.shape, terms + 1), np.nan), unknown, 0)
    return dynamics.extrapolate(values[axis].values, values.values, given, terms)


def extrapolated(
    values: "xr.DataArray", error: "xr.DataArray | None", axis: str, terms: int, smallest: float | None
) -> tuple[float, float, str]:
    """Return (the limit of values averaged over all dimensions but the sizes, its standard error, the fit in words)."""
    values = sizes_from(values, axis, smallest)
    error = None if error is None else error.sel({axis: values[axis]})
    found = fit(*averaged(values, error, [str(name) for name in values.dims if name != axis]), axis, terms)
    sizes = values[axis].values
    words = f"{form(axis, terms)} over {axis} = {sizes.min():g} to {sizes.max():g}, b = {found.coefficients[1]:.3g}"
    if found.freedom and np.isfinite(found.chi2):
        many = "degree" if found.freedom == 1 else "degrees"
        words += f", χ² = {found.chi2:.2g} for {found.freedom} {many} of freedom"
    return float(found.limit), float(found.stderr), words.replace("-", "−")


def form(axis: str, terms: int) -> str:
    """Return what is fitted: "a + b/N + c/N²"."""
    names = "bcdefgh"
    powers = ["", "²", "³", "⁴", "⁵", "⁶", "⁷"]
    return " + ".join(["a", *(f"{names[p]}/{axis}{powers[p]}" for p in range(terms))])
