"""Coverage says what training had seen of the test split."""

import numpy as np
import pandas as pd

from stages.core.evaluation import coverage, evaluate


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
    labels = np.array([0, 0, 1, 1], dtype=np.int8)
    scores = {"float": np.array([0.0, 1, 2, 3]), "ptq": np.array([0.0, 1, 1, 3]), "energy": np.array([3.0, 2, 1, 0])}
    evaluation = evaluate(scores, dict.fromkeys(scores, 1.5), labels, ["ptq"])
    assert {name: of["auc"] for name, of in evaluation.metrics.items()} == {"float": 1, "ptq": 0.875, "energy": 0}
    assert set(evaluation.costs) == {"ptq"}
    assert evaluation.costs["ptq"]["auc_drop"] == 0.125
