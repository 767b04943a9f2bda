"""Convolutions that keep their output from one window to the next, against the same network on every window afresh."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stages.core.cgen.lifetimes import lifetimes
from stages.core.cgen.streaming import Kept, kept_layers
from stages.core.errors import ConfigError
from stages.core.graph.ir import Conv1d, Dtype, Graph, Op, Tensor
from stages.core.graph.reference import execute, score_codes
from stages.core.plan import overlaps, plan
from tests.core.device.boards import EMULATED, need_tools
from tests.kernels.network_images import run_networks
from tests.kernels.random_networks import (
    SPREAD,
    Rng,
    calibrated,
    codes,
    conv,
    preprocess_contract,
    random_dense,
    random_pool,
    tensor,
    widen,
)

NETWORKS, WINDOWS = 8, 4
SHAPES = ["conv", "grouped", "depthwise", "pointwise"]


def layer(rng: Rng, name: str, x: Tensor) -> Conv1d:
    """A short convolution of any kind, padded or not."""
    kind = SHAPES[int(rng.integers(len(SHAPES)))]
    kernel, stride = int(rng.integers(1, 8)), int(rng.integers(1, 3))
    pads = tuple(int(rng.integers(0, kernel)) if rng.random() < 0.5 else 0 for _ in range(2))
    groups = {"depthwise": x.channels, "grouped": 2 if x.channels % 2 == 0 else 1}.get(kind, 1)
    out = x.channels if kind == "depthwise" else 2 * int(rng.integers(1, 10))
    if kind == "pointwise":
        kernel, pads = 1, (0, 0)
    return conv(rng, name, x, out, kernel, stride, (pads[0], pads[1]), groups)


def chain(rng: Rng, dtype: Dtype) -> Graph:
    """Four convolutions, a pool and a dense layer on a long window."""
    values = codes(rng, int(rng.integers(150, 260)), int(rng.integers(1, 4)))
    ops: list[Op] = []

    def add(op: Op) -> Tensor:
        nonlocal values
        known = dtype == "float32" or op.name == "widen"
        ops.append(op if known else calibrated(op, values, SPREAD[dtype]))
        values = run(ops[-1], values)
        return op.output

    if dtype == "int8":
        y = x = tensor(rng, "codes", *values.shape)
    else:
        x = Tensor("codes", *values.shape, 0.05, 0)
        y = add(widen(x, dtype))
    for i in range(4):
        y = add(layer(rng, f"conv{i}", y))
    y = add(random_pool(rng, y, dtype))
    last = random_dense(rng, y, 3, dtype)
    return Graph(x, last.output, (*ops, last))


def run(op: Op, values: np.ndarray) -> np.ndarray:
    return execute(Graph(op.inputs[0], op.output, (op,)), values[np.newaxis])[op.output.name][0]


def streamed(rng: Rng, dtype: Dtype) -> tuple[Graph, dict[str, Kept], int]:
    """A chain with as many layers kept as drawn, and a hop that they allow."""
    while True:
        graph, layers = chain(rng, dtype), int(rng.integers(1, 5))
        strides = [op.stride for op in graph.ops if isinstance(op, Conv1d)][:layers]
        hop = math.prod(strides) * int(rng.integers(1, 12))
        try:
            return graph, kept_layers(graph, contract(graph, hop), layers), hop
        except ConfigError:
            continue


def contract(graph: Graph, hop: int) -> dict:
    rng = np.random.Generator(np.random.PCG64(1))
    return {**preprocess_contract(rng, graph.input.length, graph.input.channels, dc="none"), "hop": hop}


def windows_of(rng: Rng, graph: Graph, hop: int) -> np.ndarray:
    length = graph.input.length
    stream = codes(rng, length + (WINDOWS - 1) * hop, graph.input.channels)
    return np.stack([stream[i * hop : i * hop + length] for i in range(WINDOWS)])


@pytest.fixture(scope="module")
def cases() -> list[tuple[Graph, dict[str, Kept], np.ndarray]]:
    rng = np.random.Generator(np.random.PCG64(95))
    dtypes: list[Dtype] = ["int8", "int8", "int16", "float32"]
    made = [streamed(rng, dtypes[i % len(dtypes)]) for i in range(NETWORKS)]
    return [(graph, kept, windows_of(rng, graph, hop)) for graph, kept, hop in made]


@pytest.mark.parametrize("board", ["native", *EMULATED])
def test_a_window_computed_from_the_one_before_is_the_same_as_afresh(board, cases, tmp_path):
    need_tools(board)
    networks, kept, windows = (list(each) for each in zip(*cases, strict=True))
    runs = run_networks(board, tmp_path, networks, windows, "-O3" if board in EMULATED else "-O1", kept)
    for graph, stays, of_graph, given in zip(networks, kept, runs, windows, strict=True):
        expected = execute(graph, given)
        for i, each in enumerate(of_graph):
            for op, got in zip(graph.ops, each.tensors, strict=True):
                if op.output.name in stays:
                    assert got.tobytes() == expected[op.output.name][i].tobytes(), (i, op)
        assert [each.scores for each in of_graph] == score_codes(graph, expected).tolist()


def test_the_cases_keep_padded_strided_and_grouped_layers(cases):
    convs = [op for graph, kept, _ in cases for op in graph.ops if isinstance(op, Conv1d) and op.output.name in kept]
    stays = [each for _, kept, _ in cases for each in kept.values()]
    assert {op.stride for op in convs} == {1, 2}
    assert any(op.pad_left for op in convs)
    assert any(op.pad_right for op in convs)
    assert any(op.groups == op.input.channels > 1 for op in convs)
    assert {len(kept) for _, kept, _ in cases} == {1, 2, 3, 4}
    assert any(each.begin > 1 for each in stays)
    assert {op.output.dtype for op in convs} == {"int8", "int16", "float32"}


def test_what_is_kept_shares_its_bytes_with_nothing(cases):
    for graph, kept, _ in cases:
        buffers = lifetimes(graph, kept)
        assert overlaps(buffers, plan(buffers).offsets) == []
        lives = {b.name: (b.first_use, b.last_use) for b in buffers if b.name in kept}
        assert set(lives.values()) == {(0, len(graph.ops) - 1)}


def brute_force_kept(graph: Graph, hop: int, name: str) -> tuple[int, int]:
    """First and one past the last position of a layer that depend on the samples of both windows alone."""
    length = graph.input.length
    stride = 1
    inside = {graph.input.name: [True] * length}
    for op in graph.ops:
        if not isinstance(op, Conv1d):
            break
        before, stride = inside[op.input.name], stride * op.stride
        taps = [
            range(t * op.stride - op.pad_left, t * op.stride - op.pad_left + op.weight.shape[2])
            for t in range(op.output.length)
        ]
        inside[op.output.name] = [all(0 <= k < len(before) and before[k] for k in each) for each in taps]
        if op.output.name == name:
            break
    here = inside[name]
    both = [t for t in range(len(here) - hop // stride) if here[t] and here[t + hop // stride]]
    return both[0], both[-1] + 1


def test_a_layer_keeps_every_position_that_padding_has_no_part_in():
    rng = np.random.Generator(np.random.PCG64(96))
    for _ in range(40):
        graph, kept, hop = streamed(rng, "int8")
        for name, stays in kept.items():
            assert (stays.begin, stays.end) == brute_force_kept(graph, hop, name)


def small() -> Graph:
    rng = np.random.Generator(np.random.PCG64(97))
    x = tensor(rng, "codes", 64, 1)
    a = conv(rng, "stem", x, 4, 4, 4, (0, 0), 1)
    b = conv(rng, "second", a.output, 4, 3, 1, (1, 1), 4)
    c = random_pool(rng, b.output)
    d = random_dense(rng, c.output, 1)
    return Graph(x, d.output, (a, b, c, d))


def test_no_layers_keep_nothing_whatever_the_codes_are_made_of():
    graph = small()
    assert kept_layers(graph, contract(graph, 3) | {"dc": "window_mean"}, 0) == {}


@pytest.mark.parametrize(
    ("layers", "changes", "message"),
    [
        (1, {"hop": 6}, r"stem has a position every 4 samples and window\.hop is 6"),
        (1, {"hop": 64}, r"stem computes no position that the window before had"),
        (2, {"hop": 60}, r"second computes no position .* 1 to 15 of 16 are free of padding, and they move by 15"),
        (3, {"hop": 8}, r"2 convolutions lead from the input"),
        (1, {"hop": 8, "dc": "window_mean"}, r"codes depend on the whole window.*features\.dc none"),
        (1, {"hop": 8, "normalise": {"epsilon": 3}}, r"codes depend on the whole window"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(layers, changes, message):
    graph = small()
    with pytest.raises(ConfigError, match=message) as caught:
        kept_layers(graph, contract(graph, 8) | changes, layers)
    assert "convert.streaming_layers" in str(caught.value)
