# ruff: noqa: F401 (the families are named in `CELLS`, and so in `__all__`)
"""Cells: what a cell is, and one file per family. Imports nothing but `math`.

To add a family, write its file and add its line here: `CELLS`, `rnndyn.NAME`, the command line and the tests follow.
"""

from collections.abc import Callable

from .antisymmetric import Antisymmetric, GatedAntisymmetric
from .cell import Cell, Stage
from .cfn import CFN
from .classics import Kepler, LinearFlow, Lorenz, Oscillator
from .elman import Elman
from .field import Field, Part
from .gru import GRU
from .language import logistic, relu, softplus, where
from .leaky import Leaky, Rate
from .lem import LEM
from .linear import Linear
from .lipschitz import LipschitzRNN
from .lstm import LSTM, EulerLSTM, PeepholeLSTM
from .minimal import MGU, UGRNN, MinimalRNN
from .network import Bidirectional, Stack
from .oscillator import CoRNN, UnICORNN
from .plrnn import PLRNN
from .steps import RK4, STEPS, Euler, ExponentialEuler, Midpoint, RungeKutta, SymplecticEuler, Tableau

# The families: every kind of cell above that neither is the general one nor a step of any field.
CELLS: dict[str, Callable[..., Cell]] = {
    name: kind
    for name, kind in list(globals().items())
    if isinstance(kind, type) and issubclass(kind, Cell) and kind.__module__ not in (Cell.__module__, Euler.__module__)
}

__all__ = [
    "CELLS",
    "RK4",
    "STEPS",
    "Bidirectional",
    "Cell",
    "Euler",
    "ExponentialEuler",
    "Field",
    "Midpoint",
    "Part",
    "RungeKutta",
    "Stack",
    "Stage",
    "SymplecticEuler",
    "Tableau",
    "logistic",
    "relu",
    "softplus",
    "where",
    *CELLS,
]
