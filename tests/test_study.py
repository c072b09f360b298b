"""The study file: read, checked, and turned into weights; every mistake gets its sentence."""

from pathlib import Path

import numpy as np
import pytest

from rnndyn.errors import InputError
from rnndyn.sweep import Overview, Study, read_study
from rnndyn.sweep.grid import LEAST, MOST, chunk_shape, chunks
from rnndyn.sweep.value import generator
from rnndyn.sweep.weights import build_weights

STUDIES = Path(__file__).parents[1] / "studies"
GOOD = """
[cell]
kind = "Elman"
units = 2
[axes]
w = { start = -1.0, stop = 1.0, num = 3 }
net = [0, 1, 5]
[weights]
weight_hh = { init = "normal", gain = "w", seed = "net" }
bias_hh = ["-w", 0.5]
[run]
steps = 10
[measure.lyapunov]
"""


@pytest.fixture
def study(tmp_path):
    """Return a function that reads GOOD with replacements."""

    def read(*replacements, overrides=None):
        text = GOOD
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "try.toml"
        path.write_text(text, encoding="utf-8")
        return read_study(path, overrides)

    return read


def draw(study_seed, name, seed, shape):
    return generator(study_seed, name, seed).standard_normal(shape)


def test_every_study_of_the_repository_is_valid():
    pages = [read_study(file) for file in sorted(STUDIES.glob("*.toml"))]
    assert pages
    for page in pages:
        for study in (page, *page.parts):
            assert study.title
            assert study.question
            assert isinstance(study, Overview) or study.points > 1


def test_scalar_stability_is_what_the_claim_asks_for():
    study = read_study(STUDIES / "scalar_stability.toml")
    assert list(study.axes) == ["w", "b"]
    assert study.shape == (512, 512)
    assert (study.run.steps, study.run.transient) == (1000, 200)
    assert study.measure.gradient.horizon == 100
    assert study.measure.attractors.starts >= 4
    assert study.measure.attractors.max_period == 8
    assert study.axes["w"].values[[0, -1]].tolist() == [-4.0, 4.0]
    assert abs(study.axes["b"].values[-1]) >= 2.0


def test_a_study_survives_json(study):
    first = study()
    second = Study.model_validate_json(first.model_dump_json(exclude_none=True))
    assert second.model_dump() == first.model_dump()
    assert second.digest() == first.digest()


def test_titles_do_not_change_what_is_computed(study):
    assert study(("[cell]", 'title = "another"\n[cell]')).digest() == study().digest()
    assert study(("steps = 10", "steps = 11")).digest() != study().digest()


def test_overrides(study):
    assert study(overrides={"axes.w.num": 7, "run.transient": 4}).shape == (7, 3)
    with pytest.raises(InputError, match="did you mean 'num'"):
        study(overrides={"axes.w.nun": 7})
    with pytest.raises(InputError, match="net is not a table"):
        study(overrides={"axes.net.num": 7})


MISTAKES = [
    ("steps = 10", "stpes = 10", "[run] steps is missing"),
    ("steps = 10", "steps = 10\nstpes = 1", "unknown key 'stpes' in [run]; did you mean 'steps'?"),
    ("steps = 10", 'steps = "10"', "[run] steps = '10': expected a whole number"),
    ("steps = 10", "steps = 10.5", "[run] steps = 10.5: expected a whole number"),
    ("steps = 10", "steps = true", "[run] steps = True: expected a whole number"),
    ("steps = 10", "steps = 0", "[run] steps = 0: expected at least 1"),
    ("steps = 10", "steps = 10\nseed = -1", "[run] seed = -1: expected at least 0"),
    ("steps = 10", 'steps = 10\ndtype = "float46"', "did you mean 'float64'?"),
    ("steps = 10", 'steps = 10\ndevice = "gpu"', "[run] device = 'gpu': expected 'auto', 'cpu' or 'cuda'"),
    ("[measure.lyapunov]", "[measur.lyapunov]", "unknown key 'measur'; did you mean 'measure'?"),
    ("[measure.lyapunov]", "[measure.lyapunow]", "unknown key 'lyapunow' in [measure]; did you mean 'lyapunov'?"),
    ("[measure.lyapunov]", "[measure]", "nothing is measured"),
    ("[measure.lyapunov]", "[measure.lyapunov]\nk = 3", "[measure.lyapunov] k = 3: this cell has 2 exponents"),
    (
        "[measure.lyapunov]",
        "[measure.lyapunov]\nqr = 3",
        "unknown key 'qr' in [measure.lyapunov]; known: k, whole_up_to, keep, derive, qr_every",
    ),
    ("[measure.lyapunov]", "[measure.gradient]", "[measure.gradient] horizon is missing"),
    ("units = 2", "units = 0", "[cell] units = 0: expected at least 1"),
    ("units = 2", "", "[cell] units is missing"),
    ('"Elman"', '"Elmann"', "[cell] kind = 'Elmann': no such cell; did you mean 'Elman'?"),
    ("units = 2", 'units = 2\nactivaton = "tanh"', "did you mean 'activation'?"),
    ("units = 2", 'units = 2\nactivation = "tnah"', "[cell] activation = 'tnah': "),
    ("units = 2", 'units = 2\nactivation = "tnah"', "; did you mean 'tanh'?"),
    ("num = 3", "nun = 3", "[axes] w"),
    ("num = 3", "num = 0", "[axes] w.num = 0: expected at least 1"),
    ("num = 3 ", "num = 3, step = 1 ", "unknown key 'step' in [axes] w; did you mean 'stop'?"),
    (
        "num = 3 ",
        'num = 3, scale = "lin" ',
        "[axes] w.scale = 'lin': expected 'linear' or 'log'; did you mean 'linear'",
    ),
    ("num = 3 ", 'num = 3, scale = "log" ', "[axes] w: scale = 'log' needs start and stop of one sign, not -1 to 1"),
    (", num = 3", "", "[axes] w: num missing: give start, stop and num, or a list of numbers"),
    ("start = -1.0", "start = nan", "[axes] w.start = nan: expected a finite number"),
    ("stop = 1.0", "stop = -1.0", "[axes] w: its values must rise (or fall)"),
    ("[0, 1, 5]", "[]", "[axes] net: the list is empty"),
    ("[0, 1, 5]", "[0, 1, 1]", "[axes] net: its values must rise (or fall)"),
    ("[0, 1, 5]", '[0, "1"]', "[axes] net"),
    (
        "[0, 1, 5]",
        "7",
        "[axes] net: expected {start = ..., stop = ..., num = ...} or a list of numbers, or of texts, got 7",
    ),
    ("[0, 1, 5]", "[-1, 0]", "axis 'net' gives seeds, which must be whole numbers from 0 up"),
    ("[0, 1, 5]", "[0, 0.5]", "axis 'net' gives seeds"),
    ("net = [", "steps = [1]\nnet = [", "[axes] steps: the results use this name"),
    ("net = [", '"a b" = [1]\nnet = [', "[axes] 'a b': a name of letters"),
    ("net = [", "v = [1]\nnet = [", "[axes] v: no entry of [weights] uses this axis"),
    (
        "weight_hh",
        "weight_h",
        "[weights] weight_h = {'init': 'normal', 'gain': 'w', 'seed': 'net'}: Elman has no such weight; did you",
    ),
    ('["-w", 0.5]', '["-v", 0.5]', "[weights] bias_hh = ['-v', 0.5]: '-v' is no axis"),
    ('["-w", 0.5]', "[0.5]", "[weights] bias_hh = [0.5]: its shape is 1, the cell needs 2"),
    ('["-w", 0.5]', "[[1], [1, 2]]", "its rows differ in length"),
    ('["-w", 0.5]', "[true, 1]", "True is neither a number nor the name of an axis"),
    ('["-w", 0.5]', "[inf, 1]", "inf is not a finite number"),
    ('"normal"', '"normall"', "init = 'normall': expected one of 'normal', 'uniform'"),
    ('"normal"', '"normall"', "did you mean 'normal'?"),
    ('gain = "w"', 'gian = "w"', "unknown key 'gian'; did you mean 'gain'?"),
    ('seed = "net"', 'seed = "not"', "'not' is no axis; did you mean 'net'?"),
    ("[cell]", "claim = 10\n[cell]", "claim = 10: expected at most 9"),
    ("[cell]", "title = 3\n[cell]", "title = 3: expected a text in quotes"),
    ("[measure", '[[figure]]\nvariable = "exponent"\n[measure', "did you mean 'exponents'?"),
    ("[measure", '[[figure]]\nvariable = "exponents"\nx = "v"\n[measure', "x = 'v' is no axis of it"),
    ("[measure", '[[figure]]\nvariable = "exponents"\nx = "w"\ny = "w"\n[measure', "a map needs two axes"),
    ("[measure", '[[figure]]\nvariable = "exponents"\ntheory = ["tanh_fld"]\n[measure', "did you mean 'tanh_fold'?"),
    ("[measure", '[[figure]]\nvariable = "exponents"\ntheory = ["tanh_fold"]\n[measure', "does not apply here"),
    (
        "[measure",
        '[[figure]]\ntitle = "T"\nindex = "al"\n[measure',
        "[[figure]] 1 'T': index = 'al': expected a whole number",
    ),
    ("[measure", "[[figure]]\n[[figure]]\n[measure", "[[figure]] 1: variable is missing"),
    ("[run]", "[inputs]\nfile = 'x.npy'\n[run]", "'file'; did you mean kind = 'file'?"),
    ("[weights]", "[weights]\nweight_ih = 1.0", "[weights] weight_ih = 1.0: Elman has no such weight; it needs inputs"),
    ("steps = 10", "steps = 10\nsteps = 20", "the key 'steps' is there twice"),
    ("[run]", "[run", "is not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "sentence"), MISTAKES, ids=[new or old for old, new, _ in MISTAKES])
def test_every_mistake_gets_its_sentence(study, old, new, sentence):
    with pytest.raises(InputError) as caught:
        study((old, new))
    message = str(caught.value)
    assert sentence in message
    assert "try.toml" in message.splitlines()[0]
    assert "pydantic" not in message


def test_several_mistakes_are_told_at_once(study):
    with pytest.raises(InputError) as caught:
        study(("steps = 10", "steps = 0\nseed = -1"), ("units = 2", 'units = "2"'))
    assert len(str(caught.value).splitlines()) == 3


def test_files_that_are_no_study(tmp_path):
    (tmp_path / "scalar.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"did you mean .*scalar\.toml"):
        read_study(tmp_path / "scaler.toml")
    with pytest.raises(InputError, match="UTF-8"):
        read_study(tmp_path / "scalar.toml")
    with pytest.raises(InputError, match="is a folder"):
        read_study(tmp_path)
    with pytest.raises(InputError, match="there is no study file"):
        read_study(tmp_path / "nowhere" / "x.toml")


def test_weights_of_a_block(study):
    read = study()
    block = {"w": np.array([-1.0, 0.5]), "net": np.array([1])}
    weights = build_weights(read, read.make_cell(), block)
    assert weights["bias_hh"].tolist() == [[[1.0, 0.5]], [[-0.5, 0.5]]]
    normal = draw(0, "weight_hh", 1, (2, 2))
    np.testing.assert_allclose(weights["weight_hh"][0, 0], -normal / np.sqrt(2), rtol=1e-15)
    np.testing.assert_allclose(weights["weight_hh"][1, 0], 0.5 * normal / np.sqrt(2), rtol=1e-15)


@pytest.mark.parametrize(("value", "expected"), [("0.25", 0.25), ('"w"', 2.0), ('"-w"', -2.0)])
def test_a_single_value_fills_the_weight(study, value, expected):
    read = study(('["-w", 0.5]', value))
    weights = build_weights(read, read.make_cell(), {"w": np.array([2.0]), "net": np.array([0])})
    np.testing.assert_array_equal(weights["bias_hh"], np.full((1, 1, 2), expected))


def test_random_weights_depend_on_study_seed_name_and_seed_only():
    base = draw(0, "weight_hh", 3, (40, 50))
    np.testing.assert_array_equal(draw(0, "weight_hh", 3, (40, 50)), base)
    others = [
        draw(1, "weight_hh", 3, (40, 50)),
        draw(0, "bias_hh", 3, (40, 50)),
        draw(0, "weight_hh", 4, (40, 50)),
    ]
    for other in others:
        assert abs(np.corrcoef(other.ravel(), base.ravel())[0, 1]) < 5 / np.sqrt(base.size)
    assert abs(base.mean()) < 5 / np.sqrt(base.size)
    assert abs(base.std() - 1) < 5 / np.sqrt(2 * base.size)


@pytest.mark.parametrize("shape", [(1,), (7,), (100_003,), (512, 512), (3, 1, 5), (2, 70, 900), (40, 30, 20, 10)])
@pytest.mark.parametrize("operations", [1.0, 1e8, 1e13])
def test_chunks_tile_the_grid_in_order(shape, operations):
    size = chunk_shape(shape, 100.0, operations)
    parts = list(chunks(shape, size))
    index = np.arange(np.prod(shape)).reshape(shape)
    seen = np.concatenate([index[part.slices].ravel() for part in parts])
    np.testing.assert_array_equal(seen, index.ravel())
    for number, part in enumerate(parts):
        assert part.index == number
        assert index[part.slices].ravel()[0] == part.first
        assert index[part.slices].shape == part.shape
        assert part.points <= (MOST if operations < 1e9 else LEAST)
