"""The theory that a figure or number can name: entries of `rnndyn.dynamics.theory.CATALOGUE`, and where they apply."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.dynamics.theory import CATALOGUE, Entry
from rnndyn.errors import InputError, suggestion
from rnndyn.sweep import matches
from rnndyn.sweep.matches import Roles, lookup, placed

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["CURVES", "LINES", "Curve", "Line", "named_curves"]

Matching = Callable[["Study", str | None, str | None], Roles]


@dataclass(frozen=True)
class Curve:
    """A curve, or points, of the catalogue over a map.

    domain: the studies that it is for, in words; `fits(study, x, y)`: its arguments beside x, numbers, or None. jumps:
    the measured variable, if any, that changes its value across it, or its sign if it is an exponent. given: arguments.
    """

    entry: Entry
    domain: str
    fits: Matching
    jumps: str | None = None
    given: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its name in a legend."""
        return self.entry.label

    def of(self, study: "Study", x: str | None, y: str | None) -> "Curve | None":
        """Return the curve with the arguments that it has in a study's map over x and y, None if it does not apply."""
        found = self.fits(study, x, y)
        return None if found is None else replace(self, given=found)

    def applies(self, study: "Study", x: str | None, y: str | None) -> bool:
        """Whether it is of a study's map over x and y."""
        return self.of(study, x, y) is not None

    def polylines(self, low: float, high: float, count: int = 4001) -> list[NDArray[np.float64]]:
        """Return its branches between two values of x, each as points (n, 2)."""
        return self.entry.polylines(low, high, count, **self.given)

    def height(self, x: float, near: float) -> float:
        """Return its y at x: of several branches, that which is nearest."""
        y = self.entry.branches(np.array([x]), **self.given)[:, 0]
        return float(y[np.nanargmin(np.abs(y - near))]) if np.isfinite(y).any() else float("nan")


def named_curves(names: Any) -> list[Curve]:
    """Return the curves and points of the catalogue, of any study: names, or {name: arguments beside x}.

    Raises InputError for what is none, for an argument that it does not have, and for one that is missing.
    """
    names = [names] if isinstance(names, str) else names
    given = names if isinstance(names, Mapping) else {name: {} for name in names}
    known, found = {name: entry for name, entry in CATALOGUE.items() if entry.kind != "value"}, []
    for name, arguments in given.items():
        if name not in known:
            raise InputError(f"theory: no curve {name!r}; {suggestion(name, known)}")
        own = dict(list(known[name].arguments.items())[known[name].kind == "curve" :])
        for argument in arguments:
            if argument not in own:
                raise InputError(f"theory {name!r}: no argument {argument!r}; {suggestion(argument, own)}")
        for argument, default in own.items():
            if default is None and argument not in arguments:
                raise InputError(f"theory {name!r}: give {argument}, as in {{{name!r}: {{{argument!r}: 1.0}}}}")
        curve = CURVES.get(name) or Curve(known[name], "", lambda *_: None)
        found.append(replace(curve, given=dict(arguments)))
    return found


@dataclass(frozen=True)
class Line:
    """A value of the catalogue for a variable. `roles(study)`: {its argument: number or axis}, or None.

    Its function takes them, and `lag` if it is a log gradient norm, as arrays that broadcast.
    """

    entry: Entry
    of: str
    domain: str
    roles: Callable[["Study"], Roles]

    @property
    def label(self) -> str:
        """Its name in a legend."""
        return self.entry.label

    def values(self, study: "Study", point: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return the theory at the axis values (and `lag`) in `point`, numbers or arrays that broadcast."""
        roles = self.roles(study)
        assert roles is not None, "checked when the study was read"
        given = {role: lookup(entry, point) for role, entry in roles.items()}
        if self.of == "log_norms":
            given["lag"] = np.asarray(point["lag"], dtype=np.float64)
        return np.asarray(self.entry(**given))


ZERO = 'from initial_state = "zero"'
UNIT = "one {} unit (Elman, units = 1) with weight_hh on the x axis and one bias on the y axis"
TANH, LOGISTIC = UNIT.format("tanh"), UNIT.format("logistic")
NOISY = (
    'a tanh network (Elman) with weight_hh = { init = "normal", ... }; undriven, or with weight_ih = '
    '{ init = "identity" } and [inputs] of kind = "normal"'
)
PLANE = 'two units with {} = [["x", "-y"], ["y", "x"]] in weight_hh, x and y being the axes, ' + ZERO
RANDOM = '{} with weight_hh = {{ init = "normal", ... }}' + f", {ZERO}"
RANDOM_RATE = 'of a random tanh network (Elman, Leaky, Rate) with weight_hh = { init = "normal", ... } and dt alone'
TURNING = 'GRU with step = "euler", weight_hh = { n = { init = "rotation", angle = ..., gain = ... } } and dt, ' + ZERO
FLOW = 'a LinearFlow of two units with rate = re and weight_hh = [[0, "-im"], ["im", 0]]'
OSCILLATOR = "an Oscillator of one unit with dt = 1, the damping being the x axis and omega the y axis"
PLANE_OF_Z = f'{FLOW} and dt = 1, or of Linear with W = [["1 + re", "-im"], ["im", "1 + re"]], re and im being the axes'
ANTISYMMETRIC = "Antisymmetric cell with a matrix of numbers, gamma and dt alone, " + ZERO


def _unit(activation: str) -> Matching:
    return lambda study, x, y: matches.unit_map(study, activation, x, y)


def _plane(kind: str) -> Matching:
    def fits(study: "Study", x: str | None, y: str | None) -> Roles:
        roles = matches.gated_plane(study, kind, x, y)
        return None if roles is None or any(isinstance(value, str) for value in roles.values()) else roles

    return fits


def _gated_gain(kind: str, over: str) -> Matching:
    def fits(study: "Study", x: str | None, y: str | None) -> Roles:
        rest = placed(matches.random_gated(study, kind), x, y, over, "gain")
        return rest if rest is None or kind == "LSTM" else {}

    return fits


def _over(roles: Callable[["Study"], Roles], over: str, up: str) -> Matching:
    return lambda study, x, y: placed(roles(study), x, y, over, up)


def _example(study: "Study", x: str | None, y: str | None) -> Roles:
    rest = placed(matches.antisymmetric(study), x, y, "gamma", "dt")
    return {} if study.cell.units == 2 and rest is not None and np.isclose(rest["omega"], 2.0) else None


def _noise(study: "Study", x: str | None, y: str | None) -> Roles:
    return placed(matches.random_tanh(study), x, y, "gain", "noise")


def _curve(name: str, domain: str, fits: Matching, jumps: str | None = None) -> tuple[str, Curve]:
    return name, Curve(CATALOGUE[name], domain, fits, jumps)


CURVES = dict([
    _curve("tanh_fold", TANH, _unit("tanh"), "attractors"),
    _curve("tanh_flip", TANH, _unit("tanh"), "period"),
    _curve("tanh_cusp", TANH, _unit("tanh")),
    _curve("logistic_fold", LOGISTIC, _unit("logistic"), "attractors"),
    _curve("logistic_flip", LOGISTIC, _unit("logistic"), "period"),
    _curve("logistic_cusp", LOGISTIC, _unit("logistic")),
    _curve("lstm_circle", f"an LSTM of {PLANE.format('g')}", _plane("LSTM"), "exponents"),
    _curve("gru_circle", f"a GRU of {PLANE.format('n')}", _plane("GRU"), "exponents"),
    _curve(
        "lstm_critical_gain",
        f"an {RANDOM.format('LSTM')}, with the forget bias on the x axis and the gain on the y axis",
        _gated_gain("LSTM", "forget"),
    ),
    _curve(
        "gru_critical_gain",
        f"a {RANDOM.format('GRU')}, with the reset bias on the x axis and the gain on the y axis",
        _gated_gain("GRU", "reset"),
    ),
    _curve(
        "antisymmetric_limit",
        f"an {ANTISYMMETRIC}, with gamma on the x axis and dt on the y axis",
        _over(matches.antisymmetric, "gamma", "dt"),
        "exponents",
    ),
    _curve(
        "antisymmetric_example",
        f"an {ANTISYMMETRIC}, of two units that turn at omega = 2, with gamma on the x axis and dt on the y axis",
        _example,
    ),
    _curve(
        "rotation_gru",
        f"a {TURNING}, with dt on the x axis and the angle on the y axis",
        _over(matches.rotation_gru, "e", "alpha"),
        "exponents",
    ),
    *(_curve(f"{step}_region", PLANE_OF_Z, matches.plane_of_z) for step in ("euler", "midpoint", "rk4", "exponential")),
    *(_curve(f"{step}_oscillator", OSCILLATOR, matches.oscillator) for step in ("symplectic", "euler")),
    _curve("critical_noise", f"{NOISY}, with the gain on the x axis and the noise's scale on the y axis", _noise),
    _curve(
        "critical_initialisation",
        'a tanh network (Elman) with weight_hh = { init = "normal", gain = "y" } and bias_hh = { init = "normal", '
        'gain = "sqrt(N) * x" } (the number itself), x and y being the axes',
        matches.random_layers,
    ),
])  # fmt: skip


def _line(name: str, of: str, whose: str, roles: Callable[["Study"], Roles]) -> tuple[str, Line]:
    return name, Line(CATALOGUE[name], of, f"{of} {whose}", roles)


def _gated(kind: str) -> Callable[["Study"], Roles]:
    return lambda study: matches.random_gated(study, kind)


LINES = dict([
    _line("linear_power", "log_norms", "of one linear unit (Linear, units = 1)", matches.linear_unit),
    _line(
        "forget_gate",
        "log_norms",
        'of an LSTM with bias_hh = { f = ... }, of a loss on "c"',
        matches.forget_gate,
    ),
    _line("tanh_exponent", "exponents", "of one tanh unit (Elman, units = 1) with weight_hh alone", matches.tanh_unit),
    _line("antisymmetric_exponent", "exponents", f"of an {ANTISYMMETRIC}", matches.antisymmetric),
    _line("rotation_gru_exponent", "exponents", f"of a {TURNING}", matches.rotation_gru),
    _line("linear_pair", "exponents", "of two Linear units with weight_hh = [[a, -b], [b, a]]", matches.linear_pair),
    *(
        _line(f"{step}_growth", "exponents", f"of {FLOW} that the step {step} takes", matches.linear_flow)
        for step in ("euler", "midpoint", "rk4", "exponential")
    ),
    _line("plain_origin_exponent", "exponents", f"of an {RANDOM.format('Elman cell')}", matches.random_plain),
    _line("lstm_origin_exponent", "exponents", f"of an {RANDOM.format('LSTM')}", _gated("LSTM")),
    _line("gru_origin_exponent", "exponents", f"of a {RANDOM.format('GRU')}", _gated("GRU")),
    _line("mean_field", "exponents", f"of {NOISY}", matches.random_tanh),
    _line("mean_field_rate", "exponents", RANDOM_RATE, matches.random_rate),
    _line("mean_field_per_time", "exponent_per_time", RANDOM_RATE, matches.random_rate),
    _line("mean_field_mean", "mean_exponent", RANDOM_RATE, matches.random_rate),
    _line("mean_field_mean_per_time", "mean_exponent_per_time", RANDOM_RATE, matches.random_rate),
])  # fmt: skip
