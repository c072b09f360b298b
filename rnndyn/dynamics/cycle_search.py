"""All cycles of some networks: Newton's method from many starts, kept away from what it has found already."""

from collections import namedtuple

import numpy as np

from .newton import BOUND, CLOSED, FINE, SAME, least_period, norm, polish, solve
from .stability import bifurcation, multipliers, stability

ROUNDS = 8  # of starts at most
QUIET = 2  # rounds in a row without anything new that end the search of a period
SEGMENT = 16  # states of an orbit among which a round takes the one that returns best
STEPS = 40  # of Newton's method; who needs more wanders, and another start is cheaper
EPS = np.finfo(float).eps
FLAT = 1e-12  # a relative least singular value of I - DF^p below which rounding alone may make a state a solution

# What `Cycles` tells of each cycle, one a row.
Rows = namedtuple("Rows", "points period multipliers type lost residual error")


def window(period):
    """States of an orbit that a search for periods up to `period` reads."""
    return ROUNDS * SEGMENT + period


class Found:
    """The distinct cycles of some points: states (points, C, P, S N), NaN beyond their periods (points, C)."""

    def __init__(self, points, period, size):
        self.states = np.full((points, 0, period, size), np.nan)
        self.period = np.zeros((points, 0), np.int32)
        self.error = np.zeros((points, 0))
        self.count = np.zeros(points, np.int32)

    def add(self, who, cycles, error):
        """Note cycles (M, p, S N) of distinct points `who` (M,) under their least periods; (M,): which are new."""
        here, least = cycles[:, 0], least_period(cycles, error)
        gap = np.fmin.reduce(norm(self.states[who] - here[:, None, None]), axis=2)
        near = SAME * np.maximum(1.0, norm(here))[:, None] + 100.0 * (error[:, None] + self.error[who])
        new = ~(gap <= near).any(axis=1)
        who, cycles, least, error = who[new], cycles[new], least[new], error[new]
        slot = self.count[who]
        if new.any() and slot.max() == self.states.shape[1]:
            self._grow()
        inside = np.arange(cycles.shape[1]) < least[:, None]
        self.states[who, slot, : cycles.shape[1]] = np.where(inside[:, :, None], cycles, np.nan)
        self.period[who, slot], self.error[who, slot] = least, error
        self.count[who] += 1
        return new

    def _grow(self):
        more = max(4, self.states.shape[1])
        for name, filler in (("states", np.nan), ("period", 0), ("error", 0.0)):
            array = getattr(self, name)
            room = ((0, 0), (0, more), *((0, 0),) * (array.ndim - 2))
            setattr(self, name, np.pad(array, room, constant_values=filler))

    def solutions(self, who, period):
        """Points of the cycles whose period divides `period`: (M, K, S N), NaN after the last one."""
        mine = (self.period[who] > 0) & (period % np.maximum(self.period[who], 1) == 0)
        states = np.where(mine[:, :, None, None], self.states[who], np.nan).reshape(len(who), -1, self.states.shape[3])
        there = ~np.isnan(states[:, :, 0])
        order = np.argsort(~there, axis=1, kind="stable")[:, : there.sum(axis=1).max(initial=0)]
        return np.take_along_axis(states, order[:, :, None], axis=1)


class Search:
    """The cycles of some points, from starts (points, ROUNDS, K, S N) and orbits (points, K, window, S N)."""

    def __init__(self, step, theta, starts, orbits, period, shift):
        self.step, self.theta, self.starts, self.orbits, self.shift = step, theta, starts, orbits, shift
        self.most = period
        seen = np.concatenate([norm(states).reshape(len(theta), -1) for states in (starts, orbits)], axis=1)
        self.reach = np.where(seen <= BOUND, seen, 0.0).max(axis=1)  # of the states that were looked at
        self.found = Found(len(theta), period, starts.shape[3])
        self.exhausted = np.ones(len(theta), bool)  # the last rounds of each period have found nothing new

    def run(self, points, after):
        """Search those of the rows; `after()` is called after each round."""
        for period in range(1, self.most + 1):
            going, quiet = points, np.zeros(len(self.theta), int)
            for turn in range(ROUNDS):
                if going.size:
                    news = self._round(going, turn, period)
                    quiet[going] = np.where(news, 0, quiet[going] + 1)
                    going = going[quiet[going] < QUIET]
                after()
            self.exhausted[going] = False

    def _round(self, points, turn, period):
        """Which points have got new cycles from the starts of a round."""
        starts = np.concatenate([self.starts[points, turn], self._returns(points, turn, period)], axis=1)
        count, each, size = starts.shape
        rows = np.repeat(points, each)
        known = np.repeat(self.found.solutions(points, period), each, axis=0) if turn or period > 1 else None
        cycles, products, error = polish(
            self.step, self.theta[rows], starts.reshape(-1, size), np.full(len(rows), np.inf), period, known,
            self.shift, STEPS,
        )  # fmt: skip
        solved = np.flatnonzero(np.isfinite(error) & np.isfinite(products).all(axis=(1, 2)))
        last, products, length = cycles[solved], products[solved], error[solved]
        residual = norm(self.step(self.theta[rows[solved]], last[:, -1])[0] - last[:, 0])
        scale, gain = np.maximum(1.0, norm(last[:, 0])), 1.0 + np.abs(products).sum(axis=2).max(axis=1)
        # Steps have no length, too, where a matrix is singular, and far out, where its digits are lost.
        true = residual <= np.minimum(10.0 * np.maximum(length, FINE * scale) * gain, CLOSED * scale)
        # A gate that is open by less than a rounding error keeps whatever state it has: all of them far out.
        flat = _least(products) <= FLAT * gain
        true &= (scale <= BOUND) & ~(flat & (scale > np.maximum(1.0, self.reach[rows[solved]])))
        error = np.full(len(rows), np.inf)
        error[solved[true]] = _error(last[true], products[true], length[true])
        error, cycles = error.reshape(count, each), cycles.reshape(count, each, period, size)
        news = np.zeros(count, bool)
        for k in range(each):
            hit = np.flatnonzero(np.isfinite(error[:, k]))
            news[hit] |= self.found.add(points[hit], cycles[hit, k], error[hit, k])
        return news

    def _returns(self, points, turn, period):
        """The state (M, K, S N) of each orbit, in the round's part of it, that is nearest to itself a period later."""
        part = self.orbits[points, :, turn * SEGMENT : (turn + 1) * SEGMENT + period]
        gap = norm(part[:, :, period:] - part[:, :, :-period])
        best = np.argmin(np.where(np.isnan(gap), np.inf, gap), axis=2)
        return np.take_along_axis(part, best[:, :, None, None], axis=2)[:, :, 0]

    def rows(self):
        """(point (R,), `Rows`) of all cycles: by point, period and state, each from its first in that order on."""
        found = self.found
        owner, slot = np.nonzero(np.arange(found.period.shape[1]) < found.count[:, None])
        period, points, error = found.period[owner, slot], found.states[owner, slot], found.error[owner, slot]
        first = _first(points)
        places = (first[:, None] + np.arange(self.most)) % np.maximum(period, 1)[:, None]
        points = np.take_along_axis(points, places[:, :, None], axis=1)
        points[np.arange(self.most) >= period[:, None]] = np.nan
        order = np.lexsort((*_coarse(points)[:, 0].T[::-1], period, owner))
        owner, period, points, error = owner[order], period[order], points[order], error[order]
        residual, products = np.empty(len(owner)), np.empty((len(owner), *2 * (points.shape[2],)))
        for p in np.unique(period):
            mine = np.flatnonzero(period == p)
            points[mine, :p], products[mine], residual[mine], error[mine] = self._again(
                self.theta[owner[mine]], points[mine, :p], error[mine]
            )
        values = multipliers(products)
        kinds = stability(values, error), bifurcation(values)
        return owner, Rows(points, period, values, *kinds, residual, error)

    def _again(self, theta, points, error):
        """(cycle, DF^p, residual, error) after two more of Newton's steps from a cycle's first point."""
        start, period, unit = points[:, 0], points.shape[1], np.eye(points.shape[2])
        reach = 1e-6 * np.maximum(1.0, norm(start)) + 100.0 * error
        length = np.full(len(start), np.inf)
        for turn in range(3):
            points, image, products = self.step.cycle(theta, start, period)
            move, before = solve(unit - products, image - start), length
            length = norm(move)
            if turn < 2:
                start = np.where((length <= reach)[:, None], start + move, start)
        ratio = np.where(length < before, length / before, 0.0)
        left = length / (1.0 - np.minimum(ratio, 0.9))  # of a geometric series, as at a multiple root
        error = _error(points, products, np.where(length <= reach, left, error))
        return points, products, norm(image - start), error


def _error(points, products, length):
    """Errors (M,) of cycles (M, p, S N): Newton's last step or, if larger, what rounding of F^p becomes by the inverse
    of I - DF^p; at a double root that is half the digits, at a triple one two thirds."""
    rounding = 4.0 * EPS * norm(points).max(axis=1) * (1.0 + np.abs(products).sum(axis=2).max(axis=1))
    return np.maximum(length, rounding / np.maximum(_least(products), EPS ** (2 / 3)))


def _least(products):
    """The least singular values (M,) of I - DF^p."""
    matrices = np.eye(products.shape[1]) - products
    return norm(matrices[:, 0]) if products.shape[1] == 1 else np.linalg.svd(matrices, compute_uv=False)[:, -1]


def _coarse(points):
    """Points (M, p, S N) without the digits that rounding may change, so that symmetric ones compare equal."""
    scale = np.maximum(1.0, np.nanmax(np.abs(points), axis=(1, 2), keepdims=True))
    return np.round(points / scale, 6) * scale + 0.0


def _first(points):
    """The place (M,) of each cycle's first point in lexicographic order, points (M, p, S N) with NaN at the end."""
    key = _coarse(points)
    left = ~np.isnan(key[:, :, 0])
    for k in range(key.shape[2]):
        value = np.where(left, key[:, :, k], np.inf)
        left &= value == value.min(axis=1, keepdims=True)
        if (left.sum(axis=1) <= 1).all():
            break
    return left.argmax(axis=1)
