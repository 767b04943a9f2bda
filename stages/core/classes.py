"""Classes from the outputs of a network: what outputs are asked, the decision, probabilities, how well all are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from stages.core.schema.labels import Kind
from stages.core.schema.threshold import Reject
from stages.core.tail import sigmoid
from stages.core.thresholds import Rejection, apply_rejection, choose_rejection, distance


def answers(labels: NDArray[np.int8], outputs: int, kind: Kind) -> NDArray[np.int8]:
    """Return what each output should say of each window.

    Of ordered classes, output k is asked whether a window is of class k + 1 or a worse one [1]_; of exclusive ones,
    whether it is of class k + 1.

    Parameters
    ----------
    labels : ndarray of int8, shape (windows,)
    outputs : int
    kind : {"ordered", "exclusive"}

    Returns
    -------
    ndarray of int8, shape (windows, outputs)
        0 or 1.

    References
    ----------
    .. [1] E. Frank and M. Hall, "A simple approach to ordinal classification", ECML 2001.
    """
    asked = np.arange(1, outputs + 1)
    told = labels[:, np.newaxis]
    return (told == asked if kind == "exclusive" else told >= asked).astype(np.int8)


def decide(scores: NDArray, thresholds: Sequence[float], kind: Kind) -> NDArray[np.int64]:
    """Return the class of each window: the most severe that reaches its threshold, or the highest if it does.

    Parameters
    ----------
    scores : ndarray, shape (windows, outputs)
        Logits or score codes, answers to the questions of `answers`. Those of exclusive classes are compared, and the
        first of equal ones counts.
    thresholds : sequence of float
        One per output.
    kind : {"ordered", "exclusive"}

    Returns
    -------
    ndarray of int64, shape (windows,)
        0 where no class is reached.
    """
    reached = scores >= np.asarray(thresholds)
    if kind == "exclusive":
        reached &= np.arange(reached.shape[1]) == scores.argmax(axis=1)[:, np.newaxis]
    return (reached * np.arange(1, reached.shape[1] + 1)).max(axis=1)


def any_class(logits: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """Return what ranks windows by being of any class but the first, shape (windows,)."""
    return logits.max(axis=1) if kind == "exclusive" else logits[:, 0]


def probabilities(logits: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """Return the probability of each class.

    Of ordered classes, the probability of class k + 1 or a worse one is the sigmoid of logit k, but never more than
    that of class k or a worse one; a class has the difference of two neighbours [1]_. Of exclusive ones, the outputs
    answer independent questions, of which at most one is answered with yes: given that, the odds of a class against
    the first are ``exp(logit)``.

    Parameters
    ----------
    logits : ndarray of float64, shape (windows, outputs)
    kind : {"ordered", "exclusive"}

    Returns
    -------
    ndarray of float64, shape (windows, outputs + 1)
        Rows sum to 1.

    References
    ----------
    .. [1] E. Frank and M. Hall, "A simple approach to ordinal classification", ECML 2001.
    """
    if kind == "exclusive":
        return np.asarray(softmax(np.pad(logits, ((0, 0), (1, 0))), axis=1))
    at_least = np.minimum.accumulate(sigmoid(logits), axis=1)
    return -np.diff(at_least, axis=1, prepend=1.0, append=0.0)


def margin(logits: NDArray[np.float64], kind: Kind) -> NDArray[np.float64]:
    """Return how much more probable the most probable class is than the next, shape (windows,)."""
    second, first = np.sort(probabilities(logits, kind), axis=1)[:, -2:].T
    return first - second


def confidence(
    logits: NDArray[np.float64], thresholds: Sequence[float], reject: Reject, kind: Kind
) -> NDArray[np.float64]:
    """Return what decides whether a window's decision is withheld, shape (windows,)."""
    return distance(logits, thresholds) if reject.by == "band" else margin(logits, kind)


def rejection(
    logits: NDArray[np.float64],
    thresholds: Sequence[float],
    labels: NDArray[np.int8],
    reject: Reject,
    kind: Kind,
    limit: float | None = None,
) -> Rejection:
    """Return which decisions are withheld and what that leaves.

    Parameters
    ----------
    logits : ndarray of float64, shape (windows, outputs)
    thresholds : sequence of float
        One per output.
    labels : ndarray of int8, shape (windows,)
    reject : Reject
    kind : {"ordered", "exclusive"}
    limit : float, optional
        Of the confidence, as val gave it; None chooses it.
    """
    sure, wrong = confidence(logits, thresholds, reject, kind), decide(logits, thresholds, kind) != labels
    if limit is None:
        return choose_rejection(sure, wrong, reject.max_error)
    return apply_rejection(sure, wrong, limit)


@dataclass(frozen=True)
class Classification:
    """How well the classes are told.

    Attributes
    ----------
    macro_f1 : float
        Mean over classes of the harmonic mean of precision and recall; 0 for a class that is never hit.
    recall : dict of str to float
        By class; NaN for one that does not occur.
    confusion : list of list of int
        Windows by true class, then by decision.
    """

    macro_f1: float
    recall: dict[str, float]
    confusion: list[list[int]]


def classify(decisions: NDArray[np.int64], labels: NDArray[np.int8], classes: Sequence[str]) -> Classification:
    """Compare decisions with labels.

    Parameters
    ----------
    decisions : ndarray of int64, shape (windows,)
        As `decide` gives them.
    labels : ndarray of int8, shape (windows,)
    classes : sequence of str
        Names.
    """
    numbers = list(range(len(classes)))
    recalls = recall_score(labels, decisions, labels=numbers, average=None, zero_division=np.nan)
    return Classification(
        macro_f1=float(f1_score(labels, decisions, labels=numbers, average="macro", zero_division=0.0)),
        recall={name: float(recall) for name, recall in zip(classes, recalls, strict=True)},
        confusion=confusion_matrix(labels, decisions, labels=numbers).tolist(),
    )
