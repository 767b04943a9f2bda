"""The proof that a split does not leak, recomputed from the window index alone.

Nothing here knows how the split was made: a mistake there cannot hide itself here.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def prove(
    windows: pd.DataFrame, units: tuple[str, ...], length: int, read: Callable[[str], NDArray[np.int16]]
) -> dict[str, Any]:
    """Check that no unit, no sample and no identical window is in two parts.

    Parameters
    ----------
    windows : DataFrame
        Columns session_id, part, start, label and those named in `units`.
    units : tuple of str
        ``group_id``, ``condition`` (over all windows) or ``state`` (over anomalous windows).
    length : int
        Window length in samples.
    read : callable
        Gives the counts of a session, shape (samples, channels).

    Returns
    -------
    dict
        ``holds``, and ``checks``: one entry each with its name, the number of things compared and what crosses.
    """
    checks = [_unit_crosses(windows, unit) for unit in ("session_id", *units)]
    checks.append(_ranges_cross(windows, length))
    checks.append(_copies_cross(windows, length, read))
    return {"holds": not any(check["crossing"] for check in checks), "checks": checks}


def _unit_crosses(windows: pd.DataFrame, unit: str) -> dict[str, Any]:
    relevant = windows[windows["label"] == 1] if unit == "state" else windows
    parts = relevant.groupby(unit)["part"].nunique()
    return {"check": f"no {unit} in two parts", "compared": len(parts), "crossing": sorted(parts.index[parts > 1])}


def _ranges_cross(windows: pd.DataFrame, length: int) -> dict[str, Any]:
    """Sort windows by start: overlap across parts is then always between some neighbour and its reach."""
    crossing = []
    for session, rows in windows.sort_values(["session_id", "start"]).groupby("session_id"):
        last_stop: dict[str, int] = {}
        for part, start in zip(rows["part"], rows["start"], strict=True):
            if any(stop > start for other, stop in last_stop.items() if other != part):
                crossing.append(f"{session}@{start}")
            last_stop[part] = int(start) + length
    return {"check": "no sample range in two parts", "compared": len(windows), "crossing": crossing}


def _copies_cross(windows: pd.DataFrame, length: int, read: Callable[[str], NDArray[np.int16]]) -> dict[str, Any]:
    """Compare windows by the hash of their samples less the first, so that an offset copy is a copy too.

    A window that never varies says nothing of where it comes from and is not compared; a copy that was scaled,
    resampled or cut at another phase is not found here.
    """
    seen: dict[bytes, set[str]] = defaultdict(set)
    examples: dict[bytes, str] = {}
    for session, rows in windows.groupby("session_id"):
        counts = read(str(session))
        for part, start in zip(rows["part"], rows["start"], strict=True):
            window = counts[start : start + length].astype(np.int32)
            if not np.ptp(window, axis=0).any():
                continue
            key = hashlib.blake2b(np.ascontiguousarray(window - window[0]).tobytes(), digest_size=16).digest()
            seen[key].add(part)
            examples[key] = f"{session}@{start}"
    crossing = sorted(examples[key] for key, parts in seen.items() if len(parts) > 1)
    return {"check": "no identical window in two parts", "compared": len(windows), "crossing": crossing}
