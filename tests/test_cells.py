"""Every cell against independent plain steps (`plain.py`): states, exponents, gradients, partials, transposes."""

import math
import pickle
import types
import zlib

import numpy as np
import plain
import pytest
from support import assert_close, assert_same_result, exponent_rounding

import rnndyn as rd
from rnndyn.cells import language
from rnndyn.dynamics.random import point_uniforms
from rnndyn.kernels.partials import jacobian, seed
from rnndyn.kernels.rule import bind

UNITS, INPUTS, STEPS, BATCH = 3, 2, 12, 3
TWINS = ("Linear", "Elman", "LSTM", "GRU")  # these have twins of their own, see test_twin_parity


def build(name):
    """The cell of a name: a family, or a step of one's field."""
    if name in rd.CELLS:
        return rd.CELLS[name](UNITS, INPUTS)
    step, family = name.rstrip(")").split("(")
    return getattr(rd, step)(rd.CELLS[family].vector_field(UNITS, INPUTS))


def problem(name, steps=STEPS):
    """Random weights, parameters, inputs, starts and cotangents of a batch."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    cell = build(name)
    weights = {n: 0.6 * rng.normal(size=(BATCH, *shape)) for n, shape in cell.shapes.items()}
    positive = (
        "dt",
        "gamma",
        "epsilon",
        "beta_a",
        "beta_w",
        "gamma_a",
        "gamma_w",
        "alpha",
        "sigma",
        "rho",
        "beta",
        "mu",
    )
    for n in positive:
        if n in weights:
            weights[n] = rng.uniform(0.2, 0.7, size=BATCH)
    if name == "Lorenz":  # blows up when driven with a longer step
        weights["dt"] *= 0.1
    size = cell.state_size
    inputs, state, cotangent = (rng.normal(size=(BATCH, *s)) for s in ((steps, INPUTS), (size,), (steps + 1, size)))
    return cell, weights, inputs, state, cotangent


# One of each shape: input rows apart from gates, two stages, a second matrix, a transposed one, a parameter a unit, a
# symplectic step, and several stages that share a matrix. The others are compiled in slow tests, uncompiled elsewhere.
SHAPES = ("CFN", "LEM", "MinimalRNN", "Antisymmetric", "PeepholeLSTM", "CoRNN", "RK4(Rate)")
COMPILED = [pytest.param(name, marks=() if name in SHAPES else pytest.mark.slow) for name in plain.STEPS]
BOTH = [
    *(pytest.param(name, "auto", id=f"{name}-compiled", marks=compiled.marks)
      for name, compiled in zip(plain.STEPS, COMPILED, strict=True)),
    *(pytest.param(name, "python", id=f"{name}-uncompiled") for name in plain.STEPS if name not in SHAPES),
]  # fmt: skip


def own(weights, i):
    return {name: value[i] for name, value in weights.items()}


def test_every_cell_is_tested():
    """A new line in the list of cells needs a plain step here."""
    assert set(rd.CELLS) == {*TWINS, *(name for name in plain.STEPS if "(" not in name)}


@pytest.mark.parametrize(("name", "device"), BOTH)
def test_states_and_exponents(name, device):
    """States and spectra of driven networks, against the plain steps and the QR of complex-step Jacobians.

    The frame is the package's own, so that the growth over 30 steps is the same number and not only its limit.
    """
    cell, weights, inputs, state, _ = problem(name, 30)
    size = cell.state_size
    states = rd.trajectory(cell, weights, inputs=inputs, state=state, device=device)
    found = rd.lyapunov(
        cell, weights, inputs=inputs, state=state, transient=10, steps=20, qr_every=1, seed=3, device=device
    )
    for i in range(BATCH):
        expected = plain.trajectory(name, own(weights, i), state[i], inputs[i])
        assert_close(states[i], expected, 1e-12)
        frame = point_uniforms(3, "frame", i, 1, size * size).reshape(size, size)
        matrices = plain.jacobians(name, own(weights, i), state[i], inputs[i])
        exact = plain.twin.benettin(matrices, transient=10, frame=frame)
        tolerance = exponent_rounding(size, exact.conditioning)
        assert np.all(np.abs(found.exponents[i] - exact.exponents) <= tolerance)
        assert np.all(tolerance < 1e-6)


@pytest.mark.parametrize(("name", "device"), BOTH)
def test_gradients_are_autograd(name, device):
    """Gradients of weights, parameters, inputs and starts, against PyTorch's autograd of the plain step."""
    pytest.importorskip("torch", reason="PyTorch is not installed: no parity with it")
    cell, weights, inputs, state, cotangent = problem(name)
    found = rd.gradients(cell, weights, inputs=inputs, state=state, cotangent=cotangent, device=device)
    for i in range(BATCH):
        d_weights, d_inputs, d_state = plain.autograd(name, own(weights, i), state[i], inputs[i], cotangent[i])
        for key, expected in d_weights.items():
            assert_close(found.weights[key][i], expected, 1e-11)
        assert_close(found.inputs[i], d_inputs, 1e-11)
        assert_close(found.state[i], d_state, 1e-11)
        assert found.log_norms[i, 0] == pytest.approx(np.log(np.linalg.norm(d_state)), abs=1e-10)


@pytest.mark.parametrize("name", plain.STEPS)
def test_gradients_are_the_differences(name):
    """Central differences of the uncompiled trajectory along a random direction in every weight and parameter."""
    cell, weights, inputs, state, cotangent = problem(name, 5)
    given = {"inputs": inputs[0], "state": state[0], "device": "python"}
    weights, rng, h = own(weights, 0), np.random.default_rng(1), 1e-5
    found = rd.gradients(cell, weights, cotangent=cotangent[0], **given)
    for key, value in weights.items():
        direction = rng.normal(size=np.shape(value))
        sides = [np.sum(cotangent[0] * rd.trajectory(cell, weights | {key: v}, **given))
                 for v in (value + h * direction, value - h * direction)]  # fmt: skip
        expected = (sides[0] - sides[1]) / (2 * h)
        assert np.sum(found.weights[key] * direction) == pytest.approx(expected, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("name", COMPILED)
def test_ragged_sequences_are_their_own_runs(name):
    """Different lengths in one array: states, gradients and exponents equal to the bit to each sequence's own run."""
    cell, weights, inputs, state, _ = problem(name)
    lengths = np.array([STEPS, 5, 9])
    for row, length in zip(inputs, lengths, strict=True):
        row[length:] = np.nan
    given = {"inputs": inputs, "lengths": lengths, "state": state}
    states = rd.trajectory(cell, weights, **given)
    slopes = rd.gradients(cell, weights, cotangent_last=state, **given)
    spectra = rd.lyapunov(cell, weights, transient=2, qr_every=1, **given)
    for i, n in enumerate(lengths):
        alone = {"inputs": inputs[i, :n], "state": state[i]}
        assert_same_result(states[i, : n + 1], rd.trajectory(cell, own(weights, i), **alone))
        assert np.all(np.isnan(states[i, n + 1 :]))
        one = rd.gradients(cell, own(weights, i), cotangent_last=state[i], **alone)
        assert_same_result({key: value[i] for key, value in slopes.weights.items()}, one.weights)
        assert_same_result((slopes.inputs[i, :n], slopes.state[i]), (one.inputs, one.state))
        assert_same_result(slopes.log_norms[i, : n + 1], one.log_norms)
        single = rd.lyapunov(cell, own(weights, i), transient=2, qr_every=1, first_index=i, **alone)
        assert_same_result([value[i] for value in spectra], list(single))


@pytest.mark.parametrize("name", plain.STEPS)
def test_newton_sees_the_same_step(name):
    """The step and the Jacobian that find fixed points, against the plain step (without input) and its complex step."""
    from rnndyn.dynamics.batch import Problem
    from rnndyn.dynamics.newton import Step

    cell, weights, _, state, _ = problem(name)
    step = Step(cell)
    theta = Problem(cell, weights, steps=1, inputs=None, lengths=None, state=state).theta(0, BATCH, step.layout)
    found, jacobian_ = step(theta, state)
    for i in range(BATCH):
        silence = np.zeros((1, INPUTS))
        assert_close(found[i], plain.trajectory(name, own(weights, i), state[i], silence)[1], 1e-13)
        assert_close(jacobian_[i], plain.jacobians(name, own(weights, i), state[i], silence)[0], 1e-12)


# --- dual numbers, beside 60-digit arithmetic -------------------------------------------------------------------------


def meanings(mp):
    """The language of a rule in mpmath's arithmetic."""
    names = ("tanh", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "atan")
    functions = {getattr(math, n): getattr(mp, n) for n in names}
    return functions | {
        math: types.SimpleNamespace(**{n: getattr(mp, n) for n in names}),
        language.logistic: lambda x: 1 / (1 + mp.exp(-x)),
        language.softplus: lambda x: mp.log1p(mp.exp(x)),
        language.relu: lambda x: x if x > 0 else mp.mpf(0),
        language.where: lambda mask, a, b: a if mask else b,
    }


@pytest.mark.parametrize("name", [*plain.STEPS, *TWINS])
def test_partials_are_those_of_60_digits(name):
    """Every partial of every rule, against central differences in 60-digit arithmetic (error 1e-40)."""
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(7)
    with mpmath.workdps(60):
        for stage in bind(build(name)).stages:
            plan = stage.plan
            groups = [rng.normal(size=len(g)) for g in (plan.drives, plan.gates, plan.enters, plan.parameters)]
            duals = seed(tuple(tuple(np.float64(v) for v in group) for group in groups))
            rows = jacobian(stage.update(*duals))
            exact, flat = stage.walk.copy(meanings(mpmath.mp)), np.concatenate(groups)
            cuts = np.cumsum([len(group) for group in groups])[:-1]

            def values(at, exact=exact, cuts=cuts):
                return exact(*(tuple(part) for part in np.split(np.array(at, dtype=object), cuts)))

            for j in range(len(flat)):
                low, high = ([mpmath.mpf(v) for v in flat] for _ in range(2))
                low[j], high[j] = low[j] - mpmath.mpf(10) ** -20, high[j] + mpmath.mpf(10) ** -20
                for row, a, b in zip(rows, values(low), values(high), strict=True):
                    expected = float((b - a) / (2 * mpmath.mpf(10) ** -20))
                    found = 0.0 if row is None or row[j] is None else float(row[j])
                    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", [*plain.STEPS, *TWINS])
def test_tangent_and_adjoint_are_transposes(name):
    """<u, J v> = <J^T u, v> over a whole sequence, J by the tangent kernel's own stages."""
    cell, weights, inputs, state, _ = problem(name)
    rng = np.random.default_rng(2)
    u, v = rng.normal(size=(2, cell.state_size))
    given = {"inputs": inputs[0], "state": state[0], "device": "python"}
    pulled = rd.gradients(cell, own(weights, 0), cotangent_last=u, **given).state
    pushed = pushforward(cell, own(weights, 0), inputs[0], state[0], v)
    assert u @ pushed == pytest.approx(pulled @ v, rel=1e-12)


def pushforward(cell, weights, inputs, state, v):
    """J v of a whole sequence by `step.tangent`, uncompiled."""
    from rnndyn.dynamics.batch import Problem
    from rnndyn.kernels import step, target

    run = target.Run(cell, "float64", "python")
    layout, n = run.layout, cell.units
    theta = Problem(cell, weights, steps=None, inputs=inputs, lengths=None, state=state).theta(0, 1, layout)[0]
    values, frame = np.zeros((2, layout.width))
    values[: cell.state_size], frame[: cell.state_size] = state, v
    x, a, da = np.zeros(layout.drives), np.zeros(layout.rows), np.zeros(layout.rows * step.COLUMNS)
    for t in range(len(inputs)):
        step.drive(run.lane, layout.drives, cell.inputs, theta, layout.at, inputs[t], 0, x)
        partials = np.zeros(layout.kept)
        step.tangent(
            run.lane, run.bound.stages, n, 1, layout.width, theta, layout.at, x, a, da, partials, values, frame
        )
    return frame[: cell.state_size]


@pytest.mark.parametrize("name", [*plain.STEPS, *TWINS])
def test_permuting_units_changes_nothing(name):
    """Units in another order: the same states in that order."""
    cell, weights, inputs, state, _ = problem(name)
    order = np.array([2, 0, 1])

    def rows(value):
        return value.reshape(-1, UNITS, *value.shape[1:])[:, order].reshape(value.shape)

    own_, moved = own(weights, 0), {}
    for key, value in own_.items():
        value = np.asarray(value)
        value = rows(value) if value.ndim else value
        moved[key] = value[:, order] if key.startswith("weight_hh") else value
    given = {"inputs": inputs[0], "device": "python"}
    plain_, permuted = (
        rd.trajectory(cell, w, state=s, **given) for w, s in ((own_, state[0]), (moved, rows(state[0])))
    )
    assert_close(permuted, np.array([rows(s) for s in plain_]), 1e-13)


# --- what a cell tells of itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*plain.STEPS, *TWINS])
def test_pickles_and_says_what_it_is(name):
    """A cell comes back from a pickle with its parameters and digest; docstring, equation and source are there."""
    cell = build(name)
    if "dt" in cell.parameters and name in rd.CELLS:
        cell = rd.CELLS[name](UNITS, INPUTS, dt=0.375)
    again = pickle.loads(pickle.dumps(cell))
    assert (again.name, again.shapes, dict(again.parameters)) == (cell.name, cell.shapes, dict(cell.parameters))
    assert bind(again).digest == bind(cell).digest
    assert cell.equation
    assert cell.source
    assert "Source:" in type(cell).__doc__ or name == "Linear" or "(" in name


def squared(x, a, s, p):
    """A rule of a cell of one's own."""
    return (s[0] ** 2,)


def test_cells_of_ones_own_pickle_too():
    """A plain cell and a step of a plain field come back, their rules by name."""
    field = rd.Field("Square", 1, 0, ("s",), (rd.Part(squared),))
    for cell in (rd.Cell("Square", 1, 0, ("s",), (rd.Stage(update=squared),)), rd.RK4(field, dt=0.1),
                 rd.RungeKutta(field, rd.Tableau(a=((), (2 / 3,)), b=(1 / 4, 3 / 4)))):  # fmt: skip
        assert bind(pickle.loads(pickle.dumps(cell))).digest == bind(cell).digest


FACTOR = 1.0


def scaled(x, a, s, p):
    """A rate with a constant of the file."""
    return (FACTOR * s[0],)


def test_an_edit_of_a_rate_is_another_cell(monkeypatch):
    """A field's rate, its constants and the tableau are in the digest that names machine code."""
    field = rd.Field("Scaled", 1, 0, ("s",), (rd.Part(scaled),))
    digests = [bind(make(field)).digest for make in (rd.Euler, rd.Midpoint, rd.RK4, rd.SymplecticEuler)]
    digests += [bind(rd.RungeKutta(field, rd.Tableau(a=((), (c,)), b=(0.0, 1.0)))).digest for c in (0.25, 0.75)]
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    digests += [bind(rd.RK4(field)).digest]
    monkeypatch.setitem(globals(), "FACTOR", 1.0)
    assert digests[2] == bind(rd.RK4(field)).digest
    assert len({*digests[:3], *digests[4:]}) == len(digests) - 1
    assert digests[3] != digests[1]


def test_wrong_parameters_are_refused():
    """A vector of the wrong length, a text, and the names of what a stage sends and a field moves."""
    with pytest.raises(ValueError, match="`w` has 2 numbers for 3 units"):
        rd.UnICORNN(3, w=[1.0, 2.0])
    with pytest.raises(ValueError, match="`dt` must be a number"):
        rd.LEM(3, dt="fast")
    with pytest.raises(ValueError, match="sends 'q'"):
        rd.Cell("X", 1, 0, ("h",), (rd.Stage(update=abs, gates=("h",), sends="q"),))
    with pytest.raises(ValueError, match="the parts move"):
        rd.Field("X", 1, 0, ("q", "p"), (rd.Part(abs, fields=("p",)), rd.Part(abs, fields=("q",))))
    with pytest.raises(ValueError, match="linear"):
        rd.ExponentialEuler(rd.CoRNN.vector_field(2))
    with pytest.raises(ValueError, match="explicit tableau"):
        rd.Tableau(a=((1.0,),), b=(1.0,))


def test_parameters_are_per_network_or_per_unit():
    """dt as an axis; a vector given to the constructor makes N parameters, equal numbers the same bits as one."""
    weights = {"weight_hh": np.random.default_rng(0).normal(size=(3, 3))}
    given = {"steps": 5, "state": [0.1, 0.2, 0.3], "device": "python"}
    whole = rd.trajectory(rd.Leaky(3), weights | {"dt": [0.1, 0.5]}, **given)
    assert_same_result(whole[1], rd.trajectory(rd.Leaky(3, dt=0.5), weights, **given))
    assert_same_result(whole[0], rd.trajectory(rd.Leaky(3, dt=[0.1] * 3), weights, **given))
    assert rd.Leaky(3, dt=[0.1] * 3).shapes["dt"] == (3,)
