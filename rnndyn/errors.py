"""Mistakes of the user, told in one sentence: what was wrong, where, and what to do."""

import difflib
from collections.abc import Iterable

__all__ = ["DeviceError", "InputError", "did_you_mean", "nearest", "suggestion"]


class InputError(ValueError):
    """A mistake in what the user handed over (a file, a value, a name); its text is written for the user to read."""


class DeviceError(InputError):
    """A GPU that cannot do what it was asked for: none, an old driver, too little memory."""


def nearest(name: object, names: Iterable[str]) -> str | None:
    """Return the one of `names` that looks most like `name`, or None if none is similar."""
    by_folded = {candidate.casefold(): candidate for candidate in names}
    matches = difflib.get_close_matches(str(name).casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" to follow a sentence, or "" if none of `names` is similar to `name`."""
    guess = nearest(name, names)
    return "" if guess is None else f" Did you mean '{guess}'?"


def suggestion(name: object, names: Iterable[str]) -> str:
    """Return "did you mean 'x'?" if one of `names` is similar to `name`, else "known: a, b, c" (or "none is known")."""
    known = list(names)
    guess = nearest(name, known)
    if guess is not None:
        return f"did you mean '{guess}'?"
    return f"known: {', '.join(known)}" if known else "none is known"
