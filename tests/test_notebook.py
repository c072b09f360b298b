"""In a notebook: a progress bar that moves in place, figures below the cell, nothing on stderr, settings left alone."""

import re

import pytest

CELLS = [
    """
import numpy as np
import rnndyn as rd
weights = {"weight_hh": np.linspace(0.5, 1.5, 64)[:, None, None]}
found = rd.trajectory(rd.Linear(1), weights, steps=1000, state=[0.1], progress=True)
""",
    """
import xarray as xr
data = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("x", "y"), name="size")
ax = rd.plot.map(data)
""",
    """
import matplotlib.pyplot as plt
figure, axes = plt.subplots(1, 2)
rd.plot.curve(data, x="y", ax=axes[1]);
""",
]


@pytest.fixture(scope="module")
def outputs():
    """Return the outputs of each cell, run in a real kernel."""
    nbformat = pytest.importorskip("nbformat", reason="no nbformat: pip install '.[test]'")
    client = pytest.importorskip("nbclient", reason="no nbclient: pip install '.[test]'")
    pytest.importorskip("ipykernel", reason="no ipykernel: pip install '.[test]'")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client.NotebookClient(notebook, timeout=120).execute()
    return [cell.outputs for cell in notebook.cells]


def test_progress_is_one_bar_that_ends_at_the_end(outputs):
    (bar,) = outputs[0]
    assert bar.output_type == "display_data"
    assert re.fullmatch(r"done: 100 %, [\d.]+ s", bar.data["text/plain"])
    assert '<progress value="100.0" max="100"' in bar.data["text/html"]


def test_figures_appear_below_their_cells(outputs):
    for cell in outputs[1:]:
        (figure,) = cell
        assert figure.output_type == "display_data"
        assert len(figure.data["image/png"]) > 5000
