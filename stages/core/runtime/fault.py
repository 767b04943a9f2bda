"""Whether a window's counts can be from a sensor that works: the model of ``firmware/runtime/fault.c``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from stages.core.runtime.spread import spread


class Cause(IntFlag):
    """Why a window is UNKNOWN."""

    RANGE = 1
    SATURATION = 2
    STUCK = 4
    JUMP = 8
    VARIANCE = 16
    GAP = 32
    TIMING = 64


@dataclass(frozen=True)
class Limits:
    """What one channel may do within a window; beyond any of it is a fault.

    Attributes
    ----------
    low, high : int
        Counts.
    rail_low, rail_high : int
        Counts at which the sensor saturates.
    max_saturated, max_same : int
        Counts in a row, at a rail or beyond, and equal to each other.
    max_jump : int
        Counts between neighbours.
    variance_shift : int
        Bits to drop before the variance.
    min_variance, max_variance : int
        Counts squared, after the shift.
    """

    low: int
    high: int
    rail_low: int
    rail_high: int
    max_saturated: int
    max_same: int
    max_jump: int
    variance_shift: int
    min_variance: int
    max_variance: int

    def causes(self, counts: NDArray[np.integer]) -> Cause:
        """Return what is wrong with a channel's counts, shape (window,)."""
        values = [int(count) for count in counts]
        at_rail = [value <= self.rail_low or value >= self.rail_high for value in values]
        saturated = max((len(list(run)) for rail, run in groupby(at_rail) if rail), default=0)
        same = max(len(list(run)) for _, run in groupby(values))
        scaled, squared = spread(values, self.variance_shift), len(values) ** 2
        found = {
            Cause.RANGE: min(values) < self.low or max(values) > self.high,
            Cause.SATURATION: saturated > self.max_saturated,
            Cause.STUCK: same > self.max_same,
            Cause.JUMP: max((abs(b - a) for a, b in pairwise(values)), default=0) > self.max_jump,
            Cause.VARIANCE: not self.min_variance * squared <= scaled <= self.max_variance * squared,
        }
        return Cause(sum(cause for cause, is_found in found.items() if is_found))


#: What every window keeps.
NO_LIMITS = Limits(-(2**31), 2**31 - 1, -(2**31), 2**31 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1, 0, 0, 2**32 - 1)


@dataclass(frozen=True)
class Timing:
    """What may happen between two windows.

    Attributes
    ----------
    max_missed : int
        Frames.
    min_ticks, max_ticks : int
        By any clock, where nothing is missing.
    """

    max_missed: int
    min_ticks: int
    max_ticks: int


@dataclass
class FaultGate:
    """Judges windows and counts causes.

    Attributes
    ----------
    limits : sequence of Limits
        Per channel.
    timing : Timing
    windows, unknown : int
        All of them, and those with any cause.
    counts : dict of Cause to int
        Windows per cause.
    """

    limits: Sequence[Limits]
    timing: Timing
    windows: int = 0
    unknown: int = 0
    counts: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(Cause, 0))

    def judge(self, window: NDArray[np.integer], missed: int, ticks: int) -> Cause:
        """Return the causes of a window, none if it is valid.

        Parameters
        ----------
        window : ndarray of int, shape (window, channels)
        missed : int
            Frames missed before it.
        ticks : int
            From the window before to this one.
        """
        causes = Cause(0)
        for limits, counts in zip(self.limits, window.T, strict=True):
            causes |= limits.causes(counts)
        if missed > self.timing.max_missed:
            causes |= Cause.GAP
        if missed == 0 and not self.timing.min_ticks <= ticks <= self.timing.max_ticks:
            causes |= Cause.TIMING
        self.windows += 1
        self.unknown += bool(causes)
        for cause in causes:
            self.counts[cause] += 1
        return causes
