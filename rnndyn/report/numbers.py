"""The numbers of a report: what was found, how sure it is, and how well it meets the theory."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.report.areas import UNDECIDED, agreeing, area_rows
from rnndyn.report.boundaries import boundary_distances
from rnndyn.report.maps import even, share
from rnndyn.report.pictures import curves_of
from rnndyn.report.regimes import regime_classes
from rnndyn.report.words import plain, superscript, uncertain_share, with_error
from rnndyn.sweep.figure import complete_for
from rnndyn.sweep.found import Found, find_numbers
from rnndyn.sweep.start import ZERO

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.study import Study

__all__ = ["BORDER", "CHAOTIC", "SETTLES", "Number", "count", "key_numbers", "missing_points", "small", "status_rows"]

SETTLES, CHAOTIC = "Nearby states meet: λ₁ < 0", "Nearby states part: λ₁ > 0"
BORDER = "On the border: λ₁ = 0"
STATUSES = ("status", "gradient_status", "attractors_status", "regime_status")
MEANING = {
    "NOT_COMPUTED": "not computed yet",
    "OK": "computed as described; its error is the one stated",
    "NOT_CONVERGED": "the value still moved when the steps ran out; its error bar says by how much",
    "SINGULAR": "a direction is lost for good (zero slope), its exponent is −∞",
    "DIVERGED": "the state left every bound; the value covers the steps until then",
    "INVALID": "a weight is not a finite number",
}

OPEN = "no test was sure of the regime; it counts in the uncertainty of the areas"


@dataclass(frozen=True)
class Number:
    """A line of the key numbers: what, its value, how to take it, what theory says; `kind`: which part it answers."""

    what: str
    value: str
    note: str = ""
    kind: str = ""
    theory: str = ""


def count(number: int) -> str:
    """Return a number with its thousands set apart by thin spaces."""
    return f"{number:,}".replace(",", "\u202f")


def key_numbers(dataset: "xr.Dataset", study: "Study") -> list[Number]:
    """Return the key numbers of a result: those the study names, of each measurement, and of the theory curves."""
    found_numbers = zip(find_numbers(dataset, study), study.number, strict=True)
    numbers = [_named_number(found, entry.show == "exp") for found, entry in found_numbers]
    if "exponents" in dataset:
        numbers += _exponent_numbers(dataset, study)
    if "log_norms" in dataset:
        numbers += _gradient_numbers(dataset, study)
    if "regime" in dataset:
        for what, value, note in area_rows(dataset):
            kind = "" if what == UNDECIDED else "regime"
            numbers.append(Number(f"{what[:1].upper()}{what[1:]}", value, note, kind))
        numbers.append(Number(*agreeing(dataset)))
    if "attractors" in dataset:
        classes = regime_classes(dataset["attractors"], dataset["period"])
        rows = zip(classes.names, classes.counts(), strict=True)
        kind = "" if "regime" in dataset else "regime"
        own = any(number.variable in ("attractors", "period") for number in study.number)
        numbers += [
            Number(name.capitalize(), share(found, study.points), _points(found), kind)
            for name, found in rows
            if not own  # told already
        ]
        undecided = int(np.sum(dataset["attractors"].values == 0))
        if undecided:
            numbers.append(Number("No attractor decided", share(undecided, study.points), _points(undecided)))
    return numbers + _theory_numbers(dataset, study)


def _named_number(found: Found, power: bool) -> Number:
    """Write a number of `[[number]]` with its error, and theory beside it with the relative distance to it."""
    theory = "" if found.theory is None else f"{100 * found.theory:g} %" if found.share else plain(found.theory, 6)
    if found.off is not None:
        theory += f" (off by {small(found.off)})" if found.off > 0 else " (equal)"
    if found.share and found.stderr:
        value = uncertain_share(found.value, found.stderr)
    elif found.share:
        value = share(round(1e6 * found.value), 10**6)
    elif power and found.stderr is not None and found.stderr > 0.1 * found.value:
        value = f"{_power(float(np.log10(found.value)))} (× or ÷ {np.exp(found.stderr / found.value):.2g})"
    elif found.theory == 0 and found.stderr is None and 0 < abs(found.value) < 1e-3:
        value = small(found.value)
    elif found.stderr is not None and found.stderr > 0:
        value = with_error(found.value, found.stderr)
    else:
        value = plain(found.value, 6).replace("nan", "none")
    units = f" ({found.units})" if found.units not in ("", "1") else ""
    return Number(found.label + units, value, found.note, "named", theory)


def _points(number: int) -> str:
    return f"{count(number)} grid point" + "s" * (number != 1)


def _exponent_numbers(dataset: "xr.Dataset", study: "Study") -> list[Number]:
    status = dataset["status"]
    flags = dict(zip(str(status.attrs["flag_meanings"]).split(), status.attrs["flag_values"], strict=True))
    bounded = ~np.isin(status.values, [flags["NOT_COMPUTED"], flags["DIVERGED"], flags["INVALID"]])
    values = np.where(bounded, dataset["exponents"].isel(exponent=0).values, np.nan)
    errors = dataset["exponents_stderr"].isel(exponent=0).values
    total = study.points
    margin = 2 * np.where(np.isfinite(errors), errors, 0.0)
    settles, grows = int(np.sum(values + margin < 0)), int(np.sum(values - margin > 0))
    near, burst = int(np.sum(~np.isnan(values))) - settles - grows, int(np.sum(status.values == flags["DIVERGED"]))
    still = study.run.initial_state == ZERO and study.inputs is None and "bias_ih" not in study.weights
    rests, parts = "at rest or in a cycle, if nothing drives it", "chaos or slow growth"
    if still and "bias_hh" not in study.weights:
        rests, parts = "the zero state, where they start and stay, is stable", "the zero state is unstable"
    numbers = [
        Number(SETTLES, share(settles, total), f"{rests}; by more than twice the standard error of λ₁"),
        Number(CHAOTIC, share(grows, total), f"{parts}; by more than twice the standard error of λ₁"),
        Number(BORDER, share(near, total), "within twice the standard error of λ₁"),
    ]
    if burst:
        numbers.append(Number("Blows up", share(burst, total), "the state leaves every bound"))
    finite = np.where(np.isfinite(values), values, -np.inf)
    if np.any(np.isfinite(finite)):
        at = np.unravel_index(int(np.argmax(finite)), finite.shape)
        value = with_error(float(finite[at]), float(errors[at]))
        numbers.append(Number("Largest exponent (nat/step)", value, _place(dataset, study, at)))
        known = errors[np.isfinite(errors)]
        if len(known):
            spread = f"95 % of all points are below {small(float(np.quantile(known, 0.95)))}"
            numbers.append(Number("Median standard error (nat/step)", small(float(np.median(known))), spread))
    return numbers


def _gradient_numbers(dataset: "xr.Dataset", study: "Study") -> list[Number]:
    values = dataset["log_norms"].isel(lag=-1).values / np.log(10.0)
    lag, total = int(dataset["lag"][-1]), study.points
    gone, burst = int(np.sum(values < -6)), int(np.sum(values > 6))
    numbers = [
        Number(
            f"Gradient vanished after {lag} steps",
            share(gone, total),
            "smaller than 10⁻⁶ of what it was at the loss",
            "vanished",
        ),
        Number(
            f"Gradient exploded after {lag} steps",
            share(burst, total),
            "larger than 10⁶ times what it was at the loss",
            "exploded",
        ),
    ]
    finite = np.where(np.isfinite(values), values, -np.inf)
    if np.any(np.isfinite(finite)):
        at = np.unravel_index(int(np.argmax(finite)), finite.shape)
        numbers.append(
            Number(f"Largest gradient after {lag} steps", _power(float(finite[at])), _place(dataset, study, at))
        )
    return numbers


def _theory_numbers(dataset: "xr.Dataset", study: "Study") -> list[Number]:
    """Return, for each theory curve of the study, how far the measured border lies from it."""
    numbers, seen = [], set()
    for entry in study.figure:
        figure = complete_for(dataset, entry, study.axes)
        x, y = figure.x, figure.y
        for curve in curves_of(study, figure):
            name = curve.entry.name
            if name in seen or x is None or y is None or curve.jumps not in dataset or len(study.axes) != 2:
                continue
            seen.add(name)
            labels, told = _labels(dataset[curve.jumps].transpose(x, y, ...))
            across, up = labels[x].values, labels[y].values
            if min(len(across), len(up)) < 2 or not (even(across) and even(up)):
                continue
            found = boundary_distances(labels.values, across, up, curve)
            what = f"Measured border from the {curve.label.removesuffix(' (closed form)')} curve"
            if found is None:
                numbers.append(Number(what, "–", f"no border of “{told}” inside this grid"))
                continue
            note = (
                f"median {found.median:.2f}; from {count(found.pieces)} pairs of neighbours that differ in "
                f"“{told}”. Back from the curve to the nearest such pair: at most {found.to_border:.2f}, "
                "where the tongue is at least two cells high"
            )
            numbers.append(Number(what, f"at most {found.to_curve:.2f} grid cells", note, theory="0"))
    return numbers


def _labels(data: "xr.DataArray") -> "tuple[xr.DataArray, str]":
    """Return whole numbers from 1 (0 is unknown) whose borders are looked for, and their name.

    Of exponents it is the sign of the largest.
    """
    if np.issubdtype(data.dtype, np.integer):
        return data, str(data.name)
    largest = data.isel(exponent=0) if "exponent" in data.dims else data
    labels = largest.copy(data=np.where(np.isnan(largest), 0, np.where(largest > 0, 2, 1)))
    return labels, f"sign of {data.attrs.get('long_name', data.name)}"


def status_rows(dataset: "xr.Dataset") -> list[tuple[str, str, int, str]]:
    """Return the rows (quantity, name of the status, number of points, meaning) that occur."""
    rows = []
    for variable in STATUSES:
        if variable not in dataset:
            continue
        status = dataset[variable]
        quantity = str(status.attrs["long_name"]).removeprefix("status of the ")
        for flag, name in zip(status.attrs["flag_values"], str(status.attrs["flag_meanings"]).split(), strict=True):
            if found := int(np.sum(status.values == flag)):
                meaning = OPEN if (variable, name) == ("regime_status", "NOT_CONVERGED") else MEANING.get(name, "")
                rows.append((quantity, name, found, meaning))
    return rows


def missing_points(dataset: "xr.Dataset") -> int:
    """Return the number of grid points that were not computed yet."""
    missing = [dataset[name].values == -1 for name in STATUSES if name in dataset]
    return int(np.sum(np.any(missing, axis=0))) if missing else 0


def _place(dataset: "xr.Dataset", study: "Study", at: tuple[Any, ...]) -> str:
    places = zip(study.axes, at, strict=True)
    return "at " + ", ".join(f"{name} = {plain(dataset[name].values[index], 4)}" for name, index in places)


def small(value: float) -> str:
    """Return a number that may be tiny with one digit."""
    return _power(float(np.log10(value)), 0) if 0 < value < 1e-3 else f"{value:.1g}"


def _power(exponent: float, decimals: int = 2) -> str:
    """Return `10**exponent` as "3.24 · 10¹²"."""
    if -3 <= exponent < 5:
        return f"{float(f'{10**exponent:.3g}'):g}"
    whole = int(np.floor(exponent))
    return f"{10 ** (exponent - whole):.{decimals}f} · 10{superscript(whole)}"
