"""What becomes of orbits, with the evidence: settling, chaos, tori, growth; each test where it is sound.

1. Newton's method and multipliers (`attractors.Search`) for cycles up to a period: they decide near a boundary too.
2. Of an affine map s <- W s + b the eigenvalues of W decide alone.
3. What is left is run on, in rounds of 1, 4 and 16 times `steps`, in each of which
   - lambda_1 beyond four standard errors above zero, an orbit that keeps its size and whose averages do not converge
     as order's would, is chaos;
   - an orbit that closes to 1e-9 after q steps, with multipliers below 1 there, is a cycle of the long period q;
   - lambda_1 that cannot be told from zero, its growth and error over the run being bounded, with weighted averages
     that have converged to 2e-7 (`birkhoff`), is quasi-periodic if its nearest returns come no nearer: neither a spiral
     that still shrinks, nor weak chaos, nor a long cycle that attracts passes all of that. It is neutral, nothing
     attracting it, where volumes are kept.
   Whoever passes none of them, or is on an unstable or neutral cycle to rounding, stays undecided.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .attractors import BOUND, FOUND, GONE, NEUTRAL, UNDECIDED, Search
from .birkhoff import Averages, pieces, stays
from .evidence import DecidedBy, Evidence, Regime
from .growth import summary
from .newton import norm, radius

RUNS = (1, 4, 16)  # multiples of `steps` that orbits without a verdict are looked at for
COLUMNS = 3  # exponents that are measured, at most
BEYOND = 4.0  # standard errors by which an exponent differs from zero
LEAST = 12.0  # ln growth in a run of chaos: that of neutral directions is bounded, or grows like ln T
BOUNDED = 16.0  # ln growth in a run that lambda_1 and its error stay below, to be called zero: on tori it is bounded
KEEPS = 2.0  # the factor within which a bounded orbit keeps its size from one half of a run to the other
REGULAR = 2e-7  # drift of smooth averages, in standard deviations of the state, up to which an orbit is regular
FROZEN = 1e-10  # and one that chaos has at least: without it, an orbit is on an unstable cycle to the last digit
CLOSES = 1e-9  # a relative distance up to which an orbit has closed
LONGEST = 1000  # steps after which it may
SHRINKS = 0.5  # how much ln of the distance of returns may fall in the longest run, if no cycle attracts
TOGETHER = 1 << 21  # numbers of a window of states that are held at a time
VOLUME = 1e-10  # |ln |det DF|| up to which volumes are kept


class Course(NamedTuple):
    """How far orbits go: steps before the search, and of a first run; the longest period; starts of a point."""

    transient: int
    steps: int
    period: int
    starts: int

    @property
    def total(self):
        """Steps of an orbit that gets a verdict in its first run at the latest, or none of it."""
        return self.transient + self.steps


class Runs(NamedTuple):
    """How rows move: `orbit(rows, state, steps, keep, meter)` gives states, `spectra(rows, state, frame, steps, meter)`
    the growth of frames, `frame(rows)` random ones (rows, S N, k) of at most `COLUMNS` columns."""

    orbit: Callable
    spectra: Callable
    frame: Callable


def fates(step, theta, start, course, runs, meter):
    """`Evidence` of orbits from `start` (rows, S N), the starts of a point one after another."""
    from ..kernels.tiles import Meter

    size, silent = step.cell.state_size, Meter()
    silent.stop = meter.stop
    found = Evidence.empty(len(theta), size, course.period)
    search = Search(step, theta, course.starts, course.period)
    search.run(runs.orbit, start, course.transient, meter)
    _settled(found, search)
    rows = np.flatnonzero((search.fate == UNDECIDED) & (search.like == np.arange(len(theta))))
    rows = rows[~_affine(found, search, rows)]
    rows = rows[~_neutral(found, search, rows)]
    meter.add((len(theta) - len(rows)) * course.steps)
    state, frame = search.last[rows], runs.frame(rows)
    for turn in RUNS:
        if not len(rows):
            break
        steps = turn * course.steps
        spectrum = runs.spectra(rows, state, frame, steps, meter if turn == 1 else silent)
        exponents, errors, _, _ = summary(spectrum)
        on = np.zeros(len(rows), bool)
        for part in _parts(len(rows), size):
            told = exponents[part], errors[part], spectrum.alive[part], spectrum.state[part]
            on[part] = _judge(found, rows[part], search, *told, steps, turn / RUNS[-1], runs.orbit, silent)
        rows, state, frame = rows[on], found.state[rows[on]], spectrum.frame[on]
    for array in found:
        array[:] = array[search.like]
    return found


def _settled(found, search, rows=slice(None)):
    """What the search has decided."""
    fate = search.fate[rows]
    rows = np.arange(len(search.fate))[rows]
    there, gone = rows[fate == FOUND], rows[fate == GONE]
    period, size = search.period[there], search.multiplier[there]
    with np.errstate(divide="ignore"):
        exponent = np.log(size) / period
    found.put(
        there, regime=np.where(period == 1, Regime.FIXED_POINT, Regime.CYCLE), period=period, exponent=exponent,
        stderr=0.0, multiplier=size, zeros=0, test=DecidedBy.MULTIPLIERS, points=search.points[there],
        state=search.points[there, 0], mean=np.nan, error=search.error[there, None],
    )  # fmt: skip
    found.put(gone, regime=Regime.GROWING, test=DecidedBy.BOUND)


def _neutral(found, search, rows):
    """Which rows creep beside a cycle whose multiplier has modulus 1."""
    there = search.neutral[rows] & search.creeps[rows]
    mine = rows[there]
    found.put(
        mine, regime=Regime.NEUTRAL, exponent=0.0, stderr=NEUTRAL, multiplier=search.multiplier[mine],
        test=DecidedBy.MULTIPLIERS, state=search.last[mine],
    )  # fmt: skip
    return there


def _affine(found, search, rows):
    """Which rows are of affine maps s <- W s + b: of those, eig W decides alone.

    The Jacobian of an affine map is the same at states of any size. Where |eig W| = 1, it grows all the same if the
    powers of [[W, b], [0, 1]] do: like a power of t, by a double root (h <- h + b, a shear).
    """
    step, theta, size = search.step, search.theta[rows], search.step.cell.state_size
    probe, same = (
        np.broadcast_to(2.0 * np.cos(1.7 * np.arange(size)) - 0.1, (len(rows), size)),
        np.ones(len(rows), bool),
    )
    if not len(rows):
        return same
    _, jacobian = step(theta, probe)
    for factor in (-1.0, 100.0, -100.0):
        _, other = step(theta, factor * probe)
        scale = np.abs(jacobian).max(axis=(1, 2), keepdims=True)
        same &= (np.abs(other - jacobian) <= 1e-14 * scale).all(axis=(1, 2))
    if not same.any():
        return same
    mine, jacobian = rows[same], jacobian[same]
    modulus = np.abs(np.linalg.eigvals(jacobian)).max(axis=1)
    powers = np.zeros((len(mine), size + 1, size + 1))
    powers[:, :size, :size], powers[:, size, size] = jacobian, 1.0
    powers[:, :size, size] = offset = step(search.theta[mine], np.zeros((len(mine), size)))[0]
    sizes = []
    for _ in range(20):
        powers = powers @ powers
        sizes.append(np.abs(powers).max(axis=(1, 2)))
    settles, grows = modulus < 1.0 - NEUTRAL, modulus > 1.0 + NEUTRAL
    grows |= ~settles & ~(sizes[-1] <= KEEPS * sizes[9])
    last = search.last[mine]
    rests = norm(step(search.theta[mine], last)[0] - last) <= CLOSES * np.maximum(1.0, norm(last))  # it can't grow
    regimes = [Regime.FIXED_POINT, Regime.UNDECIDED, Regime.GROWING]
    found.put(
        mine, regime=np.select([settles, rests & (modulus > 1.0 + NEUTRAL), grows & ~rests], regimes, Regime.NEUTRAL),
        period=settles.astype(np.int32), exponent=np.log(modulus), stderr=0.0, multiplier=modulus,
        test=DecidedBy.EIGENVALUES, state=np.where(grows[:, None], np.nan, search.last[mine]),
    )  # fmt: skip
    if settles.any():
        point = np.linalg.solve(np.eye(size) - jacobian[settles], offset[settles][:, :, None])[:, :, 0]
        rest = np.full((len(point), search.most - 1, size), np.nan)
        found.put(mine[settles], state=point, points=np.concatenate([point[:, None], rest], axis=1), error=0.0)
    return same


def _parts(rows, size):
    """Slices of so many rows that the windows of their states take some tens of megabytes."""
    many = max(1, TOGETHER // (LONGEST * size))
    return [slice(low, low + many) for low in range(0, rows, many)]


def _judge(found, rows, search, exponents, errors, alive, state, steps, part, orbit, meter):
    """Look at one run of rows without a verdict, `part` of the longest, from the state where the exponents' ended;
    returns which of them have none still."""
    size, step = search.step.cell.state_size, search.step
    look = Averages(
        pieces(lambda s, n: orbit(rows, s, n, True, meter), state, steps), len(rows), size, steps,
        max(search.most, min(steps // 2, LONGEST)),
    )  # fmt: skip
    window, last = look.window, look.window[:, -search.most - 1 :]
    on = alive & (np.abs(window) <= BOUND).all(axis=(1, 2))
    found.put(rows[~on], regime=Regime.GROWING, test=DecidedBy.BOUND)
    search.decide(rows[on], last[on], norm(last[on, 1:] - last[on, :1]))
    _settled(found, search, rows[on])
    on &= search.fate[rows] == UNDECIDED
    first, error = exponents[:, 0], errors[:, 0]
    scale = np.maximum(1.0, norm(window[:, 0]))
    closed = norm(window[:, 1:] - window[:, :1]) <= CLOSES * scale[:, None]
    returned = np.where(closed.any(axis=1), closed.argmax(axis=1) + 1, 0)
    keeps, drift = look.growth <= KEEPS, look.irregular()
    zero = np.abs(exponents) <= BEYOND * errors + 1e-14
    chaos = (first > BEYOND * error) & (first * steps > LEAST) & keeps & (drift > FROZEN)
    cycle, rate = on & (returned > search.most), first.copy()  # a shorter one Newton's method has refused
    rate[cycle] = _rates(step, search.theta[rows[cycle]], window[cycle, -1], returned[cycle])
    cycle &= rate * returned < -NEUTRAL
    zeros, volume = zero.sum(axis=1), np.zeros(len(rows), bool)
    small = (np.abs(first) + BEYOND * error) * steps <= BOUNDED
    torus = on & zero[:, 0] & small & (drift <= REGULAR) & keeps & (returned == 0)
    volume[torus] = _keeps_volume(step, search.theta[rows[torus]], last[torus])
    torus[torus] = stays(look.first[torus], window[torus], SHRINKS * part * (1.0 - window.shape[1] / steps))
    torus &= volume | (zeros < size)  # what attracts contracts in some direction
    period = np.where(cycle, returned, 0)
    regime = np.select(
        [chaos, cycle, torus & volume, torus],
        [Regime.CHAOTIC, Regime.CYCLE, Regime.NEUTRAL, Regime.QUASI_PERIODIC],
        Regime.UNDECIDED,
    )
    test = np.select([chaos, cycle, torus], [DecidedBy.EXPONENT, DecidedBy.RETURN, DecidedBy.AVERAGES], DecidedBy.NONE)
    smooth = ~chaos[:, None]
    first, error = np.where(cycle, rate, first), np.where(cycle, 0.0, error)
    multiplier = np.where(cycle, np.exp(rate * returned), np.nan)
    found.put(
        rows[on], regime=regime[on], test=test[on], exponent=first[on], stderr=error[on], zeros=zeros[on],
        period=period[on], multiplier=multiplier[on], state=window[on, -1],
        mean=np.where(smooth, look.smooth, look.mean)[on],
        error=np.where(smooth, look.drift + REGULAR * look.spread, look.error)[on],
    )  # fmt: skip
    return on & (regime == Regime.UNDECIDED)


def _rates(step, theta, state, period):
    """ln |largest multiplier| / period of cycles of different lengths (rows,) through states: of the product of
    Jacobians, kept within the range on the way."""
    logs, product = np.zeros(len(theta)), np.broadcast_to(np.eye(state.shape[1]), (len(theta), *2 * state.shape[1:]))
    for number in range(int(period.max(initial=0))):
        on = number < period
        image, jacobian = step(theta, state)
        product, state = np.where(on[:, None, None], jacobian @ product, product), np.where(on[:, None], image, state)
        scale = np.abs(product).max(axis=(1, 2))
        scale = np.where(scale > 0, scale, 1.0)
        logs, product = logs + np.log(scale), product / scale[:, None, None]
    return (logs + np.log(radius(product))) / period


def _keeps_volume(step, theta, states):
    """Whether |det DF| = 1 at each of some states (rows, P, S N)."""
    kept = np.ones(len(theta), bool)
    for state in states.transpose(1, 0, 2) if len(theta) else ():
        _, jacobian = step(theta, state)
        kept &= np.abs(np.linalg.slogdet(jacobian)[1]) <= VOLUME
    return kept
