"""A process for each contender: it can be stopped when its time is over, and takes its memory with it when it fails."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import time
from collections.abc import Callable


class Left(Exception):
    """Why a contender is left out, as a reader is to be told."""


def serve(pipe, environment: dict[str, str]) -> None:
    """Answer requests (module, function, arguments): the function's results one by one, then the end or what failed."""
    os.environ.update(environment)  # before a library reads it
    while True:
        try:
            module, function, arguments = pipe.recv()
        except EOFError:
            return
        try:
            for result in getattr(importlib.import_module(module), function)(*arguments):
                pipe.send(("result", result))
            pipe.send(("end", ""))
        except Left as error:
            pipe.send(("end", str(error)))
        except Exception as error:
            text = str(error).strip().splitlines()
            pipe.send(("end", f"{type(error).__name__}: {text[0] if text else ''}"[:300]))


class Worker:
    """A process that is started when it is first asked, and anew after it was stopped."""

    def __init__(self, environment: dict[str, str] | None = None):
        self.environment = environment or {}
        self.process = self.pipe = None

    def ask(self, module: str, function: str, *arguments, limit: float, take: Callable) -> str:
        """Hand each result to `take` as it comes; returns "", or why it ended before its end."""
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, end = context.Pipe()
            self.process = context.Process(target=serve, args=(end, self.environment), daemon=True)
            self.process.start()
            end.close()
        self.pipe.send((module, function, arguments))
        until = time.monotonic() + limit
        try:
            while (left := until - time.monotonic()) > 0 and self.pipe.poll(left):
                what, value = self.pipe.recv()
                if what == "end":
                    return value
                take(value)
        except (EOFError, OSError):
            self.process.join()
            code, self.process = self.process.exitcode, None
            return f"its process ended with exit status {code}"
        self.stop()
        return f"stopped after {limit:.0f} s"

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None
