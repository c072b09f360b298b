"""Helpers: plain functions that only compiled kernels call.

Numba would compile each helper of a kernel to machine code of its own, with wrappers for Python, and optimise it before
and after linking it to its caller. A helper here is only lowered; its kernel links all of them and is optimised once,
as one function (a spectrum kernel: 30 s by `register_jitable`, a third of it so). On CUDA they are ordinary device
functions.
"""

from numba.core import compiler, types
from numba.core.codegen import CPUCodeLibrary
from numba.core.dispatcher import _FunctionCompiler
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.typing.templates import infer, infer_global, make_overload_template

# _nrt off: no reference counts. error_model "numpy": a division by zero is infinite, not an exception.
OPTIONS = {"nopython": True, "_nrt": False, "error_model": "numpy", "forceinline": True}


class _Library(CPUCodeLibrary):
    """Code that is only ever linked to its callers: no optimisation, no machine code of its own."""

    def finalize(self):
        linked = set()
        for library in self._linking_libraries:
            if library not in linked:
                linked.add(library)
                self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


class _Compiler(_FunctionCompiler):
    def _compile_core(self, args, return_type):
        flags = compiler.Flags()
        self.targetdescr.options.parse_as_flags(flags, self.targetoptions)
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        target = self.targetdescr.target_context
        library = _Library(target.codegen(), self.py_func.__qualname__)
        result = compiler.compile_extra(
            self.targetdescr.typing_context,
            target,
            self.py_func,
            args=args,
            return_type=return_type,
            flags=flags,
            locals=self.locals,
            library=library,
            pipeline_class=self.pipeline_class,
        )
        key = object()  # what the caller's code is looked up by, in place of an address
        target.insert_user_function(key, result.fndesc, [library])
        return result._replace(entry_point=key)


class _Dispatcher(CPUDispatcher):
    def __init__(self, function, options):
        super().__init__(function, targetoptions=dict(options))
        self._compiler = _Compiler(function, cpu_target, dict(options), {}, self._compiler.pipeline_class)

    def add_overload(self, result):
        self.overloads[tuple(result.signature.args)] = result


def helper_overload(function, options=OPTIONS):
    """`numba.extending.overload` for helpers: decorates `types -> implementation or None` of `function`."""

    def decorate(choose):
        base = make_overload_template(function, choose, {}, strict=False, inline="never")

        class Template(base):
            def _get_jit_decorator(self):
                if self.context is cpu_target.typing_context:
                    return lambda: lambda function: _Dispatcher(function, options)
                return super()._get_jit_decorator()

        infer(Template)
        infer_global(function, types.Function(Template))
        return choose

    return decorate


def helper(function):
    """Make a plain function usable in kernels; returns it as it is."""
    helper_overload(function)(lambda *args: function)
    return function


def separate_helper(function):
    """The same for a large helper with several callers: one copy of its code in a kernel, not one for each of them."""
    helper_overload(function, OPTIONS | {"forceinline": False})(lambda *args: function)
    return function
