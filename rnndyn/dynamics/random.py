"""Random numbers that belong to grid points: the same whichever chunk, thread or batch a point is computed in."""

import zlib

import numpy as np


def point_normals(seed, purpose, first, count, values):
    """Standard normal numbers (count, values) for the points first .. first + count - 1.

    One Philox stream a (seed, purpose); a point's numbers stand at a place of the stream that its index tells. Box and
    Muller's transform takes a fixed number of words for each number, which NumPy's own normals do not.
    """
    pairs = -(-values // 2)
    words = -(-2 * pairs // 4) * 4  # a step of Philox's counter yields four
    stream = np.random.Philox(key=[seed & (2**64 - 1), zlib.crc32(purpose.encode())])
    stream.advance(first * (words // 4))
    raw = stream.random_raw(count * words).reshape(count, words)[:, : 2 * pairs]
    uniform = (raw >> np.uint64(11)) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log1p(-uniform[:, :pairs]))
    angle = 2.0 * np.pi * uniform[:, pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :values]


def point_frames(seed, first, count, rows, columns):
    """Random orthonormal frames (count, rows, columns): a coordinate frame would miss what decoupled units hide."""
    frame = point_normals(seed, "frame", first, count, rows * columns).reshape(count, rows, columns)
    return orthonormal(frame)


def orthonormal(frame):
    """Gram-Schmidt, twice for full orthogonality, of many small matrices at once."""
    if frame.shape[1] > 32:  # large ones are worth a call of LAPACK each
        return np.linalg.qr(frame)[0]
    frame = frame.copy()
    for k in range(frame.shape[2]):
        column = frame[:, :, k]
        for _ in range(2 if k else 0):
            before = frame[:, :, :k]
            dots = np.einsum("prk,pr->pk", before, column)
            column = column - np.einsum("prk,pk->pr", before, dots)
        frame[:, :, k] = column / np.sqrt(np.einsum("pr,pr->p", column, column))[:, None]
    return frame
