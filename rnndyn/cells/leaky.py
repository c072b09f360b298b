"""Leaky and rate networks: Forward Euler steps of continuous-time networks, the weights inside or outside phi."""

from .elman import ACTIVATIONS
from .field import Field, Part
from .steps import Euler


def chosen(cell, activation):
    """phi, by name."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"{cell}: unknown activation {activation!r}; one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[activation]


def decay(p):
    return (-1.0,)


def leaky(phi):
    def rate(x, a, s, p):
        return (phi(x[0] + a[0]) - s[0],)

    return rate


def driven(x, a, s, p):
    return (x[0] + a[0] - s[0],)


def firing(phi):
    def image(s, p):
        return (phi(s[0]),)

    return image


class Leaky(Euler):
    """dh/dt = -h + phi(W_hh h + b_hh + W_ih u + b_ih), by Forward Euler: h <- (1 - dt) h + dt phi(...).

    State h; gate h; parameter dt, the leak rate alpha = (time step)/tau. phi as of `Elman`. At dt = 1 it is `Elman`.
    Source: Jaeger, Lukosevicius, Popovici & Siewert, Neural Networks 20 (2007) 335; Funahashi & Nakamura 1993 (CTRNN).
    Raises ValueError for an unknown activation.
    """

    def __init__(self, units: int, inputs: int = 0, activation: str = "tanh", dt=0.5):
        super().__init__(self.vector_field(units, inputs, activation), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, activation: str = "tanh") -> Field:
        """The flow, for other steps."""
        return Field(
            "Leaky",
            units,
            inputs,
            fields=("h",),
            parts=(Part(leaky(chosen("Leaky", activation)), gates=("h",)),),
            linear=decay,
            options={"activation": activation},
            origin=(Leaky.vector_field, (units, inputs, activation)),
            equation=f"h += dt (-h + {activation}(W_hh h + b_hh + W_ih u + b_ih))",
            source="Jaeger et al. 2007",
        )


class Rate(Euler):
    """dx/dt = -x + W_hh phi(x) + b_hh + W_ih u + b_ih, by Forward Euler: x <- x + dt (-x + J phi(x) + ...).

    State x, the currents; gate x, which sends the firing rates phi(x); parameter dt. phi as of `Elman`.
    Source: Sompolinsky, Crisanti & Sommers, Phys. Rev. Lett. 61 (1988) 259.
    Raises ValueError for an unknown activation.
    """

    def __init__(self, units: int, inputs: int = 0, activation: str = "tanh", dt=0.1):
        super().__init__(self.vector_field(units, inputs, activation), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, activation: str = "tanh") -> Field:
        """The flow, for other steps."""
        return Field(
            "Rate",
            units,
            inputs,
            fields=("x",),
            parts=(Part(driven, gates=("x",), sends="phi(x)"),),
            images=("phi(x)",),
            image=firing(chosen("Rate", activation)),
            linear=decay,
            options={"activation": activation},
            origin=(Rate.vector_field, (units, inputs, activation)),
            equation=f"x += dt (-x + W_hh {activation}(x) + b_hh + W_ih u + b_ih)",
            source="Sompolinsky et al. 1988",
        )
