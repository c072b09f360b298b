"""Networks of oscillators, by the symplectic step: the velocity moves first, the new velocity moves the position."""

import math

from .field import Field, Part
from .language import logistic
from .steps import SymplecticEuler


def velocity(x, a, s, p):
    return (s[1],)


def damped(x, a, s, p):
    y, z = s
    gamma, epsilon = p
    return (math.tanh(x[0] + a[0] + a[1]) - gamma * y - epsilon * z,)


def undamped_velocity(x, a, s, p):
    _, c, _ = p
    return (logistic(c) * s[1],)


def undamped(x, a, s, p):
    y = s[0]
    w, c, alpha = p
    return (-logistic(c) * (math.tanh(x[0] + w * y) + alpha * y),)


class CoRNN(SymplecticEuler):
    """z <- z + dt (tanh(W y + b_hh + U z + W_ih u + b_ih) - gamma y - epsilon z), then y <- y + dt z with the new z.

    State [y, z], position and velocity; W = weight_hh, U = weight_hh2 (no bias); parameters gamma (frequency), epsilon
    (damping), dt.
    Source: Rusch & Mishra, Coupled oscillatory recurrent neural network (coRNN), ICLR 2021, equation 3.
    """

    def __init__(self, units: int, inputs: int = 0, gamma=2.7, epsilon=4.7, dt=0.042):
        super().__init__(self.vector_field(units, inputs, gamma, epsilon), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, gamma=2.7, epsilon=4.7) -> Field:
        """The flow, for other steps."""
        parts = (
            Part(velocity, fields=("y",)),
            Part(damped, fields=("z",), gates=("y", "z"), sends=("y", "z"), drives=("z",)),
        )
        return Field(
            "CoRNN",
            units,
            inputs,
            fields=("y", "z"),
            parts=parts,
            parameters={"gamma": gamma, "epsilon": epsilon},
            second=("z",),
            equation="z += dt (tanh(W_hh y + W_hh2 z + b_hh + W_ih u + b_ih) - gamma y - epsilon z);  y += dt z",
            source="Rusch & Mishra 2021",
        )


class UnICORNN(SymplecticEuler):
    """z <- z - dt sigma(c) (tanh(w y + W_ih u + b_ih) + alpha y), then y <- y + dt sigma(c) z with the new z.

    State [y, z]; no unit hears another: the recurrent weights w and the time scales c are parameters, N numbers each;
    alpha and dt one number. Hamiltonian: the step keeps the area of each (y, z) plane, det J = 1.
    Source: Rusch & Mishra, UnICORNN, ICML 2021, equation 4.
    """

    def __init__(self, units: int, inputs: int = 0, w=1.0, c=0.0, alpha=1.0, dt=0.1):
        super().__init__(self.vector_field(units, inputs, w, c, alpha), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, w=1.0, c=0.0, alpha=1.0) -> Field:
        """The flow, for other steps."""
        parts = Part(undamped_velocity, fields=("y",)), Part(undamped, fields=("z",), drives=("z",))
        return Field(
            "UnICORNN",
            units,
            inputs,
            fields=("y", "z"),
            parts=parts,
            parameters={"w": w, "c": c, "alpha": alpha},
            per_unit=("w", "c"),
            equation="z -= dt sigma(c) (tanh(w y + W_ih u + b_ih) + alpha y);  y += dt sigma(c) z",
            source="Rusch & Mishra 2021",
        )
