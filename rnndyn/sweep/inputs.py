"""`[inputs]`: what drives the networks, step by step."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rnndyn.dynamics import noise
from rnndyn.errors import InputError
from rnndyn.sweep.part import Listed, Part, Whole
from rnndyn.sweep.value import Index, Value, Values, along, check_entries, extent, load, seeds, shape_words, stack

if TYPE_CHECKING:
    from rnndyn.sweep.study import Study

__all__ = ["INPUTS", "Inputs", "check_inputs"]

Each = Value | Annotated[tuple[Value, ...], Listed]
EACH = "for all inputs or a list of one each; numbers or axes"
Array = NDArray[np.float64]
Drive = Array | noise.Noise | None


class Inputs(Part):
    """What every kind of input can do: be checked, and give the inputs of a block of the grid."""

    def check(self, study: "Study", size: int, steps: int) -> None:
        """Raise ValueError if this cannot drive `size` inputs for `steps` steps."""
        for name, value in self:
            if name in ("kind", "file", "shared", "hold"):
                continue
            try:
                check_entries(value, (size,), study)
            except ValueError as error:
                raise ValueError(f"{name} = {value!r}: {error}") from None

    def build(self, study: "Study", size: int, steps: int, block: Values, first: Index) -> Drive:
        """Return the inputs (axes of the block..., steps or 1, size), or noise; None if there are none."""
        raise NotImplementedError

    def held(self, steps: int) -> int:
        """Return how many steps of them are held in memory."""
        return steps


class Nothing(Inputs):
    """No input: the networks run by themselves."""

    kind: Literal["none"]

    def build(self, study: "Study", size: int, steps: int, block: Values, first: Index) -> None:
        """Return no inputs."""

    def held(self, steps: int) -> int:
        """Return none."""
        return 0


class Constant(Inputs):
    """The same at every step."""

    kind: Literal["constant"]
    value: Each = Field(description=f"the input, {EACH}")

    def build(self, study: "Study", size: int, steps: int, block: Values, first: Index) -> Array:
        """Return one step."""
        return stack(self.value, (size,), block)[..., None, :]

    def held(self, steps: int) -> int:
        """Return one."""
        return 1


class Noise(Inputs):
    """Independent normal numbers at every step, from (study seed, `seed`, grid index): white noise."""

    kind: Literal["normal"]
    scale: Each = Field(default=1.0, description=f"the standard deviation, {EACH}")
    mean: Each = Field(default=0.0, description=f"the mean, {EACH}")
    seed: Value = Field(default=0, description="which draw, a whole number or an axis")
    shared: bool = Field(default=False, description="the same noise at every grid point")
    hold: Whole = Field(default=1, description="steps that each value lasts")

    def check(self, study: "Study", size: int, steps: int) -> None:
        """Raise ValueError if this cannot drive `size` inputs for `steps` steps."""
        super().check(study, size, steps)
        seeds(self.seed, study)
        if np.any(stack(self.scale, (size,), {name: axis.values for name, axis in study.axes.items()}) < 0):
            raise ValueError(f"scale = {self.scale!r}: a standard deviation is not negative")

    def build(self, study: "Study", size: int, steps: int, block: Values, first: Index) -> noise.Noise:
        """Return the noise of every point; a point's stream does not depend on the block it is computed in."""
        shape = extent(block)
        index: Array | NDArray[np.int64]
        if self.shared:
            index = np.zeros((1,) * len(shape))
        else:
            index = first + np.arange(np.prod(shape)).reshape(shape) if isinstance(first, int) else first
        scale, mean = (stack(value, (size,), block) for value in (self.scale, self.mean))
        draw = along(self.seed, block)
        return noise.Noise(scale, mean, seed=study.run.seed, draw=draw, index=index, hold=self.hold)

    def held(self, steps: int) -> int:
        """Return none: a quantity makes its noise piece by piece."""
        return 0


class Sine(Inputs):
    """`amplitude sin(2 pi t / period + phase)` at step t = 0, 1, ..."""

    kind: Literal["sine"]
    amplitude: Each = Field(default=1.0, description=f"the amplitude, {EACH}")
    period: Each = Field(description=f"steps in a period, {EACH}")
    phase: Each = Field(default=0.0, description=f"radians, {EACH}")

    def check(self, study: "Study", size: int, steps: int) -> None:
        """Raise ValueError if this cannot drive `size` inputs for `steps` steps."""
        super().check(study, size, steps)
        whole = {name: axis.values for name, axis in study.axes.items()}
        if np.any(stack(self.period, (size,), whole) == 0):
            raise ValueError("period: 0 steps is no period")

    def build(self, study: "Study", size: int, steps: int, block: Values, first: Index) -> Array:
        """Return the sines."""
        amplitude, period, phase = (
            stack(value, (size,), block)[..., None, :] for value in (self.amplitude, self.period, self.phase)
        )
        return amplitude * np.sin(2.0 * np.pi * np.arange(steps)[:, None] / period + phase)


class FileInputs(Inputs):
    """A sequence (steps, inputs) from a .npy file beside the study, the same at every grid point."""

    kind: Literal["file"]
    file: str = Field(description="the file's name, seen from the study's folder")
    gain: Each = Field(default=1.0, description=f"a factor, {EACH}")

    def check(self, study: "Study", size: int, steps: int) -> None:
        """Raise ValueError if this cannot drive `size` inputs for `steps` steps."""
        super().check(study, size, steps)
        array = load(self.file, study)
        if array.ndim == 1 and size == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != size:
            raise ValueError(f"{self.file} has the shape {shape_words(array.shape)}, needed is steps x {size}")
        if len(array) < steps:
            raise ValueError(f"{self.file} holds {len(array)} steps, the study runs {steps}")

    def build(self, study: "Study", size: int, steps: int, block: Values, first: Index) -> Array:
        """Return the sequence."""
        array = load(self.file, study).reshape(-1, size)[:steps]
        return stack(self.gain, (size,), block)[..., None, :] * array


INPUTS: dict[str, type[Inputs]] = {
    "none": Nothing,
    "constant": Constant,
    "normal": Noise,
    "sine": Sine,
    "file": FileInputs,
}


def check_inputs(study: "Study", cell: Any, steps: int) -> None:
    """Raise InputError if `[inputs]` does not fit the cell; `steps` is the longest run of the study."""
    inputs = study.inputs
    if inputs is None or isinstance(inputs, Nothing):
        return
    if not cell.inputs:
        raise InputError("[inputs]: this cell takes none; give it some with inputs = 1 in [cell]")
    if study.measure.attractors is not None:
        raise InputError(
            "[measure.attractors] with [inputs]: attractors are those of the undriven network; "
            "put a constant input into bias_ih, or remove one of the two tables"
        )
    try:
        inputs.check(study, cell.inputs, steps)
    except ValueError as error:
        raise InputError(f"[inputs] {error}") from None
