"""`rnndyn run`, `rnndyn sweep` and `rnndyn report`: from a study to a result to a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnndyn.cli.app import Set, Threads, Verbose, app, note_code, plainly, read
from rnndyn.errors import InputError

if TYPE_CHECKING:
    from rnndyn.sweep import Overview, Study

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
    if not fresh and _is_complete(checked, directory):
        raise InputError(f"{directory} already holds a report: use --fresh to replace it, or -o DIR for another folder")
    typer.echo(_run([(checked, directory)], threads, fresh)[0])


def _is_complete(study: "Study | Overview", directory: Path) -> bool:
    """Tell whether a folder holds the page of a whole result, made of the results that its sections have now."""
    from rnndyn.sweep.store import digests, read_card, read_manifest

    card = read_card(directory)
    if not card or card.get("partial") or read_manifest(directory) is None:
        return False
    return bool(card.get("sections", {}) == digests(directory, study.section_names))


def _run_all(folder: Path, output: Path, changes: list[str] | None, fresh: bool, threads: int | None) -> None:
    """Run every study of a folder under one display, with a gallery; finished ones are opened, not computed again."""
    from rnndyn.report import gallery
    from rnndyn.sweep.sections import pages_in

    studies, mistakes = [], []
    for path in pages_in(folder):
        try:
            studies.append(read(path, changes))
        except InputError as mistake:
            mistakes.append(str(mistake))
    if mistakes:
        raise InputError("\n".join([*mistakes, f"nothing was run: mend the above first ({folder})"]))
    pages = _run([(study, output / study.name) for study in studies], threads, fresh)
    typer.echo("\n".join(map(str, pages)))
    typer.echo(gallery(output))


def _run(
    pages: "list[tuple[Study | Overview, Path]]", threads: int | None, fresh: bool, write: bool = True
) -> list[Path]:
    """Sweep what belongs to each page, under one display, and write it; returns the paths of the pages."""
    from rnndyn.dynamics.progress import progress_display
    from rnndyn.report import prepare, report
    from rnndyn.sweep import Overview, refine
    from rnndyn.sweep.overview import lay_out
    from rnndyn.sweep.run import cost, renew, run_study
    from rnndyn.sweep.sections import sweeps
    from rnndyn.sweep.store import FRESH

    work = [(page, directory, sweeps(page, directory)) for page, directory in pages]
    costs = [cost(study) for *_, parts in work for study, _ in parts]
    several, number = len(costs) > 1, 0
    written = []
    with progress_display(None if several else False, sum(costs)) as display:
        for page, directory, parts in work:
            if fresh:
                renew(page, directory)
            if isinstance(page, Overview):
                lay_out(page, directory)
            result: Any = page
            try:
                for study, folder in parts:
                    number += 1
                    name = f"{number} of {len(costs)}, {study.name}"
                    part = display.part(costs[number - 1], name) if several else None  # one sweep has its own display
                    dataset = run_study(study, folder, threads, part, False, prepare if write else None)
                    if part is not None:
                        part.at(part.total)
                    if write and study.refine is not None:
                        aside = None if part is None else part.part(0.0, "refined map")
                        refine(study, directory=folder, threads=threads, progress=aside, fresh=fresh)
                    result = dataset if study is page else result
                if write:
                    display.say(f"{page.name}: writing the page", pause=True)
                    written.append(report(result, directory))
            except KeyboardInterrupt:
                raise KeyboardInterrupt(_how_to_resume([folder for _, folder in parts])) from None
            except InputError as mistake:
                if study is page or FRESH not in str(mistake):
                    raise
                alone = f"{study.command(folder)} --fresh"
                raise InputError(f"{mistake}; to replace that of this section alone: {alone}") from None
    return written


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
    from rnndyn.sweep.sections import sweeps
    from rnndyn.sweep.store import RESULT

    checked = read(study, changes)
    directory = output or Path("reports") / checked.name
    _run([(checked, directory)], threads, fresh, write=False)
    for _, folder in sweeps(checked, directory):
        typer.echo(folder / RESULT)


@app.command()
@plainly
def report(
    result: Annotated[Path, typer.Argument(help="The folder of a result, or its result.zarr.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the report.", show_default="that of the result")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Write the page of a result that is there, or of the part of it that is, with those of its sections."""
    from rnndyn.report import report as write
    from rnndyn.sweep import Overview
    from rnndyn.sweep.overview import overview_in
    from rnndyn.sweep.store import folder_of, open_result, results_below, study_of

    source = folder_of(result)
    shown = overview_in(source) or open_result(result)
    study = shown if isinstance(shown, Overview) else study_of(shown)
    below = [study_of(dataset) for _, dataset in results_below(source, study.section_names) if dataset is not None]
    for one in (study, *below):
        note_code(one)
    typer.echo(write(shown, output or source, source=source))


def _how_to_resume(folders: list[Path]) -> str:
    """Say what is kept of interrupted sweeps, one after another, in their folders."""
    from rnndyn.sweep.store import read_manifest

    kept, whole = [], 0
    for folder in folders:
        manifest = read_manifest(folder) if folder.is_dir() else None
        if manifest is None or "chunks" not in manifest:
            continue
        done, total = len(manifest["chunks"]["done"]), manifest["chunks"]["total"]
        whole += done == total
        if done < total or len(folders) == 1:
            kept.append(f"{done} of {total} chunks are kept in {folder}")
    if len(folders) > 1 and whole:
        kept.insert(0, f"{whole} of {len(folders)} sweeps are whole")
    if not kept:
        return "Nothing was computed yet."
    return f"{'; '.join(kept)}; the same command (without --fresh) goes on from there."
