"""The types, names and constants of PTX's operands, and what they are in NumPy."""

import re
import struct

import numpy as np

LETTER = {"s": "i", "u": "u", "f": "f", "b": "i"}
TYPES = {f"{kind}{8 * size}": f"{letter}{size}" for kind, letter in LETTER.items() for size in (1, 2, 4, 8)}
TYPES |= {"b8": "u1", "pred": "?"}
del TYPES["f8"]
LETTERS = re.compile(r"\W")


class Untranslated(NotImplementedError):
    """An instruction that the emulator lacks."""


def base(kind):
    """The element type in which registers of a PTX type are kept."""
    return TYPES[kind].replace("u", "i") if kind != "b8" else "u1"


def identifier(name):
    """The Python name of a register or symbol."""
    return ("r_" if name.startswith("%") else "_") + LETTERS.sub("_", name.removeprefix("%"))


def convert(expression, own, dtype):
    """An expression with elements of one type as another: bits where the sizes agree, else as integers extend."""
    if own == dtype:
        return expression
    if "?" in (own, dtype):
        raise ValueError(f"{own} as {dtype}")
    how = "view" if own[1] == dtype[1] else "astype"
    return f"({expression}).{how}({dtype})"


def number(text, dtype):
    """An immediate operand."""
    if text[:2].lower() in ("0f", "0d") and len(text) in (10, 18):
        return struct.unpack(">d" if len(text) == 18 else ">f", bytes.fromhex(text[2:]))[0]
    if dtype[0] == "f":
        return float(text)
    value, kind = int(text.rstrip("U"), 0), np.dtype(dtype)
    if dtype == "?":
        return value != 0
    value &= (1 << 8 * kind.itemsize) - 1
    return value - (value >> 8 * kind.itemsize - 1 << 8 * kind.itemsize) if kind.kind == "i" else value
