"""The decision: courses by hand, its model on random ones, and what it refuses to start with."""

from __future__ import annotations

import re
from ctypes import POINTER, byref, c_int32, cast
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.classes import decide
from stages.core.runtime import decision as model
from stages.core.runtime.decision import UNCERTAIN, UNKNOWN, Codes, Rules
from stages.core.schema import decision as schema
from tests.runtime import library as c

PICKS = get_args(schema.Pick)
EXAMPLES = settings(max_examples=300, deadline=None)
COUNTERS = ("state", "windows", "positive", "uncertain", "unknown", "events", "gaps")
INT32 = st.integers(-(2**31), 2**31 - 1)
NUMBERS = ("margin", "average", "need", "of", "accumulate", "min_hold", "cooldown")
#: In the order of the C enumeration.
RULES = ["fine", "outputs", "pick", "exit", "reject", "margin", "average", "vote", "accumulate", "hold", "cooldown"]


def config(rules):
    codes = (c.Codes * len(rules.codes))(*((x.enter, x.exit, x.reject_from, x.reject_to) for x in rules.codes))
    numbers = {name: getattr(rules, name) for name in NUMBERS}
    return c.DecisionConfig(codes, len(codes), PICKS.index(rules.pick), rules.hysteresis, **numbers)


class Device:
    """The C decision in the interface of the model."""

    def __init__(self, runtime, rules):
        self.runtime, self.state_, self.config = runtime, c.Decision(), config(rules)
        self.memory = np.zeros(rules.average * len(rules.codes), np.int32)
        codes = cast(self.memory.ctypes.data, POINTER(c_int32))
        runtime.tg_decision_init(byref(self.state_), byref(self.config), codes)

    def update(self, codes):
        return self.runtime.tg_decision_update(byref(self.state_), np.array(codes, np.int32).ctypes)

    def reject(self):
        return self.runtime.tg_decision_unknown(byref(self.state_))

    def gap(self, hops):
        self.runtime.tg_decision_gap(byref(self.state_), hops)

    def __getattr__(self, name):
        return getattr(self.state_, name)


@pytest.fixture(params=["device", "model"])
def make(request, runtime):
    """Both sides, for what is known by hand."""
    return (lambda rules: Device(runtime, rules)) if request.param == "device" else model.Decision


def at(*thresholds):
    """Thresholds per output, with neither hysteresis nor a band."""
    return tuple(Codes(t, t, t, t) for t in thresholds)


def one(**rules):
    """One output, positive from 10 on."""
    return Rules(at(10), **rules)


def course(decision, windows):
    """Play windows: + is positive, - is not, ? was refused, | is a gap of a hop. Return the states."""
    states = ""
    for window in windows:
        if window == "?":
            assert decision.reject() == UNKNOWN
        elif window == "|":
            decision.gap(1)
        else:
            decision.update([20 if window == "+" else 0])
        states += str(decision.state)
    return states


@pytest.mark.parametrize(
    ("rules", "windows", "states"),
    [
        (one(), "+-++-", "10110"),
        (one(need=2, of=3), "+-+-+--+", "00101000"),
        (one(need=3, of=3), "++-+++-+++", "0000010001"),
        (one(accumulate=3), "+++-+-", "001010"),
        (one(min_hold=3), "+----", "11100"),
        (one(cooldown=3), "+-+++++", "1000111"),
        (one(cooldown=4, min_hold=2), "+--++++++", "110000111"),
        (one(need=2, of=2), "+?++", "0001"),
        (one(need=2, of=2), "+|++", "0001"),
        (one(need=2, of=3), "++|--", "01110"),
        (one(), "+??-", "1110"),
        (one(min_hold=4), "+??--", "11110"),
        (one(accumulate=2), "+|++|+-", "0001110"),
    ],
)
def test_courses_by_hand(make, rules, windows, states):
    assert course(make(rules), windows) == states


def test_hysteresis_leaves_below_the_exit_only(make):
    decision = make(Rules((Codes(10, 4, 10, 10),), hysteresis=True))
    assert [decision.update([code]) for code in (9, 10, 9, 4, 3, 9, 10)] == [0, 1, 1, 1, 0, 0, 1]


def test_average_is_compared_without_rounding(make):
    decision = make(one(average=3))
    assert [decision.update([code]) for code in (10, 9, 11, 9, 10, 10)] == [1, 0, 1, 0, 1, 0]


def test_average_begins_anew_after_a_gap(make):
    decision = make(one(average=2))
    decision.update([100])
    decision.gap(1)
    assert decision.update([9]) == 0


def test_score_within_the_band_is_uncertain_and_changes_nothing(make):
    decision = make(Rules((Codes(10, 10, 8, 12),)))
    assert [decision.update([code]) for code in (7, 8, 11, 12, 11, 7)] == [0, UNCERTAIN, UNCERTAIN, 1, UNCERTAIN, 0]
    assert (decision.events, decision.uncertain, decision.windows, decision.positive) == (1, 3, 6, 1)


def test_highest_needs_its_own_threshold_and_its_margin(make):
    decision = make(Rules(at(10, 50), pick="highest", margin=5))
    windows = [(9, 0), (10, 5), (10, 6), (40, 45), (10, 50), (10, 49), (50, 50)]
    assert [decision.update(codes) for codes in windows] == [0, 1, UNCERTAIN, 0, 2, 0, UNCERTAIN]


def test_severest_takes_the_worst_class_that_is_reached(make):
    decision = make(Rules(at(0, 70000)))
    windows = [(-1, 69999), (0, 69999), (0, 70000), (-128, 1 << 30)]
    assert [decision.update(codes) for codes in windows] == [0, 1, 2, 2]
    assert (decision.windows, decision.positive) == (4, 3)


def test_worse_class_takes_over_at_once_and_goes_after_its_hold(make):
    decision = make(Rules(at(10, 20), min_hold=3))
    states = [decision.update([code, code]) and decision.state for code in (10, 20, 10, 10, 10)]
    assert (states, decision.events) == ([1, 2, 2, 2, 1], 1)


def test_votes_for_a_worse_class_are_votes_for_a_lesser_one(make):
    decision = make(Rules(at(10, 20), need=2, of=2))
    states = []
    for code in (10, 20, 20, 10, 10):
        decision.update([code, code])
        states.append(decision.state)
    assert states == [0, 1, 2, 1, 1]


def test_one_tap_over_many_windows_is_one_event(make):
    decision = make(Rules(at(10, 10), pick="highest", need=2, of=3, min_hold=2, cooldown=4))
    # A tap of the first kind rings for six windows, the second kind being near; then silence, then a second tap.
    for codes in [(0, 0), (50, 9), (60, 40), (40, 45), (50, 20), (30, 12), (12, 20), *[(0, 0)] * 8, *[(50, 9)] * 3]:
        decision.update(codes)
    assert (decision.events, decision.state) == (2, 1)


def test_classes_of_the_highest_do_not_follow_each_other_without_a_pause(make):
    decision = make(Rules(at(10, 10), pick="highest", cooldown=2))
    states = []
    for codes in [(20, 0), (0, 20), (0, 20), (0, 20)]:
        decision.update(codes)
        states.append(decision.state)
    assert states == [1, 0, 0, 2]


def test_extreme_codes_do_not_overflow(make):
    decision = make(Rules(at(2**31 - 1, -(2**31)), average=64, pick="highest", margin=2**32 - 1))
    top, bottom = 2**31 - 1, -(2**31)
    assert [decision.update((top, bottom)) for _ in range(64)] == [1] * 64
    assert decision.update((bottom, top)) == 0  # a mean just below the largest code


@st.composite
def all_rules(draw):
    outputs = draw(st.integers(1, 3))
    pick = draw(st.sampled_from(PICKS))
    codes = []
    for _ in range(outputs):
        enter = draw(st.integers(-5, 5))
        band = draw(st.sampled_from([0, 0, 1, 2]))
        codes.append(Codes(enter, enter - draw(st.integers(1, 4)), enter - band, enter + band))
    of = draw(st.integers(1, 6))
    return Rules(
        tuple(codes),
        pick,
        draw(st.booleans()),
        draw(st.integers(0, 3)) if pick == "highest" and outputs > 1 else 0,
        draw(st.integers(1, 4)),
        draw(st.integers(1, of)),
        of,
        draw(st.integers(1, 3)),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
    )


@EXAMPLES
@given(rules=all_rules(), data=st.data())
def test_device_and_model_agree_on_every_window(runtime, rules, data):
    device, expected = Device(runtime, rules), model.Decision(rules)
    assert runtime.tg_decision_check(byref(device.config)) == RULES.index("fine")
    code = st.integers(-8, 8)
    step = st.tuples(*[code] * len(rules.codes)) | st.just("?") | st.integers(0, 5)
    for each in data.draw(st.lists(step, max_size=60)):
        if each == "?":
            assert device.reject() == expected.reject()
        elif isinstance(each, int):
            device.gap(each)
            expected.gap(each)
        else:
            assert device.update(each) == expected.update(each)
        assert [getattr(device, name) for name in COUNTERS] == [getattr(expected, name) for name in COUNTERS]


#: How classes relate that are picked so, as the whole configuration has to say.
KINDS = {"severest": "ordered", "highest": "exclusive"}


@EXAMPLES
@given(codes=st.lists(INT32, max_size=30), thresholds=st.tuples(INT32, INT32), pick=st.sampled_from(PICKS))
def test_plain_rules_are_the_classes_that_the_host_decides(runtime, codes, thresholds, pick):
    """So that a metric on the host speaks of what the device decides."""
    device = Device(runtime, Rules(at(*thresholds), pick=pick))
    windows = np.array([(a, b) for a, b in zip(codes, codes[::-1], strict=True)], np.int64).reshape(-1, 2)
    assert [device.update(each) for each in windows] == decide(windows, thresholds, KINDS[pick]).tolist()


TWO = Rules(at(10, 20), pick="highest")


@pytest.mark.parametrize(
    ("rules", "broken"),
    [
        (Rules(at(10)), "fine"),
        (Rules(()), "outputs"),
        (Rules(at(*range(254))), "outputs"),
        (replace(one(), codes=(Codes(10, 10, 10, 10),), hysteresis=True), "exit"),
        (replace(one(), codes=(Codes(10, 9, 10, 10),), hysteresis=True), "fine"),
        (replace(one(), codes=(Codes(10, 9, 11, 12),)), "reject"),
        (replace(one(), codes=(Codes(10, 9, 8, 9),)), "reject"),
        (replace(one(), codes=(Codes(10, 9, 12, 8),)), "reject"),
        (one(margin=1), "margin"),
        (one(margin=1, pick="highest"), "margin"),
        (replace(TWO, margin=1), "fine"),
        (one(average=0), "average"),
        (one(average=65), "average"),
        (one(need=3, of=2), "vote"),
        (one(need=0, of=2), "vote"),
        (one(need=1, of=33), "vote"),
        (one(need=32, of=32), "fine"),
        (one(accumulate=0), "accumulate"),
        (one(min_hold=0), "hold"),
        (one(min_hold=65536), "hold"),
        (one(cooldown=0), "cooldown"),
    ],
)
def test_nonsense_is_refused_by_name(runtime, rules, broken):
    assert RULES[runtime.tg_decision_check(byref(config(rules)))] == broken


def test_unknown_way_to_pick_is_refused(runtime):
    asked = config(one())
    asked.pick = 2
    assert RULES[runtime.tg_decision_check(byref(asked))] == "pick"


def test_configuration_stops_where_the_device_has_no_more_room():
    header = (c.FIRMWARE / "runtime/decision.h").read_text()
    room = dict(re.findall(r"#define TG_DECISION_(MAX_\w+) (\d+)\n", header))
    assert {name: getattr(schema, name) for name in ("MAX_AVERAGE", "MAX_OF", "MAX_WINDOWS")}.items() <= {
        name: int(value) for name, value in room.items()
    }.items()
