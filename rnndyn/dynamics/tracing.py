"""Following branches from point to point, many at a time, and naming the bifurcations between the points."""

from collections import namedtuple

import numpy as np

from .branch import CROSS, FLIP, HIGH, LOW, MODULI, TURN, taken
from .newton import BOUND, norm
from .stability import NEUTRAL, Bifurcation, is_complex

FIRST = 0.0618  # of the longest step is the first one: no round number, so that no step ends on a bifurcation
SHORTEST = 1e-7  # of the longest step, below which a branch is given up
EASY, LONGER, SHORTER = 4, 1.5, 0.5  # corrections after which the next step is longer; by how much, or shorter
STRAIGHT = 0.97  # the cosine of the angle between neighbouring tangents, at least
ALIKE = 1e-3  # of a step, within which two zeros are of one bifurcation
ALIKE_CROSSED = 0.05  # where branches cross, the zero of the direction of mu is that rough
SHRUNK = 1e-2  # of a cycle's extent a step before or after, below which it has shrunk to one of a shorter period
NEAR = 1e-3  # a length along the branch of the shorter cycle within which the flip is
GOING, ENDED, LOST, GONE = range(4)  # what has become of a branch: goes on, well ended, no step fits, diverged

Events = namedtuple("Events", "kind y multiplier error")  # one a row


class Trace:
    """One way along branches. path: [(rows, `Points`)] in order; events: [(rows, `Events`)] in order; fate (M,)."""

    def __init__(self, equations, longest):
        self.equations, self.longest = equations, longest
        self.path, self.events = [], []
        self.fate = np.full(len(equations.theta), LOST)
        self.closed = np.zeros(len(equations.theta), bool)

    def run(self, rows, start, steps, after):
        """Follow `rows` from their points for at most `steps` steps; `after(number of branches)` follows each step."""
        points, length = taken(start, np.arange(len(rows))), np.full(len(rows), FIRST * self.longest)
        signs, far = _signs(start), np.zeros(len(rows), bool)
        self.fate[rows] = GOING
        for _ in range(steps):
            if not rows.size:
                break
            after(len(rows))
            ahead, used = self.equations.away(rows, points, length)
            onward = ahead.tangent * ahead.unit / points.unit
            turn = (points.tangent * onward).sum(axis=1) / np.sqrt((onward * onward).sum(axis=1))
            fits = turn >= STRAIGHT
            who = np.flatnonzero(fits)
            moved, begun = taken(ahead, who), taken(points, who)
            same = self._end(rows[who], begun, moved, length[who], taken(start, who), far[who])
            signs[who] = self._pass(rows[who], begun, moved, signs[who])
            self.path.append((rows[who[~same]], taken(moved, ~same)))
            for old, new in zip(points, moved, strict=True):
                old[who] = new
            far |= _distance(points, start) > 4.0 * self.longest
            length *= np.where(fits, np.where(used <= EASY, LONGER, 1.0), SHORTER)
            length = np.minimum(length, self.longest)
            self.fate[rows[length < SHORTEST * self.longest]] = LOST
            on = self.fate[rows] == GOING
            rows, length, signs, far = rows[on], length[on], signs[on], far[on]
            points, start = taken(points, on), taken(start, on)
        self.fate[rows] = LOST

    def _end(self, rows, points, ahead, length, start, far):
        """End the branches that leave the bounds, come back to their starts or diverge; `ahead` becomes the end.

        Returns which are where they were (M,): those that leave from a bound.
        """
        same = np.zeros(len(rows), bool)
        for column, bound in ((LOW, self.equations.low), (HIGH, self.equations.high)):
            out = np.flatnonzero(ahead.tests[:, column] < 0.0)
            if out.size:
                columns = np.full(len(out), ahead.tests.shape[1] + column)
                there, place, _ = self.equations.zero(rows[out], taken(points, out), taken(ahead, out), columns)
                there.y[:, -1], same[out] = bound, place <= 0.0
                _put(ahead, out, there)
                self.fate[rows[out]] = ENDED
        gap = (ahead.y - start.y) / start.unit
        passed = (gap * start.tangent).sum(axis=1)
        beside = np.sqrt(((gap - passed[:, None] * start.tangent) ** 2).sum(axis=1))
        alike = (ahead.tangent * start.tangent).sum(axis=1) >= STRAIGHT
        back = np.flatnonzero(far & alike & (passed >= 0.0) & (passed <= length) & (beside <= 0.1 * length))
        _put(ahead, back, taken(start, back))
        self.fate[rows[back]], self.closed[rows[back]] = ENDED, True
        self.fate[rows[~(norm(ahead.y[:, :-1]) <= BOUND)]] = GONE
        return same

    def _pass(self, rows, points, ahead, signs):
        """Note the bifurcations on the way to `ahead`; returns the signs there. signs: those of the tests, last known.

        A fold turns the direction of mu; where branches cross, the determinant of the Jacobian with the tangent changes
        its sign. What neither tells, such as multipliers that cross the circle in twos, the moduli do.
        """
        now = _signs(ahead)
        which, column = np.nonzero((now != 0) & (signs != 0) & (now != signs))
        if which.size:
            begin, end = taken(points, which), taken(ahead, which)
            there, place, error = self.equations.zero(rows[which], begin, end, column)
            kind, multiplier = _kind(there, column)
            circle = np.where(kind == Bifurcation.NEIMARK_SACKER, 0.0, np.sign(multiplier.real))
            ends, halved = self._shrunk(rows[which], begin, there, end, kind)
            if halved.any():
                kind[halved] = Bifurcation.FLIP
                flips = _flip(self.equations.halved(), rows[which[halved]], there.y[halved])
                there.y[halved], multiplier[halved], error[halved] = flips
            last = np.full(len(rows), np.inf)
            np.minimum.at(last, which[ends], place[ends])
            keep = place <= last[which]
            for j in range(1, len(which)):
                near = np.where((column[:j] == CROSS) & (column[j] == TURN), ALIKE_CROSSED, ALIKE)
                same = (which[:j] == which[j]) & (circle[:j] == circle[j]) & (np.abs(place[:j] - place[j]) <= near)
                keep[j] &= not (same & keep[:j]).any()
            order = np.flatnonzero(keep)[np.argsort(place[keep], kind="stable")]
            self.events.append((rows[which[order]], Events(*(v[order] for v in (kind, there.y, multiplier, error)))))
            ends &= keep
            _put(ahead, which[ends], taken(there, ends))
            self.fate[rows[which[ends]]] = ENDED
        return np.where(now != 0, now, signs)

    def _shrunk(self, rows, begin, there, end, kind):
        """Which branch points are ends of a cycle that shrinks to one of a shorter period, and which to half of it."""
        period, found = self.equations.period, np.zeros((2, len(rows)), bool)
        if period == 1:
            return found
        cycles = [self.equations.at(rows, points.y)[0] for points in (begin, there, end)]
        for shorter in (q for q in range(1, period) if period % q == 0):
            before, here, after = (norm(cycle[:, shorter] - cycle[:, 0]) for cycle in cycles)
            shrinks = (kind == Bifurcation.BRANCH_POINT) & (here <= SHRUNK * np.maximum(before, after))
            found |= shrinks & [[True], [2 * shorter == period]]
        return found


def _flip(equations, rows, y):
    """(y, multiplier, error) of the flips (M,) near points y, where a cycle of twice the equations' period begins."""
    image = y[:, :-1] + equations.at(rows, y)[1]
    guess = np.concatenate([0.5 * (y[:, :-1] + image), y[:, -1:]], axis=1)  # the middle of the two: next to the flip
    middle = equations.through(rows, guess)
    ends = (equations.away(rows, middle, np.full(len(rows), far))[0] for far in (-NEAR, NEAR))
    found, _, error = equations.zero(rows, *ends, np.full(len(rows), FLIP))
    return found.y, _kind(found, np.full(len(rows), FLIP))[1], error


def _signs(points):
    """Signs of the tests but the bounds, 0 where they are zero to rounding."""
    tests = points.tests[:, :LOW]
    return np.where(np.abs(tests) > NEUTRAL, np.sign(tests), 0.0)


def _kind(points, column):
    """(`Bifurcation`, critical multiplier), each (M,), where the test of a column is zero."""
    values, row = points.multipliers, np.arange(len(column))
    aim = np.where(column == FLIP, -1.0, 1.0)[:, None]
    nearest = np.where(column >= MODULI, column - MODULI, np.abs(values - aim).argmin(axis=1))
    critical = values[row, nearest]
    kind = np.where(critical.real > 0, Bifurcation.BRANCH_POINT, Bifurcation.FLIP)
    kind = np.where(is_complex(values)[row, nearest], Bifurcation.NEIMARK_SACKER, kind)
    for test, told in ((CROSS, Bifurcation.BRANCH_POINT), (TURN, Bifurcation.FOLD), (FLIP, Bifurcation.FLIP)):
        kind[column == test] = told
    critical = np.where(kind == Bifurcation.NEIMARK_SACKER, critical.real + 1j * np.abs(critical.imag), critical)
    return kind.astype(np.int8), critical


def _distance(points, other):
    """Lengths (M,) of the straight lines between points, in the unit of the others."""
    return np.sqrt((((points.y - other.y) / other.unit) ** 2).sum(axis=1))


def _put(points, rows, new):
    for into, array in zip(points, new, strict=True):
        into[rows] = array
