"""Random int8 layers, compiled for each emulated board with their shapes as constants, against their definition.

The vector paths of a board are chosen by shape: lengths of rows and numbers of channels that fill vectors or do not.
"""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.graph.ir import Conv1d
from tests.core.device.boards import EMULATED, need_tools
from tests.kernels import brute_force
from tests.kernels.network_images import run_networks
from tests.kernels.random_networks import codes, random_layers

KINDS = ["conv", "depthwise", "grouped", "pointwise"]
NETWORKS = 12
WINDOWS = 2


@pytest.fixture(scope="module")
def networks():
    rng = np.random.Generator(np.random.PCG64(81))
    return [random_layers(rng, rng.permutation(KINDS).tolist()) for _ in range(NETWORKS)]


@pytest.fixture(scope="module")
def windows(networks):
    rng = np.random.Generator(np.random.PCG64(82))
    shapes = [(graph.input.length, graph.input.channels) for graph in networks]
    return [np.stack([codes(rng, *shape) for _ in range(WINDOWS)]) for shape in shapes]


@pytest.fixture(scope="module")
def expected(networks, windows):
    pairs = zip(networks, windows, strict=True)
    return [[brute_force.tensors(graph, window) for window in of_graph] for graph, of_graph in pairs]


@pytest.mark.parametrize("board", EMULATED)
def test_every_layer_is_as_defined(board, networks, windows, expected, tmp_path):
    need_tools(board)
    runs = run_networks(board, tmp_path, networks, windows)
    for graph, of_graph, wanted in zip(networks, runs, expected, strict=True):
        for run, tensors in zip(of_graph, wanted, strict=True):
            for op, got, tensor in zip(graph.ops, run.tensors, tensors, strict=True):
                assert got.tobytes() == tensor.tobytes(), (op, got, tensor)


def test_the_layers_fill_vectors_and_do_not(networks, expected):
    convs = [op for graph in networks for op in graph.ops if isinstance(op, Conv1d)]
    rows = {op.weight[0].size for op in convs if op.groups == 1}
    channels = {op.output.channels for op in convs}
    assert min(rows) < 16 < max(rows)
    assert any(n % 16 == 0 for n in rows) or any(n % 8 == 0 for n in channels)
    assert any(n % 2 for n in channels)
    assert any(op.pad_left and op.pad_right for op in convs)
    tensors = [tensor for of_graph in expected for of_window in of_graph for tensor in of_window]
    assert len(np.unique(np.concatenate([t.ravel() for t in tensors if t.dtype == np.int8]))) == 256
