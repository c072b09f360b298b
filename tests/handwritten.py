"""Kernels in PTX for tests of its emulator."""

REGISTERS = {"pred": "p", "b16": "rs", "b32": "r", "f32": "f", "b64": "rd", "f64": "fd"}


def handwritten(body, parameters=1, variables=""):
    """A kernel whose parameters, 64 bits each, are in %rd0, %rd1, ... and whose thread number is in %r0 and %rd9."""
    registers = "\n".join(f".reg .{kind} %{name}<32>;" for kind, name in REGISTERS.items())
    given = ", ".join(f".param .u64 p{k}" for k in range(parameters))
    loads = "\n".join(f"ld.param.u64 %rd{k}, [p{k}];" for k in range(parameters))
    return f"""
.version 8.0
.target sm_90
.address_size 64
{variables}
.visible .entry kernel({given})
{{
{registers}
{loads}
mov.u32 %r0, %tid.x;
cvt.u64.u32 %rd9, %r0;
{body}
ret;
}}
"""
