"""A progress bar for notebooks, where there is no terminal to draw on: HTML that the kernel replaces in place."""

import html
import sys
import time
from typing import Any

from .progress import Progress

__all__ = ["NotebookBar", "in_notebook"]

PAUSE = 0.2  # seconds between two updates, which travel to a browser


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook (without importing IPython where nobody did)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class NotebookBar(Progress):
    """A bar below the cell; moving it is cheap, `close` leaves a line that tells the time taken."""

    def __init__(self, total: float, done: float, text: str, patience: float) -> None:
        super().__init__(total, done, text)
        self.begun = time.monotonic()
        self.next = self.begun + patience
        self.handle: Any = None

    def show(self) -> None:
        """Move the bar, not more often than a browser can follow."""
        now = time.monotonic()
        if now >= self.next:
            self.next = now + PAUSE
            self._put("starting" if self.left is None else f"{self.left:.0f} s left")

    def close(self) -> None:
        """Show the last state."""
        if self.handle is not None:
            self.text = "done" if self.done >= self.total else self.text
            self._put(f"{time.monotonic() - self.begun:.1f} s")

    def _put(self, words: str) -> None:
        from IPython.display import display

        percent = 100 * self.done / self.total if self.total else 100.0
        line = f"{self.text}: {percent:.0f} %, {words}"
        bar = f'<progress value="{percent:.1f}" max="100" style="width: 20em; vertical-align: middle"></progress>'
        content = {"text/plain": line, "text/html": f"{bar} {html.escape(line)}"}
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)
