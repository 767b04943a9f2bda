"""From ONNX to the network that a device runs: a float or quantised model in, `ir.Graph` out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from stages.core.errors import OperatorError
from stages.core.graph.contract import check_onnx
from stages.core.graph.ir import (
    AveragePool,
    Conv1d,
    Conv2d,
    Dense,
    Dtype,
    GlobalAveragePool,
    Graph,
    Lookup,
    MaxPool,
    Op,
    Pad,
    Softmax,
    Tensor,
    Widen,
    Window,
)
from stages.core.graph.mixing import add, concat, sigmoid_table, softmax_table
from stages.core.graph.onnx_view import SCORE, WIDENING, View, attributes, view

#: The largest magnitude of a code minus its zero point, by type of the codes.
WIDEST_INPUT = {"int8": 255, "int16": 32768}
#: No accumulator reaches the largest int32, so that it can serve as the threshold that no score reaches.
ACCUMULATOR_LIMIT = 2**31 - 1
#: Operators that become an operation; the others only describe what they read.
_LAYERS = {"Add", "AveragePool", "Concat", "Conv", "Gemm", "GlobalAveragePool", "MaxPool", "Pad", "Sigmoid", "Softmax"}


def lower(model: onnx.ModelProto) -> Graph:
    """Lower a clean model, float or quantised, to the operations of `ir`.

    Parameters
    ----------
    model : ModelProto
        As `export_onnx` makes it.

    Returns
    -------
    Graph

    Raises
    ------
    OperatorError
        If the model breaks the operator contract, is quantised in part only or in several types, or could overflow an
        accumulator.
    """
    check_onnx(model)
    graph = _Lowering(model).run()
    for name, bound in accumulator_bounds(graph).items():
        if bound >= ACCUMULATOR_LIMIT:
            raise OperatorError(
                found=f"the accumulator can reach {bound}",
                where=f"node {name}",
                expected=f"less than {ACCUMULATOR_LIMIT}, the largest int32",
                remedy="Use fewer input channels or a shorter kernel, train with weight decay, or, where activations "
                "are int16, use int8 or float ones",
            )
    return graph


def read_graph(model: bytes) -> Graph:
    """Lower the bytes of a model; raises what `lower` does."""
    return lower(onnx.load_from_string(model))


def accumulator_bounds(graph: Graph) -> dict[str, int]:
    """Return the largest magnitude each operation's integer accumulator can reach, by name.

    A layer's is ``max over c of (sum |w[c]| * m + |b[c]|)`` and a pool's ``m * positions``, with the largest magnitude
    of an input ``m`` of 255 for int8 and 32768 for int16. It is 0 for what sums no integers: a `Widen`, a float layer.
    Below 2**24 the accumulator is exact in float32 too.
    """
    return {op.name: _bound(op) for op in graph.ops}


def _bound(op: Op) -> int:
    if op.inputs[0].dtype == "float32":
        return 0
    widest = WIDEST_INPUT[op.inputs[0].dtype]
    if isinstance(op, GlobalAveragePool):
        return widest * op.input.positions
    if isinstance(op, AveragePool) and op.input.dtype == "int16":
        return widest * op.window.taps
    if not isinstance(op, Conv1d | Conv2d | Dense):
        return 0
    sums = np.abs(op.weight.astype(np.int64)).reshape(len(op.weight), -1).sum(axis=1)
    return int(np.max(sums * widest + np.abs(op.bias.astype(np.int64))))


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
    """Follows the nodes in order; a layer takes its ReLU and the QuantizeLinear behind it along."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._view: View = view(model)
        self._float = not any(self._dequantises_constant(node) for node in model.graph.node)
        self._tensors: dict[str, Tensor] = {}  # a value, as codes or as what they stand for -> the tensor it is
        self._ops: list[Op] = []

    def run(self) -> Graph:
        """Return the graph."""
        for node in self._model.graph.node:
            if node.op_type in _LAYERS:
                self._layer(node)
            elif node.op_type == "DequantizeLinear" and not self._dequantises_constant(node):
                self._read(node)
            elif node.op_type == "QuantizeLinear" and node.output[0] not in self._tensors:
                self._widen(node)
            elif node.op_type in ("Flatten", "Transpose") and node.input[0] in self._tensors:
                self._tensors[node.output[0]] = self._tensors[node.input[0]]
            elif node.op_type == "Unsqueeze" and node.input[0] in self._tensors:
                rows = self._tensors[node.input[0]]
                image = replace(rows, height=rows.length, length=rows.channels, channels=1)
                self._tensors[node.output[0]] = image  # of one channel: the same bytes
        if not self._ops:
            raise _in_float("graph", "the network holds no layer")
        return Graph(self._ops[0].inputs[0], self._ops[-1].output, tuple(self._ops))

    def _read(self, node: onnx.NodeProto) -> None:
        """A dequantised value is its codes, except at the input of a float network."""
        code, real = node.input[0], node.output[0]
        tensor = self._tensors.setdefault(code, self._quantised(code, node))
        if self._float:
            if tensor.zero_point:
                raise _in_float(f"node {node.name}", f"the input codes have the zero point {tensor.zero_point}")
            output = self._real(real)
            self._ops.append(Widen(node.name, tensor, output, np.float32(tensor.scale)))
            tensor = output
        self._tensors[real] = tensor

    def _widen(self, node: onnx.NodeProto) -> None:
        """A QuantizeLinear that ends no layer: of the same codes once more, or of the input codes to int16."""
        source, output = self._tensors.get(node.input[0]), self._quantised(node.output[0], node)
        if source is not None and _same_codes(source, output):
            self._tensors[node.output[0]] = source
            return
        if source is None or source.zero_point or output.dtype != "int16" or output.scale * WIDENING != source.scale:
            raise _in_float(f"node {node.name}", f"what {node.name} quantises was not computed from codes")
        self._ops.append(Widen(node.name, source, output, np.float32(WIDENING)))
        self._tensors[node.output[0]] = output

    def _layer(self, node: onnx.NodeProto) -> None:
        names = node.input if node.op_type in ("Add", "Concat") else node.input[:1]
        sources = [self._tensors[name] for name in names if name in self._tensors]
        if len(sources) < len(names):
            raise _in_float(f"node {node.name}", f"{node.name} reads a tensor that was left in float")
        clip = self._reader(node.output[0], "Relu") or self._reader(node.output[0], "Clip")
        value = (clip or node).output[0]
        output = self._output(node, value)
        types = {source.dtype for source in sources}
        if len(types) > 1 or output.dtype not in (*types, "int32"):
            raise _in_float(
                f"node {node.name}", f"{node.name} reads {' and '.join(sorted(types))} and writes {output.dtype}"
            )
        self._tensors[output.name] = output
        self._ops.append(self._operation(node, sources, output, _activation_range(output, self._limits(clip))))

    def _limits(self, clip: onnx.NodeProto | None) -> tuple[float, float]:
        """Return the real values between which an activation clips."""
        if clip is None:
            return -np.inf, np.inf
        if clip.op_type == "Relu":
            return 0.0, np.inf
        low, high = ([*clip.input, "", ""])[1:3]
        constants = self._view.constants
        return float(constants[low]) if low else -np.inf, float(constants[high]) if high else np.inf

    def _output(self, node: onnx.NodeProto, value: str) -> Tensor:
        """Describe what a layer writes: codes, the accumulator where that is the score, or float32."""
        quantize = self._reader(value, "QuantizeLinear")
        if quantize is not None:
            return self._quantised(quantize.output[0], quantize)
        real = self._real(value)
        if self._float:
            return real
        if value != SCORE or node.op_type != "Gemm":
            raise _in_float(f"node {node.name}", f"what {node.name} computes is not quantised")
        return replace(real, scale=1.0, zero_point=0, dtype="int32")

    def _operation(self, node: onnx.NodeProto, sources: list[Tensor], output: Tensor, ends: tuple[float, float]) -> Op:
        source = sources[0]
        match node.op_type:
            case "Conv" | "Gemm":
                return self._weighted(node, source, output, ends)
            case "Add":
                return add(node.name, (source, sources[1]), output, ends)
            case "Concat":
                return concat(node.name, tuple(sources), output, self._axis(node))
            case "GlobalAveragePool":
                factor = pool_multiplier(source.scale, output.scale, source.positions)
                return GlobalAveragePool(node.name, source, output, factor, *ends)
            case "AveragePool":
                window = pool_window(node)
                factor = pool_multiplier(source.scale, output.scale, window.taps)
                return AveragePool(node.name, source, output, window, factor, *ends)
        return self._same_type(node, source, output)

    def _same_type(self, node: onnx.NodeProto, source: Tensor, output: Tensor) -> Op:
        """Lower what neither sums nor clips: of codes to codes, the first two at the same scale."""
        if node.op_type in ("MaxPool", "Pad") and not _same_codes(source, output):
            raise _in_float(f"node {node.name}", f"{node.name} reads and writes codes of different scales")
        if node.op_type == "MaxPool":
            return MaxPool(node.name, source, output, pool_window(node))
        if node.op_type == "Pad":
            return Pad(node.name, source, output, pad_amounts(node, self._view))
        if node.op_type == "Sigmoid":
            return Lookup(node.name, source, output, sigmoid_table(source, output))
        return Softmax(node.name, source, output, softmax_table(node.name, source, output))

    def _axis(self, node: onnx.NodeProto) -> Literal["height", "length", "channels"]:
        rank = len(self._view.shapes[node.input[0]])
        axis = attributes(node)["axis"] % rank
        if axis == 1:
            return "channels"
        return "length" if axis == rank - 1 else "height"

    def _weighted(self, node: onnx.NodeProto, source: Tensor, output: Tensor, ends: tuple[float, float]) -> Op:
        weight, bias, multiplier = self._float_weights(node) if self._float else self._weights(node, source, output)
        if node.op_type == "Gemm":
            return Dense(node.name, source, output, weight, bias, multiplier, *ends)
        groups = attributes(node).get("group", 1)
        window = conv_window(node, weight.shape[2:])
        if weight.ndim == 3:
            weight = weight[:, :, np.newaxis]
        top, left, bottom, right = window.pads
        flat = window.kernel[0] == 1 and source.height == 1 and top == bottom == 0
        if not flat:
            return Conv2d(node.name, source, output, weight, bias, multiplier, window, groups, *ends)
        row = weight[:, :, 0]
        return Conv1d(node.name, source, output, row, bias, multiplier, window.stride[1], left, right, groups, *ends)

    def _float_weights(self, node: onnx.NodeProto) -> tuple[NDArray[np.float32], ...]:
        weight = self._view.constants[node.input[1]]
        bias = self._view.constants[node.input[2]] if len(node.input) > 2 else np.zeros(len(weight), dtype=np.float32)
        return weight, bias, np.ones(len(weight), dtype=np.float32)

    def _weights(self, node: onnx.NodeProto, source: Tensor, output: Tensor) -> tuple[NDArray[Any], ...]:
        codes, scale = self._dequantised(node, 1)
        per_channel = np.broadcast_to(scale.astype(np.float32).reshape(-1), (len(codes),))
        multiplier = requantize_multiplier(source.scale, np.ascontiguousarray(per_channel), output.scale)
        return codes, self._bias(node, len(codes)), multiplier

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

    def _dequantises_constant(self, node: onnx.NodeProto) -> bool:
        return node.op_type == "DequantizeLinear" and node.input[0] in self._view.constants

    def _reader(self, value: str, op_type: str) -> onnx.NodeProto | None:
        return next((node for node in self._view.consumers.get(value, []) if node.op_type == op_type), None)

    def _quantised(self, code: str, node: onnx.NodeProto) -> Tensor:
        """Describe codes by the QuantizeLinear or DequantizeLinear next to them."""
        scale, zero_point = (self._view.constants[name] for name in node.input[1:3])
        dtype: Dtype = "int16" if zero_point.dtype == np.int16 else "int8"
        return self._tensor(code, float(scale.reshape(())), int(zero_point.reshape(())), dtype)

    def _real(self, value: str) -> Tensor:
        return self._tensor(value, 1.0, 0, "float32")

    def _tensor(self, value: str, scale: float, zero_point: int, dtype: Dtype) -> Tensor:
        """Describe a value of shape [1, C], [1, C, L] or [1, C, H, L]."""
        shape = self._view.shapes[value]
        length, height = (*shape[:1:-1], 1, 1)[:2]
        return Tensor(value, length, shape[1], scale, zero_point, dtype, height)


def _same_codes(one: Tensor, other: Tensor) -> bool:
    return (one.dtype, one.scale, one.zero_point) == (other.dtype, other.scale, other.zero_point)


def conv_window(node: onnx.NodeProto, kernel: tuple[int, ...]) -> Window:
    """Return the window of a convolution or a pool; over length alone its height is 1."""
    values: dict[str, Any] = attributes(node)
    rank = len(kernel)
    pads = values.get("pads", [0] * 2 * rank)
    strides = values.get("strides", [1] * rank)
    (top, left), (bottom, right) = ((0, *pads[:rank])[-2:], (0, *pads[rank:])[-2:])
    rows, columns = (1, *kernel)[-2:]
    return Window((rows, columns), (1, *strides)[-2:], (top, left, bottom, right))


def pool_window(node: onnx.NodeProto) -> Window:
    """Return the window of a pool."""
    return conv_window(node, tuple(attributes(node)["kernel_shape"]))


def pad_amounts(node: onnx.NodeProto, lookup: View) -> tuple[int, int, int, int]:
    """Return rows above, columns before, rows below and columns after, of a Pad that the contract accepts."""
    pads = lookup.constants[node.input[1]].tolist()
    rank = len(pads) // 2
    top, left = (0, *pads[2:rank])[-2:]
    bottom, right = (0, *pads[rank + 2 :])[-2:]
    return top, left, bottom, right


def _activation_range(output: Tensor, limits: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the greatest value that an operation writes, between the real limits of an activation.

    Rounding keeps the order, so that clipping codes is clipping what they stand for.
    """
    low, high = limits
    if output.dtype == "float32":
        return low, high
    ends = np.iinfo(output.dtype)
    codes = (np.rint(np.float32(end) / np.float32(output.scale)) + output.zero_point for end in limits)
    low, high = (float(np.clip(code, ends.min, ends.max)) for code in codes)
    return int(low), int(high)


def _in_float(where: str, found: str) -> OperatorError:
    return OperatorError(
        found=found,
        where=where,
        expected="a float network, or one in which every layer reads and writes codes of one type",
        remedy="Quantise the network with ptq or qat, and export it with export_onnx",
    )
