"""`rnndyn cells`, `rnndyn theory` and `rnndyn info`: what there is."""

import sys
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from rnndyn.cli.app import Verbose, app, plainly
from rnndyn.errors import InputError, suggestion

if TYPE_CHECKING:
    from rnndyn.dynamics.theory import Entry

__all__ = ["cells", "info", "theory"]


@app.command()
@plainly
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
@plainly
def theory(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Entries to show whole.", show_default="a list of all")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    verbose: Verbose = False,
) -> None:
    """List the theory: closed forms and mean-field results, where they hold, and who found them.

    With names it shows each of these whole: also its arguments, its label in a figure and the notes on it.
    """
    from rnndyn.dynamics.theory import CATALOGUE, KINDS, table

    for name in names or ():
        if name not in CATALOGUE:
            raise InputError(f"no theory {name!r}; {suggestion(name, CATALOGUE)}")
    if markdown:
        typer.echo(table(names))
        return
    if names:
        for name in names:
            _tell(CATALOGUE[name])
        return
    for kind, meaning in KINDS.items():
        typer.echo(f"Of kind {kind}: {meaning}.\n")
        for entry in (entry for entry in CATALOGUE.values() if entry.kind == kind):
            typer.secho(entry.signature, bold=True)
            typer.echo(f"    {entry.equation}\n    where: {entry.domain}\n    source: {entry.source}\n")


def _tell(entry: "Entry") -> None:
    """Print an entry of the catalogue whole."""
    from rnndyn.dynamics.theory import KINDS

    typer.secho(entry.signature, bold=True)
    kind = f"{entry.kind}, {KINDS[entry.kind]}" + ("; -y is one, too" if entry.mirrored else "")
    given = (name if value is None else f"{name} (if not given, {value:g})" for name, value in entry.arguments.items())
    facts = {"where": entry.domain, "source": entry.source, "arguments": ", ".join(given) or "none",
             "kind": kind, "label": entry.label}  # fmt: skip
    typer.echo("\n".join([f"    {entry.equation}", *(f"    {head}: {fact}" for head, fact in facts.items())]))
    typer.echo(f"\n{textwrap.indent(entry.notes, '    ')}\n")


@app.command()
@plainly
def info(verbose: Verbose = False) -> None:
    """Show versions, threads, SIMD width, and the GPU or why there is none."""
    from rnndyn import kernels
    from rnndyn.sweep.provenance import version

    facts = {"rnndyn": version(), "python": sys.version.split()[0], **kernels.describe()}
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {value}")
