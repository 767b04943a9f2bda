"""When each tensor of a network must keep its content."""

from __future__ import annotations

from stages.core.graph.ir import Graph
from stages.core.plan import Buffer


def lifetimes(graph: Graph) -> list[Buffer]:
    """Turn the network's tensors into buffers whose steps are the positions of its operations.

    The input is alive from the start, the output to the end, any other tensor from the operation that writes it
    to the last one that reads it. An operation's inputs and output are alive together, so kernels never work in place.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    list of Buffer
        The input, then each operation's output, in execution order.
    """
    last_read = {tensor.name: step for step, op in enumerate(graph.ops) for tensor in op.inputs}
    last_read[graph.output.name] = len(graph.ops) - 1
    written = [(0, graph.input), *((step, op.output) for step, op in enumerate(graph.ops))]
    return [
        Buffer(name=t.name, n_bytes=t.n_bytes, first_use=step, last_use=last_read.get(t.name, step))
        for step, t in written
    ]
