"""Every model is described, rungs are compared with float, and intervals come with what was resampled."""

import numpy as np
import pandas as pd
import pytest

from stages.core.bootstrap import Resampling
from stages.core.evaluation import coverage, evaluate, flat
from stages.core.events import Origins


def test_coverage_lists_what_train_and_test_share():
    columns = ["session_id", "group_id", "condition", "state", "part"]
    rows = [
        ("a", "m1", "fast", "healthy", "train"),
        ("b", "m1", "slow", "inner", "train"),
        ("c", "m2", "slow", "healthy", "test"),
        ("d", "m2", "slow", "outer", "test"),
    ]
    found = {row.unit: (row.in_test, row.seen) for row in coverage(pd.DataFrame(rows, columns=columns))}
    assert found == {
        "session_id": (2, []),
        "group_id": (1, []),
        "condition": (1, ["slow"]),
        "state": (2, ["healthy"]),
    }


def test_every_model_is_described_and_only_rungs_are_compared():
    targets = np.array([[0, 1], [0, 0], [1, 1], [1, 0]], dtype=np.int8)
    columns = {"float": [0.0, 1, 2, 3], "ptq": [0.0, 1, 1, 3], "energy": [3.0, 2, 1, 0]}
    scores = {name: np.array([values, values]).T for name, values in columns.items()}
    evaluation = evaluate(scores, {name: [1.5, 0.5] for name in scores}, targets, ["shock", "impact"], ["ptq"])
    found = {name: (of["shock"]["auc"], of["impact"]["auc"]) for name, of in evaluation.metrics.items()}
    assert found == {"float": (1, 0.25), "ptq": (0.875, 0.125), "energy": (0, 0.75)}
    assert set(evaluation.costs) == {"ptq"}
    assert evaluation.costs["ptq"]["shock"]["auc_drop"] == 0.125
    assert flat(evaluation.metrics)["energy_impact_auc"] == 0.75
    assert evaluation.intervals_json() == {"scores": {}, "cost": {}, "units": {}}


def recorded(n_groups=8):
    """Groups of two sessions, one healthy and one anomalous, of ten windows each, at one decision a second."""
    group = np.repeat(np.arange(n_groups), 20)
    anomalous = (np.arange(len(group)) // 10) % 2
    names = [f"g{g}_{a}" for g, a in zip(group, anomalous, strict=True)]
    start = np.tile(np.arange(10) * 100, 2 * n_groups)
    origins = Origins(np.array(names), group.astype(str), start, 100, 100.0)
    return origins, anomalous.astype(np.int8)


RESAMPLING = Resampling(200, 0.9, 3)


def evaluated(origins, labels, resampling=RESAMPLING):
    noise = np.random.default_rng(1).normal(0, 1, (2, len(labels)))
    scores = {"float": noise[0] + 2 * labels, "ptq": noise[0] + 0.2 * noise[1] + 2 * labels, "energy": noise[1]}
    columns = {name: values[:, None] for name, values in scores.items()}
    thresholds = {name: [1.0] for name in scores}
    return evaluate(columns, thresholds, labels[:, None], ["anomalous"], ["ptq"], origins, resampling)


def test_intervals_hold_what_was_measured_for_every_model_and_cost():
    found = evaluated(*recorded())
    assert found.units["anomalous"].unit == "group"
    assert found.units["anomalous"].kinds == {"healthy only": 0, "anomalous only": 0, "mixed": 8}
    for metrics, intervals in ((found.metrics, found.metric_intervals), (found.costs, found.cost_intervals)):
        assert set(metrics) == set(intervals)
        for model, by_output in intervals.items():
            of = metrics[model]["anomalous"]
            assert set(of) - set(by_output["anomalous"]) <= {"threshold", "codes_above_threshold"}
            for name in ("auc", "false_alarms_per_hour", "event_recall", "false_events_per_hour"):
                interval = by_output["anomalous"][name]
                assert interval.low <= of[name] <= interval.high, (model, name)
    drop = found.cost_intervals["ptq"]["anomalous"]["auc_drop"]
    alone = found.metric_intervals["ptq"]["anomalous"]["auc"]
    assert drop.high - drop.low < 0.5 * (alone.high - alone.low)  # paired


def test_every_model_is_judged_at_its_own_threshold_and_drift_at_that_of_float():
    origins, labels = recorded()
    ramp = np.tile(np.arange(10.0), 16)  # of the ten scores of a session, two are 8 or more, five are 5 or more
    scores = {"float": ramp[:, None], "ptq": ramp[:, None] + 3}
    given = (scores, {"float": [8.0], "ptq": [10.0]}, labels[:, None], ["anomalous"], ["ptq"], origins, RESAMPLING)
    found = evaluate(*given)
    cost, intervals = (of["ptq"]["anomalous"] for of in (found.costs, found.cost_intervals))
    for name, value in (("fpr_drift", 0.3), ("fpr_at_threshold_rise", 0.1), ("tpr_at_threshold_drop", -0.1)):
        assert cost[name] == pytest.approx(value)
        assert (intervals[name].low, intervals[name].high) == pytest.approx((value, value))  # all groups are alike


def test_events_and_alarms_per_hour_come_from_the_origins():
    origins, labels = recorded()
    found = evaluated(origins, labels, None)
    of = found.metrics["float"]["anomalous"]
    assert of["event_recall"] == 1.0
    assert of["false_alarms_per_hour"] == pytest.approx(3600 * of["fpr_at_threshold"])
    assert 0 < of["false_events_per_hour"] <= of["false_alarms_per_hour"]
    assert found.costs["ptq"]["anomalous"]["event_recall_drop"] == 0.0
    assert found.metric_intervals == {}


def test_the_same_seed_gives_the_same_intervals():
    first, second = (evaluated(*recorded()).intervals_json() for _ in range(2))
    assert repr(first) == repr(second)  # NaN is not equal to itself


def test_a_single_group_falls_back_to_its_sessions_and_says_why_there_is_no_interval():
    found = evaluated(*recorded(n_groups=1))
    assert found.units["anomalous"].unit == "session"
    interval = found.cost_intervals["ptq"]["anomalous"]["auc_drop"]
    assert np.isnan(interval.low)
    assert interval.reason == "a single unit is healthy only and a single one anomalous only"
