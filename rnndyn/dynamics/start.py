"""The start h_0: zeros, one vector shared by all sequences, or what a small dense network makes of static information.

A `Start` stands where a state may stand; the gradients of what it is made of come with those of the weights.
"""

import re

import numpy as np

from ..cells.elman import ACTIVATIONS
from ..errors import InputError
from .batch import as_array, choice, tailed


class Start:
    """s_0 and how it depends on learnable numbers. Made by `zeros`, `shared` or `conditioned`."""

    def __init__(self, numbers):
        self.numbers = numbers

    @staticmethod
    def zeros() -> "Start":
        """s_0 = 0, as PyTorch's default; in `lyapunov` too, where no start at all means a random one."""
        return Start({})

    @staticmethod
    def shared(vector) -> "Start":
        """s_0 = v, (..., state_size), the same for all sequences; its gradient, per sequence, is `weights["start"]`."""
        return Start({"start": as_array("start", vector)})

    @staticmethod
    def conditioned(network, static, activation="tanh") -> "Start":
        """s_0 = W_L phi(... phi(W_1 c + b_1) ...) + b_L, c = static (..., features): a helper network.

        network: {"0.weight": (H, features), "0.bias": (H,), "2.weight": (state_size, H), ...} in the order of its
        numbers, the names of a `torch.nn.Sequential`'s `state_dict()`; a bias may be missing. activation: phi, as of
        `rd.Elman`. Gradients, per sequence, are `weights["start.0.weight"]`, ...
        Raises InputError for names and shapes that do not make a network.
        """
        return _Conditioned(network, static, activation)

    def state(self, size):
        """s_0, (..., size)."""
        return tailed("start", self.numbers["start"], (size,)) if self.numbers else np.zeros(size)

    def pull(self, cotangent):
        """{name: dL/d number} from dL/ds_0 (..., size), per batch point."""
        return dict.fromkeys(self.numbers, cotangent)


class _Conditioned(Start):
    def __init__(self, network, static, activation):
        self.static = as_array("static", static)
        self.activation = choice("activation", activation, tuple(ACTIVATIONS))
        if not hasattr(network, "items") or not network:
            raise InputError("`network` must map names such as '0.weight' and '0.bias' to arrays.")
        found: dict[int, dict[str, np.ndarray]] = {}
        for name, value in network.items():
            match = re.fullmatch(r"(\d+)\.(weight|bias)", str(name))
            if not match:
                raise InputError(f"the helper network has no {name!r}: names are '0.weight', '0.bias', '2.weight', ...")
            found.setdefault(int(match[1]), {})[match[2]] = as_array(name, value)
        self.layers = [(f"start.{number}", found[number]) for number in sorted(found)]
        super().__init__({f"{name}.{part}": v for name, layer in self.layers for part, v in layer.items()})
        width, what = (self.static.shape or (0,))[-1], "`static` has"
        for name, layer in self.layers:
            if "weight" not in layer or layer["weight"].ndim < 2 or layer["weight"].shape[-1] != width:
                shape = layer["weight"].shape if "weight" in layer else "missing"
                raise InputError(
                    f"the weight of {name!r} is {shape}, but {what} {width} numbers: (rows, {width}) fits."
                )
            width, what = layer["weight"].shape[-2], f"{name!r} gives"
            if "bias" in layer:
                tailed(f"{name}.bias", layer["bias"], (width,))
        self.width = width

    def state(self, size):
        if self.width != size:
            raise InputError(f"the helper network gives {self.width} numbers for a state of {size}.")
        return self._forward()[-1][0]

    def _forward(self):
        """(values, slopes) entering each layer and leaving the last."""
        from ..kernels.dual import Dual, value
        from ..kernels.twin import MEANINGS

        phi = ACTIVATIONS[self.activation]
        passed: list[tuple] = [(self.static, None)]
        for number, (_, layer) in enumerate(self.layers):
            sums = (layer["weight"] @ passed[-1][0][..., None])[..., 0] + layer.get("bias", 0.0)
            if number + 1 == len(self.layers):
                passed.append((sums, None))
                continue
            dual = MEANINGS.get(phi, phi)(Dual(sums, (1.0,)))
            passed.append((value(dual), np.broadcast_to(dual.partials[0], sums.shape)))
        return passed

    def pull(self, cotangent):
        found = {}
        passed = self._forward()
        for (name, layer), (entering, slope) in zip(reversed(self.layers), reversed(passed[:-1]), strict=True):
            found[f"{name}.weight"] = cotangent[..., :, None] * entering[..., None, :]
            if "bias" in layer:
                found[f"{name}.bias"] = cotangent
            if slope is not None:
                cotangent = (cotangent[..., None, :] @ layer["weight"])[..., 0, :] * slope
        return {name: found[name] for name in self.numbers}


def begun(state, size):
    """(state as an array or None, its `Start` or None)."""
    return (state.state(size), state) if isinstance(state, Start) else (state, None)
