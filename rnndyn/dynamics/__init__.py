"""Quantities on bare arrays: orbits, Lyapunov spectra, gradients, attractors, theory."""

from .attractors import Attractors, attractors
from .echo import EchoState, echo_state
from .gradients import Gradients, gradients, slope
from .lyapunov import Lyapunov, LyapunovHistory, lyapunov
from .noise import Noise
from .reach import outputs, reach
from .start import Start
from .status import Status
from .trajectory import last_state, trajectory

__all__ = [
    "Attractors",
    "EchoState",
    "Gradients",
    "Lyapunov",
    "LyapunovHistory",
    "Noise",
    "Start",
    "Status",
    "attractors",
    "echo_state",
    "gradients",
    "last_state",
    "lyapunov",
    "outputs",
    "reach",
    "slope",
    "trajectory",
]
