"""What is said of a split: every model at its own thresholds, and what of the split training had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.tail import compare, describe

REFERENCE = "float"

#: Metrics by model, then by output, which is named after the class that it tells from those below.
ByModel = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Evaluation:
    """Metrics by model and output.

    Attributes
    ----------
    metrics : dict
        `stages.core.tail.describe` of each model.
    costs : dict
        `stages.core.tail.compare` of each rung of the ladder with float.
    """

    metrics: ByModel
    costs: ByModel


def evaluate(
    scores: Mapping[str, NDArray[np.float64]],
    thresholds: Mapping[str, Sequence[float]],
    targets: NDArray[np.int8],
    outputs: Sequence[str],
    rungs: Sequence[str],
) -> Evaluation:
    """Describe every model at its thresholds, and compare the rungs with float.

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (windows, outputs)
    thresholds : mapping of str to sequence of float
        One per output.
    targets : ndarray of int8, shape (windows, outputs)
    outputs : sequence of str
        Names of the outputs.
    rungs : sequence of str
    """
    columns = list(enumerate(outputs))
    metrics = {
        model: {name: describe(values[:, k], targets[:, k], thresholds[model][k]) for k, name in columns}
        for model, values in scores.items()
    }
    reference, at = scores[REFERENCE], thresholds[REFERENCE]
    costs = {
        rung: {
            name: compare(reference[:, k], scores[rung][:, k], targets[:, k], at[k], thresholds[rung][k])
            for k, name in columns
        }
        for rung in rungs
    }
    return Evaluation(metrics, costs)


def flat(metrics: ByModel) -> dict[str, float]:
    """Name each metric by model, output and metric, as the record of runs wants it."""
    return {
        f"{model}_{output}_{key}": value
        for model, by_output in metrics.items()
        for output, of in by_output.items()
        for key, value in of.items()
    }


def headline(metrics: ByModel) -> str:
    """Say AUC and TPR at 1 % FPR of each model and output in a line."""
    return "AUC / TPR at 1 % FPR: " + ", ".join(
        f"{model} {output} {of['auc']:.4f} / {of['tpr_at_fpr_1']:.3f}"
        for model, by_output in metrics.items()
        for output, of in by_output.items()
    )


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
