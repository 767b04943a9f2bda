"""Windows of every kind that the fault gate tells apart, and limits that they just keep and just break."""

from __future__ import annotations

import numpy as np

from stages.core.runtime.fault import NO_LIMITS, Limits
from tests.runtime.fault_images import Case

LARGEST = 2**32 - 1


def any_case(rng: np.random.Generator, dtype: type, channels: int, frames: int, times: int) -> Case:
    """Return a window, and limits at and next to what each of its channels does."""
    columns = [any_channel(rng, dtype, frames) for _ in range(channels)]
    limits = [[any_limits(rng, column) for column in columns] for _ in range(times)]
    return Case(np.stack(columns, axis=1), limits)


def any_channel(rng: np.random.Generator, dtype: type, frames: int) -> np.ndarray:
    """Return noise of any loudness, mostly clipped at rails, and often held for a while at one value."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    if rng.random() < 0.1:
        return rng.choice([low, high, 0], frames).astype(dtype)
    counts = rng.normal(0, 2.0 ** rng.uniform(-1, np.iinfo(dtype).bits), frames) + rng.choice([0, low / 2, high])
    hold = rng.integers(1, 9)
    held = counts[np.arange(frames) // hold * hold] if rng.random() < 0.5 else counts
    return np.clip(np.rint(held), low, high).astype(dtype)


def any_limits(rng: np.random.Generator, counts: np.ndarray) -> Limits:
    """Return limits of which each is what the counts come to, or one more, or one less."""
    rail_low, rail_high = sorted(int(count) for count in rng.choice(counts, 2))
    rail_high = max(rail_high, rail_low + 1)
    shift = int(rng.integers(0, 17)) if rng.random() < 0.3 else 0 if counts.itemsize == 2 else 16
    rails = Limits(*(NO_LIMITS.low, NO_LIMITS.high, rail_low, rail_high, *[LARGEST] * 3, shift, 0, LARGEST))
    low, high, *most, spread = rails.measure(counts[np.newaxis])[0].tolist()
    saturated, same, jump = (_near(rng, value, 0, LARGEST) for value in most)
    variance = [_near(rng, spread // len(counts) ** 2, 0, LARGEST) for _ in range(2)]
    return Limits(
        _near(rng, low, NO_LIMITS.low, NO_LIMITS.high),
        _near(rng, high, NO_LIMITS.low, NO_LIMITS.high),
        rail_low,
        rail_high,
        saturated,
        same,
        jump,
        shift,
        *sorted(variance),
    )


def _near(rng: np.random.Generator, value: int, least: int, most: int) -> int:
    return min(max(value + int(rng.integers(-1, 2)), least), most)
