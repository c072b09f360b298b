"""Exponents of the package against the NumPy twins: driven networks whose spectra are far enough apart to be sharp."""

from functools import cache

import numpy as np
import pytest
import twin
from support import assert_same_result, build, exponent_rounding, point, random_weights, sized

import rnndyn as rd

BATCH, TRANSIENT, STEPS = 2, 240, 123
SIZES = (1, 2, 3, 5, 8, 9)
GATED = ["lstm", "gru", "gru_before"]


@cache
def driven(family, units, seed, batch=BATCH, steps=TRANSIENT + STEPS):
    """Driven networks whose exponents lie apart: eigenvalues 0.9 * 0.7^j, leaks (f or z) about 0.86 * 0.6^j."""
    rng = np.random.default_rng([seed, units])
    slow = build(twin, family, units, 2)
    weights = random_weights(slow, rng, (batch,), gain=0.2, bias=0.2)
    vectors = np.eye(units) + 0.2 * rng.normal(size=(batch, units, units)) / np.sqrt(units)
    rows = slice(2 * units, 3 * units) if family in GATED else slice(None)
    weights["weight_hh"][:, rows] = vectors @ np.diag(0.9 * 0.7 ** np.arange(units)) @ np.linalg.inv(vectors)
    if family in GATED:
        leak = 0.86 * 0.6 ** np.arange(units)
        weights["weight_ih"] *= 0.3
        weights["bias_ih"][:, units : 2 * units] += np.log(leak / (1 - leak))
    if family == "relu":
        weights["weight_hh"], weights["bias_hh"] = np.abs(weights["weight_hh"]), 1 + np.abs(weights["bias_hh"])
    return slow, build(rd, family, units, 2), weights, rng.normal(size=(batch, steps, 2))


@cache
def driven_jacobians(family, units, seed, i):
    """The Jacobians of one of those networks along its orbit from 0.1 in every field."""
    slow, _, weights, inputs = driven(family, units, seed)
    own = point(weights, slow.shapes, (BATCH,), (i,))
    return twin.jacobians(slow, own, inputs=inputs[i], state=np.full(slow.state_size, 0.1))


def check(family, units, seed, found, k, qr_every):
    """Against two twins with different frames: their difference is what the package's own frame may cost."""
    slow, sharp = driven(family, units, seed)[0], 0
    for i in range(BATCH):
        matrices = driven_jacobians(family, units, seed, i)
        keywords = {"transient": TRANSIENT, "k": k, "qr_every": qr_every or 1}
        one, other = (twin.benettin(matrices, seed=frame, **keywords) for frame in (0, 1))
        tolerance = exponent_rounding(slow.state_size, one.conditioning) + 4 * np.abs(one.exponents - other.exponents)
        sharp += np.sum(tolerance < 1e-6)
        if qr_every is None:  # the interval that the package chooses may cost a thousandth of its error bar
            tolerance = np.maximum(tolerance, 1e-3 * found.stderr[i])
        assert np.all(np.abs(found.exponents[i] - one.exponents) <= tolerance)
    assert sharp >= 0.5 * found.exponents.size


@pytest.mark.parametrize(("family", "sizes"), sized((1, 2, 5)))
@pytest.mark.parametrize("qr_every", [1, 3, None])
def test_exponents(family, sizes, qr_every):
    """Full spectra of driven networks (ReLU: the largest exponent, the others may be rank loss)."""
    for units in sizes:
        slow, cell, weights, inputs = driven(family, units, seed=7)
        k, start = 1 if family == "relu" else slow.state_size, np.full(slow.state_size, 0.1)
        keywords = {"steps": STEPS, "transient": TRANSIENT, "k": k, "qr_every": qr_every, "inputs": inputs}
        found = rd.lyapunov(cell, weights, state=start, **keywords)
        assert np.all(found.status == rd.Status.OK)
        check(family, units, 7, found, k, qr_every)


@pytest.mark.parametrize("family", ["tanh", *GATED])
@pytest.mark.parametrize("qr_every", [1, 7, None])
def test_first_exponents(family, qr_every):
    """k = 1, 2, 3 of larger networks (3, 8 and 9 units)."""
    for units, k in ((3, 1), (8, 2), (9, 3)):
        slow, cell, weights, inputs = driven(family, units, seed=8)
        start = np.full(slow.state_size, 0.1)
        keywords = {"steps": STEPS, "transient": TRANSIENT, "k": k, "qr_every": qr_every, "inputs": inputs}
        found = rd.lyapunov(cell, weights, state=start, **keywords)
        assert found.exponents.shape == (BATCH, k)
        check(family, units, 8, found, k, qr_every)


@pytest.mark.parametrize(("family", "sizes"), [p for p in sized(SIZES, SIZES[2:]) if p.values[0] in ("tanh", *GATED)])
def test_sums_of_exponents(family, sizes):
    """Full spectra of up to 9 units from the first step on: the sum is the mean of ln |det J| of the twin."""
    rng, steps = np.random.default_rng(9), 30
    for units in sizes:
        slow, cell = build(twin, family, units, 2), build(rd, family, units, 2)
        weights = random_weights(slow, rng, (3,))
        inputs, state = rng.normal(size=(3, steps, 2)), rng.normal(size=(3, slow.state_size))
        found = rd.lyapunov(cell, weights, steps=steps, qr_every=1, inputs=inputs, state=state)
        for i in range(3):
            own = point(weights, slow.shapes, (3,), (i,))
            matrices = twin.jacobians(slow, own, inputs=inputs[i], state=state[i])
            expected = np.mean([np.linalg.slogdet(j)[1] for j in matrices])
            tolerance = exponent_rounding(slow.state_size, np.linalg.cond(matrices).mean())
            assert found.exponents[i].sum() == pytest.approx(expected, abs=tolerance, rel=0)
            assert tolerance < 1e-4


def test_own_default_start_and_constant_inputs():
    """A constant input `(1, I)` with `steps` is that row at every step; no inputs at all are zeros. To the bit."""
    for family in ("tanh", "lstm"):
        _, cell, weights, inputs = driven(family, 3, seed=13, steps=60)
        long, constant = np.repeat(inputs[:, :1], 60, axis=1), inputs[:, :1]
        keywords = {"steps": 40, "transient": 20, "seed": 5}
        assert_same_result(
            rd.lyapunov(cell, weights, inputs=long, **keywords), rd.lyapunov(cell, weights, inputs=constant, **keywords)
        )
        assert_same_result(
            rd.lyapunov(cell, weights, inputs=0 * long, **keywords), rd.lyapunov(cell, weights, **keywords)
        )


@pytest.mark.parametrize("family", ["tanh", "lstm"])
def test_ragged_exponents(family):
    """Lengths count transient and steps: each point equal to the bit to its own run at the same grid index."""
    _, cell, weights, inputs = driven(family, 3, seed=10, batch=4, steps=60)
    lengths = np.array([60, 25, 41, 33])
    found = rd.lyapunov(cell, weights, steps=40, transient=20, inputs=inputs, lengths=lengths)
    assert np.array_equal(found.steps, lengths - 20)
    for i, length in enumerate(lengths):
        own = {name: value[i] for name, value in weights.items()}
        alone = rd.lyapunov(cell, own, steps=length - 20, transient=20, inputs=inputs[i, :length], first_index=i)
        assert_same_result([v[i] for v in found], list(alone))


@pytest.mark.parametrize("family", ["tanh", "lstm", "gru"])
def test_single_precision_exponents(family):
    """float32 exponents of a driven network: each step rounds ln growth by a few eps times its conditioning."""
    slow, cell, weights, inputs = driven(family, 3, seed=15)
    weights, inputs = {n: v.astype(np.float32) for n, v in weights.items()}, inputs.astype(np.float32)
    start, k = np.full(slow.state_size, 0.125), 2
    keywords = {"steps": STEPS, "transient": TRANSIENT, "k": k, "qr_every": 1, "inputs": inputs, "dtype": "float32"}
    found = rd.lyapunov(cell, weights, state=start, **keywords)
    assert found.exponents.dtype == np.float32
    for i in range(BATCH):
        matrices = twin.jacobians(slow, point(weights, slow.shapes, (BATCH,), (i,)), inputs=inputs[i], state=start)
        slowly, other = (twin.benettin(matrices, transient=TRANSIENT, k=k, seed=frame) for frame in (0, 1))
        np.testing.assert_allclose(slowly.exponents, other.exponents, rtol=0, atol=1e-12)
        tolerance = 32 * slow.state_size * np.finfo(np.float32).eps * slowly.conditioning
        assert np.all(np.abs(found.exponents[i] - slowly.exponents) <= tolerance)
        assert np.min(tolerance) < 1e-3
