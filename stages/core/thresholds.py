"""Decision thresholds from an objective. A window is anomalous iff its score is at least the threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.schema.threshold import Objective, Threshold

#: From the scores of windows to which an output should say no, and of those it should say yes to, to the threshold.
Choose = Callable[[NDArray, NDArray], float]

_HOUR_S = 3600.0


def threshold_at_fpr(healthy: NDArray, max_fpr: float) -> float:
    """Return the smallest threshold with a false-positive rate of at most `max_fpr`.

    Parameters
    ----------
    healthy : ndarray of float32 or float64, shape (windows,)
        Scores of healthy windows.
    max_fpr : float

    Returns
    -------
    float
        The next number above a healthy score.
    """
    ordered = np.sort(healthy)[::-1]
    allowed = int(np.floor(max_fpr * len(ordered)))
    if allowed >= len(ordered):
        return float(ordered[-1])
    highest_refused = ordered[allowed]
    return float(np.nextafter(highest_refused, np.asarray(np.inf, dtype=healthy.dtype)))


def threshold_at_recall(anomalous: NDArray, min_recall: float) -> float:
    """Return the largest threshold with a recall of at least `min_recall`.

    Parameters
    ----------
    anomalous : ndarray, shape (windows,)
        Scores of anomalous windows.
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

    A false-alarm rate per hour is a false-positive rate: ``max_fpr = max_false_alarms_per_hour * hop_s / 3600``. A
    probability is one of the classes as the loss weighs them, whose logit is the score.
    """
    match objective.objective, objective.limit:
        case "fpr", max_fpr:
            return lambda below, _: threshold_at_fpr(below, max_fpr)
        case "false_alarms_per_hour", per_hour:
            return lambda below, _: threshold_at_fpr(below, per_hour * hop_s / _HOUR_S)
        case "recall_at_least", min_recall:
            return lambda _, above: threshold_at_recall(above, min_recall)
        case "probability", probability:
            return lambda *_: math.log(probability / (1 - probability))


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
