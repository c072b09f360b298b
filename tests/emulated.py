"""CUDA kernels compiled by Numba without a driver and run by the PTX emulator, called as on a GPU.

To be imported in a process of its own, as real compilation and Numba's simulator cannot share one.
"""

from functools import partial

from numba import typeof
from ptx import Program, numba_arguments

from rnndyn.kernels.cuda import _device, cuda


class Entry:
    """What `cuda.jit(function)` is: entry[blocks, threads, stream, shared](*arguments), arrays being NumPy's.

    Compiled once for each types of arguments; `program` is what ran last. See `Program.launch` for races and limit.
    """

    def __init__(self, function, races=False, limit=10**7, compute_capability=(9, 0)):
        self.function, self.options = function, {"races": races, "limit": limit}
        self.compute_capability, self.programs, self.program = compute_capability, {}, None

    def __getitem__(self, configuration):
        blocks, threads, *rest = configuration
        return partial(self._launch, blocks, threads, rest[1] if len(rest) > 1 else 0)

    def _launch(self, blocks, threads, shared, *arguments):
        signature = tuple(typeof(argument) for argument in arguments)
        if signature not in self.programs:
            with _device(self.compute_capability):
                text, _ = cuda.compile_ptx(self.function, signature, cc=self.compute_capability)
            self.programs[signature] = Program(text)
        self.program = self.programs[signature]
        self.program.launch(blocks, threads, numba_arguments(*arguments), shared=shared, **self.options)
