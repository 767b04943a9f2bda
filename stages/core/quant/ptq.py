"""Post-training quantisation: ranges from calibration windows, no training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from stages.core.errors import ConfigError
from stages.core.graph.onnx_view import WIDENING
from stages.core.nets.inference import float_scores
from stages.core.quant.quantizer import CONVOLUTIONS, DeviceQuantizer, QuantOptions


def capture(model: nn.Module, channels: int, length: int) -> GraphModule:
    """Trace the network in evaluation mode into a graph of ATen operators with a free batch dimension."""
    example = torch.zeros(2, channels, length)
    batch = torch.export.Dim("n", min=1)
    program = torch.export.export(model.eval(), (example,), dynamic_shapes=({0: batch},))
    module: Any = program.module()
    return module


def ptq(model: nn.Module, calibration: NDArray[np.int8], options: QuantOptions) -> GraphModule:
    """Quantise a trained network with ranges seen on calibration windows.

    Parameters
    ----------
    model : Module
        The float network, left in evaluation mode.
    calibration : ndarray of int8, shape (N, channels, length)
        Input codes.
    options : QuantOptions

    Returns
    -------
    GraphModule
        The network with quantise and dequantise operators and int8 weights.

    Raises
    ------
    ConfigError
        If there is no calibration window.
    """
    if len(calibration) == 0:
        raise ConfigError(
            found="the calibration set is empty",
            where="post-training quantisation",
            expected="at least one window",
            remedy="Raise the number of calibration windows in conf/quantize",
        )
    _, channels, length = calibration.shape
    quantizer = DeviceQuantizer(options, training=False)
    prepared = prepare_pt2e(capture(model, channels, length), quantizer)
    float_scores(prepared, calibration, options.input_scale)
    converted = convert_pt2e(prepared)
    round_biases(converted)
    return converted


def round_biases(converted: GraphModule, *others: GraphModule) -> None:
    """Round every bias, in place, to a multiple of ``s_x * s_w[c]``, the unit of the accumulator that it is added to.

    The device adds int32 biases. With float ones the network would round another way whenever a sum lies within half
    a unit of a step, and layer by layer that grows to several codes.

    Parameters
    ----------
    converted : GraphModule
        As `convert_pt2e` makes it.
    *others : GraphModule
        Other forms of it, whose biases of the same names are rounded to the same units.
    """
    wide = any(torch.int16 in node.args for node in converted.graph.nodes)
    for node in converted.graph.nodes:
        if node.target in (*CONVOLUTIONS, torch.ops.aten.linear.default) and len(node.args) > 2 and node.args[2]:
            source, weight, bias = node.args[:3]
            step = _scale(converted, source) / (WIDENING if wide and torch.int8 in source.args else 1)
            unit = np.asarray(step * _scale(converted, weight), dtype=np.float32)
            for module in (converted, *others):
                values = module.get_parameter(bias.target).data
                codes = np.rint(values.numpy().astype(np.float64) / unit.astype(np.float64))
                values.copy_(torch.from_numpy(codes * unit))


def _scale(converted: GraphModule, dequantise: Any) -> NDArray[np.float32]:
    """Return the scale of a dequantise operator, a number or an attribute of the network."""
    scale = dequantise.args[1]
    if isinstance(scale, Node):
        scale = converted.get_buffer(str(scale.target)).numpy()
    return np.asarray(scale, dtype=np.float32)
