"""What tells networks apart whose weights can stand in for each other from those whose code differs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import rfc8785

from stages.core.cgen.operators import KernelCall, kernel_calls
from stages.core.cgen.streaming import Kept
from stages.core.graph.ir import Graph, Op
from stages.core.plan import Plan

#: Changes when a device or a host that understood the old contracts would misread the new ones.
INTERFACE_VERSION = 6

#: Text that the model version, 32 bytes, stands behind in every image that holds a model; a NUL ends it.
MODEL_MARK = "tailgate model:"


def graph_hash(graph: Graph, arena: Plan, kept: Mapping[str, Kept]) -> str:
    """Hash everything of a network that is compiled in: kernels, shapes, literals, and places in the arena.

    What training determines, and so lies among the weights, is not in it: arrays, zero points, ranges, factors. Their
    types, sizes and order are. Names are not in it either.

    Parameters
    ----------
    graph : Graph
    arena : Plan
    kept : mapping of str to Kept
        What layers keep from one window to the next, by output tensor.

    Returns
    -------
    str
        BLAKE2b-256 of canonical JSON (RFC 8785), in hex.
    """
    tensors = [graph.input, *(op.output for op in graph.ops)]
    places = {tensor.name: arena.offsets[tensor.name] for tensor in tensors}
    description: dict[str, Any] = {
        "arena_bytes": arena.arena_bytes,
        "tensors": [[places[each.name], each.dtype, list(each.shape)] for each in tensors],
        "output": places[graph.output.name],
        "calls": [_call(call, op, places) for op in graph.ops for call in kernel_calls(op)],
        "kept": [[places[name], asdict(kept[name])] for name in sorted(kept, key=places.__getitem__)],
    }
    return hashlib.blake2b(rfc8785.dumps(description), digest_size=32).hexdigest()


def _call(call: KernelCall, op: Op, places: Mapping[str, int]) -> list[Any]:
    code = call.written(lambda array, index: f"{array}[{index}]")
    return [
        code.kernel,
        code.shape,
        code.clip,
        [[array.ctype, array.count] for array in call.constants],
        code.scalars,
        [places[op.inputs[i].name] for i in call.inputs],
        places[op.output.name],
    ]
