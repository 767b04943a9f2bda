"""Coverage says what training had seen of the test split."""

import numpy as np
import pandas as pd

from stages.core.evaluation import coverage, evaluate, flat


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
