"""A map of labels at a high resolution from few of its points: only where labels change is it looked at closely.

A grid of nodes is refined by halves. At each level a cell is *mixed* if its four corners do not bear one label. All
nodes of mixed cells are computed; the others take the label of the corners around them, which is one. Then the nodes
within `margin` cells of a mixed cell that were only filled in are computed too, and so on until there are none, which
follows a border wherever it leaves the cells that were mixed at the level before: along thin tongues, and around bulges
between corners.

So on the finest grid every node within `margin` cells of a mixed cell is computed, and the labels are those of the full
map, at every node, but for a piece of border that no level has met: an island or a strip between the nodes of the first
level, or the end of a tongue that is cut off from the rest by more than `margin` cells. A border through l cells costs
about 3 (margin + 1) l nodes on all levels together.
"""

from collections import namedtuple

import numpy as np

__all__ = ["AdaptiveMap", "Level", "adaptive_map", "mixed_cells", "places", "strides"]

Level = namedtuple("Level", "stride nodes computed mixed")
AdaptiveMap = namedtuple("AdaptiveMap", "labels level levels")

FILLED = -1  # the level of a node that was not computed


def strides(num, coarse):
    """Return the steps (power of two) between nodes, level by level down to 1: the first has `coarse` nodes or more.

    num, coarse: nodes along each axis. The axes whose step is smallest wait for the others.
    """
    powers = [2**k for k in range(max(num).bit_length())]
    first = [
        max(step for step in powers if step == 1 or len(places(n, step)) >= c) for n, c in zip(num, coarse, strict=True)
    ]
    return [tuple(min(step, power) for step in first) for power in reversed(powers) if power <= max(first)]


def places(num, stride):
    """Return the nodes of a level along an axis: every `stride`-th and the last, so that both ends are nodes."""
    return np.append(np.arange(0, num - 1, stride), num - 1)


def adaptive_map(num, evaluate, *, coarse, margin=1, watch=None):
    """Labels of a (n, m) grid from the nodes that tell where they change.

    num (n, m); coarse: nodes along each axis of the first level, at least; margin: cells computed on both sides of a
    border, at each level. evaluate(index): one or more labels, a list of integer arrays (K,), of the nodes with these
    indices (K,) in row-major order; it is asked for each node once. A border is where any of the labels changes.
    watch(levels, steps): called after each level with the `Level`s so far and the steps of all levels.

    Returns AdaptiveMap(labels, level, levels): a list of arrays (n, m); the level, from 0, at which a node was
    computed (n, m), -1 where it was filled in; and Level(stride, nodes, computed, mixed) of each.
    """
    steps, levels = strides(num, coarse), []
    every = [[places(n, step) for n, step in zip(num, stride, strict=True)] for stride in steps]
    grid = Grid(num, every[0])
    asked = np.arange(grid.size)
    for number, stride in enumerate(steps):
        if number:
            finer = grid.finer(every[number])
            asked, grid = grid.inside(finer), finer
        _, computed = grid.compute(asked, evaluate, number)
        computed += grid.close(evaluate, number, margin)
        levels.append(Level(stride, grid.size, computed, len(grid.mixed()[0])))
        if watch is not None:
            watch(levels, steps)
    return AdaptiveMap(grid.labels, grid.level, levels)


def mixed_cells(labels):
    """Return the cells (i, j) whose corners differ in any of the labels (n, m): two arrays of their lower corners."""
    n, m = labels[0].shape
    differ = np.zeros((n - 1, m - 1), bool)
    for label in labels:
        across, up = label[1:] != label[:-1], label[:, 1:] != label[:, :-1]
        for edges in (across[:, 1:], across[:, :-1], up[1:], up[:-1]):
            differ |= edges
    return np.nonzero(differ)


class Grid:
    """The nodes of a level: their places `at` on the axes of the whole grid, their labels, and when computed."""

    def __init__(self, num, at, labels=None, level=None):
        self.num, self.at = num, at
        self.shape = tuple(map(len, at))
        self.size = len(at[0]) * len(at[1])
        self.labels = labels
        self.level = np.full(self.shape, FILLED, np.int8) if level is None else level

    def finer(self, at):
        """Return the grid of the next level: a node between others takes the label of the one below it."""
        below = [np.searchsorted(old, new, side="right") - 1 for old, new in zip(self.at, at, strict=True)]
        known = [np.searchsorted(new, old) for old, new in zip(self.at, at, strict=True)]
        level = np.full(tuple(map(len, at)), FILLED, np.int8)
        level[np.ix_(*known)] = self.level
        return Grid(self.num, at, [label[np.ix_(*below)] for label in self.labels], level)

    def mixed(self):
        """Return the cells whose corners differ."""
        return mixed_cells(self.labels)

    def inside(self, finer):
        """Return the nodes of a finer grid in the mixed cells of this one, edges included."""
        ranges = []
        for cells, old, new in zip(self.mixed(), self.at, finer.at, strict=True):
            known = np.searchsorted(new, old)
            ranges.append(np.minimum(known[cells][:, None] + np.arange(3), known[cells + 1][:, None]))
        return finer.nodes(*ranges)

    def around(self, cells, margin):
        """Return the nodes of cells (i, j) and of those within `margin` cells of them."""
        reach = np.arange(-margin, margin + 2)
        ranges = [np.clip(at[:, None] + reach, 0, n - 1) for at, n in zip(cells, self.shape, strict=True)]
        return self.nodes(*ranges)

    def nodes(self, i, j):
        """Return the nodes, each once, of rows i (K, p) and columns j (K, q) that belong together."""
        return np.unique(i[:, :, None] * self.shape[1] + j[:, None, :])

    def compute(self, nodes, evaluate, number):
        """Compute those nodes that were not yet; returns (those whose label was not as filled in, how many)."""
        nodes = nodes[self.level.ravel()[nodes] == FILLED]
        if not len(nodes):
            return nodes, 0
        i, j = np.divmod(nodes, self.shape[1])
        found = evaluate(self.at[0][i] * self.num[1] + self.at[1][j])
        if self.labels is None:
            self.labels = [np.zeros(self.shape, label.dtype) for label in found]
        changed = np.zeros(len(nodes), bool)
        for label, values in zip(self.labels, found, strict=True):
            changed |= label.ravel()[nodes] != values
            label.ravel()[nodes] = values
        self.level.ravel()[nodes] = number
        return nodes[changed], len(nodes)

    def close(self, evaluate, number, margin):
        """Compute around mixed cells until no node there is only filled in; returns how many were computed."""
        cells, total = self.mixed(), 0
        while True:
            changed, computed = self.compute(self.around(cells, margin), evaluate, number)
            total += computed
            if not len(changed):
                return total
            cells = self.touched(changed)

    def touched(self, nodes):
        """Return the mixed cells that have one of the nodes as a corner."""
        i, j = np.divmod(nodes, self.shape[1])
        i, j = i[:, None] - [0, 0, 1, 1], j[:, None] - [0, 1, 0, 1]
        there = (i >= 0) & (j >= 0) & (i < self.shape[0] - 1) & (j < self.shape[1] - 1)
        i, j = np.divmod(np.unique(i[there] * self.shape[1] + j[there]), self.shape[1])
        mixed = np.zeros(len(i), bool)
        for label in self.labels:
            corner = label[i, j]
            for across, up in ((0, 1), (1, 0), (1, 1)):
                mixed |= label[i + across, j + up] != corner
        return i[mixed], j[mixed]
