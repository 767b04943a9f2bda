from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from stages.core.errors import OperatorError
from stages.core.graph.export import export_onnx
from stages.core.graph.ir import Conv1d, Dense, GlobalAveragePool, Graph, Widen
from stages.core.graph.lower import accumulator_bounds, lower, pool_multiplier, requantize_multiplier
from tests.core.graph.networks import SCALE, Padded, ds_cnn, proto, quantised


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return proto("int8")


@pytest.fixture(scope="module")
def graph(model: onnx.ModelProto) -> Graph:
    return lower(model)


def replace_constant(model: onnx.ModelProto, name: str, array: np.ndarray) -> onnx.ModelProto:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    position = [tensor.name for tensor in changed.graph.initializer].index(name)
    changed.graph.initializer[position].CopyFrom(numpy_helper.from_array(array, name))
    return changed


def test_operations_come_in_order_with_their_geometry(graph: Graph) -> None:
    geometry = [
        (op.name, op.output.length, op.output.channels, op.stride, op.groups)
        for op in graph.ops
        if isinstance(op, Conv1d)
    ]
    assert geometry == [
        ("stem", 41, 8, 3, 1),  # (128 - 7) // 3 + 1
        ("block0_depthwise", 19, 8, 2, 8),
        ("block0_pointwise", 19, 12, 1, 1),
        ("block1_depthwise", 17, 12, 1, 12),
        ("block1_pointwise", 17, 10, 1, 1),
    ]
    assert [type(op) for op in graph.ops[-2:]] == [GlobalAveragePool, Dense]


def test_input_and_output_are_the_codes_and_the_score(graph: Graph) -> None:
    assert (graph.input.name, graph.input.length, graph.input.channels) == ("codes", 128, 2)
    assert (graph.input.scale, graph.input.zero_point) == (SCALE, 0)
    assert (graph.output.name, graph.output.length, graph.output.channels) == ("score_code", 1, 2)


def test_relu_becomes_the_zero_point_as_lower_bound(graph: Graph) -> None:
    assert all(op.y_min == op.output.zero_point for op in graph.ops if isinstance(op, Conv1d))
    assert graph.ops[-1].y_min == -128


def test_layer_without_relu_keeps_the_whole_range() -> None:
    padded = lower(onnx.load_from_string(export_onnx(quantised(Padded(), 2, 64), 2, 64, SCALE)))
    first, grouped = padded.ops[:2]
    assert isinstance(first, Conv1d)
    assert (first.y_min, first.pad_left, first.pad_right, first.output.length) == (-128, 2, 2, 32)
    assert first.output.zero_point > -128
    assert isinstance(grouped, Conv1d)
    assert (grouped.groups, grouped.weight.shape) == (3, (9, 2, 3))


def test_multiplier_rounds_to_float32_after_each_operation() -> None:
    # 0.1f * 0.3f = 0.030000001 in float32; in exact arithmetic of the same inputs the quotient differs by one ulp.
    weight_scale = np.array([0.3], dtype=np.float32)
    product = np.float32(float(np.float32(0.1)) * float(np.float32(0.3)))
    expected = np.float32(float(product) / float(np.float32(0.7)))
    assert requantize_multiplier(0.1, weight_scale, 0.7)[0] == expected


def test_pool_multiplier_divides_by_scale_times_length() -> None:
    assert pool_multiplier(0.5, 0.25, 8) == np.float32(0.25)


def test_accumulator_bound_is_the_worst_channel(graph: Graph) -> None:
    head = graph.ops[-1]
    assert isinstance(head, Dense)
    sums = [255 * sum(abs(int(w)) for w in head.weight[k]) + abs(int(head.bias[k])) for k in range(2)]
    assert accumulator_bounds(graph)["head"] == max(sums)
    assert accumulator_bounds(graph)["pool"] == 255 * 17


def test_possible_accumulator_overflow_is_refused(model: onnx.ModelProto) -> None:
    bias = np.zeros(8, dtype=np.int32)
    bias[3] = 2**31 - 1
    with pytest.raises(OperatorError, match="accumulator can reach") as caught:
        lower(replace_constant(model, "stem_bias", bias))
    assert caught.value.where == "node stem"


def test_bias_in_other_units_is_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(OperatorError, match="bias is not int32 at input scale"):
        lower(replace_constant(model, "stem_bias_scale", np.full(8, 0.5, dtype=np.float32)))


def test_asymmetric_weights_are_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(OperatorError, match="zero point other than 0"):
        lower(replace_constant(model, "stem_weight_zero_point", np.ones(8, dtype=np.int8)))


@pytest.mark.parametrize(
    ("precision", "first", "between", "last"),
    [
        ("int8", Conv1d, "int8", "int8"),
        ("int32 head", Conv1d, "int8", "int32"),
        ("int16", Widen, "int16", "int16"),
        ("int16, int32 head", Widen, "int16", "int32"),
        ("float", Widen, "float32", "float32"),
    ],
)
def test_every_precision_lowers_to_operations_of_its_types(
    precision: str, first: type, between: str, last: str
) -> None:
    lowered = lower(proto(precision))
    assert type(lowered.ops[0]) is first
    assert lowered.input.dtype == "int8"
    assert {op.output.dtype for op in lowered.ops[:-1]} == {between}
    assert lowered.output.dtype == last
    assert [op.name for op in lowered.ops if not isinstance(op, Widen)] == [
        "stem", "block0_depthwise", "block0_pointwise", "block1_depthwise", "block1_pointwise", "pool", "head"
    ]  # fmt: skip
    assert all(one.output == other.input for one, other in pairwise(lowered.ops))


def test_codes_are_widened_to_int16_at_the_same_real_values() -> None:
    widen = lower(proto("int16")).ops[0]
    assert isinstance(widen, Widen)
    assert (widen.multiplier, widen.output.scale, widen.output.zero_point) == (256, SCALE / 256, 0)


def test_float_operations_hold_the_folded_weights_and_open_ranges() -> None:
    stem, head = lower(proto("float")).ops[1], lower(proto("float")).ops[-1]
    state = {name: tensor.numpy().astype(np.float64) for name, tensor in ds_cnn(2, outputs=2).state_dict().items()}
    gain = state["stem.norm.weight"] / np.sqrt(state["stem.norm.running_var"] + 1e-5)
    assert isinstance(stem, Conv1d)
    assert isinstance(head, Dense)
    np.testing.assert_allclose(stem.weight, state["stem.conv.weight"] * gain[:, None, None], rtol=1e-5)
    expected = state["stem.norm.bias"] - state["stem.norm.running_mean"] * gain
    np.testing.assert_allclose(stem.bias, expected, rtol=1e-4, atol=1e-6)
    assert (stem.y_min, stem.y_max, head.y_min) == (0, np.inf, -np.inf)
    assert stem.weight.dtype == stem.bias.dtype == np.float32


def test_int32_head_has_accumulator_scales_as_multipliers() -> None:
    head = lower(proto("int32 head")).ops[-1]
    assert isinstance(head, Dense)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto("int32 head").graph.initializer}
    np.testing.assert_array_equal(head.multiplier, constants["pool_scale"] * constants["head_weight_scale"])
    assert head.multiplier.shape == (2,)


def test_int16_accumulators_are_bounded_by_the_largest_int16() -> None:
    lowered = lower(proto("int16"))
    head = lowered.ops[-1]
    assert isinstance(head, Dense)
    worst = max(
        32768 * sum(abs(int(w)) for w in weights) + abs(int(b))
        for weights, b in zip(head.weight, head.bias, strict=True)
    )
    assert accumulator_bounds(lowered) | {"head": worst, "pool": 32768 * 17} == accumulator_bounds(lowered)


def test_float_network_has_no_accumulator_that_could_overflow() -> None:
    assert set(accumulator_bounds(lower(proto("float"))).values()) == {0}


def test_int16_layer_that_could_overflow_is_refused_by_name() -> None:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto("int16").graph.initializer}
    bias = np.full_like(constants["block1_pointwise_bias"], -(2**31) + 2**20)
    with pytest.raises(OperatorError, match="accumulator can reach") as caught:
        lower(replace_constant(proto("int16"), "block1_pointwise_bias", bias))
    assert caught.value.where == "node block1_pointwise"
    assert "float" in caught.value.remedy


def test_network_quantised_in_two_types_is_refused() -> None:
    mixed = replace_constant(proto("int8"), "block0_depthwise_zero_point", np.array(0, dtype=np.int16))
    with pytest.raises(OperatorError, match="block0_depthwise reads int8 and writes int16"):
        lower(mixed)


def test_int16_codes_with_a_zero_point_are_refused() -> None:
    with pytest.raises(OperatorError, match="gives int16 codes the zero point 3"):
        lower(replace_constant(proto("int16"), "stem_zero_point", np.array(3, dtype=np.int16)))


def test_layer_left_in_float_is_refused(model: onnx.ModelProto) -> None:
    partly = onnx.ModelProto()
    partly.CopyFrom(model)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in partly.graph.initializer}
    head = next(node for node in partly.graph.node if node.name == "head")
    head.input[1] = "float_weight"
    partly.graph.initializer.append(numpy_helper.from_array(weights["head_weight"].astype(np.float32), "float_weight"))
    with pytest.raises(OperatorError, match="left in float"):
        lower(partly)
