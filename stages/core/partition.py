"""Choosing train, val and test by whole units, so that what is tested was never seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from stages.core.errors import SplitError
from stages.core.recordings.windows import PARTS
from stages.core.schema.split import GroupSplit, HeldOut, HeldOutSplit


@dataclass(frozen=True)
class Unit:
    """What the split needs to know of a session."""

    session_id: str
    group_id: str
    condition: str
    state: str
    anomalous: bool


def assign(units: list[Unit], split: GroupSplit | HeldOutSplit, seed: int) -> dict[str, str | None]:
    """Assign each session to a part.

    Parameters
    ----------
    units : list of Unit
    split : GroupSplit or HeldOutSplit
    seed : int

    Returns
    -------
    dict of str to (str or None)
        Part by session id; None for a session that would carry a seen condition or state into another part.

    Raises
    ------
    SplitError
        If a part would lack a class.
    """
    parts = by_group(units, split.folds, seed) if isinstance(split, GroupSplit) else by_held_out(units, split)
    _require_both_classes(units, parts)
    return parts


def by_group(units: list[Unit], folds: int, seed: int) -> dict[str, str | None]:
    """Give one fold of groups to test, one to val and the rest to train, stratified by class."""
    groups = {unit.group_id for unit in units}
    if len(groups) < folds:
        raise SplitError(
            found=f"the recordings are of {len(groups)} group(s): {', '.join(sorted(groups))}",
            where="split.folds",
            expected=f"at least {folds} groups for {folds} folds",
            remedy="Record more units, lower split.folds, or split by held-out condition (split: held_out)",
        )
    test, rest = _take_fold(units, folds, seed)
    val, train = _take_fold(rest, folds - 1, seed)
    chosen = zip(PARTS, (train, val, test), strict=True)
    return {unit.session_id: part for part, members in chosen for unit in members}


def _take_fold(units: list[Unit], folds: int, seed: int) -> tuple[list[Unit], list[Unit]]:
    classes = np.array([unit.anomalous for unit in units])
    groups = np.array([unit.group_id for unit in units])
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    try:
        rest, fold = next(splitter.split(classes, classes, groups))
    except ValueError:
        raise SplitError(
            found=f"there are {int((~classes).sum())} healthy and {int(classes.sum())} anomalous session(s) to divide",
            where="split.folds",
            expected=f"at least {folds} of one class",
            remedy="Record more of both, or lower split.folds",
        ) from None
    return [units[index] for index in fold], [units[index] for index in rest]


def by_held_out(units: list[Unit], split: HeldOutSplit) -> dict[str, str | None]:
    """Place sessions by the parts that their condition and, if anomalous, their state belong to."""
    _require_known(split.conditions, {unit.condition for unit in units}, "split.conditions")
    _require_known(split.states, {unit.state for unit in units if unit.anomalous}, "split.states")
    parts: dict[str, str | None] = {}
    for unit in units:
        part = _part_of(unit.condition, split.conditions)
        fits = not unit.anomalous or _part_of(unit.state, split.states) == part
        parts[unit.session_id] = part if fits else None
    return parts


def _part_of(value: str, held_out: HeldOut) -> str:
    if value in held_out.test:
        return "test"
    return "val" if value in held_out.val else "train"


def _require_known(held_out: HeldOut, values: set[str], key: str) -> None:
    unknown = sorted({*held_out.val, *held_out.test} - values)
    twice = sorted(set(held_out.val) & set(held_out.test))
    if unknown or twice:
        raise SplitError(
            found=f"{', '.join(unknown)} in no recording" if unknown else f"{', '.join(twice)} in both val and test",
            where=key,
            expected=f"each of val and test to name some of {', '.join(sorted(values))}, and no value twice",
            remedy="Correct the split section of the task",
        )


def _require_both_classes(units: list[Unit], parts: dict[str, str | None]) -> None:
    for part in PARTS:
        members = [unit for unit in units if parts[unit.session_id] == part]
        for anomalous, name in ((False, "healthy"), (True, "anomalous")):
            if not any(unit.anomalous == anomalous for unit in members):
                having = sorted({unit.group_id for unit in units if unit.anomalous == anomalous})
                raise SplitError(
                    found=f"{part} would have no {name} session",
                    where="split",
                    expected=f"both classes in every part; groups with {name} sessions: {', '.join(having) or 'none'}",
                    remedy="Change the seed, the number of folds or the held-out values, or record what is missing",
                )
