"""The integer network executed in numpy, by the formula in `ir`: written to be read and believed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.core.graph.ir import Conv1d, Dense, GlobalAveragePool, Graph, Op

Codes = NDArray[np.int8]
#: Integer sums are formed in float64, which BLAS multiplies fast and which is exact below 2**53; `lower` proved
#: every accumulator to be below 2**31.
Accumulator = NDArray[np.float64]


def execute(graph: Graph, codes: Codes) -> dict[str, Codes]:
    """Run the network and keep every tensor.

    Parameters
    ----------
    graph : Graph
    codes : ndarray of int8, shape (N, length, channels)
        Input windows.

    Returns
    -------
    dict of str to ndarray of int8, shape (N, length, channels)
        The input and the output of each operation, by tensor name.
    """
    tensors = {graph.input.name: codes}
    for op in graph.ops:
        tensors[op.output.name] = _requantize(op, _accumulate(op, tensors[op.input.name]))
    return tensors


def _accumulate(op: Op, codes: Codes) -> Accumulator:
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


def _requantize(op: Op, acc: Accumulator) -> Codes:
    """Return ``clip(rint(float32(acc) * multiplier) + zero_point, y_min, y_max)``, round half to even."""
    scaled = np.rint(acc.astype(np.float32) * op.multiplier)
    return np.clip(scaled + np.float32(op.output.zero_point), op.y_min, op.y_max).astype(np.int8)
