"""Antisymmetric networks: Forward Euler steps of a flow whose Jacobian has eigenvalues near the imaginary axis."""

import math

from .field import Field, Part
from .language import logistic
from .steps import Euler


def plain(x, a, s, p):
    (gamma,) = p
    return (math.tanh(x[0] + a[0] - a[1] - gamma * s[0]),)


def gated(x, a, s, p):
    (gamma,) = p
    pull = a[0] - a[1] - gamma * s[0]
    return (logistic(x[0] + pull) * math.tanh(x[1] + pull),)


class Antisymmetric(Euler):
    """h <- h + dt tanh((W - W^T - gamma I) h + b_hh + W_ih u + b_ih), W = weight_hh.

    State h; gates h (W) and its transpose; parameters gamma (diffusion) and dt (the paper's epsilon). Gradients are
    those of W itself.
    Source: Chang, Chen, Haber & Chi, AntisymmetricRNN, ICLR 2019, equation 11.
    """

    def __init__(self, units: int, inputs: int = 0, gamma=0.01, dt=0.1):
        super().__init__(self.vector_field(units, inputs, gamma), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, gamma=0.01) -> Field:
        """The flow, for other steps."""
        return Field(
            "Antisymmetric",
            units,
            inputs,
            fields=("h",),
            parts=(Part(plain, gates=("h", "h.T")),),
            parameters={"gamma": gamma},
            equation="h += dt tanh((W_hh - W_hh^T - gamma) h + b_hh + W_ih u + b_ih)",
            source="Chang et al. 2019",
        )


class GatedAntisymmetric(Euler):
    """h <- h + dt z tanh(M h + b_hh + W_ih u + b_ih), z = sigma(M h + b_hh + W_iz u + b_iz), M = W - W^T - gamma I.

    State h; weight_hh (N, N) and bias_hh (N) are shared by the gate and the candidate; rows of weight_ih and bias_ih:
    z, h; parameters gamma and dt.
    Source: Chang, Chen, Haber & Chi, AntisymmetricRNN, ICLR 2019, equations 13 and 14.
    """

    def __init__(self, units: int, inputs: int = 0, gamma=0.01, dt=0.1):
        super().__init__(self.vector_field(units, inputs, gamma), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, gamma=0.01) -> Field:
        """The flow, for other steps."""
        return Field(
            "GatedAntisymmetric",
            units,
            inputs,
            fields=("h",),
            parts=(Part(gated, gates=("h", "h.T"), drives=("z", "h")),),
            parameters={"gamma": gamma},
            equation="h += dt z tanh(M h + W_ih u + b);  z = sigma(M h + W_iz u + b);  M = W_hh - W_hh^T - gamma",
            source="Chang et al. 2019",
        )
