"""One unit: the tanh map over weight and bias, the logistic unit, the skew tent map made of ReLU units."""

import math

import numpy as np

from ...cells import Elman
from .. import theory
from ..attractors import attractors
from ..echo import echo_state
from ..lyapunov import lyapunov
from .truth import Claim, pooled, truths

TRUTHS, exact = truths("exact")
PASEMANN = "Pasemann 1993"


def unit(w, b=0.0):
    """Weights of h <- phi(w h + b)."""
    return {"weight_hh": np.asarray(w, float)[..., None, None], "bias_hh": np.asarray(b, float)[..., None]}


@exact("h <- tanh(w h): ln |w| up to 1, then ln(|w| (1 - x^2)); w = 1.5, 2, 3: -0.93061, -1.79353, -3.48961", PASEMANN)
def tanh_unit(run):
    w = [0.5, -0.9, 1.5, 2.0, -2.0, 3.0]
    found = lyapunov(Elman(1), unit(w), steps=1000, transient=2000, state=[0.7], **run).exponents[:, 0]
    truth = [math.log(0.5), math.log(0.9), -0.93061020, -1.79352851, -1.79352851, -3.48960750]
    return Claim(found, truth, 5e-9)


@exact("two stable states inside |b| = sqrt(w(w-1)) - arccosh(sqrt w), one outside; w = 2: 0.53283998", PASEMANN)
def saddle_node(run):
    w = np.array([1.5, 2.0, 3.0])
    b = np.append(theory.tanh_fold(w), 0.53283998)[:, None] * [1 - 1e-3, 1 + 1e-3]
    found = attractors(Elman(1), unit(np.append(w, 2.0)[:, None], b), **run).count
    return Claim(found, [2, 1], 0)


@exact("a 2-cycle inside |b| = sqrt(|w|(|w|-1)) + arccosh(sqrt|w|), w < -1, none outside; w = -2: 2.29558715", PASEMANN)
def period_doubling(run):
    w = np.array([1.3, 2.0, 3.0])
    b = np.append(theory.tanh_flip(-w), 2.29558715)[:, None] * [1 - 1e-3, 1 + 1e-3]
    found = attractors(Elman(1), unit(-np.append(w, 2.0)[:, None], b), **run).period
    return Claim(found, [2, 1], 0)


@exact("h <- tanh(w h + b) is never chaotic: no exponent above zero by four standard errors", PASEMANN)
def never_chaotic(run):
    w, b = np.meshgrid(np.linspace(-4, 4, 32), np.linspace(-2, 2, 16))
    found = lyapunov(Elman(1), unit(w, b), steps=2000, transient=2000, **run)
    return Claim(np.maximum(found.exponents - 4 * found.stderr, 0.0), 0.0, 1e-14)


@exact("h <- sigma(5 h + b): two stable states for b between -2.65561034 and -2.34438966 only", PASEMANN)
def logistic_unit(run):
    b = np.array([-2.65561034, -2.34438966])[:, None] + 1e-3 * np.array([-1, 1])
    found = attractors(Elman(1, activation="logistic"), unit(5.0 + 0 * b, b), **run).count
    return Claim(found, [[1, 2], [2, 1]], 0)


@exact("h <- sigma(w h + b), w < -4: a 2-cycle between the two flip curves only", PASEMANN)
def logistic_flip(run):
    w = np.array([-5.0, -8.0])
    b = theory.logistic_flip(w)[..., None] + 1e-3 * np.array([-1, 1])
    found = attractors(Elman(1, activation="logistic"), unit(w[:, None] + 0 * b, b), **run).period
    return Claim(found, [[[1, 2]] * 2, [[2, 1]] * 2], 0)


@exact(
    "ReLU units that are the skew tent map, p = 0.3: -p ln p - (1-p) ln(1-p) = 0.6108643, and -inf",
    "Lasota & Mackey 1994",
)
def skew_tent(run):
    p, runs = 0.3, 64
    w = np.array([1 / p, -(1 / p + 1 / (1 - p)), 0.0])
    weights = {"weight_hh": np.stack([w, w, 0 * w]), "bias_hh": np.array([0.0, -p, 0.0])}
    start = np.zeros((runs, 3))
    start[:, 0] = np.random.default_rng(8).uniform(0.01, p, size=runs)
    found = lyapunov(Elman(3, activation="relu"), weights, steps=2000, transient=100, state=start, **run)
    return pooled(found, [float(theory.skew_tent(p)), -np.inf, -np.inf])


@exact(
    "its error bar: symbols are independent, so that one run's error is ln((1-p)/p) sqrt(p(1-p)/T)",
    "central limit theorem",
)
def error_of_the_skew_tent(run):
    p, runs, steps = 0.3, 256, 2000
    w = np.array([1 / p, -(1 / p + 1 / (1 - p)), 0.0])
    weights = {"weight_hh": np.stack([w, w, 0 * w]), "bias_hh": np.array([0.0, -p, 0.0])}
    start = np.zeros((runs, 3))
    start[:, 0] = np.random.default_rng(9).uniform(0.01, p, size=runs)
    found = lyapunov(Elman(3, activation="relu"), weights, steps=steps, transient=100, state=start, k=1, **run)
    truth = math.log((1 - p) / p) * math.sqrt(p * (1 - p) / steps)
    return Claim(found.exponents.std(ddof=1), truth, 4 * truth / math.sqrt(2 * runs))


@exact("h <- tanh(r w h) loses its echo states at r = 1/|w|, found by search", "Jaeger 2001")
def echo_state_of_a_unit(run):
    w = np.array([0.5, 1.0, 2.0])
    found = echo_state(Elman(1), unit(w), steps=100, state=[0.0], **run)
    return Claim(found.scale, 1 / w, 2 * found.stderr + 1e-12)
