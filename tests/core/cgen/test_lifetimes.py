"""When tensors must keep their content, in networks that branch and that do not."""

from __future__ import annotations

from dataclasses import dataclass

from stages.core.cgen.lifetimes import lifetimes
from stages.core.graph.ir import Graph, Tensor


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
