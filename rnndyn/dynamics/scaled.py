"""Cotangents far beyond the range of floating-point numbers: values with a power of two for each time."""

from typing import NamedTuple

import numpy as np


class Scaled(NamedTuple):
    """values (..., T, n) in units of 2 ** powers (..., T, 1), whole numbers."""

    values: np.ndarray
    powers: np.ndarray

    @classmethod
    def plain(cls, values):
        """Values as they are."""
        return cls(values, np.zeros((*values.shape[:-1], 1)))

    def numbers(self):
        """The values themselves, flushed to zero and overflowing as numbers do."""
        return _times(self.values, self.powers)

    def near_one(self):
        """The same with the largest value of each time between 1/2 and 1."""
        largest = np.abs(self.values).max(axis=-1, keepdims=True, initial=0.0)
        shift = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
        return Scaled(_times(self.values, -shift), self.powers + shift)

    def plus(self, other):
        """The sum; of two that differ much the smaller one counts as zero."""
        powers = [np.where((v.values != 0).any(axis=-1, keepdims=True), v.powers, -np.inf) for v in (self, other)]
        common = np.maximum(*powers)
        common = np.where(np.isfinite(common), common, 0.0)
        return Scaled(*(sum(_times(v.values, v.powers - common) for v in (self, other)), common))


def _times(values, powers):
    """values 2 ** powers."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(values, np.clip(powers, -5000, 5000).astype(np.int32))
