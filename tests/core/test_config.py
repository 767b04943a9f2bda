"""Sections that fit alone and not together are refused when the configuration is composed."""

import pytest
import yaml

from stages.core.config import compose, validate
from stages.core.errors import ConfigError
from tests.pipeline.imports import ROOT


def composed(folder, task="smoke", **overrides):
    (folder / "params.yaml").write_text(yaml.safe_dump({"task": task, "overrides": overrides}))
    return validate(compose(folder / "params.yaml", ROOT / "conf"), "config.yaml")


def test_smoke_keeps_the_counts_of_its_sensors(tmp_path):
    config = composed(tmp_path)
    assert config.capture.wide
    limits = dict(zip(config.capture.channels, config.capture.limits, strict=True))
    assert limits["temperature"] == (-22_010, 59_930)
    assert limits["nc0_5"] == (0, 6_148_203)
    assert (config.model.hidden, config.window.length) == ((8, 4), 1)


@pytest.mark.parametrize(
    ("overrides", "needs"),
    [
        ({"features.dc": "window_mean"}, "features.dc none"),
        ({"features.extractor": {"kind": "stats", "frame": 2, "hop": 2}, "window.length": 2}, "features.extractor raw"),
        ({"features.normalise": {"epsilon": 3}, "window.length": 2}, "features.normalise null"),
        ({"train.augment": {"crop": {"probability": 0.5, "max_shift": 3}}}, "train.augment null"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wide_counts_are_refused_where_only_int16_ones_are_known(tmp_path, overrides, needs):
    with pytest.raises(ConfigError, match=f"beyond int16: they need .*{needs}"):
        composed(tmp_path, **overrides)


@pytest.mark.parametrize(
    ("task", "overrides", "needs"),
    [
        ("shock", {"labels.kind": "exclusive"}, "labels.kind exclusive needs decision.pick highest, not severest"),
        ("shock", {"decision.pick": "highest"}, "labels.kind ordered needs decision.pick severest, not highest"),
        ("gestures", {"decision.pick": "severest"}, "labels.kind exclusive needs decision.pick highest, not severest"),
    ],
)
def test_device_has_to_decide_as_the_classes_relate(tmp_path, task, overrides, needs):
    with pytest.raises(ConfigError, match=needs):
        composed(tmp_path, task, **overrides)


def test_one_output_has_nothing_to_relate(tmp_path):
    assert composed(tmp_path, "vibration", **{"labels.kind": "exclusive"}).labels.outputs == 1
