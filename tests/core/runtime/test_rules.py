from __future__ import annotations

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from stages.core.errors import ConfigError
from stages.core.graph.reference import FLOAT_HEAD, Head
from stages.core.runtime.decision import Codes, Decision
from stages.core.runtime.rules import decision_rules
from stages.core.schema.decision import Decision as Settings
from stages.core.thresholds import distance
from tests.core.device.boards import ROOT

PLAIN = yaml.safe_load((ROOT / "conf/decision/default.yaml").read_text())
#: A code is a quarter of a logit, and code 10 is logit 0.
HEAD = Head("int8", 10, np.array(0.25, np.float32))


def settings(**changes):
    return Settings(**{**PLAIN, **changes})


def rules(head=HEAD, logits=(1.0, 2.0), withhold=0.0, **changes):
    return decision_rules(settings(**changes), head, head.at_least(np.array(logits)).tolist(), logits, withhold)


def test_plain_rules_have_the_thresholds_alone():
    assert rules().codes == (Codes(14, 14, 14, 14), Codes(18, 18, 18, 18))
    assert not rules().hysteresis


def test_hysteresis_and_margin_are_in_logits():
    found = rules(pick="highest", hysteresis_logits=0.6, margin_logits=0.6)
    # 0.4 is reached by code 12, which is 0.5; 0.6 is 2.4 codes.
    assert [(codes.enter, codes.exit) for codes in found.codes] == [(14, 12), (18, 16)]
    assert found.margin == 3


def test_hysteresis_less_than_a_code_is_one_code():
    assert [codes.exit for codes in rules(hysteresis_logits=0.01).codes] == [13, 17]


@pytest.mark.parametrize(("head", "step"), [(HEAD, 1), (Head("int32", 0, np.array([0.013, 0.0071], np.float32)), 7)])
@pytest.mark.parametrize("withhold", [0.25, 0.5, 0.6])
def test_withheld_are_the_windows_that_the_host_withholds(head, step, withhold):
    logits = (1.0, 2.0)
    decision = Decision(rules(head, logits, withhold))
    each = np.arange(-20, 60) * step
    codes = np.stack(np.meshgrid(each, each), axis=-1).reshape(-1, 2)
    withheld = np.array([decision.update(pair) == 254 for pair in codes.tolist()])
    assert withheld.tolist() == (distance(head.real(codes), logits) < withhold).tolist()
    assert 0 < withheld.sum() < len(codes)


def test_output_that_never_decides_keeps_a_valid_exit():
    found = rules(logits=(1.0, float("inf")), hysteresis_logits=0.5, withhold=0.5)
    assert found.codes[1] == Codes(128, 127, 128, 128)


@pytest.mark.parametrize(
    ("head", "changes", "found"),
    [
        (FLOAT_HEAD, {"average_windows": 2}, "the order keys of float32 scores have no mean"),
        (FLOAT_HEAD, {"pick": "highest", "margin_logits": 1.0}, "no distance in logits"),
        (Head("int32", 0, np.array([1, 2], np.float32)), {"pick": "highest"}, "have a scale each"),
        (HEAD, {"pick": "highest", "margin_logits": 1.0, "logits": (1.0,)}, "one output has no second score"),
    ],
)
def test_steps_that_the_scores_do_not_allow_are_refused(head, changes, found):
    with pytest.raises(ConfigError, match=found):
        rules(head, **changes)


def test_threshold_that_everything_reaches_has_no_hysteresis():
    with pytest.raises(ConfigError, match="leaves no room"):
        decision_rules(settings(hysteresis_logits=1.0), Head("int32", 0, np.float32(1)), [-(2**31)], [-np.inf])


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"vote_need": 3, "vote_of": 2}, "vote_need is 3, more than vote_of, 2"),
        ({"margin_logits": 1.0}, "only pick: highest compares scores"),
        ({"cooldown_windows": 0}, "greater than or equal to 1"),
    ],
)
def test_rules_that_cannot_be_met_are_no_configuration(changes, found):
    with pytest.raises(ValidationError, match=found):
        settings(**changes)
