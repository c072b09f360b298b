"""Studies whose exponents run to a tolerance: keys, results, cost, and what is said of mistakes."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn.errors import InputError

OK, LATE = rd.Status.OK, rd.Status.NOT_CONVERGED
STUDY = """
[cell]
kind = "Elman"
units = 1

[axes]
w = [0.5, 0.999, 1.5]

[weights]
weight_hh = "w"

[run]
steps = {steps}
transient = 20

[measure.lyapunov]
{keys}
"""


def study(tmp_path, keys, steps=3000):
    path = tmp_path / "close.toml"
    path.write_text(STUDY.format(keys=keys, steps=steps))
    return path


def test_studies_run_to_a_tolerance(tmp_path):
    """`steps` of [run] is the limit, or `limit` is; the result tells how many steps counted, its words how long."""
    for keys, most in (("tolerance = 1e-4", 3000), ("tolerance = 1e-4\nlimit = 2000", 2000)):
        found = rd.sweep(study(tmp_path, keys), progress=False)
        assert found["status"].values.tolist() == [OK, LATE, OK]
        assert found["steps"].values.tolist()[1] == most
        assert np.all(found["steps"].values[::2] <= most)
        assert np.all(found["exponents_stderr"].values[::2] <= 1e-4)
        assert f"at most 0.0001, {most} at most, after 20" in found["exponents"].attrs["how"]


def test_the_limit_is_what_a_study_may_cost(tmp_path):
    from rnndyn.sweep.estimate import estimate

    cost = [
        estimate(rd.read_study(study(tmp_path, keys)), timing=False).steps
        for keys in ("", "tolerance = 1e-4", "tolerance = 1e-4\nlimit = 100_000")
    ]
    assert cost == [3 * 2 * 3020, 3 * 2 * 3020, 3 * 2 * 100_020]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("limit = 50", "[measure.lyapunov] limit = 50: it is the most steps of a run to a tolerance; add tolerance"),
        ("tolerance = 0.0", "[measure.lyapunov] tolerance = 0.0"),
        ('tolerance = "w"', "[measure.lyapunov] tolerance = 'w'"),
        ("tolerance = 0.1\nlimit = 0", "[measure.lyapunov] limit = 0"),
        ("toleranse = 0.1", "unknown key 'toleranse' in [measure.lyapunov]; did you mean 'tolerance'?"),
    ],
)
def test_mistakes_of_a_study_are_told(tmp_path, keys, words):
    path = study(tmp_path, keys)
    with pytest.raises(InputError) as caught:
        rd.read_study(path)
    assert words in str(caught.value)
    assert "close.toml" in str(caught.value)
