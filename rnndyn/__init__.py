"""The dynamics of recurrent networks: Lyapunov spectra, gradient reach and stability maps over whole parameter grids.

import rnndyn as rd
rd.lyapunov(rd.Elman(8), {"weight_hh": W}, steps=10_000, transient=1_000)
"""

import importlib

from . import cells
from .cells import *  # noqa: F403
from .errors import DeviceError, InputError

__version__ = "0.1.0"

# Names that are imported on first use, by module: `import rnndyn` loads neither NumPy nor Numba.
LAZY = {
    "trajectory": ".dynamics",
    "lyapunov": ".dynamics",
    "gradients": ".dynamics",
    "attractors": ".dynamics",
    "fixed_points": ".dynamics",
    "cycles": ".dynamics",
    "continuation": ".dynamics",
    "FixedPoints": ".dynamics",
    "Cycles": ".dynamics",
    "Continuation": ".dynamics",
    "Bifurcations": ".dynamics",
    "Stability": ".dynamics",
    "Bifurcation": ".dynamics",
    "boundaries": ".dynamics",
    "regimes": ".dynamics",
    "Regime": ".dynamics",
    "DecidedBy": ".dynamics",
    "Regimes": ".dynamics",
    "basins": ".dynamics",
    "Basins": ".dynamics",
    "regions": ".dynamics",
    "Regions": ".dynamics",
    "Boundary": ".dynamics",
    "extrapolate": ".dynamics",
    "outputs": ".dynamics",
    "reach": ".dynamics",
    "echo_state": ".dynamics",
    "Start": ".dynamics",
    "Noise": ".dynamics",
    "Polyline": ".dynamics",
    "Lyapunov": ".dynamics",
    "LyapunovHistory": ".dynamics",
    "Gradients": ".dynamics",
    "Attractors": ".dynamics",
    "EchoState": ".dynamics",
    "Extrapolation": ".dynamics",
    "Status": ".dynamics",
    "kaplan_yorke": ".dynamics",
    "entropy": ".dynamics",
    "memory_time": ".dynamics",
    "finite_time": ".dynamics",
    "volume": ".dynamics",
    "covariant_vectors": ".dynamics",
    "transient_growth": ".dynamics",
    "two_trajectories": ".dynamics",
    "gali": ".dynamics",
    "zero_one": ".dynamics",
    "linear_test": ".dynamics",
    "flow_trajectory": ".dynamics",
    "flow_exponents": ".dynamics",
    "convergence": ".dynamics",
    "critical_step": ".dynamics",
    "FiniteTime": ".dynamics",
    "Volume": ".dynamics",
    "CovariantVectors": ".dynamics",
    "TransientGrowth": ".dynamics",
    "TwoTrajectories": ".dynamics",
    "Gali": ".dynamics",
    "ZeroOne": ".dynamics",
    "LinearTest": ".dynamics",
    "FlowExponents": ".dynamics",
    "Convergence": ".dynamics",
    "CriticalStep": ".dynamics",
    "theory": ".dynamics",
    "read_study": ".sweep",
    "Study": ".sweep",
    "Overview": ".sweep",
    "sweep": ".sweep",
    "refine": ".sweep",
    "report": ".report",
    "plot": ".report",
}

__all__ = ["DeviceError", "InputError", *cells.__all__, *LAZY]


def __getattr__(name):
    if name in LAZY:
        value = getattr(importlib.import_module(LAZY[name], __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'rnndyn' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *LAZY})
