"""What the tests share: the cells under test with their twins, random networks, comparisons with honest tolerances."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
EPS = np.finfo(float).eps

FAMILIES = {
    "linear": ("Linear", {}),
    "tanh": ("Elman", {"activation": "tanh"}),
    "relu": ("Elman", {"activation": "relu"}),
    "logistic": ("Elman", {"activation": "logistic"}),
    "softplus": ("Elman", {"activation": "softplus"}),
    "identity": ("Elman", {"activation": "identity"}),
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {"reset_after": True}),
    "gru_before": ("GRU", {"reset_after": False}),
}


SHAPES = ("tanh", "lstm", "gru_before")  # one rule, several fields, two stages


def sized(sizes, usual=(5,)):
    """Parameters (family, sizes): the families of different shapes in all sizes, the others in the usual ones.

    A lane is wider for 1 and 2 units, so that each family costs three kernels; the rest of them is slow.
    """
    rest, found = [size for size in sizes if size not in usual], []
    for family in FAMILIES:
        if family in SHAPES:
            found.append(pytest.param(family, list(sizes), id=family))
        else:
            found.append(pytest.param(family, list(usual), id=family))
            found.append(pytest.param(family, rest, id=f"{family}-rest", marks=pytest.mark.slow))
    return found


def build(module, family, units, inputs=0):
    """The cell of a family from the package or from the twins: both have the same constructors."""
    name, keywords = FAMILIES[family]
    return getattr(module, name)(units, inputs, **keywords)


def random_weights(cell, rng, batch=(), gain=1.0, bias=0.5):
    """Weights with spectral radius about `gain`, inputs of order one, biases of order `bias`."""
    scale = {"weight_hh": gain / np.sqrt(cell.units), "weight_ih": 1 / np.sqrt(max(cell.inputs, 1))}
    return {name: scale.get(name, bias) * rng.normal(size=(*batch, *shape)) for name, shape in cell.shapes.items()}


def point(weights, shapes, batch, index):
    """The weights of one grid point, after broadcasting like a gufunc."""
    return {name: np.broadcast_to(weights[name], (*batch, *shapes[name]))[index] for name in weights}


def core(array, batch, index, ndim):
    """One grid point of an array whose last `ndim` axes are not batch axes."""
    array = np.asarray(array)
    return np.broadcast_to(array, (*batch, *array.shape[array.ndim - ndim :]))[index]


def rounding(steps, terms, growth=1.0, eps=EPS):
    """Relative error of `steps` steps with sums of `terms` products, each rounding grown by at most `growth`."""
    return 8 * eps * steps * terms * growth


def exponent_rounding(size, conditioning=1.0):
    """Error of an exponent: each QR loses `conditioning` (worst ratio of growth factors in one block) times eps."""
    return 32 * size * EPS * conditioning


def pooled(found, truth, stated=0.0):
    """Mean over independent runs lies within 4 standard errors (and the stated uncertainty) of the truth, all columns.

    Returns the standard errors, so that the caller can assert that they are small enough to mean something.
    """
    exponents, stderr = (v.reshape(-1, v.shape[-1]) for v in (found.exponents, found.stderr))
    error = np.sqrt(np.mean(stderr**2, axis=0) / len(stderr))
    difference = np.abs(exponents.mean(axis=0) - truth)
    assert np.all(difference <= 4 * error + stated), f"{exponents.mean(axis=0)} +- {error}, not {truth}"
    return error


def assert_close(actual, desired, relative, terms=None):
    """Equal to `relative` of the largest entry of the array, or of `terms` where `desired` is a sum that may cancel."""
    desired = np.asarray(desired)
    assert np.shape(actual) == desired.shape
    scale = np.max(np.abs(desired if terms is None else terms), initial=0.0)
    np.testing.assert_allclose(actual, desired, rtol=0, atol=relative * scale)


def same_bits(one, other):
    """Equal shapes, types and bits, NaN included."""
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


def assert_same_result(one, other):
    """Two results (arrays, named tuples, mappings) equal to the bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, (tuple, list)):
        for a, b in zip(one, other, strict=True):
            assert_same_result(a, b)
    elif one is not None or other is not None:
        assert same_bits(one, other), f"different bits:\n{one}\n{other}"


def take(result, index):
    """One grid point (or slice of the first batch axis) of a result."""
    if isinstance(result, dict):
        return {name: take(value, index) for name, value in result.items()}
    if isinstance(result, tuple):
        return [take(value, index) for value in result]
    return None if result is None else np.asarray(result)[index]


def rotation(angle, scale=1.0):
    """A plane rotation times a number."""
    c, s = np.cos(angle), np.sin(angle)
    return scale * np.array([[c, -s], [s, c]])


def log_moduli(matrix):
    """ln |eigenvalues| from large to small."""
    return np.sort(np.log(np.abs(np.linalg.eigvals(matrix))))[::-1]


def python(code, *arguments, path=ROOT, cwd=None, **environment):
    """Run code (or a script, a Path) in a process of its own, its modules from `path`; returns what it prints."""
    command = [sys.executable, *(["-c", code] if isinstance(code, str) else [str(code)]), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(path)} | {name: str(value) for name, value in environment.items()}
    done = subprocess.run(command, cwd=cwd or path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
