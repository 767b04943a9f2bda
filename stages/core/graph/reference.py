"""The network executed in numpy, by the formulas in `ir`: written to be read and believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.graph.ir import Conv1d, Dense, Dtype, GlobalAveragePool, Graph, Layer, Op, Widen
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
    scale = last.multiplier if output.dtype == "int32" else np.float32(output.scale)
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
    codes : ndarray of int8, shape (N, length, channels)
        Input windows.

    Returns
    -------
    dict of str to ndarray of the tensor's type, shape (N, length, channels)
        The input and the output of each operation, by tensor name.
    """
    tensors: dict[str, Values] = {graph.input.name: codes}
    for op in graph.ops:
        tensors[op.output.name] = _run(op, [tensors[tensor.name] for tensor in op.inputs])
    return tensors


def _run(op: Op, inputs: list[Values]) -> Values:
    (x,) = inputs
    if isinstance(op, Widen):
        if op.output.dtype == "int16":
            return x.astype(np.int16) << 8
        return np.asarray(x.astype(np.float32) * op.multiplier)
    if op.input.dtype == "float32":
        return _run_float(op, x)
    acc = _accumulate(op, x)
    return acc.astype(np.int32) if op.output.dtype == "int32" else _requantize(op, acc)


def _accumulate(op: Layer, codes: Values) -> Accumulator:
    x = codes.astype(np.float64) - op.input.zero_point  # [N, L, C]
    if isinstance(op, GlobalAveragePool):
        return np.asarray(x.sum(axis=1, keepdims=True))
    if isinstance(op, Dense):
        return np.asarray(x @ op.weight.T.astype(np.float64) + op.bias)
    return _convolve(op, x)


def _convolve(op: Conv1d, x: Accumulator) -> Accumulator:
    """Sum over taps; in each, every group is one small matrix product."""
    x = np.pad(x, ((0, 0), (op.pad_left, op.pad_right), (0, 0)))  # 0 after the zero point is taken off is real zero
    outputs, inputs, kernel = op.weight.shape
    weight = op.weight.astype(np.float64).reshape(op.groups, outputs // op.groups, inputs, kernel)
    span = (op.output.length - 1) * op.stride + 1
    acc = np.zeros((op.groups, len(x), op.output.length, outputs // op.groups))  # [G, N, L, C/G]
    for tap in range(kernel):
        part = x[:, tap : tap + span : op.stride].reshape(len(x), op.output.length, op.groups, inputs)
        acc += part.transpose(2, 0, 1, 3) @ weight[..., tap].transpose(0, 2, 1)[:, None]
    return acc.transpose(1, 2, 0, 3).reshape(len(x), op.output.length, outputs) + op.bias


def _requantize(op: Layer, acc: Accumulator) -> Values:
    """Return ``clip(rint(float32(acc) * multiplier) + zero_point, y_min, y_max)``, round half to even."""
    scaled = np.rint(acc.astype(np.float32) * op.multiplier)
    return np.clip(scaled + np.float32(op.output.zero_point), op.y_min, op.y_max).astype(op.output.dtype)


def _run_float(op: Layer, x: Float) -> Float:
    """Add one rounded product after another; windows lie innermost, so that each step is one long vector."""
    x = np.ascontiguousarray(x.transpose(2, 1, 0))  # [C, L, N]
    if isinstance(op, GlobalAveragePool):
        acc = np.zeros((op.output.channels, 1, x.shape[2]), dtype=np.float32)
        for position in range(op.input.length):
            acc[:, 0] += x[:, position]
        acc *= op.multiplier
    else:
        acc = _sum_in_order(op, x)
    return np.clip(acc, np.float32(op.y_min), np.float32(op.y_max)).transpose(2, 1, 0)


def _sum_in_order(op: Conv1d | Dense, x: Float) -> Float:
    """Return bias plus products, ordered by tap and within it by input channel, shape (outputs, length, N)."""
    if isinstance(op, Conv1d):
        x = np.pad(x, ((0, 0), (op.pad_left, op.pad_right), (0, 0)))
        groups, stride = op.groups, op.stride
    else:
        groups, stride = 1, 1
    length, outputs = op.output.length, op.output.channels
    weight = op.weight.reshape(groups, outputs // groups, len(x) // groups, -1)  # [G, C/G, inputs, kernel]
    x = x.reshape(groups, len(x) // groups, *x.shape[1:])
    acc = np.empty((groups, outputs // groups, length, x.shape[-1]), dtype=np.float32)
    acc[:] = op.bias.reshape(groups, -1, 1, 1)
    product = np.empty_like(acc)
    span = (length - 1) * stride + 1
    for tap in range(weight.shape[3]):
        for channel in range(weight.shape[2]):
            part = x[:, None, channel, tap : tap + span : stride]
            acc += np.multiply(part, weight[:, :, channel, tap, None, None], out=product)
    return acc.reshape(outputs, length, -1)
