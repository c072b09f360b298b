"""The number of a study that tells the order of a method."""

import numpy as np
import pytest
import xarray as xr

from rnndyn.errors import InputError
from rnndyn.sweep import read_study
from rnndyn.sweep.found import find_numbers

DT = np.geomspace(1e-3, 0.1, 9)
STUDY = """
[cell]
kind = "Leaky"
units = 1
step = "method"
[axes]
dt = { start = 0.001, stop = 0.1, num = 9, scale = "log" }
method = ["euler", "rk4"]
[weights]
dt = "dt"
[run]
steps = 10
[measure.lyapunov]
derive = ["exponent_per_time"]
[[number]]
label = "order"
variable = "exponent_per_time"
at = { method = "euler" }
order = "dt"
minus = -1.0
theory = 1
"""


@pytest.fixture
def study(tmp_path):
    """Return a function that reads STUDY with replacements."""

    def read(*replacements):
        text = STUDY
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "try.toml").write_text(text, encoding="utf-8")
        return read_study(tmp_path / "try.toml")

    return read


def made(error):
    """A result whose exponents per unit time are those of ds/dt = -s by Euler and by RK4."""
    values = np.stack([np.log1p(-DT) / DT, np.log(1 - DT + DT**2 / 2 - DT**3 / 6 + DT**4 / 24) / DT])
    coords = {"method": np.array(["euler", "rk4"]), "dt": DT}
    data = {"exponent_per_time": (("method", "dt"), values, {"units": "nat/time"})}
    data["exponent_per_time_stderr"] = (("method", "dt"), np.full(values.shape, error))
    return xr.Dataset(data, coords)


def test_a_number_tells_the_order(study):
    (found,) = find_numbers(made(0.0), study())
    assert abs(found.value - 1.0) < 2 * found.stderr < 0.1
    assert (found.theory, found.units) == (1.0, "")
    assert found.off == pytest.approx(abs(found.value - 1.0))
    assert found.note == "as far as it is straight, from dt = 0.001 to 0.1"
    (fourth,) = find_numbers(made(0.0), study(('"euler" }\norder', '"rk4" }\nbetween = [0.01, 1.0]\norder')))
    assert abs(fourth.value - 4.0) < 0.1
    assert fourth.note == "as far as it is straight, from dt = 0.01 to 0.1"
    (fine,) = find_numbers(made(0.0), study(('"euler" }\norder', '"euler" }\nbetween = [0.0, 0.005]\norder')))
    assert fine.note == "as far as it is straight, from dt = 0.001 to 0.00316228"
    assert abs(fine.value - 1.0) < abs(found.value - 1.0)
    (unsure,) = find_numbers(made(0.005), study())
    assert unsure.note == "as far as it is straight, from dt = 0.0316228 to 0.1"  # those that are an error beyond doubt
    (lost,) = find_numbers(made(0.05), study())
    assert np.isnan(lost.value)
    assert lost.note == "of less than three values"


MISTAKES = [
    (('order = "dt"', 'order = "h"'), "order = 'h': no axis of it; known: method, dt"),
    (('order = "dt"', 'order = "method"'), "order = 'method': texts have no order"),
    (('"euler" }', '"euler", dt = 0.1 }'), "order = 'dt': at has a value of this axis"),
    (('at = { method = "euler" }\n', ""), "method: give a value in at"),
    (("start = 0.001", "start = -0.1"), "order = 'dt': needs 3 positive values of it at least, there are 9"),
    (("minus = -1.0", "between = [0.05, 0.1]"), "needs 3 positive values of it at least, there are 2"),
    (("minus = -1.0", 'reduce = "mean"'), "order gives a power: remove reduce"),
    (("minus = -1.0", "above = 0"), "order gives a power: remove above"),
    (("theory = 1", 'theory = "mean_field_per_time"'), "order gives a power: remove the name in theory"),
    (('order = "dt"', ""), "minus and between are of order: give it an axis"),
]


@pytest.mark.parametrize(("replacement", "words"), MISTAKES, ids=[words for _, words in MISTAKES])
def test_every_mistake_gets_its_sentence(study, replacement, words):
    more = [('scale = "log"', 'scale = "linear"')] if "start" in replacement[0] else []
    with pytest.raises(InputError) as caught:
        study(replacement, *more)
    assert words in str(caught.value)
