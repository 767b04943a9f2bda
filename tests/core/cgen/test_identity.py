"""Networks have one graph hash if and only if the weights of one can stand in for those of the other."""

from dataclasses import replace

import numpy as np

from stages.core.cgen.identity import graph_hash
from stages.core.cgen.lifetimes import lifetimes
from stages.core.graph.ir import Dense, GlobalAveragePool, Graph
from stages.core.graph.lower import read_graph
from stages.core.plan import plan
from tests.core.graph.networks import exported


def hash_of(graph):
    return graph_hash(graph, plan(lifetimes(graph, {})), {})


def with_first(graph, **changes):
    first = replace(graph.ops[0], **changes)
    return replace(graph, ops=(first, *graph.ops[1:]))


def test_other_weights_have_the_same_hash():
    graph = read_graph(exported("int8"))
    first = graph.ops[0]
    others = {"weight": -first.weight, "bias": first.bias + 1, "multiplier": first.multiplier * np.float32(0.5)}
    assert hash_of(with_first(graph, **others)) == hash_of(graph)


def test_other_scales_zero_points_and_ranges_have_the_same_hash():
    graph = read_graph(exported("int8"))
    clipped = with_first(graph, y_min=-100, y_max=100)
    pool, last = (next(op for op in graph.ops if isinstance(op, kind)) for kind in (GlobalAveragePool, Dense))
    moved = replace(last.output, zero_point=last.output.zero_point + 1, scale=2 * last.output.scale)
    changed = {pool.name: replace(pool, multiplier=2 * pool.multiplier), last.name: replace(last, output=moved)}
    ops = tuple(changed.get(op.name, op) for op in clipped.ops)
    others = with_first(Graph(graph.input, moved, ops), y_min=-90, y_max=110)
    assert hash_of(others) == hash_of(clipped)


def test_what_is_compiled_in_changes_the_hash():
    graph = read_graph(exported("int8"))
    arena = plan(lifetimes(graph, {}))
    hashes = [
        hash_of(graph),
        hash_of(read_graph(exported("int32 head"))),
        hash_of(read_graph(exported("int16"))),
        hash_of(with_first(graph, y_min=graph.ops[0].y_min + 1)),
        graph_hash(graph, replace(arena, arena_bytes=arena.arena_bytes + 16), {}),
    ]
    assert len(set(hashes)) == len(hashes)


def test_names_are_not_in_the_hash():
    graph = read_graph(exported("int8"))
    assert hash_of(with_first(graph, name="another")) == hash_of(graph)
