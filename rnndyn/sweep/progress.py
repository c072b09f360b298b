"""How a sweep tells how far it is: a bar in the terminal, a callable, or nothing."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["Progress", "progress_display"]

Choice = bool | Callable[[float, float], None] | None


class Progress:
    """Counts network steps. `say` names what is going on; nothing is shown unless a subclass does."""

    def __init__(self, total: float) -> None:
        self.total, self.done = total, 0.0

    def say(self, text: str) -> None:
        """Name the work going on."""

    def at(self, done: float) -> None:
        """Report the steps done so far."""
        self.done = min(max(done, self.done), self.total)
        self.show()

    def show(self) -> None:
        """Bring the display up to date."""


class Called(Progress):
    """Progress handed to a callable `(done, total)`."""

    def __init__(self, total: float, function: Callable[[float, float], None]) -> None:
        super().__init__(total)
        self.function = function

    def show(self) -> None:
        """Call the function."""
        self.function(self.done, self.total)


class Bar(Progress):
    """A bar with the time left, on stderr."""

    def __init__(self, total: float, bar: Any, task: Any) -> None:
        super().__init__(total)
        self.bar, self.task = bar, task

    def say(self, text: str) -> None:
        """Put the text before the bar."""
        self.bar.update(self.task, description=text)

    def show(self) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=self.done)


class Notebook(Progress):
    """A bar below the cell of a notebook."""

    def __init__(self, total: float, bar: Any) -> None:
        super().__init__(total)
        self.bar = bar

    def say(self, text: str) -> None:
        """Put the text beside the bar."""
        self.bar.update(text=text)

    def show(self) -> None:
        """Move the bar."""
        self.bar.update(self.done)


@contextlib.contextmanager
def progress_display(choice: Choice, total: float, done: float) -> Iterator[Progress]:
    """Yield the display for `progress=choice`: None is a bar in a terminal or notebook; `done` was there before."""
    if callable(choice):
        yield Called(total, choice)
        return
    from rnndyn.dynamics.notebook import NotebookBar, in_notebook

    if choice is not False and in_notebook():
        bar = NotebookBar("starting", total)
        try:
            yield Notebook(total, bar)
        finally:
            bar.close()
        return
    if choice is False or (choice is None and not sys.stderr.isatty()):
        yield Progress(total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Rich

    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Rich(*columns, console=console, transient=True, get_time=time.monotonic, speed_estimate_period=60) as rich:
        yield Bar(total, rich, rich.add_task("starting", total=total, completed=int(done)))
