"""What the multipliers of a fixed point or cycle say: its type, and by which bifurcation its stability is lost."""

import enum

import numpy as np

NEUTRAL = 1e-8  # a distance of a multiplier's modulus to 1 below which it counts as neutral
REAL = 1e-7  # an imaginary part, relative to the largest modulus, below which a multiplier is real: error of a double


class Stability(enum.IntEnum):
    """The type of a fixed point or cycle of a map, from its multipliers m.

    A node or focus is STABLE if all |m| < 1, UNSTABLE if all |m| > 1; a saddle has both. What leads decides between
    node and focus, saddle and saddle-focus: of those inside the unit circle and of those outside, the multipliers
    nearest to it; a complex pair makes a focus. NEUTRAL: some |m| = 1 to within 1e-8 and the error, so that multipliers
    do not decide. NONE: there is no cycle.
    Source: Shilnikov, Shilnikov, Turaev & Chua, Methods of Qualitative Theory in Nonlinear Dynamics I (1998), ch. 3.
    """

    NONE = 0
    STABLE_NODE = 1
    STABLE_FOCUS = 2
    SADDLE = 3
    SADDLE_FOCUS = 4
    UNSTABLE_NODE = 5
    UNSTABLE_FOCUS = 6
    NEUTRAL = 7


class Bifurcation(enum.IntEnum):
    """Where a multiplier m is on the unit circle: FOLD (saddle-node) m = 1, two cycles meet and vanish; FLIP (period
    doubling) m = -1; NEIMARK_SACKER m = exp(+-i phi), an invariant circle; BRANCH_POINT m = 1, branches cross
    (transcritical, pitchfork). NONE: no multiplier says.
    Source: Kuznetsov, Elements of Applied Bifurcation Theory (2004), ch. 4.
    """

    NONE = 0
    FOLD = 1
    FLIP = 2
    NEIMARK_SACKER = 3
    BRANCH_POINT = 4


def multipliers(products):
    """Eigenvalues (M, S N) of DF^p (M, S N, S N), complex, from the largest modulus to the smallest; NaN stays."""
    finite = np.isfinite(products).all(axis=(1, 2))
    found = np.full(products.shape[:2], complex(np.nan, np.nan))
    found[finite] = np.linalg.eigvals(products[finite])
    order = np.argsort(-np.abs(found), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def is_complex(values):
    """Which multipliers (M, S N), sorted by modulus, belong to complex pairs."""
    return np.abs(values.imag) > REAL * np.abs(values[:, :1])


def stability(values, error):
    """`Stability` (M,) from multipliers (M, S N), sorted by modulus, of cycles known to within error (M,)."""
    size = np.abs(values)
    neutral = (np.abs(size - 1.0) <= (NEUTRAL + 10.0 * error)[:, None]).any(axis=1)
    outside = (size > 1.0).sum(axis=1)
    focus = np.pad(is_complex(values), ((0, 0), (1, 1)))  # so that entry `outside` is the last one outside
    row = np.arange(len(values))
    turns = np.where(focus[row, outside] | focus[row, outside + 1], 1, 0)
    basic = np.where(outside == 0, Stability.STABLE_NODE, Stability.SADDLE)
    basic = np.where(outside == values.shape[1], Stability.UNSTABLE_NODE, basic)
    found = np.where(neutral, Stability.NEUTRAL, basic + turns)
    return np.where(np.isnan(size).any(axis=1), Stability.NONE, found).astype(np.int8)


def bifurcation(values):
    """`Bifurcation` (M,) at which a multiplier (M, S N) that leads, the first, is or would be on the unit circle."""
    leads = values[:, 0]
    found = np.where(leads.real > 0, Bifurcation.FOLD, Bifurcation.FLIP)
    found = np.where(is_complex(values)[:, 0], Bifurcation.NEIMARK_SACKER, found)
    return np.where((leads == 0) | np.isnan(leads), Bifurcation.NONE, found).astype(np.int8)
