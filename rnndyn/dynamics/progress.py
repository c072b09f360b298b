"""Progress of a long call: a bar with the time left on a terminal, a callable of the user's, or silence."""

import contextlib
import sys
import time
from typing import Any

from ..errors import InputError
from .notebook import NotebookBar, in_notebook

PATIENCE = 2.0  # seconds before a bar appears by itself


@contextlib.contextmanager
def reporting(progress, what):
    """Yield `report(done, total)` in steps; `progress`: None (a bar on a terminal), True, False, a callable."""
    if callable(progress):
        yield progress
    elif progress is None or progress is True:
        bar = _Bar(what, 0.0 if progress else PATIENCE, progress is True or sys.stderr.isatty() or in_notebook())
        try:
            yield bar.report
        finally:
            bar.close()
    elif progress is False:
        yield lambda done, total: None
    else:
        raise InputError(f"`progress` must be None, True, False or a function of (done, total), not {progress!r}.")


class _Bar:
    """A bar in the terminal or the notebook that waits `patience` seconds before it shows itself."""

    def __init__(self, what, patience, wanted):
        self.what, self.patience, self.wanted = what, patience, wanted
        self.begun = time.monotonic()
        self.bar: Any = None
        self.task: Any = None

    def report(self, done, total):
        if not self.wanted or time.monotonic() - self.begun < self.patience:
            return
        if self.bar is None:
            self._open(total)
        if self.task is None:
            self.bar.update(done)
        else:
            self.bar.update(self.task, completed=done, total=total)

    def _open(self, total):
        if in_notebook():
            self.bar = NotebookBar(self.what, total)
            return
        from rich.console import Console
        from rich.progress import Progress

        self.bar = Progress(console=Console(stderr=True), transient=True)
        self.bar.start()
        self.task = self.bar.add_task(self.what, total=total)

    def close(self):
        if self.bar is not None:
            (self.bar.close if self.task is None else self.bar.stop)()
