"""A folder of recordings with a sidecar: four formats, one meaning, and a refusal for whatever is wrong."""

import io
import json
import pickle
import struct
import subprocess
import sys
import wave
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.core.errors import RecordingError, TailgateError
from stages.core.recordings.files import FileSessions
from stages.core.recordings.session import Span
from tests.core.recordings.sources import capture_config

CLASSES = ("healthy", "anomalous")
HEADER = "file,group,condition,state,unit,label,sample_rate_hz\n"
BLOCK_LIMIT = 5 << 20


def write_sidecar(folder, *rows, header=HEADER):
    (folder / "sessions.csv").write_text(header + "".join(f"{row}\n" for row in rows))


def source(folder, **changes):
    return FileSessions(capture_config("files", folder=str(folder), **changes), CLASSES)


def signal(recording):
    return np.concatenate([block.signal for block in recording.blocks()])


def refused(act, *named):
    with pytest.raises(RecordingError) as caught:
        act()
    said = str(caught.value)
    for name in named:
        assert str(name) in said, said
    return said


def one_file(folder, name, content, unit="g", rate="1000"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    write_sidecar(folder, f"{name},m1,900rpm,healthy,{unit},healthy,{rate}")


def wav_bytes(samples, rate=1000):
    """16-bit PCM by the standard library; samples of shape (samples, channels)."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def npz_bytes(compressed=False, **arrays):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


# --- What is read ---


def test_four_formats_of_one_signal_give_the_same_samples_in_configured_channel_order(tmp_path):
    counts = np.random.default_rng(0).integers(-32768, 32768, (3000, 2))
    x, y = (counts / 32768 * 16).T
    pd.DataFrame({"y": y, "note": "a", "x": x}).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "b.WAV").write_bytes(wav_bytes(counts))
    pd.DataFrame({"x": x, "y": y}).to_parquet(tmp_path / "c.parquet")
    (tmp_path / "d.npz").write_bytes(npz_bytes(x=x, y=y, sample_rate_hz=1000.0))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/e.npz").write_bytes(npz_bytes(compressed=True, signal=counts.astype(">i2")))
    header = "file,group,condition,state,unit,label,sample_rate_hz,channels\n"
    rows = ["a.csv,m,c,s,g,healthy,1000,", "b.WAV,m,c,s,full_scale,healthy,,x;y", "c.parquet,m,c,s,g,healthy,1e3,"]
    rows += ["d.npz,m,c,s,g,healthy,,", "sub/e.npz,m,c,s,counts,healthy,1000,x; y"]
    write_sidecar(tmp_path, *rows, header=header)
    units = {"g": {"scale": 1.0, "zero": 0.0}, "full_scale": {"scale": 16.0, "zero": 0.0}}
    units["counts"] = {"scale": 16 / 32768, "zero": 0.0}
    sessions = source(tmp_path, channels=["y", "x"], conversion=units)

    assert [recording.meta.session_id for recording in sessions] == ["a", "b", "c", "d", "e"]
    for recording in sessions:
        np.testing.assert_allclose(signal(recording), np.stack([y, x], axis=1), rtol=0, atol=1e-12)
        assert (recording.meta.channels, recording.meta.sample_rate_hz) == (("y", "x"), 1000.0)


def test_entry_becomes_the_sessions_metadata_and_falls_back_on_the_sensor(tmp_path):
    header = "file,session_id,group,condition,state,unit,label,sample_rate_hz,device,firmware,mounting\n"
    (tmp_path / "a b.csv").write_text("x\n1\n")
    (tmp_path / "c.csv").write_text("x\n1\n")
    rows = ["a b.csv,,pump 3,900rpm,worn,mg,anomalous,250,D7,1.2,glued", "c.csv,other,p,c,s,g,uncertain,250,,,"]
    write_sidecar(tmp_path, *rows, header=header)
    first, second = source(tmp_path, sensor__device="ADXL", sensor__mounting="magnet")
    meta = first.meta
    assert (meta.session_id, meta.group_id, meta.condition, meta.state) == ("a_b", "pump 3", "900rpm", "worn")
    assert (meta.device, meta.firmware, meta.mounting) == ("D7", "1.2", "glued")
    assert (meta.unit, meta.full_scale, meta.counts_per_unit, meta.spans) == (
        ("g", 16.0, 2048.0, (Span(0, -1, "anomalous"),))
    )
    assert meta.notes == {"file": "a b.csv", "format": "csv", "stored_unit": "mg"}
    assert signal(first).item() == 0.001
    assert (second.meta.session_id, second.meta.device, second.meta.mounting) == ("other", "ADXL", "magnet")
    assert second.meta.spans == (Span(0, -1, "uncertain"),)


def test_yaml_sidecar_carries_spans_in_samples_with_an_open_stop(tmp_path):
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 50)
    (tmp_path / "sessions.yaml").write_text(
        "- {file: a.csv, group: 3, condition: on, state: s, unit: g, sample_rate_hz: 10,\n"
        "   spans: [[0, 20, healthy], [20, 30, uncertain], [30, null, anomalous]]}\n"
    )
    (recording,) = source(tmp_path)
    assert (recording.meta.group_id, recording.meta.condition) == ("3", "on")
    assert recording.meta.spans == (Span(0, 20, "healthy"), Span(20, 30, "uncertain"), Span(30, -1, "anomalous"))
    assert len(signal(recording)) == 50


def test_stored_values_are_converted_by_zero_and_scale(tmp_path):
    one_file(tmp_path, "a.csv", "x\n0.9\n0.92\n0.86\n", unit="V")
    (recording,) = source(tmp_path, conversion={"V": {"scale": 50.0, "zero": 0.9}})
    np.testing.assert_allclose(signal(recording)[:, 0], [0.0, 1.0, -2.0], atol=1e-12)


@pytest.mark.parametrize(
    ("stamps", "unit", "expected"),
    [
        (["10", "10.5", "11.5"], "s", [0, 0.5, 1.5]),
        (["1000", "1500", "2500"], "ms", [0, 0.5, 1.5]),
        (["2019-04-02T17:38:36.440Z", "2019-04-02T17:38:36.940Z", "2019-04-02T19:38:37.940+02:00"], "s", [0, 0.5, 1.5]),
        (["2019-04-02 23:59:59", "2019-04-02 23:59:59.5", "2019-04-03 00:00:00.5"], "ms", [0, 0.5, 1.5]),
    ],
)
def test_time_stamps_are_numbers_of_a_unit_or_dates_in_csv_and_parquet(tmp_path, stamps, unit, expected):
    frame = pd.DataFrame({"t": stamps, "x": [1.0, 2.0, 3.0]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    is_date = "-" in stamps[0]
    frame["t"] = pd.to_datetime(frame["t"], utc=True, format="ISO8601") if is_date else frame["t"].astype(float)
    frame.to_parquet(tmp_path / "b.parquet")
    write_sidecar(tmp_path, *(f"{name},m,c,s,g,healthy,2" for name in ("a.csv", "b.parquet")))
    for recording in source(tmp_path, time_column="t", time_unit=unit):
        (block,) = recording.blocks()
        np.testing.assert_allclose(block.time_s, expected, atol=1e-6)
        assert block.signal[:, 0].tolist() == [1, 2, 3]


def test_rate_comes_from_the_sidecar_the_file_or_the_time_stamps(tmp_path):
    (tmp_path / "wav.wav").write_bytes(wav_bytes(np.zeros((4, 1)), rate=48828))
    (tmp_path / "npz.npz").write_bytes(npz_bytes(x=np.zeros(4), t=np.arange(4), sample_rate_hz=np.array([12.5])))
    table = pa.table({"x": [0.0], "t": [0]}).replace_schema_metadata({"sample_rate_hz": "20"})
    pq.write_table(table, tmp_path / "parquet.parquet")
    # 0.1 s apart, one gap, and steps that are not exact in binary.
    (tmp_path / "csv.csv").write_text("t,x\n0,1\n0.1,1\n0.2,1\n0.3,1\n5.3,1\n5.4,1\n")
    rows = ["wav.wav,m,c,s,g,healthy,48828.125", "npz.npz,m,c,s,g,healthy,", "parquet.parquet,m,c,s,g,healthy,20.0"]
    write_sidecar(tmp_path, *rows, "csv.csv,m,c,s,g,healthy,")
    rates = [recording.meta.sample_rate_hz for recording in source(tmp_path, time_column="t")]
    assert rates == [48828.125, 12.5, 20.0, 10.0]


def test_csv_without_a_header_is_named_by_the_sidecar(tmp_path):
    (tmp_path / "a.csv").write_text("1,2,3\n4,5,6\n")
    write_sidecar(
        tmp_path,
        "a.csv,m,c,s,g,healthy,10,t;x;y",
        header="file,group,condition,state,unit,label,sample_rate_hz,channels\n",
    )
    (recording,) = source(tmp_path, channels=["y", "x"])
    assert signal(recording).tolist() == [[3, 2], [6, 5]]


def test_notes_and_hidden_files_may_lie_beside_the_recordings(tmp_path):
    one_file(tmp_path, "a.csv", "x\n1\n")
    for name in (".gitkeep", "README.md", "a.csv.dvc"):
        (tmp_path / name).write_text("")
    assert len(source(tmp_path)) == 1


# --- Bounded memory ---


def long_files(folder, n):
    """The same ramp in each format, and the bytes of one sample in the widest."""
    values = np.arange(n) % 1000
    pd.DataFrame({"x": values}).to_csv(folder / "a.csv", index=False)
    (folder / "b.wav").write_bytes(wav_bytes(values[:, None]))
    pq.write_table(pa.table({"x": values.astype(np.float32)}), folder / "c.parquet", row_group_size=n)
    (folder / "d.npz").write_bytes(npz_bytes(compressed=True, x=values.astype(np.int16)))
    write_sidecar(folder, *(f"{name},m,c,s,g,healthy,1000" for name in ("a.csv", "b.wav", "c.parquet", "d.npz")))
    return values


def test_a_file_is_read_in_blocks_of_a_few_mib(tmp_path):
    values = long_files(tmp_path, 700_000)
    for recording in source(tmp_path):
        scale = 32768 if recording.meta.notes["format"] == "wav" else 1
        blocks = [block.signal[:, 0] * scale for block in recording.blocks()]
        assert len(blocks) >= 2
        assert max(block.nbytes for block in blocks) <= BLOCK_LIMIT
        np.testing.assert_allclose(np.concatenate(blocks), values, atol=1e-9)


PEAK = """
import json, resource, sys
from stages.core.recordings.files import FileSessions
from tests.core.recordings.sources import capture_config
(recording,) = FileSessions(capture_config("files", folder=sys.argv[1]), ("healthy", "anomalous"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
n = sum(len(block.signal) for block in recording.blocks())
print(json.dumps([n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "wav", "parquet", "npz"])
def test_a_file_of_100_mb_is_read_in_less_than_half_of_that(tmp_path, kind):
    n = 50_000_000 if kind == "wav" else 14_000_000
    values = (np.arange(n) % 30_000).astype(np.int16 if kind == "wav" else np.float64)
    path = tmp_path / f"a.{kind}"
    if kind == "csv":
        line = np.char.add(np.char.zfill(np.arange(1_000_000).astype("U7"), 7), "\n")
        with path.open("w") as file:
            file.write("x\n")
            for _ in range(n // len(line)):
                file.write("".join(line.tolist()))
    elif kind == "wav":
        path.write_bytes(wav_bytes(values[:, None]))
    elif kind == "parquet":
        pq.write_table(pa.table({"x": values}), path, row_group_size=n, use_dictionary=False, compression="none")
    else:
        path.write_bytes(npz_bytes(x=values))
    write_sidecar(tmp_path, f"a.{kind},m,c,s,g,healthy,1000")
    assert path.stat().st_size >= 100_000_000
    root = Path(__file__).parents[3]
    words = [sys.executable, "-c", PEAK, str(tmp_path)]
    result = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True)
    read, grown_kib = json.loads(result.stdout)
    assert read == n
    assert grown_kib * 1024 < 50_000_000


def test_a_source_is_small_to_pickle_and_reads_the_same_afterwards(tmp_path):
    values = long_files(tmp_path, 1000)
    content = pickle.dumps(source(tmp_path))
    assert len(content) < 8000
    again = pickle.loads(content)  # noqa: S301
    assert signal(again[0])[:, 0].tolist() == values.tolist()


# --- The sidecar ---


def test_missing_sidecar_says_what_to_write(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    refused(lambda: source(tmp_path), tmp_path, "the sidecar is missing", "sessions.csv", "docs/recordings.md")


def test_two_sidecars_are_refused(tmp_path):
    one_file(tmp_path, "a.csv", "x\n1\n")
    (tmp_path / "sessions.yaml").write_text("[]")
    refused(lambda: source(tmp_path), "sessions.csv and sessions.yaml", "Leave one")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("file,group,condition,state,label\n", ["line 1", "column 'unit' is missing"]),
        (HEADER.replace("group", "grup"), ["column 'group' is missing", "column 'grup' is unknown"]),
        (HEADER.replace("state", "group"), ["column 'state' is missing", "column 'group' is there 2 times"]),
        (HEADER.replace("label", "spans"), ["column 'label' is missing", "column 'spans' is unknown", "sessions.yaml"]),
        (HEADER, ["lists no session"]),
        ("", ["column 'file' is missing"]),
        (HEADER + "a.csv,m,c,s,g,healthy\n", ["line 2", "it has 6 cell(s)", "7, one per column"]),
        (HEADER + ",m,c,s,g,healthy,1\n", ["line 2", "'file' is missing"]),
        (HEADER + "\na.csv,m,,s,g,healthy,1\n", ["line 3", "'condition' is missing"]),
        (HEADER + "a.csv,m,c,s,g,healthy,fast\n", ["sample_rate_hz", "valid number", "'fast'"]),
        (HEADER + "a.csv,m,c,s,g,healthy,0\n", ["sample_rate_hz", "greater than 0"]),
        (HEADER + "a.csv,m,c,s,g,healthy,inf\n", ["sample_rate_hz", "finite"]),
        (HEADER + "a.csv,m,c,s,g,,1\n", ["either `label` or `spans`"]),
        (HEADER + "../a.csv,m,c,s,g,healthy,1\n", ["line 2", "without `..`", "'../a.csv'"]),
        (HEADER + "x/../../a.csv,m,c,s,g,healthy,1\n", ["without `..`"]),
        (HEADER + "/etc/passwd,m,c,s,g,healthy,1\n", ["a path below the folder"]),
        (HEADER + '"a.csv,m,c,s,g,healthy,1\n', ["it is not CSV"]),
        (HEADER + "a.csv,m,c,s,V,healthy,1\n", ["line 2", "unit 'V' has no conversion to g", "mg"]),
        (HEADER + "a.csv,m,c,s,g,broken,1\n", ["line 2", "label 'broken' is not a class", "healthy, anomalous"]),
        (HEADER + "b.csv,m,c,s,g,healthy,1\n", ["does not name a.csv", "so that none is left out"]),
        (HEADER + "a.csv,m,c,s,g,healthy,1\nb.csv,m,c,s,g,healthy,1\n", ["line 3", "'b.csv' is not there"]),
        (
            HEADER + "a.csv,m,c,s,g,healthy,1\na.csv,m,c,s,g,healthy,1\n",
            ["line 3", "file 'a.csv' is there twice", "line 2"],
        ),
    ],
)
def test_bad_csv_sidecar_names_the_line_and_the_column(tmp_path, text, named):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "sessions.csv").write_text(text)
    refused(lambda: source(tmp_path), tmp_path, *named)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("file: a.csv", ["it is not a list"]),
        ("- a.csv", ["entry 1", "'a.csv'", "a mapping"]),
        ("- {file: a.csv, file: b.csv}", ["not YAML", "'file' is there twice", "line 1"]),
        ("- [", ["it is not YAML", "line 1"]),
        ("[" * 5000, ["it is not YAML"]),
        (
            "- {file: a.csv, group: m, condition: c, state: s, unit: g, spans: [[0, 5]]}",
            ["a span is [start, stop, label]"],
        ),
        ("- {file: a.csv, group: m, condition: c, state: s, unit: g, spans: [[9, 5, healthy]]}", ["stops at 5"]),
        (
            "- {file: a.csv, group: m, condition: c, state: s, unit: g, spans: [[x, 5, healthy]]}",
            ["spans.0.start", "'x'"],
        ),
        ("- {file: a.csv, group: m, condition: c, state: s, unit: g, label: x, spans: [[0, 5, x]]}", ["not both"]),
        ("- {file: a.csv, group: [m], condition: c, state: s, unit: g, label: x}", ["group", "valid string"]),
        ("- {file: a.csv, colour: red}", ["'colour' is unknown"]),
    ],
)
def test_bad_yaml_sidecar_names_the_entry(tmp_path, text, named):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "sessions.yaml").write_text(text)
    refused(lambda: source(tmp_path), tmp_path / "sessions.yaml", *named)


def test_sidecar_that_is_not_utf8_names_the_byte(tmp_path):
    (tmp_path / "sessions.csv").write_bytes(HEADER.encode() + b"a.csv,M\xfcller")
    refused(lambda: source(tmp_path), "sessions.csv", f"byte {len(HEADER) + 7} is not UTF-8")


def test_duplicate_session_id_names_both_lines(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.csv").write_text("x\n1\n")
    write_sidecar(tmp_path, *(f"{name}/1.csv,m,c,s,g,healthy,1" for name in ("a", "b")))
    refused(lambda: source(tmp_path), "sessions.csv, line 3", "session_id '1' is there twice", "sessions.csv, line 2")


@pytest.mark.parametrize("session_id", ["../x", ".hidden", "a/b", "ü"])
def test_session_id_that_is_no_file_name_is_refused(tmp_path, session_id):
    (tmp_path / "a.csv").write_text("x\n1\n")
    write_sidecar(tmp_path, f"a.csv,m,c,s,g,healthy,1,{session_id}", header=HEADER.strip() + ",session_id\n")
    refused(lambda: source(tmp_path), "line 2", "session_id", session_id)


@pytest.mark.parametrize("span", ["[0, 51, healthy]", "[50, null, healthy]"])
def test_span_outside_the_recording_is_refused(tmp_path, span):
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 50)
    (tmp_path / "sessions.yaml").write_text(
        f"- {{file: a.csv, group: m, condition: c, state: s, unit: g, sample_rate_hz: 10, spans: [{span}]}}"
    )
    (recording,) = source(tmp_path)
    refused(lambda: signal(recording), tmp_path / "a.csv", "is not inside the recording", "the 50 that the file has")


def test_label_of_a_span_outside_the_classes_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    entry = "- {file: a.csv, group: m, condition: c, state: s, unit: g, spans: [[0, 1, odd]]}"
    (tmp_path / "sessions.yaml").write_text(entry)
    refused(lambda: source(tmp_path), "entry 1", "label 'odd' is not a class")


# --- The files ---


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("a.csv", "", ["its first line is empty"]),
        ("a.csv", "y,z\n1,2\n", ["0 columns 'x'", "'y', 'z'", "capture.channels"]),
        ("a.csv", "x,x\n1,2\n", ["2 columns 'x'"]),
        ("a.csv", "x;y\n1;2\n", ["0 columns 'x'", "'x;y'"]),
        ("a.csv", "x,y\n1,2\n3\n", ["line 3", "it has 1 cell(s)", "Expected 2"]),
        ("a.csv", "x,y\n\n1,2\n\n3,1\n4,5,6\n", ["line 6", "it has 3 cell(s)"]),
        ("a.csv", "x,y\n1,2\n\nhalf,2\n", ["line 4, column 'x'", "'half'", "Expected a number"]),
        ("a.csv", "y,x\n1,2\n1,1.2.3\n", ["line 3, column 'x'", "'1.2.3'"]),
        ("a.csv", "x\n1\n\n3\n", ["line 3", "channel 'x' has no value"]),
        ("a.csv", "x,y\n1,2\n\n,2\n", ["line 4", "channel 'x' has no value"]),
        ("a.csv", "x\n1\nnan\n", ["line 3", "has no value or is infinite", "nan_fraction"]),
        ("a.csv", "x\n1\n2\n-inf\n", ["line 4", "has no value or is infinite"]),
        ("a.csv", b"x\n1\n2\xe9\n", ["byte 5 is not UTF-8"]),
        ("a.csv", b"x,\xfc\n1,2\n", ["byte 2 is not UTF-8"]),
        ("a.csv", "x\n1".encode("utf-16"), ["byte 0 is not UTF-8"]),
        ("a.csv", "x,y\n1,2\n" + "3" * 1_200_000 + ",4\n", ["it cannot be read", "one line per sample"]),
        ("a.wav", b"RIFF", ["cannot be read as WAV"]),
        ("a.wav", b"", ["cannot be read as WAV"]),
        ("a.wav", wav_bytes(np.zeros((100, 1)))[:-50], ["cut off", "194 bytes", "says 244"]),
        ("a.wav", wav_bytes(np.zeros((100, 2))), ["it stores 2 channel(s)", "Expected 1: x", "column `channels`"]),
        ("a.wav", wav_bytes(np.zeros((100, 1)), rate=900), ["the file says 900 Hz, the sidecar 1000 Hz"]),
        ("a.parquet", b"PAR1", ["cannot be read as Parquet"]),
        ("a.npz", b"PK", ["cannot be read as NPZ"]),
        ("a.npz", npz_bytes(y=np.zeros(5)), ["0 columns 'x'", "'y'"]),
        ("a.npz", npz_bytes(x=np.array([{"a": 1}], dtype=object)), ["'x' is of shape (1,) and type object"]),
        ("a.npz", npz_bytes(x=np.zeros((5, 2))), ["shape (5, 2)", "Expected 1 dimension"]),
        ("a.npz", npz_bytes(x=np.float64(1)), ["shape ()"]),
        ("a.npz", npz_bytes(x=np.array(["1"])), ["type <U1", "integers or floats"]),
        ("a.npz", npz_bytes(signal=np.zeros((5, 3))), ["it stores 3 channel(s)"]),
        ("a.npz", npz_bytes(signal=np.asfortranarray(np.zeros((5, 2)))), ["C order"]),
        ("a.npz", npz_bytes(x=np.zeros(5), sample_rate_hz=np.arange(2)), ["a single number"]),
        ("a.npz", npz_bytes(x=np.zeros(5), sample_rate_hz=7), ["the file says 7 Hz, the sidecar 1000 Hz"]),
        ("a.npz", npz_bytes(x=np.array([0, 1, np.nan])), ["sample 2", "has no value"]),
        ("a.dat", b"1 2 3", ["'a.dat' is of no format that is read here", ".csv, .wav, .parquet, .npz"]),
    ],
)
def test_file_that_cannot_be_used_is_named_with_the_place(tmp_path, name, content, named):
    one_file(tmp_path, name, content)
    said = refused(lambda: [signal(recording) for recording in source(tmp_path)], tmp_path, *named)
    assert ". Expected " in said


def test_parquet_column_of_text_is_refused(tmp_path):
    pd.DataFrame({"x": ["1", "2"]}).to_parquet(tmp_path / "a.parquet")
    write_sidecar(tmp_path, "a.parquet,m,c,s,g,healthy,1")
    refused(lambda: source(tmp_path), "a.parquet", "column 'x' is of type", "integers or floats")


def test_parquet_null_is_a_missing_value(tmp_path):
    pq.write_table(pa.table({"x": pa.array([1, None, 3], pa.int16())}), tmp_path / "a.parquet")
    write_sidecar(tmp_path, "a.parquet,m,c,s,g,healthy,1")
    refused(lambda: signal(source(tmp_path)[0]), "a.parquet, row 1", "has no value")
    (recording,) = source(tmp_path, quality__nan_fraction__action="exclude")
    np.testing.assert_array_equal(signal(recording)[:, 0], [1, np.nan, 3])


@pytest.mark.parametrize("name", ["a.parquet", "a.npz"])
def test_every_truncation_of_a_file_is_refused(tmp_path, name):
    buffer = io.BytesIO()
    pd.DataFrame({"x": np.arange(300.0)}).to_parquet(buffer)
    whole = buffer.getvalue() if name == "a.parquet" else npz_bytes(x=np.arange(300.0))
    for length in range(0, len(whole), 97):
        one_file(tmp_path, name, whole[:length])
        refused(lambda: signal(source(tmp_path)[0]), tmp_path / name, "cannot be read as")


def test_array_that_is_shorter_than_its_header_says_is_refused(tmp_path):
    short = io.BytesIO()
    np.lib.format.write_array(short, np.arange(100.0))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", short.getvalue()[:-8])
    write_sidecar(tmp_path, "a.npz,m,c,s,g,healthy,1")
    refused(lambda: signal(source(tmp_path)[0]), "a.npz", "array 'x' ends before its last row")


@pytest.mark.parametrize(
    ("stamps", "named"),
    [
        (["0", "1", "0.5", "2"], ["line 4", "time goes back by 0.5 s"]),
        (["0", "1", "", "2"], ["line 4", "the time stamp is missing"]),
        (["2020-01-01", "2020-01-03", "2020-01-02"], ["line 4", "time goes back by 86400 s"]),
        (["2020-01-01", "2020-01-03", "soon"], ["line 4, column 't'", "'soon'"]),
    ],
)
def test_time_that_does_not_go_on_names_the_line(tmp_path, stamps, named):
    one_file(tmp_path, "a.csv", "t,x\n" + "".join(f"{stamp},1\n" for stamp in stamps))
    (recording,) = source(tmp_path, time_column="t")
    refused(lambda: signal(recording), tmp_path / "a.csv", *named)


def test_time_that_goes_back_between_two_blocks_names_the_line(tmp_path):
    n = 300_000
    lines = "".join(f"{number},1\n" for number in range(n))
    one_file(tmp_path, "a.csv", "t,x\n" + lines + "5,1\n")
    (recording,) = source(tmp_path, time_column="t")
    refused(lambda: signal(recording), f"line {n + 2}", "time goes back")


def test_file_without_any_rate_is_refused(tmp_path):
    one_file(tmp_path, "a.csv", "x\n1\n", rate="")
    refused(lambda: source(tmp_path), "a.csv", "sample rate is not known", "capture.time_column")


# --- Foreign bytes ---

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def only_tailgate_errors(folder):
    try:
        for recording in source(folder, time_column="t"):
            for block in recording.blocks():
                assert block.signal.shape[1] == 1
    except TailgateError as error:
        assert str(error).startswith(str(folder))


@FUZZ
@given(text=st.text(alphabet='file,groupx\n":-[]{}&*!|>#%@`\t ~0123é\x00', max_size=80) | st.binary(max_size=60))
@pytest.mark.parametrize("name", ["sessions.csv", "sessions.yaml"])
def test_no_sidecar_raises_anything_else(tmp_path, name, text):
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / name).write_bytes(content)
    only_tailgate_errors(tmp_path)
    (tmp_path / name).write_bytes((HEADER.encode() if name.endswith("csv") else b"- file: a.csv\n") + content)
    only_tailgate_errors(tmp_path)


def whole(name):
    t, x = np.arange(40.0), np.arange(40.0)
    match name:
        case "a.csv":
            return b"t,x\n" + b"".join(f"{k},{k}.5\n".encode() for k in range(40))
        case "a.wav":
            return wav_bytes(x[:, None])
        case "a.npz":
            return npz_bytes(compressed=True, t=t, x=x)
    buffer = io.BytesIO()
    pd.DataFrame({"t": t, "x": x}).to_parquet(buffer)
    return buffer.getvalue()


@FUZZ
@given(
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    keep=st.floats(0, 1),
    noise=st.binary(max_size=40),
)
@pytest.mark.parametrize("name", ["a.csv", "a.wav", "a.parquet", "a.npz"])
def test_no_damaged_file_raises_anything_else(tmp_path, name, edits, keep, noise):
    content = bytearray(whole(name))
    for at, value in edits:
        content[int(at * len(content))] = value
    del content[int(keep * len(content)) + 1 :]
    one_file(tmp_path, name, bytes(content) + noise, rate="" if edits else "1000")
    only_tailgate_errors(tmp_path)


def npy(header, version=(1, 0)):
    text = header.encode("latin-1")
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "member",
    [
        b"",
        npy(""),
        npy("((((" * 2000),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-4,), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }"),
        npy("{'descr': '|V0', 'fortran_order': False, 'shape': (4,), }"),
        npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (4,), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }", version=(9, 9)),
        npy("'''"),
    ],
)
def test_hostile_array_header_is_refused(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", member)
    write_sidecar(tmp_path, "a.npz,m,c,s,g,healthy,1")
    refused(lambda: signal(source(tmp_path)[0]), tmp_path / "a.npz")
