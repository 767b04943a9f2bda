import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from stages.core.errors import OperatorError
from stages.core.graph.export import export_onnx
from stages.core.graph.ir import Conv1d, Dense, GlobalAveragePool, Graph
from stages.core.graph.lower import accumulator_bounds, lower, pool_multiplier, requantize_multiplier
from tests.core.graph.networks import SCALE, Padded, ds_cnn, quantised


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return onnx.load_from_string(export_onnx(quantised(ds_cnn(2), 2, 128), 2, 128, SCALE))


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
    assert (graph.output.name, graph.output.length, graph.output.channels) == ("score_code", 1, 1)


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
    worst = 255 * sum(abs(int(w)) for w in head.weight[0]) + abs(int(head.bias[0]))
    assert accumulator_bounds(graph)["head"] == worst
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


def test_float_network_is_refused() -> None:
    with pytest.raises(OperatorError, match="no quantised layer"):
        lower(onnx.load_from_string(export_onnx(ds_cnn(1), 1, 128, SCALE)))
