"""The same numbers by other means: PyTorch's modules, and this package's kernels uncompiled."""

import numpy as np

from ...cells import CELLS, GRU, LSTM, Cell, Elman
from ..gradients import gradients
from ..lyapunov import lyapunov
from ..trajectory import trajectory
from .truth import Claim, Skipped, truths

TRUTHS, parity = truths("parity")

UNITS, INPUTS, STEPS, BATCH = 5, 3, 20, 3
TOLERANCE = 1e-11  # of the largest entry of each array
MODULES: dict[str, tuple[Cell, str, dict[str, str]]] = {
    "RNN-tanh": (Elman(UNITS, INPUTS), "RNN", {"nonlinearity": "tanh"}),
    "RNN-relu": (Elman(UNITS, INPUTS, activation="relu"), "RNN", {"nonlinearity": "relu"}),
    "LSTM": (LSTM(UNITS, INPUTS), "LSTM", {}),
    "GRU": (GRU(UNITS, INPUTS), "GRU", {}),
}


def relative(pairs):
    """The claim that arrays are equal, in units of the largest entry of each."""
    scales = [max(float(np.abs(truth).max(initial=0.0)), 1e-300) for _, truth in pairs]
    values = [np.ravel(value) / scale for (value, _), scale in zip(pairs, scales, strict=True)]
    known = [np.ravel(truth) / scale for (_, truth), scale in zip(pairs, scales, strict=True)]
    return Claim(np.concatenate(values), np.concatenate(known), TOLERANCE)


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def module_of(kind, keywords):
    """A module of PyTorch in double precision, its initial weights doubled so that it moves."""
    try:
        import torch
    except ImportError:
        raise Skipped("PyTorch (torch) is not installed") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = getattr(torch.nn, kind)(INPUTS, UNITS, dtype=torch.float64, batch_first=True, **keywords)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter *= 2
    return torch, module


def given(cell):
    """Inputs, starts and cotangents of a batch."""
    rng = np.random.default_rng(0)
    shapes = (STEPS, INPUTS), (cell.state_size,), (STEPS, UNITS), (cell.state_size,)
    return [rng.normal(size=(BATCH, *shape)) for shape in shapes]


def through_torch(torch, module, cell, arrays):
    """(outputs, last state, gradients of inputs, start and weights) of a loss on all outputs and the last state."""
    inputs, start = (torch.tensor(array, requires_grad=True) for array in arrays[:2])
    fields = tuple(part[None].contiguous() for part in torch.split(start, UNITS, dim=-1))
    outputs, last = module(inputs, fields if len(fields) > 1 else fields[0])
    last = torch.cat(last if len(fields) > 1 else (last,), dim=-1)[0]
    loss = (outputs * torch.tensor(arrays[2])).sum() + (last * torch.tensor(arrays[3])).sum()
    names = [name for name, _ in module.named_parameters()]
    found = torch.autograd.grad(loss, [inputs, start, *module.parameters()])
    numbers = [array.detach().numpy() for array in (outputs, last, *found)]
    return numbers[0], numbers[1], numbers[2], numbers[3], dict(zip(names, numbers[4:], strict=True))


def _against_torch(name):
    cell, kind, keywords = MODULES[name]

    def measure(run):
        torch, module = module_of(kind, keywords)
        arrays = given(cell)
        outputs, last, d_inputs, d_start, d_weights = through_torch(torch, module, cell, arrays)
        weights = module.state_dict()
        states = trajectory(cell, weights, inputs=arrays[0], state=arrays[1], **run)
        cotangent = np.zeros((BATCH, STEPS + 1, cell.state_size))
        cotangent[:, 1:, :UNITS] += arrays[2]
        cotangent[:, -1] += arrays[3]
        back = gradients(cell, weights, inputs=arrays[0], state=arrays[1], cotangent=cotangent, **run)
        pairs = [
            (states[:, 1:, :UNITS], outputs),
            (states[:, -1], last),
            (back.inputs, d_inputs),
            (back.state, d_start),
        ]
        pairs += [(back.weights[n.removesuffix("_l0")].sum(axis=0), truth) for n, truth in d_weights.items()]
        return relative(pairs)

    measure.__name__ = f"torch_{name}"
    return measure


for _name in MODULES:
    parity(f"nn.{_name}: outputs, last state and every gradient, to 1e-11 of each array's largest entry", "PyTorch")(
        _against_torch(_name)
    )


# --- uncompiled -------------------------------------------------------------------------------------------------------


def _against_python(name):
    def measure(run):
        if run["device"] == "python":
            raise Skipped("device 'python' runs uncompiled already")
        cell = CELLS[name](3, 2)
        rng = np.random.default_rng(2)
        weights = {
            n: 0.5 * rng.normal(size=(3, *shape)) for n, shape in cell.shapes.items() if n not in cell.parameters
        }
        arrays = {"inputs": rng.normal(size=(12, 2)), "state": 0.5 * rng.normal(size=(3, cell.state_size))}
        found = []
        for device in (run["device"], "python"):
            how = {**run, "device": device}
            spectrum = lyapunov(cell, weights, **arrays, **how).exponents
            found.append((trajectory(cell, weights, **arrays, **how), np.where(spectrum > -30, spectrum, -30)))
        return relative(list(zip(*found, strict=True)))

    measure.__name__ = f"compiled_{name}"
    return measure


for _name in CELLS:
    parity(f"{_name}: compiled states and spectrum are the uncompiled ones", "this package")(_against_python(_name))
