"""`rnndyn cells` and `rnndyn info`: what there is."""

import sys

import typer

from rnndyn.cli.app import Verbose, app, plainly

__all__ = ["cells", "info"]


@app.command()
@plainly
def cells(verbose: Verbose = False) -> None:
    """List the cells a study can use."""
    import inspect

    from rich.console import Console
    from rich.table import Table

    from rnndyn.cells import CELLS

    table = Table("kind", "one step", "state", "options", "source", box=None, pad_edge=False, header_style="bold")
    for kind, make in CELLS.items():
        cell = make(1)
        taken = {name: p for name, p in inspect.signature(make).parameters.items() if name not in ("units", "inputs")}
        options = ", ".join(f"{name} = {p.default!r}" for name, p in taken.items())
        table.add_row(kind, cell.equation, ", ".join(cell.fields), options, cell.source)
    Console(soft_wrap=not sys.stdout.isatty(), highlight=False, markup=False).print(table)


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
