"""On what a sweep runs: one device for all of its chunks, as their bits must not depend on how it is cut."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rnndyn.errors import DeviceError
from rnndyn.sweep.store import MANIFEST

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["placed"]


def placed(study: "Study", multiply_adds: float, threads: int | None, directory: Path | None) -> tuple["Study", str]:
    """Return the study with `device = "auto"` decided, and in words on what it runs and why.

    "auto" is what a result in `directory` was begun with, if that is there; else a GPU where it ends sooner.
    Raises DeviceError if the study asks for a GPU, or was begun on one, and there is none.
    """
    from rnndyn import kernels

    device: str = study.run.device
    why = ""
    if device == "cuda":
        found, name = kernels.gpu()
        if not found:
            raise DeviceError(f"{study.file}: [run] device = 'cuda': {name.rstrip('.')}; use 'auto' or 'cpu'")
    if device == "auto":
        begun = _begun(directory)
        if begun == "cuda" and not kernels.gpu()[0]:
            raise DeviceError(
                f"{directory} was begun on a GPU, and there is none here ({kernels.gpu()[1].rstrip('.')}): go on where"
                " it was begun, or begin anew with --fresh"
            )
        if begun in ("cpu", "cuda"):
            device = begun
        else:
            device, why = kernels.choose_device(study.run.dtype, multiply_adds, threads)
    words = f"{study.run.dtype}, {kernels.gpu()[1] if device == 'cuda' else 'CPU'}" + (f" ({why})" if why else "")
    return study.model_copy(update={"run": study.run.model_copy(update={"device": device})}), words


def _begun(directory: Path | None) -> str:
    """Return the device of the result in a folder, "" if there is none."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8")) if directory else {}
        return str(manifest["identity"]["device"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
