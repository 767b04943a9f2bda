"""A difference is named in the file's own terms."""

import json

import numpy as np
import onnx
import safetensors.numpy
from onnx import TensorProto, helper

from stages.core.bundle.format import pack
from stages.core.release.difference import first_difference
from tests.core.bundle.examples import CONTENT, IDENTITY


def of_json(before, after):
    return first_difference("metrics.json", json.dumps(before).encode(), json.dumps(after).encode())


def test_json_names_the_place_and_both_values():
    assert of_json({"a": 1, "test": [{"auc": 0.5}]}, {"a": 1, "test": [{"auc": 0.25}]}) == (
        "at test/0/auc: 0.25, before 0.5"
    )
    assert of_json({"a": 1}, {"a": 1, "b": 2}) == "at b: new"
    assert of_json({"a": 1, "b": 2}, {"a": 1}) == "at b: gone"
    assert of_json([1, 2], [1]) == "at : 1 entries, before 2"
    assert of_json({"a": 1}, {"a": 1.0}) == "at a: 1.0, before 1"


def test_json_that_says_the_same_in_other_bytes_names_the_byte():
    assert first_difference("a.json", b'{"a":1}', b'{"a": 1}') == "at byte 5 of 7"


def network(weight, kernel=3):
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="stem", kernel_shape=[kernel])
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 3], weight)
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    return helper.make_model(helper.make_graph([node], "g", value[:1], value[1:], [tensor])).SerializeToString()


def test_onnx_names_the_tensor_and_its_element():
    assert onnx.load_from_string(network([1, 2, 3])).graph.node[0].name == "stem"
    assert first_difference("model.onnx", network([1, 2, 3]), network([1, 2, 5])) == (
        "at tensor/w: 1 of 3 values, element 2 first: 5.0, before 3.0"
    )
    assert first_difference("model.onnx", network([1, 2, 3]), network([1, 2, 3], 1)).startswith("at node/0/text: ")


def test_safetensors_name_the_tensor():
    before = {"a": np.zeros(3, np.float32), "b": np.zeros((2, 2), np.float32)}
    after = {**before, "b": np.array([[0, 0], [1, 2]], np.float32)}
    found = first_difference("float.safetensors", *(safetensors.numpy.save(each) for each in (before, after)))
    assert found == "at tensor/b: 2 of 4 values, element 2 first: 1.0, before 0.0"


def test_bundle_names_field_or_section():
    before = pack(IDENTITY, CONTENT)
    other = pack(IDENTITY, {**CONTENT, "golden": b"goldengoldengolder"})
    assert first_difference("bundle.bin", before, other) == "at section/golden: at byte 17 of 18"
    field = before[:28] + (9).to_bytes(4, "little") + before[32:]
    assert first_difference("bundle.bin", before, field) == "at field/interface_version: 9, before 5"


def test_what_cannot_be_read_names_the_byte():
    for name in ("metrics.json", "model.onnx", "float.safetensors", "bundle.bin", "app.elf"):
        assert first_difference(name, b"abc\xff", b"abd\xff") == "at byte 2 of 4"
        assert first_difference(name, b"abc\xff", b"abc\xff\xff") == "it has 5 bytes, before 4"
