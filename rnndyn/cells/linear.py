"""Linear recurrence: the state is a sum of powers of the weights."""

from .cell import Cell, Stage


def update(x, a, s, p):
    return (x[0] + a[0],)


class Linear(Cell):
    """h_t = W_hh h_{t-1} + b_hh + W_ih u_t + b_ih.

    State h; gate h; weights `weight_hh (N, N)`, `weight_ih (N, I)`, `bias_hh`, `bias_ih (N,)`.
    """

    def __init__(self, units: int, inputs: int = 0):
        stages = (Stage(gates=("h",), update=update, sends="h", leaves=("h",)),)
        super().__init__(
            "Linear", units, inputs, ("h",), stages, equation="h = W_hh h + b_hh + W_ih u + b_ih", source="linear map"
        )
