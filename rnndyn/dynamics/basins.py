"""Basins of attraction: which start goes where, over a plane of starts."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .batch import grid_index, named, whole
from .evidence import ATTRACTORS, Evidence, Regime, grouped
from .regimes import Look, course_of
from .status import Status
from .values import as_array, tailed

Basins = namedtuple("Basins", "label attractors share regime period exponent stderr points status")

UNDECIDED, GROWS = -1, -2  # labels of starts that reach no attractor


def basins(
    cell,
    weights,
    *,
    x,
    y,
    directions=None,
    origin=None,
    steps=2000,
    transient=1000,
    max_period=8,
    inputs=None,
    seed=0,
    first_index=0,
    device="auto",
    threads=None,
    progress=None,
):
    """Where s_0 = origin + x_i d_1 + y_j d_2 goes under s <- F(s), for all coordinates x_i, y_j of a plane.

    weights as in `trajectory`; their batch axes come first. x (X,), y (Y,): coordinates. directions (..., 2,
    state_size): d_1 and d_2; None: the first two components of the state (of a scalar, x alone moves it, and y must
    have one value). origin (..., state_size): zero if None. Each start is looked at as in `regimes`, by itself.
    Returns Basins:
    label (..., X, Y): the attractor's number, from 0, the one with most starts first; -1: undecided (or neutral), -2:
      the state grows without bound. The points of a basin's boundary go elsewhere or nowhere, and each start is
      looked at for as long as it needs: creeping along a boundary is no reason to be undecided.
    attractors (...): how many the plane reaches. share (..., A): of the starts; 0 beyond a point's own.
    regime, period, exponent, stderr (..., A): of each, as in `regimes`; chaotic attractors, whose averages differ by
      less than eight standard errors, count as one. points (..., A, P, state_size): the states of its cycle, of
      others one on it, NaN behind them; P is the longest cycle's period, at most `max_period`.
    status: OK, NOT_CONVERGED where a start is undecided, INVALID (all labels -1).
    Source: Nusse & Yorke, Dynamics: Numerical Explorations (1998), ch. 7.
    Raises InputError for wrong names, shapes and values, and if every point is invalid.
    """
    across, up = _coordinates("x", x), _coordinates("y", y)
    size = getattr(cell, "state_size", 0)
    ways, middle = _plane(directions, origin, size, len(up))
    plane = middle[..., None, None, :] + across[:, None, None] * ways[..., None, None, 0, :]
    plane = plane + up[:, None] * ways[..., None, None, 1, :]
    given = named(cell, weights) if size else weights
    wide = {name: _widened(array, len(cell.shapes[name])) for name, array in given.items()} if size else given
    first = grid_index(first_index)
    index = np.asarray(first)[..., None, None] if np.ndim(first) else first
    inputs = inputs if inputs is None or np.ndim(inputs) < 2 else _widened(np.asarray(inputs), 2)
    course = course_of(transient, steps, max_period, 1)
    look = Look(cell, wide, course, inputs, {"start": (plane, 1)}, [whole("seed", seed, 0)], index, device, threads)
    shape, count = look.problem.batch.shape, len(across) * len(up)
    found = Evidence.empty(look.problem.count, size, course.period)

    def note(low, high, evidence):
        for array, part in zip(found, evidence, strict=True):
            array[low:high] = part

    look.run(lambda low, high: look.problem.batch.rows("start", low, high), note, progress, "basins")
    found.put(look.problem.invalid, regime=Regime.UNDECIDED)
    label, number = grouped(found, count)
    label, order = _by_size(label, int(number.max(initial=0)))
    regime = found.regime.reshape(-1, count)
    label[(label < 0) & (regime == Regime.GROWING)] = GROWS
    told = _told(found, label, order.shape[1], count)
    open_ = ((label == UNDECIDED) & (regime == Regime.UNDECIDED)).any(axis=1)
    invalid = look.problem.invalid.reshape(-1, count).all(axis=1)
    status = np.where(invalid, Status.INVALID, np.where(open_, Status.NOT_CONVERGED, Status.OK)).astype(np.int8)
    outer = shape[:-2]
    arrays = {"label": label.reshape(shape), "attractors": number, "share": order / count, "status": status, **told}
    return Basins(**{n: a if n == "label" else a.reshape((*outer, *a.shape[1:])) for n, a in arrays.items()})


def _coordinates(name, values):
    array = np.atleast_1d(as_array(name, values))
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise InputError(f"`{name}` must be finite coordinates in a row, (n,), not of the shape {array.shape}.")
    return array


def _plane(directions, origin, size, up):
    """(directions (..., 2, S N), origin (..., S N)) of the plane."""
    middle = np.zeros(size) if origin is None else tailed("origin", as_array("origin", origin), (size,))
    if directions is not None:
        return tailed("directions", as_array("directions", directions), (2, size)), middle
    if size == 1 and up > 1:
        raise InputError("`y` must be one number: the state is one, which `x` moves; or give `directions`.")
    return np.eye(2, size), middle


def _widened(array, own):
    """The array with two axes for the plane after its batch axes."""
    return array.reshape((*array.shape[: array.ndim - own], 1, 1, *array.shape[array.ndim - own :]))


def _by_size(label, most):
    """(labels by falling number of starts, these numbers (points, A)); those with as many keep their order."""
    number = (label[:, :, None] == np.arange(most)).sum(axis=1)
    order = np.argsort(-number, axis=1, kind="stable")
    place = np.argsort(order, axis=1, kind="stable")
    renamed = np.where(label >= 0, np.take_along_axis(place, np.maximum(label, 0), axis=1), label) if most else label
    return renamed, np.take_along_axis(number, order, axis=1)


def _told(found, label, most, count):
    """What is told of each attractor, {name: (points, A, ...)}, from its first start."""
    points, size = len(label), found.state.shape[1]
    longest = max(int(found.period[np.isin(found.regime, ATTRACTORS)].max(initial=1)), 1)
    longest = min(longest, found.points.shape[1])
    regime, period = np.zeros((points, most), np.int8), np.zeros((points, most), np.int32)
    exponent, stderr = np.full((2, points, most), np.nan)
    states = np.full((points, most, longest, size), np.nan)
    for number in range(most):
        mine = label == number
        there = np.flatnonzero(mine.any(axis=1))
        rows = there * count + mine[there].argmax(axis=1)
        regime[there, number], period[there, number] = found.regime[rows], found.period[rows]
        exponent[there, number], stderr[there, number] = found.exponent[rows], found.stderr[rows]
        cycle = np.isfinite(found.points[rows, 0, 0])
        states[there, number] = np.where(cycle[:, None, None], found.points[rows, :longest], np.nan)
        states[there[~cycle], number, 0] = found.state[rows[~cycle]]
    return {"regime": regime, "period": period, "exponent": exponent, "stderr": stderr, "points": states}
