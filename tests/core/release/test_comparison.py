"""What changed between releases is said under its heading, and a worse successor is refused for what is worse."""

import copy
import math
from pathlib import Path

import pandas as pd
import pytest
import yaml

from stages.core.release.comparison import Flip, changes, flips, follow, leaves
from stages.core.schema.release import Release

ROOT = Path(__file__).parents[3]
LIMITS = Release.model_validate(yaml.safe_load((ROOT / "conf/release/default.yaml").read_text())).regression

BEFORE = {
    "task": "vibration",
    "leaky": False,
    "release": {"version": "1.2.3", "release_id": "1.2.3+aa"},
    "dataset_id": "d1",
    "provenance": {
        "release": {
            "deps": {"stages/core/tail.py": "c1", "conf": "c2", "models/train": "c3"},
            "config": {"train": "s1", "seed": "s2"},
        }
    },
    "contracts": {
        "model": {
            "interface_version": 5,
            "precision": "ptq",
            "labels": ["healthy", "anomalous"],
            "input": {"shape": [8, 1]},
            "output": {"shape": [1, 1], "meaning": "logit"},
            "score_code": {"dtype": "int32", "meaning": "code"},
            "decision": {"class": "by threshold", "threshold_logits": [0.5]},
            "operators": [{"name": "stem", "axis": 1}],
        },
        "preprocess": {"channels": ["x"], "sample_rate_hz": 100, "window": 8, "hop": 4},
    },
    "results": {
        "metrics": {
            "test": {
                "ptq": {"anomalous": {"auc": 0.9, "tpr_at_threshold": 0.8, "fpr_at_threshold": 0.01}},
                "float": {"anomalous": {"auc": 0.1}},
            }
        },
        "size": {
            "board": {"total": {"flash_bytes": 1000, "ram_bytes": 500}},
            "native": {"total": {"flash_bytes": 1000, "ram_bytes": 500}},
        },
        "device": {
            "board": {
                "instructions": {"model": 900, "preprocess": 100, "operations": {"stem": 900}},
                "stream": {"most_instructions_per_window": 2000},
            },
            "native": {"instructions": None},
        },
    },
}


def later(version="1.2.4", **places):
    """A release after it, with values set at places of ``a__b__c``."""
    after = copy.deepcopy(BEFORE)
    after["release"] = {"version": version, "release_id": f"{version}+bb"}
    for place, value in places.items():
        *parents, key = place.split("__")
        node = after
        for parent in parents:
            node = node[parent]
        node[key] = value
    return after


def broken(after):
    return [row.rule for row in follow(BEFORE, after, LIMITS) if not row.holds]


def test_equal_releases_have_no_changes():
    assert changes(BEFORE, copy.deepcopy(BEFORE)) == []


def test_each_change_is_said_once_under_its_heading():
    after = later(
        "2.0.0",
        dataset_id="d2",
        contracts__model__decision__threshold_logits=[0.75],
        results__size__board__total__flash_bytes=1100,
        results__metrics__test__ptq__anomalous__auc=0.95,
        results__metrics__test__float__anomalous__auc=0.2,
        results__device__board__instructions__operations={"stem": 1},
        results__device__board__stream__most_instructions_per_window=2500,
    )
    after["provenance"]["release"]["config"]["train"] = "other"
    after["provenance"]["release"]["deps"] |= {"models/train": "other", "stages/core/gate.py": "new"}
    found = [(each.heading, each.place, each.before, each.after) for each in changes(BEFORE, after)]
    assert found == [
        ("release", "version", "1.2.3", "2.0.0"),
        ("release", "release_id", "1.2.3+aa", "2.0.0+bb"),
        ("data", "dataset_id", "d1", "d2"),
        ("config", "train", "s1", "other"),
        ("code", "stages/core/gate.py", None, "new"),
        ("contracts", "model/decision/threshold_logits/0", 0.5, 0.75),
        ("scores", "anomalous/auc", 0.9, 0.95),
        ("size", "board/flash_bytes", 1000, 1100),
        ("instructions", "board/worst window", 2000, 2500),
    ]


def test_leaves_are_named_by_their_place():
    assert leaves({"a": [1, {"b": None}], "c": {}}) == {"a/0": 1, "a/1/b": None}


def test_equal_successor_of_a_higher_version_may_follow():
    assert broken(later()) == []


@pytest.mark.parametrize("version", ["1.2.3", "1.2.2", "1.1.9", "0.9.9"])
def test_version_must_rise(version):
    assert broken(later(version))[0] == "version is not above the one before"


def test_versions_are_compared_as_numbers():
    assert broken(later("1.10.0")) == []


def test_contract_of_another_form_needs_another_interface_version():
    new_key = {"contracts__model__margin": 3}
    assert broken(later(**new_key)) == ["keys of the contracts that changed at the same interface version"]
    assert broken(later(**new_key, contracts__model__interface_version=6)) == []


def test_other_operators_are_no_other_form():
    assert broken(later(contracts__model__operators=[{"name": "stem", "table": 1}, {"name": "head"}])) == []


def test_changed_contract_needs_another_interface_or_major_version():
    changed = {"contracts__preprocess__hop": 2, "contracts__model__labels": ["healthy", "worn"]}
    (rule,) = broken(later(**changed))
    assert rule == "contract changed at the same interface and major version: hop, labels"
    assert broken(later("2.0.0", **changed)) == []
    assert broken(later(**changed, contracts__model__interface_version=6)) == []


@pytest.mark.parametrize(
    ("place", "kept", "refused", "rule"),
    [
        ("results__metrics__test__ptq__anomalous__auc", 0.8901, 0.8899, "anomalous: auc drop"),
        ("results__metrics__test__ptq__anomalous__tpr_at_threshold", 0.781, 0.779, "anomalous: tpr_at_threshold drop"),
        (
            "results__metrics__test__ptq__anomalous__fpr_at_threshold",
            0.0149,
            0.0151,
            "anomalous: fpr_at_threshold rise",
        ),
        ("results__size__board__total__flash_bytes", 1050, 1051, "board flash: growth"),
        ("results__size__board__total__ram_bytes", 525, 526, "board ram: growth"),
        ("results__device__board__stream__most_instructions_per_window", 2099, 2101, "board instructions: growth"),
    ],
)
def test_limits_refuse_what_is_beyond_them_alone(place, kept, refused, rule):
    assert broken(later(**{place: kept})) == []
    assert broken(later(**{place: refused})) == [rule]


def test_what_cannot_be_compared_does_not_hold():
    after = later(results__metrics__test__ptq__anomalous__auc=None)
    (row,) = [row for row in follow(BEFORE, after, LIMITS) if not row.holds]
    assert (row.rule, math.isnan(row.value)) == ("anomalous: auc drop", True)


def scores(*logits):
    return pd.DataFrame({"session_id": "s", "start": range(0, 4 * len(logits), 4), "ptq_anomalous": logits})


def test_flips_are_the_windows_decided_differently_largest_change_first():
    common, found = flips(BEFORE, later(), (scores(0.0, 1.0, 0.5, 0.0, 9.0), scores(0.75, 0.25, 0.5, 0.25)))
    assert common == 4
    assert found == [
        Flip("s", 0, "anomalous", True, -0.5, 0.25),
        Flip("s", 4, "anomalous", False, 0.5, -0.25),
    ]


def test_flips_are_judged_each_by_its_own_threshold_and_precision():
    after = later(contracts__model__precision="qat")
    after["contracts"]["model"]["decision"]["threshold_logits"] = [2.0]
    own = scores(1.0).rename(columns={"ptq_anomalous": "qat_anomalous"})
    assert flips(BEFORE, after, (scores(1.0), own))[1] == [Flip("s", 0, "anomalous", False, 0.5, -1.0)]
