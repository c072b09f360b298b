"""A primitive: a plain Python function (its meaning, which runs uncompiled) with a type rule and LLVM code beside it.

Typing templates and lowerings are registered with Numba's own registries, which `numba-cuda` reads as well, so that one
registration serves every target. Arithmetic lowered here costs no compilation of its own: a rule with forty operations
compiles in the time of one function, where forty `@overload`s would each pass through Numba's front end.
"""

from llvmlite import ir
from numba.core import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature


def primitive(result, code):
    """Decorator: a function gets the type rule `result(*types)`, type or None, and code `code(emit, types, values)`.

    `emit` is an `Emit` (LLVM builder and context); `types` are the arguments' Numba types, `values` their LLVM values.
    """

    def bind(function):
        register(function, result, code, (types.VarArg(types.Any),))
        function.rule = result, code
        return function

    return bind


def alias(name, function, *patterns):
    """Give the calls of `name` whose arguments match one of the `patterns` the meaning of the primitive `function`."""
    register(name, *function.rule, *patterns)


def register(function, result, code, *patterns, literal=False):
    """Register `result` and `code` for the calls of `function` whose arguments match one of the Numba type `patterns`.

    With `literal`, constants keep their literal types, so that `code` knows their values.
    """

    def generic(self, arguments, keywords):
        if not literal:
            arguments = tuple(types.unliteral(t) for t in arguments)
        answer = None if keywords else result(*arguments)
        return None if answer is None else signature(answer, *arguments)

    template = type("Primitive", (AbstractTemplate,), {"generic": generic, "key": function, "__module__": __name__})
    infer_global(function, types.Function(template))

    def lowering(context, builder, sig, args):
        return code(Emit(context, builder), sig.args, args)

    for pattern in patterns:
        lower_builtin(function, *pattern)(lowering)


class Emit:
    """An LLVM builder with the little that primitives share: intrinsics by name, tuples as Numba lays them out."""

    def __init__(self, context, builder):
        self.context = context
        self.builder = builder

    def call(self, name, *values):
        """Call the LLVM intrinsic `name`, whose arguments and result all have the type of the first value."""
        kind = values[0].type
        full = f"{name}.{suffix(kind)}"
        module = self.builder.module
        function = module.globals.get(full)
        if function is None:
            function = ir.Function(module, ir.FunctionType(kind, [kind] * len(values)), full)
        return self.builder.call(function, values)

    def negative(self, value):
        """-value, as a difference from -0: NVVM knows no `fneg` for most devices, LLVM makes one of it."""
        kind = value.type
        zero = [-0.0] * kind.count if isinstance(kind, ir.VectorType) else -0.0
        return self.builder.fsub(ir.Constant(kind, zero), value)

    def item(self, value, index):
        return self.builder.extract_value(value, index)

    def tuple(self, kind, values):
        return self.context.make_tuple(self.builder, kind, values)

    def type(self, kind):
        """The LLVM type of the values of a Numba type."""
        return self.context.get_value_type(kind)


def suffix(kind):
    """LLVM's suffix of an overloaded intrinsic: double -> f64, <4 x float> -> v4f32."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{suffix(kind.element)}"
    return {"double": "f64", "float": "f32"}[str(kind)]
