"""Theory: closed forms and mean-field results that measurements are held against, each with its source and domain.

`CATALOGUE` is {name: Entry}, and each entry's function stands here under the same name:

    rd.theory.tanh_fold(2.0)                # 0.53283998
    rd.theory.CATALOGUE["tanh_fold"].domain
    print(rd.theory.table())
    rd.plot.map(data, theory=["tanh_fold"])

All functions take numbers or arrays, which broadcast, and return NaN outside their domain.
"""

from collections.abc import Iterable

from . import gates, networks, rate, regions, steps, units
from .entry import KINDS, Entry
from .gates import *  # noqa: F403
from .networks import *  # noqa: F403
from .rate import *  # noqa: F403
from .regions import *  # noqa: F403
from .steps import *  # noqa: F403
from .units import *  # noqa: F403

CATALOGUE: dict[str, Entry] = {
    name: entry for topic in (units, gates, steps, regions, networks, rate) for name, entry in topic.ENTRIES.items()
}

__all__ = [
    "CATALOGUE", "KINDS", "Entry", "table",
    *gates.__all__, *networks.__all__, *rate.__all__, *regions.__all__, *steps.__all__, *units.__all__,
]  # fmt: skip


def table(names: Iterable[str] | None = None) -> str:
    """Return the catalogue, or those `names` of it, in Markdown: name and arguments, kind, equation, domain, source."""
    rows = ["| name | kind | what it says | where it holds | source |", "| --- | --- | --- | --- | --- |"]
    for entry in (CATALOGUE[name] for name in names or CATALOGUE):
        cells = (f"`{entry.signature}`", entry.kind, entry.equation, entry.domain, entry.source)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)
