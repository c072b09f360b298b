"""Regimes by name, the evidence for them, and which starts share an attractor and a label."""

import enum
from typing import NamedTuple

import numpy as np

from .newton import SAME, norm

APART = 8.0  # standard errors by which averages over two chaotic attractors differ


class Regime(enum.IntEnum):
    """Where an orbit goes. UNDECIDED: no test was sure; NEUTRAL: nothing attracts it nor drives it away: on a boundary
    (a multiplier of modulus 1 within 1e-8), or a rotation, a torus among tori; GROWING: without bound."""

    UNDECIDED = 0
    FIXED_POINT = 1
    CYCLE = 2
    QUASI_PERIODIC = 3
    CHAOTIC = 4
    GROWING = 5
    NEUTRAL = 6


class DecidedBy(enum.IntEnum):
    """What decided. MULTIPLIERS: at Newton's solution; EIGENVALUES: of an affine map; BOUND: the state left the range;
    RETURN: those of an orbit that closed; EXPONENT: lambda_1 beyond its error; AVERAGES: lambda_1 = 0 within its
    error and smooth averages; NONE: nothing did."""

    NONE = 0
    MULTIPLIERS = 1
    EIGENVALUES = 2
    BOUND = 3
    RETURN = 4
    EXPONENT = 5
    AVERAGES = 6


SETTLED = (Regime.FIXED_POINT, Regime.CYCLE)
ATTRACTORS = (*SETTLED, Regime.QUASI_PERIODIC, Regime.CHAOTIC)


class Evidence(NamedTuple):
    """Of each orbit, a row: its regime; the period (0: none); lambda_1 and its error, per step; the largest modulus of
    the cycle's multipliers; how many exponents are zero within their errors (of the first three); what decided; a state
    there; the states of the cycle (NaN behind them); averages of s and s^2 with how far they can be trusted."""

    regime: np.ndarray
    period: np.ndarray
    exponent: np.ndarray
    stderr: np.ndarray
    multiplier: np.ndarray
    zeros: np.ndarray
    test: np.ndarray
    state: np.ndarray
    points: np.ndarray
    mean: np.ndarray
    error: np.ndarray

    @classmethod
    def empty(cls, rows, size, period):
        """Of so many rows about which nothing is known."""
        state, points, mean, error = (
            np.full((rows, *shape), np.nan) for shape in ((size,), (period, size), (2 * size,), (2 * size,))
        )
        exponent, stderr, multiplier = np.full((3, rows), np.nan)
        regime, test, zeros = np.zeros((3, rows), np.int8)
        length = np.zeros(rows, np.int32)
        return cls(regime, length, exponent, stderr, multiplier, zeros, test, state, points, mean, error)

    def put(self, rows, **values):
        """Set what is named of some rows."""
        for name, value in values.items():
            getattr(self, name)[rows] = value


def grouped(evidence, starts):
    """(attractor of each start (points, starts), -1 for none; how many there are (points,)), numbered as they come."""
    points = len(evidence.regime) // starts
    rows = [array.reshape(points, starts, *array.shape[1:]) for array in evidence]
    whole_ = Evidence(*rows)
    index, count = np.full((points, starts), -1, np.int32), np.zeros(points, np.int32)
    open_ = np.isin(whole_.regime, ATTRACTORS)
    for j in range(starts):
        mine = np.flatnonzero(open_[:, j] & (index[:, j] < 0))
        if not len(mine):
            continue
        first = Evidence(*(array[mine, j, None] for array in whole_))
        others = Evidence(*(array[mine, j:] for array in whole_))
        joined = _same(first, others) & (index[mine, j:] < 0)
        joined[:, 0] = True
        part = index[mine]
        part[:, j:][joined] = np.repeat(count[mine], joined.sum(axis=1))
        index[mine] = part
        count[mine] += 1
    return index, count


def _same(first, others):
    """Which of the orbits (points, m) have the attractor of the first (points, 1)."""
    same = (others.regime == first.regime) & (others.period == first.period)
    here = first.points[:, :, :1]
    scale = np.maximum(1.0, norm(here[..., 0, :]))
    gap = np.fmin.reduce(norm(others.points - here), axis=2)
    settled = gap <= SAME * scale + 100.0 * (first.error[..., 0] + others.error[..., 0])
    chaotic = first.regime == Regime.CHAOTIC
    both = first.error, others.error
    reach = np.where(chaotic[..., None], APART * np.hypot(*both), 10.0 * np.add(*both))
    average = (np.abs(first.mean - others.mean) <= reach + 1e-12).all(axis=-1)
    cycles = np.isin(first.regime, SETTLED) & np.isfinite(here[..., 0, 0])
    return same & np.where(cycles, settled, average)


def labelled(evidence, which, starts):
    """The label of each point and its evidence, {name: (points, ...)}.

    Of the labels of starts that reach an attractor, the one that most have; only where none does, of the others.
    """
    rows = Evidence(*(array.reshape(-1, starts, *array.shape[1:]) for array in evidence))
    key = rows.regime.astype(np.int64) + 16 * rows.period.astype(np.int64)
    votes = np.array([(key == key[:, j, None]).sum(axis=1) for j in range(starts)]).T
    rank = votes + starts * (np.isin(rows.regime, ATTRACTORS) + 1) * (rows.regime != Regime.UNDECIDED)
    best = rank == rank.max(axis=1, keepdims=True)
    chosen = np.where(best, key, np.iinfo(np.int64).max).argmin(axis=1)  # of equals the simplest
    at = np.arange(len(chosen)), chosen
    found = {name: getattr(rows, name)[at] for name in ("regime", "period", "multiplier", "zeros", "test", "state")}
    mine = (which == which[at][:, None]) & (key == key[at][:, None])
    number = mine.sum(axis=1)
    found["exponent"] = np.where(mine, rows.exponent, 0.0).sum(axis=1) / number
    found["stderr"] = np.sqrt(np.where(mine, rows.stderr**2, 0.0).sum(axis=1)) / number
    found["confidence"] = votes[at] / starts
    return found
