"""What is said of a split: every model at its own thresholds, and what of the split training had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.bootstrap import Interval, Resampling, draw, intervals
from stages.core.events import Origins, describe_events
from stages.core.tail import Value, compare, compare_weighted, describe, describe_weighted

REFERENCE = "float"

#: Metrics by model, then by output, which is named after its class.
ByModel = dict[str, dict[str, dict[str, float]]]
#: Intervals of the same.
IntervalsByModel = dict[str, dict[str, dict[str, Interval]]]


@dataclass(frozen=True)
class Units:
    """What was resampled for the intervals of one output.

    Attributes
    ----------
    unit : {"group", "session"}
    kinds : dict of str to int
        How many have healthy windows only, anomalous ones only, and both.
    """

    unit: str
    kinds: dict[str, int]


@dataclass(frozen=True)
class Evaluation:
    """Metrics by model and output.

    Attributes
    ----------
    metrics : dict
        `stages.core.tail.describe` of each model, and `stages.core.events.describe_events` where windows have origins.
    costs : dict
        `stages.core.tail.compare` of each rung of the ladder with float, and what events cost.
    metric_intervals, cost_intervals : dict
        Of the same names, without thresholds and numbers of codes; empty where none were asked for.
    units : dict of str to Units
        What was resampled, by output.
    """

    metrics: ByModel
    costs: ByModel
    metric_intervals: IntervalsByModel
    cost_intervals: IntervalsByModel
    units: dict[str, Units]

    def intervals_json(self) -> dict[str, object]:
        """Return intervals and units as `intervals.json` has them, beside the metrics of the same keys."""
        return {"scores": self.metric_intervals, "cost": self.cost_intervals, "units": self.units}


def evaluate(
    scores: Mapping[str, NDArray[np.float64]],
    thresholds: Mapping[str, Sequence[float]],
    targets: NDArray[np.int8],
    outputs: Sequence[str],
    rungs: Sequence[str],
    origins: Origins | None = None,
    resampling: Resampling | None = None,
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
    origins : Origins, optional
        Of the windows: what events, false alarms per hour and intervals need.
    resampling : Resampling, optional
        How intervals are made; they need `origins` too.
    """
    found = Evaluation({model: {} for model in scores}, {rung: {} for rung in rungs}, {}, {}, {})
    for k, output in enumerate(outputs):
        columns = {model: values[:, k] for model, values in scores.items()}
        at = {model: thresholds[model][k] for model in scores}
        question = _Question(columns, at, targets[:, k], origins)
        for model in scores:
            found.metrics[model][output] = question.describe(model)
        for rung in rungs:
            found.costs[rung][output] = question.compare(rung)
        if origins is not None and resampling is not None:
            _add_intervals(found, question, output, origins, resampling)
    return found


@dataclass(frozen=True)
class _Question:
    """One output, the question that `stages.core.classes.answers` gives it, and what each model answers."""

    scores: Mapping[str, NDArray[np.float64]]
    thresholds: Mapping[str, float]
    labels: NDArray[np.int8]
    origins: Origins | None

    @property
    def hop_s(self) -> float:
        return float("nan") if self.origins is None else self.origins.hop_s

    def describe(self, model: str) -> dict[str, float]:
        own = describe(self.scores[model], self.labels, self.thresholds[model], self.hop_s)
        return own | _plain(self.events(model, None))

    def compare(self, rung: str) -> dict[str, float]:
        pair = (self.scores[REFERENCE], self.scores[rung])
        at = (self.thresholds[REFERENCE], self.thresholds[rung])
        return compare(*pair, self.labels, *at, self.hop_s) | _plain(self.event_costs(rung, None))

    def events(self, model: str, weights: NDArray[np.float64] | None) -> dict[str, Value]:
        if self.origins is None:
            return {}
        decisions = self.scores[model] >= self.thresholds[model]
        return describe_events(decisions, self.labels, self.origins, weights)

    def event_costs(self, rung: str, weights: NDArray[np.float64] | None) -> dict[str, Value]:
        before, after = self.events(REFERENCE, weights), self.events(rung, weights)
        return after | {"event_recall_drop": before["event_recall"] - after["event_recall"]} if after else {}

    def resampled(
        self, rungs: Sequence[str], weights: NDArray[np.float64]
    ) -> tuple[dict[str, dict[str, Value]], dict[str, dict[str, Value]]]:
        """Return metrics by model and costs by rung, a value per resample each."""
        described = {
            model: describe_weighted(scores, self.labels, self.thresholds[model], self.hop_s, weights)
            for model, scores in self.scores.items()
        }
        costs = {}
        for rung in rungs:
            pair = (self.scores[REFERENCE], self.scores[rung])
            both = (described[REFERENCE], described[rung])
            costs[rung] = compare_weighted(*pair, self.labels, both, weights) | self.event_costs(rung, weights)
        return {model: values | self.events(model, weights) for model, values in described.items()}, costs


def _add_intervals(
    found: Evaluation, question: _Question, output: str, origins: Origins, resampling: Resampling
) -> None:
    """Resample the same units for every model, so that what they are compared by is paired."""
    unit, names = origins.units(question.labels)
    draws = draw(names, question.labels, resampling)
    found.units[output] = Units(unit, draws.kinds)

    def values(weights: NDArray[np.float64]) -> dict[tuple[str, str, str], Value]:
        metrics, costs = question.resampled(list(found.costs), weights)
        return {
            (kind, model, metric): value
            for kind, by_model in (("metrics", metrics), ("costs", costs))
            for model, of in by_model.items()
            for metric, value in of.items()
            if metric != "threshold"
        }

    for (kind, model, metric), interval in intervals(values, draws, resampling).items():
        by_model = found.metric_intervals if kind == "metrics" else found.cost_intervals
        by_model.setdefault(model, {}).setdefault(output, {})[metric] = interval


def _plain(values: Mapping[str, Value]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


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
