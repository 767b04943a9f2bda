"""What is said of a test split: every model at its own threshold, and what of the split training had seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.tail import compare, describe

REFERENCE = "float"


@dataclass(frozen=True)
class Evaluation:
    """Metrics by model.

    Attributes
    ----------
    metrics : dict of str to dict
        `stages.core.tail.describe` of each model.
    costs : dict of str to dict
        `stages.core.tail.compare` of each rung of the ladder with float.
    """

    metrics: dict[str, dict[str, float]]
    costs: dict[str, dict[str, float]]


def evaluate(
    scores: Mapping[str, NDArray[np.float64]],
    thresholds: Mapping[str, float],
    labels: NDArray[np.int8],
    rungs: list[str],
) -> Evaluation:
    """Describe every model at its threshold, and compare the rungs with float."""
    metrics = {name: describe(values, labels, thresholds[name]) for name, values in scores.items()}
    costs = {
        rung: compare(scores[REFERENCE], scores[rung], labels, thresholds[REFERENCE], thresholds[rung])
        for rung in rungs
    }
    return Evaluation(metrics, costs)


@dataclass(frozen=True)
class Coverage:
    """How much of one kind of identity is in test, and which of it training had seen."""

    unit: str
    in_test: int
    seen: list[str]


def coverage(windows: pd.DataFrame) -> list[Coverage]:
    """Compare the identities of test and train, from the window index of the whole split."""
    train, test = (windows[windows["part"] == part] for part in ("train", "test"))
    return [
        Coverage(unit, test[unit].nunique(), sorted(set(test[unit]) & set(train[unit])))
        for unit in ("session_id", "group_id", "condition", "state")
    ]
