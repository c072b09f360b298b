"""PTX's arithmetic, comparisons and conversions as Python expressions."""

from . import arithmetic
from .operands import TYPES, base

COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
UNSIGNED = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
SIGNS = {"add": "+", "sub": "-", "and": "&", "or": "|", "xor": "^"}


class Operations:
    """The methods op_<name>(operands, parts of the opcode after the name) of a translation (code.py)."""

    def number(self, d, expression, parts, dtype):
        """Assign a float result, with `.ftz` and `.sat`."""
        if "ftz" in parts:
            expression = f"m.flush({expression})"
        if "sat" in parts:
            expression = f"m.unit({expression})"
        self.set(d, expression, dtype)

    def floats(self, operands, parts, dtype):
        found = [self.get(o, dtype) for o in operands]
        return [f"m.flush({x})" for x in found] if "ftz" in parts else found

    def _sum(self, operands, parts):
        name, kind = self.instruction.opcode[0], parts[-1]
        d, *rest = operands
        if kind[0] != "f":
            if "cc" in parts or name.endswith("c"):
                return self._carry(operands, parts)
            a, b = (self.get(o, base(kind)) for o in rest)
            self.plain(parts)
            return self.set(d, f"{a} {SIGNS[name]} {b}", base(kind))
        (a, b), mode = self.floats(rest, parts, TYPES[kind]), rounding(parts)
        self.plain(parts, mode, "ftz", "sat")
        if mode == "rn":
            return self.number(d, f"{a} {SIGNS[name]} {b}", parts, TYPES[kind])
        if kind != "f32":
            raise self.unknown()
        sign = "" if name == "add" else "-"
        return self.number(d, f"m.fma32({a}, {self.constant(1, 'f4')}, {sign}{b}, {mode!r})", parts, "f4")

    op_add = op_sub = op_addc = op_subc = _sum

    def _carry(self, operands, parts):
        name, (d, *rest) = self.instruction.opcode[0], operands
        unsigned = base(parts[-1]).replace("i", "u")
        a, b, *c = (self.get(o, unsigned) for o in rest)
        if c:
            a, b = (f"m.high({a}, {b})" if "hi" in parts else f"{a} * {b}"), c[0]
        carry = self.get("%carry", "?") if name.endswith("c") else self.constant(0, "?")
        function = "subtract_borrow" if name.startswith("sub") else "add_carry"
        self.lines.append(f"result, carry = m.{function}({a}, {b}, {carry})")
        self.set(d, "result", unsigned)
        if "cc" in parts:
            self.set("%carry", "carry", "?")

    def op_mul(self, operands, parts):
        d, *rest = operands
        kind = parts[-1]
        if kind[0] == "f":
            (a, b), mode = self.floats(rest, parts, TYPES[kind]), rounding(parts)
            self.plain(parts, mode, "ftz", "sat")
            if mode == "rn":
                return self.number(d, f"{a} * {b}", parts, TYPES[kind])
            if kind != "f32":
                raise self.unknown()
            return self.number(d, f"m.round32({a}.astype(f8) * {b}.astype(f8), {mode!r})", parts, "f4")
        return self.set(d, *self._product(rest, parts))

    def _product(self, operands, parts):
        """(expression, type) of an integer product."""
        how = parts[0]
        kind = self.plain(parts, how)
        own = base(kind) if how == "lo" else TYPES[kind]
        a, b = (self.get(o, own) for o in operands)
        if how == "wide":
            own = own[0] + str(2 * int(own[1]))
            a, b = f"{a}.astype({own})", f"{b}.astype({own})"
        return (f"m.high({a}, {b})" if how == "hi" else f"{a} * {b}"), own

    def op_mad(self, operands, parts):
        if parts[-1][0] == "f":
            return self.op_fma(operands, parts)
        if "cc" in parts or self.instruction.opcode[0] == "madc":
            return self._carry(operands, parts)
        d, a, b, c = operands
        product, own = self._product([a, b], parts)
        return self.set(d, f"{product} + {self.get(c, own)}", own)

    op_madc = op_mad

    def op_fma(self, operands, parts):
        d, *rest = operands
        mode, kind = rounding(parts), self.plain(parts, "rn", "rm", "rp", "rz", "ftz", "sat")
        a, b, c = self.floats(rest, parts, TYPES[kind])
        if kind == "f64" and mode != "rn":
            raise self.unknown()
        how = f"m.fma64({a}, {b}, {c})" if kind == "f64" else f"m.fma32({a}, {b}, {c}, {mode!r})"
        self.number(d, how, parts, TYPES[kind])

    def op_div(self, operands, parts):
        d, *rest = operands
        kind = self.plain(parts, "rn", "full", "approx", "ftz")
        own = TYPES[kind]
        a, b = self.floats(rest, parts, own)
        if kind[0] == "f":
            return self.number(d, f"{a} / {b}", parts, own)
        return self.set(d, f"m.divide({a}, {b})", own)

    def op_rem(self, operands, parts):
        d, a, b = operands
        own = TYPES[self.plain(parts)]
        self.set(d, f"fmod({self.get(a, own)}, {self.get(b, own)})", own)

    def _function(self, operands, parts):
        d, a = operands
        own = TYPES[self.plain(parts, "rn", "approx", "ftz")]
        (x,) = self.floats([a], parts, own)
        name = self.instruction.opcode[0]
        if "rn" in parts:
            expression = {"sqrt": f"sqrt({x})", "rcp": f"{self.constant(1, own)} / {x}"}[name]
        else:
            expression = f"m.approximate({name!r}, {x})"
        self.number(d, expression, parts, own)

    op_sqrt = op_rcp = op_rsqrt = op_ex2 = op_lg2 = op_sin = op_cos = op_tanh = _function

    def op_neg(self, operands, parts):
        self._one(operands, parts, "-{}")

    def op_abs(self, operands, parts):
        self._one(operands, parts, "abs({})")

    def _one(self, operands, parts, form):
        d, a = operands
        own = TYPES[self.plain(parts, "ftz")]
        self.number(d, form.format(*self.floats([a], parts, own)), parts, own)

    def _extreme(self, operands, parts):
        d, *rest = operands
        kind, name = self.plain(parts, "ftz", "NaN"), {"min": "minimum", "max": "maximum"}[self.instruction.opcode[0]]
        a, b = self.floats(rest, parts, TYPES[kind])
        where = "m." if kind[0] == "f" and "NaN" not in parts else ""
        self.number(d, f"{where}{name}({a}, {b})", parts, TYPES[kind])

    op_min = op_max = _extreme

    def op_copysign(self, operands, parts):
        d, sign, size = operands
        own = TYPES[self.plain(parts)]
        self.set(d, f"copysign({self.get(size, own)}, {self.get(sign, own)})", own)

    def _logic(self, operands, parts):
        d, a, b = operands
        own = base(self.plain(parts))
        self.set(d, f"{self.get(a, own)} {SIGNS[self.instruction.opcode[0]]} {self.get(b, own)}", own)

    op_and = op_or = op_xor = _logic

    def op_not(self, operands, parts):
        own = base(self.plain(parts))
        self.set(operands[0], f"~{self.get(operands[1], own)}", own)

    def _shift(self, operands, parts):
        d, a, count = operands
        left, kind = self.instruction.opcode[0] == "shl", self.plain(parts)
        own, fixed = (base(kind) if left else TYPES[kind].replace("b", "u")), count.strip().lstrip("-").isdigit()
        if not left and kind[0] == "b":
            own = own.replace("i", "u")
        x = self.get(a, own)
        if fixed and 0 <= int(count) < 8 * int(own[1]):
            return self.set(d, f"{x} {'<<' if left else '>>'} {self.constant(int(count), own)}", own)
        return self.set(d, f"m.shift_{'left' if left else 'right'}({x}, {self.get(count, 'u4')})", own)

    op_shl = op_shr = _shift

    def op_shf(self, operands, parts):
        d, a, b, c = operands
        direction, mode, kind = parts
        words = ", ".join(self.get(o, {"b32": "u4"}[kind]) for o in (a, b, c))
        self.set(d, f"m.funnel({words}, {direction!r}, {mode!r})", "u4")

    def op_bfe(self, operands, parts):
        d, a, b, c = operands
        own = TYPES[self.plain(parts)]
        self.set(d, f"m.extract({self.get(a, own)}, {self.get(b, 'u4')}, {self.get(c, 'u4')})", own)

    def op_bfi(self, operands, parts):
        d, a, b, c, count = operands
        own = base(self.plain(parts)).replace("i", "u")
        a, b = self.get(a, own), self.get(b, own)
        self.set(d, f"m.insert({a}, {b}, {self.get(c, 'u4')}, {self.get(count, 'u4')})", own)

    def _count(self, operands, parts):
        d, a = operands
        x = self.get(a, base(self.plain(parts)).replace("i", "u"))
        count = {"popc": "np.bitwise_count({}).astype(u4)", "clz": "m.leading_zeros({})"}[self.instruction.opcode[0]]
        self.set(d, count.format(x), "u4")

    op_popc = op_clz = _count

    def op_brev(self, operands, parts):
        d, a = operands
        own = base(self.plain(parts)).replace("i", "u")
        self.set(d, f"m.reverse({self.get(a, own)})", own)

    def op_prmt(self, operands, parts):
        d, *rest = operands
        self.plain(parts)
        self.set(d, f"m.permute({', '.join(self.get(o, 'u4') for o in rest)})", "u4")

    def op_lop3(self, operands, parts):
        d, *rest, table = operands
        self.plain(parts)
        self.set(d, f"m.look_up({', '.join(self.get(o, 'i4') for o in rest)}, {int(table, 0)})", "i4")

    # --- comparison, choice, conversion -------------------------------------------------------------------------------

    def op_setp(self, operands, parts):
        how, *between, kind = parts
        join = [p for p in between if p in SIGNS]
        d, a, b, *c = operands
        own = TYPES[kind]
        if how in UNSIGNED:
            how, own = UNSIGNED[how], own.replace("i", "u")
        a, b = self.floats([a, b], parts, own)
        if how in ("num", "nan"):
            test = f"(({a} == {a}) & ({b} == {b}))"
            test = test if how == "num" else f"~{test}"
        elif own[0] == "f" and how in ("ne", "equ", "ltu", "leu", "gtu", "geu"):
            opposite = {"ne": "equ", "equ": "ne", "ltu": ">=", "leu": ">", "gtu": "<=", "geu": "<"}[how]
            test = f"(({a} < {b}) | ({a} > {b}))" if how == "ne" else f"~({a} {opposite} {b})"
            test = f"~(({a} < {b}) | ({a} > {b}))" if how == "equ" else test
        else:
            test = f"({a} {COMPARISONS[how.removesuffix('u')]} {b})"
        targets = d.split("|")
        if len(targets) > 1:
            self.lines.append(f"test = {test}")
            test = "test"
        for target, sign in zip(targets, ("", "~"), strict=False):
            joined = f" {SIGNS[join[0]]} {self.get(c[0], '?')}" if join else ""
            self.set(target, f"{sign}{test}{joined}", "?")

    def op_selp(self, operands, parts):
        d, a, b, p = operands
        own = base(self.plain(parts))
        self.set(d, f"where({self.get(p, '?')}, {self.get(a, own)}, {self.get(b, own)})", own)

    def op_slct(self, operands, parts):
        d, a, b, c = operands
        own, test = base(parts[-2]), TYPES[parts[-1]]
        self.plain(parts, parts[-2])
        zero = self.constant(0, test)
        self.set(d, f"where({self.get(c, test)} >= {zero}, {self.get(a, own)}, {self.get(b, own)})", own)

    def op_mov(self, operands, parts):
        d, a = operands
        own = base(self.plain(parts))
        if a.startswith("{"):
            pieces = a[1:-1].split(",")
            piece = f"i{int(own[1]) // len(pieces)}"
            return self.set(d, f"m.pack([{', '.join(self.get(p, piece) for p in pieces)}], {own})", own)
        if d.startswith("{"):
            pieces = d[1:-1].split(",")
            piece = f"i{int(own[1]) // len(pieces)}"
            self.lines.append(f"pieces = m.unpack({self.get(a, own)}, {piece}, {len(pieces)})")
            for k, target in enumerate(pieces):
                self.set(target, f"pieces[{k}]", piece)
            return None
        return self.set(d, self.get(a, own), own)

    def op_cvta(self, operands, parts):
        self.plain(parts, "to", "global", "shared", "local", "const", "param")
        self.set(operands[0], self.get(operands[1], "i8"), "i8")

    def op_cvt(self, operands, parts):
        d, a = operands
        *modes, to, source = parts
        self.plain(parts, to, *arithmetic.WHOLE, "rn", "rz", "rm", "rp", "sat", "ftz")
        own, result = TYPES[source], TYPES[to]
        (x,), directed = self.floats([a], modes, own), {"rz", "rm", "rp"} & set(modes)
        whole = [mode for mode in modes if mode in arithmetic.WHOLE]
        if own[0] == "f" and result[0] != "f":
            return self.set(d, f"m.to_integer({x}, {result}, {whole[0]!r})", result)
        if own[0] != "f" and result[0] != "f":
            return self.set(d, f"m.saturate({x}, {result})" if "sat" in modes else f"{x}.astype({result})", result)
        if whole:
            x = f"m.WHOLE[{whole[0]!r}]({x})"
        if directed:
            if (own, result) != ("f8", "f4"):
                raise self.unknown()
            return self.number(d, f"m.round32({x}, {directed.pop()!r})", modes, result)
        return self.number(d, x if own == result else f"{x}.astype({result})", modes, result)


def rounding(parts):
    return next((p for p in parts if p in ("rm", "rp", "rz")), "rn")
