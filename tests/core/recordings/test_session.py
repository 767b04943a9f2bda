"""A session file: the same bytes however it is written, read back in pieces without ever being whole in memory."""

import json
import tracemalloc
from dataclasses import asdict, replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.artifacts import sha256_file
from stages.core.errors import ArtifactError, RecordingError
from stages.core.recordings.session import (
    Gap,
    SessionFile,
    SessionMeta,
    Span,
    digitise,
    session_writer,
    write_session,
)


def meta(channels=("x",), **changes):
    known = {"session_id": "s", "group_id": "g", "condition": "c", "state": "ok", "sample_rate_hz": 1000.0}
    sensor = {"unit": "g", "full_scale": 2.0, "counts_per_unit": 16384.0, "device": "d", "firmware": "f"}
    return SessionMeta(**{**known, **sensor, "mounting": "m", "channels": channels, "spans": (), **changes})


def counts_of(n_samples, n_channels=1, seed=0):
    rng = np.random.Generator(np.random.PCG64(seed))
    return rng.integers(-32768, 32767, (n_samples, n_channels), dtype=np.int16)


def test_adc_rounds_half_to_even_and_saturates():
    signal = np.array([[0.5], [1.5], [2.5], [-0.5], [-1.5], [1e9], [-1e9]]) / 16384
    counts, absent = digitise(signal, meta())
    assert counts[:, 0].tolist() == [0, 2, 2, 0, -2, 32767, -32768]
    assert counts.dtype == np.int16
    assert not absent.any()


def test_what_has_no_finite_value_is_zero_and_marked():
    counts, absent = digitise(np.array([[1.0], [np.nan], [np.inf], [-np.inf]]), meta())
    assert counts[:, 0].tolist() == [16384, 0, 0, 0]
    assert absent[:, 0].tolist() == [False, True, True, True]


def test_everything_known_of_a_session_comes_back(tmp_path):
    known = meta(
        ("x", "y"),
        spans=(Span(0, 3, "healthy"), Span(3, 5, "uncertain")),
        gaps=(Gap(2, 7),),
        flags={"clipped_fraction": 0.25},
        notes={"load": "1"},
    )
    write_session(tmp_path / "s.parquet", known, counts_of(5, 2))
    file = SessionFile(tmp_path / "s.parquet")
    assert (file.meta, file.n_samples) == (known, 5)
    np.testing.assert_array_equal(file.counts(), counts_of(5, 2))
    stored = json.loads(pq.read_metadata(tmp_path / "s.parquet").metadata[b"tailgate.session"])
    assert {**stored, "limits": []} == json.loads(json.dumps(asdict(known)))
    assert "limits" not in stored


WIDE = meta(("a", "b"), full_scale=6_148_203.0, counts_per_unit=1.0, limits=((-2201, 5993), (0, 6_148_203)))


def test_counts_beyond_int16_saturate_at_the_limits_of_their_channel_and_are_stored_in_32_bits(tmp_path):
    signal = np.array([[-1e9, -1e9], [1e9, 1e9], [2026.5, 6_148_202.5], [0.4, 32_768.0]])
    counts, _ = digitise(signal, WIDE)
    assert counts.tolist() == [[-2201, 0], [5993, 6_148_203], [2026, 6_148_202], [0, 32_768]]
    write_session(tmp_path / "s.parquet", WIDE, counts)
    file = SessionFile(tmp_path / "s.parquet")
    assert (file.meta, file.meta.dtype) == (WIDE, np.int32)
    assert pq.read_schema(tmp_path / "s.parquet").field("b").type == "int32"
    np.testing.assert_array_equal(file.counts(), counts)
    ((_, windows),) = file.window_blocks(np.array([1, 0]), 2)
    assert windows.dtype == np.int32
    np.testing.assert_array_equal(windows, np.stack([counts[1:3], counts[:2]])[[1, 0]])


def test_channels_whose_limits_fit_16_bits_are_stored_in_them():
    assert replace(WIDE, limits=((-32768, 0), (0, 32767))).dtype == np.int16
    assert replace(WIDE, limits=((-32768, 0), (0, 32768))).dtype == np.int32
    assert replace(WIDE, limits=((-32769, 0), (0, 1))).dtype == np.int32


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 150_000), max_size=5))
def test_bytes_do_not_depend_on_the_portions(tmp_path_factory, cuts):
    folder = tmp_path_factory.mktemp("portions")
    counts = counts_of(150_000, 2)
    write_session(folder / "whole", meta(("x", "y")), counts)
    with session_writer(folder / "portions", ("x", "y")) as writer:
        for portion in np.split(counts, sorted(cuts)):
            writer.add(portion)
        writer.close(meta(("x", "y")))
    assert (folder / "portions").read_bytes() == (folder / "whole").read_bytes()


def test_session_without_samples_can_be_stored(tmp_path):
    write_session(tmp_path / "s", meta(), counts_of(0))
    assert SessionFile(tmp_path / "s").counts().shape == (0, 1)


@pytest.mark.parametrize("length", [1, 1000, 70_000])
def test_windows_are_slices_of_the_session_each_once_in_any_order(tmp_path, length):
    counts = counts_of(200_000, 2)
    write_session(tmp_path / "s", meta(("x", "y")), counts)
    starts = np.random.Generator(np.random.PCG64(3)).permutation(np.arange(0, 200_000 - length + 1, 997))
    seen = []
    for positions, windows in SessionFile(tmp_path / "s").window_blocks(starts, length):
        seen.extend(positions.tolist())
        for position, window in zip(positions, windows, strict=True):
            np.testing.assert_array_equal(window, counts[starts[position] : starts[position] + length])
    assert sorted(seen) == list(range(len(starts)))


def test_no_windows_read_nothing(tmp_path):
    write_session(tmp_path / "s", meta(), counts_of(10))
    assert list(SessionFile(tmp_path / "s").window_blocks(np.zeros(0, dtype=np.int64), 4)) == []


def test_window_past_the_end_is_refused(tmp_path):
    write_session(tmp_path / "s", meta(), counts_of(100))
    with pytest.raises(RecordingError, match="it has 100 samples, a window starts at 97"):
        list(SessionFile(tmp_path / "s").window_blocks(np.array([0, 97]), 4))


def test_windows_of_a_long_session_need_little_memory(tmp_path):
    n_samples = 6_000_000
    write_session(tmp_path / "s", meta(), np.zeros((n_samples, 1), dtype=np.int16))
    file = SessionFile(tmp_path / "s")
    tracemalloc.start()
    n_windows = sum(len(of) for of, _ in file.window_blocks(np.arange(0, n_samples - 1024, 512), 1024))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_windows == len(range(0, n_samples - 1024, 512))
    assert peak < n_samples * 2 / 3


def test_no_descriptor_stays_open(tmp_path):
    write_session(tmp_path / "s", meta(), counts_of(100))
    file = SessionFile(tmp_path / "s")
    assert file.n_samples == 100
    (tmp_path / "s").write_bytes(b"gone")
    with pytest.raises(RecordingError, match="cannot be read as a session"):
        file.counts()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
def test_what_is_no_session_is_refused_when_it_is_read(tmp_path, content):
    (tmp_path / "s").write_bytes(content)
    file = SessionFile(tmp_path / "s")
    for read in (lambda: file.meta, lambda: file.n_samples, file.counts):
        with pytest.raises(RecordingError, match="cannot be read as a session"):
            read()


def test_changed_file_is_found_by_its_hash(tmp_path):
    path = tmp_path / "s"
    write_session(path, meta(), counts_of(100))
    listed = sha256_file(path)
    SessionFile(path).verify(listed)
    write_session(path, meta(), counts_of(100, seed=1))
    with pytest.raises(ArtifactError, match="changed after `capture` wrote it"):
        SessionFile(path).verify(listed)
