import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from stages.core.errors import OperatorError
from stages.core.graph.export import export_onnx
from stages.core.graph.runtime import run
from stages.core.nets.inference import float_scores
from tests.core.graph.networks import PRECISIONS, SCALE, ds_cnn, exported, proto, quantised, windows

ROOT = Path(__file__).parents[3]
PRINT_HASH = """
import hashlib
from tests.core.graph.networks import exported
print(hashlib.sha256(exported("int8")).hexdigest())
"""


def test_export_has_int8_input_of_fixed_shape_and_both_outputs() -> None:
    graph = proto("int8").graph
    described = {
        value.name: (value.type.tensor_type.elem_type, [d.dim_value for d in value.type.tensor_type.shape.dim])
        for value in (*graph.input, *graph.output)
    }
    int8, float32 = onnx.TensorProto.INT8, onnx.TensorProto.FLOAT
    assert described == {"codes": (int8, [1, 2, 128]), "score_code": (int8, [1, 2]), "score": (float32, [1, 2])}


def test_export_names_nodes_after_the_modules() -> None:
    nodes = proto("int8").graph.node
    layers = [node.name for node in nodes if node.op_type in ("Conv", "GlobalAveragePool", "Gemm")]
    blocks = ["block0_depthwise", "block0_pointwise", "block1_depthwise", "block1_pointwise"]
    assert layers == ["stem", *blocks, "pool", "head"]


def test_export_holds_one_quantise_per_layer_and_no_batch_norm_or_identity() -> None:
    kinds = [node.op_type for node in proto("int8").graph.node]
    assert kinds.count("QuantizeLinear") == 7
    assert kinds.count("DequantizeLinear") == 8 + 2 * 6  # activations; weight and bias of six layers
    assert set(kinds) == {
        "QuantizeLinear", "DequantizeLinear", "Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"
    }  # fmt: skip


def test_export_leaks_no_paths_traces_or_metadata() -> None:
    model = proto("int8")
    assert not any(text in exported("int8") for text in (b".py", b"torch", b"File", b"line ", str(ROOT).encode()))
    assert not model.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_export_is_the_same_bytes_in_another_process_and_directory(tmp_path: Path) -> None:
    other = subprocess.run(
        [sys.executable, "-c", PRINT_HASH],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == hashlib.sha256(exported("int8")).hexdigest()


def test_float_export_scores_as_torch_does() -> None:
    codes = windows(16, 2, 128)
    assert [node.op_type for node in proto("float").graph.node].count("Conv") == 5
    found = run(exported("float"), codes, ["score"])["score"]
    np.testing.assert_allclose(found, float_scores(ds_cnn(2, outputs=2), codes, SCALE), rtol=1e-4, atol=1e-5)


def test_export_leaves_a_module_in_training_mode_as_it_was() -> None:
    model = ds_cnn(1).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    export_onnx(model, 1, 128, SCALE)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_export_refuses_a_network_quantised_for_another_input_scale() -> None:
    with pytest.raises(OperatorError, match="input scale"):
        export_onnx(quantised(ds_cnn(1), 1, 128), 1, 128, 2 * SCALE)


@pytest.mark.parametrize(
    ("precision", "outputs"),
    [
        ("int8", {"score_code": onnx.TensorProto.INT8, "score": onnx.TensorProto.FLOAT}),
        ("int32 head", {"score": onnx.TensorProto.FLOAT}),
        ("int16", {"score_code": onnx.TensorProto.INT16, "score": onnx.TensorProto.FLOAT}),
        ("float", {"score": onnx.TensorProto.FLOAT}),
    ],
)
def test_export_has_the_outputs_of_its_precision(precision: str, outputs: dict[str, int]) -> None:
    graph = proto(precision).graph
    assert {value.name: value.type.tensor_type.elem_type for value in graph.output} == outputs
    assert [(value.name, value.type.tensor_type.elem_type) for value in graph.input] == [
        ("codes", onnx.TensorProto.INT8)
    ]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_export_keeps_the_bias_of_every_folded_layer(precision: str) -> None:
    graph = proto(precision).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(layers) == 6
    for node in layers:
        assert len(node.input) == 3, node.name
        assert np.all(constants[f"{node.name}_bias"] != 0), node.name


def test_int16_export_quantises_the_codes_to_256_times_themselves() -> None:
    graph = proto("int16").graph
    scales = {
        t.name: numpy_helper.to_array(t) for t in graph.initializer if t.name in ("codes_scale", "codes_wide_scale")
    }
    assert scales["codes_scale"] == 256 * scales["codes_wide_scale"]
    wide = next(node for node in graph.node if node.name == "codes_wide_quantize")
    assert list(wide.input)[:2] == ["codes_real", "codes_wide_scale"]
