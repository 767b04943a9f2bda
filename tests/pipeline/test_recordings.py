"""A user's own folder of recordings: through the whole DAG, and each way in which it can be wrong."""

import argparse
import json
import shutil
import wave

import numpy as np
import pytest
import yaml

from stages.core.config import compose, validate, write_config
from stages.core.recordings.session import SessionFile
from tests.pipeline.imports import ROOT
from tests.pipeline.test_errors import Here
from tests.pipeline.workspace import TINY, Workspace

RATE_HZ = 1000
COLUMNS = ["file", "group", "condition", "state", "unit", "label", "sample_rate_hz", "session_id"]


def write_csv(path, counts):
    lines = [f"{number / RATE_HZ:.3f},{count / 2048!r}\n" for number, count in enumerate(counts.tolist())]
    path.write_text("t,x\n" + "".join(lines))


def write_wav(path, counts, rate=RATE_HZ, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(counts.astype("<i2").tobytes())


WRITERS = {"csv": write_csv, "wav": write_wav}
UNITS = {"csv": "g", "wav": "full_scale"}


class Folder:
    """A folder of recordings of machines, one each; every second one knocks."""

    def __init__(self, path, n, kind, n_samples):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(5)
        self.rows = []
        for number in range(n):
            label = "anomalous" if number % 2 else "healthy"
            knocks = np.where(np.arange(n_samples) % 100 < 5, 6000, 0) * (number % 2)
            counts = np.rint(rng.normal(0, 800, n_samples) + knocks).astype(np.int64)
            WRITERS[kind](path / f"m{number}.{kind}", counts)
            self.rows.append([f"m{number}.{kind}", f"machine {number}", "900rpm", label, UNITS[kind], label, "", ""])
        self.write()

    def write(self):
        lines = [",".join(row) for row in [COLUMNS, *self.rows]]
        (self.path / "sessions.csv").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.slow
def test_own_csv_files_reach_a_release_and_the_same_as_wav_give_the_same_codes(tmp_path):
    base = {key: value for key, value in TINY.items() if not key.startswith("capture.")}
    overrides = {"capture.time_column": "t", "split.folds": 3, "board": ["native"], "quantize.ladder": ["ptq"]}
    overrides |= {"window.hop": 512, "train.batch_size": 16, "train.epochs": 20}
    workspace = Workspace(tmp_path / "workspace", overrides, "recordings", base)

    def read(name):
        return json.loads((workspace.path / name).read_text())

    Folder(workspace.path / "data/recordings", 12, "csv", n_samples=8192)
    workspace.repro()
    assert [entry["session_id"] for entry in read("data/capture/dataset.json")["sessions"]] == [
        f"m{number}" for number in range(12)
    ]
    groups = {part: set(sessions) for part, sessions in read("data/split/split.json")["sessions"].items()}
    assert groups["test"] and not groups["test"] & (groups["train"] | groups["val"])
    assert read("data/split/proof.json")["holds"]
    assert all(row["different"] == 0 for row in read("models/validate/parity.json"))
    assert (workspace.path / "models/release/bundle.bin").stat().st_size > 0

    codes = (workspace.path / "data/features/codes.npy").read_bytes()
    shutil.rmtree(workspace.path / "data/recordings")
    Folder(workspace.path / "data/recordings", 12, "wav", n_samples=8192)
    printed = workspace.repro("features")
    assert workspace.stages_run(printed)[0] == "capture"
    session = SessionFile(workspace.path / "data/capture/sessions/m3.parquet")
    assert (session.meta.sample_rate_hz, session.meta.notes["format"]) == (1000.0, "wav")
    assert (workspace.path / "data/features/codes.npy").read_bytes() == codes


# --- Bad input ---


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "recordings", 4, "csv", n_samples=600)


class Capture:
    """Runs the stage in this process; a refusal leaves the earlier output as it was."""

    def __init__(self, here, folder):
        self.here = here
        self.folder = folder
        self.out = folder / "capture"
        self.task = "recordings"
        self.chosen = {"capture.folder": str(folder / "recordings"), "window.length": 128, "window.hop": 128}
        self.chosen["capture.time_column"] = "t"

    def options(self, overrides):
        params = self.folder / "params.yaml"
        params.write_text(yaml.safe_dump({"task": self.task, "overrides": {**self.chosen, **overrides}}))
        write_config(self.folder / "config.yaml", validate(compose(params, ROOT / "conf"), "test"))
        return {"--config": self.folder / "config.yaml", "--out": self.out}

    def refused(self, *named, **overrides):
        self.out.mkdir()
        (self.out / "earlier").write_text("whole")
        self.here.refused("capture", self.options(overrides), *named)
        assert [path.name for path in self.out.iterdir()] == ["earlier"]

    def entries(self, **overrides):
        from stages.capture import main

        paths = self.options(overrides)
        main(argparse.Namespace(config=paths["--config"], out=paths["--out"]))
        sessions = json.loads((self.out / "dataset.json").read_text())["sessions"]
        return {entry["session_id"]: entry for entry in sessions}


@pytest.fixture
def capture(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Capture(Here(monkeypatch, capsys), tmp_path)


def replace_line(path, number, text):
    lines = path.read_text().splitlines(keepends=True)
    lines[number - 1] = text
    path.write_text("".join(lines))


def test_missing_sidecar_stops_capture(folder, capture):
    (folder.path / "sessions.csv").unlink()
    capture.refused(folder.path, "the sidecar is missing", "sessions.csv and sessions.yaml", "docs/recordings.md")


def test_two_sampling_rates_stop_capture_and_say_that_they_go_with_the_class(folder, capture):
    for number, row in enumerate(folder.rows):
        row[6] = "2000" if number % 2 else "1000"
    folder.write()
    named = ["sample_rate_hz differs", "1000 (2 healthy)", "2000 (2 anomalous)", "it goes with the class"]
    capture.refused(*named, **{"capture.time_column": None})


def test_two_sampling_rates_between_sidecar_and_wav_header_stop_capture(folder, capture):
    write_wav(folder.path / "m1.wav", np.zeros(600), rate=800)
    (folder.path / "m1.csv").unlink()
    folder.rows[1][0], folder.rows[1][6] = "m1.wav", "1000"
    folder.write()
    capture.refused(folder.path / "m1.wav", "the file says 800 Hz, the sidecar 1000 Hz", "Correct the sidecar")


def test_wrong_channel_count_stops_capture(folder, capture):
    write_wav(folder.path / "m1.wav", np.zeros(1200), channels=2)
    (folder.path / "m1.csv").unlink()
    folder.rows[1][0] = "m1.wav"
    folder.write()
    capture.refused(folder.path / "m1.wav", "it stores 2 channel(s)", "Expected 1: x", "capture.channels")


def test_unknown_channel_stops_capture(folder, capture):
    capture.refused(folder.path / "m0.csv", "0 columns 'z'", "'t', 'x'", **{"capture.channels": ["x", "z"]})


@pytest.mark.parametrize("cell", ["", "nan", "inf"])
def test_missing_value_stops_capture_at_its_line(folder, capture, cell):
    replace_line(folder.path / "m2.csv", 302, f"0.3,{cell}\n")
    capture.refused(folder.path / "m2.csv", "line 302", "channel 'x' has no value or is infinite", "action to exclude")


def test_missing_value_excludes_the_session_if_the_flag_says_so(folder, capture):
    replace_line(folder.path / "m2.csv", 302, "0.3,\n")
    entries = capture.entries(**{"capture.quality.nan_fraction.action": "exclude"})
    assert [name for name, entry in entries.items() if entry["excluded"]] == ["m2"]
    assert entries["m2"]["flags"]["nan_fraction"] == pytest.approx(1 / 600)


def test_clipped_recording_is_flagged_with_its_share(folder, capture):
    for number in range(2, 62):
        replace_line(folder.path / "m0.csv", number, f"{(number - 2) / RATE_HZ:.3f},{40 if number % 2 else -40}\n")
    entries = capture.entries()
    assert entries["m0"]["flags"]["clipped_fraction"] == pytest.approx(60 / 600)
    assert [finding["flag"] for finding in entries["m0"]["findings"]] == ["clipped_fraction"]
    assert not entries["m0"]["excluded"] and not entries["m1"]["findings"]


def test_recording_of_three_samples_stops_capture(folder, capture):
    write_csv(folder.path / "m3.csv", np.arange(3))
    capture.refused("session m3", "3", "128")


def test_time_that_goes_back_stops_capture_at_its_line(folder, capture):
    replace_line(folder.path / "m1.csv", 102, "0.050,0.5\n")
    capture.refused(folder.path / "m1.csv", "line 102", "time goes back by 0.049 s", "time stamps that never go back")


def test_duplicate_session_id_stops_capture(folder, capture):
    folder.rows[2][7] = "m1"
    folder.write()
    capture.refused("sessions.csv, line 4", "session_id 'm1' is there twice", "sessions.csv, line 3")


def test_file_that_is_not_utf8_stops_capture_at_its_byte(folder, capture):
    content = (folder.path / "m1.csv").read_bytes()
    (folder.path / "m1.csv").write_bytes(content[:2000] + b"\xb5" + content[2001:])
    capture.refused(folder.path / "m1.csv", "byte 2000 is not UTF-8", "Expected UTF-8")


def test_unnamed_and_unlisted_files_stop_capture(folder, capture):
    folder.rows.pop()
    folder.write()
    capture.refused(folder.path, "the sidecar does not name m3.csv", "Describe it in the sidecar")


def test_label_outside_the_classes_stops_capture(folder, capture):
    folder.rows[0][5] = "fine"
    folder.write()
    capture.refused("sessions.csv, line 2", "label 'fine' is not a class", "healthy, anomalous")


def test_path_that_leaves_the_folder_stops_capture(folder, capture, tmp_path):
    shutil.copy(folder.path / "m0.csv", tmp_path / "outside.csv")
    folder.rows[0][0] = "../outside.csv"
    folder.write()
    capture.refused("sessions.csv, line 2", "without `..`", "'../outside.csv'")


def test_table_becomes_one_session_per_file_with_a_span_per_run_of_labels(capture, tmp_path):
    (tmp_path / "recordings").mkdir()
    lines = [f"{20 + number % 40},{number},{int(number >= 300)}\n" for number in range(500)]
    (tmp_path / "recordings/room.csv").write_text("temperature,co,alarm\n" + "".join(lines))
    capture.task = "vibration"
    del capture.chosen["capture.time_column"]
    section = {
        "columns": [{"name": "temperature", "low": -20.0, "high": 60.0}, {"name": "co", "low": 0.0, "high": 400.0}],
        "label": {"column": "alarm", "classes": {"0": "healthy", "1": "anomalous"}},
        "sample_rate_hz": 1.0,
        "quality.longest_stuck_run.action": "warn",
    }
    entries = capture.entries(capture="table", **{f"capture.{key}": value for key, value in section.items()})
    assert entries["room"]["labelled_samples"] == {"healthy": 300, "anomalous": 200, "uncertain": 0}
    # Of 1000 values, 0 ppm is the lowest count, and 400 to 499 ppm are beyond the highest.
    assert entries["room"]["flags"]["clipped_fraction"] == pytest.approx((100 + 1) / 1000)
    counts = SessionFile(capture.out / entries["room"]["path"]).counts()
    assert counts[[0, 200, 499], 1].tolist() == [-32768, 0, 32767]
    assert counts[[0, 39], 0].tolist() == [0, round(39 / 40 * 32768)]
