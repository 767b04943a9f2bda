"""When tensors must keep their content, in networks that branch and that do not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from stages.core.cgen.lifetimes import lifetimes
from stages.core.graph.ir import Graph, Tensor
from stages.core.plan import overlaps, plan, prove
from tests.kernels.branching_networks import branching


@dataclass(frozen=True)
class Reader:
    """An operation reduced to what it reads and writes."""

    inputs: tuple[Tensor, ...]
    output: Tensor


def test_a_tensor_lives_until_its_last_reader():
    a, b, c, d = (Tensor(name, 4, 2, 1.0, 0) for name in "abcd")
    graph = Graph(a, d, (Reader((a,), b), Reader((b,), c), Reader((c, a), d)))  # type: ignore[arg-type]
    lives = {buffer.name: (buffer.first_use, buffer.last_use) for buffer in lifetimes(graph)}
    assert lives == {"a": (0, 2), "b": (0, 1), "c": (1, 2), "d": (2, 2)}


@pytest.mark.parametrize("images", [False, True])
def test_random_branching_networks_have_the_smallest_arena_and_nothing_in_it_overlaps(images):
    rng = np.random.Generator(np.random.PCG64(96))
    saved = 0
    for _ in range(15):
        buffers = lifetimes(branching(rng, "int8", images=images, ending="softmax").graph)
        arena = plan(buffers)
        prove(buffers, arena)
        assert arena.exact
        assert overlaps(buffers, arena.offsets) == []
        saved += plan([replace(b, replaces=None) for b in buffers]).arena_bytes - arena.arena_bytes
    assert saved > 0


def test_a_tensor_that_is_kept_lives_throughout_and_is_not_replaced():
    rng = np.random.Generator(np.random.PCG64(97))
    graph = branching(rng, "int8", images=False).graph
    kept = graph.ops[0].output.name
    buffers = {b.name: b for b in lifetimes(graph, [kept])}
    assert (buffers[kept].first_use, buffers[kept].last_use) == (0, len(graph.ops) - 1)
    assert all(b.replaces != kept for b in buffers.values())
    assert buffers[kept].replaces is None
