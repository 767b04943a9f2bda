"""Choosing train, val and test so that what is tested was never seen; or, where that is asked for, so that it was."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from stages.core.errors import SplitError
from stages.core.recordings.windows import PARTS, UNSEEN
from stages.core.schema.split import (
    ExplicitSplit,
    Fractions,
    HeldOut,
    HeldOutSplit,
    RandomWindowsSplit,
    Split,
    TimeSplit,
    UnitSplit,
)
from stages.core.seeds import derive_seed

#: The column of the window index that holds each kind of unit.
COLUMNS = {"session": "session_id", "group": "group_id", "condition": "condition"}
_NAMED_AT_MOST = 12


def assign(
    windows: pd.DataFrame,
    split: Split,
    lengths: Mapping[str, int],
    *,
    window_length: int,
    sample_rate_hz: float,
    classes: Sequence[str],
    seed: int,
) -> pd.DataFrame:
    """Assign each window to a part.

    Parameters
    ----------
    windows : DataFrame
        Columns session_id, group_id, condition, state, start (sample) and label (index into `classes`).
    split : Split
    lengths : mapping of str to int
        Samples of each session.
    window_length : int
        Samples.
    sample_rate_hz : float
    classes : sequence of str
    seed : int

    Returns
    -------
    DataFrame
        With the column part; windows that belong nowhere are left out. Ordered by part, session and start.

    Raises
    ------
    SplitError
        If the split cannot be made, or a part would lack a class.
    """
    match split:
        case UnitSplit():
            parts = by_unit(windows, split, classes, seed)
        case HeldOutSplit():
            parts = by_held_out(windows, split)
        case ExplicitSplit():
            parts = by_name(windows, split)
        case TimeSplit():
            parts = by_time(windows, split, lengths, window_length, sample_rate_hz)
        case RandomWindowsSplit():
            parts = at_random(windows, split, classes, seed)
    order = pd.Categorical(parts, [*PARTS, UNSEEN], ordered=True)
    placed = windows.assign(part=parts, order=order.codes)[parts.notna()]
    _require_every_class(placed, classes)
    return placed.sort_values(["order", "session_id", "start"], ignore_index=True).drop(columns="order")


def by_unit(windows: pd.DataFrame, split: UnitSplit, classes: Sequence[str], seed: int) -> pd.Series:
    """Give one fold of units to test, one to val and the rest to train, stratified by the most severe class."""
    unit = COLUMNS[split.by]
    test = _take_fold(windows, unit, split.folds, classes, seed)
    rest = windows[~windows[unit].isin(test)]
    val = _take_fold(rest, unit, split.folds - 1, classes, seed)
    return windows[unit].map(lambda name: "test" if name in test else "val" if name in val else "train")


def _take_fold(windows: pd.DataFrame, unit: str, folds: int, classes: Sequence[str], seed: int) -> set[str]:
    """Choose the units of one fold: the first that has every class and leaves every class, or simply the first."""
    sessions = windows.groupby("session_id").agg({unit: "first", "label": "max"})
    if sessions[unit].nunique() < folds:
        raise _too_few(windows, unit, f"at least {folds} to make {folds} parts", classes)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class in fewer sessions than folds is no matter as long as every part gets one, which is checked.
        warnings.simplefilter("ignore", UserWarning)
        try:
            choices = [
                set(sessions[unit].iloc[fold])
                for _, fold in splitter.split(sessions, sessions["label"], sessions[unit])
            ]
        except ValueError:
            raise _too_few(windows, unit, f"at least {folds} sessions of one most severe class", classes) from None
    for chosen in choices:
        inside = windows[unit].isin(chosen)
        if set(windows.loc[inside, "label"]) == set(windows.loc[~inside, "label"]) == set(range(len(classes))):
            return chosen
    return choices[0]


def _too_few(windows: pd.DataFrame, unit: str, expected: str, classes: Sequence[str]) -> SplitError:
    return SplitError(
        found=f"there are {windows[unit].nunique()} values of {unit} to divide: {_whereabouts(windows, classes, unit)}",
        where="split.folds",
        expected=expected,
        remedy="Record more units, lower split.folds, or choose another split (held_out, time)",
    )


def by_held_out(windows: pd.DataFrame, split: HeldOutSplit) -> pd.Series:
    """Place windows by the parts that their session's condition and, unless it is normal, its state belong to."""
    abnormal = windows.groupby("session_id")["label"].transform("max") > 0
    _require_known(split.conditions, set(windows["condition"]), "split.conditions")
    _require_known(split.states, set(windows.loc[abnormal, "state"]), "split.states")
    parts = windows["condition"].map(lambda value: _part_of(value, split.conditions))
    states = windows["state"].map(lambda value: _part_of(value, split.states))
    return parts.where(~abnormal | (states == parts), None)


def _part_of(value: str, held_out: HeldOut) -> str:
    if value in held_out.test:
        return "test"
    return "val" if value in held_out.val else "train"


def by_name(windows: pd.DataFrame, split: ExplicitSplit) -> pd.Series:
    """Place the units that the configuration names."""
    units = windows[COLUMNS[split.unit]]
    _require_listed(
        [name for part in PARTS for name in getattr(split, part)], set(units), "split", "train, val and test"
    )
    parts = {name: part for part in PARTS for name in getattr(split, part)}
    return units.map(parts)


def _require_known(held_out: HeldOut, values: set[str], key: str) -> None:
    _require_listed([*held_out.val, *held_out.test], values, key, "val and test")


def _require_listed(named: list[str], values: set[str], key: str, lists: str) -> None:
    unknown = sorted(set(named) - values)
    twice = sorted({name for name in named if named.count(name) > 1})
    if unknown or twice:
        raise SplitError(
            found=f"{', '.join(unknown)} in no recording" if unknown else f"{', '.join(twice)} named twice",
            where=key,
            expected=f"{lists} to name some of {_enumerate(sorted(values))}, and no value twice",
            remedy="Correct the split section of the task",
        )


def by_time(
    windows: pd.DataFrame, split: TimeSplit, lengths: Mapping[str, int], window_length: int, sample_rate_hz: float
) -> pd.Series:
    """Cut each session, or each group's sessions in a row, at two moments, and leave a gap after each."""
    starts, totals = timeline(windows, COLUMNS[split.within], lengths)
    stops = starts + window_length
    gap = ceil(split.gap_s * sample_rate_hz)
    first, second = _cuts(totals, split.fractions)
    parts = np.full(len(windows), None, dtype=object)
    parts[stops <= first] = "train"
    parts[(starts >= first + gap) & (stops <= second)] = "val"
    parts[starts >= second + gap] = "test"
    return pd.Series(parts, index=windows.index)


def timeline(
    windows: pd.DataFrame, column: str, lengths: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put the sessions of each unit in a row, in the order of their ids.

    Parameters
    ----------
    windows : DataFrame
    column : str
        ``session_id`` or ``group_id``.
    lengths : mapping of str to int

    Returns
    -------
    starts : ndarray of int64, shape (windows,)
        First sample of each window since the start of its unit.
    totals : ndarray of int64, shape (windows,)
        Samples of that unit.
    """
    sessions = windows.groupby("session_id")[column].first().sort_index().to_frame("unit")
    sessions["length"] = [lengths[str(session)] for session in sessions.index]
    rows = sessions.groupby("unit")["length"]
    offset = (rows.cumsum() - sessions["length"]).reindex(windows["session_id"]).to_numpy()
    total = rows.transform("sum").reindex(windows["session_id"]).to_numpy()
    return windows["start"].to_numpy() + offset, total


def _cuts(totals: NDArray[np.int64], fractions: Fractions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where train and val end, for each total."""
    shares = np.cumsum([fractions.train, fractions.val])
    first, second = (np.rint(totals * share).astype(np.int64) for share in shares)
    return first, second


def at_random(windows: pd.DataFrame, split: RandomWindowsSplit, classes: Sequence[str], seed: int) -> pd.Series:
    """Set groups aside as `UNSEEN`, if there are several, and deal out the other windows class by class."""
    rng = np.random.Generator(np.random.PCG64(derive_seed(seed, "split", "random_windows")))
    _require_listed(list(split.test_sessions), set(windows["session_id"]), "split.test_sessions", "the list")
    dealt = ~windows["session_id"].isin(split.test_sessions)
    parts = pd.Series("test", index=windows.index).mask(dealt, UNSEEN)
    rest = windows[dealt]
    folds = min(split.honest_folds, rest["group_id"].nunique())
    aside = _take_fold(rest, "group_id", folds, classes, seed) if folds > 1 else set()
    for _, members in rest[~rest["group_id"].isin(aside)].groupby("label"):
        cuts = _shares_of(len(members), split)
        shuffled = rng.permutation(members.index.to_numpy())
        for part, rows in zip(PARTS, np.split(shuffled, cuts), strict=True):
            parts[rows] = part
    return parts


def _shares_of(windows: int, split: RandomWindowsSplit) -> list[int]:
    """Return where train and val end among so many windows; without a test share if sessions are named for it."""
    if not split.test_sessions:
        return [int(cut[0]) for cut in _cuts(np.array([windows]), split.fractions)]
    of_train = split.fractions.train / (split.fractions.train + split.fractions.val)
    return [round(windows * of_train), windows]


def _require_every_class(windows: pd.DataFrame, classes: Sequence[str]) -> None:
    found = set(zip(windows["part"], windows["label"], strict=True))
    for part in (*PARTS, *({UNSEEN} & set(windows["part"]))):
        for label, name in enumerate(classes):
            if (part, label) not in found:
                raise SplitError(
                    found=f"{part} would have no {name} window",
                    where="split",
                    expected=f"every class in every part; the windows are {_whereabouts(windows, classes, 'group_id')}",
                    remedy="Change the seed, the number of folds, the held-out values or the fractions, or record what "
                    "is missing",
                )


def _whereabouts(windows: pd.DataFrame, classes: Sequence[str], unit: str) -> str:
    """Say which class has which units, and in which part where that is decided."""
    described = []
    for label, name in enumerate(classes):
        members = windows[windows["label"] == label]
        if "part" in members:
            units = [f"{value} ({', '.join(sorted(set(rows)))})" for value, rows in members.groupby(unit)["part"]]
        else:
            units = sorted(set(members[unit]))
        described.append(f"{name} in {_enumerate(units)}")
    return "; ".join(described)


def _enumerate(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED_AT_MOST]) or "none"
    return shown if len(names) <= _NAMED_AT_MOST else f"{shown} and {len(names) - _NAMED_AT_MOST} more"
