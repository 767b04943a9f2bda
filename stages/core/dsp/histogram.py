"""Exact histograms of integers, of constant size however long the recordings, that add up in any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Histogram:
    """How often each value occurs.

    Attributes
    ----------
    low : int
        The value that the first entry counts.
    counts : ndarray of int64, shape (highest value - low + 1,)
        Its first and last entry are not zero, unless it is empty.
    """

    low: int
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.int32]) -> Histogram:
        """Count values, below ``2**17`` in magnitude and of any shape."""
        if values.size == 0:
            return cls(0, np.zeros(0, dtype=np.int64))
        low = int(values.min())
        return cls(low, np.bincount((values - np.int32(low)).ravel()).astype(np.int64))

    def __add__(self, other: Histogram) -> Histogram:
        """Count the values of both."""
        if not len(self.counts) or not len(other.counts):
            return self if len(self.counts) else other
        low, high = min(self.low, other.low), max(self.high, other.high)
        counts = np.zeros(high - low + 1, dtype=np.int64)
        for each in (self, other):
            counts[each.low - low : each.high - low + 1] += each.counts
        return Histogram(low, counts)

    @property
    def high(self) -> int:
        """The largest value."""
        return self.low + len(self.counts) - 1

    @property
    def total(self) -> int:
        """Number of values counted."""
        return int(self.counts.sum())

    @property
    def values(self) -> NDArray[np.int64]:
        """The value that each entry counts."""
        return np.arange(self.low, self.low + len(self.counts), dtype=np.int64)

    def quantile(self, fraction: float) -> int:
        """Return the smallest value that at least `fraction` of the values do not exceed."""
        cumulative = np.cumsum(self.counts)
        return int(np.searchsorted(cumulative, fraction * cumulative[-1])) + self.low

    def between(self, low: int, high: int) -> Histogram:
        """Return the part from `low` to `high`, both included and both inside the histogram."""
        return Histogram(low, self.counts[low - self.low : high - self.low + 1])
