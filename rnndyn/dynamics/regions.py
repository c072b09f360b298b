"""Regions of a labelled grid: their areas and the boundaries between them, with uncertainties."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .boundaries import boundaries
from .values import as_array

Regions = namedtuple("Regions", "labels points area uncertainty share share_uncertainty boundaries")
Boundary = namedtuple("Boundary", "between points uncertainty")


def regions(labels, x, y, *, unknown=-1):
    """The regions of labels (X, Y) over coordinates x (X,), y (Y,), which rise or fall evenly or not.

    labels: whole numbers, such as `rd.regimes(...).regime`; unknown: those (one or a list) that are no label: they
    widen the uncertainties. Returns Regions, with one entry for each label, in rising order:
    labels, points (L,): the label and how many grid points have it.
    area (L,) in units of x times y: every grid point stands for the part of the map that is nearest to it (half a cell
      at the map's edge). uncertainty (L,), in the same units: a boundary is known to lie between two neighbours of
      different labels, half a cell to either side of their middle. Moved by that all along, the area changes by the sum
      of half a cell over the neighbours that differ in x, or over those that differ in y: the larger of the two; and by
      all the area of unknown points in patches that touch the region. It bounds the error, where nothing is finer than
      a cell; errors of both signs cancel, so that it is mostly much smaller.
    share, share_uncertainty (L,): the same as parts of the map.
    boundaries: a list of Boundary(between (a, b), points (n, 2), uncertainty (n, 2)): the polylines of `boundaries`.
      uncertainty: half a cell in x and in y at each point; across unknown points, which count as the nearest known ones
      for this, as far as the known points on either side are.
    Raises InputError for wrong shapes, for coordinates that do not rise or fall, and if no label is known.
    """
    labels, x, y = _checked(labels, x, y)
    known = ~np.isin(labels, np.atleast_1d(unknown))
    if not known.any():
        raise InputError("`labels` holds unknown points only: there is no region.")
    widths = _widths(x), _widths(y)
    area = widths[0][:, None] * widths[1]
    names, where = np.unique(labels[known], return_inverse=True)
    index = np.full(labels.shape, -1)
    index[known] = where
    number = np.array([(index == k).sum() for k in range(len(names))])
    areas = np.array([area[index == k].sum() for k in range(len(names))])
    errors = np.array([_strip(index == k, known, x, y, widths) for k in range(len(names))])
    errors += _touched(index, area, len(names))
    total = area.sum()
    filled, away = _filled(index)
    lines = [
        Boundary(tuple(names[list(between)].tolist()), *_placed(points, away, x, y))
        for between, points in boundaries(filled)
    ]
    return Regions(names, number, areas, errors, areas / total, errors / total, lines)


def _checked(labels, x, y):
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iub":
        raise InputError(f"`labels` must be whole numbers, not {labels.dtype}.")
    x, y = as_array("x", x), as_array("y", y)
    if x.ndim != 1 or y.ndim != 1 or labels.shape != (len(x), len(y)):
        raise InputError(f"`labels` must have the shape (X, Y) of x {x.shape} and y {y.shape}, not {labels.shape}.")
    for name, values in (("x", x), ("y", y)):
        steps = np.diff(values)
        if len(values) < 2 or not ((steps > 0).all() or (steps < 0).all()):
            raise InputError(f"`{name}` must be two coordinates at least that rise, or fall, from each to the next.")
    return labels.astype(np.int64), x, y


def _widths(values):
    """Lengths of the stretches that are nearest to each coordinate; they end at the first and the last one."""
    steps = np.abs(np.diff(values))
    return 0.5 * (np.append(steps, 0.0) + np.append(0.0, steps))


def _strip(inside, known, x, y, widths):
    """Area of half a cell along the border of a region with known points: by rows or columns, the larger one."""
    found = []
    for axis, (values, other) in enumerate(((x, widths[1]), (y, widths[0]))):
        first, second = (np.moveaxis(inside, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        both = np.moveaxis(known, axis, 0)
        crossing = (first != second) & both[:-1] & both[1:]
        found.append(0.5 * (np.abs(np.diff(values)) @ crossing @ other))
    return max(found)


def _touched(index, area, count):
    """Area of the patches of unknown points that touch each region, (L,)."""
    if (index >= 0).all():
        return np.zeros(count)
    from scipy.ndimage import find_objects, label

    found = np.zeros(count)
    patches, _ = label(index < 0, np.ones((3, 3)))
    for number, (rows, columns) in enumerate(find_objects(patches), 1):
        window = (slice(max(rows.start - 1, 0), rows.stop + 1), slice(max(columns.start - 1, 0), columns.stop + 1))
        mine = patches[window] == number
        wide = np.pad(mine, 1)
        beside = np.any([np.roll(wide, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)[1:-1, 1:-1]
        touching = np.unique(index[window][beside & ~mine])
        found[touching[touching >= 0]] += area[window][mine].sum()
    return found


def _filled(index):
    """(labels with unknown points as the nearest known one, how many cells that one is away)."""
    if (index >= 0).all():
        return index, np.zeros(index.shape)
    from scipy.ndimage import distance_transform_edt

    away, nearest = distance_transform_edt(index < 0, return_indices=True)
    return index[tuple(nearest)], away


def _placed(points, away, x, y):
    """(points, uncertainties) in the units of the axes, of points in grid units."""
    low, high = np.floor(points).astype(int), np.ceil(points).astype(int)
    beside = [away[a[:, 0], b[:, 1]] for a in (low, high) for b in (low, high)]
    cells = 0.5 + np.max(beside, axis=0)
    found, errors = np.empty(points.shape), np.empty(points.shape)
    for axis, values in enumerate((x, y)):
        grid = np.arange(len(values))
        found[:, axis] = np.interp(points[:, axis], grid, values)
        step = np.abs(np.diff(values))
        errors[:, axis] = cells * np.maximum(
            step[np.clip(low[:, axis], 0, len(step) - 1)], step[np.clip(high[:, axis] - 1, 0, len(step) - 1)]
        )
    return found, errors
