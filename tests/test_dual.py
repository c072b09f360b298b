"""Partials that are known by type (0, 1) through every operation of a rule: the Jacobian of one step, by hand."""

import numpy as np
import pytest
from numba import njit, typeof, types

import rnndyn as rd
from rnndyn.kernels.helper import helper
from rnndyn.kernels.lane import LaneType
from rnndyn.kernels.partials import ONE_TYPE, jacobian, seed
from rnndyn.kernels.rule import bind, update

S, T, A = 0.6, -1.7, 0.35  # the two fields and the recurrent pre-activation (w s + b)
W, B = 0.25, 0.2

# what the second field becomes, its derivatives with respect to s, t and a
FORMS = {
    "handed on": (lambda x, a, s, p: s[1], (0, 1, 0)),
    "exchanged": (lambda x, a, s, p: s[0], (1, 0, 0)),
    "sum with a number": (lambda x, a, s, p: s[1] + 0.5, (0, 1, 0)),
    "sum of two": (lambda x, a, s, p: s[0] + s[1], (1, 1, 0)),
    "sum with itself": (lambda x, a, s, p: s[1] + s[1], (0, 2, 0)),
    "less a number": (lambda x, a, s, p: s[1] - 0.5, (0, 1, 0)),
    "a number less it": (lambda x, a, s, p: 0.5 - s[1], (0, -1, 0)),
    "difference": (lambda x, a, s, p: s[1] - s[0], (-1, 1, 0)),
    "less itself": (lambda x, a, s, p: s[1] - s[1] + s[0], (1, 0, 0)),
    "opposite": (lambda x, a, s, p: -s[1], (0, -1, 0)),
    "plus": (lambda x, a, s, p: +s[1], (0, 1, 0)),
    "product with a number": (lambda x, a, s, p: 3.0 * s[1], (0, 3, 0)),
    "product": (lambda x, a, s, p: s[0] * s[1], (T, S, 0)),
    "square by product": (lambda x, a, s, p: s[1] * s[1], (0, 2 * T, 0)),
    "quotient": (lambda x, a, s, p: s[0] / s[1], (1 / T, -S / T**2, 0)),
    "inverse": (lambda x, a, s, p: 1.0 / s[1], (0, -1 / T**2, 0)),
    "power": (lambda x, a, s, p: s[1] ** 3, (0, 3 * T**2, 0)),
    "size": (lambda x, a, s, p: abs(s[1]), (0, -1, 0)),
    "smaller": (lambda x, a, s, p: min(s[0], s[1]), (0, 1, 0)),
    "larger": (lambda x, a, s, p: max(s[0], s[1]), (1, 0, 0)),
    "larger of it and a number": (lambda x, a, s, p: max(s[1], 0.0 * s[0] + 2.0), (0, 0, 0)),
    "one of two": (lambda x, a, s, p: rd.where(s[0] > s[1], s[0], s[1]), (1, 0, 0)),
    "itself either way": (lambda x, a, s, p: rd.where(s[0] > s[1], s[1], s[1] + 1.0), (0, 1, 0)),
    "it or a number": (lambda x, a, s, p: rd.where(s[0] > s[1], 2.0, s[1]), (0, 0, 0)),
    "pre-activation": (lambda x, a, s, p: a[0] + x[0], (0, 0, 1)),
    "pre-activation times a field": (lambda x, a, s, p: a[0] * s[1], (0, A, T)),
}


def cell_of(form):
    def rule(x, a, s, p):
        return s[0] * a[0], form(x, a, s, p)

    return rd.Cell("Form", 1, 0, ("s", "t"), (rd.Stage(update=rule, gates=("s",)),))


def by_hand(derivatives):
    """Jacobian of (s, t) <- (s a, form), a = w s + b."""
    ds, dt, da = derivatives
    return np.array([[A + S * W, 0.0], [ds + W * da, dt]])


@pytest.mark.filterwarnings("ignore:divide by zero")  # uncompiled, a rule is asked for the form of its partials at 0
@pytest.mark.parametrize("device", ["cpu", "python"])
@pytest.mark.parametrize("name", FORMS)
def test_jacobian_of_each_form(name, device):
    """Cotangents through one step are the Jacobian's rows; the tangents' determinant is its own."""
    form, derivatives = FORMS[name]
    cell, expected = cell_of(form), by_hand(derivatives)
    weights = {"weight_hh": [[W]], "bias_hh": [B]}
    given = {"steps": 1, "state": [S, T], "device": device}
    rows = rd.gradients(cell, weights, cotangent_last=np.eye(2), **given).state
    np.testing.assert_allclose(rows, expected, rtol=4e-16, atol=4e-16)
    found = rd.volume(cell, weights, **given).growth
    determinant = abs(np.linalg.det(expected))
    assert found == pytest.approx(np.log(determinant) if determinant > 0 else -np.inf, abs=1e-15)


def rows_of(stage, values):
    """The rule's partials; x is not seeded, as where nobody asks for the gradients of inputs."""
    _, a, s, p = values
    duals = seed((a, s, p))
    return jacobian(update(stage, values[0], duals[0], duals[1], duals[2]))


def test_partials_known_by_type_are_not_kept():
    """Of an LSTM 6 numbers a unit are."""
    lane, kept = LaneType(types.float64, 8), 0
    for bound, stage in zip(bind(rd.LSTM(1)).stages, rd.LSTM(1).stages, strict=True):
        sizes = len(stage.drives), len(stage.gates), 2, 0
        values = types.Tuple([types.UniTuple(lane, size) if size else types.Tuple([]) for size in sizes])
        compiled = njit(no_cpython_wrapper=True)(helper(rows_of))
        compiled.compile((typeof(bound), values))
        (rows,) = (signature.return_type for signature in compiled.nopython_signatures)
        kept += sum(partial == lane for row in rows for partial in row)
        assert sum(partial == ONE_TYPE for row in rows for partial in row) == 1  # h, then c, is handed on
    assert kept == 6
