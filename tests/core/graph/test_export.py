import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from stages.core.errors import OperatorError
from stages.core.graph.export import export_onnx
from stages.core.graph.runtime import run
from stages.core.nets.inference import float_scores
from tests.core.graph.networks import SCALE, ds_cnn, quantised, windows

ROOT = Path(__file__).parents[3]
PRINT_HASH = """
import hashlib
from stages.core.graph.export import export_onnx
from tests.core.graph.networks import SCALE, ds_cnn, quantised
print(hashlib.sha256(export_onnx(quantised(ds_cnn(2), 2, 128), 2, 128, SCALE)).hexdigest())
"""


@pytest.fixture(scope="module")
def exported() -> bytes:
    return export_onnx(quantised(ds_cnn(2), 2, 128), 2, 128, SCALE)


def test_export_has_int8_input_of_fixed_shape_and_both_outputs(exported: bytes) -> None:
    graph = onnx.load_from_string(exported).graph
    described = {
        value.name: (value.type.tensor_type.elem_type, [d.dim_value for d in value.type.tensor_type.shape.dim])
        for value in (*graph.input, *graph.output)
    }
    int8, float32 = onnx.TensorProto.INT8, onnx.TensorProto.FLOAT
    assert described == {"codes": (int8, [1, 2, 128]), "score_code": (int8, [1, 1]), "score": (float32, [1, 1])}


def test_export_names_nodes_after_the_modules(exported: bytes) -> None:
    nodes = onnx.load_from_string(exported).graph.node
    layers = [node.name for node in nodes if node.op_type in ("Conv", "GlobalAveragePool", "Gemm")]
    blocks = ["block0_depthwise", "block0_pointwise", "block1_depthwise", "block1_pointwise"]
    assert layers == ["stem", *blocks, "pool", "head"]


def test_export_holds_one_quantise_per_layer_and_no_batch_norm_or_identity(exported: bytes) -> None:
    kinds = [node.op_type for node in onnx.load_from_string(exported).graph.node]
    assert kinds.count("QuantizeLinear") == 7
    assert kinds.count("DequantizeLinear") == 8 + 2 * 6  # activations; weight and bias of six layers
    assert set(kinds) == {
        "QuantizeLinear", "DequantizeLinear", "Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"
    }  # fmt: skip


def test_export_leaks_no_paths_traces_or_metadata(exported: bytes) -> None:
    model = onnx.load_from_string(exported)
    assert not any(text in exported for text in (b".py", b"torch", b"File", b"line ", str(ROOT).encode()))
    assert not model.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_export_is_the_same_bytes_in_another_process_and_directory(exported: bytes, tmp_path: Path) -> None:
    other = subprocess.run(
        [sys.executable, "-c", PRINT_HASH],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == hashlib.sha256(exported).hexdigest()


def test_float_export_scores_as_torch_does() -> None:
    model, codes = ds_cnn(3), windows(16, 3, 128)
    exported = export_onnx(model, 3, 128, SCALE)
    assert [node.op_type for node in onnx.load_from_string(exported).graph.node].count("Conv") == 5
    found = run(exported, codes, ["score"])["score"]
    np.testing.assert_allclose(found, float_scores(model, codes, SCALE), rtol=1e-4, atol=1e-5)


def test_export_leaves_a_module_in_training_mode_as_it_was() -> None:
    model = ds_cnn(1).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    export_onnx(model, 1, 128, SCALE)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_export_refuses_a_network_quantised_for_another_input_scale() -> None:
    with pytest.raises(OperatorError, match="input scale"):
        export_onnx(quantised(ds_cnn(1), 1, 128), 1, 128, 2 * SCALE)
