"""Critical steps against the formulas, and what a simulation does beyond them that its flow does not."""

import math

import numpy as np
import pytest
from support import assert_same_result, rotation

import rnndyn as rd
from rnndyn.dynamics import last_state

PLAIN = {"device": "python", "settle": 150}


def stiff(rng, count, units):
    """Random networks, driven and with biases, whose leaky flow has an attracting fixed point."""
    weights = {"weight_hh": 1.5 * rng.normal(size=(count, units, units)), "bias_hh": rng.normal(size=(count, units))}
    return weights | {"weight_ih": rng.normal(size=(units, 1)), "dt": 0.2}


def jacobian(weights, i, state, u):
    """Df of the leaky tanh network, written out: -1 + diag(1 - tanh^2) W."""
    pull = weights["weight_hh"][i] @ state + weights["bias_hh"][i] + weights["weight_ih"][:, 0] * u
    return np.diag(1 - np.tanh(pull) ** 2) @ weights["weight_hh"][i] - np.eye(len(state))


@pytest.mark.parametrize("step", [rd.Euler, rd.Midpoint, rd.RK4, rd.ExponentialEuler])
def test_leaky_networks(step):
    """At a driven fixed point: min -2 Re / |lambda|^2 for Euler, |R(dt lambda)| = 1 for the others, within 1e-6; just
    below the step the orbit comes back, just above it leaves."""
    weights, u = stiff(np.random.default_rng(7), 4, 3), 0.5
    cell = step(rd.Leaky.vector_field(3, 1))
    found = rd.critical_step(cell, weights, inputs=[[u]], **PLAIN)
    assert np.all(found.status == rd.Status.OK)
    finite = np.isfinite(found.dt)
    assert np.array_equal(finite, np.isfinite(found.formula))
    assert finite.any()
    np.testing.assert_allclose(found.dt[finite], found.formula[finite], rtol=1e-9)
    np.testing.assert_allclose(np.abs(found.multiplier[finite]), 1.0, rtol=1e-9)
    for i in np.flatnonzero(finite):
        state, dt = found.state[i], found.dt[i]
        eigenvalues = np.linalg.eigvals(jacobian(weights, i, state, u))
        if step is rd.Euler:
            assert dt == pytest.approx(np.min(-2 * eigenvalues.real / np.abs(eigenvalues) ** 2), abs=1e-6)
        elif step is not rd.ExponentialEuler:
            z = dt * eigenvalues
            growth = sum(z**j / math.factorial(j) for j in range({rd.Midpoint: 2, rd.RK4: 4}[step] + 1))
            assert np.abs(growth).max() == pytest.approx(1.0, abs=1e-9)
        own = {n: v[i] if n in ("weight_hh", "bias_hh") else v for n, v in weights.items()}
        for factor, comes_back in ((0.97, True), (1.03, False)):
            run = {"inputs": [[u]], "steps": 300, "state": state + 1e-6, "device": "python"}
            last = last_state(cell, own | {"dt": factor * dt}, **run)
            assert (np.abs(last - state).max() < 1e-6) == comes_back


def test_known_critical_steps():
    """Antisymmetric 2 gamma/(gamma^2 + omega^2) = 0.0745805, a pair leaves; rotation GRU, c = cos alpha:
    (1 - 1.5 c)/(0.8125 - 0.75 c); damped oscillator: Euler damping / omega^2, symplectic 2 (sqrt(1 + d^2) - d) / omega,
    d half of damping / omega."""
    weights = {"weight_hh": [[0.0, -2.0], [0.0, 0.0]], "gamma": 0.15, "dt": 0.05}
    found = rd.critical_step(rd.Antisymmetric(2), weights, state=[0.01, 0.02], **PLAIN)
    assert found.dt == pytest.approx(0.3 / (0.15**2 + 4), abs=1e-12)
    assert found.dt == pytest.approx(0.0745805, abs=5e-8)
    angle = math.atan2(2 * found.dt, 1 - 0.15 * found.dt)
    assert found.multiplier == pytest.approx(complex(math.cos(angle), math.sin(angle)), abs=1e-9)
    for cosine in (0.3, 0.5, 0.6):
        candidate = np.vstack([np.zeros((4, 2)), rotation(math.acos(cosine), 3.0)])
        gru = rd.Euler(rd.GRU.vector_field(2), dt=0.05)
        found = rd.critical_step(gru, {"weight_hh": candidate}, state=[0.01, 0.02], **PLAIN)
        assert found.dt == pytest.approx((1 - 1.5 * cosine) / (0.8125 - 0.75 * cosine), abs=1e-9)
    field, own = rd.Oscillator.vector_field(1), {"omega": [[1.0], [2.0]], "damping": [0.2], "dt": 0.02}
    euler, symplectic = (
        rd.critical_step(s(field), own, state=[0.1, 0.0], **PLAIN) for s in (rd.Euler, rd.SymplecticEuler)
    )
    np.testing.assert_allclose(euler.dt, [0.2, 0.05], rtol=1e-10)
    half = np.array([0.1, 0.05])
    np.testing.assert_allclose(symplectic.dt, 2 * (np.sqrt(1 + half**2) - half) / [1, 2], rtol=1e-10)
    np.testing.assert_allclose(symplectic.formula, symplectic.dt, rtol=1e-10)
    np.testing.assert_allclose(symplectic.multiplier, -1.0, atol=1e-5)  # a double root at the circle's edge


def test_networks_of_oscillators():
    """coRNN with its own symplectic step: the step's matrix from the field's Jacobian says the same."""
    rng = np.random.default_rng(3)
    weights = {"weight_hh": rng.normal(size=(3, 2, 2)), "weight_hh2": 0.1 * rng.normal(size=(2, 2)), "dt": 0.1}
    found = rd.critical_step(rd.CoRNN(2, gamma=2.5, epsilon=1.0), weights, **PLAIN)
    assert np.all(found.status == rd.Status.OK)
    np.testing.assert_allclose(found.dt, found.formula, rtol=1e-9)
    euler = rd.critical_step(rd.Euler(rd.CoRNN.vector_field(2, gamma=2.5, epsilon=1.0)), weights, **PLAIN)
    assert np.all(euler.dt != found.dt)


def test_exact_linear_parts_and_flows_without_rest():
    """The exponential step keeps pure decay at every dt: infinite. A flow that does not settle has no critical step; a
    bad point harms no other one; points are as alone."""
    decay = rd.ExponentialEuler(rd.LinearFlow.vector_field(2))
    found = rd.critical_step(decay, {"rate": [-1.0, -3.0]}, **PLAIN)
    assert found.dt == found.formula == np.inf
    weights = {"weight_hh": np.array([[[0.5]], [[-4.0]], [[np.nan]], [[-9.0]]]), "dt": 0.1}
    found = rd.critical_step(rd.Leaky(1), weights, **PLAIN)
    np.testing.assert_allclose(found.dt, [2 / 0.5, 2 / 5, np.nan, 2 / 10], rtol=1e-10)
    assert list(found.status) == [rd.Status.OK, rd.Status.OK, rd.Status.INVALID, rd.Status.OK]
    assert found.multiplier[1] == pytest.approx(-1.0)
    alone = rd.critical_step(rd.Leaky(1), {"weight_hh": [[-4.0]], "dt": 0.1}, first_index=1, **PLAIN)
    assert_same_result([value[1] for value in found], list(alone))
    growing = rd.critical_step(rd.Euler(rd.LinearFlow.vector_field(1)), {"rate": [0.1]}, state=[0.0], **PLAIN)
    assert growing.status == rd.Status.NOT_CONVERGED
    assert np.isnan(growing.dt)
    circling = rd.critical_step(rd.Euler(rd.Oscillator.vector_field(1)), {}, state=[0.0, 0.0], **PLAIN)
    assert circling.status == rd.Status.NOT_CONVERGED
    with pytest.raises(rd.InputError, match="step of a field"):
        rd.critical_step(rd.Elman(2), {})
    with pytest.raises(rd.InputError, match=r"rd.Euler\(rd.GRU.vector_field"):
        rd.critical_step(rd.GRU(2), {})
    with pytest.raises(rd.InputError, match="`dt` must be positive"):
        rd.critical_step(rd.Leaky(1), {"dt": [0.1, 0.0]})
    with pytest.raises(rd.InputError, match="constant here"):
        rd.critical_step(rd.Leaky(2, 1), {}, inputs=np.zeros((3, 1)))


# --- what only the step does ------------------------------------------------------------------------------------------


def growing(x, a, s, p):
    """Verhulst's logistic growth."""
    return (s[0] * (1.0 - s[0]),)


def test_spurious_cycles_and_chaos_of_the_logistic_equation():
    """ds/dt = s (1 - s) settles at 1 with exponent -1. Its Euler step is the logistic map with r = 1 + dt: a 2-cycle
    from dt = 2 on, a 4-cycle from sqrt 6, chaos of exponent ln 2 at dt = 3."""
    field = rd.Field("Logistic", 1, 0, ("s",), (rd.Part(growing),))
    flow = rd.flow_exponents(field, {}, time=10.0, transient=30.0, state=[0.3])
    assert flow.exponents[0] == pytest.approx(-1.0, abs=1e-7)
    lost = rd.critical_step(rd.Euler(field, dt=0.5), {}, state=[0.3], **PLAIN)
    assert lost.dt == pytest.approx(2.0, abs=1e-9)
    assert lost.state[0] == pytest.approx(1.0, abs=1e-12)
    dt = np.array([1.9, 2.2, 2.5])
    cycles = rd.attractors(rd.Euler(field), {"dt": dt}, starts=8, steps=300, spread=0.9, device="python")
    assert list(cycles.period) == [1, 2, 4]
    run = {"transient": 50, "state": [0.3], "device": "python"}
    chaos = rd.lyapunov(rd.Euler(field), {"dt": 3.0}, steps=3000, **run)
    assert abs(chaos.exponents[0] - math.log(2)) <= 4 * chaos.stderr[0]
    assert chaos.stderr[0] < 0.05


def test_spurious_chaos_of_a_leaky_unit():
    """dh/dt = -h + tanh(2 h) settles at h = +-0.9575 with exponent -0.834, and every orbit of it does; Euler keeps that
    up to dt = 2.39915, has a 2-cycle at 2.6 and is chaotic at 3.5, far beyond the error bar. RK4 is right at 2.6 still,
    the exponential step at every dt."""
    weights = {"weight_hh": [[2.0]]}
    rest = 0.9575040240772687
    slope = -1 + 2 * (1 - rest**2)
    flow = rd.flow_exponents(rd.Leaky(1), weights, time=10.0, transient=40.0, state=[[0.3], [-3.0], [0.01]])
    np.testing.assert_allclose(flow.exponents, slope, rtol=0, atol=1e-7)
    lost = rd.critical_step(rd.Leaky(1, dt=0.5), weights, state=[0.3], **PLAIN)
    assert lost.state[0] == pytest.approx(rest, abs=1e-12)
    assert lost.dt == pytest.approx(-2 / slope, abs=1e-9)
    assert lost.multiplier == pytest.approx(-1.0, abs=1e-9)
    run = {"steps": 2000, "transient": 200, "state": [0.3], "device": "python"}
    found = rd.lyapunov(rd.Leaky(1), weights | {"dt": [2.0, 2.6, 3.5]}, **run)
    assert found.exponents[0, 0] == pytest.approx(math.log(abs(1 + 2.0 * slope)), abs=1e-3)
    assert found.exponents[1, 0] < -0.05
    assert found.exponents[2, 0] > 10 * found.stderr[2, 0] > 0
    assert rd.attractors(rd.Leaky(1), weights | {"dt": 2.6}, steps=300, device="python").period == 2
    for step, far in ((rd.RK4, 2.6), (rd.ExponentialEuler, 50.0)):
        cell = step(rd.Leaky.vector_field(1))
        at = last_state(cell, weights | {"dt": far}, steps=200, state=[0.3], device="python")
        assert at[0] == pytest.approx(rest, abs=1e-9)


@pytest.mark.filterwarnings("ignore:overflow|invalid")
def test_lorenz_blows_up_by_euler():
    """Weather in small: a short step stays on the attractor, one of 0.05 leaves the range within a hundred steps, where
    the classical Runge-Kutta step of the same length stays."""
    run = {"steps": 300, "state": [1.0, 2.0, 20.0], "device": "python"}
    euler = rd.lyapunov(rd.Lorenz(1), {"dt": [0.005, 0.05]}, **run)
    assert list(euler.status) == [rd.Status.OK, rd.Status.DIVERGED]
    assert euler.steps[1] < 100
    kutta = rd.trajectory(rd.RK4(rd.Lorenz.vector_field(1)), {"dt": 0.05}, **run)
    assert np.abs(kutta).max() < 60


def energy(orbit):
    x, y, u, v = np.moveaxis(orbit, -1, 0)
    return 0.5 * (u * u + v * v) - 1 / np.hypot(x, y)


def test_kepler_spirals_out_by_euler():
    """A circle, 200 steps a turn: Euler's energy rises at every step and the radius doubles; the symplectic step keeps
    even an ellipse of eccentricity 0.6, its error of energy bounded and not growing, its exponents summing to 0."""
    run = {"steps": 2000, "device": "python"}
    field, dt = rd.Kepler.vector_field(1), 2 * math.pi / 200
    orbit = rd.trajectory(rd.Euler(field, dt=dt), {}, state=[1.0, 0.0, 0.0, 1.0], **run)
    assert np.all(np.diff(energy(orbit)) > 0)
    assert np.hypot(orbit[-1, 0], orbit[-1, 1]) > 2
    ellipse = [0.4, 0.0, 0.0, 2.0]
    error = np.abs(energy(rd.trajectory(rd.SymplecticEuler(field, dt=dt), {}, state=ellipse, **run)) + 0.5)
    first, second = error[1:].reshape(2, -1).max(axis=1)
    assert second < 1.1 * first < 0.2
    found = rd.lyapunov(rd.SymplecticEuler(field, dt=dt), {}, qr_every=1, state=ellipse, **(run | {"steps": 400}))
    assert found.exponents.sum() == pytest.approx(0.0, abs=1e-10)
    flow = rd.flow_exponents(rd.Kepler(1), {}, time=4 * math.pi, state=ellipse)
    assert flow.exponents.sum() == pytest.approx(0.0, abs=1e-7)
    assert np.all(np.abs(flow.exponents) <= 2 * flow.stderr)  # 0 in the limit, as ln t / t
