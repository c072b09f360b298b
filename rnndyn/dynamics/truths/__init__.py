"""Truths: what is known of recurrent networks from outside this code, to be measured on any machine.

`CATALOGUE` is the list of them. Each measures a value with the package's quantities and holds it against a closed form,
a published number or another program; `judge` decides. Tolerances come from rounding or from a result's own error.
"""

from . import chaos, gated, linear, parity, products, steps, units
from .truth import TIERS, Claim, Row, Truth, judge

CATALOGUE = [truth for theme in (linear, units, gated, steps, products, chaos, parity) for truth in theme.TRUTHS]

__all__ = ["CATALOGUE", "TIERS", "Claim", "Row", "Truth", "judge"]
