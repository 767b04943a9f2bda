"""Scalers: from the distribution of a column's training values to the program that makes its codes.

A scaler is a function of exact histograms; add one here and to `stages/core/schema/features.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from stages.core.dsp.contract import N_BREAKPOINTS, Affine, Code, Program, Table
from stages.core.dsp.histogram import Histogram
from stages.core.errors import RecordingError
from stages.core.schema.features import (
    LogScaler,
    MinmaxScaler,
    PercentileScaler,
    QuantileScaler,
    RobustScaler,
    Scaler,
    TwoStageScaler,
    ZscoreScaler,
)

_FULL_CODE = 127
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Column:
    """What a scaler may know of one column of the extractor's output.

    Attributes
    ----------
    name : str
    healthy : Histogram
        Values in training windows of class 0.
    events : Histogram
        Values in training windows of every other class.
    limit : int
        No value is larger in magnitude, ever.
    full_scale : int
        Counts at the end of the sensor's range; read by two_stage alone.
    """

    name: str
    healthy: Histogram
    events: Histogram
    limit: int
    full_scale: int


def fit_codes(scaler: Scaler, columns: list[Column]) -> tuple[Code, ...]:
    """Fit every column.

    Parameters
    ----------
    scaler : Scaler
        Section `features.scaler`.
    columns : list of Column
        In the order of the extractor's output.

    Returns
    -------
    tuple of Code
        One per column, or two beside each other with scaler two_stage.

    Raises
    ------
    RecordingError
        If the training values of a column do not vary.
    """
    codes: list[Code] = []
    for source, column in enumerate(columns):
        if isinstance(scaler, TwoStageScaler):
            codes.append(Code(f"{column.name}_fine", source, _fit(scaler.fine, column)))
            codes.append(Code(f"{column.name}_coarse", source, _coarse(column)))
        else:
            codes.append(Code(column.name, source, _fit(scaler, column)))
    return tuple(codes)


def _fit(scaler: Scaler, column: Column) -> Program:
    match scaler:
        case RobustScaler():
            return _robust(column, scaler.span_iqr)
        case MinmaxScaler():
            both = column.healthy + column.events
            return _between(column, both.low, both.high, "range")
        case PercentileScaler():
            low, high = (column.healthy.quantile(fraction) for fraction in (scaler.low, scaler.high))
            return _between(column, low, high, f"range from quantile {scaler.low:g} to {scaler.high:g}")
        case ZscoreScaler():
            return _zscore(column, scaler.span_sigma)
        case LogScaler():
            return _log(column, scaler.knee_iqr)
        case QuantileScaler():
            return _quantile(column)
        case _:
            raise TypeError(f"{type(scaler).__name__} has no fit")


def _robust(column: Column, span_iqr: float) -> Affine:
    """Centre on the median; let code 127 stand for `span_iqr` interquartile ranges."""
    lower, median, upper = map(column.healthy.quantile, _QUARTILES)
    _require_spread(upper - lower, "interquartile range", column)
    return Affine.from_real(median, _FULL_CODE / (span_iqr * (upper - lower)), column.limit)


def _between(column: Column, low: int, high: int, what: str) -> Affine:
    """Give `low` the code -128 and `high` the code 127."""
    _require_spread(high - low, what, column)
    offset = round(low + (high - low) * 128 / 255)
    return Affine.from_real(offset, 255 / (high - low), column.limit)


def _zscore(column: Column, span_sigma: float) -> Affine:
    """Centre on the mean; let code 127 stand for `span_sigma` standard deviations."""
    mean, variance = mean_and_variance(column.healthy)
    _require_spread(variance, "variance", column)
    return Affine.from_real(round(mean), _FULL_CODE / (span_sigma * math.sqrt(variance)), column.limit)


def mean_and_variance(histogram: Histogram) -> tuple[float, float]:
    """Compute both from exact sums, so that the order of recordings cannot matter."""
    weights = list(zip(histogram.counts.tolist(), histogram.values.tolist(), strict=True))
    n, s1, s2 = histogram.total, sum(w * v for w, v in weights), sum(w * v * v for w, v in weights)
    return s1 / n, (n * s2 - s1 * s1) / (n * n)


def _log(column: Column, knee_iqr: float) -> Table:
    """Let code ``127 g(v - median) / g(largest)`` stand for v, with ``g(u) = sign(u) log(1 + |u| / knee)``.

    Code k begins where the unrounded code is ``k - 1/2``: at ``|u| = knee ((1 + largest / knee)**|t| - 1)`` with
    ``t = (k - 1/2) / 127``. Decimal arithmetic gives the same breakpoint on every machine.
    """
    lower, median, upper = map(column.healthy.quantile, _QUARTILES)
    both = column.healthy + column.events
    largest = max(both.high - median, median - both.low)
    _require_spread(largest, "range", column)
    knee = Decimal(knee_iqr) * max(upper - lower, 1)
    growth = 1 + largest / knee
    starts = []
    for code in range(-127, 128):
        t = Decimal(2 * code - 1) / (2 * _FULL_CODE)
        distance = knee * (growth ** abs(t) - 1)
        starts.append(math.ceil(median + (distance if t > 0 else -distance)))
    return _table(starts)


def _quantile(column: Column) -> Table:
    """Let a value's code be its rank among all training values; equal values share the middle of their ranks."""
    both = column.healthy + column.events
    _require_spread(both.high - both.low, "range", column)
    below = np.cumsum(both.counts) - both.counts
    rank = (256 * (2 * below + both.counts)) // (2 * both.total)
    # A value that never occurred takes the rank of the next smaller one that did.
    first = np.searchsorted(rank, np.arange(1, N_BREAKPOINTS + 1))
    return _table(np.append(both.values, both.high + 1)[first].tolist())


def _table(starts: list[int]) -> Table:
    """Keep breakpoints that no count reaches within int32."""
    return Table(tuple(min(max(start, -(2**31)), 2**31 - 1) for start in starts))


def _coarse(column: Column) -> Affine:
    """Let code 127 stand for the sensor's full scale, so that no impact within its range saturates."""
    return Affine.from_real(0, _FULL_CODE / column.full_scale, column.limit)


def _require_spread(spread: float, what: str, column: Column) -> None:
    if not spread:
        raise RecordingError(
            found=f"the training values that set the scale have a {what} of 0 counts",
            where=f"channel {column.name!r}",
            expected="a signal that varies by at least one count",
            remedy="Check the sensor's range and wiring, leave the channel out, or choose another features.scaler",
        )
