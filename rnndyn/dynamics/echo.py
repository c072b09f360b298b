"""The boundary of the echo state property: where the conditional exponent of a driven network crosses zero."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .batch import choice
from .call import check_cell
from .lyapunov import lyapunov
from .noise import Noise
from .progress import PATIENCE, progress_display
from .status import Status
from .values import as_array

EchoState = namedtuple("EchoState", "scale stderr slope status")

OVER = ("recurrent", "inputs")
ROUNDS = 40  # of the search, at most
SURE = 2.0  # standard errors by which the exponents at the ends must differ from zero
ASIDE = 5.0  # standard errors by which the exponents at the crossing and beside it differ
WIDER = 5  # times that the points beside it move, at most


def echo_state(
    cell,
    weights,
    *,
    steps=None,
    transient=0,
    over="recurrent",
    between=(0.0, 4.0),
    tolerance=1e-3,
    inputs=None,
    state=None,
    qr_every=None,
    seed=0,
    first_index=0,
    device="auto",
    dtype="float64",
    threads=None,
    progress=None,
):
    """lambda_1(r) = 0: the factor r of the recurrent weights, or of the drive, at which a driven network loses its echo
    state property: below zero two starts under the same drive converge, above zero they part.

    over: "recurrent" (r multiplies all matrices `weight_hh...`) or "inputs" (r multiplies the inputs, of a `Noise` its
    standard deviation). between: the factors (numbers or batch arrays) that the search goes on between; the exponents
    there must differ from zero by two standard errors, in opposite directions. Other arguments as of `lyapunov`; all
    points of the search share starts and noise.
    The crossing is bracketed until the bracket is shorter than `tolerance`, or the exponent cannot be told from zero by
    its standard error; a line through three points about it, whose exponents differ by five standard errors, gives
    crossing and slope. Returns EchoState(scale (...), stderr (...): the exponent's standard error over the slope, of
    one point, since the three share their noise (up to sqrt(3) too much where their orbits part all the same); slope
    (...), d lambda_1 / d r; status (...)): NOT_CONVERGED, with NaN, where the exponent does not change its sign
    in between, INVALID where weights, inputs or start are.
    A negative exponent is that of the orbit from `state`: where several attractors coexist, other starts may keep apart
    although it is negative. Without inputs, state=zeros finds the factor 1 / rho(W) at which the origin is lost. Of
    several crossings one is found.
    Source: Jaeger, GMD Report 148 (2001) (echo states); Molgedey, Schuchhardt & Schuster, Phys. Rev. Lett. 69 (1992)
    3717 (the exponent under noise).
    Raises InputError for wrong names, shapes and values, and if every point is invalid.
    """
    check_cell(cell)
    choice("over", over, OVER)
    tolerance = as_array("tolerance", tolerance)
    if tolerance.shape or not 0 < tolerance < np.inf:
        raise InputError(f"`tolerance` must be a number above 0, not {tolerance}.")
    scaled = _scaling(over, weights, inputs)
    low, high = _ends(between)
    options = {
        "steps": steps, "transient": transient, "state": state, "qr_every": qr_every, "seed": seed, "k": 1,
        "first_index": first_index, "device": device, "dtype": dtype, "threads": threads,
    }  # fmt: skip
    with progress_display(progress, ROUNDS + 2 * WIDER + 3, text="echo state", patience=PATIENCE) as display:

        def exponent(scale):
            factors, drive = scaled(scale)
            part = display.part(1, "echo state")
            found = lyapunov(cell, factors, inputs=drive, progress=part, **options)
            part.at(part.total)
            value = found.exponents[..., 0].astype(float)
            value = np.where((found.status == Status.DIVERGED) & np.isnan(value), np.inf, value)
            return value, found.stderr[..., 0].astype(float), found.status

        search = Search(exponent, low, high, float(tolerance))
        search.run()
        found = search.result()
        display.at(display.total)
    return found


class Search:
    """The crossings of all points of a batch; `exponent(scale)` gives (values, standard errors, statuses)."""

    def __init__(self, exponent, low, high, tolerance):
        self.exponent, self.tolerance = exponent, tolerance
        below, error, status = exponent(low)
        above, other, _ = exponent(high)
        shape = below.shape
        self.invalid = status == Status.INVALID
        self.ends = [np.broadcast_to(end, shape).astype(float) for end in (low, high)]
        self.values = [below, above]
        self.sure = (np.abs(below) > SURE * error) & (np.abs(above) > SURE * other) & (below * above < 0)
        self.least, self.most = np.minimum(*self.ends), np.maximum(*self.ends)

    def run(self):
        """Narrow the brackets, all points in step; a point that is done stays where it is."""
        self.at = np.where(self.sure, 0.5 * (self.ends[0] + self.ends[1]), self.ends[0])
        going, held = self.sure.copy(), np.full(self.at.shape, -1)
        weights = [value.copy() for value in self.values]
        for turn in range(ROUNDS):
            going &= np.abs(self.ends[1] - self.ends[0]) > self.tolerance
            if not going.any():
                break
            self.at = np.where(going, self._next(weights, turn), self.at)
            value, error, _ = self.exponent(self.at)
            for end in (0, 1):
                mine = going & (np.sign(value) == np.sign(self.values[end]))
                self.ends[end] = np.where(mine, self.at, self.ends[end])
                self.values[end] = np.where(mine, value, self.values[end])
                # the end that stays twice in a row counts half (the Illinois rule), so that it moves at last
                weights[1 - end] = np.where(mine & (held == end), 0.5 * weights[1 - end], weights[1 - end])
                weights[end] = np.where(mine, value, weights[end])
                held = np.where(mine, end, held)
            going &= np.abs(value) > error
        narrow = self.sure & (np.abs(self.ends[1] - self.ends[0]) <= self.tolerance)
        self.at = np.where(narrow, 0.5 * (self.ends[0] + self.ends[1]), self.at)

    def _next(self, weights, turn):
        """Where the secant crosses zero; the middle in every third round, and where an exponent is infinite."""
        first, second = self.ends
        with np.errstate(invalid="ignore", divide="ignore"):
            secant = first - weights[0] * (second - first) / (weights[1] - weights[0])
        inside = (secant - first) * (secant - second) < 0
        return np.where(inside & (turn % 3 != 2), secant, 0.5 * (first + second))

    def result(self):
        """Crossing, error and slope by a line through three points about it.

        The outer two move apart until their exponents differ enough to tell a slope. The error counts the curvature:
        how much the crossing of the line differs from that of a parallel one through the middle point.
        """
        value, error, _ = self.exponent(self.at)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = ASIDE * error * np.abs((self.ends[1] - self.ends[0]) / (self.values[1] - self.values[0]))
        most = 0.25 * (self.most - self.least)
        step = np.clip(np.where(np.isfinite(step), step, 0.0), self.tolerance, most)
        for _ in range(WIDER):
            places, values, errors = [self.at], [value], [error]
            for side in (-1.0, 1.0):
                place = np.clip(self.at + side * step, self.least, self.most)
                beside, its_error, _ = self.exponent(place)
                places, values, errors = [*places, place], [*values, beside], [*errors, its_error]
            scatter = np.sqrt(np.mean(np.square(errors), axis=0))
            with np.errstate(invalid="ignore"):
                clear = ~self.sure | (np.abs(values[2] - values[1]) > ASIDE * scatter) | (step >= most)
            if clear.all():
                break
            step = np.where(clear, step, np.minimum(2.0 * step, most))
        middle, level = np.mean(places, axis=0), np.mean(values, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            offset = [place - middle for place in places]
            slope = sum(o * v for o, v in zip(offset, values, strict=True)) / sum(o * o for o in offset)
            scale = middle - level / slope
            bend = np.abs(level - value - slope * (middle - self.at))
            stderr = np.maximum(scatter, bend) / np.abs(slope)
        good = self.sure & np.isfinite(scale) & (self.least <= scale) & (scale <= self.most)
        status = np.where(good, Status.OK, Status.NOT_CONVERGED).astype(np.int8)
        status = np.where(self.invalid, np.int8(Status.INVALID), status)
        scale, stderr, slope = (np.where(good, found, np.nan) for found in (scale, stderr, slope))
        return EchoState(scale, stderr, slope, status)


def _ends(between):
    """The two factors that the search goes on between."""
    if not isinstance(between, (tuple, list)) or len(between) != 2:
        raise InputError(f"`between` must be two factors, the lower and the upper one, not {between!r}.")
    low, high = (as_array("between", end) for end in between)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and np.all(low >= 0) and np.all(low < high)):
        raise InputError("`between` must be two factors from 0 up, the first the smaller one.")
    return low, high


def _scaling(over, weights, inputs):
    """The function of factors (...) that gives (weights, inputs)."""
    if over == "inputs":
        if inputs is None:
            raise InputError("over='inputs': there are no inputs to multiply; give some, or `rd.Noise`.")
        if isinstance(inputs, Noise):
            return lambda scale: (weights, inputs.scaled(scale))
        array = as_array("inputs", inputs)
        return lambda scale: (weights, array * scale[..., None, None])
    if not hasattr(weights, "items"):
        raise InputError("`weights` must map names to arrays.")
    matrices = {name: as_array(name, value) for name, value in weights.items() if str(name).startswith("weight_hh")}
    if not matrices:
        raise InputError("over='recurrent': there is no weight_hh among the weights, nothing to multiply.")
    return lambda scale: ({**weights, **{n: m * scale[..., None, None] for n, m in matrices.items()}}, inputs)
