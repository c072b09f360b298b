"""Cells: what a cell is, and one file per family. Imports nothing but `math`."""

from .cell import Cell, Stage
from .elman import Elman
from .gru import GRU
from .language import logistic, relu, softplus, where
from .linear import Linear
from .lstm import LSTM

CELLS = {"Linear": Linear, "Elman": Elman, "LSTM": LSTM, "GRU": GRU}

__all__ = ["CELLS", "GRU", "LSTM", "Cell", "Elman", "Linear", "Stage", "logistic", "relu", "softplus", "where"]
