"""A run's arrays in main memory, as kernels read them: (tiles, values * width); `cuda` has the same on a GPU."""

import numpy as np

from .tiles import aligned, pack_parts, unpack


class Arrays:
    """Makes, fills and reads arrays of a run: `width` networks side by side in a tile."""

    def __init__(self, width, dtype):
        self.width, self.dtype = width, dtype
        self.made = 0

    def parts(self, parts, count, size):
        """Arrays from (first value, (points, values)) of each part; zero elsewhere, `size` values a point."""
        return pack_parts(parts, count, size, self.width, self.dtype, self._shift())

    def pack(self, points, size=None):
        """(points, values) as tiles; `size` values a point, the rest zero."""
        return self.parts([(0, points)], len(points), size or points.shape[1])

    def common(self, row):
        """Values (values,) that all points share."""
        return self.pack(np.broadcast_to(row, (self.width, len(row))))[0]

    def zeros(self, tiles, size):
        return self.new((tiles, size * self.width), np.zeros)

    def ones(self, tiles, size):
        array = self.zeros(tiles, size)
        array[:] = 1
        return array

    def empty(self, tiles, size):
        """What a kernel fills."""
        return self.new((tiles, size * self.width), np.empty)

    def scratch(self, tiles, size):
        """What a kernel may write while it works on a tile: one tile's, as they come one after another."""
        return self.new((size * self.width,), np.empty)

    def fetch(self, array):
        """An array's numbers in main memory."""
        return array

    def unpack(self, array, count, out=None):
        """(tiles, values * width) -> (count, values), into `out` if that is given."""
        return unpack(self.fetch(array), self.width, count, out)

    def sort(self, array, order, size=None):
        """Put the points in the order `order`, as far as their first `size` values go."""
        width = self.width
        some = array if size is None else array[:, : size * width]
        lanes = some.reshape(len(array), -1, width)
        some[:] = self.pack(lanes[order // width, :, order % width])

    def kept(self, array, begin, end):
        """A copy of tiles begin..end-1."""
        return array[begin:end].copy()

    def restore(self, array, begin, end, copy):
        """Write a copy back."""
        array[begin:end] = copy

    def new(self, shape, make):
        """An array by np.zeros or np.empty, apart from the last one."""
        return aligned(shape, self.dtype, self._shift(), make)

    def _shift(self):
        """A place in the page for the next array, far from the last one's."""
        self.made += 1
        return 5 * self.made  # in cache lines, of which a page has 64
