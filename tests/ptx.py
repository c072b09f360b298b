"""An emulator of PTX, the code that CUDA kernels are compiled to: runs it in NumPy, where no GPU is at hand.

    program = Program(text)
    program.launch(grid, block, numba_arguments((steps, width), (state, result)))

A warp runs in lockstep (ptx_warp.py), each of its basic blocks being one Python function (ptx_code.py); warps of a
block take turns at its barriers, blocks run one after another. Whatever a GPU would trap, hang on or answer by chance is
a `Fault`: see ptx_memory.py, ptx_warp.py and, for `races=True`, ptx_races.py. An instruction that is not known raises
`Untranslated`. Source: NVIDIA, "Parallel Thread Execution ISA", version 9.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from ptx_code import TYPES, Translation, base, identifier, number
from ptx_memory import LANES, UNTOUCHED, Fault, Memory
from ptx_races import Races
from ptx_warp import Warp

__all__ = ["Fault", "Program", "numba_arguments"]

NOISE = re.compile(r"//[^\n]*|^[ \t]*\.(?:loc|file)\b[^\n]*|/\*.*?\*/", re.MULTILINE | re.DOTALL)
HEADER = re.compile(r"\.(entry|func)\s+(?:\(([^)]*)\)\s*)?([\w$]+)\s*(?:\(([^)]*)\))?([^;{]*)([;{])")
STATEMENT = re.compile(r"\s*(?:([{}])|([\w$]+)\s*:(?!:)|([^;{}](?:[^;{]|\{[^}]*\})*);)")
INSTRUCTION = re.compile(r"(?:@(!?\s*%?[\w$]+)\s+)?([\w.:]+)\s*(.*)", re.DOTALL)
VARIABLE = re.compile(
    r"\.(global|shared|const|local|param)\s+(?:\.align\s+(\d+)\s+)?\.(\w+)\s+(?:\.ptr\s+(?:\.\w+\s+(?:\d+\s+)?)*)?([\w$]+)((?:\[\d*\])*)\s*(?:=\s*(.*))?$", re.DOTALL
)
OPERANDS = re.compile(r"(?:\{[^}]*\}|\([^)]*\)|\[[^]]*\]|[^,])+")
ENDS = {"bra", "brx", "ret", "exit", "call", "trap"}
SYNCS = {"bar", "barrier", "vote", "shfl"}


# --- the text ---------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Instruction:
    line: int
    text: str
    predicate: str
    opcode: list
    operands: list


@dataclass(eq=False)
class Block:
    """A basic block; it begins where threads meet, so also at each vote, shuffle and barrier."""

    function: "Function"
    index: int
    label: str
    body: list = field(default_factory=list)
    end: Instruction | None = None

    @property
    def first(self):
        return self.body[0] if self.body else self.end

    @cached_property
    def line(self):
        return self.first.line if self.first else 0

    @cached_property
    def length(self):
        return len(self.body) + (self.end is not None)

    @cached_property
    def kind(self):
        if self.end is None:
            return "next" if self.index + 1 < len(self.function.blocks) else self.function.leave
        return self.function.leave if self.end.opcode[0] == "ret" else self.end.opcode[0]

    @cached_property
    def run(self):
        return Translation(self.function, self).compile()

    @cached_property
    def sync(self):
        """The instruction for which threads wait at the beginning."""
        return self.body[0] if self.body and self.body[0].opcode[0] in SYNCS else None

    @cached_property
    def barrier(self):
        """(the name, how many threads or 0) of that barrier if it is one of the whole block; names of registers."""
        if self.sync.opcode[0] not in ("bar", "barrier") or self.sync.opcode[1] == "warp":
            return None
        return tuple(identifier(o) if o in self.function.registers else int(o) for o in (*self.sync.operands, "0")[:2])

    @cached_property
    def members(self):
        """The mask of the threads for which they wait: the name of a register or a constant."""
        operand = self.sync.operands[0 if self.sync.opcode[0] == "bar" else -1]
        return identifier(operand) if operand in self.function.registers else np.full(LANES, number(operand, "i4"), "i4")

    @cached_property
    def target(self):
        return self.function.labels[self.end.operands[0]]

    @cached_property
    def selector(self):
        return identifier(self.end.operands[0])

    @cached_property
    def targets(self):
        return [self.function.labels[name] for name in self.function.tables[self.end.operands[1]]]

    @cached_property
    def callee(self):
        """(the function, names of what is given, names of what comes back)."""
        operands = list(self.end.operands)
        back = _names(operands.pop(0)) if operands[0].startswith("(") else []
        function = self.function.program.functions.get(operands[0])
        if function is None or len(operands) > 2:
            raise Fault(f"line {self.end.line}: {self.end.text}: nothing to call")
        return function, _names(operands[1]) if len(operands) > 1 else [], back


class Function:
    """A kernel or a device function: its basic blocks, registers and parameters."""

    def __init__(self, program, kind, name, results, arguments, body, line):
        self.program, self.name, self.leave = program, name, "exit" if kind == "entry" else "ret"
        self.registers, self.locals, self.parameters = {"%carry": "?"}, {}, {}
        self.blocks, self.labels, self.tables = [], {}, {}
        self.results, self.arguments = (self._declare_all(text) for text in (results, arguments))
        self._read(body, line)
        self.zeros = {identifier(name): np.zeros(LANES, kind) for name, kind in self.registers.items()}
        self.places = {}  # register -> the one block that has it, or None
        for block in self.blocks:
            for item in [*block.body, *([block.end] if block.end else [])]:
                for register in re.findall(r"[%\w$]+", f"{item.predicate} {item.text}"):
                    if self.places.setdefault(identifier(register), block.index) != block.index:
                        self.places[identifier(register)] = None

    def _declare_all(self, text):
        return [self._declare(part) for part in re.split(r",", text or "") if part.strip()]

    def _declare(self, text):
        """Take a parameter or a variable of the function; returns its name."""
        space, _, kind, name, shape, _ = VARIABLE.match(text.strip()).groups()
        size = np.dtype(TYPES[kind]).itemsize * int(np.prod([int(n) for n in re.findall(r"\d+", shape)] or [1]))
        store = {"local": self.locals, "param": self.parameters}.get(space)
        if store is None:
            self.program.declare(text.strip())
        else:
            store[name] = max(size, store.get(name, 0))
        return name

    def _read(self, body, line):
        block, at = self._begin("entry"), 0
        for match in STATEMENT.finditer(body):
            _, label, statement = match.groups()
            line, at = line + body.count("\n", at, match.start(match.lastindex)), match.start(match.lastindex)
            if label:
                block = self._begin(label)
                self.labels[label] = block.index
            elif statement:
                statement = " ".join(statement.split())
                if statement.startswith(".branchtargets"):
                    self.tables[self.blocks[-1].label] = re.findall(r"[\w$]+", statement)[1:]
                elif statement.startswith(".reg"):
                    self._registers(statement)
                elif statement.startswith((".local", ".param", ".shared")):
                    self._declare(statement)
                elif not statement.startswith("."):
                    block = self._add(block, statement, line)

    def _begin(self, label):
        self.blocks.append(Block(self, len(self.blocks), label))
        return self.blocks[-1]

    def _add(self, block, statement, line):
        predicate, opcode, operands = INSTRUCTION.match(statement).groups()
        operands = [part.strip() for part in OPERANDS.findall(operands)]
        instruction = Instruction(line, statement, predicate or "", opcode.split("."), operands)
        name = instruction.opcode[0]
        if name in SYNCS and instruction.predicate:
            raise NotImplementedError(f"line {line}: {statement}: a predicate at a barrier, vote or shuffle")
        if name in SYNCS and block.body:
            block = self._begin(f"line {line}")
        if name in ENDS:
            block.end = instruction
            return self._begin(f"line {line}")
        block.body.append(instruction)
        return block

    def _registers(self, statement):
        _, kind, names = statement.split(None, 2)
        for name in names.split(","):
            stem, _, count = name.strip().partition("<")
            for register in [f"{stem}{k}" for k in range(int(count[:-1]))] if count else [stem]:
                if self.registers.setdefault(register, base(kind[1:])) != base(kind[1:]):
                    raise NotImplementedError(f"two registers {register} of different types in {self.name}")


def _names(text):
    return re.findall(r"[\w$]+", text)


# --- running ----------------------------------------------------------------------------------------------------------


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
        space, _, kind, name, shape, values = VARIABLE.match(text).groups()
        dtype, sizes = np.dtype(TYPES[kind]), re.findall(r"\[(\d*)\]", shape)
        if "" in sizes:
            self.dynamic.append(name)
            return
        array = np.zeros(int(np.prod([int(n) for n in sizes] or [1])), dtype)
        given = [number(v, dtype.str[1:]) for v in re.findall(r"[^\s{},]+", values or "")]
        array[: len(given)] = given
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
        variables = program.variables | {name: ("shared", room) for name in program.dynamic}
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
            size = function.parameters[name]
            if isinstance(value, np.ndarray):
                value = self.memory.add(value, f"argument {k}")
            if isinstance(value, float | np.floating):
                data = np.array(value, f"f{size}").tobytes()
            else:
                data = int(value or 0).to_bytes(size, "little", signed=value is not None and value < 0)
            given["_" + name] = np.tile(np.frombuffer(data, "u1"), (LANES, 1))
        return given

    def run(self, function, parameters):
        for number in range(int(np.prod(self.grid))):
            for array in self.scratch:
                array[:] = UNTOUCHED
            if self.memory.races:
                self.memory.races.begin_block(self.memory.windows)
            warps = [Warp(self, number, k) for k in range(-(-self.threads // LANES))]
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
            alive = {warp: np.count_nonzero(warp.alive) for warp in running}
            free = []
            for name in {name for name, *_ in waiting.values()}:
                there = [warp for warp, (other, *_) in waiting.items() if other == name]
                wanted = waiting[there[0]][1] or sum(alive.values())
                free += there if sum(alive[warp] for warp in there) >= wanted else []
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
