"""What the fault gate takes on the boards: executed instructions per count.

``python -m tests.bench.fault`` builds one image per board, judges windows of 1024 frames, and prints the instructions
per count of noise that nothing is wrong with, and of the counts that take longest: where every other one equals the one
before and lies at a rail, so that every run has to be followed.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.core.runtime.fault import NO_LIMITS, Limits
from tests.core.device.boards import EMULATED
from tests.runtime.fault_images import Case, run_gate

FRAMES = 1024
#: Of a sensor that moves all the time: eight counts in a row may be at a rail, and six equal.
USUAL = replace(NO_LIMITS, max_saturated=8, max_same=6, max_jump=30000, max_variance=10**8)


def noise(channels: int, bits: int) -> Case:
    """Counts whose spread is an eighth of the range."""
    rng = np.random.Generator(np.random.PCG64(81))
    counts = rng.normal(0, 2 ** (bits - 4), (FRAMES, channels))
    return Case(counts.astype(f"int{bits}"), [[rails(bits)] * channels])


def runs(channels: int, bits: int) -> Case:
    """Runs at both rails that are as long as they may be, so that no count can be left out."""
    low, high = rails(bits).rail_low, rails(bits).rail_high
    place = np.arange(FRAMES) % 9
    counts = np.where(place == 8, 0, np.where(place // 6 == 0, low, high)).astype(f"int{bits}")
    return Case(
        np.repeat(counts[:, np.newaxis], channels, axis=1), [[replace(rails(bits), max_jump=2**32 - 1)] * channels]
    )


def rails(bits: int) -> Limits:
    return replace(
        USUAL, rail_low=-(2 ** (bits - 1)), rail_high=2 ** (bits - 1) - 1, variance_shift=16 if bits == 32 else 0
    )


def main() -> None:
    """Measure and print."""
    shapes = [(channels, bits) for bits in (16, 32) for channels in (1, 3)]
    cases = [make(*shape) for shape in shapes for make in (noise, runs)]
    print(f"{'board':12}{'counts':>8}{'channels':>10}{'noise':>8}{'runs':>8}")
    for board in EMULATED:
        with tempfile.TemporaryDirectory() as folder:
            _, taken = run_gate(board, Path(folder), cases)
        for (channels, bits), of_noise, of_runs in zip(shapes, taken[::2], taken[1::2], strict=True):
            counts = FRAMES * channels
            print(f"{board:12}{f'int{bits}':>8}{channels:10}{of_noise / counts:8.2f}{of_runs / counts:8.2f}")


if __name__ == "__main__":
    main()
