"""Batches: every window once, of a bounded size, read from where they lie in a long session."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from stages.core.recordings.batches import batches, read_batch, read_counts
from stages.core.recordings.session import SessionFile, SessionMeta, write_session

LENGTH, SAMPLES = 1000, 300_000


@pytest.fixture
def long_session(tmp_path):
    counts = np.random.default_rng(0).integers(-32768, 32768, (SAMPLES, 2)).astype(np.int16)
    described = dict.fromkeys(("session_id", "group_id", "condition", "state", "unit", "device", "firmware"), "s")
    meta = SessionMeta(
        **described,
        mounting="m",
        sample_rate_hz=1.0,
        channels=("x", "y"),
        full_scale=1.0,
        counts_per_unit=1.0,
        spans=(),
    )
    write_session(tmp_path / "s.parquet", meta, counts)
    return tmp_path / "s.parquet", counts


def index(starts):
    return pd.DataFrame({"session_id": "s", "start": np.asarray(starts), "label": np.int8(1)})


def test_batches_hold_every_row_once_and_no_more_than_a_mebisample(long_session):
    path, _ = long_session
    windows = index(np.random.default_rng(1).permutation(np.arange(0, SAMPLES - LENGTH, 50)))
    cut = batches(windows, {"s": path}, LENGTH * 2)
    assert max(len(batch.rows) for batch in cut) * LENGTH * 2 <= 2**20
    rows = np.concatenate([batch.rows for batch in cut])
    assert sorted(rows) == list(range(len(windows)))
    starts = np.concatenate([batch.starts for batch in cut])
    np.testing.assert_array_equal(starts, windows["start"].to_numpy()[rows])
    assert list(starts) == sorted(starts)


def test_a_window_longer_than_a_batch_is_a_batch_of_its_own(long_session):
    path, _ = long_session
    assert [len(batch.rows) for batch in batches(index([0, 5]), {"s": path}, 2**21)] == [1, 1]


def test_a_batch_holds_the_samples_of_its_windows(long_session):
    path, counts = long_session
    starts = [65_536, 130_000, 131_072, 131_073, 260_000, SAMPLES - LENGTH]
    (batch,) = batches(index(starts), {"s": path}, LENGTH * 2)
    expected = np.stack([counts[start : start + LENGTH] for start in starts])
    np.testing.assert_array_equal(read_batch(batch, LENGTH), expected)


def test_samples_far_from_a_batch_are_not_read(long_session, monkeypatch):
    path, _ = long_session
    read = []
    original = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda self, group: read.append(group) or original(self, group)
    )
    (batch,) = batches(index([131_100, 140_000]), {"s": path}, LENGTH * 2)
    read_batch(batch, LENGTH)
    assert read == [2]


def test_counts_come_in_the_order_of_the_rows(long_session):
    path, counts = long_session
    starts = [200_000, 10, 70_000]
    found = read_counts(index(starts), {"s": SessionFile(path)}, LENGTH)
    np.testing.assert_array_equal(found, [counts[start : start + LENGTH] for start in starts])
