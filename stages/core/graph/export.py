"""From a torch module to clean ONNX whose bytes depend on nothing but the network.

The exporter's graph is written anew with names from the module tree: int8 input ``codes``, one QuantizeLinear and
one DequantizeLinear per activation, int8 weights and int32 biases behind DequantizeLinear, GlobalAveragePool for the
mean. Where activations are int16, the input codes are quantised to int16 first, which only shifts them. A network with
a quantised score has two outputs, ``score_code`` (int8 or int16) and ``score`` (its real value); one whose score is an
int32 accumulator or float has ``score`` alone. Node metadata, with the paths and stack traces in it, is left behind.
"""

from __future__ import annotations

import copy
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from stages.core.errors import OperatorError
from stages.core.graph.contract import check_onnx
from stages.core.graph.onnx_view import INPUT, SCORE, SCORE_CODE, WIDENING, View, attributes, module_path, view

OPSET = 21  # the first whose QuantizeLinear makes int16
IR_VERSION = 10
#: Any scale will do for checking an architecture.
ANY_SCALE = 2.0**-6


def export_onnx(module: nn.Module, channels: int, length: int, input_scale: float) -> bytes:
    """Export a float or a converted network for one window at a time.

    Parameters
    ----------
    module : Module
        A float network, or what `ptq` or `qat` converted.
    channels, length : int
        The shape of a window.
    input_scale : float
        Scale of the int8 input codes; their zero point is 0.

    Returns
    -------
    bytes
        A checked ONNX model with static shapes, weights inside.

    Raises
    ------
    OperatorError
        If a converted network was quantised for another input scale.
    """
    exported = _torch_export(module, channels, length)
    model = _Writer(exported, input_scale).write(channels, length)
    model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def check_module(module: nn.Module, channels: int, length: int) -> None:
    """Check an architecture before it is trained, by exporting its float network.

    Parameters
    ----------
    module : Module
    channels, length : int
        The shape of a window.

    Raises
    ------
    OperatorError
        If the window is too short for the layers, or see `check_onnx`.
    """
    try:
        with torch.no_grad():
            copy.deepcopy(module).eval()(torch.zeros(1, channels, length))
        exported = export_onnx(module, channels, length, ANY_SCALE)
    except OperatorError:
        raise
    except Exception as error:  # torch and its exporter have no common base class
        raise OperatorError(
            found=f"the network does not run on a window of {channels} channels and {length} samples "
            f"({str(error).splitlines()[0][:160].rstrip('. ')})",
            where="network",
            expected="layers that fit the window",
            remedy="Raise window.length, or shorten kernels and strides in conf/model",
        ) from error
    check_onnx(onnx.load_from_string(exported))


def _torch_export(module: nn.Module, channels: int, length: int) -> onnx.ModelProto:
    if module.training and not isinstance(module, torch.fx.GraphModule):
        module = copy.deepcopy(module).eval()
    with _quiet(), torch.no_grad():
        program: Any = torch.onnx.export(
            module, (torch.zeros(1, channels, length),), dynamo=True, opset_version=OPSET, verbose=False
        )
    return onnx.shape_inference.infer_shapes(program.model_proto)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's remarks on packages that the product does not need."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@dataclass(frozen=True)
class _Weight:
    """A quantised constant: int8 codes, float32 scale (scalar or per output channel)."""

    codes: NDArray[np.int8]
    scale: NDArray[np.float32]


class _Writer:
    """Writes the exporter's graph anew, node by node, in its order."""

    def __init__(self, source: onnx.ModelProto, input_scale: float) -> None:
        self._graph = source.graph
        self._source: View = view(source)
        self._input_scale = np.float32(input_scale)
        self._wide = any(
            node.op_type == "QuantizeLinear" and self._qparams(node)[1].dtype == np.int16 for node in self._graph.node
        )
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._values: dict[str, str] = {}  # the exporter's value -> ours
        self._layers: dict[str, str] = {}  # the exporter's value -> the layer it came from
        self._weights: dict[str, _Weight] = {}  # the exporter's dequantised weight -> what it is made of
        self._scales: dict[str, np.float32] = {}  # our dequantised activation -> its scale
        self._names: set[str] = set()
        self._to_flatten: set[str] = set()  # layers whose int8 codes are flattened before they are read
        self._writers: dict[str, Callable[[onnx.NodeProto], None]] = {
            "Constant": lambda node: None,
            "Identity": self._alias,
            "QuantizeLinear": self._quantize,
            "DequantizeLinear": self._dequantize,
            "Conv": self._weighted,
            "Gemm": self._weighted,
            "Relu": self._relu,
            "ReduceMean": self._mean,
        }

    def write(self, channels: int, length: int) -> onnx.ModelProto:
        """Return the new model."""
        self._write_input(self._graph.input[0].name)
        for node in self._graph.node:
            self._writers.get(node.op_type, self._other)(node)
        shape = self._source.shapes[self._graph.output[0].name]
        outputs = [helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, shape)]
        if any(SCORE_CODE in node.output for node in self._nodes):
            kind = TensorProto.INT16 if self._wide else TensorProto.INT8
            outputs.insert(0, helper.make_tensor_value_info(SCORE_CODE, kind, shape))
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info(INPUT, TensorProto.INT8, [1, channels, length])],
            outputs,
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, producer_name="tailgate", opset_imports=opset, ir_version=IR_VERSION)

    def _write_input(self, source: str) -> None:
        """Name the input; a float network reads the codes through a DequantizeLinear of ours."""
        self._values[source] = INPUT
        self._layers[source] = INPUT
        if all(user.op_type == "QuantizeLinear" for user in self._source.consumers.get(source, [])):
            return
        self._values[source] = self._emit_dequantize(INPUT, INPUT, self._input_scale, np.int8(0), f"{INPUT}_real")

    def _quantize(self, node: onnx.NodeProto) -> None:
        source, output = node.input[0], node.output[0]
        scale, zero_point = self._qparams(node)
        layer = self._layers[output] = self._layers[source]
        if self._values[source] == INPUT:
            self._check_input(scale, zero_point)
            self._values[output] = INPUT
            return
        name = SCORE_CODE if self._is_final(output) else layer
        inputs = [self._values[source], self._constant(f"{layer}_scale", scale)]
        inputs.append(self._constant(f"{layer}_zero_point", zero_point))
        self._values[output] = self._emit("QuantizeLinear", f"{layer}_quantize", inputs, name)

    def _dequantize(self, node: onnx.NodeProto) -> None:
        source, output = node.input[0], node.output[0]
        scale, zero_point = self._qparams(node)
        if source in self._source.constants:
            self._weights[output] = _Weight(self._source.constants[source], np.asarray(scale))
            return
        layer = self._layers[output] = self._layers[source]
        code = self._values[source]
        if code == INPUT and self._wide:
            self._values[output] = self._widen(scale, zero_point)
            return
        if layer in self._to_flatten:
            code = self._emit("Flatten", f"{layer}_flatten", [code], f"{layer}_flat", axis=1)
        name = SCORE if self._is_output(output) else f"{layer}_real"
        self._values[output] = self._emit_dequantize(code, layer, scale, zero_point, name)

    def _widen(self, scale: Any, zero_point: Any) -> str:
        """Quantise the int8 input codes to int16, at a scale at which this is exact."""
        wide, scale_wide, zero_wide = f"{INPUT}_wide", np.float32(scale) / np.float32(WIDENING), np.int16(0)
        real = self._emit_dequantize(INPUT, INPUT, scale, zero_point, f"{INPUT}_real")
        inputs = [real, self._constant(f"{wide}_scale", scale_wide), self._constant(f"{wide}_zero_point", zero_wide)]
        self._emit("QuantizeLinear", f"{wide}_quantize", inputs, wide)
        return self._emit_dequantize(wide, wide, scale_wide, zero_wide, f"{wide}_real")

    def _weighted(self, node: onnx.NodeProto) -> None:
        layer = self._layers[node.output[0]] = self._layer_name(node)
        inputs = [self._values[node.input[0]], *self._write_weights(node, layer)]
        defaults = {"kernel_shape": attributes(node).get("kernel_shape"), "auto_pad": "NOTSET"}
        kept = {name: value for name, value in attributes(node).items() if defaults.get(name) != value}
        name = self._result(node, f"{layer}_sum")
        self._values[node.output[0]] = self._emit(node.op_type, layer, inputs, name, **kept)

    def _write_weights(self, node: onnx.NodeProto, layer: str) -> list[str]:
        """Write a layer's weight and bias; the bias of an int8 layer in units of ``s_x * s_w[c]``, as int32."""
        bias = self._source.constants.get(node.input[2]) if len(node.input) > 2 else None
        weight = self._weights.get(node.input[1])
        if weight is None:
            constants = {"weight": self._source.constants.get(node.input[1]), "bias": bias}
            return [self._constant(f"{layer}_{k}", v) for k, v in constants.items() if v is not None]
        scale = np.asarray(self._scales[self._values[node.input[0]]] * weight.scale, dtype=np.float32)
        real = np.zeros(len(weight.codes)) if bias is None else bias.astype(np.float64)
        codes = np.rint(real / scale.astype(np.float64))
        return [
            self._emit_constant(f"{layer}_weight", weight.codes, weight.scale),
            self._emit_constant(f"{layer}_bias", _to_int32(codes, layer), scale),
        ]

    def _relu(self, node: onnx.NodeProto) -> None:
        layer = self._layers[node.output[0]] = self._layers[node.input[0]]
        name = self._result(node, f"{layer}_relu")
        self._values[node.output[0]] = self._emit("Relu", f"{layer}_relu", [self._values[node.input[0]]], name)

    def _mean(self, node: onnx.NodeProto) -> None:
        """Write a mean over all positions as GlobalAveragePool, flattened at once in float, in int8 as codes."""
        source, output = node.input[0], node.output[0]
        axes = self._source.constants.get(node.input[1]) if len(node.input) > 1 else None
        rank = len(self._source.shapes[source])
        if axes is None or rank not in (3, 4) or sorted(axes % rank) != list(range(2, rank)):
            self._other(node)
            return
        layer = self._layers[output] = self._layer_name(node, "pool")
        name = self._emit("GlobalAveragePool", layer, [self._values[source]], f"{layer}_mean")
        quantised = any(user.op_type == "QuantizeLinear" for user in self._source.consumers[output])
        if not attributes(node).get("keepdims", 1):
            if quantised:
                self._to_flatten.add(layer)
            else:
                name = self._emit("Flatten", f"{layer}_flatten", [name], f"{layer}_flat", axis=1)
        self._values[output] = name

    def _alias(self, node: onnx.NodeProto) -> None:
        self._values[node.output[0]] = self._values[node.input[0]]
        self._layers[node.output[0]] = self._layers[node.input[0]]

    def _other(self, node: onnx.NodeProto) -> None:
        """Carry an operator over as it is: the operator contract, not the exporter, decides on it."""
        layer = self._layer_name(node, node.op_type.lower())
        inputs = [self._values.get(name) or self._carry_constant(name) for name in node.input]
        names = [self._result(node, layer) if i == 0 else f"{layer}_{i}" for i in range(len(node.output))]
        self._nodes.append(helper.make_node(node.op_type, inputs, names, name=layer, **attributes(node)))
        self._values.update(zip(node.output, names, strict=True))
        self._layers.update(dict.fromkeys(node.output, layer))

    def _carry_constant(self, name: str) -> str:
        if not name:
            return ""
        if name in self._weights:
            weight = self._weights[name]
            return self._emit_constant(f"constant{len(self._constants)}", weight.codes, weight.scale)
        return self._constant(f"constant{len(self._constants)}", self._source.constants[name])

    def _emit(self, op_type: str, name: str, inputs: list[str], output: str, **kept: Any) -> str:
        self._nodes.append(helper.make_node(op_type, inputs, [output], name=name, **kept))
        return output

    def _emit_dequantize(self, code: str, layer: str, scale: Any, zero_point: Any, output: str) -> str:
        inputs = [code, self._constant(f"{layer}_scale", scale), self._constant(f"{layer}_zero_point", zero_point)]
        self._scales[output] = np.float32(scale)
        return self._emit("DequantizeLinear", f"{layer}_dequantize", inputs, output)

    def _emit_constant(self, name: str, codes: NDArray[Any], scale: NDArray[np.float32]) -> str:
        # ONNX lets a zero point of 0 be left out; ONNX Runtime then adds a scalar one and refuses it per channel.
        zero_point = np.zeros(scale.shape, dtype=codes.dtype)
        inputs = [self._constant(name, codes), self._constant(f"{name}_scale", scale)]
        inputs.append(self._constant(f"{name}_zero_point", zero_point))
        axis = {"axis": 0} if scale.ndim else {}
        return self._emit("DequantizeLinear", f"{name}_dequantize", inputs, f"{name}_real", **axis)

    def _constant(self, name: str, array: Any) -> str:
        self._constants[name] = np.asarray(array)
        return name

    def _qparams(self, node: onnx.NodeProto) -> tuple[Any, Any]:
        scale = self._source.constants[node.input[1]]
        return scale, self._source.constants.get(node.input[2] if len(node.input) > 2 else "", np.int8(0))

    def _layer_name(self, node: onnx.NodeProto, default: str = "") -> str:
        """Return a unique name from the module path: ``block.0.depthwise.conv`` becomes ``block0_depthwise``."""
        path = re.sub(r"\.(conv|norm|relu)$", "", module_path(node)) or default or node.op_type.lower()
        base = re.sub(r"\.(\d+)", r"\1", path).replace(".", "_")
        name, count = base, 1
        while name in self._names:
            count += 1
            name = f"{base}_{count}"
        self._names.add(name)
        return name

    def _is_output(self, value: str) -> bool:
        return value == self._graph.output[0].name

    def _is_final(self, code: str) -> bool:
        users = self._source.consumers.get(code, [])
        return any(self._is_output(user.output[0]) for user in users)

    def _result(self, node: onnx.NodeProto, name: str) -> str:
        return SCORE if self._is_output(node.output[0]) else name

    def _check_input(self, scale: Any, zero_point: Any) -> None:
        if np.float32(scale) != self._input_scale or zero_point != 0:
            raise OperatorError(
                found=f"the network was quantised for input scale {scale} and zero point {zero_point}",
                where=f"input {INPUT}",
                expected=f"scale {self._input_scale} and zero point 0, as preprocessing makes them",
                remedy="Quantise the network again with the scale of the preprocess contract",
            )


def _to_int32(codes: NDArray[np.float64], layer: str) -> NDArray[np.int32]:
    limits = np.iinfo(np.int32)
    if np.any((codes < limits.min) | (codes > limits.max)):
        raise OperatorError(
            found="a bias does not fit int32 in units of input scale times weight scale",
            where=f"node {layer}",
            expected="biases below 2**31 such units",
            remedy="Train with weight decay, or without a channel whose weights are all nearly zero",
        )
    return codes.astype(np.int32)
