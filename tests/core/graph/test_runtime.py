import numpy as np
import onnx
import pytest
from torch import nn

from stages.core.graph.export import export_onnx
from stages.core.graph.lower import lower
from stages.core.graph.reference import execute
from stages.core.graph.runtime import reference_session, run
from tests.core.graph.networks import SCALE, Padded, ds_cnn, mlp, quantised, windows

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

    model = export_onnx(quantised(ds_cnn(1), 1, 128), 1, 128, SCALE)
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
    model = export_onnx(quantised(ds_cnn(1), 1, 128), 1, 128, SCALE)
    output = lower(onnx.load_from_string(model)).output
    codes = windows(20, 1, 128)
    found = run(model, codes, ["score", "score_code"])
    real = (found["score_code"].astype(np.float32) - output.zero_point) * np.float32(output.scale)
    np.testing.assert_array_equal(found["score"], real)
