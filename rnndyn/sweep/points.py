"""Single points of a study's grid, looked at closely: orbit, gradient profile, spectrum."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.errors import InputError, suggestion
from rnndyn.sweep.grid import nearest_place
from rnndyn.sweep.labels import OWN
from rnndyn.sweep.measures import Block, Measure, measurements
from rnndyn.sweep.measures.gradient import GradientMeasure
from rnndyn.sweep.measures.lyapunov import LyapunovMeasure
from rnndyn.sweep.measures.trajectory import TrajectoryMeasure, component_names
from rnndyn.sweep.run import cores

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.study import Study

__all__ = ["place_of", "points"]

LAST = 200  # states of the orbit that are kept
HORIZON = 200  # lags of the profile, if the study measures no gradient


def points(
    study: "Study",
    at: Mapping[str, float] | Sequence[Mapping[str, float]],
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
    import xarray as xr

    single = isinstance(at, Mapping)
    wanted = [at] if isinstance(at, Mapping) else list(at)
    if not wanted:
        raise InputError("at: no point is named")
    close = closely(study, last, horizon)
    places = [place_of(study, point) for point in wanted]
    sizes = {0 if study.size_axis is None else place[0] for place in places}
    if len(sizes) > 1:
        raise InputError(f"networks of several sizes, {study.size_axis}, cannot be looked at together: choose one")
    close = close.of_size(sizes.pop())
    cell = close.make_cell()
    with ThreadPoolExecutor(threads or cores()) as pool:  # a point fills one lane of one thread
        found = list(pool.map(lambda place: _one(close, cell, place), places))
    return found[0] if single else xr.concat(found, dim="point", join="exact", combine_attrs="override")


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


def place_of(study: "Study", at: Mapping[str, float], where: str = "at") -> tuple[int, ...]:
    """Return the place on each axis that is nearest to a point; raises InputError for what is not on the grid.

    where: what the sentence of an error begins with.
    """
    for name, value in at.items():
        if name not in study.axes:
            raise InputError(f"{where} {name} = {value:g}: no axis {name!r}; {suggestion(name, study.axes)}")
    return tuple(
        nearest_place(f"{where} {name}", axis.values, at[name]) if name in at else len(axis.values) // 2
        for name, axis in study.axes.items()
    )


def _one(study: "Study", cell: Any, place: tuple[int, ...]) -> "xr.Dataset":
    import xarray as xr

    axes = {name: axis.values[i : i + 1] for (name, axis), i in zip(study.axes.items(), place, strict=True)}
    first = int(np.ravel_multi_index(place, study.shape))
    block = Block(study, cell, axes, first, threads=1)
    data: dict[str, Any] = {"index": ((), first, {"long_name": "grid index"})}
    coords: dict[str, Any] = {name: ((), values[0]) for name, values in axes.items()}
    for measurement in measurements(study, cell):
        arrays = measurement(block)
        for variable in measurement.variables:
            name = "orbit" if variable.name == "trajectory" else variable.name
            values = arrays[variable.name].reshape([len(own) for own in variable.dims.values()])
            data[name] = (tuple(variable.dims), values, dict(variable.attrs))
            coords.update({key: (key, own, OWN[key]) for key, own in variable.dims.items()})
    names = component_names(cell)
    coords["component_name"] = ("component", np.array(names), {"long_name": "field and unit"})
    return xr.Dataset(data, coords)
