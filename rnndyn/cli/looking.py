"""`rnndyn check` and `rnndyn show`: a study before it runs, and one point of its grid closely."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnndyn.cli.app import Set, Threads, Verbose, app, note_code, plainly, read, read_one
from rnndyn.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep import Overview, Study

__all__ = ["check", "show"]

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60  # signs of a sparkline
LINES = 8  # components and exponents shown, at most


@app.command()
@plainly
def check(
    study: Annotated[Path, typer.Argument(help="The study file, *.toml, or a folder of them.", show_default=False)],
    changes: Set = None,
    timing: Annotated[
        bool, typer.Option("--time/--no-time", help="Time a few points to tell how long the sweep will take.")
    ] = True,
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Tell whether a study is valid, and what it takes: points, steps, memory, disk, time."""
    from rnndyn.sweep.sections import pages_in

    paths = pages_in(study) if study.is_dir() else [study]
    wrong = 0
    for path in paths:
        try:
            _check(path, read(path, changes), threads, timing)
        except InputError as mistake:
            if len(paths) == 1:
                raise
            print(f"rnndyn: {mistake}", file=sys.stderr)
            wrong += 1
    if wrong:
        raise InputError(f"{wrong} of {len(paths)} studies in {study} are not valid")


def _check(path: Path, page: "Study | Overview", threads: int | None, timing: bool) -> None:
    """Say what a study takes, each of its sections, and all of them together."""
    from rnndyn.sweep.estimate import estimate, together
    from rnndyn.sweep.sections import sweeps

    places = [path, *(page.folder / file for file in page.sections)]
    every = [estimate(part, threads, timing) for part, _ in sweeps(page, path)]
    told = dict(zip(reversed(places), reversed(every), strict=False))  # a page of sections alone takes nothing itself
    for place in places:
        _tell(f"{place} is valid", told[place].lines() if place in told else ())
    if page.sections:
        _tell(f"{path} with its {len(page.sections)} section" + "s" * (len(page.sections) > 1), together(every).lines())


def _tell(head: str, lines: Iterable[tuple[str, str]]) -> None:
    typer.echo(head)
    for name, words in lines:
        typer.echo(f"  {name:<8} {words}")


@app.command()
@plainly
def show(
    result: Annotated[
        Path, typer.Argument(help="The folder of a result, its result.zarr, or a study file.", show_default=False)
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="AXIS=VALUE,...",
            help="The point; axes left out are at their middle. May be repeated.",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", help="Draw it into this file (.png, .svg, .pdf).", show_default=False),
    ] = None,
    threads: Threads = None,
    verbose: Verbose = False,
) -> None:
    """Look at one point of the grid: its orbit, spectrum and gradient profile, computed as in the sweep."""
    from rnndyn.sweep.points import place_of, points
    from rnndyn.sweep.store import open_result, study_of

    if result.suffix == ".toml":
        study, dataset = read_one(result, None), None
    else:
        dataset = open_result(result)
        study = study_of(dataset)
        note_code(study)
    wanted = _place(study, ",".join(at or ()))
    place_of(study, wanted, f"{result}: --at")
    found = points(study, wanted, threads=threads)
    _print(study, found, dataset, wanted)
    if figure is not None:
        from rnndyn.report.point import draw_point

        draw_point(found, study, figure)
        typer.echo(figure)


def _place(study: "Study", text: str) -> dict[str, float | str]:
    """Return {axis: value} of "w=2,b=0.5,method=rk4"; raises InputError for an axis with two values."""
    place: dict[str, float | str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (word.strip() for word in part.partition("="))
        try:
            found = value if value and name in study.axes and study.axes[name].is_text else float(value)
        except ValueError:
            raise InputError(f"--at {part}: expected AXIS=NUMBER, as in --at w=2,b=0.5") from None
        if place.setdefault(name, found) != found:
            raise InputError(f"--at {name}: given as {place[name]} and as {found}: one point is shown, give one value")
    return place


def _moved(study: "Study", found: "xr.Dataset", wanted: "Mapping[str, float | str]") -> Iterator[str]:
    """Say where the point shown is not the point asked for."""
    for name in study.axes:
        value = _short(found[name].item())
        if name not in wanted:
            yield f"{name} not given: its middle, {value}"
        elif (asked := _short(wanted[name])) != value:
            yield f"{name} = {asked} is not on the grid: nearest grid point {name} = {value}"


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _print(
    study: "Study", found: "xr.Dataset", dataset: "xr.Dataset | None", wanted: "Mapping[str, float | str]"
) -> None:
    from rich.console import Console
    from rich.table import Table

    from rnndyn.sweep.part import in_words

    table = Table(box=None, pad_edge=False, show_header=False)
    for style in ("bold", None):
        table.add_column(no_wrap=True, style=style)
    add = table.add_row
    point = ", ".join(f"{name} = {in_words(found[name].item())}" for name in study.axes)
    add("at", f"{point} (point {found['index'].item()})")
    for words in _moved(study, found, wanted):
        add("", words)
    statuses = (("exponents", "status"), ("gradient", "gradient_status"), ("orbit", "trajectory_status"))
    add("status", ", ".join(f"{of} {_status(found[name])}" for of, name in statuses))
    exponents, errors = found["exponents"].values, found["exponents_stderr"].values
    for number, (value, error) in enumerate(zip(exponents[:LINES], errors[:LINES], strict=True), 1):
        add(f"exponent {number}", f"{value:+.6f} ± {error:.1g} nat/step")
    _more(add, len(exponents))
    orbit = found["orbit"].values
    for number, name in list(enumerate(found["component_name"].values))[:LINES]:
        values = orbit[:, number]
        add(str(name), f"{sparkline(values[-WIDTH:])}  {values.min():.4g} to {values.max():.4g}")
    _more(add, orbit.shape[1])
    lags, norms = found["lag"].values, found["log_norms"].values
    add("ln |grad|", f"{sparkline(norms)}  {norms[0]:.4g} at the loss, {norms[-1]:.4g} after {lags[-1]} steps")
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(table)
    if dataset is not None and "exponents" in dataset:
        place = dict.fromkeys(study.axes)
        stored = dataset["exponents"].sel({name: found[name].item() for name in place}).values
        if not (stored == exponents).all() and not (stored != stored).all():
            typer.echo(
                f"the result holds {stored[0]:+.6f}: it was computed on another machine type or version", err=True
            )


def _more(add: Any, count: int) -> None:
    if count > LINES:
        add("...", f"and {count - LINES} more")


def _status(status: Any) -> str:
    names = dict(zip(status.attrs["flag_values"], status.attrs["flag_meanings"].split(), strict=True))
    return str(names[int(status.item())])


def sparkline(values: Any) -> str:
    """Return numbers as a line of bars, from the lowest to the highest of them; not finite ones as blanks."""
    import numpy as np

    values = np.asarray(values, dtype=float)
    if len(values) > WIDTH:
        values = values[np.linspace(0, len(values) - 1, WIDTH).round().astype(int)]
    finite = values[np.isfinite(values)]
    if not len(finite):
        return " " * len(values)
    low, span = finite.min(), np.ptp(finite)
    height = np.full(len(values), 3.0) if span <= 1e-12 * np.abs(finite).max() else 7.0 * (values - low) / span
    return "".join(BARS[round(h)] if np.isfinite(h) else " " for h in np.where(np.isfinite(values), height, np.nan))
