"""Finite-time Lyapunov exponents: growth over windows of a fixed length, whose distribution tells of intermittency."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .along import Course, statuses
from .batch import whole

FiniteTime = namedtuple("FiniteTime", "exponents status")

FACTORS = 1 << 16  # numbers of R that a call keeps for a point


def finite_time(
    cell,
    weights,
    *,
    window,
    windows,
    transient=0,
    k=None,
    qr_every=1,
    inputs=None,
    state=None,
    seed=0,
    first_index=0,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """lambda_k(t; w) = (1/w) ln |R_kk(t + w) ... R_kk(t + 1)| over consecutive windows of w steps, per step.

    Returns FiniteTime(exponents (..., windows, k), status (...)). After `transient` steps of state and frame come
    `windows` windows of `window` steps. The columns stay in the frame's order, from large to small on average (each
    window by itself is not sorted): their mean over the windows is the spectrum, `window` times their variance tends to
    the diffusion coefficient of ln growth as windows get longer, and a histogram is their distribution.
    qr_every: steps between re-orthonormalisations, which divides `window`. inputs (..., transient + window * windows,
    I) or one step. Other arguments as of `lyapunov`. A window in more than half of whose steps the rank is lost is
    -inf, windows after a divergence are NaN; status SINGULAR, DIVERGED.
    Source: Grassberger, Badii & Politi, J. Stat. Phys. 51 (1988) 135.
    Raises InputError for wrong names, shapes and values, for networks, and if every point is invalid.
    """
    window, windows = whole("window", window, 1), whole("windows", windows, 1)
    every = whole("qr_every", qr_every, 1)
    if window % every:
        raise InputError(f"`qr_every` ({every}) must divide `window` ({window}): a window ends with a frame made new.")
    course = Course(
        cell, weights, steps=window * windows, transient=transient, columns=k, inputs=inputs, lengths=None,
        state=state, seed=seed, first_index=first_index, device=device, dtype=dtype, threads=threads,
    )  # fmt: skip
    k, frames = course.columns, window // every
    exponents, status = np.empty((course.count, windows, k)), np.empty(course.count, np.int8)
    most = max(1, FACTORS // k)  # frames in a call
    calls = [frames] if frames <= most else [*[most] * (frames // most), *([frames % most] if frames % most else [])]
    together = max(1, most // frames)  # windows in a call

    def chunk(points, way):
        frame = way.settle(way.frame(k), course.transient)
        found = exponents[points]
        for begin in range(0, windows, together):
            end = min(begin + together, windows)
            growth, lost = (np.zeros((way.points, end - begin, k)) for _ in range(2))
            for number in calls:
                pushed = way.push(frame, (end - begin) * number * every, every)
                frame = pushed.frame
                diagonal = pushed.factors.astype(float).reshape(way.points, end - begin, number, k)
                diagonal = np.ascontiguousarray(diagonal.swapaxes(2, 3))
                zero = diagonal <= 0
                growth += np.log(np.where(zero, 1.0, diagonal)).sum(axis=-1)
                lost += every * zero.sum(axis=-1)
            found[:, begin:end] = np.where(lost > 0.5 * window, -np.inf, growth / (window - lost))
        found[np.logical_or.accumulate(np.isnan(found).any(axis=2), axis=1)] = np.nan
        status[points] = statuses(~np.isnan(found).any(axis=(1, 2)), (found == -np.inf).any(axis=(1, 2)))

    course.run(chunk, windows * k + 2 * min(FACTORS, windows * frames * k), progress, "finite-time exponents", k)
    return FiniteTime(course.numbers(exponents), course.whole(status))
