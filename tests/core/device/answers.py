"""A device that answers with the reference's own numbers, or with numbers that a test has altered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.device.chain import Device, Expected
from stages.core.device.harness import RunResult, Telemetry, Timing, fnv1a_rows
from stages.core.graph.reference import execute, score_codes
from tests.core.device.boards import load_board
from tests.kernels.random_networks import random_graph

WINDOW, CHANNELS, OUTPUTS = 64, 1, 2


def expectation(precision: str, n_windows: int = 6) -> Expected:
    """What is due of some random windows of a random network; its counts are left out."""
    rng = np.random.Generator(np.random.PCG64(61))
    graph = random_graph(rng, WINDOW, CHANNELS, OUTPUTS, precision)
    codes = rng.integers(-128, 128, (n_windows, WINDOW, CHANNELS)).astype(np.int8)
    samples = np.arange(n_windows, dtype=np.int16)[:, None, None]
    return Expected(graph, samples, codes, score_codes(graph, execute(graph, codes)))


@dataclass(frozen=True)
class Answering(Device):
    """Computes what the reference does, then adds: to score codes, and to the input codes and first tensor."""

    due: Expected
    score_offset: int = 0
    input_offset: int = 0
    tensor_offset: int = 0
    mismatches: int = 0
    arena_intact: bool = True

    def run(self, samples, repeats):
        tensors = self._tensors(samples)
        first, *others = tensors
        scores = score_codes(self.due.graph, {self.due.graph.output.name: tensors[-1]})
        nothing = Timing(1000, 1000)
        telemetry = Telemetry(
            nothing, (nothing,) * len(self.due.graph.ops), nothing, self.arena_intact, 512, 500, 4096, 300
        )
        return RunResult(
            scores=scores + np.int32(self.score_offset),
            codes_hash=fnv1a_rows(first),
            tensors_hash=fnv1a_rows(*others),
            mismatches=np.full(len(samples), self.mismatches, np.uint32),
            telemetry=telemetry,
        )

    def trace(self, samples, graph):
        return [tensor[0].ravel() for tensor in self._tensors(samples[None])]

    def _tensors(self, samples):
        rows = samples[:, 0, 0]
        tensors = list(execute(self.due.graph, self.due.codes[rows]).values())
        tensors[0] = tensors[0] + np.int8(self.input_offset)
        tensors[1] = tensors[1] + tensors[1].dtype.type(self.tensor_offset)
        return tensors


def answering(due: Expected, board: str = "mps3_an547", **altered: int | bool) -> Answering:
    return Answering(board, load_board(board), Path("harness.elf"), 1.0, due, **altered)
