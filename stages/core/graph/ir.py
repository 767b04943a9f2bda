"""The network between ONNX and C, in any precision: a list of typed operations in execution order.

Activations lie in the layout (length, channels), of images (height, length, channels). The type
of an operation's output says what it computes:

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

The operations without weights that mix scales, `Add`, `Concat`, `AveragePool`, `Lookup` and `Softmax`, do in int8 what
ONNX Runtime's integer operators do, step by step.
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
        Layout in memory is ``[height][length][channels]``.
    scale : float
        A float32 value; 1 for int32, whose scales are the multipliers of its operation, and for float32.
    zero_point : int
        0 for all but int8.
    dtype : {"int8", "int16", "int32", "float32"}
    height : int
        1 for all but images.
    """

    name: str
    length: int
    channels: int
    scale: float
    zero_point: int
    dtype: Dtype = "int8"
    height: int = 1

    @property
    def positions(self) -> int:
        """How many pixels or time steps there are, each of all channels."""
        return self.height * self.length

    @property
    def n_bytes(self) -> int:
        """Size in memory."""
        return self.positions * self.channels * np.dtype(self.dtype).itemsize

    @property
    def shape(self) -> tuple[int, ...]:
        """``(length, channels)``, of images ``(height, length, channels)``."""
        return (self.height, self.length, self.channels)[self.height == 1 :]


@dataclass(frozen=True)
class Window:
    """Where the taps of one output lie, along height and length; over length alone the kernel's height is 1.

    Attributes
    ----------
    kernel, stride : tuple of int
        Along height and length.
    pads : tuple of int
        Rows above, columns before, rows below, columns after.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]

    @property
    def taps(self) -> int:
        """Number of positions under the window."""
        return self.kernel[0] * self.kernel[1]


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
class Conv2d(OneInput):
    """A convolution over height and length: ordinary, grouped or depthwise.

    Attributes are those of `Conv1d`, but for the weight, of shape (output channels, input channels / groups, kernel
    height, kernel length), and the window. A float sum is ordered by row, column and input channel.
    """

    name: str
    input: Tensor
    output: Tensor
    weight: NDArray[Any]
    bias: NDArray[Any]
    multiplier: NDArray[np.float32]
    window: Window
    groups: int
    y_min: float
    y_max: float


@dataclass(frozen=True)
class GlobalAveragePool(OneInput):
    """The mean over all positions of each channel: ``multiplier = float32(s_x / float32(s_y * positions))``."""

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


@dataclass(frozen=True)
class MaxPool(OneInput):
    """The largest value under a window, of each channel; padding never counts. The codes keep their scale."""

    name: str
    input: Tensor
    output: Tensor
    window: Window


@dataclass(frozen=True)
class AveragePool(OneInput):
    """The mean under a window of each channel; padding counts as zeros.

    In int8, over the taps inside, by row and then column::

        acc = acc + float32(q - z_x) * s_x
        y = clip(rint(acc / float32(taps) / s_y + z_y), y_min, y_max)

    each operation rounded to float32. In int16 the sum is an integer and requantised with ``multiplier =
    float32(s_x / float32(s_y * taps))``; in float32 ``y = acc * multiplier`` with ``multiplier = float32(1 / taps)``.
    """

    name: str
    input: Tensor
    output: Tensor
    window: Window
    multiplier: np.float32
    y_min: float
    y_max: float


@dataclass(frozen=True)
class Add:
    """The sum of two tensors of one shape.

    In integers::

        y = clip(rint(fma(a, m_a, fma(b, m_b, offset))), y_min, y_max)

    with ``fma(u, v, w) = float32(u * v + w)``, rounded once, and

        m_a = float32(s_a / s_y)        m_b = float32(s_b / s_y)
        offset = float32(z_y - fma(z_a, m_a, float32(m_b * z_b)))

    In float32, ``y = clip(a + b, y_min, y_max)``, the multipliers 1 and the offset 0.
    """

    name: str
    inputs: tuple[Tensor, Tensor]
    output: Tensor
    multipliers: tuple[np.float32, np.float32]
    offset: np.float32
    y_min: float
    y_max: float


@dataclass(frozen=True)
class Concat:
    """Tensors one after another along an axis.

    Attributes
    ----------
    axis : {"height", "length", "channels"}
    tables : tuple of ndarray of int8, shape (256,), or None
        For each int8 input of another scale or zero point than the output's, the output code of each of its codes from
        -128 on: ``clip(rint(float32(float32(s_x * (q - z_x)) / s_y)) + z_y, -128, 127)``.
    multipliers : tuple of float32
        ``float32(s_x / s_y)`` of each input; in int16, ``y = clip(rint(q * multiplier), -32768, 32767)``.
    """

    name: str
    inputs: tuple[Tensor, ...]
    output: Tensor
    axis: Literal["height", "length", "channels"]
    tables: tuple[NDArray[np.int8] | None, ...]
    multipliers: tuple[np.float32, ...]


@dataclass(frozen=True)
class Pad(OneInput):
    """Real zeros around a tensor: rows above, columns before, rows below, columns after. The codes keep their scale."""

    name: str
    input: Tensor
    output: Tensor
    pads: tuple[int, int, int, int]


@dataclass(frozen=True)
class Lookup(OneInput):
    """A function of each code on its own, in int8: ``y = table[q + 128]``.

    For a sigmoid ``clip(rint(float32(1 / (1 + exp(-float32(s_x * (q - z_x))))) / s_y) + z_y, -128, 127)``.
    """

    name: str
    input: Tensor
    output: Tensor
    table: NDArray[np.int8]


@dataclass(frozen=True)
class Softmax(OneInput):
    """The softmax over the channels of a tensor of one position, in int8, in integers alone.

    At an output scale of 1/256 and a zero point of -128::

        e[c] = table[max(q) - q[c]]        y[c] = min(floor((256 e[c] + floor(sum(e) / 2)) / sum(e)) - 128, 127)

    Attributes
    ----------
    table : ndarray of uint32, shape (256,)
        ``floor(reach * exp(-d * s_x) + 1/2)`` with ``reach = min((2**32 - 1) / channels, 2**23 - 1)``.
    """

    name: str
    input: Tensor
    output: Tensor
    table: NDArray[np.uint32]


#: Operations that sum products or codes.
Layer = Conv1d | Conv2d | GlobalAveragePool | Dense
#: Operations with an output range.
Clipping = Layer | AveragePool | Add
Unary = Layer | Widen | MaxPool | AveragePool | Pad | Lookup | Softmax
Op = Unary | Add | Concat


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
