"""From `[weights]` to arrays: numbers, axis names, nested lists of both, and random matrices."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from rnndyn.errors import InputError, suggestion

if TYPE_CHECKING:
    from rnndyn.sweep.study import Normal, Study

__all__ = ["build_weights", "check_weights", "normal"]

Values = Mapping[str, NDArray[Any]]


def normal(study_seed: int, name: str, seed: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return standard normal numbers that depend on (study seed, weight name, seed value) and on nothing else."""
    word = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    bits = np.random.PCG64(np.random.SeedSequence([study_seed, word, seed]))
    return np.random.Generator(bits).standard_normal(shape)


def check_weights(study: "Study", cell: Any) -> None:
    """Raise InputError for a weight the cell does not have, a wrong shape, an unknown axis, or an axis left unused."""
    used: set[str] = set()
    for name, value in study.weights.items():
        where = f"[weights] {name}"
        if name not in cell.shapes:
            raise InputError(f"{where}: {cell.name} has no such weight; {suggestion(name, cell.shapes)}")
        try:
            used.update(_check_weight(study, cell.shapes[name], value))
        except ValueError as error:
            raise InputError(f"{where} = {_short(value)}: {error}") from None
    for axis in study.axes:
        if axis not in used:
            raise InputError(f"[axes] {axis}: no entry of [weights] uses this axis; use it there or remove it")


def _check_weight(study: "Study", shape: tuple[int, ...], value: Any) -> set[str]:
    """Return the axes that a weight depends on; raises ValueError with the reason if it cannot be built."""
    if isinstance(value, Mapping):
        init = _parse_normal(value)
        if isinstance(init.seed, str):
            seeds = study.axes[_check_axis(init.seed, study)].values
            if init.seed.startswith("-") or np.any(seeds < 0) or np.any(seeds != np.floor(seeds)):
                raise ValueError(f"axis {init.seed!r} gives seeds, which must be whole numbers from 0 up")
        return {_check_axis(entry, study) for entry in (init.gain, init.seed) if isinstance(entry, str)}
    if isinstance(value, list) and (found := _list_shape(value)) != tuple(shape):
        raise ValueError(f"its shape is {_shape_words(found)}, the cell needs {_shape_words(shape)}")
    for _, entry in _entries(value):
        if isinstance(entry, bool) or not isinstance(entry, int | float | str):
            raise ValueError(f"{entry!r} is neither a number nor the name of an axis")
        if not isinstance(entry, str) and not np.isfinite(entry):
            raise ValueError(f"{entry} is not a finite number")
    return {_check_axis(entry, study) for _, entry in _entries(value) if isinstance(entry, str)}


def _parse_normal(table: Mapping[str, Any]) -> "Normal":
    from rnndyn.sweep.sentences import sentences
    from rnndyn.sweep.study import Normal

    try:
        return Normal.model_validate(dict(table))
    except ValidationError as error:
        raise ValueError(
            "; ".join(line.replace("[", "").replace("]", "") for line in sentences(error, Normal))
        ) from None


def _split(entry: str) -> tuple[str, float]:
    """Return (axis, sign) of an entry such as "w" or "-w"."""
    entry = entry.strip()
    return (entry[1:].strip(), -1.0) if entry.startswith("-") else (entry, 1.0)


def _check_axis(entry: str, study: "Study") -> str:
    name, _ = _split(entry)
    if name not in study.axes:
        raise ValueError(f"{entry!r} is no axis; {suggestion(name, study.axes)}")
    return name


def _entries(value: Any, index: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield (index, entry) of a nested list; a bare entry has the index ()."""
    if not isinstance(value, list):
        yield index, value
        return
    for i, inner in enumerate(value):
        yield from _entries(inner, (*index, i))


def _list_shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    inner = {_list_shape(entry) for entry in value}
    if len(inner) > 1:
        raise ValueError("its rows differ in length")
    return (len(value), *(inner.pop() if inner else ()))


def _shape_words(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) if shape else "a single number"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def build_weights(study: "Study", cell: Any, block: Values) -> dict[str, NDArray[np.float64]]:
    """Return the weights for a block of the grid, given the values of each axis in it.

    Each array has one leading axis for each axis of the study, of length 1 where the weight does not depend on it,
    followed by the shape of the weight.
    """
    names = list(study.axes)
    return {name: _build(study, names, name, cell, value, block) for name, value in study.weights.items()}


def _build(study: "Study", names: list[str], name: str, cell: Any, value: Any, block: Values) -> NDArray[np.float64]:
    shape = tuple(cell.shapes[name])
    ones = (1,) * len(shape)
    if isinstance(value, Mapping):
        init = _parse_normal(value)
        seeds, gains = _along(init.seed, names, block), _along(init.gain, names, block)
        draws = np.stack([normal(study.run.seed, name, int(seed), shape) for seed in seeds.flat])
        scales = gains.reshape(*gains.shape, *ones) / np.sqrt(study.cell.units)
        return scales * draws.reshape(*seeds.shape, *shape)
    entries = {index: _along(entry, names, block) for index, entry in _entries(value)}
    if () in entries:
        return entries[()].reshape(*entries[()].shape, *ones) * np.ones(shape)
    array = np.empty((*np.broadcast_shapes(*(part.shape for part in entries.values())), *shape))
    for index, part in entries.items():
        where: tuple[Any, ...] = (..., *index)
        array[where] = part
    return array


def _along(entry: float | str, names: list[str], block: Values) -> NDArray[np.float64]:
    """Return the values of a number or (negated) axis name, with one array axis for each axis of the study."""
    if not isinstance(entry, str):
        return np.full((1,) * len(names), float(entry))
    name, sign = _split(entry)
    return sign * block[name].reshape([-1 if axis == name else 1 for axis in names]).astype(np.float64)
