"""Metrics of a score distribution and of its anomalous tail, float against quantised.

Scores grow with suspicion; labels are 1 for anomalous; everything is window-level, over the windows given.

Every metric takes `weights`, how often each window counts: shape (windows,), or (resamples, windows) for one value per
resample, exactly as if each window were there as many times as its weight says. Left out, each counts once. What
cannot be computed is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Labels = NDArray[np.int8]
#: A float, or with weights of several resamples an array with a value for each.
Value = Any

#: Points that a slope is estimated from: all their pairs are compared.
_MAX_SLOPE_POINTS = 200
#: What lies near a threshold, in lengths of the reference's healthy tail.
_NEAR = 0.25
_HOUR_S = 3600.0


@dataclass(frozen=True)
class Roc:
    """The rates of every threshold, from one that flags nothing to one that flags everything.

    Attributes
    ----------
    fpr, tpr : ndarray of float64, shape (points,) or (resamples, points)
    healthy : int
        Healthy windows that it was measured on.
    """

    fpr: Real
    tpr: Real
    healthy: int


def roc(scores: Real, labels: Labels, weights: Real | None = None) -> Roc:
    """Return the ROC curve: a point for each distinct score, flagging the scores that are at least that."""
    order = np.argsort(-scores, kind="stable")
    ties_end = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    counted = _weights(weights, scores)[..., order]
    anomalous = labels[order] == 1
    return Roc(
        fpr=_share_so_far(np.where(anomalous, 0.0, counted), ties_end),
        tpr=_share_so_far(np.where(anomalous, counted, 0.0), ties_end),
        healthy=int(np.count_nonzero(labels == 0)),
    )


def auc(curve: Roc) -> Value:
    """Return the area under the ROC curve: the chance that an anomalous window outscores a healthy one."""
    return np.trapezoid(curve.tpr, curve.fpr, axis=-1)


def partial_auc(curve: Roc, max_fpr: float) -> Value:
    """Return the area left of `max_fpr`, standardised: 0.5 is guessing, 1 is perfect, at any `max_fpr`.

    ``(1 + (A - g) / (max_fpr - g)) / 2`` with `A` the area and ``g = max_fpr**2 / 2`` that of guessing; the curve
    is linear between its points. NaN with fewer than ``1 / max_fpr`` healthy windows.

    References
    ----------
    D. K. McClish, "Analyzing a portion of the ROC curve", Medical Decision Making 9 (1989), 190-195.
    """
    if _too_few(curve, max_fpr):
        return np.full(curve.fpr.shape[:-1], np.nan)[()]
    width, height = np.diff(curve.fpr), np.diff(curve.tpr)
    inside = np.clip((max_fpr - curve.fpr[..., :-1]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
    area = (width * inside * (curve.tpr[..., :-1] + height * inside / 2)).sum(axis=-1)
    guessing = max_fpr**2 / 2
    return (1 + (area - guessing) / (max_fpr - guessing)) / 2


def tpr_at_fpr(scores: Real, labels: Labels, max_fpr: float, weights: Real | None = None) -> Value:
    """Return the highest true-positive rate of any threshold whose false-positive rate is at most `max_fpr`.

    NaN with fewer than ``1 / max_fpr`` healthy windows: no false alarm at all would be allowed, and the figure would
    speak of the one highest healthy score instead.
    """
    return _tpr_at(roc(scores, labels, weights), max_fpr)


def rates_at(scores: Real, labels: Labels, threshold: float, weights: Real | None = None) -> tuple[Value, Value]:
    """Return (FPR, TPR) of the decision ``score >= threshold``."""
    flagged = scores >= threshold
    return _mean(flagged, labels == 0, weights), _mean(flagged, labels == 1, weights)


def separation(scores: Real, labels: Labels, weights: Real | None = None) -> Value:
    """Return ``(q05(anomalous) - q99(healthy)) / (q99(healthy) - q50(healthy))``.

    The gap between the tails in units of the healthy tail's own length; below 0 the tails overlap.
    NaN where the healthy tail has no length.
    """
    middle, top = _healthy_tail(scores, labels, weights)
    bottom = quantile(scores[labels == 1], 0.05, _of(labels == 1, weights))
    return (bottom - top) / _positive(top - middle)


def retention(before: Value, after: Value) -> Value:
    """Return how much of a reference's separation is left, from that before and that after.

    The ratio is taken of ``separation + 1``, the distance from the healthy median to the anomalous 5 %
    quantile over the healthy tail's length, so that it keeps its meaning where the tails overlap. NaN where there
    was no such distance, unless nothing has changed.
    """
    return np.where(after == before, 1.0, (after + 1) / _positive(before + 1))[()]


def compression(
    reference: Real, candidate: Real, labels: Labels, threshold: float, weights: Real | None = None
) -> Value:
    """Return the Theil-Sen slope of the candidate's score on the reference's over the anomalous tail.

    The median slope of all pairs of windows; 1 is no compression. The tail is the anomalous windows whose reference
    score is at least `threshold`, at most 200 of them, evenly spaced by rank. NaN with fewer than two.

    References
    ----------
    P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968), 1379-1389.
    """
    tail = np.flatnonzero((labels == 1) & (reference >= threshold))
    ordered = tail[np.argsort(reference[tail], kind="stable")]
    if len(ordered) > _MAX_SLOPE_POINTS:
        ordered = ordered[np.linspace(0, len(ordered) - 1, _MAX_SLOPE_POINTS).astype(int)]
    low, high = ordered[np.array(np.triu_indices(len(ordered), 1))]
    apart = reference[high] > reference[low]
    low, high = low[apart], high[apart]
    slopes = (candidate[high] - candidate[low]) / (reference[high] - reference[low])
    counted = _weights(weights, reference)
    return quantile(slopes, 0.5, counted[..., low] * counted[..., high])


def wasserstein(reference: Real, candidate: Real, weights: Real | None = None) -> Value:
    """Return the Wasserstein-1 distance of two sets of scores of the same windows: the area between their CDFs."""
    values = np.concatenate([reference, candidate])
    order = np.argsort(values, kind="stable")
    counted = _weights(weights, reference)
    between = np.cumsum(np.concatenate([counted, -counted], axis=-1)[..., order], axis=-1)[..., :-1]
    return (np.abs(between) * np.diff(values[order])).sum(axis=-1) / _positive(counted.sum(axis=-1))


def shifts(reference: Real, candidate: Real, labels: Labels, weights: Real | None = None) -> tuple[Value, Value]:
    """Return how far the healthy and the anomalous scores have moved, each as a Wasserstein-1 distance.

    In lengths of the reference's healthy tail, ``q99 - q50``, the unit of `separation`: it is there where anomalous
    windows are few, and it does not grow with the outliers that are looked for. A change of scale counts as a shift.
    A distance is never negative, so resamples of a very small one are a little larger than it.
    """
    middle, top = _healthy_tail(reference, labels, weights)
    length = _positive(top - middle)
    parts = [labels == 0, labels == 1]
    healthy, anomalous = (wasserstein(reference[part], candidate[part], _of(part, weights)) for part in parts)
    return healthy / length, anomalous / length


def probability_error(reference: Real, candidate: Real, weights: Real | None = None) -> Value:
    """Return the mean of ``|sigmoid(candidate) - sigmoid(reference)|`` over all windows."""
    return _mean(np.abs(sigmoid(candidate) - sigmoid(reference)), np.ones(len(reference), dtype=bool), weights)


def sigmoid(logits: Real) -> Real:
    """Return the probability that a logit stands for."""
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def quantile(values: Real, share: float, weights: Real | None = None) -> Value:
    """Return a quantile, linear between ranks as numpy has it, of values that count as often as `weights` says.

    NaN where there is nothing to count.
    """
    counted = _weights(weights, values)
    if not len(values):
        return np.full(counted.shape[:-1], np.nan)[()]
    order = np.argsort(values, kind="stable")
    ranked = np.cumsum(counted[..., order], axis=-1)
    place = np.maximum(ranked[..., -1] - 1, 0) * share
    rank = np.floor(place)
    low, high = (_at_rank(values[order], ranked, np.minimum(rank + step, ranked[..., -1] - 1)) for step in (0, 1))
    return np.where(ranked[..., -1] > 0, low + (high - low) * (place - rank), np.nan)[()]


def describe(scores: Real, labels: Labels, threshold: float, hop_s: float = float("nan")) -> dict[str, float]:
    """Return the metrics of one set of scores at its own threshold.

    Parameters
    ----------
    scores : ndarray of float64, shape (windows,)
    labels : ndarray of int8, shape (windows,)
    threshold : float
    hop_s : float
        Seconds between two decisions.
    """
    values = describe_weighted(scores, labels, threshold, hop_s, np.ones(len(scores)))
    return {name: float(value) for name, value in values.items()}


def describe_weighted(scores: Real, labels: Labels, threshold: float, hop_s: float, weights: Real) -> dict[str, Value]:
    """Return the metrics of `describe`, a value per resample each."""
    curve = roc(scores, labels, weights)
    fpr, tpr = rates_at(scores, labels, threshold, weights)
    return {
        "auc": auc(curve),
        "pauc_at_fpr_5": partial_auc(curve, 0.05),
        "tpr_at_fpr_0_1": _tpr_at(curve, 0.001),
        "tpr_at_fpr_1": _tpr_at(curve, 0.01),
        "tpr_at_fpr_5": _tpr_at(curve, 0.05),
        "threshold": np.float64(threshold),
        "fpr_at_threshold": fpr,
        "tpr_at_threshold": tpr,
        "false_alarms_per_hour": fpr * _HOUR_S / hop_s,
        "false_alarms": (weights * ((labels == 0) & (scores >= threshold))).sum(axis=-1),
        "misses": (weights * ((labels == 1) & (scores < threshold))).sum(axis=-1),
        "separation": separation(scores, labels, weights),
    }


#: What `compare` says of the candidate itself, and what as its distance from the reference.
_OF_ITSELF = ("auc", "fpr_at_threshold", "false_alarms_per_hour", "false_alarms", "misses")
_DROPS = ("auc", "pauc_at_fpr_5", "tpr_at_fpr_0_1", "tpr_at_fpr_1", "tpr_at_fpr_5", "tpr_at_threshold")


def compare(
    reference: Real,
    candidate: Real,
    labels: Labels,
    reference_threshold: float,
    threshold: float,
    hop_s: float = float("nan"),
) -> dict[str, float]:
    """Return what the step from reference to candidate cost.

    Parameters
    ----------
    reference, candidate : ndarray of float64, shape (windows,)
    labels : ndarray of int8, shape (windows,)
    reference_threshold, threshold : float
        Of the reference, and re-tuned of the candidate.
    hop_s : float
        Seconds between two decisions.

    Returns
    -------
    dict
        Drops are reference minus candidate. ``fpr_drift`` is how far the reference's FPR moves if its threshold is
        kept for the candidate, ``fpr_at_threshold_rise`` how far with each at its own. ``flips_near_threshold`` is
        ``flipped_fraction`` among windows within a quarter of the healthy tail's length of the reference's
        threshold, NaN where there is none.
    """
    once = np.ones(len(reference))
    before = describe_weighted(reference, labels, reference_threshold, hop_s, once)
    after = describe_weighted(candidate, labels, threshold, hop_s, once)
    values = compare_weighted(reference, candidate, labels, (before, after), once)
    codes = len(np.unique(candidate[candidate >= threshold]))
    return {name: float(value) for name, value in values.items()} | {"codes_above_threshold": float(codes)}


def compare_weighted(
    reference: Real,
    candidate: Real,
    labels: Labels,
    described: tuple[Mapping[str, Value], Mapping[str, Value]],
    weights: Real,
) -> dict[str, Value]:
    """Return the metrics of `compare` that have a value per resample: all but the number of distinct codes.

    Parameters
    ----------
    reference, candidate : ndarray of float64, shape (windows,)
    labels : ndarray of int8, shape (windows,)
    described : pair of mappings
        What `describe_weighted` says of the one and of the other with the same weights.
    weights : ndarray of float64, shape (resamples, windows) or (windows,)
    """
    before, after = described
    kept, own = float(before["threshold"]), float(after["threshold"])
    at_kept = rates_at(candidate, labels, kept, weights)[0]
    flipped = (reference >= kept) != (candidate >= own)
    middle, top = _healthy_tail(reference, labels, None)
    near = np.abs(reference - kept) <= _NEAR * (top - middle)
    healthy, anomalous = shifts(reference, candidate, labels, weights)
    return {
        **{name: after[name] for name in _OF_ITSELF},
        **{f"{name}_drop": before[name] - after[name] for name in _DROPS},
        "fpr_at_threshold_rise": after["fpr_at_threshold"] - before["fpr_at_threshold"],
        "fpr_at_reference_threshold": at_kept,
        "fpr_drift": at_kept - before["fpr_at_threshold"],
        "separation_retention": retention(before["separation"], after["separation"]),
        "compression": compression(reference, candidate, labels, kept, weights),
        "flipped_fraction": _mean(flipped, np.ones(len(labels), dtype=bool), weights),
        "flips_near_threshold": _mean(flipped, near, weights),
        "wasserstein_healthy": healthy,
        "wasserstein_anomalous": anomalous,
        "probability_error": probability_error(reference, candidate, weights),
    }


def _weights(weights: Real | None, like: Real) -> Real:
    return np.ones(len(like)) if weights is None else weights


def _of(part: NDArray[np.bool_], weights: Real | None) -> Real | None:
    return None if weights is None else weights[..., part]


def _positive(value: Value) -> Value:
    """Turn what cannot be divided by into NaN."""
    return np.where(value > 0, value, np.nan)[()]


def _share_so_far(counted: Real, ends: NDArray[np.int64]) -> Real:
    so_far = np.cumsum(counted, axis=-1)[..., ends]
    nothing = np.zeros_like(so_far[..., :1])
    return np.concatenate([nothing, so_far], axis=-1) / _positive(so_far[..., -1:])


def _too_few(curve: Roc, max_fpr: float) -> bool:
    return curve.healthy * max_fpr < 1


def _tpr_at(curve: Roc, max_fpr: float) -> Value:
    if _too_few(curve, max_fpr):
        return np.full(curve.fpr.shape[:-1], np.nan)[()]
    return np.where(curve.fpr <= max_fpr, curve.tpr, 0.0).max(axis=-1)


def _mean(values: NDArray, part: NDArray[np.bool_], weights: Real | None) -> Value:
    counted = _weights(weights, values)[..., part]
    return (counted * values[part]).sum(axis=-1) / _positive(counted.sum(axis=-1))


def _healthy_tail(scores: Real, labels: Labels, weights: Real | None) -> tuple[Value, Value]:
    """Return the median and the 99 % quantile of the healthy scores."""
    healthy, counted = scores[labels == 0], _of(labels == 0, weights)
    return quantile(healthy, 0.5, counted), quantile(healthy, 0.99, counted)


def _at_rank(ordered: Real, ranked: Real, rank: Value) -> Value:
    """Return the value of a rank, counted from 0, where `ranked` is how many values there are up to each."""
    return ordered[np.argmax(ranked > np.asarray(rank)[..., np.newaxis], axis=-1)]
