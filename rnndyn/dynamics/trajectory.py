"""Orbits of many networks."""

import numpy as np

from ..cells.network import Network
from .batch import Problem
from .call import check, over_points
from .start import begun


def trajectory(
    cell,
    weights,
    *,
    steps=None,
    inputs=None,
    lengths=None,
    state=None,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """s_{t+1} = F(s_t, u_t): the states of every point, array (..., T+1, state_size), first row the initial state.

    weights: {name: array (..., *cell.shapes[name])}, PyTorch's names; missing ones are zero. inputs (..., T, I), or
    (..., 1, I) with `steps` for a constant input, or `Noise` with `steps`; state (..., state_size) or a `Start`, zeros
    if None; lengths (...): states after a sequence's end are NaN. All leading axes broadcast. Of a network: the states
    of its cells side by side, each direction in its own order.
    Raises InputError for wrong names, shapes and values, and if every point is invalid; the states of single invalid
    points (NaN or infinite weights, inputs, start) are NaN.
    """
    state, _ = begun(state, getattr(cell, "state_size", 0))
    device, dtype, threads = check(cell, device, dtype, threads)
    if isinstance(cell, Network):
        from .network import network_trajectory

        given = {"steps": steps, "inputs": inputs, "lengths": lengths, "state": state}
        return network_trajectory(cell, weights, given, device, dtype, threads, progress)
    problem = Problem(cell, weights, steps=steps, inputs=inputs, lengths=lengths, state=state)
    return states_of(problem, device, dtype, threads, progress)


def last_state(
    cell,
    weights,
    *,
    steps,
    inputs=None,
    state=None,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """The state after `steps` steps, (..., state_size), without keeping those before; arguments as in `trajectory`."""
    device, dtype, threads = check(cell, device, dtype, threads, networks=False)
    problem = Problem(cell, weights, steps=steps, inputs=inputs, lengths=None, state=state)
    return states_of(problem, device, dtype, threads, progress, keep=False)[..., -1, :]


def states_of(problem, device, dtype, threads, progress, keep=True):
    """All states, or the first and the last one."""
    from ..kernels import target

    run = target.Run(problem.cell, dtype, device, (problem.count * problem.total, 0))
    total, size = problem.total, problem.cell.state_size
    rows = total + 1 if keep else 2
    states = np.empty((problem.count, rows, size), dtype)

    def chunk(low, high, meter):
        states[low:high, 0] = problem.state(low, high)
        states[low:high, 1:] = target.trajectories(
            run,
            problem.theta(low, high, run.layout),
            problem.state(low, high),
            problem.inputs(low, high) if keep else problem.drive(low, high),
            total,
            keep,
            meter,
        )
        if keep and "lengths" in problem.batch.arrays:
            states[low:high][np.arange(rows) > problem.lengths(low, high)[:, None]] = np.nan
        states[low:high][problem.invalid[low:high]] = np.nan

    inputs = problem.rows * problem.cell.inputs if keep else problem.held(run)
    values = run.layout.size + rows * size + inputs
    over_points(chunk, problem, run, values, threads, progress, "trajectory")
    return states.reshape(*problem.batch.shape, rows, size)
