"""When each tensor of a network must keep its content, and which one may take the place of another."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from stages.core.graph.ir import (
    Add,
    AveragePool,
    Conv1d,
    GlobalAveragePool,
    Graph,
    Lookup,
    MaxPool,
    Op,
    Softmax,
)
from stages.core.plan import Buffer

#: Positions that firmware/kernels/dsp/depthwise.h computes together.
_DSP_POSITIONS = 4


def lifetimes(graph: Graph, kept: Collection[str] = ()) -> list[Buffer]:
    """Turn the network's tensors into buffers whose steps are the positions of its operations.

    The input is alive from the start, the output to the end, any other tensor from the operation that writes it
    to the last one that reads it. An operation's inputs and output are alive together; where `works_in_place` says so,
    the output may replace an input that nothing reads later. A tensor that is kept from one window to the next shares
    its bytes with none.

    Parameters
    ----------
    graph : Graph
    kept : collection of str, default none
        Names of tensors that are kept.

    Returns
    -------
    list of Buffer
        The input, then each operation's output, in execution order.
    """
    last = len(graph.ops) - 1
    last_read = {tensor.name: step for step, op in enumerate(graph.ops) for tensor in op.inputs}
    last_read |= dict.fromkeys([graph.output.name, *kept], last)
    buffers = [Buffer(graph.input.name, graph.input.n_bytes, 0, last_read[graph.input.name])]
    for step, op in enumerate(graph.ops):
        name = op.output.name
        ending = [tensor.name for tensor in op.inputs if last_read[tensor.name] == step and tensor.name not in kept]
        replaces = ending[0] if ending and works_in_place(op) and name not in kept else None
        first_use = 0 if name in kept else step
        buffers.append(Buffer(name, op.output.n_bytes, first_use, last_read.get(name, step), replaces))
    return buffers


def works_in_place(op: Op) -> bool:
    """Whether the kernels of every core give the same output where it begins at the first byte of an input.

    Elements of a sum, a table or a softmax are read for the last time before they are written. Operations that keep
    channels apart compute one position after another, of each channel, and write it to the same place of that channel:
    no later position may read there. Other kernels read an input again for each group of output channels, or compute
    the edges of an image after the rest.

    Parameters
    ----------
    op : Op
    """
    match op:
        case Add() | Lookup() | Softmax() | GlobalAveragePool():
            return True
        case Conv1d() if op.groups == op.input.channels == op.output.channels:
            # Helium computes what reaches into the padding on the left after all that does not.
            return op.pad_left == 0 and _groups_of_four_read_no_output(op)
        case MaxPool() | AveragePool():
            return _reads_stay_ahead(op)
        case _:
            return False


def _groups_of_four_read_no_output(op: Conv1d) -> bool:
    """The DSP extension computes the last positions of four again, if fewer are left (dsp/depthwise.h)."""
    room = op.input.length - op.weight.shape[2]
    count = min(room // op.stride + 1, op.output.length) if room >= 0 else 0
    written = count // _DSP_POSITIONS * _DSP_POSITIONS
    return written in (0, count) or (count - _DSP_POSITIONS) * op.stride >= written


def _reads_stay_ahead(op: MaxPool | AveragePool) -> bool:
    """Each window begins at the position of its output or later, in the order of memory."""
    window = op.window
    rows = _first_taps(op.output.height, window.stride[0], window.pads[0])
    columns = _first_taps(op.output.length, window.stride[1], window.pads[1])
    reads = rows[:, np.newaxis] * op.input.length + columns
    return bool((reads.ravel() >= np.arange(reads.size)).all())


def _first_taps(outputs: int, stride: int, pad: int) -> NDArray[np.int64]:
    return np.maximum(np.arange(outputs) * stride - pad, 0)
