"""Whether a window's counts can be from a sensor that works: the model of ``firmware/runtime/fault.c``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from stages.core.runtime.spread import spreads

#: What the gate looks at in a channel of a window: the columns of `Limits.measure`.
MEASURES = ("min", "max", "saturated", "same", "jump", "spread")


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

    def measure(self, counts: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return what a channel does in each window.

        Parameters
        ----------
        counts : ndarray of int, shape (windows, window)

        Returns
        -------
        ndarray of int64, shape (windows, measures)
            In the order of `MEASURES`: the runs at a rail and of equal counts are the longest, the jump the largest.
        """
        wide = counts.astype(np.int64)
        steps = np.diff(wide, axis=1)
        columns = [
            wide.min(axis=1),
            wide.max(axis=1),
            longest_run((wide <= self.rail_low) | (wide >= self.rail_high)),
            longest_run(steps == 0) + 1,
            np.abs(steps).max(axis=1, initial=0),
            spreads(wide, self.variance_shift),
        ]
        return np.stack(columns, axis=1)

    def causes(self, counts: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return what is wrong with a channel's counts in each window, as bits of `Cause`.

        Parameters
        ----------
        counts : ndarray of int, shape (windows, window)

        Returns
        -------
        ndarray of int64, shape (windows,)
        """
        low, high, saturated, same, jump, scaled = self.measure(counts).T
        squared = counts.shape[1] ** 2
        found = {
            Cause.RANGE: (low < self.low) | (high > self.high),
            Cause.SATURATION: saturated > self.max_saturated,
            Cause.STUCK: same > self.max_same,
            Cause.JUMP: jump > self.max_jump,
            Cause.VARIANCE: (scaled < self.min_variance * squared) | (scaled > self.max_variance * squared),
        }
        return np.asarray(sum(is_found * int(cause) for cause, is_found in found.items()))


def longest_run(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the length of the longest run of true values in each row, shape (rows,)."""
    places = np.arange(1, flags.shape[1] + 1)
    broken = np.maximum.accumulate(np.where(flags, 0, places), axis=1)
    return np.asarray((places - broken).max(axis=1, initial=0))


def causes_of(limits: Sequence[Limits], windows: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return what is wrong with any channel of each window.

    Parameters
    ----------
    limits : sequence of Limits
        Per channel; none leaves the gate out.
    windows : ndarray of int, shape (windows, window, channels)

    Returns
    -------
    ndarray of int64, shape (windows,)
        Bits of `Cause`.
    """
    causes = np.zeros(len(windows), dtype=np.int64)
    for channel, each in enumerate(limits):
        causes |= each.causes(windows[:, :, channel])
    return causes


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
        return self.end(int(causes_of(self.limits, window[np.newaxis])[0]), missed, ticks)

    def end(self, of_counts: int, missed: int, ticks: int) -> Cause:
        """Return the causes of a window of whose counts `causes_of` is known already; parameters as of `judge`."""
        causes = Cause(of_counts)
        if missed > self.timing.max_missed:
            causes |= Cause.GAP
        if missed == 0 and not self.timing.min_ticks <= ticks <= self.timing.max_ticks:
            causes |= Cause.TIMING
        self.windows += 1
        self.unknown += bool(causes)
        for cause in causes:
            self.counts[cause] += 1
        return causes
