"""An emulator of PTX, the code that CUDA kernels are compiled to: runs it in NumPy, where no GPU is at hand.

    program = Program(text)
    program.launch(grid, block, numba_arguments((steps, width), (state, result)))

A warp runs in lockstep (warp.py), each of its basic blocks being one Python function (code.py); warps of a block take
turns at its barriers, blocks run one after another. What a GPU would trap, hang on or answer by chance is a `Fault`:
memory.py says which accesses are, warp.py which votes, shuffles and barriers, and races.py what `races=True` finds. An
instruction that is not known raises `Untranslated` when it is reached.

Source: NVIDIA, "Parallel Thread Execution ISA".
"""

import re

import numpy as np

from .memory import LANES, UNTOUCHED, Fault, Memory
from .operands import TYPES, Untranslated, number
from .races import Races
from .text import VARIABLE, Function
from .warp import Warp

__all__ = ["Fault", "Program", "Untranslated", "numba_arguments"]

NOISE = re.compile(r"//[^\n]*|^[ \t]*\.(?:loc|file)\b[^\n]*|/\*.*?\*/", re.MULTILINE | re.DOTALL)
HEADER = re.compile(r"\.(entry|func)\s+(?:\(([^)]*)\)\s*)?([\w$]+)\s*(?:\(([^)]*)\))?([^;{]*)([;{])")


class Program:
    """A PTX module, its kernels ready to `launch`."""

    def __init__(self, text):
        text = NOISE.sub(lambda match: "\n" * match[0].count("\n"), text)
        self.functions, self.entries, self.variables, self.dynamic = {}, [], {}, []
        at = 0
        for match in HEADER.finditer(text):
            if match.start() < at:
                continue
            self._declare_all(text[at : match.start()])
            kind, results, name, arguments, _, last = match.groups()
            at = match.end()
            if last == "{":
                line = text.count("\n", 0, at) + 1
                at = _closing(text, at)
                self.functions[name] = Function(self, kind, name, results, arguments, text[match.end() : at - 1], line)
                self.entries += [name] if kind == "entry" else []
        self._declare_all(text[at:])
        self.instructions = 0  # of warps, in the last launch

    def _declare_all(self, text):
        for match in re.finditer(r"\.(?:global|shared|const)\s[^;]*", text):
            self.declare(match[0].strip())

    def declare(self, text):
        """Take a variable of the module."""
        space, kind, name, shape, values = VARIABLE.match(text).groups()
        dtype, sizes = np.dtype(TYPES[kind]), re.findall(r"\[(\d*)\]", shape)
        if "" in sizes:
            self.dynamic.append(name)
            return
        array = np.zeros(int(np.prod([int(n) for n in sizes] or [1])), dtype)
        given = [number(v, dtype.str[1:]) for v in re.findall(r"[^\s{},]+", values or "")]
        array[: len(given)] = given
        array.flags.writeable = space != "const"
        self.variables[name] = space, array

    def launch(self, grid, block, arguments, shared=0, entry=None, races=False, limit=10**7):
        """Run a kernel.

        `grid` and `block` are sizes or tuples of up to three; `arguments` are in order of the kernel's parameters:
        integers, floats, NumPy arrays (their addresses are passed; the kernel sees these arrays and no other memory),
        or None for no address. `shared` is the size in bytes of dynamic shared memory, `entry` the kernel's name where
        there are several, `races` asks for a look at each access (slower), `limit` ends endless loops of warps.
        Raises Fault, Untranslated, and ValueError for arguments that do not fit.
        """
        if entry is None and len(self.entries) != 1:
            raise ValueError(f"which of {self.entries}?")
        function = self.functions[entry or self.entries[0]]
        launch = _Launch(self, grid, block, shared, races, limit)
        with np.errstate(all="ignore"):
            launch.run(function, launch.parameters(function, arguments))
        self.instructions = launch.instructions


class _Launch:
    def __init__(self, program, grid, block, shared, races, limit):
        self.grid, self.block = (_three(size) for size in (grid, block))
        self.threads, self.shared, self.limit, self.instructions = int(np.prod(self.block)), shared, limit, 0
        self.memory, self.symbols, self.scratch = Memory(Races() if races else None), {}, []
        room = np.zeros(shared // 16 + 1, "V16").view("u1")[:shared]
        variables = program.variables | dict.fromkeys(program.dynamic, ("shared", room))
        for name, (space, array) in variables.items():
            if space == "shared":
                self.scratch.append(array.view("u1"))
            address = self.memory.add(array, name, space)
            self.symbols["_" + name] = np.full(LANES, address, "i8")

    def parameters(self, function, arguments):
        """The bytes of each parameter, the same for all threads."""
        arguments = list(arguments)
        if len(arguments) != len(function.arguments):
            raise ValueError(f"{len(arguments)} arguments for {len(function.arguments)} parameters of {function.name}")
        given = {}
        for k, (name, value) in enumerate(zip(function.arguments, arguments, strict=True)):
            size, kind = function.parameters[name], function.kinds[name]
            if isinstance(value, np.ndarray):
                value = self.memory.add(value, f"argument {k}")
            if kind[0] != "f" and isinstance(value, float | np.floating):
                raise ValueError(f"argument {k} is {value!r}, the parameter {name} of {function.name} is .{kind}")
            if kind[0] == "f":
                data = np.array(value, f"f{size}").tobytes()
            else:
                data = int(value or 0).to_bytes(size, "little", signed=value is not None and value < 0)
            given["_" + name] = np.tile(np.frombuffer(data, "u1"), (LANES, 1))
        return given

    def run(self, function, parameters):
        for index in range(int(np.prod(self.grid))):
            for array in self.scratch:
                array[:] = UNTOUCHED
            if self.memory.races:
                self.memory.races.begin_block(self.memory.windows)
            warps = [Warp(self, index, k) for k in range(-(-self.threads // LANES))]
            running, windows = {}, []
            for warp in warps:
                registers, local = warp.frame(function)
                windows += local
                running[warp] = warp.run(function, warp.alive, registers | parameters)
            self._turns(running)
            self.memory.remove(windows)

    def _turns(self, running):
        """Let the warps of a block run in turn, each to its next barrier, until all have ended."""
        waiting = {}
        while running:
            for warp in list(running):
                if warp not in waiting:
                    try:
                        waiting[warp] = next(running[warp])
                    except StopIteration:
                        del running[warp]
            free = []
            for name in {name for name, *_ in waiting.values()}:
                there = [warp for warp, (other, *_) in waiting.items() if other == name]
                wanted = waiting[there[0]][1] or LANES * len(running)
                free += there if LANES * len(there) >= wanted else []
            if waiting and not free:
                places = "; ".join(f"{w.name(int(w.alive.argmax()))} at {place[2]}" for w, place in waiting.items())
                raise Fault(f"warps of a block wait at different barriers: {places}")
            if self.memory.races and free:
                self.memory.races.block_barrier()
            for warp in free:
                del waiting[warp]


def _closing(text, at):
    """The place after the brace that closes what was open before `at`."""
    depth = 1
    for match in re.compile(r"[{}]").finditer(text, at):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    raise ValueError("a function has no end")


def _three(size):
    size = tuple(size) if isinstance(size, tuple | list) else (size,)
    return (*(int(n) for n in size), *(1,) * (3 - len(size)))


def numba_arguments(*arguments):
    """A kernel's arguments as Numba passes them: tuples flattened, an array as ten or so integers and addresses."""
    flat = []
    for argument in arguments:
        if isinstance(argument, tuple | list):
            flat += numba_arguments(*argument)
        elif isinstance(argument, np.ndarray):
            flat += [None, None, argument.size, argument.itemsize, argument, *argument.shape, *argument.strides]
        else:
            flat.append(argument)
    return flat
