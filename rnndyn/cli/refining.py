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

    checked = read_one(study, changes)
    directory = output or Path("reports") / checked.name
    if not fresh and open_refined(directory) is not None:
        raise InputError(
            f"{directory} already holds a refined map: use --fresh to replace it, or -o DIR for another folder"
        )
    try:
        refined = rnndyn.sweep.refine(checked, directory=directory, threads=threads, fresh=fresh)
    except InputError:
        if _shows_what_is_gone(directory):
            _write_page(directory)
        raise
    except KeyboardInterrupt:
        kept = f"What was computed is kept in {directory}; the same command (without --fresh) goes on from there."
        raise KeyboardInterrupt(kept) from None
    page = _write_page(directory)  # first, for it takes away what an earlier one showed
    picture = report(refined, directory)
    for number in refined_numbers(refined, checked)[0]:
        typer.echo(f"{number.what}: {number.value}" + (f"; {number.note}" if number.note else ""))
    typer.echo(picture)
    if page is not None:
        typer.echo(page)


def _write_page(directory: Path) -> Path | None:
    """Write the page of the sweep beside a refined map again if it is to show the map, or shows one that is gone."""
    from rnndyn.report import report
    from rnndyn.sweep.refined import open_refined
    from rnndyn.sweep.store import PAGE, RESULT, open_result

    if not (directory / PAGE).exists() or not (directory / RESULT).is_dir():
        return None
    result = open_result(directory)
    told = open_refined(directory, result) is not None or _shows_what_is_gone(directory)
    return report(result, directory) if told else None


def _shows_what_is_gone(directory: Path) -> bool:
    """Whether the page in a folder shows pictures of a refined map that are not there any more."""
    from rnndyn.sweep.store import REFINED, read_card

    shown = (str(name) for name in read_card(directory).get("files", ()))
    return any(name.startswith(REFINED) and not (directory / name).exists() for name in shown)
