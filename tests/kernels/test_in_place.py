"""Operations whose output takes the place of their input, at the sizes where the paths of each core divide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.core.cgen.lifetimes import lifetimes, works_in_place
from stages.core.graph.ir import (
    Add,
    AveragePool,
    Conv1d,
    Dtype,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Op,
    Softmax,
    Tensor,
    Window,
)
from stages.core.plan import plan
from tests.core.device.boards import EMULATED, need_tools
from tests.kernels import brute_force
from tests.kernels.branching_networks import Net, random_input
from tests.kernels.network_images import run_networks
from tests.kernels.random_networks import (
    SPREAD,
    Rng,
    calibrated,
    codes,
    conv,
    random_dense,
    random_pool,
    tensor,
    widen,
)

CHAINS, MIXED, WINDOWS = 8, 6, 2


def depthwise(rng: Rng, name: str, x: Tensor) -> Op:
    """Padded on the right alone, of any stride."""
    kernel, stride = int(rng.integers(1, min(x.length, 7) + 1)), int(rng.integers(1, 4))
    return conv(rng, name, x, x.channels, kernel, stride, (0, int(rng.integers(0, kernel))), x.channels)


def in_place(rng: Rng, dtype: Dtype) -> Graph:
    """Depthwise convolutions and a pool, one after another, which read and write one block of bytes."""
    values = codes(rng, int(rng.integers(8, 40)), int(rng.integers(1, 25)))
    ops: list[Op] = []

    def add(op: Op) -> Tensor:
        nonlocal values
        known = dtype == "float32" or op.name == "widen"
        ops.append(op if known else calibrated(op, values, SPREAD[dtype]))
        values = brute_force.op_output(ops[-1], values)
        return op.output

    if dtype == "int8":
        y = x = tensor(rng, "codes", *values.shape)
    else:
        x = Tensor("codes", *values.shape, 0.05, 0)
        y = add(widen(x, dtype))
    for i in range(3):
        y = add(depthwise(rng, f"depthwise{i}", y))
    y = add(random_pool(rng, y, dtype))
    last = random_dense(rng, y, 3, dtype)
    return Graph(x, last.output, (*ops, last))


def mixed(rng: Rng, dtype: Dtype, *, images: bool) -> Graph:
    """Pools, sums and depthwise convolutions, over length or over images."""
    net = Net(random_input(rng, dtype, images, int(rng.integers(1, 20))), rng, dtype)
    for kind in ("max", "average"):
        window = net.window(net.last)
        net.conv(net.last, net.last.channels, replace(window, pads=(0, 0, *window.pads[2:])), net.last.channels)
        net.pool(net.last, kind, net.window(net.last))
        net.residual(net.last)
    return net.head(3, ("softmax" if images else "sigmoid") if dtype == "int8" else "")


def replaced(graph: Graph) -> list[Op]:
    """Operations that the plan lets write over their input."""
    buffers = lifetimes(graph)
    offsets = plan(buffers).offsets
    replacing = {b.name for b in buffers if b.replaces and offsets[b.name] == offsets[b.replaces]}
    return [op for op in graph.ops if op.output.name in replacing]


@pytest.fixture(scope="module")
def networks() -> list[Graph]:
    rng = np.random.Generator(np.random.PCG64(91))
    dtypes: list[Dtype] = ["int8", "int8", "int16", "float32"]
    chains = [in_place(rng, dtypes[i % len(dtypes)]) for i in range(CHAINS)]
    rest = [mixed(rng, "int8", images=i % 2 == 0) for i in range(MIXED - 2)]
    return [*chains, *rest, *(mixed(rng, dtype, images=True) for dtype in dtypes[2:])]


@pytest.mark.parametrize("board", ["native", *EMULATED])
def test_every_output_is_as_defined_where_it_replaces_its_input(board, networks, tmp_path):
    need_tools(board)
    rng = np.random.Generator(np.random.PCG64(92))
    pixels = [(graph.input.positions, graph.input.channels, graph.input.shape) for graph in networks]
    windows = [np.stack([codes(rng, n, c).reshape(shape) for _ in range(WINDOWS)]) for n, c, shape in pixels]
    runs = run_networks(board, tmp_path, networks, windows, "-O3", planner=plan)
    for graph, of_graph, given in zip(networks, runs, windows, strict=True):
        for run, window in zip(of_graph, given, strict=True):
            for op, got, expected in zip(graph.ops, run.tensors, brute_force.tensors(graph, window), strict=True):
                assert got.tobytes() == expected.tobytes(), (op, got, expected)


def test_the_networks_work_in_place_at_many_shapes(networks):
    ops = [op for graph in networks for op in replaced(graph)]
    kinds = {(type(op), op.output.dtype) for op in ops}
    assert {kind for kind, dtype in kinds if dtype == "int8"} > {Add, AveragePool, Conv1d, MaxPool, Softmax}
    assert {kind for kind, dtype in kinds if dtype == "int16"} > {Add, Conv1d, GlobalAveragePool}
    assert {kind for kind, dtype in kinds if dtype == "float32"} > {Add, Conv1d, GlobalAveragePool}
    convs = [op for op in ops if isinstance(op, Conv1d)]
    assert {op.stride for op in convs} == {1, 2, 3}
    assert {op.output.length % 4 for op in convs} == {0, 1, 2, 3}
    assert {op.output.dtype for op in convs} == {"int8", "int16", "float32"}
    assert any(op.input.channels % 8 for op in convs)
    assert any(op.pad_right for op in convs)


def test_a_layer_stays_apart_that_a_core_computes_partly_again():
    """Five positions of stride 1 are 0 to 3 and then 1 to 4: position 1 would read its own output."""
    rng = np.random.Generator(np.random.PCG64(93))
    shapes = {length: conv(rng, "dw", tensor(rng, "x", length, 8), 8, 3, 1, (0, 0), 8) for length in (5, 6, 7, 10)}
    assert {n: works_in_place(op) for n, op in shapes.items()} == {5: True, 6: True, 7: False, 10: True}
    strided = conv(rng, "dw", tensor(rng, "x", 31, 8), 8, 3, 2, (0, 0), 8)
    assert (strided.output.length, works_in_place(strided)) == (15, True)


def test_a_layer_stays_apart_that_is_padded_on_the_left_or_mixes_channels():
    rng = np.random.Generator(np.random.PCG64(94))
    x = tensor(rng, "x", 16, 8)
    assert not works_in_place(conv(rng, "padded", x, 8, 3, 2, (1, 1), 8))
    assert not works_in_place(conv(rng, "pointwise", x, 8, 1, 1, (0, 0), 1))
    assert not works_in_place(conv(rng, "wider", x, 16, 3, 1, (0, 0), 8))


@pytest.mark.parametrize(
    ("stride", "pads", "expected"),
    [
        ((1, 1), (0, 0, 0, 0), True),
        ((1, 2), (0, 1, 0, 1), True),
        ((1, 1), (1, 0, 1, 0), False),
        ((1, 1), (0, 1, 0, 1), False),
    ],
)
def test_a_pool_stays_apart_if_a_window_begins_before_its_output(stride, pads, expected):
    """With a stride of 1 and padding, the second window begins where the first output already lies."""
    x = replace(tensor(np.random.Generator(np.random.PCG64(95)), "x", 9, 4), height=9)
    window = Window((3, 3), stride, pads)
    sizes = [(9 + pads[i] + pads[i + 2] - 3) // stride[i] + 1 for i in range(2)]
    y = replace(x, name="y", height=sizes[0], length=sizes[1])
    assert works_in_place(MaxPool("pool", x, y, window)) is expected
