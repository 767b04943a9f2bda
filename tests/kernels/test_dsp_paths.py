"""The paths for the DSP extension where they divide: tails, tiles of every size, long sums, ends of the codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.core.graph.ir import Dense, Dtype, Graph, Op, Tensor
from tests.core.device.boards import EMULATED, need_tools
from tests.kernels import brute_force
from tests.kernels.network_images import run_networks
from tests.kernels.random_networks import (
    LIMITS,
    SPREAD,
    calibrated,
    codes,
    conv,
    random_dense,
    random_pool,
    tensor,
    whole_score,
    widen,
)

Rng = np.random.Generator
Shape = tuple[int, int, int, tuple[int, int], int]
#: Output channels, kernel, stride, pads, groups, of chains from inputs of (length, channels).
CHAINS: dict[tuple[int, int], list[Shape]] = {
    # Windows of every size modulo 4, and output channels fewer and more than are computed together.
    (64, 1): [(3, 5, 1, (0, 0), 1), (5, 2, 1, (1, 0), 1), (7, 1, 2, (0, 0), 1), (2, 1, 1, (0, 0), 1)],
    # Windows of 75, 150, 408, 104, 80 and 27 bytes: tiles of 4, 2, 1, 4, 4 and, of 3 positions, 2.
    (90, 3): [
        (6, 25, 1, (3, 4), 1),
        (17, 25, 1, (0, 0), 1),
        (8, 24, 1, (0, 0), 1),
        (8, 13, 1, (0, 0), 1),
        (9, 10, 1, (0, 0), 1),
        (4, 3, 1, (0, 0), 1),
    ],
    # Groups of 1 to 4 channels; a kernel that always reaches into the padding.
    (48, 4): [(12, 4, 1, (2, 1), 4), (8, 3, 1, (1, 1), 4), (6, 5, 3, (2, 2), 2), (6, 32, 1, (16, 15), 3)],
    # Depthwise: odd and even kernels and strides, one tap, and positions from many down to one.
    (80, 5): [
        (5, 7, 1, (3, 3), 5),
        (5, 4, 2, (1, 1), 5),
        (5, 1, 3, (0, 0), 5),
        (5, 6, 3, (0, 0), 5),
        (5, 3, 1, (1, 0), 5),
    ],
}
#: Lengths around those whose sums fit int16, with channels left over.
POOLED = [(1, 1), (255, 2), (256, 3), (257, 4), (513, 7)]


def chain(rng: Rng, length: int, channels: int, shapes: list[Shape], precision: str) -> Graph:
    """Convolutions, a pool and a dense layer; ``+int32`` after the precision gives accumulators as scores."""
    dtype, _, head = precision.partition("+")
    x = tensor(rng, "codes", length, channels)
    ops: list[Op] = [] if dtype == "int8" else [widen(replace(x, zero_point=0), "int16")]
    values = codes(rng, length, channels)
    values = brute_force.op_output(ops[0], values) if ops else values
    for i, shape in enumerate(shapes):
        op = conv(rng, f"conv{i}", ops[-1].output if ops else x, *shape)
        ops.append(calibrated(op, values, SPREAD[dtype]))
        values = brute_force.op_output(ops[-1], values)
    pool = calibrated(random_pool(rng, ops[-1].output), values, SPREAD[dtype])
    dense = random_dense(rng, pool.output, 6)
    ops += [pool, whole_score(dense) if head else dense]
    return Graph(ops[0].input, ops[-1].output, tuple(ops))


def pool_alone(rng: Rng, length: int, channels: int) -> Graph:
    op = random_pool(rng, tensor(rng, "codes", length, channels))
    return Graph(op.input, op.output, (op,))


def accumulators() -> tuple[np.ndarray, np.ndarray]:
    """Extreme accumulators times extreme multipliers, and products that lie exactly between two codes."""
    acc = [-(2**31) + 1, 2**31 - 1, -1, 0, 1, 2**24 + 1, -(2**24) - 1, 3, -3, 5, 16777217, 1 << 20]
    factors = [np.finfo(np.float32).tiny / 64, 1e-9, 2.0**-24, 0.5, 1.5, 1.0, 3e38, float.fromhex("0x1.2aaaaap+0")]
    pairs = [(a, f) for a in acc for f in factors]
    return np.array([a for a, _ in pairs], np.int32), np.array([f for _, f in pairs], np.float32)


def ends_of_the_codes(rng: Rng, dtype: Dtype) -> Graph:
    """Dense layers without weights: their outputs are requantised biases, over several ranges of codes."""
    x = tensor(rng, "codes", 4, 3)
    ops: list[Op] = [] if dtype == "int8" else [widen(replace(x, zero_point=0), "int16")]
    ops.append(random_pool(rng, ops[-1].output if ops else x))
    bias, multiplier = accumulators()
    least, largest = LIMITS[dtype]
    ranges = [(0, least, largest), (0, 0, largest), (least, least, largest), (largest, least, largest)]
    for zero_point, low, high in [*ranges, (-3, -3, largest), (7, least + 28, largest - 37)]:
        y = Tensor(f"codes{len(ops)}", 1, len(bias), 1.0, int(zero_point), dtype)
        weight = np.zeros((len(bias), ops[-1].output.channels), np.int8)
        ops.append(Dense(f"dense{len(ops)}", ops[-1].output, y, weight, bias, multiplier, low, high))
    return Graph(ops[0].input, ops[-1].output, tuple(ops))


def graphs() -> list[Graph]:
    rng = np.random.Generator(np.random.PCG64(71))
    made = [pool_alone(rng, *shape) for shape in POOLED]
    for dtype in ("int8", "int16"):
        heads = [dtype, f"{dtype}+int32"] * len(CHAINS)
        made += [chain(rng, *shape, CHAINS[shape], head) for shape, head in zip(CHAINS, heads, strict=False)]
        made.append(ends_of_the_codes(rng, dtype))
    return made


def takes_dsp_paths(graph: Graph, board: str) -> bool:
    """A core with Helium uses that for int8."""
    return board == "mps2_an386" or graph.ops[-1].input.dtype == "int16"


def inputs(graph: Graph) -> np.ndarray:
    """A window of any codes, and the two constant ones with the largest sums."""
    shape = (graph.input.length, graph.input.channels)
    any_codes = codes(np.random.Generator(np.random.PCG64(72)), *shape)
    return np.stack([any_codes, np.full(shape, -128, np.int8), np.full(shape, 127, np.int8)])


@pytest.fixture(scope="module")
def networks() -> list[Graph]:
    return graphs()


@pytest.mark.parametrize("board", EMULATED)
def test_every_output_is_as_defined(board, networks, tmp_path):
    need_tools(board)
    networks = [graph for graph in networks if takes_dsp_paths(graph, board)]
    windows = [inputs(graph) for graph in networks]
    for graph, of_graph, runs in zip(networks, windows, run_networks(board, tmp_path, networks, windows), strict=True):
        for window, run in zip(of_graph, runs, strict=True):
            for op, got, expected in zip(graph.ops, run.tensors, brute_force.tensors(graph, window), strict=True):
                assert np.array_equal(got, expected), (op.name, op.input, op.output, got, expected)
