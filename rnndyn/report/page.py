"""The page: words, numbers and figures of a result in one self-contained HTML file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnndyn.report.care import cautions
from rnndyn.report.figures import Drawn
from rnndyn.report.maps import share
from rnndyn.report.numbers import BORDER, CHAOTIC, SETTLES, Number, count, key_numbers, missing_points, status_rows
from rnndyn.report.section import Section, answer_lines, card, embedded, html, seconds, unfinished
from rnndyn.report.template import source, template
from rnndyn.report.words import plain

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.axis import Axis
    from rnndyn.sweep.study import Study

__all__ = ["TABLE_LIMIT", "Page"]

TABLE_LIMIT = 300_000  # bytes, compressed: a larger table is a file beside the page


class Page:
    """What the pages of a result say: its words and numbers, and the files they are rendered to.

    sections: what the pages of the study's sections told.
    """

    def __init__(
        self, dataset: "xr.Dataset", study: "Study", figures: list[Drawn], sections: Sequence[Section] = ()
    ) -> None:
        self.dataset, self.study, self.figures, self.sections = dataset, study, figures, sections
        self.manifest = json.loads(dataset.attrs["manifest"])
        self.title = study.title or self.manifest["name"]
        self.numbers = key_numbers(dataset, study)
        named = zip(study.number, self.numbers, strict=False)  # the numbers that the study names come first
        self.values = {name: number.value for entry, number in named for name in (entry.id, entry.label) if name}
        if study.answer:
            self.answer = answer_lines(study.answer, self.values, sections)
        else:
            self.answer = _answer(self.numbers, study)
        missing = missing_points(dataset)
        self.computed = f"{count(study.points - missing)} of {count(study.points)} grid points" if missing else ""
        self.partial = "; ".join(filter(None, [self.computed, *unfinished(sections)]))
        self.version = self.manifest["identity"]["rnndyn"]
        self.cautions = cautions(dataset, study)

    def warn(self, caution: str) -> None:
        """Add a sentence to what the reader should keep in mind."""
        self.cautions.append(caution)

    def tell(self, numbers: list[Number], sentence: str, caution: str) -> None:
        """Add numbers, a sentence of the answer and one of what to keep in mind."""
        self.numbers += numbers
        self.answer.append(sentence)
        self.warn(caution)

    def render(self, directory: Path, explorable: bool) -> str:
        """Return the main page as HTML; images are embedded, nothing is loaded from anywhere."""
        return html(
            directory,
            self.sections,
            title=self.title,
            question=self.study.question,
            claim=self.study.claim,
            answer=self.answer,
            partial=self.partial,
            figures=[_figure(figure, self.manifest["name"]) for figure in self.figures],
            map=explorable,
            numbers=self.numbers,
            cautions=self.cautions,
            statuses=[(*row, share(row[2], self.study.points)) for row in status_rows(self.dataset)],
            computed=_computed(self.dataset, self.study, self.manifest),
            seconds=seconds([self.manifest]),
            command=self.manifest["command"],
            python=_python(self.dataset, self.study, directory),
            study_text=self.manifest["study"],
            version=self.version,
        )

    def render_map(self, exploration: dict[str, Any]) -> str:
        """Return the map page as HTML."""
        held = ", ".join(f"{name} = {plain(value)}" for name, value in exploration["held"].items())
        how = " ".join(
            [
                "The map shows every grid point" + (f" at {held}" if held else "") + "; the values under the pointer",
                f"are of the nearest of {' × '.join(map(str, exploration['hover']))} grid points. The dots are",
                f"the {' × '.join(map(str, exploration['lattice']['shape']))} points to choose from: there the report",
                "computed the last states, the size of the gradient on its way back, and the Lyapunov spectrum again,",
                "with the starts, seeds and steps of the study.",
            ]
        )
        parts = {"title": self.title, "data": exploration, "script": source("map.js"), "version": self.version}
        return str(template("map.html.j2").render(how=how, **parts))

    def section(self, name: str, explorable: bool, small: bytes) -> Section:
        """Return what a page above this one tells of it; `name` is the folder, `small` the thumbnail.

        Of its numbers those that the study names or a theory meets, if there are any.
        """
        chosen = [number for number in self.numbers if number.kind == "named" or number.theory]
        return Section(
            name,
            self.title,
            self.study.question,
            self.answer,
            chosen or self.numbers,
            self.values,
            _figure(self.figures[0], self.manifest["name"]) if self.figures else None,
            small,
            len(self.figures) - 1,
            explorable,
            self.cautions,
            self.computed,
            self.study.points,
            self.manifest,
        )

    def card(self, directory: Path, explorable: bool) -> dict[str, Any]:
        """Return what a gallery says of this page."""
        own = self.section("", explorable, b"")
        return card(directory, self.study, self.answer, self.partial, [own, *self.sections])


def _figure(figure: Drawn, name: str) -> dict[str, Any]:
    """Return a figure as the template shows it."""
    inside = len(figure.table) <= TABLE_LIMIT
    return {
        "name": figure.name,
        "file": f"{name}_{figure.name}",
        "alt": figure.alt,
        "caption": figure.caption,
        "how": figure.how,
        "image": embedded("image/png", figure.png),
        "dark": embedded("image/png", figure.dark),
        "svg": figure.svg is not None,
        "table": embedded("application/gzip", figure.table) if inside else f"{figure.name}.csv.gz",
        "rows": count(figure.rows),
        "width": figure.width,
        "height": figure.height,
    }


def _answer(numbers: list[Number], study: "Study") -> list[str]:
    """Say what was found, in at most four sentences, first of what the study asks for."""
    sentences = [_sentence(number) for number in numbers if number.kind == "named"][:3]
    by_what = {number.what: number.value for number in numbers}
    kinds = [f"{n.what[0].lower()}{n.what[1:]} ({n.value})" for n in numbers if n.kind == "regime"]
    if kinds:
        most = f"{', '.join(kinds[:-1])} or {kinds[-1]}" if kinds[:-1] else kinds[0]
        sentences.append(f"Where they end up: {most}.")
    if SETTLES in by_what:
        part = "in none they part" if by_what[CHAOTIC] == "0 %" else f"in {by_what[CHAOTIC]} they part (λ₁ > 0)"
        rest = "" if by_what[BORDER] == "0 %" else f", and {by_what[BORDER]} are too close to call"
        sentences.append(
            f"In {by_what[SETTLES]} of {count(study.points)} networks nearby states meet (λ₁ < 0), {part}{rest}."
        )
    gone, burst = (next((n for n in numbers if n.kind == kind), None) for kind in ("vanished", "exploded"))
    if gone is not None and burst is not None:
        after = gone.what.removeprefix("Gradient vanished ")
        sentences.append(
            f"{after[0].upper()}{after[1:]} the gradient has vanished (below 10⁻⁶) in {gone.value} of the networks "
            f"and exploded (beyond 10⁶) in {burst.value}."
        )
    return [sentence.replace(" %", "\u00a0%") for sentence in sentences[:4]]


def _sentence(number: Number) -> str:
    """Return a number that the study names, beside its theory if there is one."""
    theory = f" (theory: {number.theory.split(' (')[0]})" if number.theory else ""
    return f"{number.what}: {number.value}{theory}."


def _computed(dataset: "xr.Dataset", study: "Study", manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines (what, how) that tell how the result was made."""
    cell, run, identity = json.loads(dataset.attrs["cell"]), study.run, manifest["identity"]
    told = {"step": study.cell.step} if study.cell.step else {}
    keywords = ", ".join(f"{key} = {value}" for key, value in (told | (study.cell.model_extra or {})).items())
    axes = [f"{name}: {_values(axis)}" for name, axis in study.axes.items()]
    weights = [f"{name} = {json.dumps(value)}" for name, value in study.weights.items()]
    steps = f"{run.steps}" + (f" after a transient of {run.transient}" if run.transient else "")
    options = study.measure.lyapunov
    if options is not None and options.tolerance is not None:
        most = options.limit or run.steps
        steps += f"; exponents until their standard errors are at most {options.tolerance:g}, {most} at most"
    machine = f"{identity['machine']['architecture']} with {' '.join(identity['machine']['cpu_features'])}"
    software = f"rnndyn {identity['rnndyn']}, numpy {identity['numpy']}, numba {identity['numba']}"
    return [
        ("Cell", ", ".join(filter(None, [study.cell.kind, cell["equation"]]))),
        ("Units, inputs", f"{cell['units']}, {cell['inputs']}" + (f"; {keywords}" if keywords else "")),
        ("Grid", f"{'; '.join(axes)} ({count(study.points)} points)"),
        ("Weights", "; ".join(weights) + "; all others zero"),
        ("Steps", steps),
        ("Seed", f"{run.seed}"),
        ("Precision, device", str(manifest.get("ran", f"{run.dtype}, {run.device}"))),
        ("Machine type", machine),
        ("Software", software),
        ("Fingerprint of the sources", str(identity["fingerprint"])[:16]),
        ("Time", seconds([manifest])),
    ]


def _values(axis: "Axis") -> str:
    """Return what an axis holds: how many numbers from where to where, or its texts."""
    if axis.is_text:
        return ", ".join(axis.values)
    return f"{len(axis.values)} from {axis.values[0]:g} to {axis.values[-1]:g}"


def _python(dataset: "xr.Dataset", study: "Study", directory: Path) -> str:
    """Return three lines that reopen the result and look up one point of it."""
    path = "result.zarr" if directory.is_absolute() else f"{directory.as_posix()}/result.zarr"
    most = max(dataset.data_vars, key=lambda name: dataset[name].ndim)
    first = next(name for name in ("exponents", "log_norms", "attractors", "regime", most) if name in dataset)
    axes = {name: axis.values for name, axis in study.axes.items() if name in dataset[first].dims}
    at = {name: (3 * len(values) // 4, values[3 * len(values) // 4].item()) for name, values in axes.items()}
    place = ", ".join(f"{name}={value:.3g}" for name, (_, value) in at.items() if not isinstance(value, str))
    texts = [f"isel({name}={number})" for name, (number, value) in at.items() if isinstance(value, str)]
    chosen = ".".join([*texts, *([f'sel({place}, method="nearest")'] if place else [])])
    return "\n".join(
        [
            "import xarray as xr",
            f'ds = xr.open_zarr("{path}")',
            f"print(ds.{first}.{chosen}.values)",
        ]
    )
