"""What the processor is like: width of its registers, denormal numbers off and on."""

import os
import platform
from functools import cache

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types

from .primitive import primitive


@cache
def features():
    """Names of the instruction sets that the processor has."""
    return frozenset(name for name, there in llvm.get_host_cpu_features().items() if there)


@cache
def register_bits():
    """Bits of a SIMD register that LLVM uses here."""
    if "avx512f" in features():
        return 512
    return 256 if "avx" in features() else 128


def processor():
    """The processor's name, as LLVM knows it."""
    return f"{platform.machine()} ({llvm.get_host_cpu_name()})"


def threads():
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_arm():
    return platform.machine().lower() in ("aarch64", "arm64")


# The control register: bits that flush denormal results and arguments to zero.
X86_FLUSH = (1 << 15) | (1 << 6)
ARM_FLUSH = 1 << 24


def _flush_code(emit, kinds, values):
    builder = emit.builder
    old = _read(builder)
    _write(builder, builder.or_(old, old.type(ARM_FLUSH if is_arm() else X86_FLUSH)))
    return old if is_arm() else builder.zext(old, ir.IntType(64))


@primitive(lambda: types.int64, _flush_code)
def flush_denormals():
    """Flush denormals to zero in this thread; returns the control register as it was.

    A contracting state decays through the denormal range, where a step of an LSTM of 8 units took 4 000 ns, not 70.
    """
    return 0


def _restore_code(emit, kinds, values):
    _write(emit.builder, values[0] if is_arm() else emit.builder.trunc(values[0], ir.IntType(32)))
    return emit.context.get_dummy_value()


@primitive(lambda old: types.none, _restore_code)
def restore_denormals(old):
    """Set the control register back."""


def _declare(builder, name, result, arguments):
    module = builder.module
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)


def _read(builder):
    if is_arm():
        return builder.call(_declare(builder, "llvm.aarch64.get.fpcr", ir.IntType(64), []), [])
    place = builder.alloca(ir.IntType(32))
    pointer = ir.IntType(8).as_pointer()
    function = _declare(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [pointer])
    builder.call(function, [builder.bitcast(place, pointer)])
    return builder.load(place)


def _write(builder, value):
    if is_arm():
        function = _declare(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [ir.IntType(64)])
        builder.call(function, [value])
        return
    place = builder.alloca(ir.IntType(32))
    builder.store(value, place)
    pointer = ir.IntType(8).as_pointer()
    function = _declare(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [pointer])
    builder.call(function, [builder.bitcast(place, pointer)])
