"""The first exponent from two trajectories alone: a check that uses no tangent at all."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .along import Course, blocks, mean_of, statuses
from .batch import whole
from .random import point_uniforms

TwoTrajectories = namedtuple("TwoTrajectories", "exponent stderr status steps")


def two_trajectories(
    cell,
    weights,
    *,
    steps=None,
    transient=0,
    every=4,
    distance=None,
    inputs=None,
    state=None,
    seed=0,
    first_index=0,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """lambda_1 = (1/T) sum ln |d_i / d_0|: how fast a nearby trajectory leaves, brought back every few steps.

    The second trajectory starts at a distance d_0, relative to max(1, |s|) (None: the root of the dtype's precision),
    in a direction of the seed's, and is brought back to it along the line between the two after each `every` steps,
    through the transient too. Only orbits are computed: an independent check of `lyapunov`, whose error bar this has
    (the two agree within both), plus a bias of about d_0 e^(every lambda_1) from the curvature.
    Returns TwoTrajectories(exponent (...), stderr (...), status (...), steps (...)). Other arguments as of `lyapunov`.
    Trajectories that meet within rounding have lost their distance: such steps do not count, unless they are more than
    half (exponent -inf, SINGULAR); of a system that contracts by 1e-6 in `every` steps take fewer.
    Source: Benettin, Galgani & Strelcyn, Phys. Rev. A 14 (1976) 2338.
    Raises InputError for wrong names, shapes and values, for networks, and if every point is invalid.
    """
    every = whole("every", every, 1)
    course = Course(
        cell, weights, steps=steps, transient=transient, columns=1, inputs=inputs, lengths=None, state=state, seed=seed,
        first_index=first_index, device=device, dtype=dtype, threads=threads,
    )  # fmt: skip
    eps = np.finfo(course.dtype).eps
    distance = np.sqrt(eps) if distance is None else distance
    if not isinstance(distance, (float, int, np.floating)) or not 0 < distance < 1:
        raise InputError(f"`distance` must be a number between 0 and 1, not {distance!r}.")
    exponent, stderr = np.empty(course.count), np.empty(course.count)
    status, used = np.empty(course.count, np.int8), np.empty(course.count, np.int64)

    def chunk(points, way):
        direction = point_uniforms(course.seed, "direction", way.index, way.points, course.size)
        logs, counted = np.empty((way.points, course.steps)), np.zeros(way.points, np.int64)
        way.state = np.asarray(way.state, course.dtype)
        for number in [*blocks(course.transient, every), *blocks(course.steps, every)]:
            begin = way.t - course.transient
            scale = np.maximum(1.0, np.abs(way.state).max(axis=1, keepdims=True))
            other = way.state + distance * scale * direction / _norm(direction)
            other = other.astype(course.dtype)
            apart = _norm(other - way.state)  # as it was rounded
            other = way.ahead_with(other, number)
            difference = (other - way.state).astype(float)
            after = _norm(difference)
            met = after <= 8 * eps * scale
            direction = np.where(met, direction, difference)
            if begin >= 0:
                growth = np.where(met, -np.inf, np.log(after / apart) / number)
                logs[:, begin : begin + number] = growth
                counted += number * way.alive
        exponent[points], stderr[points], singular = mean_of(logs, counted)
        status[points], used[points] = statuses(way.alive, singular), counted

    course.run(chunk, 2 * course.steps + 4 * course.size, progress, "two trajectories")
    return TwoTrajectories(
        course.numbers(exponent), course.numbers(stderr), course.whole(status), course.whole(used, 0)
    )


def _norm(vectors):
    """Lengths (points, 1) of vectors (points, n)."""
    return np.sqrt((np.asarray(vectors, float) ** 2).sum(axis=1, keepdims=True))
