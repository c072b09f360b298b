"""`rnndyn refine`: the borders of a study's map at a high resolution."""

from pathlib import Path
from typing import Annotated

import typer

from rnndyn.cli.app import Set, Threads, Verbose, app, plainly, read_one
from rnndyn.errors import InputError

__all__ = ["refine"]


@app.command()
@plainly
def refine(
    study: Annotated[Path, typer.Argument(help="The study file, *.toml.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the map.", show_default="reports/NAME-OF-THE-STUDY"),
    ] = None,
    changes: Set = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace what is already there.")] = False,
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Compute a study's map at a high resolution where its labels change, as its table [refine] says."""
    import rnndyn.sweep
    from rnndyn.report import report
    from rnndyn.report.refined import refined_numbers
    from rnndyn.sweep.refined import open_refined
    from rnndyn.sweep.store import PAGE, RESULT, open_result

    checked = read_one(study, changes)
    directory = output or Path("reports") / checked.name
    if not fresh and open_refined(directory) is not None:
        raise InputError(
            f"{directory} already holds a refined map: use --fresh to replace it, or -o DIR for another folder"
        )
    try:
        refined = rnndyn.sweep.refine(checked, directory=directory, threads=threads, fresh=fresh)
    except KeyboardInterrupt:
        kept = f"What was computed is kept in {directory}; the same command (without --fresh) goes on from there."
        raise KeyboardInterrupt(kept) from None
    picture = report(refined, directory)
    for number in refined_numbers(refined, checked)[0]:
        typer.echo(f"{number.what}: {number.value}" + (f"; {number.note}" if number.note else ""))
    typer.echo(picture)
    if (directory / PAGE).exists() and (directory / RESULT).is_dir():
        result = open_result(directory)
        if open_refined(directory, result) is not None:
            typer.echo(report(result, directory))
