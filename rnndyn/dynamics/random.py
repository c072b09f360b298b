"""Random numbers that belong to grid points: the same whichever chunk, thread or batch a point is computed in.

`first` is the grid index of the first of points that follow one another, or an array (count,) of the index of each.
"""

import zlib

import numpy as np


def random_start(seed, first, count, size):
    """Starts (count, size) of points: 0.1 times standard normal."""
    return 0.1 * point_normals(seed, "state", first, count, size)


def random_frame(seed, first, points, size, k):
    """Random columns (points, size, k); a scalar has one direction only, whose length must not depend on the index."""
    if size == 1:
        return np.ones((points, 1, 1))
    return point_uniforms(seed, "frame", first, points, size * k).reshape(points, size, k)


def point_normals(seed, purpose, first, count, values):
    """Standard normal numbers (count, values) of points.

    Box and Muller's transform takes a fixed number of words for each number, which NumPy's own normals do not.
    """
    pairs = -(-values // 2)
    uniform = 0.5 + 0.5 * point_uniforms(seed, purpose, first, count, 2 * pairs)
    radius = np.sqrt(-2.0 * np.log1p(-uniform[:, :pairs]))
    angle = 2.0 * np.pi * uniform[:, pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :values]


def point_uniforms(seed, purpose, first, count, values):
    """Uniform numbers in [-1, 1), (count, values), of points.

    One Philox stream a (seed, purpose); a point's numbers stand at a place of the stream that its index tells.
    """
    if np.ndim(first):
        return np.concatenate([point_uniforms(seed, purpose, begin, number, values) for begin, number in _runs(first)])
    words = -(-values // 4) * 4  # a step of Philox's counter yields four
    stream = np.random.Philox(key=[seed & (2**64 - 1), zlib.crc32(purpose.encode())])
    stream.advance(first * (words // 4))
    raw = stream.random_raw(count * words).reshape(count, words)[:, :values]
    return (raw >> np.uint64(11)) * 2.0**-52 - 1.0


BLOCK = 1 << 13  # normal numbers made at a time: what is between stays in the cache


def point_noise(seed, purpose, points, begin, values):
    """Standard normal numbers begin .. begin + values - 1, (points, values), of the endless sequence of each point.

    A point's numbers begin 2^64 places after its neighbour's; Box and Muller's transform takes pairs as they come, two
    of which a step of Philox's counter yields. Cosine and sine come from the tangent of half the angle, which takes a
    third of the time.
    """
    stream = np.random.Philox(key=[seed & (2**64 - 1), zlib.crc32(purpose.encode())])
    skipped, here = begin % 4, 0
    raw = np.empty((len(points), -(-(skipped + values) // 4) * 4), np.uint64)
    for row, point in zip(raw, points, strict=True):
        there = (int(point) << 64) + begin // 4
        stream.advance((there - here) % 2**256)
        row[:] = stream.random_raw(row.size)
        here = there + row.size // 4
    for low in range(0, raw.size, BLOCK):
        part = raw.reshape(-1)[low : low + BLOCK]
        pairs = (part >> np.uint64(11)).reshape(-1, 2)
        radius = np.sqrt(-2.0 * np.log1p(pairs[:, 0] * -(2.0**-53)))
        tangent = np.tan(pairs[:, 1] * (np.pi * 2.0**-53))
        square = tangent * tangent
        radius /= 1.0 + square
        normals = part.view(np.float64).reshape(-1, 2)
        normals[:, 0], normals[:, 1] = radius * (1.0 - square), 2.0 * radius * tangent
    return raw.view(np.float64)[:, skipped : skipped + values]


def _runs(index):
    """(first, count) of each stretch of indices that follow one another."""
    starts = np.flatnonzero(np.diff(index, prepend=index[0] - 2) != 1)
    return zip(index[starts].tolist(), np.diff(starts, append=len(index)).tolist(), strict=True)
