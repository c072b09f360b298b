"""`rnndyn new` and `rnndyn reference`: a study to begin with, and every key of one."""

from pathlib import Path
from typing import Annotated

import typer

from rnndyn.cli.app import Verbose, app, plainly
from rnndyn.errors import InputError

__all__ = ["new", "reference"]


@app.command()
@plainly
def new(
    name: Annotated[Path, typer.Argument(help="The study to write, NAME or NAME.toml.", show_default=False)],
    verbose: Verbose = False,
) -> None:
    """Write a commented study file to begin with."""
    from rnndyn.sweep import files
    from rnndyn.sweep.template import TEMPLATE

    path = name if name.suffix == ".toml" else name.with_name(name.name + ".toml")
    if path.exists():
        raise InputError(f"{path} is there already: choose another name")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}: make it first")
    files.write(path, TEMPLATE)
    typer.echo(path)


@app.command()
@plainly
def reference(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="the terminal")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Print every key of the study file, with its type, what it is without it, and an example."""
    from rnndyn.sweep import files
    from rnndyn.sweep.reference import reference as text

    if output is None:
        typer.echo(text(), nl=False)
        return
    files.write(output, text())
    typer.echo(output)
