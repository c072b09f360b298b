"""A warp of emulated PTX: which of its 32 threads run next, and what they tell each other.

Threads that stand at one place run together; of several places the first in the text runs first, so that threads meet
again where their ways join. At a barrier, vote or shuffle threads wait until all that its mask names, but for those
that have ended, stand at that very instruction; what never comes is a fault. Threads that call a function together
return together, and inside it do not wait for others.
"""

import numpy as np

from .memory import LANES, UNORDERED, Fault

FULL = np.ones(LANES, bool)
LANE = np.arange(LANES, dtype="i4")
LANEMASKS = {"eq": np.equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
SPECIAL = {f"%{name}.{axis}" for name in ("tid", "ntid", "ctaid", "nctaid") for axis in "xyz"}
SPECIAL |= {"%laneid", "%warpid", "%dynamic_smem_size", *(f"%lanemask_{name}" for name in LANEMASKS)}
BITS = np.left_shift(np.uint32(1), LANE.astype("u4"))


def whole(mask):
    """The mask, all threads being always the same object."""
    return FULL if np.count_nonzero(mask) == LANES else mask


class Warp:
    """One warp: threads `first`, `first` + 1, ... of the launch, of `threads` in its block."""

    def __init__(self, launch, block, number):
        count, self.threads = launch.threads, launch.threads
        self.launch, self.memory, self.block = launch, launch.memory, block
        self.number = block * -(-count // LANES) + number
        self.first, local = block * count + number * LANES, number * LANES + LANE
        self.alive = whole(local < count)
        self.since = np.full((LANES, LANES), UNORDERED)  # the clock at the last barrier of two threads
        special = {"laneid": LANE, "warpid": number, "dynamic_smem_size": launch.shared}
        for name, index, shape in (("tid", local, launch.block), ("ctaid", np.full(LANES, block), launch.grid)):
            for axis, size in zip("xyz", shape, strict=True):
                special |= {f"{name}.{axis}": index % size, f"n{name}.{axis}": size}
                index = index // size
        for name, test in LANEMASKS.items():
            special[f"lanemask_{name}"] = [bits(row) for row in test.outer(LANE, LANE).T]
        self.special = {f"%{name}": np.broadcast_to(value, LANES).astype("i4") for name, value in special.items()}

    def name(self, lane):
        return f"thread {self.first % self.threads + lane} of block {self.block}"

    def frame(self, function):
        """(registers of a call, windows of its local memory)."""
        registers, windows = dict(function.zeros) | self.launch.symbols, []
        for name, size in function.locals.items():
            window = self.memory.add_private(size, name)
            windows.append(window)
            registers["_" + name] = window.base + window.stride * LANE.astype("i8")
        for name, size in function.parameters.items():
            registers["_" + name] = np.zeros((LANES, size), "u1")
        return registers, windows

    # --- control ------------------------------------------------------------------------------------------------------

    def run(self, function, mask, registers):
        """Run threads through a function to their ends; yields (name, threads, line) of a block's barrier.

        Returns the threads that returned.
        """
        groups, waiting, returned = {0: mask}, {}, np.zeros(LANES, bool)
        blocks, launch = function.blocks, self.launch

        def go(index, mask):
            groups[index] = whole(groups[index] | mask) if index in groups else mask

        while groups or waiting:
            index = min(groups) if groups else self._unblocked(function, waiting, registers)
            mask = groups.pop(index, None)
            block = blocks[index]
            if block.sync is not None:
                mask, rest = self._gather(block, waiting.pop(index, None), mask, registers)
                if rest is not None:
                    waiting[index] = rest
                if mask is None:
                    continue
                if block.barrier:
                    yield self._barrier(block, registers)
            launch.instructions += block.length
            if launch.instructions > launch.limit:
                raise Fault(f"line {block.line}: more than {launch.limit} instructions: an endless loop?")
            self.memory.warp = self
            test = block.run(registers, self, None if mask is FULL else mask, bool(groups or waiting))
            kind = block.kind
            if kind == "next":
                go(index + 1, mask)
                continue
            if test is not None:
                taken = test if mask is FULL else test & mask
                count = np.count_nonzero(taken)
                if count == 0:
                    go(index + 1, mask)
                    continue
                if count < np.count_nonzero(mask):
                    go(index + 1, mask & ~taken)
                    mask = taken
            if kind == "bra":
                go(block.target, mask)
            elif kind == "ret":
                returned |= mask
            elif kind == "exit":
                self.alive = self.alive & ~mask
            elif kind == "call":
                mask = yield from self._call(block, mask, registers)
                if mask.any():
                    go(index + 1, whole(mask))
            elif kind == "brx":
                chosen = registers[block.selector]
                for k in np.unique(chosen[mask]):
                    go(block.targets[k], whole(mask & (chosen == k)))
            else:
                raise Fault.at(block.end, f"{self.name(int(mask.argmax()))} stops here")
        return returned

    def _call(self, block, mask, registers):
        callee, given, back = block.callee
        inner, windows = self.frame(callee)
        for name, argument in zip(callee.arguments, given, strict=True):
            inner["_" + name][:] = registers["_" + argument][:, : callee.parameters[name]]
        mask = yield from self.run(callee, mask, inner)
        for name, result in zip(callee.results, back, strict=True):
            registers["_" + result][mask, : callee.parameters[name]] = inner["_" + name][mask]
        if windows:
            self.memory.remove(windows)
        return mask

    def _gather(self, block, parked, mask, registers):
        """(threads at a barrier, vote or shuffle whose mask is complete, or None; the others, or None)."""
        here = mask if parked is None else parked if mask is None else whole(parked | mask)
        if block.barrier:
            members = self.alive
        else:
            asked = registers[block.members] if isinstance(block.members, str) else block.members
            same = (asked == asked[0]).all()
            for value in asked[:1] if same else np.unique(asked[here]):
                named, those = (BITS & value.view("u4")) != 0, here & (asked == value)
                if (those & ~named).any():
                    lane = int((those & ~named).argmax())
                    raise Fault.at(block.sync, f"the mask lacks {self.name(lane)}, which is there")
                if not (named & self.alive & ~those).any():
                    rest = here & ~those
                    return whole(those), rest if rest.any() else None
            return None, here
        return (None, here) if (members & ~here).any() else (here, None)

    def _unblocked(self, function, waiting, registers):
        """A place where the threads that wait can go on, as others have ended."""
        for index in sorted(waiting):
            if self._gather(function.blocks[index], waiting[index], None, registers)[0] is not None:
                return index
        syncs = [(function.blocks[index].sync, mask) for index, mask in waiting.items()]
        places = "; ".join(
            f"{self.name(int(mask.argmax()))} and {np.count_nonzero(mask) - 1} more at line {sync.line}: {sync.text}"
            for sync, mask in syncs
        )
        raise Fault(f"threads of a warp wait for others that never come there: {places}")

    def _barrier(self, block, registers):
        lane = int(self.alive.argmax())
        name, threads = (o if isinstance(o, int) else int(registers[o][lane]) for o in block.barrier)
        return name, threads, f"line {block.line}: {block.sync.text}"

    def barrier(self, mask):
        """Order memory among the threads that are here (those that ended no longer matter)."""
        if self.memory.races:
            self.memory.races.warp_barrier(self, FULL if mask is None else mask | ~self.alive)


# --- what the translated code calls -----------------------------------------------------------------------------------


def bits(mask):
    """The 32 truth values of a warp as the bits of one signed integer."""
    return int(np.bitwise_or.reduce(BITS[mask], initial=np.uint32(0)).astype("i4"))


def ballot(test, mask):
    there = FULL if mask is None else mask
    return np.full(LANES, bits(there if test is None else test & there), "i4")


def _vote(choose):
    return lambda test, mask: np.full(LANES, choose(test if mask is None else test[mask]))


def _uni(test):
    return test.all() or not test.any()


any, all, uni = _vote(np.any), _vote(np.all), _vote(_uni)


def shuffle(how, value, operand, clamp, warp, mask, where):
    """`shfl.sync`: (the value of another thread, whether that one lay in range). PTX ISA, "shfl.sync"."""
    operand, segment = operand & 31, clamp >> 8 & 31
    last = LANE & segment | clamp & 31 & ~segment
    source = {
        "up": LANE - operand,
        "down": LANE + operand,
        "bfly": LANE ^ operand,
        "idx": LANE & segment | operand & ~segment,
    }[how]
    valid = source >= last if how == "up" else source <= last
    source = np.where(valid, source, LANE)
    if mask is not None and (mask & ~mask[source]).any():
        lane = int((mask & ~mask[source]).argmax())
        raise Fault(f"{where}: {warp.name(lane)} asks lane {source[lane]}, which takes no part")
    return value[source], valid


def parameter(memory, offset, dtype):
    return np.ascontiguousarray(memory[:, offset : offset + dtype.itemsize]).view(dtype)[:, 0]


def set_parameter(memory, offset, value, mask):
    rows = FULL if mask is None else mask
    memory[rows, offset : offset + value.dtype.itemsize] = np.ascontiguousarray(value[rows, None]).view("u1")


def _increment(old, limit):
    return 0 if old >= limit else old + 1


def _decrement(old, limit):
    return limit if old == 0 or old > limit else old - 1


def _change(function):
    """function(old, operands) -> new, of one thread."""
    return lambda *operands: lambda old, lane: function(old, *(operand[lane] for operand in operands))


CHANGES = {
    "add": _change(lambda old, x: old + x),
    "min": _change(min),
    "max": _change(max),
    "exch": _change(lambda old, x: x),
    "cas": _change(lambda old, expected, x: x if old == expected else old),
    "and": _change(lambda old, x: old & x),
    "or": _change(lambda old, x: old | x),
    "xor": _change(lambda old, x: old ^ x),
    "inc": _change(_increment),
    "dec": _change(_decrement),
}
