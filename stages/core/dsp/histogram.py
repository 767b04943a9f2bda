"""Exact histograms of integers that add up in any order: as long as the values are different, not as they are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import RecordingError

#: Values within a range of this are counted in an array over the range, which takes less time than to sort them.
_DENSE_RANGE = 2**19
#: The most different values, of 16 bytes each.
_MOST_DISTINCT = 2**22


@dataclass(frozen=True)
class Histogram:
    """How often each value occurs.

    Attributes
    ----------
    values : ndarray of int64, shape (distinct values,)
        Ascending.
    counts : ndarray of int64, shape (distinct values,)
        At least 1 each.
    """

    values: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[np.signedinteger[Any]]) -> Histogram:
        """Count values, below ``2**32`` in magnitude and of any shape.

        Raises
        ------
        RecordingError
            If more than ``2**22`` of them are different.
        """
        if values.size == 0:
            return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
        low = values.min()
        if int(values.max()) - int(low) < _DENSE_RANGE:
            return cls._over_range(int(low), np.bincount((values - low).ravel()))
        return cls._bounded(*np.unique(values.astype(np.int64), return_counts=True))

    def __add__(self, other: Histogram) -> Histogram:
        """Count the values of both.

        Raises
        ------
        RecordingError
            If more than ``2**22`` of them are different.
        """
        if not len(self.values) or not len(other.values):
            return self if len(self.values) else other
        low, high = min(self.low, other.low), max(self.high, other.high)
        if high - low < _DENSE_RANGE:
            counts = np.zeros(high - low + 1, dtype=np.int64)
            for each in (self, other):
                counts[each.values - low] += each.counts
            return self._over_range(low, counts)
        values, places = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        counts = np.zeros(len(values), dtype=np.int64)
        np.add.at(counts, places, np.concatenate([self.counts, other.counts]))
        return self._bounded(values, counts)

    @classmethod
    def _over_range(cls, low: int, counts: NDArray[np.int64]) -> Histogram:
        """Keep what occurs of the values from `low` on."""
        occurring = np.flatnonzero(counts)
        return cls(occurring + low, counts[occurring].astype(np.int64))

    @classmethod
    def _bounded(cls, values: NDArray[np.int64], counts: NDArray[np.int64]) -> Histogram:
        if len(values) > _MOST_DISTINCT:
            raise RecordingError(
                found=f"a channel has {len(values)} different values in training windows",
                where="the statistics that scalers are fitted on",
                expected=f"at most {_MOST_DISTINCT}, which are counted one by one",
                remedy="Give the column a coarser resolution in capture.columns",
            )
        return cls(values, counts)

    @property
    def low(self) -> int:
        """The smallest value."""
        return int(self.values[0])

    @property
    def high(self) -> int:
        """The largest value."""
        return int(self.values[-1])

    @property
    def total(self) -> int:
        """Number of values counted."""
        return int(self.counts.sum())

    def quantile(self, fraction: float) -> int:
        """Return the smallest value that at least `fraction` of the values do not exceed."""
        cumulative = np.cumsum(self.counts)
        return int(self.values[np.searchsorted(cumulative, fraction * cumulative[-1])])

    def between(self, low: int, high: int) -> Histogram:
        """Return the part from `low` to `high`, both included."""
        inside = slice(*np.searchsorted(self.values, [low, high + 1]))
        return Histogram(self.values[inside], self.counts[inside])
