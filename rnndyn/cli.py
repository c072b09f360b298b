"""The command `rnndyn`: reads arguments, calls the floors below, says in one sentence what went wrong.

Exit codes: 0 done, 1 a failure of the program or the machine, 2 a mistake of the user, 130 interrupted.
"""

import errno
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from rnndyn.errors import InputError

__all__ = ["app", "main"]

FAILURE, MISTAKE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="rnndyn",
    help="Dynamics of recurrent networks over whole parameter grids: Lyapunov spectra, gradient reach, stability maps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the traceback of an error.")]


def main() -> None:
    """Run the command line and leave with its exit code."""
    app()


def _plainly(command: Callable[..., None]) -> Callable[..., None]:
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


@app.command()
@_plainly
def run(
    study: Annotated[Path, typer.Argument(help="The study file, *.toml.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the report.", show_default="reports/NAME-OF-THE-STUDY"),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace a report that is already there.")] = False,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Number of threads.", show_default="all cores")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Sweep a study's grid and write its report; an interrupted sweep is taken up where it stopped."""
    from rnndyn.report import prepare
    from rnndyn.sweep import read_study
    from rnndyn.sweep.run import run_study

    checked = read_study(study)
    directory = output or Path("reports") / checked.name
    if not fresh and (directory / "index.html").exists():
        raise InputError(f"{directory} already holds a report: use --fresh to replace it, or -o DIR for another folder")
    try:
        dataset = run_study(checked, directory, threads, None, fresh, meanwhile=prepare)
        from rnndyn.report import report

        page = report(dataset, directory)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_resume(directory)) from None
    typer.echo(page)


def _how_to_resume(directory: Path) -> str:
    """Say what is kept of an interrupted sweep."""
    from rnndyn.sweep.store import read_manifest

    manifest = read_manifest(directory) if directory.is_dir() else None
    if manifest is None:
        return "Nothing was computed yet."
    chunks = manifest["chunks"]
    kept = f"{len(chunks['done'])} of {chunks['total']} chunks are kept in {directory}"
    return f"{kept}; the same command (without --fresh) goes on from there."


@app.command()
@_plainly
def cells(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    verbose: Verbose = False,
) -> None:
    """List the cells: one step, state fields, gates (row blocks of the weights), parameters, source."""
    from rnndyn.cells import table

    if markdown:
        typer.echo(table.markdown())
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, show_header=False)
    shown.add_column(no_wrap=True, style="bold")
    shown.add_column()
    for name, equation, *facts in table.rows():
        told = (f"{head}: {fact}" for head, fact in zip(table.HEAD[2:], facts, strict=True) if fact)
        shown.add_row(name, f"{equation}\n{'; '.join(told)}\n")
    Console(soft_wrap=not sys.stdout.isatty(), highlight=False, markup=False).print(shown)


@app.command()
@_plainly
def info(verbose: Verbose = False) -> None:
    """Show versions, threads, SIMD width, and the GPU or why there is none."""
    from rnndyn import kernels
    from rnndyn.sweep.provenance import version

    facts = {"rnndyn": version(), "python": sys.version.split()[0], **kernels.describe()}
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {value}")
