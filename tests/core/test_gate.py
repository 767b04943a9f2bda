"""The gate refuses what breaks a limit, says which, and never passes what it cannot compute."""

import pytest

from stages.core.errors import ConfigError
from stages.core.gate import judge, passes, refusal
from stages.core.schema.gate import Gate

GATE = Gate.model_validate({"limits": {"auc_drop": {"max": 0.01}, "compression": {"min": 0.8, "max": 1.2}}})


def test_gate_passes_values_on_the_limit():
    assert passes(judge({"anomalous": {"auc_drop": 0.01, "compression": 0.8}}, GATE))


@pytest.mark.parametrize("compression", [0.79, 1.21, float("nan")])
def test_gate_refuses_outside_the_limits_and_not_a_number(compression):
    rows = judge({"anomalous": {"auc_drop": 0.0, "compression": compression}}, GATE)
    assert not passes(rows)
    assert [row.metric for row in rows if not row.passed] == ["compression"]


def test_refusal_names_rung_metric_value_and_limit():
    kept = {"auc_drop": 0.0, "compression": 1.0}
    error = refusal({"ptq": judge({"shock": kept, "impact": {"auc_drop": 0.02, "compression": 0.5}}, GATE)})
    assert error.exit_code == 3
    says = "ptq fails impact auc_drop 0.02 (at most 0.01), impact compression 0.5 (at least 0.8 and at most 1.2)."
    assert says in str(error)


def test_gate_with_an_unknown_metric_is_a_config_error():
    with pytest.raises(ConfigError, match="'compression' is not a metric"):
        judge({"anomalous": {"auc_drop": 0.0}}, GATE)
