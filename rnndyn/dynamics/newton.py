"""Newton's method for cycles, on many networks at once: steps and exact Jacobians from the cells' own rules.

Rows are networks: `theta` (M, layout.size) in the kernels' order, states (M, S N). Inputs are zero. The rule runs
uncompiled on arrays of dual numbers, so that no formula stands here.
"""

import numpy as np

MOST = 60  # Newton steps; a double root takes some thirty
FINE = 1e-13  # a relative step below which Newton's method has converged
ROUGH = 1e-7  # and one below which it may stop when steps no longer shrink: rounding at a nearly double root


class Step:
    """s <- F(s) and DF(s) of a cell without inputs."""

    def __init__(self, cell):
        from ..kernels.rule import bind
        from ..kernels.step import Layout

        self.cell, self.layout, self.bound = cell, Layout(cell), bind(cell)

    def __call__(self, theta, state):
        """(F(s) (M, S N), DF(s) (M, S N, S N)): along the stages, da = W dv, then the rule's partials."""
        from ..kernels.dual import Dual
        from ..kernels.partials import jacobian, primal, seed

        n, (count, size) = self.cell.units, state.shape
        _, _, _, drive, parameters = self.layout.at
        values = list(state.reshape(count, -1, n).transpose(1, 0, 2))
        tangents = list(np.broadcast_to(np.eye(size), (count, size, size)).reshape(count, -1, n, size).swapaxes(0, 1))
        for stage in self.bound.stages:
            a, da = self._products(stage.plan, theta, values, tangents)
            groups = seed((a, tuple(values)))
            nothing = (None,) * (len(a) + len(values))  # an array beside a dual number must be one too
            x, p = (
                tuple(Dual(theta[:, start + k * n : start + (k + 1) * n], nothing) for k in blocks)
                for start, blocks in ((drive, stage.plan.drives), (parameters, stage.plan.parameters))
            )
            results = stage.update(x, *groups, p)
            moved = [*da, *tangents]
            tangents = [_combined(row, moved, count, n, size) for row in jacobian(results)]
            values = [np.broadcast_to(v, (count, n)) for v in primal(results)]
        return np.concatenate(values, axis=1), np.concatenate(tangents, axis=1)

    def _products(self, plan, theta, values, tangents):
        """(a, da) of a stage, one (M, N) and one (M, N, S N) for each gate."""
        n, (weights, bias, *_), a, da = self.cell.units, self.layout.at, [], []
        for product in plan.products:
            v, dv = values[product.sends], tangents[product.sends]
            for block in range(product.block, product.block + product.count):
                matrix = theta[:, weights + block * n * n : weights + (block + 1) * n * n].reshape(-1, n, n)
                matrix = matrix.swapaxes(1, 2) if product.transposed else matrix
                offset = 0.0 if product.transposed else theta[:, bias + block * n : bias + (block + 1) * n]
                a.append(np.einsum("mrn,mn->mr", matrix, v) + offset)
                da.append(matrix * dv if n == 1 else matrix @ dv)
        return tuple(a), da

    def cycle(self, theta, state, period):
        """(s, F(s), .., F^{p-1}(s)) (M, p, S N), F^p(s), DF^p(s): the product of the Jacobians along the orbit."""
        points, product = [], None
        for _ in range(period):
            points.append(state)
            state, partials = self(theta, state)
            product = partials if product is None else partials @ product
        return np.stack(points, axis=1), state, product


def _combined(row, moved, count, n, size):
    """Tangents of a rule's result, (M, N, S N), from its partials."""
    total = np.zeros((count, n, size))
    for partial, tangent in zip(row or (), moved, strict=row is not None):
        if partial is not None:
            total += np.broadcast_to(partial, (count, n))[:, :, None] * tangent
    return total


def polish(step, theta, start, reach, period, known=None):
    """Solve F^p(s) = s near `start`: (cycle (M, p, S N), DF^p (M, S N, S N), error (M,)), error inf where it failed.

    reach (M,): the longest step; who gets twice as far from the start is given up.
    known (M, K, S N): solutions to keep away from, NaN for none. Deflation divides the residual by the distances to
    them, which only changes the length of Newton's step: near a period doubling it leads from the fixed point to the
    cycle.
    Source: Farrell, Birkisson & Funke, SIAM J. Sci. Comput. 37 (2015) A2026.
    """
    count, size = start.shape
    points, products = np.full((count, period, size), np.nan), np.full((count, size, size), np.nan)
    error = np.full(count, np.inf)
    active, state, before = np.arange(count), start, np.full(count, np.inf)
    for _ in range(MOST):
        along, image, product = step.cycle(theta[active], state, period)
        move = _solve(np.eye(size) - product, image - state)
        if known is not None:
            move = move * _deflation(state, known[active], move)[:, None]
        length, scale = norm(move), np.maximum(1.0, norm(state))
        stalled = (length >= 0.5 * before) & (length <= ROUGH * scale)
        done = (length <= FINE * scale) | stalled
        hit = active[done]
        points[hit], products[hit], error[hit] = along[done], product[done], length[done]
        limit = reach[active]
        state = state + np.minimum(1.0, limit / length)[:, None] * move
        going = ~done & (norm(state - start[active]) <= 2.0 * limit)
        active, before, state = active[going], length[going], state[going]
        if not active.size:
            break
    return points, products, error


def _solve(matrices, vectors):
    """Solutions of many small linear systems; the shortest where a matrix is singular."""
    if vectors.shape[1] == 1:
        return vectors / matrices[:, 0]
    good = np.isfinite(matrices).all(axis=(1, 2)) & np.isfinite(vectors).all(axis=1)
    found = np.full(vectors.shape, np.nan)
    try:
        found[good] = np.linalg.solve(matrices[good], vectors[good][:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        found[good] = (np.linalg.pinv(matrices[good]) @ vectors[good][:, :, None])[:, :, 0]
    return found


def _deflation(state, known, move):
    """1 / (1 + sum over known k of (s - k) d / |s - k|^2), by which Newton's step d is stretched."""
    away = state[:, None] - known
    terms = np.einsum("mks,ms->mk", away, move) / np.einsum("mks,mks->mk", away, away)
    return 1.0 / (1.0 + np.nansum(terms, axis=1))


def norm(vectors):
    """The largest modulus along the last axis."""
    return np.abs(vectors[..., 0]) if vectors.shape[-1] == 1 else np.abs(vectors).max(axis=-1)


def radius(products):
    """Spectral radii (M,) of matrices (M, S N, S N): the modulus of a cycle's largest multiplier; NaN stays."""
    if products.shape[1] == 1:
        return np.abs(products[:, 0, 0])
    finite = np.isfinite(products).all(axis=(1, 2))
    found = np.full(len(products), np.nan)
    found[finite] = np.abs(np.linalg.eigvals(products[finite])).max(axis=1)
    return found
