"""The gate refuses what breaks a limit, says which, and never passes what it cannot compute."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from sklearn.neural_network import MLPClassifier

from stages.core.bootstrap import Interval
from stages.core.events import Origins, describe_events
from stages.core.gate import judge, passes, refusal, table
from stages.core.schema.gate import METRICS, Gate
from stages.core.tail import compare
from stages.core.thresholds import threshold_at_fpr

CONF = Path(__file__).parents[2] / "conf/gate"
BOOTSTRAP = {"resamples": 100, "confidence": 0.95}


def gate(**limits):
    return Gate.model_validate({"limits": limits, "bootstrap": BOOTSTRAP})


GATE = gate(auc_drop={"max": 0.01}, compression={"min": 0.8, "max": 1.2})


def test_gate_passes_values_on_the_limit():
    assert passes(judge({"anomalous": {"auc_drop": 0.01, "compression": 0.8}}, GATE))


@pytest.mark.parametrize("compression", [0.79, 1.21, float("nan")])
def test_gate_refuses_outside_the_limits_and_not_a_number(compression):
    rows = judge({"anomalous": {"auc_drop": 0.0, "compression": compression}}, GATE)
    assert not passes(rows)
    assert [row.metric for row in rows if not row.passed] == ["compression"]


def test_gate_refuses_what_was_not_measured():
    rows = judge({"anomalous": {"auc_drop": 0.0}}, gate(event_recall={"min": 0.0}))
    assert [(row.metric, row.passed) for row in rows] == [("event_recall", False)]


def test_a_limit_that_is_lifted_is_not_judged():
    assert judge({"anomalous": {"auc_drop": 9.0}}, gate(auc_drop=None)) == []


@pytest.mark.parametrize(
    "bound, low, high, passed",
    [
        ("estimate", -1.0, 1.0, True),
        ("worst", -0.01, 0.01, True),
        ("worst", -0.01, 0.011, False),
        ("worst", -0.011, 0.01, False),
        ("best", 0.009, 1.0, True),
        ("best", -1.0, -0.009, True),
        ("best", 0.011, 1.0, False),
        ("best", -1.0, -0.011, False),
        ("worst", float("nan"), float("nan"), False),
        ("best", float("nan"), float("nan"), False),
    ],
)
def test_a_bound_judges_an_end_of_the_interval(bound, low, high, passed):
    limits = gate(fpr_drift={"min": -0.01, "max": 0.01, "bound": bound})
    intervals = {"anomalous": {"fpr_drift": Interval(low, high)}}
    (row,) = judge({"anomalous": {"fpr_drift": 0.0}}, limits, intervals)
    assert row.passed is passed
    assert (row.value, row.bound) == (0.0, bound)


def test_a_bound_of_what_cannot_be_computed_is_refused():
    intervals = {"anomalous": {"auc": Interval(0.8, 0.9)}}
    (row,) = judge({"anomalous": {"auc": float("nan")}}, gate(auc={"min": 0.5, "bound": "worst"}), intervals)
    assert not row.passed


def test_a_bound_without_any_interval_is_refused():
    (row,) = judge({"anomalous": {"auc": 1.0}}, gate(auc={"min": 0.5, "bound": "worst"}))
    assert not row.passed


def test_refusal_names_rung_metric_value_and_limit():
    kept = {"auc_drop": 0.0, "compression": 1.0}
    error = refusal({"ptq": judge({"shock": kept, "impact": {"auc_drop": 0.02, "compression": 0.5}}, GATE)})
    assert error.exit_code == 3
    says = "ptq fails impact auc_drop 0.02 (at most 0.01), impact compression 0.5 (at least 0.8 and at most 1.2)."
    assert says in str(error)


def test_table_shows_every_rung_with_intervals_and_marks_what_fails():
    limits = gate(auc_drop={"max": 0.01, "bound": "worst"}, compression={"min": 0.8})
    metrics = {"ptq": {"auc_drop": 0.0, "compression": 0.5}, "qat": {"auc_drop": 0.0, "compression": 1.0}}
    intervals = {"anomalous": {"auc_drop": Interval(-0.25, 0.005), "compression": Interval(np.nan, np.nan, "one unit")}}
    text = table({rung: judge({"anomalous": of}, limits, intervals) for rung, of in metrics.items()})
    first, header, *lines, note = text.splitlines()
    assert first == "gate: ptq REFUSED, qat passed"
    assert header.split() == ["rung", "class", "metric", "value", "interval", "limit"]
    assert [line.split()[0] for line in lines] == ["ptq", "FAIL", "qat", "qat"]
    assert "-0.25 .. 0.005  at most 0.01, worst of interval" in lines[0]
    assert note == "no interval: one unit"


def test_metrics_that_can_be_limited_are_those_that_are_computed():
    labels = np.array([0, 1], dtype=np.int8)
    scores = np.array([0.0, 1.0])
    origins = Origins(np.array(["a", "a"]), np.array(["a", "a"]), np.array([0, 1]), 1, 1.0)
    computed = {*compare(scores, scores, labels, 1.0, 1.0), *describe_events(scores > 0, labels, origins)}
    assert computed | {"event_recall_drop"} == set(METRICS)


def test_a_metric_that_does_not_exist_is_refused_by_the_schema():
    with pytest.raises(ValidationError, match="'compresion' is not a metric; did you mean 'compression'"):
        gate(compresion={"min": 0.5})


def clipped_at_the_healthy_maximum():
    """Scores of a trained network, and of the same with its activations clipped at what healthy inputs reach."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.array([0, 1], dtype=np.int8), 1500)
    inputs = rng.normal(0, 1, (3000, 8))
    direction = np.array([1, 0.5, 0, 0, -0.5, 0, 0.25, 0])
    inputs[1500:] += rng.uniform(2, 16, (1500, 1)) * direction  # faults of every severity
    network = MLPClassifier((16,), max_iter=500, random_state=0).fit(inputs[::2], labels[::2])
    held_out, labels = inputs[1::2], labels[1::2]
    hidden = np.maximum(held_out @ network.coefs_[0] + network.intercepts_[0], 0)
    clipped = np.minimum(hidden, hidden[labels == 0].max())
    return *((each @ network.coefs_[1] + network.intercepts_[1])[:, 0] for each in (hidden, clipped)), labels


def test_gate_refuses_activations_clipped_at_the_healthy_maximum_though_auc_and_accuracy_look_fine():
    reference, candidate, labels = clipped_at_the_healthy_maximum()
    thresholds = [threshold_at_fpr(scores[labels == 0], 0.01) for scores in (reference, candidate)]
    accuracies = [np.mean((reference >= thresholds[0]) == labels), np.mean((candidate >= thresholds[1]) == labels)]
    cost = compare(reference, candidate, labels, *thresholds)
    assert cost["auc"] > 0.99
    assert abs(cost["auc_drop"]) < 0.001
    assert accuracies[1] > 0.98
    assert abs(accuracies[0] - accuracies[1]) < 0.001

    shipped = Gate.model_validate(yaml.safe_load((CONF / "default.yaml").read_text()))
    rows = judge({"anomalous": cost}, shipped)
    assert [row.metric for row in rows if not row.passed] == ["compression", "wasserstein_anomalous"]
    unbroken = compare(reference, reference, labels, thresholds[0], thresholds[0])
    assert passes(judge({"anomalous": unbroken}, shipped))


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_gates_fit_the_schema(path):
    assert Gate.model_validate(yaml.safe_load(path.read_text())).limits
