"""Long expressive memory: two states with learnt time steps of their own."""

import math

from .cell import Cell, Stage
from .language import logistic


def slow(x, a, s, p):
    y, z = s
    (dt,) = p
    step = dt * logistic(x[0] + a[0])
    other = dt * logistic(x[1] + a[1])
    return y, (1.0 - step) * z + step * math.tanh(x[2] + a[2]), other


def fast(x, a, s, p):
    y, z, step = s
    return (1.0 - step) * y + step * math.tanh(x[0] + a[0]), z


class LEM(Cell):
    """z <- (1 - d) z + d tanh(W_z y + V_z u + b_z), then y <- (1 - e) y + e tanh(W_y z + V_y u + b_y) with the new z;
    d = dt sigma(W_1 y + V_1 u + b_1), e = dt sigma(W_2 y + V_2 u + b_2).

    State [y, z]; gates (row blocks) d, e, z, y; parameter dt, the largest time step.
    Source: Rusch, Mishra, Erichson & Mahoney, Long expressive memory for sequence modeling, ICLR 2022, equation 3.
    """

    def __init__(self, units: int, inputs: int = 0, dt=1.0):
        super().__init__(
            "LEM",
            units,
            inputs,
            fields=("y", "z"),
            stages=(
                Stage(update=slow, gates=("d", "e", "z"), sends="y", leaves=("y", "z", "e")),
                Stage(update=fast, gates=("y",), sends="z"),
            ),
            parameters={"dt": dt},
            equation="z = (1 - d) z + d tanh(W_z y + ..);  y = (1 - e) y + e tanh(W_y z + ..);  d, e = dt sigma(..)",
            source="Rusch et al. 2022",
        )
