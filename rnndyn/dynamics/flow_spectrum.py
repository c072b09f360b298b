"""Lyapunov spectra of flows, by the variational equations: the reference for those of steps as dt shrinks."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .along import bounded, mean_of
from .batch import grid_index, whole
from .flow import Exhausted, Flow
from .progress import PATIENCE, progress_display
from .random import point_uniforms
from .status import Status
from .values import positive

FlowExponents = namedtuple("FlowExponents", "exponents stderr status time")

STRETCH = 8.0  # ln of the growth between two orthonormalisations, at most: columns keep 12 of 16 digits
PARTS = 128  # of the time that counts: four for each batch of the error bar


def flow_exponents(
    cell,
    weights,
    *,
    time,
    transient=0.0,
    interval=None,
    k=None,
    inputs=None,
    state=None,
    seed=0,
    first_index=0,
    method="DOP853",
    rtol=1e-9,
    atol=1e-12,
    limit=2_000_000,
    progress=None,
):
    """lambda_k = lim (1/T) ln R_kk of the flow: dV/dt = Df(s) V beside ds/dt = f(s), V = Q R at intervals.

    Returns FlowExponents(exponents (..., k) per unit time, from large to small, stderr (..., k), status (...),
    time (...) that counted). cell, weights and inputs as of `flow_trajectory`; start (`state`, else random), frame,
    seed and first_index as of `lyapunov`: over the same time both tell how the same frame grows. transient: time before
    that counts. interval: time between orthonormalisations; None: 8 / |Df(s)|, as the orbit goes on. stderr: as of
    `lyapunov`, from batches of intervals, or of 128 parts of the time. DIVERGED: the flow left the range (1e12);
    NOT_CONVERGED: it has taken `limit` evaluations of f; exponents up to there. Each point is integrated by itself,
    uncompiled: about 0.1 ms an evaluation of a small field, 70 ms a unit of time of Lorenz's.
    Source: Benettin, Galgani, Giorgilli & Strelcyn, Meccanica 15 (1980) 9 and 21.
    Raises InputError for wrong names, shapes and values, for cells that have no flow, and if every point is invalid.
    """
    first, seed, time = grid_index(first_index), whole("seed", seed, 0), positive("time", time)
    transient = positive("transient", transient) if transient else 0.0
    interval = None if interval is None else positive("interval", interval)
    flow = Flow(cell, weights, inputs, state, first, method, rtol, atol, limit)
    problem, size = flow.problem, flow.size
    k = size if k is None else whole("k", k, 1)
    if k > size:
        raise InputError(f"`k` is {k}, but the flow of {cell!r} has {size} exponents.")
    exponents, stderr = np.full((problem.count, k), np.nan), np.full((problem.count, k), np.nan)
    status, counted = np.full(problem.count, Status.INVALID, np.int8), np.zeros(problem.count)
    total = transient + time
    with progress_display(progress, problem.count * total, text="exponents of the flow", patience=PATIENCE) as display:
        for i, theta in flow.points():
            index = problem.batch.index(first, i, i + 1)
            frame = point_uniforms(seed, "frame", index, 1, size * k).reshape(size, k)
            frame = np.linalg.qr(frame)[0]
            course = Course(flow, theta, flow.start(i, seed), frame, interval, display, i * total)
            course.run(transient)
            span, logs = course.run(time, PARTS)
            if len(logs):
                mean, error, singular = mean_of(logs.T, np.full(k, len(logs)))
                order = np.argsort(-mean, kind="stable")
                exponents[i], stderr[i] = mean[order] / span, error[order] / span
                status[i] = Status.SINGULAR if singular.any() else Status.OK
            counted[i] = len(logs) * span
            status[i] = status[i] if course.fate is None else course.fate
    shape = problem.batch.shape
    return FlowExponents(
        exponents.reshape(*shape, k), stderr.reshape(*shape, k), status.reshape(shape), counted.reshape(shape)
    )


class Course:
    """A state and a frame on their way, orthonormalised at intervals; fate: why they ended early, or None.

    share: of the interval that the Jacobian at its beginning allows, once that has been too long.
    """

    def __init__(self, flow, theta, state, frame, interval, display, before):
        self.flow, self.theta, self.state, self.frame, self.interval = flow, theta, state, frame, interval
        self.display, self.done, self.step, self.share = display, before, None, 1.0
        self.fate = None if bounded(state) else Status.DIVERGED

    def run(self, time, parts=1):
        """Go on for a time in equal parts: (their length, ln of the columns' growth in each (n, k))."""
        number = parts if self.interval is None else max(1, int(np.ceil(time / self.interval * (1 - 1e-12))))
        number, logs = number if time else 0, []
        for _ in range(number):
            grown = self._part(time / number)
            if grown is None:
                break
            logs.append(grown)
            self.done += time / number
        return time / max(number, 1), np.array(logs).reshape(-1, self.frame.shape[1])

    def _part(self, span):
        """ln of the growth in a part (k,), orthonormalised on the way as often as the frame needs; None: ended."""
        total, left = np.zeros(self.frame.shape[1]), span
        while left > 0.0:
            if self.fate is not None:
                return None
            length = left if self.interval is not None else self._length(left)
            reached = self._integrate(length)
            if reached is None:
                return None
            frame, upper = np.linalg.qr(reached[self.flow.size :].reshape(self.frame.shape))
            with np.errstate(divide="ignore", invalid="ignore"):
                grown = np.log(np.abs(np.diag(upper)))
                if self.interval is None and 2.0 * STRETCH < np.ptp(grown) < np.inf and self.share > 1e-3:
                    self.share *= 0.5  # the Jacobian has grown on the way: once more, in shorter pieces
                    continue
            self.state, self.frame = reached[: self.flow.size], frame
            total, left = total + grown, left - length if length < left else 0.0
            self.display.at(self.done + span - left)
        return total

    def _length(self, left):
        """The time to the next orthonormalisation: `left` in equal pieces that the Jacobian allows."""
        stretch = np.linalg.norm(self.flow.rates(self.theta, self.state[None])[1][0], 2)
        longest = self.share * STRETCH / stretch if 0.0 < stretch < np.inf else left
        return left if longest >= left else left / np.ceil(left / longest)

    def _integrate(self, span):
        """State and frame after a time; None where they end, `fate` tells why."""
        size, columns = self.flow.size, self.frame.shape

        def rate(t, y):
            value, partials = self.flow.at(self.theta, y[:size])
            return np.concatenate([value, (partials @ y[size:].reshape(columns)).ravel()])

        values = np.concatenate([self.state, self.frame.ravel()])
        try:
            reached, step = self.flow.integrate(rate, values, (0.0, span), step=self.step)
        except Exhausted:
            self.fate = Status.NOT_CONVERGED
            return None
        if reached is None:
            self.fate = Status.DIVERGED
        self.step = step or self.step
        return reached
