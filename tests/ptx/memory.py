"""The memory of emulated PTX: NumPy arrays at their real addresses, every access held against their bounds.

An address is good for an access when all its bytes lie in one array that was handed in (global), in one `.shared` or
`.const` variable, or, for local memory, in the thread's own part.
"""

import ctypes
from dataclasses import dataclass, field

import numpy as np

LANES = 32
UNORDERED = -1  # the time of a barrier that never was
UNTOUCHED = 0xFF  # what shared and local bytes hold at the beginning: NaN, -1, an address of nothing


class Fault(Exception):
    """What a kernel does that a GPU would trap, hang on or answer differently from run to run."""

    @classmethod
    def at(cls, place, why):
        """A fault of an instruction, with its line and text."""
        return cls(f"line {place.line}: {place.text}: {why}")


@dataclass(eq=False)
class Site:
    """A memory instruction: where in the text it stands, its space ("" for generic), its element, its alignment."""

    line: int
    text: str
    space: str
    dtype: np.dtype
    aligned: int
    constant: bool = False  # `.nc`: what it reads must not change while the kernel runs


@dataclass(eq=False)
class Window:
    """An array seen by the kernel; `stride` > 0 where each thread of a warp has its own `size` bytes so far apart."""

    name: str
    space: str
    base: int
    size: int
    owner: object  # keeps the memory alive
    writeable: bool = True
    stride: int = 0
    views: dict = field(default_factory=dict)
    history: object = None

    def view(self, dtype):
        """(the address of element 0, all aligned elements of that type)."""
        if dtype not in self.views:
            first = -(-self.base // dtype.itemsize) * dtype.itemsize
            count = max(0, self.base + self.size - first) // dtype.itemsize
            memory = (ctypes.c_char * (count * dtype.itemsize)).from_address(first)
            self.views[dtype] = first, np.frombuffer(memory, dtype, count)
        return self.views[dtype]


class Memory:
    """All windows of one launch. Addresses are int64 arrays of a warp's threads; `mask` (or None: all) says whose."""

    def __init__(self, races=None):
        self.windows, self.sites, self.races, self.warp = [], {}, races, None

    def add(self, array, name, space="global"):
        """Let the kernel see an array, read-only if the array is; returns its address."""
        begin, end = np.lib.array_utils.byte_bounds(array)
        for window in self.windows:
            if (window.base, window.size, window.space) == (begin, end - begin, space):
                window.writeable |= array.flags.writeable
                return array.ctypes.data
        self.windows.append(Window(name, space, begin, end - begin, array, array.flags.writeable))
        return array.ctypes.data

    def add_private(self, size, name):
        """Give each thread of a warp `size` bytes of local memory; returns the window."""
        stride = size + 64 - size % 16
        block = np.full(LANES * stride + 16, UNTOUCHED, "u1")
        base = -(-block.ctypes.data // 16) * 16
        self.windows.append(Window(name, "local", base, (LANES - 1) * stride + size, block, stride=stride))
        return self.windows[-1]

    def remove(self, windows):
        """Take back windows of a function that returned."""
        self.windows = [w for w in self.windows if w not in windows]
        self.sites = {site: window for site, window in self.sites.items() if window not in windows}

    # --- accesses -----------------------------------------------------------------------------------------------------

    def load(self, site, address, mask=None):
        """The elements at the addresses; those of other threads than the mask's have no meaning."""
        address, result = _of_some(address, mask), None
        if address is None:
            return np.zeros(LANES, site.dtype)
        for window, chosen in self._windows(site, address, mask):
            base, view = window.view(site.dtype)
            if chosen is None:
                result = view.take(address - base >> site.dtype.itemsize.bit_length() - 1)
            else:
                result = np.zeros(LANES, site.dtype) if result is None else result
                result[chosen] = view[(address[chosen] - base) // site.dtype.itemsize]
            if self.races:
                active = _both(mask, chosen)
                self.races.read(self.warp, window, address[active] - window.base, np.flatnonzero(active), site)
        return result

    def store(self, site, address, value, mask=None):
        """Write elements; where threads write to one address, the last."""
        address = _of_some(address, mask)
        if address is None:
            return
        for window, chosen in self._windows(site, address, mask, write=True):
            active = _both(mask, chosen)
            base, view = window.view(site.dtype)
            if self.races:
                offsets = address[active] - window.base
                self.races.write(self.warp, window, offsets, np.flatnonzero(active), site, value[active])
            view[(address[active] - base) // site.dtype.itemsize] = value[active]

    def atomic(self, site, change, address, mask=None):
        """Replace the elements, one thread after another, by change(old, thread); returns the old ones."""
        old, address = np.zeros(LANES, site.dtype), _of_some(address, mask)
        if address is None:
            return old
        for window, chosen in self._windows(site, address, mask, write=True):
            base, view = window.view(site.dtype)
            for lane in np.flatnonzero(_both(mask, chosen)):
                index = (address[lane] - base) // site.dtype.itemsize
                old[lane] = view[index]
                view[index] = change(old[lane], lane)
        return old

    def _windows(self, site, address, mask, write=False):
        """Pairs (window, the threads whose address is there), the threads None where there is but one window."""
        if np.bitwise_or.reduce(address) & site.aligned - 1:
            self._refuse(site, address, mask, address % site.aligned != 0, f"no multiple of {site.aligned}")
        window, width = self.sites.get(site), site.dtype.itemsize
        if window is not None and not (((address - window.base).view("u8") > window.size - width).any()):
            self._check(site, window, address, mask, write)
            return ((window, None),)
        found, missing = [], np.ones(LANES, bool) if mask is None else mask.copy()
        for window in self.windows:
            if site.space in ("", window.space) and window.size >= width:
                chosen = ((address - window.base).view("u8") <= window.size - width) & missing
                if chosen.any():
                    self._check(site, window, address, chosen, write)
                    self.sites[site] = window
                    found.append((window, chosen))
                    missing &= ~chosen
        if missing.any():
            self._refuse(site, address, mask, missing, self._nearest(site, int(address[missing.argmax()])))
        return found

    def _check(self, site, window, address, mask, write):
        """Refuse to write to what is read-only, and a thread that reaches for another's local memory."""
        if write and not window.writeable:
            self._refuse(site, address, mask, np.ones(LANES, bool), f"in {window.name}, which is read-only")
        if window.stride:
            inside = address - window.base - window.stride * np.arange(LANES)
            wrong = (inside < 0) | (inside > window.size % window.stride - site.dtype.itemsize)
            if (wrong if mask is None else wrong & mask).any():
                self._refuse(site, address, mask, wrong, f"outside the thread's own part of {window.name}")

    def _nearest(self, site, address):
        near = min(self.windows, key=lambda w: max(w.base - address, address - w.base - w.size), default=None)
        if near is None:
            return "where no array is"
        return f"byte {address - near.base} of the {near.size} of {near.name} ({near.space})"

    def _refuse(self, site, address, mask, wrong, why):
        lane = int((wrong if mask is None else wrong & mask).argmax())
        thread, width = self.warp.name(lane), site.dtype.itemsize
        raise Fault.at(site, f"{thread} takes {width} bytes at {int(address[lane]):#x}: {why}")


def _of_some(address, mask):
    """The addresses, another's in place of those of threads that take no part; None if nobody does."""
    if mask is None:
        return address
    first = mask.argmax()
    return np.where(mask, address, address[first]) if mask[first] else None


def _both(mask, chosen):
    if mask is None:
        return np.ones(LANES, bool) if chosen is None else chosen
    return mask if chosen is None else mask & chosen
