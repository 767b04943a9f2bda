from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.graph.ir import Conv1d, Dense, GlobalAveragePool, Graph, Op, Tensor
from stages.core.graph.reference import execute


def half_even(value: Fraction) -> int:
    return round(value)  # Python rounds a Fraction half to even


def requantized(acc: int, multiplier: np.float32, op: Op) -> int:
    product = np.float32(np.float32(acc) * multiplier)
    return min(max(half_even(Fraction(float(product))) + op.output.zero_point, op.y_min), op.y_max)


def brute_force(op: Conv1d, codes: np.ndarray) -> np.ndarray:
    """One multiplication at a time, in Python integers; codes: [L, C]."""
    outputs, per_group, kernel = op.weight.shape
    result = np.zeros((op.output.length, outputs), dtype=np.int8)
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


@st.composite
def convolutions(draw: st.DrawFn) -> Conv1d:
    groups = draw(st.sampled_from([1, 2, 3]))
    per_group, outputs = draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    kernel, stride = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    left, right = draw(st.integers(0, kernel - 1)), draw(st.integers(0, kernel - 1))
    length = draw(st.integers(kernel, 12))
    rng = np.random.Generator(np.random.PCG64(draw(st.integers(0, 2**32))))
    source = Tensor("x", length, groups * per_group, 0.1, draw(st.integers(-128, 127)))
    output = Tensor("y", (length + left + right - kernel) // stride + 1, outputs, 0.1, draw(st.integers(-128, 127)))
    weight = rng.integers(-127, 128, (outputs, per_group, kernel), dtype=np.int8)
    bias = rng.integers(-5000, 5000, outputs, dtype=np.int32)
    multiplier = rng.uniform(1e-4, 1e-2, outputs).astype(np.float32)
    y_min = output.zero_point if draw(st.booleans()) else -128
    return Conv1d("c", source, output, weight, bias, multiplier, stride, left, right, groups, y_min, 127)


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
