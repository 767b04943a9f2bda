"""Task `smoke`: its quantised network ships, and the naive one of the same shape is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from stages.core.nets.examples import load_examples
from stages.core.schema.labels import Labels
from stages.core.scoring import score
from tests.pipeline.workspace import Workspace

LABELS = Labels(kind="ordered", classes=("no_fire", "fire"), min_overlap=0.5)

RECORDED = Path(os.environ.get("BEARING_DATASETS_ROOT", "")) / "smoke" / "test.csv"
pytestmark = pytest.mark.skipif(
    "BEARING_DATASETS_ROOT" not in os.environ or not RECORDED.is_file(),
    reason="BEARING_DATASETS_ROOT does not lead to a folder with smoke/test.csv",
)


def test_codes_of_a_min_max_range_are_refused(tmp_path):
    """Most of each sensor's values then share a few codes; nothing else differs but how long it is trained."""
    naive = {
        "features.scaler": {"kind": "minmax"},
        "quantize.ladder": ["ptq"],
        "train.restarts": 0,
        "train.polish.iterations": 50,
    }
    workspace = Workspace(tmp_path / "workspace", naive, task="smoke", base={})
    result = workspace.run("dvc", "repro", "quantize")
    assert result.returncode != 0
    assert "exited with 3" in result.stderr
    rows = json.loads((workspace.path / "models/quantize/gate.json").read_text())["rungs"]["ptq"]
    values = {row["metric"]: row["value"] for row in rows}
    assert values["misses"] + values["false_alarms"] > 10


@pytest.mark.slow
def test_int8_misses_one_fire_at_most_and_raises_four_false_alarms_at_most(tmp_path):
    workspace = Workspace(tmp_path / "workspace", task="smoke", base={})
    workspace.repro()
    models = workspace.path / "models"
    selected = json.loads((models / "quantize/gate.json").read_text())["selected"]
    assert selected in ("ptq", "qat")
    (test,) = load_examples(workspace.path / "data/split", workspace.path / "data/features", LABELS, "test")
    scored = {name: score((models / f"quantize/{name}.onnx").read_bytes(), test) for name in (selected, "float")}
    (threshold,) = json.loads((models / "quantize/thresholds.json").read_text())[selected]
    called = scored[selected].codes[:, 0] >= threshold["code"]
    assert np.sum(~called & (test.labels == 1)) <= 1
    assert np.sum(called & (test.labels == 0)) <= 4
    probability = {name: 1 / (1 + np.exp(-each.logits)) for name, each in scored.items()}
    assert np.mean(np.abs(probability[selected] - probability["float"])) <= 0.001
