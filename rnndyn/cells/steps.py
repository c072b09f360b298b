"""Steps: from a vector field ds/dt = f(s, u) to a cell s <- s + dt(...), the input u held during the step.

Every step is a chain of stages around the field's own rate, so that its tangents and gradients are exact, also with
respect to `dt`. The functions made here are rules: they stay within the language of `rule`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .cell import Cell, Stage
from .field import Field
from .tuples import imaged, joint, moving, relaxing, row, together


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method: k_i = f(s + dt sum_j a_ij k_j), s <- s + dt sum_i b_i k_i (Butcher 1964)."""

    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]

    def __post_init__(self):
        if [len(row) for row in self.a] != list(range(len(self.b))) or not self.b:
            raise ValueError("an explicit tableau has rows `a` of 0, 1, 2, ... numbers, one row for each number of `b`")

    @property
    def rows(self):
        """Coefficients of k_0, k_1, ...: a row for each stage, the last one for the result; zeros written out."""
        return [(*row, *(0.0,) * (len(self.b) - len(row))) for row in (*self.a, self.b)]


EULER = Tableau(a=((),), b=(1.0,))
MIDPOINT = Tableau(a=((), (1 / 2,)), b=(0.0, 1.0))
CLASSICAL = Tableau(a=((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), b=(1 / 6, 1 / 3, 1 / 3, 1 / 6))


def first_images(field):
    """The stages before the first rate: none, or one that makes the images."""
    if field.image is None:
        return []
    extend = imaged(len(field.fields), field.image)

    def update(x, a, s, p):
        return extend(s, p)

    return [Stage(update=update, leaves=field.fields + field.images)]


# --- explicit Runge-Kutta ---------------------------------------------------------------------------------------------


def runge_kutta(field, tableau):
    """The stages of a tableau's step.

    Behind the values at which a stage takes the rate stand, as far as later stages need them, the start s and the sums
    s + dt (a_r0 k_0 + ... ) of the later rows r that have begun.
    """
    size, rate, rows = len(field.fields), joint(field.parts), tableau.rows
    stages = first_images(field)
    begun: dict[int, int] = {}  # row -> where its sum stands among the entering values
    start = 0
    for i in range(len(tableau.b)):
        last = i + 1 == len(tableau.b)
        later = [r for r in range(i + 1, len(rows)) if r == i + 1 or any(rows[r][: i + 1])]  # sums that leave
        pieces = [row(size, begun.get(r, start), rows[r][i]) for r in later]
        names = [field.fields + (() if last else field.images)]
        names += [tuple(f"{name}.{r}" for name in field.fields) for r in later[1:]]
        if len(later) < len(rows) - i - 1:
            pieces.append(row(size, start, 0.0))
            names.append(tuple(f"{name}.start" for name in field.fields))
        update = _stage(size, rate, together(pieces), imaged(size, None if last else field.image))
        leaves = tuple(name for block in names for name in block)
        stages.append(Stage(update=update, leaves=leaves, **_rows(field)))
        place = size + len(field.images)
        begun = {r: place + j * size for j, r in enumerate(later[1:])}
        start = place + len(begun) * size
    return tuple(stages)


def _stage(size, rate, values, extend):
    def update(x, a, s, p):
        return extend(values(s, rate(x, a, s[:size], p[:-1]), p[-1]), p)

    return update


def rates(field):
    """The stages of s -> f(s), no step at all: for those who step, or look for f(s) = 0, by other means."""
    size, rate = len(field.fields), joint(field.parts)

    def update(x, a, s, p):
        return rate(x, a, s[:size], p[:-1])

    return (*first_images(field), Stage(update=update, **_rows(field)))


def _rows(field):
    """The gates, what they send, and the drives of all parts together."""
    kinds = "gates", "sends", "drives"
    return {kind: tuple(name for part in field.parts for name in getattr(part, kind)) for kind in kinds}


# --- steps for special fields -----------------------------------------------------------------------------------------


def symplectic(field):
    """The stages of the symplectic Euler step: parts from last to first, each with the newest values."""
    size, stages = len(field.fields), first_images(field)
    for part in reversed(field.parts):
        moved = part.fields
        begin = field.fields.index(moved[0])
        final = part is field.parts[0]
        extend = imaged(size, None if final else field.image)
        update = _moved_part(size, part.rate, begin, begin + len(moved), extend)
        leaves = field.fields + (() if final else field.images)
        stages.append(Stage(update=update, gates=part.gates, sends=part.sends, drives=part.drives, leaves=leaves))
    return tuple(stages)


def _moved_part(size, rate, begin, end, extend):
    move = moving(end - begin)

    def update(x, a, s, p):
        k = rate(x, a, s[:size], p[:-1])
        return extend(s[:begin] + move(p[-1], k, s[begin:end]) + s[end:size], p)

    return update


def exponential(field):
    """The stages of the exponential Euler step e^z s + dt phi1(z) (f - linear s), z = dt linear."""
    if field.linear is None:
        raise ValueError(f"{field.name}: the exponential step needs the field's `linear` part")
    size, rate, linear = len(field.fields), joint(field.parts), field.linear
    relax = relaxing(size)

    def update(x, a, s, p):
        return relax(p[-1], linear(p[:-1]), rate(x, a, s[:size], p[:-1]), s[:size])

    return (*first_images(field), Stage(update=update, **_rows(field)))


# --- the cells --------------------------------------------------------------------------------------------------------


class Stepped(Cell):
    """A cell made of a field by a step of `dt`, a parameter like any other."""

    field: Field
    dt: float

    def __init__(self, field, stages, dt, name):
        super().__init__(
            name,
            field.units,
            field.inputs,
            field.fields,
            stages,
            parameters={**field.parameters, "dt": dt},
            per_unit=field.per_unit,
            second=field.second,
            options=field.options,
            equation=field.equation,
            source=field.source,
        )
        object.__setattr__(self, "field", field)


class RungeKutta(Stepped):
    """s <- s + dt sum_i b_i k_i, k_i = f(s + dt sum_j a_ij k_j): the explicit step of any tableau.

    Source: Butcher 1964; Hairer, Norsett & Wanner, Solving ODEs I, section II.1.
    """

    tableau: Tableau

    def __init__(self, field, tableau, dt=0.1):
        super().__init__(field, runge_kutta(field, tableau), dt, f"RungeKutta({field.name})")
        object.__setattr__(self, "tableau", tableau)

    def __reduce__(self):
        return RungeKutta, (self.field, self.tableau, self.parameters["dt"])


class _Step(Stepped):
    """A step of any field, or a family's: a subclass whose constructor makes the field."""

    chain: Callable[[Field], tuple[Stage, ...]]

    def __init__(self, field, dt=0.1):
        if not isinstance(field, Field):
            raise ValueError(f"{type(self).__name__} steps an rd.Field(...), not {field!r}")
        family = type(self).__name__ == field.name
        name = field.name if family else f"{type(self).__name__}({field.name})"
        super().__init__(field, type(self).chain(field), dt, name)

    def __reduce__(self):
        if type(self).__init__ is not _Step.__init__:
            return super().__reduce__()
        return type(self), (self.field, self.parameters["dt"])


class Euler(_Step):
    """s <- s + dt f(s): Forward Euler, order 1."""

    tableau = EULER
    chain = staticmethod(lambda field: runge_kutta(field, EULER))


class Midpoint(_Step):
    """s <- s + dt f(s + dt/2 f(s)): the explicit midpoint rule, order 2."""

    tableau = MIDPOINT
    chain = staticmethod(lambda field: runge_kutta(field, MIDPOINT))


class RK4(_Step):
    """s <- s + dt (k_1 + 2 k_2 + 2 k_3 + k_4)/6: the classical Runge-Kutta step, order 4 (Kutta 1901)."""

    tableau = CLASSICAL
    chain = staticmethod(lambda field: runge_kutta(field, CLASSICAL))


class SymplecticEuler(_Step):
    """p <- p + dt f_p(q, p), then q <- q + dt f_q(q, p) with the new p: order 1; area is kept if the flow keeps it.

    The field's parts stand in the state's order (q before p) and move from last to first.
    Source: de Vogelaere 1956; Hairer, Lubich & Wanner, Geometric Numerical Integration, section I.1.
    """

    chain = staticmethod(symplectic)


class ExponentialEuler(_Step):
    """s <- e^z s + dt phi_1(z) (f(s) - L s), z = dt L: exact for the diagonal linear part L, order 1 in the rest.

    Source: Hochbruck & Ostermann, Exponential integrators, Acta Numerica 19 (2010) 209.
    """

    chain = staticmethod(exponential)


class Rates(_Step):
    """s <- f(s): the field itself as a map of its state, whatever dt."""

    chain = staticmethod(rates)


# By name, as a study file or a linear test chooses one.
STEPS: dict[str, type[_Step]] = {
    "euler": Euler,
    "midpoint": Midpoint,
    "rk4": RK4,
    "symplectic": SymplecticEuler,
    "exponential": ExponentialEuler,
}
