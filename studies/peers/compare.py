"""Results compared before anything is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import ours
import package_peers
from workloads import Workload

TOLERANCE = 1e-8
SHORT = {"scalar": 30, "elman": 32, "lstm": 16, "bptt": 100}
"""Steps of the comparison: few, since chaotic orbits separate by rounding; what the forms' block lengths divide."""
LONG = {2: (64, 1500), 8: (64, 1500), 32: (16, 640), 64: (8, 512), 128: (4, 256), 512: (2, 128)}
"""Networks and steps of the statistical comparison, by units."""
ERRORS = 5
"""Standard errors within which nine in ten exponents must agree."""


def short(work: Workload, batch: int = 128) -> Workload:
    """The workload of the comparison: few networks, few steps; networks are taken from the whole batch."""
    batch = min(batch, max(2, 8192 // work.units**2))
    stride = max(1, work.batch // batch)
    arrays = {name: array[::stride].copy() for name, array in work.arrays.items()}
    steps, transient = SHORT[work.kind], 10 if work.transient else 0
    return replace(work, batch=len(arrays["state"]), arrays=arrays, steps=steps, transient=transient)


def error(found, wanted, relative: bool) -> float:
    """Largest difference of two arrays, divided by the largest entry if `relative`; infinite if NaN is found."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    difference = np.max(np.abs(found - wanted)) / (np.max(np.abs(wanted)) if relative else 1)
    return float(difference) if np.isfinite(difference) else np.inf


def checked(work: Workload, who: str, errors: dict[str, float]) -> dict[str, float]:
    """The errors, or an end of the run that says which one is too large."""
    for what, value in errors.items():
        if not value < TOLERANCE:
            raise SystemExit(f"{work.key}: {what} of {who} differs by {value:.1e}")
    return errors


def reference(small: Workload) -> tuple:
    """What JAX's first form finds, which all others are compared with."""
    import jax_peer  # only now: `short` and `error` serve where there is no JAX, too

    make = next(iter(jax_peer.variants(small).values()))
    return make(small, small.batch)()


def peer_error(small: Workload, make: Callable, wanted: tuple) -> float:
    """Error of a peer's results (exponents and state, or gradients) over few steps against the reference."""
    found = make(small, small.batch)()
    return max(error(f, w, small.kind == "bptt") for f, w in zip(found, wanted, strict=True))


def share_right(small: Workload, make: Callable, wanted: tuple) -> float:
    """Share of the networks whose exponents a peer with a longer interval finds to the tolerance.

    Frames start alike, so that exponents do not depend on the interval but for rounding: where columns have become
    parallel within it, the small ones are wrong. One interval for all networks must suit the worst.
    """
    found = make(small, small.batch)()[0]
    return float(np.mean(np.max(np.abs(found - wanted[0]), axis=-1) < TOLERANCE))


def package_errors(name: str, small: Workload, wanted: tuple) -> dict[str, float]:
    """Differences of a package from the reference: frames start anywhere, so the sum of a full spectrum, and the state.

    A part of a spectrum has no exact sum and is compared by its state here.
    """
    exponents, state = package_peers.LIBRARIES[name][0](small)()
    errors = {f"{name}, state": error(state, wanted[1], False)}
    if small.is_full:
        ahead = package_peers.shifted(name, small)
        expected = wanted if ahead is small else reference(ahead)
        errors[f"{name}, sum of exponents"] = error(exponents.sum(-1), expected[0].sum(-1), False)
    return checked(small, name, errors)


def our_errors(work: Workload, small: Workload, wanted: tuple) -> dict[str, float]:
    """rnndyn against the reference over few steps, and single exponents over a longer run within their errors.

    Frames start differently, so the sum of a full spectrum (`mean ln|det J|`) is compared exactly, with QR at each step
    and at rnndyn's own interval; single exponents statistically: nine in ten within 5 combined standard errors.
    """
    if work.kind == "bptt":
        found = ours.make(small, 1)()
        errors = {"gradients": max(error(f, w, True) for f, w in zip(found, wanted, strict=True))}
        return checked(work, "rnndyn", errors)
    errors = {"state": error(ours.last_state(small), wanted[1], False)}
    if small.is_full:
        for what, every in (("sum of exponents", 1), ("sum of exponents, own interval", None)):
            found = ours.make(small, 1, every)()[0]
            errors[what] = error(found.sum(-1), wanted[0].sum(-1), False)
    checked(work, "rnndyn", errors)
    if work.is_spectrum:
        batch, steps = LONG[work.units]
        long = work.part(batch=batch, steps=steps, transient=100)
        peer = -np.sort(-reference(long)[0], -1)
        for what, every in (("each step", 1), ("own interval", None)):
            found = ours.lyapunov(long, every)
            inside = np.abs(found.exponents - peer) <= ERRORS * np.sqrt(2) * found.stderr + 1e-9
            share = errors[f"share within {ERRORS} standard errors, {what}"] = float(np.mean(inside))
            if share < 0.9:
                raise SystemExit(f"{work.key}: only {share:.0%} of rnndyn's exponents ({what}) agree with JAX's")
    return errors
