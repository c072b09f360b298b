"""Covariant Lyapunov vectors: eigenvectors of linear maps, covariance under Jacobians that are not the package's."""

import maps
import numpy as np
import pytest
import twin
from support import assert_same_result, random_weights, rotation
from test_truths_chaos import LSTM_WEIGHTS

import rnndyn as rd
from rnndyn.dynamics import covariant
from rnndyn.kernels import target

PLAIN = {"device": "python"}


def parallel(one, other):
    """Largest sine of the angle between columns of the same number."""
    cosines = np.abs((one * other).sum(axis=-2))
    return np.sqrt(np.maximum(0, 1 - np.minimum(cosines, 1) ** 2)).max()


def test_linear_maps_have_their_eigenvectors():
    """Three real eigenvalues, vectors far from orthogonal: V, growth ln|lambda|, the angles between them."""
    basis = np.array([[1.0, 1.0, 1.0], [0.0, 0.2, 1.0], [0.0, 0.0, 0.3]])
    basis /= np.linalg.norm(basis, axis=0)
    values = np.array([1.2, -0.8, 0.3])
    matrix = basis @ np.diag(values) @ np.linalg.inv(basis)
    found = rd.covariant_vectors(
        rd.Linear(3), {"weight_hh": matrix}, steps=20, transient=120, state=np.zeros(3), **PLAIN
    )
    assert found.vectors.shape == (21, 3, 3)
    assert parallel(found.vectors, basis) < 1e-7
    np.testing.assert_allclose(
        np.abs(found.vectors.swapaxes(1, 2) @ basis), np.abs(basis.T @ basis) + np.zeros((21, 3, 3)), atol=1e-13
    )
    np.testing.assert_allclose(found.growth, np.log(np.abs(values)) + np.zeros((21, 3)), atol=1e-13)
    np.testing.assert_allclose(found.exponents, np.log(np.abs(values)), atol=1e-13)
    angles = np.arccos(np.minimum(np.abs(basis.T @ basis), 1)) * (1 - np.eye(3))
    np.testing.assert_allclose(found.angles, angles + np.zeros((21, 3, 3)), atol=1e-12)
    normal = np.cross(basis[:, 1], basis[:, 2])
    expected = np.arcsin(np.abs(basis[:, 0] @ normal) / np.linalg.norm(normal))
    np.testing.assert_allclose(found.splitting, np.full(21, expected), atol=1e-12)
    two = rd.covariant_vectors(
        rd.Linear(3), {"weight_hh": matrix}, steps=4, transient=120, split=2, state=np.zeros(3), **PLAIN
    )
    normal = np.cross(basis[:, 0], basis[:, 1])
    np.testing.assert_allclose(two.splitting, np.arcsin(abs(basis[:, 2] @ normal) / np.linalg.norm(normal)), atol=1e-12)
    assert two.status == rd.Status.OK


def test_henon_vectors_are_carried_into_each_other():
    """DF v_j(t) = g_j(t) v_j(t+1) at every step; the mean of ln g_j is the spectrum, both sums ln 0.3."""
    steps, given = 3000, {"state": maps.HENON_START, "transient": 60}
    found = rd.covariant_vectors(maps.HENON, {}, steps=steps, **given)
    moved = maps.henon_jacobian(found.states[:-1]) @ found.vectors[:-1]
    sizes = np.linalg.norm(moved, axis=1)
    np.testing.assert_allclose(np.log(sizes), found.growth[:-1], rtol=0, atol=1e-9)
    assert parallel(moved / sizes[:, None], found.vectors[1:]) < 1e-7
    np.testing.assert_allclose(found.exponents, found.growth[:-1].mean(axis=0), rtol=0, atol=1e-12)
    assert np.all(np.abs(found.exponents - maps.HENON_EXPONENTS) < 4 * found.stderr + 5e-5)
    spectrum = rd.lyapunov(maps.HENON, {}, steps=steps, **given)
    np.testing.assert_allclose(found.exponents[0], spectrum.exponents[0], rtol=0, atol=1e-12)
    first, last = np.log(np.sin(found.angles[[0, -1], 0, 1]))  # areas the vectors span: sin' = 0.3 sin / (g_1 g_2)
    np.testing.assert_allclose(found.exponents.sum(), np.log(0.3) + (first - last) / steps, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.splitting, found.angles[:, 0, 1], rtol=0, atol=1e-12)
    assert found.splitting.min() < 0.02  # tangencies
    assert found.splitting.max() > 1.0


def test_chaotic_lstm_against_jacobians_of_the_twin():
    """Four vectors under the twin's Jacobians; re-measured growth gives (0.1695, -0.3848, -1.677, -4.623)."""
    slow = twin.LSTM(2)
    found = rd.covariant_vectors(
        rd.LSTM(2), {"weight_hh": LSTM_WEIGHTS}, steps=2000, transient=200, state=np.full(4, 0.5)
    )
    weights, logs = slow.fill({"weight_hh": LSTM_WEIGHTS}), []
    for state, now, after in zip(found.states[:200], found.vectors[:200], found.vectors[1:], strict=False):
        moved = slow.jacobian(weights, state, np.zeros(0)) @ now
        sizes = np.linalg.norm(moved, axis=0)
        assert parallel(moved / sizes, after) < 1e-5
        logs.append(np.log(sizes))
    np.testing.assert_allclose(logs, found.growth[:200], rtol=0, atol=1e-4)
    assert np.all(np.abs(found.exponents - [0.1695, -0.3848, -1.677, -4.623]) < 4 * found.stderr + 2e-3)
    assert np.all(found.stderr < 0.15)


def test_neutral_vector_of_a_flow_is_its_velocity():
    """Lorenz by RK4: the second vector lies along ds/dt at every state, and its exponent is 0."""
    given = {"steps": 1000, "transient": 4000, "times": np.arange(0, 1001, 50), "state": [1.0, 2.0, 20.0]}
    found = rd.covariant_vectors(maps.LORENZ, {"dt": 0.005}, **given)
    velocity = np.stack(maps.lorenz(None, None, np.moveaxis(found.states, -1, 0), None), axis=-1)
    velocity /= np.linalg.norm(velocity, axis=-1, keepdims=True)
    assert parallel(found.vectors[:, :, 1:2], velocity[:, :, None]) < 1e-5
    assert parallel(found.vectors[:, :, :1], velocity[:, :, None]) > 0.5
    assert abs(found.exponents[1]) < 4 * found.stderr[1]
    assert np.all(found.angles[:, 0, 1] > 1e-3)


def test_the_way_back_must_settle():
    """Without the backward transient the last vectors are random combinations; with it the first column is Q's own."""
    given = {"steps": 40, "transient": 60, "state": maps.HENON_START}
    settled = rd.covariant_vectors(maps.HENON, {}, **given)
    rash = rd.covariant_vectors(maps.HENON, {}, backward=0, **given)
    assert np.isnan(rash.growth[-1]).all()
    assert np.isfinite(settled.growth).all()
    assert parallel(rash.vectors[0], settled.vectors[0]) < 1e-7
    assert parallel(rash.vectors[-1][:, 1:], settled.vectors[-1][:, 1:]) > 1e-3
    assert_same_result(rash.vectors[:, :, 0], settled.vectors[:, :, 0])


def test_memory_is_bounded_and_segments_change_nothing(monkeypatch):
    """Segments of any length end with the same bits; no more than a segment's factors are ever held."""
    given = {"steps": 150, "transient": 20, "state": maps.HENON_START, "times": [0, 7, 77, 150]}
    whole = rd.covariant_vectors(maps.HENON, {}, **given)
    lengths, pushes = [], target.pushes
    monkeypatch.setattr(target, "pushes", lambda *a: lengths.append(a[6]) or pushes(*a))
    for segment in (1, 7, 1000):
        with monkeypatch.context() as patch:
            patch.setattr(covariant, "isqrt", lambda total, segment=segment: segment)
            assert_same_result(rd.covariant_vectors(maps.HENON, {}, **given), whole)
    lengths.clear()
    rd.covariant_vectors(maps.HENON, {}, **given | {"steps": 2000, "times": [0]})
    assert max(lengths) <= 45


def test_driven_networks_in_a_batch():
    """Inputs of transient + steps + backward; each point of a batch as alone; vectors follow the driven Jacobians."""
    rng, cell, slow = np.random.default_rng(5), rd.LSTM(2, 1), twin.LSTM(2, 1)
    weights = random_weights(cell, rng, (3,), gain=1.5)
    inputs, start = rng.normal(size=(3, 30 + 20 + 30, 1)), rng.normal(size=(3, 4))
    given = {"transient": 30, "backward": 30, "k": 3}
    found = rd.covariant_vectors(cell, weights, inputs=inputs, state=start, **given)
    assert found.vectors.shape == (3, 21, 4, 3)
    assert found.splitting.shape == (3, 21)
    for i in range(3):
        mine = {name: value[i] for name, value in weights.items()}
        alone = rd.covariant_vectors(cell, mine, inputs=inputs[i], state=start[i], first_index=i, **given)
        for a, b in zip(alone, found, strict=True):
            if a is not alone.times:
                assert_same_result(a, b[i])
        filled = slow.fill(mine)
        for t in (0, 10, 19):
            moved = slow.jacobian(filled, found.states[i, t], inputs[i, 30 + t]) @ found.vectors[i, t]
            assert parallel(moved / np.linalg.norm(moved, axis=0), found.vectors[i, t + 1]) < 1e-6
            np.testing.assert_allclose(np.log(np.linalg.norm(moved, axis=0)), found.growth[i, t], rtol=0, atol=1e-6)


def test_no_way_back_through_a_singular_jacobian():
    """Two live and one dead ReLU unit: two vectors, then NaN with exponent -inf; a network that blows up: all NaN."""
    live = np.array([[0.5, 0.3, 0.1], [0.2, 0.4, 0.0], [0.0, 0.0, 0.3]])
    weights = {"weight_hh": np.stack([live, 9 * live]), "bias_hh": [[1.0, 1.0, -9.0], [1.0, 1.0, 1.0]]}
    found = rd.covariant_vectors(rd.Elman(3, activation="relu"), weights, steps=20, transient=60, **PLAIN)
    assert found.status.tolist() == [rd.Status.SINGULAR, rd.Status.DIVERGED]
    values, vectors = np.linalg.eig(live[:2, :2])
    vectors = vectors[:, np.argsort(-np.abs(values))]
    np.testing.assert_allclose(found.exponents[0], [*np.sort(np.log(np.abs(values)))[::-1], -np.inf], atol=1e-12)
    assert parallel(found.vectors[0, :, :2, :2], vectors) < 1e-7
    assert np.isnan(found.vectors[0, :, :, 2]).all()
    assert np.isnan(found.vectors[1]).all()
    assert np.isnan(found.exponents[1]).all()


def test_angles_between_subspaces():
    """Planes in space by a known turn: right from 1e-12 to pi/2."""
    for angle in (1e-12, 1e-6, 0.3, 0.9, 1.5, np.pi / 2):
        turn = np.eye(4)
        turn[1:3, 1:3] = rotation(angle)
        line, plane = turn[:, 1:2], np.eye(4)[:, [0, 1]]
        mixed = plane @ np.array([[1.0, 0.4], [0.2, 1.0]])
        assert covariant.subspace_angle(mixed, line) == pytest.approx(angle, rel=1e-9 if angle > 1e-9 else 1e-3)
        assert covariant.subspace_angle(line, mixed) == pytest.approx(angle, rel=1e-9 if angle > 1e-9 else 1e-3)
        between = covariant._angles(np.stack([np.eye(4)[:, 1], turn[:, 1]], axis=1))
        assert between[0, 1] == pytest.approx(angle, rel=1e-9 if angle > 1e-9 else 1e-3)


WRONG = [
    ({"steps": 5, "times": [0, 6]}, "times"),
    ({"steps": 5, "times": [3, 3]}, "times"),
    ({"steps": 5, "times": [0.5]}, "times"),
    ({"steps": 5, "split": 2}, "split"),
    ({"steps": 5, "k": 3}, "`k` is 3"),
    ({"steps": 5, "backward": -1}, "backward"),
    ({}, "how many steps"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_wrong_arguments_are_refused(given, message):
    with pytest.raises(rd.InputError, match=message):
        rd.covariant_vectors(maps.HENON, {}, **given)


def test_inputs_must_reach_beyond_both_transients():
    with pytest.raises(rd.InputError, match="backward"):
        rd.covariant_vectors(rd.Elman(1, 1), {}, inputs=np.zeros((6, 1)), transient=3, backward=3)
