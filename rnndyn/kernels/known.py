"""Sizes that are part of a kernel's type: for tiny networks loops unroll and addresses are constants.

A tuple of sizes is passed as it is, for a kernel that serves all sizes, or as `Known`, for one compiled for them.
"""

from numba.core import types
from numba.core.imputils import lower_constant
from numba.core.pythonapi import NativeValue
from numba.extending import models, register_model, typeof_impl, unbox

from .primitive import primitive


class Known:
    """Integers that kernels know when they are compiled (no tuple: numba-cuda would take it for one)."""

    __slots__ = ("numbers",)

    def __init__(self, numbers):
        self.numbers = tuple(numbers)

    def __iter__(self):
        return iter(self.numbers)

    def __repr__(self):
        return f"Known({self.numbers})"


class KnownType(types.Type):
    """The type of one `Known`."""

    def __init__(self, numbers):
        self.numbers = tuple(numbers)
        super().__init__(name=f"known{self.numbers}")


register_model(KnownType)(models.OpaqueModel)


@typeof_impl.register(Known)
def _typeof(known, context):
    return KnownType(known.numbers)


@unbox(KnownType)
def _unbox(kind, value, context):
    return NativeValue(context.context.get_dummy_value())


@lower_constant(KnownType)
def _constant(context, builder, kind, value):
    return context.get_dummy_value()


def _result(sizes):
    if isinstance(sizes, KnownType):
        return types.UniTuple(types.intp, len(sizes.numbers))
    return sizes if isinstance(sizes, types.BaseTuple) else None


def _code(emit, kinds, values):
    if not isinstance(kinds[0], KnownType):
        return values[0]
    return emit.tuple(_result(*kinds), [emit.context.get_constant(types.intp, n) for n in kinds[0].numbers])


@primitive(_result, _code)
def numbers(sizes):
    """The sizes as integers."""
    return tuple(sizes)
