"""Piecewise-linear recurrent network."""

from .cell import Cell, Stage
from .language import relu


def rectify(x, a, s, p):
    return s[0], relu(s[0])


def update(x, a, s, p):
    return (p[0] * s[0] + x[0] + a[0],)


class PLRNN(Cell):
    """z_t = A z_{t-1} + W max(z_{t-1}, 0) + b_hh + W_ih u + b_ih, A = diag(a).

    State z; gate z; parameter a, N numbers. The paper keeps the diagonal of W = weight_hh zero, as `a` stands for it,
    and has thresholds, max(z - theta, 0), which are left out here (theta = 0).
    Source: Durstewitz, A state space approach for piecewise-linear recurrent neural networks, PLoS Comput. Biol. 13
    (2017) e1005542, equation 1.
    """

    def __init__(self, units: int, inputs: int = 0, a=0.5):
        super().__init__(
            "PLRNN",
            units,
            inputs,
            fields=("z",),
            stages=(
                Stage(update=rectify, leaves=("z", "max(z, 0)")),
                Stage(update=update, gates=("z",), sends="max(z, 0)"),
            ),
            parameters={"a": a},
            per_unit=("a",),
            equation="z = a z + W_hh max(z, 0) + b_hh + W_ih u + b_ih",
            source="Durstewitz 2017",
        )
