"""The stored result as Markdown: `peers.md` (the first table and all forms) and `spectra.md` (small and large spectra).

Pure functions of what `benchmark.py` measured, so that pages can be made again without a run.
"""

from __future__ import annotations

from workloads import WANTED, WANTED_LOOP, WANTED_PEAK

PEERS = ("JAX", "PyTorch")
ROLES = ("first", "best")


def microseconds(row: dict, name: str) -> float | None:
    """Median of a contender, or None if it was not timed."""
    about = row["contenders"].get(name)
    return None if about is None else about["median_us"]


def faster(row: dict, role: str, interval: int = 1) -> float | None:
    """Microseconds of the faster of JAX and PyTorch, QR every `interval` steps.

    role: "first" for the forms as first written, "best" for the fastest of all forms.
    """
    ending = "" if interval == 1 else f", QR every {interval}"
    roles = ("first",) if role == "first" else ROLES
    times = [microseconds(row, f"{library}, {r}{ending}") for library in PEERS for r in roles]
    return min((t for t in times if t is not None), default=None)


def ratio(peer: float | None, mine: float | None) -> float | None:
    """How many times as long the peer takes."""
    return None if peer is None or mine is None else peer / mine


def verdict(first: float | None, best: float | None, wanted: float | None) -> str:
    """Whether the wanted ratio is reached against the forms as first written and against the best ones."""
    if wanted is None or first is None or best is None:
        return "-"
    if min(first, best) >= wanted:
        return "reached"
    return "reached against the first form only" if first >= wanted else "**not reached**"


def bound(row: dict, mine: float, best: float, wanted: float, floor: float) -> str:
    """One sentence: where a figure is not reached against the best form, how far the floor lies."""
    needed = best / wanted
    text = (
        f"{row['title']}: wanted {wanted:g} needs {needed:.3g} us a step; rnndyn takes {mine:.3g} us, "
        f"{mine / floor:.1f} times its floor of {floor:.2g} us, at which the ratio would be {best / floor:.1f}"
    )
    if needed < floor:
        return text + ": bounded by the count of operations, whatever the code."
    return text + f"; wanted are {needed / floor:.1f} times the floor."


def number(value: float | None, digits: int = 3) -> str:
    """A cell of a table."""
    return "-" if value is None else f"{value:.{digits}g}"


def times(value: float | None) -> str:
    """A ratio."""
    return "-" if value is None else f"{value:.1f}"


def grid(head: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table."""
    return ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]


def preface(machine: dict) -> list[str]:
    """Machine and versions."""
    return [
        f"Processor: {machine['processor']}; {machine['threads']} threads on every side; float64.",
        "Versions: " + ", ".join(f"{name} {value}" for name, value in machine["versions"].items()) + ".",
        "BLAS: " + "; ".join(machine["blas"]) + ".",
        f"Peaks, GFLOP/s per core: multiply-adds in registers {machine['peak_gflops']:.1f}; NumPy's matrix product "
        + ", ".join(f"{peak:.1f} on {n} thread{'s' * (n != '1')}" for n, peak in machine["product_gflops"].items())
        + ".",
        "",
        f"Microseconds per network and step, median of {machine['calls']} calls; the contenders were called in turn in "
        "one run, after their results had been compared; compiling is not counted. "
        "*First*: as one would write it first (`linalg.qr`, automatic differentiation, one logarithm per step). "
        "*Best*: the fastest right form found, with the batch size that suits it. "
        "Ratios are those of the faster of JAX and PyTorch to rnndyn (to best: of the fastest of the four). "
        "The floor is the count of operations over the multiply-add peak of all threads.",
        "",
    ]


def floor_of(row: dict, machine: dict, interval: int = 1) -> float:
    """Microseconds that the operations of one step take at the peak of all threads."""
    flops = row["flops"] - row["qr_flops"] * (1 - 1 / interval)
    return flops / (machine["peak_gflops"] * machine["threads"]) * 1e-3


def interval_cell(row: dict) -> str:
    """Our mean interval and the one at which peers are timed."""
    return "-" if row.get("mean_interval") is None else f"{row['mean_interval']:.1f} (peers {row['interval']})"


def comparison(result: dict, which: str, ours: str) -> tuple[list[str], list[str]]:
    """A table with QR at each step on the peers' side against one form of rnndyn, and what bounds what is missed."""
    machine, lines, notes = result["machine"], [], []
    own = which == "own"
    for row in result["rows"]:
        if which == "first" and row["key"] not in WANTED["first"]:
            continue
        if which != "first" and not row["columns_of_frame"]:
            continue
        mine = microseconds(row, ours)
        wanted = WANTED[which].get(row["key"])
        m = row.get("interval") or 1
        floor = floor_of(row, machine, m if own else 1)
        first, best = (faster(row, role) for role in ROLES)
        ratios = [ratio(first, mine), ratio(best, mine)]
        cells = [row["title"], number(mine)]
        cells += [number(microseconds(row, f"{library}, {role}")) for library in PEERS for role in ROLES]
        if which != "first":
            cells += [number(microseconds(row, name)) for name in ("pynamicalsys", "lyapax")]
        cells += [times(r) for r in ratios]
        if own:
            cells += [interval_cell(row), *(times(ratio(faster(row, role, m), mine)) for role in ROLES)]
        lines.append([*cells, number(wanted), verdict(*ratios, wanted), number(floor, 2)])
        if wanted is not None and mine is not None and best is not None and best / mine < wanted:
            notes.append("- " + bound(row, mine, best, wanted, floor))
    head = ["work", "rnndyn", "JAX first", "JAX best", "PyTorch first", "PyTorch best"]
    head += [] if which == "first" else ["pynamicalsys", "lyapax"]
    head += ["ratio to first", "ratio to best"]
    head += ["our interval", "first at our interval", "best at our interval"] if own else []
    return grid([*head, "wanted", "verdict", "floor"], lines), notes


def bounded(notes: list[str]) -> list[str]:
    """The notes under a table."""
    return ["", "Not reached against the best forms, and what bounds it:", "", *notes, ""] if notes else [""]


def rates(result: dict) -> list[str]:
    """GFLOP/s per core of the products and of whole steps, beside the matrix-product peak."""
    machine = result["machine"]
    peak = machine["product_gflops"][str(machine["threads"])]
    lines = []
    for row in result["rows"]:
        products = row.get("product_gflops")
        if products is None or products > machine["peak_gflops"]:  # no spectrum, or times that differ by noise alone
            continue
        cells = [row["title"], f"{products:.1f}", f"{products / peak:.0%}"]
        for name, interval in (("rnndyn", 1), ("rnndyn, own interval", row.get("interval") or 1)):
            mine = microseconds(row, name)
            flops = row["flops"] - row["qr_flops"] * (1 - 1 / interval)
            cells.append("-" if mine is None else f"{flops / mine * 1e-3 / machine['threads']:.1f}")
        reached = "reached" if products / peak >= WANTED_PEAK else "**not reached**"
        lines.append([*cells, f"{WANTED_PEAK:.0%}", reached])
    if not lines:
        return []
    head = ["work", "products", "share of peak", "whole step, QR each", "whole step, own interval", "wanted", "verdict"]
    return [
        "## GFLOP/s per core",
        "",
        f"The peak is NumPy's matrix product of 1024 x 1024 on {machine['threads']} threads, {peak:.1f} GFLOP/s per "
        "core. *Products*: steps of state and frame without QR, minus steps of the state, each as the difference of a "
        "long and a short call; 2 G N^2 K operations are counted (the slopes' N K are not), and rows whose difference "
        "drowns in noise are left out. *Whole step*: all operations of the floor over the time of table a, or of "
        "table b with QR at our interval.",
        "",
        *grid(head, lines),
        "",
    ]


def spectra_page(result: dict) -> str:
    """Small and large spectra: QR at each step, rnndyn's own interval, rates."""
    each, missed = comparison(result, "each", "rnndyn")
    own, missed_own = comparison(result, "own", "rnndyn, own interval")
    skipped = sorted(
        {f"{row['title']}: {name} {why}" for row in result["rows"] for name, why in row["skipped"].items()}
    )
    lines = ["# Lyapunov spectra beside other software", "", *preface(result["machine"])]
    lines += [
        "pynamicalsys has no batch: a loop over a few networks, on one thread (two processes would take half its time "
        "at best). lyapax sweeps the batch with `vmap`. Both as their users call them, QR at each step.",
        "",
        "## a. QR at each step on both sides",
        "",
        *each,
        *bounded(missed),
        "## b. rnndyn's own interval, peers with QR at each step",
        "",
        "*Our interval*: the mean steps between two QRs of rnndyn's own run (the harmonic mean, which counts QRs; for "
        "N < 32 counted in the uncompiled twin of the kernel, which decides alike, else from the times with QR at each "
        "step, every 4 steps and at rnndyn's choice). The peers are timed again at the power of two next to it: they "
        "apply so many Jacobians between two QRs. rnndyn chooses for each network and time; a peer's one interval for "
        "all would have to suit the worst network and is wrong for some ([peers.md](peers.md) says for how many), so "
        "this ratio favours the peers.",
        "",
        *own,
        *bounded(missed_own),
        *rates(result),
    ]
    if skipped:
        lines += ["## Left out", "", *(f"- {text}." for text in skipped), ""]
    return "\n".join(lines)


def forms(row: dict) -> list[str]:
    """All contenders of one workload, and the comparison of their results."""
    sizes = f"{row['batch']} networks, {row['steps']} steps after {row['transient']}"
    lines = [f"**{row['title']}** ({sizes})", ""]
    head = ["", "form", "networks x steps of a call", "networks at a time", "median", "minimum"]
    lines += grid(
        head,
        [
            [name, a["form"], a["size"], str(a["at_a_time"]), number(a["median_us"], 4), number(a["minimum_us"], 4)]
            for name, a in row["contenders"].items()
        ],
    )
    differences = "; ".join(f"{name} {value:.1e}" for name, value in row["differences"].items())
    return [*lines, "", f"Compared before timing (differences; shares): {differences}.", ""]


def peers_page(result: dict) -> str:
    """The first table (scalar map, small networks, BPTT) and the forms of all contenders."""
    table, missed = comparison(result, "first", "rnndyn")
    lines = ["# Speed beside JAX and PyTorch", "", *preface(result["machine"])]
    lines += ["QR at each step on all sides (a scalar has none: there rnndyn takes its default interval).", ""]
    lines += [*table, *bounded(missed)]
    for row in result["rows"]:
        loop = ratio(microseconds(row, "Numba loop"), microseconds(row, "rnndyn"))
        if loop is not None:
            reached = "reached" if loop >= WANTED_LOOP else "**not reached**"
            shared = ratio(microseconds(row, "Numba prange"), microseconds(row, "rnndyn"))
            lines += [f"{row['title']}: ratio to the plain Numba loop {loop:.1f} (wanted {WANTED_LOOP}: {reached}), "]
            lines[-1] += f"with `prange` {shared:.1f}, to NumPy "
            lines[-1] += f"{times(ratio(microseconds(row, 'NumPy'), microseconds(row, 'rnndyn')))}."
            lines.append("")
    lines += ["Spectra of larger networks are in [spectra.md](spectra.md).", "", "## Forms", ""]
    for row in result["rows"]:
        lines += forms(row)
    return "\n".join(lines)
