"""Parity with PyTorch: states and every gradient of nn.RNN, nn.LSTM, nn.GRU, to 1e-11 of each array's largest entry."""

import numpy as np
import pytest
from support import assert_close, assert_same_result, build

import rnndyn as rd

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no parity with it")

UNITS, INPUTS, STEPS, BATCH = 5, 3, 20, 3
MODULES = {
    "tanh": (torch.nn.RNN, {"nonlinearity": "tanh"}),
    "relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (torch.nn.LSTM, {}),
    "gru": (torch.nn.GRU, {}),
}
TOLERANCE = 1e-11


def module_of(family, dtype=torch.float64):
    """A module with weights that make it move (PyTorch's own initial ones, times two)."""
    torch.manual_seed(0)
    module, keywords = MODULES[family]
    made = module(INPUTS, UNITS, dtype=dtype, **keywords)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter *= 2
    return made


def given(cell, seed=0):
    """Inputs, starts and cotangents of a batch."""
    rng = np.random.default_rng(seed)
    shapes = (STEPS, INPUTS), (cell.state_size,), (STEPS + 1, cell.state_size)
    return [rng.normal(size=(BATCH, *shape)) for shape in shapes]


def unrolled(module, inputs, start):
    """All states of one sequence as a tensor, the module called once a step (only so is every c_t visible)."""
    states = [start]
    for x in inputs:
        fields = tuple(part[None] for part in torch.split(states[-1], UNITS))
        _, last = module(x[None], fields if len(fields) > 1 else fields[0])
        states.append(torch.cat(last, -1)[0] if len(fields) > 1 else last[0])
    return torch.stack(states)


def autograd(module, inputs, start, cotangent):
    """Gradients of sum(cotangent * states) by PyTorch, for one sequence."""
    inputs, start = (torch.tensor(v, requires_grad=True) for v in (inputs, start))
    module.zero_grad()
    (unrolled(module, inputs, start) * torch.tensor(cotangent)).sum().backward()
    weights = {name: parameter.grad.numpy().copy() for name, parameter in module.named_parameters()}
    return weights, inputs.grad.numpy(), start.grad.numpy()


@pytest.mark.parametrize("family", MODULES)
def test_states(family):
    """h of every step and the last state, the whole sequence in one call of the module."""
    module, cell = module_of(family), build(rd, family, UNITS, INPUTS)
    inputs, start, _ = given(cell)
    found = rd.trajectory(cell, module.state_dict(), inputs=inputs, state=start)
    fields = [f[None] for f in torch.split(torch.tensor(start), UNITS, dim=-1)]
    with torch.no_grad():
        h, last = module(torch.tensor(inputs).transpose(0, 1), tuple(fields) if len(fields) > 1 else fields[0])
    assert_close(found[:, 1:, :UNITS], h.transpose(0, 1).numpy(), TOLERANCE)
    last = torch.cat(last, -1) if len(fields) > 1 else last
    assert_close(found[:, -1], last[0].numpy(), TOLERANCE)
    assert np.array_equal(found[:, 0], start)


@pytest.mark.parametrize("family", MODULES)
@pytest.mark.parametrize("only_last", [False, True])
def test_every_gradient(family, only_last):
    """Weights, biases, inputs and starts, per sequence and not summed over the batch."""
    module, cell = module_of(family), build(rd, family, UNITS, INPUTS)
    inputs, start, cotangent = given(cell, seed=1)
    if only_last:
        cotangent[:, :-1] = 0
    loss = {"cotangent_last": cotangent[:, -1]} if only_last else {"cotangent": cotangent}
    found = rd.gradients(cell, module.state_dict(), inputs=inputs, state=start, **loss)
    for i in range(BATCH):
        weights, d_inputs, d_start = autograd(module, inputs[i], start[i], cotangent[i])
        for name, expected in weights.items():
            plain = name.removesuffix("_l0")
            assert_close(found.weights[name if name in found.weights else plain][i], expected, TOLERANCE)
        assert_close(found.inputs[i], d_inputs, TOLERANCE)
        assert_close(found.state[i], d_start, TOLERANCE)
        assert found.log_norms[i, 0] == pytest.approx(np.log(np.linalg.norm(d_start)), abs=1e-10)


@pytest.mark.parametrize("family", MODULES)
def test_state_dict_as_it_is(family):
    """A state_dict (tensors, names with _l0), parameters that require grad, and plain arrays: the same bits."""
    module, cell = module_of(family), build(rd, family, UNITS, INPUTS)
    plain = {name.removesuffix("_l0"): value.detach().numpy() for name, value in module.named_parameters()}
    results = [
        rd.trajectory(cell, weights, steps=10, state=np.full(cell.state_size, 0.3))
        for weights in (plain, module.state_dict(), dict(module.named_parameters()))
    ]
    assert_same_result(results[0], results[1])
    assert_same_result(results[0], results[2])


def test_single_precision_modules_are_taken():
    """A float32 state_dict: float64 results of those very weights; inputs as tensors too."""
    module, cell = module_of("gru", torch.float32), build(rd, "gru", UNITS, INPUTS)
    inputs, start, _ = given(cell)
    found = rd.trajectory(cell, module.state_dict(), inputs=torch.tensor(inputs), state=start)
    assert found.dtype == np.float64
    doubled = {name: value.numpy().astype(float) for name, value in module.state_dict().items()}
    assert_same_result(found, rd.trajectory(cell, doubled, inputs=inputs, state=start))


def test_more_layers_are_refused():
    """A second layer's weights do not belong to one cell: refused by name, not ignored."""
    two = torch.nn.GRU(INPUTS, UNITS, num_layers=2, dtype=torch.float64)
    with pytest.raises(rd.InputError, match="_l1"):
        rd.trajectory(build(rd, "gru", UNITS, INPUTS), two.state_dict(), steps=3)
