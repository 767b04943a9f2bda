"""The accumulator of positive windows, compiled for the host."""

from __future__ import annotations

import ctypes
import itertools
import subprocess
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
FLAGS = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion", "-shared", "-fPIC"]
FULL = 3
#: Every course of twelve windows.
COURSES = list(itertools.product((False, True), repeat=12))


class State(ctypes.Structure):
    _fields_ = [("full", ctypes.c_uint32), ("level", ctypes.c_uint32), ("alarms", ctypes.c_uint32)]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("accumulate") / "accumulate.so"
    subprocess.run(["gcc", *FLAGS, FIRMWARE / "runtime/accumulate.c", "-o", path], check=True)
    loaded = ctypes.CDLL(str(path))
    loaded.tg_accumulate_update.restype = ctypes.c_bool
    loaded.tg_accumulate_update.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    return loaded


@pytest.fixture
def run(library):
    """Return the alarms of a course of windows, and the state after it."""

    def over(windows, full=FULL):
        state = State()
        library.tg_accumulate_init(ctypes.byref(state), ctypes.c_uint32(full))
        return [library.tg_accumulate_update(ctypes.byref(state), positive) for positive in windows], state

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
