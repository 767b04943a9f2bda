"""The accumulator of positive windows, compiled for the host."""

from __future__ import annotations

import itertools
from ctypes import byref, c_bool, c_uint32

import pytest

from tests.runtime.library import Accumulate

FULL = 3
#: Every course of twelve windows.
COURSES = list(itertools.product((False, True), repeat=12))


@pytest.fixture
def run(runtime):
    """Return the alarms of a course of windows, and the state after it."""

    def over(windows, full=FULL):
        state = Accumulate()
        runtime.tg_accumulate_init(byref(state), c_uint32(full))
        return [runtime.tg_accumulate_update(byref(state), c_bool(positive)) for positive in windows], state

    return over


@pytest.mark.parametrize(
    ("windows", "alarms", "raised"),
    [
        ("+++", "..!", 1),
        ("++-+", "....", 0),
        ("++-++", "....!", 1),
        ("+++-+", "..!.!", 2),
        ("+++++---+", "..!!!....", 1),
        ("+++---+++", "..!.....!", 2),
        ("-----+++", ".......!", 1),
        ("+-+-+-+-", "........", 0),
    ],
)
def test_alarms_by_hand(run, windows, alarms, raised):
    found, state = run([window == "+" for window in windows])
    assert "".join(".!"[alarm] for alarm in found) == alarms
    assert state.alarms == raised


def test_three_positive_windows_in_a_row_always_raise_the_alarm(run):
    assert all(run(course)[0][-1] for course in COURSES if all(course[-FULL:]))


def test_window_that_is_not_positive_always_ends_the_alarm(run):
    assert not any(run(course)[0][-1] for course in COURSES if not course[-1])


def test_alarm_means_that_positive_windows_outnumber_the_others_by_three_of_late(run):
    for course in COURSES:
        alarms, _ = run(course)
        moves = [1 if positive else -1 for positive in course]
        for end, alarm in enumerate(alarms, start=1):
            if alarm:
                assert max(sum(moves[start:end]) for start in range(end)) >= FULL


def test_level_of_one_takes_each_window_as_it_is(run):
    assert run(COURSES[0b101100111010], full=1)[0] == list(COURSES[0b101100111010])
