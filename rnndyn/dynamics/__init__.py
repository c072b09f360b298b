"""Quantities on bare arrays: orbits, Lyapunov spectra, gradients, attractors, theory."""

from .attractors import Attractors, attractors
from .gradients import Gradients, gradients, slope
from .lyapunov import Lyapunov, LyapunovHistory, lyapunov
from .reach import outputs, reach
from .start import Start
from .status import Status
from .trajectory import last_state, trajectory

__all__ = [
    "Attractors",
    "Gradients",
    "Lyapunov",
    "LyapunovHistory",
    "Start",
    "Status",
    "attractors",
    "gradients",
    "last_state",
    "lyapunov",
    "outputs",
    "reach",
    "slope",
    "trajectory",
]
