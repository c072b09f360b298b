"""The map page's data: values under the pointer, and orbit, gradient profile and spectrum at a lattice of points."""

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.errors import InputError
from rnndyn.report import images, maps, pictures, style, words
from rnndyn.report.pictures import Picture
from rnndyn.report.regimes import classes_of
from rnndyn.sweep.figure import Figure, complete_for
from rnndyn.sweep.jobs import job_at
from rnndyn.sweep.points import closely, place_of, points

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.study import Study

__all__ = ["exploration"]

HOVER = 128  # values under the pointer along each axis, at most
LATTICE = 15  # points that can be chosen along each axis, at most: each takes some 30 ms to look at
BUDGET = 1_000_000  # bytes of their orbits, profiles and spectra: the page stays below 3 MB
OPERATIONS = 1e11  # multiply-adds that they may take: some ten seconds
STATES, LAGS, COMPONENTS, EXPONENTS = 60, 100, 4, 32  # what is shown of a point, at most
LAYERS = ("exponents", "log_norms", "attractors", "regime")


def exploration(dataset: "xr.Dataset", study: "Study") -> dict[str, Any] | None:
    """Return what the map page embeds, as plain JSON values; None if the study has no two axes to make a map of.

    Arrays are base64 of little-endian float32. The layers are the maps that the study draws over the axes of its first
    one; a study that draws none over two of its own axes gets those of its quantities.
    """
    layers = _layers(dataset, study)
    if not layers:
        return None
    first = layers[0]
    x, y = first.data.dims
    hover = [_stride(first.data.sizes[name], HOVER) for name in (x, y)]
    return {
        "axes": [_axis(first.data[name], index) for name, index in zip((x, y), hover, strict=True)],
        "held": {name: value for name, value in first.drawing.at.items() if name in study.axes},
        "layers": [_layer(layer, hover) for layer in layers],
        "theory": _theory(first),
        "hatched": _statuses(first, hover),
        "hover": [len(index) for index in hover],
        **_points(study, first),
    }


def _layers(dataset: "xr.Dataset", study: "Study") -> list[Picture]:
    """Return the maps over two axes of the study that share them, the first one leading."""
    long = [name for name, axis in study.axes.items() if len(axis.values) > 1]
    if len(long) < 2:
        return []
    drawn = [complete_for(dataset, entry, study.axes) for entry in study.figure]
    fit = [one for one in drawn if one.kind == "map" and {one.x, one.y} <= set(long) and not one.mean]
    if study.cell_axis is not None:  # the points of one page have one cell
        fit = [one for one in fit if study.cell_axis not in (one.x, one.y)]
        if not fit:
            return []
    if not fit:
        named = [Figure(kind="map", variable=name) for name in LAYERS if name in dataset]
        fit = [complete_for(dataset, entry, study.axes) for entry in named]
    elif "exponents" in dataset and "exponents" not in [one.variable for one in fit]:
        first = fit[0]
        at = {name: value for name, value in first.at.items() if name in study.axes}
        also = Figure(kind="map", variable="exponents", x=first.x, y=first.y, at=at)
        fit.append(complete_for(dataset, also, study.axes))
    same = [one for one in fit if (one.x, one.y) == (fit[0].x, fit[0].y)]
    return [pictures.picture(dataset, study, one) for one in {one.variable: one for one in reversed(same)}.values()][
        ::-1
    ]


def _stride(size: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` evenly spaced places out of `size`, both ends among them."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(np.int64))


def _pack(values: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")


def _axis(coordinate: "xr.DataArray", index: NDArray[np.int64]) -> dict[str, Any]:
    values = coordinate.values.astype(float)
    ends = maps.edges(values)
    return {
        "name": str(coordinate.name),
        "label": words.axis(coordinate),
        "low": float(ends[0]),
        "high": float(ends[-1]),
        "even": maps.even(values),
        "values": _pack(values[index]),
    }


def _layer(layer: Picture, hover: list[NDArray[np.int64]]) -> dict[str, Any]:
    data = layer.data
    grid = np.ix_(*hover)
    packed: dict[str, Any] = {"name": layer.drawing.variable, "label": words.scale(data), "title": words.title(data)}
    if np.issubdtype(data.dtype, np.integer):
        whole = classes_of(data, layer.period)
        colours = np.array([style.UNDECIDED, *whole.colours()])
        packed["classes"] = [
            {"name": name, "colour": colour} for name, colour in zip(whole.names, whole.colours(), strict=True)
        ]
        packed["values"] = _pack(whole.index[grid])
        rgb = _rgb(colours)[whole.index + 1]
    else:
        end = maps.limits(data.values)
        shades = style.growth_colours()
        rgb = shades((data.values / end + 1) / 2, bytes=True)[..., :3]
        low, high = float(np.nanmin(np.clip(data.values, -end, end))), float(np.nanmax(np.clip(data.values, -end, end)))
        low, high = min(low, -0.05 * end), max(high, 0.05 * end)
        at = np.linspace(low, high, 33)
        packed["bar"] = {"low": low, "high": high, "colours": [_hex(shades((v / end + 1) / 2)) for v in at]}
        packed["values"] = _pack(data.values[grid])
        if layer.error is not None:
            packed["error"] = _pack(layer.error.values[grid])
    packed["image"] = _image(rgb, data)
    return packed


def _rgb(colours: NDArray[Any]) -> NDArray[np.uint8]:
    from matplotlib.colors import to_rgb

    return (255 * np.array([to_rgb(colour) for colour in colours])).round().astype(np.uint8)


def _hex(colour: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(colour)


def _image(rgb: NDArray[np.uint8], data: "xr.DataArray") -> str:
    """Return the cells (x, y, colour) as a PNG, first row on top; uneven axes get each cell's share of the pixels."""
    from PIL import Image

    for axis in (0, 1):
        values = data[data.dims[axis]].values.astype(float)
        ends = maps.edges(values)
        if not maps.even(values):
            at = np.linspace(ends[0], ends[-1], 2 * 512 + 1)[1::2]
            place = np.searchsorted(ends, at) - 1 if ends[0] < ends[-1] else np.searchsorted(-ends, -at) - 1
            rgb = np.take(rgb, np.clip(place, 0, len(values) - 1), axis=axis)
    upright = np.ascontiguousarray(np.swapaxes(rgb, 0, 1)[::-1])
    return base64.b64encode(images.png(Image.fromarray(upright))).decode("ascii")


def _theory(first: Picture) -> list[dict[str, Any]]:
    """Return the closed-form curves as polylines in the axes' own numbers."""
    ends = maps.edges(first.data[first.data.dims[0]].values)
    low, high = float(ends.min()), float(ends.max())
    return [
        {"label": curve.label, "branches": [branch.round(5).tolist() for branch in curve.polylines(low, high, 401)]}
        for curve in first.curves
    ]


def _statuses(first: Picture, hover: list[NDArray[np.int64]]) -> dict[str, Any] | None:
    if first.status is None:
        return None
    attrs = first.status.attrs
    names = dict(zip(map(str, attrs["flag_values"]), str(attrs["flag_meanings"]).split(), strict=True))
    return {"names": names, "values": _pack(first.status.values[np.ix_(*hover)])}


def _points(study: "Study", first: Picture) -> dict[str, Any]:
    """Return the lattice of points that can be chosen, and what is found at each when it is looked at closely."""
    x, y = map(str, first.data.dims)
    gradient = study.measure.gradient
    held = {name: value for name, value in first.drawing.at.items() if name in study.axes}
    horizon = None if gradient is None else min(LAGS, gradient.horizon)
    job = job_at(closely(study, STATES, horizon), place_of(study, held))
    size = job.cell.state_size
    each = 4 * (STATES * min(size, COMPONENTS) + 2 * LAGS + 2 * min(size, EXPONENTS))
    room = min(BUDGET * 3 / 4 / each, OPERATIONS / (job.steps * job.operations))
    if room < 4:
        raise InputError("its networks are too large to look at some of them again")
    most = int(min(LATTICE, np.sqrt(room)))
    values = [first.data[name].values[_stride(first.data.sizes[name], most)].tolist() for name in (x, y)]
    places = [{**held, x: a, y: b} for a in values[0] for b in values[1]]
    found = points(study, places, last=STATES, horizon=horizon)
    orbit = found["orbit"].transpose("point", "step", "component").values[..., :COMPONENTS]
    profile = found["log_norms"].transpose("point", "lag").values
    spectrum, error = (
        found[name].transpose("point", "exponent").values[:, :EXPONENTS] for name in ("exponents", "exponents_stderr")
    )
    return {
        "lattice": {"x": _pack(values[0]), "y": _pack(values[1]), "shape": [len(values[0]), len(values[1])]},
        "orbit": {
            "values": _pack(orbit),
            "steps": found["step"].values.tolist(),
            "components": found["component_name"].values[:COMPONENTS].tolist(),
            "of": size,
        },
        "profile": {"values": _pack(profile), "lags": found["lag"].values.tolist()},
        "spectrum": {"values": _pack(spectrum), "errors": _pack(error), "count": spectrum.shape[1]},
    }
