"""What all commands share: the application, their options, and errors told in a sentence."""

import errno
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnndyn.errors import InputError

if TYPE_CHECKING:
    from rnndyn.sweep import Overview, Study

__all__ = ["Set", "Threads", "Verbose", "app", "note_code", "plainly", "read", "read_one"]

FAILURE, MISTAKE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="rnndyn",
    help="Dynamics of recurrent networks over whole parameter grids: Lyapunov spectra, gradient reach, stability maps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the traceback of an error.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Number of threads.", show_default="all cores")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a value of the study, as in --set axes.w.num=64; may be repeated.",
        show_default=False,
    ),
]


def read(path: Path, changes: list[str] | None) -> "Study | Overview":
    """Read a study with `--set` applied; says so if it, or a section, runs code of its own."""
    from rnndyn.sweep import read_study

    study = read_study(path, dict(_change(text) for text in changes or ()))
    for one in (study, *study.parts):
        note_code(one)
    return study


def read_one(path: Path, changes: list[str] | None) -> "Study":
    """Read a study that has a grid; raises InputError for one that is only sections."""
    from rnndyn.sweep import Overview

    study = read(path, changes)
    if isinstance(study, Overview):
        below = ", ".join(str(study.folder / file) for file in study.sections)
        raise InputError(f"{path} has no grid of its own, only sections: name one of them: {below}")
    return study


def note_code(study: "Study | Overview") -> None:
    """Say on stderr that a study runs code of its own."""
    for file in dict.fromkeys(one.cell.file for one in study.cells()) if hasattr(study, "cells") else ():
        if file is not None:
            print(f"{study.file} runs the code in {file}", file=sys.stderr)


def _change(text: str) -> tuple[str, Any]:
    """Return (place, value) of "axes.w.num=64"; the value is written as in TOML, text without quotes too."""
    import tomllib

    place, sign, value = text.partition("=")
    if not sign or not place.strip():
        raise InputError(f"--set {text}: expected KEY=VALUE, as in --set axes.w.num=64")
    try:
        return place.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return place.strip(), value.strip()


def plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that errors become one sentence on stderr and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except typer.Exit:
            raise
        except KeyboardInterrupt as interrupt:
            said = str(interrupt)
            _leave(f"Interrupted. {said}".rstrip(), INTERRUPTED, False)
        except InputError as error:
            _leave(str(error), MISTAKE, options.get("verbose", False))
        except BrokenPipeError:  # the reader of our output has gone, as in `rnndyn cells | head -1`
            sys.stderr.close()
            raise typer.Exit(FAILURE) from None
        except OSError as error:
            _leave(_about_files(error), _code(error), options.get("verbose", False))
        except MemoryError as error:
            said = str(error) or "try a smaller grid, fewer units or a shorter gradient horizon"
            _leave(f"not enough memory: {said}", FAILURE, options.get("verbose", False))
        except Exception as error:
            hint = "" if options.get("verbose") else " (run again with -v for the traceback)"
            words = f"internal failure: {type(error).__name__}: {error}{hint}"
            _leave(words, FAILURE, options.get("verbose", False))

    return wrapped


def _leave(message: str, code: int, traceback: bool) -> None:
    """Print a message (and the traceback of the exception at hand) and leave with `code`."""
    if traceback:
        import traceback as module

        module.print_exc()
    print(message if code == INTERRUPTED else f"rnndyn: {message}", file=sys.stderr)
    raise typer.Exit(code) from None


def _about_files(error: OSError) -> str:
    """Say what a file operation ran into."""
    name = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full{name and ':'}{name}; make room and run the same again, finished chunks are kept"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to write or read{name or ' a file'}: choose another folder with -o"
    return f"{(error.strerror or str(error)).lower()}:{name or ' (no file named)'}"


def _code(error: OSError) -> int:
    mistakes = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
    return MISTAKE if error.errno in mistakes else FAILURE
