"""Single points of a study's grid, looked at closely: orbit, gradient profile, spectrum."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.grid import nearest_place
from rnndyn.sweep.jobs import chunk_size, job_at
from rnndyn.sweep.labels import OWN
from rnndyn.sweep.measures import Arrays, Block, Measure
from rnndyn.sweep.measures.gradient import GradientMeasure
from rnndyn.sweep.measures.lyapunov import LyapunovMeasure
from rnndyn.sweep.measures.trajectory import TrajectoryMeasure, component_names
from rnndyn.sweep.part import in_words
from rnndyn.sweep.run import cores
from rnndyn.sweep.value import Together

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.study import Study

__all__ = ["place_of", "points"]

LAST = 200  # states of the orbit that are kept
HORIZON = 200  # lags of the profile, if the study measures no gradient


def points(
    study: "Study",
    at: Mapping[str, float | str] | Sequence[Mapping[str, float | str]],
    *,
    last: int | None = None,
    horizon: int | None = None,
    threads: int | None = None,
) -> "xr.Dataset":
    """Compute orbit, gradient profile and spectrum of grid points, from the starts and seeds that a sweep gives them.

    at: {axis: value}, the nearest grid value counts and a missing axis is at its middle; or several of these, which
    gives the dimension `point`. last: how many of the last states are kept (200, or all of a shorter run); horizon:
    how many lags of the profile (the study's, or 200).

    Returns `orbit` over `step`, `component`; `log_norms` over `lag`, with `gradient_status`; `exponents` and
    `exponents_stderr` over `exponent`, `status`; `index`, the grid index. The study's axes are coordinates.
    Exponents and statuses equal the sweep's to the bit where it measures them, log norms those of the same horizon.
    Raises InputError for an unknown axis or a value beyond it.
    """
    wanted = [at] if isinstance(at, Mapping) else list(at)
    if not wanted:
        raise InputError("at: no point is named")
    places = [place_of(study, point) for point in wanted]
    cells = {0 if study.cell_axis is None else place[0] for place in places}
    if len(cells) > 1:
        raise InputError(f"networks of several values of {study.cell_axis} cannot be looked at together: choose one")
    found = _look(closely(study, last, horizon).of_cell(cells.pop()), places, threads or cores())
    return found.isel(point=0) if isinstance(at, Mapping) else found


def closely(study: "Study", last: int | None, horizon: int | None) -> "Study":
    """Return the study that measures the whole spectrum, a whole profile and the last states."""
    measure, run = study.measure, study.run
    gradient = measure.gradient or GradientMeasure(horizon=min(HORIZON, run.transient + run.steps))
    gradient = gradient.model_copy(update={"lags": "all", "horizon": horizon or gradient.horizon, "slope": False})
    length = run.transient + run.steps
    close = Measure(
        lyapunov=measure.lyapunov or LyapunovMeasure(),
        gradient=gradient,
        trajectory=TrajectoryMeasure(last=min(last or LAST, length + 1)),
    )
    return study.model_copy(update={"measure": close})


def place_of(study: "Study", at: Mapping[str, float | str], where: str = "at") -> tuple[int, ...]:
    """Return the place on each axis that is nearest to a point; raises InputError for what is not on the grid.

    where: what the sentence of an error begins with.
    """
    for name, value in at.items():
        if name not in study.axes:
            raise InputError(f"{where} {name} = {in_words(value)}: no axis {name!r}; {suggestion(name, study.axes)}")
    return tuple(
        nearest_place(f"{where} {name}", axis.values, at[name]) if name in at else len(axis.values) // 2
        for name, axis in study.axes.items()
    )


def _look(study: "Study", places: Sequence[tuple[int, ...]], threads: int) -> "xr.Dataset":
    """Return what the study measures at the places, over `point`; no call holds more points than one of the sweep."""
    import xarray as xr

    job, along = job_at(study, places[0]), tuple(np.transpose(places))
    cell, work = job.cell, job.work
    index = np.ravel_multi_index(along, study.shape)
    axes = {name: axis.values[at] for (name, axis), at in zip(study.axes.items(), along, strict=True)}
    parts = max(threads, -(-len(places) // math.prod(chunk_size(study, [job]))))

    def measure(part: NDArray[np.int64]) -> Arrays:
        block = Block(study, cell, Together({name: values[part] for name, values in axes.items()}), index[part], 1)
        return {name: array for measurement in work for name, array in measurement(block).items()}

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(measure, [part for part in np.array_split(np.arange(len(places)), parts) if len(part)]))
    data: dict[str, Any] = {"index": ("point", index, {"long_name": "grid index"})}
    coords: dict[str, Any] = {name: ("point", values) for name, values in axes.items()}
    for variable in (variable for measurement in work for variable in measurement.variables):
        name = "orbit" if variable.name == "trajectory" else variable.name
        values = np.concatenate([arrays[variable.name] for arrays in found])
        data[name] = (("point", *variable.dims), values, dict(variable.attrs))
        coords |= {key: (key, own, OWN[key]) for key, own in variable.dims.items()}
    coords["component_name"] = ("component", np.array(component_names(cell)), {"long_name": "field and unit"})
    return xr.Dataset(data, coords)
