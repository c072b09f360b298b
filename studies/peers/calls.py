"""A peer's run over a batch of networks, in parts that can be timed apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property


@dataclass
class Call:
    """A peer's call: `load()` brings the batch to the device, `compute(loaded)` runs it and waits for the results
    there, `fetch(outs)` brings them back as arrays, batch axis first.

    Called as it is, the batch is on the device from the first call on: the clock sees `compute` and `fetch`.
    """

    load: Callable
    compute: Callable
    fetch: Callable

    @cached_property
    def loaded(self):
        """The batch on the device."""
        return self.load()

    def __call__(self) -> tuple:
        return self.fetch(self.compute(self.loaded))

    def whole(self) -> tuple:
        """From arrays in the computer's memory to results there."""
        return self.fetch(self.compute(self.load()))
