"""Ways through the DAG that the default task does not take."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.core.recordings.test_bearing_datasets import built_set
from tests.pipeline.workspace import HAS_ARM_TOOLS, TINY, Workspace

SPEEDS = {"train": 600.0, "val": 1200.0, "test": 2400.0}
FAULTS = {"train": "inner", "val": "ball", "test": "outer"}


def recordings_at(part, rng):
    """One healthy and one faulty take of two channels, in volts around 0.9; the fault is a knock every 100 samples."""
    knocks = np.where(np.arange(8192) % 100 < 5, 0.1, 0.0)
    for fault, added in (("normal", 0.0), (FAULTS[part], knocks)):
        yield f"{part}-{fault}", (fault, 1000.0, {name: 0.9 + rng.normal(0, 0.01, 8192) + added for name in "xy"})


@pytest.mark.slow
def test_two_channels_held_out_per_tensor_qat_first_and_no_dc_removal_reach_a_release(tmp_path):
    rng = np.random.default_rng(0)
    recordings = {name: take for part in SPEEDS for name, take in recordings_at(part, rng)}
    speeds = {name: SPEEDS[name.split("-")[0]] for name in recordings}
    root = built_set(tmp_path / "sets", recordings, speeds_rpm=speeds)
    overrides = {
        "capture.name": "tiny",
        "capture.content_hash": "abc",
        "capture.channels": ["x", "y"],
        "window.length": 500,
        "window.hop": 125,
        "split.conditions": {"val": ["1200rpm_0lb"], "test": ["2400rpm_0lb"]},
        "split.states": {"val": ["ball"], "test": ["outer"]},
        "features.dc": "none",
        "train.batch_size": 16,
        "train.epochs": 20,
        "board": ["native", "mps2_an386"],
        "quantize.ladder": ["qat", "ptq"],
        "quantize.observer": "histogram",
        "quantize.per_channel": False,
    }
    base = {key: value for key, value in TINY.items() if not key.startswith("capture.")}
    workspace = Workspace(tmp_path / "workspace", overrides, "vibration_mems", base)
    workspace.repro(BEARING_DATASETS_ROOT=str(root))

    def read(name):
        return json.loads((workspace.path / name).read_text())

    assert read("models/quantize/gate.json")["selected"] == "qat"
    assert read("models/convert/contract.json")["input"]["shape"] == [500, 2]
    assert all(row["different"] == 0 for row in read("models/validate/parity.json"))
    assert set(read("models/validate/device.json")) == ({"native", "mps2_an386"} if HAS_ARM_TOOLS else {"native"})
    report = (workspace.path / "models/validate/report.md").read_text()
    assert "| condition | 1 | none |" in report
    assert "| state | 2 | normal |" in report


@pytest.mark.slow
def test_leaky_split_of_three_classes_on_band_features_with_varied_windows_is_stamped_and_compared(tmp_path):
    base = {key: value for key, value in TINY.items() if not key.startswith("capture.")}
    overrides = {
        "capture": "synthetic_shock",
        "capture.containers.count": 6,
        "labels.classes": ["normal", "handling_shock", "impact"],
        "split": "random_windows",
        "features": "bands",
        "features.dc": "none",
        "features.extractor": {
            "kind": "bands", "frame": 64, "hop": 32, "window": "hann", "bands": 6, "spacing": "equal",
            "low_hz": 0.0, "high_hz": None,
        },
        "features.scaler": {"kind": "quantile"},
        "model": "mlp",
        "window.length": 128,
        "window.hop": 64,
        "train.augment": {
            "crop": {"probability": 0.5, "max_shift": 8},
            "time_warp": {"probability": 0.5, "max_stretch": 0.05},
            "jitter": {"probability": 0.5, "factor": [0.5, 1.0]},
        },
        "board": ["native"],
        "quantize.ladder": ["ptq"],
    }  # fmt: skip
    workspace = Workspace(tmp_path / "workspace", overrides, "vibration", base)
    workspace.repro()

    def read(name):
        return json.loads((workspace.path / name).read_text())

    assert read("data/split/split.json")["leaky"]
    proof = read("data/split/proof.json")
    assert (proof["leaky"], proof["holds"]) == (True, False)
    assert read("models/convert/contract.json")["leaky"]
    assert read("models/release/manifest.json")["leaky"]
    assert read("models/convert/contract.json")["input"]["shape"] == [3, 9]
    assert read("models/convert/contract.json")["labels"] == ["normal", "handling_shock", "impact"]
    assert set(read("models/validate/metrics.json")["unseen"]["ptq"]) == {"handling_shock", "impact"}
    assert all(row["different"] == 0 for row in read("models/validate/parity.json"))
    report = (workspace.path / "models/validate/report.md").read_text()
    assert "The split is leaky" in report
    assert "| ptq | impact |" in report.split("What the leak is worth")[1].split("##")[0]


@pytest.mark.slow
def test_mems_recordings_reach_a_release_with_states_held_out(tmp_path):
    root = os.environ.get("BEARING_DATASETS_ROOT")
    if not root or not (Path(root) / "adi_cbm").is_dir():
        pytest.skip("BEARING_DATASETS_ROOT does not lead to a built set adi_cbm")
    workspace = Workspace(tmp_path / "workspace", task="vibration_mems", base={})
    workspace.repro()
    proof = json.loads((workspace.path / "data/split/proof.json").read_text())
    assert proof["holds"]
    coverage = json.loads((workspace.path / "data/split/split.json").read_text())
    assert len(coverage["sessions"]["test"]) == 20
    parity = json.loads((workspace.path / "models/validate/parity.json").read_text())
    assert all(row["different"] == 0 for row in parity)
