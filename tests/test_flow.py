"""The flow as a reference: solutions and spectra known in closed form, and how steps converge to them."""

import math

import numpy as np
import pytest
from support import assert_close, assert_same_result, rotation

import rnndyn as rd
from rnndyn.dynamics.convergence import fitted_order
from rnndyn.dynamics.flow import Flow
from rnndyn.dynamics.flow_spectrum import Course
from rnndyn.dynamics.progress import Progress

PLAIN = {"device": "python"}

# --- trajectories -----------------------------------------------------------------------------------------------------


def test_linear_flow_is_the_matrix_exponential():
    """s(t) = e^(At) s_0 + A^-1 (e^(At) - 1) b, b the biases and a constant input; a batch, each point by itself."""
    from scipy.linalg import expm

    rng = np.random.default_rng(0)
    matrices, bias, drive = rng.normal(size=(2, 3, 3)), rng.normal(size=3), rng.normal(size=(3, 2))
    u, start, times = rng.normal(size=2), rng.normal(size=3), np.array([0.0, 0.5, 2.0])
    weights = {"weight_hh": matrices, "bias_hh": bias, "weight_ih": drive, "rate": [-1.0, -0.5, 0.0]}
    given = {"times": times, "inputs": u[None], "state": start}
    found = rd.flow_trajectory(rd.LinearFlow(3, 2), weights, **given)
    for states, own in zip(found, matrices, strict=True):
        a, b = own + np.diag([-1.0, -0.5, 0.0]), bias + drive @ u
        truth = [expm(a * t) @ start + np.linalg.solve(a, (expm(a * t) - np.eye(3)) @ b) for t in times]
        assert_close(states, np.array(truth), 1e-9)
    for method in ("RK45", "LSODA", "Radau"):
        assert_close(rd.flow_trajectory(rd.LinearFlow(3, 2), weights, **given, method=method), found, 1e-6)
    alone = rd.flow_trajectory(rd.LinearFlow.vector_field(3, 2), {**weights, "weight_hh": matrices[1]}, **given)
    assert_same_result(alone, found[1])


def test_kepler_returns_and_keeps_what_it_must():
    """The ellipse of eccentricity 0.6 closes after 2 pi; energy -1/2 and angular momentum 0.8 stay."""
    start = [0.4, 0.0, 0.0, 2.0]
    x, y, u, v = rd.flow_trajectory(rd.Kepler(1), {}, times=np.linspace(0, 2 * np.pi, 9), state=start).T
    np.testing.assert_allclose(0.5 * (u * u + v * v) - 1 / np.hypot(x, y), -0.5, rtol=0, atol=1e-9)
    np.testing.assert_allclose(x * v - y * u, 0.8, rtol=0, atol=1e-9)
    np.testing.assert_allclose([x[-1], y[-1]], start[:2], rtol=0, atol=1e-8)
    assert x[4] == pytest.approx(-1.6, abs=1e-8)  # the far end after half a turn


def squared(x, a, s, p):
    return (s[0] * s[0],)


def test_a_flow_that_leaves_and_a_point_that_is_none():
    """ds/dt = s^2 is infinite at t = 1/s_0: NaN from there on, DIVERGED; the neighbours are unharmed."""
    field = rd.Field("Square", 1, 0, ("s",), (rd.Part(squared),))
    starts = [[1.0], [np.nan], [-1.0]]
    found = rd.flow_trajectory(field, {}, times=[0.5, 1.5], state=starts)[..., 0]
    np.testing.assert_allclose(found, [[2.0, np.nan], [np.nan] * 2, [-2 / 3, -0.4]], rtol=1e-9)
    told = rd.flow_exponents(field, {}, time=1.5, state=starts)
    assert list(told.status) == [rd.Status.DIVERGED, rd.Status.INVALID, rd.Status.OK]
    assert told.time[0] < 1.0
    assert np.isnan(told.exponents[1, 0])
    assert told.exponents[2, 0] == pytest.approx(-2 * math.log(2.5) / 1.5, rel=1e-7)  # ds(t)/ds_0 = (1 + t)^-2


def test_a_flow_that_turns_ever_faster_ends_at_the_limit():
    """dq/dt = p, dp/dt = -omega^2 q with omega = 1e6 needs a million turns: NOT_CONVERGED, the other point is right."""
    given = {"weights": {"omega": [[1e6], [1.0]]}, "state": [1.0, 0.0], "limit": 8000}
    told = rd.flow_exponents(rd.Oscillator(1), **given, time=6.0)
    assert list(told.status) == [rd.Status.NOT_CONVERGED, rd.Status.OK]
    assert told.time[0] < 0.1
    assert told.exponents[1].sum() == pytest.approx(0.0, abs=1e-8)
    states = rd.flow_trajectory(rd.Oscillator(1), **given, times=[1e-9, 6.0])
    assert np.isnan(states[0]).all()
    np.testing.assert_allclose(states[1, 1], [math.cos(6), -math.sin(6)], rtol=0, atol=1e-8)


def test_what_has_no_flow_is_refused():
    """A map, a network's input that changes, times that fall."""
    for cell, words in ((rd.Elman(2), "a flow is that of an rd.Field"), (rd.GRU(2), r"rd\.GRU\.vector_field")):
        with pytest.raises(rd.InputError, match=words):
            rd.flow_trajectory(cell, {}, times=[1.0])
    with pytest.raises(rd.InputError, match="constant"):
        rd.flow_exponents(rd.Leaky(2, 1), {}, time=1.0, inputs=np.zeros((5, 1)))
    with pytest.raises(rd.InputError, match="rising"):
        rd.flow_trajectory(rd.Leaky(2), {}, times=[1.0, 0.5])
    with pytest.raises(rd.InputError, match="Did you mean 'DOP853'"):
        rd.flow_trajectory(rd.Leaky(2), {}, times=[1.0], method="DOP85")
    with pytest.raises(rd.InputError, match="has 2 exponents"):
        rd.flow_exponents(rd.Leaky(2), {}, time=1.0, k=3)


# --- exponents --------------------------------------------------------------------------------------------------------


def test_exponents_at_a_fixed_point_are_real_parts():
    """Symmetric W: growth from a random frame settles to Re eig(Df) = -1 + eig W; each point as alone, to the bit."""
    rng = np.random.default_rng(1)
    turn, values = np.linalg.qr(rng.normal(size=(2, 3, 3)))[0], np.array([[0.8, 0.0, -0.8], [1.2, 0.4, -0.4]])
    matrix, truth = turn * values[:, None] @ turn.swapaxes(1, 2), values - 1
    given = {"time": 5.0, "transient": 15.0, "state": np.zeros(3), "seed": 5}
    found = rd.flow_exponents(rd.Leaky(3), {"weight_hh": matrix}, **given)
    np.testing.assert_allclose(found.exponents, truth, rtol=0, atol=1e-6)
    assert np.all(np.abs(found.exponents - truth) <= found.stderr + 1e-8)
    assert np.all(found.time == 5.0)
    alone = rd.flow_exponents(rd.Leaky(3), {"weight_hh": matrix[1]}, **given, first_index=1)
    assert_same_result([value[1] for value in found], list(alone))
    part = rd.flow_exponents(rd.Leaky(3), {"weight_hh": matrix[1]}, **given, k=1)
    assert part.exponents[0] == pytest.approx(truth[1, 0], abs=1e-6)


def opening(x, a, s, p):
    return s[0] * (1.0 - s[0]), -50.0 * s[0] * s[1]


def test_a_frame_that_is_squeezed_late():
    """Slow near the start, e^-50 a unit of time later, all in one part: the intervals follow the Jacobian, and too long
    ones are taken back, so that ln det = T - 52 ln(1 - r_0 + r_0 e^T) comes out."""
    field = rd.Field("Opening", 1, 0, ("r", "q"), (rd.Part(opening),))
    flow = Flow(field, {}, None, [1e-6, 1e-9], 0, "DOP853", 1e-9, 1e-12, 100_000)
    (i, theta), display = next(flow.points()), Progress(20.0)
    course = Course(flow, theta, flow.start(i), np.linalg.qr([[1.0, 2.0], [0.3, -1.0]])[0], None, display, 0.0)
    span, logs = course.run(20.0)
    assert (span, logs.shape, display.done) == (20.0, (1, 2), 20.0)
    assert logs.sum() == pytest.approx(20 - 52 * math.log1p(1e-6 * math.expm1(20)), rel=1e-6)
    assert course.share < 1


def test_flows_of_the_cells_at_the_origin():
    """Antisymmetric: -gamma, stable where its Euler step is not; rotation GRU: 0 at cos alpha = 2/3; coRNN: a pair sums
    to -epsilon, whatever the drive."""
    short = {"time": 4.0, "state": [0.0, 0.0]}
    antisymmetric = {"weight_hh": [[0.0, -2.0], [0.0, 0.0]], "gamma": 0.15}
    found = rd.flow_exponents(rd.Antisymmetric(2), antisymmetric, **short)
    np.testing.assert_allclose(found.exponents, -0.15, rtol=0, atol=1e-8)
    candidate = np.vstack([np.zeros((4, 2)), rotation(math.acos(2 / 3), 3.0)])
    found = rd.flow_exponents(rd.GRU.vector_field(2), {"weight_hh": candidate}, **short)
    np.testing.assert_allclose(found.exponents, 0.0, rtol=0, atol=1e-8)
    rng = np.random.default_rng(2)
    weights = {"weight_ih": rng.normal(size=(2, 1)), "gamma": 1.5, "epsilon": 0.8}
    found = rd.flow_exponents(rd.CoRNN(2, 1), weights, time=4.0, inputs=[[0.7]], state=rng.normal(size=4))
    assert found.exponents.sum() == pytest.approx(-1.6, abs=1e-7)


def test_lorenz():
    """The flow's exponents sum to -(sigma + 1 + beta); the first is positive, the second 0, within their errors."""
    found = rd.flow_exponents(rd.Lorenz(1), {}, time=16.0, transient=5.0, state=[1.0, 2.0, 20.0])
    assert found.exponents.sum() == pytest.approx(-41 / 3, abs=1e-7)
    assert np.all(np.abs(found.exponents - [0.9056, 0.0, -14.572]) <= 4 * found.stderr)
    assert np.all(found.stderr < 0.2)
    assert found.exponents[0] > 4 * found.stderr[0]


@pytest.mark.slow
def test_lorenz_for_long():
    """(0.9056, 0, -14.5723) of the flow, and of RK4 (dt = 0.01) at any length; Euler's differ by order dt."""
    flow = rd.flow_exponents(rd.Lorenz(1), {}, time=400.0, transient=20.0, state=[1.0, 2.0, 20.0])
    assert np.all(np.abs(flow.exponents - [0.9056, 0.0, -14.5723]) <= 4 * flow.stderr + [1e-4] * 3)
    assert np.all(flow.stderr < 0.02)
    dt = np.array([0.0025, 0.005, 0.01])
    run = {"steps": 400_000, "transient": 10_000, "state": [1.0, 2.0, 20.0]}
    steps = rd.lyapunov(rd.RK4(rd.Lorenz.vector_field(1)), {"dt": 0.01}, **run)
    error = np.hypot(4 * steps.stderr / 0.01, 4 * flow.stderr)
    assert np.all(np.abs(steps.exponents / 0.01 - flow.exponents) <= error)
    euler = rd.lyapunov(rd.Lorenz(1), {"dt": dt}, **run)
    off = euler.exponents.sum(axis=1) / dt + 41 / 3
    slope = np.polyfit(np.log(dt), np.log(np.abs(off)), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15)


# --- convergence ------------------------------------------------------------------------------------------------------

ORDERS = [
    (rd.Euler, rd.Leaky, 1), (rd.Euler, rd.Rate, 1), (rd.Euler, rd.Antisymmetric, 1), (rd.Euler, rd.GRU, 1),
    (rd.SymplecticEuler, rd.CoRNN, 1), (rd.ExponentialEuler, rd.Rate, 1), (rd.Midpoint, rd.Rate, 2),
    (rd.Midpoint, rd.CoRNN, 2), (rd.RK4, rd.Rate, 4), (rd.RK4, rd.GRU, 4), (rd.RK4, rd.Lorenz, 4),
]  # fmt: skip


@pytest.mark.parametrize(("step", "family", "order"), ORDERS)
def test_orders(step, family, order):
    """The error after a short time and that of the exponents over it fall as dt^p, p within its error."""
    rng, units = np.random.default_rng(4), 1 if family is rd.Lorenz else 2
    cell = step(family.vector_field(units, 1))
    weights = {n: rng.normal(size=s) for n, s in cell.shapes.items() if n.startswith(("weight", "bias"))}
    start = [1.0, 2.0, 20.0] if family is rd.Lorenz else rng.normal(size=cell.state_size)
    time, first = 2.0 if (step, family) == (rd.RK4, rd.GRU) else 0.5, 8 if step is rd.RK4 and units == 2 else 16
    steps = first * np.array([1, 2, 4, 8])
    found = rd.convergence(cell, weights, time=time, steps=steps, inputs=[[0.3]], state=start, **PLAIN)
    np.testing.assert_allclose(found.dt * steps, time)
    for fitted, error in ((found.order, found.order_stderr), (found.exponent_order, found.exponent_order_stderr)):
        assert abs(fitted - order) <= 2 * error
        assert error < 0.15 * order
    assert np.all(np.diff(found.error) < 0)


def test_exponent_error_at_a_fixed_point():
    """Leaky at the origin, W = diag: Euler's ln(1 + dt lambda)/dt against lambda: off by -dt lambda^2 / 2, order 1."""
    rates = np.array([-0.5, -1.4])
    found = rd.convergence(
        rd.Leaky(2), {"weight_hh": np.diag(1 + rates)}, time=2.0, steps=[32, 64, 128, 256], state=np.zeros(2), **PLAIN
    )  # fmt: skip
    assert np.all(found.error <= 1e-15)
    assert np.isnan(found.order)
    first = found.dt[:, None] * rates**2 / 2
    np.testing.assert_allclose(found.exponent_error[-1], np.linalg.norm(first[-1]), rtol=0.1)
    assert abs(found.exponent_order - 1) <= 2 * found.exponent_order_stderr < 0.2


def test_fitted_order():
    """Pure powers exactly; a next term and a floor are left out or in the error; noise and too few points tell."""
    dt = 2.0 ** -np.arange(2.0, 10.0)
    order, error = fitted_order(dt, 3 * dt**2)
    assert order == pytest.approx(2.0, abs=1e-12)
    assert error < 1e-12
    order, error = fitted_order(dt, np.stack([dt + 8 * dt**2, np.maximum(dt**4, 1e-9)]), [0.0, 2e-9])
    assert np.all(np.abs(order - [1.0, 4.0]) <= 1.2 * error + 1e-12)  # the error sees the next term, not only scatter
    assert np.all(error < 0.2)
    assert np.isnan(fitted_order(dt, dt, 1e-2)[0]) == (np.sum(dt > 1e-2) < 3)
    assert np.isnan(fitted_order(dt, dt, 0.1)[0])
    wild = dt * np.exp(np.random.default_rng(0).normal(size=8))
    assert fitted_order(dt, wild)[1] > 0.3


def test_convergence_takes_a_batch_and_refuses_maps():
    """Two networks, one of them invalid; without exponents; a map has no dt."""
    weights = {"weight_hh": np.array([np.diag([0.5, -1.0]), np.full((2, 2), np.nan)])}
    found = rd.convergence(
        rd.Leaky(2), weights, time=1.0, steps=[16, 32, 64], state=[1.0, -1.0], exponents=False, **PLAIN
    )  # fmt: skip
    assert found.error.shape == (2, 3)
    assert abs(found.order[0] - 1) <= 2 * found.order_stderr[0] < 0.2
    assert np.isnan(found.order[1])
    assert found.exponent_error is None
    with pytest.raises(rd.InputError, match="is that of a step of a field"):
        rd.convergence(rd.Elman(2), {}, time=1.0, steps=[1, 2, 3])
    with pytest.raises(rd.InputError, match="three or more rising"):
        rd.convergence(rd.Leaky(2), {}, time=1.0, steps=[4, 2, 1])


def test_progress_tells_all_of_the_way():
    """A function of (done, total) is called with rising numbers, at last with the total; also through `convergence`."""
    weights = {"weight_hh": np.zeros((2, 1, 1))}
    calls = {
        "trajectory": lambda tell: rd.flow_trajectory(rd.Leaky(1), weights, times=[1.0, 2.0], progress=tell),
        "exponents": lambda tell: rd.flow_exponents(rd.Leaky(1), weights, time=1.0, transient=1.0, progress=tell),
        "convergence": lambda tell: rd.convergence(
            rd.Leaky(1), weights, time=1.0, steps=[4, 8, 16], state=[1.0], progress=tell, **PLAIN
        ),
    }
    for run in calls.values():
        told = []
        run(lambda done, total, told=told: told.append((done, total)))
        done, totals = np.array(told).T
        assert np.all(np.diff(done) >= 0)
        assert np.all(totals == totals[0])
        assert done[-1] == pytest.approx(totals[0])
