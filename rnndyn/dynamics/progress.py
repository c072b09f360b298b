"""Progress of long work: a bar with the time left in a terminal or notebook, a callable of the user's, or silence."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Union

from ..errors import InputError

__all__ = ["Choice", "Progress", "progress_display"]

PATIENCE = 2.0  # seconds before the bar of a single call appears by itself
Choice = Union[bool, Callable[[float, float], None], "Progress", None]


class Progress:
    """Counts steps. `say` names what is going on; nothing is shown unless a subclass does.

    The time left comes from the steps done while steps were done: the wait before the first step after `pause`, in
    which kernels compile, is left out of the rate.
    """

    def __init__(self, total: float, done: float = 0.0, text: str = "") -> None:
        self.total, self.done, self.text = total, done, text
        self.seconds = self.advanced = 0.0
        self.since: float | None = None

    def say(self, text: str, pause: bool = False) -> None:
        """Name the work going on; `pause`: until the next step is reported, no steps are done."""
        self.text = text
        self.since = None if pause else self.since
        self.show()

    def at(self, done: float) -> None:
        """Report the steps done so far."""
        done = min(done, self.total)
        if done > self.done:
            now = time.monotonic()
            if self.since is not None:
                self.seconds += now - self.since
                self.advanced += done - self.done
            self.since, self.done = now, done
        self.show()

    @property
    def left(self) -> float | None:
        """Seconds until all is done, None while no rate is known."""
        return (self.total - self.done) * self.seconds / self.advanced if self.advanced else None

    def part(self, size: float, name: str) -> "Progress":
        """Return the progress of a part of this work, of `size` steps of it, that begins where this one is now."""
        return Part(self, size, name)

    def show(self) -> None:
        """Bring the display up to date."""

    def close(self) -> None:
        """Take the display away."""


class Part(Progress):
    """The progress of a part: it moves that of the whole. It may count in steps of its own, `total` of them."""

    def __init__(self, whole: Progress, size: float, name: str) -> None:
        super().__init__(size)
        self.whole, self.begin, self.size, self.name = whole, whole.done, size, name

    def say(self, text: str, pause: bool = False) -> None:
        """Name the work going on, after the name of the part."""
        self.whole.say(f"{self.name}: {text}", pause)

    def at(self, done: float) -> None:
        """Report the steps done so far in this part."""
        self.done = min(max(done, self.done), self.total)
        self.whole.at(self.begin + self.size * self.done / self.total)


class Called(Progress):
    """Progress handed to a callable `(done, total)`."""

    def __init__(self, total: float, done: float, function: Callable[[float, float], None]) -> None:
        super().__init__(total, done)
        self.function, self.told = function, -1.0

    def show(self) -> None:
        """Call the function if something has changed."""
        if self.told != self.done:
            self.told = self.done
            self.function(self.done, self.total)


class Terminal(Progress):
    """A bar on stderr that waits `patience` seconds before it shows itself."""

    def __init__(self, total: float, done: float, text: str, patience: float) -> None:
        super().__init__(total, done, text)
        self.from_ = time.monotonic() + patience
        self.bar: Any = None

    def show(self) -> None:
        """Move the bar."""
        if self.bar is None:
            if time.monotonic() < self.from_:
                return
            self._open()
        left = "" if self.left is None else f"{_duration(self.left)} left"
        self.bar.update(self.bar.task_ids[0], completed=self.done, total=self.total, description=self.text, left=left)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Rich

        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self.bar = Rich(*columns, console=Console(stderr=True), transient=True)
        self.bar.add_task(self.text, total=self.total, left="")
        self.bar.start()

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()


@contextlib.contextmanager
def progress_display(
    choice: Choice, total: float, done: float = 0.0, text: str = "starting", patience: float = 0.0
) -> Iterator[Progress]:
    """Yield the display for `progress=choice`: None (a bar in a terminal or notebook), True, False, a callable, or a
    Progress that is moved along. `done` was there before; a bar by itself waits `patience` seconds.

    Raises InputError for anything else.
    """
    display = _display(choice, total, done, text, patience)
    try:
        yield display
    finally:
        display.close()


def _display(choice: Choice, total: float, done: float, text: str, patience: float) -> Progress:
    from .notebook import NotebookBar, in_notebook

    if isinstance(choice, Progress):
        choice.total = total
        return choice
    if callable(choice):
        return Called(total, done, choice)
    if choice is not None and not isinstance(choice, bool):
        raise InputError(f"`progress` must be None, True, False or a function of (done, total), not {choice!r}.")
    if choice is False or not (choice or sys.stderr.isatty() or in_notebook()):
        return Progress(total, done)
    kind = NotebookBar if in_notebook() else Terminal
    return kind(total, done, text, 0.0 if choice else patience)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
