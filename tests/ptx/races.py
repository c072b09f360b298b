"""Races of emulated PTX: accesses to one byte, at least one a write, by two threads with no barrier between them.

Barriers are `bar.sync` for a block and `bar.warp.sync` for the threads it names; a vote or a shuffle orders no memory
(PTX ISA, "Memory Consistency Model"), and nothing orders two blocks. Equal values that threads of one instruction write
do no harm. Local memory and atomics are not looked at. Of the accesses to a byte the last is known, or that several
threads made them, so that a race may be missed but none is invented.
"""

import numpy as np

from .memory import LANES, UNORDERED, Fault

NOBODY, SEVERAL = -1, -2  # in place of the number of a thread, warp or block
ACCESS = np.dtype([("thread", "i8"), ("warp", "i8"), ("block", "i8"), ("clock", "i8")])


class Races:
    """What was read and written, and when; a barrier is a tick of the clock."""

    def __init__(self):
        self.clock, self.block_since = 0, UNORDERED  # of the block's last barrier

    def begin_block(self, windows):
        """Forget the shared memory of the block before."""
        for window in windows:
            if window.space == "shared":
                window.history = None
        self.block_barrier()

    def block_barrier(self):
        self.block_since = self.clock
        self.clock += 1

    def warp_barrier(self, warp, mask):
        warp.since[np.ix_(mask, mask)] = self.clock
        self.clock += 1

    def read(self, warp, window, offsets, lanes, site):
        """Threads (`lanes` of a warp) read elements at byte offsets of a window."""
        if window.stride:
            return
        cells, lanes = _bytes(offsets, lanes, site)
        reads, writes = _history(window)
        if site.constant and (writes["thread"][cells] != NOBODY).any():
            raise Fault.at(site, f"reads as constant what the kernel wrote ({window.name})")
        self._compare(warp, window, cells, lanes, writes, site, "reads", "wrote")
        before, now = reads[cells], self._now(warp, lanes)
        mine = before["block"] == warp.block
        fresh = (before["thread"] == NOBODY) | (before["thread"] == now["thread"])
        fresh |= mine & (before["clock"] <= self.block_since)
        for name in ("thread", "warp", "block"):
            now[name][~fresh & (before[name] != now[name])] = SEVERAL
        _record(reads, cells, now)

    def write(self, warp, window, offsets, lanes, site, values):
        """Threads write `values` to elements at byte offsets of a window."""
        if window.stride:
            return
        order = np.argsort(offsets, kind="stable")
        raw = np.ascontiguousarray(values).view(f"i{site.dtype.itemsize}")[order]
        if ((np.diff(offsets[order]) == 0) & (raw[1:] != raw[:-1])).any():
            raise Fault.at(site, "threads of a warp write different values to one address")
        cells, lanes = _bytes(offsets, lanes, site)
        reads, writes = _history(window)
        self._compare(warp, window, cells, lanes, writes, site, "writes", "wrote")
        self._compare(warp, window, cells, lanes, reads, site, "writes", "read")
        _record(writes, cells, self._now(warp, lanes))

    def _now(self, warp, lanes):
        now = np.empty(len(lanes), ACCESS)
        now["thread"], now["warp"] = warp.first + lanes, warp.number
        now["block"], now["clock"] = warp.block, self.clock
        return now

    def _compare(self, warp, window, cells, lanes, last, site, does, did):
        """Refuse an access unless all before it, of which `last` tells, are its own or ordered."""
        before = last[cells]
        other = (before["thread"] != NOBODY) & (before["thread"] != warp.first + lanes)
        if not other.any():
            return
        mates, several = before["warp"] == warp.number, before["thread"] == SEVERAL
        lane = (before["thread"] - warp.first) % LANES
        since = np.where(several, warp.since.min(axis=1)[lanes], warp.since[lanes, lane])
        fine = (before["block"] == warp.block) & (before["clock"] <= self.block_since)
        fine |= mates & (before["clock"] <= since)
        if (does, did) == ("reads", "wrote"):  # several wrote: by one instruction, and equal values
            fine |= mates & several
        if (other & ~fine).any():
            k = int((other & ~fine).argmax())
            block, thread = divmod(before["thread"][k], warp.threads)
            who = "several threads" if several[k] else f"thread {thread} of block {block}"
            me, what = warp.name(int(lanes[k])), f"byte {cells[k]} of {window.name}"
            raise Fault.at(site, f"{me} {does} {what}, which {who} {did} with no barrier between")


def _record(last, cells, now):
    last[cells] = now
    twice = last["thread"][cells] != now["thread"]  # bytes that several threads take at once
    last["thread"][cells[twice]] = SEVERAL


def _history(window):
    """(reads, writes) of each byte of a window."""
    if window.history is None:
        window.history = tuple(np.full(window.size, np.array((NOBODY,) * 4, ACCESS)) for _ in range(2))
    return window.history


def _bytes(offsets, lanes, site):
    """Each byte of the elements at the offsets, and whose it is."""
    width = site.dtype.itemsize
    return (offsets[:, None] + np.arange(width)).ravel(), np.repeat(lanes, width)
