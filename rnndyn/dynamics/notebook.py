"""A progress bar for notebooks, where there is no terminal to draw on: HTML that the kernel replaces in place."""

import html
import sys
import time

__all__ = ["NotebookBar", "in_notebook"]

PAUSE = 0.2  # seconds between two updates, which travel to a browser


def in_notebook():
    """Whether this process is the kernel of a notebook (without importing IPython where nobody did)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class NotebookBar:
    """A bar below the cell; `update` is cheap to call often, `close` leaves a line that tells the time taken."""

    def __init__(self, text, total):
        from IPython.display import display

        self.text, self.total, self.done = text, total, 0.0
        self.begun = self.shown = time.monotonic()
        self.handle = display(self._content("starting"), raw=True, display_id=True)

    def update(self, done=None, text=None):
        """Set the steps done, or what is going on."""
        self.done = self.done if done is None else done
        self.text = self.text if text is None else text
        now = time.monotonic()
        if now - self.shown >= PAUSE:
            self.shown = now
            left = (now - self.begun) * (self.total / self.done - 1) if self.done else 0.0
            self.handle.update(self._content(f"{left:.0f} s left" if self.done else "starting"), raw=True)

    def close(self):
        """Show the last state."""
        self.text = "done" if self.done >= self.total else self.text
        self.handle.update(self._content(f"{time.monotonic() - self.begun:.1f} s"), raw=True)

    def _content(self, words):
        percent = 100 * self.done / self.total if self.total else 100.0
        line = f"{self.text}: {percent:.0f} %, {words}"
        bar = f'<progress value="{percent:.1f}" max="100" style="width: 20em; vertical-align: middle"></progress>'
        return {"text/plain": line, "text/html": f"{bar} {html.escape(line)}"}
