"""`{init = ...}` in `[weights]`: matrices drawn at random, structured ones, and arrays from files.

N is the number of units. A weight of several gates is made gate by gate, each block of N rows by itself and under a
name of its own, so that the blocks are independent. The draws depend on (study seed, weight, gate, `seed`) only, and,
in a study of several sizes, on the size.
"""

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rnndyn.sweep.part import Part
from rnndyn.sweep.value import Value, Values, along, check_axis, generator, load, over_axis, seeds, shape_words

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["INITIALISERS", "Initialiser"]

Array = NDArray[np.float64]
Shape = tuple[int, ...]
GAIN = "a factor of the whole, a number or an axis"
SEED = "which draw, a whole number or an axis"


class Initialiser(Part):
    """What all initialisers share: a factor, and a check that the shape is one they can fill."""

    gain: Value = Field(default=1.0, description=GAIN)

    def check(self, study: "Study", shape: Shape) -> None:
        """Raise ValueError if this cannot be built for the shape."""
        for name, entry in self:
            if isinstance(entry, str) and name not in ("init", "file"):
                check_axis(entry, study)

    def build(self, study: "Study", name: str, shape: Shape, block: Values) -> Array:
        """Return the array (axes of the block..., *shape) for a weight or one gate of it."""
        return _scaled(along(self.gain, block), self.matrix(shape, np.random.default_rng(0)), shape)

    def matrix(self, shape: Shape, random: np.random.Generator) -> Array:
        """Return one matrix of gain 1."""
        raise NotImplementedError


class Drawn(Initialiser):
    """An initialiser that draws: one matrix for each value of `seed`."""

    seed: Value = Field(default=0, description=SEED)

    def check(self, study: "Study", shape: Shape) -> None:
        """Raise ValueError if this cannot be built for the shape."""
        super().check(study, shape)
        seeds(self.seed, study)

    def build(self, study: "Study", name: str, shape: Shape, block: Values) -> Array:
        """Return the array (axes of the block..., *shape) for a weight or one gate of it."""
        wanted = along(self.seed, block)
        different, places = np.unique(wanted, return_inverse=True)
        draws = [self.matrix(shape, generator(study.run.seed, name, int(seed), study.size)) for seed in different]
        return _scaled(along(self.gain, block), np.stack(draws)[places.reshape(wanted.shape)], shape)


class Normal(Drawn):
    """Independent normal entries of standard deviation `gain / sqrt(N)`: spectral radius about `gain`."""

    init: Literal["normal"]

    def matrix(self, shape: Shape, random: np.random.Generator) -> Array:
        """Return one matrix of gain 1."""
        return random.standard_normal(shape) / np.sqrt(_rows(shape))


class Uniform(Drawn):
    """Independent entries, uniform between `-gain / sqrt(N)` and `gain / sqrt(N)`: PyTorch's default."""

    init: Literal["uniform"]

    def matrix(self, shape: Shape, random: np.random.Generator) -> Array:
        """Return one matrix of gain 1."""
        return random.uniform(-1.0, 1.0, shape) / np.sqrt(_rows(shape))


class Orthogonal(Drawn):
    """`gain` times a random orthogonal matrix (Haar measure; orthonormal columns or rows if not square)."""

    init: Literal["orthogonal"]

    def check(self, study: "Study", shape: Shape) -> None:
        """Raise ValueError if this cannot be built for the shape."""
        super().check(study, shape)
        _matrix(shape, False)

    def matrix(self, shape: Shape, random: np.random.Generator) -> Array:
        """Return one matrix of gain 1: Q of a normal matrix, its signs made random too (Mezzadri 2007)."""
        draw = random.standard_normal((max(shape), min(shape)))
        q, r = np.linalg.qr(draw)
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
        return q if shape[0] >= shape[1] else q.T


class Antisymmetric(Drawn):
    """`gain (A - A^T) / sqrt(2 N)` with standard normal A: purely imaginary eigenvalues."""

    init: Literal["antisymmetric"]

    def check(self, study: "Study", shape: Shape) -> None:
        """Raise ValueError if this cannot be built for the shape."""
        super().check(study, shape)
        _matrix(shape, True)

    def matrix(self, shape: Shape, random: np.random.Generator) -> Array:
        """Return one matrix of gain 1."""
        draw = random.standard_normal(shape)
        return (draw - draw.T) / np.sqrt(2 * _rows(shape))


class Sparse(Drawn):
    """Each entry zero but for a share `density`, those normal of standard deviation `gain / sqrt(density N)`."""

    init: Literal["sparse"]
    density: Annotated[float, Field(gt=0, le=1)] = Field(description="the share of entries that are not zero")

    def matrix(self, shape: Shape, random: np.random.Generator) -> Array:
        """Return one matrix of gain 1."""
        kept = random.uniform(size=shape) < self.density
        return np.where(kept, random.standard_normal(shape), 0.0) / np.sqrt(self.density * _rows(shape))


class Identity(Initialiser):
    """`gain` times the identity."""

    init: Literal["identity"]

    def check(self, study: "Study", shape: Shape) -> None:
        """Raise ValueError if this cannot be built for the shape."""
        super().check(study, shape)
        _matrix(shape, True)

    def matrix(self, shape: Shape, random: np.random.Generator) -> Array:
        """Return one matrix of gain 1."""
        return np.eye(shape[0])


class Rotation(Drawn):
    """`gain` times plane rotations, one for each pair of units; by `angle`, or by random angles if it is left out."""

    init: Literal["rotation"]
    angle: Value | None = Field(
        default=None, description="radians, of every plane, a number or an axis; random, from `seed`"
    )

    def check(self, study: "Study", shape: Shape) -> None:
        """Raise ValueError if this cannot be built for the shape."""
        super().check(study, shape)
        _matrix(shape, True)
        if shape[0] % 2:
            raise ValueError(f"rotation needs an even number of units, not {shape[0]}")

    def build(self, study: "Study", name: str, shape: Shape, block: Values) -> Array:
        """Return the array (axes of the block..., *shape) for a weight or one gate of it."""
        if self.angle is None:
            return super().build(study, name, shape, block)
        angles = along(self.angle, block)
        planes = _planes(np.repeat(angles[..., None], shape[0] // 2, axis=-1))
        return _scaled(along(self.gain, block), planes, shape)

    def matrix(self, shape: Shape, random: np.random.Generator) -> Array:
        """Return one matrix of gain 1."""
        return _planes(random.uniform(0.0, 2.0 * np.pi, shape[0] // 2))


class File(Initialiser):
    """`gain` times the array in a .npy file beside the study; of one axis more than the weight, `seed` chooses."""

    init: Literal["file"]
    file: str = Field(description="the file's name, seen from the study's folder")
    seed: Value = Field(default=0, description="which array of a file that holds several; a whole number or an axis")

    def check(self, study: "Study", shape: Shape) -> None:
        """Raise ValueError if this cannot be built for the shape."""
        super().check(study, shape)
        seeds(self.seed, study)
        array = load(self.file, study)
        if array.shape[array.ndim - len(shape) :] != shape or array.ndim > len(shape) + 1:
            raise ValueError(f"{self.file} has the shape {shape_words(array.shape)}, needed is {shape_words(shape)}")
        last = np.max(over_axis(self.seed, study))
        if last and (array.ndim == len(shape) or last >= len(array)):
            held = len(array) if array.ndim > len(shape) else 1
            raise ValueError(f"{self.file} holds {held} of them, seed goes up to {last:g} (counted from 0)")

    def build(self, study: "Study", name: str, shape: Shape, block: Values) -> Array:
        """Return the array (axes of the block..., *shape) for a weight or one gate of it."""
        array, wanted = load(self.file, study).reshape(-1, *shape), along(self.seed, block)
        return _scaled(along(self.gain, block), array[wanted.astype(int)], shape)


INITIALISERS: dict[str, type[Initialiser]] = {
    "normal": Normal,
    "uniform": Uniform,
    "orthogonal": Orthogonal,
    "identity": Identity,
    "rotation": Rotation,
    "antisymmetric": Antisymmetric,
    "sparse": Sparse,
    "file": File,
}


def _rows(shape: Shape) -> int:
    """N: a gate has a row for each unit."""
    return shape[0] if shape else 1


def _matrix(shape: Shape, square: bool) -> None:
    if len(shape) != 2 or (square and shape[0] != shape[1]):
        raise ValueError(f"this initialiser makes a {'square ' if square else ''}matrix, not {shape_words(shape)}")


def _scaled(gain: Array, array: Array, shape: Shape) -> Array:
    return gain.reshape(*gain.shape, *(1,) * len(shape)) * array


def _planes(angles: Array) -> Array:
    """Rotations by `angles` (..., N / 2) along the diagonal, (..., N, N)."""
    size = 2 * angles.shape[-1]
    array = np.zeros((*angles.shape[:-1], size, size))
    even = np.arange(0, size, 2)
    array[..., even, even] = array[..., even + 1, even + 1] = np.cos(angles)
    array[..., even + 1, even] = np.sin(angles)
    array[..., even, even + 1] = -np.sin(angles)
    return array
