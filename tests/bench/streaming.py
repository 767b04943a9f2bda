"""What streaming saves: executed instructions and RAM per number of layers that keep their output.

``python -m tests.bench.streaming [--hop 512]`` builds one image per board, with the network of `vibration` on raw
counts for each number of layers, runs four windows that follow one another, and prints the instructions of the first,
which is computed whole, and the most of the others, both without preprocessing, with the bytes of the arena and those
of the code. It fails if a score is not the reference's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core.cgen.lifetimes import lifetimes
from stages.core.cgen.streaming import Kept, kept_layers
from stages.core.device.tools import call
from stages.core.graph.ir import Conv1d, Graph
from stages.core.graph.reference import execute, score_codes
from stages.core.plan import plan
from tests.bench.kernels import TASKS, task_config, task_network
from tests.core.device.boards import EMULATED
from tests.kernels.network_images import run_networks
from tests.kernels.random_networks import codes, preprocess_contract

TASK, WINDOWS = "vibration", 4


def network_and_windows(hop: int) -> tuple[Graph, NDArray[np.int8]]:
    """Build the network, and windows that begin one hop after one another."""
    graph = task_network(TASK)
    stream = codes(np.random.Generator(np.random.PCG64(74)), graph.input.length + (WINDOWS - 1) * hop, TASKS[TASK])
    return graph, np.stack([stream[i * hop : i * hop + graph.input.length] for i in range(WINDOWS)])


def every_number_of_layers(graph: Graph, hop: int) -> list[dict[str, Kept]]:
    """What layers keep if none does, if the first does, and so on."""
    rng = np.random.Generator(np.random.PCG64(75))
    contract = {**preprocess_contract(rng, graph.input.length, graph.input.channels, dc="none"), "hop": hop}
    convolutions = sum(isinstance(op, Conv1d) for op in graph.ops)
    return [kept_layers(graph, contract, layers) for layers in range(convolutions + 1)]


def code_bytes(folder: Path, case: int) -> int:
    """Size of a network's code, without its constants."""
    (made,) = (folder / "build").glob(f"**/case_{case}.dir/**/model.c.*")
    sections = call(["arm-none-eabi-size", "-A", made], "size").splitlines()
    return sum(int(line.split()[1]) for line in sections if line.startswith(".text"))


def measure(board: str, graph: Graph, windows: NDArray[np.int8], kept: list[dict[str, Kept]]) -> None:
    """Print a row per number of layers."""
    expected = score_codes(graph, execute(graph, windows)).tolist()
    with tempfile.TemporaryDirectory() as name:
        folder, n = Path(name), len(kept)
        runs = run_networks(board, folder, [graph] * n, [windows] * n, kept=kept)
        sizes = [code_bytes(folder, case) for case in range(n)]
    for layers, (first, *others) in enumerate(runs):
        if [run.scores for run in (first, *others)] != expected:
            sys.exit(f"{board}: {layers} layers do not give the reference's scores")
        whole, after = first.instructions[0], max(run.instructions[0] for run in others)
        arena = plan(lifetimes(graph, kept[layers])).arena_bytes
        print(f"{board:12}{layers:7}{whole:9}{after:9}{after / whole:7.3f}{arena:8}{sizes[layers]:7}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hop", type=int, default=task_config(TASK).window.hop)
    hop = parser.parse_args().hop
    graph, windows = network_and_windows(hop)
    print(f"{TASK}, window {graph.input.length}, hop {hop}")
    print(f"{'board':12}{'layers':>7}{'whole':>9}{'next':>9}{'ratio':>7}{'arena':>8}{'code':>7}")
    for board in EMULATED:
        measure(board, graph, windows, every_number_of_layers(graph, hop))


if __name__ == "__main__":
    main()
