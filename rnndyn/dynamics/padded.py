"""Results of which each point has another number: rows, each with its point, made into arrays padded at their ends."""

import numpy as np


def padded(shape, pieces):
    """(arrays, count) of the points of a batch of this shape, from {first point: (owner, arrays)}.

    owner (R,): the point of each row, counted from the piece's first one, ascending; arrays: a tuple of (R, ..).
    Result: a tuple of arrays (*shape, M, ..), NaN, or 0 in whole numbers, after a point's last row; count (*shape).
    """
    found = [pieces[first] for first in sorted(pieces)]
    owner = np.concatenate([owner + first for first, (owner, _) in sorted(pieces.items())])
    count = np.bincount(owner, minlength=int(np.prod(shape, dtype=np.int64))).astype(np.int32)
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    arrays = []
    for parts in zip(*(arrays for _, arrays in found), strict=True):
        rows = np.concatenate(parts)
        filler = 0 if rows.dtype.kind in "iu" else rows.dtype.type(np.nan)
        array = np.full((len(count), count.max(initial=0), *rows.shape[1:]), filler, rows.dtype)
        array[owner, rank] = rows
        arrays.append(array.reshape((*shape, *array.shape[1:])))
    return tuple(arrays), count.reshape(shape)
