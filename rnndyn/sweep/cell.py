"""`[cell]`: a cell of the package, or one of the user's own in a Python file."""

import inspect
import linecache
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from rnndyn.errors import InputError, nearest, suggestion
from rnndyn.sweep.part import Natural, Part, Whole

__all__ = ["CellTable", "make_cell"]

RAN: dict[Path, tuple[bytes, ModuleType]] = {}  # files of cells that were run, with their text


class CellTable(Part):
    """`[cell]`: which cell, of which size; further keys are keywords of its constructor (see `rnndyn cells`)."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    kind: str = Field(description='a name listed by `rnndyn cells`, or `"my_cell.py:Name"` for your own, which runs it')
    units: Whole | Annotated[str, Field(pattern=r"^[^\W\d]\w*$")] | None = Field(
        default=None,
        description="the number of units, or an axis of sizes; needed, but for a ready cell in a file",
    )
    inputs: Natural = Field(default=0, description="the number of inputs")
    step: str | None = Field(
        default=None,
        description="the step that is taken of the cell's vector field: `euler`, `midpoint`, `rk4`, `symplectic`, "
        "`exponential`, or an axis of these; the cell's own",
    )

    @property
    def file(self) -> str | None:
        """The Python file that `kind` names, None for a cell of the package."""
        return self.kind.rpartition(":")[0] or None if ".py:" in self.kind else None


def make_cell(table: CellTable, folder: Path) -> Any:
    """Return the cell that `[cell]` describes; raises InputError for an unknown kind, keyword or value.

    A file is looked for from `folder`, that of the study, and run.
    """
    from rnndyn.cells import CELLS, Field

    if table.file is None:
        if table.kind.endswith(".py"):
            raise InputError(f'[cell] kind = {table.kind!r}: which cell of it? Write "{table.kind}:Name"')
        if table.kind not in CELLS:
            raise InputError(f"[cell] kind = {table.kind!r}: no such cell; {suggestion(table.kind, CELLS)}")
        made, name = CELLS[table.kind], table.kind
    else:
        made, name = _own(table, folder), table.kind.rpartition(":")[2]
    if table.step is not None:
        return _stepped(table, name, made)
    if isinstance(made, Field):
        raise InputError(f'[cell] kind = {table.kind!r}: a vector field: say by which step, as in step = "euler"')
    return _construct(table, name, made) if isinstance(made, type) else _ready(table, name, made)


def _stepped(table: CellTable, name: str, made: Any) -> Any:
    """Return the cell that takes a step of a family's vector field, or of one in a file."""
    from rnndyn.cells import CELLS, STEPS, Field

    where = f"[cell] step = {table.step!r}"
    step: Any = STEPS.get(str(table.step))
    if step is None:
        raise InputError(f"{where}: no step and no axis; {suggestion(table.step, STEPS)}")
    if isinstance(made, type) and issubclass(made, step):
        return _construct(table, name, made)  # the family's own step
    if isinstance(made, type):
        dt = (table.model_extra or {}).get("dt")
        if not hasattr(made, "vector_field"):
            having = ", ".join(kind for kind, cell in CELLS.items() if hasattr(cell, "vector_field"))
            raise InputError(f"{where}: {name} has no vector field; remove step, or take one of {having}")
        field = _construct(table, name, made.vector_field, step=True)
        own = inspect.signature(made).parameters.get("dt")
        dt = dt if dt is not None else 1.0 if own is None else own.default
    else:
        ready = _ready(table, name, made)
        field = ready if isinstance(ready, Field) else getattr(ready, "field", None)
        if field is None:
            raise InputError(f"{where}: {name} is no step of a vector field; remove step")
        dt = ready.parameters.get("dt")
    if table.step == "symplectic" and len(field.parts) == 1:
        raise InputError(f"{where}: {name} moves all fields at once, and that is the Euler step; take 'euler'")
    try:
        return step(field, **({} if dt is None else {"dt": dt}))
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from None


def _construct(table: CellTable, name: str, make: Any, step: bool = False) -> Any:
    if table.units is None:
        raise InputError("[cell] units is missing")
    options = {key: value for key, value in (table.model_extra or {}).items() if not (step and key == "dt")}
    parameters = inspect.signature(make).parameters
    known = [key for key in parameters if key not in ("self", "units", "inputs")]
    for key in options:
        if key not in known and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            hint = suggestion(key, ["kind", "units", "inputs", "step", *known])
            raise InputError(f"[cell] {key}: {name} has no such keyword; {hint}")
    sizes = {"units": table.units} | ({"inputs": table.inputs} if "inputs" in parameters or table.inputs else {})
    try:
        return make(**sizes, **options)
    except (TypeError, ValueError) as error:
        raise InputError(_about(str(error), options)) from None


def _about(message: str, options: dict[str, Any]) -> str:
    """Return a cell's own words with the key that they are about and, of names that it lists, the nearest."""
    key = next((key for key in options if re.search(rf"\b{key}\b", message)), None)
    if key is None:
        return f"[cell]: {message}"
    guess = nearest(options[key], message.rpartition("one of ")[2].split(", "))
    hint = f"; did you mean {guess!r}?" if guess and isinstance(options[key], str) else ""
    return f"[cell] {key} = {options[key]!r}: {message}{hint}"


def _ready(table: CellTable, name: str, cell: Any) -> Any:
    """Return a cell that the file holds ready-made, if the table does not say something else."""
    for key in table.model_extra or {}:
        raise InputError(f"[cell] {key}: {name} is a ready cell, not a class: set it in {table.file}")
    for key, asked in (("units", table.units), ("inputs", table.inputs or None)):
        if asked is not None and asked != getattr(cell, key):
            raise InputError(f"[cell] {key} = {asked}: {name} in {table.file} has {key} = {getattr(cell, key)}")
    return cell


def _own(table: CellTable, folder: Path) -> Any:
    """Run the user's file and return the cell, the class of cells or the vector field that it defines."""
    from rnndyn.cells import Cell, Field

    file, _, name = table.kind.rpartition(":")
    where = f"[cell] kind = {table.kind!r}"
    path = folder / file
    if not path.is_file():
        near = [found.name for found in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise InputError(f"{where}: there is no file {file} beside the study; {suggestion(path.name, near)}")
    module = _module(path, where)
    cells = [key for key, value in vars(module).items() if _is_cell(value, Cell) or isinstance(value, Field)]
    if name not in cells:
        raise InputError(f"{where}: {file} defines no cell {name!r}; {suggestion(name, cells)}")
    return getattr(module, name)


def _is_cell(value: Any, cell: type) -> bool:
    return isinstance(value, cell) or (isinstance(value, type) and issubclass(value, cell) and value is not cell)


def _module(path: Path, where: str) -> ModuleType:
    """Run a Python file as a module of its own; once as long as it stays the same."""
    source = path.read_bytes()
    before = RAN.get(path)
    if before is not None and before[0] == source:
        return before[1]
    name = f"rnndyn_study_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    linecache.checkcache(str(path))
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except InputError:
        raise
    except Exception as error:
        line = _line(error, path)
        raise InputError(f"{where}: running {path.name} failed{line}: {type(error).__name__}: {error}") from None
    finally:
        sys.path.remove(str(path.parent))
    RAN[path] = source, module
    return module


def _line(error: BaseException, path: Path) -> str:
    """Return " at line 7" of the file where it failed."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f" at line {error.lineno}"
    lines, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f" at line {lines[-1]}" if lines else ""
