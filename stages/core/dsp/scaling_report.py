"""What a scaler costs: how much of the normal band and of events survives the step to 256 codes.

Everything is computed from exact histograms of values and from each event window's extremes; codes need not be kept.
For this, every code stands for the middle of the values that it covers. The two end codes, open outwards, count as wide
as their neighbours; values beyond that are clipped.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from stages.core.dsp.contract import Code, Program, Values
from stages.core.dsp.histogram import Histogram
from stages.core.dsp.scalers import Column, fit_codes, mean_and_variance
from stages.core.errors import RecordingError
from stages.core.schema.features import (
    Features,
    LogScaler,
    MinmaxScaler,
    PercentileScaler,
    QuantileScaler,
    RobustScaler,
    Scaler,
    TwoStageScaler,
    ZscoreScaler,
)

#: The normal band: the central 98 % of the healthy values of a column.
BAND = (0.01, 0.99)
#: Which way each cost is better.
_GOOD = {
    "distinct_codes": "high",
    "band_sqnr_db": "high",
    "events_sqnr_db": "high",
    "healthy_clipped": "low",
    "events_clipped": "low",
    "order_kept": "high",
}


@dataclass(frozen=True)
class Cost:
    """What one column loses to a scaler. Where a column has two codes, the fine one serves the band, the coarse events.

    Attributes
    ----------
    distinct_codes : int
        Used by the normal band.
    band_sqnr_db, events_sqnr_db : float or None
        Variance over mean squared error, of the normal band and of all values in event windows. None: no error at all,
        or no events.
    healthy_clipped, events_clipped : float
        Shares of the values.
    order_kept : float or None
        Kendall's tau-b between the largest distance of an event window's values from the healthy median and the
        largest distance of its codes from the median's code: 1 if stronger events always have a higher code. 0 if all
        have one code; None if there are not two different events.
    """

    distinct_codes: int
    band_sqnr_db: float | None
    events_sqnr_db: float | None
    healthy_clipped: float
    events_clipped: float
    order_kept: float | None


@dataclass(frozen=True)
class Candidate:
    """A scaler, fitted and measured.

    Attributes
    ----------
    kind : str
    codes : tuple of Code
    costs : dict of str to Cost
        By column.
    """

    kind: str
    codes: tuple[Code, ...]
    costs: dict[str, Cost]


def compare(features: Features, columns: list[Column], peaks: Values) -> list[Candidate]:
    """Fit every scaler with default parameters, but the chosen one as configured, and measure what each costs.

    Parameters
    ----------
    features : Features
    columns : list of Column
    peaks : ndarray of int32 or int64, shape (event windows, columns, 2)
        Smallest and largest value of each.

    Returns
    -------
    list of Candidate
        Those that can be fitted to every column.
    """
    candidates = []
    for scaler in _every_scaler(features):
        try:
            codes = fit_codes(scaler, columns)
        except RecordingError:
            continue
        candidates.append(Candidate(scaler.kind, codes, column_costs(codes, columns, peaks)))
    return candidates


def _every_scaler(features: Features) -> list[Scaler]:
    defaults: list[Scaler] = [
        MinmaxScaler(kind="minmax"),
        ZscoreScaler(kind="zscore"),
        RobustScaler(kind="robust"),
        PercentileScaler(kind="percentile"),
        LogScaler(kind="log"),
        QuantileScaler(kind="quantile"),
        *([TwoStageScaler(kind="two_stage")] if features.in_counts else []),
    ]
    return [features.scaler if scaler.kind == features.scaler.kind else scaler for scaler in defaults]


def worst_column(costs: dict[str, Cost]) -> str:
    """Name the column whose normal band keeps the fewest codes."""
    return min(costs, key=lambda name: costs[name].distinct_codes)


def worst_costs(costs: dict[str, Cost]) -> dict[str, float]:
    """Take the worst value over the columns of each cost; what no column has is left out."""
    worst = {}
    for key, best_is in _GOOD.items():
        values = [value for cost in costs.values() if (value := getattr(cost, key)) is not None]
        if values:
            worst[key] = float(min(values) if best_is == "high" else max(values))
    return worst


def band_and_event_codes(
    candidate: Candidate, columns: list[Column], name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count a column's healthy values in its (fine) codes and its events in its (coarse) codes, shape (256,) each."""
    source = [column.name for column in columns].index(name)
    programs = [code.program for code in candidate.codes if code.source == source]
    column = columns[source]
    return code_histogram(programs[0], column.healthy), code_histogram(programs[-1], column.events)


def report(chosen: str, candidates: list[Candidate], columns: list[Column]) -> dict[str, Any]:
    """Say what the chosen scaler does to every column, beside what the others would have done.

    Returns
    -------
    dict
        ``scaler``; ``costs`` by scaler and column; ``code_histograms`` of the chosen scaler, of healthy and of event
        windows, from code -128 to code 127.
    """
    used = {candidate.kind: candidate for candidate in candidates}[chosen].codes
    histograms = {
        code.name: {
            "healthy": code_histogram(code.program, columns[code.source].healthy).tolist(),
            "events": code_histogram(code.program, columns[code.source].events).tolist(),
        }
        for code in used
    }
    costs = {candidate.kind: {name: asdict(cost) for name, cost in candidate.costs.items()} for candidate in candidates}
    return {"scaler": chosen, "costs": costs, "code_histograms": histograms}


def column_costs(codes: tuple[Code, ...], columns: list[Column], peaks: Values) -> dict[str, Cost]:
    """Measure fitted codes, column by column."""
    costs = {}
    for source, column in enumerate(columns):
        programs = [code.program for code in codes if code.source == source]
        costs[column.name] = cost(programs[0], programs[-1], column, peaks[:, source])
    return costs


def cost(fine: Program, coarse: Program, column: Column, peaks: Values) -> Cost:
    """Measure the programs of one column; twice the same one where it has one code.

    Parameters
    ----------
    fine, coarse : Affine or Table
    column : Column
    peaks : ndarray of int32 or int64, shape (event windows, 2)
        Smallest and largest value of each.
    """
    band = column.healthy.between(*(column.healthy.quantile(fraction) for fraction in BAND))
    return Cost(
        distinct_codes=int(np.count_nonzero(code_histogram(fine, band))),
        band_sqnr_db=_sqnr_db(fine, band),
        events_sqnr_db=_sqnr_db(coarse, column.events),
        healthy_clipped=_clipped(fine, column.healthy),
        events_clipped=_clipped(coarse, column.events),
        order_kept=_order_kept(coarse, column.healthy.quantile(0.5), peaks),
    )


def code_histogram(program: Program, histogram: Histogram) -> NDArray[np.int64]:
    """Count how often each code from -128 to 127 occurs, shape (256,)."""
    places = program.codes(histogram.values).astype(np.int64) + 128
    counts = np.zeros(256, dtype=np.int64)
    np.add.at(counts, places, histogram.counts)
    return counts


def _cells(program: Program) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the last value that each code stands for, shape (256,) each."""
    edges = program.edges()
    below, above = max(int(edges[1] - edges[0]), 1), max(int(edges[-1] - edges[-2]), 1)
    return np.concatenate([[edges[0] - below], edges]), np.concatenate([edges, [edges[-1] + above]]) - 1


def _sqnr_db(program: Program, histogram: Histogram) -> float | None:
    if not histogram.total:
        return None
    first, last = _cells(program)
    values = histogram.values
    codes = program.codes(values).astype(np.int64) + 128
    # Twice the error is an integer, so the sum of its squares is exact; a square may need more than 64 bits.
    twice = (2 * values - (first + last)[codes]).tolist()
    noise = sum(n * error**2 for n, error in zip(histogram.counts.tolist(), twice, strict=True)) / (4 * histogram.total)
    variance = mean_and_variance(histogram)[1]
    return 10 * math.log10(variance / noise) if noise and variance else None


def _clipped(program: Program, histogram: Histogram) -> float:
    first, last = _cells(program)
    beyond = (histogram.values < first[0]) | (histogram.values > last[-1])
    return float(histogram.counts[beyond].sum() / max(histogram.total, 1))


def _order_kept(program: Program, median: int, peaks: Values) -> float | None:
    strength = np.abs(peaks.astype(np.int64) - median).max(axis=1, initial=0)
    if len(np.unique(strength)) < 2:
        return None
    centre = program.codes(np.array(median, dtype=np.int64)).astype(np.int64)
    # A program never falls, so the extreme codes of a window are those of its extreme values.
    height = np.abs(program.codes(peaks).astype(np.int64) - centre).max(axis=1)
    return float(kendalltau(strength, height).statistic) if len(np.unique(height)) > 1 else 0.0
