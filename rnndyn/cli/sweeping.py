"""`rnndyn run`, `rnndyn sweep` and `rnndyn report`: from a study to a result to a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnndyn.cli.app import Set, Threads, Verbose, app, note_code, plainly, read, studies_in
from rnndyn.errors import InputError

if TYPE_CHECKING:
    from rnndyn.dynamics.progress import Progress
    from rnndyn.sweep import Study

__all__ = ["report", "run", "sweep"]

Fresh = Annotated[bool, typer.Option("--fresh", help="Replace what is already there.")]


@app.command()
@plainly
def run(
    study: Annotated[Path, typer.Argument(help="The study file, *.toml, or a folder of them.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the report; above the reports, of a folder of studies.",
            show_default="reports/NAME-OF-THE-STUDY",
        ),
    ] = None,
    changes: Set = None,
    fresh: Fresh = False,
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Sweep a study's grid and write its report; an interrupted sweep is taken up where it stopped."""
    if study.is_dir():
        _run_all(study, output or Path("reports"), changes, fresh, threads)
        return
    checked = read(study, changes)
    directory = output or Path("reports") / checked.name
    if not fresh and _is_complete(directory):
        raise InputError(f"{directory} already holds a report: use --fresh to replace it, or -o DIR for another folder")
    typer.echo(_run(checked, directory, threads, fresh, None))


def _is_complete(directory: Path) -> bool:
    """Tell whether a folder holds the page of a whole result; that of a partial one is written anew."""
    from rnndyn.sweep.store import PAGE, read_manifest

    if not (directory / PAGE).exists():
        return False
    manifest = read_manifest(directory)
    return manifest is not None and bool(manifest["finished"])


def _run_all(folder: Path, output: Path, changes: list[str] | None, fresh: bool, threads: int | None) -> None:
    """Run every study of a folder under one display, with a gallery; finished ones are opened, not computed again."""
    from rnndyn.dynamics.progress import progress_display
    from rnndyn.report import gallery
    from rnndyn.sweep.run import cost

    studies, mistakes = [], []
    for path in studies_in(folder):
        try:
            studies.append(read(path, changes))
        except InputError as mistake:
            mistakes.append(str(mistake))
    if mistakes:
        raise InputError("\n".join([*mistakes, f"nothing was run: mend the above first ({folder})"]))
    costs = [cost(study) for study in studies]
    pages = []
    with progress_display(None, sum(costs)) as display:
        for number, (study, size) in enumerate(zip(studies, costs, strict=True), 1):
            part = display.part(size, f"{number} of {len(studies)}, {study.name}")
            pages.append(_run(study, output / study.name, threads, fresh, part))
            part.at(part.total)
    typer.echo("\n".join(map(str, pages)))
    typer.echo(gallery(output))


def _run(study: "Study", directory: Path, threads: int | None, fresh: bool, progress: "Progress | None") -> Path:
    from rnndyn.report import prepare
    from rnndyn.sweep.run import run_study

    try:
        dataset = run_study(study, directory, threads, progress, fresh, meanwhile=prepare)
        if progress is not None:
            progress.say("writing the page", pause=True)
        from rnndyn.report import report

        return report(dataset, directory)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_resume(directory)) from None


@app.command()
@plainly
def sweep(
    study: Annotated[Path, typer.Argument(help="The study file, *.toml.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the result.", show_default="reports/NAME-OF-THE-STUDY"),
    ] = None,
    changes: Set = None,
    fresh: Fresh = False,
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Sweep a study's grid without a report; `rnndyn report` makes the page later."""
    from rnndyn.sweep.run import run_study
    from rnndyn.sweep.store import RESULT

    checked = read(study, changes)
    directory = output or Path("reports") / checked.name
    try:
        run_study(checked, directory, threads, None, fresh)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_resume(directory)) from None
    typer.echo(directory / RESULT)


@app.command()
@plainly
def report(
    result: Annotated[Path, typer.Argument(help="The folder of a result, or its result.zarr.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the report.", show_default="that of the result")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Write the page of a result that is there, or of the part of it that is."""
    from rnndyn.report import report as write
    from rnndyn.sweep.store import folder_of, open_result, study_of

    dataset = open_result(result)
    note_code(study_of(dataset))
    typer.echo(write(dataset, output or folder_of(result)))


def _how_to_resume(directory: Path) -> str:
    """Say what is kept of an interrupted sweep."""
    from rnndyn.sweep.store import read_manifest

    manifest = read_manifest(directory) if directory.is_dir() else None
    if manifest is None:
        return "Nothing was computed yet."
    chunks = manifest["chunks"]
    kept = f"{len(chunks['done'])} of {chunks['total']} chunks are kept in {directory}"
    return f"{kept}; the same command (without --fresh) goes on from there."
