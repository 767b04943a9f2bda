"""Networks of one architecture as a release has them, and the device's answers to windows by the host's reference."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml

from stages.core.bundle.format import Identity
from stages.core.bundle.sections import pack_config, pack_golden
from stages.core.conversion import Around, Conversion, convert
from stages.core.dsp.contract import Preprocess, preprocess
from stages.core.graph.reference import execute, score_codes
from stages.core.runtime.fault import NO_LIMITS, Limits
from stages.core.schema.decision import Decision
from stages.core.schema.runtime import Runtime
from tests.core.graph.qdq import Writer
from tests.kernels.random_networks import preprocess_contract

ROOT = Path(__file__).parents[2]
WINDOW, CHANNELS, OUTPUTS = 128, 2, 2
PREPROCESS = preprocess_contract(np.random.Generator(np.random.PCG64(1)), WINDOW, CHANNELS)
#: Counts beyond these are a fault to a device that has limits.
QUIET = 12000
NEVER, ALWAYS = 128, -128


def section(name: str) -> dict:
    return yaml.safe_load((ROOT / "conf" / name / "default.yaml").read_text(encoding="utf-8"))


DECISION, RUNTIME = Decision.model_validate(section("decision")), Runtime.model_validate(section("runtime"))


def counts(n_windows: int, largest: int = QUIET) -> np.ndarray:
    """Noise, in each window and channel of another strength."""
    rng = np.random.Generator(np.random.PCG64(17))
    strength = rng.uniform(0.4, 1.0, (n_windows, 1, CHANNELS)) * largest
    return (rng.uniform(-1, 1, (n_windows, WINDOW, CHANNELS)) * strength).astype(np.int16)


def trained(seed: int) -> bytes:
    """A network of the one architecture: weights, scales and zero points come from the seed."""
    net = Writer((1, CHANNELS, WINDOW), 2.0**-6, 0, seed)
    stem = net.weighted("Conv", net.input, 8, CHANNELS, 5, ends="Relu", pads=[2, 2], strides=[2])
    branch = net.weighted("Conv", stem, 8, 1, 3, group=8, pads=[1, 1])
    total = net.layer("Add", stem, branch)
    smooth = net.layer("AveragePool", total, kernel_shape=[3], strides=[2], pads=[1, 1], count_include_pad=1)
    thin = net.weighted("Conv", smooth, 10, 8, 1)
    flat = net.layer("Flatten", net.layer("GlobalAveragePool", thin), kept=True)
    return net.model(net.weighted("Gemm", flat, OUTPUTS, 10, transB=1), (1, OUTPUTS)).SerializeToString()


@dataclass(frozen=True)
class Release:
    """One network as it was converted, and what a bundle says of it."""

    seed: int
    threshold: int = NEVER
    limits: tuple[Limits, ...] = ()

    @cached_property
    def made(self) -> Conversion:
        thresholds = [{"code": self.threshold, "logit": 0.0}] * OUTPUTS
        around = Around(DECISION, RUNTIME, self.limits)
        return convert(
            trained(self.seed), "int8", thresholds, PREPROCESS, ("a", "b", "c"), {"task": "test"}, around=around
        )

    def scores(self, windows: np.ndarray) -> np.ndarray:
        codes = preprocess(Preprocess.from_json(PREPROCESS), windows)
        return score_codes(self.made.graph, execute(self.made.graph, codes))

    def sections(self) -> dict[str, bytes]:
        return {
            "weights": self.made.weights,
            "contract": json.dumps(self.made.contract).encode(),
            "preprocess": json.dumps(PREPROCESS).encode(),
            "config": pack_config(self.made.contract),
            "calibration": b"",
            "golden": pack_golden(counts(3), self.scores(counts(3))),
        }

    def identity(self, release: tuple[int, int, int], boards: int) -> Identity:
        fields = ("interface_version", "arena_bytes", "model_version", "preprocess_id", "graph_hash")
        return Identity(release=release, boards=boards, **{name: self.made.contract[name] for name in fields})


BUILT_IN = Release(1)
FIRST = Release(2)
#: The weights that are built in, with rules and limits of its own.
SECOND = Release(1, ALWAYS, (replace(NO_LIMITS, low=-QUIET, high=QUIET),) * CHANNELS)
