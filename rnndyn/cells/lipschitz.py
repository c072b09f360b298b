"""Lipschitz recurrent network: a linear part and a nonlinearity whose eigenvalues are kept in a strip."""

import math

from .field import Field, Part
from .steps import Euler


def rate(x, a, s, p):
    h = s[0]
    beta_a, gamma_a, beta_w, gamma_w = p
    linear = a[0] + (1.0 - 2.0 * beta_a) * a[1] - gamma_a * h
    inner = a[2] + (1.0 - 2.0 * beta_w) * a[3] - gamma_w * h
    return (linear + math.tanh(x[0] + inner),)


class LipschitzRNN(Euler):
    """h <- h + dt (A h + b_A + tanh(W h + b_W + W_ih u + b_ih)), each of A, W made of a matrix M, a block of weight_hh:
    (1 - beta) (M + M^T) + beta (M - M^T) - gamma I.

    State h; gates (row blocks) A, W and their transposes (b_A, which the paper lacks, is zero by default); parameters
    beta_a, gamma_a, beta_w, gamma_w, dt. Gradients are those of the matrices M.
    Source: Erichson, Azencot, Queiruga, Hodgkinson & Mahoney, Lipschitz recurrent neural networks, ICLR 2021.
    """

    def __init__(self, units: int, inputs: int = 0, beta_a=0.75, gamma_a=0.001, beta_w=0.75, gamma_w=0.001, dt=0.1):
        super().__init__(self.vector_field(units, inputs, beta_a, gamma_a, beta_w, gamma_w), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, beta_a=0.75, gamma_a=0.001, beta_w=0.75, gamma_w=0.001) -> Field:
        """The flow, for other steps."""
        return Field(
            "LipschitzRNN",
            units,
            inputs,
            fields=("h",),
            parts=(Part(rate, gates=("A", "A.T", "W", "W.T"), drives=("h",)),),
            parameters={"beta_a": beta_a, "gamma_a": gamma_a, "beta_w": beta_w, "gamma_w": gamma_w},
            equation="h += dt (A h + tanh(W h + b_hh + W_ih u + b_ih));  A, W = M + (1 - 2 beta) M^T - gamma",
            source="Erichson et al. 2021",
        )
