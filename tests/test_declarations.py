"""Cells, fields, networks and rules that are declared wrongly: one sentence that names the mistake."""

import math

import numpy as np
import pytest

import rnndyn as rd


def fine(x, a, s, p):
    return (rd.where((s[0] > 0) & (a[0] < 1), s[0], a[0]) + rd.where(s[0] > 0, 1.0, 2.0),)


def in_place(x, a, s, p):
    y = s[0]
    y += a[0]
    return (y,)


def missing(x, a, s, p):
    return (math.gamma(s[0]),)


def compared(x, a, s, p):
    return (math.tanh(s[0]) * (s[0] > 0),)


def constant(x, a, s, p):
    return (1.0,)


def cell(rule=fine, gates=("h",), **more):
    return rd.Cell("My", 2, 0, ("h",), (rd.Stage(rule, gates=gates),), **more)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (in_place, r"write y = y \+ a"),
        (missing, "math.gamma is not in the language of a rule, which has math.exp"),
        (compared, "arithmetic with a comparison: use rd.where"),
        (constant, "it returns a constant"),
    ],
)
def test_rules_outside_the_language(rule, told):
    """Refused before anything is compiled; a rule with comparisons in `where` is not."""
    assert np.isfinite(rd.trajectory(cell(), {}, steps=2, device="python")).all()
    with pytest.raises(rd.InputError, match=told):
        rd.trajectory(cell(rule), {}, steps=2, device="python")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: cell(gates="hg"), "`gates` is a tuple"),
        (lambda: cell(second=("z",)), "`second` names 'z', which is none of h"),
        (lambda: cell(parameters={"tau": 1.0}, per_unit=("ta",)), "`per_unit` names 'ta', which is none of tau"),
        (lambda: cell(parameters={"weight_hh": 1.0}), "cannot have a weight's name"),
        (lambda: rd.Cell("My", 2, 0, ("h",), rd.Stage(fine)), "`stages` is a list"),
        (lambda: rd.Field("f", 0, 0, ("h",), (rd.Part(fine),)), "`units` must be a whole number"),
        (lambda: rd.Euler(rd.LSTM(2)), r"Euler steps an rd.Field\(...\), not LSTM"),
        (lambda: rd.Stack(rd.LSTM(2)), "Stack takes a list of layers"),
        (lambda: rd.trajectory(rd.LSTM, {}, steps=2), r"not the class LSTM; it is made with its sizes"),
        (lambda: rd.reach(rd.LSTM, {}, inputs=[[1.0]]), r"not the class LSTM"),
        (lambda: rd.trajectory(rd.Leaky.vector_field(2), {}, steps=2), r"rd.Euler\(field\) makes a cell"),
        (lambda: rd.attractors(rd.Stack([rd.Elman(2)]), {}), "is a network"),
        (lambda: rd.lyapunov(rd.Stack([rd.Elman(2)]), {}, steps=5, k="a"), "`k` must be a whole number"),
        (lambda: rd.lyapunov(rd.Stack([rd.Elman(2)]), {}, steps="a"), "`steps` must be a whole number"),
        (lambda: rd.trajectory(rd.LSTM(2), {"weight_hh_l1": 0}, steps=2), "bias_ih. A state_dict of several layers"),
        (lambda: rd.trajectory(rd.LSTM(2), {"weigth_hh": 0}, steps=2), "bias_ih. Did you mean 'weight_hh'"),
    ],
)
def test_wrong_declarations(make, told):
    with pytest.raises(ValueError, match=told):
        make()
