"""Quantities on bare arrays: orbits, Lyapunov spectra, gradients, attractors, theory."""

from .attractors import Attractors, attractors
from .extrapolation import Extrapolation, extrapolate
from .gradients import Gradients, gradients, slope
from .lyapunov import Lyapunov, lyapunov
from .reach import outputs, reach
from .spectrum import entropy, kaplan_yorke, memory_time
from .start import Start
from .status import Status
from .trajectory import last_state, trajectory

__all__ = [
    "Attractors",
    "Extrapolation",
    "Gradients",
    "Lyapunov",
    "Start",
    "Status",
    "attractors",
    "entropy",
    "extrapolate",
    "gradients",
    "kaplan_yorke",
    "last_state",
    "lyapunov",
    "memory_time",
    "outputs",
    "reach",
    "slope",
    "trajectory",
]
