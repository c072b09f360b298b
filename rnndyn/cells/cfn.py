"""Chaos-free network."""

import math

from .cell import Cell, Stage
from .language import logistic


def update(x, a, s, p):
    theta, eta = logistic(x[0] + a[0]), logistic(x[1] + a[1])
    return (theta * math.tanh(s[0]) + eta * math.tanh(x[2]),)


class CFN(Cell):
    """h_t = theta tanh(h_{t-1}) + eta tanh(W u + b_w);  theta, eta = sigma(U h_{t-1} + b_hh + V u + b_ih).

    State h; rows of weight_hh and bias_hh: theta, eta; rows of weight_ih and bias_ih: theta, eta, w. Without input the
    state decays to zero, whatever U.
    Source: Laurent & von Brecht, A recurrent neural network without chaos, ICLR 2017, equation 1.
    """

    def __init__(self, units: int, inputs: int = 0):
        super().__init__(
            "CFN",
            units,
            inputs,
            fields=("h",),
            stages=(Stage(update=update, gates=("theta", "eta"), drives=("theta", "eta", "w")),),
            equation="h = theta tanh(h) + eta tanh(W_iw u + b_iw);  theta, eta = sigma(W_ih u + b_ih + W_hh h + b_hh)",
            source="Laurent & von Brecht 2017",
        )
