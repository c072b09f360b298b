"""From the growth of a frame's columns to exponents: estimates, their order and status, and how they came about."""

from typing import NamedTuple

import numpy as np

from .errorbars import standard_error, tables, total
from .status import Status

MOST = 64  # batches of a run that goes on

# Standard error, in units of 2^-24, that float32's rounding leaves in an exponent: of settled networks (tanh, LSTM and
# GRU of 1 to 16 units, gains 0.5 to 1.5) half are off by at most 0.2 to 1.6 of these units, nine in ten by 0.6 to 7.3.
ROUNDING = {"float64": 0.0, "float32": 4.0 * 2.0**-24}


class Growth(NamedTuple):
    """Growth of points in whole batches and one that is not: `sums` (batches, points, k) of ln growth, of `spans` steps
    each; `steps` used; `lost` (points, k) steps without rank; `alive`: not diverged."""

    sums: np.ndarray
    spans: np.ndarray
    steps: np.ndarray
    lost: np.ndarray
    alive: np.ndarray

    def at(self, rows):
        """The growth of some points, without the batches that none of them has."""
        spans, steps = self.spans[rows], self.steps[rows]
        used = int((-(-steps // spans)).max(initial=0))
        return Growth(self.sums[:used, rows], spans, steps, self.lost[rows], self.alive[rows])


def estimates(growth, dtype="float64"):
    """(exponents, stderr), (points, k), in the order of the columns; -inf with 0 where most steps lost rank.

    dtype: that of the kernels; float32's rounding, and that of the result, are part of stderr.
    """
    steps = growth.steps[:, None]
    counted = steps - growth.lost
    with np.errstate(invalid="ignore", divide="ignore"):
        summed, stderr = sums_and_errors(growth)
        exponents = np.where(counted > 0, summed / counted, np.nan)
        stderr = _with_rounding(stderr * (steps / counted), exponents, growth.lost / steps, dtype)
    singular = (growth.lost > 0.5 * steps) & (steps > 0)
    stderr = np.where(singular, 0.0, np.where(np.isnan(exponents), np.nan, stderr))
    return np.where(singular, -np.inf, exponents), stderr


def _with_rounding(stderr, exponents, lost, dtype):
    """Standard errors with what rounding leaves in them.

    Of a share `lost` of the steps nothing is known but that a column shrank below the rounding of the others: it counts
    as zero. Float32 loses some steps of ill-conditioned networks (tanh, N = 64, gain 2: one in 30, and 0.3 of the last
    exponent), float64 hardly any.
    """
    rounding = ROUNDING[dtype]
    stderr = np.hypot(stderr, rounding * (1.0 + 0.25 * np.abs(exponents))) if rounding else stderr
    return np.hypot(stderr, -np.log(np.finfo(dtype).eps) * lost) if lost.any() else stderr


def sums_and_errors(growth):
    """(ln of all growth, error of its mean per step), (points, k).

    Where most points have as many whole batches, as all that end alike have, a kernel takes the sums as they lie.
    """
    batches, whole = getattr(growth, "batches", None), growth.steps // growth.spans
    number = 0 if batches is None else min(int(whole.max()), batches.rows)
    if batches is None or number < 2:
        return total(growth.sums), standard_error(growth.sums, growth.spans, growth.steps)
    summed, errors = batches.totals(number, tables(number))
    errors = errors / (number * growth.spans)[:, None]
    others = np.flatnonzero(~growth.alive | (whole < number))
    if len(others):
        sums = batches.array(others)
        summed[others] = total(sums)
        errors[others] = standard_error(sums, growth.spans[others], growth.steps[others])
    return summed, errors


def summary(growth, dtype="float64"):
    """(exponents, stderr, status, order) of the points: sorted from large to small, and the columns they come from."""
    exponents, stderr = estimates(growth, dtype)
    order = np.argsort(np.where(np.isnan(exponents), np.inf, -exponents), axis=1, kind="stable")
    exponents, stderr = (np.take_along_axis(array, order, axis=1) for array in (exponents, stderr))
    status = np.where(np.isneginf(exponents).any(axis=1), Status.SINGULAR, Status.OK)
    status = np.where(growth.alive & (growth.steps > 0), status, Status.DIVERGED)
    return exponents, stderr, status, order


def running(growth, order, dtype):
    """(steps (points, H), exponents, stderr (points, H, k)): the estimates after each of the batches, columns in
    `order`; from a point's last one on they stay, so that H is the same for all."""
    length = len(growth.sums)
    ends = np.arange(1, length + 1)[:, None]
    steps = np.minimum(ends * growth.spans, growth.steps)
    final, error = estimates(growth, dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1.0 - growth.lost / growth.steps[:, None]  # of steps with rank, as if they came evenly
        exponents = np.cumsum(growth.sums, axis=0) / (steps[:, :, None] * share)
        exponents[:, np.isneginf(final)] = -np.inf
        errors = np.full(exponents.shape, np.inf)
        for row in range(1, length):
            part = standard_error(growth.sums[: row + 1], growth.spans, np.minimum(growth.steps, steps[row]))
            part = _with_rounding(part / share, exponents[row], 1.0 - share, dtype)
            errors[row] = np.where(np.isneginf(final), 0.0, part)
    over = (steps == growth.steps)[:, :, None]
    exponents, errors = np.where(over, final, exponents), np.where(over, error, errors)
    columns = np.broadcast_to(order, exponents.shape)
    exponents, errors = (np.take_along_axis(array, columns, axis=2) for array in (exponents, errors))
    return steps.T, exponents.transpose(1, 0, 2), errors.transpose(1, 0, 2)


def joined(sums):
    """Neighbouring batches added; as many rows, zeros behind."""
    found = np.zeros_like(sums)
    pairs = len(sums) // 2
    found[:pairs] = sums[0 : 2 * pairs : 2] + sums[1 : 2 * pairs : 2]
    found[pairs : pairs + len(sums) % 2] = sums[2 * pairs :]
    return found


class Growing:
    """The growth of runs that go on: at most `MOST` batches of equal length, which doubles when they are joined."""

    def __init__(self, points, k):
        self.growth = Growth(
            np.zeros((MOST + 1, points, k)),
            np.ones(points, np.int64),
            np.zeros(points, np.int64),
            np.zeros((points, k)),
            np.ones(points, bool),
        )

    def add(self, rows, found, spans):
        """Go on with a run's `found` of these points (rows), in batches of `spans` steps from now on.

        Those before and those found are joined in pairs until they are as long; what is shorter than one is added up.
        """
        new = _lengthened(found.sums, np.minimum(found.spans, spans), spans)
        steps = self.growth.steps[rows]
        if not steps.any():
            self.growth.sums[: len(new), rows] = new
        else:
            sums = _lengthened(self.growth.sums[:, rows], np.where(steps > 0, self.growth.spans[rows], spans), spans)
            number, column = steps // spans, np.arange(len(spans))
            for row in range(len(new)):
                sums[np.minimum(number + row, MOST), column] += new[row]
            self.growth.sums[:, rows] = sums
        self.growth.spans[rows] = spans
        self.growth.steps[rows] += found.steps
        self.growth.lost[rows] += found.lost
        self.growth.alive[rows] &= found.alive


def _lengthened(sums, spans, wanted):
    """Batches of `spans` steps joined to ones of at least `wanted`."""
    while (short := spans < wanted).any():
        sums, spans = np.where(short[:, None], joined(sums), sums), np.where(short, 2 * spans, spans)
    return sums
