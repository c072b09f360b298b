"""Quantities of networks of cells: each direction of each layer is a cell driven by the outputs of the layer below.

Lower layers never hear of upper ones, so that everything is made of single cells' runs: the spectrum is the union of
the layers' conditional spectra, gradients go down layer by layer as cotangents of outputs.
"""

import numpy as np

from ..errors import InputError, did_you_mean
from .batch import Batch, as_array, tailed
from .gradients import Gradients, gradients
from .lyapunov import Lyapunov, lyapunov
from .random import random_start
from .trajectory import trajectory

# --- what is given ----------------------------------------------------------------------------------------------------


class Given:
    """Weights, inputs and start of a network, for each of its cells; the start has all batch axes."""

    def __init__(self, net, weights, *, steps, inputs, lengths, state, extra=None, random=None):
        """extra: more arrays (array, own axes) with batch axes. random: (seed, first index) of a start not given."""
        self.net, self.weights = net, _split(net, weights)
        arrays = {
            f"{n}{d.suffix}": (value, len(d.cell.shapes[n]))
            for d in net.cells
            for n, value in self.weights[d.suffix].items()
        }
        self.inputs = None if inputs is None else as_array("inputs", inputs)
        self.lengths = None if lengths is None else as_array("lengths", lengths)
        if self.inputs is not None and self.inputs.ndim >= 2:
            arrays["inputs"] = (self.inputs, 2)
        if self.lengths is not None:
            arrays["lengths"] = (self.lengths, 0)
        if state is not None:
            state = tailed("state", as_array("state", state), (net.state_size,))
            arrays["state"] = (state, 1)
        self.shape = Batch(arrays | (extra or {})).shape
        if state is None:
            state = np.zeros(net.state_size)
            if random is not None:
                count = int(np.prod(self.shape, dtype=np.int64))
                state = random_start(random[0], random[1], count, net.state_size).reshape(*self.shape, -1)
        self.state = np.broadcast_to(state, (*self.shape, net.state_size))
        self.steps = steps

    def layers(self, **options):
        """For each layer [(direction, keywords of its run, its states or None on top), ...], bottom up."""
        inputs, steps = self.inputs, self.steps
        for number, row in enumerate(self.net.directions):
            runs, outputs = [], []
            last = number + 1 == len(self.net.directions)
            for direction in row:
                own = flipped(inputs, self.lengths) if direction.reverse else inputs
                given = {
                    "inputs": own,
                    "steps": steps,
                    "lengths": self.lengths,
                    "state": self.state[..., direction.state],
                }
                states = None if last else self.run(direction, given, **options)
                runs.append((direction, given, states))
                if not last:
                    outputs.append(self._output(direction, states))
            yield runs
            if not last:
                inputs, steps = joined(outputs, self.net.joins[number]), None

    def outputs(self, **options):
        """y of every step, (..., T, outputs), NaN after a sequence's end."""
        *_, runs = self.layers(**options)
        both = [self._output(d, self.run(d, keywords, **options)) for d, keywords, _ in runs]
        return joined(both, self.net.joins[-1])

    def run(self, direction, keywords, **options):
        """States of one cell."""
        return trajectory(direction.cell, self.weights[direction.suffix], **keywords, **options)

    def _output(self, direction, states):
        """The first field after every step, in the sequence's order."""
        output = states[..., 1:, : direction.cell.units]
        return flipped(output, self.lengths) if direction.reverse else output


def _split(net, weights):
    """{suffix: {name: array}}; unknown names are refused with the nearest."""
    if not hasattr(weights, "items"):
        raise InputError(f"`weights` must map names to arrays; {net!r} knows {', '.join(net.shapes)}.")
    names = {f"{n}{d.suffix}": (d.suffix, n, shape) for d in net.cells for n, shape in d.cell.shapes.items()}
    found: dict[str, dict] = {d.suffix: {} for d in net.cells}
    for key, value in weights.items():
        if key not in names:
            raise InputError(f"{net!r} has no weight {key!r}; it has {', '.join(names)}; {did_you_mean(key, names)}")
        suffix, name, shape = names[key]
        found[suffix][name] = tailed(key, as_array(key, value), shape)
    return found


def flipped(array, lengths):
    """Each sequence of (..., T, values) backwards, its padding where it was; constant inputs as they are."""
    if array is None or array.shape[-2] == 1:
        return array
    if lengths is None:
        return array[..., ::-1, :]
    length = np.asarray(lengths, np.int64)[..., None]
    times = np.arange(array.shape[-2])
    index = np.where(times < length, length - 1 - times, times)
    shape = np.broadcast_shapes(array.shape[:-2], index.shape[:-1])
    array = np.broadcast_to(array, (*shape, *array.shape[-2:]))
    return np.take_along_axis(array, np.broadcast_to(index, (*shape, index.shape[-1]))[..., None], axis=-2)


def joined(outputs, join):
    """The outputs of a layer from those of its directions."""
    if len(outputs) == 1:
        return outputs[0]
    if join == "concat":
        return np.concatenate(outputs, axis=-1)
    return (outputs[0] + outputs[1]) * (0.5 if join == "mean" else 1.0)


def parted(cotangent, number, row, join):
    """The cotangent of one direction's output from that of its layer's, the transpose of `joined`."""
    if len(row) == 1 or join == "sum":
        return cotangent
    n = row[0].cell.units
    return cotangent[..., number * n : (number + 1) * n] if join == "concat" else 0.5 * cotangent


# --- quantities -------------------------------------------------------------------------------------------------------


def network_trajectory(net, weights, *, steps, inputs, lengths, state, **options):
    """States of all cells side by side, each direction in its own order."""
    given = Given(net, weights, steps=steps, inputs=inputs, lengths=lengths, state=state)
    runs = [run for layer in given.layers(**options) for run in layer]
    states = [given.run(d, keywords, **options) if known is None else known for d, keywords, known in runs]
    return np.concatenate(states, axis=-1)


def network_lyapunov(
    net, weights, *, steps, transient, k, qr_every, inputs, lengths, state, seed, first_index, **options
):
    """The union of the cells' conditional spectra, from large to small."""
    size = net.state_size
    if k is not None and not 1 <= k <= size:
        raise InputError(f"`k` is {k}, but {net!r} has {size} exponents.")
    random = (seed, first_index)
    given = Given(net, weights, steps=steps, inputs=inputs, lengths=lengths, state=state, random=random)
    if steps is not None:
        given.steps = steps + transient
    found = []
    for layer in given.layers(**options):
        for direction, keywords, _ in layer:
            whole = keywords.pop("steps")
            found.append(
                lyapunov(
                    direction.cell,
                    given.weights[direction.suffix],
                    **keywords,
                    steps=None if whole is None else whole - transient,
                    transient=transient,
                    k=None if k is None else min(k, direction.cell.state_size),
                    qr_every=qr_every,
                    seed=seed,
                    first_index=first_index,
                    **options,
                )
            )
    exponents, stderr = (np.concatenate([getattr(f, name) for f in found], axis=-1) for name in ("exponents", "stderr"))
    order = np.argsort(np.where(np.isnan(exponents), np.inf, -exponents), axis=-1, kind="stable")[..., :k]
    exponents, stderr = (np.take_along_axis(v, order, axis=-1) for v in (exponents, stderr))
    return Lyapunov(exponents, stderr, _status(found), np.min([f.steps for f in found], axis=0))


def network_gradients(
    net, weights, *, cotangent, cotangent_last, cotangent_outputs, steps, inputs, lengths, state, **options
):
    """BPTT from the last layer to the first; each passes the cotangents of its inputs down."""
    size = net.state_size
    names = {
        "cotangent": (cotangent, 2),
        "cotangent_last": (cotangent_last, 1),
        "cotangent_outputs": (cotangent_outputs, 2),
    }
    extra = {n: (as_array(n, v), own) for n, (v, own) in names.items() if v is not None}
    given = Given(net, weights, steps=steps, inputs=inputs, lengths=lengths, state=state, extra=extra)
    layers = list(given.layers(**options))
    total = steps if given.inputs is None or given.inputs.shape[-2] == 1 else given.inputs.shape[-2]
    if total is None:
        raise InputError("neither `steps` nor `inputs` is given: how many steps?")
    direct = _direct(extra, given, total, size)
    outputs = np.zeros((1, net.outputs))
    if cotangent_outputs is not None:
        outputs = tailed("cotangent_outputs", extra["cotangent_outputs"][0], (total, net.outputs))
    found = {}
    for number in reversed(range(len(layers))):
        below = np.zeros(())
        for i, (direction, keywords, _) in enumerate(layers[number]):
            part = parted(outputs, i, net.directions[number], net.joins[number])
            part = np.broadcast_to(part, (*part.shape[:-2], total, part.shape[-1]))
            own = np.broadcast_to(
                direct[..., direction.state], (*given.shape, total + 1, direction.cell.state_size)
            ).copy()
            own[..., 1:, : direction.cell.units] += flipped(part, given.lengths) if direction.reverse else part
            if given.lengths is not None:
                own[np.arange(total + 1) > np.broadcast_to(given.lengths, given.shape)[..., None]] = 0
            result = gradients(direction.cell, given.weights[direction.suffix], cotangent=own, **keywords, **options)
            found[direction.suffix] = result
            below = below + (flipped(result.inputs, given.lengths) if direction.reverse else result.inputs)
        outputs = below
    ordered = [found[direction.suffix] for direction in net.cells]
    with np.errstate(invalid="ignore"):  # NaN after a sequence's end
        log_norms = 0.5 * np.logaddexp.reduce([2.0 * f.log_norms for f in ordered], axis=0)
    return Gradients(
        {n + d.suffix: value for d, f in zip(net.cells, ordered, strict=True) for n, value in f.weights.items()},
        outputs,
        np.concatenate([f.state for f in ordered], axis=-1),
        log_norms,
        _status(ordered),
    )


def _direct(extra, given, total, size):
    """dL/ds_t of the loss itself for all t, (..., T+1, S)."""
    if "cotangent" in extra:
        return tailed("cotangent", extra["cotangent"][0], (total + 1, size))
    direct = np.zeros((*given.shape, total + 1, size))
    if "cotangent_last" in extra:
        last = tailed("cotangent_last", extra["cotangent_last"][0], (size,))
        ends = np.broadcast_to(total if given.lengths is None else given.lengths, given.shape).astype(np.int64)
        np.put_along_axis(
            direct, ends[..., None, None], np.broadcast_to(last, (*given.shape, size))[..., None, :], axis=-2
        )
    return direct


def _status(found):
    """The lowest layer's status that is not OK."""
    status = found[-1].status
    for result in reversed(found[:-1]):
        status = np.where(result.status != 0, result.status, status)
    return status
