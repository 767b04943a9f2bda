"""The fault gate's limits, from what healthy training windows do."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ConfigError
from stages.core.runtime.fault import Limits
from stages.core.runtime.spread import MAX_SHIFT, spread

_NONE = 2**32 - 1


#: What a window does, per channel: columns of `measure`.
MEASURES = ("min", "max", "longest_saturated", "longest_same", "largest_jump", "variance")


def measure(windows: NDArray[np.integer], rails: tuple[int, int]) -> NDArray[np.float64]:
    """Return what the fault gate looks at, for windows that may be a batch of many.

    Parameters
    ----------
    windows : ndarray of int, shape (windows, window, channels)
        Counts.
    rails : tuple of int
        The least and the largest count of the sensor.

    Returns
    -------
    ndarray of float64, shape (windows, channels, measures)
        In the order of `MEASURES`.
    """
    channels = [_measure_channel(channel.astype(np.int64), rails) for channel in np.moveaxis(windows, 2, 0)]
    return np.stack(channels, axis=1)


def fit_limits(
    measures: NDArray[np.float64], rails: tuple[int, int], *, quantile: float, headroom: float
) -> tuple[Limits, ...]:
    """Return limits that a share of the windows keeps, widened.

    Parameters
    ----------
    measures : ndarray of float64, shape (windows, channels, measures)
        Of healthy windows of the training split, and of no other.
    rails : tuple of int
        As measured with.
    quantile : float
        In [0.5, 1]: a limit is this quantile over the windows of the most that a window does; 1 is the most of all.
    headroom : float
        At least 1: what a limit is multiplied by, a least variance divided by, and the half width of the range
        multiplied by. The range stays within the rails.

    Returns
    -------
    tuple of Limits
        One per channel.

    Raises
    ------
    ConfigError
        If there are no windows.
    """
    if not len(measures):
        raise ConfigError(
            found="there are no healthy windows to take the fault gate's limits from",
            where="the training split",
            expected="at least one window of the first class",
            remedy="Put a healthy session into the training split, or leave the fault gate out",
        )
    least = np.quantile(measures, 1 - quantile, axis=0, method="lower")
    most = np.quantile(measures, quantile, axis=0, method="higher")
    return tuple(_limits(low, high, rails, headroom) for low, high in zip(least, most, strict=True))


def _shift(rails: tuple[int, int]) -> int:
    """Return how many bits of a difference of counts are more than 16."""
    return min(max((rails[1] - rails[0]).bit_length() - 16, 0), MAX_SHIFT)


def _measure_channel(counts: NDArray[np.int64], rails: tuple[int, int]) -> NDArray[np.float64]:
    steps = np.diff(counts, axis=1)
    columns = [
        counts.min(axis=1),
        counts.max(axis=1),
        longest_run((counts <= rails[0]) | (counts >= rails[1])),
        longest_run(steps == 0) + 1,
        np.abs(steps).max(axis=1, initial=0),
        [spread(window.tolist(), _shift(rails)) / counts.shape[1] ** 2 for window in counts],
    ]
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _limits(least: NDArray[np.float64], most: NDArray[np.float64], rails: tuple[int, int], headroom: float) -> Limits:
    low, high = least[MEASURES.index("min")], most[MEASURES.index("max")]
    middle, half = (low + high) / 2, (high - low) / 2 * headroom
    saturated, same, jump, variance = (min(math.ceil(value * headroom), _NONE) for value in most[2:])
    return Limits(
        low=max(math.floor(middle - half), rails[0]),
        high=min(math.ceil(middle + half), rails[1]),
        rail_low=rails[0],
        rail_high=rails[1],
        max_saturated=saturated,
        max_same=same,
        max_jump=jump,
        variance_shift=_shift(rails),
        min_variance=math.floor(least[MEASURES.index("variance")] / headroom),
        max_variance=variance,
    )


def longest_run(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the length of the longest run of true values in each row, shape (rows,)."""
    best = current = np.zeros(len(flags), dtype=np.int64)
    for column in flags.T:
        current = np.where(column, current + 1, 0)
        best = np.maximum(best, current)
    return best
