"""The interval between re-orthonormalisations follows the frame: exponents are those of QR at every step, to 1e-9."""

import numpy as np
import pytest
import twin
from support import build, random_weights

import rnndyn as rd
from rnndyn.dynamics.random import point_uniforms, random_start

STEPS, TRANSIENT, POINTS = 300, 50, 8


def both(cell, weights, **given):
    """(QR at every step, our own interval)"""
    given = {"steps": STEPS, "transient": TRANSIENT} | given
    return rd.lyapunov(cell, weights, qr_every=1, **given), rd.lyapunov(cell, weights, **given)


def in_long_double(slow, weights, point):
    """The exponents of one point by modified Gram-Schmidt, twice, at every step, in 80 bits."""
    size = slow.state_size
    state = random_start(0, point, 1, size)[0]
    frame = point_uniforms(0, "frame", point, 1, size * size).reshape(size, size).astype(np.longdouble)
    growth = np.zeros(size, np.longdouble)
    one = {name: value[point] for name, value in weights.items()}
    for t, jacobian in enumerate(twin.jacobians(slow, one, steps=TRANSIENT + STEPS, state=state)):
        frame = jacobian.astype(np.longdouble) @ frame
        for j in range(size):
            for _ in range(2):
                for i in range(j):
                    frame[:, j] -= (frame[:, i] @ frame[:, j]) * frame[:, i]
            length = np.sqrt(frame[:, j] @ frame[:, j])
            frame[:, j] /= length
            growth[j] += np.log(length) if t >= TRANSIENT else 0
    return np.sort((growth / STEPS).astype(float))[::-1]


@pytest.mark.parametrize("units", [2, 8, 16])
@pytest.mark.parametrize("family", ["tanh", "lstm", "gru"])
def test_networks_agree_with_qr_at_every_step(family, units):
    """From strongly contracting to chaotic gains. Where rounding alone moves a frame (exponents that change places for
    a while), QR at every step is not exact either, and columns that lean on each other by up to 1e4 are less so."""
    slow, cell, rng = build(twin, family, units), build(rd, family, units), np.random.default_rng(units)
    free = 0
    for gain in (0.05, 0.5, 1.0, 2.0, 5.0):
        weights = random_weights(cell, rng, (POINTS,), gain=gain)
        every, own = both(cell, weights)
        assert np.array_equal(every.status, own.status)
        with np.errstate(invalid="ignore"):
            apart = np.nan_to_num(np.abs(every.exponents - own.exponents)).max(axis=1)
        for point in np.flatnonzero(apart > 1e-9).tolist():
            free += 1
            rounded = np.abs(every.exponents[point] - in_long_double(slow, weights, point)).max()
            assert apart[point] < 1e4 * rounded, f"gain {gain}, point {point}: {apart[point]:.1e}"
    assert free <= POINTS / 2, "most points are not as sensitive"


@pytest.mark.parametrize("units", [2, 8])
@pytest.mark.parametrize("decades", [1, 2, 3, 4, 5.5, 6.5])
def test_normal_matrices_whose_growth_differs(units, decades):
    """Orthogonal eigenvectors: nothing but rounding mixes the columns, however far their growth is apart."""
    rng = np.random.default_rng(units)
    turns = np.linalg.qr(rng.normal(size=(POINTS, units, units)))[0]
    growth = np.logspace(decades / 2, -decades / 2, units)
    matrices = turns @ (growth[:, None] * np.swapaxes(turns, 1, 2))
    every, own = both(rd.Linear(units), {"weight_hh": matrices}, state=np.zeros(units), steps=2000, transient=200)
    np.testing.assert_allclose(own.exponents, every.exponents, rtol=0, atol=1e-9)
    np.testing.assert_allclose(own.exponents, np.broadcast_to(np.log(growth), (POINTS, units)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("units", [2, 8])
@pytest.mark.parametrize("condition", [1e1, 1e4, 1e8])
def test_matrices_of_any_condition(units, condition):
    """Random turns on both sides of singular values that are `condition` apart: contraction, and then expansion."""
    rng = np.random.default_rng(units)
    left, right = np.linalg.qr(rng.normal(size=(2, POINTS, units, units)))[0]
    matrices = left @ (np.logspace(0, -np.log10(condition), units)[:, None] * right)
    for scale in (1e-2, 30.0):
        every, own = both(rd.Linear(units), {"weight_hh": scale * matrices}, state=np.zeros(units))
        np.testing.assert_allclose(own.exponents, every.exponents, rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", [10.0, 1e3, 1e5])
def test_non_normal_matrices(size):
    """Eigenvalues 0.2 .. 0.8 behind off-diagonal entries up to 1e5."""
    rng = np.random.default_rng(0)
    matrices = size * np.triu(rng.normal(size=(POINTS, 8, 8)), 1) + np.diag(np.linspace(0.8, 0.2, 8))
    every, own = both(rd.Linear(8), {"weight_hh": matrices}, state=np.zeros(8))
    np.testing.assert_allclose(own.exponents, every.exponents, rtol=0, atol=1e-9)


def test_normal_matrices_of_large_networks():
    """The same where networks run one by one."""
    rng = np.random.default_rng(96)
    turns = np.linalg.qr(rng.normal(size=(96, 96)))[0]
    for decades in (2, 6):
        growth = np.logspace(decades / 2, -decades / 2, 96)
        every, own = both(rd.Linear(96), {"weight_hh": (turns * growth) @ turns.T}, state=np.zeros(96))
        np.testing.assert_allclose(own.exponents, every.exponents, rtol=0, atol=1e-9)
