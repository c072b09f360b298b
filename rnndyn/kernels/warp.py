"""Threads of a warp side by side: NVVM's instructions that lanes spread over them need.

A warp is to a GPU what a register is to a processor: 32 numbers that every instruction takes at once, one in each
thread. All kernels branch on what `some` and `earliest` tell, which is the same for a whole lane, so that the threads
of a warp always take the same branch and each of these instructions finds all of them there. Blocks are one row of
whole warps.
"""

from llvmlite import ir

WARP = 32
ALL = ir.Constant(ir.IntType(32), (1 << WARP) - 1)
I1, I32, I64 = (ir.IntType(bits) for bits in (1, 32, 64))


def _call(builder, name, result, *values):
    module = builder.module
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(module.globals.get(name) or ir.Function(module, kind, name), values)


def thread(builder):
    """The thread's number in its warp, an i64."""
    number = _call(builder, "llvm.nvvm.read.ptx.sreg.tid.x", I32)
    return builder.zext(builder.and_(number, I32(WARP - 1)), I64)


def meet(builder):
    """Wait for the warp's other threads; what each wrote before, all see after."""
    _call(builder, "llvm.nvvm.bar.warp.sync", ir.VoidType(), ALL)


def meet_block(builder):
    """Wait for all threads of the block; what each wrote before, all see after."""
    _call(builder, "llvm.nvvm.barrier0", ir.VoidType())


def any_of(builder, bit):
    """Whether a bit is set in any thread."""
    answer = _call(builder, "llvm.nvvm.vote.sync", ir.LiteralStructType([I32, I1]), ALL, I32(1), bit)
    return builder.extract_value(answer, 1)


def exchanged(builder, value, distance):
    """The number of the thread whose place differs in the bit `distance`."""
    if value.type == ir.FloatType():
        return builder.bitcast(_exchanged(builder, builder.bitcast(value, I32), distance), value.type)
    bits = builder.bitcast(value, I64)
    halves = (builder.trunc(bits, I32), builder.trunc(builder.lshr(bits, I64(32)), I32))
    low, high = (builder.zext(_exchanged(builder, half, distance), I64) for half in halves)
    return builder.bitcast(builder.or_(low, builder.shl(high, I64(32))), value.type)


def _exchanged(builder, bits, distance):
    kind = ir.LiteralStructType([I32, I1])
    answer = _call(
        builder, "llvm.nvvm.shfl.sync.i32", kind, ALL, I32(BUTTERFLY), bits, I32(distance), I32(WARP - 1)
    )  # fmt: skip
    return builder.extract_value(answer, 0)


BUTTERFLY = 3  # NVVM's number for an exchange by exclusive or of the places
