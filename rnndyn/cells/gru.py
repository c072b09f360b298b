"""Gated recurrent unit, with the reset after or before the product."""

import math

from .cell import Cell, Stage
from .field import Field, Part
from .language import logistic


def gates_after(x, a):
    r = logistic(x[0] + a[0])
    z = logistic(x[1] + a[1])
    return z, math.tanh(x[2] + r * a[2])


def update_after(x, a, s, p):
    z, n = gates_after(x, a)
    return ((1.0 - z) * n + z * s[0],)


def approach(x, a, s, p):
    z, n = gates_after(x, a)
    return ((1.0 - z) * (n - s[0]),)


def gate(x, a, s, p):
    (h,) = s
    r = logistic(x[0] + a[0])
    z = logistic(x[1] + a[1])
    return r * h, z, h


def update_before(x, a, s, p):
    _, z, h = s
    n = math.tanh(x[0] + a[0])
    return ((1.0 - z) * n + z * h,)


class GRU(Cell):
    """r, z = sigma(W_ih u_t + b_ih + W_hh h_{t-1} + b_hh);  h_t = (1 - z) n + z h_{t-1}, where
    n = tanh(W_in u + b_in + r (W_hn h + b_hn)) if `reset_after` (PyTorch's `nn.GRU`), else
    n = tanh(W_in u + b_in + W_hn (r h) + b_hn).

    State h; gates (row blocks) r, z, n.
    Source: Cho et al. 2014 (reset before the product); Appleyard et al. 2016 (after).
    """

    def __init__(self, units: int, inputs: int = 0, reset_after: bool = True):
        if reset_after:
            stages: tuple[Stage, ...] = (Stage(gates=("r", "z", "n"), update=update_after, sends="h", leaves=("h",)),)
            candidate = "tanh(W_in u + b_in + r (W_hn h + b_hn))"
        else:
            stages = (
                Stage(gates=("r", "z"), update=gate, sends="h", leaves=("rh", "z", "h")),
                Stage(gates=("n",), update=update_before, sends="rh", leaves=("h",)),
            )
            candidate = "tanh(W_in u + b_in + W_hn (r h) + b_hn)"
        super().__init__(
            "GRU",
            units,
            inputs,
            ("h",),
            stages,
            equation=f"h = (1 - z) n + z h;  n = {candidate};  r, z logistic",
            options={"reset_after": bool(reset_after)},
            source="Cho et al. 2014",
        )

    @staticmethod
    def vector_field(units: int, inputs: int = 0) -> Field:
        """dh/dt = (1 - z)(n - h), the reset after the product: `Euler` of it with dt = 1 is the GRU."""
        return Field(
            "GRU",
            units,
            inputs,
            fields=("h",),
            parts=(Part(approach, gates=("r", "z", "n")),),
            equation="h += dt (1 - z)(n - h);  n = tanh(W_in u + b_in + r (W_hn h + b_hn));  r, z logistic",
            source="Cho et al. 2014",
        )
