"""Single arguments as the user gives them: arrays of numbers, whole numbers, shapes."""

import numpy as np

from ..errors import InputError


def as_array(name, value, dtype=np.float64):
    """A NumPy array of a number, list, array or torch tensor."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{name}` cannot be read as an array of numbers: {error}.") from None
    return array


def whole(name, value, least):
    """A whole number from `least` up."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"`{name}` must be a whole number from {least} up, not {value!r}.")
    return int(value)


def positive(name, value):
    """A finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < np.inf:
        raise InputError(f"`{name}` must be a finite number above 0, not {value!r}.")
    return float(value)


def tailed(name, array, tail):
    """`array` if its last axes have the shape `tail`."""
    if array.ndim < len(tail) or array.shape[array.ndim - len(tail) :] != tuple(tail):
        wanted = ", ".join(map(str, ("...", *tail)))
        raise InputError(f"`{name}` must have the shape ({wanted}), not {array.shape}.")
    return array
