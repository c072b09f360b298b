"""The page: words, numbers and figures of a result in one self-contained HTML file."""

import base64
import gzip
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnndyn.report.care import cautions
from rnndyn.report.figures import THUMBNAIL, Drawn
from rnndyn.report.maps import share
from rnndyn.report.numbers import BORDER, CHAOTIC, SETTLES, Number, count, key_numbers, missing_points, status_rows
from rnndyn.report.template import source, template
from rnndyn.report.words import plain
from rnndyn.sweep.number import fill

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.study import Study

__all__ = ["TABLE_LIMIT", "Page"]

TABLE_LIMIT = 300_000  # bytes, compressed: a larger table is a file beside the page


class Page:
    """What the pages of a result say: its words and numbers, and the files they are rendered to."""

    def __init__(self, dataset: "xr.Dataset", study: "Study", figures: list[Drawn]) -> None:
        self.dataset, self.study, self.figures = dataset, study, figures
        self.manifest = json.loads(dataset.attrs["manifest"])
        self.title = study.title or self.manifest["name"]
        self.numbers = key_numbers(dataset, study)
        self.answer = _answer(self.numbers, study)
        missing = missing_points(dataset)
        self.partial = f"{count(study.points - missing)} of {count(study.points)} grid points" if missing else ""
        self.seconds = _seconds(self.manifest)
        self.version = self.manifest["identity"]["rnndyn"]
        self.cautions = cautions(dataset, study)

    def warn(self, caution: str) -> None:
        """Add a sentence to what the reader should keep in mind."""
        self.cautions.append(caution)

    def render(self, directory: Path, explorable: bool) -> str:
        """Return the main page as HTML; images are embedded, nothing is loaded from anywhere."""
        return str(
            template("page.html.j2").render(
                title=self.title,
                question=self.study.question,
                claim=self.study.claim,
                answer=self.answer,
                partial=self.partial,
                figures=[_figure(figure, self.manifest["name"]) for figure in self.figures],
                map=explorable,
                numbers=self.numbers,
                theory=any(number.theory for number in self.numbers),
                cautions=self.cautions,
                statuses=[(*row, share(row[2], self.study.points)) for row in status_rows(self.dataset)],
                count=count,
                computed=_computed(self.dataset, self.study, self.manifest),
                seconds=self.seconds,
                command=self.manifest["command"],
                python=_python(self.dataset, self.study, directory),
                study_text=self.manifest["study"],
                version=self.version,
                manifest=(directory / "manifest.json").exists(),
                script=source("page.js"),
            )
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

    def card(self) -> dict[str, Any]:
        """Return what a gallery says of this page."""
        return {
            "title": self.title,
            "question": self.study.question,
            "answer": " ".join(self.answer[:2]),
            "partial": self.partial,
            "points": count(self.study.points),
            "seconds": self.seconds,
            "alt": self.figures[0].alt if self.figures else "",
            "thumbnail": f"{THUMBNAIL}.png",
        }


def _figure(figure: Drawn, name: str) -> dict[str, Any]:
    """Return a figure as the template shows it."""
    inside = len(figure.csv) <= TABLE_LIMIT
    return {
        "name": figure.name,
        "file": f"{name}_{figure.name}",
        "alt": figure.alt,
        "caption": figure.caption,
        "how": figure.how,
        "image": _data("image/png", figure.png),
        "dark": _data("image/png", figure.dark),
        "svg": figure.svg is not None,
        "table": _data("application/gzip", figure.csv) if inside else f"{figure.name}.csv.gz",
        "rows": count(gzip.decompress(figure.csv).count(b"\n") - 1),
        "width": figure.width,
        "height": figure.height,
    }


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _answer(numbers: list[Number], study: "Study") -> list[str]:
    """Say what was found: the study's own answer, or at most four sentences, first of what the study asks for."""
    if study.answer:
        named = zip(study.number, numbers, strict=False)  # the numbers that the study names come first
        values = {name: number.value for entry, number in named for name in (entry.id, entry.label) if name}
        lines = fill(study.answer, values).splitlines()
        return [line.strip().replace(" %", "\u00a0%") for line in lines if line.strip()]
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
    keywords = ", ".join(f"{key} = {value}" for key, value in (study.cell.model_extra or {}).items())
    axes = [
        f"{name}: {len(axis.values)} from {axis.values[0]:g} to {axis.values[-1]:g}"
        for name, axis in study.axes.items()
    ]
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
        ("Precision, device", f"{run.dtype}, {identity.get('path', run.device)}"),
        ("Machine type", machine),
        ("Software", software),
        ("Fingerprint of the sources", str(identity["fingerprint"])[:16]),
        ("Time", _seconds(manifest)),
    ]


def _seconds(manifest: dict[str, Any]) -> str:
    sweep, compiling = manifest["seconds"]["sweep"], manifest["seconds"]["compile"]
    threads = ", ".join(map(str, manifest["threads"]))
    words = f"{_duration(sweep)} on {threads} thread" + ("" if threads == "1" else "s")
    return words + (f", of which {_duration(compiling)} of compiling" if compiling >= 0.5 else "")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{math.floor(seconds / 60)} min {seconds % 60:.0f} s"


def _python(dataset: "xr.Dataset", study: "Study", directory: Path) -> str:
    """Return three lines that reopen the result and look up one point of it."""
    path = "result.zarr" if directory.is_absolute() else f"{directory.as_posix()}/result.zarr"
    place = ", ".join(f"{name}={axis.values[len(axis.values) * 3 // 4]:.3g}" for name, axis in study.axes.items())
    first = next(name for name in ("exponents", "log_norms", "attractors") if name in dataset)
    return "\n".join(
        [
            "import xarray as xr",
            f'ds = xr.open_zarr("{path}")',
            f'print(ds.{first}.sel({place}, method="nearest").values)',
        ]
    )
