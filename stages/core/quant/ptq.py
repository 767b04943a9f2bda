"""Post-training quantisation: ranges from calibration windows, no training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.fx import GraphModule
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from stages.core.errors import ConfigError
from stages.core.nets.inference import float_scores
from stages.core.quant.quantizer import DeviceQuantizer, QuantOptions


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
    return convert_pt2e(prepared)
