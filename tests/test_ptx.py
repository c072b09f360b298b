"""The PTX emulator: kernels that Numba compiled, threads that part and meet, memory, warps, blocks, races."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from handwritten import handwritten
from ptx import Fault, Program, numba_arguments
from support import ROOT

# --- compiled by Numba ------------------------------------------------------------------------------------------------

ABSENT = 77  # exit status of a process that found no compiler


def compiler(call):
    """Run a function call of numba_kernels.py in a process of its own; skip where it finds no compiler."""
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-c", f"import numba_kernels; numba_kernels.{call}"]
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if process.returncode == ABSENT:
        pytest.skip(process.stderr.strip())
    assert process.returncode == 0, process.stderr


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A function: name -> the program of a kernel of numba_kernels.py."""
    folder = tmp_path_factory.mktemp("ptx")
    compiler(f"compile_all({str(folder)!r})")
    return lambda name: Program((folder / f"{name}.ptx").read_text())


def test_an_entry_is_called_as_on_a_gpu(compiled):
    compiler("call_entries()")


@pytest.mark.parametrize("races", [False, True])
def test_shared_memory_and_barriers(compiled, races):
    x, out = np.random.default_rng(0).normal(size=(3, 64)), np.zeros((3, 64))
    compiled("sums").launch(3, 64, numba_arguments(x.ravel(), out.ravel()), shared=64 * 8, races=races)
    np.testing.assert_allclose(out, x.sum(1, keepdims=True) + 1000 * x[:, ::-1], rtol=1e-13)


def test_too_little_dynamic_shared_memory(compiled):
    x, out = np.ones(64), np.zeros(64)
    with pytest.raises(Fault, match=r"st\.shared\.f64.*thread 63 of block 0 takes 8 bytes"):
        compiled("sums").launch(1, 64, numba_arguments(x, out), shared=63 * 8)


def test_shuffles_and_votes(compiled):
    x = np.random.default_rng(1).normal(size=(4, 32))
    x[1, 7], x[2, 9] = 2.5, -2.5
    out, votes, lane = np.zeros((4, 32)), np.zeros((4, 32), "i4"), np.arange(32)
    compiled("exchange").launch(2, 64, numba_arguments(x.ravel(), out.ravel(), votes.ravel()))
    up, down = np.where(lane < 2, lane, lane - 2), np.where(lane == 31, lane, lane + 1)
    wanted = x + x[:, lane ^ 5] + 10 * x[:, 3:4] + 100 * x[:, up] + 1000 * x[:, down]
    wanted = np.where((x > 2).any(1, keepdims=True), -wanted, wanted) + 0.5 * (x > -2).all(1, keepdims=True)
    np.testing.assert_allclose(out, wanted, rtol=1e-13, atol=1e-10)
    np.testing.assert_array_equal(votes.view("u4"), ((x > 0) * (1 << lane)).sum(1, keepdims=True) * np.ones(32, "i8"))


def diverged(steps, x):
    own = [x * j for j in range(8)]
    for j in range(steps):
        own[3 * j % 8] += own[(j + steps) % 8]
        if own[j % 8] > 30:
            own[j % 8] -= 30
    total = 0.0
    for value in own:
        total += value
    return math.sin(1e9 * total)


def test_threads_that_part_use_local_memory_and_call_functions(compiled):
    rng = np.random.default_rng(2)
    steps, x, out = rng.integers(0, 40, 70), rng.normal(size=70), np.zeros(70)
    program = compiled("diverge")
    assert any(block.kind == "call" for function in program.functions.values() for block in function.blocks)
    program.launch(2, 35, numba_arguments(steps, x, out))
    np.testing.assert_allclose(
        out, [diverged(n, v) for n, v in zip(steps.tolist(), x.tolist(), strict=True)], rtol=1e-13
    )


def test_atomics(compiled):
    keys = np.random.default_rng(3).integers(1, 10, 96)
    histogram, total = np.zeros(10, int), np.zeros(1)
    compiled("counts").launch(3, 32, numba_arguments(keys, histogram, total))
    np.testing.assert_array_equal(histogram[1:], np.bincount(keys, minlength=10)[1:])
    assert histogram[0] == keys.max()
    assert total == 0.5 * keys.sum()


def test_tuples_of_arrays_and_a_part_of_a_warp(compiled):
    source, found = np.random.default_rng(4).normal(size=(50, 3)), np.zeros((50, 4))
    compiled("copy").launch(2, 33, numba_arguments((1, 2), (found, source)), races=True)
    np.testing.assert_array_equal(found[:, 1], 2 * source[:, 2])
    assert not found[:, [0, 2, 3]].any()
    with pytest.raises(ValueError, match="arguments for"):
        compiled("copy").launch(2, 33, [1, 2])


def test_functions_of_the_compilers_library(compiled):
    """NVIDIA's libdevice as compiled: errors of at most two units in the last place, as its documentation says."""
    x = np.random.default_rng(5).normal(size=64) * np.repeat([1e-5, 1, 5, 20], 16)
    out = np.zeros((7, 64))
    compiled("functions").launch(2, 32, numba_arguments(x, out))
    for found, name in zip(out, ("exp", "tanh", "log", "sqrt", "expm1", "atan", "erf"), strict=True):
        function = getattr(math, name)
        wanted = [function(abs(v) if name in ("log", "sqrt") else v) for v in x.tolist()]
        np.testing.assert_allclose(found, wanted, rtol=2.0**-51, err_msg=name)
    x = x.astype("f4")
    single = np.zeros_like(x)
    compiled("singly").launch(2, 32, numba_arguments(x, single))
    wide = x.astype("f8")
    np.testing.assert_allclose(single, np.exp(wide) / np.sqrt(abs(wide)) + np.tanh(wide), rtol=1e-6)


# --- threads that part and meet ---------------------------------------------------------------------------------------


def run(body, *arrays, block=32, grid=1, variables="", **options):
    program = Program(handwritten(body, len(arrays), variables))
    program.launch(grid, block, arrays, **options)
    return program


COLLATZ = """
cvta.to.global.u64 %rd0, %rd0;
mad.lo.u64 %rd10, %rd9, 8, %rd0;
ld.global.u64 %rd11, [%rd10];
mov.u64 %rd12, 0;
LOOP:
setp.eq.u64 %p1, %rd11, 1;
@%p1 bra DONE;
and.b64 %rd13, %rd11, 1;
setp.eq.u64 %p2, %rd13, 0;
@!%p2 bra ODD;
shr.u64 %rd11, %rd11, 1;
bra.uni NEXT;
ODD:
mad.lo.u64 %rd11, %rd11, 3, 1;
NEXT:
@%p2 add.u64 %rd12, %rd12, 1000;
add.u64 %rd12, %rd12, 1;
bra LOOP;
DONE:
st.global.u64 [%rd10], %rd12;
"""


def collatz(n):
    halvings = steps = 0
    while n != 1:
        halvings, steps, n = halvings + (n % 2 == 0), steps + 1, n // 2 if n % 2 == 0 else 3 * n + 1
    return 1000 * halvings + steps


def test_each_thread_runs_its_own_loop():
    numbers = np.arange(1, 51)
    wanted = [collatz(n) for n in numbers.tolist()]
    run(COLLATZ, numbers, block=50)
    assert numbers.tolist() == wanted


def test_threads_meet_again():
    """All 32 threads run what follows a branch together: few more instructions than of the longest way."""
    body = """
    setp.lt.u32 %p1, %r0, 7;
    @%p1 bra FEW;
    mov.u32 %r1, 1;
    bra MEET;
    FEW: mov.u32 %r1, 2;
    MEET: activemask.b32 %r2;
    mad.lo.u64 %rd10, %rd9, 8, %rd0;
    st.global.v2.u32 [%rd10], {%r1, %r2};
    """
    found = np.zeros((32, 2), "u4")
    program = run(body, found)
    assert found[:, 0].tolist() == [2] * 7 + [1] * 25
    assert (found[:, 1] == 0xFFFFFFFF).all()
    assert program.instructions == 12, "each instruction once"


def test_a_table_of_branches():
    body = """
    and.b32 %r1, %r0, 3;
    TABLE: .branchtargets A, B, A, C;
    brx.idx %r1, TABLE;
    A: mov.u32 %r2, 10; bra END;
    B: mov.u32 %r2, 20; bra END;
    C: mov.u32 %r2, 30;
    END: mad.lo.u64 %rd10, %rd9, 4, %rd0;
    st.global.u32 [%rd10], %r2;
    """
    found = np.zeros(32, "u4")
    run(body, found)
    assert found.tolist() == [10, 20, 10, 30] * 8


def test_a_call_of_threads_that_parted():
    function = """
    .func (.param .b64 back) square(.param .b64 x)
    { .reg .b64 %v<2>; .reg .pred %q; ld.param.u64 %v0, [x]; setp.lt.u64 %q, %v0, 20; @%q bra OK; exit;
    OK: mul.lo.u64 %v1, %v0, %v0; st.param.b64 [back], %v1; ret; }
    """
    body = """
    mad.lo.u64 %rd10, %rd9, 8, %rd0;
    setp.lt.u32 %p1, %r0, 10;
    @%p1 bra AFTER;
    { .param .b64 in; .param .b64 out; st.param.b64 [in], %rd9;
    call.uni (out), square, (in); ld.param.b64 %rd9, [out]; }
    { .param .align 8 .b8 in[16]; }
    AFTER: st.global.u64 [%rd10], %rd9;
    """
    found = np.full(32, -1)
    run(body, found, variables=function)
    assert found.tolist() == [*range(10), *(k * k for k in range(10, 20)), *[-1] * 12]


def test_dimensions_of_the_grid():
    body = "".join(f"mov.u32 %r{k}, %{name};" for k, name in enumerate(("tid.x", "tid.y", "ctaid.x", "ctaid.y"), 1))
    body += """
    mov.u32 %r5, %ntid.x; mov.u32 %r6, %nctaid.x; mov.u32 %r7, %laneid; mov.u32 %r8, %ntid.y;
    mad.lo.u32 %r10, %r4, %r6, %r3; mul.lo.u32 %r10, %r10, 40; mad.lo.u32 %r11, %r2, %r5, %r1; add.u32 %r10, %r10, %r11;
    cvt.u64.u32 %rd9, %r10; mad.lo.u64 %rd10, %rd9, 32, %rd0;
    st.global.v4.u32 [%rd10], {%r1, %r2, %r3, %r4};
    st.global.v4.u32 [%rd10+16], {%r5, %r6, %r7, %r8};
    """
    found = np.zeros((2, 3, 4, 10, 8), "u4")
    run(body, found, block=(10, 4), grid=(3, 2))
    y, x, down, across = np.indices((2, 3, 4, 10))
    wanted = [across, down, x, y, across * 0 + 10, x * 0 + 3, (10 * down + across) % 32, x * 0 + 4]
    np.testing.assert_array_equal(found, np.stack(wanted, axis=-1))


# --- memory -----------------------------------------------------------------------------------------------------------


def test_all_widths_and_offsets():
    source, found = np.arange(256, dtype="u1"), np.zeros(64, "i8")
    body = """
    ld.global.s8 %rd10, [%rd0+200]; st.global.u64 [%rd1], %rd10;
    ld.global.u8 %rs1, [%rd0+201]; cvt.u64.u16 %rd10, %rs1; st.global.u64 [%rd1+8], %rd10;
    ld.global.nc.L1::evict_last.v2.u16 {%rs1, %rs2}, [%rd0+4]; cvt.u64.u16 %rd10, %rs2; st.global.u64 [%rd1+16], %rd10;
    add.s64 %rd11, %rd0, 16; ld.volatile.global.u32 %r1, [%rd11+-4]; st.global.u32 [%rd1+24], %r1;
    mov.b64 %rd10, {%r1, %r1}; st.u64 [%rd1+32], %rd10; st.global.u16 [%rd1+42], %r1; st.global.u8 [%rd1+48], %r1;
    """
    run(body, source, found, block=1)
    word = 0x0F0E0D0C
    wanted = [200 - 256, 201, 0x0706, word, word << 32 | word, (word & 0xFFFF) << 16, 0x0C]
    assert found[:7].tolist() == wanted


def test_variables_of_the_module():
    variables = """
    .global .align 8 .f64 factor = 0d4008000000000000;
    .const .align 4 .u32 table[4] = {1, 0x10, 7, 9};
    .common .global .align 8 .u64 unused;
    """
    body = """
    ld.global.f64 %fd1, [factor]; st.global.f64 [%rd0], %fd1;
    mov.u64 %rd10, table; ld.const.u32 %r1, [%rd10+4]; st.global.u32 [%rd0+8], %r1;
    ld.const.u32 %r1, [table+8]; st.global.u32 [%rd0+12], %r1;
    """
    found = np.zeros(2)
    run(body, found, block=1, variables=variables)
    assert found[0] == 3
    assert found[1:].view("u4").tolist() == [16, 7]


LOAD = "mad.lo.u64 %rd10, %rd9, {step}, %rd0; ld{space}.f64 %fd1, [%rd10+{offset}];"


@pytest.mark.parametrize(
    ("step", "offset", "space", "message"),
    [
        (
            8,
            8,
            ".global",
            r"line \d+: ld\.global\.f64.*thread 31 of block 0 takes 8 bytes.*byte 256 of the 256 of argument 0",
        ),
        (8, -8, ".global", "thread 0 of block 0.*byte -8 of the 256"),
        (8, 4, ".global", "no multiple of 8"),
        (8, 0, ".shared", "thread 0 .*byte 0 of the 256 of argument 0 .global."),
        (1 << 40, 0, ".global", "thread 1 of block 0"),
        (8, 0, "", None),
    ],
)
def test_loads_within_and_beyond_the_bounds(step, offset, space, message):
    body, array = LOAD.format(step=step, offset=offset, space=space), np.zeros(32)
    if message is None:
        run(body, array)
    else:
        with pytest.raises(Fault, match=message):
            run(body, array)


def test_threads_that_take_no_part_reach_for_nothing():
    body = "setp.lt.u32 %p1, %r0, 5; mad.lo.u64 %rd10, %rd9, 8, %rd0; @%p1 ld.global.f64 %fd1, [%rd10]; "
    body += "@%p1 st.global.f64 [%rd10], 0d4000000000000000; mov.f64 %fd2, %fd1;"
    found = np.zeros(5)
    run(body, found)
    assert (found == 2).all()
    with pytest.raises(Fault, match="thread 4 of block 0"):
        run(body, np.zeros(4))


def test_what_is_read_only_stays_so():
    array = np.zeros(4)
    array.flags.writeable = False
    with pytest.raises(Fault, match=r"st\.global\.f64.*argument 0, which is read-only"):
        run("st.global.f64 [%rd0], 0d0000000000000000;", array, block=1)


@pytest.mark.parametrize("offset", [0, 24, 32, -8, 96, -96])
def test_local_memory_is_each_threads_own(offset):
    found = np.zeros(32)
    body = f"""
    .local .align 8 .b8 depot[32];
    mov.u64 %rd11, depot; cvta.local.u64 %rd12, %rd11; cvt.rn.f64.u32 %fd1, %r0; setp.ne.u32 %p1, %r0, 9;
    selp.s64 %rd13, 0, {offset}, %p1; add.s64 %rd11, %rd11, %rd13; add.s64 %rd12, %rd12, %rd13;
    st.local.f64 [%rd11], %fd1; ld.f64 %fd2, [%rd12];
    mad.lo.u64 %rd10, %rd9, 8, %rd0; st.global.f64 [%rd10], %fd2;
    """
    if 0 <= offset <= 24:
        run(body, found)
        assert found.tolist() == list(range(32))
    else:
        with pytest.raises(Fault, match=r"st\.local\.f64.*thread 9 of block 0.*outside the thread's own part of depot"):
            run(body, found)


def test_constants_are_read_only_and_one_array_may_come_twice():
    with pytest.raises(Fault, match="table, which is read-only"):
        run("st.u32 [table], %r0;", block=1, variables=".const .align 4 .u32 table[4] = {1, 2, 3, 4};")
    both, body = np.zeros(32, "u4"), "mad.lo.u64 %rd10, %rd9, 4, %rd{}; st.global.u32 [%rd10], %r0;"
    run(body.format(0) + body.format(1), both, both, races=True)
    assert both.tolist() == list(range(32))


def test_arguments_have_the_parameters_type():
    text = handwritten("st.global.f64 [%rd0], %fd1;", 2)
    text = text.replace(".param .u64 p1", ".param .f64 p1").replace("ld.param.u64 %rd1,", "ld.param.f64 %fd1,")
    found = np.zeros(1)
    for value in (3, 3.5, np.float32(0.25)):
        Program(text).launch(1, 1, [found, value])
        assert found == value
    with pytest.raises(ValueError, match=r"argument 0 is 1\.5"):
        Program(text).launch(1, 1, [1.5, 1.5])


def test_shared_memory_begins_as_nonsense():
    found = np.zeros(1)
    run("ld.shared.f64 %fd1, [tile]; st.global.f64 [%rd0], %fd1;", found, variables=".shared .align 8 .b8 tile[64];")
    assert np.isnan(found).all()


# --- warps and blocks -------------------------------------------------------------------------------------------------

SHUFFLE = "shfl.sync.idx.b32 %r1|%p2, %r0, {source}, 31, {mask};"
STORE = "mad.lo.u64 %rd10, %rd9, 4, %rd0; st.global.u32 [%rd10], %r1;"


def test_groups_of_threads_shuffle_by_themselves():
    body = "setp.lt.u32 %p1, %r0, 16; selp.b32 %r3, 0xFFFF, 0xFFFF0000, %p1; selp.b32 %r2, 3, 30, %p1;"
    found = np.zeros(32, "u4")
    run(body + SHUFFLE.format(source="%r2", mask="%r3") + STORE, found)
    assert found.tolist() == [3] * 16 + [30] * 16


LATE = """
setp.lt.u32 %p1, %r0, {few};
@%p1 bra COLD;
BACK: {shuffle} {store} ret;
COLD: mov.u32 %r5, 1; {way};
"""


@pytest.mark.parametrize(
    ("way", "source", "mask", "message"),
    [
        ("bra BACK", 0, -1, None),  # those that come later are waited for
        ("ret", 9, -1, None),  # those that ended are not
        ("ret", 0, -1, "thread 3 of block 0 asks lane 0, which takes no part"),
        ("bra BACK", 9, 0xFFFFFFF8, "the mask lacks thread 0"),
        ("bar.warp.sync -1", 9, -1, r"threads of a warp wait.*thread 3 .* 28 more .*shfl.*thread 0 .*bar\.warp\.sync"),
        ("bra COLD", 9, -1, "an endless loop"),
    ],
)
def test_a_shuffle_waits_for_the_threads_of_its_mask(way, source, mask, message):
    found = np.full(32, 99, "u4")
    body = LATE.format(few=3, shuffle=SHUFFLE.format(source=source, mask=mask), store=STORE, way=way)
    if message is None:
        run(body, found)
        assert found.tolist() == ([99] * 3 + [9] * 29 if way == "ret" else [0] * 32)
    else:
        with pytest.raises(Fault, match=message):
            run(body, found, limit=10_000)


@pytest.mark.parametrize(("how", "test"), [("any", np.any), ("all", np.all), ("uni", lambda x: x.all() or not x.any())])
@pytest.mark.parametrize("count", [0, 5, 20, 24])
def test_votes_of_a_part_of_a_warp(how, test, count):
    body = f"""
    setp.ge.u32 %p3, %r0, 24; @%p3 bra PAST; setp.lt.u32 %p1, %r0, {count};
    vote.sync.{how}.pred %p2, %p1, 0xFFFFFF; selp.b32 %r1, 1, 0, %p2; {STORE} PAST: mov.u32 %r2, 0;
    """
    found = np.full(24, 9, "u4")
    run(body, found)
    assert (found == test(np.arange(24) < count)).all()


def test_warps_wait_for_each_other():
    body = """
    mad.lo.u64 %rd10, %rd9, 4, %rd0;
    mov.u64 %rd11, tile; mad.lo.u64 %rd12, %rd9, 4, %rd11; st.shared.u32 [%rd12], %r0;
    bar.sync 0;
    sub.u32 %r1, 95, %r0; cvt.u64.u32 %rd13, %r1; mad.lo.u64 %rd14, %rd13, 4, %rd11; ld.shared.u32 %r2, [%rd14];
    st.global.u32 [%rd10], %r2;
    """
    found, variables = np.zeros(96, "u4"), ".shared .align 4 .b8 tile[384];"
    run(body, found, block=96, variables=variables, races=True)
    assert found.tolist() == list(range(95, -1, -1))
    with pytest.raises(Fault, match="thread 32 of block 0 reads byte 252 of tile, which thread 63 of block 0 wrote"):
        run(body.replace("bar.sync 0;", ""), found, block=96, variables=variables, races=True)


def test_warps_at_different_barriers_hang():
    body = "setp.lt.u32 %p1, %r0, 32; @%p1 bra ONE; bar.sync 2; ret; ONE: bar.sync 1;"
    with pytest.raises(Fault, match=r"different barriers: thread 0 .*bar\.sync 1.*thread 32 .*bar\.sync 2"):
        run(body, block=64)
    run(body.replace("bar.sync 2", "bar.sync 1"), block=64)
    run(body.replace("bar.sync 2", "bar.sync 2, 32").replace("bar.sync 1", "bar.sync 1, 32"), block=64)


def test_a_barrier_that_part_of_a_warp_passes_by():
    body = "setp.lt.u32 %p1, %r0, 5; @%p1 bra PAST; bar.sync 0; PAST: vote.sync.any.pred %p2, %p1, -1;"
    with pytest.raises(Fault, match=r"threads of a warp wait.*bar\.sync"):
        run(body)
    run(body.replace("@%p1 bra PAST;", ""))


# --- races ------------------------------------------------------------------------------------------------------------

TILE = ".shared .align 4 .b8 tile[256];"
OWN = "mov.u64 %rd11, tile; mad.lo.u64 %rd12, %rd9, 4, %rd11;"
NEXT = "xor.b32 %r1, %r0, 1; cvt.u64.u32 %rd13, %r1; mad.lo.u64 %rd14, %rd13, 4, %rd11;"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("st.shared.u32 [%rd12], %r0; {} ld.shared.u32 %r2, [%rd14];", "thread 0 .* reads byte .* which thread 1"),
        (
            "ld.shared.u32 %r2, [%rd14]; {} st.shared.u32 [%rd12], %r0;",
            "thread 0 .* writes byte .* which thread 1 .* read",
        ),
        (
            "st.shared.u32 [%rd12], %r0; {} st.shared.u32 [%rd14], %r0;",
            "thread 0 .* writes byte .* which thread 1 .* wrote",
        ),
        (
            "setp.eq.u32 %p4, %r0, 4; @%p1 ld.shared.u32 %r2, [tile]; @%p4 ld.shared.u32 %r2, [tile]; "
            "{} @%p4 st.shared.u32 [tile], %r3;",
            "thread 4 .* writes byte 0 of tile, which several threads read",
        ),
        ("ld.shared.u32 %r2, [tile]; {} @%p1 st.shared.u32 [tile], %r0;", "writes .* which several threads read"),
    ],
)
def test_races_within_a_warp(body, message):
    def go(between, races=True):
        run("setp.eq.u32 %p1, %r0, 3;" + OWN + NEXT + body.format(between), variables=TILE, races=races)

    for barrier in ("bar.warp.sync -1;", "bar.sync 0;"):
        go(barrier)
    go("", races=False)
    for no_barrier in ("", "vote.sync.any.pred %p2, %p1, -1;"):
        with pytest.raises(Fault, match=message):
            go(no_barrier)


def test_a_barrier_orders_only_the_threads_it_names():
    body = OWN + NEXT + "st.shared.u32 [%rd12], %r0; setp.lt.u32 %p1, %r0, {}; selp.b32 %r3, {}, {}, %p1;"
    body += "bar.warp.sync %r3; ld.shared.u32 %r2, [%rd14];"
    run(body.format(16, 0xFFFF, 0xFFFF0000), variables=TILE, races=True)
    with pytest.raises(
        Fault, match=r"thread 1[67] of block 0 reads byte 6[48] of tile, which thread 1[67] of block 0 wrote"
    ):
        run(body.format(17, 0x1FFFF, 0xFFFE0000), variables=TILE, races=True)


def test_a_barrier_of_a_warp_orders_no_other_warp():
    body = "bar.warp.sync -1; xor.b32 %r1, %r0, 32; cvt.u64.u32 %rd13, %r1; mad.lo.u64 %rd14, %rd13, 4, %rd11;"
    body = OWN + "bar.warp.sync -1; st.shared.u32 [%rd12], %r0;" + body + "ld.shared.u32 %r2, [%rd14];"
    with pytest.raises(Fault, match=r"thread 32 of block 0 writes byte 128 of tile, which thread 0 of block 0 read"):
        run(body, block=64, variables=TILE, races=True)
    run(body.replace("bar.warp.sync -1", "bar.sync 0"), block=64, variables=TILE, races=True)


def test_blocks_have_shared_memory_of_their_own_and_global_memory_in_common():
    run(OWN + "st.shared.u32 [%rd12], %r0;", grid=2, variables=TILE, races=True)
    body = "mad.lo.u64 %rd10, %rd9, 4, %rd0; {}.global.u32 [%rd10], %r0;"
    with pytest.raises(
        Fault, match=r"thread 0 of block 1 writes byte 0 of argument 0, which thread 0 of block 0 wrote"
    ):
        run(body.format("st"), np.zeros(32, "u4"), grid=2, races=True)
    run(body.format("red").replace("global", "global.add"), np.zeros(32, "u4"), grid=2, races=True)


def test_one_instruction_writes_equal_values_without_harm():
    body = "and.b32 %r1, %r0, {}; st.shared.u32 [tile], %r1; ld.shared.u32 %r2, [tile];"
    run(body.format(0), variables=TILE, races=True)
    with pytest.raises(Fault, match="different values to one address"):
        run(body.format(1), variables=TILE, races=True)


def test_what_is_read_as_constant_must_not_change():
    body = "mad.lo.u64 %rd10, %rd9, 4, %rd0; {} st.global.u32 [%rd10], %r0; {}"
    load = "ld.global.nc.u32 %r1, [%rd10];"
    run(body.format(load, ""), np.zeros(32, "u4"), races=True)
    with pytest.raises(Fault, match="reads as constant what the kernel wrote"):
        run(body.format("", load), np.zeros(32, "u4"), races=True)
