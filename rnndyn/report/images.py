"""A drawn figure as an image file. Drawing holds Python's lock, packing the pixels does not: threads pack meanwhile."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from rnndyn.report.style import RC

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["pixels", "png", "svg"]

DPI = 160
LEVEL = 4  # of compression: 6 takes twice as long for 7 % less


def pixels(figure: "Figure", dpi: int = DPI) -> Any:
    """Draw a figure whose canvas is Agg's and return its pixels, a Pillow image that is the caller's."""
    from PIL import Image

    canvas: Any = figure.canvas
    figure.set_dpi(dpi)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # opaque: the background is
    image.info["dpi"] = (dpi, dpi)
    return image


def png(image: Any) -> bytes:
    """Return pixels as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=LEVEL, dpi=image.info.get("dpi"))
    return buffer.getvalue()


def svg(figure: "Figure") -> bytes:
    """Return a figure as an SVG file, the same bytes each time; maps and what is marked so are images in it."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(RC):
        figure.savefig(buffer, format="svg", dpi=DPI, metadata={"Date": None})
    return buffer.getvalue()
