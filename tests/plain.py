"""One step of each cell written out plainly, from its paper; nothing here comes from the package.

`step(xp, w, s, u)`: xp is NumPy (real or complex arrays, so that Jacobians come from the complex step) or PyTorch (so
that gradients come from autograd); w maps names to arrays, s is the whole state, u the input of one step.
"""

import numpy as np
import twin


def sigma(xp, a):
    """The logistic function."""
    return 1 / (1 + xp.exp(-a))


def affine(w, v, u):
    """weight_hh v + bias_hh + weight_ih u + bias_ih, the same rows in all."""
    return w["weight_hh"] @ v + w["bias_hh"] + w["weight_ih"] @ u + w["bias_ih"]


def drive(w, u):
    """weight_ih u + bias_ih."""
    return w["weight_ih"] @ u + w["bias_ih"]


def blocks(rows, n):
    """Row blocks of n."""
    return [rows[k : k + n] for k in range(0, rows.shape[0], n)]


def leaky(xp, w, s, u):
    return (1 - w["dt"]) * s + w["dt"] * xp.tanh(affine(w, s, u))


def rate_flow(xp, w, s, u):
    return -s + affine(w, xp.tanh(s), u)


def rate(xp, w, s, u):
    return s + w["dt"] * rate_flow(xp, w, s, u)


def antisymmetric(xp, w, s, u):
    m = w["weight_hh"] - w["weight_hh"].T
    return s + w["dt"] * xp.tanh(m @ s - w["gamma"] * s + w["bias_hh"] + drive(w, u))


def gated_antisymmetric(xp, w, s, u):
    m = (w["weight_hh"] - w["weight_hh"].T) @ s - w["gamma"] * s + w["bias_hh"]
    z, h = blocks(drive(w, u), len(s))
    return s + w["dt"] * sigma(xp, m + z) * xp.tanh(m + h)


def cornn_flow(xp, w, s, u):
    y, z = blocks(s, len(s) // 2)
    force = xp.tanh(w["weight_hh"] @ y + w["bias_hh"] + w["weight_hh2"] @ z + drive(w, u))
    return xp.concatenate([z, force - w["gamma"] * y - w["epsilon"] * z])


def cornn(xp, w, s, u):
    n = len(s) // 2
    z = s[n:] + w["dt"] * cornn_flow(xp, w, s, u)[n:]
    return xp.concatenate([s[:n] + w["dt"] * z, z])


def unicornn(xp, w, s, u):
    y, z = blocks(s, len(s) // 2)
    step = w["dt"] * (0.5 + 0.5 * xp.tanh(w["c"] / 2))
    z = z - step * (xp.tanh(w["w"] * y + drive(w, u)) + w["alpha"] * y)
    return xp.concatenate([y + step * z, z])


def lem(xp, w, s, u):
    n = len(s) // 2
    y, z = blocks(s, n)
    x = drive(w, u) + w["bias_hh"]
    first, second, third = (
        (w["weight_hh"][: 3 * n] @ y)[:n],
        (w["weight_hh"] @ y)[n : 2 * n],
        (w["weight_hh"] @ y)[2 * n :],
    )
    d, e = w["dt"] * sigma(xp, first + x[:n]), w["dt"] * sigma(xp, second + x[n : 2 * n])
    z = (1 - d) * z + d * xp.tanh(third[:n] + x[2 * n : 3 * n])
    return xp.concatenate([(1 - e) * y + e * xp.tanh(w["weight_hh"][3 * n :] @ z + x[3 * n :]), z])


def cfn(xp, w, s, u):
    n = len(s)
    x, a = drive(w, u), w["weight_hh"] @ s + w["bias_hh"]
    return sigma(xp, x[:n] + a[:n]) * xp.tanh(s) + sigma(xp, x[n : 2 * n] + a[n:]) * xp.tanh(x[2 * n :])


def mgu(xp, w, s, u):
    n = len(s)
    x = drive(w, u) + w["bias_hh"]
    f = sigma(xp, w["weight_hh"][:n] @ s + x[:n])
    return (1 - f) * s + f * xp.tanh(w["weight_hh"][n:] @ (f * s) + x[n:])


def ugrnn(xp, w, s, u):
    c, g = blocks(affine(w, s, u), len(s))
    return sigma(xp, g) * s + (1 - sigma(xp, g)) * xp.tanh(c)


def minimal(xp, w, s, u):
    z = xp.tanh(drive(w, u))
    g = sigma(xp, w["weight_hh"] @ s + w["bias_hh"] + w["weight_hh2"] @ z)
    return g * s + (1 - g) * z


def lipschitz(xp, w, s, u):
    n = len(s)

    def matrix(m, beta, gamma):
        return ((1 - beta) * (m + m.T) + beta * (m - m.T)) @ s - gamma * s

    linear = matrix(w["weight_hh"][:n], w["beta_a"], w["gamma_a"]) + w["bias_hh"][:n]
    inner = matrix(w["weight_hh"][n:], w["beta_w"], w["gamma_w"]) + w["bias_hh"][n:]
    return s + w["dt"] * (linear + xp.tanh(inner + drive(w, u)))


def plrnn(xp, w, s, u):
    return w["a"] * s + affine(w, s * (s.real > 0), u)


def peephole(xp, w, s, u):
    h, c = blocks(s, len(s) // 2)
    i, f, g, o = blocks(affine(w, h, u), len(c))
    new = sigma(xp, f + w["p_f"] * c) * c + sigma(xp, i + w["p_i"] * c) * xp.tanh(g)
    return xp.concatenate([sigma(xp, o + w["p_o"] * new) * xp.tanh(new), new])


def linear_flow(xp, w, s, u):
    return s + w["dt"] * (affine(w, s, u) + w["rate"] * s)


def oscillator(xp, w, s, u):
    q, p = blocks(s, len(s) // 2)
    return xp.concatenate([q + w["dt"] * p, p + w["dt"] * (drive(w, u) - w["omega"] ** 2 * q - w["damping"] * p)])


def lorenz(xp, w, s, u):
    x, y, z = blocks(s, len(s) // 3)
    moved = [w["sigma"] * (y - x) + drive(w, u), x * (w["rho"] - z) - y, x * y - w["beta"] * z]
    return s + w["dt"] * xp.concatenate(moved)


def kepler(xp, w, s, u):
    n = len(s) // 4
    pull = w["mu"] / (s[:n] ** 2 + s[n : 2 * n] ** 2) ** 1.5
    force = drive(w, u) - xp.concatenate([pull, pull]) * s[: 2 * n]
    return s + w["dt"] * xp.concatenate([s[2 * n :], force])


def gru_by_euler(xp, w, s, u):
    n = len(s)
    x, a = drive(w, u), w["weight_hh"] @ s + w["bias_hh"]
    r, z = sigma(xp, x[:n] + a[:n]), sigma(xp, x[n : 2 * n] + a[n : 2 * n])
    return s + w["dt"] * (1 - z) * (xp.tanh(x[2 * n :] + r * a[2 * n :]) - s)


def lstm_by_euler(xp, w, s, u):
    h, c = blocks(s, len(s) // 2)
    i, f, g, o = blocks(affine(w, h, u), len(c))
    new = (1 - w["dt"]) * c + w["dt"] * (sigma(xp, f) * c + sigma(xp, i) * xp.tanh(g))
    return xp.concatenate([sigma(xp, o) * xp.tanh(new), new])


def midpoint(flow):
    """One explicit midpoint step of a flow."""

    def step(xp, w, s, u):
        return s + w["dt"] * flow(xp, w, s + w["dt"] / 2 * flow(xp, w, s, u), u)

    return step


def rk4(flow):
    """One classical Runge-Kutta step of a flow."""

    def step(xp, w, s, u):
        k1 = flow(xp, w, s, u)
        k2 = flow(xp, w, s + w["dt"] / 2 * k1, u)
        k3 = flow(xp, w, s + w["dt"] / 2 * k2, u)
        k4 = flow(xp, w, s + w["dt"] * k3, u)
        return s + w["dt"] / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return step


def relaxed_rate(xp, w, s, u):
    """Exponential Euler of the rate network, its decay -x exact."""
    return xp.exp(-w["dt"]) * s + (1 - xp.exp(-w["dt"])) * affine(w, xp.tanh(s), u)


STEPS = {
    "Leaky": leaky,
    "Rate": rate,
    "Antisymmetric": antisymmetric,
    "GatedAntisymmetric": gated_antisymmetric,
    "CoRNN": cornn,
    "UnICORNN": unicornn,
    "LEM": lem,
    "CFN": cfn,
    "MGU": mgu,
    "UGRNN": ugrnn,
    "MinimalRNN": minimal,
    "LipschitzRNN": lipschitz,
    "PLRNN": plrnn,
    "PeepholeLSTM": peephole,
    "LinearFlow": linear_flow,
    "Oscillator": oscillator,
    "Lorenz": lorenz,
    "Kepler": kepler,
    "EulerLSTM": lstm_by_euler,
    "Euler(GRU)": gru_by_euler,
    "RK4(Rate)": rk4(rate_flow),
    "Midpoint(CoRNN)": midpoint(cornn_flow),
    "ExponentialEuler(Rate)": relaxed_rate,
}


def trajectory(name, w, state, inputs):
    """States 0 .. T."""
    states = [np.asarray(state)]
    for u in inputs:
        states.append(STEPS[name](np, w, states[-1], u))
    return np.array(states)


def jacobians(name, w, state, inputs):
    """The Jacobian of every step by the complex step: error of order 1e-40."""
    found = []
    for s, u in zip(trajectory(name, w, state, inputs), inputs, strict=False):
        columns = [np.imag(STEPS[name](np, w, s + 1e-20j * e, u)) / 1e-20 for e in np.eye(len(s))]
        found.append(np.array(columns).T)
    return found


def lyapunov(name, w, state, inputs, transient):
    """Exponents along the trajectory, by the twins' QR."""
    return twin.benettin(jacobians(name, w, state, inputs), transient=transient)


def autograd(name, w, state, inputs, cotangent):
    """Gradients of sum(cotangent * states) by PyTorch: (weights, inputs, state)."""
    import torch

    leaves = {key: torch.tensor(np.asarray(value, float), requires_grad=True) for key, value in w.items()}
    u, start = (torch.tensor(np.asarray(v), requires_grad=True) for v in (inputs, state))
    states = [start]
    for t in range(len(inputs)):
        states.append(STEPS[name](torch, leaves, states[-1], u[t]))
    (torch.stack(states) * torch.tensor(cotangent)).sum().backward()
    zero = {key: np.zeros(np.shape(value)) for key, value in w.items()}
    weights = {key: zero[key] if leaf.grad is None else leaf.grad.numpy() for key, leaf in leaves.items()}
    return weights, u.grad.numpy(), start.grad.numpy()
