"""The colours: equal steps look equal, order survives in grey, and colour-blind readers can tell them apart."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from rnndyn.report import style

# Dichromacy as matrices on linear RGB: Machado, Oliveira and Fernandes (2009), severity 1.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]


def lab(colour, vision="full"):
    """Return CIELAB (D65) of an sRGB colour as that vision sees it."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)])
    seen = np.clip(np.asarray(VISION[vision]) @ linear, 0, 1)
    x, y, z = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in TO_XYZ @ seen / [0.95047, 1, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def growth(places):
    return np.array([lab(colour[:3]) for colour in style.growth_colours()(places)])


def test_growth_colours_keep_their_order_in_grey():
    light = growth(np.linspace(0, 1, 101))[:, 0]
    assert np.all(np.diff(light) < 0)
    assert light[0] > 95
    assert light[-1] < 15


@pytest.mark.parametrize(("start", "stop"), [(0.0, 0.494), (0.506, 1.0)])
def test_growth_colours_have_equal_steps_on_either_side(start, stop):
    steps = np.linalg.norm(np.diff(growth(np.linspace(start, stop, 21)), axis=0), axis=1)
    assert steps.max() < 1.3 * steps.min()


def test_growth_changes_hue_at_zero():
    below, zero, above = growth([0.494, 0.5, 0.506])
    assert below[2] < -20
    assert np.hypot(*zero[1:]) < 5
    assert above[1] > 25
    for vision in VISION:
        sides = [lab(colour[:3], vision) for colour in style.growth_colours()([0.494, 0.506])]
        assert np.linalg.norm(sides[0] - sides[1]) > 20


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colours", [style.REGIMES, [colour for colour, *_ in style.SERIES]], ids=["regimes", "series"])
def test_any_two_colours_differ_for_every_reader(colours, vision):
    seen = [lab(colour, vision) for colour in colours]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 10


def test_colours_differ_in_grey():
    light = [lab(colour)[0] for colour in style.REGIMES]
    assert np.all(np.diff(light) < -7)
    lines = sorted(lab(colour)[0] for colour, *_ in style.SERIES)
    assert np.diff(lines).min() > 4.5
    assert lines[-1] < 78  # still a line on white
    assert len({marker for _, marker, _ in style.SERIES}) == len(style.SERIES)
