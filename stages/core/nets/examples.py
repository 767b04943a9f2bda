"""Windows to learn from: int8 codes, exactly as the device will see them, and their labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.artifacts import read_json
from stages.core.classes import answers
from stages.core.errors import ArtifactError
from stages.core.events import Origins
from stages.core.recordings.windows import part_rows, read_windows
from stages.core.schema.labels import Kind, Labels


@dataclass(frozen=True)
class Examples:
    """Codes and labels of one part of the split.

    Attributes
    ----------
    codes : ndarray of int8, shape (windows, length, channels)
        May be memory-mapped; only batches are copied.
    labels : ndarray of int8, shape (windows,)
        Class; 0 is normal.
    outputs : int
        Classes above the first.
    origins : Origins or None
        Sessions, groups and times of the windows; None where they come from nowhere.
    kind : {"ordered", "exclusive"}
        How the classes relate.
    """

    codes: NDArray[np.int8]
    labels: NDArray[np.int8]
    outputs: int
    origins: Origins | None = field(default=None, kw_only=True)
    kind: Kind = field(default="ordered", kw_only=True)

    def inputs(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.int8]:
        """Return the codes of some rows as training reads them in an epoch, shape (rows, channels, length)."""
        del epoch  # the same in all
        return self.planes[rows]

    @property
    def targets(self) -> NDArray[np.int8]:
        """What each output should say of each window, as `stages.core.classes.answers` has it."""
        return answers(self.labels, self.outputs, self.kind)

    @property
    def units(self) -> NDArray[Any]:
        """Name of the independent unit of each window, as `Origins.units` has it, shape (windows,)."""
        if self.origins is None:
            raise ValueError("these windows have no origins")
        return self.origins.units(self.labels)[1]

    @property
    def hop_s(self) -> float:
        """Seconds between two decisions; NaN where the windows have no origins."""
        return float("nan") if self.origins is None else self.origins.hop_s

    @property
    def planes(self) -> NDArray[np.int8]:
        """The codes as torch and ONNX lay them out: a view of shape (windows, channels, length)."""
        return self.codes.transpose(0, 2, 1)


def load_examples(split: Path, features: Path, labels: Labels, *parts: str) -> list[Examples]:
    """Memory-map the codes and cut out parts of the split.

    Parameters
    ----------
    split, features : Path
        Output folders of those stages.
    labels : Labels
    *parts : str
        Of the split.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged.
    """
    windows = read_windows(split / "windows.parquet")
    codes = _read_codes(features / "codes.npy", len(windows))
    told = windows["label"].to_numpy(dtype=np.int8)
    contract = read_json(features / "contract.json")
    examples = []
    for rows in (part_rows(windows, part) for part in parts):
        session, group, start = (windows[name].to_numpy()[rows] for name in ("session_id", "group_id", "start"))
        origins = Origins(session, group, start, contract["hop"], contract["sample_rate_hz"])
        examples.append(Examples(codes[rows], told[rows], labels.outputs, origins=origins, kind=labels.kind))
    return examples


def _read_codes(path: Path, n_windows: int) -> NDArray[np.int8]:
    try:
        codes: NDArray[np.int8] = np.load(path, mmap_mode="r", allow_pickle=False)
        fits = codes.dtype == np.int8 and codes.ndim == 3 and len(codes) == n_windows
        problem = None if fits else f"it holds {codes.dtype} of shape {codes.shape}, and the split {n_windows} windows"
    except (OSError, ValueError) as error:
        problem = f"the codes cannot be read ({error})"
    if problem:
        raise ArtifactError(
            found=problem,
            where=str(path),
            expected="the array written by `features`, one row of int8 codes per window of the split",
            remedy="Run `dvc repro features`",
        )
    return codes
