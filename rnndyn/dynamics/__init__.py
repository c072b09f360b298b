"""Quantities on bare arrays: orbits, Lyapunov spectra and what follows from them, gradients, attractors, theory."""

from . import theory
from .attractors import Attractors, attractors
from .basins import Basins, basins
from .boundaries import Polyline, boundaries
from .continuation import Bifurcations, Continuation, continuation
from .convergence import Convergence, convergence, fitted_order
from .covariant import CovariantVectors, covariant_vectors
from .critical_step import CriticalStep, critical_step
from .cycles import Cycles, cycles
from .echo import EchoState, echo_state
from .evidence import DecidedBy, Regime
from .extrapolation import Extrapolation, extrapolate
from .finite_time import FiniteTime, finite_time
from .fixed_points import FixedPoints, fixed_points
from .flow import flow_trajectory
from .flow_spectrum import FlowExponents, flow_exponents
from .gali import Gali, gali
from .gradients import Gradients, gradients, slope
from .linear_test import LinearTest, linear_test
from .lyapunov import Lyapunov, LyapunovHistory, lyapunov
from .noise import Noise
from .reach import outputs, reach
from .regimes import Regimes, regimes
from .regions import Boundary, Regions, regions
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
    "Basins",
    "Bifurcation",
    "Bifurcations",
    "Boundary",
    "Continuation",
    "Convergence",
    "CovariantVectors",
    "CriticalStep",
    "Cycles",
    "DecidedBy",
    "EchoState",
    "Extrapolation",
    "FiniteTime",
    "FixedPoints",
    "FlowExponents",
    "Gali",
    "Gradients",
    "LinearTest",
    "Lyapunov",
    "LyapunovHistory",
    "Noise",
    "Polyline",
    "Regime",
    "Regimes",
    "Regions",
    "Stability",
    "Start",
    "Status",
    "TransientGrowth",
    "TwoTrajectories",
    "Volume",
    "ZeroOne",
    "attractors",
    "basins",
    "boundaries",
    "continuation",
    "convergence",
    "covariant_vectors",
    "critical_step",
    "cycles",
    "echo_state",
    "entropy",
    "extrapolate",
    "finite_time",
    "fitted_order",
    "fixed_points",
    "flow_exponents",
    "flow_trajectory",
    "gali",
    "gradients",
    "kaplan_yorke",
    "last_state",
    "linear_test",
    "lyapunov",
    "memory_time",
    "outputs",
    "reach",
    "regimes",
    "regions",
    "slope",
    "theory",
    "trajectory",
    "transient_growth",
    "two_trajectories",
    "volume",
    "zero_one",
]
