"""Elman's simple recurrent network."""

import math

from .cell import Cell, Stage
from .language import logistic, relu, softplus


def identity(x):
    return x


ACTIVATIONS = {
    "tanh": math.tanh,
    "relu": relu,
    "logistic": logistic,
    "softplus": softplus,
    "identity": identity,
}


def rule(phi):
    def update(x, a, s, p):
        return (phi(x[0] + a[0]),)

    return update


class Elman(Cell):
    """h_t = phi(W_ih u_t + b_ih + W_hh h_{t-1} + b_hh).

    State h; gate h; phi one of tanh, relu, logistic, softplus, identity. PyTorch's `nn.RNN`.
    Source: Elman, Finding structure in time, Cognitive Science 14 (1990) 179.
    Raises ValueError for an unknown activation.
    """

    def __init__(self, units: int, inputs: int = 0, activation: str = "tanh"):
        if activation not in ACTIVATIONS:
            raise ValueError(f"Elman: unknown activation {activation!r}; one of {', '.join(ACTIVATIONS)}")
        stages = (Stage(gates=("h",), update=rule(ACTIVATIONS[activation]), sends="h", leaves=("h",)),)
        super().__init__(
            "Elman",
            units,
            inputs,
            ("h",),
            stages,
            equation=f"h = {activation}(W_ih u + b_ih + W_hh h + b_hh)",
            options={"activation": activation},
            source="Elman 1990",
        )
