"""`rnndyn verify`: what is known of recurrent networks, measured on the user's own machine."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnndyn.cli.app import FAILURE, Threads, Verbose, app, plainly
from rnndyn.errors import InputError, did_you_mean, suggestion

if TYPE_CHECKING:
    from rnndyn.dynamics.truths import Row, Truth

__all__ = ["verify"]

FOLDER = Path("reports/verify")
STYLES = {"right": "green", "wrong": "bold red", "skipped": "yellow"}


@app.command()
@plainly
def verify(
    tiers: Annotated[
        list[str] | None,
        typer.Option("--tier", help="exact, statistical or parity; may be repeated.", show_default="all"),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="One truth by name; may be repeated.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the truths, without measuring them.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for verify.md and verify.json.")] = FOLDER,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, or python (uncompiled, slow).")] = "auto",
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Measure what is known of recurrent networks on this machine: truth, value, error, tolerance, verdict.

    Leaves with 1 if one of them is wrong. The first run compiles its kernels, which takes most of two minutes.
    """
    from rnndyn.dynamics.truths import CATALOGUE

    chosen = choose(CATALOGUE, tiers or [], only or [])
    if listing:
        _list(chosen)
        return
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file: a folder is needed")
    rows = measure(chosen, {"device": device, "threads": threads, "progress": False})
    _print(rows)
    for path in save(rows, output):
        typer.echo(path)
    typer.echo(summary(rows))
    if any(row.verdict == "wrong" for row in rows):
        raise typer.Exit(FAILURE)


def choose(catalogue: "Sequence[Truth]", tiers: Sequence[str], only: Sequence[str]) -> "list[Truth]":
    """Return the truths of the tiers and of the names; all without either."""
    from rnndyn.dynamics.truths import TIERS

    for tier in tiers:
        if tier not in TIERS:
            raise InputError(f"--tier {tier}: no such tier; {suggestion(tier, TIERS)}")
    names = [truth.name for truth in catalogue]
    for name in only:
        if name not in names:
            raise InputError(f"--only {name}: no such truth (rnndyn verify --list).{did_you_mean(name, names)}")
    chosen = [t for t in catalogue if (not tiers or t.tier in tiers) and (not only or t.name in only)]
    if not chosen:
        raise InputError("none of the truths named is of that tier")
    return chosen


def measure(chosen: "Sequence[Truth]", run: dict[str, Any]) -> "list[Row]":
    """Judge the truths under one progress bar."""
    from rnndyn.cells import Linear
    from rnndyn.dynamics.call import check
    from rnndyn.dynamics.progress import progress_display
    from rnndyn.dynamics.truths import judge

    device, _, threads = check(Linear(1), run["device"], "float64", run["threads"])
    rows: list[Row] = []
    try:
        with progress_display(None, len(chosen)) as display:
            for truth in chosen:
                display.say(f"{truth.tier}: {truth.name}")
                rows.append(judge(truth, {**run, "device": device, "threads": threads}))
                display.at(len(rows))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{len(rows)} of {len(chosen)} truths were measured; nothing was written.") from None
    return rows


def summary(rows: "Sequence[Row]") -> str:
    """Return "60 truths: 58 right, 2 skipped, in 80 s"."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in STYLES}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) or "none measured"
    return f"{len(rows)} truths: {told}, in {sum(row.seconds for row in rows):.0f} s"


def _list(chosen: "Sequence[Truth]") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("name", "tier", "what is known", "source"):
        table.add_column(head, no_wrap=head in ("name", "tier"))
    for truth in chosen:
        table.add_row(truth.name, truth.tier, truth.says, truth.source)
    _console().print(table)


def _print(rows: "Sequence[Row]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for head in HEAD:
        table.add_column(head, justify="right" if head in HEAD[2:6] else "left", no_wrap=head in HEAD[3:])
    for row in rows:
        *cells, verdict = cells_of(row)
        table.add_row(*cells, Text(verdict, style=STYLES[row.verdict]))
    _console().print(table)


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)


HEAD = ("truth", "source", "value", "known", "error", "tolerance", "verdict")


def cells_of(row: "Row") -> tuple[str, ...]:
    """Return the cells of a line of the table."""
    says = f"{row.says} ({row.note})" if row.note else row.says
    numbers = (number(row.value, 9), number(row.truth, 9), number(row.error, 2), number(row.tolerance, 2))
    return (says, row.source, *numbers, row.verdict)


def number(value: float | None, digits: int) -> str:
    """Return a number with so many digits, or a dash."""
    return "–" if value is None else f"{value:.{digits}g}"


def save(rows: "Sequence[Row]", folder: Path) -> list[Path]:
    """Write verify.md and verify.json into a folder, each whole or not at all; returns their paths."""
    from rnndyn.sweep import files

    facts = _facts()
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "verify.md", folder / "verify.json"]
    files.write(paths[0], markdown(rows, facts))
    files.write(paths[1], json.dumps({"facts": facts, "truths": [_plain(row) for row in rows]}, indent=1) + "\n")
    return paths


def markdown(rows: "Sequence[Row]", facts: dict[str, str]) -> str:
    """Return the tables as Markdown, one for each tier."""
    from rnndyn.dynamics.truths import TIERS

    parts = ["# What is known, and what this machine measures", summary(rows).capitalize() + "."]
    parts.append(
        "Of each truth the number that is worst, beside its tolerance, is shown. Tolerances come from rounding or from "
        "the standard error of the result itself."
    )
    for tier, words in TIERS.items():
        mine = [row for row in rows if row.tier == tier]
        if not mine:
            continue
        lines = [f"| {' | '.join(HEAD)} |", "| --- | --- | ---: | ---: | ---: | ---: | --- |"]
        lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells_of(row))} |" for row in mine]
        parts += [f"## {tier.capitalize()}: {words}", "\n".join(lines)]
    parts += ["## Where", "\n".join(f"- {name}: {value}" for name, value in facts.items())]
    return "\n\n".join(parts) + "\n"


def _facts() -> dict[str, str]:
    from rnndyn import kernels
    from rnndyn.sweep.provenance import version

    told = {"rnndyn": version(), "python": sys.version.split()[0], **kernels.describe()}
    return {name: value for name, value in told.items() if name != "compile cache"}


def _plain(row: "Row") -> dict[str, Any]:
    """Return a row for JSON, which knows no infinity."""
    return {
        name: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(row).items()
    }
