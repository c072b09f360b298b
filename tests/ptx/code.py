"""PTX's instructions as lines of Python: a basic block becomes one function of NumPy statements.

A register is an array of the 32 threads of a warp, `.b32` and `.b64` as signed integers. No array is ever changed in
place: a block reads the registers it needs, computes for all threads alike, and at its end keeps the new values of
those that take part. Only memory, votes and shuffles look at the mask `M` (None: all 32) while the block runs.
"""

import re

import numpy as np

from . import arithmetic, warp
from .memory import LANES, Site
from .operands import TYPES, Untranslated, convert, identifier, number
from .operations import Operations

NAMES = {name: getattr(np, name) for name in ("where", "minimum", "maximum", "copysign", "sqrt", "signbit", "fmod")}
NAMES |= {t: np.dtype(t) for t in set(TYPES.values())} | {"np": np, "m": arithmetic, "w": warp}


class Translation(Operations):
    """One basic block on its way to Python. `function` knows the types of its registers."""

    def __init__(self, function, block):
        self.function, self.block, self.lines, self.reads, self.writes = function, block, [], [], []
        self.names = dict(NAMES)
        for instruction in block.body:
            self.instruction = instruction
            self.emit(instruction)
        if block.end is not None and block.end.predicate:
            self.instruction = block.end
            self.result = self.predicate()
        else:
            self.result = "None"

    def compile(self):
        """The function (registers, warp, mask, whether other threads keep theirs) -> the predicate of the branch."""
        kept = [name for name in self.writes if not self._temporary(name)]
        lines = [f"{name} = R[{name!r}]" for name in self.reads] + self.lines
        if kept:
            lines += ["if partial:", *(f"    R[{name!r}] = where(M, {name}, R[{name!r}])" for name in kept)]
            lines += ["else:", *(f"    R[{name!r}] = {name}" for name in kept)]
        source = "def run(R, W, M, partial):\n" + "".join(f"    {line}\n" for line in [*lines, f"return {self.result}"])
        exec(compile(source, f"<{self.function.name} {self.block.label}>", "exec"), self.names)
        return self.names["run"]

    def _temporary(self, name):
        return name not in self.reads and self.function.places.get(name) == self.block.index

    # --- operands -----------------------------------------------------------------------------------------------------

    def constant(self, value, dtype):
        """A name for an array of one value."""
        array = np.full(LANES, value, dtype)
        name = f"k_{dtype.replace('?', 'p')}_{array[:1].tobytes().hex()}"
        self.names[name] = array
        return name

    def keep(self, thing, name):
        name = f"{name}{len(self.names)}"
        self.names[name] = thing
        return name

    def get(self, operand, dtype):
        """An expression for an operand, as elements of `dtype`."""
        operand = operand.strip()
        if operand.startswith("!"):
            return f"(~{self.get(operand[1:], dtype)})"
        own = self.function.registers.get(operand)
        if own is not None:
            return convert(self._read(identifier(operand)), own, dtype)
        if operand.startswith("%"):
            if operand not in warp.SPECIAL:
                raise self.unknown()
            return convert(f"W.special[{operand!r}]", "i4", dtype)
        if re.match(r"-?\d|0[fFdD]", operand):
            return self.constant(number(operand, dtype), dtype)
        return convert(self._read(identifier(operand)), "i8", dtype)  # the address of a symbol

    def _read(self, name):
        if name not in self.writes and name not in self.reads:
            self.reads.append(name)
        return name

    def set(self, operand, expression, dtype):
        """Assign an expression with elements of `dtype` to a register, where the instruction's predicate holds."""
        if operand.strip() == "_":
            return
        name, own = identifier(operand.strip()), self.function.registers[operand.strip()]
        value = convert(expression, dtype, own)
        if self.instruction.predicate:
            value = f"where({self.predicate()}, {value}, {self._read(name)})"
        self.lines.append(f"{name} = {value}")
        if name not in self.writes:
            self.writes.append(name)

    def predicate(self):
        return self.get(self.instruction.predicate, "?")

    def mask(self):
        if not self.instruction.predicate:
            return "M"
        return f"({self.predicate()} if M is None else M & {self.predicate()})"

    def address(self, operand):
        """(the expression of an address, whether it stands in `.param` space) of [base+offset]."""
        parts = operand.strip()[1:-1].split("+", 1)
        offset = int(parts[1], 0) if len(parts) > 1 else 0
        expression = self.get(parts[0], "i8")
        return f"{expression} + {self.constant(offset, 'i8')}" if offset else expression

    # --- instructions -------------------------------------------------------------------------------------------------

    def emit(self, instruction):
        name, *parts = instruction.opcode
        method = getattr(self, f"op_{name}", None)
        if method is None:
            raise self.unknown()
        try:
            method(instruction.operands, parts)
        except (KeyError, ValueError, IndexError) as error:
            raise self.unknown() from error

    def unknown(self):
        return Untranslated(f"line {self.instruction.line}: the emulator does not know: {self.instruction.text}")

    def plain(self, parts, *allowed):
        """The type of an instruction that may carry only these modifiers besides."""
        if set(parts[:-1]) - set(allowed):
            raise self.unknown()
        return parts[-1]

    # --- memory -------------------------------------------------------------------------------------------------------

    def site(self, parts, aligned):
        space = next((p for p in parts if p in ("global", "shared", "local", "const")), "")
        kind = np.dtype(TYPES[parts[-1]])
        return self.keep(
            Site(self.instruction.line, self.instruction.text, space, kind, kind.itemsize * aligned, "nc" in parts), "s"
        )

    def op_ld(self, operands, parts):
        d, a = operands
        targets, own = d.strip("{}").split(","), TYPES[parts[-1]]
        for k in range(len(targets)):
            if "param" in parts:
                name, offset = self.param(a)
                value = f"w.parameter({name}, {offset + k * int(own[1])}, {own})"
            else:
                site, ahead = self.site(parts, 1 if k else len(targets)), self.constant(k * int(own[1]), "i8")
                value = f"W.memory.load({site}, {self.address(a)}{f' + {ahead}' if k else ''}, {self.mask()})"
            self.lines.append(f"loaded{k} = {value}")
        for k, target in enumerate(targets):
            self.set(target, f"loaded{k}", own)

    op_ldu = op_ld

    def op_st(self, operands, parts):
        a, d = operands
        own = TYPES[parts[-1]]
        for k, source in enumerate(d.strip("{}").split(",")):
            value = self.get(source, own)
            if "param" in parts:
                name, offset = self.param(a)
                self.lines.append(f"w.set_parameter({name}, {offset + k * int(own[1])}, {value}, {self.mask()})")
            else:
                site, ahead = self.site(parts, 1 if k else d.count(",") + 1), self.constant(k * int(own[1]), "i8")
                ahead = f" + {ahead}" if k else ""
                self.lines.append(f"W.memory.store({site}, {self.address(a)}{ahead}, {value}, {self.mask()})")

    def param(self, operand):
        """(the name of a parameter's bytes, an offset in them)."""
        name, _, offset = operand.strip()[1:-1].partition("+")
        return self._read(identifier(name)), int(offset or 0)

    def op_atom(self, operands, parts):
        d, a, *rest = operands if self.instruction.opcode[0] == "atom" else ["_", *operands]
        own, how = TYPES[parts[-1]], next(p for p in parts if p in warp.CHANGES)
        change = f"w.CHANGES[{how!r}]({', '.join(self.get(o, own) for o in rest)})"
        self.lines.append(f"old = W.memory.atomic({self.site(parts, 1)}, {change}, {self.address(a)}, {self.mask()})")
        self.set(d, "old", own)

    op_red = op_atom

    def op_fence(self, operands, parts):
        """All stores are seen at once."""

    op_membar = op_fence

    # --- warps --------------------------------------------------------------------------------------------------------

    def op_bar(self, operands, parts):
        if "sync" not in parts:
            raise self.unknown()
        if parts[0] == "warp":
            self.lines.append("W.barrier(M)")

    op_barrier = op_bar

    def op_activemask(self, operands, parts):
        self.set(operands[0], "w.ballot(None, M)", "i4")

    def op_vote(self, operands, parts):
        _, how, kind = parts
        d, p, _ = operands
        self.set(d, f"w.{how}({self.get(p, '?')}, M)", {"pred": "?", "b32": "i4"}[kind])

    def op_shfl(self, operands, parts):
        _, how, _ = parts
        d, a, b, c, _ = operands
        where = self.keep(f"line {self.instruction.line}: {self.instruction.text}", "t")
        operands = ", ".join([self.get(a, "i4"), self.get(b, "i4"), self.get(c, "i4")])
        self.lines.append(f"moved, valid = w.shuffle({how!r}, {operands}, W, M, {where})")
        for target, name, own in zip(d.split("|"), ("moved", "valid"), ("i4", "?"), strict=False):
            self.set(target, name, own)
