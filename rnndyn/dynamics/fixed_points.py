"""All fixed points of maps, stable or not, with eigenvalues, type and the bifurcation that each is lost by."""

from collections import namedtuple

from .cycles import cycles

FixedPoints = namedtuple("FixedPoints", "states eigenvalues type lost residual error count status")


def fixed_points(
    cell,
    weights,
    *,
    starts=32,
    spread=1.0,
    steps=200,
    inputs=None,
    seed=0,
    first_index=0,
    device="auto",
    threads=None,
    progress=None,
):
    """F(s) = s: the fixed points, stable and unstable, that Newton's method finds from many starts with deflation.

    Arguments as of `cycles`, whose period 1 these are.
    Returns FixedPoints, padded with NaN (0 in whole numbers) to the largest count M of a point:
        states (..., M, S N); eigenvalues (..., M, S N): those of DF(s), complex, from the largest modulus to the
        smallest (the multipliers of the map); type, lost, residual, error (..., M), count, status (...): as of
        `cycles`.
    Ordered by the states' values (to 6 digits), the first one first. All is done in float64.
    Source: Sussillo & Barak, Neural Computation 25 (2013) 626 (fixed points of recurrent networks).
    Raises InputError for wrong names, shapes and values, and if every point is invalid.
    """
    found = cycles(
        cell, weights, max_period=1, starts=starts, spread=spread, steps=steps, inputs=inputs, seed=seed,
        first_index=first_index, device=device, threads=threads, progress=progress,
    )  # fmt: skip
    return FixedPoints(found.points[..., 0, :], found.multipliers, *found[3:])
