"""The window index: which samples of which session are which example, in which part of the split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.core.errors import ArtifactError
from stages.core.recordings.session import ANOMALOUS, HEALTHY, LABELS, SessionFile, Span

PARTS = ("train", "val", "test")
_MIN_OVERLAP = 0.5

CountedRows = tuple[NDArray[np.int64], NDArray[np.int16]]


def label_windows(spans: tuple[Span, ...], n_samples: int, length: int, hop: int) -> tuple[NDArray, NDArray]:
    """Cut a session into windows and label each by the span that covers at least half of it.

    Parameters
    ----------
    spans : tuple of Span
    n_samples, length, hop : int
        In samples.

    Returns
    -------
    starts : ndarray of int64, shape (windows,)
    labels : ndarray of int8, shape (windows,)
        1 anomalous, 0 healthy. Windows that no span covers by half, and uncertain ones, are left out.
        Where a healthy and an anomalous span cover half each, the window is anomalous.
    """
    starts = np.arange(0, n_samples - length + 1, hop, dtype=np.int64)
    covered = {label: np.zeros(len(starts), dtype=np.int64) for label in LABELS}
    for span in spans:
        overlap = np.minimum(starts + length, span.stop) - np.maximum(starts, span.start)
        covered[span.label] += np.maximum(overlap, 0)
    enough = _MIN_OVERLAP * length
    anomalous = covered[ANOMALOUS] >= enough
    known = anomalous | (covered[HEALTHY] >= enough)
    return starts[known], anomalous[known].astype(np.int8)


def write_windows(path: Path, windows: pd.DataFrame) -> None:
    """Write the index; its row order is the row order of the feature codes."""
    table = pa.Table.from_pandas(windows, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd")


def read_windows(path: Path) -> pd.DataFrame:
    """Read the index: session_id, group_id, condition, state, part, start, label.

    Raises
    ------
    ArtifactError
        If the file is missing or truncated.
    """
    try:
        return pq.read_table(path).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise ArtifactError(
            found=f"the window index cannot be read ({error})",
            where=str(path),
            expected="the Parquet file written by `split`",
            remedy="Run `dvc repro split`",
        ) from None


def counts_by_session(windows: pd.DataFrame, files: Mapping[str, SessionFile], length: int) -> Iterator[CountedRows]:
    """Yield the samples of windows, one session in memory at a time.

    Parameters
    ----------
    windows : DataFrame
        The index, or some rows of it.
    files : mapping of str to SessionFile
    length : int

    Yields
    ------
    rows : ndarray of int64, shape (windows,)
        Index labels of the rows.
    counts : ndarray of int16, shape (windows, length, channels)
    """
    for session_id, rows in windows.groupby("session_id", sort=False):
        view = np.lib.stride_tricks.sliding_window_view(files[str(session_id)].counts(), length, axis=0)
        yield rows.index.to_numpy(), view[rows["start"].to_numpy()].transpose(0, 2, 1)


def part_rows(windows: pd.DataFrame, part: str) -> slice:
    """Return the contiguous rows of one part."""
    rows = np.flatnonzero((windows["part"] == part).to_numpy())
    return slice(int(rows[0]), int(rows[-1]) + 1)
