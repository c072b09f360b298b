"""Stacks and both directions: PyTorch's numbers, unions of spectra, palindromes, reach, ragged sequences, starts."""

import numpy as np
import pytest
import twin
from support import assert_close, assert_same_result, exponent_rounding, log_moduli

import rnndyn as rd

UNITS, INPUTS, STEPS = 3, 2, 7
PLAIN = {"device": "python"}


def nets():
    """Networks, and PyTorch's module for each."""
    gru, lstm, tanh = (lambda i, kind=kind: kind(UNITS, i) for kind in (rd.GRU, rd.LSTM, rd.Elman))
    both = rd.Bidirectional
    return {
        "gru x 3": (rd.Stack([gru(2), gru(3), gru(3)]), "GRU", {"num_layers": 3}),
        "lstm both": (both(lstm(2)), "LSTM", {"bidirectional": True}),
        "lstm x 2 both": (rd.Stack([both(lstm(2)), both(lstm(6))]), "LSTM", {"num_layers": 2, "bidirectional": True}),
        "tanh x 2": (rd.Stack([tanh(2), tanh(3)]), "RNN", {"num_layers": 2}),
    }


def random_weights(net, rng, batch=()):
    return {name: 0.7 * rng.normal(size=(*batch, *shape)) for name, shape in net.shapes.items()}


# --- PyTorch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", nets())
def test_parity_with_pytorch(name):
    """Outputs, last states and every gradient, from the module's own state_dict."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: no parity with it")
    net, kind, keywords = nets()[name]
    torch.manual_seed(1)
    module = getattr(torch.nn, kind)(INPUTS, UNITS, batch_first=True, dtype=torch.float64, **keywords)
    rng = np.random.default_rng(0)
    inputs, state = rng.normal(size=(STEPS, INPUTS)), rng.normal(size=net.state_size)
    x, start = torch.tensor(inputs[None], requires_grad=True), torch.tensor(state, requires_grad=True)
    pieces = torch.split(start, UNITS)
    step = len(net.cells[0].cell.fields)
    fields = [torch.stack(pieces[f::step])[:, None] for f in range(step)]
    y, last = module(x, tuple(fields) if step > 1 else fields[0])
    found = rd.outputs(net, module.state_dict(), inputs=inputs, state=state, **PLAIN)
    assert_close(found, y[0].detach().numpy(), 1e-11)
    states = rd.trajectory(net, module.state_dict(), inputs=inputs, state=state, **PLAIN)
    last = torch.stack(last if step > 1 else (last,), dim=1)[:, :, 0].detach().numpy()
    assert_close(states[-1], last.reshape(-1), 1e-11)
    cotangent = rng.normal(size=found.shape)
    (y[0] * torch.tensor(cotangent)).sum().backward()
    slopes = rd.gradients(net, module.state_dict(), inputs=inputs, state=state, cotangent_outputs=cotangent, **PLAIN)
    for key, parameter in module.named_parameters():
        assert_close(slopes.weights[key], parameter.grad.numpy(), 1e-11)
    assert_close(slopes.inputs, x.grad[0].numpy(), 1e-11)
    assert_close(slopes.state, start.grad.numpy(), 1e-11)
    assert slopes.log_norms[0] == pytest.approx(np.log(np.linalg.norm(start.grad.numpy())), abs=1e-11)


@pytest.mark.parametrize("join", ["concat", "sum", "mean"])
def test_cotangents_of_states(join):
    """Gradients for a loss on all states or on the last ones, against differences; the directions joined each way."""
    net = rd.Stack([rd.Bidirectional(rd.Elman(2, 2), join), rd.CoRNN(2, 4 if join == "concat" else 2)])
    rng = np.random.default_rng(3)
    weights = random_weights(net, rng) | {"dt_l1": 0.4}
    given = {"inputs": rng.normal(size=(5, 2)), "state": rng.normal(size=net.state_size), **PLAIN}
    full = rng.normal(size=(6, net.state_size))
    last = np.zeros_like(full)
    last[-1] = full[-1]
    for cotangent, keywords in ((full, {"cotangent": full}), (last, {"cotangent_last": full[-1]})):
        found = rd.gradients(net, weights, **given, **keywords)
        for key in weights:
            direction, h = rng.normal(size=np.shape(weights[key])), 1e-5
            moved = [rd.trajectory(net, weights | {key: weights[key] + s * direction}, **given) for s in (h, -h)]
            expected = np.sum(cotangent * (moved[0] - moved[1])) / (2 * h)
            assert np.sum(found.weights[key] * direction) == pytest.approx(expected, rel=1e-7, abs=1e-8)


# --- exponents --------------------------------------------------------------------------------------------------------


def test_union_of_linear_layers():
    """Linear layers, in both directions too: the spectrum is ln|eig| of all recurrent matrices together."""
    layers = [rd.Bidirectional(rd.Linear(UNITS, INPUTS)), rd.Linear(UNITS, 2 * UNITS)]
    net, rng = rd.Stack(layers), np.random.default_rng(1)
    weights = random_weights(net, rng)
    for number, name in enumerate(("weight_hh_l0", "weight_hh_l0_reverse", "weight_hh_l1")):
        weights[name] = np.diag([0.9, 0.5, 0.2]) * 0.97**number + np.triu(rng.normal(size=(3, 3)), 1)
    expected = np.sort(np.concatenate([log_moduli(v) for k, v in weights.items() if k.startswith("weight_hh")]))[::-1]
    found = rd.lyapunov(net, weights, inputs=rng.normal(size=(400, INPUTS)), transient=200)
    np.testing.assert_allclose(found.exponents, expected, rtol=0, atol=1e-10)
    first = rd.lyapunov(net, weights, inputs=rng.normal(size=(400, INPUTS)), transient=200, k=2)
    np.testing.assert_allclose(first.exponents, expected[:2], rtol=0, atol=1e-10)


def test_sum_is_the_whole_systems_determinant():
    """The union sums to the mean ln |det| of the two layers as one system, by complex step through both."""
    net, rng = rd.Stack([rd.Elman(UNITS, INPUTS), rd.Elman(UNITS, UNITS)]), np.random.default_rng(2)
    weights, inputs = random_weights(net, rng), rng.normal(size=(20, INPUTS))
    state = rng.normal(size=6)
    found = rd.lyapunov(net, weights, inputs=inputs, state=state, qr_every=1, **PLAIN)
    slow = [(twin.Elman(UNITS, i), {n[:-3]: v for n, v in weights.items() if n.endswith(f"_l{k}")})
            for k, i in enumerate((INPUTS, UNITS))]  # fmt: skip

    def step(s, x):
        first = slow[0][0].step(slow[0][1], s[:UNITS], x)
        return np.concatenate([first, slow[1][0].step(slow[1][1], s[UNITS:], first)])

    logs = []
    for x in inputs:
        jacobian = np.array([np.imag(step(state + 1e-20j * e, x)) / 1e-20 for e in np.eye(6)]).T
        logs.append(np.linalg.slogdet(jacobian)[1])
        state = step(state, x)
    assert found.exponents.sum() == pytest.approx(np.mean(logs), abs=exponent_rounding(6, 1e3))


def test_a_stack_of_one_is_its_cell():
    """Exponents, states and gradients to the bit."""
    cell, rng = rd.GRU(UNITS, INPUTS), np.random.default_rng(4)
    weights = {n: rng.normal(size=(2, *shape)) for n, shape in cell.shapes.items()}
    stacked, net = {f"{n}_l0": v for n, v in weights.items()}, rd.Stack([cell])
    inputs, last = rng.normal(size=(30, INPUTS)), np.ones(UNITS)
    for one, other in (
        (rd.lyapunov(cell, weights, inputs=inputs, seed=3), rd.lyapunov(net, stacked, inputs=inputs, seed=3)),
        (rd.trajectory(cell, weights, inputs=inputs), rd.trajectory(net, stacked, inputs=inputs)),
        (rd.gradients(cell, weights, inputs=inputs, cotangent_last=last).state,
         rd.gradients(net, stacked, inputs=inputs, cotangent_last=last).state),
    ):  # fmt: skip
        assert_same_result(tuple(one), tuple(other))


# --- identities -------------------------------------------------------------------------------------------------------


def test_palindrome():
    """Equal weights and a palindrome: the reverse states are the forward states, the outputs are mirrored, exactly."""
    cell, rng = rd.LSTM(UNITS, INPUTS), np.random.default_rng(5)
    one = {n: rng.normal(size=shape) for n, shape in cell.shapes.items()}
    weights = {f"{n}_l0{end}": v for n, v in one.items() for end in ("", "_reverse")}
    half = rng.normal(size=(4, INPUTS))
    inputs, net = np.concatenate([half, half[::-1][1:]]), rd.Bidirectional(cell)
    states = rd.trajectory(net, weights, inputs=inputs)
    assert_same_result(states[:, :6].copy(), states[:, 6:].copy())
    y = rd.outputs(net, weights, inputs=inputs)
    assert_same_result(y[:, :3].copy(), y[::-1, 3:].copy())
    assert not np.array_equal(y[:, :3], y[:, 3:])


def test_permuted_units_of_a_lower_layer():
    """Units of layer 0 in another order, and the columns that read them: the same outputs above."""
    net, rng, order = rd.Stack([rd.Elman(3, 2), rd.Elman(3, 3)]), np.random.default_rng(6), [2, 0, 1]
    weights, inputs = random_weights(net, rng), rng.normal(size=(6, 2))
    moved = {n: v[order] if n.endswith("_l0") else v for n, v in weights.items()}
    moved["weight_hh_l0"] = moved["weight_hh_l0"][:, order]
    moved["weight_ih_l1"] = weights["weight_ih_l1"][:, order]
    one, other = (rd.outputs(net, w, inputs=inputs, **PLAIN) for w in (weights, moved))
    assert_close(one, other, 1e-14)


# --- reach ------------------------------------------------------------------------------------------------------------


def test_reach_of_a_linear_network():
    """||W^(t-s) W_x||, exactly zero for s > t; and the Frobenius norm."""
    rng = np.random.default_rng(7)
    weights = {"weight_hh": rng.normal(size=(2, 3, 3)) / 2, "weight_ih": rng.normal(size=(3, 2))}
    for norm, kind in (("spectral", 2), ("frobenius", "fro")):
        found = rd.reach(rd.Linear(3, 2), weights, inputs=rng.normal(size=(5, 2)), norm=norm, **PLAIN)
        for point in range(2):
            for t in range(5):
                for s in range(5):
                    power = np.linalg.matrix_power(weights["weight_hh"][point], max(t - s, 0)) @ weights["weight_ih"]
                    expected = np.linalg.norm(power, kind) if s <= t else 0.0
                    assert found[point, t, s] == pytest.approx(expected, rel=1e-13)
                    assert s <= t or found[point, t, s] == 0.0


def test_reach_of_both_directions():
    """Two-sided for the pair, one-sided for each alone; against differences of the outputs."""
    net, rng = rd.Bidirectional(rd.GRU(3, 2)), np.random.default_rng(8)
    weights, inputs = random_weights(net, rng), rng.normal(size=(5, 2))
    found = rd.reach(net, weights, inputs=inputs, **PLAIN)
    h = 1e-6
    for s in range(5):
        columns = []
        for i in range(2):
            moved = np.zeros_like(inputs)
            moved[s, i] = h
            sides = [rd.outputs(net, weights, inputs=inputs + v, **PLAIN) for v in (moved, -moved)]
            columns.append((sides[0] - sides[1]) / (2 * h))
        for t in range(5):
            expected = np.linalg.norm(np.stack([c[t] for c in columns], axis=-1), 2)
            assert found[t, s] == pytest.approx(expected, rel=1e-6)
    assert np.all(found > 0)
    muted = {n: np.zeros_like(v) if n.endswith("_reverse") else v for n, v in weights.items()}
    one = rd.reach(net, muted, inputs=inputs, **PLAIN)
    assert np.all(one[np.triu_indices(5, 1)] == 0.0)
    assert np.all(one[np.tril_indices(5)] > 0)


# --- ragged sequences -------------------------------------------------------------------------------------------------


def test_ragged_networks_are_their_own_runs():
    """Sequences of different length in one array, two layers, the lower in both directions: each to the bit its own."""
    net, rng = rd.Stack([rd.Bidirectional(rd.GRU(3, 2)), rd.GRU(3, 6)]), np.random.default_rng(9)
    weights, lengths = random_weights(net, rng), np.array([9, 4, 7])
    inputs, state = rng.normal(size=(3, 9, 2)), rng.normal(size=(3, net.state_size))
    for row, length in zip(inputs, lengths, strict=True):
        row[length:] = np.nan
    cotangent = rng.normal(size=(3, 9, 3))
    states = rd.trajectory(net, weights, inputs=inputs, lengths=lengths, state=state)
    spectra = rd.lyapunov(net, weights, inputs=inputs, lengths=lengths, transient=2)
    slopes = rd.gradients(net, weights, inputs=inputs, lengths=lengths, state=state, cotangent_last=state)
    along = rd.gradients(net, weights, inputs=inputs, lengths=lengths, state=state, cotangent_outputs=cotangent)
    reach = rd.reach(net, weights, inputs=inputs, lengths=lengths, state=state)
    for i, n in enumerate(lengths):
        own = {"inputs": inputs[i, :n], "state": state[i]}
        assert_same_result(states[i, : n + 1], rd.trajectory(net, weights, **own))
        assert np.all(np.isnan(states[i, n + 1 :]))
        alone = rd.lyapunov(net, weights, inputs=own["inputs"], transient=2, first_index=i)
        assert_same_result([v[i] for v in spectra], list(alone))
        for found, loss in ((slopes, {"cotangent_last": state[i]}), (along, {"cotangent_outputs": cotangent[i, :n]})):
            single = rd.gradients(net, weights, **own, **loss)
            assert_same_result({name: v[i] for name, v in found.weights.items()}, single.weights)
            assert_same_result((found.inputs[i, :n], found.state[i]), (single.inputs, single.state))
            assert_same_result(found.log_norms[i, : n + 1], single.log_norms)
        assert_same_result(reach[i, :n, :n], rd.reach(net, weights, **own))
        assert np.all(np.isnan(reach[i, n:]))


# --- starts -----------------------------------------------------------------------------------------------------------


def test_starts():
    """Zeros, a shared vector, a helper network: states, and gradients per sequence against PyTorch's autograd."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: no parity with it")
    cell, rng = rd.GRU(3, 2), np.random.default_rng(10)
    weights = {n: rng.normal(size=shape) for n, shape in cell.shapes.items()}
    inputs, static, vector = rng.normal(size=(4, 6, 2)), rng.normal(size=(4, 5)), rng.normal(size=3)
    torch.manual_seed(0)
    mlp = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double()
    module = torch.nn.GRU(2, 3, batch_first=True).double()
    with torch.no_grad():
        for name, value in weights.items():
            getattr(module, f"{name}_l0").copy_(torch.tensor(value))
    last = rng.normal(size=(4, 3))
    start = rd.Start.conditioned(mlp.state_dict(), static)
    states = rd.trajectory(cell, weights, inputs=inputs, state=start, **PLAIN)
    assert_close(states[:, 0], mlp(torch.tensor(static)).detach().numpy(), 1e-14)
    found = rd.gradients(cell, weights, inputs=inputs, state=start, cotangent_last=last, **PLAIN)
    _, h = module(torch.tensor(inputs), mlp(torch.tensor(static))[None])
    (h[0] * torch.tensor(last)).sum().backward()
    for name, parameter in mlp.named_parameters():
        assert found.weights[f"start.{name}"].shape == (4, *parameter.shape)
        assert_close(found.weights[f"start.{name}"].sum(axis=0), parameter.grad.numpy(), 1e-11)
    shared = rd.Start.shared(vector)
    found = rd.gradients(cell, weights, inputs=inputs, state=shared, cotangent_last=last, **PLAIN)
    given = rd.gradients(cell, weights, inputs=inputs, state=vector, cotangent_last=last, **PLAIN)
    assert_same_result(found.weights["start"], given.state)
    zero = rd.lyapunov(cell, weights, inputs=inputs, state=rd.Start.zeros(), **PLAIN)
    assert_same_result(tuple(zero), tuple(rd.lyapunov(cell, weights, inputs=inputs, state=np.zeros(3), **PLAIN)))
    net = rd.Bidirectional(cell)
    both = {f"{n}_l0{end}": v for n, v in weights.items() for end in ("", "_reverse")}
    shared = rd.Start.shared(np.concatenate([vector, vector]))
    found = rd.gradients(net, both, inputs=inputs, state=shared, cotangent_outputs=np.ones((6, 6)), **PLAIN)
    assert_same_result(found.weights["start"], found.state)


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_mistakes_are_told():
    """Layers that do not fit, names, joins, starts: one sentence each."""
    with pytest.raises(ValueError, match="layer 1 takes 3 inputs, but layer 0 has 6 outputs"):
        rd.Stack([rd.Bidirectional(rd.GRU(3, 2)), rd.GRU(3, 3)])
    with pytest.raises(ValueError, match="unknown join 'average'"):
        rd.Bidirectional(rd.GRU(3), "average")
    with pytest.raises(ValueError, match="a layer is a cell"):
        rd.Stack([rd.Stack([rd.GRU(3)])])
    net = rd.Stack([rd.GRU(3, 2), rd.GRU(3, 3)])
    with pytest.raises(rd.InputError, match="Did you mean 'weight_hh_l1'"):
        rd.trajectory(net, {"weight_hh_1": np.zeros((9, 3))}, steps=3)
    with pytest.raises(rd.InputError, match="exactly one of"):
        rd.gradients(net, {}, steps=3, cotangent_last=np.ones(6), cotangent=np.ones((4, 6)))
    with pytest.raises(rd.InputError, match="how many steps"):
        rd.gradients(net, {}, cotangent_last=np.ones(6))
    with pytest.raises(rd.InputError, match="gives 4 numbers for a state of 3"):
        rd.trajectory(rd.GRU(3), {}, steps=2, state=rd.Start.conditioned({"0.weight": np.ones((4, 5))}, np.ones(5)))
    with pytest.raises(rd.InputError, match=r"`static` has 6 numbers"):
        rd.Start.conditioned({"0.weight": np.ones((4, 5))}, np.ones(6))
    with pytest.raises(rd.InputError, match="no 'linear'"):
        rd.Start.conditioned({"linear": np.ones((4, 5))}, np.ones(5))


# --- far beyond the range of floating-point numbers, and single points ------------------------------------------------


def linear_pair(w):
    """Two linear layers h <- w h + input."""
    net = rd.Stack([rd.Linear(1, 1), rd.Linear(1, 1)])
    value = np.asarray(w, float)[..., None, None]
    one = np.ones_like(value)
    return net, {"weight_hh_l0": value, "weight_ih_l0": one, "weight_hh_l1": value, "weight_ih_l1": one}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("w", [0.01, 100.0])
def test_log_norms_of_a_stack_beyond_float64(w):
    """dL/dh_0 = (T + 1) w^T of the lower layer and w^T of the upper one, T = 400."""
    net, weights = linear_pair(w)
    found = rd.gradients(net, weights, inputs=np.zeros((400, 1)), cotangent_last=np.ones(2), **PLAIN)
    assert found.log_norms[0] == pytest.approx(400 * np.log(w) + 0.5 * np.log(401**2 + 1), abs=1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_one_diverging_point_of_a_stack():
    """The lower layer overflows: DIVERGED, alone or beside others, `steps` as of the layer by itself."""
    given = {"inputs": np.ones((400, 1)), **PLAIN}
    alone = rd.lyapunov(rd.Linear(1, 1), {"weight_hh": [[100.0]], "weight_ih": [[1.0]]}, **given)
    for w in ([100.0], [100.0, 0.01]):
        net, weights = linear_pair(w)
        found, states = rd.lyapunov(net, weights, **given), rd.trajectory(net, weights, **given)
        slopes = rd.gradients(net, weights, cotangent_last=np.ones(2), **given)
        expected = [rd.Status.DIVERGED, rd.Status.OK][: len(w)]
        assert found.status.tolist() == slopes.status.tolist() == expected
        assert found.steps.tolist() == [alone.steps, 400][: len(w)]
        assert found.exponents[0] == pytest.approx([np.log(100.0)] * 2, abs=1e-12)
        assert states[0, 2].tolist() == [101.0, 201.0]


def test_one_invalid_point_of_a_stack():
    """NaN in the upper layer's weights: all of that point is NaN, the lower layer too; in `reach` as well."""
    net, weights = linear_pair([0.5, np.nan])
    weights["weight_hh_l0"] = np.array([[0.5]])
    given = {"inputs": np.ones((5, 1)), **PLAIN}
    found, states = rd.lyapunov(net, weights, **given), rd.trajectory(net, weights, **given)
    assert found.status.tolist() == [rd.Status.OK, rd.Status.INVALID]
    for values in (found.exponents, states, rd.reach(net, weights, **given)):
        assert np.isfinite(values[0]).all()
        assert np.isnan(values[1]).all()
    with pytest.raises(rd.InputError, match="every point is invalid"):
        rd.trajectory(net, {name: value * np.nan for name, value in weights.items()}, **given)


def test_starts_of_outputs_and_reach():
    """A `Start` is taken as the array that it stands for."""
    for cell in (rd.Elman(2, 1), rd.Bidirectional(rd.Elman(2, 1))):
        weights = {name: np.full(shape, 0.3) for name, shape in cell.shapes.items()}
        vector = np.ones(cell.state_size)
        for quantity in (rd.outputs, rd.reach):
            found = [
                quantity(cell, weights, inputs=np.ones((3, 1)), state=v, **PLAIN)
                for v in (rd.Start.shared(vector), vector)
            ]
            assert_same_result(*found)


def test_sequences_of_one_step():
    """T = 1, and float32 throughout."""
    net, weights = linear_pair(0.5)
    found = rd.gradients(net, weights, inputs=np.ones((1, 1)), cotangent_last=[0.0, 1.0], dtype="float32", **PLAIN)
    assert found.state.tolist() == [0.5, 0.5]
    assert found.inputs.tolist() == [[1.0]]
    assert found.inputs.dtype == found.log_norms.dtype == np.float32


def test_progress_of_a_network():
    """One meter over all runs: it rises to the end once."""
    net, weights = linear_pair(0.5)
    told = []
    rd.lyapunov(net, weights, inputs=np.ones((9, 1)), progress=lambda done, total: told.append(done / total), **PLAIN)
    assert told == sorted(told)
    assert told.count(1.0) == 1
    assert told[0] < 0.5


@pytest.mark.parametrize("lengths", [[9, 3], [np.nan, 3], [2.5, 3]])
def test_wrong_lengths_of_a_network(lengths):
    """Refused as a single cell's are."""
    with pytest.raises(rd.InputError, match="`lengths` must be whole numbers from 1 to 5"):
        rd.trajectory(rd.Bidirectional(rd.Elman(2, 1)), {}, inputs=np.ones((2, 5, 1)), lengths=lengths, **PLAIN)
