"""The comparison on a GPU as Markdown: a pure function of what `gpu.py` measured, or of nothing."""

from __future__ import annotations

from functools import cache

from device import floors
from gpu_rows import DTYPES, ROWS
from tables import grid, number, ratio, times

PEERS = ("PyTorch", "JAX")
OURS = "rnndyn, GPU"
NOT_RUN = "not run: no GPU; nothing is claimed"


def call_ns(row: dict, name: str) -> float | None:
    """Nanoseconds per network and step of whole calls of `row["steps"]` steps, from the computer's memory and back.

    Copies of a peer's shorter call are spread over as many steps as this package's.
    """
    found = row["contenders"].get(name)
    if found is None or name not in PEERS or found["kernel_ns"] is None:
        return None if found is None else found["call_ns"]
    copies = max(0.0, found["call_ns"] - found["kernel_ns"]) * found["steps"]
    return found["kernel_ns"] + copies / (row["steps"] + row["transient"])


def kernel_ns(row: dict, name: str) -> float | None:
    """Nanoseconds per network and step without copies."""
    found = row["contenders"].get(name)
    return None if found is None else found["kernel_ns"]


def ratios(row: dict, ours: str) -> tuple[float | None, float | None]:
    """How many times as long the faster of PyTorch and JAX takes: whole calls, kernels."""
    both = []
    for of in (call_ns, kernel_ns):
        peers = [t for t in (of(row, name) for name in PEERS) if t is not None]
        both.append(ratio(min(peers, default=None), of(row, ours)))
    return both[0], both[1]


def floor_of(row: dict, device: dict) -> float | None:
    """The larger of the two floors; None where the peak is unknown."""
    arithmetic, memory = floors(row, device)
    return None if arithmetic is None else max(arithmetic, memory)


def wanted_of(row) -> str:
    """What is wanted of a row, beside it."""
    if row.wanted is not None:
        return f"ratio {row.wanted:g}"
    return "-" if row.wanted_floor is None else f"{row.wanted_floor:g} floors"


def verdict(wanted, row: dict, device: dict) -> str:
    """Whether it is reached; a ratio by both of its measures, a multiple of the floor by kernel time."""
    if wanted.wanted is not None:
        found = ratios(row, OURS)
        if None in found:
            return "-"
        return "reached" if min(found) >= wanted.wanted else "**not reached**"
    if wanted.wanted_floor is None:
        return "-"
    over = ratio(kernel_ns(row, OURS), floor_of(row, device))
    return "-" if over is None else "reached" if over <= wanted.wanted_floor else "**not reached**"


def size(row: dict, name: str) -> str:
    """Networks x steps of a timed call."""
    found = row["contenders"].get(name)
    return "-" if found is None else f"{found['networks']} x {found['steps']}"


TIMES = (
    "work",
    "networks x steps",
    "rnndyn GPU",
    "its kernel",
    "own interval",
    "its kernel",
    "rnndyn CPU",
    "own interval",
    "PyTorch",
    "its kernel",
    "JAX",
    "its kernel",
    "ratio",
    "of kernels",
    "own interval",
    "of kernels",
    "wanted",
    "verdict",
)
FLOORS = ("work", "operations", "bytes", "floor", "rnndyn", "own interval", "PyTorch", "JAX", "wanted")


def times_line(wanted, row: dict | None, device: dict | None) -> list[str]:
    """A line of the first table."""
    if row is None or device is None:
        return [title_of(wanted), *[""] * (len(TIMES) - 3), wanted_of(wanted), ""]
    own, cpu = f"{OURS}, own interval", "rnndyn, CPU"
    cells = [row["title"], size(row, OURS)]
    for name in (OURS, own):
        cells += [number(call_ns(row, name)), number(kernel_ns(row, name))]
    cells += [number(call_ns(row, cpu)), number(call_ns(row, f"{cpu}, own interval"))]
    for name in PEERS:
        cells += [number(call_ns(row, name)), number(kernel_ns(row, name))]
    cells += [times(r) for name in (OURS, own) for r in ratios(row, name)]
    return [*cells, wanted_of(wanted), verdict(wanted, row, device)]


def floors_line(wanted, row: dict | None, device: dict | None) -> list[str]:
    """A line of the second table."""
    if row is None or device is None:
        return [title_of(wanted), *[""] * (len(FLOORS) - 2), floor_wanted(wanted)]
    arithmetic, memory = floors(row, device)
    floor = floor_of(row, device)
    names = (OURS, f"{OURS}, own interval", *PEERS)
    over = [times(ratio(kernel_ns(row, name), floor)) for name in names]
    return [row["title"], number(arithmetic), number(memory), number(floor), *over, floor_wanted(wanted)]


def floor_wanted(wanted) -> str:
    """The wanted multiple of the floor."""
    return "-" if wanted.wanted_floor is None else f"{wanted.wanted_floor:g}"


@cache
def title_of(wanted) -> str:
    """A row's title, without its data."""
    return wanted.workload(2).title


def heading(result: dict) -> list[str]:
    """What was run on what, or why nothing was."""
    machine = result["machine"]
    if machine is None:
        return [f"**{NOT_RUN[0].upper()}{NOT_RUN[1:]}.** The reason: {result['reason']}.", ""]
    device = machine["device"]
    peaks = ", ".join(
        f"{dtype} {'unknown' if rate is None else f'{2e-12 * rate:.3g}'}" for dtype, rate in device["fma"].items()
    )
    rehearsal = ["**A rehearsal on the processor with tiny grids: the numbers mean nothing.**", ""]
    return [
        *(rehearsal if machine.get("rehearsal") else []),
        f"Device: {device['name']} ({device['about']}). Peaks: {peaks} TFLOP/s (multiply-adds without tensor cores, by "
        f"compute capability, multiprocessors and clock), {device['bandwidth'] / 1e9:.0f} GB/s.",
        f"Processor: {machine['processor']}, {machine['threads']} threads.",
        "Versions: " + ", ".join(f"{name} {v}" for name, v in machine["versions"].items()) + ".",
        "",
    ]


ABOUT = (
    "Nanoseconds per network and step: medians after a first call, of calls that begin with arrays in the computer's "
    "memory and end with results there. *Its kernel*: without those copies, for rnndyn the difference of a call and "
    "one half as long, for PyTorch and JAX a call between arrays on the device. QR at each step on all sides, or for "
    "rnndyn at its *own interval*. Of PyTorch and JAX the fastest right form of those that could be tried in the time; "
    "each contender runs as many networks as take about a second and fit into memory, which *networks x steps* states "
    "for rnndyn and the forms below for all. *Ratio*: the faster of PyTorch and JAX to rnndyn; a wanted ratio is "
    "reached if both that of whole calls and that of kernels are. All results were compared with rnndyn's float64 "
    "values on the CPU first, number by number as long as chaos lets orbits agree, then by their statistics."
)
ABOUT_FLOORS = (
    "Nanoseconds per network and step: the count of operations with QR at each step over the device's peak for the "
    "dtype, and the bytes that no program can avoid (inputs read once, results written once) over its bandwidth; the "
    "floor is the larger one. The columns after it are kernel time over the floor. A division counts as one operation, "
    "and products on tensor cores could pass below."
)


def forms(row: dict) -> list[str]:
    """All contenders of a row: forms, sizes, comparisons; what was refused, and what is missing."""
    lines = [f"**{row['title']}, {row['dtype']}**", ""]
    head = ["", "form", "networks x steps", "call, median", "minimum", "calls", "kernel", "compared"]
    table = []
    for name, tried in row["tried"].items():
        for found in tried:
            if "refused" in found:
                table.append([name, found["form"], *["-"] * 5, f"left out: {found['refused']}"])
                continue
            checks = "; ".join(f"{what} {value:.1e}" for what, value in found["checks"].items())
            checks += f"; {found['note']}" if found.get("note") else ""
            times_ = [number(found["call_ns"], 4), number(found["minimum_ns"], 4)]
            kernel = number(found["kernel_ns"], 4)
            where = f"{found['networks']} x {found['steps']}"
            table.append([name, found["form"], where, *times_, str(found["calls"]), kernel, checks])
    lines += grid(head, table) if table else []
    lines += ["", *(f"- {name}: {why}." for name, why in row["skipped"].items())] if row["skipped"] else []
    return [*lines, ""]


def page(result: dict) -> str:
    """The whole page; with no machine in the result, empty cells that say so."""
    machine = result["machine"]
    device = None if machine is None else machine["device"]
    rows = {(row["key"], row["dtype"]): row for row in result["rows"]}
    lines = ["# Speed on a GPU", "", *heading(result), ABOUT, ""]
    for dtype in DTYPES:
        these = [(wanted, rows.get((wanted.key, dtype))) for wanted in ROWS]
        lines += [f"## {dtype}", "", *grid(list(TIMES), [times_line(w, row, device) for w, row in these]), ""]
        lines += [f"### Kernel time over the floor, {dtype}", ""]
        lines += [*grid(list(FLOORS), [floors_line(w, row, device) for w, row in these]), ""]
    lines += ["## Floors", "", ABOUT_FLOORS, ""]
    if machine is not None:
        lines += ["## Forms", ""]
        missing = [f"{title_of(w)}, {dtype}" for w in ROWS for dtype in DTYPES if (w.key, dtype) not in rows]
        lines += [f"Not run: {'; '.join(missing)}.", ""] if missing else []
        for wanted in ROWS:
            for dtype in DTYPES:
                lines += forms(rows[wanted.key, dtype]) if (wanted.key, dtype) in rows else []
    return "\n".join(lines)
