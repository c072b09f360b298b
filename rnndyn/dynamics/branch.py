"""Points of branches of fixed points and cycles, of many branches at a time: correction, tangents, tests, zeros.

Rows are branches. A point is y = (s, mu) (M, S N + 1), a solution of G(y) = F^p(s; theta + mu along) - s = 0. Lengths
and angles are those of y / unit, unit = (max(1, |s|), .., width of the bounds): steps are relative ones.
"""

from collections import namedtuple

import numpy as np

from .newton import FINE, ROUGH, norm, solve
from .stability import multipliers

CORRECTIONS = 8  # Newton steps back to the branch
PATIENT = 40  # and where branches cross: each of Newton's steps is half the one before
LOCATE = 60  # evaluations that locate a zero
NARROW = 1e-12  # of the way between two points, to which a zero is located
AROUND, CLEAR = 0.005, 1e-6  # of that way: where points around a crossing are; the change by which they may better it
EPS = np.finfo(float).eps

# Points of branches, one a row: y, the tangent, the unit, multipliers, and test functions, whose zeros tell:
# where branches cross; a fold; a flip; the modulus 1 of each multiplier; the lower and the upper bound.
Points = namedtuple("Points", "y tangent unit multipliers tests")
CROSS, TURN, FLIP, MODULI, LOW, HIGH = 0, 1, 2, 3, -2, -1  # columns of the tests


def taken(points, rows):
    """Some rows of a named tuple of arrays."""
    return type(points)(*(array[rows] for array in points))


class Equations:
    """What defines the branches: weights theta + mu along (M, layout.size), period, bounds of mu."""

    def __init__(self, step, theta, along, period, bounds):
        self.step, self.theta, self.along, self.period = step, theta, along, period
        self.low, self.high = bounds

    def halved(self):
        """The equations of cycles of half the period."""
        return Equations(self.step, self.theta, self.along, self.period // 2, (self.low, self.high))

    def at(self, rows, y):
        """(cycle (M, p, S N), G, its Jacobian (M, S N, S N + 1)) at y."""
        along, mu = self.along[rows], y[:, -1:]
        cycle, image, jacobian = self.step.cycle(self.theta[rows] + mu * along, y[:, :-1], self.period, along)
        jacobian[:, :, :-1] -= np.eye(y.shape[1] - 1)
        return cycle, image - y[:, :-1], jacobian

    def unit(self, y):
        """What lengths at y are measured in, (M, S N + 1)."""
        unit = np.repeat(np.maximum(1.0, norm(y[:, :-1]))[:, None], y.shape[1], axis=1)
        unit[:, -1] = self.high - self.low
        return unit

    def corrected(self, rows, guess, tangent, unit, most=CORRECTIONS):
        """(y, Newton steps): where the branch meets the plane through `guess` across the tangent; NaN if nowhere."""
        y, used, done = guess.copy(), np.zeros(len(rows), int), np.zeros(len(rows), bool)
        active, before = np.arange(len(rows)), np.full(len(rows), np.inf)
        for turn in range(1, most + 1):
            here, scale, across = y[active], unit[active], tangent[active]
            _, residual, jacobian = self.at(rows[active], here)
            off = (across * (here - guess[active]) / scale).sum(axis=1)
            matrix = np.concatenate([jacobian * scale[:, None], across[:, None]], axis=1)
            move = solve(matrix, -np.concatenate([residual, off[:, None]], axis=1))
            length = norm(move)
            y[active], used[active] = here + move * scale, turn
            stalled = (length >= 0.9 * before[active]) | (turn == most)
            hit = (length <= FINE) | (stalled & (length <= ROUGH))
            done[active[hit]], before[active] = True, length
            active = active[~hit & np.isfinite(length)]
            if not active.size:
                break
        y[~done] = np.nan
        return y, used

    def points(self, rows, y, tangent, unit):
        """`Points` at solutions y; their tangents point the way of the given one, measured in `unit`."""
        here, size = self.unit(y), y.shape[1] - 1
        _, _, jacobian = self.at(rows, y)
        matrix = np.concatenate([jacobian * here[:, None], (tangent * unit / here)[:, None]], axis=1)
        ahead = solve(matrix, np.broadcast_to(np.eye(size + 1)[size], y.shape))
        ahead /= np.sqrt((ahead * ahead).sum(axis=1, keepdims=True))
        matrix[:, size] = ahead
        jacobian = jacobian[:, :, :size] + np.eye(size)
        values = multipliers(jacobian)
        fine = np.isfinite(matrix).all(axis=(1, 2))
        tests = np.full((len(y), size + 5), np.nan)
        least = np.linalg.svd(matrix[fine], compute_uv=False)[:, -1]
        tests[fine, CROSS] = np.linalg.slogdet(matrix[fine]).sign * least
        tests[:, TURN] = ahead[:, -1]
        nearest = np.abs(values[fine] + 1.0).min(axis=1)
        tests[fine, FLIP] = np.linalg.slogdet(jacobian[fine] + np.eye(size)).sign * nearest
        tests[:, MODULI:LOW] = np.abs(values) - 1.0
        tests[:, LOW], tests[:, HIGH] = y[:, -1] - self.low, self.high - y[:, -1]
        return Points(y, ahead, here, values, tests)

    def through(self, rows, y):
        """`Points` near y at the same mu, on the way to larger mu; NaN where there are none.

        The tangent is the vector that the Jacobian takes to zero, at a fold too.
        """
        unit, upwards = self.unit(y), np.broadcast_to(np.eye(y.shape[1])[-1], y.shape)
        y, _ = self.corrected(rows, y, upwards, unit)
        _, _, jacobian = self.at(rows, y)
        tangent, good = np.full(y.shape, np.nan), np.isfinite(jacobian).all(axis=(1, 2))
        tangent[good] = np.linalg.svd(jacobian[good] * unit[good, None])[2][:, -1]
        tangent *= np.where(tangent[:, -1:] < 0.0, -1.0, 1.0)
        return self.points(rows, y, tangent, unit)

    def away(self, rows, points, length):
        """(`Points` a length (M,) along the branch from `points`, Newton steps)."""
        guess = points.y + length[:, None] * points.unit * points.tangent
        y, used = self.corrected(rows, guess, points.tangent, points.unit)
        return self.points(rows, y, points.tangent, points.unit), used

    def between(self, rows, begin, end, place):
        """`Points` at places (M,) from 0, `begin`, to 1, `end`: corrected from the cubic through both with tangents."""
        unit, h = begin.unit, place[:, None]
        chord, right = (end.y - begin.y) / unit, end.tangent * end.unit / unit
        length = np.sqrt((chord * chord).sum(axis=1, keepdims=True))
        left, right = begin.tangent * length, right * length / np.sqrt((right * right).sum(axis=1, keepdims=True))
        bend, twist = 3.0 * chord - 2.0 * left - right, left + right - 2.0 * chord
        tangent = left + h * (2.0 * bend + h * 3.0 * twist)
        tangent /= np.sqrt((tangent * tangent).sum(axis=1, keepdims=True))
        y, _ = self.corrected(rows, begin.y + unit * h * (left + h * (bend + h * twist)), tangent, unit, PATIENT)
        return self.points(rows, y, tangent, unit)

    def zero(self, rows, begin, end, column):
        """(`Points`, place, error in mu): where between two points of each branch the test in its column is zero.

        By the secant with the older value halved when it stays (Illinois), every third time by the middle; where the
        branch is lost counts as beyond the zero. The error is the last change.
        """
        every = np.arange(len(rows))
        a, b, last = np.zeros(len(rows)), np.ones(len(rows)), np.zeros(len(rows))
        fa, fb = begin.tests[every, column], end.tests[every, column]
        behind = np.sign(fa) == np.sign(fb)  # `begin` is at the zero, to rounding: look a little before it
        if behind.any():
            a[behind] = -0.1
            before = self.between(rows[behind], taken(begin, behind), taken(end, behind), a[behind])
            fa[behind] = before.tests[np.arange(len(before.y)), column[behind]]
        found, place, error = taken(begin, every), np.zeros(len(rows)), np.full(len(rows), np.inf)
        active = every
        for turn in range(LOCATE):
            p, q, fp, fq = a[active], b[active], fa[active], fb[active]
            secant = p + (q - p) * fp / (fp - fq)
            here = np.where((turn % 3 == 2) | ~np.isfinite(secant), 0.5 * (p + q), secant)
            there = self.between(rows[active], taken(begin, active), taken(end, active), here)
            f = there.tests[np.arange(len(active)), column[active]]
            good = np.isfinite(f)
            done = (good & (np.abs(here - place[active]) <= NARROW)) | (f == 0.0)
            error[active] = np.where(good, np.abs(there.y[:, -1] - found.y[active, -1]), error[active])
            error[active[f == 0.0]] = 0.0
            place[active[good]] = here[good]
            for into, new in zip(found, there, strict=True):
                into[active[good]] = new[good]
            low = np.sign(f) == np.sign(fp)
            fa[active] = np.where(low, f, np.where(last[active] == 1, 0.5, 1.0) * fp)
            fb[active] = np.where(low, np.where(last[active] == -1, 0.5, 1.0) * fq, f)
            a[active], b[active], last[active] = np.where(low, here, p), np.where(low, q, here), np.where(low, -1, 1)
            active = active[~done]
            if not active.size:
                break
        error = np.maximum(error, EPS * np.abs(found.y[:, -1]))
        if (column == CROSS).any():
            self._crossing(rows, begin, end, place, found, error, np.flatnonzero(column == CROSS))
        return found, place, error

    def _crossing(self, rows, begin, end, place, found, error, which):
        """Make better what is `found` where branches cross: the equations are nearly singular there and leave half the
        digits. y as a function of g, smooth and zero where the matrix M of Jacobian and tangent is singular, from four
        points around: [M u; v 0] (x, g) = (0, 1) with M's singular vectors u and v for the smallest singular value.
        The error is the change from points at twice the distance.
        Source: Govaerts, Numerical Methods for Bifurcations of Dynamical Equilibria (2000), ch. 3 (bordered systems).
        """
        rows, begin, end, centre = rows[which], taken(begin, which), taken(end, which), taken(found, which)
        size, better = centre.y.shape[1], []
        bordered, last = (
            np.zeros((len(which), size + 1, size + 1)),
            np.broadcast_to(np.eye(size + 1)[size], (1, size + 1)),
        )
        matrix = self._matrix(rows, centre, centre.unit)
        good = np.isfinite(matrix).all(axis=(1, 2))
        u, _, v = np.linalg.svd(np.where(good[:, None, None], matrix, 0.0))
        bordered[:, :size, size], bordered[:, size, :size] = u[:, :, -1], v[:, -1]
        for distance in (2.0 * AROUND, AROUND):
            g, y = np.empty((len(which), 4)), np.empty((len(which), 4, size))
            for k, step in enumerate((-2, -1, 1, 2)):
                points = self.between(rows, begin, end, place[which] + step * distance)
                bordered[:, :size, :size], y[:, k] = self._matrix(rows, points, centre.unit), points.y
                g[:, k] = solve(bordered, np.broadcast_to(last, (len(which), size + 1)))[:, -1]
            others = [np.delete(g, k, axis=1) for k in range(4)]
            share = [(other / (other - g[:, k : k + 1])).prod(axis=1) for k, other in enumerate(others)]
            better.append(np.einsum("km,mks->ms", np.stack(share), y))
        change = np.abs(better[1] - better[0])
        good &= norm(change / centre.unit) <= CLEAR
        which, y = which[good], better[1][good]
        found.y[which], error[which] = y, change[good, -1] + EPS * np.abs(y[:, -1])
        jacobian = self.at(rows[good], y)[2][:, :, :-1]
        found.multipliers[which] = multipliers(jacobian + np.eye(size - 1))

    def _matrix(self, rows, points, unit):
        """The Jacobian with the tangent below it, (M, S N + 1, S N + 1), in one unit."""
        tangent = points.tangent * points.unit / unit
        return np.concatenate([self.at(rows, points.y)[2] * unit[:, None], tangent[:, None]], axis=1)
