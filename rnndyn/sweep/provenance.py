"""How a result was made: what must agree for a sweep to be resumed, and what a reader wants to know beside it."""

import functools
import platform
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["differences", "identity", "version"]


@functools.cache
def version() -> str:
    """Return the version of this package ("not installed" in a bare source tree)."""
    import importlib.metadata

    import rnndyn

    if known := getattr(rnndyn, "__version__", None):
        return str(known)
    try:
        return importlib.metadata.version("rnndyn")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def machine() -> dict[str, Any]:
    """Return the machine type that decides bits: architecture and the CPU features found (never a host name)."""
    import numpy as np

    config = np.show_config(mode="dicts") or {}
    simd = config.get("SIMD Extensions", {})
    return {
        "architecture": platform.machine(),
        "cpu_features": sorted({*simd.get("baseline", []), *simd.get("found", [])}),
    }


def identity(study: "Study", cells: Iterable[Any], device: str) -> dict[str, Any]:
    """Return all that the bits of a result depend on; two sweeps may share a store only if theirs are equal.

    device: what the sweep runs on; of a GPU its name counts, as its compiler fuses what another one's may not.
    """
    import numpy as np

    from rnndyn import kernels

    return {
        "study": study.numbers(),
        "files": study.files(),
        "rnndyn": version(),
        "fingerprint": kernels.fingerprint(*cells),
        "numpy": np.__version__,
        "numba": kernels.numba_version(),
        "dtype": study.run.dtype,
        "device": device,
        "machine": machine() | (_gpu() if device == "cuda" else {}),
    }


def _gpu() -> dict[str, str]:
    """Return the GPU and its compiler."""
    import importlib.metadata

    from rnndyn import kernels

    return {"gpu": kernels.gpu()[1], "numba_cuda": importlib.metadata.version("numba-cuda")}


def differences(there: Any, here: Any, place: str = "") -> list[str]:
    """Return, in words, where two identities differ: `study.run.steps is 100 there and 200 here`."""
    if isinstance(there, dict) and isinstance(here, dict):
        found = []
        for key in [*there, *(key for key in here if key not in there)]:
            found += differences(there.get(key), here.get(key), f"{place}.{key}" if place else key)
        return found
    return [] if there == here else [f"{place} is {_short(there)} there and {_short(here)} here"]


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
