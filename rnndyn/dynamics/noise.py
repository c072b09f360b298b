"""White noise as input: made where and when it is needed, the same numbers wherever a grid point is computed."""

import copy

import numpy as np

from ..errors import InputError
from .random import point_noise
from .values import as_array, whole


class Noise:
    """u_t = mean + scale z_t with z_t independent standard normal numbers: white noise, wherever `inputs=` are taken.

    scale (the standard deviation), mean: a number, or an array (..., I) or (..., 1) over inputs whose leading axes are
    batch axes like those of weights, so that they can be axes of a grid. The numbers of a point depend on (seed, draw,
    its grid index) and on the step alone, not on the chunk, the thread or the batch it is computed in; a longer run's
    begin with a shorter one's. draw: which realisation, a whole number or a batch array (...) of them. index (...): the
    points' grid indices, if not counted through the batch (from `first_index` on, in `lyapunov`); points of equal index
    hear the same noise. shared: all points do, as it takes to compare networks, or starts, under one drive.
    hold: steps that each value lasts.
    Source: Salmon, Moraes, Dror & Shaw, SC'11 (counter-based numbers); Box & Muller, Ann. Math. Stat. 29 (1958) 610.
    Raises InputError for a negative scale and for what are no whole numbers from 0 up.
    """

    def __init__(self, scale=1.0, mean=0.0, *, seed=0, draw=0, index=None, shared=False, hold=1):
        self.scale, self.mean = as_array("scale", scale), as_array("mean", mean)
        if np.any(self.scale < 0):
            low = self.scale[self.scale < 0].flat[0]
            raise InputError(f"`scale` is a standard deviation, which is not negative: {low:g} is.")
        self.seed, self.hold = whole("seed", seed, 0), whole("hold", hold, 1)
        if shared and index is not None:
            raise InputError("give `index` or `shared=True`, not both: points of equal index share their noise.")
        self.draw = _whole_numbers("draw", draw)
        self.index = _whole_numbers("index", 0 if shared else index) if shared or index is not None else None
        self.first, self.begin, self.reverse = 0, 0, False

    def __repr__(self):
        shapes = [f"{name}={_short(getattr(self, name))}" for name in ("scale", "mean", "draw")]
        return f"Noise({', '.join(shapes)}, seed={self.seed})"

    def _with(self, **changes):
        other = copy.copy(self)
        other.__dict__.update(changes)
        return other

    def counted(self, first):
        """The same, with points counted from grid index `first` on, or of the indices `first` (...), if not its own."""
        if np.ndim(first):
            return self._with(index=_whole_numbers("first_index", first)) if self.index is None else self
        return self._with(first=first)

    def after(self, steps):
        """What follows after `steps` steps of it."""
        return self._with(begin=self.begin + steps)

    def scaled(self, factor):
        """The same with the standard deviation times `factor` (...)."""
        return self._with(scale=self.scale * np.asarray(factor)[..., None])

    def reversed(self):
        """The same for a network that reads backwards: each sequence from its end."""
        return self._with(reverse=not self.reverse)

    def each(self, function):
        """The same with `function` of each of its arrays."""
        names = [name for name in ("scale", "mean", "draw", "index") if getattr(self, name) is not None]
        return self._with(**{name: function(getattr(self, name)) for name in names})

    def arrays(self, inputs):
        """{name: (array, number of its own axes)} for a cell of so many inputs."""
        found = {"draw": (self.draw, 0)} | ({"index": (self.index, 0)} if self.index is not None else {})
        for name in ("scale", "mean"):
            array = getattr(self, name)
            if array.ndim and array.shape[-1] not in (1, inputs):
                raise InputError(
                    f"the `{name}` of the noise must be a number or have the shape (..., {inputs}) or (..., 1), not "
                    f"{array.shape}: its last axis are the cell's inputs; one for each point is `{name}[..., None]`."
                )
            found[name] = (array if array.ndim else array[None], 1)
        return {f"noise {name}": value for name, value in found.items()}

    def rows(self, given, low, high, first, count, inputs):
        """u (points, count, inputs) of the points low .. high - 1 and the steps first .. first + count - 1.

        given(name): rows of the array, (points, its own shape).
        """
        index = self.first + np.arange(low, high) if self.index is None else given("noise index")
        both, where = np.unique(np.stack([given("noise draw"), index]), axis=1, return_inverse=True)
        first += self.begin
        begin, end = first // self.hold, -(-(first + count) // self.hold)
        size = (begin * inputs, (end - begin) * inputs)
        draws = np.unique(both[0])
        z = np.empty((both.shape[1], size[1] if len(draws) > 1 else 0))
        for draw in draws:
            mine = both[0] == draw
            numbers = point_noise(self.seed, f"inputs {draw}", both[1, mine], *size)
            if len(draws) == 1:
                z = numbers
            else:
                z[mine] = numbers
        if both.shape[1] < len(index) or np.any(where.reshape(-1) != np.arange(len(index))):
            z = z[where.reshape(-1)]
        z = z.reshape(len(index), end - begin, inputs)
        if self.hold > 1:
            z = np.repeat(z, self.hold, axis=1)[:, first - begin * self.hold :][:, :count]
        z *= given("noise scale")[:, None]
        z += given("noise mean")[:, None]
        return z

    def array(self, steps, inputs=1, shape=()):
        """The numbers themselves, (*shape, steps, inputs), as a batch of that shape hears them.

        Raises InputError if the noise does not broadcast to the shape.
        """
        steps, inputs, shape = whole("steps", steps, 1), whole("inputs", inputs, 1), tuple(shape)
        arrays, count = self.arrays(inputs), int(np.prod(shape, dtype=np.int64))

        def given(name):
            array, own = arrays[name]
            tail = array.shape[array.ndim - own :]
            try:
                return np.broadcast_to(array, shape + tail).reshape(count, *tail)
            except ValueError:
                raise InputError(f"{name} has the shape {array.shape}, which does not fit into {shape}.") from None

        return self.rows(given, 0, count, 0, steps, inputs).reshape(*shape, steps, inputs)


def _whole_numbers(name, value):
    array = as_array(name, value)
    if np.any(array < 0) or np.any(array != np.floor(array)):
        raise InputError(f"`{name}` must be whole numbers from 0 up.")
    return array.astype(np.int64)


def _short(array):
    return f"{array:g}" if array.ndim == 0 else f"array{array.shape}"
