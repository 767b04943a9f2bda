"""Reading ONNX: names of its inputs and outputs, constants as arrays, attributes as values, static shapes."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import numpy_helper

from stages.core.errors import ArtifactError

INPUT = "codes"
SCORE = "score"
SCORE_CODE = "score_code"
#: An int16 code of the input is its int8 code times this.
WIDENING = 256


@dataclass(frozen=True)
class View:
    """What the passes over a graph look up.

    Attributes
    ----------
    constants : dict of str to ndarray
        Initializers and the values of Constant nodes.
    shapes : dict of str to tuple of int
        Static shapes of inputs, outputs and intermediate values; a free dimension is 0.
    producers : dict of str to NodeProto
        The node that makes each value.
    consumers : dict of str to list of NodeProto
        The nodes that read each value, in graph order.
    """

    constants: dict[str, NDArray[Any]]
    shapes: dict[str, tuple[int, ...]]
    producers: dict[str, onnx.NodeProto]
    consumers: dict[str, list[onnx.NodeProto]]


def view(model: onnx.ModelProto) -> View:
    """Collect constants, shapes and connections of a model on which shape inference has run."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    shapes = {value.name: _shape(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    producers: dict[str, onnx.NodeProto] = {}
    consumers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = np.asarray(attributes(node)["value"])
        producers.update(dict.fromkeys(node.output, node))
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    shapes.update({name: array.shape for name, array in constants.items()})
    return View(constants, shapes, producers, consumers)


def read_model(path: Path) -> bytes:
    """Read the bytes of an ONNX file after making sure that they are a model.

    Raises
    ------
    ArtifactError
        If the file is missing, truncated or not ONNX.
    """
    try:
        content = path.read_bytes()
        onnx.checker.check_model(onnx.load_from_string(content))
    except (OSError, DecodeError, onnx.checker.ValidationError) as error:
        raise ArtifactError(
            found=f"it cannot be read as ONNX ({' '.join(str(error).split())})",
            where=str(path),
            expected="a whole model as `quantize` wrote it",
            remedy="Delete the file and run `dvc repro` to make it again",
        ) from None
    return content


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes as Python values; tensors become arrays and strings become str."""
    values = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    return {name: _plain(value) for name, value in values.items()}


def module_path(node: onnx.NodeProto) -> str:
    """Return the path of the torch module a node was exported from, '' where the exporter did not say."""
    for item in node.metadata_props:
        if item.key == "pkg.torch.onnx.name_scopes":
            scopes = ast.literal_eval(item.value)
            return str(scopes[-2]) if len(scopes) > 1 else ""
    return ""


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(int(dimension.dim_value) for dimension in value.type.tensor_type.shape.dim)


def _plain(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value.decode() if isinstance(value, bytes) else value
