"""A rule's text: the language checked, a digest of all that is reached, copies with names frozen.

One walk over a rule's code, globals, closure and nested functions does three things. It refuses what is outside the
language (design: assignments, arithmetic, integer powers, `math.*`, min, max, abs, `where`, helpers in the same
language). It yields a digest of everything the rule reaches, so that no edit of a rule, a helper or a constant ever
meets old machine code. And it makes copies of the functions with their names frozen, one for Numba and one for plain
Python, in which `math.tanh` and its like also take dual numbers.
"""

import builtins
import dis
import hashlib
import math
import numbers
import types as pytypes
from functools import lru_cache

from ..cells import language
from ..errors import InputError
from .elementary import VALUES

BUILTINS = ("min", "max", "abs")
LANGUAGE = {getattr(language, name) for name in language.__all__}
ADVICE = (
    "a rule holds assignments, arithmetic, integer powers, math.* functions, min, max, abs, rd.where(condition, a, b)"
    " and calls of functions in the same language"
)
# Opcodes outside the language, by the beginning of their names (they vary between versions of Python).
REFUSED = {
    "POP_JUMP": "`if`, `and`, `or` and chained comparisons decide for all lanes at once: use rd.where(condition, a, b)",
    "JUMP_IF": "`and`, `or` and chained comparisons decide for all lanes at once: use rd.where(condition, a, b)",
    "JUMP_BACKWARD": "loops",
    "FOR_ITER": "loops",
    "GET_ITER": "loops",
    "RAISE": "`raise`",
    "IMPORT": "`import` (import at the top of the file)",
    "STORE_GLOBAL": "`global`",
    "STORE_ATTR": "assignment to an attribute",
    "STORE_SUBSCR": "assignment to an element",
    "DELETE": "`del`",
    "MAKE_FUNCTION": "functions within functions",
    "YIELD": "`yield`",
    "RETURN_GENERATOR": "generators",
    "BUILD_LIST": "lists",
    "BUILD_MAP": "dictionaries",
    "BUILD_SET": "sets",
    "FORMAT": "text",
    "SETUP": "`try` and `with`",
    "BEFORE_WITH": "`with`",
    "CONTAINS_OP": "`in`",
    "IS_OP": "`is`",
    "UNARY_NOT": "`not` decides for all lanes at once: use rd.where(condition, b, a)",
}
MATH = tuple(function for function in VALUES if getattr(math, function.__name__, None) is function)
OPERATORS = ("+", "-", "*", "/", "**", "&", "|")  # of BINARY_OP, in place or not


def refuse(function, what):
    code = function.__code__
    raise InputError(
        f"function '{function.__qualname__}' in {code.co_filename}, line {code.co_firstlineno}: {what}; {ADVICE}."
    )


@lru_cache(maxsize=1024)
def _instructions(code):
    """A code object's instructions; it cannot change, so that each is taken apart once and not in every call."""
    return tuple(dis.get_instructions(code))


@lru_cache(maxsize=1024)
def _offence(code):
    """What in a code object is outside the language, or None."""
    previous = None
    for instruction in _instructions(code):
        if instruction.opname == "BINARY_OP":
            operator = instruction.argrepr
            if operator.endswith("="):
                return f"`y {operator} a`; write y = y {operator[:-1]} a"
            if operator not in OPERATORS and operator != "[]":
                return f"the operator `{operator}`"
            if operator == "**" and not isinstance(getattr(previous, "argval", None), int):
                return "a power that is not a whole number written out"
        previous = instruction
        for beginning, what in REFUSED.items():
            if instruction.opname.startswith(beginning):
                return what
    return None


def _names(function):
    """{name: value} of everything the function reads from outside: globals and closure."""
    names = {}
    for instruction in _instructions(function.__code__):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            name = instruction.argval
            if name in function.__globals__:
                names[name] = function.__globals__[name]
            elif hasattr(builtins, name):
                names[name] = getattr(builtins, name)
            else:
                refuse(function, f"the name '{name}' is not defined")
    if function.__closure__:
        names |= {n: c.cell_contents for n, c in zip(function.__code__.co_freevars, function.__closure__, strict=True)}
    return names


def _modules(function, names):
    """Refuse attributes of `math` that it lacks and attributes of any other object."""
    for instruction in _instructions(function.__code__):
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            attribute = instruction.argval
            if not hasattr(math, attribute) and attribute not in language.__all__:
                refuse(function, f"'.{attribute}' is neither a function of `math` nor of the language")
            if callable(getattr(math, attribute, None)) and getattr(math, attribute) not in MATH:
                refuse(function, _unknown(attribute))


def _unknown(name):
    return f"math.{name} is not in the language of a rule, which has math.{', math.'.join(f.__name__ for f in MATH)}"


def _is_language_module(value):
    """rnndyn itself (`rd.where`) and its cells' language."""
    return isinstance(value, pytypes.ModuleType) and value.__name__ in ("rnndyn", language.__name__)


def _is_number(value):
    return isinstance(value, numbers.Real) or (isinstance(value, tuple) and all(map(_is_number, value)))


def _constants(code):
    """Text of a code object's constants; never the repr of a code object, which holds an address."""
    return [_constants(c) if isinstance(c, pytypes.CodeType) else repr(c) for c in code.co_consts]


class Walk:
    """All that a rule reaches: `lines` for the digest, `copy(function, meanings)` to bind it."""

    def __init__(self, rule):
        self.rule = rule
        self.functions = {}  # plain helper -> its names
        self.lines = []
        self._visit(rule)
        self.digest = hashlib.sha256("\n".join(self.lines).encode()).hexdigest()

    def _visit(self, function):
        if not isinstance(function, pytypes.FunctionType):
            raise InputError(f"a cell's rule must be a plain Python function, not {function!r}")
        if function in self.functions:
            self.lines.append(f"again {list(self.functions).index(function)}")
            return
        offence = _offence(function.__code__)
        if offence:
            refuse(function, f"not in the language of a rule: {offence}")
        names = self.functions[function] = _names(function)
        _modules(function, names)
        code = function.__code__
        self.lines += [
            code.co_code.hex(),
            repr((_constants(code), code.co_names, code.co_varnames, code.co_freevars, function.__defaults__)),
        ]
        for name, value in sorted(names.items()):
            self._visit_name(function, name, value)

    def _visit_name(self, function, name, value):
        if value is math or _is_language_module(value):
            self.lines.append(f"{name} = module {value.__name__}")
        elif value in LANGUAGE if callable(value) else False:
            self.lines.append(f"{name} = language {value.__name__}")
        elif name in BUILTINS and value is getattr(builtins, name):
            self.lines.append(f"{name} = builtin")
        elif callable(value) and getattr(math, getattr(value, "__name__", ""), None) is value:
            if value not in MATH:
                refuse(function, _unknown(value.__name__))
            self.lines.append(f"{name} = math.{value.__name__}")
        elif isinstance(value, pytypes.FunctionType):
            self.lines.append(f"{name} = function")
            self._visit(value)
        elif _is_number(value):
            self.lines.append(f"{name} = {type(value).__name__} {value!r}")
        else:
            refuse(function, f"'{name}' ({type(value).__name__}) is not in the language of a rule")

    def copy(self, meanings=None):
        """The rule with copies of its helpers, names frozen; `meanings` maps functions and modules to replacements."""
        return self._copy(self.rule, meanings or {}, {})

    def _copy(self, function, meanings, done):
        if function in done:
            return done[function]
        code = function.__code__
        scope = {"__builtins__": builtins.__dict__, "__name__": function.__module__}
        closure = tuple(pytypes.CellType() for _ in code.co_freevars)
        copy = pytypes.FunctionType(code, scope, function.__name__, function.__defaults__, closure)
        done[function] = copy
        for name, value in self.functions[function].items():
            if isinstance(value, pytypes.FunctionType) and value in self.functions:
                scope[name] = self._copy(value, meanings, done)
            elif _is_language_module(value):
                scope[name] = meanings.get(language, language)
            else:
                scope[name] = meanings.get(value, value) if callable(value) or value is math else value
        for name, cell in zip(code.co_freevars, closure, strict=True):
            cell.cell_contents = scope.pop(name)
        return copy
