"""What the scalers are fitted on: exact statistics of training windows that add up batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.dsp.contract import Preprocess, Raw, Values, Windows, values
from stages.core.dsp.histogram import Histogram
from stages.core.dsp.scalers import Column


@dataclass(frozen=True)
class Statistics:
    """Of some windows, column by column of the extractor's output.

    Attributes
    ----------
    healthy, events : tuple of Histogram
        Values in windows of class 0, and in windows of every other class.
    peaks : ndarray of int32 or int64, shape (event windows, columns, 2)
        Smallest and largest value of each window of every other class.
    """

    healthy: tuple[Histogram, ...]
    events: tuple[Histogram, ...]
    peaks: Values

    def columns(self, contract: Preprocess, full_scales: Sequence[int]) -> list[Column]:
        """Return the columns as scalers take them, with the full scale of each channel in counts."""
        # Where columns are no channels, no scaler reads the full scale.
        of_column = full_scales if isinstance(contract.extractor, Raw) else [max(full_scales)] * len(self.healthy)
        named = zip(contract.columns, self.healthy, self.events, of_column, strict=True)
        return [Column(*each[:3], limit=contract.value_limit, full_scale=each[3]) for each in named]


def measure(contract: Preprocess, windows: Windows, labels: NDArray[np.int8]) -> Statistics:
    """Measure some windows.

    Parameters
    ----------
    contract : Preprocess
        Its codes are not read.
    windows : ndarray of int16 or int32, shape (windows, length, channels)
    labels : ndarray of int8, shape (windows,)
        Class; 0 is healthy.
    """
    features = values(contract, windows)
    healthy, events = features[labels == 0], features[labels > 0]
    columns = range(features.shape[2])
    return Statistics(
        tuple(Histogram.of(healthy[:, :, column]) for column in columns),
        tuple(Histogram.of(events[:, :, column]) for column in columns),
        np.stack([events.min(axis=1), events.max(axis=1)], axis=-1),
    )


def total(parts: Iterable[Statistics]) -> Statistics:
    """Add up at least one part; histograms do not grow with the number of parts."""
    healthy: tuple[Histogram, ...] = ()
    events: tuple[Histogram, ...] = ()
    peaks = []
    for part in parts:
        healthy = _added(healthy, part.healthy)
        events = _added(events, part.events)
        peaks.append(part.peaks)
    return Statistics(healthy, events, np.concatenate(peaks))


def _added(some: tuple[Histogram, ...], more: tuple[Histogram, ...]) -> tuple[Histogram, ...]:
    return tuple(a + b for a, b in zip(some, more, strict=True)) if some else more
