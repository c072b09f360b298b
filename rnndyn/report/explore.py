"""The map page's data: values under the pointer, and orbit, gradient profile and spectrum at a lattice of points."""

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnndyn.report import maps, style, words
from rnndyn.report.pictures import Picture
from rnndyn.report.regimes import period_classes, regime_classes
from rnndyn.sweep.curves import CURVES

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.report.figures import Drawn
    from rnndyn.sweep.study import Study

__all__ = ["exploration"]

HOVER = 128  # values under the pointer along each axis, at most
LATTICE = 24  # points that can be chosen along each axis, at most
BUDGET = 1_000_000  # bytes of their orbits, profiles and spectra: the page stays below 3 MB
ORBIT, LAGS, COMPONENTS, EXPONENTS = 60, 100, 4, 32  # what is shown of a point, at most


def exploration(dataset: "xr.Dataset", study: "Study", figures: "list[Drawn]") -> dict[str, Any] | None:
    """Return what the map page embeds, as plain JSON values; None if the study draws no map.

    Arrays are base64 of little-endian float32. The maps of the study that share axes with the first become layers.
    """
    found = [figure.picture for figure in figures if figure.picture.drawing.kind == "map"]
    if not found:
        return None
    first = found[0].drawing
    layers = {
        layer.drawing.variable: layer
        for layer in reversed(found)
        if (layer.drawing.x, layer.drawing.y, layer.drawing.mean) == (first.x, first.y, ())
    }
    if not layers:
        return None
    x, y = found[0].data.dims
    hover = [_stride(found[0].data.sizes[name], HOVER) for name in (x, y)]
    point = _points(dataset, study, found[0])
    return {
        "axes": [_axis(found[0].data[name], index) for name, index in zip((x, y), hover, strict=True)],
        "layers": [_layer(layer, hover) for layer in reversed(layers.values())],
        "theory": _theory(found[0]),
        "hatched": _statuses(found[0], hover),
        "hover": [len(index) for index in hover],
        **point,
    }


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
    if layer.drawing.variable in ("attractors", "period"):
        whole = regime_classes(data, layer.period) if layer.period is not None else period_classes(data)
        colours = np.array([style.UNDECIDED, *style.REGIMES])
        packed["classes"] = [{"name": name, "colour": style.REGIMES[at]} for at, name in enumerate(whole.names)]
        packed["values"] = _pack(whole.index[grid])
        rgb = _rgb(colours)[whole.index + 1]
    else:
        end = maps.limits(data.values)
        shades = style.growth_colours()
        rgb = shades((data.values / end + 1) / 2)[..., :3]
        rgb = np.where(np.isnan(data.values)[..., None], 1.0, rgb)
        low, high = float(np.nanmin(np.clip(data.values, -end, end))), float(np.nanmax(np.clip(data.values, -end, end)))
        low, high = min(low, -0.05 * end), max(high, 0.05 * end)
        at = np.linspace(low, high, 33)
        packed["bar"] = {"low": low, "high": high, "colours": [_hex(shades((v / end + 1) / 2)) for v in at]}
        packed["values"] = _pack(data.values[grid])
        if layer.error is not None:
            packed["error"] = _pack(layer.error.values[grid])
    packed["image"] = _image(rgb, data)
    return packed


def _rgb(colours: NDArray[Any]) -> NDArray[np.float64]:
    from matplotlib.colors import to_rgb

    return np.array([to_rgb(colour) for colour in colours])


def _hex(colour: Any) -> str:
    from matplotlib.colors import to_hex

    return to_hex(colour)


def _image(rgb: NDArray[Any], data: "xr.DataArray") -> str:
    """Return the cells (x, y, colour) as a PNG, first row on top; uneven axes get each cell's share of the pixels."""
    from matplotlib.image import imsave

    for axis in (0, 1):
        values = data[data.dims[axis]].values.astype(float)
        ends = maps.edges(values)
        if not maps.even(values):
            at = np.linspace(ends[0], ends[-1], 2 * 512 + 1)[1::2]
            place = np.searchsorted(ends, at) - 1 if ends[0] < ends[-1] else np.searchsorted(-ends, -at) - 1
            rgb = np.take(rgb, np.clip(place, 0, len(values) - 1), axis=axis)
    buffer = io.BytesIO()
    bare: dict[str, Any] = {"Software": None}
    imsave(buffer, np.ascontiguousarray(np.swapaxes(rgb, 0, 1)[::-1]), format="png", metadata=bare)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _theory(first: Picture) -> list[dict[str, Any]]:
    """Return the closed-form curves as polylines in the axes' own numbers."""
    ends = maps.edges(first.data[first.data.dims[0]].values)
    curves = []
    for name in first.drawing.theory:
        curve = CURVES[name]
        at = np.unique(np.append(np.linspace(ends.min(), ends.max(), 401), np.clip(curve.tip, ends.min(), ends.max())))
        height = curve.height(at)
        at, height = at[np.isfinite(height)], height[np.isfinite(height)]
        branches = [np.stack([at, sign * height], 1).round(5).tolist() for sign in (1, -1)]
        curves.append({"label": curve.label, "branches": branches})
    return curves


def _statuses(first: Picture, hover: list[NDArray[np.int64]]) -> dict[str, Any] | None:
    if first.status is None:
        return None
    attrs = first.status.attrs
    names = dict(zip(map(str, attrs["flag_values"]), str(attrs["flag_meanings"]).split(), strict=True))
    return {"names": names, "values": _pack(first.status.values[np.ix_(*hover)])}


def _points(dataset: "xr.Dataset", study: "Study", first: Picture) -> dict[str, Any]:
    """Return the lattice of points that can be chosen, and what is known of each."""
    cell = study.make_cell()
    x, y = first.data.dims
    sizes = (
        min(ORBIT, study.run.steps) + 1,
        min(cell.state_size, COMPONENTS),
        LAGS + 1,
        2 * min(cell.state_size, EXPONENTS),
    )
    each = 4 * (sizes[0] * sizes[1] + sizes[2] + sizes[3])
    most = int(min(LATTICE, np.sqrt(BUDGET * 3 / 4 / each)))
    lattice = [_stride(first.data.sizes[name], most) for name in (x, y)]
    values = [first.data[name].values[index] for name, index in zip((x, y), lattice, strict=True)]
    held = {name: np.array([value]) for name, value in first.drawing.at.items() if name in study.axes}
    known = _recomputed(study, {**held, str(x): values[0], str(y): values[1]}, [str(x), str(y)])
    shape = tuple(map(len, lattice))
    orbit = known["trajectory"].transpose("point", "step", "component").values[..., : sizes[1]]
    profile = known["log_norms"].transpose("point", "lag")
    spectrum, error = (known[name].transpose("point", "exponent").values for name in ("exponents", "exponents_stderr"))
    return {
        "lattice": {"x": _pack(values[0]), "y": _pack(values[1]), "shape": shape},
        "orbit": {"values": _pack(orbit), "steps": orbit.shape[1], "components": orbit.shape[2], "of": cell.state_size},
        "profile": {"values": _pack(profile.values), "lags": [int(v) for v in profile["lag"].values]},
        "spectrum": {
            "values": _pack(spectrum[:, :EXPONENTS]),
            "errors": _pack(error[:, :EXPONENTS]),
            "count": min(spectrum.shape[1], EXPONENTS),
        },
    }


def _recomputed(study: "Study", block: dict[str, Any], over: list[str]) -> "xr.Dataset":
    """Return orbit, gradient profile and spectrum on the outer product of axis values, over a dimension `point`."""
    import xarray as xr

    from rnndyn import dynamics
    from rnndyn.sweep.weights import build_weights

    cell, run = study.make_cell(), study.run
    weights = build_weights(study, cell, block)
    order = [list(study.axes).index(name) for name in over]

    def flat(values: NDArray[Any], own: int) -> NDArray[Any]:
        values = np.broadcast_to(
            values, (*(len(block[name]) for name in study.axes), *values.shape[values.ndim - own :])
        )
        rest = [axis for axis in range(values.ndim - own) if axis not in order]
        moved = np.transpose(values, [*order, *rest, *range(values.ndim - own, values.ndim)])
        return moved.reshape(-1, *values.shape[values.ndim - own :])

    common: dict[str, Any] = {"device": run.device, "dtype": run.dtype, "progress": False}
    size = cell.state_size
    start = 0.1 * np.random.default_rng(run.seed).standard_normal(size)
    states = dynamics.trajectory(cell, weights, steps=min(ORBIT, run.steps), state=start, **common)
    cotangent = np.full(size, size**-0.5)
    gradient = dynamics.gradients(cell, weights, cotangent_last=cotangent, steps=LAGS, **common)
    found = dynamics.lyapunov(cell, weights, steps=run.steps, transient=run.transient, seed=run.seed, **common)
    return xr.Dataset(
        {
            "trajectory": (("point", "step", "component"), flat(states, 2)),
            "log_norms": (("point", "lag"), flat(gradient.log_norms, 1)[:, ::-1]),
            "exponents": (("point", "exponent"), flat(found.exponents, 1)),
            "exponents_stderr": (("point", "exponent"), flat(found.stderr, 1)),
        },
        {"lag": np.arange(LAGS + 1)},
    )
