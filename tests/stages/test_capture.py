"""The stage `capture`, run as `dvc.yaml` runs it, and its refusals."""

import argparse
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml

from stages import capture
from stages.core.artifacts import sha256_file
from stages.core.errors import RecordingError
from stages.core.recordings.session import SessionFile
from stages.core.recordings.synthetic_bearing import make_session
from tests.core.recordings.sources import CONF, shipped

SMALL = {"sessions": 4, "duration_s": 0.25, "machines__count": 2}


@pytest.fixture(autouse=True)
def own_tracking(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.fixture
def paths(tmp_path):
    """Write a configuration and give the stage's paths."""

    def write(name="synthetic_bearing", /, **changes):
        values = {"seed": 1, "window": {"length": 256, "hop": 128}, "capture": shipped(name, **changes)}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
        return argparse.Namespace(config=tmp_path / "config.yaml", out=tmp_path / "capture")

    return write


def recordings_of(paths, monkeypatch, change):
    """Run the stage on the small configuration's recordings after a change to their list."""
    where = paths(**SMALL)
    config = capture.load(where.config, capture.CaptureSettings)
    recordings = change([make_session(config.capture, 1, index) for index in range(4)])
    monkeypatch.setattr(capture, "open_source", lambda _: recordings)
    return where


def test_every_session_is_listed_with_its_hash_and_stored_with_its_flags(paths):
    where = paths(**SMALL)
    line = capture.main(where)
    dataset = json.loads((where.out / "dataset.json").read_text())
    assert [entry["session_id"] for entry in dataset["sessions"]] == ["s0000", "s0001", "s0002", "s0003"]
    for entry in dataset["sessions"]:
        file = SessionFile(where.out / entry["path"])
        assert entry["sha256"] == sha256_file(where.out / entry["path"])
        assert entry["n_samples"] == file.n_samples == 3200
        assert entry["flags"] == file.meta.flags
        assert sum(entry["labelled_samples"].values()) == 3200
        assert entry["excluded"] is None
    assert line.startswith("capture: 4 sessions (0 excluded, 0 flagged), 0.000 h of 2 groups, clipped fraction")
    assert line.endswith(dataset["dataset_id"][:12])


def test_two_runs_give_the_same_bytes(paths):
    where = paths(**SMALL)
    capture.main(where)
    before = {path.relative_to(where.out): path.read_bytes() for path in where.out.rglob("*.*")}
    capture.main(where)
    assert {path.relative_to(where.out): path.read_bytes() for path in where.out.rglob("*.*")} == before


def test_excluded_session_keeps_its_line_and_leaves_the_dataset_id(paths, monkeypatch):
    def stick(recordings):
        signal = recordings[1].signal.copy()
        signal[:200] = 1.0
        return [recordings[0], replace(recordings[1], signal=signal), *recordings[2:]]

    where = recordings_of(paths, monkeypatch, stick)
    line = capture.main(where)
    dataset = json.loads((where.out / "dataset.json").read_text())
    assert dataset["sessions"][1]["excluded"] == "longest_stuck_run is 200, above 64"
    assert dataset["sessions"][1]["findings"][0]["action"] == "exclude"
    assert dataset["totals"]["sessions"] == 3
    assert "(1 excluded, 1 flagged)" in line
    without = recordings_of(paths, monkeypatch, lambda recordings: [recordings[0], *recordings[2:]])
    capture.main(without)
    assert json.loads((where.out / "dataset.json").read_text())["dataset_id"] == dataset["dataset_id"]


def with_nan(recordings):
    signal = recordings[2].signal.copy()
    signal[17] = np.nan
    return [*recordings[:2], replace(recordings[2], signal=signal)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_nan, "session s0002: 1 of 3200 samples are NaN or infinite, the first at sample 17"),
        (lambda of: [replace(of[0], signal=of[0].signal[:0])], "session s0000: the recording is empty"),
        (lambda of: [replace(of[0], signal=of[0].signal[:255])], "session s0000: it has 255 samples"),
        (lambda of: [*of, of[1]], "session s0001: two recordings have this id"),
        (lambda of: [replace(of[0], signal=of[0].signal * 0)], "every one of the 1 sessions is excluded"),
    ],
)
def test_bad_recording_stops_the_stage_and_leaves_nothing(paths, monkeypatch, change, message):
    where = recordings_of(paths, monkeypatch, change)
    with pytest.raises(RecordingError) as caught:
        capture.main(where)
    assert message in str(caught.value)
    assert [path.name for path in where.out.parent.glob("capture*")] == []


def test_limit_with_the_action_error_stops_the_stage(paths):
    where = paths(**SMALL, quality__repeated_fraction={"max": 0.0, "action": "error"})
    with pytest.raises(RecordingError, match=r"repeated_fraction is .*, above 0"):
        capture.main(where)


def test_root_comes_from_the_environment_and_is_missed_by_name(paths, monkeypatch, tmp_path):
    monkeypatch.delenv("BEARING_DATASETS_ROOT", raising=False)
    where = paths("bearing_datasets")
    with pytest.raises(RecordingError, match="the environment variable BEARING_DATASETS_ROOT is not set"):
        capture.main(where)
    monkeypatch.setenv("BEARING_DATASETS_ROOT", str(tmp_path / "sets"))
    with pytest.raises(RecordingError) as caught:
        capture.main(where)
    assert str(tmp_path / "sets") in str(caught.value)


def test_command_line_prints_one_line_and_an_error_exits_with_2(paths):
    def command(where):
        arguments = [sys.executable, "-m", "stages.capture", "--config", str(where.config), "--out", str(where.out)]
        return subprocess.run(arguments, cwd=CONF.parents[1], capture_output=True, text=True, check=False)

    good = command(paths(**SMALL))
    assert (good.returncode, len(good.stdout.splitlines())) == (0, 1)
    bad = command(paths(**SMALL, quality__repeated_fraction={"max": 0.0, "action": "error"}))
    assert bad.returncode == 2
    assert bad.stderr.splitlines()[-1] and "error: session s0000: repeated_fraction is" in bad.stderr
    assert "Traceback" not in bad.stderr
