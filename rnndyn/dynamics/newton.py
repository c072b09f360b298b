"""Newton's method for cycles, on many networks at once: steps and exact Jacobians from the cells' own rules.

Rows are networks: `theta` (M, layout.size) in the kernels' order, states (M, S N). Inputs are zero, or constant and
`held` in the biases. The rule runs uncompiled on arrays of dual numbers, so that no formula stands here.
"""

import numpy as np

BOUND = 1e12  # a state beyond this has diverged, as in `lyapunov`
SAME = 1e-8  # a relative distance below which states, and points of cycles, are the same
MOST = 60  # Newton steps; a double root takes some thirty
FINE = 1e-13  # a relative step below which Newton's method has converged
CLOSED = 1e-6  # a relative residual above which a short step proves nothing: its matrix was singular, or out of range
ROUGH = 1e-7  # and one below which it may stop when steps no longer shrink: rounding at a nearly double root


class Step:
    """s <- F(s) and DF(s) of a cell without inputs."""

    def __init__(self, cell):
        from ..kernels.rule import bind
        from ..kernels.step import Layout

        self.cell, self.layout, self.bound = cell, Layout(cell), bind(cell)

    def __call__(self, theta, state, along=None):
        """(F(s) (M, S N), DF(s) (M, S N, S N)): along the stages, da = W dv, then the rule's partials.

        along (M, layout.size): a direction of the weights; the derivative of F(s) in it is then DF's last column.
        """
        from ..kernels.dual import Dual
        from ..kernels.partials import jacobian, primal, seed

        n, (count, size) = self.cell.units, state.shape
        columns = size if along is None else size + 1
        values = list(state.reshape(count, size // n, n).transpose(1, 0, 2))
        frame = np.broadcast_to(np.eye(size, columns), (count, size, columns))
        tangents = list(frame.reshape(count, size // n, n, columns).swapaxes(0, 1))
        for stage in self.bound.stages:
            a, da = self._products(stage.plan, theta, values, tangents, along)
            x, p = self._given(stage.plan, theta)
            moved = [*da, *tangents]
            if along is None:
                groups = seed((a, tuple(values)))
                nothing = (None,) * len(moved)  # an array beside a dual number must be one too
                x, p = (tuple(Dual(number, nothing) for number in group) for group in (x, p))
                results = stage.update(x, *groups, p)
            else:
                a, values, x, p = seed((a, tuple(values), x, p))
                results = stage.update(x, a, values, p)
                for group in self._given(stage.plan, along):
                    moved += [number[:, :, None] * (np.arange(columns) == size) for number in group]
            tangents = [_combined(row, moved, count, n, columns) for row in jacobian(results)]
            values = [np.broadcast_to(v, (count, n)) for v in primal(results)]
        return np.concatenate(values, axis=1), np.concatenate(tangents, axis=1)

    def _given(self, plan, theta):
        """(x, p) of a stage, one (M, N) for each drive and for each parameter: linear in the weights."""
        n, (*_, drive, parameters) = self.cell.units, self.layout.at
        return tuple(
            tuple(theta[:, start + k * n : start + (k + 1) * n] for k in blocks)
            for start, blocks in ((drive, plan.drives), (parameters, plan.parameters))
        )

    def _products(self, plan, theta, values, tangents, along):
        """(a, da) of a stage, one (M, N) and one (M, N, columns) for each gate."""
        n, a, da = self.cell.units, [], []
        for product in plan.products:
            v, dv = values[product.sends], tangents[product.sends]
            for block in range(product.block, product.block + product.count):
                matrix, offset = self._weights(product, block, theta)
                a.append(np.einsum("mrn,mn->mr", matrix, v) + offset)
                da.append(matrix * dv if n == 1 else matrix @ dv)
                if along is not None:
                    matrix, offset = self._weights(product, block, along)
                    da[-1][:, :, -1] += np.einsum("mrn,mn->mr", matrix, v) + offset
        return tuple(a), da

    def _weights(self, product, block, theta):
        """(W, b) of a gate: (M, N, N), and (M, N) or 0."""
        n, (weights, bias, *_) = self.cell.units, self.layout.at
        matrix = theta[:, weights + block * n * n : weights + (block + 1) * n * n].reshape(len(theta), n, n)
        if product.transposed:
            return matrix.swapaxes(1, 2), 0.0
        return matrix, theta[:, bias + block * n : bias + (block + 1) * n]

    def cycle(self, theta, state, period, along=None):
        """(s, F(s), .., F^{p-1}(s)) (M, p, S N), F^p(s), DF^p(s): the product of the Jacobians along the orbit.

        along as in a call: the derivative of F^p(s) in it is then the last column.
        """
        points, product, size = [], None, state.shape[1]
        for _ in range(period):
            points.append(state)
            state, partials = self(theta, state, along)
            if product is None:
                product = partials
            else:
                product = partials[:, :, :size] @ product
                product[:, :, size:] += partials[:, :, size:]
        return np.stack(points, axis=1), state, product


def held(layout, theta, inputs):
    """Weights (M, layout.size) of the same networks without inputs: weight_ih u, u (M, I), is added to bias_ih.

    Linear in the weights: directions of them are held in the same way.
    """
    (start, size), (bias, drives) = layout.places["weight_ih"], layout.places["bias_ih"]
    theta = theta.copy()
    if size:
        matrix = theta[:, start : start + size].reshape(len(theta), drives, -1)
        theta[:, bias : bias + drives] += np.einsum("mdi,mi->md", matrix, inputs)
    return theta


def _combined(row, moved, count, n, columns):
    """Tangents of a rule's result, (M, N, columns), from its partials."""
    total = np.zeros((count, n, columns))
    for partial, tangent in zip(row or (), moved, strict=row is not None):
        if partial is not None:
            total += (partial[:, :, None] if np.ndim(partial) else partial) * tangent
    return total


def polish(step, theta, start, reach, period, known=None, shift=np.inf, most=MOST):
    """Solve F^p(s) = s near `start`: (cycle (M, p, S N), DF^p (M, S N, S N), error (M,)), error inf where it failed.

    reach (M,): the longest step; who gets twice as far from the start is given up.
    known (M, K, S N): solutions to keep away from, NaN for none. Deflation multiplies the residual by 1 / distance +
    1 / shift for each of them, which only changes the length of Newton's step: near a period doubling it leads from the
    fixed point to the cycle. most: steps.
    Source: Farrell, Birkisson & Funke, SIAM J. Sci. Comput. 37 (2015) A2026.
    """
    count, size = start.shape
    points, products = np.full((count, period, size), np.nan), np.full((count, size, size), np.nan)
    error = np.full(count, np.inf)
    active, state, before = np.arange(count), start, np.full(count, np.inf)
    for _ in range(most):
        along, image, product = step.cycle(theta[active], state, period)
        move = solve(np.eye(size) - product, image - state)
        length, scale = norm(move), np.maximum(1.0, norm(state))
        stalled = (length >= 0.5 * before) & (length <= ROUGH * scale)
        done = (length <= FINE * scale) | stalled
        hit = active[done]
        points[hit], products[hit], error[hit] = along[done], product[done], length[done]
        limit, before = reach[active], length
        if known is not None:
            move = move * _deflation(state, known[active], move, shift)[:, None]
            length = norm(move)
        state = state + np.minimum(1.0, limit / length)[:, None] * move
        going = ~done & (norm(state - start[active]) <= 2.0 * limit)
        active, before, state = active[going], before[going], state[going]
        if not active.size:
            break
    return points, products, error


def solve(matrices, vectors):
    """Solutions of many small linear systems; the shortest where a matrix is singular, NaN where it is not finite."""
    if vectors.shape[1] == 1:
        return vectors / matrices[:, 0]
    good = np.isfinite(matrices).all(axis=(1, 2)) & np.isfinite(vectors).all(axis=1)
    found = np.full(vectors.shape, np.nan)
    try:
        found[good] = np.linalg.solve(matrices[good], vectors[good][:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        singular = good.copy()
        singular[good] = np.linalg.slogdet(matrices[good]).sign == 0
        good &= ~singular
        found[good] = np.linalg.solve(matrices[good], vectors[good][:, :, None])[:, :, 0]
        found[singular] = (np.linalg.pinv(matrices[singular]) @ vectors[singular][:, :, None])[:, :, 0]
    return found


def _deflation(state, known, move, shift):
    """1 / (1 + sum over known k of (s - k) d / |s - k|^2 / (1 + |s - k| / shift)), which stretches Newton's step d."""
    away = state[:, None] - known
    square = np.einsum("mks,mks->mk", away, away)
    terms = np.einsum("mks,ms->mk", away, move) / square
    if shift < np.inf:
        terms /= 1.0 + np.sqrt(square) / shift
    return 1.0 / (1.0 + np.nansum(terms, axis=1))


def least_period(points, error):
    """The least period (M,) of solutions of F^p(s) = s, points (M, p, S N), known to within error (M,)."""
    period = points.shape[1]
    least = np.full(len(points), period)
    tolerance = SAME * np.maximum(1.0, norm(points[:, 0])) + 100.0 * error
    for shorter in range(period - 1, 0, -1):
        if period % shorter == 0:
            least[norm(points[:, shorter] - points[:, 0]) <= tolerance] = shorter
    return least


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
