"""Threads that work on one network together: shares of its columns, and the points at which they wait for each other.

All threads of a team run the same kernel. `team` is an array of their own, [how many have arrived, how many times all
have]; a team of one never waits. On CUDA a team is a block, its threads are warps, and `team` is None (uncompiled, a
function that waits for the block).
"""

import os

from llvmlite import ir
from numba.core import types

from . import warp
from .helper import helper, helper_overload
from .machine import is_arm
from .primitive import primitive

LINES = 16  # numbers between the two counts: a cache line each
SPINS = 2000  # looks before the processor is given to others: a few microseconds
GRAIN = 8  # columns that a share is a multiple of: a register tile's


def _place(emit, kinds, values):
    view = emit.context.make_array(kinds[0])(emit.context, emit.builder, values[0])
    return emit.builder.gep(view.data, [emit.context.cast(emit.builder, values[1], kinds[1], types.intp)])


def _added_code(emit, kinds, values):
    value = emit.context.cast(emit.builder, values[2], kinds[2], types.int64)
    return emit.builder.atomic_rmw("add", _place(emit, kinds, values), value, "seq_cst")


@primitive(lambda view, i, value: types.int64 if isinstance(view, types.Array) else None, _added_code)
def added(view, i, value):
    """Add to element i of an integer array, as one event for all threads; returns what it was."""
    old = view[i]
    view[i] += value
    return old


def _seen_code(emit, kinds, values):
    return emit.builder.load_atomic(_place(emit, kinds, values), "seq_cst", 8)


@primitive(lambda view, i: types.int64 if isinstance(view, types.Array) else None, _seen_code)
def seen(view, i):
    """Element i of an integer array as it is now."""
    return view[i]


def _pause_code(emit, kinds, values):
    b = emit.builder
    i32 = ir.IntType(32)
    spins = emit.context.cast(b, values[0], kinds[0], types.int64)
    with b.if_else(b.icmp_signed("<", spins, spins.type(SPINS))) as (short, long):
        with short:
            if is_arm():
                _declared(b, "llvm.aarch64.hint", ir.VoidType(), i32)(i32(1))
            else:
                _declared(b, "llvm.x86.sse2.pause", ir.VoidType())()
        with long:
            _declared(b, "SwitchToThread" if os.name == "nt" else "sched_yield", i32)()
    return emit.context.get_dummy_value()


def _declared(builder, name, result, *arguments):
    module = builder.module
    function = module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)
    return lambda *values: builder.call(function, values)


@primitive(lambda spins: types.none, _pause_code)
def pause(spins):
    """Wait a moment; after `SPINS` times let others use the processor."""


def meet(team, threads):
    """Wait until all threads of the team have come here; what each wrote before, all see after."""
    if callable(team):
        team()
    else:
        _meet(team, threads)


@helper_overload(meet)
def _choose_meeting(team, threads):
    if isinstance(team, types.NoneType):
        return lambda team, threads: _block()
    return lambda team, threads: _meet(team, threads)


def _block_code(emit, kinds, values):
    warp.meet_block(emit.builder)
    return emit.context.get_dummy_value()


@primitive(lambda: types.none, _block_code)
def _block():
    """Wait for the block."""


@helper
def _meet(team, threads):
    if threads > 1:
        round_ = seen(team, LINES)
        if added(team, 0, 1) + 1 == threads:
            added(team, 0, -threads)
            added(team, LINES, 1)
        else:
            spins = 0
            while seen(team, LINES) == round_:
                pause(spins)
                spins += 1


@helper
def share(begin, end, rank, threads):
    """The columns of begin..end-1 that are this thread's: neighbours, in whole tiles where there are enough."""
    if threads == 1:
        return begin, end
    count = end - begin
    grain = GRAIN if count >= GRAIN * threads else 1
    pieces = -(-count // grain)
    first, last = pieces * rank // threads * grain, pieces * (rank + 1) // threads * grain
    return begin + min(first, count), begin + min(last, count)
