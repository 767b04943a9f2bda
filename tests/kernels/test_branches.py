"""Random branching networks against their definition: native under sanitizers, and on both boards."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.graph.ir import Tensor, Window
from stages.core.graph.reference import execute
from tests.core.device.boards import EMULATED, need_tools
from tests.kernels.branching_networks import Case, Net, branching
from tests.kernels.network_images import run_networks


def narrow(rng: np.random.Generator, channels: int) -> Case:
    """Rows of less than a vector side by side, and a convolution whose windows are many vectors and a part of one."""
    net = Net(Tensor("codes", 5, channels, 0.05, 3, height=4), rng)
    mean = net.pool(net.last, "average", Window((1, 1), (1, 1), (0, 0, 0, 0)))
    net.concat("channels", mean, net.input, mean)
    net.conv(net.last, 7, Window((3, 3), (1, 1), (1, 2, 0, 1)))
    graph = net.head(2, "")
    return Case(graph, net.values["codes"], [net.values[op.output.name] for op in graph.ops])


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    rng = np.random.Generator(np.random.PCG64(91))
    made = [branching(rng, "int8", images=images, ending="softmax") for images in (False, True) * 3]
    made += [branching(rng, "int8", images=images, ending="sigmoid", channels=16) for images in (False, True)]
    made += [narrow(rng, channels) for channels in (3, 8, 20)]
    made += [branching(rng, dtype, images=images) for dtype in ("int16", "float32") for images in (False, True)]
    return made


@pytest.mark.parametrize("board", ["native", *EMULATED])
def test_every_tensor_is_as_defined(board, cases, tmp_path):
    need_tools(board)
    graphs, windows = [case.graph for case in cases], [case.window[None] for case in cases]
    runs = run_networks(board, tmp_path, graphs, windows, "-O3" if board in EMULATED else "-O1")
    for case, (run,) in zip(cases, runs, strict=True):
        for op, got, expected in zip(case.graph.ops, run.tensors, case.tensors, strict=True):
            assert got.tobytes() == expected.tobytes(), (op, got, expected)


def test_the_host_reference_gives_the_same_bytes(cases):
    for case in cases:
        reference = execute(case.graph, case.window[None])
        for op, expected in zip(case.graph.ops, case.tensors, strict=True):
            assert reference[op.output.name][0].tobytes() == expected.tobytes(), op


def test_the_networks_branch_and_their_codes_vary(cases):
    for case in cases:
        assert any(len(op.inputs) > 1 for op in case.graph.ops)
        for op, tensor in zip(case.graph.ops, case.tensors, strict=True):
            assert tensor.size < 60 or len(np.unique(tensor)) > 5, op
