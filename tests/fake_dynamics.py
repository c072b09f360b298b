"""A quick stand-in for `rnndyn.dynamics` on the scalar tanh unit, for tests of the floors above it."""

from collections import namedtuple

import numpy as np

Lyapunov = namedtuple("Lyapunov", "exponents stderr status steps")
Gradients = namedtuple("Gradients", "weights inputs state log_norms status")
Attractors = namedtuple("Attractors", "count period status")


class Fake:
    """Functions with the interface of `rnndyn.dynamics`; counts its calls, and raises `bomb` at call `fuse`."""

    def __init__(self, fuse=None, bomb=KeyboardInterrupt):
        self.calls, self.fuse, self.bomb = [], fuse, bomb

    def install(self, monkeypatch):
        from rnndyn import dynamics, kernels

        for name in ("trajectory", "lyapunov", "gradients", "attractors"):
            monkeypatch.setattr(dynamics, name, getattr(self, name), raising=False)
        monkeypatch.setattr(kernels, "fingerprint", lambda *cells: "fake", raising=False)
        monkeypatch.setattr(kernels, "describe", lambda: {"numba": "0"}, raising=False)
        return self

    def _interrupt(self, *arguments):
        raise self.bomb

    def _call(self, name, weights, progress, **options):
        if progress is not False:  # the sweep's; a report asks for its few points in silence
            if self.fuse is not None and len(self.calls) == self.fuse:
                raise self.bomb
            self.calls.append((name, options))
        others = [weights[name][..., 0] for name in weights if name.startswith("bias_i")]
        w, b, *_ = np.broadcast_arrays(weights["weight_hh"][..., 0, 0], weights["bias_hh"][..., 0], *others)
        if callable(progress):
            progress(w.size // 2, w.size)
            progress(w.size, w.size)
        return w, b

    def trajectory(self, cell, weights, *, steps, state, progress, **options):
        w, b = self._call("trajectory", weights, progress, **options)
        states = [np.broadcast_to(np.asarray(state)[..., 0], w.shape)]
        for _ in range(steps):
            states.append(np.tanh(w * states[-1] + b))
        return np.stack(states, axis=-1)[..., None]

    def lyapunov(self, cell, weights, *, steps, transient, seed, progress, first_index=0, **options):
        w, b = self._call("lyapunov", weights, progress, first_index=first_index, **options)
        indices = np.broadcast_to(first_index, w.size) + (np.ndim(first_index) == 0) * np.arange(w.size)
        draws = [np.random.default_rng([seed, index]).standard_normal() for index in indices]
        h, total = 0.1 * np.reshape(draws, w.shape), 0.0
        for t in range(60 + 60):
            a = w * h + b
            h = np.tanh(a)
            if t >= 60:
                with np.errstate(divide="ignore"):
                    total = total + np.log(np.abs(w)) + 2 * (np.log(2) - np.abs(a) - np.log1p(np.exp(-2 * np.abs(a))))
        status = np.where(w == 0, 2, np.where(np.abs(w) > 3.9, 3, 0)).astype(np.int8)
        return Lyapunov(total[..., None] / 60, np.full((*w.shape, 1), 1e-4), status, np.full(w.shape, steps))

    def gradients(self, cell, weights, *, cotangent_last, steps, progress, **options):
        w, b = self._call("gradients", weights, progress, **options)
        h, total = np.zeros_like(w), np.zeros_like(w)
        for _ in range(steps):
            h = np.tanh(w * h + b)
            with np.errstate(divide="ignore"):
                total = total + np.log(np.abs(w) * (1 - h * h))
        norms = np.stack([total, *[np.zeros_like(w)] * steps], axis=-1)
        return Gradients({}, None, None, norms, np.zeros(w.shape, np.int8))

    def last_state(self, cell, weights, **options):
        return self.trajectory(cell, weights, **options)[..., -1, :]

    def attractors(self, cell, weights, *, starts, steps, max_period, seed, first_index, progress, **options):
        from rnndyn.dynamics import theory

        w, b = self._call("attractors", weights, progress, first_index=first_index, **options)
        with np.errstate(invalid="ignore"):
            count = np.where(np.abs(b) < theory.fold_curve(w), 2, 1).astype(np.int32)
            period = np.where(np.abs(b) < theory.flip_curve(w), 2, 1).astype(np.int32)
        return Attractors(count, period, np.zeros(w.shape, np.int8))
