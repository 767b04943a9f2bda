"""Random int8 layers, compiled for each emulated board with their shapes as constants, against their definition.

The vector paths of a board are chosen by shape: lengths of rows and numbers of channels that fill vectors or do not.
"""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.graph.ir import Conv1d, Graph
from tests.core.device.boards import EMULATED, need_tools
from tests.kernels import brute_force
from tests.kernels.network_images import run_networks
from tests.kernels.random_networks import codes, random_layers

KINDS = ["conv", "depthwise", "grouped", "pointwise"]
NETWORKS = 8
WINDOWS = 2
SEED = 81


def networks_of(seed: int) -> tuple[list[Graph], list[np.ndarray], list[list[list[np.ndarray]]]]:
    """Networks, their windows, and for each window every tensor as defined."""
    rng = np.random.Generator(np.random.PCG64(seed))
    networks = [random_layers(rng, rng.permutation(KINDS).tolist()) for _ in range(NETWORKS)]
    shapes = [(graph.input.length, graph.input.channels) for graph in networks]
    windows = [np.stack([codes(rng, *shape) for _ in range(WINDOWS)]) for shape in shapes]
    pairs = zip(networks, windows, strict=True)
    return networks, windows, [[brute_force.tensors(graph, window) for window in of_graph] for graph, of_graph in pairs]


@pytest.mark.parametrize("seed", [SEED, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (83, 84, 85, 86))])
@pytest.mark.parametrize("board", EMULATED)
def test_every_layer_is_as_defined(board, seed, tmp_path):
    need_tools(board)
    networks, windows, expected = networks_of(seed)
    runs = run_networks(board, tmp_path, networks, windows)
    for graph, of_graph, wanted in zip(networks, runs, expected, strict=True):
        for run, tensors in zip(of_graph, wanted, strict=True):
            for op, got, tensor in zip(graph.ops, run.tensors, tensors, strict=True):
                assert got.tobytes() == tensor.tobytes(), (op, got, tensor)


def test_the_layers_fill_vectors_and_do_not():
    networks, _, expected = networks_of(SEED)
    convs = [op for graph in networks for op in graph.ops if isinstance(op, Conv1d)]
    rows = {op.weight[0].size for op in convs if op.groups == 1}
    channels = {op.output.channels for op in convs}
    assert min(rows) < 16 < max(rows)
    assert any(n % 8 == 0 for n in channels)
    assert any(n % 2 for n in channels)
    assert any(op.pad_left and op.pad_right for op in convs)
    tensors = [tensor for of_graph in expected for of_window in of_graph for tensor in of_window]
    assert len(np.unique(np.concatenate([t.ravel() for t in tensors if t.dtype == np.int8]))) == 256
