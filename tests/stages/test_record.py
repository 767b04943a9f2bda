"""The command: a live device becomes files that the source `files` reads, also when it is stopped or unplugged."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter

from stages import record
from stages.core.errors import ConfigError, RecordingError
from stages.core.recordings.files import FileSessions
from stages.core.recordings.wire import Hello, encode
from stages.core.schema.files import Files
from tests.core.recordings.devices import COUNTS, Device, frames, line_config, sample_frame
from tests.core.recordings.sources import shipped

CLASSES = ("healthy", "anomalous")
ROOT = Path(__file__).parents[2]


class RunningDevice:
    """Sends a hello and 20 frames every 100 ms, to whoever is connected, wherever its counters are."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.port = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self):
        batch = 0
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
                while not self._over.wait(0.1):
                    hello = Hello(21 * batch, 1, 1_000_000, 2_048_000, "forward-1")
                    samples = (sample_frame(20 * batch + k, 21 * batch + 1 + k) for k in range(20))
                    connection.sendall(b"".join(map(encode, (hello, *samples))))
                    batch = (batch + 1) % 50
            except OSError:
                continue  # the other side has closed the connection


def write_config(folder, config, source=None):
    path = folder / "config.yaml"
    values = config.model_dump(mode="json") if source is None else shipped(source)
    content = {"capture": values, "labels": {"kind": "ordered", "classes": list(CLASSES), "min_overlap": 0.5}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def read_back(folder):
    section = shipped("files", folder=str(folder), channels=["radial"], time_column="time_s")
    section["conversion"] = {"counts": {"scale": 1 / 2048, "zero": 0.0}}
    return FileSessions(TypeAdapter(Files).validate_python(section), CLASSES)


def check_truth(recording):
    """The counts are what the device had under the numbers that the time stamps say; returns how many there are."""
    blocks = list(recording.blocks())
    counts = np.concatenate([np.rint(block.signal * 2048) for block in blocks])
    time_s = np.concatenate([block.time_s for block in blocks])
    starts = [start for start in range(0, 20_000, 20) if np.array_equal(COUNTS[start : start + 20], counts[:20])]
    numbers = starts[0] + np.rint((time_s - time_s[0]) * 1000).astype(int)
    np.testing.assert_array_equal(counts, COUNTS[numbers])
    return len(counts)


def test_a_recording_stopped_by_ctrl_c_is_files_that_can_be_read(tmp_path):
    with RunningDevice() as device:
        config = write_config(tmp_path, line_config(device.port, (0.5, 0.7, 600.0, 600.0), timeout_s=10.0))
        command = [sys.executable, "-m", "stages.record", "--config", config, "--out", tmp_path / "recordings"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            lines = []
            while not (lines and lines[-1].startswith("record: s2 (healthy) begins")):
                lines.append(process.stdout.readline())
                assert lines[-1], process.stderr.read()
            time.sleep(0.7)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert output.splitlines()[-1] == f"record: 3 of 4 sessions in {tmp_path / 'recordings'}, stopped by Ctrl-C"
    assert lines[1].startswith("record: s0 complete: 500 samples, 0 missing, ")
    sessions = read_back(tmp_path / "recordings")
    lengths = [check_truth(recording) for recording in sessions]
    assert lengths[:2] == [500, 700]
    assert lengths[2] > 0
    assert [recording.meta.spans[0].label for recording in sessions] == ["healthy", "anomalous", "healthy"]
    assert sessions[1].meta.sample_rate_hz == 1000.0
    assert sessions[1].meta.firmware == "forward-1"


def test_what_came_before_an_error_is_kept_with_its_gap(tmp_path):
    with Device(frames(0, 30), frames(0, 10) + frames(13, 15), b"") as device:
        config = write_config(tmp_path, line_config(device.port, (0.4, 9.0)))
        with pytest.raises(RecordingError, match="nothing came"):
            record.main(Namespace(config=config, out=tmp_path / "recordings"))
    sessions = read_back(tmp_path / "recordings")
    assert [check_truth(recording) for recording in sessions] == [400, 240]
    (block,) = sessions[1].blocks()
    assert np.flatnonzero(np.diff(block.time_s) > 0.0015).tolist() == [199]
    assert round((block.time_s[200] - block.time_s[199]) * 1000) == 61
    assert sorted(path.name for path in (tmp_path / "recordings").iterdir()) == [
        "s0.parquet",
        "s1.parquet",
        "sessions.csv",
    ]


def test_a_second_recording_adds_to_the_first_and_never_replaces_it(tmp_path):
    out = tmp_path / "recordings"
    with Device(frames(0, 30)) as device:
        line = line_config(device.port)
        record.main(Namespace(config=write_config(tmp_path, line), out=out))
        with pytest.raises(RecordingError, match=r"sessions.csv: it has s0 already"):
            record.main(Namespace(config=write_config(tmp_path, line), out=out))
    with Device(frames(30, 60)) as device:
        other = line.sessions[0].model_copy(update={"session_id": "later"})
        line = line.model_copy(update={"port": device.port, "sessions": (other,)})
        closing_line = record.main(Namespace(config=write_config(tmp_path, line), out=out))
    assert closing_line == f"record: 1 of 1 sessions in {out}"
    assert [recording.meta.session_id for recording in read_back(out)] == ["s0", "later"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sessions.csv", b"file,group\na.csv,b\n"),
        ("sessions.yaml", b"- file: a.csv\n"),
        ("sessions.csv", b"\xff\xfe"),
        ("sessions.csv", b""),
    ],
)
def test_a_folder_with_somebody_elses_sidecar_is_left_alone(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    config = write_config(tmp_path, line_config())
    with pytest.raises(RecordingError, match=f"{name}: the folder has a sidecar that was not written by `record`"):
        record.main(Namespace(config=config, out=tmp_path))
    assert (tmp_path / name).read_bytes() == content


def test_another_source_is_refused(tmp_path):
    config = write_config(tmp_path, None, "synthetic_bearing")
    with pytest.raises(ConfigError, match=r"capture.source is synthetic_bearing\. Expected serial"):
        record.main(Namespace(config=config, out=tmp_path))
