"""A truth, the claim that comes of measuring it, and the judgement."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["EPS", "TIERS", "Claim", "Row", "Skipped", "Truth", "judge", "pooled", "truths"]

TIERS = {
    "exact": "closed forms, to rounding",
    "statistical": "chaotic and random networks, to four standard errors",
    "parity": "other programs, and the same kernels uncompiled",
}
EPS = float(np.finfo(float).eps)
NOTHING: Mapping[str, float] = {}
RIGHT, WRONG, SKIPPED = "right", "wrong", "skipped"


class Claim(NamedTuple):
    """A measured value, what it must be, and by how much it may differ: numbers or arrays that broadcast."""

    value: ArrayLike
    truth: ArrayLike
    tolerance: ArrayLike


class Skipped(Exception):
    """Raised by a measurement that cannot be made here; its text says why."""


@dataclass(frozen=True)
class Truth:
    """What is known: in words, with its source; `measure(run)` makes the claim.

    run: how to compute, keywords that every quantity takes.
    """

    name: str
    tier: str
    says: str
    source: str
    measure: Callable[[Mapping[str, Any]], Claim]


@dataclass(frozen=True)
class Row:
    """A truth that was judged: "right", "wrong" or "skipped".

    value, truth, error and tolerance are those of the number, of `numbers`, that is worst; note: why it is not right.
    """

    name: str
    tier: str
    says: str
    source: str
    verdict: str
    value: float | None
    truth: float | None
    error: float | None
    tolerance: float | None
    numbers: int
    seconds: float
    note: str = ""


def truths(tier: str) -> tuple[list[Truth], Callable]:
    """Return an empty list, and the decorator `(says, source)` that adds a measurement to it under its own name."""
    found: list[Truth] = []

    def known(says: str, source: str) -> Callable:
        def add(measure: Callable) -> Callable:
            found.append(Truth(measure.__name__.replace("_", "-"), tier, says, source, measure))
            return measure

        return add

    return found, known


def judge(truth: Truth, run: Mapping[str, Any]) -> Row:
    """Measure a truth; a measurement that fails is wrong, and its row says how."""
    begun = time.monotonic()

    def row(verdict: str, note: str = "", numbers: int = 0, worst: Mapping[str, float] = NOTHING) -> Row:
        seconds = time.monotonic() - begun
        return Row(
            truth.name, truth.tier, truth.says, truth.source, verdict, worst.get("value"), worst.get("truth"),
            worst.get("error"), worst.get("tolerance"), numbers, seconds, note,
        )  # fmt: skip

    try:
        claim = truth.measure(run)
    except Skipped as reason:
        return row(SKIPPED, note=str(reason))
    except Exception as failure:
        return row(WRONG, note=f"{type(failure).__name__}: {failure}")
    value, known, tolerance = (array.ravel() for array in np.broadcast_arrays(*map(_float, claim)))
    with np.errstate(invalid="ignore"):
        error = np.where(value == known, 0.0, np.abs(value - known))  # -inf is -inf
    error = np.where(np.isnan(error), np.inf, error)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(error > 0, error / tolerance, 0.0)
    if not error.size:
        return row(WRONG, "nothing was measured")
    right = bool(np.all(error <= tolerance))
    at = int(np.argmax(np.where(np.isnan(share), np.inf, share)))
    worst = {"value": value, "truth": known, "error": error, "tolerance": tolerance}
    return row(RIGHT if right else WRONG, "", len(error), {name: float(of[at]) for name, of in worst.items()})


def _float(values: ArrayLike) -> np.ndarray:
    return np.asarray(values, dtype=float)


def pooled(found: Any, truth: ArrayLike, stated: ArrayLike = 0.0) -> Claim:
    """Return the claim of independent runs, one a batch point: their mean, to 4 standard errors and what is stated."""
    exponents, stderr = (v.reshape(-1, v.shape[-1]) for v in (found.exponents, found.stderr))
    error = np.sqrt(np.mean(stderr**2, axis=0) / len(stderr))
    return Claim(exponents.mean(axis=0), truth, 4.0 * error + np.asarray(stated))
