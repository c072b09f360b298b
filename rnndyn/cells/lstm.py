"""Long short-term memory."""

import math

from .cell import Cell, Stage
from .language import logistic

# Two stages, the cell's value and then what it shows: derivatives go through c once, as 6 numbers a unit and not the 9
# of one stage. BPTT of 8 units takes a tenth less time for it, with inputs a fifth, the first exponent an eighth.


def gates(x, a):
    return logistic(x[0] + a[0]), logistic(x[1] + a[1]), math.tanh(x[2] + a[2])


def remember(x, a, s, p):
    h, c = s
    i, f, g = gates(x, a)
    return h, f * c + i * g


def show(x, a, s, p):
    _, c = s
    return logistic(x[0] + a[0]) * math.tanh(c), c


def remember_some(x, a, s, p):
    h, c = s
    i, f, g = gates(x, a)
    return h, c + p[0] * (i * g - (1.0 - f) * c)


def remember_peeping(x, a, s, p):
    h, c = s
    p_i, p_f, _ = p
    i, f, g = logistic(x[0] + a[0] + p_i * c), logistic(x[1] + a[1] + p_f * c), math.tanh(x[2] + a[2])
    return h, f * c + i * g


def show_peeping(x, a, s, p):
    _, c = s
    return logistic(x[0] + a[0] + p[2] * c) * math.tanh(c), c


def stages(remember, show=show):
    """c from the gates i, f, g; then h from the gate o, which the old h drives too."""
    return Stage(gates=("i", "f", "g"), update=remember), Stage(gates=("o",), update=show)


class LSTM(Cell):
    """i, f, o = sigma(...), g = tanh(...) of W_ih u_t + b_ih + W_hh h_{t-1} + b_hh;
    c_t = f c_{t-1} + i g;  h_t = o tanh(c_t).

    State [h, c]; gates (row blocks) i, f, g, o, as in PyTorch's `nn.LSTM`.
    Source: Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000.
    """

    def __init__(self, units: int, inputs: int = 0):
        super().__init__(
            "LSTM",
            units,
            inputs,
            ("h", "c"),
            stages(remember),
            equation="c = f c + i g;  h = o tanh(c);  i, f, o logistic, g tanh",
            source="Hochreiter & Schmidhuber 1997; Gers et al. 2000",
        )


class EulerLSTM(Cell):
    """dc/dt = i g - (1 - f) c by Forward Euler, c <- c + dt (i g - (1 - f) c), and h_t = o tanh(c) of the new c.

    State [h, c]; gates (row blocks) i, f, g, o as in `LSTM`, which it is at dt = 1; parameter dt. Only c has a rate: h
    is made anew at every step, so that for small dt it follows the solution of h = o(h) tanh(c) if the step in h alone
    settles there, and N exponents are of order 1 per step whatever dt is, the others of order dt.
    Source: Tallec & Ollivier, Can recurrent neural networks warp time?, ICLR 2018, section 1 (gates as time steps).
    """

    def __init__(self, units: int, inputs: int = 0, dt=1.0):
        super().__init__(
            "EulerLSTM",
            units,
            inputs,
            ("h", "c"),
            stages(remember_some),
            parameters={"dt": dt},
            equation="c += dt (i g - (1 - f) c);  h = o tanh(c);  i, f, o logistic, g tanh",
            source="Tallec & Ollivier 2018",
        )


class PeepholeLSTM(Cell):
    """As `LSTM`, but the gates see the cell: i += p_i c_{t-1}, f += p_f c_{t-1}, o += p_o c_t inside their sigma.

    State [h, c]; gates (row blocks) i, f, g, o; parameters p_i, p_f, p_o, N numbers each.
    Source: Gers, Schraudolph & Schmidhuber, Learning precise timing with LSTM recurrent networks, JMLR 3 (2002) 115.
    """

    def __init__(self, units: int, inputs: int = 0, p_i=0.0, p_f=0.0, p_o=0.0):
        super().__init__(
            "PeepholeLSTM",
            units,
            inputs,
            ("h", "c"),
            stages(remember_peeping, show_peeping),
            parameters={"p_i": p_i, "p_f": p_f, "p_o": p_o},
            per_unit=("p_i", "p_f", "p_o"),
            equation="as LSTM;  i, f see p_i c, p_f c, o sees p_o times the new c",
            source="Gers et al. 2002",
        )
