"""Metrics of a score distribution and of its anomalous tail, float against quantised.

Scores grow with suspicion; labels are 1 for anomalous. Window-level, over the windows given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes
from sklearn.metrics import roc_auc_score, roc_curve

_MAX_SLOPE_POINTS = 1500

Scores = NDArray[np.float64]
Labels = NDArray[np.int8]


def tpr_at_fpr(scores: Scores, labels: Labels, max_fpr: float) -> float:
    """Return the highest true-positive rate of any threshold whose false-positive rate is at most `max_fpr`."""
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(tpr[fpr <= max_fpr].max())


def rates_at(scores: Scores, labels: Labels, threshold: float) -> tuple[float, float]:
    """Return (FPR, TPR) of the decision ``score >= threshold``."""
    flagged = scores >= threshold
    return float(flagged[labels == 0].mean()), float(flagged[labels == 1].mean())


def separation(scores: Scores, labels: Labels) -> float:
    """Return ``(q05(anomalous) - q99(healthy)) / (q99(healthy) - q50(healthy))``.

    The gap between the tails in units of the healthy tail's own length; below 0 the tails overlap.
    NaN where the healthy tail has no length.
    """
    healthy, anomalous = scores[labels == 0], scores[labels == 1]
    middle, top = np.quantile(healthy, [0.5, 0.99])
    if top == middle:
        return float("nan")
    return float((np.quantile(anomalous, 0.05) - top) / (top - middle))


def separation_retention(reference: Scores, candidate: Scores, labels: Labels) -> float:
    """Return how much of the reference's separation is left.

    The ratio is taken of ``separation + 1``, the distance from the healthy median to the anomalous 5 %
    quantile over the healthy tail's length, so that it keeps its meaning where the tails overlap.
    """
    return (separation(candidate, labels) + 1) / (separation(reference, labels) + 1)


def compression(reference: Scores, candidate: Scores, labels: Labels, threshold: float) -> float:
    """Return the Theil-Sen slope of the candidate's score on the reference's over the anomalous tail.

    1 is no compression. The tail is the anomalous windows whose reference score is at least `threshold`, at
    most 1500 of them, evenly spaced by rank (the estimator compares all pairs). NaN with fewer than two.

    References
    ----------
    P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968), 1379-1389.
    """
    tail = np.flatnonzero((labels == 1) & (reference >= threshold))
    if len(np.unique(reference[tail])) < 2:
        return float("nan")
    ordered = tail[np.argsort(reference[tail], kind="stable")]
    chosen = ordered[np.unique(np.linspace(0, len(ordered) - 1, _MAX_SLOPE_POINTS).astype(int))]
    return float(theilslopes(candidate[chosen], reference[chosen]).slope)


def describe(scores: Scores, labels: Labels, threshold: float) -> dict[str, float]:
    """Return the metrics of one set of scores at its own threshold."""
    fpr, tpr = rates_at(scores, labels, threshold)
    return {
        "auc": float(roc_auc_score(labels, scores)),
        "tpr_at_fpr_1": tpr_at_fpr(scores, labels, 0.01),
        "tpr_at_fpr_5": tpr_at_fpr(scores, labels, 0.05),
        "threshold": threshold,
        "fpr_at_threshold": fpr,
        "tpr_at_threshold": tpr,
        "separation": separation(scores, labels),
    }


def compare(
    reference: Scores, candidate: Scores, labels: Labels, reference_threshold: float, threshold: float
) -> dict[str, float]:
    """Return what the step from reference to candidate cost.

    Parameters
    ----------
    reference, candidate : ndarray of float64, shape (windows,)
    labels : ndarray of int8, shape (windows,)
    reference_threshold, threshold : float
        Of the reference, and re-tuned of the candidate.

    Returns
    -------
    dict
        Drops are reference minus candidate.
    """
    before = describe(reference, labels, reference_threshold)
    after = describe(candidate, labels, threshold)
    drops = {f"{name}_drop": before[name] - after[name] for name in ("auc", "tpr_at_fpr_1", "tpr_at_fpr_5")}
    flipped = (reference >= reference_threshold) != (candidate >= threshold)
    return {
        "auc": after["auc"],
        **drops,
        "fpr_at_threshold": after["fpr_at_threshold"],
        "tpr_at_threshold_drop": before["tpr_at_threshold"] - after["tpr_at_threshold"],
        "fpr_at_reference_threshold": rates_at(candidate, labels, reference_threshold)[0],
        "separation_retention": separation_retention(reference, candidate, labels),
        "compression": compression(reference, candidate, labels, reference_threshold),
        "codes_above_threshold": float(len(np.unique(candidate[candidate >= threshold]))),
        "flipped_fraction": float(flipped.mean()),
    }
