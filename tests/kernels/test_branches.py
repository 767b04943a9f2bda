"""Random branching networks against their definition: native under sanitizers, and on both boards."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.graph.ir import Graph
from stages.core.graph.reference import execute
from tests.core.device.boards import EMULATED, need_tools
from tests.kernels import brute_force
from tests.kernels.branching_networks import branching
from tests.kernels.network_images import run_networks
from tests.kernels.random_networks import codes

WINDOWS = 2


def networks() -> list[Graph]:
    rng = np.random.Generator(np.random.PCG64(91))
    made = [branching(rng, "int8", images=images, ending="softmax") for images in (False, True) * 3]
    made += [branching(rng, "int8", images=images, ending="sigmoid", channels=16) for images in (False, True)]
    made += [branching(rng, dtype, images=images) for dtype in ("int16", "float32") for images in (False, True)]
    return made


GRAPHS = networks()


@pytest.fixture(scope="module")
def windows() -> list[np.ndarray]:
    rng = np.random.Generator(np.random.PCG64(92))
    pixels = [(graph.input.positions, graph.input.channels, graph.input.shape) for graph in GRAPHS]
    return [np.stack([codes(rng, n, c).reshape(shape) for _ in range(WINDOWS)]) for n, c, shape in pixels]


@pytest.fixture(scope="module")
def expected(windows) -> list[list[list[np.ndarray]]]:
    return [
        [brute_force.tensors(graph, window) for window in of_graph]
        for graph, of_graph in zip(GRAPHS, windows, strict=True)
    ]


@pytest.mark.parametrize("board", ["native", *EMULATED])
def test_every_tensor_is_as_defined(board, windows, expected, tmp_path):
    need_tools(board)
    runs = run_networks(board, tmp_path, GRAPHS, windows, "-O3" if board in EMULATED else "-O1")
    for graph, of_graph, wanted in zip(GRAPHS, runs, expected, strict=True):
        for run, tensors in zip(of_graph, wanted, strict=True):
            for op, got, tensor in zip(graph.ops, run.tensors, tensors, strict=True):
                assert got.tobytes() == tensor.tobytes(), (op, got, tensor)


def test_the_host_reference_gives_the_same_bytes(windows, expected):
    for graph, of_graph, wanted in zip(GRAPHS, windows, expected, strict=True):
        reference = execute(graph, of_graph)
        for i, tensors in enumerate(wanted):
            for op, tensor in zip(graph.ops, tensors, strict=True):
                assert reference[op.output.name][i].tobytes() == tensor.tobytes(), op


def test_the_networks_branch_and_their_codes_vary(expected):
    assert all(any(len(op.inputs) > 1 for op in graph.ops) for graph in GRAPHS)
    for graph, wanted in zip(GRAPHS, expected, strict=True):
        for op, tensor in zip(graph.ops, wanted[0], strict=True):
            if tensor.size > 60:
                assert len(np.unique(tensor)) > 5, (graph, op)
