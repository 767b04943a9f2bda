"""The integer network between ONNX and C: a list of typed operations in execution order.

Activations are int8 in the layout (length, channels); ``real = scale * (q - zero_point)``. Every operation
accumulates in int32 and requantises as DESIGN section 4 says::

    y = clip(rint(float32(acc) * multiplier) + zero_point, y_min, y_max)      round half to even

with ``multiplier = float32(float32(s_x * s_w[c]) / s_y)``; ``y_min`` carries a fused ReLU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tensor:
    """An int8 activation tensor.

    Attributes
    ----------
    name : str
    length, channels : int
        Layout in memory is ``[length][channels]``.
    scale : float
        A float32 value.
    zero_point : int
    """

    name: str
    length: int
    channels: int
    scale: float
    zero_point: int

    @property
    def n_bytes(self) -> int:
        """Size in memory."""
        return self.length * self.channels


@dataclass(frozen=True)
class Conv1d:
    """A convolution over length: ordinary, grouped, depthwise or 1x1.

    Attributes
    ----------
    name : str
        The ONNX node.
    input, output : Tensor
    weight : ndarray of int8, shape (output channels, input channels / groups, kernel)
    bias : ndarray of int32, shape (output channels,)
        At scale ``s_x * s_w[c]``.
    multiplier : ndarray of float32, shape (output channels,)
    stride, pad_left, pad_right, groups : int
        Padding stands for real zero, that is for ``input.zero_point``.
    y_min, y_max : int
        Activation range in output codes.
    """

    name: str
    input: Tensor
    output: Tensor
    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.float32]
    stride: int
    pad_left: int
    pad_right: int
    groups: int
    y_min: int
    y_max: int


@dataclass(frozen=True)
class GlobalAveragePool:
    """The mean over length of each channel: ``multiplier = float32(s_x / float32(s_y * length))``."""

    name: str
    input: Tensor
    output: Tensor
    multiplier: np.float32
    y_min: int
    y_max: int


@dataclass(frozen=True)
class Dense:
    """A fully connected layer on a tensor of length 1.

    Attributes
    ----------
    weight : ndarray of int8, shape (output channels, input channels)
    bias : ndarray of int32, shape (output channels,)
    multiplier : ndarray of float32, shape (output channels,)
    """

    name: str
    input: Tensor
    output: Tensor
    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.float32]
    y_min: int
    y_max: int


Op = Conv1d | GlobalAveragePool | Dense


@dataclass(frozen=True)
class Graph:
    """A network: its operations in execution order; each reads the output of one before it.

    Attributes
    ----------
    input, output : Tensor
    ops : tuple of Op
    """

    input: Tensor
    output: Tensor
    ops: tuple[Op, ...]
