"""What the numbers were measured on: processor, versions, BLAS, and the measured peaks."""

from __future__ import annotations

import ctypes
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from llvmlite import binding


def processor() -> str:
    """Model name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        entries = dict(
            (part.strip() for part in line.split(":", 1)) for line in info.read_text().splitlines() if ":" in line
        )
        flags = entries.get("flags", "").split()
        width = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else ""
        name = entries.get("model name", platform.machine())
        return f"{name} (family {entries.get('cpu family', '?')}, model {entries.get('model', '?')}, {width})"
    return platform.processor() or platform.machine()


def versions(more: tuple[str, ...] = ()) -> dict[str, str]:
    """Versions of Python, of the libraries compared, and of `more` packages."""
    found = {"Python": platform.python_version()}
    for name in ("rnndyn", "numba", "numpy", "scipy", "jax", "jaxlib", "torch", "pynamicalsys", "lyapax", *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def fma_loop(lanes: int, chains: int = 10) -> str:
    """LLVM text of `loop(n)`: n rounds of `x <- x a + b` on `chains` independent vectors of `lanes` float64."""
    vector = f"<{lanes} x double>"

    def constant(value: str) -> str:
        return "<" + ", ".join([f"double {value}"] * lanes) + ">"

    phis = [f"%x{k} = phi {vector} [{constant(f'{k}.0')}, %entry], [%y{k}, %body]" for k in range(chains)]
    steps = [
        f"%y{k} = call {vector} @llvm.fma.v{lanes}f64({vector} %x{k}, {vector} {constant('0.5')}, {vector} "
        f"{constant('1.0')})"
        for k in range(chains)
    ]
    sums = [f"%s{k} = fadd {vector} {f'%s{k - 1}' if k > 1 else '%y0'}, %y{k}" for k in range(1, chains)]
    return "\n".join(
        [
            f"declare {vector} @llvm.fma.v{lanes}f64({vector}, {vector}, {vector})",
            "define double @loop(i64 %n) {",
            "entry:",
            "br label %body",
            "body:",
            "%i = phi i64 [0, %entry], [%next, %body]",
            *phis,
            *steps,
            "%next = add i64 %i, 1",
            "%more = icmp slt i64 %next, %n",
            "br i1 %more, label %body, label %done",
            "done:",
            *sums,
            f"%r = extractelement {vector} %s{chains - 1}, i32 0",
            "ret double %r",
            "}",
        ]
    )


def fma_peak(rounds: int = 50_000, calls: int = 400) -> float:
    """GFLOP/s of one core in float64: the best of many short runs of independent multiply-adds in registers."""
    width = 8 if "AVX-512" in processor() else 4 if "AVX2" in processor() else 2
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=2
    )
    engine = binding.create_mcjit_compiler(binding.parse_assembly(fma_loop(width)), target)
    engine.finalize_object()
    loop = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64)(engine.get_function_address("loop"))
    best = float("inf")
    for _ in range(calls):
        start = time.perf_counter()
        loop(rounds)
        best = min(best, time.perf_counter() - start)
    return 2 * width * 10 * rounds / best / 1e9


def libraries() -> list[str]:
    """The BLAS libraries loaded, with the kernels they chose for this processor and their threads."""
    from threadpoolctl import threadpool_info

    found = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return sorted(
        {
            f"{i['internal_api']} {i['version']} ({i.get('architecture', '?')}, threads {i['num_threads']})"
            for i in found
        }
    )


def product_peak(threads: int, size: int = 1024, calls: int = 12) -> float:
    """GFLOP/s per core of NumPy's matrix product in float64 on so many threads: the best of some calls."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    a, b = (np.random.default_rng(seed).normal(size=(size, size)) for seed in (0, 1))
    out = np.empty_like(a)
    best = float("inf")
    with threadpool_limits(threads, user_api="blas"):
        for _ in range(calls):
            start = time.perf_counter()
            np.matmul(a, b, out=out)
            best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / threads / 1e9
