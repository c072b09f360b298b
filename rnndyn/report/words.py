"""What quantities are called: symbols and units for axes and scales, titles, one sentence on how to read each."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "axis",
    "member",
    "plain",
    "reading",
    "scale",
    "subscript",
    "superscript",
    "title",
    "uncertain_share",
    "with_error",
]

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscript(number: int) -> str:
    """Return a whole number in small digits below the line."""
    return str(number).translate(SUBSCRIPTS)


def superscript(number: int) -> str:
    """Return a whole number in small digits above the line."""
    return str(number).translate(SUPERSCRIPTS)


def plain(value: float | str, digits: int = 4) -> str:
    """Return a number with a real minus sign, a very large or small one with a power of ten: "−1.5 · 10⁻²³".

    A text stays as it is.
    """
    if isinstance(value, str):
        return str(value)
    text, _, power = f"{float(value):.{digits}g}".partition("e")
    text = text.replace("-", "−").replace("inf", "∞")
    return f"{text} · 10{superscript(int(power))}" if power else text


def uncertain_share(value: float, error: float) -> str:
    """Return a share with its uncertainty, to the first digit of that: "12.3 % ± 0.4 %"."""
    digits = _digits(100 * error)
    return f"{100 * value:.{digits}f} % ± {100 * error:.{digits}f} %"


def with_error(value: float, error: float) -> str:
    """Return a value to the first digit of its error: "0.154 ± 0.002"."""
    if not 0 < error < np.inf:
        return f"{plain(value)} ± {plain(error)}"
    if error < max(1e-12 * abs(value), 0.5e-12):  # rounding
        return plain(value, 7)
    digits = _digits(error)
    return f"{value:.{digits}f} ± {error:.{digits}f}".replace("-", "−")


def _digits(error: float) -> int:
    """Return the decimals that reach the first digit of an error."""
    return int(np.clip(-np.floor(np.log10(error)), 0, 12)) if 0 < error < np.inf else 1


def axis(coordinate: "xr.DataArray") -> str:
    """Return the label of an axis: name, meaning, unit. Of a study's axis "w (in weight_hh)": "w (weight_hh)"."""
    name, meaning, unit = str(coordinate.name), coordinate.attrs.get("long_name", ""), coordinate.attrs.get("units", "")
    if name == "lag":
        return "steps back from the loss"
    if meaning.startswith(f"{name} (in "):
        meaning = meaning.replace(" (in ", " (", 1)
    unit = "" if unit in ("", "1") or f"({unit})" in meaning else f" ({unit})"
    return (meaning or name) + unit


def _chosen(data: "xr.DataArray", name: str) -> int | None:
    """Return the value of a coordinate that was picked, as in `.isel(exponent=0)`."""
    return int(data[name]) if name in data.coords and data[name].ndim == 0 else None


def _exponent(data: "xr.DataArray") -> str:
    number = _chosen(data, "exponent")
    return f"λ{subscript(number)}" if number else "λ"


def scale(data: "xr.DataArray", size: bool = False) -> str:
    """Return the label of a quantity's scale: its symbol and unit; size: of its size, without the sign."""
    unit = data.attrs.get("units", "")
    unit = f" ({unit})" if unit not in ("", "1") else ""
    if size:
        return f"|{scale(data).removesuffix(unit)}|{unit}"
    if data.name == "exponents":
        return _exponent(data) + unit
    if data.name in ("flow_exponents", "exponent_error"):
        what = "{} of the flow" if data.name == "flow_exponents" else "{} per unit time − the flow's"
        return what.format(_exponent(data)) + unit
    if data.name == "exponents_stderr":
        return f"standard error of {_exponent(data)}" + unit
    if data.name == "log_norms":
        lag = _chosen(data, "lag")
        return "ln ‖∂L/∂s‖" + (f", {lag} steps back" if lag else "") + unit
    if data.name == "trajectory":
        if "component" in data.coords and data["component"].ndim == 0:
            return f"state {member(data.expand_dims('component'), 'component', 0)}{unit}"
        return f"state{unit}"
    known = {
        "attractors": "number of attractors",
        "period": "shortest period",
        "regime_exponent": "λ₁ of the regime",
        "regime_confidence": "share of starts that agree",
        "exponent_per_time": "λ₁ per unit time",
        "mean_exponent_per_time": "mean λ per unit time",
        "mean_exponent": "mean λ",
        "dimension_per_unit": "dimension per unit",
        "entropy_rate_per_unit": "entropy per unit",
        "state_error": "distance from the flow's state",
    }
    return known.get(str(data.name), str(data.attrs.get("long_name", data.name or ""))) + unit


def member(data: "xr.DataArray", name: str, index: int) -> str:
    """Return what a place along a dimension is called in a legend: "gain = 2", "λ₂", "s₁" (counted from 1)."""
    value = data[name].values[index] if name in data.coords else index + 1
    if name in ("exponent", "component") and not isinstance(value, str):
        return f"{'λ' if name == 'exponent' else 's'}{subscript(int(value))}"
    return f"{name} = {plain(float(value))}" if isinstance(value, int | float | np.number) else str(value)


def title(data: "xr.DataArray") -> str:
    """Return what a figure of `data` shows, as its title."""
    if data.name in ("exponents", "exponents_stderr"):
        number = _chosen(data, "exponent")
        what = {1: "Largest Lyapunov exponent", None: "Lyapunov exponents"}.get(number, f"Lyapunov exponent {number}")
        return what if data.name == "exponents" else f"Standard error of the {what[0].lower()}{what[1:]}"
    if data.name == "log_norms":
        lag = _chosen(data, "lag")
        return "How the gradient fades or grows" if lag is None else f"Gradient that arrives {lag} steps back"
    if data.name == "trajectory":
        return "The state, step by step"
    known = {
        "attractors": "Where it ends up",
        "period": "Shortest period of an attractor",
        "regime": "Where it goes",
        "regime_confidence": "How many starts agree",
    }
    meaning = str(data.attrs.get("long_name", data.name or ""))
    return known.get(str(data.name), meaning[:1].upper() + meaning[1:])


READING = {
    (
        "map",
        "exponents",
    ): "Below zero (pale, blue) nearby states meet: rest, a cycle, or following the input; above zero "
    "(dark, red) they part; grey is the border between.",
    ("map", "log_norms"): "Below zero (pale, blue) the gradient has shrunk on its way back, above zero (dark, red) it "
    "has grown; grey is as large as it was at the loss.",
    ("map", "attractors"): "How many attractors random starts reach, and the shortest period among them.",
    ("map", "regime"): "The regime that most starts of a network reach, with its share of the points; lines: the "
    "boundaries between regions, each half a grid cell to either side.",
    ("map", "period"): "The shortest period among the attractors that random starts reach; period 1 is a fixed point.",
    ("curve", "exponents"): "Below zero nearby states meet; above zero they part.",
    ("limit", ""): "Against the inverse of the number of units; squares on the left: infinitely many.",
    ("curve", "log_norms"): "Below zero the gradient has shrunk on its way back, above zero it has grown.",
    ("profile", "log_norms"): "The size of the gradient that reaches a state so many steps before the loss. A straight "
    "line is exponential fading (falling) or growth (rising); its slope meets the largest Lyapunov exponent.",
    (
        "orbit",
        "trajectory",
    ): "The states visited at each value of the axis: one line is a fixed point, several a cycle, "
    "a cloud something that never repeats.",
    ("trajectory", "trajectory"): "The state from step to step.",
}


def reading(kind: str, variable: str) -> str:
    """Return the sentence that tells how to read a figure."""
    return READING.get((kind, variable), READING.get((kind, ""), ""))
