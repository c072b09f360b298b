"""Slow, obvious NumPy twins of the kernels: one network at a time, every derivative written out by hand.

Nothing here comes from the package. Names, shapes and gate order are PyTorch's: `weight_hh (G*N, N)`,
`weight_ih (G*N, I)`, `bias_ih (G*N)`, `bias_hh (G*N)`; LSTM rows i, f, g, o and state `[h, c]`; GRU rows r, z, n and
`h <- (1-z) n + z h`. A missing weight is zero.
"""

import math
from typing import NamedTuple

import numpy as np


def logistic(a):
    """1 / (1 + exp(-a)), from the side that does not overflow (complex arguments too, for the complex step)."""
    e = np.exp(np.where(np.real(a) > 0, -a, a))
    return np.where(np.real(a) > 0, 1 / (1 + e), e / (1 + e))


def logistic_slope(a):
    """Slope of the logistic function from the exponential, so that a saturated gate keeps it."""
    return 1 / (4 * np.cosh(a / 2) ** 2)


def tanh_slope(a):
    """Slope of tanh from the exponential, so that a saturated unit keeps it."""
    return 1 / np.cosh(a) ** 2


def softplus(a):
    """ln(1 + exp(a)) without overflow."""
    return np.where(np.real(a) > 0, a, 0) + np.log1p(np.exp(np.where(np.real(a) > 0, -a, a)))


ACTIVATIONS = {
    "identity": (lambda a: a, lambda a: np.ones_like(a)),
    "tanh": (np.tanh, tanh_slope),
    "relu": (lambda a: np.where(np.real(a) > 0, a, 0), lambda a: np.where(a > 0, 1.0, 0.0)),
    "logistic": (logistic, logistic_slope),
    "softplus": (softplus, logistic),
}


class Pullback(NamedTuple):
    """Cotangents of one step: of the old state, of the input, and of every weight."""

    state: np.ndarray
    inputs: np.ndarray
    weights: dict


class Cell:
    """What the twins of all cells share: shapes, and the two affine parts of the pre-activations."""

    gates = 1
    fields = ("h",)

    def __init__(self, units, inputs=0):
        self.units, self.inputs = units, inputs

    @property
    def state_size(self):
        """All fields one after another."""
        return len(self.fields) * self.units

    @property
    def shapes(self):
        """Every weight's name and shape."""
        rows = self.gates * self.units
        shapes = {"weight_hh": (rows, self.units), "bias_ih": (rows,), "bias_hh": (rows,)}
        return shapes | ({"weight_ih": (rows, self.inputs)} if self.inputs else {})

    def fill(self, weights):
        """The weights as float64 arrays, zeros for the missing."""
        zeros = {name: np.zeros(shape) for name, shape in self.shapes.items()}
        return zeros | {name: np.asarray(weights[name], float) for name in weights}

    def input_part(self, w, x):
        """`weight_ih x + bias_ih`."""
        return w["bias_ih"] + (w["weight_ih"] @ x if self.inputs else 0.0)

    def split(self, rows):
        """One block of rows per gate."""
        return np.split(rows, self.gates)

    def pull_affine(self, w, x, s_sent, d_input, d_recurrent):
        """Weights' and input's cotangents from those of the two pre-activations (`s_sent` went through weight_hh)."""
        weights = {"weight_hh": np.outer(d_recurrent, s_sent), "bias_ih": d_input, "bias_hh": d_recurrent}
        if not self.inputs:
            return np.zeros(0), weights
        return w["weight_ih"].T @ d_input, weights | {"weight_ih": np.outer(d_input, x)}


class Elman(Cell):
    """`h <- phi(weight_hh h + bias_hh + weight_ih x + bias_ih)`."""

    def __init__(self, units, inputs=0, activation="tanh"):
        super().__init__(units, inputs)
        self.phi, self.slope = ACTIVATIONS[activation]

    def argument(self, w, s, x):
        """The pre-activation."""
        return self.input_part(w, x) + w["weight_hh"] @ s + w["bias_hh"]

    def step(self, w, s, x):
        """The next state."""
        return self.phi(self.argument(w, s, x))

    def jacobian(self, w, s, x):
        """diag(phi') W."""
        return np.diag(self.slope(self.argument(w, s, x))) @ w["weight_hh"]

    def pullback(self, w, s, x, cotangent):
        """The cotangent through phi, then through the affine part."""
        d = self.slope(self.argument(w, s, x)) * cotangent
        d_x, d_weights = self.pull_affine(w, x, s, d, d)
        return Pullback(w["weight_hh"].T @ d, d_x, d_weights)


class Linear(Elman):
    """`h <- weight_hh h + bias_hh + weight_ih x + bias_ih`."""

    def __init__(self, units, inputs=0):
        super().__init__(units, inputs, "identity")


class LSTM(Cell):
    """`c <- f c + i g`, `h <- o tanh(c)`; rows i, f, g, o; state [h, c]."""

    gates = 4
    fields = ("h", "c")

    def arguments(self, w, s, x):
        """The four pre-activations, and c."""
        h, c = np.split(s, 2)
        return *self.split(self.input_part(w, x) + w["weight_hh"] @ h + w["bias_hh"]), c

    def step(self, w, s, x):
        """The next state."""
        i, f, g, o, c = self.arguments(w, s, x)
        c_next = logistic(f) * c + logistic(i) * np.tanh(g)
        return np.concatenate([logistic(o) * np.tanh(c_next), c_next])

    def partials(self, w, s, x):
        """d c_next / d (i, f, g, c), d h_next / d (o, c_next): vectors over the units."""
        i, f, g, o, c = self.arguments(w, s, x)
        c_next = logistic(f) * c + logistic(i) * np.tanh(g)
        by_i, by_f = logistic_slope(i) * np.tanh(g), logistic_slope(f) * c
        by_g, by_c = logistic(i) * tanh_slope(g), logistic(f)
        by_o, by_c_next = logistic_slope(o) * np.tanh(c_next), logistic(o) * tanh_slope(c_next)
        return by_i, by_f, by_g, by_c, by_o, by_c_next

    def jacobian(self, w, s, x):
        """[[dh'/dh, dh'/dc], [dc'/dh, dc'/dc]]."""
        by_i, by_f, by_g, by_c, by_o, by_c_next = (np.diag(v) for v in self.partials(w, s, x))
        w_i, w_f, w_g, w_o = self.split(w["weight_hh"])
        c_h = by_i @ w_i + by_f @ w_f + by_g @ w_g
        return np.block([[by_c_next @ c_h + by_o @ w_o, by_c_next @ by_c], [c_h, by_c]])

    def pullback(self, w, s, x, cotangent):
        """From (dh', dc') to the four pre-activations and c, then through the affine part."""
        by_i, by_f, by_g, by_c, by_o, by_c_next = self.partials(w, s, x)
        d_h, d_c = np.split(cotangent, 2)
        d_c = d_c + by_c_next * d_h
        d = np.concatenate([by_i * d_c, by_f * d_c, by_g * d_c, by_o * d_h])
        d_x, d_weights = self.pull_affine(w, x, s[: self.units], d, d)
        return Pullback(np.concatenate([w["weight_hh"].T @ d, by_c * d_c]), d_x, d_weights)


class GRU(Cell):
    """`h <- (1-z) n + z h`; rows r, z, n; the reset after the product (PyTorch) or before it."""

    gates = 3

    def __init__(self, units, inputs=0, reset_after=True):
        super().__init__(units, inputs)
        self.reset_after = reset_after

    def arguments(self, w, s, x):
        """Pre-activations of r and z, what the reset multiplies, and the pre-activation of n."""
        x_r, x_z, x_n = self.split(self.input_part(w, x))
        u_r, u_z, u_n = self.split(w["weight_hh"])
        b_r, b_z, b_n = self.split(w["bias_hh"])
        r, z = x_r + u_r @ s + b_r, x_z + u_z @ s + b_z
        reset = u_n @ s + b_n if self.reset_after else s
        n = x_n + logistic(r) * reset if self.reset_after else x_n + u_n @ (logistic(r) * reset) + b_n
        return r, z, reset, n

    def step(self, w, s, x):
        """The next state."""
        _, z, _, n = self.arguments(w, s, x)
        return logistic(-z) * np.tanh(n) + logistic(z) * s

    def jacobian(self, w, s, x):
        """Three terms: the leak z, the gate's slope, and the candidate's."""
        r, z, reset, n = self.arguments(w, s, x)
        u_r, u_z, u_n = self.split(w["weight_hh"])
        d_reset = np.diag(reset * logistic_slope(r)) @ u_r
        d_n = d_reset + np.diag(logistic(r)) @ u_n if self.reset_after else u_n @ (d_reset + np.diag(logistic(r)))
        leak = np.diag(logistic(z)) + np.diag((s - np.tanh(n)) * logistic_slope(z)) @ u_z
        return leak + np.diag(logistic(-z) * tanh_slope(n)) @ d_n

    def pullback(self, w, s, x, cotangent):
        """Through the blend, the candidate, the reset, and the affine part."""
        r, z, reset, n = self.arguments(w, s, x)
        u_n = self.split(w["weight_hh"])[2]
        d_n = logistic(-z) * tanh_slope(n) * cotangent
        d_z = (s - np.tanh(n)) * logistic_slope(z) * cotangent
        d_product = d_n * logistic(r) if self.reset_after else d_n
        d_r = (d_n if self.reset_after else u_n.T @ d_n) * reset * logistic_slope(r)
        d_input, d_recurrent = np.concatenate([d_r, d_z, d_n]), np.concatenate([d_r, d_z, d_product])
        d_x, d_weights = self.pull_affine(w, x, s, d_input, d_recurrent)
        d_s = w["weight_hh"].T @ d_recurrent
        if not self.reset_after:
            d_weights["weight_hh"][2 * self.units :] = np.outer(d_n, logistic(r) * s)
            d_s += (logistic(r) - 1) * (u_n.T @ d_n)
        return Pullback(d_s + logistic(z) * cotangent, d_x, d_weights)


def drive(cell, steps, inputs):
    """The input of every step: none is zeros, one row is constant."""
    if inputs is None:
        return np.zeros((steps, cell.inputs))
    inputs = np.asarray(inputs, float)
    return np.broadcast_to(inputs, (steps, cell.inputs)) if len(inputs) == 1 and steps else inputs


def trajectory(cell, weights, steps=None, inputs=None, state=None):
    """States 0 .. T, one row each."""
    w = cell.fill(weights)
    rows = [np.zeros(cell.state_size) if state is None else np.array(state, float)]
    for x in drive(cell, steps, inputs):
        rows.append(cell.step(w, rows[-1], x))
    return np.array(rows)


def jacobians(cell, weights, steps=None, inputs=None, state=None):
    """The Jacobian of every step along the trajectory, first step first."""
    w, rows = cell.fill(weights), trajectory(cell, weights, steps, inputs, state)
    return [cell.jacobian(w, s, x) for s, x in zip(rows, drive(cell, steps, inputs), strict=False)]


class Lyapunov(NamedTuple):
    """Exponents from large to small; for each the worst ratio of the largest growth in a block to its own; all logs."""

    exponents: np.ndarray
    conditioning: np.ndarray
    blocks: np.ndarray


def positive_qr(frame):
    """Q and the growth factors; a column that keeps only rounding noise after projection has grown by zero."""
    q, r = np.linalg.qr(frame)
    growth = np.abs(np.diag(r))
    noise = 8 * len(frame) * np.finfo(float).eps * np.linalg.norm(frame, axis=0)
    return q, np.where(growth <= noise, 0.0, growth)


def benettin(matrices, *, transient=0, k=None, qr_every=1, seed=0, frame=None):
    """Carry a frame (random if None) by the Jacobians, QR it every `qr_every` steps, average the logs of diag R."""
    size = len(matrices[0])
    q, _ = positive_qr(np.random.default_rng(seed).normal(size=(size, k or size)) if frame is None else frame)
    for jacobian in matrices[:transient]:
        q, _ = positive_qr(jacobian @ q)
    counted, blocks = matrices[transient:], []
    for begin in range(0, len(counted), qr_every):
        for jacobian in counted[begin : begin + qr_every]:
            q = jacobian @ q
        q, growth = positive_qr(q)
        with np.errstate(divide="ignore"):
            blocks.append(np.log(growth))
    exponents = np.array([math.fsum(column) for column in np.transpose(blocks)]) / len(counted)
    spreads = np.max(blocks, axis=1, keepdims=True) - blocks
    order = np.argsort(-exponents)
    return Lyapunov(exponents[order], np.exp(np.max(spreads, axis=0))[order], np.array(blocks))


def lyapunov(cell, weights, *, steps, transient=0, inputs=None, state=None, **keywords):
    """Exponents of the network along its trajectory: `steps` count, after `transient` steps that do not."""
    return benettin(jacobians(cell, weights, transient + steps, inputs, state), transient=transient, **keywords)


class Gradients(NamedTuple):
    """What `rnndyn.gradients` returns, for one network; `sizes` adds up |terms| of the weights' sums over time."""

    weights: dict
    inputs: np.ndarray
    state: np.ndarray
    log_norms: np.ndarray
    sizes: dict


class Scaled(NamedTuple):
    """A vector times 2^power, so that it can be far beyond float64; powers of two cost no rounding."""

    vector: np.ndarray
    power: int = 0

    def rescaled(self):
        """The same with entries of order one."""
        shift = int(np.frexp(np.max(np.abs(self.vector)))[1])
        return Scaled(np.ldexp(self.vector, -shift), self.power + shift)

    def plus(self, vector):
        """The sum with a plain vector."""
        mine, other = self.rescaled(), Scaled(vector).rescaled()
        if not np.any(mine.vector) or not np.any(other.vector):
            return mine if np.any(mine.vector) else other
        top = max(mine.power, other.power)
        parts = [np.ldexp(v.vector, max(v.power - top, -4000)) for v in (mine, other)]
        return Scaled(parts[0] + parts[1], top).rescaled()

    def plain(self, array):
        """`array` times 2^power, out of range or not."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(array, np.clip(self.power, -4000, 4000))

    def log_norm(self):
        """ln of the norm, -inf for zero."""
        with np.errstate(divide="ignore"):
            return np.log(np.linalg.norm(self.vector)) + self.power * np.log(2)


def gradients(cell, weights, *, cotangent=None, cotangent_last=None, steps=None, inputs=None, state=None):
    """Backpropagation through time, by hand: the transposed Jacobian of each step, last step first."""
    w, rows = cell.fill(weights), trajectory(cell, weights, steps, inputs, state)
    xs = drive(cell, steps, inputs)
    direct = np.zeros(rows.shape) if cotangent is None else np.asarray(cotangent, float)
    if cotangent_last is not None:
        direct[-1] = cotangent_last
    d_weights, sizes = ({name: np.zeros(shape) for name, shape in cell.shapes.items()} for _ in range(2))
    d_inputs = np.zeros(xs.shape)
    log_norms = np.zeros(len(rows))
    carried = Scaled(direct[-1]).rescaled()
    log_norms[-1] = carried.log_norm()
    for t in reversed(range(len(xs))):
        pulled = cell.pullback(w, rows[t], xs[t], carried.vector)
        for name, part in pulled.weights.items():
            d_weights[name] = d_weights[name] + carried.plain(part)
            sizes[name] = sizes[name] + np.abs(carried.plain(part))
        d_inputs[t] = carried.plain(pulled.inputs)
        carried = Scaled(pulled.state, carried.power).plus(direct[t])
        log_norms[t] = carried.log_norm()
    return Gradients(d_weights, d_inputs, carried.plain(carried.vector), log_norms, sizes)
