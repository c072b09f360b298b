"""Averages along orbits: plain ones with their errors, and smoothly weighted ones, which tell order from chaos.

    WB_T(f) = sum_t w(t / T) f(s_t) / sum_t w(t / T),  w(u) = exp(-1 / (u (1 - u)))

On a quasi-periodic orbit WB_T(f) converges faster than any power of 1/T, on a chaotic one like T^(-1/2), as chance
has it, and while an orbit still settles it moves along with it. So the difference between the averages over the first
and the second half of an orbit tells them apart over a range of ten orders of magnitude, where an exponent near zero
has only the factor by which it exceeds its error.
Source: Das, Saiki, Sander & Yorke, Nonlinearity 30 (2017) 4111; Sander & Meiss, Physica D 411 (2020) 132569.
"""

import numpy as np

from .along import span_of
from .errorbars import standard_error, total
from .newton import norm

RETURNS = 3  # nearest ones of an orbit that are looked at
BLOCK = 64  # states at a time, the same for any number of rows: sums are taken in one order


class Averages:
    """Averages over T steps of what is told of each state: s and s^2, side by side (rows, 2 S N).

    mean, error: plain means and their standard errors. smooth: weighted averages over the second half; drift: how far
    those of the first half are away, both in units of s and s^2. spread: standard deviations. growth (rows,): the
    largest modulus in the second half over that in the first. first, window (rows, W + 1, S N): the first and the
    last states.
    """

    def __init__(self, states, rows, size, steps, window):
        """states: yields consecutive pieces (rows, n, S N) of `steps` states in all; window: W."""
        half = steps // 2
        span = span_of(steps)
        weights = weights_of(half)
        sums = np.zeros((-(-steps // span), rows, 2 * size))
        smooth, largest = np.zeros((2, rows, 2 * size)), np.zeros((2, rows))
        self.first, self.window = np.full((2, rows, window + 1, size), np.nan)
        for first, piece in states:
            told = np.concatenate([piece, piece * piece], axis=2)
            count = told.shape[1]
            for begin, end, batch in _cuts(first, count, span):
                sums[batch] += _summed(told[:, begin:end])
            for number in (0, 1):
                begin, end = (min(max(number * half - first + edge, 0), count) for edge in (0, half))
                if end > begin:
                    part = weights[first + begin - number * half : first + end - number * half]
                    smooth[number] += _summed(told[:, begin:end] * part[:, None])
                    largest[number] = np.maximum(largest[number], np.abs(piece[:, begin:end]).max(axis=(1, 2)))
            end = min(window + 1 - first, count)
            if end > 0:
                self.first[:, first : first + end] = piece[:, :end]
            begin = max(0, steps - window - 1 - first)
            if begin < count:
                place = first + begin - (steps - window - 1)
                self.window[:, place : place + count - begin] = piece[:, begin:]
        self.mean = total(sums) / steps
        self.error = standard_error(sums, np.full(rows, span), np.full(rows, steps))
        self.smooth, self.drift = smooth[1], np.abs(smooth[1] - smooth[0])
        square = self.mean[:, size:]
        spread = np.sqrt(np.maximum(square - self.mean[:, :size] ** 2, 0.0))
        self.spread = np.concatenate([spread, spread * np.sqrt(np.maximum(square, 0.0))], axis=1)
        self.growth = largest[1] / np.maximum(largest[0], np.finfo(float).tiny)

    def irregular(self):
        """The drift in units of the spread, the largest of all, (rows,); 0 where the state does not move."""
        scale = self.spread.max(axis=1, keepdims=True)
        moving = np.where(self.spread > 1e-3 * scale, self.drift / np.where(scale > 0, self.spread, 1.0), 0.0)
        return np.where(scale[:, 0] > 1e-12 * np.abs(self.mean).max(axis=1), moving.max(axis=1), 0.0)


def stays(first, last, most):
    """Whether the distances |s_{t+q} - s_t| of an orbit's nearest returns, averaged over a window (rows, W + 1, S N),
    are the same in the first and the last one, their ln to `most`: where a long cycle attracts, they shrink."""
    reach = (last.shape[1] - 1) // 2
    nearest = np.argsort(norm(last[:, 1 : reach + 1] - last[:, :1]), axis=1, kind="stable")[:, :RETURNS] + 1
    found = np.ones(len(last), bool)
    for row, returns in enumerate(nearest):
        for q in returns:
            weights = weights_of(last.shape[1] - q)
            before, after = (np.dot(weights, norm(orbit[q:] - orbit[:-q])) for orbit in (first[row], last[row]))
            found[row] &= np.log(before / after) <= most
    return found


def weights_of(steps):
    """The weights of `steps` states, which sum to one."""
    place = (np.arange(steps) + 0.5) / steps
    found = np.exp(-1.0 / (place * (1.0 - place)))
    return found / found.sum()


def pieces(orbit, state, steps):
    """Yield (first, states (rows, n, S N)) of an orbit of `steps` steps; `orbit(state, n)` goes on by n steps."""
    for first in range(0, steps, BLOCK):
        found = orbit(state, min(BLOCK, steps - first))
        yield first, found
        state = found[:, -1]


def _cuts(first, count, span):
    """(begin, end, batch) of the parts of a piece that belong to different batches."""
    begin = 0
    while begin < count:
        batch = (first + begin) // span
        end = min(count, (batch + 1) * span - first)
        yield begin, end, batch
        begin = end


def _summed(values):
    """Sum over the steps, one after another: other orders, and bits, would depend on how many rows there are."""
    return np.cumsum(values, axis=1)[:, -1]
