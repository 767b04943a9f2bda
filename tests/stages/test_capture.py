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
from stages.core.recordings.session import Gap, SessionFile, Span
from stages.core.recordings.source import Block, Recording
from stages.core.recordings.synthetic_bearing import SyntheticSessions
from stages.core.report.quality_page import write_quality_page
from tests.core.recordings.sources import CONF, shipped, signal_of

SMALL = {"sessions": 4, "duration_s": 0.25, "machines__count": 2}
CLASSES = ("healthy", "anomalous")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Draw no pictures: they take longer than all else."""
    monkeypatch.setattr(capture, "write_quality_page", lambda *_: [])


@pytest.fixture
def page(quick, monkeypatch):
    """Write the page after all."""
    monkeypatch.setattr(capture, "write_quality_page", write_quality_page)


@pytest.fixture
def paths(tmp_path):
    """Write a configuration and give the stage's paths."""

    def write(name="synthetic_bearing", /, backend="loky", workers=1, **changes):
        values = {
            "seed": 1,
            "window": {"length": 256, "hop": 128},
            "labels": {"kind": "ordered", "classes": list(CLASSES), "min_overlap": 0.5},
            "compute": {"backend": backend, "workers": workers},
            "capture": shipped(name, **changes),
        }
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
        return argparse.Namespace(config=tmp_path / "config.yaml", out=tmp_path / "capture")

    return write


class Recordings(list):
    """A source that holds its recordings."""

    live = False


def open_ended(recording):
    return replace(recording, meta=replace(recording.meta, spans=(Span(0, -1, "healthy"),)))


class Interrupted(Recordings):
    """A device whose user ends the recording during session `at`, which comes to nothing."""

    live = True
    at = 2

    def __init__(self, recordings):
        last = replace(open_ended(recordings[self.at]), blocks=self._end)
        super().__init__([*recordings[: self.at], last, *recordings[self.at + 1 :]])

    def _end(self):
        del self[self.at :]
        return iter(())


def with_signal(recording, signal, **block):
    return replace(recording, blocks=lambda: iter([Block(signal, **block)]))


def recordings_of(paths, monkeypatch, change, **changes):
    """Make the stage run on the small configuration's recordings after a change to their list."""
    where = paths(**SMALL, **changes)
    config = capture.load(where.config, capture.CaptureSettings)
    source = SyntheticSessions(config.capture, 1, CLASSES)
    recordings = change([source[index] for index in range(4)])
    kept = recordings if isinstance(recordings, Recordings) else Recordings(recordings)
    monkeypatch.setattr(capture, "open_source", lambda *_: kept)
    return where


def dataset_of(where):
    return json.loads((where.out / "dataset.json").read_text())


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def test_every_session_is_listed_with_its_hash_and_stored_with_its_flags(paths):
    where = paths(**SMALL)
    line = capture.main(where)
    dataset = dataset_of(where)
    assert [entry["session_id"] for entry in dataset["sessions"]] == ["s0000", "s0001", "s0002", "s0003"]
    for entry in dataset["sessions"]:
        file = SessionFile(where.out / entry["path"])
        file.verify(entry["sha256"])
        assert entry["sha256"] == sha256_file(where.out / entry["path"])
        assert entry["n_samples"] == file.n_samples == 3200
        assert entry["flags"] == file.meta.flags
        assert entry["flags"].keys() == dataset["limits"].keys()
        assert sum(entry["labelled_samples"].values()) == 3200
        assert entry["label"] == ("healthy" if file.meta.state == "healthy" else "anomalous")
        assert entry["level"] == pytest.approx(file.counts().std() / file.meta.counts_per_unit)
        assert entry["excluded"] is None
    assert line.startswith("capture: 4 sessions (0 excluded, 0 flagged), 0.000 h of 2 groups, clipped fraction")
    assert line.endswith(dataset["dataset_id"][:12])


def test_two_runs_give_the_same_bytes(paths, page):
    where = paths(**SMALL)
    capture.main(where)
    before = everything(where.out)
    assert {path.name for path in before} >= {"dataset.json", "report.md", "signals.png", "flags.png", "s0003.parquet"}
    capture.main(where)
    assert everything(where.out) == before


@pytest.mark.parametrize("backend", ["loky", pytest.param("ray", marks=pytest.mark.slow)])
def test_two_workers_give_the_bytes_of_one(paths, backend):
    if backend == "ray":
        pytest.importorskip("ray")
    small = {**SMALL, "sessions": 10}
    where = paths(**small)
    capture.main(where)
    before = everything(where.out)
    capture.main(paths(backend=backend, workers=2, **small))
    assert everything(where.out) == before


def test_blocks_of_a_source_do_not_change_the_bytes(paths, monkeypatch):
    def cut(recordings):
        signals = [signal_of(recording) for recording in recordings]
        return [
            replace(recording, blocks=lambda signal=signal: (Block(part) for part in np.array_split(signal, 7)))
            for recording, signal in zip(recordings, signals, strict=True)
        ]

    where = recordings_of(paths, monkeypatch, list)
    capture.main(where)
    before = everything(where.out)
    capture.main(recordings_of(paths, monkeypatch, cut))
    assert everything(where.out) == before


def test_gaps_and_open_spans_are_stored_as_they_were_found(paths, monkeypatch):
    def lose(recordings):
        signal = signal_of(recordings[0])
        blocks = [Block(signal[:1000]), Block(signal[1000:3000], missing_before=40)]
        meta = replace(recordings[0].meta, spans=(Span(0, 2000, "healthy"), Span(2000, -1, "anomalous")))
        return [Recording(meta, lambda: iter(blocks)), *recordings[1:]]

    where = recordings_of(paths, monkeypatch, lose)
    capture.main(where)
    entry = dataset_of(where)["sessions"][0]
    meta = SessionFile(where.out / entry["path"]).meta
    assert meta.gaps == (Gap(1000, 40),)
    assert meta.spans == (Span(0, 2000, "healthy"), Span(2000, 3000, "anomalous"))
    assert entry["flags"]["missing_fraction"] == 40 / 3040
    assert entry["labelled_samples"] == {"healthy": 2000, "anomalous": 1000, "uncertain": 0}


def test_excluded_session_keeps_its_line_and_leaves_the_dataset_id(paths, monkeypatch, page):
    def stick(recordings):
        signal = signal_of(recordings[1])
        signal[:200] = 1.0
        return [recordings[0], with_signal(recordings[1], signal), *recordings[2:]]

    where = recordings_of(paths, monkeypatch, stick)
    line = capture.main(where)
    dataset = dataset_of(where)
    assert dataset["sessions"][1]["excluded"] == "longest_stuck_run is 200, above 64"
    assert dataset["sessions"][1]["findings"][0]["action"] == "exclude"
    assert dataset["totals"]["sessions"] == 3
    assert "(1 excluded, 1 flagged)" in line
    assert "| s0001 | longest_stuck_run | 200 | 64 | exclude |" in (where.out / "report.md").read_text()
    without = recordings_of(paths, monkeypatch, lambda recordings: [recordings[0], *recordings[2:]])
    capture.main(without)
    assert dataset_of(where)["dataset_id"] == dataset["dataset_id"]


def with_nan(recordings):
    signal = signal_of(recordings[2])
    signal[17] = np.nan
    return [*recordings[:2], with_signal(recordings[2], signal)]


def test_session_with_missing_values_can_be_left_out_by_choice(paths, monkeypatch):
    where = recordings_of(paths, monkeypatch, with_nan, quality__nan_fraction={"action": "exclude"})
    capture.main(where)
    entry = dataset_of(where)["sessions"][2]
    assert entry["excluded"] == "1 of 3200 samples are NaN or infinite, the first at sample 17 of channel 'radial'"
    assert SessionFile(where.out / entry["path"]).counts()[17, 0] == 0


def test_limit_derived_from_the_data_is_written_down(paths):
    where = paths(**SMALL, quality__repeated_fraction={"max": {"outlier_mad": 3}, "action": "warn"})
    capture.main(where)
    dataset = dataset_of(where)
    values = np.array([entry["flags"]["repeated_fraction"] for entry in dataset["sessions"]])
    spread = np.median(np.abs(values - np.median(values)))
    assert dataset["limits"]["repeated_fraction"] == pytest.approx(np.median(values) + 3 * 1.4826 * spread)


def test_live_source_that_ends_early_keeps_what_it_recorded(paths, monkeypatch):
    where = recordings_of(paths, monkeypatch, Interrupted)
    assert capture.main(where).startswith("capture: 2 sessions")
    assert sorted(path.name for path in (where.out / "sessions").iterdir()) == ["s0000.parquet", "s0001.parquet"]


def held(recordings):
    """Repeat each third sample of the faulty sessions, as a sensor does that is read too fast."""
    signals = [signal_of(recording) for recording in recordings]
    for recording, signal in zip(recordings, signals, strict=True):
        if recording.meta.state != "healthy":
            signal[2::3] = signal[1:-1:3][: len(signal[2::3])]
    return [with_signal(recording, signal) for recording, signal in zip(recordings, signals, strict=True)]


def faster_faults(recordings):
    fast = {recording.meta.session_id: recording.meta.state != "healthy" for recording in recordings}
    rate = {True: 48000.0, False: 12800.0}
    metas = [replace(of.meta, sample_rate_hz=rate[fast[of.meta.session_id]]) for of in recordings]
    return [replace(of, meta=meta) for of, meta in zip(recordings, metas, strict=True)]


def renamed(recording, session_id):
    return replace(recording, meta=replace(recording.meta, session_id=session_id))


def respanned(recordings, *spans):
    return [replace(recordings[0], meta=replace(recordings[0].meta, spans=spans)), *recordings[1:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_nan, "session s0002: 1 of 3200 samples are NaN or infinite, the first at sample 17"),
        (lambda of: [with_signal(open_ended(of[0]), signal_of(of[0])[:0])], "session s0000: the recording is empty"),
        (lambda of: [with_signal(open_ended(of[0]), signal_of(of[0])[:255])], "session s0000: it has 255 samples"),
        (lambda of: [*of, of[1]], "session s0001: two recordings have this id"),
        (lambda of: [renamed(of[0], "../s")], "session ../s: the id cannot name a file"),
        (lambda of: [with_signal(of[0], signal_of(of[0]) * 0)], "every one of the 1 sessions is excluded"),
        (lambda of: [], "there is no recording"),
        (held, "repeated_fraction tells the class (auc 1: median of healthy 0.00"),
        (faster_faults, "sample_rate_hz differs between recordings: 12800 (2 healthy), 48000 (2 anomalous); it goes"),
        (lambda of: respanned(of, Span(0, 9, "broken")), "session s0000: a span has the label 'broken'"),
        (lambda of: respanned(of, Span(0, 3201, "healthy")), "the span 0 .. 3201 (healthy) is not within its 3200"),
        (
            lambda of: [with_signal(of[0], signal_of(of[0]), time_s=-np.arange(3200.0)), *of[1:]],
            "session s0000: the time stamp of sample 1 is -1 s after -0 s",
        ),
    ],
)
def test_bad_recording_stops_the_stage_and_leaves_nothing(paths, monkeypatch, change, message):
    where = recordings_of(paths, monkeypatch, change)
    with pytest.raises(RecordingError) as caught:
        capture.main(where)
    assert message in str(caught.value)
    assert [path.name for path in where.out.parent.glob("capture*")] == []


def test_artefact_that_is_allowed_by_name_is_on_the_page(paths, monkeypatch, page):
    capture.main(where := recordings_of(paths, monkeypatch, held, artefacts__allow=["repeated_fraction"]))
    assert "**tells the class, allowed**" in (where.out / "report.md").read_text()


def test_duplicate_id_is_found_before_anything_is_read(paths, monkeypatch):
    def duplicate(recordings):
        return [replace(of, blocks=lambda: pytest.fail("reading began")) for of in (*recordings, recordings[0])]

    where = recordings_of(paths, monkeypatch, duplicate)
    with pytest.raises(RecordingError, match="two recordings have this id"):
        capture.main(where)


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
        return subprocess.run(arguments, cwd=CONF.parent, capture_output=True, text=True, check=False)

    good = command(paths(**SMALL))
    assert (good.returncode, len(good.stdout.splitlines())) == (0, 1)
    bad = command(paths(**SMALL, quality__repeated_fraction={"max": 0.0, "action": "error"}))
    assert bad.returncode == 2
    assert bad.stderr.splitlines()[-1] and "error: session s0000: repeated_fraction is" in bad.stderr
    assert "Traceback" not in bad.stderr
