"""How large the regions of regimes are, with their uncertainties."""

from typing import TYPE_CHECKING

import numpy as np

from rnndyn.report import maps
from rnndyn.report.regimes import classes_of
from rnndyn.report.words import uncertain_share, with_error

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["UNDECIDED", "agreeing", "area_rows"]

UNDECIDED = "regime undecided"
Row = tuple[str, str, str]


def area_rows(dataset: "xr.Dataset") -> list[Row]:
    """Return (region, its share of the map, how to take it) of each regime.

    Over two axes of numbers shares are areas, with the uncertainty of the boundaries; else they are of the points.
    """
    regime, period = (dataset[name].squeeze() for name in ("regime", "regime_period"))
    classes = classes_of(regime, period)
    counts = classes.counts()
    found = maps.regions_of(regime, classes) if regime.ndim == 2 else None
    rows = []
    for number, name in enumerate(classes.names):
        points = f"{counts[number]:,} grid point".replace(",", "\u202f") + "s" * (counts[number] != 1)
        if found is None:
            rows.append((name, maps.share(counts[number], regime.size), points))
            continue
        at = int(np.flatnonzero(found.labels == number)[0])
        share = uncertain_share(found.share[at], found.share_uncertainty[at])
        area = with_error(found.area[at], found.uncertainty[at])
        over = " × ".join(map(str, regime.dims))
        rows.append((name, share, f"of the map's area; {area} in {over}; {points}, boundaries to half a cell"))
    missing = int(np.sum(classes.index < 0))
    if missing:
        share = maps.share(missing, regime.size)
        rows.append((UNDECIDED, share, "of the points; white on the map, widens the errors of the areas"))
    return rows


def agreeing(dataset: "xr.Dataset") -> Row:
    """Return (what, share of the points, how to take it) of the points where nearly all starts agree."""
    confidence = dataset["regime_confidence"].values
    sure = int(np.sum(confidence >= maps.AGREED))
    return (f"{maps.AGREED:.0%} of the starts agree at least".replace("%", " %"), maps.share(sure, confidence.size),
            "on the regime and its period; elsewhere regimes coexist or starts are undecided")  # fmt: skip
