"""Results compared with this package's float64 values on the CPU, before anything is timed.

Orbits of a chaotic network agree only for `t < ln(1e-3 / eps) / lambda_1`. Up to there, in float32's eps, numbers are
compared one by one: last states, sums of full spectra (`mean ln|det J|`, which no frame changes), gradients. What may
differ is measured, not assumed: network by network, `SAFETY` times the difference of the CPU's own float32 numbers from
its float64 ones, in proportion to the eps of the dtype. Beyond, single exponents are compared within their errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import ours
from compare import ERRORS, LONG, SHORT, TOLERANCE, short
from workers import Left
from workloads import Workload

SAFETY = 100
ENOUGH = {"float64": TOLERANCE, "float32": 1e-3}
"""A difference that is never held against a contender."""
SHARE = 0.9
"""Of all exponents of a long run that must lie within `ERRORS` combined standard errors."""
AGREE = 1e-3
"""Difference of states up to which two orbits are the same."""


def eps(dtype: str) -> float:
    """Distance from 1 to the next number."""
    return float(np.finfo(dtype).eps)


def quantities(work: Workload, out: tuple) -> dict[str, np.ndarray]:
    """What is compared number by number, from the results of a call: (exponents, last state) or gradients."""
    if work.kind == "bptt":
        return {"gradient of weight_hh": out[0], "gradient of bias_hh": out[1]}
    exponents, state = out
    return {"state": state} | ({"sum of exponents": exponents.sum(-1)} if work.is_full else {})


def ours_out(work: Workload, every: int | None) -> tuple:
    """This package's results in the form of the peers'."""
    out = ours.make(work, None, every)()
    return out if work.kind == "bptt" else (*out, ours.last_state(work))


def slope_loss(work: Workload) -> float:
    """How much `1 - h^2` of the most saturated unit enlarges a rounding error, where a program computes it so.

    This package does not; JAX and PyTorch do, and in float32 it is most of their error.
    """
    if work.kind not in ("scalar", "elman"):
        return 1.0
    states = ours.rd.trajectory(
        ours.cell_of(work), ours.weights_of(work), steps=work.steps + work.transient, **ours.where(work, None)
    )
    return float(1 / np.min(1 - states[..., 1:, :] ** 2, initial=1.0, where=np.abs(states[..., 1:, :]) < 1))


def differences(found, wanted) -> np.ndarray:
    """The largest difference of each network, relative to the largest number of all if that is above 1.

    Infinite where something found is not a number.
    """
    scale = max(1.0, float(np.max(np.abs(wanted))))
    with np.errstate(invalid="ignore"):
        difference = np.abs(np.asarray(found, float) - wanted).reshape(len(wanted), -1).max(1) / scale
    return np.where(np.isfinite(difference), difference, np.inf)


def reference(work: Workload) -> dict:
    """What all contenders are compared with: short and long workloads, their float64 values, what may differ."""
    small = short(work)
    first = ours.lyapunov(replace(small, columns=1), 1).exponents
    chaos = max(float(np.max(first)), 1e-9)
    steps = int(np.clip(np.log(AGREE / eps("float32")) / chaos, 4, SHORT[work.kind]))
    if work.kind == "scalar":
        steps = SHORT["scalar"]  # a map of the line by tanh is not chaotic; peers' forms take so many at a time
    small = replace(small, steps=steps, peer_steps=steps)
    wanted = quantities(small, ours_out(small, 1))
    single = quantities(small, ours_out(small.on("cpu", "float32"), 1))
    differs = {name: differences(single[name], wanted[name]) for name in wanted}
    typical = {name: np.median(d[np.isfinite(d)]) if np.isfinite(d).any() else 0.0 for name, d in differs.items()}
    found = {
        "short": (small.steps, small.transient),
        "wanted": wanted,
        "differs": {name: np.maximum(d, typical[name]) for name, d in differs.items()},
        "slope loss": slope_loss(small),
        "chaos": chaos,
    }
    if work.is_spectrum:
        batch, steps = LONG[work.units]
        long = work.part(batch=max(2, batch // 4), steps=steps // 2, transient=100)
        truth = ours.lyapunov(long, 1)
        found |= {"long": (long.batch, long.steps), "exponents": truth.exponents, "stderr": truth.stderr}
    return found


def small_work(work: Workload, against: dict) -> Workload:
    """The short workload of the reference, on the device and in the dtype of `work`."""
    steps, transient = against["short"]
    return replace(short(work), steps=steps, peer_steps=steps, transient=transient)


def long_work(work: Workload, against: dict) -> Workload:
    """The long workload of the reference, likewise."""
    batch, steps = against["long"]
    return replace(work.part(batch=batch, steps=steps, transient=100), peer_steps=steps)


def allowed(name: str, work: Workload, against: dict, careful: bool) -> np.ndarray:
    """What may differ, by network; careful: of a program that does not lose the slopes of saturated units.

    Infinite in float32 where the CPU's cannot tell the number: it counts a column as lost that float64 still sees.
    """
    of, differs = eps(work.dtype), against["differs"][name]
    if work.dtype != "float32":
        differs = np.where(np.isfinite(differs), differs * of / eps("float32"), 0.0)
    differs = np.maximum(SAFETY * differs, ENOUGH[work.dtype])
    loss = 0 if careful or name != "sum of exponents" else of * against["slope loss"] * work.units
    return differs + loss


def check(work: Workload, run: Callable[[Workload], tuple], against: dict, careful: bool = False) -> dict[str, float]:
    """Differences of a contender, `run(work)` being its results; raises `Left` if one is too large.

    The last entry is the share of exponents of a long run that agree within their errors.
    """
    small, errors = small_work(work, against), {}
    for name, found in quantities(small, run(small)).items():
        may, differ = allowed(name, work, against, careful), differences(found, against["wanted"][name])
        told = np.isfinite(may)
        errors[name] = float(np.max(differ, where=told, initial=0.0))
        if not np.all(differ[told] <= may[told]):
            worst = np.argmax(np.divide(differ, may, where=told, out=np.zeros_like(differ)))
            raise Left(f"wrong: its {name} differs by {differ[worst]:.1e} from the CPU's, where {may[worst]:.1e} may")
    if "long" in against:
        exponents = -np.sort(-run(long_work(work, against))[0], -1)
        wide = ERRORS * np.sqrt(2) * against["stderr"] + ENOUGH[work.dtype]
        with np.errstate(invalid="ignore"):
            inside = float(np.mean(np.abs(exponents - against["exponents"]) <= wide))
        errors[f"share within {ERRORS} standard errors"] = inside
        if inside < SHARE:
            raise Left(f"wrong: only {inside:.0%} of its exponents agree with the CPU's within {ERRORS} errors")
    return errors
