"""The window index: which samples of which session are which example, in which part of the split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.core.errors import ArtifactError
from stages.core.recordings.session import Gap, Span
from stages.core.schema.labels import Labels
from stages.core.schema.window import Window

PARTS = ("train", "val", "test")
#: Whole groups that a split which leaks sets aside, to show beside it what it is worth.
UNSEEN = "unseen"


def label_windows(
    spans: tuple[Span, ...], gaps: tuple[Gap, ...], n_samples: int, window: Window, labels: Labels
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Cut a session into windows and give each the class that `stages.core.schema.labels.Labels` describes.

    Parameters
    ----------
    spans : tuple of Span
    gaps : tuple of Gap
        A window that spans one is left out.
    n_samples : int
    window : Window
    labels : Labels

    Returns
    -------
    starts : ndarray of int64, shape (windows,)
    classes : ndarray of int8, shape (windows,)
        Positions in ``labels.classes``. Windows that no span gives a class to are left out, and so are those of
        which a more severe span covers less than it takes to give them its own.
    """
    starts = np.arange(0, n_samples - window.length + 1, window.hop, dtype=np.int64)
    chosen = np.full(len(starts), -1, dtype=np.int8)
    for index, label in enumerate(labels.classes):
        given, touched = _claimed(starts, [span for span in spans if span.label == label], window, labels.min_overlap)
        chosen[touched] = -1
        chosen[given] = index
    for gap in gaps:
        chosen[_reached(gap.start, gap.start, window)] = -1
    known = chosen >= 0
    return starts[known], chosen[known]


def _claimed(
    starts: NDArray[np.int64], spans: list[Span], window: Window, min_overlap: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the windows that one label's spans give their class to, and those that they touch at all."""
    covered = np.zeros(len(starts), dtype=np.int64)
    given = np.zeros(len(starts), dtype=np.bool_)
    for span in spans:
        near = _reached(span.start, span.stop, window)
        overlap = np.minimum(starts[near] + window.length, span.stop) - np.maximum(starts[near], span.start)
        covered[near] += overlap
        given[near] |= overlap >= min_overlap * min(window.length, span.stop - span.start)
    return given | (covered >= min_overlap * window.length), covered > 0


def _reached(start: int, stop: int, window: Window) -> slice:
    """Windows with a sample before `stop` and one at or after `start`; of an empty range, those around it."""
    first = max(0, (start - window.length) // window.hop + 1)
    return slice(first, max(first, -(-stop // window.hop)))


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


def part_rows(windows: pd.DataFrame, part: str) -> slice:
    """Return the contiguous rows of one part."""
    rows = np.flatnonzero((windows["part"] == part).to_numpy())
    return slice(int(rows[0]), int(rows[-1]) + 1)
