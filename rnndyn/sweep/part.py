"""What every table of the study file is made of."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["Listed", "Natural", "Part", "Whole", "in_words"]

Whole = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Listed = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


class Part(BaseModel):
    """A table of the study file: frozen, no unknown keys, no silent conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def in_words(value: Any) -> str:
    """Return a value of an axis, a number or a text."""
    return str(value) if isinstance(value, str) else f"{value:g}"
