"""What a stream came to: events, load, and windows that a fault made wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.core.device.account import Run, raised, wrongly_confident
from stages.core.device.replay import Course, Look, Replayed, Stretch
from stages.core.runtime.app import Decided
from stages.core.runtime.decision import UNKNOWN
from stages.core.runtime.fault import Cause

COURSE = Course.of([Stretch(np.arange(40, dtype=np.int16)[:, None])], 4, 100.0, 1_000_000)
WINDOW, HOP = 8, 4
CLASSES = ("normal", "worn", "broken")


def window(number, class_, state):
    return Decided(number * HOP, 0, 0, Cause(0), class_, state, (0,), 0, 0, number + 1, 0)


def run(*decided, course=COURSE, ticks=()):
    looks = [Look(0, 0, (1, each, 0, 0, 0), np.zeros(1, "V1")[0]) for each in ticks]
    return Run(course, Replayed(looks, {}, 0, 0, b""), list(decided))


def test_events_are_windows_with_which_the_state_left_the_first_class():
    states = [0, 1, 1, 2, 0, 0, 2]
    found = raised(COURSE, [window(k, state, state) for k, state in enumerate(states)], CLASSES)
    assert [(event.start, event.label) for event in found] == [(4, "worn"), (24, "broken")]


def test_a_changed_window_is_wrong_only_if_it_is_decided_and_otherwise():
    frames = COURSE.frames.copy()
    frames[2:4] += 1  # frames 8 to 15: windows from 4 to 12
    broken = replace(COURSE, frames=frames)
    alone = run(*(window(k, 0, 0) for k in range(5)))
    decided = [window(0, 1, 1), window(1, 0, 0), window(2, 1, 1), window(3, UNKNOWN, 1), window(4, 1, 1)]
    assert wrongly_confident(run(*decided, course=broken), alone, WINDOW) == (3, 1)


def test_busiest_window_is_the_one_of_the_most_ticks():
    assert run(ticks=(5, 70, 3)).most_ticks == 71
    assert run().most_ticks == 0
