"""Generated networks of every precision against their definition: native under sanitizers, and on both boards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.core.graph.ir import Graph, Op, Tensor
from stages.core.graph.reference import execute
from tests.core.device.boards import EMULATED, need_tools
from tests.kernels import brute_force
from tests.kernels.network_images import Run, run_networks
from tests.kernels.random_networks import (
    TINY,
    codes,
    conv,
    random_dense,
    random_graph,
    random_pool,
    widen,
)

PRECISIONS = ["int8", "int8+int32", "int16", "int16+int32", "float32", "faint float32"]
WINDOW, CHANNELS, OUTPUTS, WINDOWS = 64, 3, 2, 4


def network(precision: str) -> Graph:
    rng = np.random.Generator(np.random.PCG64(61))
    return faint(rng) if precision == "faint float32" else random_graph(rng, WINDOW, CHANNELS, OUTPUTS, precision)


def faint(rng: np.random.Generator) -> Graph:
    """Values down among the subnormals, which Helium flushes; shapes that invite a compiler to use it."""
    x = Tensor("codes", WINDOW, CHANNELS, 1.0, 0)
    ops: list[Op] = [replace(widen(x, "float32"), multiplier=np.float32(300 * TINY))]
    for shape in [(16, 8, 4, (2, 2), 1), (16, 5, 1, (2, 2), 16), (32, 1, 1, (0, 0), 1), (32, 3, 1, (1, 1), 4)]:
        op = conv(rng, f"conv{len(ops)}", ops[-1].output, *shape)
        ops.append(replace(op, bias=op.bias * np.float32(3000 * TINY), y_min=-np.inf))
    ops.append(replace(random_pool(rng, ops[-1].output), y_min=-np.inf))
    ops.append(replace(random_dense(rng, ops[-1].output, OUTPUTS), bias=np.zeros(OUTPUTS, np.float32), y_min=-np.inf))
    return Graph(x, ops[-1].output, tuple(ops))


@pytest.fixture(scope="module")
def networks():
    return [network(precision) for precision in PRECISIONS]


@pytest.fixture(scope="module")
def windows():
    rng = np.random.Generator(np.random.PCG64(62))
    return np.stack([codes(rng, WINDOW, CHANNELS) for _ in range(WINDOWS)])


@pytest.fixture(scope="module", params=["native", *EMULATED])
def runs(request, networks, windows, tmp_path_factory) -> list[list[Run]]:
    need_tools(request.param)
    optimize = "-O3" if request.param in EMULATED else "-O1"
    folder = tmp_path_factory.mktemp(request.param)
    return run_networks(request.param, folder, networks, [windows] * len(networks), optimize)


def test_every_tensor_and_score_is_as_defined(runs, networks, windows):
    for precision, graph, of_graph in zip(PRECISIONS, networks, runs, strict=True):
        for window, run in zip(windows, of_graph, strict=True):
            tensors = brute_force.tensors(graph, window)
            for op, expected, got in zip(graph.ops, tensors, run.tensors, strict=True):
                assert got.tobytes() == expected.tobytes(), (precision, op.name, got, expected)
            assert run.scores == brute_force.score_codes(tensors[-1]), precision


def test_the_cases_reach_scores_of_every_kind(networks, windows):
    for precision, graph in zip(PRECISIONS, networks, strict=True):
        tensors = [brute_force.tensors(graph, window) for window in windows]
        assert len({tuple(t[-1].ravel().tolist()) for t in tensors}) > 1, precision
        if precision == "faint float32":
            assert max(np.abs(t[-1]).max() for t in tensors) < np.finfo(np.float32).smallest_normal


def test_the_host_reference_gives_the_same_bytes(networks, windows):
    for precision, graph in zip(PRECISIONS, networks, strict=True):
        reference = execute(graph, windows)
        for i, window in enumerate(windows):
            for op, expected in zip(graph.ops, brute_force.tensors(graph, window), strict=True):
                assert reference[op.output.name][i].tobytes() == expected.tobytes(), (precision, op.name)
