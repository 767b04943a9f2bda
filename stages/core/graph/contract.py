"""The operator contract: which ONNX operators the device kernels implement, and under which conditions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto
from torch import nn

from stages.core.errors import OperatorError
from stages.core.graph.export import INPUT, export_onnx
from stages.core.graph.onnx_view import View, attributes, view

#: Any scale will do for checking an architecture.
ANY_SCALE = 2.0**-6


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


def _check_input(model: onnx.ModelProto) -> None:
    inputs = [value.name for value in model.graph.input]
    tensor = model.graph.input[0].type.tensor_type
    shape = [dimension.dim_value for dimension in tensor.shape.dim]
    fixed = len(shape) == 3 and shape[0] == 1 and min(shape) > 0
    if inputs != [INPUT] or tensor.elem_type != TensorProto.INT8 or not fixed:
        kind = TensorProto.DataType.Name(tensor.elem_type)
        raise OperatorError(
            found=f"the inputs are {', '.join(inputs)}, the first of type {kind} and shape {shape}",
            where="graph",
            expected=f"one input '{INPUT}' of type INT8 and fixed shape [1, channels, length]",
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
    if len(shape) != 3:
        yield f"reads a tensor of rank {len(shape)}"
    if weight is None:
        yield "has a weight that is computed at run time"
        return
    kernel, groups, pads = weight[-1], values.get("group", 1), values.get("pads", [0, 0])
    if any(value != 1 for value in values.get("dilations", [1])):
        yield f"has dilations {values['dilations']}"
    if values.get("auto_pad", "NOTSET") != "NOTSET":
        yield f"has auto_pad {values['auto_pad']}"
    if min(pads) < 0 or max(pads) >= kernel:
        yield f"has pads {pads} for a kernel of {kernel}"
    if weight[0] % groups or weight[1] * groups != shape[1]:
        yield f"has {groups} groups for {shape[1]} input and {weight[0]} output channels"


def _gemm_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    values: dict[str, Any] = attributes(node)
    if lookup.shapes.get(_constant_source(node.input[1], lookup)) is None:
        yield "has a weight that is computed at run time"
    if (values.get("transA", 0), values.get("transB", 0)) != (0, 1):
        yield f"has transA {values.get('transA', 0)} and transB {values.get('transB', 0)}"
    if (values.get("alpha", 1.0), values.get("beta", 1.0)) != (1.0, 1.0):
        yield f"has alpha {values.get('alpha', 1.0)} and beta {values.get('beta', 1.0)}"


def _relu_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    producer = lookup.producers.get(node.input[0])
    if producer is None or producer.op_type not in ("Conv", "Gemm"):
        yield f"follows {'the input' if producer is None else producer.op_type}"
    elif len(lookup.consumers[node.input[0]]) > 1:
        yield f"shares its input, the output of {producer.name}, with another node"


def _pool_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    shape = lookup.shapes.get(node.input[0], ())
    if len(shape) != 3:
        yield f"reads a tensor of rank {len(shape)}"


def _flatten_faults(node: onnx.NodeProto, lookup: View) -> Iterator[str]:
    shape, axis = lookup.shapes.get(node.input[0], ()), attributes(node).get("axis", 1)
    if axis != 1 or len(shape) != 3 or shape[2] != 1:
        yield f"at axis {axis} reads a tensor of shape {list(shape)}"


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
    "Conv": Operator(
        "Conv1d on [1, channels, length] with constant weights, dilation 1, pads below the kernel, and groups that "
        "divide the channels",
        "Use stride instead of dilation, explicit pads, and nn.Conv1d",
        _conv_faults,
    ),
    "Gemm": Operator(
        "a fully connected layer as nn.Linear makes it (transA 0, transB 1, alpha and beta 1, constant weights)",
        "Use nn.Linear",
        _gemm_faults,
    ),
    "Relu": Operator(
        "a ReLU directly after a convolution or a fully connected layer, which alone reads that layer",
        "Move the ReLU behind its layer",
        _relu_faults,
    ),
    "GlobalAveragePool": Operator(
        "the mean over length of [1, channels, length]",
        "Pool over length alone, with x.mean(dim=2)",
        _pool_faults,
    ),
    "Flatten": Operator("axis 1 of [1, channels, 1]", "Pool over length before flattening", _flatten_faults),
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
    "AveragePool": "Use x.mean(dim=2), or a strided convolution",
    "BatchNormalization": "Put batch norm directly behind a convolution, where it folds into the weights",
    "Clip": "Use nn.ReLU in place of ReLU6 or Hardtanh",
    "LSTM": "Use strided or depthwise convolutions in place of recurrent layers",
    "MatMul": "Use nn.Linear on a tensor of shape [N, channels]",
    "MaxPool": "Use a convolution with a stride",
    "ReduceMean": "Pool over length alone, with x.mean(dim=2)",
    "Sigmoid": "Leave the sigmoid out: scores are logits",
}
