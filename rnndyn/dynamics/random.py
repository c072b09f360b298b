"""Random numbers that belong to grid points: the same whichever chunk, thread or batch a point is computed in.

`first` is the grid index of the first of points that follow one another, or an array (count,) of the index of each.
"""

import zlib

import numpy as np


def random_start(seed, first, count, size):
    """Starts (count, size) of points: 0.1 times standard normal."""
    return 0.1 * point_normals(seed, "state", first, count, size)


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


def point_noise(seed, purpose, first, count, values):
    """Standard normal sequences (count, values) of points; a shorter one is the beginning of a longer one.

    A point's numbers begin 2^64 places after its neighbour's; Box and Muller's transform takes pairs as they come.
    """
    raw = np.empty((count, -(-values // 2), 2), np.uint64)
    for row, index in enumerate(first.tolist() if np.ndim(first) else range(first, first + count)):
        stream = np.random.Philox(key=[seed & (2**64 - 1), zlib.crc32(purpose.encode())])
        stream.advance(index << 64)
        raw[row] = stream.random_raw(raw[row].size).reshape(raw[row].shape)
    uniform = (raw >> np.uint64(11)) * 2.0**-53
    radius, angle = np.sqrt(-2.0 * np.log1p(-uniform[..., 0])), 2.0 * np.pi * uniform[..., 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(count, -1)[:, :values]


def _runs(index):
    """(first, count) of each stretch of indices that follow one another."""
    starts = np.flatnonzero(np.diff(index, prepend=index[0] - 2) != 1)
    return zip(index[starts].tolist(), np.diff(starts, append=len(index)).tolist(), strict=True)
