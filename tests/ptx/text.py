"""The text of PTX: functions of basic blocks of instructions."""

import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .code import Translation
from .memory import LANES, Fault
from .operands import TYPES, base, identifier, number

STATEMENT = re.compile(r"\s*(?:([{}])|([\w$]+)\s*:(?!:)|([^;{}](?:[^;{]|\{[^}]*\})*);)")
INSTRUCTION = re.compile(r"(?:@(!?\s*%?[\w$]+)\s+)?([\w.:]+)\s*(.*)", re.DOTALL)
VARIABLE = re.compile(
    r"""\.(global|shared|const|local|param) \s+ (?:\.align\s+\d+\s+)? \.(\w+) \s+
    (?:\.ptr\s+(?:\.\w+\s+(?:\d+\s+)?)*)? ([\w$]+) ((?:\[\d*\])*) \s* (?:=\s*(.*))?$""",
    re.DOTALL | re.VERBOSE,
)
OPERANDS = re.compile(r"(?:\{[^}]*\}|\([^)]*\)|\[[^]]*\]|[^,])+")
ENDS = {"bra", "brx", "ret", "exit", "call", "trap"}
SYNCS = {"bar", "barrier", "vote", "shfl"}


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
        if operand in self.function.registers:
            return identifier(operand)
        return np.full(LANES, number(operand, "i4"), "i4")

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
            raise Fault.at(self.end, "nothing to call")
        return function, _names(operands[1]) if len(operands) > 1 else [], back


class Function:
    """A kernel or a device function: its basic blocks, registers and parameters."""

    def __init__(self, program, kind, name, results, arguments, body, line):
        self.program, self.name, self.leave = program, name, "exit" if kind == "entry" else "ret"
        self.registers, self.locals, self.parameters, self.kinds = {"%carry": "?"}, {}, {}, {}
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
        space, kind, name, shape, _ = VARIABLE.match(text.strip()).groups()
        size = np.dtype(TYPES[kind]).itemsize * int(np.prod([int(n) for n in re.findall(r"\d+", shape)] or [1]))
        store = {"local": self.locals, "param": self.parameters}.get(space)
        if store is None:
            self.program.declare(text.strip())
        else:
            store[name], self.kinds[name] = max(size, store.get(name, 0)), kind
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
