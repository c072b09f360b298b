"""Kernels: the compiled loops, each written once for all cells, and the targets that run them."""

from .machine import threads as available_threads

__all__ = ["available_threads"]
