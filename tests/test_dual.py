"""Partials that are known by type (0, 1) through every operation of a rule: the Jacobian of one step, by hand."""

import warnings

import numpy as np
import pytest
from numba import njit, typeof, types

import rnndyn as rd
from rnndyn.kernels.helper import helper
from rnndyn.kernels.lane import LaneType
from rnndyn.kernels.partials import ONE_TYPE, jacobian, seed
from rnndyn.kernels.rule import bind, update

S, T, A = 0.6, -1.7, 0.35  # two fields and the recurrent pre-activation W S + B
W, B = 0.25, 0.2


def update_forms(x, a, s, p):
    return (
        s[1],  # handed on
        s[0],  # exchanged
        s[1] + 0.5,  # sum with a number
        s[0] + s[1],  # sum of two
        s[1] + s[1],  # sum with itself
        s[1] - 0.5,  # less a number
        0.5 - s[1],  # a number less it
        s[1] - s[0],  # difference
        s[1] - s[1] + s[0],  # less itself
        -s[1],  # opposite
        +s[1],  # plus
        3.0 * s[1],  # product with a number
        s[0] * s[1],  # product
        s[1] * s[1],  # square by product
        s[0] / s[1],  # quotient
        1.0 / s[1],  # inverse
        s[1] ** 3,  # power
        abs(s[1]),  # size
        min(s[0], s[1]),  # smaller
        max(s[0], s[1]),  # larger
        max(s[1], 0.0 * s[0] + 2.0),  # larger of it and a number
        rd.where(s[0] > s[1], s[0], s[1]),  # one of two
        rd.where(s[0] > s[1], s[1], s[1] + 1.0),  # itself either way
        rd.where(s[0] > s[1], 2.0, s[1]),  # it or a number
        a[0] + x[0],  # pre-activation
        a[0] * s[1],  # pre-activation times a field
    )


# Derivatives with respect to s, t and a of what `update_forms` returns, in its order.
FORMS = {
    "handed on": (0, 1, 0),
    "exchanged": (1, 0, 0),
    "sum with a number": (0, 1, 0),
    "sum of two": (1, 1, 0),
    "sum with itself": (0, 2, 0),
    "less a number": (0, 1, 0),
    "a number less it": (0, -1, 0),
    "difference": (-1, 1, 0),
    "less itself": (1, 0, 0),
    "opposite": (0, -1, 0),
    "plus": (0, 1, 0),
    "product with a number": (0, 3, 0),
    "product": (T, S, 0),
    "square by product": (0, 2 * T, 0),
    "quotient": (1 / T, -S / T**2, 0),
    "inverse": (0, -1 / T**2, 0),
    "power": (0, 3 * T**2, 0),
    "size": (0, -1, 0),
    "smaller": (0, 1, 0),
    "larger": (1, 0, 0),
    "larger of it and a number": (0, 0, 0),
    "one of two": (1, 0, 0),
    "itself either way": (0, 1, 0),
    "it or a number": (0, 0, 0),
    "pre-activation": (0, 0, 1),
    "pre-activation times a field": (0, A, T),
}


@pytest.fixture(scope="module", params=["cpu", "python"])
def jacobian_of_a_step(request):
    """Cotangents of each field, one after another, through one step of a cell that has a field for each form."""
    cell = rd.Cell("Forms", 1, 0, tuple(FORMS), (rd.Stage(update=update_forms, gates=("s",)),))
    start, each = np.pad([S, T], (0, len(FORMS) - 2)), np.eye(len(FORMS))
    given = {"steps": 1, "state": start, "cotangent_last": each, "device": request.param}
    with warnings.catch_warnings():  # uncompiled, a rule is asked for the form of its partials at 0, where it divides
        warnings.simplefilter("ignore", RuntimeWarning)
        found = rd.gradients(cell, {"weight_hh": [[W]], "bias_hh": [B]}, **given)
    return dict(zip(FORMS, found.state, strict=True))


@pytest.mark.parametrize("name", FORMS)
def test_derivatives_of_each_form(jacobian_of_a_step, name):
    ds, dt, da = FORMS[name]
    expected = np.array([ds + W * da, dt])
    row = jacobian_of_a_step[name]
    np.testing.assert_allclose(row[:2], expected, rtol=4e-16, atol=4e-16)
    assert not row[2:].any()


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
