"""What the kernels need: executed instructions per layer and per multiply-accumulate, on both emulated boards.

``python -m tests.bench.kernels`` builds one image per board with the networks of `networks` in it, runs each on one
window and prints a table; it fails if an output is not the reference's, if a network is more than 3 % above its figure
in `kernels.json`, or if one is above its bar. ``--write`` stores new figures. The emulator counts instructions exactly,
so that the figures are the same on every machine, with the same compiler. Weights are random: no kernel's path depends
on a value.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stages.core.config import Config, compose, validate
from stages.core.graph.ir import (
    AveragePool,
    Concat,
    Conv1d,
    Conv2d,
    Dense,
    GlobalAveragePool,
    Graph,
    MaxPool,
    Op,
    Tensor,
    Window,
)
from stages.core.graph.reference import execute
from stages.core.schema.model import DsCnn
from tests.core.device.boards import EMULATED, ROOT
from tests.kernels.branching_networks import Net
from tests.kernels.network_images import run_networks
from tests.kernels.random_networks import codes, conv, random_dense, random_pool, whole_score

REFERENCE = Path(__file__).parent / "kernels.json"
TOLERANCE = 0.03

#: Codes per time step of the shipped tasks with a convolutional network.
TASKS = {"vibration": 1, "vibration_life": 2, "vibration_mems": 3, "recordings": 1, "shock": 2}

#: Most instructions per multiply-accumulate of the whole network.
BARS = {
    "mps3_an547": {"peers": 0.36} | dict.fromkeys(TASKS, 0.45),
    "mps2_an386": {"peers": 2.2},
}

#: Per board and network, instructions per multiply-accumulate of the whole network.
Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Layer:
    """What one operation needed."""

    name: str
    macs: int
    instructions: int


def peers() -> Graph:
    """Build the network on which general kernel libraries were measured: padded, 219 264 multiply-accumulates."""
    rng = np.random.Generator(np.random.PCG64(71))
    x = Tensor("codes", 1024, 1, 0.05, 0)
    ops: list[Op] = []
    shapes = [(16, 16, 4, (6, 6), 1), (16, 5, 2, (2, 2), 16), (32, 1, 1, (0, 0), 1)]
    for shape in [*shapes, (32, 5, 2, (2, 2), 32), (32, 1, 1, (0, 0), 1)]:
        ops.append(with_relu(conv(rng, f"conv{len(ops)}", ops[-1].output if ops else x, *shape)))
    return with_head(rng, x, ops, 4)


def image() -> Graph:
    """Build a network over images of 32 by 24 pixels, with a depthwise residual, two pools and a concatenation."""
    rng = np.random.Generator(np.random.PCG64(74))
    net = Net(Tensor("codes", 24, 1, 0.05, 0, height=32), rng)
    same = Window((3, 3), (1, 1), (1, 1, 1, 1))
    stem = net.conv(net.last, 16, Window((3, 3), (2, 2), (1, 1, 1, 1)))
    branch = net.conv(stem, 16, same, groups=16)
    total = net.sum(stem, net.conv(branch, 16, Window((1, 1), (1, 1), (0, 0, 0, 0))))
    halves = Window((2, 2), (2, 2), (0, 0, 0, 0))
    joined = net.concat("channels", net.pool(total, "max", halves), net.pool(total, "average", halves))
    net.conv(joined, 32, same)
    return with_head(rng, net.input, net.ops, 4)


def task_network(name: str) -> Graph:
    """Build the network of a shipped task, with random weights."""
    config = task_config(name)
    assert isinstance(config.model, DsCnn)
    rng = np.random.Generator(np.random.PCG64(72))
    x = Tensor("codes", config.window.length, TASKS[name], 0.05, 0)
    stem = config.model.stem
    ops: list[Op] = [with_relu(conv(rng, "stem", x, stem.channels, stem.kernel, stem.stride, (0, 0), 1))]
    for i, block in enumerate(config.model.blocks):
        y = ops[-1].output
        ops.append(
            with_relu(conv(rng, f"block{i}_depthwise", y, y.channels, block.kernel, block.stride, (0, 0), y.channels))
        )
        ops.append(with_relu(conv(rng, f"block{i}_pointwise", ops[-1].output, block.channels, 1, 1, (0, 0), 1)))
    return with_head(rng, x, ops, len(config.labels.classes) - 1, config.quantize.score)


def task_config(name: str) -> Config:
    """Compose the configuration of a shipped task."""
    with tempfile.TemporaryDirectory() as folder:
        params = Path(folder) / "params.yaml"
        params.write_text(f"task: {name}\n", encoding="utf-8")
        return validate(compose(params, ROOT / "conf"), name)


def with_relu(op: Conv1d) -> Conv1d:
    """Give the layer the output codes that a quantised layer with ReLU has."""
    return replace(op, output=replace(op.output, zero_point=-128), y_min=-128)


def with_head(rng: np.random.Generator, x: Tensor, ops: list[Op], outputs: int, score: str = "int8") -> Graph:
    """Add the pool and the dense layer."""
    pool = random_pool(rng, ops[-1].output)
    dense = random_dense(rng, pool.output, outputs)
    last = whole_score(dense) if score == "int32" else dense
    return Graph(x, last.output, (*ops, pool, last))


def macs(op: Op) -> int:
    """Count the multiply-accumulates of an operation.

    A pool's additions and comparisons count, as in the peers' figures, and so do what a sum adds and what a
    concatenation moves.
    """
    if isinstance(op, GlobalAveragePool):
        return op.input.positions * op.input.channels
    if isinstance(op, Conv1d | Conv2d | Dense):
        return op.output.positions * op.weight.size
    taps = op.window.taps if isinstance(op, MaxPool | AveragePool) else len(op.inputs)
    return op.output.positions * op.output.channels * taps // (len(op.inputs) if isinstance(op, Concat) else 1)


def measure(board: str, networks: dict[str, Graph]) -> dict[str, list[Layer]]:
    """Run each network once on a board and require the reference's outputs."""
    rng = np.random.Generator(np.random.PCG64(73))
    graphs = list(networks.values())
    inputs = [graph.input for graph in graphs]
    windows = [codes(rng, x.positions, x.channels).reshape(1, *x.shape) for x in inputs]
    with tempfile.TemporaryDirectory() as folder:
        runs = run_networks(board, Path(folder), graphs, windows)
    layers = {}
    for (name, graph), window, (run,) in zip(networks.items(), windows, runs, strict=True):
        expected = execute(graph, window)
        for op, tensor in zip(graph.ops, run.tensors, strict=True):
            if not np.array_equal(tensor, expected[op.output.name][0]):
                sys.exit(f"{board}: {name}, {op.name} is not the reference's")
        layers[name] = [Layer(op.name, macs(op), n) for op, n in zip(graph.ops, run.instructions, strict=True)]
    return layers


def per_mac(layers: list[Layer]) -> float:
    """Divide all instructions by all multiply-accumulates."""
    return round(sum(layer.instructions for layer in layers) / sum(layer.macs for layer in layers), 4)


def faults(board: str, measured: dict[str, float], reference: Figures) -> Iterator[str]:
    """Say what is above its bar, or more than the tolerance above its reference."""
    for name, figure in measured.items():
        bar, stored = BARS[board].get(name), reference.get(board, {}).get(name)
        if bar is not None and figure > bar:
            yield f"{board}: {name} takes {figure} instructions per MAC, more than {bar}"
        if stored is not None and figure > stored * (1 + TOLERANCE):
            yield f"{board}: {name} takes {figure} instructions per MAC, it was {stored}"


def show(board: str, name: str, layers: list[Layer]) -> None:
    """Print one network as a table."""
    print(f"\n{board}, {name}\n{'layer':20} {'MAC':>8} {'instructions':>12} {'per MAC':>8}")
    for layer in [*layers, Layer("all", sum(x.macs for x in layers), sum(x.instructions for x in layers))]:
        print(f"{layer.name:20} {layer.macs:8} {layer.instructions:12} {layer.instructions / layer.macs:8.3f}")


def main() -> None:
    """Measure, print and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", choices=EMULATED, action="append", help="both, if not given")
    parser.add_argument("--write", action="store_true", help="store the figures as the reference")
    arguments = parser.parse_args()
    networks = {"peers": peers(), "image": image()} | {name: task_network(name) for name in TASKS}
    found: Figures = {}
    for board in arguments.board or EMULATED:
        layers = measure(board, networks)
        for name in networks:
            show(board, name, layers[name])
        found[board] = {name: per_mac(layers[name]) for name in networks}
    reference = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    if arguments.write:
        reference = reference | found
        REFERENCE.write_text(json.dumps(reference, indent=2) + "\n")
    problems = [problem for board, figures in found.items() for problem in faults(board, figures, reference)]
    if problems:
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
