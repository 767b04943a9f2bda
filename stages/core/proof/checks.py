"""What a split must not do, checked one by one on the window index and the samples.

Nothing here knows how the split was made: a mistake there cannot hide itself here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.parallel import map_sessions
from stages.core.proof.duplicates import Library, check_duplicates
from stages.core.proof.landmarks import Landmarks, Stretch, find_landmarks
from stages.core.recordings.session import SessionFile
from stages.core.recordings.windows import PARTS, UNSEEN
from stages.core.schema.compute import Compute
from stages.core.schema.split import Duplicates, ExplicitSplit, HeldOutSplit, Split, TimeSplit, UnitSplit


@dataclass(frozen=True)
class Promise:
    """What a kind of split promises.

    Attributes
    ----------
    units : tuple of str
        Columns of the index of which no value may be in two parts; ``state`` over abnormal windows only.
    within : str
        ``session_id`` or ``group_id``: of which samples are counted on from session to session.
    gap : int
        Samples between windows of different parts.
    """

    units: tuple[str, ...]
    within: str = "session_id"
    gap: int = 0


def promise_of(split: Split, sample_rate_hz: float) -> Promise:
    """State what a split promises; one that leaks is held to the promise of a split by group."""
    match split:
        case TimeSplit():
            return Promise((), f"{split.within}_id", ceil(split.gap_s * sample_rate_hz))
        case HeldOutSplit():
            return Promise(("session_id", "condition", "state"))
        case UnitSplit(by="condition"):
            return Promise(("session_id", "condition"))
        case UnitSplit(by="session") | ExplicitSplit(unit="session"):
            return Promise(("session_id",))
    return Promise(("session_id", "group_id"))


def prove(
    windows: pd.DataFrame,
    files: Mapping[str, SessionFile],
    promise: Promise,
    length: int,
    duplicates: Duplicates,
    compute: Compute,
) -> dict[str, Any]:
    """Check that no unit, no sample, no identical window and no near-duplicate is in two parts.

    Parameters
    ----------
    windows : DataFrame
        Columns session_id, group_id, condition, state, part, start, label, in rows numbered from 0.
    files : mapping of str to SessionFile
        One session at a time is read; what stays of it is some 10 KiB, and 8 bytes for each window.
    promise : Promise
    length : int
        Window length in samples.
    duplicates : Duplicates
    compute : Compute

    Returns
    -------
    dict
        ``holds``, and ``checks``: one entry each with its name, the number of things compared and what crosses. There
        is no search for near-duplicates among windows of one sample, which have no course in time to compare.
    """
    checks = [_unit_crosses(windows, unit) for unit in promise.units]
    if UNSEEN in set(windows["part"]):
        checks.append(_unseen_crosses(windows))
    lengths = {name: files[name].n_samples for name in sorted(set(windows["session_id"]))}
    checks.append(_ranges_cross(windows, length, promise, lengths))
    parts = [part for part in (*PARTS, UNSEEN) if part in set(windows["part"])]
    items = [_Item(files[str(name)], *_uses(rows, parts)) for name, rows in windows.groupby("session_id")]
    landmarks = duplicates.landmarks if length > 1 else 0
    seen = list(map_sessions(partial(_examine, length=length, landmarks=landmarks), items, compute))
    rows = np.concatenate([rows.to_numpy() for rows in windows.groupby("session_id").groups.values()])
    keys = pd.Series(np.concatenate([one.keys for one in seen]), index=rows)
    checks.append(_copies_cross(windows, keys))
    if landmarks:
        library = Library.collect(list(lengths), list(lengths.values()), [one.landmarks for one in seen])
        checks.append(check_duplicates(library, parts, duplicates, partial(_read, files)))
    return {"holds": not any(check["crossing"] for check in checks), "checks": checks}


def _unit_crosses(windows: pd.DataFrame, unit: str) -> dict[str, Any]:
    relevant = windows[windows["label"] > 0] if unit == "state" else windows
    parts = relevant.groupby(unit)["part"].nunique()
    return {"check": f"no {unit} in two parts", "compared": len(parts), "crossing": sorted(parts.index[parts > 1])}


def _unseen_crosses(windows: pd.DataFrame) -> dict[str, Any]:
    aside = windows["part"] == UNSEEN
    groups = set(windows.loc[aside, "group_id"])
    crossing = sorted(groups & set(windows.loc[~aside, "group_id"]))
    return {"check": f"no group_id of {UNSEEN} in another part", "compared": len(groups), "crossing": crossing}


def _ranges_cross(windows: pd.DataFrame, length: int, promise: Promise, lengths: Mapping[str, int]) -> dict[str, Any]:
    """Sort windows by time: what is too near across parts is then always a neighbour and its reach."""
    offsets: dict[str, int] = {}
    for _, sessions in windows.groupby(promise.within)["session_id"]:
        names = sorted(set(sessions))
        offsets |= dict(zip(names, accumulate((lengths[name] for name in names), initial=0), strict=False))
    time = windows["start"] + windows["session_id"].map(offsets)
    crossing = []
    for _, rows in windows.assign(time=time).sort_values([promise.within, "time"]).groupby(promise.within):
        free_from: dict[str, int] = {}
        for name, part, start, moment in zip(
            rows["session_id"], rows["part"], rows["start"], rows["time"], strict=True
        ):
            if any(free > moment for other, free in free_from.items() if other != part):
                crossing.append(f"{name}@{start}")
            free_from[part] = int(moment) + length + promise.gap
    gap = f", and {promise.gap} samples between parts" if promise.gap else ""
    return {"check": f"no sample range in two parts{gap}", "compared": len(windows), "crossing": crossing}


@dataclass(frozen=True)
class _Item:
    """A session and what the split uses of it; sent to the worker that reads it."""

    file: SessionFile
    starts: NDArray[np.int64]
    parts: NDArray[np.int64]


@dataclass(frozen=True)
class _Examined:
    """What stays of a session: a key for each window (0: it never varies), and its landmarks."""

    keys: NDArray[np.uint64]
    landmarks: Landmarks


def _uses(rows: pd.DataFrame, parts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return rows["start"].to_numpy(), rows["part"].map(parts.index).to_numpy()


def _examine(item: _Item, length: int, landmarks: int) -> _Examined:
    keys = np.zeros(len(item.starts), dtype=np.uint64)
    for positions, counts in item.file.window_blocks(item.starts, length):
        keys[positions] = [_key(window) for window in counts]
    if not landmarks:
        return _Examined(keys, Landmarks.none())
    stretches = [
        Stretch(int(part), int(start), int(stop))
        for part in np.unique(item.parts)
        for start, stop in _merge(np.sort(item.starts[item.parts == part]), length)
    ]
    return _Examined(keys, find_landmarks(item.file.blocks(), stretches, landmarks))


def _merge(starts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Join windows that touch, shape (stretches, 2)."""
    breaks = np.flatnonzero(np.diff(starts) > length)
    return np.stack([starts[np.r_[0, breaks + 1]], starts[np.r_[breaks, -1]] + length], axis=1)


def _key(window: NDArray) -> int:
    """Hash a window's samples less the first, so that an offset copy is a copy too; 0 if it never varies.

    A window of one sample is hashed as it is.
    """
    moved = window.astype(np.int64) - (window[0] if len(window) > 1 else 0)
    if not moved.any():
        return 0
    return int.from_bytes(hashlib.blake2b(moved.tobytes(), digest_size=8).digest(), "little")


def _copies_cross(windows: pd.DataFrame, keys: pd.Series) -> dict[str, Any]:
    """Compare windows by their keys; one that never varies says nothing of where it comes from."""
    varying = windows.assign(key=keys)
    varying = varying[varying["key"] != 0]
    in_two = varying.groupby("key")["part"].transform("nunique") > 1
    firsts = varying[in_two].drop_duplicates(["key", "part"])
    names = firsts["session_id"] + "@" + firsts["start"].astype(str) + " (" + firsts["part"] + ")"
    crossing = sorted(" is ".join(same) for _, same in names.groupby(firsts["key"]))
    return {"check": "no identical window in two parts", "compared": len(varying), "crossing": crossing}


def _read(files: Mapping[str, SessionFile], name: str, start: int, stop: int) -> NDArray:
    _, counts = next(files[name].window_blocks(np.array([start]), stop - start))
    return np.asarray(counts[0])
