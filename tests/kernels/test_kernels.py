"""Every kernel against its definition, on random shapes, in an optimised and in a sanitized build."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from stages.core.cgen.operators import kernel_call
from tests.kernels import brute_force
from tests.kernels.random_networks import codes, random_conv, random_dense, random_pool

FIRMWARE = Path(__file__).parents[2] / "firmware"
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", f"-I{FIRMWARE}"]
BUILDS = {
    "optimised": ["-O3"],
    "sanitized": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}
KINDS = {
    "tg_conv1d_s8": 0,
    "tg_depthwise_conv1d_s8": 1,
    "tg_pointwise_conv1d_s8": 2,
    "pool": 3,
    "dense": 4,
    "scale": 5,
    "table": 6,
}


@pytest.fixture(scope="module", params=sorted(BUILDS))
def runner(request, tmp_path_factory):
    binary = tmp_path_factory.mktemp("kernels") / "runner"
    subprocess.run(
        ["gcc", *STRICT, *BUILDS[request.param], Path(__file__).with_name("runner.c"), "-o", binary], check=True
    )

    def run(cases: list[tuple[list[int], bytes]]) -> bytes:
        data = b"".join(np.array(fields, "<i4").tobytes() + arrays for fields, arrays in cases)
        done = subprocess.run([binary], input=data, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return done.stdout

    return run


def conv_case(op, x):
    call = kernel_call(op)
    p = call.params
    shape = [p[k] for k in ("input_length", "input_channels", "output_length", "output_channels")]
    shape += [p[k] for k in ("groups", "kernel", "stride", "pad_left", "input_zero_point")]
    return [KINDS[call.kernel], *shape, *output_codes(op)], arrays(x, call)


def pool_case(op, x):
    fields = [KINDS["pool"], *x.shape, 1, x.shape[1], 0, 0, 0, 0, op.input.zero_point, *output_codes(op)]
    return fields, x.tobytes() + np.float32(op.multiplier).tobytes()


def dense_case(op, x):
    return [KINDS["dense"], 1, x.shape[1], 1, len(op.bias), 0, 0, 0, 0, 0, *output_codes(op)], arrays(
        x, kernel_call(op)
    )


def output_codes(op):
    return op.output.zero_point, op.y_min, op.y_max


def arrays(x, call):
    return x.tobytes() + b"".join(a.values.tobytes() for a in call.arrays)


def check(runner, cases, expected):
    got = np.frombuffer(runner(cases), np.int8)
    np.testing.assert_array_equal(got, np.concatenate([e.ravel() for e in expected]))


@pytest.mark.parametrize("kind", ["conv", "depthwise", "pointwise"])
def test_convolution_equals_its_definition(runner, kind):
    rng = np.random.Generator(np.random.PCG64(11))
    ops = [random_conv(rng, kind) for _ in range(60)]
    inputs = [codes(rng, op.input.length, op.input.channels) for op in ops]
    expected = [brute_force.op_output(op, x) for op, x in zip(ops, inputs, strict=True)]
    check(runner, [conv_case(op, x) for op, x in zip(ops, inputs, strict=True)], expected)
    everything = np.concatenate([e.ravel() for e in expected])
    assert len(np.unique(everything)) > 150, "the cases must reach most of the output range"


def test_pool_equals_its_definition(runner):
    rng = np.random.Generator(np.random.PCG64(12))
    ops = [random_pool(rng) for _ in range(60)]
    inputs = [codes(rng, op.input.length, op.input.channels) for op in ops]
    expected = [brute_force.op_output(op, x) for op, x in zip(ops, inputs, strict=True)]
    check(runner, [pool_case(op, x) for op, x in zip(ops, inputs, strict=True)], expected)


def test_dense_equals_its_definition(runner):
    rng = np.random.Generator(np.random.PCG64(13))
    ops = [random_dense(rng) for _ in range(60)]
    inputs = [codes(rng, 1, op.input.channels) for op in ops]
    expected = [brute_force.op_output(op, x) for op, x in zip(ops, inputs, strict=True)]
    check(runner, [dense_case(op, x) for op, x in zip(ops, inputs, strict=True)], expected)


def requantize_case(acc, multiplier, zero_point, y_min, y_max):
    """A dense layer without inputs is requantisation alone: its bias is the accumulator."""
    fields = [KINDS["dense"], 1, 0, 1, len(acc), 0, 0, 0, 0, 0, zero_point, y_min, y_max]
    return fields, np.asarray(acc, "<i4").tobytes() + np.asarray(multiplier, "<f4").tobytes()


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


def test_requantize_saturates_and_survives_extreme_multipliers(runner):
    rng = np.random.Generator(np.random.PCG64(14))
    acc = [-(2**31), 2**31 - 1, -1, 0, 1, 2**24 - 1, 2**24 + 1, *rng.integers(-(2**31), 2**31, 400).tolist()]
    factors = [np.finfo(np.float32).tiny / 64, np.finfo(np.float32).tiny, 1e-9, 2.0**-31, 2.0**-24, 0.5, 1.0, 3e38]
    cases, expected = [], []
    for zero_point, y_min, y_max in [(0, -128, 127), (-128, -128, 127), (127, -128, 127), (-3, -3, 127), (5, 5, 5)]:
        for factor in factors:
            cases.append(requantize_case(acc, [factor] * len(acc), zero_point, y_min, y_max))
            outputs = [brute_force.requantize(a, np.float32(factor), zero_point, y_min, y_max) for a in acc]
            expected.append(np.array(outputs, np.int8))
    check(runner, cases, expected)


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
                fields = [KINDS["scale"], 16384, 2, 16384, 1, 14, channel, dc == "window_mean"]
                cases.append(([*fields, offset, multiplier, shift, epsilon, 0], samples.tobytes()))
                program = {"kind": "affine", "offset": offset, "multiplier": multiplier, "shift": shift}
                expected.append(np.array([brute_force.code(program, v) for v in values], np.int8))
    check(runner, cases, expected)


def test_table_equals_its_definition_with_ties_and_beyond_its_ends(runner):
    rng = np.random.Generator(np.random.PCG64(16))
    cases, expected = [], []
    for spread in (3, 300, 100_000):
        breakpoints = np.sort(rng.integers(-spread, spread + 1, 255))
        values = np.concatenate([breakpoints - 1, breakpoints, breakpoints + 1, [-(2**17), 2**17]])
        program = {"kind": "table", "breakpoints": breakpoints.tolist()}
        fields = [KINDS["table"], 0, 0, len(values), 1, *[0] * 8]
        cases.append((fields, breakpoints.astype("<i4").tobytes() + values.astype("<i4").tobytes()))
        expected.append(np.array([brute_force.code(program, int(v)) for v in values], np.int8))
    check(runner, cases, expected)
