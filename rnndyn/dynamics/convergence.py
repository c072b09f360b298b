"""How the error of a step falls with dt: of the state and of the exponents, against the flow's own."""

from collections import namedtuple

import numpy as np

from ..errors import InputError
from .batch import named
from .flow import check_step, flow_trajectory
from .flow_spectrum import flow_exponents
from .lyapunov import lyapunov
from .progress import PATIENCE, progress_display
from .trajectory import last_state
from .values import as_array, positive, whole

Convergence = namedtuple(
    "Convergence", "dt error order order_stderr exponent_error exponent_order exponent_order_stderr"
)
FINEST = 100.0  # times the reference's tolerance: errors below that are the reference's or rounding
BENT = 0.1  # of an order: by as much more than at the finest steps may the slope differ in the asymptotic range


def convergence(
    cell,
    weights,
    *,
    time,
    steps,
    exponents=True,
    inputs=None,
    state=None,
    seed=0,
    first_index=0,
    tolerance=1e-12,
    device="auto",
    threads=None,
    progress=None,
):
    """|s_n - s(t)| and |lambda_n - lambda(t)| over dt = t / n, and their orders p: error ~ dt^p as dt -> 0.

    cell: a step of a field, such as `rd.Leaky(8)` or `rd.RK4(rd.Leaky.vector_field(8))`; its dt is set here. time: t;
    steps (D,): the numbers n, rising. The reference is `flow_trajectory` and `flow_exponents` at the `tolerance`. The
    exponents are those of the time t alone, of the same start and frame for step and flow: their difference needs no
    limit and has no statistical error. On chaotic orbits take a time short beside 1 / lambda_1 ln(1/tolerance).
    Returns Convergence(dt (D,), error (..., D), order (...), order_stderr (...), exponent_error (..., D) per unit time,
    exponent_order (...), exponent_order_stderr (...)), errors as Euclidean norms over the state and the spectrum; the
    last three None with exponents=False, which saves most of the time. Orders are NaN where too few errors are above
    the reference's own. See `fitted_order` for the fit. Other arguments as of `lyapunov`; inputs are constant.
    Source: Hairer, Norsett & Wanner, Solving ODEs I (1993), section II.3.
    Raises InputError for wrong names, shapes and values, for cells that are no steps, and if every point is invalid.
    """
    check_step(cell, "convergence is")
    time, tolerance = positive("time", time), positive("tolerance", tolerance)
    numbers = as_array("steps", steps, None)
    if numbers.ndim != 1 or len(numbers) < 3 or (np.diff(numbers) <= 0).any():
        raise InputError("`steps` must be three or more rising whole numbers, (D,).")
    numbers = [whole("steps", number.item(), 1) for number in numbers]
    weights = {name: array for name, array in named(cell, weights).items() if name != "dt"}
    same = {"inputs": inputs, "state": state}
    seeded, run = {"seed": seed, "first_index": first_index}, {"device": device, "threads": threads}
    exact = {"rtol": tolerance, "atol": tolerance}
    dt = time / np.array(numbers, float)
    distances, differences = [], []
    with progress_display(progress, 2 * len(numbers), text="convergence", patience=PATIENCE) as display:
        begin = len(numbers) * (0.5 if exponents else 1.0)
        part = display.part(begin, "flow")
        target = flow_trajectory(cell, weights, times=[time], **same, **exact, progress=part)[..., 0, :]
        if exponents:
            part = display.part(len(numbers) - begin, "flow")
            spectrum = flow_exponents(cell, weights, time=time, **same, **exact, **seeded, progress=part).exponents
        for j, number in enumerate(numbers):
            here = {**weights, "dt": dt[j]}
            with np.errstate(all="ignore"):
                end = last_state(cell, here, steps=number, **same, **run, progress=False)
                distances.append(np.linalg.norm(end - target, axis=-1))
                if exponents:
                    found = lyapunov(cell, here, steps=number, qr_every=1, **same, **seeded, **run, progress=False)
                    differences.append(np.linalg.norm(found.exponents / dt[j] - spectrum, axis=-1))
            display.at(len(numbers) + j + 1)
    error = np.stack(distances, axis=-1)
    order, stderr = fitted_order(dt, error, FINEST * tolerance * np.maximum(1.0, np.linalg.norm(target, axis=-1)))
    if not exponents:
        return Convergence(dt, error, order, stderr, None, None, None)
    off = np.stack(differences, axis=-1)
    other, other_stderr = fitted_order(dt, off, FINEST * tolerance * max(1.0, 1.0 / time))
    return Convergence(dt, error, order, stderr, off, other, other_stderr)


def fitted_order(dt, error, floor=0.0):
    """(p (...), its error (...)) of error (..., D) ~ dt^p: least squares of ln error over ln dt, dt (D,) falling.

    Over the asymptotic range: from the smallest dt whose error is above the floor (...), three of them and as many
    larger ones as the slope between neighbours allows, which may differ by a tenth of an order more than it does among
    the three. The error is the larger of that of the fit and the difference between p and the limit that the slopes at
    the three finest have if they bend as a next term, error ~ dt^p (1 + c dt), makes them. NaN where fewer than three
    are above the floor.
    """
    error = np.asarray(error, float)
    floor = np.broadcast_to(floor, error.shape[:-1])
    found = np.full((2, *error.shape[:-1]), np.nan)
    for at in np.ndindex(error.shape[:-1]):
        found[(slice(None), *at)] = _fit(np.asarray(dt, float), error[at], floor[at])
    return found[0][()], found[1][()]


def _fit(dt, error, floor):
    good = np.isfinite(error) & (error > floor)
    x, y = np.log(dt[good])[::-1], np.log(error[good])[::-1]  # from the finest on
    if len(x) < 3:
        return np.nan, np.nan
    slopes = np.diff(y) / np.diff(x)
    allowed = BENT + 2.0 * abs(slopes[1] - slopes[0])
    bent = np.flatnonzero(np.abs(slopes - slopes[0]) > allowed)
    used = max(3, (bent[0] if len(bent) else len(slopes)) + 1)
    shrink = np.exp(x[0] - x[1])
    limit = slopes[0] - (slopes[1] - slopes[0]) * shrink / (1.0 - shrink)
    x, y = x[:used] - x[:used].mean(), y[:used] - y[:used].mean()
    order = (x @ y) / (x @ x)
    residual = y - order * x
    fit = np.sqrt(residual @ residual / (used - 2) / (x @ x))
    return order, max(fit, abs(limit - order))
