"""What a replayed stream came to, in the terms of those who depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stages.core.device.harness import instructions
from stages.core.device.replay import STAGES, Course, Replayed
from stages.core.runtime.app import Decided
from stages.core.runtime.decision import UNCERTAIN, UNKNOWN
from stages.core.runtime.matching import Matches, Raised
from stages.core.schema.build import NativeBoard, QemuBoard

_TIMED = ("most_instructions", "most_instructions_per_window", "instructions_per_hop", "slack")


@dataclass(frozen=True)
class Run:
    """A stream with what became of it.

    Attributes
    ----------
    course : Course
    replayed : Replayed
    decided : list of Decided
    """

    course: Course
    replayed: Replayed
    decided: list[Decided]

    @property
    def most_ticks(self) -> int:
        """What the busiest window took."""
        return max((sum(look.ticks) for look in self.replayed.looks), default=0)


def raised(run: Run, classes: Sequence[str]) -> list[Raised]:
    """Return the events: windows with which the state left the first class."""
    states = [0, *(window.state for window in run.decided)]
    began = [before == 0 and after > 0 for before, after in pairwise(states)]
    windows = [window for window, is_begin in zip(run.decided, began, strict=True) if is_begin]
    return [Raised(run.course.sample_of(window.start), classes[window.state]) for window in windows]


def wrongly_confident(run: Run, alone: Run, window: int) -> tuple[int, int]:
    """Count windows whose counts a fault changed, and those of them that were decided, and otherwise than without it.

    Parameters
    ----------
    run, alone : Run
        With the fault, and without.
    window : int
        Frames.

    Returns
    -------
    changed, wrong : int
    """
    classes = {each.start: each.class_ for each in alone.decided}
    changed = wrong = 0
    for each in run.decided:
        counts = run.course.counts_of(each.start, window)
        if np.array_equal(counts, alone.course.counts_of(each.start, window)):
            continue
        changed += 1
        wrong += each.class_ not in (UNKNOWN, UNCERTAIN, classes.get(each.start, each.class_))
    return changed, wrong


def summary(run: Run, matches: Matches, hop_ticks: float, board: NativeBoard | QemuBoard) -> dict[str, Any]:
    """Return a run's figures for a table and a file.

    Parameters
    ----------
    run : Run
    matches : Matches
        Of its events.
    hop_ticks : float
        What there is for a window.
    board : NativeBoard or QemuBoard
        A native one has no repeatable clock, and None for every figure of time.
    """
    timed: dict[str, Any] = dict.fromkeys(_TIMED)
    if isinstance(board, QemuBoard):
        spent = np.array([look.ticks for look in run.replayed.looks if look.record is not None])
        most = spent.max(axis=0, initial=0).tolist()
        timed = {
            "most_instructions": {stage: instructions(ticks, board) for stage, ticks in zip(STAGES, most, strict=True)},
            "most_instructions_per_window": instructions(run.most_ticks, board),
            "instructions_per_hop": instructions(round(hop_ticks), board),
            "slack": 1 - run.most_ticks / hop_ticks,
        }
    return {
        "windows": len(run.decided),
        "events": len(matches.hits) + len(matches.doubles) + len(matches.confused) + len(matches.false_alarms),
        "hits": len(matches.hits),
        "misses": len(matches.misses),
        "doubles": len(matches.doubles),
        "confused": len(matches.confused),
        "excused": len(matches.excused),
        "false_alarms": len(matches.false_alarms),
        "normal_hours": matches.normal_s / 3600,
        "false_alarms_per_hour": matches.false_alarms_per_hour,
        "delays_s": list(matches.delays_s),
        "passed_over_frames": run.decided[-1].passed_over if run.decided else 0,
        "stack_used_bytes": run.replayed.stack_used_bytes,
        **timed,
        "counters": run.replayed.counters,
    }
