"""Figures as files: dark ones, vectors, and the tables of their numbers."""

import base64
import csv
import gzip
import io
import re
import types

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from rnndyn.report import figures, images, plot, style
from rnndyn.report.pictures import Picture
from rnndyn.report.table import ROWS, table

FLAGS = {"flag_values": [-1, 0, 3], "flag_meanings": "NOT_COMPUTED OK DIVERGED"}


def grid(name, values, x=("w", -4.0, 4.0), **attrs):
    """Values over two axes."""
    axes = {x[0]: np.linspace(x[1], x[2], len(values)), "b": np.linspace(-5.0, 5.0, values.shape[1])}
    return xr.DataArray(values, axes, tuple(axes), name, {"units": "nat/step", **attrs})


def exponents(size=12):
    return grid("exponents", np.random.default_rng(0).normal(size=(size, size)))


def status(like):
    return like.copy(data=np.where(like.values > 1, 3, 0)).rename("status").assign_attrs(FLAGS)


def a_map(canvas):
    data = exponents()
    plot.map(data, status=status(data), theory=["tanh_fold", "tanh_flip"], ax=canvas)


def regions(canvas):
    count = grid("attractors", np.arange(30).reshape(6, 5) % 4)
    plot.map(count, period=count.copy(data=np.minimum(count.values, 2)).rename("period"), ax=canvas)


def curves(canvas):
    data = exponents()[:, :3].transpose("b", "w")
    plot.curve(data, x="w", error=abs(data), status=status(data[0]), theory={"closed": np.sin}, ax=canvas)


def profiles(canvas):
    data = grid("log_norms", np.random.default_rng(1).normal(size=(40, 2)), ("lag", 0, 39)).T
    plot.profile(data, exponent=xr.DataArray([-1e-5, 2e-5], dims="b"), ax=canvas)


@pytest.mark.parametrize("draw", [a_map, regions, curves, profiles])
def test_a_darkened_figure_is_one_drawn_on_a_dark_card(draw, monkeypatch):
    """Pixel by pixel, words, ticks, frames, legends and all."""
    figure, canvas = figures.figure_of(draw)
    day = np.asarray(images.pixels(figure))
    canvas.darken()
    night = np.asarray(images.pixels(figure))
    for key in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"):
        monkeypatch.setitem(style.RC, key, style.CHALK)
    for key in ("figure.facecolor", "axes.facecolor"):
        monkeypatch.setitem(style.RC, key, style.CARD)
    dark = np.asarray(images.pixels(figures.figure_of(draw)[0]))
    assert night.shape == day.shape == dark.shape
    assert np.mean(night != day) > 0.2
    assert np.array_equal(night, dark)


def test_a_vector_file_of_a_large_map_holds_an_image():
    """262 144 points are pixels in it, the axes and words are not; the same bytes each time."""
    figure, _ = figures.figure_of(lambda canvas: plot.map(exponents(512), ax=canvas))
    drawn = images.svg(figure)
    found = re.findall(rb'<image[^>]*base64,\s*([A-Za-z0-9+/=\s]+)"', drawn)
    assert (512, 512) in [Image.open(io.BytesIO(base64.b64decode(data))).size for data in found]
    assert 20 < drawn.count(b"<path") < 200
    assert len(drawn) < 2_000_000
    assert drawn == images.svg(figure)


def test_a_table_is_that_of_the_standard_library():
    """Row by row, with names that need quotes, values that are no numbers, and errors of two digits."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(3, ROWS // 2)) * 10.0 ** rng.integers(-12, 12, (3, ROWS // 2))
    values[0, :5] = [np.nan, np.inf, -np.inf, 0.0, 1e5]
    lines = ["gain = 1, net = 0", 'a "b"', "plain"]
    data = xr.DataArray(values, {"line": lines, "t": np.arange(ROWS // 2)}, ("line", "t"))
    error = data.copy(data=rng.choice([0.0, 0.012345, 3.14159, 98.7654], values.shape))
    drawing = types.SimpleNamespace(variable="exponents")
    theory = {"ln g, exact": data[0].drop_vars("line")}
    code = data.copy(data=rng.choice([-1, 0, 3], values.shape)).assign_attrs(FLAGS)
    written = table(Picture(drawing, data, error, code, theory=theory))  # type: ignore[arg-type]
    expected = io.StringIO()
    writer = csv.writer(expected, lineterminator="\n")
    writer.writerow(["line", "t", "exponents", "error", "theory: ln g, exact", "status"])
    names = dict(zip(FLAGS["flag_values"], FLAGS["flag_meanings"].split(), strict=True))
    for i, j in np.ndindex(*values.shape):
        numbers = (f"{values[i, j]:.5g}", f"{error.values[i, j]:.2g}", f"{values[0, j]:.5g}")
        writer.writerow([lines[i], j, *numbers, names[int(code.values[i, j])]])
    assert gzip.decompress(written).decode() == expected.getvalue()
