"""Non-normal growth: how far perturbations rise before they fall, whatever the spectral radius says."""

from collections import namedtuple

import numpy as np

from .along import Course, bounded, statuses

TransientGrowth = namedtuple("TransientGrowth", "log_norms sigma_max peak peak_step status")


def transient_growth(
    cell,
    weights,
    *,
    steps=None,
    transient=0,
    frozen=False,
    inputs=None,
    lengths=None,
    state=None,
    seed=0,
    first_index=0,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """ln ||J_k .. J_2 J_1||, k = 0 .. T: the most that any perturbation has grown after k steps (spectral norm).

    Along the orbit after the transient; with `frozen`, of the powers J^k of the first Jacobian alone (a fixed point's,
    under the first input). A spectral radius below 1 says how this ends: it falls in the end, and may rise by any
    factor first. Norms are right far beyond the range of float numbers.
    Returns TransientGrowth(log_norms (..., T+1), natural logarithm, 0 at k = 0; sigma_max (..., T), the largest
    singular value of each step's Jacobian (the norm is never more than their product); peak (...) = max_k of log_norms;
    peak_step (...), its first k; status (...)). NaN after a sequence's end and where a state has left the bound.
    Arguments as of `lyapunov`.
    Source: Trefethen & Embree, Spectra and Pseudospectra (2005), ch. 14; Trefethen et al., Science 261 (1993) 578.
    Raises InputError for wrong names, shapes and values, for networks, and if every point is invalid.
    """
    course = Course(
        cell, weights, steps=steps, transient=transient, columns=None, inputs=inputs, lengths=lengths, state=state,
        seed=seed, first_index=first_index, device=device, dtype=dtype, threads=threads,
    )  # fmt: skip
    steps, size = course.steps, course.size
    norms, sigmas = np.zeros((course.count, steps + 1)), np.empty((course.count, steps))
    peak, peak_step = np.empty(course.count), np.empty(course.count, np.int64)
    status = np.empty(course.count, np.int8)

    def chunk(points, way):
        way.ahead(course.transient)
        product, power = np.broadcast_to(np.eye(size), (way.points, size, size)), np.zeros(way.points)
        where = way.state, way.t
        known = np.full((way.points, steps), True)
        for number in [1] if frozen else way.blocks(steps):
            begin = way.t - course.transient
            states, jacobians = way.jacobians(number, silent=True)
            known[:, begin : begin + number] = bounded(states)
            sigmas[points, begin : begin + number] = spectral_norm(jacobians)
        sigmas[points, 1:] = sigmas[points, :1] if frozen else sigmas[points, 1:]
        for t in range(steps):
            if frozen or t == 0:
                way.state, way.t = where
            product = way.push(product, 1).frame
            largest = np.abs(product).max(axis=(1, 2))
            shift = np.where(np.isfinite(largest) & (largest > 0), np.frexp(largest)[1], 0)
            product, power = np.ldexp(product, -shift[:, None, None]), power + shift
            norms[points, t + 1] = np.log(spectral_norm(product)) + power * np.log(2.0)
        known = np.logical_and.accumulate(known & (np.arange(steps) < way.lengths[:, None]), axis=1)
        norms[points, 1:][~known] = np.nan
        sigmas[points][~known] = np.nan
        reach = np.where(np.isnan(norms[points]), -np.inf, norms[points])
        peak[points], peak_step[points] = reach.max(axis=1), reach.argmax(axis=1)
        status[points] = statuses((known.sum(axis=1) == way.lengths) & (way.alive | (way.lengths < steps)))

    course.run(chunk, 2 * steps + 3 * size**2, progress, "growth of perturbations")
    return TransientGrowth(
        course.numbers(norms),
        course.numbers(sigmas),
        course.numbers(peak),
        course.whole(peak_step, 0),
        course.whole(status),
    )


def spectral_norm(matrices):
    """The largest singular values of matrices (..., m, n); NaN where one is not finite."""
    matrices = np.asarray(matrices, float)
    known = np.isfinite(matrices).all(axis=(-2, -1))  # LAPACK stops at the first NaN
    found = np.linalg.svd(np.where(known[..., None, None], matrices, 0.0), compute_uv=False)[..., 0]
    return np.where(known, found, np.nan)
