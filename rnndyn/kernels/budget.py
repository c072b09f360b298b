"""How much memory a call may take for its work: RNNDYN_MEMORY, or half of what is free when it begins.

Counted is what a call holds while it works: weights and frames of the networks in hand, packed and unpacked. Not
counted are the arguments and the result, which are the caller's, and about 0.3 GB of the compiler's.
"""

import ctypes
import os
import re
from contextlib import suppress

from ..errors import InputError

VARIABLE = "RNNDYN_MEMORY"
GROUPS = ("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def free():
    """Bytes that could be taken now without swapping; of all memory's, where the system does not say."""
    found = [reader() for reader in (_linux, _control_group, _windows, _posix)]
    return min((number for number in found if number), default=4 * 2**30)


def _linux():
    with suppress(OSError), open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return None


def _control_group():
    """What a container may still take."""
    for limit, used in GROUPS:
        with suppress(OSError, ValueError):
            numbers = []
            for name in (limit, used):
                with open(f"/sys/fs/cgroup/{name}", encoding="ascii") as file:
                    numbers.append(int(file.read()))
            return max(1, numbers[0] - numbers[1])
    return None


def _windows():
    if os.name != "nt":
        return None

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "page", "left", "virtual", "own", "extended")),
        )

    status = Status(ctypes.sizeof(Status))
    known = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return status.free if known else None


def _posix():
    with suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def budget():
    """Bytes that a call may take.

    Raises InputError where RNNDYN_MEMORY cannot be read.
    """
    told = os.environ.get(VARIABLE, "").strip()
    if not told:
        return free() // 2
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", told, re.IGNORECASE)
    if not match or float(match[1]) == 0:
        raise InputError(f"{VARIABLE} must be a size such as 800M or 6G, not {told!r}.")
    return int(float(match[1]) * UNITS[match[2].upper()])


def in_words(size):
    """Bytes as people read them."""
    for name in ("KiB", "MiB"):
        size /= 1024
        if size < 1000:
            return f"{size:.3g} {name}"
    return f"{size / 1024:.3g} GiB"


def at_once(need, threads, what):
    """How many of `threads` pieces of work, each of `need` bytes, may run at once.

    Raises InputError if not even one does: what it needs and what there is.
    """
    limit = budget()
    if need > limit:
        source = f"{VARIABLE} allows" if os.environ.get(VARIABLE, "").strip() else "half of the free memory is"
        raise InputError(
            f"{what} needs about {in_words(need)} of memory, but {source} {in_words(limit)}; set {VARIABLE} (for "
            f"example {VARIABLE}={need // 2**30 + 1}G) if there is more, or ask for fewer exponents, units or steps."
        )
    return max(1, min(threads, limit // need))
