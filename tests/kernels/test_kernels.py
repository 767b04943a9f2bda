"""Every kernel against its definition, on random shapes, in an optimised and in a sanitized build."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from stages.core.cgen.operators import Learned, kernel_calls
from stages.core.graph.ir import Dense, Tensor
from stages.core.graph.order import order_key
from tests.kernels import arithmetic, brute_force
from tests.kernels.random_networks import (
    TINY,
    codes,
    large_conv,
    random_conv,
    random_dense,
    random_pool,
    whole_score,
    widen,
)

FIRMWARE = Path(__file__).parents[2] / "firmware"
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", f"-I{FIRMWARE}"]
BUILDS = {
    "optimised": ["-O3"],
    "sanitized": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}
KERNELS = ["conv1d", "depthwise_conv1d", "pointwise_conv1d", "global_average_pool", "dense", "dense_s32", "widen"]
KERNELS += ["scale", "table", "order_key"]
TYPES = ["s8", "s16", "f32"]
SHAPE = ["input_length", "input_channels", "output_length", "output_channels", "groups", "kernel", "stride"]
SHAPE += ["pad_left", "input_zero_point"]
#: Fields of other shapes, as the runner finds them.
ALIASES = {"inputs": "input_channels", "outputs": "output_channels", "length": "input_length"}
ALIASES |= {"channels": "input_channels", "count": "input_channels"}
DTYPES = ["int8", "int16", "float32"]


@pytest.fixture(scope="module", params=sorted(BUILDS))
def runner(request, tmp_path_factory):
    binary = tmp_path_factory.mktemp("kernels") / "runner"
    subprocess.run(
        ["gcc", *STRICT, *BUILDS[request.param], Path(__file__).with_name("runner.c"), "-o", binary], check=True
    )

    def run(cases: list[bytes]) -> bytes:
        done = subprocess.run([binary], input=b"".join(cases), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return done.stdout

    return run


def case(name, shape, clip, arrays, output_bytes):
    """One request: `name` is that of the kernel without tg_, `clip` three int32."""
    kernel, _, kind = name.replace("s8_s32", "s32_s8").replace("s16_s32", "s32_s16").rpartition("_")
    blobs = [np.ascontiguousarray(array).tobytes() for array in arrays] + [b""] * (4 - len(arrays))
    fields = [KERNELS.index(kernel), TYPES.index(kind), *shape, *clip, *map(len, blobs), output_bytes]
    return np.array(fields, "<i4").tobytes() + b"".join(blobs)


def op_case(op, x):
    (call,) = kernel_calls(op)
    shape = {ALIASES.get(key, key): number(value) for key, value in call.shape.items()}
    fields = [shape.get(key, 1 if key in ("input_length", "input_channels") else 0) for key in SHAPE]
    if op.output.dtype == "float32":
        clip = np.array([0.0, *(getattr(op, name, 0.0) for name in ("y_min", "y_max"))], "<f4").view("<i4").tolist()
    else:
        clip = [number(call.clip.get(key, 0)) for key in ("zero_point", "min", "max")]
    scalars = [np.float32(op.multiplier)] if call.scalars else []
    return case(
        call.kernel.removeprefix("tg_"),
        fields,
        clip,
        [x, *(a.values for a in call.arrays), *scalars],
        op.output.n_bytes,
    )


def number(value):
    return int(value.value if isinstance(value, Learned) else value)


def check(runner, ops, inputs):
    """Require the bytes of the definition, so that float32 has 0 ulp and zeros have their signs."""
    expected = [brute_force.op_output(op, x) for op, x in zip(ops, inputs, strict=True)]
    got = runner([op_case(op, x) for op, x in zip(ops, inputs, strict=True)])
    for op, y in zip(ops, expected, strict=True):
        part, got = got[: y.nbytes], got[y.nbytes :]
        assert part == y.tobytes(), (op, np.frombuffer(part, y.dtype).reshape(y.shape), y)
    assert not got
    return np.concatenate([y.ravel() for y in expected])


def inputs_of(rng, ops):
    return [codes(rng, op.input.length, op.input.channels, op.input.dtype) for op in ops]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["conv", "depthwise", "pointwise"])
def test_convolution_equals_its_definition(runner, kind, dtype):
    rng = np.random.Generator(np.random.PCG64(11))
    ops = [random_conv(rng, kind, dtype) for _ in range(60)]
    assert len(np.unique(check(runner, ops, inputs_of(rng, ops)))) > 100


@pytest.mark.parametrize("kind", ["conv", "grouped", "depthwise", "pointwise"])
def test_convolution_of_many_channels_and_long_kernels_equals_its_definition(runner, kind):
    rng = np.random.Generator(np.random.PCG64(18))
    ops = [large_conv(rng, kind) for _ in range(25)]
    assert len(np.unique(check(runner, ops, inputs_of(rng, ops)))) > 200


@pytest.mark.parametrize("dtype", DTYPES)
def test_pool_equals_its_definition(runner, dtype):
    rng = np.random.Generator(np.random.PCG64(12))
    ops = [random_pool(rng, dtype=dtype) for _ in range(60)]
    assert len(np.unique(check(runner, ops, inputs_of(rng, ops)))) > 100


@pytest.mark.parametrize("dtype", DTYPES)
def test_dense_equals_its_definition(runner, dtype):
    rng = np.random.Generator(np.random.PCG64(13))
    ops = [random_dense(rng, dtype=dtype) for _ in range(60)]
    assert len(np.unique(check(runner, ops, inputs_of(rng, ops)))) > 100


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_dense_gives_its_accumulator_as_the_score(runner, dtype):
    rng = np.random.Generator(np.random.PCG64(17))
    ops = [whole_score(random_dense(rng, dtype=dtype)) for _ in range(60)]
    assert np.abs(check(runner, ops, inputs_of(rng, ops))).max() > 2**16


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_widen_gives_every_code_its_value(runner, dtype):
    every_code = np.arange(-128, 128, dtype=np.int8).reshape(64, 4)
    x = Tensor("x", 64, 4, float(np.float32(0.1)), 0)
    outputs = check(runner, [widen(x, dtype)], [every_code])
    by_hand = {"int16": [-32768, -256, 0, 256, 32512], "float32": [-12.8, -0.1, 0.0, 0.1, 12.7]}[dtype]
    np.testing.assert_allclose(outputs[[0, 127, 128, 129, 255]], by_hand, rtol=1e-7)


@pytest.mark.parametrize(("dtype", "extreme"), [("int8", -128), ("int16", -32768)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_accumulator_that_is_accepted_does_not_overflow(runner, dtype, extreme, sign):
    inputs = 2**31 // (-extreme * 127) - 1
    room = 2**31 - 1 + extreme * 127 * inputs
    x, y = Tensor("x", 1, inputs, 1.0, 0, dtype), Tensor("y", 1, 1, 1.0, 0, "int32")
    weight, bias = np.full((1, inputs), -sign * 127, np.int8), np.array([sign * room], np.int32)
    op = Dense("full", x, y, weight, bias, np.ones(1, np.float32), 0, 0)
    got = np.frombuffer(runner([op_case(op, np.full((1, inputs), extreme, dtype))]), np.int32)
    assert got.tolist() == [sign * (2**31 - 1)]


def test_float_sums_are_formed_in_the_stated_order_without_contraction(runner):
    # 2^24 + 1 + 1 is 2^24 from the left and 2^24 + 2 from the right. 0x1.001p0^2 is 1 + 2^-11 + 2^-24 and 1 + 2^-11 in
    # float32: a fused multiply-add would keep the 2^-24 once -(1 + 2^-11) is added.
    x = np.array([[1.0, 1.0, 1 + 2**-12]], np.float32)
    weight = np.array([[1, 1, 0], [0, 0, 1 + 2**-12]], np.float32)
    bias = np.array([2**24, -(1 + 2**-11)], np.float32)
    ins, outs = Tensor("x", 1, 3, 1.0, 0, "float32"), Tensor("y", 1, 2, 1.0, 0, "float32")
    op = Dense("order", ins, outs, weight, bias, np.ones(2, np.float32), -np.inf, np.inf)
    assert np.frombuffer(runner([op_case(op, x)]), np.float32).tolist() == [2.0**24, 0.0]


def test_float_keeps_subnormals_and_signs_of_zero(runner):
    tiny = float(TINY)
    x = np.array([[3 * tiny, 2.0**-100]], np.float32)
    weight = np.array([[1, 0], [0, 2.0**-49], [0, 2.0**-50], [0, 0], [-0.0, -0.0]], np.float32)
    bias = np.array([tiny, 0, 0, -0.0, -0.0], np.float32)
    by_hand = np.array([4 * tiny, tiny, 0.0, 0.0, -0.0], np.float32)
    ins, outs = Tensor("x", 1, 2, 1.0, 0, "float32"), Tensor("y", 1, 5, 1.0, 0, "float32")
    for y_min in (-np.inf, 0.0):
        op = Dense("tiny", ins, outs, weight, bias, np.ones(5, np.float32), y_min, np.inf)
        assert runner([op_case(op, x)]) == by_hand.tobytes()


def test_order_keys_count_floats_upwards(runner):
    ends = np.array([-np.inf, -1.0, -TINY, -0.0, 0.0, TINY, 1.0, np.inf], np.float32)
    values = np.concatenate([ends, np.nextafter(ends, np.float32(-np.inf)), np.nextafter(ends, np.float32(np.inf))])
    request = case("order_key_f32", [1, len(values)] + [0] * 7, [0] * 3, [values], 4 * len(values))
    keys = np.frombuffer(runner([request]), np.int32)
    assert keys.tolist() == order_key(values).tolist() == brute_force.score_codes(values)
    in_order = keys[np.lexsort((~np.signbit(values), values))]
    assert (np.diff(in_order) >= 0).all()
    assert keys[3] + 1 == keys[4] == 0


def requantize_case(acc, multiplier, zero_point, y_min, y_max, dtype="int8"):
    """A dense layer without inputs is requantisation alone: its bias is the accumulator."""
    kind, size = ("s16", 2) if dtype == "int16" else ("s8", 1)
    constants = [b"", np.asarray(acc, "<i4"), np.asarray(multiplier, "<f4")]
    shape = [1, 0, 1, len(acc), 0, 0, 0, 0, 0]
    return case(f"dense_{kind}", shape, [zero_point, y_min, y_max], [b"", *constants], size * len(acc))


def test_requantize_rounds_half_to_even(runner):
    acc = [-7, -5, -3, -1, 1, 3, 5, 7]
    by_hand = [-4, -2, -2, 0, 0, 2, 2, 4]
    got = np.frombuffer(runner([requantize_case(acc, [0.5] * 8, 0, -128, 127)]), np.int8)
    assert got.tolist() == by_hand


def test_requantize_rounds_the_product_to_float32_before_it_rounds_to_an_integer(runner):
    # Exactly, 3 * 0x1.2aaaaap+0 = 3.49999988 and 3 * 0x1.155556p+1 = 6.50000024; in float32 they are 3.5 and 6.5,
    # which go to even. A fused multiply-add would give 3 and 7. 16777217 is 2^24 + 1, in float32 2^24.
    acc = [3, 3, 16777217]
    multiplier = [float.fromhex("0x1.2aaaaap+0"), float.fromhex("0x1.155556p+1"), 0.5 * 2.0**-18]
    got = np.frombuffer(runner([requantize_case(acc, multiplier, 0, -128, 127)]), np.int8)
    assert got.tolist() == [4, 6, 32]


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_requantize_saturates_and_survives_extreme_multipliers(runner, dtype):
    rng = np.random.Generator(np.random.PCG64(14))
    acc = [-(2**31), 2**31 - 1, -1, 0, 1, 2**24 - 1, 2**24 + 1, *rng.integers(-(2**31), 2**31, 400).tolist()]
    factors = [np.finfo(np.float32).tiny / 64, np.finfo(np.float32).tiny, 1e-9, 2.0**-31, 2.0**-24, 0.5, 1.0, 3e38]
    ranges = [(0, -128, 127), (-128, -128, 127), (127, -128, 127), (-3, -3, 127), (5, 5, 5)]
    if dtype == "int16":
        ranges = [(0, -32768, 32767), (0, 0, 32767), (-32768, -32768, 32767), (32767, -32768, 32767)]
    cases, expected = [], []
    for zero_point, y_min, y_max in ranges:
        for factor in factors:
            cases.append(requantize_case(acc, [factor] * len(acc), zero_point, y_min, y_max, dtype))
            expected += [arithmetic.requantize(a, np.float32(factor), zero_point, y_min, y_max) for a in acc]
    assert np.frombuffer(runner(cases), dtype).tolist() == expected


@pytest.mark.parametrize("epsilon", [0, 1, 500])
@pytest.mark.parametrize("dc", ["none", "window_mean"])
def test_level_and_scale_equal_their_definition_over_all_of_int16(runner, dc, epsilon):
    every_count = np.arange(-32768, 32768).astype(np.int16)
    mixed = np.random.Generator(np.random.PCG64(15)).permutation(every_count)
    contract = {"dc": dc, "normalise": {"epsilon": epsilon} if epsilon else None}
    programs = [(18, 4096, 0), (13, 4095, -700), (1, 1, 30000), (30, 4095, 5), (22, 4000, -1)]
    cases, expected = [], []
    for start in range(0, 65536, 16384):
        samples = np.stack([every_count[start : start + 16384], mixed[start : start + 16384]], axis=1)
        for channel in (0, 1):
            values = brute_force.levelled(contract, [int(v) for v in samples[:, channel]])
            for shift, multiplier, offset in programs:
                shape = [16384, 2, 16384, 14, channel, dc == "window_mean", epsilon, 0, 0]
                cases.append(case("scale_s8", shape, [offset, multiplier, shift], [samples], 16384))
                program = {"kind": "affine", "offset": offset, "multiplier": multiplier, "shift": shift}
                expected += [brute_force.code(program, v) for v in values]
    assert np.frombuffer(runner(cases), np.int8).tolist() == expected


def test_table_equals_its_definition_with_ties_and_beyond_its_ends(runner):
    rng = np.random.Generator(np.random.PCG64(16))
    cases, expected = [], []
    for spread in (3, 300, 100_000):
        breakpoints = np.sort(rng.integers(-spread, spread + 1, 255))
        values = np.concatenate([breakpoints - 1, breakpoints, breakpoints + 1, [-(2**17), 2**17]])
        program = {"kind": "table", "breakpoints": breakpoints.tolist()}
        arrays = [values.astype("<i4"), breakpoints.astype("<i4")]
        cases.append(case("table_s8", [0, 0, len(values), *[0] * 6], [0] * 3, arrays, len(values)))
        expected += [brute_force.code(program, int(v)) for v in values]
    assert np.frombuffer(runner(cases), np.int8).tolist() == expected
