"""From a cell's rules to what kernels run: each stage's rule and plan, known by type when a kernel is compiled."""

import hashlib
import numbers

import numpy as np
from numba.core import types
from numba.core.imputils import lower_constant
from numba.core.pythonapi import NativeValue
from numba.extending import models, register_model, typeof_impl, unbox

from .dual import Dual
from .helper import helper, helper_overload
from .plan import plans
from .primitive import primitive
from .twin import MEANINGS
from .walk import Walk, refuse

_PROBED = set()  # digests of stages whose rules did what they should on numbers


class BoundStage:
    """A stage as kernels use it: its plan and the rule in plain Python."""

    def __init__(self, stage, plan):
        self.walk = Walk(stage.update)
        self.plan = plan
        self.update = self.walk.copy(MEANINGS)
        self.digest = hashlib.sha256((self.walk.digest + repr(plan)).encode()).hexdigest()
        if self.digest not in _PROBED:  # a third of what a short call takes beside its kernels
            self._probe()
            _PROBED.add(self.digest)

    def _probe(self):
        """Run the rule once on numbers: what it cannot do, it shall say now and not from within the compiler."""
        rule, plan = self.walk.rule, self.plan
        values = ((np.float64(0.5),) * len(names) for names in (plan.drives, plan.gates, plan.enters, plan.parameters))
        try:
            with np.errstate(all="ignore"):
                found = self.update(*values)
        except Exception as error:
            refuse(rule, f"it fails on numbers ({type(error).__name__}: {error})")
        if not isinstance(found, tuple) or len(found) != len(plan.leaves):
            what = f"{len(found)} values" if isinstance(found, tuple) else f"a {type(found).__name__}"
            refuse(rule, f"it must return a tuple of {len(plan.leaves)} (one number a field), not {what}")
        if not all(isinstance(number, numbers.Real) and not isinstance(number, (bool, np.bool_)) for number in found):
            refuse(rule, "it must return numbers")
        if any(type(number) in (int, float) for number in found):
            refuse(rule, "it returns a constant: write it as 0.0 * s[0] + 1.0")
        names = (plan.drives, plan.gates, plan.enters, plan.parameters)
        try:  # once more on dual numbers, whose arithmetic takes no comparisons
            with np.errstate(all="ignore"):
                self.update(*((Dual(np.float64(0.5), (1.0,)),) * len(group) for group in names))
        except TypeError as error:
            refuse(rule, f"{error}")


class BoundCell:
    """A cell as kernels use it. `digest` names its Numba type: whatever its rules reach is in it."""

    def __init__(self, cell):
        self.stages = tuple(map(BoundStage, cell.stages, plans(cell)))
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


# digest -> a BoundStage, for typing. Not weakly: of two threads that compile for equal cells, one could take the entry
# away from the other when it ends.
_STAGES: dict = {}


@typeof_impl.register(BoundStage)
def _typeof_stage(stage, context):
    _STAGES.setdefault(stage.digest, stage)
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
        length = len(getattr(_STAGES[stage.digest].plan, attribute))
        return types.UniTuple(types.intp, length) if length else types.Tuple([])

    def code(emit, kinds, values):
        found = getattr(_STAGES[kinds[0].digest].plan, attribute)
        return emit.tuple(result(*kinds), [emit.context.get_constant(types.intp, i) for i in found])

    def function(stage):
        return getattr(stage.plan, attribute)

    return primitive(result, code)(function)


gates = _indices("gates")
drives = _indices("drives")
enters = _indices("enters")
leaves = _indices("leaves")
parameters = _indices("parameters")
sent = _indices("sent")
ranks = _indices("ranks")


def _number(attribute):
    """A primitive that gives a number of a stage as a constant."""

    def result(stage):
        return types.intp if isinstance(stage, StageType) else None

    def code(emit, kinds, values):
        return emit.context.get_constant(types.intp, getattr(_STAGES[kinds[0].digest].plan, attribute))

    def function(stage):
        return getattr(stage.plan, attribute)

    return primitive(result, code)(function)


index = _number("index")
first = _number("first")
vectors = _number("vectors")
entries = _number("entries")
shares = _number("shares")


class ProductType(types.Type):
    """The type of a `Product`: all of it is known when a kernel is compiled."""

    def __init__(self, product):
        self.product = product
        super().__init__(name=f"{product}")


register_model(ProductType)(models.OpaqueModel)


def _products_result(stage):
    if not isinstance(stage, StageType):
        return None
    return types.Tuple([ProductType(product) for product in _STAGES[stage.digest].plan.products])


@primitive(
    _products_result,
    lambda emit, kinds, values: emit.tuple(
        _products_result(*kinds), [emit.context.get_dummy_value()] * len(_products_result(*kinds))
    ),
)
def products(stage):
    """The products of a stage."""
    return stage.plan.products


def _places(product):
    return product.place, product.block, product.count, product.sends, product.vector


@primitive(
    lambda product: types.UniTuple(types.intp, 5) if isinstance(product, ProductType) else None,
    lambda emit, kinds, values: emit.tuple(
        types.UniTuple(types.intp, 5),
        [emit.context.get_constant(types.intp, number) for number in _places(kinds[0].product)],
    ),
)
def places(product):
    """(place, block, count, sends, vector) of a product."""
    return _places(product)


def by_direction(straight, transposed):
    """The function `(lane, product, *rest)` that does one thing for a product and another for a transposed one."""

    def chosen(lane, product, *rest):
        return (transposed if product.transposed else straight)(lane, product, *rest)

    @helper_overload(chosen)
    def _chosen(lane, product, *rest):
        function = transposed if product.product.transposed else straight
        return lambda lane, product, *rest: function(lane, product, *rest)

    return chosen


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
