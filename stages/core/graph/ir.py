"""The network between ONNX and C, in any precision: a list of typed operations in execution order.

Activations lie in the layout (length, channels). The type of an operation's output says what it computes:

int8, int16
    ``real = scale * (q - zero_point)``; weights are int8. The sum is int32, and requantised::

        y = clip(rint(float32(acc) * multiplier) + zero_point, y_min, y_max)      round half to even

    with ``multiplier = float32(float32(s_x * s_w[c]) / s_y)``; ``y_min`` carries a fused ReLU.
int32
    The score of the last layer as its accumulator, ``y = acc``; ``real = float32(acc) * multiplier`` with
    ``multiplier = float32(s_x * s_w[c])``.
float32
    Weights and sums are float32. A sum starts at the bias and adds one product after another, ordered by tap and
    within it by input channel, each rounded; a pool starts at 0 and adds over length. ``y = clip(acc, y_min, y_max)``,
    for a pool ``y = acc * multiplier`` with ``multiplier = float32(1 / length)``.

A network of another precision than int8 begins with a `Widen` of the int8 input codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Dtype = Literal["int8", "int16", "int32", "float32"]


@dataclass(frozen=True)
class Tensor:
    """An activation tensor.

    Attributes
    ----------
    name : str
    length, channels : int
        Layout in memory is ``[length][channels]``.
    scale : float
        A float32 value; 1 for int32, whose scales are the multipliers of its operation, and for float32.
    zero_point : int
        0 for all but int8.
    dtype : {"int8", "int16", "int32", "float32"}
    """

    name: str
    length: int
    channels: int
    scale: float
    zero_point: int
    dtype: Dtype = "int8"

    @property
    def n_bytes(self) -> int:
        """Size in memory."""
        return self.length * self.channels * np.dtype(self.dtype).itemsize


class OneInput:
    """An operation that reads one tensor."""

    input: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that the operation reads, in the order of its formula."""
        return (self.input,)


@dataclass(frozen=True)
class Widen(OneInput):
    """The int8 input codes as another type.

    For int16, ``y = q << 8`` at scale ``s / 256``, the same real values, and ``multiplier = 256``; for float32,
    ``y = float32(q) * multiplier`` with ``multiplier = s``. The input's zero point is 0.
    """

    name: str
    input: Tensor
    output: Tensor
    multiplier: np.float32


@dataclass(frozen=True)
class Conv1d(OneInput):
    """A convolution over length: ordinary, grouped, depthwise or 1x1.

    Attributes
    ----------
    name : str
        The ONNX node.
    input, output : Tensor
    weight : ndarray of int8 or float32, shape (output channels, input channels / groups, kernel)
    bias : ndarray of int32 or float32, shape (output channels,)
        As int32, at scale ``s_x * s_w[c]``.
    multiplier : ndarray of float32, shape (output channels,)
        1 in a float32 network.
    stride, pad_left, pad_right, groups : int
        Padding stands for real zero, that is for ``input.zero_point``.
    y_min, y_max : int or float
        Activation range in output codes; in a float32 network 0 or -inf, and inf.
    """

    name: str
    input: Tensor
    output: Tensor
    weight: NDArray[Any]
    bias: NDArray[Any]
    multiplier: NDArray[np.float32]
    stride: int
    pad_left: int
    pad_right: int
    groups: int
    y_min: float
    y_max: float


@dataclass(frozen=True)
class GlobalAveragePool(OneInput):
    """The mean over length of each channel: ``multiplier = float32(s_x / float32(s_y * length))``."""

    name: str
    input: Tensor
    output: Tensor
    multiplier: np.float32
    y_min: float
    y_max: float


@dataclass(frozen=True)
class Dense(OneInput):
    """A fully connected layer on a tensor of length 1.

    Attributes
    ----------
    weight : ndarray of int8 or float32, shape (output channels, input channels)
    bias : ndarray of int32 or float32, shape (output channels,)
    multiplier : ndarray of float32, shape (output channels,)
    """

    name: str
    input: Tensor
    output: Tensor
    weight: NDArray[Any]
    bias: NDArray[Any]
    multiplier: NDArray[np.float32]
    y_min: float
    y_max: float


Layer = Conv1d | GlobalAveragePool | Dense
Op = Widen | Layer


@dataclass(frozen=True)
class Graph:
    """A network: its operations in execution order; each reads the input or what was written before it.

    Attributes
    ----------
    input, output : Tensor
    ops : tuple of Op
    """

    input: Tensor
    output: Tensor
    ops: tuple[Op, ...]
