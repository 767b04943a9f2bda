"""The network executed in numpy, by the formulas in `ir`: written to be read and believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.graph.ir import (
    Add,
    AveragePool,
    Concat,
    Conv1d,
    Conv2d,
    Dense,
    Dtype,
    GlobalAveragePool,
    Graph,
    Layer,
    Lookup,
    MaxPool,
    Op,
    Pad,
    Softmax,
    Unary,
    Widen,
    Window,
)
from stages.core.graph.order import from_order_key, order_key

#: Integer sums are formed in float64, which BLAS multiplies fast and which is exact below 2**53; `lower` proved
#: every accumulator to be below 2**31.
Accumulator = NDArray[np.float64]
Float = NDArray[np.float32]
Values = NDArray[Any]


@dataclass(frozen=True)
class Head:
    """What score codes stand for.

    Attributes
    ----------
    dtype : {"int8", "int16", "int32", "float32"}
        Of the tensor that they are the values, or for float32 the order keys, of.
    zero_point : int
    multiplier : ndarray of float32, shape () or (outputs,)
        Real value of one code.
    """

    dtype: Dtype
    zero_point: int
    multiplier: Float

    @property
    def never(self) -> int:
        """The threshold that no score reaches: one above the largest code, or the largest number of 32 bits."""
        if self.dtype == "float32":
            return int(order_key(np.array(np.finfo(np.float32).max)))
        limit = int(np.iinfo(self.dtype).max)
        return limit if self.dtype == "int32" else limit + 1  # `lower` keeps accumulators below the largest int32

    @property
    def lowest(self) -> int:
        """The smallest score code."""
        if self.dtype == "float32":
            return int(order_key(np.array(np.finfo(np.float32).min)))
        return int(np.iinfo(self.dtype).min)

    def real(self, codes: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the logits of score codes, ``float32(code - zero_point) * multiplier``, or the float32 itself.

        Parameters
        ----------
        codes : ndarray of int32, shape (..., outputs)
        """
        if self.dtype == "float32":
            return from_order_key(codes).astype(np.float64)
        offset = np.asarray(codes, dtype=np.int64) - self.zero_point
        return np.asarray(offset.astype(np.float32) * self.multiplier, dtype=np.float64)

    def at_least(self, logits: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the smallest score codes that stand for at least these logits, or `never`, by bisection.

        Parameters
        ----------
        logits : ndarray of float64, shape (outputs,)
        """
        low, high = (np.full(len(logits), end, dtype=np.int64) for end in (self.lowest, self.never))
        while (low < high).any():
            middle = (low + high) // 2
            less = self.real(middle.astype(np.int32)) < logits
            low, high = np.where(less & (low < high), middle + 1, low), np.where(less, high, middle)
        return low.astype(np.int32)


#: Of scores that are float32 numbers, whatever computed them.
FLOAT_HEAD = Head("float32", 0, np.ones((), dtype=np.float32))


def head_of(graph: Graph) -> Head:
    """Return what the score codes of a network stand for."""
    output, last = graph.output, graph.ops[-1]
    if output.dtype == "float32":
        return FLOAT_HEAD
    scale = last.multiplier if isinstance(last, Dense) and output.dtype == "int32" else np.float32(output.scale)
    return Head(output.dtype, output.zero_point, np.asarray(scale, dtype=np.float32))


def score_codes(graph: Graph, tensors: dict[str, Values]) -> NDArray[np.int32]:
    """Return the score of each window as a device compares and sends it, shape (N, outputs).

    Parameters
    ----------
    graph : Graph
    tensors : dict of str to ndarray
        As `execute` returns them.
    """
    scores = tensors[graph.output.name]
    scores = scores.reshape(len(scores), -1)
    return order_key(scores) if graph.output.dtype == "float32" else scores.astype(np.int32)


def logits(graph: Graph, tensors: dict[str, Values]) -> NDArray[np.float64]:
    """Return the real score of each window, shape (N, outputs); parameters as for `score_codes`."""
    return head_of(graph).real(score_codes(graph, tensors))


def execute(graph: Graph, codes: NDArray[np.int8]) -> dict[str, Values]:
    """Run the network and keep every tensor.

    Parameters
    ----------
    graph : Graph
    codes : ndarray of int8, shape (N, length, channels), of images (N, height, length, channels)
        Input windows.

    Returns
    -------
    dict of str to ndarray of the tensor's type, shape (N, length, channels) or (N, height, length, channels)
        The input and the output of each operation, by tensor name.
    """
    tensors: dict[str, Values] = {graph.input.name: codes}
    for op in graph.ops:
        tensors[op.output.name] = _run(op, [tensors[tensor.name] for tensor in op.inputs])
    return tensors


def _run(op: Op, inputs: list[Values]) -> Values:
    if isinstance(op, Add):
        return _add(op, *inputs)
    if isinstance(op, Concat):
        return _concatenate(op, inputs)
    (x,) = inputs
    y = _run_images(op, x.reshape(len(x), op.input.height, op.input.length, op.input.channels))
    return y.reshape(len(x), *op.output.shape)


def _run_images(op: Unary, x: Values) -> Values:
    """Run an operation on values of shape (N, height, length, channels)."""
    match op:
        case Widen():
            y = x.astype(np.int16) << 8 if op.output.dtype == "int16" else x.astype(np.float32) * op.multiplier
        case MaxPool():
            y = _largest(op, x)
        case AveragePool():
            y = _average(op, x)
        case Pad():
            y = _padded(x, op.pads, op.input.zero_point)
        case Lookup():
            y = op.table[x.astype(np.int64) + 128]
        case Softmax():
            y = _softmax(op, x)
        case _:
            y = _run_layer(op, x)
    return y


def _run_layer(op: Layer, x: Values) -> Values:
    if isinstance(op, Conv1d):
        op = as_conv2d(op)
    if op.input.dtype == "float32":
        return _run_float(op, x)
    acc = _accumulate(op, x)
    if op.output.dtype == "int32":
        return acc.astype(np.int32)
    return _requantize(acc, op.multiplier, op.output.zero_point, (op.y_min, op.y_max)).astype(op.output.dtype)


def as_conv2d(op: Conv1d) -> Conv2d:
    """Return a convolution over length as one over images of height 1."""
    window = Window((1, op.weight.shape[2]), (1, op.stride), (0, op.pad_left, 0, op.pad_right))
    weight = op.weight[:, :, np.newaxis]
    ends = op.y_min, op.y_max
    return Conv2d(op.name, op.input, op.output, weight, op.bias, op.multiplier, window, op.groups, *ends)


def _accumulate(op: Conv2d | GlobalAveragePool | Dense, codes: Values) -> Accumulator:
    x = codes.astype(np.float64) - op.input.zero_point  # [N, H, L, C]
    if isinstance(op, GlobalAveragePool):
        return np.asarray(x.sum(axis=(1, 2)))
    if isinstance(op, Dense):
        return np.asarray(x @ op.weight.T.astype(np.float64) + op.bias)
    return _convolve(op, x)


def _convolve(op: Conv2d, x: Accumulator) -> Accumulator:
    """Sum over taps; in each, every group is one small matrix product."""
    outputs, inputs = op.weight.shape[:2]
    weight = op.weight.astype(np.float64).reshape(op.groups, outputs // op.groups, inputs, -1)
    positions = op.output.positions
    acc = np.zeros((op.groups, len(x), positions, outputs // op.groups))  # [G, N, H * L, C/G]
    # 0 after the zero point is taken off is real zero
    for tap, part in enumerate(_under(op.window, x, 0)):
        columns = part.reshape(len(x), positions, op.groups, inputs).transpose(2, 0, 1, 3)
        acc += columns @ weight[..., tap].transpose(0, 2, 1)[:, None]
    return acc.transpose(1, 2, 0, 3).reshape(len(x), positions, outputs) + op.bias


def _requantize(
    acc: Accumulator, multiplier: Float | np.float32, zero_point: int, ends: tuple[float, float]
) -> Accumulator:
    """Return ``clip(rint(float32(acc) * multiplier) + zero_point, y_min, y_max)``, round half to even."""
    return np.clip(np.rint(acc.astype(np.float32) * multiplier) + np.float32(zero_point), *ends)


def _under(window: Window, x: Values, fill: float) -> Iterator[Values]:
    """Yield what lies under each tap, by row and column, for every output: shape (N, height, length, channels)."""
    x = _padded(x, window.pads, fill)
    height, length = ((n - k) // s for n, k, s in zip(x.shape[1:3], window.kernel, window.stride, strict=True))
    rows, columns = window.stride
    for row, column in np.ndindex(window.kernel):
        yield x[:, row : row + height * rows + 1 : rows, column : column + length * columns + 1 : columns]


def _padded(x: Values, pads: tuple[int, int, int, int], fill: float) -> Values:
    top, left, bottom, right = pads
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill) if any(pads) else x


def _largest(op: MaxPool, x: Values) -> Values:
    lowest = -np.inf if op.input.dtype == "float32" else np.iinfo(op.input.dtype).min
    taps = _under(op.window, x, lowest)
    largest = next(taps).copy()
    for part in taps:
        np.copyto(largest, part, where=part > largest)
    return largest


def _average(op: AveragePool, x: Values) -> Values:
    ends = op.y_min, op.y_max
    if op.input.dtype == "int16":
        total = np.sum([part.astype(np.float64) for part in _under(op.window, x, 0)], axis=0)
        return _requantize(total, op.multiplier, 0, ends).astype(np.int16)
    if op.input.dtype == "int8":
        x = (x.astype(np.float32) - np.float32(op.input.zero_point)) * np.float32(op.input.scale)
    acc = np.zeros((len(x), op.output.height, op.output.length, op.output.channels), dtype=np.float32)
    for part in _under(op.window, x, 0):
        acc += part
    if op.input.dtype == "float32":
        return np.clip(acc * op.multiplier, np.float32(op.y_min), np.float32(op.y_max))
    mean = acc / np.float32(op.window.taps) / np.float32(op.output.scale)
    return np.clip(np.rint(mean + np.float32(op.output.zero_point)), *ends).astype(np.int8)


def _add(op: Add, a: Values, b: Values) -> Values:
    if op.output.dtype == "float32":
        return np.clip(a + b, np.float32(op.y_min), np.float32(op.y_max))
    (m_a, m_b), offset = op.multipliers, op.offset
    return np.clip(np.rint(fma(a, m_a, fma(b, m_b, offset))), op.y_min, op.y_max).astype(op.output.dtype)


def fma(u: Values | float, v: np.float32, w: Values | np.float32) -> Float:
    """Return ``float32(u * v + w)``, rounded once.

    The double product is exact, as u is an integer of 16 bits; the sum is where `lower` accepts the multipliers.
    """
    product = np.asarray(u, dtype=np.float64) * np.float64(v)
    return np.asarray(product + np.asarray(w, dtype=np.float64), dtype=np.float32)


def _concatenate(op: Concat, inputs: list[Values]) -> Values:
    parts = []
    for x, table, multiplier in zip(inputs, op.tables, op.multipliers, strict=True):
        if table is not None:
            parts.append(table[x.astype(np.int64) + 128])
        elif op.output.dtype == "int16" and multiplier != 1:
            parts.append(_requantize(x.astype(np.float64), multiplier, 0, (-32768, 32767)).astype(np.int16))
        else:
            parts.append(x)
    images = [x.reshape(len(x), t.height, t.length, t.channels) for x, t in zip(parts, op.inputs, strict=True)]
    axis = {"height": 1, "length": 2, "channels": 3}[op.axis]
    return np.concatenate(images, axis=axis).reshape(len(inputs[0]), *op.output.shape)


def _softmax(op: Softmax, x: Values) -> Values:
    codes = x.astype(np.int64)
    e = op.table.astype(np.int64)[codes.max(axis=3, keepdims=True) - codes]
    total = e.sum(axis=3, keepdims=True)
    return np.minimum((256 * e + total // 2) // total - 128, 127).astype(np.int8)


def _run_float(op: Conv2d | GlobalAveragePool | Dense, x: Float) -> Float:
    """Add one rounded product after another; windows lie innermost, so that each step is one long vector."""
    x = np.ascontiguousarray(x.transpose(3, 1, 2, 0))  # [C, H, L, N]
    if isinstance(op, GlobalAveragePool):
        acc = np.zeros((op.output.channels, x.shape[3]), dtype=np.float32)
        for row, column in np.ndindex(x.shape[1:3]):
            acc += x[:, row, column]
        acc *= op.multiplier
    else:
        acc = _sum_in_order(op, x)
    acc = np.clip(acc, np.float32(op.y_min), np.float32(op.y_max))
    return acc.reshape(op.output.channels, -1, x.shape[3]).transpose(2, 1, 0)


def _sum_in_order(op: Conv2d | Dense, x: Float) -> Float:
    """Return bias plus products, by row, column and input channel, shape (outputs, height, length, N)."""
    window, groups = (op.window, op.groups) if isinstance(op, Conv2d) else (Window((1, 1), (1, 1), (0, 0, 0, 0)), 1)
    outputs = op.output.channels
    weight = op.weight.reshape(groups, outputs // groups, len(x) // groups, -1)  # [G, C/G, inputs, taps]
    shape = (op.output.height, op.output.length, x.shape[-1])
    acc = np.empty((groups, outputs // groups, *shape), dtype=np.float32)
    acc[:] = op.bias.reshape(groups, -1, 1, 1, 1)
    product = np.empty_like(acc)
    for tap, part in enumerate(_under(window, x, 0)):
        columns = part.reshape(groups, -1, *shape)
        for channel in range(weight.shape[2]):
            factors = weight[:, :, channel, tap, None, None, None]
            acc += np.multiply(columns[:, None, channel], factors, out=product)
    return acc.reshape(outputs, *shape[:2], -1)
