"""The table of cells that `rnndyn cells` prints and README shows, made from the cells themselves."""

from . import CELLS

HEAD = ("cell", "one step", "state", "gates", "parameters", "source")


def rows() -> list[tuple[str, ...]]:
    """One row a family: name, equation, state fields, row blocks of the weights, keywords with defaults, source."""
    return [_row(name, make(1)) for name, make in CELLS.items()]


def _row(name, cell):
    gates, drives = ", ".join(cell.gates), ", ".join(cell.drives)
    if drives != gates:
        gates = f"{gates or 'none'}; input {drives}"
    numbers = (f"{key} = {value[0] if isinstance(value, tuple) else value:g}" for key, value in cell.parameters.items())
    parameters = ", ".join([*numbers, *(f"{key} = {value}" for key, value in cell.options.items())])
    return name, cell.equation, ", ".join(cell.fields), gates, parameters, cell.source


def markdown() -> str:
    """The same as a Markdown table."""
    lines = [HEAD, tuple("---" for _ in HEAD)]
    lines += [(name, f"`{equation}`", *rest) for name, equation, *rest in rows()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
