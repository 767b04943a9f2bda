"""The fault gate's limits, from what healthy training windows do."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ConfigError
from stages.core.runtime.fault import Limits
from stages.core.runtime.spread import MAX_SHIFT, spread

_NONE = 2**32 - 1


def fit_limits(
    windows: NDArray[np.integer], rails: tuple[int, int], *, quantile: float, headroom: float
) -> tuple[Limits, ...]:
    """Return limits that a share of the windows keeps, widened.

    Parameters
    ----------
    windows : ndarray of int, shape (windows, window, channels)
        Counts of healthy windows of the training split, and of no other.
    rails : tuple of int
        The least and the largest count of the sensor.
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
    if not windows.size:
        raise ConfigError(
            found="there are no healthy windows to take the fault gate's limits from",
            where="the training split",
            expected="at least one window of the first class",
            remedy="Put a healthy session into the training split, or leave the fault gate out",
        )
    return tuple(_fit_channel(channel, rails, quantile, headroom) for channel in np.moveaxis(windows, 2, 0))


def _fit_channel(counts: NDArray[np.integer], rails: tuple[int, int], quantile: float, headroom: float) -> Limits:
    def most(values: NDArray[np.number], share: float = quantile) -> float:
        return float(np.quantile(values, share, method="higher" if share >= 0.5 else "lower"))

    counts = counts.astype(np.int64)
    shift = min(max((rails[1] - rails[0]).bit_length() - 16, 0), MAX_SHIFT)
    low, high = most(counts.min(axis=1), 1 - quantile), most(counts.max(axis=1))
    middle, half = (low + high) / 2, (high - low) / 2 * headroom
    jumps = np.abs(np.diff(counts, axis=1)).max(axis=1, initial=0)
    variances = np.array([spread(window.tolist(), shift) / counts.shape[1] ** 2 for window in counts])
    at_rail = (counts <= rails[0]) | (counts >= rails[1])
    return Limits(
        low=max(math.floor(middle - half), rails[0]),
        high=min(math.ceil(middle + half), rails[1]),
        rail_low=rails[0],
        rail_high=rails[1],
        max_saturated=_up(most(longest_run(at_rail)), headroom),
        max_same=_up(most(longest_run(np.diff(counts, axis=1) == 0) + 1), headroom),
        max_jump=_up(most(jumps), headroom),
        variance_shift=shift,
        min_variance=math.floor(most(variances, 1 - quantile) / headroom),
        max_variance=_up(most(variances), headroom),
    )


def longest_run(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the length of the longest run of true values in each row, shape (rows,)."""
    best = current = np.zeros(len(flags), dtype=np.int64)
    for column in flags.T:
        current = np.where(column, current + 1, 0)
        best = np.maximum(best, current)
    return best


def _up(value: float, headroom: float) -> int:
    return min(math.ceil(value * headroom), _NONE)
