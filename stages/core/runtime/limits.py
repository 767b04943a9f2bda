"""The fault gate's limits, from what training windows do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ConfigError
from stages.core.runtime.fault import MEASURES, NO_LIMITS, Limits
from stages.core.runtime.spread import MAX_SHIFT

#: The least and the largest count of a channel.
Rails = tuple[int, int]


def unlimited(rails: Rails) -> Limits:
    """Return limits that every window of a sensor keeps, to measure with."""
    excess = (rails[1] - rails[0]).bit_length() - 16
    return replace(NO_LIMITS, rail_low=rails[0], rail_high=rails[1], variance_shift=min(max(excess, 0), MAX_SHIFT))


def measure(windows: NDArray[np.integer], rails: Sequence[Rails]) -> NDArray[np.int64]:
    """Return what the fault gate looks at, for windows that may be a batch of many.

    Parameters
    ----------
    windows : ndarray of int, shape (windows, window, channels)
        Counts.
    rails : sequence of (int, int)
        Per channel.

    Returns
    -------
    ndarray of int64, shape (windows, channels, measures)
        In the order of `MEASURES`.
    """
    channels = (unlimited(each).measure(windows[:, :, channel]) for channel, each in enumerate(rails))
    return np.stack(list(channels), axis=1)


def fit_limits(
    measures: NDArray[np.int64], rails: Sequence[Rails], window: int, *, quantile: float, headroom: float
) -> tuple[Limits, ...]:
    """Return limits that a share of the windows keeps, widened.

    Parameters
    ----------
    measures : ndarray of int64, shape (windows, channels, measures)
        Of windows of the training split, and of no other.
    rails : sequence of (int, int)
        As measured with.
    window : int
        Counts of a channel in a window.
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
            found="there are no windows to take the fault gate's limits from",
            where="the training split",
            expected="at least one window",
            remedy="Put a session into the training split, or set `runtime.fault_gate: null`",
        )
    least = np.quantile(measures, 1 - quantile, axis=0, method="lower")
    most = np.quantile(measures, quantile, axis=0, method="higher")
    return tuple(
        _limits(dict(zip(MEASURES, low, strict=True)), dict(zip(MEASURES, high, strict=True)), each, window, headroom)
        for low, high, each in zip(least.tolist(), most.tolist(), rails, strict=True)
    )


def _limits(least: dict[str, int], most: dict[str, int], rails: Rails, window: int, headroom: float) -> Limits:
    middle, half = (least["min"] + most["max"]) / 2, (most["max"] - least["min"]) / 2 * headroom
    saturated, same, jump, variance = (
        min(math.ceil(value * headroom), NO_LIMITS.max_jump)
        for value in (most["saturated"], most["same"], most["jump"], most["spread"] / window**2)
    )
    return replace(
        unlimited(rails),
        low=max(math.floor(middle - half), rails[0]),
        high=min(math.ceil(middle + half), rails[1]),
        max_saturated=saturated,
        max_same=same,
        max_jump=jump,
        min_variance=math.floor(least["spread"] / window**2 / headroom),
        max_variance=variance,
    )
