"""Decision thresholds from an objective. A window is anomalous iff its score is at least the threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.schema.threshold import Objective, Threshold

#: From the scores of windows below a class, and of windows of it or a worse one, to the threshold between them.
Choose = Callable[[NDArray, NDArray], float]

_HOUR_S = 3600.0


def threshold_at_fpr(healthy: NDArray, max_fpr: float) -> float:
    """Return the smallest threshold with a false-positive rate of at most `max_fpr`.

    Parameters
    ----------
    healthy : ndarray, shape (windows,)
        Scores of healthy windows: floats, or integer codes.
    max_fpr : float

    Returns
    -------
    float
        The next number above a healthy score: the next code for integers, the next float otherwise.
    """
    ordered = np.sort(healthy)[::-1]
    allowed = int(np.floor(max_fpr * len(ordered)))
    if allowed >= len(ordered):
        return float(ordered[-1])
    highest_refused = ordered[allowed]
    if np.issubdtype(healthy.dtype, np.integer):
        return float(highest_refused) + 1
    return float(np.nextafter(highest_refused, np.asarray(np.inf, dtype=healthy.dtype)))


def threshold_at_recall(anomalous: NDArray, min_recall: float) -> float:
    """Return the largest threshold with a recall of at least `min_recall`.

    Parameters
    ----------
    anomalous : ndarray, shape (windows,)
        Scores of anomalous windows: floats, or integer codes.
    min_recall : float

    Returns
    -------
    float
        One of the scores.
    """
    kept = int(np.ceil(min_recall * len(anomalous)))
    return float(np.sort(anomalous)[len(anomalous) - kept])


def choosers(settings: Threshold, outputs: Sequence[str], hop_s: float) -> list[Choose]:
    """Return what sets the threshold of each output.

    Parameters
    ----------
    settings : Threshold
    outputs : sequence of str
        Classes above the first.
    hop_s : float
        Seconds between two decisions.
    """
    return [chooser(settings.per_class.get(name, settings), hop_s) for name in outputs]


def chooser(objective: Objective, hop_s: float) -> Choose:
    """Return what sets a threshold by an objective.

    A false-alarm rate per hour is a false-positive rate: ``max_fpr = max_false_alarms_per_hour * hop_s / 3600``.
    """
    limits = (objective.max_fpr, objective.max_false_alarms_per_hour, objective.min_recall)
    match objective.objective, limits:
        case "fpr", (float(max_fpr), _, _):
            return lambda below, _: threshold_at_fpr(below, max_fpr)
        case "false_alarms_per_hour", (_, float(per_hour), _):
            return lambda below, _: threshold_at_fpr(below, per_hour * hop_s / _HOUR_S)
        case "recall_at_least", (_, _, float(min_recall)):
            return lambda _, above: threshold_at_recall(above, min_recall)
    raise ValueError(f"{objective} names no limit")


@dataclass(frozen=True)
class Rejection:
    """A decision is withheld iff its confidence is below the limit.

    Attributes
    ----------
    limit : float
    coverage : float
        Share of windows that are decided.
    error : float
        Share of wrong decisions among them.
    """

    limit: float
    coverage: float
    error: float


def choose_rejection(confidence: NDArray[np.float64], wrong: NDArray[np.bool_], max_error: float) -> Rejection:
    """Withhold as few decisions as it takes for at most `max_error` of the others to be wrong.

    Parameters
    ----------
    confidence : ndarray of float64, shape (windows,)
        Of a decision: `distance` or `stages.core.classes.margin`.
    wrong : ndarray of bool, shape (windows,)
    max_error : float

    Returns
    -------
    Rejection
        Nothing is withheld (limit 0) where that is good enough, and where no limit is.
    """
    order = np.argsort(-confidence, kind="stable")
    ties_end = np.append(np.diff(confidence[order]) != 0, True)
    error = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(ties_end & (error <= max_error))
    if not len(good) or good[-1] == len(order) - 1:
        return apply_rejection(confidence, wrong, 0.0)
    return apply_rejection(confidence, wrong, float(confidence[order[good[-1]]]))


def apply_rejection(confidence: NDArray[np.float64], wrong: NDArray[np.bool_], limit: float) -> Rejection:
    """Say what a limit does to some windows; the error is NaN where all are withheld."""
    decided = confidence >= limit
    error = float(wrong[decided].mean()) if decided.any() else float("nan")
    return Rejection(limit, float(decided.mean()), error)


def distance(logits: NDArray[np.float64], thresholds: Sequence[float]) -> NDArray[np.float64]:
    """Return how far each window's score is from the nearest threshold.

    Parameters
    ----------
    logits : ndarray of float64, shape (windows, outputs)
    thresholds : sequence of float
        One per output.

    Returns
    -------
    ndarray of float64, shape (windows,)
        Withholding what is below a limit withholds a band of scores around every threshold.
    """
    return np.abs(logits - np.asarray(thresholds)).min(axis=1)
