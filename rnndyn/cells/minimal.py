"""Gated cells with one gate: MGU, UGRNN, MinimalRNN."""

import math

from .cell import Cell, Stage
from .language import logistic


def forget(x, a, s, p):
    f = logistic(x[0] + a[0])
    return f * s[0], f, s[0]


def renew(x, a, s, p):
    _, f, h = s
    return ((1.0 - f) * h + f * math.tanh(x[0] + a[0]),)


def update(x, a, s, p):
    c = math.tanh(x[0] + a[0])
    g = logistic(x[1] + a[1])
    return (g * s[0] + (1.0 - g) * c,)


def encode(x, a, s, p):
    return s[0], math.tanh(x[0])


def blend(x, a, s, p):
    h, z = s
    u = logistic(a[0] + a[1])
    return (u * h + (1.0 - u) * z,)


class MGU(Cell):
    """f = sigma(W_if u + b_if + W_hf h + b_hf);  h_t = (1 - f) h + f tanh(W_in u + b_in + W_hn (f h) + b_hn).

    State h; gates (row blocks) f, n.
    Source: Zhou, Wu, Zhang & Zhou, Minimal gated unit for recurrent neural networks, IJAC 13 (2016) 226.
    """

    def __init__(self, units: int, inputs: int = 0):
        super().__init__(
            "MGU",
            units,
            inputs,
            fields=("h",),
            stages=(
                Stage(update=forget, gates=("f",), leaves=("fh", "f", "h")),
                Stage(update=renew, gates=("n",), sends="fh"),
            ),
            equation="h = (1 - f) h + f tanh(W_in u + b_in + W_hn (f h) + b_hn);  f logistic",
            source="Zhou et al. 2016",
        )


class UGRNN(Cell):
    """h_t = g h + (1 - g) c;  c = tanh(...), g = sigma(...) of W_ih u + b_ih + W_hh h + b_hh.

    State h; gates (row blocks) c, g.
    Source: Collins, Sohl-Dickstein & Sussillo, Capacity and trainability in recurrent neural networks, ICLR 2017.
    """

    def __init__(self, units: int, inputs: int = 0):
        super().__init__(
            "UGRNN",
            units,
            inputs,
            fields=("h",),
            stages=(Stage(update=update, gates=("c", "g")),),
            equation="h = g h + (1 - g) c;  c tanh, g logistic",
            source="Collins et al. 2017",
        )


class MinimalRNN(Cell):
    """z = tanh(W_ih u + b_ih);  g = sigma(U_h h + b_hh + U_z z);  h_t = g h + (1 - g) z.

    State h; U_h = weight_hh, U_z = weight_hh2 (no bias); weight_ih and bias_ih encode the input.
    Source: Chen, MinimalRNN: toward more interpretable and trainable recurrent neural networks, 2017, arXiv:1711.06788.
    """

    def __init__(self, units: int, inputs: int = 0):
        super().__init__(
            "MinimalRNN",
            units,
            inputs,
            fields=("h",),
            stages=(
                Stage(update=encode, leaves=("h", "z"), drives=("z",)),
                Stage(update=blend, gates=("h", "z"), sends=("h", "z"), drives=()),
            ),
            second=("z",),
            equation="h = g h + (1 - g) z;  z = tanh(W_ih u + b_ih);  g = sigma(W_hh h + b_hh + W_hh2 z)",
            source="Chen 2017",
        )
