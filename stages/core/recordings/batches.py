"""Windows of many sessions, a bounded number of samples at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.recordings.session import Counts, SessionFile

#: Samples of all channels that a batch holds at most, unless a single window is longer.
_BATCH_SAMPLES = 2**20


@dataclass(frozen=True)
class Batch:
    """Some windows of one session.

    Attributes
    ----------
    path : Path
        The session's file.
    rows : ndarray of int64, shape (windows,)
        Their rows in the window index.
    starts : ndarray of int64, shape (windows,)
        First sample of each.
    labels : ndarray of int8, shape (windows,)
    """

    path: Path
    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    labels: NDArray[np.int8]


def batches(windows: pd.DataFrame, paths: Mapping[str, Path], samples_per_window: int) -> list[Batch]:
    """Cut the window index, or some rows of it, into batches.

    Parameters
    ----------
    windows : DataFrame
    paths : mapping of str to Path
        File of each session.
    samples_per_window : int
        Of all channels.

    Returns
    -------
    list of Batch
        Session by session in the order of the index, windows by their start.
    """
    size = max(_BATCH_SAMPLES // samples_per_window, 1)
    result = []
    for session_id, of_session in windows.groupby("session_id", sort=False):
        in_time = of_session.sort_values("start", kind="stable")
        for begin in range(0, len(in_time), size):
            part = in_time.iloc[begin : begin + size]
            columns = part.index.to_numpy(), part["start"].to_numpy(), part["label"].to_numpy()
            result.append(Batch(paths[str(session_id)], *columns))
    return result


def read_batch(batch: Batch, length: int) -> Counts:
    """Read the samples of a batch, shape (windows, length, channels)."""
    file = SessionFile(batch.path)
    windows = np.empty((len(batch.starts), length, len(file.meta.channels)), dtype=file.meta.dtype)
    for positions, counts in file.window_blocks(batch.starts, length):
        windows[positions] = counts
    return windows


def read_counts(windows: pd.DataFrame, files: Mapping[str, SessionFile], length: int) -> Counts:
    """Read the samples of windows into memory.

    Parameters
    ----------
    windows : DataFrame
        The index, or some rows of it, numbered from 0.
    files : mapping of str to SessionFile
    length : int

    Returns
    -------
    ndarray of int16 or int32, shape (windows, length, channels)
        In the order of the rows.
    """
    meta = files[str(windows["session_id"].iloc[0])].meta
    channels = len(meta.channels)
    counts = np.empty((len(windows), length, channels), dtype=meta.dtype)
    paths = {name: file.path for name, file in files.items()}
    for batch in batches(windows, paths, length * channels):
        counts[batch.rows] = read_batch(batch, length)
    return counts
