"""Sets of the package bearing-datasets: small ones made here, and the real ones where they are."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.core.errors import ConfigError, RecordingError
from stages.core.recordings.bearing_datasets import DatasetSessions, evaluate, fill, to_physical
from stages.core.schema.bearing_datasets import Conversion
from tests.core.recordings.sources import capture_config, signal_of

REAL = os.environ.get("BEARING_DATASETS_ROOT", "")


def needs(name):
    there = bool(REAL) and (Path(REAL) / name / "manifest.json").exists()
    return pytest.mark.skipif(not there, reason=f"BEARING_DATASETS_ROOT does not lead to a built set {name}")


def built_set(root, recordings, unit="V", sensitivity="unknown", speeds_rpm=None):
    """Write a set as the package does; recordings: id -> (fault type, rate, {channel: samples})."""
    rows, signals = [], []
    for recording_id, (fault, rate, channels) in recordings.items():
        for channel, samples in channels.items():
            row = {"dataset": "tiny", "signal_id": f"{recording_id}/{channel}", "recording_id": recording_id}
            row |= {"channel": channel, "fs": rate, "n_samples": len(samples), "fault_type": fault}
            row |= {"quantity": "acceleration", "unit": unit, "sensitivity": sensitivity}
            row |= {"speed_rpm": (speeds_rpm or {}).get(recording_id, 600.0)}
            row |= {"native_label": fault, "load": 0.0, "load_unit": "lb"}
            rows.append(row | {"signal_file": "part.parquet", "signal_row_group": 0, "signal_row": len(signals)})
            signals.append(np.asarray(samples, dtype=np.float32))
    (root / "tiny" / "signals").mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(root / "tiny" / "metadata.parquet")
    offsets = pa.array(np.cumsum([0, *map(len, signals)]).astype(np.int32))
    column = pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(signals)))
    pq.write_table(pa.table({"signal": column}), root / "tiny" / "signals" / "part.parquet")
    manifest = {"dataset": "tiny", "schema_version": 2, "content_hash": "abc"}
    (root / "tiny" / "manifest.json").write_text(json.dumps(manifest))
    return root


def two_recordings(rate_of_b=1000.0):
    return {
        "b": ("inner", rate_of_b, {"y": [0.9, 1.0], "x": [0.92, 0.88]}),
        "a": ("normal", 1000.0, {"x": [0.9, 0.92], "y": [0.9, 0.9]}),
    }


CLASSES = ("healthy", "anomalous")


def config(**changes):
    chosen = {"name": "tiny", "content_hash": "abc", "channels": ["x", "y"], **changes}
    return capture_config("bearing_datasets", **chosen)


def everything(sessions):
    return [sessions[index] for index in range(len(sessions))]


def test_channels_of_a_recording_are_put_together_in_configured_order_and_in_g(tmp_path):
    sessions = everything(DatasetSessions(config(), CLASSES, built_set(tmp_path, two_recordings())))
    assert [session.meta.session_id for session in sessions] == ["a", "b"]
    np.testing.assert_allclose(signal_of(sessions[1]), [[1.0, 0.0], [-1.0, 5.0]], atol=1e-5)
    assert sessions[1].meta.channels == ("x", "y")
    assert [session.meta.spans[0].label for session in sessions] == ["healthy", "anomalous"]
    meta = sessions[1].meta
    assert (meta.group_id, meta.condition, meta.state) == ("b", "600rpm_0lb", "inner")
    assert meta.sample_rate_hz == 1000.0


def test_documented_sensitivity_is_used_where_the_configuration_gives_none(tmp_path):
    root = built_set(tmp_path, two_recordings(), sensitivity="50 mV/g")
    session = DatasetSessions(config(conversion__sensitivity=None), CLASSES, root)[0]
    np.testing.assert_allclose(signal_of(session)[:, 0], [0.0, 0.4], atol=1e-5)


def test_undocumented_sensitivity_is_refused(tmp_path):
    sessions = DatasetSessions(config(conversion__sensitivity=None), CLASSES, built_set(tmp_path, two_recordings()))
    with pytest.raises(RecordingError, match=r"cannot be converted to g .*no sensor sensitivity documented"):
        signal_of(sessions[0])


def test_signals_already_in_the_unit_pass_through():
    conversion = Conversion(stored_unit="g", zero=0.0, sensitivity=None)
    assert to_physical(np.array([1.5, -2.0]), conversion, "g", "none", "here").tolist() == [1.5, -2.0]


def test_mixed_sample_rates_are_refused_by_name(tmp_path):
    with pytest.raises(RecordingError) as error:
        DatasetSessions(config(), CLASSES, built_set(tmp_path, two_recordings(rate_of_b=2000.0)))
    assert "the selection mixes sample rates: 1000 Hz (1 healthy), 2000 Hz (1 anomalous)" in str(error.value)
    assert "capture.select: fs == 1000" in str(error.value)


def test_selection_of_one_rate_makes_a_mixed_set_usable(tmp_path):
    root = built_set(tmp_path, two_recordings(rate_of_b=2000.0))
    assert [s.meta.session_id for s in everything(DatasetSessions(config(select="fs == 2000"), CLASSES, root))] == ["b"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"content_hash": "other"}, RecordingError, "its content hash is abc. Expected other"),
        ({"name": "absent"}, RecordingError, "the set is not there"),
        ({"channels": ["x", "q"]}, RecordingError, "gives it the channels x. Expected each of x, q once"),
        ({"channels": ["q"]}, RecordingError, "no signal fits select: None and channels: q"),
        ({"select": "speed_rpm > 9000"}, RecordingError, "no signal fits select: speed_rpm > 9000"),
        ({"conversion__stored_unit": "g"}, RecordingError, "are stored in V. Expected only g"),
        ({"select": "speed > 1"}, ConfigError, "capture.select: 'speed > 1' cannot be evaluated"),
        ({"select": "speed_rpm"}, ConfigError, "it does not give true or false"),
        ({"mapping__healthy": "fault_type =="}, ConfigError, "capture.mapping.healthy: 'fault_type ==' cannot"),
        (
            {"mapping__healthy": "speed_rpm > 0"},
            ConfigError,
            "1 recording(s) are both healthy and anomalous, such as b",
        ),
    ],
)
def test_what_does_not_fit_the_set_is_refused(tmp_path, changes, error, message):
    with pytest.raises(error) as caught:
        DatasetSessions(config(**changes), CLASSES, built_set(tmp_path, two_recordings()))
    assert message in str(caught.value)


def test_missing_root_is_named(tmp_path):
    with pytest.raises(RecordingError, match="the folder does not exist") as caught:
        DatasetSessions(config(), CLASSES, tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_root_that_nobody_gives_is_missed_by_the_name_of_its_variable():
    with pytest.raises(RecordingError, match="BEARING_DATASETS_ROOT is not set"):
        DatasetSessions(config(), CLASSES, None)


def test_source_travels_to_another_process(tmp_path):
    sessions = DatasetSessions(config(), CLASSES, built_set(tmp_path, two_recordings()))
    copy = pickle.loads(pickle.dumps(sessions))  # noqa: S301  our own bytes
    assert copy[1].meta == sessions[1].meta
    np.testing.assert_array_equal(signal_of(copy[1]), signal_of(sessions[1]))


def test_recording_that_fits_neither_condition_is_uncertain(tmp_path):
    chosen = config(mapping__anomalous="fault_type == 'outer'")
    sessions = everything(DatasetSessions(chosen, CLASSES, built_set(tmp_path, two_recordings())))
    labels = [session.meta.spans[0].label for session in sessions]
    assert labels == ["healthy", "uncertain"]


@pytest.mark.parametrize("file", ["signals/part.parquet", "metadata.parquet", "manifest.json"])
def test_truncated_file_is_refused(tmp_path, file):
    root = built_set(tmp_path, two_recordings())
    path = root / "tiny" / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RecordingError, match="cannot be read"):
        list(map(signal_of, everything(DatasetSessions(config(), CLASSES, root))))


def test_fewer_samples_than_the_metadata_says_is_refused(tmp_path):
    root = built_set(tmp_path, two_recordings())
    path = root / "tiny" / "metadata.parquet"
    table = pd.read_parquet(path)
    table["n_samples"] = 3
    table.to_parquet(path)
    with pytest.raises(RecordingError, match="channel x holds 2 samples, its metadata says 3"):
        list(map(signal_of, everything(DatasetSessions(config(), CLASSES, root))))


def test_channels_of_different_length_are_refused(tmp_path):
    root = built_set(tmp_path, {"a": ("normal", 1000.0, {"x": [0.9, 0.9], "y": [0.9]})})
    with pytest.raises(RecordingError, match="its channels have 2, 1 samples"):
        list(map(signal_of, everything(DatasetSessions(config(), CLASSES, root))))


def test_condition_cannot_reach_beyond_the_table():
    with pytest.raises(ConfigError):
        evaluate(pd.DataFrame({"a": [1]}), "@os.getcwd() == 1", "key")


def test_template_names_the_unknown_column():
    with pytest.raises(ConfigError, match=r"'\{spe\}' cannot be filled \(KeyError: 'spe'\)"):
        fill("{spe}", {"speed_rpm": 600.0}, "capture.mapping.condition")


@needs("adi_cbm")
def test_adi_cbm_has_ten_healthy_of_130_recordings_and_gravity_on_y():
    sessions = DatasetSessions(capture_config("bearing_datasets"), CLASSES, Path(REAL))
    assert len(sessions) == 130
    recordings = everything(sessions)
    assert sum(recording.meta.spans[0].label == "healthy" for recording in recordings) == 10
    assert len({recording.meta.state for recording in recordings}) == 13
    assert len({recording.meta.condition for recording in recordings}) == 10
    rest = np.mean([signal_of(recording).mean(axis=0) for recording in recordings], axis=0)
    assert rest[1] - rest[[0, 2]].mean() == pytest.approx(1.0, abs=0.15)


@needs("femto_life")
def test_femto_life_maps_the_end_of_life_to_anomalous():
    chosen = capture_config(
        "bearing_datasets",
        name="femto_life",
        content_hash=None,
        select="run_id == 'Bearing1_1'",
        channels=["horizontal", "vertical"],
        conversion={"stored_unit": "g", "zero": 0.0, "sensitivity": None},
        mapping__group="{run_id}",
        mapping__healthy="time_s < 7200",
        mapping__anomalous="rul_s < 1200",
    )
    labels = [
        (recording.meta.spans[0].label, signal_of(recording).shape)
        for recording in everything(DatasetSessions(chosen, CLASSES, Path(REAL)))
    ]
    assert {shape for _, shape in labels} == {(2560, 2)}
    assert [label for label, _ in labels[:3]] == ["healthy"] * 3
    assert labels[-1][0] == "anomalous"
    assert {label for label, _ in labels} == {"healthy", "uncertain", "anomalous"}
