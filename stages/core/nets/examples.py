"""Windows to learn from: int8 codes, exactly as the device will see them, and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ArtifactError
from stages.core.recordings.windows import part_rows, read_windows


@dataclass(frozen=True)
class Examples:
    """Codes and labels of one part of the split.

    Attributes
    ----------
    codes : ndarray of int8, shape (windows, length, channels)
        May be memory-mapped; only batches are copied.
    labels : ndarray of int8, shape (windows,)
        1 anomalous.
    """

    codes: NDArray[np.int8]
    labels: NDArray[np.int8]

    @property
    def planes(self) -> NDArray[np.int8]:
        """The codes as torch and ONNX lay them out: a view of shape (windows, channels, length)."""
        return self.codes.transpose(0, 2, 1)


def load_examples(split: Path, features: Path, *parts: str) -> list[Examples]:
    """Memory-map the codes and cut out parts of the split.

    Parameters
    ----------
    split, features : Path
        Output folders of those stages.
    *parts : str
        Of ``train``, ``val`` and ``test``.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged.
    """
    windows = read_windows(split / "windows.parquet")
    try:
        codes = np.load(features / "codes.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            found=f"the codes cannot be read ({error})",
            where=str(features / "codes.npy"),
            expected="the array written by `features`",
            remedy="Run `dvc repro features`",
        ) from None
    labels = windows["label"].to_numpy(dtype=np.int8)
    return [Examples(codes[rows], labels[rows]) for rows in (part_rows(windows, part) for part in parts)]
