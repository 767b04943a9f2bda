"""The operator contract: which ONNX operators the device kernels implement, and under which conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from stages.core.errors import OperatorError
from stages.core.graph.onnx_view import INPUT, View, attributes, view

#: Channels of a softmax, whose exponentials of up to 2^23 - 1 then add up inside uint32.
MOST_SHARES = 512


@dataclass(frozen=True)
class Operator:
    """One row of the contract.

    Attributes
    ----------
    supported : str
        The conditions, in words.
    remedy : str
        The usual fix.
    faults : callable
        Yields what is wrong with a node, each as a clause; nothing if it is supported.
    """

    supported: str
    remedy: str
    faults: Callable[[onnx.NodeProto, View], Iterator[str]]


def check_onnx(model: onnx.ModelProto) -> None:
    """Check a float or QDQ model against the contract.

    Parameters
    ----------
    model : ModelProto
        With static shapes inferred, as `export_onnx` makes it.

    Raises
    ------
    OperatorError
        Naming the first node that the device cannot run, what is supported and the usual fix.
    """
    _check_input(model)
    lookup = view(model)
    for node in model.graph.node:
        operator = OPERATORS.get(node.op_type)
        if operator is None:
            raise _unknown(node)
        for fault in operator.faults(node, lookup):
            raise OperatorError(
                found=f"{node.op_type} {fault}",
                where=f"node {node.name}",
                expected=operator.supported,
                remedy=operator.remedy,
            )


def _check_input(model: onnx.ModelProto) -> None:
    inputs = [value.name for value in model.graph.input]
    tensor = model.graph.input[0].type.tensor_type
    shape = [dimension.dim_value for dimension in tensor.shape.dim]
    fixed = len(shape) in (3, 4) and shape[0] == 1 and min(shape) > 0
    if inputs != [INPUT] or tensor.elem_type != TensorProto.INT8 or not fixed:
        kind = TensorProto.DataType.Name(tensor.elem_type)
        raise OperatorError(
            found=f"the inputs are {', '.join(inputs)}, the first of type {kind} and shape {shape}",
            where="graph",
            expected=f"one input '{INPUT}' of type INT8 and fixed shape [1, channels, length], or with a height before "
            "the length",
            remedy="Export the network with stages.core.graph.export.export_onnx",
        )


def _unknown(node: onnx.NodeProto) -> OperatorError:
    hint = HINTS.get(node.op_type, "Build the network from the supported operators")
    return OperatorError(
        found=f"the device has no kernel for {node.op_type}",
        where=f"node {node.name}",
        expected=f"one of {', '.join(sorted(OPERATORS))}",
        remedy=hint,
    )


def _conv_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    values: dict[str, Any] = attributes(node)
    weight, shape = lookup.shapes.get(_constant_source(node.input[1], lookup)), lookup.shapes.get(node.input[0], ())
    yield from _rank_faults(shape)
    if weight is None:
        yield "has a weight that is computed at run time"
        return
    groups = values.get("group", 1)
    yield from _window_faults(values, weight[2:])
    if weight[0] % groups or weight[1] * groups != shape[1]:
        yield f"has {groups} groups for {shape[1]} input and {weight[0]} output channels"


def _window_faults(values: dict[str, Any], kernel: tuple[int, ...]) -> Iterator[str]:
    pads = values.get("pads", [0] * 2 * len(kernel))
    if any(value != 1 for value in values.get("dilations", [1])):
        yield f"has dilations {values['dilations']}"
    if values.get("auto_pad", "NOTSET") != "NOTSET":
        yield f"has auto_pad {values['auto_pad']}"
    if min(pads) < 0 or any(pad >= taps for pad, taps in zip(pads, kernel * 2, strict=True)):
        yield f"has pads {pads} for a kernel of {' by '.join(map(str, kernel))}"


def _rank_faults(shape: tuple[int, ...]) -> Iterator[str]:
    if len(shape) not in (3, 4):
        yield f"reads a tensor of rank {len(shape)}"


def _gemm_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    values: dict[str, Any] = attributes(node)
    if lookup.shapes.get(_constant_source(node.input[1], lookup)) is None:
        yield "has a weight that is computed at run time"
    if (values.get("transA", 0), values.get("transB", 0)) != (0, 1):
        yield f"has transA {values.get('transA', 0)} and transB {values.get('transB', 0)}"
    if (values.get("alpha", 1.0), values.get("beta", 1.0)) != (1.0, 1.0):
        yield f"has alpha {values.get('alpha', 1.0)} and beta {values.get('beta', 1.0)}"


def _clip_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    """Faults of an activation, which its layer carries out as the range of what it writes."""
    producer = lookup.producers.get(node.input[0])
    if producer is None or producer.op_type not in ("Conv", "Gemm", "Add"):
        yield f"follows {'the input' if producer is None else producer.op_type}"
    elif len(lookup.consumers[node.input[0]]) > 1:
        yield f"shares its input, the output of {producer.name}, with another node"
    if any(name and name not in lookup.constants for name in node.input[1:]):
        yield "has a limit that is computed at run time"


def _global_pool_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    yield from _rank_faults(lookup.shapes.get(node.input[0], ()))


def _pool_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    values: dict[str, Any] = attributes(node)
    yield from _rank_faults(lookup.shapes.get(node.input[0], ()))
    yield from _window_faults(values, tuple(values["kernel_shape"]))
    if values.get("ceil_mode", 0) or len(node.output) > 1:
        yield "has ceil_mode" if values.get("ceil_mode", 0) else "gives indices"
    if node.op_type == "AveragePool" and any(values.get("pads", ())) and not values.get("count_include_pad", 0):
        yield "leaves padding out of the count"


def _join_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    """Faults of an addition or a concatenation: of tensors that are computed, and for the one of equal shapes."""
    if any(_constant_source(name, lookup) for name in node.input):
        yield "reads a constant"
    shapes = [lookup.shapes.get(name, ()) for name in node.input]
    if any(len(shape) not in (2, 3, 4) for shape in shapes):
        yield f"reads tensors of rank {' and '.join(str(len(shape)) for shape in shapes)}"
    elif node.op_type == "Add" and len(set(shapes)) > 1:
        yield f"reads tensors of shapes {' and '.join(str(list(shape)) for shape in shapes)}"
    elif node.op_type == "Concat" and attributes(node)["axis"] % len(shapes[0]) == 0:
        yield "is along axis 0"


def _pad_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    mode = attributes(node).get("mode", "constant")
    pads = lookup.constants.get(node.input[1])
    value = lookup.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(())
    yield from _rank_faults(lookup.shapes.get(node.input[0], ()))
    if mode != "constant" or value is None or np.any(value):
        yield f"fills with {'something other than zeros' if mode == 'constant' else mode}"
    if pads is None or (len(node.input) > 3 and node.input[3]):
        yield "has amounts that are computed at run time, or axes"
    elif np.any(pads < 0) or np.any(pads.reshape(2, -1)[:, :2]):
        yield f"has amounts {pads.tolist()}"


def _output_activation_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    """Faults of a sigmoid or a softmax, which are tables of int8 codes."""
    shape = lookup.shapes.get(node.input[0], ())
    users = [user for user in lookup.consumers.get(node.output[0], ()) if user.op_type == "QuantizeLinear"]
    zero_points = [lookup.constants.get(user.input[2]) for user in users]
    if not any(zero_point is not None and zero_point.dtype == np.int8 for zero_point in zero_points):
        yield "is computed in another type than int8"
    if node.op_type == "Softmax" and (len(shape) != 2 or attributes(node).get("axis", -1) not in (-1, 1)):
        yield f"reads a tensor of shape {list(shape)}, not [1, channels] over its channels"
    elif node.op_type == "Softmax" and shape[1] > MOST_SHARES:
        yield f"is over {shape[1]} channels"


def _flatten_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    shape, axis = lookup.shapes.get(node.input[0], ()), attributes(node).get("axis", 1)
    if axis != 1 or len(shape) < 3 or any(size != 1 for size in shape[2:]):
        yield f"at axis {axis} reads a tensor of shape {list(shape)}"


def _transpose_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    """Faults of the first half of making an image of one channel from rows."""
    if attributes(node).get("perm") != [0, 2, 1]:
        yield f"has perm {attributes(node).get('perm')}"
    users = lookup.consumers.get(node.output[0], [])
    if not users or any(user.op_type != "Unsqueeze" for user in users):
        yield f"is read by {', '.join(user.op_type for user in users) or 'nothing'}"


def _unsqueeze_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    producer, axes = lookup.producers.get(node.input[0]), lookup.constants.get(node.input[1])
    if producer is None or producer.op_type != "Transpose":
        yield f"follows {'the input' if producer is None else producer.op_type}"
    if axes is None or axes.tolist() not in ([1], [-3]):
        yield f"has axes {'computed at run time' if axes is None else axes.tolist()}"


def _quantize_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    scale, zero_point = (lookup.constants.get(name) for name in (*node.input[1:3], "")[:2])
    if scale is None or scale.size != 1:
        yield "has no single constant scale"
    elif zero_point is None or zero_point.dtype not in (np.int8, np.int16):
        yield f"has a zero point of type {'none' if zero_point is None else zero_point.dtype}"
    elif zero_point.dtype == np.int16 and np.any(zero_point):
        yield f"gives int16 codes the zero point {zero_point}"


def _dequantize_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    constant = lookup.constants.get(node.input[0])
    if constant is None:
        yield from _quantize_faults(node, lookup)
        return
    zero_point = lookup.constants.get(node.input[2]) if len(node.input) > 2 else None
    if constant.dtype not in (np.int8, np.int32):
        yield f"reads a constant of type {constant.dtype}"
    elif zero_point is not None and np.any(zero_point):
        yield "gives a weight a zero point other than 0"
    elif lookup.constants[node.input[1]].size > 1 and attributes(node).get("axis", 1) != 0:
        yield "gives a weight scales along another axis than the output channels"


def _constant_source(value: str, lookup: View) -> str:
    """Return the constant behind a weight, which may pass through a DequantizeLinear."""
    producer = lookup.producers.get(value)
    if producer is not None and producer.op_type == "DequantizeLinear":
        value = producer.input[0]
    return value if value in lookup.constants else ""


OPERATORS: dict[str, Operator] = {
    "Add": Operator(
        "the sum of two computed tensors of one shape",
        "Make both of one shape, and fold constants into the bias of the layer before",
        _join_faults,
    ),
    "AveragePool": Operator(
        "windows on [1, channels, length] or [1, channels, height, length], dilation 1, pads below the kernel that "
        "count as zeros, no ceil_mode",
        "Use nn.AvgPool1d or nn.AvgPool2d with count_include_pad, or x.mean",
        _pool_faults,
    ),
    "Clip": Operator(
        "constant limits directly after a convolution, a fully connected layer or a sum, which it alone reads",
        "Move the ReLU6 behind its layer",
        _clip_faults,
    ),
    "Concat": Operator(
        "computed tensors along channels, height or length",
        "Use torch.cat on outputs of layers, along any dimension but the first",
        _join_faults,
    ),
    "Conv": Operator(
        "Conv1d on [1, channels, length] or Conv2d on [1, channels, height, length] with constant weights, dilation 1, "
        "pads below the kernel, and groups that divide the channels",
        "Use stride instead of dilation, explicit pads, and nn.Conv1d or nn.Conv2d",
        _conv_faults,
    ),
    "Gemm": Operator(
        "a fully connected layer as nn.Linear makes it (transA 0, transB 1, alpha and beta 1, constant weights)",
        "Use nn.Linear",
        _gemm_faults,
    ),
    "Relu": Operator(
        "a ReLU directly after a convolution, a fully connected layer or a sum, which it alone reads",
        "Move the ReLU behind its layer",
        _clip_faults,
    ),
    "GlobalAveragePool": Operator(
        "the mean over all positions of [1, channels, length] or [1, channels, height, length]",
        "Pool over length, or height and length, with x.mean",
        _global_pool_faults,
    ),
    "MaxPool": Operator(
        "windows on [1, channels, length] or [1, channels, height, length], dilation 1, pads below the kernel, no "
        "ceil_mode",
        "Use nn.MaxPool1d or nn.MaxPool2d without dilation",
        _pool_faults,
    ),
    "Pad": Operator(
        "constant amounts of zeros around [1, channels, length] or [1, channels, height, length]",
        "Use nn.ConstantPad1d or nn.ConstantPad2d with 0, or the padding of the next layer",
        _pad_faults,
    ),
    "Sigmoid": Operator("int8 codes", "Leave the sigmoid out: scores are logits", _output_activation_faults),
    "Softmax": Operator(
        f"int8 codes of shape [1, channels], over at most {MOST_SHARES} channels",
        "Leave the softmax out: scores are logits",
        _output_activation_faults,
    ),
    "Flatten": Operator("axis 1 of one position", "Pool over all positions before flattening", _flatten_faults),
    "Transpose": Operator(
        "length and channels exchanged, [0, 2, 1], before an Unsqueeze to an image of one channel",
        "Make an image of rows by x.transpose(1, 2).unsqueeze(1)",
        _transpose_faults,
    ),
    "Unsqueeze": Operator(
        "axis 1 behind a Transpose: an image of one channel from rows",
        "Make an image of rows by x.transpose(1, 2).unsqueeze(1)",
        _unsqueeze_faults,
    ),
    "QuantizeLinear": Operator(
        "int8 activations with one scale and one zero point, or int16 ones with one scale and zero point 0",
        "Quantise with DeviceQuantizer",
        _quantize_faults,
    ),
    "DequantizeLinear": Operator(
        "int8 activations with one scale and one zero point, int16 ones with one scale and zero point 0, symmetric "
        "int8 weights and int32 biases with one scale per output channel or one in all",
        "Quantise with DeviceQuantizer",
        _dequantize_faults,
    ),
}

HINTS: dict[str, str] = {
    "BatchNormalization": "Put batch norm directly behind a convolution, where it folds into the weights",
    "LSTM": "Use strided or depthwise convolutions in place of recurrent layers",
    "MatMul": "Use nn.Linear on a tensor of shape [N, channels]",
    "ReduceMean": "Pool over length alone, with x.mean(dim=2)",
}
