"""Quantities on bare arrays: orbits, Lyapunov spectra and what follows from them, gradients, attractors, theory."""

from .attractors import Attractors, attractors
from .boundaries import Polyline, boundaries
from .continuation import Bifurcations, Continuation, continuation
from .covariant import CovariantVectors, covariant_vectors
from .cycles import Cycles, cycles
from .echo import EchoState, echo_state
from .extrapolation import Extrapolation, extrapolate
from .finite_time import FiniteTime, finite_time
from .fixed_points import FixedPoints, fixed_points
from .gali import Gali, gali
from .gradients import Gradients, gradients, slope
from .lyapunov import Lyapunov, LyapunovHistory, lyapunov
from .noise import Noise
from .reach import outputs, reach
from .spectrum import entropy, kaplan_yorke, memory_time
from .stability import Bifurcation, Stability
from .start import Start
from .status import Status
from .trajectory import last_state, trajectory
from .transient_growth import TransientGrowth, transient_growth
from .two_trajectories import TwoTrajectories, two_trajectories
from .volume import Volume, volume
from .zero_one import ZeroOne, zero_one

__all__ = [
    "Attractors",
    "Bifurcation",
    "Bifurcations",
    "Continuation",
    "CovariantVectors",
    "Cycles",
    "EchoState",
    "Extrapolation",
    "FiniteTime",
    "FixedPoints",
    "Gali",
    "Gradients",
    "Lyapunov",
    "LyapunovHistory",
    "Noise",
    "Polyline",
    "Stability",
    "Start",
    "Status",
    "TransientGrowth",
    "TwoTrajectories",
    "Volume",
    "ZeroOne",
    "attractors",
    "boundaries",
    "continuation",
    "covariant_vectors",
    "cycles",
    "echo_state",
    "entropy",
    "extrapolate",
    "finite_time",
    "fixed_points",
    "gali",
    "gradients",
    "kaplan_yorke",
    "last_state",
    "lyapunov",
    "memory_time",
    "outputs",
    "reach",
    "slope",
    "trajectory",
    "transient_growth",
    "two_trajectories",
    "volume",
    "zero_one",
]
