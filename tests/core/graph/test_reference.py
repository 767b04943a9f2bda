from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.graph.ir import Conv1d, Dense, Dtype, GlobalAveragePool, Graph, Layer, Tensor, Widen
from stages.core.graph.lower import lower
from stages.core.graph.order import order_key
from stages.core.graph.reference import execute, head_of, logits, score_codes
from stages.core.nets.inference import float_scores
from tests.core.graph.networks import SCALE, ds_cnn, proto, quantised, windows


def half_even(value: Fraction) -> int:
    return round(value)  # Python rounds a Fraction half to even


def requantized(acc: int, multiplier: np.float32, op: Layer) -> int:
    product = np.float32(np.float32(acc) * multiplier)
    return min(max(half_even(Fraction(float(product))) + op.output.zero_point, op.y_min), op.y_max)


def brute_force(op: Conv1d, codes: np.ndarray) -> np.ndarray:
    """One multiplication at a time, in Python integers; codes: [L, C]."""
    outputs, per_group, kernel = op.weight.shape
    result = np.zeros((op.output.length, outputs), dtype=op.output.dtype)
    for position in range(op.output.length):
        for channel in range(outputs):
            first = channel // (outputs // op.groups) * per_group
            acc = int(op.bias[channel])
            for tap in range(kernel):
                sample = position * op.stride + tap - op.pad_left
                if 0 <= sample < op.input.length:
                    for i in range(per_group):
                        code = int(codes[sample, first + i]) - op.input.zero_point
                        acc += code * int(op.weight[channel, i, tap])
            result[position, channel] = requantized(acc, op.multiplier[channel], op)
    return result


def brute_force_float(op: Conv1d, x: np.ndarray) -> np.ndarray:
    """One product and one sum at a time, each rounded to float32; x: [L, C]."""
    outputs, per_group, kernel = op.weight.shape
    result = np.zeros((op.output.length, outputs), dtype=np.float32)
    for position in range(op.output.length):
        for channel in range(outputs):
            first = channel // (outputs // op.groups) * per_group
            acc = op.bias[channel]
            for tap in range(kernel):
                sample = position * op.stride + tap - op.pad_left
                if 0 <= sample < op.input.length:
                    for i in range(per_group):
                        product = np.float32(x[sample, first + i] * op.weight[channel, i, tap])
                        acc = np.float32(acc + product)
            result[position, channel] = max(acc, np.float32(op.y_min))
    return result


@st.composite
def convolutions(draw: st.DrawFn, dtype: Dtype = "int8") -> Conv1d:
    groups = draw(st.sampled_from([1, 2, 3]))
    per_group, outputs = draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    kernel, stride = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    left, right = draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1))
    length = draw(st.integers(kernel, 12))
    rng = np.random.Generator(np.random.PCG64(draw(st.integers(0, 2**32))))
    zero = st.integers(-128, 127) if dtype == "int8" else st.just(0)
    scale = 1.0 if dtype == "float32" else 0.1
    source = Tensor("x", length, groups * per_group, scale, draw(zero), dtype)
    output = Tensor("y", (length + left + right - kernel) // stride + 1, outputs, scale, draw(zero), dtype)
    geometry = (stride, left, right, groups)
    shape = (outputs, per_group, kernel)
    relu = draw(st.booleans())
    if dtype == "float32":
        weight, bias = rng.normal(0, 1, shape).astype(np.float32), rng.normal(0, 1, outputs).astype(np.float32)
        ones = np.ones(outputs, dtype=np.float32)
        return Conv1d("c", source, output, weight, bias, ones, *geometry, 0.0 if relu else -np.inf, np.inf)
    widen = 1 if dtype == "int8" else 256
    codes = rng.integers(-127, 128, shape, dtype=np.int8)
    bias = rng.integers(-5000 * widen, 5000 * widen, outputs, dtype=np.int32)
    multiplier = rng.uniform(1e-4, 1e-2, outputs).astype(np.float32)
    limits = np.iinfo(dtype)
    y_min = output.zero_point if relu else int(limits.min)
    return Conv1d("c", source, output, codes, bias, multiplier, *geometry, y_min, int(limits.max))


@settings(max_examples=60, deadline=None)
@given(op=convolutions(), seed=st.integers(0, 2**32))
def test_convolution_equals_one_multiplication_at_a_time(op: Conv1d, seed: int) -> None:
    codes = np.random.Generator(np.random.PCG64(seed)).integers(
        -128, 128, (2, op.input.length, op.input.channels), dtype=np.int8
    )
    result = execute(Graph(op.input, op.output, (op,)), codes)["y"]
    np.testing.assert_array_equal(result, np.stack([brute_force(op, window) for window in codes]))


def test_requantisation_rounds_half_to_even_and_saturates() -> None:
    source, output = Tensor("x", 1, 1, 1.0, 0), Tensor("y", 1, 1, 2.0, 0)
    one, none = np.ones((1, 1), dtype=np.int8), np.zeros(1, dtype=np.int32)
    op = Dense("d", source, output, one, none, np.array([0.5], dtype=np.float32), -3, 3)
    codes = np.array([1, 3, 5, -1, -3, -5, 127, -128], dtype=np.int8).reshape(-1, 1, 1)
    result = execute(Graph(source, output, (op,)), codes)["y"].reshape(-1)
    assert result.tolist() == [0, 2, 2, 0, -2, -2, 3, -3]


def test_pool_averages_and_moves_to_the_output_zero_point() -> None:
    source, output = Tensor("x", 4, 2, 1.0, -10), Tensor("y", 1, 2, 1.0, 5)
    op = GlobalAveragePool("p", source, output, np.float32(0.25), -128, 127)
    codes = np.array([[[0, -10], [1, -10], [2, -10], [3, -9]]], dtype=np.int8)
    # (10 + 11 + 12 + 13) / 4 = 11.5 -> 12, and 1 / 4 = 0.25 -> 0; both plus 5
    assert execute(Graph(source, output, (op,)), codes)["y"].tolist() == [[[17, 5]]]


@settings(max_examples=40, deadline=None)
@given(op=convolutions("int16"), seed=st.integers(0, 2**32))
def test_int16_convolution_equals_one_multiplication_at_a_time(op: Conv1d, seed: int) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    codes = rng.integers(-32768, 32768, (2, op.input.length, op.input.channels), dtype=np.int16)
    result = execute(Graph(op.input, op.output, (op,)), codes)["y"]
    assert result.dtype == np.int16
    np.testing.assert_array_equal(result, np.stack([brute_force(op, window) for window in codes]))


@settings(max_examples=40, deadline=None)
@given(op=convolutions("float32"), seed=st.integers(0, 2**32))
def test_float_convolution_adds_tap_by_tap_and_channel_by_channel(op: Conv1d, seed: int) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    x = rng.normal(0, 10, (2, op.input.length, op.input.channels)).astype(np.float32)
    result = execute(Graph(op.input, op.output, (op,)), x)["y"]
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, np.stack([brute_force_float(op, window) for window in x]))


def test_float_sum_starts_at_the_bias_and_takes_the_first_tap_first() -> None:
    # In this order 1 is lost to 2**24 (ties to even) and -2**24 comes last; any other order gives 1 or 2.
    source, output = Tensor("x", 2, 1, 1.0, 0, "float32"), Tensor("y", 1, 1, 1.0, 0, "float32")
    weight = np.array([[[1, -(2.0**24)]]], dtype=np.float32)
    op = Conv1d(
        "c", source, output, weight, np.array([2.0**24], dtype=np.float32), np.ones(1, dtype=np.float32),
        1, 0, 0, 1, -np.inf, np.inf,
    )  # fmt: skip
    assert execute(Graph(source, output, (op,)), np.ones((1, 2, 1), dtype=np.float32))["y"].tolist() == [[[0.0]]]


def test_float_dense_and_pool_round_after_each_step() -> None:
    one, tiny = np.float32(1), np.float32(2.0**-24)
    source, pooled = Tensor("x", 3, 1, 1.0, 0, "float32"), Tensor("p", 1, 1, 1.0, 0, "float32")
    pool = GlobalAveragePool("p", source, pooled, np.float32(1 / 3), -np.inf, np.inf)
    x = np.array([one, tiny, tiny]).reshape(1, 3, 1)
    # Each tiny alone is half a step of 1 and rounds to even, back to 1; both at once would make a whole step.
    assert execute(Graph(source, pooled, (pool,)), x)["p"].item() == np.float32(1 / 3)
    flat, output = Tensor("x", 1, 2, 1.0, 0, "float32"), Tensor("y", 1, 1, 1.0, 0, "float32")
    weight, bias = np.array([[tiny, tiny]]), np.array([one])
    dense = Dense("d", flat, output, weight, bias, np.ones(1, dtype=np.float32), -np.inf, np.inf)
    assert execute(Graph(flat, output, (dense,)), np.ones((1, 1, 2), dtype=np.float32))["y"].item() == 1


def test_widening_shifts_to_int16_and_scales_to_float() -> None:
    source = Tensor("x", 3, 1, 0.1, 0)
    codes = np.array([-128, 3, 127], dtype=np.int8).reshape(1, 3, 1)
    wide = Widen("w", source, Tensor("y", 3, 1, 0.1 / 256, 0, "int16"), np.float32(256))
    result = execute(Graph(source, wide.output, (wide,)), codes)["y"]
    assert (result.dtype, result.ravel().tolist()) == (np.int16, [-32768, 768, 32512])
    real = Widen("w", source, Tensor("y", 3, 1, 1.0, 0, "float32"), np.float32(0.1))
    result = execute(Graph(source, real.output, (real,)), codes)["y"]
    assert (result.dtype, result.ravel().tolist()) == (
        np.float32, [float(np.float32(q * float(np.float32(0.1)))) for q in (-128, 3, 127)]
    )  # fmt: skip


def test_int32_head_returns_the_accumulator_and_its_real_value() -> None:
    source, output = Tensor("x", 1, 2, 0.5, -3), Tensor("y", 1, 2, 1.0, 0, "int32")
    weight, bias = np.array([[100, -7], [1, 1]], dtype=np.int8), np.array([10**6, 2**30 + 1], dtype=np.int32)
    factor = np.array([0.25, 2.0**-10], dtype=np.float32)
    graph = Graph(source, output, (Dense("d", source, output, weight, bias, factor, -(2**31), 2**31 - 1),))
    tensors = execute(graph, np.array([[[127, -128]]], dtype=np.int8))
    assert tensors["y"].dtype == np.int32
    assert score_codes(graph, tensors).tolist() == [[10**6 + 130 * 100 + 125 * 7, 2**30 + 1 + 130 - 125]]
    # float32 keeps 24 bits: 2**30 + 6 becomes 2**30.
    assert logits(graph, tensors).tolist() == [[1013875 / 4, 2.0**20]]


@pytest.mark.parametrize("precision", ["int8", "int32 head", "int16", "float"])
def test_score_codes_are_int32_in_the_order_of_the_logits(precision: str) -> None:
    graph = lower(proto(precision))
    tensors = execute(graph, np.ascontiguousarray(windows(200, 2, 128).transpose(0, 2, 1)))
    codes, real = score_codes(graph, tensors), logits(graph, tensors)
    assert (codes.dtype, codes.shape, real.shape) == (np.int32, (200, 2), (200, 2))
    for k in range(2):
        by_code = np.argsort(codes[:, k], kind="stable")
        assert (np.diff(real[by_code, k]) >= 0).all()
        assert len(np.unique(real[:, k])) == len(np.unique(codes[:, k])) > 20
    assert codes.max() < head_of(graph).never
    np.testing.assert_array_equal(head_of(graph).real(codes), real)


def test_float_score_codes_are_order_keys() -> None:
    graph = lower(proto("float"))
    tensors = execute(graph, np.ascontiguousarray(windows(20, 2, 128).transpose(0, 2, 1)))
    np.testing.assert_array_equal(score_codes(graph, tensors), order_key(tensors["score"][:, 0]))


@pytest.mark.parametrize(("precision", "tolerance"), [("float", 1e-5), ("int16", 2e-3)])
def test_network_scores_as_torch_does(precision: str, tolerance: float) -> None:
    model = ds_cnn(2, outputs=2)
    model = quantised(model, 2, 128, activation="int16") if precision == "int16" else model
    codes = windows(100, 2, 128)
    expected = float_scores(model, codes, SCALE)
    graph = lower(proto(precision))
    found = logits(graph, execute(graph, np.ascontiguousarray(codes.transpose(0, 2, 1))))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())
    assert np.std(expected, axis=0).min() > 10 * tolerance * np.abs(expected).max()
