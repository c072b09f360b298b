"""Where care is needed: what a reader of a result could take for more than it is."""

from typing import TYPE_CHECKING

import numpy as np

from rnndyn.report.maps import share
from rnndyn.report.numbers import small
from rnndyn.sweep.start import RANDOM

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.study import Study

__all__ = ["cautions"]

WARNING = {
    "NOT_COMPUTED": "are not computed yet; every share on this page counts them as missing",
    "NOT_CONVERGED": "had not converged when the steps ran out: their values still drift by about their error bars",
    "SINGULAR": "lose a direction for good (a slope of zero), so an exponent is −∞ there: exact, not a failure",
    "DIVERGED": "left every bound; their values describe the way out, not a long run",
    "INVALID": "have a weight that is no finite number, and no value",
}


def cautions(dataset: "xr.Dataset", study: "Study") -> list[str]:
    """Return sentences on what to keep in mind, the most serious first."""
    found = _statuses(dataset)
    if "exponents" in dataset:
        found += _exponents(dataset, study)
    if "log_norms" in dataset:
        found.append(
            "Gradients are of a loss on the last state, in one direction; another loss changes their first steps, and "
            "from other starting states they can end in another attractor."
        )
    if "attractors" in dataset and study.measure.attractors is not None:
        found.append(
            f"Attractors are those that {study.measure.attractors.starts} random starts reach: one with a small basin "
            "can be missed, and one of a longer period than was searched for is not counted."
        )
    if "regime" in dataset and study.measure.regimes is not None:
        options = study.measure.regimes
        found.append(
            f"Regimes are what most of {options.starts * options.seeds} random starts reach: one with a small basin "
            "can be missed. Chaos that outlasts the run is called chaos, and a torus locked more weakly than the "
            "error of its exponent is called quasi-periodic."
        )
    if study.run.dtype == "float32":
        found.append("Computed in single precision: slow drifts and differences below about 10⁻⁶ are rounding.")
    return found


def _statuses(dataset: "xr.Dataset") -> list[str]:
    sentences = []
    flagged = [str(name) for name in dataset.data_vars if "flag_meanings" in dataset[name].attrs]
    for variable in flagged:
        if variable == "regime_status":  # to be undecided is a label of its own
            continue
        status = dataset[variable]
        of = str(status.attrs["long_name"]).removeprefix("status of the ")
        names = dict(zip(str(status.attrs["flag_meanings"]).split(), status.attrs["flag_values"], strict=True))
        for name, warning in WARNING.items():
            number = int(np.sum(status.values == names.get(name, 127)))
            if number:
                sentences.append(f"{of.capitalize()}: {share(number, status.size)} of the points {warning}.")
    return sentences


def _exponents(dataset: "xr.Dataset", study: "Study") -> list[str]:
    values = dataset["exponents"].isel(exponent=0).values
    errors = dataset["exponents_stderr"].isel(exponent=0).values
    with np.errstate(invalid="ignore"):
        near = int(np.sum(np.abs(values) < 2 * errors))
    sentences = []
    if near:
        sentences.append(
            f"At {share(near, values.size)} of the points λ₁ is within two standard errors of zero: whether nearby "
            f"states meet or part there is not settled by {_steps(study).rstrip(',')}."
        )
    if np.any(np.isfinite(errors)):
        median = float(np.median(errors[np.isfinite(errors)]))
        start = "one random start" if study.run.initial_state == RANDOM else f"{study.run.start_words()}"
        sentences.append(
            f"The exponents are means over {_steps(study)} from {start}; their typical standard error "
            f"is {small(median)} nat/step. Where there are several attractors, other starts can give others."
        )
    return sentences


def _steps(study: "Study") -> str:
    """Return how long the exponents' runs are, in words."""
    options = study.measure.lyapunov
    if options is None or options.tolerance is None:
        return f"{study.run.steps} steps"
    return f"runs to a standard error of {options.tolerance:g}, of at most {options.limit or study.run.steps} steps,"
