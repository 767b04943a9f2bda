"""Scalers: from the distribution of the training counts to the affine part of the preprocess contract.

A scaler is a function of a channel's count histogram; add one here and to `stages/core/schema/features.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.dsp.contract import ChannelScale
from stages.core.errors import RecordingError
from stages.core.schema.features import RobustScaler

#: Differences of two int16 values and a mean stay inside this range.
_RANGE = 2**17
_FULL_CODE = 127


@dataclass(frozen=True)
class Histogram:
    """How often each count occurs in a channel; exact, and of constant size however long the recordings.

    Attributes
    ----------
    counts : ndarray of int64, shape (2**18,)
        Occurrences of the values ``-2**17 .. 2**17 - 1``.
    """

    counts: NDArray[np.int64]

    @classmethod
    def empty(cls) -> Histogram:
        """Return a histogram of nothing."""
        return cls(np.zeros(2 * _RANGE, dtype=np.int64))

    def add(self, values: NDArray[np.int32]) -> None:
        """Count some values."""
        self.counts[:] += np.bincount(values.ravel() + _RANGE, minlength=2 * _RANGE)

    def quantile(self, fraction: float) -> int:
        """Return the smallest value that at least `fraction` of the values do not exceed."""
        cumulative = np.cumsum(self.counts)
        return int(np.searchsorted(cumulative, fraction * cumulative[-1])) - _RANGE


def fit_scaler(scaler: RobustScaler, histogram: Histogram, channel: str) -> ChannelScale:
    """Fit one channel.

    Parameters
    ----------
    scaler : RobustScaler
    histogram : Histogram
        Of healthy training windows, after the contract's DC removal.
    channel : str
        Named in an error.

    Raises
    ------
    RecordingError
        If the healthy signal does not vary.
    """
    return robust(histogram, scaler.span_iqr, channel)


def robust(histogram: Histogram, span_iqr: float, channel: str) -> ChannelScale:
    """Centre on the median; let code 127 stand for `span_iqr` interquartile ranges."""
    lower, median, upper = (histogram.quantile(fraction) for fraction in (0.25, 0.5, 0.75))
    if upper == lower:
        raise RecordingError(
            found="the healthy training signal has an interquartile range of 0 counts",
            where=f"channel {channel!r}",
            expected="a signal that varies by at least one count",
            remedy="Check the sensor's range and wiring, or leave the channel out",
        )
    return ChannelScale.from_real(median, _FULL_CODE / (span_iqr * (upper - lower)))
