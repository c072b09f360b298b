"""Values that may vary over the grid: a number, the name of an axis, or an affine form of one, "1 - 0.5 * w"."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, FiniteFloat, ValidationError

from rnndyn.errors import InputError, nearest, suggestion
from rnndyn.sweep.sentences import sentences

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = [
    "Affine", "Index", "Together", "Value", "Values", "along", "axes_in", "check_axis", "check_entries", "digest",
    "extent", "generator", "list_shape", "load", "one_of", "over_axis", "seeds", "shape_words", "split", "stack",
]  # fmt: skip

Value = int | FiniteFloat | str
Values = Mapping[str, NDArray[Any]]
Index = int | NDArray[np.int64]  # the grid index of a block's first point, or of each of single points


class Together(dict[str, NDArray[Any]]):
    """Values of the axes at single points: they vary together, where those of a block of the grid span it."""


NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
FORM = re.compile(
    rf"(?P<before>[+-]?\s*{NUMBER}\s*(?=[+-]))?(?P<sign>[+-]?)\s*(?:(?P<scale>{NUMBER})\s*\*\s*)?"
    rf"(?P<axis>[^\W\d]\w*)\s*(?P<after>[+-]\s*{NUMBER})?"
)
WORDS = ("init", "kind", "file")  # keys whose text is no axis


def generator(study_seed: int, name: str, seed: int, size: int | None = None) -> np.random.Generator:
    """Return random numbers that depend on (study seed, name, seed value) and on nothing else.

    size: one size of networks out of several, each with draws of its own.
    """
    word = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    several = [] if size is None else [size]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([study_seed, word, seed, *several])))


class Affine(NamedTuple):
    """`scale * axis + offset`."""

    axis: str
    scale: float = 1.0
    offset: float = 0.0

    def of(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the form's values from those of its axis."""
        scaled: NDArray[np.float64] = self.scale * np.asarray(values, dtype=np.float64)
        return scaled + self.offset if self.offset else scaled


def split(entry: str) -> Affine:
    """Return the axis, scale and offset of an entry such as "w", "-w", "2 * w", "1 - 0.5 * w" or "-w + 3".

    Whatever is not of this form is taken for the name of an axis, which there is not.
    """
    found = FORM.fullmatch(entry.strip())
    if found is None:
        return Affine(entry.strip())
    offsets = [float("".join(found[part].split())) for part in ("before", "after") if found[part]]
    scale = float(found["scale"] or 1.0)
    return Affine(found["axis"], -scale if found["sign"] == "-" else scale, sum(offsets))


def axes_in(value: Any) -> set[str]:
    """Return the names of axes that a value of the study file holds, wherever in it."""
    if isinstance(value, str):
        return {split(value).axis}
    if isinstance(value, Mapping):
        return set().union(*(axes_in(inner) for key, inner in value.items() if key not in WORDS))
    return set().union(*map(axes_in, value)) if isinstance(value, list | tuple) else set()


def check_axis(entry: str, study: "Study") -> str:
    """Return the axis that an entry names; raises ValueError if there is none."""
    name, *numbers = split(entry)
    if name not in study.axes:
        form = "" if name.isidentifier() else ' nor an affine form of one, as "1 - 0.5 * w"'
        raise ValueError(f"{entry!r} is no axis{form}; {suggestion(name, study.axes)}")
    if study.axes[name].is_text:
        raise ValueError(f"{entry!r} is an axis of texts: only a key of [cell] takes one")
    if not np.all(np.isfinite(numbers)):
        raise ValueError(f"{entry!r} holds a number that is not finite")
    return name


def over_axis(entry: Value, study: "Study") -> NDArray[np.float64]:
    """Return all values of an entry, over its axis."""
    if not isinstance(entry, str):
        return np.array([float(entry)])
    return split(entry).of(study.axes[check_axis(entry, study)].values)


def seeds(entry: Value, study: "Study") -> None:
    """Raise ValueError if an entry is no seed: whole numbers from 0 up."""
    values = over_axis(entry, study)
    if np.any(values < 0) or np.any(values != np.floor(values)):
        words = f"axis {entry!r} gives seeds, which" if isinstance(entry, str) else f"seed = {entry!r}: seeds"
        raise ValueError(f"{words} must be whole numbers from 0 up")


def extent(block: Values) -> tuple[int, ...]:
    """Return the shape of a block of the grid, a length for each axis; or the number of single points."""
    lengths = tuple(map(len, block.values()))
    return lengths[:1] if isinstance(block, Together) else lengths


def along(entry: Value, block: Values) -> NDArray[np.float64]:
    """Return the values of a number or a form of an axis over a block, with as many array axes as the block has."""
    if not isinstance(entry, str):
        return np.full((1,) * len(extent(block)), float(entry))
    form = split(entry)
    shape = [-1] if isinstance(block, Together) else [-1 if axis == form.axis else 1 for axis in block]
    return form.of(block[form.axis].reshape(shape))


def entries(value: Any, index: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield (index, entry) of a nested list; a bare entry has the index ()."""
    if not isinstance(value, list | tuple):
        yield index, value
        return
    for i, inner in enumerate(value):
        yield from entries(inner, (*index, i))


def list_shape(value: Any) -> tuple[int, ...]:
    """Return the shape of a nested list; raises ValueError if it is ragged."""
    if not isinstance(value, list | tuple):
        return ()
    inner = {list_shape(entry) for entry in value}
    if len(inner) > 1:
        raise ValueError("its rows differ in length")
    return (len(value), *(inner.pop() if inner else ()))


def shape_words(shape: tuple[int, ...]) -> str:
    """Return "8 x 8"."""
    return " x ".join(map(str, shape)) if shape else "a single number"


def check_entries(value: Any, shape: tuple[int, ...], study: "Study") -> None:
    """Raise ValueError if `value` is no number, axis name or nested list of them of the shape."""
    if isinstance(value, list | tuple) and (found := list_shape(value)) != shape:
        raise ValueError(f"its shape is {shape_words(found)}, the cell needs {shape_words(shape)}")
    for _, entry in entries(value):
        if isinstance(entry, str):
            check_axis(entry, study)
        elif isinstance(entry, bool) or not isinstance(entry, int | float):
            raise ValueError(f"{entry!r} is neither a number nor the name of an axis")
        elif not np.isfinite(entry):
            raise ValueError(f"{entry} is not a finite number")


def stack(value: Any, shape: tuple[int, ...], block: Values) -> NDArray[np.float64]:
    """Return a number, an axis name or a nested list of them as an array (axes of the block..., *shape)."""
    parts = {index: along(entry, block) for index, entry in entries(value)}
    if () in parts:
        return parts[()].reshape(*parts[()].shape, *(1,) * len(shape)) * np.ones(shape)
    array = np.empty((*np.broadcast_shapes(*(part.shape for part in parts.values())), *shape))
    for index, part in parts.items():
        place: Any = (..., *index)
        array[place] = part
    return array


def one_of(key: str, models: Mapping[str, type[BaseModel]], table: Any) -> Any:
    """Return the model that `table[key]` chooses, made of the table; raises ValueError with all that is wrong in it."""
    if not isinstance(table, Mapping):
        raise ValueError(f"expected a table with the key {key!r}, got {table!r}")
    name = table.get(key)
    if not isinstance(name, str) or name not in models:
        known = ", ".join(map(repr, models))
        guess = nearest(name, models) if isinstance(name, str) else None
        hint = f"; did you mean {guess!r}?" if guess else ""
        fit = [kind for kind, model in models.items() if table and set(table) <= set(model.model_fields)]
        if name is None and len(fit) == 1:
            hint = f"; did you mean {key} = {fit[0]!r}?"
        raise ValueError(
            f"{key} is missing: one of {known}{hint}"
            if name is None
            else f"{key} = {name!r}: expected one of {known}{hint}"
        )
    try:
        return models[name].model_validate(dict(table))
    except ValidationError as error:
        lines = sentences(error, models[name])
        raise ValueError("; ".join(line.replace("[", "", 1).replace("]", "", 1) for line in lines)) from None


def find(file: str, study: "Study") -> Path:
    """Return the path of a file that the study names; raises ValueError if it is not there."""
    path = study.folder / file
    if not path.is_file():
        siblings = [found.name for found in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
        guess = nearest(path.name, siblings)
        raise ValueError(f"there is no file {file} beside the study" + (f"; did you mean {guess!r}?" if guess else ""))
    return path


def digest(file: str, study: "Study") -> str:
    """Return the fingerprint of a file that the study names; raises InputError if it cannot be read."""
    try:
        return hashlib.sha256(find(file, study).read_bytes()).hexdigest()
    except (ValueError, OSError) as error:
        raise InputError(f"{file}: {error}") from None


def load(file: str, study: "Study") -> NDArray[np.float64]:
    """Return the numbers in a .npy file beside the study; raises ValueError if there are none."""
    path = find(file, study)
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise ValueError(f"{file} is not an array of numbers in NumPy's format (.npy)") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise ValueError(f"{file} does not hold one array of real numbers")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{file} holds numbers that are not finite")
    return array.astype(np.float64)
