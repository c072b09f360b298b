"""Arguments as the user gives them, made into rows, one a grid point: names, shapes, broadcasting, bad values."""

import re

import numpy as np

from ..errors import InputError, did_you_mean
from .noise import Noise
from .random import random_start
from .values import as_array, tailed, whole

DTYPES = ("float64", "float32")
DEVICES = ("auto", "cpu", "cuda", "python")


def choice(name, value, options):
    if value not in options:
        raise InputError(f"`{name}` must be one of {', '.join(options)}, not {value!r}.{did_you_mean(value, options)}")
    return value


def grid_index(first):
    """`first_index` as a whole number, that of the first point, or as an array of them, one a point."""
    array = as_array("first_index", first, None)
    if array.ndim == 0:
        return whole("first_index", array.item(), 0)
    if array.dtype.kind not in "iu" or (array < 0).any():
        raise InputError("`first_index` must hold whole numbers from 0 up.")
    return array.astype(np.int64)


def index_axes(first):
    """What an array of grid indices adds to the arrays of a batch: its axes broadcast with theirs."""
    return {"first_index": (first, 0)} if np.ndim(first) else {}


def named(cell, weights):
    """{name: array} with PyTorch's `_l0` taken off; unknown names are refused with the nearest."""
    if not hasattr(weights, "items"):
        raise InputError(f"`weights` must map names to arrays; {cell!r} knows {', '.join(cell.shapes)}.")
    arrays = {}
    for key, value in weights.items():
        name = key[:-3] if str(key).endswith("_l0") else key
        if name not in cell.shapes:
            more = did_you_mean(name, cell.shapes)
            if re.search(r"_l\d+(_reverse)?$", str(key)):
                more = " A state_dict of several layers or directions needs rd.Stack or rd.Bidirectional."
            raise InputError(f"{cell!r} has no weight {key!r}; it has {', '.join(cell.shapes)}.{more}")
        if name in arrays:
            raise InputError(f"{cell!r}: weight {name!r} is given twice, as {key!r} too.")
        arrays[name] = tailed(name, as_array(name, value), cell.shapes[name])
    return arrays


class Batch:
    """Arrays whose leading axes broadcast to one batch shape; `rows(name, low, high)` gives points as rows."""

    def __init__(self, arrays):
        """arrays: {name: (array, number of its own axes)}."""
        self.arrays = arrays
        self.axes = {name: array.shape[: array.ndim - own] for name, (array, own) in arrays.items()}
        try:
            self.shape = np.broadcast_shapes(*self.axes.values())
        except ValueError:
            shapes = ", ".join(f"{name} {shape}" for name, shape in self.axes.items())
            raise InputError(f"the batch axes do not broadcast to one shape: {shapes}.") from None
        self.count = int(np.prod(self.shape, dtype=np.int64))
        if self.count == 0:
            raise InputError(f"the batch shape {self.shape} has no points.")

    def rows(self, name, low, high):
        """Rows low..high-1 of an array, (high - low, own shape)."""
        array, own = self.arrays[name]
        tail = array.shape[array.ndim - own :]
        if np.prod(self.axes[name], dtype=np.int64) == 1:
            return np.broadcast_to(array.reshape(tail), (high - low, *tail))
        if self.axes[name] == self.shape:
            return array.reshape(self.count, *tail)[low:high]
        index = np.unravel_index(np.arange(low, high), self.shape)
        return np.broadcast_to(array, self.shape + tail)[index]

    def index(self, first, low, high):
        """Grid indices of points low..high-1, as `random` takes them: the first one, or (high - low,)."""
        if np.ndim(first) == 0:
            return first + low
        return np.broadcast_to(first, self.shape).reshape(-1)[low:high]

    def bad(self, names):
        """Which points have a NaN or an infinity in one of the arrays, (count,)."""
        bad = np.zeros(self.shape, bool)
        for name in names:
            array, own = self.arrays[name]
            with np.errstate(over="ignore", invalid="ignore"):
                if np.isfinite(array.sum()):  # so are all of them, as the sum tells in a third of the time
                    continue
            finite = np.isfinite(array)  # no product with zeros: BLAS keeps its threads spinning beside our kernels
            bad |= ~(finite.all(axis=tuple(range(array.ndim - own, array.ndim))) if own else finite)
        return bad.reshape(-1)


def clocked(cell, steps, inputs, transient=0):
    """(steps, transient + steps, inputs as an array, `Noise` or None), from `steps` and the length of the inputs."""
    if steps is not None:
        steps = whole("steps", steps, 1)
    if inputs is None:
        if steps is None:
            raise InputError("neither `steps` nor `inputs` is given: how many steps?")
        return steps, transient + steps, None
    if not cell.inputs:
        raise InputError(f"{cell!r} takes no inputs; make it with `inputs=` to give it some.")
    if isinstance(inputs, Noise):
        if steps is None:
            raise InputError("`steps` is missing: noise has no length of its own.")
        return steps, transient + steps, inputs
    array = as_array("inputs", inputs)
    if array.ndim < 2 or array.shape[-1] != cell.inputs or array.shape[-2] < 1:
        raise InputError(f"`inputs` must have the shape (..., steps, {cell.inputs}), not {array.shape}.")
    length = array.shape[-2]
    if steps is None:
        if length <= transient:
            raise InputError(f"`inputs` has {length} steps, the transient alone {transient}.")
        return length - transient, length, array
    if length not in (1, transient + steps):
        raise InputError(
            f"`inputs` has {length} steps, but transient + steps = {transient + steps}; give as many, or one"
            " step for a constant input."
        )
    return steps, transient + steps, array


def constant(inputs):
    """Inputs that are the same at all times, (..., 1, I), or None; fixed points, cycles and flows are under no others.

    Raises InputError for those that change.
    """
    if inputs is not None and np.shape(inputs)[-2:-1] != (1,):  # `Noise` has no shape
        raise InputError("`inputs` must be constant here, of the shape (..., 1, inputs): one step, for all times.")
    return inputs


def checked_lengths(lengths, total, transient=0):
    """Lengths of the sequences as an array; each counts at least one step after the transient."""
    array = as_array("lengths", lengths)
    fits = (array == np.floor(array)) & (array >= transient + 1) & (array <= total)
    if not fits.all():
        raise InputError(
            f"`lengths` must be whole numbers from {transient + 1} to {total}, not {array[~fits].flat[0]:g}."
        )
    return array


def flipped(array, lengths):
    """Each sequence of (..., T, values) backwards, its padding where it was; constant inputs as they are."""
    if isinstance(array, Noise):
        return array.reversed()
    if array is None or array.shape[-2] == 1:
        return array
    if lengths is None:
        return array[..., ::-1, :]
    length = np.asarray(lengths, np.int64)[..., None]
    times = np.arange(array.shape[-2])
    index = np.where(times < length, length - 1 - times, times)
    shape = np.broadcast_shapes(array.shape[:-2], index.shape[:-1])
    array = np.broadcast_to(array, (*shape, *array.shape[-2:]))
    return np.take_along_axis(array, np.broadcast_to(index, (*shape, index.shape[-1]))[..., None], axis=-2)


ALL_INVALID = "every point is invalid: its weights, inputs or start hold NaN or infinity; nothing can be computed."


class Problem:
    """A cell with weights, inputs, start and lengths, checked and broadcast; points are rows.

    invalid: which points are (count,), where that is known already: inputs that a lower layer blew up are not.
    """

    def __init__(self, cell, weights, *, steps, inputs, lengths, state, transient=0, extra=None, invalid=None):
        self.cell = cell
        self.given = named(cell, weights)
        values = dict(self.given)
        for name, default in cell.parameters.items():
            values.setdefault(name, tailed(name, as_array(name, default), cell.shapes[name]))
        self.weights = list(values)
        arrays = {name: (array, len(cell.shapes[name])) for name, array in values.items()}
        self.steps, self.total, inputs = clocked(cell, steps, inputs, transient)
        self.noise = inputs if isinstance(inputs, Noise) else None
        if inputs is not None:
            arrays |= {"inputs": (inputs, 2)} if self.noise is None else self.noise.arrays(cell.inputs)
        if state is not None:
            arrays["state"] = (tailed("state", as_array("state", state), (cell.state_size,)), 1)
        if lengths is not None:
            arrays["lengths"] = (checked_lengths(lengths, self.total, transient), 0)
        arrays |= extra(self.total) if extra else {}
        self.batch = Batch(arrays)
        self.count = self.batch.count
        self.invalid = self._invalid(arrays) if invalid is None else invalid
        if invalid is None and self.invalid.all():
            raise InputError(ALL_INVALID)

    def _invalid(self, arrays):
        bad = self.batch.bad([name for name in arrays if name not in ("inputs", "lengths")])
        if "inputs" in arrays and "lengths" not in arrays:
            bad |= self.batch.bad(["inputs"])
        elif "inputs" in arrays:  # padding may hold anything
            for low in range(0, self.count, 4096):
                high = min(low + 4096, self.count)
                bad[low:high] |= ~np.isfinite(self.inputs(low, high)).all(axis=(1, 2))
        return bad

    def parts(self, low, high, layout, prefix=""):
        """(start, rows (points, size)) of each weight, as it stands in the kernels' order; missing ones are zero.

        prefix: of the names, where arrays like the weights are among the extra ones.
        """
        n = self.cell.units
        for name, (start, size) in layout.places.items():
            if prefix + name in self.batch.arrays:
                rows = self.batch.rows(prefix + name, low, high).reshape(high - low, -1)
                yield start, rows if rows.shape[1] == size else np.repeat(rows, n, axis=1)

    def theta(self, low, high, layout, prefix=""):
        """Weights of the points in the kernels' order, (points, layout.size)."""
        theta = np.zeros((high - low, layout.size))
        for start, rows in self.parts(low, high, layout, prefix):
            theta[:, start : start + rows.shape[1]] = rows
        return theta

    @property
    def rows(self):
        """Steps of inputs that a point has: none, 1 if they are constant, or all."""
        if self.noise is not None:
            return self.total
        return self.batch.arrays["inputs"][0].shape[-2] if "inputs" in self.batch.arrays else 0

    def inputs(self, low, high, first=0, count=None):
        """Inputs (points, T or 1, I); zero beyond a point's length. Of noise also `count` steps from `first` on."""
        if not self.rows:
            return np.zeros((high - low, 1, self.cell.inputs))
        if self.noise is None:
            inputs = self.batch.rows("inputs", low, high)
        else:
            count = self.total if count is None else count
            inputs = self.noise.rows(lambda n: self.batch.rows(n, low, high), low, high, first, count, self.cell.inputs)
        lengths = self.lengths(low, high) if "lengths" in self.batch.arrays else None
        if self.noise is not None and self.noise.reverse:
            inputs = flipped(inputs, lengths)
        if lengths is not None and inputs.shape[1] > 1:
            over = first + np.arange(inputs.shape[1]) >= lengths[:, None]
            inputs = np.where(over[:, :, None], 0.0, inputs)
        return inputs

    def drive(self, low, high):
        """The inputs for a run that only goes forward: noise is made piece by piece on the way."""
        if not self._streams:
            return self.inputs(low, high)
        from ..kernels.stream import Stream

        return Stream(lambda first, count: self.inputs(low, high, first, count))

    def held(self, run):
        """Numbers of a point's inputs that a run with `drive` keeps at a time."""
        return self.cell.inputs * (run.piece(self.total) if self._streams else self.rows)

    @property
    def _streams(self):
        return self.noise is not None and not self.noise.reverse

    def state(self, low, high):
        """Starts (points, S N); zeros where none are given."""
        if "state" not in self.batch.arrays:
            return np.zeros((high - low, self.cell.state_size))
        return self.batch.rows("state", low, high)

    def start(self, low, high, seed, index):
        """Starts (points, S N): as given, else random, from the seed and the grid indices (see `random`)."""
        if "state" in self.batch.arrays:
            return self.state(low, high)
        return random_start(seed, index, high - low, self.cell.state_size)

    def lengths(self, low, high):
        """Steps of each point, (points,)."""
        if "lengths" not in self.batch.arrays:
            return np.full(high - low, self.total)
        return self.batch.rows("lengths", low, high).astype(np.int64)
