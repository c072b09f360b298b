"""Points to tiles and back, and the order of work: chunks of points for threads, short calls within a chunk."""

import concurrent.futures
import math
import threading
import time

import numpy as np

CALL = 0.1  # seconds that a call of a kernel should last: progress and Ctrl-C wait for no longer
CHUNK_BYTES = 1 << 24  # of packed arrays in a chunk: what a thread works on at a time


LINE, PAGE = 64, 4096  # bytes of a cache line, of a page


def aligned(shape, dtype, shift=0, make=np.empty):
    """An array that begins at a cache line, `shift` lines into a page; `make` is np.empty or np.zeros.

    NumPy's large arrays begin 16 bytes into a page, all of them: every other vector would lie across two cache lines,
    and the tiles of two arrays at the same place of a page, which the processor takes for the same address.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = make(size + 2 * PAGE, np.uint8)
    start = (shift * LINE - raw.ctypes.data) % PAGE
    return raw[start : start + size].view(dtype).reshape(shape)


def pack_parts(parts, count, values, width, dtype, shift=0):
    """Parts (first value, (points, values)) of `count` points -> (tiles, values * width); zero elsewhere.

    A short last tile repeats the last point.
    """
    tiles = -(-count // width)
    whole = sum(points.shape[1] for _, points in parts) == values
    packed = aligned((tiles, values, width), dtype, shift, np.empty if whole else np.zeros)
    for begin, points in parts:
        if tiles * width != count:
            points = points[np.minimum(np.arange(tiles * width), count - 1)]
        size = points.shape[1]
        packed[:, begin : begin + size] = points.reshape(tiles, width, size).transpose(0, 2, 1)
    return packed.reshape(tiles, values * width)


def unpack(tiles, width, count, out=None):
    """(tiles, values * width) -> (count, values), into `out` if that is given."""
    values = tiles.shape[1] // width
    points = tiles.reshape(len(tiles), values, width).transpose(0, 2, 1)
    if out is None:
        return np.ascontiguousarray(points).reshape(len(tiles) * width, values)[:count]
    whole = count // width
    out[: whole * width].reshape(whole, width, values)[:] = points[:whole]
    if whole * width < count:
        out[whole * width :] = points[whole, : count - whole * width]
    return out


class Stopped(Exception):
    """Raised within a worker when the run was given up."""


class Meter:
    """Steps done (points times steps), counted by all threads; and whether to stop."""

    def __init__(self):
        self.done = 0
        self.stop = threading.Event()
        self._lock = threading.Lock()

    def add(self, steps):
        with self._lock:
            self.done += steps


class Pace:
    """How many steps of one tile fit in a call; learnt from the calls, and never of influence on the numbers."""

    def __init__(self):
        self.seconds = None  # for one step of one tile

    def fit(self):
        """Steps of one tile that a call may take."""
        return 32 if self.seconds is None else max(1, int(CALL / self.seconds))

    def slices(self, tiles, steps, begun=0, together=False):
        """Yield (begin, end, first, count), from step `begun` on: whole runs of tiles, or part of the run of one.

        together: part of the run of all, which take their steps side by side.
        """
        begin, first = 0, begun
        while together and first < steps:
            count = min(self.fit(), steps - first)
            yield 0, tiles, first, count
            first += count
        if together:
            return
        while begin < tiles:
            fit = self.fit()
            if first == begun and fit >= steps - begun:
                end = min(tiles, begin + fit // (steps - begun))
                yield begin, end, begun, steps - begun
                begin = end
                continue
            count = min(fit, steps - first)
            yield begin, begin + 1, first, count
            first += count
            if first == steps:
                begin, first = begin + 1, begun

    def timed(self, work, function, *arguments):
        """Call a kernel that takes `work` steps of a tile."""
        begun = time.perf_counter()
        function(*arguments)
        seconds = (time.perf_counter() - begun) / work
        self.seconds = seconds if self.seconds is None else 0.5 * (self.seconds + seconds)


def chunks(count, width, values, threads):
    """Ranges of points: whole tiles, packed arrays of `values` float64 a point within `CHUNK_BYTES`, enough for all.

    Twelve a thread, so that none waits long for the last, or four where twelve would be less than 512 points each,
    since a chunk costs about a millisecond beside its kernel.
    """
    largest = max(1, CHUNK_BYTES // (8 * max(values, 1) * width))
    tiles = -(-count // width)
    fair = max(-(-tiles // (12 * threads)), min(-(-tiles // (4 * threads)), 512 // width))
    size = min(largest, max(1, fair)) * width
    return [(low, min(low + size, count)) for low in range(0, count, size)]


def work(function, ranges, threads, total, report):
    """Call `function(low, high, meter)` for all ranges on a pool of threads; `report(done, total)` from this thread.

    Returns the steps done. The pool is this call's own (one of the module would hang after a fork). Ctrl-C stops the
    workers at the end of their current calls.
    """
    meter = Meter()
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    try:
        pending = {pool.submit(function, low, high, meter) for low, high in ranges}
        while pending:
            done, pending = concurrent.futures.wait(
                pending, timeout=0.1, return_when=concurrent.futures.FIRST_EXCEPTION
            )
            for future in done:
                future.result()
            report(meter.done, total)
    finally:
        meter.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    return meter.done
