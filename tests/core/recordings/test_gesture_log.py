"""A folder of logs: which takes there are, what they are called, and in which unit they come."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from stages.core.errors import RecordingError
from stages.core.recordings.gesture_log import GestureLogSessions
from stages.core.recordings.session import Span
from tests.core.recordings.sources import capture_config, signal_of

CLASSES = ("none", "ring", "slope")
LOG = b"-,-,-\n1,2,3\n-1,-2,-3\n-,-,-\n4,5,6\n"

DATASETS = Path(os.environ.get("BEARING_DATASETS_ROOT", "/nowhere"))


def config(**changes):
    return capture_config("gesture_log", folder="wand", **changes)


@pytest.fixture
def root(tmp_path):
    for name in ("ring/output_ring_b.txt", "negative/output_negative_ccw_1.txt", "ring/output_ring_a.txt"):
        path = tmp_path / "wand" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LOG)
    (tmp_path / "wand/README.md").write_text("no log")
    return tmp_path


def test_each_take_is_a_session_of_its_person_in_the_order_of_paths(root):
    metas = [each.meta for each in GestureLogSessions(config(), CLASSES, root)]
    assert [meta.session_id for meta in metas] == [
        *("negative_ccw_1_00", "negative_ccw_1_01", "ring_a_00", "ring_a_01", "ring_b_00", "ring_b_01")
    ]
    assert [meta.group_id for meta in metas] == ["ccw_1", "ccw_1", "a", "a", "b", "b"]
    assert [meta.spans for meta in metas[1:3]] == [(Span(0, -1, "none"),), (Span(0, -1, "ring"),)]
    assert {meta.sample_rate_hz for meta in metas} == {25.0}


def test_values_come_in_g_whatever_unit_a_log_has(root):
    sessions = GestureLogSessions(config(), CLASSES, root)
    np.testing.assert_allclose(signal_of(sessions[0]), [[0.001, 0.002, 0.003], [-0.001, -0.002, -0.003]])
    assert signal_of(sessions[3]).tolist() == [[4.0, 5.0, 6.0]]


@pytest.mark.parametrize(
    ("changes", "classes", "named"),
    [
        ({}, ("none", "ring"), ["the label 'slope' is not a class", "capture.states"]),
        ({"states__ring__label": "uncertain"}, ("none",), ["the label 'slope'"]),
        ({"pattern": r"(?P<state>\w+)/(?P<group>\w+)\.csv"}, CLASSES, ["no file fits", "capture.pattern"]),
        ({"states": {"ring": {"label": "ring", "scale": 1.0}}}, CLASSES, ["state 'negative'", "capture.states"]),
    ],
)
def test_what_does_not_fit_is_refused(root, changes, classes, named):
    with pytest.raises(RecordingError) as caught:
        GestureLogSessions(config(**changes), classes, root)
    for part in named:
        assert part in str(caught.value)


def test_folder_of_data_sets_must_be_known():
    with pytest.raises(RecordingError, match="BEARING_DATASETS_ROOT is not set"):
        GestureLogSessions(config(), CLASSES, None)


@pytest.mark.parametrize(
    ("pattern", "named"), [("(", "no regular expression"), (r"(?P<state>.*)", "named groups"), ("x", "named groups")]
)
def test_pattern_must_say_state_and_group(pattern, named):
    with pytest.raises(ValidationError, match=named):
        config(pattern=pattern)


@pytest.mark.skipif(
    not (DATASETS / "magic_wand/manifest.csv").is_file(), reason="BEARING_DATASETS_ROOT does not lead to magic_wand"
)
def test_published_logs_hold_the_takes_and_samples_that_their_manifest_counts():
    manifest = pd.read_csv(DATASETS / "magic_wand/manifest.csv")
    listed = manifest[manifest["file"].str.startswith("tflm_original/")].set_index("file")
    sessions = GestureLogSessions(capture_config("gesture_log"), CLASSES, DATASETS)
    rows = [(f"{s.meta.state}/{s.meta.notes['file']}", len(signal_of(s))) for s in sessions]
    found = pd.DataFrame(rows, columns=["log", "samples"]).groupby("log")["samples"].agg(["size", "sum"])
    listed.index = listed.index.str.removeprefix("tflm_original/")
    assert found["size"].to_dict() == listed["separators"].to_dict()
    # The manifest leaves out one sample, which follows the echo of a key.
    more = {"ring/output_ring_hyw.txt": 1}
    assert found["sum"].to_dict() == {log: n + more.get(log, 0) for log, n in listed["points"].items()}
