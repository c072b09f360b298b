"""Maps and flows of the textbooks as cells of a user's own, each one unit of several fields."""

import math

import numpy as np

import rnndyn as rd


def henon(x, a, s, p):
    """(x, y) <- (1 - 1.4 x^2 + y, 0.3 x)."""
    return 1.0 - 1.4 * s[0] * s[0] + s[1], 0.3 * s[0]


def standard(x, a, s, p):
    """p <- p + K sin q, then q <- q + p: areas are kept."""
    momentum = s[1] + p[0] * math.sin(s[0])
    return s[0] + momentum, momentum


def lorenz(x, a, s, p):
    """Lorenz 1963, sigma = 10, rho = 28, beta = 8/3."""
    u, v, w = s
    return 10.0 * (v - u), u * (28.0 - w) - v, u * v - 8.0 / 3.0 * w


HENON = rd.Cell("Henon", 1, 0, ("x", "y"), (rd.Stage(henon),))
STANDARD = rd.Cell("Standard", 1, 0, ("q", "p"), (rd.Stage(standard),), parameters={"K": 1.0})
LORENZ = rd.RK4(rd.Field("Lorenz", 1, 0, ("u", "v", "w"), (rd.Part(lorenz),)))

HENON_START = np.array([0.1, 0.1])
HENON_EXPONENTS = np.array([0.4192, -1.6232])


def henon_jacobian(states):
    """[[-2.8 x, 1], [0.3, 0]] at states (..., 2)."""
    found = np.zeros((*states.shape[:-1], 2, 2))
    found[..., 0, 0], found[..., 0, 1], found[..., 1, 0] = -2.8 * states[..., 0], 1.0, 0.3
    return found


def henon_starts(count):
    """Starts near each other on the attractor's side, whose orbits are independent after some tens of steps."""
    return HENON_START + 1e-2 * np.random.default_rng(0).uniform(-1, 1, size=(count, 2))
