from dataclasses import replace

import numpy as np
import onnx
import pytest
from torch import nn

from stages.core.graph.export import export_onnx
from stages.core.graph.lower import lower
from stages.core.graph.reference import execute
from stages.core.graph.runtime import OrtGap, ort_gap, reference_session, run
from tests.core.graph.networks import PRECISIONS, SCALE, Padded, ds_cnn, exported, mlp, proto, quantised, windows

CASES = [
    pytest.param(lambda: ds_cnn(1), 1, 1024, True, id="one channel"),
    pytest.param(lambda: ds_cnn(3), 3, 1024, True, id="three channels"),
    pytest.param(lambda: ds_cnn(3), 3, 512, False, id="one weight scale per tensor"),
    pytest.param(Padded, 2, 256, True, id="padded and grouped"),
    pytest.param(lambda: ds_cnn(1, outputs=2), 1, 128, True, id="two outputs"),
    pytest.param(lambda: mlp(24, 2), 24, 1, True, id="fully connected, one frame"),
    pytest.param(lambda: mlp(10, 1), 10, 7, True, id="fully connected, seven frames"),
]


def with_every_tensor(model: bytes, names: list[str]) -> bytes:
    """Make the int8 tensors between the layers outputs too."""
    proto = onnx.load_from_string(model)
    known = {output.name for output in proto.graph.output}
    proto.graph.output.extend(v for v in proto.graph.value_info if v.name in names and v.name not in known)
    return bytes(proto.SerializeToString())


@pytest.mark.parametrize(("make", "channels", "length", "per_channel"), CASES)
def test_runtime_equals_the_interpreter_in_every_tensor(
    make: type[nn.Module], channels: int, length: int, per_channel: bool
) -> None:
    model = export_onnx(quantised(make(), channels, length, per_channel=per_channel), channels, length, SCALE)
    graph = lower(onnx.load_from_string(model))
    codes = windows(300, channels, length)
    expected = execute(graph, np.ascontiguousarray(codes.transpose(0, 2, 1)))
    names = [op.output.name for op in graph.ops]
    found = run(with_every_tensor(model, names), codes, names)
    for name in names:
        tensor = found[name].reshape(len(codes), graph_channels(expected[name]), -1).transpose(0, 2, 1)
        np.testing.assert_array_equal(tensor, expected[name], err_msg=name)
    assert len(np.unique(expected["score_code"])) > 20


def graph_channels(tensor: np.ndarray) -> int:
    return int(tensor.shape[2])


def test_reference_session_runs_no_layer_in_float(tmp_path: object) -> None:
    import onnxruntime as ort

    model = exported("int8")
    session = reference_session(model)
    options = session.get_session_options()
    options.optimized_model_filepath = f"{tmp_path}/optimised.onnx"
    options.log_severity_level = 3
    ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(f"{tmp_path}/optimised.onnx").graph.node]
    assert sorted(kinds) == sorted(
        ["QLinearConv"] * 5 + ["QLinearGlobalAveragePool", "Flatten", "QGemm", "DequantizeLinear"]
    )


def test_score_is_the_dequantised_code() -> None:
    model = exported("int8")
    output = lower(onnx.load_from_string(model)).output
    codes = windows(20, 2, 128)
    found = run(model, codes, ["score", "score_code"])
    real = (found["score_code"].astype(np.float32) - output.zero_point) * np.float32(output.scale)
    np.testing.assert_array_equal(found["score"], real)


def gap(precision: str) -> OrtGap:
    codes = np.ascontiguousarray(windows(200, 2, 128).transpose(0, 2, 1))
    return ort_gap(exported(precision), lower(proto(precision)), codes)


def test_int8_codes_and_int32_head_are_the_formulas_exactly() -> None:
    assert gap("int8") == OrtGap("lsb", 0, 0)
    assert gap("int32 head") == OrtGap("relative", 0, 0)


def test_int16_in_float_differs_by_a_few_codes_in_few_windows() -> None:
    found = gap("int16")
    assert found.unit == "lsb"
    assert found.largest <= 16
    assert found.share < 0.2
    assert gap("int16, int32 head").largest < 1e-3


def test_float_sums_in_another_order_differ_by_rounding_alone() -> None:
    found = gap("float")
    assert found.unit == "relative"
    assert 0 < found.largest < 1e-5


@pytest.mark.parametrize(
    ("options", "largest"), [({"score": "int32"}, 0), ({"activation": "int16"}, 16), (None, 1e-5)], ids=str
)
def test_padded_and_grouped_network_stays_as_near(options: dict[str, str] | None, largest: float) -> None:
    model = export_onnx(Padded() if options is None else quantised(Padded(), 2, 64, **options), 2, 64, SCALE)
    codes = np.ascontiguousarray(windows(200, 2, 64).transpose(0, 2, 1))
    assert ort_gap(model, lower(onnx.load_from_string(model)), codes).largest <= largest


def test_gap_sees_another_network() -> None:
    codes = np.ascontiguousarray(windows(50, 2, 128).transpose(0, 2, 1))
    for precision in PRECISIONS:
        other = lower(proto(precision))
        broken = replace(other, ops=(*other.ops[:-1], replace(other.ops[-1], bias=other.ops[-1].bias * 2)))  # type: ignore[union-attr]
        assert ort_gap(exported(precision), broken, codes).largest > 1e-3, precision
