"""Runs until the error bars are below a tolerance: how long to run before the next check, point by point.

A point's schedule follows from its own numbers, so that neither chunks nor neighbours change a bit of its result. Its
batches have equal lengths, powers of two times the first ones', so that it can go on by 1/4 to 4 times what it has run.
"""

import numpy as np

from .errorbars import half_difference
from .growth import MOST, Growing, estimates

FIRST = 1024  # steps before the first check
LIMIT = 1_000_000  # steps at most, if the user does not say
MARGIN = 1.05  # of the error beyond the tolerance, for the next check to be the last one
SLOWEST, FIRST_GUESS, FASTEST = 0.5, 0.75, 1.0  # errors fall like T to minus this: chaos; unknown yet; fixed points
LEAST, BATCHES = 24, 32  # batches that an error bar rests on at least; those of a run at most
# How often batches are joined before the next run, and how many it adds; the last ones only just before the limit.
CHOICES = [(join, add) for join in (0, 1, 2) for add in (8, 16, 32)]
LAST_CHOICES = [(join, add) for join in (0, 1) for add in (4, 2, 1)]


def run_to_tolerance(advance, points, k, limits, tolerance, state, frame, meter, skip):
    """(growth, converged) of points that go on until each exponent's error is at most `tolerance`, or to `limits`.

    advance(rows, first, lengths, state, frame) runs points (rows) from step `first` of theirs, `lengths` steps each,
    and returns their `Spectra`; after the first one it goes on with the state and frame of the last. skip: points that
    are not run. Where an exponent is not positive, half the difference of the two halves must be below the tolerance
    too.
    """
    growing, converged = Growing(points, k), np.zeros(points, bool)
    growth = growing.growth
    active = np.flatnonzero(~skip)
    meter.add(int(limits[skip].sum()))
    lengths = np.minimum(FIRST, limits)
    spans = np.maximum(-(-lengths // BATCHES), 4)
    before = np.full((2, points), np.nan)  # steps and error at the last check
    state, frame = state.copy(), frame.copy()
    while len(active):
        first, length = growth.steps[active], lengths[active]
        ends = first + length >= limits[active]
        for key in np.unique(np.stack([first, np.where(ends, -1, length)]), axis=1).T:
            rows = active[(first == key[0]) & (np.where(ends, -1, length) == key[1])]
            found = advance(rows, int(key[0]), lengths[rows], state[rows], frame[rows])
            state[rows], frame[rows] = found.state, found.frame
            growing.add(rows, found, spans[rows])
        excess = _excess(growth.at(active)) / tolerance
        alive, steps = growth.alive[active], growth.steps[active]
        converged[active] = (excess <= 1) & alive
        going = alive & ~converged[active] & (steps < limits[active])
        meter.add(int((limits[active] - steps)[~going].sum()))
        active, excess, steps = active[going], excess[going], steps[going]
        lengths[active], spans[active] = _following(
            steps, growth.spans[active], limits[active], _wanted(steps, excess, *before[:, active])
        )
        before[:, active] = steps, excess
    return growth, converged


def _excess(growth):
    """The largest error of each point; infinite while an error is unknown."""
    exponents, errors = estimates(growth)
    halves = half_difference(growth.sums, growth.spans, growth.steps)
    errors = np.where((exponents <= 0) & np.isfinite(exponents), np.fmax(errors, halves), errors)
    return np.where(np.isnan(errors), np.inf, errors).max(axis=1)


def _wanted(steps, excess, steps_before, excess_before):
    """The steps at which the error should be below the tolerance, as it has fallen since the last check."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        speed = np.log(excess_before / excess) / np.log(steps / steps_before)
        speed = np.where(np.isnan(speed), FIRST_GUESS, np.clip(speed, SLOWEST, FASTEST))
        return steps * (MARGIN * excess) ** (1 / speed)


def _following(steps, spans, limits, wanted):
    """(steps of the next run, steps in a batch from then on): the shortest choice that reaches `wanted` steps."""
    number = steps // spans
    join, add = np.array(CHOICES + LAST_CHOICES).T[:, :, None]
    then, longer = (number >> join) + add, spans << join
    ends = then * longer
    valid = (number % (1 << join) == 0) & (then >= LEAST) & (then <= MOST) & (ends <= limits)
    usual = valid[: len(CHOICES)].any(axis=0)
    valid[len(CHOICES) :] &= ~usual
    reach = valid & (ends >= wanted)
    soonest = np.where(reach, ends, np.iinfo(np.int64).max).argmin(axis=0)
    furthest = np.where(valid, ends, 0).argmax(axis=0)
    chosen, column = np.where(reach.any(axis=0), soonest, furthest), np.arange(len(steps))
    some = valid.any(axis=0)
    rest = limits - steps  # shorter than a batch, or there is no room for one more: join them
    return (
        np.where(some, ends[chosen, column] - steps, rest),
        np.where(some, longer[chosen, column], np.where(rest < spans, spans, 2 * spans)),
    )
