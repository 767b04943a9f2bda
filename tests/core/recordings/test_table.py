"""Tables of one row per sample: ranges per column, labels per row, sessions by file or by column."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.core.errors import RecordingError, TailgateError
from stages.core.recordings.quality import Meter
from stages.core.recordings.session import SessionMeta, Span, digitise
from stages.core.recordings.table import TableSessions
from tests.core.recordings.sources import capture_config
from tests.pipeline.imports import ROOT

CLASSES = ("clear", "smoke")
COLUMNS = [{"name": "temperature", "low": -20.0, "high": 60.0}, {"name": "co", "low": 0.0, "high": 1000.0}]
LABEL = {"column": "alarm", "classes": {"0": "clear", "1": "smoke", "?": "uncertain"}}
ROWS = "co,temperature,alarm\n0,20,0\n500,60,0\n1000,-20,1\n250,0,?\n"


def config(folder, **changes):
    chosen = {"folder": str(folder), "columns": COLUMNS, "label": LABEL, "sample_rate_hz": 1.0, **changes}
    return capture_config("table", **chosen)


def source(folder, **changes):
    return TableSessions(config(folder, **changes), CLASSES)


def signal(recording):
    return np.concatenate([block.signal for block in recording.blocks()])


def refused(act, *named):
    with pytest.raises(RecordingError) as caught:
        act()
    for name in named:
        assert str(name) in str(caught.value), str(caught.value)


def test_each_column_fills_the_range_of_the_counts_in_configured_order(tmp_path):
    (tmp_path / "room.csv").write_text(ROWS)
    (recording,) = source(tmp_path)
    assert signal(recording).tolist() == [[0.0, -1.0], [1.0, 0.0], [-1.0, 1.0], [-0.5, -0.5]]
    meta = recording.meta
    assert (meta.channels, meta.unit, meta.full_scale) == (("temperature", "co"), "share of range", 1.0)
    assert (meta.session_id, meta.group_id, meta.sample_rate_hz, meta.counts_per_unit) == ("room", "room", 1.0, 32768.0)
    assert meta.notes["range of temperature"] == "-20 .. 60"


RESOLVED = [
    {"name": "temperature", "low": -20.0, "high": 60.0, "resolution": 0.01},
    {"name": "co", "low": 0.0, "high": 1000.0, "resolution": 0.01, "normalised": {"low": 0.0, "high": 2000.0}},
]


def test_column_with_a_resolution_keeps_the_counts_of_its_sensor_without_its_publishers_scale(tmp_path):
    (tmp_path / "room.csv").write_text("co,temperature,alarm\n0,20,0\n0.25,-20,0\n0.0000251,60,1\n0.75,100,1\n")
    (recording,) = source(tmp_path, columns=RESOLVED)
    meta = recording.meta
    assert (meta.unit, meta.counts_per_unit, meta.full_scale) == ("counts", 1.0, 100_000.0)
    assert meta.limits == ((-2000, 6000), (0, 100_000))
    assert meta.notes["resolution of co"] == "0.01"
    counts, _ = digitise(signal(recording), meta)
    assert counts.dtype == np.int32
    assert counts.tolist() == [[2000, 0], [-2000, 50_000], [6000, 5], [6000, 100_000]]
    meter = Meter(meta)
    meter.add(counts, np.zeros(counts.shape, dtype=bool))
    # -20, 60 and 100 degrees, and 0 and 1500 ppm, are at an end or beyond.
    assert meter.flags()["clipped_fraction"] == 5 / 8


def test_level_of_counts_whose_squares_do_not_add_up_in_64_bits_is_exact():
    rng = np.random.Generator(np.random.PCG64(0))
    counts = rng.integers(-(2**31) + 2, 2**31 - 1, (1000, 2)).astype(np.int32)
    meta = replace(resolved_meta(), limits=((-(2**31) + 2, 2**31 - 2),) * 2)
    meter = Meter(meta)
    for part in np.split(counts, [1, 700]):
        meter.add(part, np.zeros(part.shape, dtype=bool))
    squares = [sum(int(v) ** 2 for v in column) / 1000 - (sum(map(int, column)) / 1000) ** 2 for column in counts.T]
    assert meter.level() == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-12)


def resolved_meta():
    return SessionMeta(
        **dict.fromkeys(("session_id", "group_id", "condition", "state", "device", "firmware", "mounting"), "s"),
        sample_rate_hz=1.0,
        channels=("temperature", "co"),
        unit="counts",
        full_scale=100_000.0,
        counts_per_unit=1.0,
        spans=(),
    )


def test_folder_of_data_sets_is_where_the_section_says(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room/room.csv").write_text(ROWS)
    section = config("room", relative_to="datasets")
    assert len(TableSessions(section, CLASSES, tmp_path)) == 1
    refused(lambda: TableSessions(section, CLASSES, None), "folder 'room'", "BEARING_DATASETS_ROOT is not set")


def test_consecutive_equal_labels_become_spans(tmp_path):
    (tmp_path / "room.csv").write_text(ROWS)
    (recording,) = source(tmp_path)
    assert recording.meta.spans == (Span(0, 2, "clear"), Span(2, 3, "smoke"), Span(3, 4, "uncertain"))


def test_each_file_is_a_session_in_the_order_of_names_with_or_without_a_header(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.csv").write_text("0,20,0\n500,60,1\n")
    sessions = source(tmp_path, names=["co", "temperature", "alarm"])
    assert [recording.meta.session_id for recording in sessions] == ["a", "b"]
    assert signal(sessions[1]).tolist() == [[0.0, -1.0], [1.0, 0.0]]


def test_session_and_group_columns_cut_a_file(tmp_path):
    rows = [("n1", 1, 0), ("n1", 1, 1), ("n1", 2, 1), ("n2", 1, 0), ("n2", 1, 0), ("n2", 1, 1)]
    frame = pd.DataFrame(rows, columns=["node", "run", "alarm"]).assign(temperature=range(6), co=0)
    frame.to_csv(tmp_path / "all.csv", index=False)
    sessions = source(tmp_path, group_column="node", session_column="run")
    assert [(of.meta.session_id, of.meta.group_id) for of in sessions] == [
        *[("all_n1_1", "n1"), ("all_n1_2", "n1"), ("all_n2_1", "n2")]
    ]
    spans = [of.meta.spans for of in sessions]
    assert spans == [
        (Span(0, 1, "clear"), Span(1, 2, "smoke")),
        (Span(0, 1, "smoke"),),
        (Span(0, 2, "clear"), Span(2, 3, "smoke")),
    ]
    temperatures = [((signal(of)[:, 0] + 1) * 40 - 20).round(9).tolist() for of in sessions]
    assert temperatures == [[0, 1], [2], [3, 4, 5]]


def test_sessions_longer_than_a_block_are_cut_at_their_rows(tmp_path):
    n = 120_000
    frame = pd.DataFrame({"co": np.arange(n) % 1000, "temperature": 20, "alarm": 0, "run": np.arange(n) // (n // 2)})
    frame.to_csv(tmp_path / "long.csv", index=False)
    sessions = source(tmp_path, session_column="run")
    assert len(list(sessions[0].blocks())) > 1
    for index, recording in enumerate(sessions):
        expected = frame["co"].to_numpy()[index * n // 2 : (index + 1) * n // 2] / 500 - 1
        np.testing.assert_allclose(signal(recording)[:, 1], expected, atol=1e-12)


def test_missing_value_names_its_line_or_becomes_nan(tmp_path):
    (tmp_path / "room.csv").write_text(ROWS.replace("1000,-20", "-200,-20").replace("250", ""))
    refused(lambda: signal(source(tmp_path, missing_value=-200.0)[0]), "room.csv, line 4", "channel 'co' has no value")
    (recording,) = source(tmp_path, missing_value=-200.0, quality__nan_fraction__action="exclude")
    np.testing.assert_array_equal(np.isnan(signal(recording)[:, 1]), [False, False, True, True])


def test_value_beyond_its_range_goes_beyond_full_scale_to_be_clipped_by_the_sensor(tmp_path):
    (tmp_path / "room.csv").write_text(ROWS.replace("500,60", "5000,60"))
    assert signal(source(tmp_path)[0])[1, 1] == 9.0


@pytest.mark.parametrize(
    ("text", "changes", "named"),
    [
        ("", {}, ["room.csv", "its first line is empty"]),
        ("co,alarm\n1,0\n", {}, ["0 columns 'temperature'", "'co', 'alarm'"]),
        ("co,temperature\n1,0\n", {}, ["0 columns 'alarm'"]),
        (ROWS, {"session_column": "run"}, ["0 columns 'run'"]),
        (ROWS.replace("250,0,?", "250,0,2"), {}, ["line 5", "column 'alarm' holds '2'", "'0', '1', '?'"]),
        (ROWS.replace("250,0", "250,warm"), {}, ["line 5, column 'temperature'", "'warm'"]),
        (ROWS.replace("250,0", "250"), {}, ["line 5", "2 cell(s)"]),
        (ROWS + "1,1,\xe9\n", {}, ["room.csv", "byte 60 is not UTF-8"]),
        (ROWS + "1,1,0\n", {"session_column": "alarm"}, ["line 6", "'room_0' begins a second time", "Sort the rows"]),
    ],
)
def test_bad_table_names_the_place(tmp_path, text, changes, named):
    (tmp_path / "room.csv").write_bytes(text.encode("latin-1"))
    refused(lambda: [signal(recording) for recording in source(tmp_path, **changes)], *named)


def test_folder_without_a_table_is_refused(tmp_path):
    refused(lambda: source(tmp_path), tmp_path, "no file fits '*.csv'")


def test_label_that_means_no_class_is_refused(tmp_path):
    label = {"column": "alarm", "classes": {"0": "clear", "1": "fire"}}
    refused(lambda: source(tmp_path, label=label), "'fire', which is not a class", "clear, smoke, uncertain")


@pytest.mark.parametrize(
    "changes",
    [
        {"pattern": "../*.csv"},
        {"columns": [{"name": "co", "low": 1.0, "high": 1.0}]},
        {"columns": [*COLUMNS, COLUMNS[0]]},
        {"columns": []},
        {"columns": [RESOLVED[0], COLUMNS[1]]},
        {"columns": [{**RESOLVED[0], "resolution": 0.0}]},
        {"columns": [{**RESOLVED[0], "resolution": 1e-8}]},
        {"columns": [{**RESOLVED[0], "resolution": 1000.0}]},
        {"columns": [{**RESOLVED[0], "normalised": {"low": 1.0, "high": 1.0}}]},
        {"relative_to": "home"},
        {"session_column": "co"},
        {"sensor__full_scale": 16.0},
        {"sample_rate_hz": 0.0},
    ],
)
def test_section_that_cannot_be_is_refused(tmp_path, changes):
    with pytest.raises(ValidationError):
        config(tmp_path, **changes)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.text(alphabet='01,.-"\n\r x?\x00é', max_size=60) | st.binary(max_size=40))
def test_no_table_raises_anything_else(tmp_path, rows):
    (tmp_path / "room.csv").write_bytes(ROWS.encode() + (rows if isinstance(rows, bytes) else rows.encode()))
    for column in (None, "alarm"):
        try:
            for recording in source(tmp_path, session_column=column):
                assert signal(recording).shape[1] == 2
        except TailgateError as error:
            assert str(error).startswith(str(tmp_path))


def test_smoke_counts_agree_with_pandas_at_the_resolution_of_each_sensor():
    root = os.environ.get("BEARING_DATASETS_ROOT")
    folder = Path(root or "") / "smoke"
    if not root or not folder.is_dir():
        pytest.skip("BEARING_DATASETS_ROOT does not lead to the folder smoke")
    task = yaml.safe_load((ROOT / "conf/task/smoke.yaml").read_text())["capture"]
    section = capture_config("table", **{key: value for key, value in task.items() if key != "sensor"})
    test, train = TableSessions(section, ("no_fire", "fire"), Path(root))
    for recording, rows in ((test, 7150), (train, 28596)):
        table = pd.read_csv(folder / f"{recording.meta.session_id}.csv", header=None).to_numpy()
        counts, _ = digitise(signal(recording), recording.meta)
        assert table.shape == (rows, 13)
        assert counts.shape == (rows, 12)
        for index, column in enumerate(task["columns"]):
            low, high, step = column["low"], column["high"], column["resolution"]
            expected = (low + table[:, index] * (high - low)) / step
            # Half a count either way, as values of the sixth decimal may lie between two.
            assert np.abs(counts[:, index] - expected).max() <= 0.5 + 1e-6
        of_rows = np.concatenate([[span.label == "fire"] * (span.stop - span.start) for span in recording.meta.spans])
        np.testing.assert_array_equal(of_rows, table[:, 12] == 1)
