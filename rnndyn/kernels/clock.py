"""How long Numba compiled: nothing that runs, loads from the cache or waits beside it counts."""

from contextlib import contextmanager
from time import monotonic

from numba.core import event


class CompileClock(event.Listener):
    """`seconds` of compiling so far. Kernels compile one at a time; helpers compile within their kernel's time.

    What is compiled for CUDA is not counted.
    """

    def __init__(self):
        self.seconds = 0.0
        self._depth, self._begun = 0, 0.0

    def on_start(self, event):
        if self._depth == 0:
            self._begun = monotonic()
        self._depth += 1

    def on_end(self, event):
        self._depth -= 1
        if self._depth == 0:
            self.seconds += monotonic() - self._begun


@contextmanager
def compile_clock():
    """A clock of what this process compiles meanwhile."""
    with event.install_listener("numba:compile", CompileClock()) as clock:
        yield clock
