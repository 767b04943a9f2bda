"""When each tensor of a network must keep its content, and which one may take the place of another."""

from __future__ import annotations

from collections.abc import Collection

from stages.core.graph.ir import Conv1d, GlobalAveragePool, Graph, Op
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
    """Whether the kernels of every core give the same output where it begins at the first byte of the input.

    Depthwise convolutions finish a channel's position t, in ascending order of t, before they write byte by byte to
    position t of the same channel; without padding on the left no later output reads what lies there. A pool writes a
    channel after it has read all of it. Other kernels read an input again for each group of output channels.
    """
    match op:
        case Conv1d():
            is_depthwise = op.groups == op.input.channels == op.output.channels
            return is_depthwise and op.pad_left == 0 and _computes_nothing_again_from_outputs(op)
        case GlobalAveragePool():
            return True
        case _:
            return False


def _computes_nothing_again_from_outputs(op: Conv1d) -> bool:
    """On the DSP extension, the last positions without padding are computed in a group of four that may overlap."""
    room = op.input.length - op.weight.shape[2]
    count = min(room // op.stride + 1, op.output.length) if room >= 0 else 0
    written = count // _DSP_POSITIONS * _DSP_POSITIONS
    return written in (0, count) or (count - _DSP_POSITIONS) * op.stride >= written
