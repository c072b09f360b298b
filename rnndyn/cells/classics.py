"""The flows on which steps are tested: the linear one, the oscillator, Lorenz's weather, Kepler's orbit."""

import math

from .field import Field, Part
from .steps import Euler


def linear(x, a, s, p):
    return (x[0] + a[0] + p[0] * s[0],)


def decay(p):
    return (p[0],)


def velocity(x, a, s, p):
    return (s[1],)


def spring(x, a, s, p):
    q, v = s
    omega, damping = p
    return (x[0] - omega * omega * q - damping * v,)


def convection(x, a, s, p):
    u, v, w = s
    sigma, rho, beta = p
    return x[0] + sigma * (v - u), u * (rho - w) - v, u * v - beta * w


def motion(x, a, s, p):
    return s[2], s[3]


def gravity(x, a, s, p):
    (mu,) = p
    square = s[0] * s[0] + s[1] * s[1]
    pull = mu / (square * math.sqrt(square))
    return x[0] - pull * s[0], x[1] - pull * s[1]


class LinearFlow(Euler):
    """ds/dt = (W_hh + diag(rate)) s + b_hh + W_ih u + b_ih, by Forward Euler.

    State s; gate s; parameters rate, N numbers, and dt. The exponential step takes `rate` exactly and W_hh as Euler
    does: with W_hh = 0 it is the flow itself, with rate = 0 it is Euler's. A pair of eigenvalues re +- i im is
    rate = re, W_hh = [[0, -im], [im, 0]].
    Source: Dahlquist, BIT 3 (1963) 27 (the test equation).
    """

    def __init__(self, units: int, inputs: int = 0, rate=0.0, dt=0.1):
        super().__init__(self.vector_field(units, inputs, rate), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, rate=0.0) -> Field:
        """The flow, for other steps."""
        return Field(
            "LinearFlow",
            units,
            inputs,
            fields=("s",),
            parts=(Part(linear, gates=("s",)),),
            parameters={"rate": rate},
            per_unit=("rate",),
            linear=decay,
            equation="s += dt (W_hh s + rate s + b_hh + W_ih u + b_ih)",
            source="Dahlquist 1963",
        )


class Oscillator(Euler):
    """dq/dt = p, dp/dt = -omega^2 q - damping p + W_ih u + b_ih, by Forward Euler; units do not hear each other.

    State [q, p]; parameters omega and damping, N numbers each, and dt. Eigenvalues -damping/2 +- i sqrt(omega^2 -
    damping^2/4): re +- i im is omega^2 = re^2 + im^2, damping = -2 re, the linear test of a step that moves p first.
    Source: Hairer, Lubich & Wanner, Geometric Numerical Integration, section I.1.
    """

    def __init__(self, units: int, inputs: int = 0, omega=1.0, damping=0.0, dt=0.1):
        super().__init__(self.vector_field(units, inputs, omega, damping), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, omega=1.0, damping=0.0) -> Field:
        """The flow, for other steps."""
        return Field(
            "Oscillator",
            units,
            inputs,
            fields=("q", "p"),
            parts=(Part(velocity, fields=("q",)), Part(spring, fields=("p",), drives=("p",))),
            parameters={"omega": omega, "damping": damping},
            per_unit=("omega", "damping"),
            equation="p += dt (-omega^2 q - damping p + W_ih u + b_ih);  q += dt p, the old one",
            source="Hairer et al. 2006",
        )


class Lorenz(Euler):
    """dx/dt = sigma (y - x) + W_ih u + b_ih, dy/dt = x (rho - z) - y, dz/dt = x y - beta z, by Forward Euler.

    State [x, y, z]; parameters sigma, rho, beta and dt; each unit is a system of its own (`units=1` is Lorenz's). The
    exponents of the flow sum to -(sigma + 1 + beta); those of the parameters' defaults are 0.9056, 0, -14.572.
    Source: Lorenz, Deterministic nonperiodic flow, J. Atmos. Sci. 20 (1963) 130.
    """

    def __init__(self, units: int, inputs: int = 0, sigma=10.0, rho=28.0, beta=8 / 3, dt=0.01):
        super().__init__(self.vector_field(units, inputs, sigma, rho, beta), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, sigma=10.0, rho=28.0, beta=8 / 3) -> Field:
        """The flow, for other steps."""
        return Field(
            "Lorenz",
            units,
            inputs,
            fields=("x", "y", "z"),
            parts=(Part(convection, drives=("x",)),),
            parameters={"sigma": sigma, "rho": rho, "beta": beta},
            equation="x += dt (sigma (y - x) + W_ih u + b_ih);  y += dt (x (rho - z) - y);  z += dt (x y - beta z)",
            source="Lorenz 1963",
        )


class Kepler(Euler):
    """dq/dt = p, dp/dt = -mu q/|q|^3 + W_ih u + b_ih, q and p vectors of the plane, by Forward Euler.

    State [qx, qy, px, py], a start of which q = 0 is none; parameters mu (of the sun) and dt; each unit is a planet
    that feels the sun alone. |p|^2/2 - mu/|q| and qx py - qy px stay, without input. From q = (1 - e, 0),
    p = (0, sqrt((1 + e)/(1 - e))) and mu = 1: the ellipse of eccentricity e with half axis 1 and period 2 pi.
    Source: Hairer, Lubich & Wanner, Geometric Numerical Integration, section I.2.
    """

    def __init__(self, units: int, inputs: int = 0, mu=1.0, dt=0.01):
        super().__init__(self.vector_field(units, inputs, mu), dt)

    @staticmethod
    def vector_field(units: int, inputs: int = 0, mu=1.0) -> Field:
        """The flow, for other steps."""
        parts = Part(motion, fields=("qx", "qy")), Part(gravity, fields=("px", "py"), drives=("px", "py"))
        return Field(
            "Kepler",
            units,
            inputs,
            fields=("qx", "qy", "px", "py"),
            parts=parts,
            parameters={"mu": mu},
            equation="p += dt (-mu q/r^3 + W_ih u + b_ih);  q += dt p, the old one;  r the length of q",
            source="Hairer et al. 2006",
        )
