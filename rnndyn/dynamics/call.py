"""What every quantity shares: checking `device`, `dtype`, `threads`, and running a function over the points' chunks."""

from ..cells import Cell, Field
from ..cells.network import Network
from ..errors import DeviceError, InputError
from .batch import DEVICES, DTYPES, choice, whole
from .progress import PATIENCE, progress_display


def check_cell(cell, networks=True):
    """Refuse what is neither a cell nor, with `networks`, a network of cells."""
    if isinstance(cell, Cell) or (networks and isinstance(cell, Network)):
        return
    if isinstance(cell, Network):
        raise InputError(f"this quantity is one of single cells; {cell!r} is a network.")
    what = f"{cell!r}"
    if isinstance(cell, Field):
        what += "; rd.Euler(field) makes a cell of a field"
    elif isinstance(cell, type) and issubclass(cell, (Cell, Network)):
        what = f"the class {cell.__name__}; it is made with its sizes, as rd.{cell.__name__}(...)"
    raise InputError(f"the first argument must be a cell such as rd.Elman(8), not {what}.")


def check(cell, device, dtype, threads, networks=True, auto="cpu"):
    """(device, dtype, threads) that will be used; `auto`: what "auto" becomes.

    Raises DeviceError if there is no GPU for `device="cuda"`.
    """
    from .. import kernels

    check_cell(cell, networks)
    dtype = getattr(dtype, "__name__", str(dtype))  # np.float32 and "float32" alike
    choice("dtype", dtype, DTYPES)
    choice("device", device, DEVICES)
    if device == "cuda":
        found, why = kernels.gpu()
        if not found:
            raise DeviceError(f"device='cuda': {why.rstrip('.')}. Use device='auto' or 'cpu'.")
    threads = kernels.available_threads() if threads is None else whole("threads", threads, 1)
    return auto if device == "auto" else device, dtype, threads


def on_device(function, device, dtype, threads, multiply_adds):
    """(`function(device)`, in words on what it ran); "auto": a GPU where it ends sooner, the CPU if that fails."""
    from .. import kernels

    why = ""
    if device == "auto":
        device, why = kernels.choose_device(dtype, multiply_adds, threads)
        if device == "cuda":
            try:
                return function("cuda"), f"{dtype} on {kernels.gpu()[1]}"
            except DeviceError as error:
                device, why = "cpu", str(error)
    name = {"cpu": "the CPU", "python": "the CPU, uncompiled"}.get(device) or kernels.gpu()[1]
    return function(device), f"{dtype} on {name}" + (f" ({why})" if why else "")


def over_points(function, problem, run, values, threads, progress, what):
    """Call `function(low, high, meter)` for chunks of the points; `values` packed numbers a point."""
    from ..kernels import tiles

    rounds = run.rounds(problem.count, values, threads, f"{what} of {problem.cell!r}")
    total, before = problem.count * problem.total, 0
    with progress_display(progress, total, text=what, patience=PATIENCE) as display:
        for ranges, workers, run.team in rounds:
            before += tiles.work(
                function, ranges, workers, total, lambda done, _, before=before: display.at(before + done)
            )
