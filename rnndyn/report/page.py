"""The page: words, numbers and figures of a result in one self-contained HTML file."""

import base64
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnndyn.report.figures import Drawn
from rnndyn.report.maps import share
from rnndyn.report.numbers import CHAOTIC, SETTLES, Number, count, key_numbers, missing_points, status_rows

if TYPE_CHECKING:
    import xarray as xr

    from rnndyn.sweep.study import Study

__all__ = ["render"]


def render(dataset: "xr.Dataset", study: "Study", figures: list[Drawn], directory: Path) -> str:
    """Return the page as HTML; images are embedded, nothing is loaded from anywhere."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rnndyn.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    manifest = json.loads(dataset.attrs["manifest"])
    numbers = key_numbers(dataset, study)
    missing = missing_points(dataset)
    return environment.get_template("page.html.j2").render(
        title=study.title or manifest["name"],
        question=study.question,
        claim=study.claim,
        answer=_answer(numbers, study),
        partial=f"{count(study.points - missing)} of {count(study.points)} grid points" if missing else "",
        figures=[(figure, base64.b64encode(figure.png).decode("ascii")) for figure in figures],
        numbers=numbers,
        statuses=[(*row, share(row[2], study.points)) for row in status_rows(dataset)],
        count=count,
        computed=_computed(dataset, study, manifest),
        seconds=_seconds(manifest),
        command=f"rnndyn run {manifest['file']}",
        python=_python(dataset, study, directory),
        study_text=manifest["study"],
        version=manifest["identity"]["rnndyn"],
    )


def _answer(numbers: list[Number], study: "Study") -> str:
    """Say in one or two sentences what was found."""
    sentences = []
    values = {number.what: number.value for number in numbers}
    if SETTLES in values:
        chaos = "none is chaotic" if values[CHAOTIC] == "0 %" else f"{values[CHAOTIC]} do not (λ₁ > 0)"
        sentences.append(f"Of {count(study.points)} networks {values[SETTLES]} settle (λ₁ < 0) and {chaos}.")
    kinds = [
        f"{number.what[0].lower()}{number.what[1:]} ({number.value})" for number in numbers if number.kind == "regime"
    ]
    if kinds:
        sentences.append(f"They end up in {', '.join(kinds[:-1])}{' or ' if kinds[:-1] else ''}{kinds[-1]}.")
    return " ".join(sentences)


def _computed(dataset: "xr.Dataset", study: "Study", manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines (what, how) that tell how the result was made."""
    cell, run, identity = json.loads(dataset.attrs["cell"]), study.run, manifest["identity"]
    options = ", ".join(f"{key} = {value}" for key, value in (study.cell.model_extra or {}).items())
    axes = [
        f"{name}: {len(axis.values)} from {axis.values[0]:g} to {axis.values[-1]:g}"
        for name, axis in study.axes.items()
    ]
    weights = [f"{name} = {json.dumps(value)}" for name, value in study.weights.items()]
    steps = f"{run.steps}" + (f" after a transient of {run.transient}" if run.transient else "")
    machine = f"{identity['machine']['architecture']} with {' '.join(identity['machine']['cpu_features'])}"
    software = f"rnndyn {identity['rnndyn']}, numpy {identity['numpy']}, numba {identity['numba']}"
    return [
        ("Cell", ", ".join(filter(None, [study.cell.kind, cell["equation"]]))),
        ("Units, inputs", f"{cell['units']}, {cell['inputs']}" + (f"; {options}" if options else "")),
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
