"""NVVM and ptxas: whether they are there, of which version, and what ptxas tells of a kernel."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from jobs import MAIN


@dataclass(frozen=True)
class Used:
    """What one thread takes: registers, and bytes of memory; a core's seconds to compile to PTX and to assemble it."""

    registers: int
    shared: int
    stack: int
    stores: int
    loads: int
    compiling: float = 0.0
    assembling: float = 0.0


def assembler() -> str | None:
    """The path of ptxas: that of PyPI's `nvidia-cuda-nvcc`, else one in PATH, else None."""
    spec = find_spec("nvidia")
    for folder in spec.submodule_search_locations or [] if spec else []:
        found = sorted(p for p in Path(folder).glob("*/bin/ptxas*") if p.suffix in ("", ".exe"))
        if found:
            return str(found[-1])
    return which("ptxas")


def nothing():
    """A kernel that does nothing."""


def missing() -> str | None:
    """Why nothing can be compiled here, in one sentence, or None."""
    from rnndyn.kernels import cuda

    advice = "pip install 'rnndyn[cuda,ptxas]'."
    if cuda.cuda is None:
        return f"numba-cuda is not complete ({cuda.MISSING}); {advice}"
    try:
        nvvm_version()
    except Exception as error:
        return f"NVVM, the compiler to PTX, cannot be loaded ({error}); {advice}"
    if assembler() is None:
        return f"ptxas is not installed; {advice}"
    try:
        assemble(cuda.cuda.compile_ptx(nothing, (), cc=MAIN)[0], MAIN)
    except RuntimeError as error:  # an older ptxas than NVVM, say
        return f"{assembler()} does not take what NVVM makes ({error}); {advice}"
    return None


def nvvm_version() -> str:
    """NVVM's version of its intermediate language."""
    from numba.cuda.cudadrv import nvvm

    return ".".join(map(str, nvvm.NVVM().get_ir_version()[:2]))


def versions() -> dict[str, str]:
    """Versions of what compiled."""
    found = {"rnndyn": "-", "numba": "-", "numba-cuda": "-", "nvidia-nvvm": "-", "nvidia-nvvm-cu12": "-"}
    for name in found:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    told = subprocess.run([assembler(), "--version"], capture_output=True, text=True, check=True).stdout
    found["ptxas"] = re.findall(r"\bV([\d.]+)", told)[0]
    return {name: v for name, v in found.items() if v != "-"} | {"NVVM IR": nvvm_version()}


def used(told: str) -> Used:
    """What `ptxas -v` told about a kernel (of several functions, the largest numbers)."""

    def most(pattern: str) -> int:
        return max((int(n) for n in re.findall(pattern, told)), default=0)

    if not re.search(r"Used \d+ registers", told):
        raise ValueError(f"ptxas told nothing of registers: {told.strip()!r}")
    return Used(
        most(r"Used (\d+) registers"),
        most(r"(\d+) bytes smem"),
        most(r"(\d+) bytes stack frame"),
        most(r"(\d+) bytes spill stores"),
        most(r"(\d+) bytes spill loads"),
    )


def assemble(ptx: str, capability: tuple[int, int]) -> Used:
    """Assemble PTX and read what its kernel takes; a RuntimeError carries what ptxas said against it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx)
        command = [assembler(), "-v", f"-arch=sm_{capability[0]}{capability[1]}", "-o", str(source) + ".cubin"]
        done = subprocess.run([*command, str(source)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ptxas: {' '.join((done.stderr + done.stdout).split())}")
    return used(done.stderr + done.stdout)
