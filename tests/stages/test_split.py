"""The stage `split` as `dvc.yaml` runs it: what it writes, what it refuses, and what it only records."""

import argparse
import json

import pytest
import yaml

from stages import split
from stages.core.artifacts import sha256_file
from stages.core.config import compose
from stages.core.errors import SplitError
from stages.core.recordings.session import SessionMeta, Span, write_session
from stages.core.recordings.windows import read_windows
from tests.core.proof.recordings import RATE_HZ, vibration
from tests.pipeline.imports import ROOT

N_SAMPLES = 4096
CLASSES = ["normal", "fault"]
HELD_OUT = {"conditions": {"val": ["c3"], "test": ["c4"]}, "states": {"val": ["state3"], "test": ["state4"]}}
NAMED = {"train": ["m0", "m1", "m2"], "val": ["m3"], "test": ["m4"]}


class Project:
    """What `capture` left, and the configuration: five machines with a normal and a faulty session each."""

    def __init__(self, folder):
        self.folder = folder
        self.entries = []
        (folder / "capture/sessions").mkdir(parents=True)
        for machine in range(5):
            for state in ("normal", "fault"):
                spans = (Span(0, N_SAMPLES, state),)
                self.add(f"m{machine}_{state}", f"m{machine}", vibration(len(self.entries), N_SAMPLES), spans)

    def add(self, name, group, counts, spans):
        number = group[-1]
        meta = SessionMeta(
            name, group, f"c{number}", f"state{number}", RATE_HZ, ("x",), "g", 1.0, 32768.0, "", "", "", spans=spans
        )
        path = f"sessions/{name}.parquet"
        write_session(self.folder / "capture" / path, meta, counts)
        entry = {"session_id": name, "path": path, "excluded": None, "sample_rate_hz": RATE_HZ}
        self.entries.append({**entry, "sha256": sha256_file(self.folder / "capture" / path)})

    def run(self, kind, **changes):
        (self.folder / "capture/dataset.json").write_text(json.dumps({"sessions": self.entries}))
        overrides = {"split": kind} | {f"split.{key}": value for key, value in changes.items()}
        (self.folder / "params.yaml").write_text(yaml.safe_dump({"task": "vibration", "overrides": overrides}))
        composed = compose(self.folder / "params.yaml", ROOT / "conf")
        composed["labels"] |= {"classes": CLASSES, "min_overlap": 0.5}
        composed["window"] = {"length": 256, "hop": 128}
        (self.folder / "config.yaml").write_text(yaml.safe_dump(composed))
        out = self.folder / "split"
        line = split.main(
            argparse.Namespace(config=self.folder / "config.yaml", capture=self.folder / "capture", out=out)
        )
        return line, *(json.loads((out / name).read_text()) for name in ("split.json", "proof.json"))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.mark.parametrize(
    "kind, changes",
    [
        ("group", {}),
        ("session", {}),
        ("condition", {}),
        ("held_out", HELD_OUT),
        ("time", {"within": "session", "gap_s": 0.2}),
        ("explicit", {"unit": "group", **NAMED}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_of_split_is_made_and_proved(stored, kind, changes):
    line, described, proof = stored.run(kind, **changes)
    assert proof["holds"] and not proof["leaky"] and not described["leaky"]
    assert "proof holds" in line
    windows = read_windows(stored.folder / "split/windows.parquet")
    assert list(windows) == ["session_id", "group_id", "condition", "state", "part", "start", "label"]
    for part, counts in described["windows"].items():
        rows = windows[windows["part"] == part]
        assert counts == {name: int((rows["label"] == label).sum()) for label, name in enumerate(CLASSES)}
        assert described["sessions"][part] == sorted(set(rows["session_id"]))


def test_same_recordings_give_the_same_bytes(stored):
    stored.run("group")
    first = {path.name: path.read_bytes() for path in (stored.folder / "split").iterdir()}
    stored.run("group")
    assert {path.name: path.read_bytes() for path in (stored.folder / "split").iterdir()} == first


def test_session_under_two_names_stops_the_stage_and_is_named(project):
    project.add("copy", "m4", vibration(0, N_SAMPLES), (Span(0, N_SAMPLES, "normal"),))
    with pytest.raises(SplitError, match=r"m0_normal@0 \(train\) is copy@0 \(test\)") as error:
        project.run("explicit", unit="group", **NAMED)
    assert error.value.exit_code == 2
    assert not (project.folder / "split").exists()


def test_scaled_cut_of_a_session_stops_the_stage_and_is_named(project):
    copy = (vibration(0, N_SAMPLES)[301:] // 2).astype("int16")
    project.add("copy", "m4", copy, (Span(0, len(copy), "normal"),))
    with pytest.raises(SplitError, match=r"(m0_normal .*copy|copy .*m0_normal).*no near-duplicate"):
        project.run("explicit", unit="group", **NAMED)


def test_random_windows_run_and_are_stamped_as_leaky(stored):
    line, described, proof = stored.run("random_windows")
    assert described["leaky"] and proof["leaky"] and not proof["holds"]
    assert set(described["windows"]) == {"train", "val", "test", "unseen"}
    failed = {check["check"] for check in proof["checks"] if check["crossing"]}
    assert {"no session_id in two parts", "no group_id in two parts", "no sample range in two parts"} == failed
    assert "leaks" in line
    seen = {group for part in ("train", "val", "test") for group in described["groups"][part]}
    assert not seen & set(described["groups"]["unseen"])


def test_session_without_a_class_is_left_out_and_listed(project):
    project.add("unclear", "m0", vibration(99, N_SAMPLES), (Span(0, N_SAMPLES, "uncertain"),))
    _, described, _ = project.run("group")
    assert described["left_out"] == ["unclear"]


def test_excluded_session_is_not_used(project):
    project.add("bad", "m0", vibration(99, N_SAMPLES), (Span(0, N_SAMPLES, "normal"),))
    project.entries[-1]["excluded"] = "clipped"
    _, described, _ = project.run("group")
    assert not any("bad" in names for names in described["sessions"].values())
    assert described["left_out"] == []
