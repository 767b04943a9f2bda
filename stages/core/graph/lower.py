"""From the QDQ network to the integer network: ONNX in, `ir.Graph` out."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from stages.core.errors import OperatorError
from stages.core.graph.contract import check_onnx
from stages.core.graph.ir import Conv1d, Dense, GlobalAveragePool, Graph, Op, Tensor
from stages.core.graph.onnx_view import View, attributes, view

INT8_MIN, INT8_MAX = -128, 127
#: The largest magnitude of an input code minus its zero point.
WIDEST_INPUT = 255
ACCUMULATOR_LIMIT = 2**31


def lower(model: onnx.ModelProto) -> Graph:
    """Lower a clean QDQ model to integer operations.

    Parameters
    ----------
    model : ModelProto
        As `export_onnx` makes it from a converted network.

    Returns
    -------
    Graph

    Raises
    ------
    OperatorError
        If the model breaks the operator contract, holds a tensor left in float, or could overflow an accumulator.
    """
    check_onnx(model)
    graph = _Lowering(model).run()
    for name, bound in accumulator_bounds(graph).items():
        if bound >= ACCUMULATOR_LIMIT:
            raise OperatorError(
                found=f"the accumulator can reach {bound}",
                where=f"node {name}",
                expected=f"less than {ACCUMULATOR_LIMIT}, the range of int32",
                remedy="Use fewer input channels or a shorter kernel, or train with weight decay",
            )
    return graph


def accumulator_bounds(graph: Graph) -> dict[str, int]:
    """Return the largest magnitude each operation's accumulator can reach, by name.

    A layer's is ``max over c of (sum |w[c]| * 255 + |b[c]|)``; a pool's is ``255 * length``. Below 2**24 the
    accumulator is exact in float32 too.
    """
    return {op.name: _bound(op) for op in graph.ops}


def _bound(op: Op) -> int:
    if isinstance(op, GlobalAveragePool):
        return WIDEST_INPUT * op.input.length
    sums = np.abs(op.weight.astype(np.int64)).reshape(len(op.weight), -1).sum(axis=1)
    return int(np.max(sums * WIDEST_INPUT + np.abs(op.bias.astype(np.int64))))


def requantize_multiplier(
    input_scale: float, weight_scale: NDArray[np.float32], output_scale: float
) -> NDArray[np.float32]:
    """Return ``float32(float32(s_x * s_w[c]) / s_y)``, in the order of operations of ONNX Runtime."""
    product = np.asarray(np.float32(input_scale) * weight_scale, dtype=np.float32)
    return np.asarray(product / np.float32(output_scale), dtype=np.float32)


def pool_multiplier(input_scale: float, output_scale: float, length: int) -> np.float32:
    """Return ``float32(s_x / float32(s_y * length))``, in the order of operations of ONNX Runtime."""
    return np.float32(np.float32(input_scale) / np.float32(np.float32(output_scale) * np.float32(length)))


class _Lowering:
    """Follows the nodes in order; a layer becomes an operation at the QuantizeLinear that ends it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._view: View = view(model)
        self._tensors: dict[str, Tensor] = {}  # int8 and dequantised values -> the tensor they hold
        self._ops: list[Op] = []

    def run(self) -> Graph:
        """Return the graph."""
        for node in self._model.graph.node:
            if node.op_type == "DequantizeLinear" and node.input[0] not in self._view.constants:
                self._read(node)
            elif node.op_type == "Flatten" and node.input[0] in self._tensors:
                self._tensors[node.output[0]] = self._tensors[node.input[0]]
            elif node.op_type == "QuantizeLinear":
                self._end_layer(node)
        if not self._ops:
            raise _in_float("graph", "the network holds no quantised layer")
        return Graph(self._ops[0].input, self._ops[-1].output, tuple(self._ops))

    def _read(self, node: onnx.NodeProto) -> None:
        """A dequantised value is its codes; the first one read is the graph's input."""
        code = node.input[0]
        if code not in self._tensors:
            self._tensors[code] = self._tensor(code, node)
        self._tensors[node.output[0]] = self._tensors[code]

    def _end_layer(self, node: onnx.NodeProto) -> None:
        last = self._view.producers.get(node.input[0])
        relu = last is not None and last.op_type == "Relu"
        layer = self._view.producers.get(last.input[0]) if last is not None and relu else last
        if layer is None or layer.input[0] not in self._tensors:
            raise _in_float(f"node {node.name}", f"what {node.name} quantises was not computed from int8 codes")
        source, output = self._tensors[layer.input[0]], self._tensor(node.output[0], node)
        self._tensors[node.output[0]] = output
        self._ops.append(self._operation(layer, source, output, output.zero_point if relu else INT8_MIN))

    def _operation(self, node: onnx.NodeProto, source: Tensor, output: Tensor, y_min: int) -> Op:
        ends = {"y_min": max(y_min, INT8_MIN), "y_max": INT8_MAX}
        if node.op_type == "GlobalAveragePool":
            factor = pool_multiplier(source.scale, output.scale, source.length)
            return GlobalAveragePool(node.name, source, output, factor, **ends)
        weight, scale = self._weight(node)
        bias = self._bias(node, len(weight))
        multiplier = requantize_multiplier(source.scale, scale, output.scale)
        if node.op_type == "Gemm":
            return Dense(node.name, source, output, weight, bias, multiplier, **ends)
        values: dict[str, Any] = attributes(node)
        left, right = values.get("pads", [0, 0])
        geometry = {"stride": values.get("strides", [1])[0], "pad_left": left, "pad_right": right}
        groups = values.get("group", 1)
        return Conv1d(node.name, source, output, weight, bias, multiplier, **geometry, groups=groups, **ends)

    def _weight(self, node: onnx.NodeProto) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        codes, scale = self._dequantised(node, 1)
        per_channel = np.broadcast_to(scale.astype(np.float32).reshape(-1), (len(codes),))
        return codes, np.ascontiguousarray(per_channel)

    def _bias(self, node: onnx.NodeProto, channels: int) -> NDArray[np.int32]:
        """The bias in accumulator units; its scale must be the accumulator's, else the sum would mix units."""
        if len(node.input) < 3:
            return np.zeros(channels, dtype=np.int32)
        codes, scale = self._dequantised(node, 2)
        expected = np.float32(self._tensors[node.input[0]].scale) * self._dequantised(node, 1)[1]
        if codes.dtype != np.int32 or not np.array_equal(scale, expected.astype(np.float32)):
            raise _in_float(f"node {node.name}", "the bias is not int32 at input scale times weight scale")
        return codes

    def _dequantised(self, node: onnx.NodeProto, position: int) -> tuple[NDArray[Any], NDArray[Any]]:
        producer = self._view.producers.get(node.input[position])
        if producer is None:
            raise _in_float(f"node {node.name}", "a weight or bias of the layer was left in float")
        return self._view.constants[producer.input[0]], self._view.constants[producer.input[1]]

    def _tensor(self, code: str, node: onnx.NodeProto) -> Tensor:
        """Describe an int8 value by the QuantizeLinear or DequantizeLinear next to it."""
        shape = self._view.shapes[code]  # [1, C, L] or [1, C]
        scale, zero_point = (self._view.constants[name] for name in node.input[1:3])
        length = shape[2] if len(shape) == 3 else 1
        return Tensor(code, length, shape[1], float(scale.reshape(())), int(zero_point.reshape(())))


def _in_float(where: str, found: str) -> OperatorError:
    return OperatorError(
        found=found,
        where=where,
        expected="a network in which every layer reads and writes int8 codes",
        remedy="Quantise the network with ptq or qat, and export it with export_onnx",
    )
