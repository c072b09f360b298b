"""Quantities of networks of cells: each direction of each layer is a cell driven by the outputs of the layer below.

Lower layers never hear of upper ones, so that everything is made of single cells' runs: the spectrum is the union of
the layers' conditional spectra, gradients go down layer by layer as cotangents of outputs.
"""

import numpy as np

from ..errors import InputError, did_you_mean
from .batch import ALL_INVALID, Batch, Problem, as_array, checked_lengths, clocked, flipped, index_axes, tailed
from .gradients import Gradients, gradients_of
from .lyapunov import Lyapunov, LyapunovHistory, spectra_of
from .noise import Noise
from .progress import PATIENCE, progress_display
from .random import random_start
from .scaled import Scaled
from .status import Status
from .trajectory import states_of

BOUND = 1e12  # a state beyond this has diverged

# --- what is given ----------------------------------------------------------------------------------------------------


class Given:
    """Weights, inputs, start and lengths of a network, checked once for all of its cells.

    Which points are invalid is decided here, by what the user gave; what a lower layer hands up may be anything.
    """

    def __init__(self, net, weights, *, steps, inputs, lengths, state, transient=0, extra=None, random=None):
        """extra: more arrays (array, own axes) with batch axes. random: (seed, grid index) of a start not given."""
        self.net, self.weights, self.transient = net, _split(net, weights), transient
        self.steps, self.total, self.inputs = clocked(net, steps, inputs, transient)
        self.lengths = None if lengths is None else checked_lengths(lengths, self.total, transient)
        arrays = {
            f"{n}{d.suffix}": (value, len(d.cell.shapes[n]))
            for d in net.cells
            for n, value in self.weights[d.suffix].items()
        }
        if isinstance(self.inputs, Noise):
            arrays |= self.inputs.arrays(net.inputs)
        elif self.inputs is not None:
            arrays["inputs"] = (self.within(self.inputs), 2)
        if self.lengths is not None:
            arrays["lengths"] = (self.lengths, 0)
        if state is not None:
            state = tailed("state", as_array("state", state), (net.state_size,))
            arrays["state"] = (state, 1)
        batch = Batch(arrays | (extra or {}))
        self.shape, self.invalid = batch.shape, batch.bad(batch.arrays)
        if self.invalid.all():
            raise InputError(ALL_INVALID)
        if state is None:
            state = np.zeros(net.state_size)
            if random is not None:
                first = batch.index(random[1], 0, batch.count)
                state = random_start(random[0], first, batch.count, net.state_size).reshape(*self.shape, -1)
        self.state = np.broadcast_to(state, (*self.shape, net.state_size))

    def within(self, inputs):
        """Inputs with zeros beyond each sequence's end, where anything may stand."""
        if self.lengths is None or inputs.shape[-2] == 1:
            return inputs
        return np.where(np.arange(inputs.shape[-2])[:, None] < self.lengths[..., None, None], inputs, 0.0)

    def problem(self, direction, inputs, **more):
        """What one cell has to do."""
        return Problem(
            direction.cell, self.weights[direction.suffix], steps=self.steps, inputs=inputs, lengths=self.lengths,
            state=self.state[..., direction.state], transient=self.transient, invalid=self.invalid, **more,
        )  # fmt: skip

    def layers(self, run, stop=False):
        """For each layer [(direction, its inputs, its states or None on top), ...], bottom up.

        run: from a problem to its states. stop: from where a layer has diverged on, the next one is given NaN.
        """
        inputs = self.inputs
        for number, row in enumerate(self.net.directions):
            runs, outputs = [], []
            last = number + 1 == len(self.net.directions)
            for direction in row:
                own = flipped(inputs, self.lengths) if direction.reverse else inputs
                states = None if last else run(self.problem(direction, own))
                runs.append((direction, own, states))
                if not last:
                    outputs.append(self.output(direction, states, stop))
            yield runs
            if not last:
                inputs = joined(outputs, self.net.joins[number])
                if stop:
                    lost = np.logical_or.accumulate(np.isnan(inputs).any(axis=-1), axis=-1)
                    inputs[lost] = np.nan

    def output(self, direction, states, stop=False):
        """The first field after every step, in the sequence's order; NaN, with `stop`, where the state diverged."""
        output = states[..., 1:, : direction.cell.units]
        if stop:
            bounded = (np.abs(states[..., 1:, :]) <= BOUND).all(axis=-1, keepdims=True)
            output = np.where(np.logical_and.accumulate(bounded, axis=-2), output, np.nan)
        return flipped(output, self.lengths) if direction.reverse else output


class Runs:
    """The runs of all cells on one meter."""

    def __init__(self, given, number, display, device, dtype, threads):
        self.display, self.how = display, ("cpu" if device == "auto" else device, dtype, threads)
        self.size = int(np.prod(given.shape, dtype=np.int64)) * given.total
        display.total = number * self.size

    def __call__(self, problem):
        return states_of(problem, *self.how, self.part())

    def part(self):
        """The progress of one run."""
        return self.display.part(self.size, "network")


def _split(net, weights):
    """{suffix: {name: array}}; unknown names are refused with the nearest."""
    if not hasattr(weights, "items"):
        raise InputError(f"`weights` must map names to arrays; {net!r} knows {', '.join(net.shapes)}.")
    names = {f"{n}{d.suffix}": (d.suffix, n, shape) for d in net.cells for n, shape in d.cell.shapes.items()}
    found: dict[str, dict] = {d.suffix: {} for d in net.cells}
    for key, value in weights.items():
        if key not in names:
            raise InputError(f"{net!r} has no weight {key!r}; it has {', '.join(names)}.{did_you_mean(key, names)}")
        suffix, name, shape = names[key]
        found[suffix][name] = tailed(key, as_array(key, value), shape)
    return found


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


def network_trajectory(net, weights, given, device, dtype, threads, progress, outputs=False):
    """States of all cells side by side, each direction in its own order; or `outputs` of the last layer."""
    given = Given(net, weights, **given)
    with progress_display(progress, 1, text="trajectory", patience=PATIENCE) as display:
        run = Runs(given, len(net.cells), display, device, dtype, threads)
        layers = [
            [(d, run(given.problem(d, own)) if known is None else known) for d, own, known in layer]
            for layer in given.layers(run)
        ]
    if outputs:
        return joined([given.output(d, states) for d, states in layers[-1]], net.joins[-1])
    return np.concatenate([states for layer in layers for _, states in layer], axis=-1)


def network_lyapunov(net, weights, given, wanted, device, dtype, threads, progress):
    """The union of the cells' conditional spectra, from large to small."""
    extra = index_axes(wanted.first_index)
    given = Given(net, weights, **given, extra=extra, random=(wanted.seed, wanted.first_index))
    found = []
    with progress_display(progress, 1, text="exponents", patience=PATIENCE) as display:
        run = Runs(given, _number(net), display, device, dtype, threads)
        for layer in given.layers(run, stop=True):
            for direction, own, _ in layer:
                own_wanted = wanted._replace(k=min(wanted.k, direction.cell.state_size))
                found.append(spectra_of(given.problem(direction, own), own_wanted, device, dtype, threads, run.part()))
    exponents, stderr = (np.concatenate([getattr(f, name) for f in found], axis=-1) for name in ("exponents", "stderr"))
    order = np.argsort(np.where(np.isnan(exponents), np.inf, -exponents), axis=-1, kind="stable")[..., : wanted.k]
    exponents, stderr = (np.take_along_axis(v, order, axis=-1) for v in (exponents, stderr))
    union = Lyapunov(exponents, stderr, _status(found), np.min([f.steps for f in found], axis=0))
    result = LyapunovHistory(*union, *_histories(found, order)) if wanted.history else union
    result.ran = _ran(found)
    return result


def _histories(found, order):
    """(history_steps, history, history_stderr) of a network: at the steps of the cell that ran longest, what each cell
    tells then; one that needed no more steps stays at its result."""
    length = max(f.history_steps.shape[-1] for f in found)
    longest = np.argmax([f.steps for f in found], axis=0)
    grids = np.array([_stretched(f.history_steps, length, -1) for f in found])
    steps = np.take_along_axis(grids, longest[None, ..., None], axis=0)[0]
    columns = []
    for name in ("history", "history_stderr"):
        parts = []
        for f in found:
            last = (f.history_steps[..., None, :] <= steps[..., :, None]).sum(axis=-1) - 1
            parts.append(np.take_along_axis(getattr(f, name), np.maximum(last, 0)[..., None], axis=-2))
        columns.append(np.concatenate(parts, axis=-1))
    return steps, *(np.take_along_axis(column, order[..., None, :], axis=-1) for column in columns)


def _stretched(array, length, axis):
    """An array whose last element along the axis is repeated up to a length."""
    more = length - array.shape[axis]
    return np.concatenate([array, np.repeat(np.take(array, [-1], axis=axis), more, axis=axis)], axis=axis)


def network_gradients(net, weights, given, loss, device, dtype, threads, progress):
    """BPTT from the last layer to the first; each passes the cotangents of its inputs down, with their powers of two.

    loss: {"cotangent", "cotangent_last" or "cotangent_outputs": (array, own axes)}.
    """
    given = Given(net, weights, **given, extra=loss)
    direct, outputs = _direct(loss, given, net)
    found = {}
    with progress_display(progress, 1, text="gradients", patience=PATIENCE) as display:
        run = Runs(given, _number(net), display, device, dtype, threads)
        layers = list(given.layers(run))
        for number in reversed(range(len(layers))):
            below, inputs = [], []
            for i, (direction, own, _) in enumerate(layers[number]):
                part = Scaled(parted(outputs.values, i, net.directions[number], net.joins[number]), outputs.powers)
                if direction.reverse:
                    part = Scaled(*(flipped(v, given.lengths) for v in part))
                total = _entering(given, direction, direct, part)
                extra = {"direct": (total.values, 2), "powers": (total.powers, 2)}
                problem = given.problem(direction, own, extra=lambda _, extra=extra: extra)
                result, above = gradients_of(problem, device, dtype, threads, run.part())
                found[direction.suffix] = result
                turn = direction.reverse
                inputs.append(flipped(result.inputs, given.lengths) if turn else result.inputs)
                below.append(Scaled(*(flipped(v, given.lengths) for v in above)) if turn else above)
            outputs = (below[0] if len(below) == 1 else below[0].plus(below[1])).near_one()
    ordered = [found[direction.suffix] for direction in net.cells]
    with np.errstate(invalid="ignore"):  # NaN after a sequence's end
        log_norms = 0.5 * np.logaddexp.reduce([2.0 * f.log_norms for f in ordered], axis=0)
    result = Gradients(
        {n + d.suffix: value for d, f in zip(net.cells, ordered, strict=True) for n, value in f.weights.items()},
        inputs[0] if len(inputs) == 1 else inputs[0] + inputs[1],
        np.concatenate([f.state for f in ordered], axis=-1),
        log_norms,
        _status(ordered),
    )
    result.ran = _ran(ordered)
    return result


def _ran(found):
    """On what the cells ran."""
    return "; ".join(dict.fromkeys(result.ran for result in found))


def _number(net):
    """Runs of a quantity that needs the states of all layers but the last, and one more of each cell."""
    return len(net.cells) + sum(len(row) for row in net.directions[:-1])


def _entering(given, direction, direct, part):
    """What enters one cell at all times: the loss's own cotangents of its states and `part`, those of its outputs."""
    shape = (*given.shape, given.total + 1, direction.cell.state_size)
    values = np.zeros(shape)
    values[..., 1:, : direction.cell.units] = part.values
    powers = np.zeros((*shape[:-1], 1))
    powers[..., 1:, :] = part.powers
    total = Scaled(np.broadcast_to(direct[..., direction.state], shape), np.zeros_like(powers)).plus(
        Scaled(values, powers)
    )
    if given.lengths is not None:
        total.values[np.arange(given.total + 1) > np.broadcast_to(given.lengths, given.shape)[..., None]] = 0
    return total


def _direct(loss, given, net):
    """dL/ds_t of the loss itself for all t, (..., T+1, S), and dL/dy_t, Scaled (..., T, outputs)."""
    total, size = given.total, net.state_size
    direct, outputs = np.zeros((*given.shape, total + 1, size)), np.zeros((total, net.outputs))
    if "cotangent" in loss:
        direct = tailed("cotangent", loss["cotangent"][0], (total + 1, size))
    elif "cotangent_outputs" in loss:
        outputs = tailed("cotangent_outputs", loss["cotangent_outputs"][0], (total, net.outputs))
    else:
        last = tailed("cotangent_last", loss["cotangent_last"][0], (size,))
        ends = np.broadcast_to(total if given.lengths is None else given.lengths, given.shape).astype(np.int64)
        np.put_along_axis(
            direct, ends[..., None, None], np.broadcast_to(last, (*given.shape, size))[..., None, :], axis=-2
        )
    return direct, Scaled.plain(outputs)


WORST = np.array([Status.OK, Status.SINGULAR, Status.NOT_CONVERGED, Status.DIVERGED, Status.INVALID])


def _status(found):
    """The worst of the cells' statuses; a rank that is lost is seen in the exponents, an error too large is not."""
    return WORST[np.max([np.argsort(WORST)[result.status] for result in found], axis=0)].astype(np.int8)
