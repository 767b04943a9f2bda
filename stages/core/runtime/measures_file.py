"""What the fault gate's limits are fitted on, in one Parquet file: a row per training window and channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.runtime.fault import MEASURES
from stages.core.runtime.limits import Rails


def save_measures(path: Path, measures: NDArray[np.int64], rails: Sequence[Rails]) -> None:
    """Write measures, shape (windows, channels, measures), and the rails of each channel."""
    windows, channels, _ = measures.shape
    columns = dict(zip(MEASURES, measures.reshape(-1, len(MEASURES)).T, strict=True))
    low, high = np.tile(np.array(rails, dtype=np.int64), (windows, 1)).T
    channel = np.tile(np.arange(channels), windows)
    pd.DataFrame({"channel": channel, "rail_low": low, "rail_high": high, **columns}).to_parquet(path, index=False)


def load_measures(path: Path) -> tuple[NDArray[np.int64], list[Rails]]:
    """Read what `save_measures` wrote: measures, shape (windows, channels, measures), and the rails."""
    rows = pd.read_parquet(path)
    channels = int(rows["channel"].max()) + 1
    rails = rows[["rail_low", "rail_high"]].to_numpy()[:channels].tolist()
    measures = rows[list(MEASURES)].to_numpy(np.int64).reshape(-1, channels, len(MEASURES))
    return measures, [(low, high) for low, high in rails]
