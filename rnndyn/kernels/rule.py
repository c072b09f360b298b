"""From a cell's rules to what kernels run: the language checked, a digest of all that is reached, bound copies.

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
import weakref

import numpy as np
from numba.core import types
from numba.core.imputils import lower_constant
from numba.core.pythonapi import NativeValue
from numba.extending import models, register_model, typeof_impl, unbox

from ..cells import language
from ..errors import InputError
from .helper import helper, helper_overload
from .primitive import primitive
from .twin import MEANINGS

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
OPERATORS = ("+", "-", "*", "/", "**", "&", "|")  # of BINARY_OP, in place or not


def _refuse(function, what):
    code = function.__code__
    raise InputError(
        f"function '{function.__qualname__}' in {code.co_filename}, line {code.co_firstlineno}: {what}; {ADVICE}."
    )


def _check_code(function):
    previous = None
    for instruction in dis.get_instructions(function):
        if instruction.opname == "BINARY_OP":
            operator = instruction.argrepr.rstrip("=")
            if operator not in OPERATORS and operator != "[]":
                _refuse(function, f"not in the language of a rule: the operator `{operator}`")
            if operator == "**" and not isinstance(getattr(previous, "argval", None), int):
                _refuse(function, "not in the language of a rule: a power that is not a whole number written out")
        previous = instruction
        for beginning, what in REFUSED.items():
            if instruction.opname.startswith(beginning):
                _refuse(function, f"not in the language of a rule: {what}")


def _names(function):
    """{name: value} of everything the function reads from outside: globals and closure."""
    names = {}
    for instruction in dis.get_instructions(function):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            name = instruction.argval
            if name in function.__globals__:
                names[name] = function.__globals__[name]
            elif hasattr(builtins, name):
                names[name] = getattr(builtins, name)
            else:
                _refuse(function, f"the name '{name}' is not defined")
    if function.__closure__:
        names |= {n: c.cell_contents for n, c in zip(function.__code__.co_freevars, function.__closure__, strict=True)}
    return names


def _modules(function, names):
    """Refuse attributes of `math` that it lacks and attributes of any other object."""
    for instruction in dis.get_instructions(function):
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            attribute = instruction.argval
            if not hasattr(math, attribute) and attribute not in language.__all__:
                _refuse(function, f"'.{attribute}' is neither a function of `math` nor of the language")


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
        _check_code(function)
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
            self.lines.append(f"{name} = math.{value.__name__}")
        elif isinstance(value, pytypes.FunctionType):
            self.lines.append(f"{name} = function")
            self._visit(value)
        elif _is_number(value):
            self.lines.append(f"{name} = {type(value).__name__} {value!r}")
        else:
            _refuse(function, f"'{name}' ({type(value).__name__}) is not in the language of a rule")

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


# --- what kernels see of a cell ---------------------------------------------------------------------------------------


class BoundStage:
    """A stage as kernels use it: index tuples and the rule in plain Python."""

    def __init__(self, cell, index):
        stage = cell.stages[index]
        entering = cell.fields if index == 0 else cell.stages[index - 1].leaves
        first = sum(len(earlier.gates) for earlier in cell.stages[:index])
        self.walk = Walk(stage.update)
        self.gates = tuple(range(len(stage.gates)))
        self.enters = tuple(range(len(entering)))
        self.leaves = tuple(range(len(stage.leaves)))
        self.parameters = tuple(range(len(cell.parameters)))
        self.sends = entering.index(stage.sends)
        self.first = first
        self.update = self.walk.copy(MEANINGS)
        self._probe(len(cell.parameters))
        self.plan = repr((self.gates, self.enters, self.leaves, self.parameters, self.sends, self.first))
        self.digest = hashlib.sha256((self.walk.digest + self.plan).encode()).hexdigest()

    def _probe(self, parameters):
        """Run the rule once on numbers: what it cannot do, it shall say now and not from within the compiler."""
        rule = self.walk.rule
        x = a = (np.float64(0.5),) * len(self.gates)
        s, p = (np.float64(0.5),) * len(self.enters), (np.float64(0.5),) * parameters
        try:
            with np.errstate(all="ignore"):
                found = self.update(x, a, s, p)
        except Exception as error:
            _refuse(rule, f"it fails on numbers ({type(error).__name__}: {error})")
        if not isinstance(found, tuple) or len(found) != len(self.leaves):
            what = f"{len(found)} values" if isinstance(found, tuple) else f"a {type(found).__name__}"
            _refuse(rule, f"it must return a tuple of {len(self.leaves)} (one number a field), not {what}")
        if not all(isinstance(number, numbers.Real) and not isinstance(number, (bool, np.bool_)) for number in found):
            _refuse(rule, "it must return numbers")


class BoundCell:
    """A cell as kernels use it. `digest` names its Numba type: whatever its rules reach is in it."""

    def __init__(self, cell):
        self.stages = tuple(BoundStage(cell, k) for k in range(len(cell.stages)))
        self.digest = hashlib.sha256("".join(stage.digest for stage in self.stages).encode()).hexdigest()
        self.name = cell.name


def bind(cell):
    """The kernels' view of `cell`, made anew on each call: a changed helper or constant is a new digest."""
    return BoundCell(cell)


_RULES = {}  # digest of a stage -> the copy of its rule that Numba compiles


def _compiled_rule(stage):
    """The copy of a stage's rule for Numba, its helpers registered."""
    if stage.digest not in _RULES:
        copies = {}
        rule = stage.walk._copy(stage.walk.rule, {}, copies)
        for function in copies.values():
            helper(function)
        _RULES[stage.digest] = rule
    return _RULES[stage.digest]


class StageType(types.Type):
    """The type of a `BoundStage`: all of it is known when a kernel is compiled."""

    def __init__(self, digest):
        self.digest = digest
        super().__init__(name=f"stage({digest})")


class CellType(types.Type):
    """The type of a `BoundCell`."""

    def __init__(self, digest, stages):
        self.digest, self.stages = digest, stages
        super().__init__(name=f"cell({digest})")


for _kind in (StageType, CellType):
    register_model(_kind)(models.OpaqueModel)

    @unbox(_kind)
    def _unbox(kind, value, context):
        return NativeValue(context.context.get_dummy_value())

    @lower_constant(_kind)
    def _constant(context, builder, kind, value):
        return context.get_dummy_value()


_STAGES = weakref.WeakValueDictionary()  # digest -> BoundStage, for typing while its cell lives


@typeof_impl.register(BoundStage)
def _typeof_stage(stage, context):
    _STAGES[stage.digest] = stage
    return StageType(stage.digest)


@typeof_impl.register(BoundCell)
def _typeof_cell(cell, context):
    return CellType(cell.digest, tuple(_typeof_stage(stage, context) for stage in cell.stages))


def _stages_result(cell):
    return types.Tuple(list(cell.stages)) if isinstance(cell, CellType) else None


@primitive(
    _stages_result,
    lambda emit, kinds, values: emit.tuple(
        _stages_result(*kinds), [emit.context.get_dummy_value()] * len(kinds[0].stages)
    ),
)
def stages(cell):
    """The chain of stages of a cell."""
    return cell.stages


def _indices(attribute):
    """A primitive that gives an index tuple of a stage as a constant."""

    def result(stage):
        if not isinstance(stage, StageType):
            return None
        length = len(getattr(_STAGES[stage.digest], attribute))
        return types.UniTuple(types.intp, length) if length else types.Tuple([])

    def code(emit, kinds, values):
        found = getattr(_STAGES[kinds[0].digest], attribute)
        return emit.tuple(result(*kinds), [emit.context.get_constant(types.intp, i) for i in found])

    def function(stage):
        return getattr(stage, attribute)

    return primitive(result, code)(function)


gates = _indices("gates")
enters = _indices("enters")
leaves = _indices("leaves")
parameters = _indices("parameters")


def _number(attribute):
    def result(stage):
        return types.intp if isinstance(stage, StageType) else None

    def code(emit, kinds, values):
        return emit.context.get_constant(types.intp, getattr(_STAGES[kinds[0].digest], attribute))

    def function(stage):
        return getattr(stage, attribute)

    return primitive(result, code)(function)


sends = _number("sends")
first = _number("first")


def update(stage, x, a, s, p):
    """The stage's rule for one unit."""
    return stage.update(x, a, s, p)


@helper_overload(update)
def _update(stage, x, a, s, p):
    if isinstance(stage, StageType):
        rule = _compiled_rule(_STAGES[stage.digest])

        def call(stage, x, a, s, p):
            return rule(x, a, s, p)

        return call
    return None
